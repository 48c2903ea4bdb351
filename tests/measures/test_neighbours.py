"""Shared nearest neighbours: mutual_knn_cosine, mutual_knn_euclidean, neighbourhood_jaccard_cosine."""

import itertools

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from analysis import registry
from analysis.measures.neighbours import nearest
from tests.measures.test_cka import cosine, reference_pair
from tests.synthetic import generic, generic_pair, rotated

COSINE, EUCLIDEAN = registry.get("mutual_knn_cosine"), registry.get("mutual_knn_euclidean")
JACCARD = registry.get("neighbourhood_jaccard_cosine")
each = pytest.mark.parametrize("measure", [COSINE, EUCLIDEAN, JACCARD], ids=lambda measure: measure.name)
mutual = pytest.mark.parametrize("measure", [COSINE, EUCLIDEAN], ids=lambda measure: measure.name)
METRIC = {COSINE: "cosine", EUCLIDEAN: "euclidean", JACCARD: "cosine"}


def neighbour_sets(x: np.ndarray, k: int, metric: str) -> list[set[int]]:
    """Row by row with sorted(): self left out by its number, ties in order of number."""
    distances = cdist(x, x, metric)
    return [set(sorted(set(range(len(x))) - {i}, key=lambda j: (distances[i, j], j))[:k]) for i in range(len(x))]


def with_equal_norms(x: np.ndarray) -> np.ndarray:
    """A column of its own for every row makes all norms equal and changes no inner product of two rows."""
    squares = np.sum(x**2, axis=1)
    return np.hstack([x, np.diag(np.sqrt(1.01 * squares.max() - squares))])


@mutual
def test_the_golden_value_of_the_reference_pair(measure):
    """platonic-rep's mutual_knn with k = 10 takes the inner product (research notes, similarity, section 6). With
    equal norms the cosine and the distance order as the inner product does."""
    x, y = map(with_equal_norms, reference_pair())
    assert measure(x, y, k=10).value == pytest.approx(0.307, abs=1e-12)


@each
@pytest.mark.parametrize("k", [1, 3, 10, 29])
def test_it_agrees_with_sets_of_sorted_neighbours(measure, k):
    x, y = generic_pair(30, 6, 50, np.random.default_rng(0))
    shared = np.array([len(a & b) for a, b in zip(neighbour_sets(x, k, METRIC[measure]),
                                                  neighbour_sets(y, k, METRIC[measure]), strict=True)])
    expected = np.mean(shared / (2 * k - shared)) if measure is JACCARD else np.mean(shared) / k
    assert measure(x, y, k=k).value == pytest.approx(expected, rel=1e-14)


@each
def test_a_rotated_and_scaled_copy_has_the_same_neighbours(measure):
    rng = np.random.default_rng(1)
    x = generic(60, 12, rng)
    assert measure(x, rotated(x, rng, scale=41.0)).value == 1.0


@each
def test_all_other_rows_are_neighbours_of_all_at_the_largest_k(measure):
    x, y = generic_pair(20, 4, 5, np.random.default_rng(2))
    assert measure(x, y, k=19).value == 1.0
    assert measure(x, y, k=19).chance == pytest.approx(1.0, rel=1e-12)
    assert "20 neighbours were asked for, and 20 rows have 19" in measure(x, y, k=20).reason


@each
@pytest.mark.parametrize("k", [1, 2, 4])
def test_over_all_permutations_it_averages_its_stated_chance(measure, k):
    rng = np.random.default_rng(3)
    x, y = generic(6, 3, rng), generic(6, 4, rng)
    values = [measure(x, y[list(order)], k=k).value for order in itertools.permutations(range(6))]
    assert len(values) == 720 and np.ptp(values) > 0.1
    assert np.mean(values) == pytest.approx(measure(x, y, k=k).chance, rel=1e-12)
    assert measure is JACCARD or measure(x, y, k=k).chance == pytest.approx(k / 5, rel=1e-15)


