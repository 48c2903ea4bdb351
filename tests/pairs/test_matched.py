"""Rows turned onto each other: exact where one side is the other turned, and the residual is that of Procrustes."""

import numpy as np
import pytest

from analysis.errors import Undefined
from analysis.extraction.probes import Probe, Text
from analysis.keys import Policy
from analysis.pairs import matched
from analysis.pairs.matched import Sample
from analysis.registry import get
from analysis.representations import Protocol, ensure


def rows(n=60, d=7, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d)) * np.arange(d, 0, -1)


def sample(x, y, total=None):
    return Sample(x, y, tuple(f"row {i}" for i in range(len(x))), total or len(x))


def turned(x, seed=1):
    q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((x.shape[1], x.shape[1])))
    return 3.0 * x @ q + 5.0


def test_a_rotation_a_shift_and_a_scale_are_undone_exactly():
    x = rows()
    found = matched.matched(sample(x, turned(x)))
    np.testing.assert_allclose(found.a, found.b, atol=1e-10)
    assert found.residual.max() < 1e-6 and found.total == found.fitted == 60


@pytest.mark.parametrize("widths", [(7, 7), (7, 4), (4, 9), (90, 70), (7, 1)], ids=str)
def test_the_residual_is_that_of_procrustes_similarity_for_all_widths(widths):
    x, y = (rows(d=width, seed=seed) for seed, width in enumerate(widths))
    found = matched.matched(sample(x, y))
    expected = 2 - 2 * get("procrustes_nbs")(x, y).value
    assert np.mean(found.residual**2) == pytest.approx(expected, rel=1e-9)


def test_points_are_those_of_zeros_added_to_the_narrower_side():
    x, y = rows(d=6), rows(d=3, seed=1)
    a, b = (side - side.mean(axis=0) for side in (x, np.hstack([y, np.zeros((60, 3))])))
    a, b = (side * np.sqrt(60) / np.linalg.norm(side) for side in (a, b))
    u, _, vt = np.linalg.svd(a.T @ b)
    axes = np.linalg.svd(a, full_matrices=False)[2][:2].T
    found = matched.matched(sample(x, y))
    np.testing.assert_allclose(np.abs(found.a), np.abs(a @ axes), atol=1e-10)
    np.testing.assert_allclose(np.abs(found.b), np.abs(b @ vt.T @ u.T @ axes), atol=1e-10)
    np.testing.assert_allclose(found.residual, np.linalg.norm(a - b @ vt.T @ u.T, axis=1), atol=1e-9)


def test_a_typical_row_is_1_from_the_centre_and_shares_are_of_the_whole_variance():
    found = matched.matched(sample(rows(d=2), rows(d=2, seed=1)))
    assert np.mean((found.a**2).sum(axis=1)) == pytest.approx(1)
    assert sum(found.shares) == pytest.approx(1) and found.shares[0] > found.shares[1]


def test_a_side_of_one_direction_lies_on_a_line():
    found = matched.matched(sample(rows(d=1), rows()))
    assert not found.a[:, 1].any() and found.shares == (pytest.approx(1), 0)


def test_a_side_whose_rows_are_all_the_same_has_no_match():
    with pytest.raises(Undefined, match="all rows of one side are the same"):
        matched.matched(sample(np.full((20, 3), 0.1), rows(20)))


def test_at_most_400_rows_are_shown_and_the_caption_says_of_how_many():
    found = matched.matched(sample(rows(900), rows(900, seed=1), total=5000))
    assert len(found.a) == len(found.b) == len(found.residual) == len(found.row_ids) == 400
    said = matched.caption(found)
    assert "400 of 5000 rows, drawn with seed 0" in said and "900 rows" in said


def test_the_rows_that_fit_least_come_first_with_their_texts():
    x = rows()
    y = turned(x)
    y[[7, 3]] += [[90.0], [40.0]]
    found = matched.matched(sample(x, y))
    table = matched.worst(found, [f"text {i}" for i in range(60)])
    assert [(row["row"], row["text"]) for row in table[:2]] == [("row 7", "text 7"), ("row 3", "text 3")]
    assert len(table) == matched.LARGEST and table[0]["mismatch"] == found.residual.max()


def test_stored_rows_are_drawn_the_same_each_time_and_keep_their_names(store, run, protocol):
    a, b = ((run.checkpoints[i], "final") for i in (0, 2))
    assert matched.sample(store, a, b, protocol) is None
    held = [ensure(store, checkpoint, protocol) for checkpoint, _ in (a, b)]
    assert matched.sample(store, a, (b[0], "block 9"), protocol) is None
    found, again = (matched.sample(store, a, b, protocol) for _ in range(2))
    assert found.row_ids == again.row_ids and sorted(found.row_ids) == sorted(held[0].row_ids)
    at = [held[0].row_ids.index(id) for id in found.row_ids]
    assert at != sorted(at) and found.total == 48
    np.testing.assert_array_equal(found.x, held[0].rows["final"][at])
    np.testing.assert_array_equal(found.y, held[1].rows["final"][at])
    assert found.first(5).row_ids == found.row_ids[:5] and found.first(5).total == 48


def test_a_row_of_a_word_shows_the_text_around_it_and_another_both_ends_of_its_text():
    long = "The beginning. " + "x" * 300 + " The end."
    probe = Probe("made", (Text("a@b", "a", "one two three"), Text("c", "c", long)))
    words, last = (Protocol(probe, Policy.parse(policy)) for policy in ("words-1", "last"))
    assert matched.texts_of(probe, words, ["a@b@c7", "gone@c3"]) == ["one two▏ three", "▏"]
    shown = matched.texts_of(probe, last, ["a@b", "c"])
    assert shown[0] == "one two three" and shown[1].startswith("The beginning.") and shown[1].endswith("The end.")
    assert len(shown[1]) < 100


def test_images_have_no_text():
    probe = Probe("pictures", (Text("cat.png", "cat.png", "/home/me/cat.png"),), "image")
    assert matched.texts_of(probe, Protocol(probe, Policy.parse("last")), ["cat.png"]) == [""]
