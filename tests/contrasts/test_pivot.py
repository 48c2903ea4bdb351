"""A difference, its size in standard errors and its p: against the paired t test, and in simulations."""

from functools import cache

import numpy as np
import pytest
from scipy.stats import kstest, ttest_rel

from analysis import registry
from analysis.contrasts import pivot
from analysis.contrasts.pivot import difference
from analysis.evaluate import evaluate
from analysis.keys import RepresentationKey, ResultKey
from analysis.results import Replicates, Scalar
from analysis.store import Representation
from tests.contrasts.made import MEASURE, numbers, scalar
from tests.synthetic import power_law

KEY = RepresentationKey("f" * 64, "probe@0", "every-1")
REPEATS, DOCUMENTS, ROWS, D = 400, 24, 4, 12
TESTED = ("rankme_covariance", "participation_ratio", "mean_cosine")


def test_for_means_of_equal_groups_p_is_that_of_the_paired_t_test():
    a, b = numbers(1), numbers(2, 0.4)
    found = difference(scalar(a), scalar(b), MEASURE)
    oracle = ttest_rel(b, a)
    assert found.value == pytest.approx(b.mean() - a.mean())
    assert found.p == pytest.approx(oracle.pvalue, rel=1e-9)
    assert found.standardised == pytest.approx(oracle.statistic, rel=1e-9)
    assert (found.low, found.high) == pytest.approx(tuple(oracle.confidence_interval(0.95)), rel=1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_p_is_below_5_percent_exactly_where_the_interval_excludes_0(seed):
    found = difference(scalar(numbers(seed)), scalar(numbers(seed + 100, 0.8)), MEASURE)
    assert (found.p < 0.05) == found.excludes_0


def test_the_seeds_above_give_both_answers():
    found = [difference(scalar(numbers(seed)), scalar(numbers(seed + 100, 0.8)), MEASURE) for seed in range(12)]
    assert {one.excludes_0 for one in found} == {True, False}


def test_exchanging_the_sides_turns_the_sign_and_keeps_p():
    a, b = scalar(numbers(1)), scalar(numbers(2, 1))
    there, back = difference(a, b, MEASURE), difference(b, a, MEASURE)
    assert back.value == -there.value and back.p == pytest.approx(there.p)
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low))


def test_a_difference_that_no_document_moves_has_no_p_and_says_so():
    a = scalar(numbers(1))
    for b in (a, scalar(numbers(1) + 2)):
        found = difference(a, b, MEASURE)
        assert found.p is None and found.standardised is None and found.reason == pivot.FLAT


@pytest.mark.parametrize(("a", "b", "measure", "why"), [
    (Scalar(value=1), Scalar(value=2), "lidar", "documents are its objects"),
    (Scalar(value=1), Scalar(value=2), "rankme_covariance_richardson", "none for changes"),
    (Scalar(value=1), Scalar(value=2), MEASURE, "too few documents"),
    (scalar(numbers(1)), scalar(numbers(2)[:9], np.full(9, 4)), MEASURE, "other documents"),
])
def test_without_a_paired_interval_there_is_a_reason_and_no_p(a, b, measure, why):
    found = difference(a, b, measure)
    assert found.value == b.value - a.value and found.p is None and found.excludes_0 is None and why in found.reason


def test_replicates_of_pairs_of_groups_enter_p_as_they_enter_the_interval():
    a, b = scalar(numbers(1)), scalar(numbers(2, 1))
    paired = [Scalar(value=one.value, replicates=Replicates(one.replicates.values, one.replicates.sizes,
                                                            np.full(5, one.value))) for one in (a, b)]
    found = difference(*paired, MEASURE)
    assert found.p < difference(a, b, MEASURE).p and (found.p < 0.05) == found.excludes_0


# --- calibration ---


def representation(seed):
    """Rows of 24 documents, each with an effect that both sides share, and noise of one side's own."""
    shared, own = np.random.default_rng(seed // 2), np.random.default_rng(10_000 + seed)
    effects = np.repeat(shared.standard_normal((DOCUMENTS, D)), ROWS, axis=0)
    rows = (0.6 * effects + own.standard_normal((DOCUMENTS * ROWS, D))) * np.sqrt(power_law(D, 0.7)) + 0.5
    return Representation(rows={"final": rows}, row_ids=tuple(f"{k}@1" for k in range(len(rows))), facts={},
                          document_ids=tuple(f"d{k // ROWS}" for k in range(len(rows))))


@cache
def p_values():
    """p of no difference where there is none, of each measure in every repetition."""
    measures = [registry.get(name) for name in TESTED]
    keys = [ResultKey(KEY, "final", m.name, m.version, ()) for m in measures]
    found = {name: [] for name in TESTED}
    for repeat in range(REPEATS):
        one, other = ({stored.key.measure: stored.result for stored in evaluate(representation(seed), "final", keys)}
                      for seed in (2 * repeat, 2 * repeat + 1))
        for name in TESTED:
            found[name].append(difference(one[name], other[name], name).p)
    return {name: np.array(values) for name, values in found.items()}


@pytest.mark.parametrize("name", TESTED)
def test_p_is_uniform_where_there_is_no_difference(name):
    p = p_values()[name]
    rates = [float(np.mean(p <= level)) for level in (0.01, 0.05, 0.1, 0.5)]
    print(f"{name}: p <= 0.01, 0.05, 0.1, 0.5 in {rates}, KS p = {kstest(p, 'uniform').pvalue:.3f}")
    for level, rate in zip((0.01, 0.05, 0.1, 0.5), rates, strict=True):
        assert abs(rate - level) < 3.3 * np.sqrt(level * (1 - level) / REPEATS), level
    assert kstest(p, "uniform").pvalue > 0.001


def test_the_check_fails_for_rows_taken_as_independent():
    """Without documents, each row a group of its own, the shared effect is not seen in the spread: a control."""
    rng, found = np.random.default_rng(3), []
    for _ in range(REPEATS):
        effect = np.repeat(rng.normal(0, 1, DOCUMENTS), ROWS)
        rows = effect + 0.3 * rng.standard_normal(len(effect))
        found.append(difference(scalar(np.zeros(len(rows)), np.ones(len(rows))), scalar(rows, np.ones(len(rows))),
                                MEASURE).p)
    assert np.mean(np.array(found) <= 0.05) > 0.2
