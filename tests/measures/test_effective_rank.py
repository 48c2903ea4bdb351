"""Effective rank: rankme_covariance and rankme_singular_values."""

import itertools

import numpy as np
import pytest

from analysis import registry
from analysis.moments import Moments
from tests.synthetic import (
    generic,
    golden_rows,
    golden_value,
    orthogonal,
    power_law,
    power_law_gaussian,
    with_covariance_eigenvalues,
)

COVARIANCE, SINGULAR = registry.get("rankme_covariance"), registry.get("rankme_singular_values")


def entropy_rank_by_loop(spectrum: np.ndarray) -> float:
    """The definition, one term at a time."""
    total, entropy = sum(spectrum), 0.0
    for value in spectrum:
        share = value / total
        if share > 0:
            entropy -= share * np.log(share)
    return float(np.exp(entropy))


@pytest.mark.parametrize("k", [1, 2, 7, 30])
def test_k_equal_eigenvalues_have_effective_rank_k(k):
    rows = with_covariance_eigenvalues([4.0] * k + [0.0] * (30 - k), 80, np.random.default_rng(k))
    assert COVARIANCE(rows).value == pytest.approx(k, rel=1e-12)
    assert SINGULAR(rows).value == pytest.approx(k, rel=1e-12)


def test_an_exact_power_law_gives_the_entropy_of_the_power_law():
    spectrum = power_law(40, 1.0)
    rows = with_covariance_eigenvalues(spectrum, 90, np.random.default_rng(0))
    assert COVARIANCE(rows).value == pytest.approx(entropy_rank_by_loop(spectrum), rel=1e-12)
    assert SINGULAR(rows).value == pytest.approx(entropy_rank_by_loop(np.sqrt(spectrum)), rel=1e-12)


def test_the_identity_matrix_has_as_many_singular_directions_as_rows_and_one_centred_direction_less():
    assert SINGULAR(np.eye(12)).value == pytest.approx(12, rel=1e-12)
    assert COVARIANCE(np.eye(12)).value == pytest.approx(11, rel=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_participation_ratio_then_rankme_of_eigenvalues_then_of_singular_values_then_rank(seed):
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(10, 60)), int(rng.integers(3, 60))
    rows = generic(n, d, rng)
    rows -= rows.mean(axis=0)
    ordered = [1.0, registry.get("participation_ratio")(rows).value, COVARIANCE(rows).value, SINGULAR(rows).value,
               float(np.linalg.matrix_rank(rows))]
    assert all(small < large for small, large in itertools.pairwise(ordered)), ordered


@pytest.mark.parametrize("measure", [COVARIANCE, SINGULAR], ids=lambda measure: measure.name)
def test_isotropic_noise_obeys_pages_law(measure):
    """N exp(-N / 2d) = 613.7 for eigenvalues; reptrix's golden number, on other draws of the same kind, is 613.4726."""
    n, d = 1000, 1024
    rows = np.random.default_rng(42).standard_normal((n, d))
    if measure is COVARIANCE:
        assert n * np.exp(-n / (2 * d)) == pytest.approx(613.7, abs=0.05)
        assert measure(rows).value == pytest.approx(613.7, abs=2.0)
        assert measure(rows).value == pytest.approx(613.4726, abs=2.0)
    else:
        assert measure(rows).value > 1.2 * COVARIANCE(rows).value, "the two variants are not the same number"


def test_the_declared_null_holds_with_more_rows_than_columns():
    n, d = 2000, 200
    assert COVARIANCE(np.random.default_rng(0).standard_normal((n, d))).value \
        == pytest.approx(d * np.exp(-d / (2 * n)), rel=0.005)


def test_too_few_rows_bias_it_down():
    truth = entropy_rank_by_loop(power_law(64, 1.0))
    few, some, many = (np.mean([COVARIANCE(power_law_gaussian(n, 64, 1.0, np.random.default_rng(seed))).value
                                for seed in range(10)]) for n in (32, 256, 16_384))
    assert few < 0.6 * truth < 0.95 * some < 0.95 * truth
    assert many == pytest.approx(truth, rel=0.01)


@pytest.mark.parametrize("shape", [(200, 40), (30, 70), (50, 50)])
def test_they_agree_with_a_singular_value_decomposition_of_the_rows(shape):
    rows = generic(*shape, np.random.default_rng(5))
    centred = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)
    if shape[0] <= shape[1]:
        centred = centred[:-1]  # centring takes one direction away; its singular value is rounding
    assert COVARIANCE(rows).value == pytest.approx(entropy_rank_by_loop(centred**2), rel=1e-10)
    assert SINGULAR(rows).value == pytest.approx(entropy_rank_by_loop(np.linalg.svd(rows, compute_uv=False)), rel=1e-8)


def test_a_common_mean_a_thousand_times_the_spread_leaves_both_exact():
    rng = np.random.default_rng(6)
    rows = generic(300, 20, rng)
    moved = rows + 1e3 * rng.standard_normal(20)
    assert COVARIANCE(moved).value == pytest.approx(COVARIANCE(rows).value, rel=1e-9)
    assert SINGULAR(moved).value == pytest.approx(entropy_rank_by_loop(np.linalg.svd(moved, compute_uv=False)),
                                                  rel=1e-8)


def test_one_row_of_huge_norm_collapses_both():
    rows = generic(200, 20, np.random.default_rng(7))
    rows[3] *= 1e5
    assert COVARIANCE(rows).value < 1.001
    assert SINGULAR(rows).value < 1.1


@pytest.mark.parametrize("measure", [COVARIANCE, SINGULAR], ids=lambda measure: measure.name)
def test_the_golden_value_of_the_committed_rows(measure):
    assert measure(golden_rows()).value == pytest.approx(golden_value(measure.name), rel=1e-10)


@pytest.mark.parametrize("value", [0.0, 2.0, 0.1, 1e6 / 3])
def test_equal_rows_have_no_covariance_and_so_no_effective_rank(value):
    result = COVARIANCE(np.full((100, 8), value))
    assert "every row is the same" in result.reason
    assert np.isnan(result.value)


def test_equal_rows_in_a_random_direction_have_no_covariance_and_so_no_effective_rank():
    row = np.random.default_rng(8).standard_normal(60)
    assert "every row is the same" in COVARIANCE(np.tile(row, (150, 1))).reason


def test_rows_of_zeros_have_no_singular_values_and_equal_rows_have_one():
    zeros = SINGULAR(np.zeros((100, 8)))
    assert zeros.reason and np.isnan(zeros.value)
    assert SINGULAR(np.full((100, 8), 0.1)).value == pytest.approx(1.0, abs=1e-12)


def test_the_reason_for_rows_of_zeros_does_not_claim_more_than_is_known():
    assert "zero" in SINGULAR(np.zeros((100, 8))).reason


def test_moments_of_rotated_rows_give_the_same_value():
    rng = np.random.default_rng(9)
    rows = generic(80, 20, rng)
    assert COVARIANCE(Moments.of(rows @ orthogonal(20, rng))).value == pytest.approx(COVARIANCE(rows).value, rel=1e-12)
