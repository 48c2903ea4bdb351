"""Halves of the documents, and what is extrapolated from them."""

import numpy as np
import pytest

from analysis.errors import Undefined
from analysis.inference.halves import SPLITS, extrapolated, halves
from analysis.textrows import TextRows
from tests.synthetic import documents, generic, rotated

UNEQUAL = [30, 4, 7, 12, 5, 9, 16, 3, 11, 8, 6, 10, 13]


def text_rows(x: np.ndarray, names) -> TextRows:
    numbers = np.unique(np.asarray(names), return_inverse=True)[1]
    return TextRows(x, np.arange(len(x)), numbers, np.zeros(len(x), dtype=int))


def of_sizes(sizes: list[int], d: int = 3, seed: int = 0) -> TextRows:
    return text_rows(*documents(sizes, d, np.random.default_rng(seed)))


def as_sets(rows: TextRows, masks) -> set[frozenset]:
    """The splits as unordered pairs of sets of rows, whatever their order."""
    return {frozenset(frozenset(map(tuple, rows.x[side])) for side in (mask, ~mask)) for mask in masks}


@pytest.mark.parametrize("sizes", [[5] * 12, [5] * 13, UNEQUAL, [1, 1], [40, 1, 1, 1]])
def test_every_document_is_whole_and_on_one_side_and_neither_side_is_empty(sizes):
    rows = of_sizes(sizes)
    for first in halves(rows):
        for document in range(len(sizes)):
            assert len(set(first[rows.documents == document])) == 1
        assert 0 < first.sum() < len(rows)


@pytest.mark.parametrize("sizes", [[5] * 12, [5] * 13, UNEQUAL, [1, 1, 1], [20, 19, 2, 1]])
def test_halves_differ_by_no_more_than_the_pairs_of_like_size_do_and_an_odd_document_fills_the_smaller_one(sizes):
    by_size = sorted(sizes, reverse=True)
    gaps, odd = sum(a - b for a, b in zip(by_size[::2], by_size[1::2], strict=False)), by_size[-1] * (len(sizes) % 2)
    for first in halves(of_sizes(sizes), splits=20):
        assert abs(int(first.sum()) - int((~first).sum())) <= max(gaps - odd, odd) <= max(sizes)


def test_equal_documents_of_an_even_number_give_halves_of_exactly_half_the_rows():
    assert {int(first.sum()) for first in halves(of_sizes([5] * 12), splits=20)} == {30}


@pytest.mark.parametrize("sizes", [[5] * 16, list(range(5, 21))])
def test_splits_are_several_and_different_also_where_no_two_documents_have_one_size(sizes):
    rows = of_sizes(sizes)
    assert len(halves(rows)) == SPLITS == len(as_sets(rows, halves(rows)))


def test_over_many_splits_each_document_is_as_often_on_either_side_and_with_every_other():
    rows = of_sizes([1] * 10)
    sides = np.array(halves(rows, splits=4000), dtype=float)
    assert sides.mean(axis=0) == pytest.approx(np.full(10, 0.5), abs=0.035)
    together = np.mean(sides[:, :, None] == sides[:, None, :], axis=0)
    assert together[~np.eye(10, dtype=bool)] == pytest.approx(np.full(90, 4 / 9), abs=0.035)


@pytest.mark.parametrize("sizes", [UNEQUAL, [5] * 13])
def test_the_same_rows_are_split_alike_whatever_the_numbers_and_the_order_of_their_documents(sizes):
    rows = of_sizes(sizes)
    rng = np.random.default_rng(1)
    numbers = rng.permutation(len(sizes))[rows.documents]
    order = np.argsort(rng.permutation(len(sizes))[rows.documents], kind="stable")
    moved = TextRows(rows.x[order], rows.texts[order], numbers[order], rows.positions[order])
    assert as_sets(rows, halves(rows)) == as_sets(moved, halves(moved))


