"""How often each interval that is shown holds what it is an interval of, in simulations with document effects.

A plug-in value at n rows is biased, and says so; its interval is for the mean of the estimate over samples of n rows.
The interval of a corrected measure is for the value of the population. Measures whose jackknife failed these checks
have no interval, and say why.
"""

from dataclasses import dataclass, replace
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
def simulated():
    """Value, low and high of every measure in every repetition."""
    keys = [result_key(name) for name in MEASURES]
    found = {name: [] for name in MEASURES}
    for seed in range(REPEATS):
        for stored in evaluate(drawn(seed), "final", keys):
            result = stored.result
            found[stored.key.measure].append((result.value, result.low, result.high))
    return {name: np.array(values, dtype=float) for name, values in found.items()}


@pytest.mark.parametrize("name", [name for name, measure in MEASURES.items() if not measure.spread_of])
def test_the_interval_of_an_estimate_holds_its_mean_at_this_n(name):
    values, lows, highs = simulated()[name].T
    assert np.isfinite(lows).all(), "every repetition has an interval"
    mean = values.mean()
    assert LOWEST <= np.mean((lows <= mean) & (mean <= highs)) <= HIGHEST


def test_the_interval_of_the_extrapolated_rankme_holds_that_of_the_population():
    _, lows, highs = simulated()["rankme_covariance_richardson"].T
    truth = exponential_entropy(power_law(D, 0.7))
    assert LOWEST <= np.mean((lows <= truth) & (truth <= highs)) <= HIGHEST
    low, high = simulated()["rankme_covariance"].T[1:]
    assert np.mean((low <= truth) & (truth <= high)) < 0.8, "which that of the plug-in value does not"


@dataclass(frozen=True)
class Changes:
    truth: float
    held: float  # share of paired intervals that hold it
    width: float  # of the paired interval, on average
    apart: float  # of the interval of the same difference between different documents


@cache
def changes(name, twist):
    pairs, key = [], result_key(name)
    for seed in range(REPEATS):
        before, after = (evaluate(drawn(seed, by), "final", [key])[0].result for by in (0.0, twist))
        pairs.append((paired_change(before, after), np.hypot(before.high - before.low, after.high - after.low)))
    values, lows, highs = np.array([change for change, _ in pairs]).T
    return Changes(values.mean(), np.mean((lows <= values.mean()) & (values.mean() <= highs)), np.mean(highs - lows),
                   np.mean([apart for _, apart in pairs]))


@pytest.mark.parametrize(("name", "highest"), [("rankme_covariance", HIGHEST), ("participation_ratio", HIGHEST),
                                               ("alpha_weighted_least_squares", 1.0)])
def test_a_paired_change_between_checkpoints_is_held_and_is_far_narrower_than_an_unpaired_one(name, highest):
    """That of alpha is wider than it need be, which its record says: its eigenvalues repel each other."""
    found = changes(name, 0.1)
    assert LOWEST <= found.held <= highest
    assert found.truth != 0 and found.width < 0.5 * found.apart


def test_no_change_is_called_a_change_about_as_often_as_stated():
    """Another network whose rows differ by nothing but noise of their own: the documents are the same."""
    calls, key = [], result_key("rankme_covariance")
    for seed in range(REPEATS):
        rng = np.random.default_rng(10_000 + seed)
        drawn_once = drawn(seed)
        noisy = [{"final": rows + 0.1 * rng.standard_normal(rows.shape)} for rows in [drawn_once.rows["final"]] * 2]
        _, low, high = paired_change(*(evaluate(replace(drawn_once, rows=rows), "final", [key])[0].result
                                            for rows in noisy))
        calls.append(low > 0 or high < 0)
    assert 1 - HIGHEST <= np.mean(calls) <= 1 - LOWEST


def test_a_change_has_no_interval_where_the_documents_are_not_the_same():
    key = result_key("stable_rank")
    whole, fewer = drawn(0), drawn(0)
    kept = slice(0, 30 * TEXTS * TOKENS)
    fewer = Representation(rows={"final": fewer.rows["final"][kept]}, row_ids=fewer.row_ids[kept], facts={},
                           document_ids=fewer.document_ids[kept])
    before, after = (evaluate(one, "final", [key])[0].result for one in (whole, fewer))
    assert paired_change(before, after) is None
    assert paired_change(before, replace(before, replicates=None)) is None
