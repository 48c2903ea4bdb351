"""The figures of one pair on made-up numbers."""

import numpy as np
import pytest

from analysis import registry
from analysis.figures import pair
from analysis.figures.theme import Style
from analysis.pairs.shown import Line, Matched, group
from tests.figures.made import check_figure, listed, named

NULL = {"null_mean": 0.1, "threshold": 0.2, "p": 0.005, "draws": 199}
STYLE = Style()


def line(name="linear_cka_debiased", value=0.6, calibrated=0.5, **given):
    return Line(measure=registry.get(name), value=value, calibrated=calibrated, **(NULL | given))


LINES = [line(low=0.4, high=0.8), line("cca_mean", 0.28, 0.1), line("cca_r2", -3.0, 0.0, low=-4.0, high=-2.0),
         line("ensd", 12.0, None), Line(measure=registry.get("svcca"), reason="all rows are the same")]


def test_every_calibrated_measure_has_a_dot_on_one_axis_and_the_others_have_none():
    figure = pair.overview(LINES, STYLE)
    cka, linear = (named(figure, group(of.measure)) for of in LINES[:2])
    assert list(cka.x) == [pytest.approx(0.5)] and list(linear.x) == [pytest.approx(0.1), pair.LEFT]
    assert list(cka.y) == ["Linear CKA, debiased"] and len(linear.y) == 2
    assert list(named(figure, "mean of the shuffles").x) == [pytest.approx(-0.125)] * 3
    assert tuple(figure.layout.xaxis.range) == (pair.LEFT, pair.RIGHT)
    check_figure(figure)


def test_a_bar_reaches_the_ends_of_the_interval_on_the_same_axis():
    bar = named(pair.overview(LINES, STYLE), "CKA").error_x
    assert (list(bar.array), list(bar.arrayminus)) == ([pytest.approx(0.25)], [pytest.approx(0.25)])


def test_where_smaller_is_closer_the_axis_turns():
    turned = line("information_imbalance", 0.25, 0.7, threshold=1.0, null_mean=1.1, low=0.2, high=0.5)
    figure = pair.overview([turned], STYLE)
    dot = named(figure, "Neighbours")
    assert list(dot.x) == [0.75] and list(dot.error_x.array) == [pytest.approx(0.05)]
    assert list(dot.error_x.arrayminus) == [0.25] and named(figure, "mean of the shuffles").x[0] < 0


def test_hovering_a_dot_gives_its_value_interval_threshold_and_p():
    told = named(pair.overview(LINES, STYLE), "CKA").customdata[0][0]
    for part in ("0.6000", "[0.400, 0.800]", "mean 0.1000", "threshold 0.2000", "calibrated 0.500", "p = 0.005"):
        assert part in told


def test_the_histogram_holds_every_shuffle_and_marks_value_threshold_and_chance():
    draws = np.random.default_rng(0).normal(0.1, 0.02, 199).tolist()
    figure = pair.null(line(low=0.4, high=0.8, chance=0.1), [*draws, float("nan")], STYLE)
    assert sum(named(figure, "199 shuffles").y) == 199
    assert [trace.name for trace in figure.data if trace.name == "value (0.6)"] == ["value (0.6)"]
    assert listed(figure) == ["199 shuffles", "95 % interval of the value", "95 % threshold (0.2)",
                              "exact chance (0.1)", "value (0.6)"]
    assert tuple(named(figure, "95 % interval of the value").x) == (0.4, 0.8, 0.8, 0.4)
    check_figure(figure)


def test_a_value_among_the_shuffles_is_marked_there_too_and_named_once():
    figure = pair.null(line(value=0.5), np.linspace(0, 1, 50).tolist(), STYLE)
    assert len([trace for trace in figure.data if trace.name == "value (0.5)"]) == 2
    assert listed(figure) == ["50 shuffles", "95 % threshold (0.2)", "value (0.5)"]


def test_shuffles_that_are_all_the_same_make_one_bar():
    figure = pair.null(line(), [0.25] * 39, STYLE)
    assert max(named(figure, "39 shuffles").y) == 39
    check_figure(figure)


def matched():
    a, b = np.arange(6.0).reshape(3, 2), np.arange(6.0).reshape(3, 2) + 0.5
    return Matched(a=a, b=b, residual=np.array([0.1, 0.2, 0.3]), row_ids=("r1", "r2", "r3"), shares=(0.6, 0.25),
                   fitted=3, total=3)


def test_each_row_is_drawn_at_both_sides_and_joined():
    figure = pair.points(matched(), ["one", "", "<b>three</b> " * 20], ("left", "right"), STYLE)
    assert list(named(figure, "A: left").x) == [0, 2, 4] and list(named(figure, "B: right").y) == [1.5, 3.5, 5.5]
    assert list(named(figure, "same row").x) == [0, 0.5, None, 2, 2.5, None, 4, 4.5, None]
    assert "60%" in figure.layout.xaxis.title.text and "25%" in figure.layout.yaxis.title.text


def test_hovering_a_point_gives_its_row_and_its_text_as_text():
    told = named(pair.points(matched(), ["one", "", "<b>three</b> " * 20], ("left", "right"), STYLE), "A: left")
    assert list(told.customdata[0]) == ["r1: one", 0.1] and told.customdata[1][0] == "r2"
    assert "<b>" not in told.customdata[2][0] and "&lt;b&gt;three" in told.customdata[2][0]
    assert "<br>" in told.customdata[2][0]


def test_the_triangle_has_thresholds_in_percent_on_both_axes_and_gaps_below():
    values = np.array([[0.0, 0.5, 0.6], [np.nan, 0.0, 0.7], [np.nan, np.nan, 0.0]])
    figure = pair.triangle([0, 50, 100], values, STYLE)
    heat, = figure.data
    np.testing.assert_array_equal(heat.z, values)
    assert list(heat.x) == list(heat.y) == [0, 50, 100]
    assert "NaN" not in figure.to_json()


@pytest.mark.parametrize("build", [lambda style: pair.overview(LINES, style),
                                   lambda style: pair.null(line(), [0.1, 0.2], style),
                                   lambda style: pair.points(matched(), ["", "", ""], ("l", "r"), style)])
def test_dark_paper_differs(build):
    assert build(STYLE).layout.paper_bgcolor != build(Style(dark=True)).layout.paper_bgcolor
