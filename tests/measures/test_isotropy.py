"""Isotropy: isoscore, mean_cosine and mean_cosine_centred."""

import math

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from analysis import registry
from tests.synthetic import generic, golden_rows, golden_value, orthogonal, power_law, with_covariance_eigenvalues

ISOSCORE, COSINE = registry.get("isoscore"), registry.get("mean_cosine")
CENTRED = registry.get("mean_cosine_centred")


def isoscore_step_by_step(rows: np.ndarray) -> float:
    """Algorithm 1 of Rudman et al. 2022, a statement a step, on principal components from an SVD."""
    d = rows.shape[1]
    _, _, axes = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=True)
    rotated = (rows - rows.mean(axis=0)) @ axes.T
    variances = np.var(rotated, axis=0, ddof=1)
    normalised = math.sqrt(d) * variances / np.linalg.norm(variances)
    defect = np.linalg.norm(normalised - np.ones(d)) / math.sqrt(2 * (d - math.sqrt(d)))
    used = (d - defect**2 * (d - math.sqrt(d)))**2 / d**2
    return (d * used - 1) / (d - 1)


def mean_cosine_by_loop(rows: np.ndarray) -> float:
    n = len(rows)
    cosines = [rows[i] @ rows[j] / math.sqrt(rows[i] @ rows[i]) / math.sqrt(rows[j] @ rows[j])
               for i in range(n) for j in range(i)]
    return math.fsum(cosines) / len(cosines)


# --- IsoScore ---


@pytest.mark.parametrize("shape", [(200, 40), (30, 70), (50, 50), (40, 2)])
def test_isoscore_agrees_with_the_published_algorithm_step_by_step(shape):
    rows = generic(*shape, np.random.default_rng(0))
    assert ISOSCORE(rows).value == pytest.approx(isoscore_step_by_step(rows), rel=1e-10)


@pytest.mark.parametrize("exponent", [0.0, 0.7, 1.0, 3.0])
def test_isoscore_of_a_power_law_agrees_with_the_published_algorithm(exponent):
    rows = with_covariance_eigenvalues(power_law(30, exponent), 80, np.random.default_rng(1))
    assert ISOSCORE(rows).value == pytest.approx(isoscore_step_by_step(rows), rel=1e-9)


@pytest.mark.parametrize(("k", "d"), [(1, 30), (2, 30), (15, 30), (30, 30), (1, 2)])
def test_isoscore_of_k_equal_directions_out_of_d_is_k_minus_1_over_d_minus_1(k, d):
    rows = with_covariance_eigenvalues([4.0] * k + [0.0] * (d - k), 80, np.random.default_rng(k))
    assert ISOSCORE(rows).value == pytest.approx((k - 1) / (d - 1), abs=1e-12)


def test_isoscore_of_the_eigenvalues_3_2_1_can_be_worked_out_by_hand():
    """PR = 36 / 14, so (36 / 14 - 1) / 2 = 11 / 14."""
    rows = with_covariance_eigenvalues([3.0, 2.0, 1.0], 20, np.random.default_rng(2))
    assert ISOSCORE(rows).value == pytest.approx(11 / 14, rel=1e-12)


def test_isoscore_on_the_committed_rows_is_that_of_the_authors_package_and_of_the_golden_participation_ratio():
    """PyPI IsoScore 2.0.1 gives 0.29865380; it takes a square root in float32, hence the seventh digit."""
    assert ISOSCORE(golden_rows()).value == pytest.approx(0.2986537993, abs=1e-7)
    assert ISOSCORE(golden_rows()).value == pytest.approx((golden_value("participation_ratio") - 1) / 55, rel=1e-10)


def test_isoscore_of_no_more_rows_than_columns_cannot_reach_one():
    assert ISOSCORE(np.eye(12)).value == pytest.approx(10 / 11, rel=1e-12)
    assert ISOSCORE(np.eye(12)[:7]).value == pytest.approx(5 / 11, rel=1e-12)


@pytest.mark.parametrize(("n", "d"), [(2000, 200), (300, 300), (100, 400)])
def test_isoscore_of_isotropic_noise_has_the_declared_null(n, d):
    rows = np.random.default_rng(3).standard_normal((n, d))
    assert ISOSCORE(rows).value == pytest.approx(n / (n + d), rel=0.02)


def test_isoscore_of_one_column_or_of_equal_rows_is_undefined():
    assert "one column" in ISOSCORE(np.arange(10.0)[:, None]).reason
    assert "every row is the same" in ISOSCORE(np.full((100, 8), 0.1)).reason


# --- mean cosine ---


@pytest.mark.parametrize("shape", [(40, 12), (15, 50), (4, 3)])
def test_the_mean_cosine_agrees_with_a_loop_over_all_pairs(shape):
    rows = generic(*shape, np.random.default_rng(4))
    assert COSINE(rows).value == pytest.approx(mean_cosine_by_loop(rows), rel=1e-12)
    assert CENTRED(rows).value == pytest.approx(mean_cosine_by_loop(rows - rows.mean(axis=0)), rel=1e-11)


