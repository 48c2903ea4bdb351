"""Distances between diagrams: known answers, the laws of a metric, other libraries, stability."""

from itertools import pairwise, permutations

import gudhi
import gudhi.hera
import numpy as np
import persim
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from ripser import ripser
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import pdist, squareform

from analysis.topology.distances import bottleneck, merges_apart, wasserstein
from tests.synthetic import generic

NONE = np.empty((0, 2))
RIPSER_ROUNDING = 1e-6  # ripser computes in float32
both = pytest.mark.parametrize("distance", [bottleneck, wasserstein], ids=lambda distance: distance.__name__)
each_order = pytest.mark.parametrize("order", [1, 2, 3])
each_size = pytest.mark.parametrize("sizes", [(0, 0), (0, 7), (7, 0), (1, 1), (40, 40), (80, 23), (23, 80)])
diagrams = arrays(float, st.tuples(st.integers(0, 6), st.just(2)), elements=st.integers(0, 12).map(float)).map(
    lambda pairs: np.column_stack([pairs.min(axis=1, initial=12), pairs.sum(axis=1)]))


def diagram(count: int, rng: np.random.Generator) -> np.ndarray:
    births = rng.random(count)
    return np.column_stack([births, births + 0.2 * rng.exponential(size=count)])


def bars_of(*bars: tuple[float, float]) -> np.ndarray:
    return np.array(bars, dtype=float).reshape(-1, 2)


def by_trying_all(a: np.ndarray, b: np.ndarray, order: float) -> float:
    """Every matching of a and as many diagonals as b has bars, with b and as many as a has."""
    found = []
    for of in permutations(range(len(a) + len(b))):
        moves = [np.abs(a[i] - b[j]).max() if i < len(a) and j < len(b) else
                 np.ptp(a[i]) / 2 if i < len(a) else np.ptp(b[j]) / 2 if j < len(b) else 0.0 for i, j in enumerate(of)]
        found.append(np.linalg.norm(moves, ord=order))
    return min(found)


def merge_bars(x: np.ndarray) -> np.ndarray:
    heights = linkage(pdist(x), "single")[:, 2]
    return np.column_stack([np.zeros(len(heights)), heights])


def loops(x: np.ndarray) -> np.ndarray:
    return ripser(squareform(pdist(x)), distance_matrix=True, maxdim=1)["dgms"][1].astype(float)


@both
def test_two_bars_are_as_far_apart_as_their_farther_ends(distance):
    assert distance(bars_of((0, 10)), bars_of((1, 12))) == 2


@both
def test_a_lone_bar_goes_to_the_diagonal_over_half_its_length(distance):
    assert distance(bars_of((2, 5)), NONE) == distance(NONE, bars_of((2, 5))) == 1.5


@both
def test_two_bars_that_share_nothing_both_go_to_the_diagonal(distance):
    assert distance(bars_of((0, 1)), bars_of((8, 9))) == (0.5 if distance is bottleneck else 1.0)


@both
def test_nothing_is_0_away_from_nothing(distance):
    assert distance(NONE, NONE) == 0


@both
def test_a_diagram_is_0_away_from_itself_in_any_order_to_the_last_bit(distance):
    rng = np.random.default_rng(0)
    bars = diagram(120, rng)
    assert distance(bars, rng.permutation(bars)) == 0


@both
def test_bars_of_length_0_do_not_count(distance):
    rng = np.random.default_rng(1)
    a, b = diagram(30, rng), diagram(20, rng)
    on_the_diagonal = np.repeat(rng.random((15, 1)), 2, axis=1)
    assert distance(np.vstack([a, on_the_diagonal]), b) == pytest.approx(distance(a, b), rel=1e-14)


def test_the_power_weighs_long_moves_more():
    a, b = bars_of((0, 10), (0, 20)), bars_of((0, 13), (0, 24))
    assert (wasserstein(a, b), wasserstein(a, b, 2), bottleneck(a, b)) == (7, 5, 4)


@settings(max_examples=40, deadline=None)
@given(a=diagrams.filter(lambda bars: len(bars) < 4), b=diagrams.filter(lambda bars: len(bars) < 4))
def test_no_matching_at_all_is_shorter(a, b):
    assert bottleneck(a, b) == by_trying_all(a, b, np.inf)
    assert wasserstein(a, b) == pytest.approx(by_trying_all(a, b, 1), rel=1e-14)
    assert wasserstein(a, b, 2) == pytest.approx(by_trying_all(a, b, 2), rel=1e-14)


@settings(max_examples=100, deadline=None)
@given(a=diagrams, b=diagrams, c=diagrams)
def test_they_are_symmetric_and_a_detour_is_never_shorter(a, b, c):
    for distance, rounding in ((bottleneck, 0.0), (wasserstein, 0.0), (lambda a, b: wasserstein(a, b, 2), 1e-14)):
        assert distance(a, b) == pytest.approx(distance(b, a), rel=rounding, abs=0)
        assert distance(a, c) <= (distance(a, b) + distance(b, c)) * (1 + rounding)


@settings(max_examples=50, deadline=None)
@given(a=diagrams, b=diagrams)
def test_higher_powers_are_never_longer_and_the_bottleneck_is_the_least(a, b):
    found = [wasserstein(a, b, 1), wasserstein(a, b, 2), wasserstein(a, b, 4), bottleneck(a, b)]
    assert all(later <= earlier * (1 + 1e-14) for earlier, later in pairwise(found))


