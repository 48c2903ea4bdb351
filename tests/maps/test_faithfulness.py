"""What a map keeps of the full space: known answers, chance levels, and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist, squareform
from scipy.stats import spearmanr
from sklearn import manifold

from analysis.maps import faithfulness
from analysis.maps.faithfulness import K, counted, distances, facts, nearest


def cloud(m=200, d=20, seed=0):
    return np.random.default_rng(seed).standard_normal((m, d)) * np.arange(1, d + 1) ** -0.7


def slow_ranks(x, chosen):
    """1 + how many rows are nearer, counted one by one."""
    full = squareform(pdist(x))
    return np.array([[1 + sum(full[i, o] < full[i, j] for o in range(len(x)) if o not in (i, j)) for j in row]
                     for i, row in enumerate(chosen)])


@pytest.mark.parametrize("m", [8, 31, 200])
def test_a_plane_mapped_onto_itself_keeps_everything(m):
    x = cloud(m, 2)
    found = facts(x, x)
    assert found["trustworthiness"] == 1 and found["neighbourhood_overlap"] == 1
    assert found["distance_correlation"] == pytest.approx(1, abs=1e-12)


def test_turning_moving_and_scaling_a_map_changes_nothing():
    x = cloud()
    turn = np.array([[0.6, -0.8], [-0.8, -0.6]])
    assert facts(x, x[:, :2]) == pytest.approx(facts(x, 7 * x[:, :2] @ turn - 3), abs=1e-12)
    assert facts(x, x[:, :2]) == pytest.approx(facts(0.01 * x + 100, x[:, :2]), abs=1e-9)


def test_shuffled_rows_keep_what_chance_keeps():
    x, rng = cloud(300), np.random.default_rng(1)
    draws = [facts(x, rng.permutation(x[:, :2])) for _ in range(20)]
    mean = {name: np.mean([draw[name] for draw in draws]) for name in draws[0]}
    m, k = 300, K
    assert mean["neighbourhood_overlap"] == pytest.approx(k / (m - 1), abs=0.005)
    assert mean["trustworthiness"] == pytest.approx(
        1 - (m - k) * (m - k - 1) / ((m - 1) * (2 * m - 3 * k - 1)), abs=0.01)
    assert mean["distance_correlation"] == pytest.approx(0, abs=0.02)


def test_a_map_that_turns_the_order_of_distances_around_correlates_at_minus_one():
    x = np.array([[0.0], [1.0], [3.0]])
    far = squareform(pdist(x))
    near = np.array([[0.0, 0], [3, 0], [1, 0]])  # 3, 1, 2 where x has 1, 3, 2
    assert faithfulness.distance_correlation(far, near) == pytest.approx(-1)


def test_trustworthiness_is_0_when_the_nearest_on_the_map_are_those_that_are_farthest():
    m, k = 41, 7
    assert faithfulness.trustworthiness(np.tile(np.arange(m - k, m), (m, 1))) == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("k", [1, 5, 15])
@pytest.mark.parametrize("seed", [0, 1])
def test_trustworthiness_is_that_of_scikit_learn(k, seed):
    x = cloud(150, 12, seed)
    plane = cloud(150, 2, seed + 5) + x[:, :2]
    assert facts(x, plane, k)["trustworthiness"] == pytest.approx(
        manifold.trustworthiness(x, plane, n_neighbors=k), abs=1e-12)


def test_the_overlap_is_the_share_of_neighbours_that_are_in_both_lists():
    x, k = cloud(120), 10
    plane = x[:, :2]
    lists = [[set(row) for row in nearest(rows, k)[0]] for rows in (x, plane)]
    shared = np.mean([len(a & b) / k for a, b in zip(*lists, strict=True)])
    assert facts(x, plane, k)["neighbourhood_overlap"] == pytest.approx(shared, abs=1e-15)


def test_the_correlation_is_that_of_scipy_over_all_pairs():
    x, plane = cloud(90), cloud(90, 2, 3)
    assert facts(x, plane)["distance_correlation"] == pytest.approx(spearmanr(pdist(x), pdist(plane)).statistic)


@settings(max_examples=25, deadline=None)
@given(st.integers(8, 25), st.integers(0, 100), st.booleans())
def test_ranks_count_the_rows_that_are_nearer(m, seed, copies):
    x = cloud(m, 3, seed)
    if copies:
        x = x[np.random.default_rng(seed).integers(0, m // 2, m)]
    chosen = nearest(cloud(m, 2, seed + 1), 3)[0]
    assert np.array_equal(faithfulness._ranks(distances(x), chosen), slow_ranks(x, chosen))


def test_copies_of_rows_are_as_far_as_each_other_to_the_last_bit():
    x = cloud(40, 300)[np.random.default_rng(0).integers(0, 9, 60) % 40] + 50
    full = distances(x)
    same = (x[:, None] == x[None]).all(axis=2)
    assert (full[same] == 0).all() and np.array_equal(full, full.T)
    for row, copy in zip(*np.nonzero(same), strict=True):
        assert np.array_equal(full[row], full[copy])


def test_a_map_of_many_copies_that_puts_them_together_is_not_blamed_for_their_order():
    x = np.repeat(cloud(10, 2), 20, axis=0)  # more copies than neighbours that count
    assert facts(x, x)["trustworthiness"] == 1 and facts(x, x)["neighbourhood_overlap"] == 1
    assert facts(x, np.random.default_rng(0).permutation(x))["trustworthiness"] < 0.8


def test_distances_are_those_of_scipy_wherever_the_cloud_lies():
    x = cloud(60, 30)
    assert distances(x) == pytest.approx(squareform(pdist(x)), rel=1e-9)
    shifted = (x + 3).astype(np.float32)
    assert distances(shifted) == pytest.approx(squareform(pdist(shifted)), rel=1e-9)


def test_fewer_neighbours_count_where_there_are_few_rows():
    assert [counted(m) for m in (8, 30, 31, 1000)] == [3, 14, 15, 15]
    for m in (8, 9, 30, 31):
        x = cloud(m)
        assert facts(x, x[:, :2])["trustworthiness"] == pytest.approx(
            manifold.trustworthiness(x, x[:, :2], n_neighbors=counted(m)), abs=1e-12)