def test_the_mean_cosine_agrees_with_scipys_cosine_distances():
    rows = generic(150, 30, np.random.default_rng(5))
    assert COSINE(rows).value == pytest.approx(1 - pdist(rows, "cosine").mean(), rel=1e-11)
    assert CENTRED(rows).value == pytest.approx(1 - pdist(rows - rows.mean(axis=0), "cosine").mean(), rel=1e-10)


def test_orthogonal_rows_have_mean_cosine_0_and_parallel_rows_1_whatever_their_lengths():
    rng = np.random.default_rng(6)
    lengths = rng.uniform(0.1, 10, (12, 1))
    assert COSINE(lengths * orthogonal(12, rng)).value == pytest.approx(0.0, abs=1e-15)
    assert COSINE(lengths * rng.standard_normal(12)).value == pytest.approx(1.0, rel=1e-14)


def test_opposite_pairs_and_the_corners_of_a_simplex_reach_the_least_value():
    pairs = np.vstack([np.eye(5), -np.eye(5)])
    assert COSINE(pairs).value == pytest.approx(-1 / 9, rel=1e-13)
    assert CENTRED(np.eye(12)).value == pytest.approx(-1 / 11, rel=1e-13)
    assert COSINE(np.eye(12) - 1 / 12).value == pytest.approx(-1 / 11, rel=1e-13)


@pytest.mark.parametrize("seed", range(6))
def test_neither_is_ever_below_the_least_value_nor_above_one(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 40))
    rows = rng.standard_t(2, (n, int(rng.integers(2, 30))))
    for measure in (COSINE, CENTRED):
        assert -1 / (n - 1) - 1e-15 < measure(rows).value < 1


def test_a_common_mean_drives_it_and_centring_takes_that_away():
    """Isotropic noise of d unit variances around a mean of squared length m: the cosine tends to m / (m + d)."""
    rng = np.random.default_rng(7)
    noise = rng.standard_normal((1000, 200))
    mean = np.full(200, math.sqrt(3.0))
    assert COSINE(noise).value == pytest.approx(0.0, abs=0.001)
    assert COSINE(noise + mean).value == pytest.approx(3 / 4, abs=0.005)
    assert CENTRED(noise + mean).value == pytest.approx(CENTRED(noise).value, rel=1e-9)


def test_centred_isotropic_noise_has_the_declared_null():
    assert CENTRED(np.random.default_rng(8).standard_normal((50, 2000)) + 1).value == pytest.approx(-1 / 49, rel=0.02)


def test_one_row_far_on_one_side_lifts_the_centred_value():
    """The other n - 1 rows all point away from it: (n - 1)(n - 2) pairs of cosine 1 against 2 (n - 1) of -1."""
    n, rows = 20, 1e-9 * np.random.default_rng(9).standard_normal((20, 5))
    rows[0] += 1.0
    assert CENTRED(rows).value == pytest.approx((n - 2 - 2) / n, rel=1e-6)


def test_rescaling_single_rows_changes_nothing_before_centring():
    rng = np.random.default_rng(10)
    rows = generic(60, 20, rng)
    assert COSINE(rows * rng.uniform(0.01, 100, (60, 1))).value == pytest.approx(COSINE(rows).value, rel=1e-12)


def test_the_mean_cosines_of_the_committed_rows_are_those_of_scikit_learn():
    """Off-diagonal mean of sklearn.metrics.pairwise.cosine_similarity, made once and written down."""
    assert COSINE(golden_rows()).value == pytest.approx(0.7097921409155598, rel=1e-12)
    assert CENTRED(golden_rows()).value == pytest.approx(-0.012379011808746765, rel=1e-10)


def test_a_zero_row_has_no_direction_and_makes_the_plain_cosine_undefined():
    rows = generic(30, 6, np.random.default_rng(11))
    rows[4] = 0
    result = COSINE(rows)
    assert "a row is zero" in result.reason and np.isnan(result.value)
    assert not CENTRED(rows).reason


def test_a_row_at_the_mean_up_to_rounding_makes_the_centred_cosine_undefined():
    rng = np.random.default_rng(12)
    half = 0.1 * rng.integers(-9, 10, (15, 6))
    rows = rng.permutation(np.vstack([half, -half, np.zeros(6)]))
    for moved in (rows, rows + 0.1, rows / 3):
        assert "equals the mean" in CENTRED(moved).reason


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 / 3])
def test_equal_rows_all_lie_at_their_mean(value):
    assert "equals the mean" in CENTRED(np.full((40, 6), value)).reason


def test_a_short_but_real_distance_from_the_mean_still_counts():
    rows = np.vstack([np.eye(6), -np.eye(6), 1e-12 * np.eye(6)[:1], -1e-12 * np.eye(6)[:1]])
    assert CENTRED(rows).value == pytest.approx(-1 / 13, rel=1e-5)
