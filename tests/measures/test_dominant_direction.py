"""The strongest direction: stable_rank and top_eigenvalue_share."""

import numpy as np
import pytest

from analysis import registry
from tests.synthetic import generic, golden_rows, golden_value, power_law, with_covariance_eigenvalues

STABLE_RANK, SHARE = registry.get("stable_rank"), registry.get("top_eigenvalue_share")


@pytest.mark.parametrize("k", [1, 2, 7, 30])
def test_k_equal_eigenvalues_have_stable_rank_k(k):
    rows = with_covariance_eigenvalues([5.0] * k + [0.0] * (30 - k), 80, np.random.default_rng(k))
    assert STABLE_RANK(rows).value == pytest.approx(k, rel=1e-12)
    assert SHARE(rows).value == pytest.approx(1 / k, rel=1e-12)


def test_a_chosen_spectrum_gives_its_own_share():
    rows = with_covariance_eigenvalues([6.0, 3.0, 2.0, 1.0], 20, np.random.default_rng(0))
    assert SHARE(rows).value == pytest.approx(0.5, rel=1e-12)
    assert STABLE_RANK(rows).value == pytest.approx(2.0, rel=1e-12)


def test_one_outlying_row_drives_the_share_to_one():
    rows = generic(100, 10, np.random.default_rng(1))
    rows[0] += 1e6
    assert SHARE(rows).value > 0.999999


@pytest.mark.parametrize("seed", range(8))
def test_stable_rank_then_participation_ratio_then_stable_rank_squared(seed):
    """lambda_1 sum lambda >= sum lambda^2 >= lambda_1^2, so sr <= PR <= sr^2."""
    rng = np.random.default_rng(seed)
    rows = generic(int(rng.integers(5, 80)), int(rng.integers(3, 80)), rng)
    stable, participation = STABLE_RANK(rows).value, registry.get("participation_ratio")(rows).value
    assert 1 < stable < participation < stable**2


@pytest.mark.parametrize("seed", range(4))
def test_the_share_is_the_inverse_of_the_stable_rank(seed):
    rows = generic(60, 20, np.random.default_rng(seed))
    assert SHARE(rows).value * STABLE_RANK(rows).value == pytest.approx(1.0, rel=1e-14)


@pytest.mark.parametrize(("n", "d"), [(2000, 200), (300, 300)])
def test_isotropic_noise_has_the_declared_null(n, d):
    values = [STABLE_RANK(np.random.default_rng(seed).standard_normal((n, d))).value for seed in range(5)]
    assert np.mean(values) == pytest.approx(d / (1 + np.sqrt(d / n))**2, rel=0.03)


@pytest.mark.parametrize("shape", [(200, 40), (30, 70)])
def test_it_agrees_with_the_matrix_norms_of_the_centred_rows(shape):
    rows = generic(*shape, np.random.default_rng(2))
    centred = rows - rows.mean(axis=0)
    expected = np.linalg.norm(centred, "fro")**2 / np.linalg.norm(centred, 2)**2
    assert STABLE_RANK(rows).value == pytest.approx(expected, rel=1e-11)


def test_the_share_agrees_with_scikit_learns_explained_variance_ratio():
    from sklearn.decomposition import PCA
    rows = generic(120, 30, np.random.default_rng(3))
    assert SHARE(rows).value == pytest.approx(PCA(svd_solver="full").fit(rows).explained_variance_ratio_[0], rel=1e-11)


def test_it_is_blind_to_how_the_tail_is_shared_out():
    steep = 10 * power_law(20, 0.8) / power_law(20, 0.8).sum()
    assert steep[0] < 4.0, "the tail must stay below the head"
    rng = np.random.default_rng(4)
    flat_tail = with_covariance_eigenvalues([4.0] + [0.5] * 20, 60, rng)
    steep_tail = with_covariance_eigenvalues([4.0, *steep], 60, rng)
    assert STABLE_RANK(flat_tail).value == pytest.approx(STABLE_RANK(steep_tail).value, rel=1e-12)


@pytest.mark.parametrize("measure", [STABLE_RANK, SHARE], ids=lambda measure: measure.name)
def test_the_golden_value_of_the_committed_rows(measure):
    assert measure(golden_rows()).value == pytest.approx(golden_value(measure.name), rel=1e-10)


@pytest.mark.parametrize("value", [0.0, 2.0, 0.1, 1e6 / 3])
@pytest.mark.parametrize("measure", [STABLE_RANK, SHARE], ids=lambda measure: measure.name)
def test_equal_rows_have_no_dominant_direction(measure, value):
    result = measure(np.full((100, 8), value))
    assert "every row is the same" in result.reason
    assert np.isnan(result.value)
