"""Draws know documents: evenly taken, the same for every representation, and disjoint where a test needs it."""

from collections import Counter

import numpy as np
import pytest

from analysis.topology.draws import FEWEST, LEFT_OVER, disjoint, drawn, fold_points

DOCUMENTS = [f"document {row % 40}" for row in range(400)]  # forty of ten rows


def test_a_draw_orders_every_row_once():
    assert sorted(drawn(DOCUMENTS, 100, 0, 0)) == list(range(400))


def test_a_draw_takes_its_points_from_half_of_the_documents_when_they_suffice():
    taken = {DOCUMENTS[row] for row in drawn(DOCUMENTS, 100, 0, 3)[:100]}
    assert len(taken) == 20


def test_a_draw_takes_more_documents_when_half_of_them_hold_too_few_rows():
    assert len({DOCUMENTS[row] for row in drawn(DOCUMENTS, 350, 0, 3)[:350]}) == 35


def test_rows_are_spread_evenly_over_the_documents_of_a_draw():
    counts = Counter(DOCUMENTS[row] for row in drawn(DOCUMENTS, 110, 0, 1)[:110])
    assert set(counts.values()) <= {5, 6}


def test_a_document_with_many_rows_does_not_crowd_out_the_others():
    documents = ["long"] * 900 + [f"short {i}" for i in range(20) for _ in range(5)]
    counts = Counter(documents[row] for row in drawn(documents, 50, 0, 0)[:50])
    assert max(counts.values()) - min(counts.values()) <= 1 or "long" not in counts


def test_draws_differ_and_come_back_the_same_for_the_same_seed():
    assert not np.array_equal(drawn(DOCUMENTS, 50, 0, 0), drawn(DOCUMENTS, 50, 0, 1))
    assert not np.array_equal(drawn(DOCUMENTS, 50, 0, 0), drawn(DOCUMENTS, 50, 1, 0))
    assert np.array_equal(drawn(DOCUMENTS, 50, 0, 0), drawn(DOCUMENTS, 50, 0, 0))


def test_a_row_of_a_document_is_as_likely_to_be_drawn_as_another():
    counts = np.zeros(400)
    for draw in range(400):
        counts[drawn(DOCUMENTS, 80, 0, draw)[:80]] += 1
    assert counts.mean() == 80 and counts.std() < 3 * np.sqrt(80 * 0.8), "as even as 400 draws of a fifth are"


def test_disjoint_draws_share_no_document_and_use_every_row():
    folds = disjoint(DOCUMENTS, 400, 0, 8)
    named = [{DOCUMENTS[row] for row in fold} for fold in folds]
    assert sum(map(len, named)) == len(set().union(*named)) == 40
    assert sorted(np.concatenate(folds)) == list(range(400))


def test_disjoint_draws_have_about_equally_many_rows_when_documents_differ_in_length():
    documents = [f"d{i}" for i in range(60) for _ in range(1 + i % 7)]
    sizes = [len(fold) for fold in disjoint(documents, 400, 0, 6)]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(("rows", "points", "expected"),
                         [(400, 300, int(LEFT_OVER * 100)), (400, 50, 50), (100, 300, 0)])
def test_a_disjoint_draw_has_as_many_points_as_all_can_have_or_none(rows, points, expected):
    folds = disjoint([str(row) for row in range(rows)], points, 0, 4)
    assert fold_points(folds, points) == expected
    assert expected == 0 or expected >= FEWEST
