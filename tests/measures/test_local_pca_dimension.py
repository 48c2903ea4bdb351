"""local_pca_dimension: directions with variance near a row."""

import numpy as np
import pytest
import skdim
from sklearn.decomposition import PCA

from analysis import registry
from analysis.measures.local_pca_dimension import MOST_ROWS
from analysis.neighbours import Neighbours
from tests.measures.test_nearest_neighbour_dimension import circles, plane
from tests.synthetic import generic, rotated

LOCAL = registry.get("local_pca_dimension")


@pytest.mark.parametrize("d", [1, 3, 7])
def test_near_every_row_of_a_plane_as_many_directions_carry_variance_as_it_has(d):
    assert LOCAL(plane(d, 400)).value == d


def test_a_circle_has_one_direction_near_a_row_and_with_all_rows_two():
    rows = circles(1, 400)
    assert LOCAL(rows, neighbours=20).value == 1
    assert LOCAL(rows, neighbours=256).value == 2


@pytest.mark.parametrize(("d", "n", "expected"), [(20, 500, 19.9), (50, 500, 35.9), (100, 500, 47.3)])
def test_isotropic_rows_read_low_where_the_neighbours_are_few(d, n, expected):
    assert LOCAL(np.random.default_rng(0).standard_normal((n, d))).value == pytest.approx(expected, abs=0.3)


def test_the_value_is_the_mean_over_rows_of_counting_by_scikit_learn():
    rows = generic(150, 40, np.random.default_rng(1))
    counts = []
    for near in Neighbours.of(rows).indices[:, :50]:
        variances = PCA().fit(rows[near]).explained_variance_
        counts.append(np.sum(variances > 0.05 * variances[0]))
    assert np.std(counts) > 0 and LOCAL(rows).value == pytest.approx(np.mean(counts), rel=1e-12)


def test_scikit_dimension_says_the_same():
    rows = generic(140, 40, np.random.default_rng(2))
    theirs = skdim.id.lPCA(ver="FO").fit_transform_pw(rows, n_neighbors=50)
    assert LOCAL(rows).value == pytest.approx(np.mean(theirs), rel=1e-12)


def test_of_more_rows_500_evenly_spaced_ones_are_looked_at():
    rows = generic(1100, 20, np.random.default_rng(3))
    chosen = np.linspace(0, 1099, 500).astype(int)
    assert len(set(chosen)) == MOST_ROWS
    counts = []
    for near in Neighbours.of(rows).indices[chosen, :30]:
        variances = np.linalg.svd(rows[near] - rows[near].mean(axis=0), compute_uv=False) ** 2
        counts.append(np.sum(variances > 0.05 * variances[0]))
    assert LOCAL(rows, neighbours=30).value == pytest.approx(np.mean(counts), rel=1e-12)


def test_one_far_row_collapses_the_rows_that_it_is_near_and_not_the_mean():
    rows = np.random.default_rng(4).standard_normal((400, 6))
    with_far = np.concatenate([rows, [[600.0] + [0.0] * 5]])
    assert skdim.id.lPCA(ver="FO").fit(with_far).dimension_ == 1, "of all rows at once"
    assert LOCAL(with_far).value > 5.9


def test_rotation_scale_and_shift_change_nothing():
    rows = generic(200, 40, np.random.default_rng(5))
    assert LOCAL(rotated(rows, np.random.default_rng(6), scale=1e-3, shift=50.0)).value == LOCAL(rows).value


def test_copies_of_300_rows_in_1300_change_nothing():
    rows = np.random.default_rng(7).standard_normal((1000, 10))
    assert LOCAL(np.concatenate([rows, rows[:300]])).value == LOCAL(rows).value


def test_too_few_distinct_rows_have_a_reason():
    assert "50 neighbours were asked for" in LOCAL(generic(50, 10, np.random.default_rng(8))).reason