@each_size
def test_the_bottleneck_is_that_of_gudhi(sizes):
    rng = np.random.default_rng(2)
    for _ in range(10):
        a, b = (diagram(size, rng) for size in sizes)
        assert bottleneck(a, b) == pytest.approx(gudhi.bottleneck_distance(a, b), rel=1e-14, abs=0)


@each_size
@each_order
def test_the_wasserstein_distance_is_that_of_hera(sizes, order):
    rng = np.random.default_rng(3)
    a, b = (diagram(size, rng) for size in sizes)
    theirs = gudhi.hera.wasserstein_distance(a, b, order=float(order), internal_p=np.inf, delta=1e-6)
    assert wasserstein(a, b, order) == pytest.approx(theirs, rel=1e-6, abs=0)


def test_the_bottleneck_is_that_of_persim():
    rng = np.random.default_rng(4)
    a, b = diagram(40, rng), diagram(30, rng)
    assert bottleneck(a, b) == pytest.approx(persim.bottleneck(a, b), rel=1e-12)


def test_the_wasserstein_distance_is_within_the_bounds_of_persims_which_measures_moves_by_the_euclidean_metric():
    rng = np.random.default_rng(5)
    a, b = diagram(40, rng), diagram(30, rng)
    assert wasserstein(a, b) <= persim.wasserstein(a, b) <= np.sqrt(2) * wasserstein(a, b)


def test_bars_that_repeat_hundreds_of_times_are_no_trouble():
    a, b = np.repeat(bars_of((0, 1)), 300, axis=0), np.repeat(bars_of((0, 1), (0.5, 0.9)), [150, 150], axis=0)
    assert (bottleneck(a, b), wasserstein(a, b)) == (0.5, 150 * 0.5)
    assert bottleneck(a, a[:200]) == 0.5 and wasserstein(a, a[:200]) == 100 * 0.5


@pytest.mark.parametrize("noise", [1e-3, 0.03, 0.3])
def test_moving_every_point_by_at_most_e_moves_loops_and_merges_by_at_most_2_e(noise):
    rng = np.random.default_rng(6)
    x = generic(60, 4, rng)
    steps = rng.standard_normal(x.shape)
    moved = x + noise * rng.random((60, 1)) * steps / np.linalg.norm(steps, axis=1, keepdims=True)
    farthest = np.linalg.norm(moved - x, axis=1).max()
    assert 0 < bottleneck(merge_bars(x), merge_bars(moved)) <= 2 * farthest
    assert 0 < bottleneck(loops(x), loops(moved)) <= 2 * farthest * (1 + RIPSER_ROUNDING)


def test_two_points_that_part_reach_the_bound_of_stability():
    near, far = np.array([[0.0], [1.0]]), np.array([[-0.1], [1.1]])
    assert bottleneck(merge_bars(near), merge_bars(far)) == pytest.approx(2 * 0.1, rel=1e-14)


def test_a_subset_is_at_most_twice_its_greatest_gap_away():
    """The Hausdorff distance of the two clouds bounds it, so that clouds of different sizes compare."""
    rng = np.random.default_rng(7)
    x = generic(80, 3, rng)
    gap = np.linalg.norm(x[:, None] - x[None, :50], axis=2).min(axis=1).max()
    assert 0 < bottleneck(loops(x), loops(x[:50])) <= 2 * gap


def test_merges_in_order_are_never_nearer_than_the_wasserstein_distance():
    rng = np.random.default_rng(8)
    x, y = generic(100, 8, rng), 1.4 * generic(100, 8, rng)
    a, b = merge_bars(x), merge_bars(y)
    assert wasserstein(a, b) <= merges_apart(a, b) * (1 + 1e-14)
    assert merges_apart(a, b) == pytest.approx(np.abs(np.sort(pdist_heights(x)) - np.sort(pdist_heights(y))).sum())
    assert merges_apart(a, a[::-1]) == 0


def pdist_heights(x: np.ndarray) -> np.ndarray:
    return linkage(x, "single")[:, 2]


def test_merges_in_order_miss_a_shorter_way_over_the_diagonal():
    a, b = bars_of((0, 1), (0, 1)), bars_of((0, 1), (0, 9))
    assert merges_apart(a, b) == 8 and wasserstein(a, b) == 5


def test_the_distance_of_merges_is_the_wasserstein_distance_where_no_merge_is_thrice_another():
    rng = np.random.default_rng(9)
    a, b = (np.column_stack([np.zeros(50), 1 + rng.random(50)]) for _ in range(2))
    assert merges_apart(a, b) == pytest.approx(wasserstein(a, b), rel=1e-13)


def test_merges_of_clouds_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match="2 and 1 merges; take as many rows"):
        merges_apart(bars_of((0, 1), (0, 2)), bars_of((0, 1)))


def test_bars_that_are_born_later_are_no_merges():
    with pytest.raises(ValueError, match="born at 0"):
        merges_apart(bars_of((0, 1)), bars_of((0.5, 1)))


@both
@pytest.mark.parametrize("endless", [(0, np.inf), (-np.inf, 0), (0, np.nan)])
def test_a_bar_without_an_end_is_refused(distance, endless):
    with pytest.raises(ValueError, match="never born or never dies"):
        distance(bars_of((0, 1)), bars_of((0, 1), endless))


def test_the_bars_are_left_as_they_were():
    rng = np.random.default_rng(10)
    a, b = diagram(9, rng), diagram(7, rng)
    kept = a.copy(), b.copy()
    for bars in (a, b):
        bars.flags.writeable = False
    assert bottleneck(a, b) and wasserstein(a, b)
    np.testing.assert_array_equal((*a, *b), (*kept[0], *kept[1]))
