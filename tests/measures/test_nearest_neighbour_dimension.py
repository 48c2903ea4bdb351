"""Intrinsic dimension: intrinsic_dimension_twonn, intrinsic_dimension_mle, intrinsic_dimension_gride and
intrinsic_dimension_gride_by_scale."""

import warnings

import numpy as np
import pytest
import skdim

from analysis import registry
from analysis.neighbours import Neighbours
from tests.synthetic import generic, orthogonal, power_law_gaussian, rotated

TWONN, MLE, GRIDE = (registry.get(f"intrinsic_dimension_{name}") for name in ("twonn", "mle", "gride"))
BY_SCALE = registry.get("intrinsic_dimension_gride_by_scale")
ALL = pytest.mark.parametrize("measure", [TWONN, MLE, GRIDE], ids=lambda measure: measure.name)


def plane(d, n, seed=0, noise=0.0, width=768):
    """Gaussian rows of d dimensions in a random plane of many, with noise in all of them."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.standard_normal((width, d)))[0]
    return rng.standard_normal((n, d)) @ axes.T + noise * rng.standard_normal((n, width))


def circles(number, n, seed=0):
    """A product of circles of radius 1: a closed curve, or a torus."""
    angles = np.random.default_rng(seed).uniform(0, 2 * np.pi, (n, number))
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=1) @ orthogonal(2 * number, np.random.default_rng(1))


def balls(d, n, k, seed=0):
    """Neighbours as if each row had its own even density in d dimensions: the volume r^d grows by exponential steps."""
    volumes = np.cumsum(np.random.default_rng(seed).standard_exponential((n, k)), axis=1)
    return Neighbours(np.zeros((n, 1)), np.zeros((n, k), dtype=int), volumes ** (1 / d), np.arange(n))


# --- known answers ---


@pytest.mark.parametrize("d", [1, 4, 30, 300])
def test_of_even_density_and_no_edge_every_estimator_has_the_dimension(d):
    """20,000 independent rows: TwoNN and MLE within 3 standard errors, d / sqrt(n) and d / sqrt(n (k - 1))."""
    rows = balls(d, 20_000, 64)
    assert TWONN(rows).value == pytest.approx(d, rel=0.03)
    assert MLE(rows).value == pytest.approx(d, rel=3 / np.sqrt(20_000 * 19))
    for scale in (1, 2, 8, 32):
        assert GRIDE(rows, scale=scale).value == pytest.approx(d, rel=0.03)


def test_three_points_on_a_line_by_hand():
    """Ratios 2, 3 and 3/2; sorted logarithms, of which the two smaller stay, against -log(2/3) and -log(1/3)."""
    rows = Neighbours.of(np.array([[0.0], [1.0], [3.0]]))
    assert rows.distances.tolist() == [[1, 3], [1, 2], [2, 3]]
    a, b = np.log(1.5), np.log(2)
    expected = (a * -np.log(2 / 3) + b * -np.log(1 / 3)) / (a * a + b * b)
    assert TWONN.fn(rows) == pytest.approx(expected, rel=1e-14)
    assert MLE.fn(rows, neighbours=2) == pytest.approx(3 / np.log(3 * 2 * 1.5), rel=1e-14)
    assert GRIDE.fn(rows, scale=1) == pytest.approx(2 / np.log(3 * 2 * 1.5), rel=1e-12)


@pytest.mark.parametrize(("d", "twonn", "mle", "gride"), [(10, 9.5, 8.4, 8.2), (20, 17.2, 13.8, 13.7),
                                                           (50, 28.5, 23.8, 22.9), (100, 46, 36, 35)])
def test_500_gaussian_rows_read_as_low_as_was_found_before(d, twonn, mle, gride):
    """Above about 20 every one is a lower bound. Means of 6 draws; the values before are of single draws."""
    rows = [Neighbours.of(np.random.default_rng(seed).standard_normal((500, d)), most=20) for seed in range(6)]
    assert np.mean([TWONN(x).value for x in rows]) == pytest.approx(twonn, rel=0.12)
    assert np.mean([MLE(x).value for x in rows]) == pytest.approx(mle, rel=0.04)
    assert np.mean([GRIDE(x).value for x in rows]) == pytest.approx(gride, rel=0.05)


def test_the_edge_of_a_cube_lowers_twonn_a_little():
    values = [TWONN(np.random.default_rng(seed).uniform(size=(2000, 5))).value for seed in range(4)]
    assert np.mean(values) == pytest.approx(4.7, abs=0.15)


@ALL
def test_a_plane_in_many_dimensions_has_its_own_dimension(measure):
    assert measure(plane(3, 800)).value == pytest.approx(3, abs=0.25)


@ALL
@pytest.mark.parametrize("number", [1, 2])
def test_a_circle_has_one_dimension_and_a_torus_two(measure, number):
    assert measure(circles(number, 1000)).value == pytest.approx(number, rel=0.1)


def test_noise_raises_twonn_and_leaves_coarse_scales():
    """Five dimensions with noise of 3 % in 768: TwoNN reads the noise."""
    clean, noisy = (Neighbours.of(plane(5, 1500, noise=noise)) for noise in (0.0, 0.03))
    assert TWONN(clean).value == pytest.approx(5, abs=0.4) and TWONN(noisy).value > 15
    assert GRIDE(noisy, scale=128).value < 8
    assert (np.diff(BY_SCALE(noisy).values) < 0).all()


# --- identities ---


@ALL
def test_rotation_scale_and_shift_change_nothing(measure):
    rows = generic(300, 40, np.random.default_rng(1))
    changed = rotated(rows, np.random.default_rng(2), scale=1e-3, shift=50.0)
    assert measure(changed).value == pytest.approx(measure(rows).value, rel=1e-8)


@ALL
def test_copies_of_300_rows_in_1300_change_nothing(measure):
    rows = np.random.default_rng(3).standard_normal((1000, 10))
    assert measure(np.concatenate([rows[:300], rows])).value == measure(rows).value


@ALL
def test_distances_to_a_power_divide_the_dimension_by_it(measure):
    squared = balls(6, 500, 64)
    squared = Neighbours(squared.x, squared.indices, squared.distances**2, squared.places)
    assert measure(squared).value == pytest.approx(measure(balls(6, 500, 64)).value / 2, rel=1e-9)


def test_gride_at_the_finest_scale_is_the_likelihood_estimate_of_twonn():
    rows = Neighbours.of(generic(200, 30, np.random.default_rng(5)))
    expected = 199 / np.sum(np.log(rows.distances[:, 1] / rows.distances[:, 0]))
    assert GRIDE(rows, scale=1).value == pytest.approx(expected, rel=1e-12)


def test_the_value_of_gride_is_where_the_likelihood_is_highest_up_to_one_row_in_n():
    """The density of mu is d (mu^d - 1)^(s - 1) / mu^(d (2s - 1) + 1), up to a factor; the root has n - 1 for n."""
    rows, scale = Neighbours.of(generic(200, 30, np.random.default_rng(6))), 4
    mu = rows.distances[:, 7] / rows.distances[:, 3]
    grid = np.linspace(2, 40, 38_001)
    likelihood = [(len(mu) - 1) * np.log(d) + np.sum(3 * np.log(mu**d - 1) - d * 7 * np.log(mu)) for d in grid]
    assert GRIDE(rows, scale=scale).value == pytest.approx(grid[np.argmax(likelihood)], abs=1e-3)


def test_values_by_scale_are_those_of_gride_while_rows_and_search_reach():
    rows = Neighbours.of(generic(100, 30, np.random.default_rng(7)))
    curve = BY_SCALE(rows).values
    assert curve.tolist() == [GRIDE(rows, scale=scale).value for scale in (1, 2, 4, 8, 16, 32)]
    assert len(BY_SCALE(generic(600, 10, np.random.default_rng(7))).values) == 8
    assert len(BY_SCALE(generic(4, 10, np.random.default_rng(7))).values) == 1


# --- another library ---


@pytest.mark.parametrize("rows", [plane(7, 400, noise=0.01), generic(401, 30, np.random.default_rng(8)),
                                  power_law_gaussian(333, 50, 1.0, np.random.default_rng(9))],
                         ids=["plane", "generic", "power law"])
def test_scikit_dimension_says_the_same(rows):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert TWONN(rows).value == pytest.approx(skdim.id.TwoNN().fit(rows).dimension_, rel=1e-9)
        for k in (5, 20):
            expected = skdim.id.MLE().fit(rows, n_neighbors=k).dimension_
            assert MLE(rows, neighbours=k).value == pytest.approx(expected, rel=1e-9)
        theirs = skdim.id.GRIDE(multiscale=True, range_max=128).fit(rows)
        np.testing.assert_allclose(BY_SCALE(rows).values[:7], theirs.dimension_scales_, rtol=1e-9)


# --- no value ---


@ALL
def test_equally_near_rows_have_no_dimension_and_a_reason(measure):
    corners = Neighbours.of(np.eye(60))
    assert "equally far" in measure(corners).reason


@pytest.mark.parametrize(("measure", "least"), [(TWONN, 3), (MLE, 21), (GRIDE, 17)], ids=lambda value: str(value)[:9])
def test_too_few_distinct_rows_have_a_reason_with_both_numbers(measure, least):
    rows = generic(least, 10, np.random.default_rng(10))
    many = np.tile(rows, (4, 1))
    assert measure(many).defined
    assert f"each of {least - 1} distinct rows has {least - 2}" in measure(np.tile(rows[1:], (4, 1))).reason
