"""Summaries of bars: against hand-made diagrams, theorems and gudhi's and persim's own."""

import gudhi.representations as gudhi
import numpy as np
import pytest
from persim.landscapes import PersLandscapeExact

from analysis.errors import Undefined
from analysis.topology import summaries
from analysis.topology.diagrams import Diagrams
from analysis.topology.engine import diagrams

BARS = np.array([[0.0, 4.0], [1.0, 3.0], [1.0, 2.0]])
NONE = np.empty((0, 2))


def many(seed: int, count: int = 200) -> np.ndarray:
    births, lengths = np.random.default_rng(seed).random((2, count))
    return np.column_stack([births, births + lengths])


def test_the_betti_curve_counts_a_bar_from_its_birth_up_to_but_not_at_its_death():
    grid = np.array([-1.0, 0.0, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0])
    np.testing.assert_array_equal(summaries.betti_curve(BARS, grid), [0, 1, 3, 3, 2, 1, 0, 0])


def test_no_bars_give_curves_of_zeros():
    grid = np.linspace(0, 1, 5)
    assert not summaries.betti_curve(NONE, grid).any() and not summaries.landscape(NONE, grid, 2).any()


def test_the_betti_curve_is_that_of_gudhi():
    bars, grid = many(0), np.linspace(0, 2, 101)
    np.testing.assert_array_equal(summaries.betti_curve(bars, grid), gudhi.BettiCurve(predefined_grid=grid)(bars))


def test_the_integral_of_the_betti_curve_is_the_total_persistence():
    bars = many(1)
    steps = np.unique(bars)
    area = (summaries.betti_curve(bars, steps[:-1]) * np.diff(steps)).sum()
    assert area == pytest.approx(summaries.total_persistence(bars[:, 1] - bars[:, 0]), rel=1e-12)


def test_the_euler_curve_of_a_square_counts_its_points_then_its_loop_and_then_a_disc():
    square = diagrams(np.array([[0.0, 0.0], [1, 0], [0, 1], [1, 1]]), 1)
    side = 1 / square.scale
    curve = summaries.euler_curve(square, np.array([0.0, side * 0.99, side * 1.01, side * np.sqrt(2) * 1.01]))
    np.testing.assert_array_equal(curve, [4, 4, 0, 1])


def test_the_euler_curve_is_the_alternating_count_of_simplices_where_all_dimensions_are_computed():
    x = np.random.default_rng(2).standard_normal((7, 3))
    cloud = diagrams(x, 5)
    distances = np.linalg.norm(x[:, None] - x[None], axis=2) / cloud.scale
    grid = np.linspace(0, 1.5, 40) + 1e-4
    subsets = [[i for i in range(7) if mask >> i & 1] for mask in range(1, 2**7)]
    counted = [sum((-1)**(len(s) - 1) for s in subsets if distances[np.ix_(s, s)].max() <= t) for t in grid]
    np.testing.assert_array_equal(summaries.euler_curve(cloud, grid), counted)


def test_the_euler_curve_stops_at_the_highest_dimension_that_was_computed():
    sphere = Diagrams((np.array([[0.0, 0.1]]), NONE, np.array([[0.5, 1.0]])), 1.0, 2)
    without = Diagrams(sphere.bars[:2], 1.0, 2)
    assert summaries.euler_curve(sphere, np.array([0.7])) == 2 and summaries.euler_curve(without, np.array([0.7])) == 1


def test_the_entropy_of_equal_bars_is_the_logarithm_of_their_number():
    assert summaries.persistence_entropy(np.full(8, 0.3)) == pytest.approx(np.log(8), rel=1e-15)
    assert summaries.relative_persistence_entropy(np.full(8, 0.3)) == pytest.approx(1.0, rel=1e-15)


def test_the_entropy_of_one_bar_and_of_none_is_zero():
    assert summaries.persistence_entropy(np.array([0.7])) == summaries.persistence_entropy(np.empty(0)) == 0.0


