"""Which rows of several representations are compared: all where they are the same, common words, or none."""

import numpy as np
import pytest

from analysis.errors import ExplorerError
from analysis.pairs.aligned import aligned, common_rows
from analysis.store import Representation


def of_ids(ids, documents=None):
    rows = np.arange(float(len(ids)))[:, None]
    texts = [id.partition("@")[0] for id in ids]
    return Representation(rows={"final": rows}, row_ids=tuple(ids), document_ids=tuple(documents or texts), facts={})


def words(text, *ends):
    return [f"{text}@c{end}" for end in ends]


def named(*representations, given=()):
    return [(f"model {k}", representation, k in given) for k, representation in enumerate(representations)]


LONG = of_ids([*words("a", *range(5, 60, 5)), *words("b", *range(3, 30, 3))])  # 11 and 9 words
SHORT = of_ids([*words("a", *range(5, 40, 5)), *words("b", *range(3, 30, 3))])  # 7 and 9


def refused(items):
    with pytest.raises(ExplorerError) as caught:
        aligned(items)
    return str(caught.value)


def test_rows_that_are_the_same_are_all_kept_without_a_note():
    found = aligned(named(*[of_ids(["x", "y", "z", "u"], "ddee")] * 3))
    assert found.row_ids == ("x", "y", "z", "u") and found.document_ids == tuple("ddee")
    assert found.which == [None] * 3 and found.note == ""


def test_a_single_representation_is_compared_on_all_its_rows():
    found = aligned(named(LONG))
    assert (found.row_ids, found.which, found.note) == (LONG.row_ids, [None], "")


def test_words_that_one_context_cuts_off_are_left_out_of_the_other():
    found = aligned(named(LONG, SHORT))
    assert found.row_ids == SHORT.row_ids and found.document_ids == SHORT.document_ids
    assert found.which[1] is None
    assert tuple(LONG.row_ids[row] for row in found.which[0]) == SHORT.row_ids
    assert found.note == "compared on 16 common words of 20 and 16"


def test_the_order_in_which_models_are_given_changes_which_rows_only_by_its_own_order():
    one, other = aligned(named(LONG, SHORT)), aligned(named(SHORT, LONG))
    assert one.row_ids == other.row_ids and other.which[0] is None
    np.testing.assert_array_equal(one.which[0], other.which[1])


def test_words_missing_on_both_sides_leave_those_that_both_have():
    left, right = of_ids(words("a", 1, 2, 4, 6, 8, 9)), of_ids(words("a", 2, 3, 4, 6, 8, 11, 12))
    found = aligned(named(left, right))
    assert found.row_ids == tuple(words("a", 2, 4, 6, 8))
    assert [rows.tolist() for rows in found.which] == [[1, 2, 3, 4], [0, 2, 3, 4]]
    assert found.note == "compared on 4 common words of 6 and 7"


def test_rows_that_stand_in_another_order_are_put_in_the_order_of_the_first():
    ids = words("a", 1, 2, 3, 4, 5)
    found = aligned(named(of_ids(ids), of_ids(ids[::-1])))
    assert found.row_ids == tuple(ids) and found.which[0] is None
    assert found.which[1].tolist() == [4, 3, 2, 1, 0]


@pytest.mark.parametrize(("ends", "said"), [((7, 9, 8), "7 to 9"), ((9, 7, 7), "7 to 9"), ((8, 8, 8), "8 each")])
def test_the_note_of_many_models_gives_the_range_of_their_rows(ends, said):
    representations = [of_ids(words("a", *range(10, 10 + end - 1), 100 + k)) for k, end in enumerate(ends)]
    found = aligned(named(*representations))
    assert found.note == f"compared on {min(ends) - 1} common words of {said}"


def test_common_rows_are_those_of_all_and_not_of_pairs():
    ids = words("a", *range(10))
    which = common_rows([of_ids(ids[:8]), of_ids(ids[2:]), of_ids(ids[1:6] + ids[7:])])
    assert [rows.tolist() for rows in which] == [[2, 3, 4, 5, 7], [0, 1, 2, 3, 5], [1, 2, 3, 4, 5]]


def test_half_of_the_smaller_side_is_enough_and_less_is_refused():
    ids = words("a", *range(40))
    assert aligned(named(of_ids(ids[:20]), of_ids(ids[10:]))).note == "compared on 10 common words of 20 and 30"
    message = refused(named(of_ids(ids[:20]), of_ids(ids[11:])))
    for part in ("model 0 and model 1", "only 9 words in common, of 20 and 29", "at least 10", "last or mean"):
        assert part in message


def test_fewer_than_four_common_words_are_refused_although_they_are_half():
    message = refused(named(of_ids(words("a", 1, 2, 3, 4)), of_ids(words("a", 2, 3, 4, 5))))
    assert "only 3 words in common, of 4 and 4, and at least 4" in message


@pytest.mark.parametrize(("mine", "yours"), [
    ([f"a@{k}" for k in range(8)], [f"a@{k}" for k in range(9)]), (["a", "b", "c", "d"], ["a", "b", "c", "d", "e"]),
    (["a", "b", "c", "d"], ["b", "a", "c", "d"]), (words("a", 1, 2, 3, 4), ["a@1", "a@2", "a@3", "a@4"])])
def test_rows_that_are_no_words_have_to_be_the_same_and_the_policies_that_help_are_named(mine, yours):
    message = refused(named(of_ids(mine), of_ids(mine), of_ids(yours)))
    assert f"The rows of model 2 are not those of the others ({len(yours)} and {len(mine)} rows)" in message
    for part in ("different tokenizers cut the texts differently", "last or mean", "words-1"):
        assert part in message


@pytest.mark.parametrize("given", [(0, 1), (1,)])
def test_rows_that_came_with_a_run_have_to_be_the_same_even_where_they_look_like_words(given):
    message = refused(named(LONG, SHORT, given=given))
    assert "The rows of model 1 are not those of the others (16 and 20 rows)" in message
    assert "give all files the same ids, in the same order" in message
