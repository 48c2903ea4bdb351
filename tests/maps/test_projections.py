"""Maps by PCA and t-SNE: planes that are known, alignment from frame to frame, and what has no map."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from analysis.errors import Undefined
from analysis.maps.faithfulness import facts
from analysis.maps.projections import METHODS, ONE_FRAME, principal, project, scaled, turned

HALF_TURN = np.array([[0.0, 1.0], [1.0, 0.0]])


def clusters(m=120, d=30, seed=0, groups=4):
    rng = np.random.default_rng(seed)
    return 6 * rng.standard_normal((groups, d))[np.arange(m) % groups] + rng.standard_normal((m, d))


def rotation(d, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))[0]


def moved(a, b):
    """Root mean square way of a row from one map to another, in units of the extent of the first."""
    return np.sqrt(((a - b)**2).sum() / ((a - a.mean(0))**2).sum())


# --- PCA ---


@pytest.mark.parametrize("shape", [(50, 10), (10, 50), (30, 30), (12, 2)])
def test_the_principal_plane_is_that_of_scikit_learn_up_to_signs(shape):
    x = np.random.default_rng(0).standard_normal(shape) * np.arange(1, shape[1] + 1)**-0.5 + 3
    found, share = principal(x)
    peer = PCA(2, svd_solver="full").fit(x)
    assert np.abs(found) == pytest.approx(np.abs(peer.transform(x)), rel=1e-8, abs=1e-12)
    assert share == pytest.approx(peer.explained_variance_ratio_.sum(), rel=1e-12)


def test_points_of_a_plane_in_many_dimensions_keep_all_distances():
    plane = np.random.default_rng(1).standard_normal((40, 2)) * [3, 1]
    x = plane @ rotation(16)[:2] + 7
    found = project("pca", {"a": x})
    assert pdist(found.positions[0]) / pdist(plane) == pytest.approx(pdist(found.positions[0])[0] / pdist(plane)[0])
    assert found.shares == pytest.approx((1.0,))
    assert facts(x, found.positions[0])["distance_correlation"] == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("width", [1, 5])
def test_rows_on_a_line_have_a_map_that_is_a_line(width):
    x = np.arange(10.0)[:, None] * np.arange(1, width + 1)
    found = project("pca", {"a": x}).positions[0]
    assert np.abs(found[:, 0]) == pytest.approx(np.abs(scaled(np.c_[np.arange(10.0), np.zeros(10)])[:, 0]))
    assert np.abs(found[:, 1]).max() < 1e-6


def test_the_sign_of_a_component_does_not_depend_on_that_of_the_rows_order():
    x = clusters()
    order = np.random.default_rng(3).permutation(len(x))
    assert principal(x[order])[0] == pytest.approx(principal(x)[0][order])


def test_every_frame_is_centred_and_of_the_same_extent():
    frames = {"a": clusters(), "b": 1000 * clusters(seed=1) + 5}
    for one in project("pca", frames).positions:
        assert one.mean(axis=0) == pytest.approx([0, 0], abs=1e-12)
        assert (one**2).sum(axis=1).mean() == pytest.approx(1)


def test_a_frame_that_is_the_one_before_rotated_mirrored_moved_and_scaled_stays_in_place():
    x = clusters()
    frames = {"a": x, "b": 30 * x @ rotation(30) - 4, "c": -x, "d": np.hstack([x, np.zeros((len(x), 5))])}
    positions = project("pca", frames).positions
    for other in positions[1:]:
        assert other == pytest.approx(positions[0], abs=1e-9)


def test_an_unaligned_frame_would_have_moved():
    plane = np.linalg.qr(np.random.default_rng(0).standard_normal((100, 2)))[0]
    frames = {"a": plane * [1.02, 1], "b": plane * [1, 1.02]}  # the components change places
    alone = [project("pca", {"a": rows}).positions[0] for rows in frames.values()]
    assert moved(*project("pca", frames).positions) < 0.05 < 1 < moved(*alone)


# --- turning ---


def test_turning_finds_the_rotation_or_mirror_that_was_applied():
    a = np.random.default_rng(0).standard_normal((30, 2)) * [2, 1]
    for turn in (HALF_TURN, rotation(2, 5), np.diag([-1.0, 1.0])):
        assert turned(4 * a @ turn + 1, a) == pytest.approx(scaled(a), abs=1e-12)


def test_no_other_turn_comes_nearer():
    rng = np.random.default_rng(2)
    a, b = rng.standard_normal((2, 30, 2))
    best = ((turned(a, b) - scaled(b))**2).sum()
    for angle in np.linspace(0, 2 * np.pi, 181):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        for mirror in (1, -1):
            assert ((scaled(a) @ turn @ np.diag([1, mirror]) - scaled(b))**2).sum() >= best - 1e-12


# --- t-SNE ---


def test_tsne_is_that_of_scikit_learn_from_the_same_start():
    x = clusters(60)
    start = (1e-4 * scaled(principal(x)[0])).astype(np.float32)
    peer = TSNE(perplexity=59 / 3, init=start, random_state=3, n_jobs=1).fit_transform(x - x.mean(0))
    found = project("tsne", {"a": x}, seed=3)
    assert moved(scaled(peer.astype(float)), found.positions[0]) < 0.05
    assert found.settings["perplexity"] == pytest.approx(59 / 3)


def test_tsne_keeps_groups_together_and_gives_the_same_map_for_a_seed():
    x = clusters()
    found = [project("tsne", {"a": x, "b": x + 0.1 * clusters(seed=8)}, seed=1).positions for _ in range(2)]
    assert np.array_equal(*found)
    assert facts(x, found[0][0])["trustworthiness"] > 0.9


def test_tsne_of_a_frame_that_hardly_changes_stays_near_and_begun_anew_it_does_not():
    x = np.random.default_rng(0).standard_normal((100, 10))
    other = (x + 0.02 * np.random.default_rng(1).standard_normal(x.shape)) @ rotation(10)
    along = project("tsne", {"a": x, "b": other}).positions
    begun_anew = project("tsne", {"a": other}).positions[0]
    assert 4 * moved(*along) < moved(along[0], turned(begun_anew, along[0]))


# --- what has none ---


@pytest.mark.parametrize("method", METHODS)
def test_too_few_rows_and_rows_that_are_all_the_same_have_no_map(method):
    with pytest.raises(Undefined, match="at least 8 rows, got 7"):
        project(method, {"a": clusters(7)})
    with pytest.raises(Undefined, match="all 20 rows are the same at step0"):
        project(method, {"step8": clusters(20), "step0": np.ones((20, 30))})


def test_the_alignment_is_told_in_a_sentence():
    x = clusters(20)
    assert project("pca", {"a": x}).alignment == ONE_FRAME
    assert "orthogonal Procrustes" in project("pca", {"a": x, "b": x}).alignment
    told = project("tsne", {"a": x, "b": x}).alignment
    assert "where the frame before ended" in told and told.endswith(".")


def test_progress_names_the_frame():
    said = []
    project("pca", {"step0": clusters(20), "step8": clusters(20)}, report=lambda *one: said.append(one))
    assert said == [(0, 2, "PCA at step0"), (1, 2, "PCA at step8")]


def test_float32_rows_far_from_the_origin_give_the_map_of_their_float64_values():
    x = (clusters() + 100).astype(np.float32)
    assert project("pca", {"a": x}).positions == pytest.approx(project("pca", {"a": x.astype(float)}).positions)
