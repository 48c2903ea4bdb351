"""Surrogates keep the covariance and nothing else; the test against them errs as often as it says and finds loops."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import binom, kstest
from sklearn.decomposition import PCA

from analysis.errors import Undefined
from analysis.topology.engine import diagrams
from analysis.topology.summaries import longest
from analysis.topology.surrogates import leading, matched_covariance, p_value, shuffled_components

MAKES = [matched_covariance, shuffled_components]
each = pytest.mark.parametrize("make", MAKES)


def cloud(n: int, d: int, seed: int) -> np.ndarray:
    """Gaussian with the spectrum of a language model, in a basis of its own."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) * np.arange(1, d + 1)**-0.5 @ np.linalg.qr(rng.standard_normal((d, d)))[0]


def covariance(x: np.ndarray) -> np.ndarray:
    return np.atleast_2d(np.cov(x, rowvar=False))


def p_of_loop(x: np.ndarray, make, rng: np.random.Generator, count: int) -> float:
    """p of the longest loop of a cloud."""
    scores = leading(x, 0)
    null = [longest(diagrams(make(scores, rng), 1).lengths(1)) for _ in range(count)]
    return p_value(longest(diagrams(x, 1).lengths(1)), null)


@pytest.mark.parametrize(("n", "d"), [(30, 80), (80, 30), (40, 40)])
def test_all_scores_have_the_distances_of_the_cloud(n, d):
    x = cloud(n, d, 0) + 5
    scores = leading(x, 0)
    assert scores.shape == (n, min(n - 1, d))
    np.testing.assert_allclose(pdist(scores), pdist(x), rtol=1e-12)


def test_scores_are_uncorrelated_centred_and_of_falling_variance():
    scores = leading(cloud(60, 20, 1) + 3, 0)
    variances = scores.var(axis=0, ddof=1)
    np.testing.assert_allclose(covariance(scores), np.diag(variances), atol=1e-14)
    np.testing.assert_allclose(scores.mean(axis=0), 0, atol=1e-14)
    assert (np.diff(variances) < 0).all()


def test_leading_scores_are_those_of_scikit_learn_but_for_the_sign():
    x = cloud(60, 20, 2)
    np.testing.assert_allclose(np.abs(leading(x, 3)), np.abs(PCA(3).fit_transform(x)), rtol=1e-9)


def test_scores_do_not_depend_on_the_basis_and_the_farthest_on_each_direction_is_positive():
    x = cloud(40, 12, 3)
    scores = leading(x, 0)
    turned = x @ np.linalg.qr(np.random.default_rng(0).standard_normal((12, 12)))[0]
    np.testing.assert_allclose(leading(turned, 0), scores, atol=1e-12)
    assert (scores.max(axis=0) > -scores.min(axis=0)).all()


def test_more_directions_than_the_rank_give_as_many_as_there_are():
    x = np.random.default_rng(0).standard_normal((30, 3)) @ np.random.default_rng(1).standard_normal((3, 50))
    assert leading(x, 10).shape == leading(x, 0).shape == (30, 3)


def test_points_that_are_all_the_same_have_no_directions():
    with pytest.raises(Undefined, match="all 4 points are the same"):
        leading(np.full((4, 2), 0.5), 0)


@each
@pytest.mark.parametrize(("n", "d"), [(25, 6), (25, 80)])
def test_surrogates_have_exactly_the_covariance_of_the_cloud(make, n, d):
    scores = leading(cloud(n, d, 4), 0)
    found = make(scores, np.random.default_rng(0))
    np.testing.assert_allclose(covariance(found), covariance(scores), atol=1e-13)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-14)
    assert not np.allclose(pdist(found), pdist(scores), rtol=0.01)


