"""When CKA and stitching are said to disagree, and how both are put together site by site."""

import pytest

from analysis.pairs import disagreement
from analysis.pairs.disagreement import (
    ALIKE,
    BETWEEN,
    DIFFERENT,
    INTERCHANGEABLE,
    NOT_INTERCHANGEABLE,
    UNTOLD,
    joined,
    sentences,
    verdict,
)

PASSED_BY_ANY = "a random sender recovers 97% of the loss through this stitch too"


def cka(site, calibrated, reason=""):
    value = None if reason else 0.5
    return {"site": site, "cka": value, "calibrated": calibrated, "reason": reason, "pair": "A → B"}


def stitch(site, recovered, uninformative="", reason=""):
    return {"site": site, "recovered": recovered, "uninformative": uninformative, "reason": reason}


@pytest.mark.parametrize(("calibrated", "recovered", "said"), [
    (0.1, 0.95, INTERCHANGEABLE), (0.29, 0.9, INTERCHANGEABLE), (0.1, 1.2, INTERCHANGEABLE),
    (0.3, 0.95, BETWEEN), (0.1, 0.89, BETWEEN), (0.9, 0.95, ALIKE), (0.7, 0.9, ALIKE),
    (0.9, 0.4, NOT_INTERCHANGEABLE), (0.7, -2.0, NOT_INTERCHANGEABLE), (0.9, 0.5, BETWEEN), (0.69, 0.4, BETWEEN),
    (0.0, 0.1, DIFFERENT), (0.29, -1.0, DIFFERENT), (None, 0.95, UNTOLD), (0.1, None, UNTOLD)])
def test_the_verdict_follows_the_two_numbers(calibrated, recovered, said):
    assert verdict(calibrated, recovered, "") == said


@pytest.mark.parametrize("calibrated", [0.0, 0.5, 1.0])
def test_a_stitch_that_an_untrained_sender_passes_proves_nothing(calibrated):
    assert verdict(calibrated, 0.99, PASSED_BY_ANY) == UNTOLD
    assert verdict(calibrated, 0.2, PASSED_BY_ANY) == verdict(calibrated, 0.2, ""), "a failure needs no such excuse"


def test_sites_are_joined_by_name_with_the_reason_where_nothing_is_told():
    found = joined([cka("embedding", None, "all rows are the same"), cka("block 1", 0.1), cka("block 2", 0.1),
                    cka("block 3", None), cka("only CKA", 0.5)],
                   [stitch("block 2", 0.97, PASSED_BY_ANY), stitch("block 1", 0.97), stitch("embedding", 1.0),
                    stitch("block 3", 0.97), stitch("only a stitch", 1.0)])
    assert [(r["site"], r["verdict"]) for r in found] == [
        ("embedding", UNTOLD), ("block 1", INTERCHANGEABLE), ("block 2", UNTOLD), ("block 3", UNTOLD)]
    assert [r["reason"] for r in found] == ["all rows are the same", "", PASSED_BY_ANY,
                                            "this CKA has no shuffled documents to stand above"]


def test_each_pair_gets_one_sentence_that_names_the_sites_of_each_disagreement():
    rows = joined([cka(f"block {k}", value) for k, value in enumerate((0.1, 0.2, 0.9, 0.5))],
                  [stitch(f"block {k}", value) for k, value in enumerate((0.95, 1.0, 0.1, 0.7))])
    calm = [{**row, "pair": "B → A", "verdict": BETWEEN} for row in rows[:3]]
    assert sentences([*rows, *calm]) == [
        f"A → B: {INTERCHANGEABLE} at block 0, block 1; {NOT_INTERCHANGEABLE} at block 2.",
        "B → A: no disagreement by these rules at the 3 sites told."]


def test_the_rules_on_the_screen_state_the_thresholds_of_the_code():
    for number in (disagreement.LOW_CKA, disagreement.HIGH_CKA, "90%", "50%"):
        assert str(number) in disagreement.RULES
