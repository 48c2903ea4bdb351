"""The spectrum itself: covariance_eigenspectrum."""

import numpy as np
import pytest

from analysis import registry
from tests.synthetic import generic, golden_rows, golden_value, power_law, with_covariance_eigenvalues

SPECTRUM = registry.get("covariance_eigenspectrum")


def test_chosen_eigenvalues_come_back_in_order():
    chosen = np.array([2.0, 9.0, 0.5, 4.0, 1.0])
    rows = with_covariance_eigenvalues(chosen, 30, np.random.default_rng(0)) + 5.0
    np.testing.assert_allclose(SPECTRUM(rows).values, [9.0, 4.0, 2.0, 1.0, 0.5], rtol=1e-12)


def test_a_power_law_comes_back():
    rows = with_covariance_eigenvalues(power_law(50, 1.3), 120, np.random.default_rng(1))
    np.testing.assert_allclose(SPECTRUM(rows).values, power_law(50, 1.3), rtol=1e-10)


@pytest.mark.parametrize("shape", [(200, 40), (30, 70)])
def test_the_eigenvalues_add_up_to_the_total_variance(shape):
    rows = generic(*shape, np.random.default_rng(2))
    assert SPECTRUM(rows).values.sum() == pytest.approx(rows.var(axis=0, ddof=1).sum(), rel=1e-12)


def test_scaling_the_rows_scales_the_variances_by_the_square():
    rows = generic(90, 20, np.random.default_rng(3))
    np.testing.assert_allclose(SPECTRUM(3.0 * rows).values, 9.0 * SPECTRUM(rows).values, rtol=1e-12)


def test_leaving_a_column_out_interlaces_the_eigenvalues():
    """Cauchy: lambda_(k+1) <= mu_k <= lambda_k for a principal submatrix."""
    rows = generic(90, 20, np.random.default_rng(4))
    whole, part = SPECTRUM(rows).values, SPECTRUM(rows[:, 1:]).values
    assert (part <= whole[:-1]).all() and (part >= whole[1:]).all()


def test_isotropic_noise_fills_the_marchenko_pastur_interval():
    n, d = 2000, 400
    values = SPECTRUM(np.random.default_rng(5).standard_normal((n, d))).values
    assert values[0] == pytest.approx((1 + np.sqrt(d / n))**2, rel=0.03)
    assert values[-1] == pytest.approx((1 - np.sqrt(d / n))**2, rel=0.05)


@pytest.mark.parametrize("shape", [(200, 40), (41, 40)])
def test_it_agrees_with_scikit_learns_explained_variance(shape):
    from sklearn.decomposition import PCA
    rows = generic(*shape, np.random.default_rng(6))
    expected = PCA(svd_solver="full").fit(rows).explained_variance_
    np.testing.assert_allclose(SPECTRUM(rows).values, expected, rtol=1e-8, atol=1e-12 * expected[0])


def test_more_columns_than_rows_leave_n_minus_1_positive_eigenvalues_and_exact_zeros():
    rows = generic(30, 70, np.random.default_rng(7))
    values = SPECTRUM(rows).values
    expected = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)**2 / 29
    assert values.shape == (70,)
    np.testing.assert_allclose(values[:29], expected[:29], rtol=1e-9)
    assert (values[29:] == 0).all()


def test_the_golden_value_of_the_committed_rows():
    expected = np.array(golden_value(SPECTRUM.name))
    np.testing.assert_allclose(SPECTRUM(golden_rows()).values, expected, rtol=1e-10)


@pytest.mark.parametrize("value", [0.0, 2.0, 0.1, 1e6 / 3])
def test_equal_rows_have_a_spectrum_of_exact_zeros(value):
    np.testing.assert_array_equal(SPECTRUM(np.full((100, 8), value)).values, np.zeros(8))