def test_a_matched_gaussian_is_uniform_among_the_clouds_of_its_covariance():
    scores, rng = leading(cloud(6, 2, 5), 0), np.random.default_rng(0)
    found = np.array([matched_covariance(scores, rng) for _ in range(6000)]) / np.linalg.norm(scores, axis=0)
    error = found.std(axis=0) / np.sqrt(len(found))
    assert (np.abs(found.mean(axis=0)) <= 4.5 * error).all(), "no point and no sign is preferred"
    np.testing.assert_allclose((found**2).mean(axis=0), 1 / 6, rtol=0.08)
    assert kstest((found[:, 0, 0]**2) / (5 / 6), "beta", args=(0.5, 2)).pvalue > 0.001, "as on a sphere in 5 dimensions"


def test_a_shuffled_first_component_has_exactly_its_values_and_the_others_nearly_where_points_are_many():
    scores = leading(np.random.default_rng(6).uniform(-1, 1, (4000, 3)) * [3, 2, 1], 0)
    found = shuffled_components(scores, np.random.default_rng(0))
    in_order, was = np.sort(found, axis=0), np.sort(scores, axis=0)
    np.testing.assert_allclose(in_order[:, 0], was[:, 0], rtol=1e-11)
    assert np.abs(in_order - was).max() < 0.1 < np.abs(found - scores).max(axis=0).min()


def test_shuffled_components_keep_no_bond_between_components():
    angles = np.random.default_rng(0).uniform(0, 2 * np.pi, 500)
    circle = leading(np.column_stack([np.cos(angles), np.sin(angles)]), 0)
    shuffled = shuffled_components(circle, np.random.default_rng(1))
    assert np.linalg.norm(circle, axis=1).std() < 0.1 < np.linalg.norm(shuffled, axis=1).std()


@each
def test_surrogates_follow_from_the_seed_and_leave_the_cloud_as_it_was(make):
    scores = leading(cloud(20, 5, 7), 0)
    before = scores.copy()
    first, again = (make(scores, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(scores, before)
    assert not np.array_equal(first, make(scores, np.random.default_rng(4)))


def test_p_counts_the_cloud_itself_and_ties_as_at_least_as_large():
    assert p_value(5.0, [1.0, 2.0, 3.0]) == 1 / 4
    assert p_value(3.0, [1.0, 2.0, 3.0]) == 2 / 4
    assert p_value(0.0, np.array([1.0, 2.0, 3.0])) == 1.0
    assert p_value(2.0, []) == 1.0


@each
@pytest.mark.parametrize(("n", "d"), [(60, 20), (40, 300)])
def test_without_structure_p_is_uniform_and_rejects_as_often_as_it_says(make, n, d):
    rng, repeats, count = np.random.default_rng(0), 100, 19
    found = np.array([p_of_loop(cloud(n, d, seed), make, rng, count) for seed in range(repeats)])
    low, high = binom.interval(0.999, repeats, 0.05)
    assert low <= (found <= 0.05).sum() <= high
    assert kstest(found - rng.random(repeats) / (count + 1), "uniform").pvalue > 0.001, "randomised within its steps"


def test_points_drawn_from_the_sample_covariance_would_give_p_that_is_far_too_large():
    def drawn(scores, rng):
        return rng.standard_normal(scores.shape) * scores.std(axis=0, ddof=1)

    rng = np.random.default_rng(0)
    found = [p_of_loop(cloud(40, 300, seed), drawn, rng, 19) for seed in range(30)]
    assert np.mean(found) > 0.75, "why the covariance is matched exactly and not on average"


@each
def test_the_power_of_the_test_rises_with_the_size_of_a_planted_circle(make):
    rng = np.random.default_rng(1)
    rejected = []
    for size in (0.0, 3.0, 8.0):
        found = []
        for seed in range(8):
            x, angles = cloud(60, 20, 100 + seed), rng.uniform(0, 2 * np.pi, 60)
            x[:, :2] += size * np.column_stack([np.cos(angles), np.sin(angles)])
            found.append(p_of_loop(x, make, rng, 19))
        rejected.append(np.mean(np.array(found) <= 0.05))
    assert rejected[0] <= 0.25 and rejected[0] < rejected[1] <= rejected[2] == 1