@pytest.mark.parametrize("sizes", [UNEQUAL, [5] * 13])
def test_turning_shifting_and_scaling_the_rows_leaves_the_splits_as_they_are(sizes):
    rows = of_sizes(sizes)
    moved = TextRows(rotated(rows.x, np.random.default_rng(2), scale=7.3, shift=5.0), rows.texts, rows.documents,
                     rows.positions)
    np.testing.assert_array_equal(halves(rows), halves(moved))


@pytest.mark.parametrize("sizes", [[5] * 12, [5] * 13, UNEQUAL])
def test_a_bias_of_exactly_one_over_n_is_taken_away_exactly_also_from_unequal_halves(sizes):
    assert extrapolated(of_sizes(sizes), lambda part: 5.0 + 3.0 / part.n) == pytest.approx(5.0, rel=1e-13)
    assert extrapolated(of_sizes(sizes), lambda part: 5.0) == pytest.approx(5.0, rel=1e-13)


def test_with_equal_halves_it_is_twice_the_whole_less_the_mean_of_the_halves():
    rows = of_sizes([5] * 12)

    def variance(x):
        return float(np.sum((x - x.mean(axis=0))**2) / len(x))

    of_halves = np.mean([variance(rows.x[side]) for first in halves(rows) for side in (first, ~first)])
    assert extrapolated(rows, lambda part: float(np.trace(part.scatter) / part.n)) \
        == pytest.approx(2 * variance(rows.x) - of_halves, rel=1e-12)


def test_a_bias_of_order_one_over_n_squared_is_left_doubled_and_turned_around():
    """2 / n^2 - 4 / n^2: what Richardson extrapolation does to the next order."""
    assert extrapolated(of_sizes([5] * 12), lambda part: 1 / part.n**2) == pytest.approx(-2 / 60**2, rel=1e-12)


def test_rows_of_one_document_are_kept_together_so_that_a_document_effect_is_accounted_for():
    """The plug-in variance misses 1 / documents of what is between documents; split rows would not notice."""
    between, within, d, found = 2.0, 1.0, 4, []
    for seed in range(400):
        x, names = documents([6] * 8, d, np.random.default_rng(seed), between=between, within=within)
        found.append([extrapolated(text_rows(x, labels), lambda part: float(np.trace(part.scatter) / part.n))
                      for labels in (names, range(len(x)))])
    whole, split = np.mean(found, axis=0) / d
    error = 3 * np.std(found, axis=0)[0] / np.sqrt(400) / d
    assert whole == pytest.approx(between**2 + within**2, abs=error)
    assert split == pytest.approx(between**2 * 7 / 8 + within**2, abs=error), "a bias of half a unit stays"
    assert between**2 / 8 > 2 * error


def test_one_document_has_no_halves():
    with pytest.raises(Undefined, match="at least 2 documents, got 1"):
        halves(of_sizes([60]))
    with pytest.raises(Undefined, match="at least 2 documents, got 1"):
        extrapolated(of_sizes([60]), lambda part: 1.0)


def test_halves_of_fewer_rows_than_directions_are_refused_and_of_as_many_are_not():
    x = generic(80, 20, np.random.default_rng(3))
    assert extrapolated(text_rows(x[:40], range(40)), lambda part: 1.0) == pytest.approx(1.0)
    with pytest.raises(Undefined, match=r"half of the documents has 19 rows.* 20 positive eigenvalues"):
        extrapolated(text_rows(x[:39], range(39)), lambda part: 1.0)
    with pytest.raises(Undefined, match=r"has 5 rows"):
        extrapolated(text_rows(x, [0] * 75 + [1] * 5), lambda part: 1.0)


def test_columns_without_variance_are_no_directions():
    x = np.hstack([generic(40, 20, np.random.default_rng(4)), np.ones((40, 30))])
    assert extrapolated(text_rows(x, range(40)), lambda part: 1.0) == pytest.approx(1.0)
