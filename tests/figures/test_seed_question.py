"""CKA beside stitching over depth, on hand-made records."""

import pytest

from analysis.figures import seed_question
from analysis.figures.theme import Style
from analysis.pairs.disagreement import ALIKE, INTERCHANGEABLE, NOT_INTERCHANGEABLE, UNTOLD
from tests.figures.made import check_figure, drawn, listed

SITES = ("embedding", "block 1", "block 2", "final")
HOLLOW = "says nothing of its sender"
LABELS = ["95 % of shuffled documents", "untrained sender", "debiased CKA", "share of the loss recovered"]


def records(pair="a@step8 → b@step8", recovered=(1.0, 0.8, 0.97, 0.95),
            verdicts=(UNTOLD, ALIKE, INTERCHANGEABLE, ALIKE)):
    return [{"pair": pair, "site": site, "cka": 0.1 * k, "cka_low": 0.1 * k - 0.02, "cka_high": 0.1 * k + 0.02,
             "threshold": 0.05, "recovered": share, "recovered_low": share and share - 0.1,
             "recovered_high": share and share + 0.1, "random_recovered": 0.3, "verdict": said, "reason": "",
             "uninformative": "an untrained sender passes" if said == UNTOLD else ""}
            for k, (site, share, said) in enumerate(zip(SITES, recovered, verdicts, strict=True))]


def lines(figure):
    return {trace.name: trace for trace in drawn(figure)}


def test_both_quantities_stand_over_the_same_sites_with_their_null_and_the_untrained_sender():
    figure = seed_question.build(records(), Style())
    assert list(lines(figure)) == LABELS
    assert all(tuple(trace.x) == SITES for trace in drawn(figure))
    assert tuple(lines(figure)["share of the loss recovered"].y) == (1.0, 0.8, 0.97, 0.95)
    assert tuple(lines(figure)["debiased CKA"].y) == pytest.approx((0, 0.1, 0.2, 0.3))
    assert (lines(figure)["untrained sender"].line.dash, lines(figure)[LABELS[0]].line.dash) == ("dot", "dash")
    check_figure(figure)


def test_intervals_are_drawn_around_their_own_values():
    bars = lines(seed_question.build(records(), Style()))["share of the loss recovered"].error_y
    assert tuple(bars.array) == pytest.approx((0.1,) * 4) and tuple(bars.arrayminus) == pytest.approx((0.1,) * 4)


def test_a_stitch_that_says_nothing_of_its_sender_is_hollow_and_a_disagreement_is_tinted():
    figure = seed_question.build(records(), Style())
    assert tuple(lines(figure)["share of the loss recovered"].marker.symbol) == ("circle-open", *["circle"] * 3)
    tint, = figure.layout.shapes
    assert (tint.x0, tint.x1) == (1.5, 2.5), "the third site"
    assert listed(figure)[-2:] == [HOLLOW, "CKA different, interchangeable"]


def test_each_pair_has_a_panel_and_the_legend_names_everything_once():
    other = records("b@step8 → a@step8", verdicts=(UNTOLD, ALIKE, ALIKE, NOT_INTERCHANGEABLE))
    figure = seed_question.build([*records(), *other], Style(dark=True))
    assert [a.text for a in figure.layout.annotations] == ["a@step8 →<br>b@step8", "b@step8 →<br>a@step8"]
    assert listed(figure) == [*LABELS, HOLLOW, "CKA different, interchangeable", "CKA alike, not interchangeable"]
    assert {trace.yaxis for trace in drawn(figure)} == {"y", "y2"}
    check_figure(figure)


def test_a_share_far_below_zero_stands_at_the_edge_and_is_told_in_full():
    figure = seed_question.build(records(recovered=(-7.5, None, 0.5, 0.9)), Style())
    line = lines(figure)["share of the loss recovered"]
    assert tuple(line.y) == (-1.0, None, 0.5, 0.9) and figure.layout.yaxis.range[0] < -1.0
    assert "-7.500" in line.customdata[0][0] and "undefined" in line.customdata[1][0]