@each
def test_neighbours_on_a_circle_and_on_a_star_of_the_same_points(measure):
    """Neighbours on the circle are the two next points, on the star (every fifth turn) those five away: none shared.
    Of the four nearest of 8 points, at 1 and 2 steps, the star (every third turn) has those at 3 and 2: half."""
    def turning(points: int, times: int) -> np.ndarray:
        angle = 2 * np.pi * times * np.arange(points) / points
        return np.column_stack([np.cos(angle), np.sin(angle)])
    assert measure(turning(24, 1), turning(24, 5), k=2).value == 0.0
    half = 1 / 3 if measure is JACCARD else 1 / 2
    assert measure(turning(8, 1), turning(8, 3), k=4).value == pytest.approx(half, rel=1e-14)


def test_jaccard_is_the_lower_of_the_two_and_follows_from_each_count():
    x, y = generic_pair(50, 8, 9, np.random.default_rng(4))
    share = COSINE(x, y, k=1).value
    assert JACCARD(x, y, k=1).value == pytest.approx(share, rel=1e-14), "one neighbour is shared or it is not"
    assert JACCARD(x, y).value < COSINE(x, y).value


@pytest.mark.parametrize("k", range(1, 7))
def test_of_equal_distances_the_first_rows_count_and_never_the_row_itself(k):
    found = nearest(np.zeros((7, 7)), k)
    for i in range(7):
        assert list(np.flatnonzero(found[i])) == [j for j in range(7) if j != i][:k]


@each
def test_repeated_rows_are_neighbours_of_each_other_and_not_of_themselves(measure):
    """Four copies of each row: with k = 3 the copies are the neighbours on both sides, whatever else differs."""
    rng = np.random.default_rng(5)
    token = rng.permutation(np.repeat(np.arange(15), 4))
    x, y = generic(15, 40, rng)[token] * 1e3, generic(15, 7, rng)[token]
    assert measure(x, y, k=3).value == 1.0
    same = token[:, None] == token
    np.testing.assert_array_equal(nearest(-1.0 * same, 3), same & ~np.eye(60, dtype=bool))


@each
def test_ties_between_repeated_rows_are_ties_to_the_last_bit(measure):
    """More copies than neighbours: those of lowest number are taken, so two sides of other widths agree in full."""
    rng = np.random.default_rng(6)
    token = np.tile(np.arange(3), 20)
    corners = np.eye(3) + 0.1
    assert measure(corners[token] @ rng.standard_normal((3, 301)), corners[token], k=5).value == 1.0


@each
def test_a_side_whose_rows_are_all_the_same_takes_the_first_rows_as_neighbours(measure):
    y = generic(40, 5, np.random.default_rng(7))
    assert measure(np.full((40, 8), 0.1), np.full((40, 3), 7.0)).value == 1.0
    assert 0 < measure(np.full((40, 8), 0.1), y).value < 0.6


@pytest.mark.parametrize("measure", [COSINE, JACCARD], ids=lambda measure: measure.name)
def test_a_row_of_zeros_has_no_cosine(measure):
    x, y = generic_pair(30, 5, 6, np.random.default_rng(8))
    x[3] = 0
    assert "no direction" in measure(x, y).reason and "no direction" in measure(y, x).reason
    assert EUCLIDEAN(x, y).defined


@mutual
def test_the_matrix_of_the_record_is_of_an_item_and_its_cosine_is_the_value(measure):
    x, y = generic_pair(40, 12, 50, np.random.default_rng(9))
    for k in (1, 10):
        assert cosine(measure.item(x, k=k), measure.item(y, k=k)) == pytest.approx(measure(x, y, k=k).value, rel=1e-12)


@mutual
def test_permuting_rows_permutes_the_matrix_of_the_record(measure):
    rng = np.random.default_rng(10)
    x, order = generic(40, 12, rng), rng.permutation(40)
    np.testing.assert_array_equal(measure.item(x[order], k=7), measure.item(x, k=7)[np.ix_(order, order)])


def test_two_huge_shared_rows_do_not_fool_neighbours():
    """Research notes, section 4: independent sides score 0.011 where debiased CKA scores 0.955."""
    rng = np.random.default_rng(11)
    x, y = rng.standard_normal((300, 64)), rng.standard_normal((300, 64))
    for side in (x, y):
        side[:2] += 1e3 * rng.standard_normal(64)
    assert registry.get("linear_cka_debiased")(x, y).value > 0.9
    assert EUCLIDEAN(x, y).value == pytest.approx(EUCLIDEAN(x, y).chance, abs=0.02)
