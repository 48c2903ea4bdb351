"""Information imbalance: information_imbalance and information_imbalance_reverse."""

import itertools

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from analysis import registry
from tests.measures.test_cka import reference_pair
from tests.synthetic import generic, generic_pair, rotated

FORWARD, REVERSE = registry.get("information_imbalance"), registry.get("information_imbalance_reverse")
both = pytest.mark.parametrize("measure", [FORWARD, REVERSE], ids=lambda measure: measure.name)


def written_out(x: np.ndarray, y: np.ndarray, k: int) -> float:
    """Row by row: neighbours in X, and their place in the list of neighbours in Y."""
    n, near, far = len(x), cdist(x, x), cdist(y, y)
    found = []
    for i in range(n):
        others = [j for j in range(n) if j != i]
        places = sorted(others, key=lambda j: (far[i, j], j))
        found += [places.index(j) + 1 for j in sorted(others, key=lambda j: (near[i, j], j))[:k]]
    return 2 * sum(found) / (n**2 * k)


@pytest.mark.parametrize("k", [1, 3, 29])
@pytest.mark.parametrize("shapes", [(30, 6, 9), (30, 40, 3)])
def test_both_agree_with_ranks_counted_row_by_row(k, shapes):
    x, y = generic_pair(*shapes, np.random.default_rng(0))
    assert FORWARD(x, y, k=k).value == pytest.approx(written_out(x, y, k), rel=1e-13)
    assert REVERSE(x, y, k=k).value == pytest.approx(written_out(y, x, k), rel=1e-13)


def test_the_values_of_the_reference_pair_are_counted_ones():
    x, y = reference_pair()
    assert FORWARD(x, y).value == pytest.approx(written_out(x, y, 1), rel=1e-13)
    assert FORWARD(x, y).value == pytest.approx(0.4710, abs=1e-12)
    assert REVERSE(x, y).value == pytest.approx(0.3418, abs=1e-12)


@both
@pytest.mark.parametrize("k", [1, 4])
def test_a_rotated_scaled_and_shifted_copy_scores_the_least_there_is(measure, k):
    rng = np.random.default_rng(1)
    x = generic(60, 12, rng)
    assert measure(x, rotated(x, rng, scale=-41.0, shift=9.0), k=k).value == pytest.approx((k + 1) / 60, rel=1e-14)


@both
@pytest.mark.parametrize("k", [1, 3])
def test_over_all_permutations_it_averages_one(measure, k):
    rng = np.random.default_rng(2)
    x, y = generic(6, 3, rng), generic(6, 4, rng)
    values = [measure(x, y[list(order)], k=k).value for order in itertools.permutations(range(6))]
    assert np.ptp(values) > 0.1
    assert np.mean(values) == pytest.approx(1.0, rel=1e-12)
    assert measure(x, y, k=k).chance == 1.0


def test_a_part_of_the_coordinates_is_told_by_the_whole_and_does_not_tell_it():
    """Glielmo et al. 2022, figure 1: of two coordinates, one holds less than both together."""
    x = np.random.default_rng(3).standard_normal((400, 2)) * np.array([1.0, 0.7])
    part = x[:, :1]
    assert FORWARD(x, part).value < 0.1
    assert FORWARD(part, x).value > 3 * FORWARD(x, part).value
    assert FORWARD(part, x).value == REVERSE(x, part).value


def test_a_function_that_is_not_one_to_one_loses_information_one_way():
    x = np.random.default_rng(4).uniform(-1, 1, (500, 1))
    assert FORWARD(x, x**2).value < 0.03
    assert REVERSE(x, x**2).value > 0.3


@both
def test_repeated_rows_are_neighbours_and_never_the_row_itself(measure):
    """Pairs of equal rows: the twin is nearest on both sides, at rank 1."""
    rng = np.random.default_rng(5)
    token = rng.permutation(np.repeat(np.arange(20), 2))
    x, y = generic(20, 30, rng)[token], generic(20, 4, rng)[token]
    assert measure(x, y).value == pytest.approx(2 / 40, rel=1e-14)


@both
def test_of_equal_rows_the_first_count_as_nearer_on_both_sides(measure):
    x = np.full((30, 8), 0.1)
    assert measure(x, np.full((30, 3), 7.0), k=4).value == pytest.approx(5 / 30, rel=1e-14)


@both
def test_with_all_other_rows_as_neighbours_nothing_is_told(measure):
    x, y = generic_pair(20, 4, 5, np.random.default_rng(6))
    assert measure(x, y, k=19).value == pytest.approx(1.0, rel=1e-14)
    assert "20 neighbours were asked for, and 20 rows have 19" in measure(x, y, k=20).reason


@both
def test_opposite_orders_can_score_above_one(measure):
    """Two pairs, near in one and split as far as can be in the other."""
    x, y = np.array([[0.0], [1.0], [10.0], [11.0]]), np.array([[0.0], [11.0], [1.0], [10.0]])
    assert measure(x, y).value > 1
