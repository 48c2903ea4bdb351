"""The spectrum without its head: rankme_covariance_head_removed and head_share."""

import math

import numpy as np
import pytest

from analysis import registry
from tests.synthetic import generic, golden_rows, golden_value, power_law, with_covariance_eigenvalues

TAIL, SHARE = registry.get("rankme_covariance_head_removed"), registry.get("head_share")


def entropy_by_loop(spectrum: np.ndarray) -> float:
    total = math.fsum(spectrum)
    return -math.fsum(value / total * math.log(value / total) for value in spectrum)


@pytest.mark.parametrize("k", [2, 5, 20])
def test_eight_huge_and_k_equal_directions_leave_k_by_default(k):
    rows = with_covariance_eigenvalues([1000.0] * 8 + [1.0] * k, 60, np.random.default_rng(k))
    assert TAIL(rows).value == pytest.approx(k, rel=1e-9)
    assert SHARE(rows).value == pytest.approx(8000 / (8000 + k), rel=1e-12)


def test_a_power_law_under_three_huge_directions_comes_back_when_they_are_removed():
    rng = np.random.default_rng(0)
    hidden = with_covariance_eigenvalues([3e4, 2e4, 1e4, *power_law(30, 1.0)], 80, rng)
    assert registry.get("rankme_covariance")(hidden).value < 3, "the head hides the rest"
    assert TAIL(hidden, removed=3).value == pytest.approx(math.exp(entropy_by_loop(power_law(30, 1.0))), rel=1e-9)


@pytest.mark.parametrize("count", [1, 4, 8, 20])
@pytest.mark.parametrize("shape", [(200, 40), (30, 70)])
def test_they_agree_with_a_singular_value_decomposition_of_the_centred_rows(shape, count):
    rows = generic(*shape, np.random.default_rng(1))
    variances = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)[:min(shape[0] - 1, shape[1])]**2
    assert TAIL(rows, removed=count).value == pytest.approx(math.exp(entropy_by_loop(variances[count:])), rel=1e-10)
    assert SHARE(rows, head=count).value == pytest.approx(variances[:count].sum() / variances.sum(), rel=1e-11)


def test_the_share_agrees_with_scikit_learns_explained_variance_ratio():
    from sklearn.decomposition import PCA
    rows = generic(120, 30, np.random.default_rng(2))
    assert SHARE(rows, head=5).value \
        == pytest.approx(PCA(5, svd_solver="full").fit(rows).explained_variance_ratio_.sum(), rel=1e-11)


def test_a_head_of_one_is_the_top_eigenvalue_share():
    rows = generic(60, 20, np.random.default_rng(3))
    assert SHARE(rows, head=1).value == pytest.approx(registry.get("top_eigenvalue_share")(rows).value, rel=1e-14)


@pytest.mark.parametrize("count", [1, 3, 8, 15])
def test_the_entropy_splits_into_head_and_tail_by_the_chain_rule(count):
    """H = h(s) + s H(head) + (1 - s) H(tail), with s the share of the head and h the entropy of a coin."""
    rows = generic(70, 25, np.random.default_rng(4))
    share, tail = SHARE(rows, head=count).value, math.log(TAIL(rows, removed=count).value)
    head = entropy_by_loop(registry.get("covariance_eigenspectrum")(rows).values[:count])
    whole = math.log(registry.get("rankme_covariance")(rows).value)
    assert entropy_by_loop(np.array([share, 1 - share])) + share * head + (1 - share) * tail \
        == pytest.approx(whole, rel=1e-12)


def test_the_share_rises_with_the_head_to_exactly_one():
    rows = generic(40, 12, np.random.default_rng(5))
    values = [SHARE(rows, head=count).value for count in range(1, 13)]
    assert (np.diff(values) > 0).all()
    assert values[-1] == SHARE(rows, head=4096).value == 1.0


def test_k_equal_directions_give_the_least_share_there_can_be():
    rows = with_covariance_eigenvalues([2.0] * 20, 50, np.random.default_rng(6))
    assert SHARE(rows, head=5).value == pytest.approx(5 / 20, rel=1e-12)
    assert TAIL(rows, removed=5).value == pytest.approx(15, rel=1e-12)


def test_isotropic_noise_has_the_declared_nulls():
    n, d, count = 2000, 200, 8
    rows = np.random.default_rng(0).standard_normal((n, d))
    assert 1.0 < TAIL(rows).value / ((d - count) * np.exp(-d / (2 * n))) < 1.01
    near, far = SHARE(rows).value, SHARE(rows[:400]).value
    assert count / d < near < far, "fewer rows, larger share"


def test_two_positive_eigenvalues_must_be_left():
    rng = np.random.default_rng(7)
    rank_of_ten = with_covariance_eigenvalues([1.0] * 10 + [0.0] * 5, 40, rng)
    assert TAIL(rank_of_ten, removed=8).value == pytest.approx(2.0, rel=1e-12)
    result = TAIL(rank_of_ten, removed=9)
    assert np.isnan(result.value)
    assert result.reason == "without the 9 largest eigenvalues 1 are positive, and 2 are needed"
    assert "8 largest eigenvalues 1 are" in TAIL(generic(10, 30, rng)).reason, "10 rows span 9 directions"
    assert "20 largest eigenvalues 0 are" in TAIL(rank_of_ten, removed=20).reason


def test_equal_rows_have_neither():
    rows = np.full((100, 12), 0.1)
    assert "every row is the same" in SHARE(rows).reason
    assert TAIL(rows).reason and np.isnan(TAIL(rows).value)


def test_the_committed_rows_follow_from_their_golden_spectrum():
    spectrum = np.array(golden_value("covariance_eigenspectrum"))
    assert TAIL(golden_rows()).value == pytest.approx(math.exp(entropy_by_loop(spectrum[8:])), rel=1e-10)
    assert SHARE(golden_rows()).value == pytest.approx(spectrum[:8].sum() / spectrum.sum(), rel=1e-10)
    assert SHARE(golden_rows(), head=1).value == pytest.approx(golden_value("top_eigenvalue_share"), rel=1e-10)
