"""Why intrinsic dimensions have no interval: what the jackknife over documents would say of them, in simulations.

Rows have an effect of their document. The interval would be for the mean of the estimate over samples of n rows, and
that of a change for the mean change between two checkpoints of the same documents, as in test_coverage.
"""

from functools import cache

import numpy as np
import pytest

from analysis import registry
from analysis.inference.jackknife import interval, pairs_of
from analysis.neighbours import Neighbours
from analysis.results import Replicates
from tests.synthetic import power_law

NAMES = ("intrinsic_dimension_twonn", "intrinsic_dimension_mle", "intrinsic_dimension_gride", "correlation_dimension")
REPEATS, DOCUMENTS, TOKENS, D = 150, 25, 8, 40
GROUPS = np.arange(DOCUMENTS * TOKENS) // TOKENS


def replicated(seed, twist):
    """Of each measure its value, and its replicates without each document and without each pair of documents."""
    rng = np.random.default_rng(seed)
    effects = rng.standard_normal((DOCUMENTS, D))[GROUPS]
    own = rng.standard_normal((len(GROUPS), D)) * np.linspace(1 + twist, 1 - twist, D)
    whole = Neighbours.of((0.5 * effects + 0.85 * own) * np.sqrt(power_law(D, 0.7)), most=40)
    without = [whole.without(group == GROUPS) for group in range(DOCUMENTS)]
    by_two = [whole.without(np.isin(GROUPS, pair)) for pair in pairs_of(DOCUMENTS)]
    return {name: (measure(whole).value, *(np.array([measure(rest).value for rest in parts])
                                           for parts in (without, by_two)))
            for name in NAMES for measure in [registry.get(name)]}


@cache
def simulated():
    return [(replicated(seed, 0.0), replicated(seed, 0.1)) for seed in range(REPEATS)]


def held(estimates, pairs):
    """Share of intervals that hold the mean, and how much wider they are than a normal estimate's would have to be."""
    sizes = np.full(DOCUMENTS, TOKENS)
    ends = np.array([interval(value, Replicates(by_one, sizes, by_two if pairs else None))
                     for value, by_one, by_two in estimates])
    values = np.array([value for value, *_ in estimates])
    width = np.mean(ends[:, 1] - ends[:, 0]) / (2 * 1.96 * values.std(ddof=1))
    return np.mean((ends[:, 0] <= values.mean()) & (values.mean() <= ends[:, 1])), width


@pytest.mark.parametrize("name", NAMES)
def test_the_interval_of_a_value_would_be_too_wide(name):
    share, width = held([before[name] for before, _ in simulated()], pairs=False)
    assert share >= 0.97 and width > 1.2
    assert registry.get(name).uncertainty.startswith("none: ")


@pytest.mark.parametrize("name", NAMES)
def test_the_interval_of_a_change_would_be_far_too_wide_even_with_pairs_of_documents_left_out(name):
    changes = [tuple(after - before for before, after in zip(first[name], second[name], strict=True))
               for first, second in simulated()]
    share, width = held(changes, pairs=True)
    assert share > 0.98 and width > 1.2


def test_no_dimension_of_the_registry_shows_an_interval():
    shown = [m.name for m in registry.of_kind(arity=1, returns="scalar") if m.unit == "dimensions" and m.on_demand]
    assert len(shown) == 7 and not any(registry.get(name).has_interval for name in shown)
