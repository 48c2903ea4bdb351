"""correlation_dimension: the slope of the number of near pairs."""

import numpy as np
import pytest
import skdim
from scipy.spatial.distance import pdist

from analysis import registry
from analysis.neighbours import Neighbours
from tests.measures.test_nearest_neighbour_dimension import circles, plane
from tests.synthetic import generic, power_law_gaussian, rotated

CORRELATION = registry.get("correlation_dimension")


def test_rows_on_a_line_have_one_dimension():
    line = np.random.default_rng(0).uniform(size=(2000, 1)) * np.ones(5)
    assert CORRELATION(line).value == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("number", [1, 2])
def test_a_circle_has_one_dimension_and_a_torus_two(number):
    assert CORRELATION(circles(number, 1000)).value == pytest.approx(number, rel=0.06)


def test_a_plane_in_many_dimensions_has_its_own_dimension_a_little_low():
    assert 2.6 < CORRELATION(plane(3, 800)).value < 3


@pytest.mark.parametrize(("d", "before"), [(10, 6.9), (20, 10.9), (50, 18.8), (100, 27)])
def test_500_gaussian_rows_read_as_low_as_was_found_before(d, before):
    values = [CORRELATION(np.random.default_rng(seed).standard_normal((500, d))).value for seed in range(6)]
    assert np.mean(values) == pytest.approx(before, rel=0.06)


def test_the_value_is_that_of_counting_all_pairs():
    rows = generic(250, 30, np.random.default_rng(1))
    distances = pdist(rows)
    radii = np.median(Neighbours.of(rows).distances[:, [9, 19]], axis=0)
    counts = [np.sum(distances < radius) for radius in radii]
    expected = np.log(counts[1] / counts[0]) / np.log(radii[1] / radii[0])
    assert CORRELATION(rows).value == pytest.approx(expected, rel=1e-12)


def test_a_dense_group_beyond_the_searched_neighbours_is_counted_whole():
    rng = np.random.default_rng(2)
    rows = np.concatenate([0.01 * rng.standard_normal((400, 10)), 3 + rng.standard_normal((500, 10))])
    assert np.sum(Neighbours.of(rows).within(2.0) > 256) >= 400
    assert CORRELATION(rows).value == pytest.approx(skdim.id.CorrInt(k1=10, k2=20).fit(rows).dimension_, rel=1e-9)


@pytest.mark.parametrize("rows", [plane(7, 400, noise=0.01), generic(402, 30, np.random.default_rng(3)),
                                  power_law_gaussian(334, 50, 1.0, np.random.default_rng(4))],
                         ids=["plane", "generic", "power law"])
def test_scikit_dimension_says_the_same(rows):
    assert CORRELATION(rows).value == pytest.approx(skdim.id.CorrInt(k1=10, k2=20).fit(rows).dimension_, rel=1e-9)


@pytest.mark.parametrize("n", [300, 301])
def test_rotation_scale_shift_and_the_order_of_rows_change_nothing(n):
    """The radii are distances of pairs: both rows of such a pair must be on the same side of it."""
    rng = np.random.default_rng(5)
    rows = generic(n, 40, rng)
    changed = rotated(rows, rng, scale=1e-3, shift=5.0)[rng.permutation(n)]
    assert CORRELATION(changed).value == pytest.approx(CORRELATION(rows).value, rel=1e-8)


def test_copies_of_300_rows_in_1300_change_nothing():
    rows = np.random.default_rng(6).standard_normal((1000, 10))
    assert CORRELATION(np.concatenate([rows[:300], rows])).value == CORRELATION(rows).value


def test_equally_near_rows_and_too_few_have_a_reason():
    assert "equally far" in CORRELATION(np.eye(60)).reason
    assert "each of 20 distinct rows has 19" in CORRELATION(generic(20, 10, np.random.default_rng(7))).reason
