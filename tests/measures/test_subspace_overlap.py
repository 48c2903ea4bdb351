"""Overlap of leading principal subspaces: subspace_overlap."""

import itertools

import numpy as np
import pytest
from scipy.linalg import subspace_angles

from analysis import registry
from analysis.measures.subspace_overlap import sampling_loss, subspace_projection
from tests.synthetic import generic, generic_pair, power_law, rotated, with_covariance_eigenvalues

OVERLAP = registry.get("subspace_overlap")


def steep(n: int, d: int, rng: np.random.Generator) -> np.ndarray:
    """Rows whose eigenvalues fall so fast that every leading subspace can be told."""
    return with_covariance_eigenvalues(0.5**np.arange(d), n, rng)


def test_shared_leading_directions_are_counted_whatever_their_order_and_variance():
    basis, _ = np.linalg.qr(np.column_stack([np.ones(60), np.random.default_rng(0).standard_normal((60, 12))]))
    x = basis[:, 1:7] * [32, 16, 8, 4, 1e-3, 1e-3]
    y = basis[:, [4, 1, 9, 2, 10]] * [64, 32, 16, 8, 1e-3]
    assert OVERLAP(x, y, k=4).value == pytest.approx(3 / 4, rel=1e-12)
    assert OVERLAP(x, y, k=1).value == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("k", [1, 3, 6])
def test_it_is_the_mean_squared_cosine_of_scipys_principal_angles(k):
    rng = np.random.default_rng(1)
    x, y = steep(80, 10, rng), steep(80, 7, rng)
    left = [np.linalg.svd(side - side.mean(axis=0), full_matrices=False)[0][:, :k] for side in (x, y)]
    assert OVERLAP(x, y, k=k).value == pytest.approx(np.mean(np.cos(subspace_angles(*left))**2), rel=1e-11)


def test_a_rotated_scaled_and_shifted_copy_has_the_same_subspaces():
    rng = np.random.default_rng(2)
    x = steep(60, 12, rng)
    for k in (1, 4, 12):
        assert OVERLAP(x, rotated(x, rng, scale=-41.0, shift=9.0), k=k).value == pytest.approx(1.0, abs=1e-10)


@pytest.mark.parametrize("k", [1, 2])
def test_over_all_permutations_it_averages_its_stated_chance(k):
    rng = np.random.default_rng(3)
    x, y = with_covariance_eigenvalues([100.0, 10, 1], 6, rng), with_covariance_eigenvalues([90.0, 8], 6, rng)
    values = [OVERLAP(x, y[list(order)], k=k).value for order in itertools.permutations(range(6))]
    assert np.mean(values) == pytest.approx(k / 5, rel=1e-12)
    assert OVERLAP(x, y, k=k).chance == pytest.approx(k / 5, rel=1e-14)
    assert np.std(values) > 0.05, "an average over values that differ"


def test_it_is_the_cosine_between_the_two_sides_projections():
    x, y = generic_pair(150, 60, 50, np.random.default_rng(0))
    a, b = subspace_projection(x), subspace_projection(y)
    assert OVERLAP.item is subspace_projection
    assert OVERLAP(x, y).value == pytest.approx(np.sum(a * b) / np.linalg.norm(a) / np.linalg.norm(b), rel=1e-12)
    np.testing.assert_allclose(a, a.T, atol=1e-15)
    np.testing.assert_allclose(a @ a, a, atol=1e-13)


def test_the_projection_of_permuted_rows_is_the_permuted_projection():
    x = generic(60, 8, np.random.default_rng(4))
    order = np.random.default_rng(5).permutation(60)
    np.testing.assert_allclose(subspace_projection(x[order], k=8), subspace_projection(x, k=8)[np.ix_(order, order)],
                               atol=1e-13)


@pytest.mark.parametrize("k", [1, 10])
def test_equal_eigenvalues_leave_no_leading_subspace_to_compare(k):
    rng = np.random.default_rng(6)
    flat, clear = with_covariance_eigenvalues(np.ones(60), 150, rng), steep(150, 12, rng)
    for pair in ((flat, clear), (clear, flat)):
        result = OVERLAP(*pair, k=k)
        assert f"eigenvalues {k} and {k + 1}" in result.reason and np.isnan(result.value)


def test_isotropic_noise_is_undefined_although_its_sample_eigenvalues_differ():
    rng = np.random.default_rng(7)
    for n in (100, 1000):
        noise = rng.standard_normal((n, 60))
        assert "cannot be told" in OVERLAP(noise, noise).reason


def test_more_rows_tell_a_gap_that_few_rows_cannot():
    spectrum = np.concatenate([np.full(3, 1.5), np.ones(40)])
    few, many = (with_covariance_eigenvalues(spectrum, n, np.random.default_rng(8)) for n in (60, 6000))
    assert "cannot be told" in OVERLAP(few, few, k=3).reason
    assert OVERLAP(many, many, k=3).value == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(("exponent", "n", "k"), [(1.0, 150, 10), (1.0, 1000, 3), (2.0, 150, 3), (2.0, 1000, 10)])
def test_the_expected_loss_is_what_samples_lose_of_the_population_subspace(exponent, n, k):
    spectrum = power_law(60, exponent)
    expected, lost = [], []
    for seed in range(20):
        rows = np.random.default_rng(seed).standard_normal((n, 60)) * np.sqrt(spectrum)
        values, vectors = np.linalg.eigh(np.cov(rows.T))
        expected.append(sampling_loss(values[::-1], k, n))
        lost.append(1 - np.sum(vectors[:k, ::-1][:, :k]**2) / k)
    assert np.mean(expected) == pytest.approx(np.mean(lost), rel=0.3)


def test_for_clear_gaps_the_loss_is_the_davis_kahan_sum_of_first_order():
    spectrum, n, k = 0.1**np.arange(5), 1000, 2
    first_order = sum(spectrum[i] * spectrum[j] / (spectrum[i] - spectrum[j])**2
                      for i in range(k) for j in range(k, 5)) / ((n - 1) * k)
    assert sampling_loss(spectrum, k, n) == pytest.approx(first_order, rel=0.01)
    assert sampling_loss(np.ones(2), 1, n) == pytest.approx(0.5, rel=1e-15), "a tie is lost by half"


def test_too_few_directions_are_named():
    rng = np.random.default_rng(9)
    x, y = steep(60, 4, rng), steep(60, 12, rng)
    assert "4 directions, fewer than the 10" in OVERLAP(x, y).reason
    assert OVERLAP(x, y, k=4).defined, "all directions of one side are a subspace that can be told"


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 / 3])
def test_a_side_whose_rows_are_all_the_same_has_no_directions(value):
    y = steep(50, 12, np.random.default_rng(10))
    for pair in ((np.full((50, 20), value), y), (y, np.full((50, 20), value))):
        assert "no directions" in OVERLAP(*pair).reason
