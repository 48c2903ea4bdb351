"""Rows that know their text, document and position from the ids they were stored under."""

import numpy as np
import pytest

from analysis import registry
from analysis.keys import Policy
from analysis.textrows import TextRows


def of(row_ids, document_ids=None):
    documents = document_ids or [f"document of {id}" for id in row_ids]
    return TextRows.of(np.arange(2.0 * len(row_ids)).reshape(-1, 2), row_ids, documents)


def test_several_tokens_of_a_text_share_its_number_and_keep_their_positions():
    rows = of(["speech@8", "speech@16", "letter@8", "letter@24"], ["a", "a", "b", "b"])
    assert rows.texts.tolist() == [0, 0, 1, 1] and rows.positions.tolist() == [8, 16, 8, 24]
    assert rows.documents.tolist() == [0, 0, 1, 1]


def test_one_row_for_each_text_is_a_text_of_its_own_at_position_0():
    rows = of(["speech", "letter", "note"], ["a", "a", "b"])
    assert rows.texts.tolist() == [0, 1, 2] and rows.positions.tolist() == [0, 0, 0]
    assert rows.documents.tolist() == [0, 0, 1]


def test_texts_and_documents_are_numbered_in_order_of_first_appearance():
    rows = of(["z@1", "z@2", "a@1", "m@1"], ["y", "y", "x", "y"])
    assert rows.texts.tolist() == [0, 0, 1, 2] and rows.documents.tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize("id", ["me@example.org", "@", "@7", "text@", "text@-1", "text@1.5", "text@²", "", "a@7 ", "5",
                                "@c7", "text@c", "text@cc7", "text@c-1", "text@C7", "text@c7@", "text@c²"])
def test_an_id_without_a_text_and_a_whole_number_around_its_last_at_sign_is_a_name(id):
    rows = of([id, "other@3"])
    assert rows.texts.tolist() == [0, 1] and rows.positions.tolist() == [0, 3]


def test_only_the_last_at_sign_parts_a_text_from_its_position():
    rows = of(["me@example.org@8", "me@example.org@16", "a@1@8"])
    assert rows.texts.tolist() == [0, 0, 1] and rows.positions.tolist() == [8, 16, 8]


def test_the_ids_that_every_kth_token_gets_come_back_as_text_and_position():
    kept = range(8, 64, Policy.parse("every-8").every)
    rows = of([f"{text}@{position}" for text in ("λ “1”", "two") for position in kept])
    assert rows.texts.tolist() == [0] * len(kept) + [1] * len(kept)
    assert rows.positions.tolist() == [*kept, *kept]


def test_words_are_counted_within_their_text_by_where_they_end():
    rows = of(["a@c3", "a@c9", "a@c31", "b@c12", "me@example.org@c5", "me@example.org@c40"])
    assert rows.texts.tolist() == [0, 0, 0, 1, 2, 2]
    assert rows.positions.tolist() == [0, 1, 2, 0, 0, 1]


def test_words_that_come_in_another_order_are_counted_by_where_they_end_all_the_same():
    rows = of(["a@c31", "b@c12", "a@c9", "b@c7", "a@c100"])
    assert rows.texts.tolist() == [0, 1, 0, 1, 0] and rows.positions.tolist() == [1, 1, 0, 0, 2]


def test_the_path_through_words_bends_as_that_through_evenly_spaced_tokens():
    x = np.random.default_rng(0).standard_normal((12, 5))
    offsets = [5, 9, 17, 20, 21, 40]
    words, tokens = (TextRows.of(x, [f"{text}@{place}" for text in "ab" for place in places], ["a"] * 6 + ["b"] * 6)
                     for places in ([f"c{offset}" for offset in offsets], range(6)))
    curvature, entropy = registry.get("trajectory_curvature"), registry.get("prompt_entropy")
    assert curvature(words).value == curvature(tokens).value > 0
    assert entropy(words).value == entropy(tokens).value


def test_ids_that_look_like_words_are_names_where_rows_are_one_a_text():
    rows = TextRows.of(np.zeros((2, 1)), ["a@c3", "a@c9"], ["a", "a"], positioned=False)
    assert rows.texts.tolist() == [0, 1] and rows.positions.tolist() == [0, 0]


def test_a_mask_keeps_rows_with_their_numbers_and_leaves_the_given_ones_as_they_were():
    rows = of(["a@1", "a@2", "b@1", "c@1"], ["x", "x", "x", "y"])
    before = [part.copy() for part in (rows.x, rows.texts, rows.documents, rows.positions)]
    kept = rows.kept(np.array([False, True, False, True]))
    assert len(kept) == 2 and len(rows) == 4
    assert kept.x.tolist() == [[2.0, 3.0], [6.0, 7.0]]
    assert (kept.texts.tolist(), kept.documents.tolist(), kept.positions.tolist()) == ([0, 2], [0, 1], [2, 1])
    kept.x[:] = -1
    for part, was in zip((rows.x, rows.texts, rows.documents, rows.positions), before, strict=True):
        np.testing.assert_array_equal(part, was)


def test_no_rows_are_no_rows():
    rows = TextRows.of(np.empty((0, 3)), [], [])
    assert len(rows) == 0 and rows.texts.dtype.kind == rows.positions.dtype.kind == "i"
