"""Distances, maps and trees: points come back from their distances, planted clusters are the branches."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

from analysis.errors import Undefined
from analysis.keys import Checkpoint, Run
from analysis.measures.cka import linear_cka_biased
from analysis.measures.procrustes import angular_shape_distance, procrustes_nbs
from analysis.pairs import layout
from analysis.results import PairMatrix
from tests.synthetic import generic

WAYS = list(layout.WAYS)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def between(points):
    return squareform(pdist(np.asarray(points, dtype=float)))


def made_run(name, *prints):
    return Run(name, "/nowhere", tuple(Checkpoint(name, f"step{k}", k, None, "/nowhere", fingerprint)
                                       for k, fingerprint in enumerate(prints)))


def items_of(*runs, sites=("embedding", "final")):
    return [(c, site) for run in runs for c in run.checkpoints for site in sites]


# --- distances ---


def test_a_cosine_becomes_an_angle_and_an_angle_stays():
    values = np.array([[1.0, 0.5], [0.5, 1.0]])
    np.testing.assert_allclose(layout.distances(values, "linear_cka_biased")[0][0, 1], np.pi / 3)
    np.testing.assert_array_equal(layout.distances(1 - values, layout.ANGLE)[0], 1 - values)


def test_a_similarity_below_0_is_further_than_a_right_angle():
    d, excess = layout.distances(np.array([[1.0, -0.2], [-0.2, 1.0]]), "linear_cka_debiased")
    assert d[0, 1] == pytest.approx(np.arccos(-0.2)) and d[0, 1] > np.pi / 2 and excess == 0


def test_rounding_above_1_is_clipped_and_said_but_more_than_rounding_is_refused():
    d, excess = layout.distances(np.array([[1.0, 1 + 1e-12], [1 + 1e-12, 1.0]]), "procrustes_nbs")
    assert d[0, 1] == 0 and excess == pytest.approx(1e-12, rel=1e-3)
    with pytest.raises(Undefined, match=r"1\.2 is no cosine"):
        layout.distances(np.array([[1.0, 1.2], [1.2, 1.0]]), "procrustes_nbs")


def test_a_missing_value_and_a_measure_without_angles_are_refused():
    with pytest.raises(Undefined, match="2 pairs have no value"):
        layout.distances(np.array([[1.0, np.nan], [np.nan, 1.0]]), "linear_cka_biased")
    with pytest.raises(ValueError, match="mutual_knn_cosine gives no distances"):
        layout.distances(np.eye(2), "mutual_knn_cosine")


def test_the_angle_of_procrustes_similarity_is_the_angular_shape_distance(rng):
    rows = [generic(40, 6, rng) for _ in range(4)]
    similar, angle = (np.array([[fn(x, y) for y in rows] for x in rows])
                      for fn in (procrustes_nbs, angular_shape_distance))
    np.testing.assert_allclose(layout.distances(similar, "procrustes_nbs")[0],
                               layout.distances(angle, layout.ANGLE)[0], atol=1e-6)


@pytest.mark.parametrize("fn", [linear_cka_biased, procrustes_nbs], ids=["CKA", "NBS"])
def test_angles_obey_the_triangle_inequality(fn, rng):
    rows = [generic(30, 5, rng) for _ in range(8)]
    name = "linear_cka_biased" if fn is linear_cka_biased else "procrustes_nbs"
    d, _ = layout.distances(np.array([[fn(x, y) for y in rows] for x in rows]), name)
    assert (d[:, None, :] <= d[:, :, None] + d.T[None] + 1e-9).all()


# --- maps ---


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("points", [[(k, 0.0) for k in (0, 1, 3, 7, 8)],
                                    [(np.cos(a), np.sin(a)) for a in np.linspace(0, 2 * np.pi, 12, endpoint=False)]],
                         ids=["a line", "a circle"])
def test_points_in_a_plane_come_back_from_their_distances(points, way):
    found = layout.layout(between(points), way)
    np.testing.assert_allclose(between(found.points), between(points), atol=1e-6)
    assert found.rank_correlation == pytest.approx(1, abs=1e-6) and found.stress == pytest.approx(0, abs=1e-6)
    assert sum(found.shares) == pytest.approx(1) and found.negative < 1e-12


def test_the_axes_of_a_line_show_all_and_nothing():
    assert layout.layout(between([(k, 2 * k) for k in range(5)])).shares == pytest.approx((1, 0), abs=1e-12)


def test_the_corners_of_a_regular_simplex_show_two_of_their_axes():
    found = layout.layout(between(np.eye(6)))
    assert found.shares == pytest.approx((0.2, 0.2)) and found.rank_correlation is None


def test_distances_along_a_circle_fit_no_flat_map_whole():
    places = np.arange(12)
    apart = np.abs(places[:, None] - places)
    found = layout.layout(np.minimum(apart, 12 - apart) * np.pi / 6)
    w = np.linalg.eigvalsh(-0.5 * (h := np.eye(12) - 1 / 12) @ (np.minimum(apart, 12 - apart) * np.pi / 6)**2 @ h)
    assert found.negative == pytest.approx(-w[w < 0].sum() / np.abs(w).sum()) and found.negative > 0.01
    assert found.shares == pytest.approx(tuple(w[::-1][:2] / np.abs(w).sum()))


def test_metric_mds_has_no_more_stress_than_the_map_it_begins_from(rng):
    d = between(rng.standard_normal((25, 6)))
    classical, metric = (layout.layout(d, way) for way in WAYS)
    assert metric.stress < classical.stress and metric.shares == classical.shares


def test_the_two_layouts_stand_alike_and_come_out_the_same_twice(rng):
    d = between(rng.standard_normal((20, 4)))
    classical, metric = (layout.layout(d, way).points for way in WAYS)
    assert np.sum(classical * metric) > 0.9 * np.linalg.norm(classical) * np.linalg.norm(metric)
    np.testing.assert_array_equal(metric, layout.layout(d, "metric").points)


@pytest.mark.parametrize("way", WAYS)
def test_representations_that_are_all_equal_are_one_point(way):
    found = layout.layout(np.zeros((4, 4)), way)
    np.testing.assert_array_equal(found.points, 0)
    assert found.rank_correlation is None and "say nothing" in layout.faith(found, way)


def test_too_few_points_and_too_many_for_a_page_are_refused():
    with pytest.raises(Undefined, match="at least 3 points, got 2"):
        layout.layout(np.zeros((2, 2)))
    many = between(np.arange(layout.MOST_METRIC + 1)[:, None])
    with pytest.raises(Undefined, match="601 points takes too long"):
        layout.layout(many, "metric")


def test_the_sentence_says_what_the_map_shows():
    said = layout.faith(layout.Map(np.zeros((3, 2)), (0.5, 0.25), 0.031, 0.9876, 0.1234), "metric")
    assert all(words in said for words in ("Metric MDS", "75%", "3.1%", "0.988", "0.123"))


# --- which items ---


def test_a_part_holds_the_chosen_sites_of_all_checkpoints_or_of_the_last():
    one, other = made_run("one", "a", "b"), made_run("other", "c", "d")
    items = items_of(one, other)
    matrix = PairMatrix(values=np.arange(64.0).reshape(8, 8))
    every, ends = (layout.part(matrix, items, [one, other], ["final"], which) for which in (layout.ALL, layout.ENDS))
    assert [(c.fingerprint, site) for c, site in every.items] == [(f, "final") for f in "abcd"]
    np.testing.assert_array_equal(every.values, matrix.values[1::2, 1::2])
    assert [c.fingerprint for c, _ in ends.items] == ["b", "d"] and every.copies == 0 and not every.reasons


def test_an_item_without_a_value_is_left_out_and_named():
    one = made_run("one", "a", "b")
    values = np.ones((4, 4))
    values[1], values[:, 1] = np.nan, np.nan
    found = layout.part(PairMatrix(values=values, reasons=("all rows are the same",)), items_of(one), [one],
                        ["embedding", "final"])
    assert len(found.items) == 3 and found.values.shape == (3, 3)
    assert found.reasons == ["1 of 4 are left out (one step0 final), because all rows are the same."]


def test_a_copy_is_one_point_that_both_paths_go_through(protocol):
    one, other = made_run("one", "start", "b"), made_run("other", "start", "d")
    items = [(c, "final") for c in (*one.checkpoints, other.checkpoints[1])]
    assert layout.part(PairMatrix(values=np.ones((3, 3))), items, [one, other], ["final"]).copies == 1
    records = layout.records([one, other], items, np.arange(6.0).reshape(3, 2), protocol)
    assert [(r["run"], r["revision"], r["x"]) for r in records] == [
        ("one", "step0", 0), ("one", "step1", 2), ("other", "step0", 0), ("other", "step1", 4)]


# --- trees ---


def test_two_planted_clusters_are_the_two_branches():
    d = np.full((6, 6), 1.2)
    for members in ((0, 2, 4), (1, 3, 5)):
        d[np.ix_(members, members)] = 0.1
    np.fill_diagonal(d, 0)
    found = layout.tree(d)
    assert {frozenset(found.leaves[:3]), frozenset(found.leaves[3:])} == {frozenset({0, 2, 4}), frozenset({1, 3, 5})}
    heights = sorted(max(height for _, height in bracket) for bracket in found.brackets)
    assert heights == pytest.approx([0.1] * 4 + [1.2])
    assert found.joins == pytest.approx([0.1] * 6) and found.cophenetic == pytest.approx(1)
    assert "1.000" in layout.kept(found)


def test_clusters_are_joined_at_the_mean_distance_of_their_members():
    found = layout.tree(between(np.array([[0.0], [1.0], [10.0]])))
    assert sorted(max(height for _, height in bracket) for bracket in found.brackets) == pytest.approx([1, 9.5])
    assert found.joins[found.leaves.index(2)] == pytest.approx(9.5)


def test_a_tree_of_two_or_of_equal_distances_has_no_cophenetic_correlation():
    for d in (np.array([[0, 1.0], [1.0, 0]]), 1 - np.eye(5)):
        found = layout.tree(d)
        assert found.cophenetic is None and "no cophenetic" in layout.kept(found)


@pytest.mark.parametrize("count", [1, layout.MOST_LEAVES + 1])
def test_a_tree_of_one_or_of_too_many_is_refused(count):
    with pytest.raises(Undefined, match=f"2 to 60 items, got {count}"):
        layout.tree(np.zeros((count, count)))


def test_leaves_are_named_by_what_differs_and_recorded_in_their_order(protocol):
    one, other = made_run("one", "a", "b"), made_run("other", "c", "d")
    items = [(c, "final") for run in (one, other) for c in run.checkpoints]
    found = layout.tree(between(np.array([[0.0], [5.0], [0.1], [5.2]])))
    records = layout.leaf_records(found, items, protocol)
    assert [record["order"] for record in records] == [1, 2, 3, 4] and {r["site"] for r in records} == {"final"}
    assert {frozenset(r["fingerprint"] for r in part) for part in (records[:2], records[2:])} == {
        frozenset("ac"), frozenset("bd")}
    assert set(layout.leaf_names(records)) == {"one step0", "one step1", "other step0", "other step1"}
    assert layout.leaf_names([record for record in records if record["run"] == "one"]) in (
        ["step0", "step1"], ["step1", "step0"])
