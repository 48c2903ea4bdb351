"""Maps by UMAP: one frame from exact neighbours, several laid out together. Most of the time umap-learn compiles."""

import numpy as np
import pytest

from analysis.maps import projections
from analysis.maps.faithfulness import facts, nearest
from analysis.maps.projections import project, turned

M = 90


def clusters(seed=0, groups=3):
    rng = np.random.default_rng(seed)
    centres = 8 * np.random.default_rng(9).standard_normal((groups, 20))
    x = centres[np.arange(M) % groups] + rng.standard_normal((M, 20))
    x[60::groups] = x[0]  # copies
    return x


def moved(a, b):
    """Root mean square way of a row from one map to another, in units of the extent of the first."""
    return np.sqrt(((a - b)**2).sum() / ((a - a.mean(0))**2).sum())


def apart(positions, groups=3):
    """Smallest distance of two centres of groups over the largest distance of a row from its own."""
    centres = np.stack([positions[g::groups].mean(axis=0) for g in range(groups)])
    between = min(np.linalg.norm(a - b) for k, a in enumerate(centres) for b in centres[:k])
    return between / max(np.linalg.norm(positions[g::groups] - centres[g], axis=1).max() for g in range(groups))


@pytest.fixture(scope="module")
def one():
    return project("umap", {"a": clusters()}, seed=3)


@pytest.fixture(scope="module")
def several():
    x = clusters()
    return project("umap", {"a": x, "b": x + 0.3 * clusters(5), "c": -x}, seed=3)


def test_the_settings_are_those_of_umap_learn_and_one_frame_needs_no_alignment(one, several):
    usual = {"n_neighbors": 15, "min_dist": 0.1, "threads": 1}
    assert (one.settings, one.alignment) == (usual, projections.ONE_FRAME)
    assert several.settings == {**usual, "alignment_regularisation": 0.01, "alignment_window_size": 3}


def test_a_row_is_the_first_of_its_own_neighbours(monkeypatch, one):
    asked = {}

    class Spy:
        def __init__(self, **settings):
            asked.update(settings)

        def fit_transform(self, x):
            return np.zeros((len(x), 2), np.float32)

    monkeypatch.setattr("umap.UMAP", Spy)
    x = np.repeat(clusters()[:30], 3, axis=0)
    project("umap", {"a": x})
    which, far = asked["precomputed_knn"]
    assert np.array_equal(which[:, 0], np.arange(len(x))) and not far[:, 0].any()
    assert np.array_equal(which[:, 1:], nearest(x, 14)[0]) and all(len(set(row)) == 15 for row in which)


def test_groups_stay_apart_on_every_frame(one, several):
    for positions in (*one.positions, *several.positions):
        assert np.isfinite(positions).all() and apart(positions) > 1


def test_a_seed_gives_the_same_map_and_another_seed_another(one, several):
    x = clusters()
    assert np.array_equal(project("umap", {"a": x}, seed=3).positions, one.positions)
    again = project("umap", {"a": x, "b": x + 0.3 * clusters(5), "c": -x}, seed=3)
    assert np.array_equal(again.positions, several.positions)
    assert not np.array_equal(project("umap", {"a": x}, seed=4).positions, one.positions)


def test_frames_laid_out_together_move_less_than_frames_laid_out_alone(several):
    x = clusters()
    alone = [project("umap", {"a": rows}, seed).positions[0] for seed, rows in enumerate((x, x + 0.3 * clusters(5)))]
    together = moved(several.positions[0], several.positions[1])
    assert together < 0.3 and together < moved(alone[0], turned(alone[1], alone[0]))
    assert moved(several.positions[1], several.positions[2]) < 0.3, "a mirrored cloud is the same cloud"
    assert several.alignment.startswith("All frames laid out together by AlignedUMAP")


@pytest.mark.parametrize("x", [clusters()[:8], np.repeat(clusters()[:10], 9, axis=0),
                               np.repeat(clusters()[:2], 20, axis=0)], ids=["8 rows", "copies", "two rows"])
def test_few_rows_and_copies_of_rows_have_a_map_without_a_word_of_warning(x):
    made = project("umap", {"a": x})
    assert made.positions.shape == (1, len(x), 2) and np.isfinite(made.positions).all()
    assert made.settings["n_neighbors"] == min(15, len(x) - 1)


def test_a_map_of_groups_is_faithful(one):
    assert facts(clusters(), one.positions[0])["trustworthiness"] > 0.8
