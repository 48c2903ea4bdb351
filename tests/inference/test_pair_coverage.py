"""How often the interval of a pair measure holds, and whether p values are what they say, where rows come in documents.

The interval is for the mean of the estimate over samples of so many documents. The null is that the documents of the
two sides have nothing to do with each other; the rows of one document are alike on each side.
"""

from functools import cache

import numpy as np
import pytest

from analysis import registry
from analysis.pairs import cells
from analysis.pairs.engine import all_pairs
from analysis.pairs.work import Work

LOWEST, HIGHEST = 0.92, 0.98
REPEATS, DOCUMENTS, TOKENS = 400, 40, 2
N = DOCUMENTS * TOKENS
IDS = tuple(f"d{row // TOKENS}" for row in range(N))
MEASURES = [m for m in registry.of_kind(arity=2, returns="scalar") if m.has_interval and not m.on_demand]
DIRECTIONS = np.random.default_rng(99).standard_normal((2, 8, 14)) * np.arange(1, 9)[:, None]**-0.6


def states(rng: np.random.Generator, width: int, effect: float = 0.5) -> np.ndarray:
    """Rows with an effect of their document."""
    effects = np.repeat(rng.standard_normal((DOCUMENTS, width)), TOKENS, axis=0)
    return 0.85 * rng.standard_normal((N, width)) + effect * effects


def pair(seed: int, shared: float = 0.7) -> tuple[np.ndarray, np.ndarray]:
    """Two representations of 12 and 14 channels that share so much of what drives them."""
    rng = np.random.default_rng(seed)
    common = states(rng, 8)
    left = common @ DIRECTIONS[0][:, :12] + 0.5 * states(rng, 12)
    return left, (shared * common + (1 - shared) * states(rng, 8)) @ DIRECTIONS[1] + 0.5 * states(rng, 14)


def compared(measure, x, y, ids=IDS, draws=0):
    return all_pairs(Work(rows=[lambda: x], columns=[lambda: y], measure=measure, settings=measure.settings(),
                          documents=ids, draws=draws))


@cache
def pairs():
    return [pair(seed) for seed in range(REPEATS)]


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.name)
def test_the_interval_of_a_pair_holds_the_mean_of_the_estimate(measure):
    found = [compared(measure, x, y) for x, y in pairs()]
    values = np.array([one.values[0, 0] for one in found])
    low, high = np.array([[end[0, 0] for end in cells.interval(one)] for one in found]).T
    assert LOWEST <= np.mean((low <= values.mean()) & (values.mean() <= high)) <= HIGHEST


def p_values(name: str, ids, repeats: int = 300, draws: int = 39, effect: float = 0.5) -> np.ndarray:
    """Of representations that have nothing to do with each other."""
    measure, found = registry.get(name), []
    for seed in range(repeats):
        rng = np.random.default_rng(10_000 + seed)
        x, y = (states(rng, 8, effect) @ DIRECTIONS[side] for side in (0, 1))
        found.append(cells.verdict(compared(measure, x, y, ids, draws), measure).p[0, 0])
    return np.array(found)


@pytest.mark.parametrize("name", ["linear_cka_debiased", "linear_cka_biased", "mutual_knn_cosine",
                                  "rsa_euclidean_spearman", "procrustes_nbs"])
def test_p_values_of_shuffled_documents_are_uniform_where_there_is_nothing_to_find(name):
    found = p_values(name, IDS)
    for level in (0.05, 0.1, 0.25, 0.5, 0.75):
        spread = np.sqrt(level * (1 - level) / len(found))
        assert abs(np.mean(found <= level) - level) < 3.3 * spread, level


def test_shuffling_single_rows_instead_would_find_what_is_not_there():
    rows, documents = (np.mean(p_values("linear_cka_debiased", ids, repeats=60, effect=4.0) <= 0.05)
                       for ids in (tuple(map(str, range(N))), IDS))
    assert rows > 0.4 and documents < 0.2
