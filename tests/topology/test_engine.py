"""Persistence of clouds: shapes whose homology is known, theorems, gudhi, and clouds like those of language models."""

import subprocess
import sys
from pathlib import Path

import gudhi
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import pdist, squareform

from analysis.errors import ExplorerError, Undefined
from analysis.neighbours import first_places
from analysis.topology import engine
from analysis.topology.engine import diagrams, merges, normalised, persistence

ROOT = Path(__file__).parents[2]


def circle(n: int) -> np.ndarray:
    angles = 2 * np.pi * np.arange(n) / n
    return np.column_stack([np.cos(angles), np.sin(angles)])


def sphere(n: int) -> np.ndarray:
    """Points of a Fibonacci spiral, nearly evenly on the unit sphere."""
    heights, angles = 1 - (2 * np.arange(n) + 1) / n, np.pi * (1 + 5**0.5) * np.arange(n)
    return np.column_stack([*(np.sqrt(1 - heights**2) * [np.cos(angles), np.sin(angles)]), heights])


def like_a_language_model(n: int, seed: int = 0, clusters: int = 10) -> np.ndarray:
    rng = np.random.default_rng(seed)
    spread = np.arange(1, 257)**-0.5
    return rng.standard_normal((clusters, 256))[rng.integers(clusters, size=n)] * spread * 2 \
        + rng.standard_normal((n, 256)) * spread


def longest_first(bars: np.ndarray) -> np.ndarray:
    return np.sort(bars[:, 1] - bars[:, 0])[::-1]


def in_order(bars: np.ndarray) -> np.ndarray:
    return bars[np.lexsort(bars.T)]


def single(distances: np.ndarray) -> np.ndarray:
    """Rounded as the engine rounds, so that others can be given the same numbers."""
    return distances.astype(np.float32).astype(np.float64)


def test_a_square_has_one_loop_from_its_side_to_its_diagonal():
    h0, h1 = persistence(pdist(np.array([[0.0, 0.0], [1, 0], [0, 1], [1, 1]])), 1)
    np.testing.assert_array_equal(h0, [[0, 1]] * 3)
    np.testing.assert_array_equal(h1, single(np.array([[1, np.sqrt(2)]])))


@pytest.mark.parametrize("n", [6, 12, 30, 60])
def test_points_evenly_on_a_circle_have_one_loop_from_their_gap_to_the_inscribed_triangle(n):
    bars = persistence(pdist(circle(n)), 1)[1]
    np.testing.assert_allclose(bars, [[2 * np.sin(np.pi / n), np.sqrt(3)]], rtol=1e-7)


def test_a_sphere_has_one_void_and_no_loop_that_is_nearly_as_long():
    _, h1, h2 = persistence(pdist(sphere(100)), 2)
    lengths = longest_first(h2)
    assert lengths[0] > 0.8 and lengths[0] > 10 * max(lengths[1:], default=0)
    assert longest_first(h1)[0] < lengths[0] / 3


def test_a_torus_has_two_loops():
    a, b = np.divmod(np.arange(144), 12)
    lengths = longest_first(persistence(pdist(np.hstack([circle(12)[a], circle(12)[b]])), 1)[1])
    np.testing.assert_allclose(lengths[:2], np.sqrt(3) - 2 * np.sin(np.pi / 12), rtol=1e-6)
    assert lengths[2] < lengths[1] / 3


def test_two_far_clusters_have_one_merge_that_is_as_long_as_their_gap():
    rng = np.random.default_rng(0)
    x = np.vstack([rng.random((30, 2)), rng.random((30, 2)) + np.array([10, 0])])
    deaths = merges(pdist(x))
    gap = np.linalg.norm(x[:30, None] - x[None, 30:], axis=2).min()
    assert deaths[-1] == pytest.approx(gap, rel=1e-14) and deaths[-2] < 1


def test_the_projective_plane_has_a_loop_modulo_2_and_none_modulo_3():
    half = sphere(120)[:60]
    distances = np.arccos(np.minimum(np.abs(half @ half.T), 1))
    np.fill_diagonal(distances, 0)
    distances = (distances + distances.T) / 2
    two, three = (longest_first(persistence(distances, 1, coeff)[1]) for coeff in (2, 3))
    assert two[0] > 0.4 and two[0] > 4 * two[1] and three[0] == pytest.approx(two[1], rel=0.5)