def test_the_entropy_of_a_quarter_and_three_quarters_is_as_worked_out_by_hand():
    assert summaries.persistence_entropy(np.array([1.0, 3.0])) == pytest.approx(np.log(4) - 0.75 * np.log(3), rel=1e-14)


def test_bars_of_no_length_change_no_entropy():
    lengths, more = np.array([1.0, 3.0]), np.array([1.0, 0.0, 3.0, 0.0])
    assert summaries.persistence_entropy(more) == summaries.persistence_entropy(lengths)
    assert summaries.relative_persistence_entropy(more) == summaries.relative_persistence_entropy(lengths)


@pytest.mark.parametrize(("lengths", "words"), [([], "there is none"), ([0.4], "there is 1"), ([0.4, 0.0], "is 1")])
def test_the_relative_entropy_of_fewer_than_two_bars_is_undefined(lengths, words):
    with pytest.raises(Undefined, match=words):
        summaries.relative_persistence_entropy(np.array(lengths))


def test_the_entropy_is_that_of_gudhi_and_does_not_depend_on_the_scale():
    bars = many(3)
    lengths = bars[:, 1] - bars[:, 0]
    assert summaries.persistence_entropy(lengths) == pytest.approx(gudhi.Entropy(mode="scalar")(bars)[0], rel=1e-12)
    entropy = summaries.persistence_entropy(lengths)
    assert summaries.persistence_entropy(7 * lengths) == pytest.approx(entropy, rel=1e-12)


def test_totals_longest_and_count_are_as_worked_out_by_hand():
    lengths = BARS[:, 1] - BARS[:, 0]
    assert summaries.total_persistence(lengths) == 7 and summaries.total_persistence(lengths, 2) == 21
    assert summaries.longest(lengths) == 4 and summaries.count_longer(lengths, 2.0) == 1
    assert summaries.count_longer(lengths, 1.999) == 2


def test_no_bars_have_a_total_and_a_longest_of_zero():
    empty = np.empty(0)
    assert summaries.total_persistence(empty) == summaries.longest(empty) == summaries.count_longer(empty, 0.0) == 0


def test_a_landscape_of_one_bar_is_a_tent_and_its_next_level_is_zero():
    found = summaries.landscape(np.array([[1.0, 3.0]]), np.array([0.0, 1.0, 1.5, 2.0, 2.75, 4.0]), 2)
    np.testing.assert_array_equal(found, [[0, 0, 0.5, 1, 0.25, 0], np.zeros(6)])


def test_the_levels_of_a_landscape_never_cross_and_reach_half_the_longest_bar():
    bars = many(4)
    grid = np.append(np.linspace(0, 2, 400), bars.mean(axis=1))
    found = summaries.landscape(bars, grid, 10)
    assert (np.diff(found, axis=0) <= 0).all() and (found >= 0).all()
    assert found.max() == pytest.approx(summaries.longest(bars[:, 1] - bars[:, 0]) / 2, rel=1e-12)


def test_the_landscape_is_that_of_gudhi_which_stretches_it_by_the_root_of_two():
    bars, grid = many(5), np.linspace(0, 2, 101)
    theirs = gudhi.Landscape(num_landscapes=4, resolution=101, sample_range=[0, 2])(bars).reshape(4, 101)
    np.testing.assert_allclose(summaries.landscape(bars, grid, 4), theirs / np.sqrt(2), atol=1e-12)


def test_the_landscape_is_the_exact_one_of_persim():
    bars, grid = many(6, 12), np.linspace(0, 2, 201)
    exact = PersLandscapeExact(dgms=[bars], hom_deg=0).compute_landscape()
    theirs = [np.interp(grid, *np.array(corners).T) for corners in exact[:3]]
    np.testing.assert_allclose(summaries.landscape(bars, grid, 3), theirs, atol=1e-12)
