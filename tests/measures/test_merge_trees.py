"""Merge trees: nts_edges and nts_merge_heights."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform
from scipy.stats import spearmanr

from analysis import registry
from analysis.measures.merge_trees import aligned
from tests.synthetic import documents, generic, generic_pair, rotated

EDGES, HEIGHTS = registry.get("nts_edges"), registry.get("nts_merge_heights")
both = pytest.mark.parametrize("measure", [EDGES, HEIGHTS], ids=lambda measure: measure.name)


def tree(distances: np.ndarray, other: np.ndarray) -> set[tuple[int, int]]:
    """By Kruskal: pairs from the nearest on, by the other side where they tie; those that join two components."""
    n = len(distances)
    component, edges = list(range(n)), set()
    pairs = list(zip(*np.triu_indices(n, 1), strict=True))
    for i, j in sorted(pairs, key=lambda e: (distances[e], other[e], e)):
        if component[i] != component[j]:
            edges.add((i, j))
            component = [component[i] if name == component[j] else name for name in component]
    return edges


def longest_on_the_path(distances: np.ndarray, edges: set[tuple[int, int]], start: int, end: int) -> float:
    """By walking the tree."""
    waiting = [(start, start, 0.0)]
    while True:
        node, came_from, longest = waiting.pop()
        if node == end:
            return longest
        waiting += [(sum(edge) - node, node, max(longest, distances[edge])) for edge in edges
                    if node in edge and came_from not in set(edge) - {node}]


def written_out(measure, x: np.ndarray, y: np.ndarray) -> float:
    one, other = squareform(pdist(x)), squareform(pdist(y))
    trees = tree(one, other), tree(other, one)
    core = sorted(trees[0] | trees[1])
    if measure is EDGES:
        return spearmanr([one[edge] for edge in core], [other[edge] for edge in core]).statistic
    return spearmanr([longest_on_the_path(one, trees[0], *edge) for edge in core],
                     [longest_on_the_path(other, trees[1], *edge) for edge in core]).statistic


@both
def test_a_representation_and_its_rotated_and_scaled_copy_score_1(measure):
    rng = np.random.default_rng(0)
    x = generic(80, 12, rng)
    assert measure(x, x).value == pytest.approx(1, rel=1e-14)
    assert measure(x, rotated(x, rng, scale=41.0, shift=9.0)).value == pytest.approx(1, rel=1e-14)


def test_steps_in_the_reverse_order_of_length_score_minus_1():
    """On lines the trees are the lines: steps 1, 2, 3, 4 on one side and 4, 3, 2, 1 on the other."""
    steps = np.arange(1.0, 5.0)
    x, y = (np.cumsum(np.r_[0, side])[:, None] for side in (steps, steps[::-1]))
    assert EDGES(x, y).value == pytest.approx(-1, rel=1e-14)
    assert HEIGHTS(x, y).value == pytest.approx(-1, rel=1e-14)


def test_four_rows_by_hand():
    """Lines at 0, 1, 3, 7 and 0, 2, 3, 10: steps 1, 2, 4 and 2, 1, 7, so two of three places are exchanged."""
    x, y = np.array([[0.0], [1], [3], [7]]), np.array([[0.0], [2], [3], [10]])
    assert EDGES(x, y).value == HEIGHTS(x, y).value == pytest.approx(0.5, rel=1e-14)


def test_an_edge_of_one_tree_only_counts_by_its_merge_or_by_its_length():
    """x steps 1, 2 along a line; in y its first and third row are the nearest, 1 apart, and the second joins at 2. The
    third pair is 3 long in x, but merged at 2 already."""
    x = np.array([[0.0], [1], [3], [13]])
    y = np.array([[0.0, 0], [0.5, np.sqrt(4 - 0.25)], [1, 0], [1, -10]])
    for measure in (EDGES, HEIGHTS):
        assert measure(x, y).value == pytest.approx(written_out(measure, x, y), rel=1e-14)
    assert EDGES(x, y).value != HEIGHTS(x, y).value


@both
@pytest.mark.parametrize("shapes", [(25, 3, 2), (25, 40, 6)])
def test_both_agree_with_trees_grown_and_walked_edge_by_edge(measure, shapes):
    x, y = generic_pair(*shapes, np.random.default_rng(1))
    assert measure(x, y).value == pytest.approx(written_out(measure, x, y), rel=1e-13)


@both
def test_repeated_rows_keep_their_edges_of_length_0(measure):
    """Rows 0 to 9 repeat on both sides, 10 to 14 on one side only."""
    x, y = generic_pair(20, 5, 4, np.random.default_rng(2))
    copies = np.r_[np.arange(20), np.arange(15)]
    x, y = x[copies], y[copies] + (np.arange(35) >= 30)[:, None] * generic(35, 4, np.random.default_rng(3))
    assert measure(x, y).value == pytest.approx(written_out(measure, x, y), rel=1e-13)


@both
def test_ties_do_not_make_the_value_depend_on_the_order_of_the_rows(measure):
    """Points of a grid tie by the dozen on one side, and rows repeat on both."""
    rng = np.random.default_rng(4)
    x = rng.integers(0, 3, (60, 3)).astype(float)
    y = np.vstack([generic(50, 5, rng)] * 2)[:60]
    x[50:] = x[:10]
    found = []
    for _ in range(5):
        order = rng.permutation(60)
        found.append(measure(x[order], y[order]).value)
    assert found == pytest.approx([measure(x, y).value] * 5, rel=1e-13)


@both
def test_the_value_is_of_the_order_of_distances_only(measure):
    """Distances on one side squared: another metric, and the same order."""
    x = np.sort(generic(40, 1, np.random.default_rng(5)), axis=0)
    y = generic(40, 3, np.random.default_rng(6))
    steps = np.diff(x[:, 0])
    longer = np.cumsum(np.r_[0, steps**2])[:, None]
    assert HEIGHTS(x, longer).value == pytest.approx(1, rel=1e-14)
    assert measure(x, y).value == pytest.approx(measure(7.3 * x - 4, y).value, rel=1e-13)


@both
def test_the_chance_level_of_shuffled_rows_lies_below_0_and_related_rows_well_above_it(measure):
    rng = np.random.default_rng(7)
    x, _ = documents([10] * 12, 30, rng)
    y = x + 0.3 * rng.standard_normal(x.shape)
    shuffled = [measure(x, y[rng.permutation(120)]).value for _ in range(10)]
    assert max(shuffled) < 0.05 and np.mean(shuffled) < -0.1
    assert measure(x, y).value > 0.5


@both
def test_noise_lowers_it(measure):
    rng = np.random.default_rng(8)
    x = generic(200, 20, rng)
    noise = generic(200, 20, rng)
    found = [measure(x, x + size * noise).value for size in (0.0, 0.1, 0.5, 2.0)]
    assert found == sorted(found, reverse=True)


@both
def test_rows_that_are_all_equally_far_have_no_order(measure):
    x = generic(12, 4, np.random.default_rng(9))
    assert "equally long" in measure(x, np.eye(12)).reason
    assert "are the same" in measure(x, np.ones((12, 2))).reason


@both
def test_more_rows_than_points_are_thinned_evenly_and_alike(measure):
    x, y = generic_pair(90, 8, 5, np.random.default_rng(10))
    assert measure(x, y, points=30).value == measure(x[::3], y[::3]).value
    assert measure(x, y, points=90).value == measure(x, y).value != measure(x, y, points=89).value


def test_thinned_rows_run_from_the_first_row_in_steps_as_equal_as_can_be():
    place = np.arange(101.0)[:, None]
    for points in (20, 60, 100):
        near, _ = aligned(place, place, points)
        steps = squareform(near).diagonal(1)
        assert len(steps) == points - 1
        assert len(np.unique(np.round(steps / near.min(), 9))) <= 2