def test_the_lens_space_of_order_3_has_a_loop_modulo_3_and_none_modulo_2():
    rng = np.random.default_rng(0)
    z = rng.standard_normal((1500, 4)).view(np.complex128)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    turns = np.exp(2j * np.pi * np.arange(3) / 3)
    gaps = np.arccos(np.clip((turns[:, None, None] * (z @ z.conj().T)).real.max(axis=0), -1, 1))
    chosen = [0]
    for _ in range(149):  # farthest point next, so that few points cover it
        chosen.append(int(gaps[chosen].min(axis=0).argmax()))
    gaps = gaps[np.ix_(chosen, chosen)]
    np.fill_diagonal(gaps, 0)
    gaps = (gaps + gaps.T) / 2
    two, three = (longest_first(persistence(gaps, 1, coeff)[1]) for coeff in (2, 3))
    assert three[0] > 2 * three[1] and two[0] < three[0] / 2


def test_every_tree_of_points_on_a_line_has_the_gaps_as_merges_and_no_loop():
    places = np.cumsum(np.random.default_rng(0).random(40))
    h0, h1 = persistence(pdist(places[:, None]), 1)
    np.testing.assert_allclose(h0[:, 1], np.sort(np.diff(places)), rtol=1e-6)
    assert not len(h1)


def test_merges_are_the_deaths_of_the_engine_to_the_last_bit_of_single_precision():
    distances = single(normalised(like_a_language_model(200))[0])
    np.testing.assert_array_equal(persistence(distances, 0)[0][:, 1], merges(distances))


def test_merges_of_duplicates_are_zero_and_the_others_stay_as_they_are():
    x = like_a_language_model(100)
    planted = np.vstack([x, x[:20]])
    plain, with_duplicates = merges(pdist(x)), merges(pdist(planted))
    assert len(with_duplicates) == 119 and not with_duplicates[:20].any()
    np.testing.assert_array_equal(with_duplicates[20:], plain)


def test_merges_keep_edges_that_a_sparse_graph_would_drop():
    np.testing.assert_array_equal(merges(np.array([1e-9, 1.0, 1.0])), [1e-9, 1.0])


def test_duplicates_change_no_bar_but_for_merges_at_zero():
    x = like_a_language_model(80)
    planted = np.vstack([x, x[:15]])
    plain, with_duplicates = persistence(pdist(x), 2), persistence(pdist(planted), 2)
    np.testing.assert_array_equal(with_duplicates[0], np.vstack([np.zeros((15, 2)), plain[0]]))
    for dimension in (1, 2):
        np.testing.assert_array_equal(in_order(with_duplicates[dimension]), in_order(plain[dimension]))


@pytest.mark.parametrize("seed", range(3))
def test_bars_are_those_of_gudhi_to_the_last_bit_of_single_precision(seed):
    x = np.random.default_rng(seed).standard_normal((35, 3))
    distances = single(pdist(x))
    tree = gudhi.RipsComplex(distance_matrix=squareform(distances)).create_simplex_tree(max_dimension=3)
    tree.compute_persistence()
    for dimension, bars in enumerate(persistence(distances, 2)):
        theirs = tree.persistence_intervals_in_dimension(dimension)
        theirs = theirs[np.isfinite(theirs).all(axis=1)]
        np.testing.assert_array_equal(in_order(bars), in_order(theirs.reshape(-1, 2)))


def test_no_bar_is_infinite_or_empty_on_a_realistic_cloud():
    found = diagrams(like_a_language_model(120), 2)
    assert found.points == 120 and len(found.bars[0]) == 119
    for bars in found.bars:
        assert np.isfinite(bars).all() and (bars[:, 1] > bars[:, 0]).all()


def test_loops_of_noise_are_more_than_in_proportion_to_the_points():
    few, many = (len(diagrams(like_a_language_model(n), 1).bars[1]) for n in (100, 200))
    assert many > 2 * few > 0


def test_bars_do_not_depend_on_rotation_shift_scale_or_order():
    rng = np.random.default_rng(1)
    x = like_a_language_model(90)
    moved = (7 * x @ np.linalg.qr(rng.standard_normal((256, 256)))[0] + 3)[rng.permutation(90)]
    for mine, theirs in zip(diagrams(x, 1).bars, diagrams(moved, 1).bars, strict=True):
        np.testing.assert_allclose(in_order(mine), in_order(theirs), rtol=1e-6)


