"""How often each interval that is shown holds what it is an interval of, in simulations with document effects.

A plug-in value at n rows is biased, and says so; its interval is for the mean of the estimate over samples of n rows.
The interval of a corrected measure is for the value of the population. Measures whose jackknife failed these checks
have no interval, and say why.
"""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from analysis import registry
from analysis.evaluate import evaluate
from analysis.inference.jackknife import paired_change
from analysis.keys import RepresentationKey, ResultKey
from analysis.measures.effective_rank import exponential_entropy
from analysis.store import Representation
from tests.synthetic import power_law

KEY = RepresentationKey("f" * 64, "probe@0", "every-1")
SETTINGS = {"first_rank": 3, "last_rank": 30, "removed": 4, "head": 4, "largest": 20}
LOWEST, HIGHEST = 0.92, 0.98
REPEATS, DOCUMENTS, TEXTS, TOKENS, D = 600, 40, 2, 4, 40
MEASURES = {m.name: m for m in registry.of_kind(arity=1, returns="scalar") if m.has_interval}
PAIRED = [name for name, measure in MEASURES.items() if not measure.spread_of]  # whose changes have an interval
BY_TWO = [name for name, measure in MEASURES.items() if measure.leaves_two_out]


def result_key(name):
    measure = registry.get(name)
    given = {param.name: SETTINGS[param.name] for param in measure.params if param.name in SETTINGS}
    return ResultKey(KEY, "final", name, measure.version, tuple(sorted(measure.settings(given).items())))


def drawn(seed, twist=0.0):
    """Rows with an effect of their document, of two texts of four tokens each; and the same after a little twist."""
    rng = np.random.default_rng(seed)
    effects = np.repeat(rng.standard_normal((DOCUMENTS, D)), TEXTS * TOKENS, axis=0)
    own = rng.standard_normal((DOCUMENTS * TEXTS * TOKENS, D)) * np.linspace(1 + twist, 1 - twist, D)
    rows = (0.5 * effects + 0.85 * own) * np.sqrt(power_law(D, 0.7)) + 0.5
    number = np.arange(len(rows))
    ids = tuple(f"{k // TOKENS}@{1 + k % TOKENS}" for k in number)
    return Representation(rows={"final": rows}, row_ids=ids, facts={},
                          document_ids=tuple(f"d{k // (TEXTS * TOKENS)}" for k in number))


@cache
def evaluated(twist):
    """Results of all measures in every repetition."""
    keys = [result_key(name) for name in MEASURES]
    return [{stored.key.measure: stored.result for stored in evaluate(drawn(seed, twist), "final", keys)}
            for seed in range(REPEATS)]


def twisted():
    """Results before and after a little twist, in every repetition."""
    return zip(evaluated(0.0), evaluated(0.1), strict=True)


def simulated(name):
    """Values, lows and highs of a measure in all repetitions."""
    results = [found[name] for found in evaluated(0.0)]
    return np.array([(result.value, result.low, result.high) for result in results], dtype=float).T


def held(values, lows, highs):
    """Share of intervals that hold the mean."""
    return np.mean((lows <= values.mean()) & (values.mean() <= highs))


@pytest.mark.parametrize("name", PAIRED)
def test_the_interval_of_an_estimate_holds_its_mean_at_this_n(name):
    values, lows, highs = simulated(name)
    assert np.isfinite(lows).all(), "every repetition has an interval"
    assert LOWEST <= held(values, lows, highs) <= HIGHEST


def test_the_interval_of_the_extrapolated_rankme_holds_that_of_the_population():
    _, lows, highs = simulated("rankme_covariance_richardson")
    truth = exponential_entropy(power_law(D, 0.7))
    assert LOWEST <= np.mean((lows <= truth) & (truth <= highs)) <= HIGHEST
    low, high = simulated("rankme_covariance")[1:]
    assert np.mean((low <= truth) & (truth <= high)) < 0.8, "which that of the plug-in value does not"


@pytest.mark.parametrize("name", PAIRED)
def test_the_interval_of_a_paired_change_between_checkpoints_holds_its_mean(name):
    changes = [paired_change(before[name], after[name]) for before, after in twisted()]
    assert LOWEST <= held(*np.array(changes).T) <= HIGHEST


def test_without_leaving_out_two_the_interval_of_a_change_of_alpha_holds_too_often():
    """Neighbouring eigenvalues repel, so that what a document does depends on the others."""
    def by_one(found):
        result = found["alpha_weighted_least_squares"]
        return replace(result, replicates=replace(result.replicates, without_pairs=None))
    changes = [paired_change(by_one(before), by_one(after)) for before, after in twisted()]
    assert held(*np.array(changes).T) > 0.985


@pytest.mark.parametrize("name", ["rankme_covariance", "participation_ratio", "alpha_weighted_least_squares"])
def test_a_paired_change_is_far_narrower_than_one_between_different_documents(name):
    pairs = [(before[name], after[name]) for before, after in twisted()]
    changes = np.array([paired_change(*pair) for pair in pairs])
    apart = [np.hypot(one.high - one.low, other.high - other.low) for one, other in pairs]
    assert changes[:, 0].mean() != 0 and np.mean(changes[:, 2] - changes[:, 1]) < 0.5 * np.mean(apart)


@pytest.mark.parametrize("name", ["rankme_covariance", *BY_TWO])
def test_no_change_is_called_a_change_about_as_often_as_stated(name):
    """Another network whose rows differ by nothing but noise of their own: the documents are the same."""
    calls, key = [], result_key(name)
    for seed in range(REPEATS):
        rng = np.random.default_rng(10_000 + seed)
        drawn_once = drawn(seed)
        noisy = [{"final": rows + 0.1 * rng.standard_normal(rows.shape)} for rows in [drawn_once.rows["final"]] * 2]
        _, low, high = paired_change(*(evaluate(replace(drawn_once, rows=rows), "final", [key])[0].result
                                            for rows in noisy))
        calls.append(low > 0 or high < 0)
    assert 1 - HIGHEST <= np.mean(calls) <= 1 - LOWEST


def test_an_extrapolated_value_has_an_interval_and_its_change_has_none():
    key = result_key("rankme_covariance_richardson")
    one, other = (evaluate(drawn(0, twist), "final", [key])[0].result for twist in (0.0, 0.1))
    assert one.low < one.value < one.high and paired_change(one, other) is None


def test_a_change_has_no_interval_where_the_documents_are_not_the_same():
    key = result_key("stable_rank")
    whole, fewer = drawn(0), drawn(0)
    kept = slice(0, 30 * TEXTS * TOKENS)
    fewer = Representation(rows={"final": fewer.rows["final"][kept]}, row_ids=fewer.row_ids[kept], facts={},
                           document_ids=fewer.document_ids[kept])
    before, after = (evaluate(one, "final", [key])[0].result for one in (whole, fewer))
    assert paired_change(before, after) is None
    assert paired_change(before, replace(before, replicates=None)) is None