def test_a_square_matrix_and_its_condensed_form_give_the_same():
    distances = pdist(like_a_language_model(60))
    for mine, theirs in zip(persistence(distances, 1), persistence(squareform(distances), 1), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(merges(distances), merges(squareform(distances)))


def test_distances_are_not_changed():
    distances = normalised(like_a_language_model(30))[0]
    before = distances.copy()
    persistence(distances, 1), merges(distances)
    np.testing.assert_array_equal(distances, before)


@given(arrays(np.float64, st.tuples(st.integers(2, 12), st.just(2)), elements=st.integers(-3, 3).map(float)))
@settings(deadline=None, max_examples=60)
def test_merges_and_bars_of_any_points_on_a_grid_are_ordered_and_end(x):
    h0, h1 = persistence(pdist(x), 1)
    assert len(h0) == len(x) - 1 and (np.diff(h0[:, 1]) >= 0).all()
    assert np.count_nonzero(h0[:, 1] == 0) == len(x) - len(first_places(x)[0])
    assert (h1[:, 1] > h1[:, 0]).all() and (h1[:, 1] <= pdist(x).max() * (1 + 1e-6)).all()


def test_the_scale_is_the_nine_tenths_quantile_of_the_distances():
    x = like_a_language_model(40)
    distances, scale = normalised(x)
    assert scale == np.quantile(pdist(x), 0.9)
    np.testing.assert_allclose(distances * scale, pdist(x), rtol=1e-14)
    assert diagrams(x, 1).scale == scale


def test_single_precision_rows_are_measured_in_double_precision():
    x = like_a_language_model(20).astype(np.float32) + np.float32(1000)
    np.testing.assert_array_equal(normalised(x)[0], normalised(x.astype(np.float64))[0])


@pytest.mark.parametrize(("x", "words"), [
    (np.ones((5, 3)), "all 5 points are the same"),
    (np.ones((1, 3)), "fewer than two points"),
    (np.array([[0.0], [np.nan]]), "not a finite number"),
    (np.array([[1e300], [-1e300]]), "not a finite number"),
    (np.eye(40)[:, :1], "90% of the distances are 0"),
])
def test_a_cloud_without_a_scale_is_undefined_and_says_why(x, words):
    with pytest.raises(Undefined, match=words):
        normalised(x)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e39])
def test_distances_that_are_not_finite_in_single_precision_are_undefined(bad):
    with pytest.raises(Undefined, match="not a finite number in float32"):
        persistence(np.array([1.0, 1.0, bad]), 1)


@pytest.mark.parametrize("max_dim", [0, 1, 2])
def test_one_point_has_no_bars_and_two_points_one_merge(max_dim):
    assert [len(bars) for bars in persistence(np.empty(0), max_dim)] == [0] * (max_dim + 1)
    assert [len(bars) for bars in persistence(np.zeros((1, 1)), max_dim)] == [0] * (max_dim + 1)
    assert [len(bars) for bars in persistence(np.array([2.0]), max_dim)] == [1] + [0] * max_dim


def test_more_simplices_than_the_engine_can_number_are_refused_before_it_ends_the_process():
    with pytest.raises(ExplorerError, match=r"H9 of 400 points .* fewer points"):
        persistence(normalised(like_a_language_model(400))[0], 9)
    with pytest.raises(ExplorerError, match="H-1"):
        persistence(np.ones(3), -1)


def test_coefficients_that_are_no_field_are_refused():
    with pytest.raises(ExplorerError, match="modulo 4"):
        persistence(np.ones(3), 1, coeff=4)


def test_a_number_of_distances_that_belongs_to_no_number_of_points_is_refused():
    with pytest.raises(ExplorerError, match="5 distances were given"):
        persistence(np.ones(5), 1)


def test_an_engine_that_gives_an_endless_loop_is_not_believed(monkeypatch):
    endless = {"births_and_deaths_by_dim": [[0, 1, 0, 1, 0, np.inf], [1.0, np.inf]]}
    monkeypatch.setattr(engine, "_engine", lambda: lambda *arguments: endless)
    with pytest.raises(Undefined, match="never ends"):
        persistence(np.ones(3), 1)


def test_first_places_are_of_the_first_of_equal_rows_in_order():
    x = np.array([[1.0, 2], [0, 3], [1, 2], [-0.0, 3], [1, np.nextafter(2, 3)], [0, 3]])
    np.testing.assert_array_equal(first_places(x)[0], [0, 1, 4])
    np.testing.assert_array_equal(x[3], [-0.0, 3])


@given(arrays(np.float32, st.tuples(st.integers(0, 20), st.just(3)), elements=st.sampled_from([-1.0, -0.0, 0.0, 2.0])))
def test_first_places_are_the_first_place_of_each_row_as_numpy_finds_them(x):
    np.testing.assert_array_equal(first_places(x)[0], np.sort(np.unique(x + 0, axis=0, return_index=True)[1]))


def test_the_engine_is_loaded_only_when_it_is_used_and_without_its_front_end():
    code = ("import sys, numpy\nfrom analysis.topology.engine import merges, persistence\nmerges(numpy.ones(3))\n"
            "assert 'pyRipser' not in sys.modules\npersistence(numpy.ones(3), 1)\nassert 'pyRipser' in sys.modules\n"
            "assert not {'ripser', 'sklearn', 'gudhi'} & set(sys.modules)")
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=120)
