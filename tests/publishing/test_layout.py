"""A figure at the size of a page, and several on one."""

import plotly.graph_objects as go
import pytest

from analysis.errors import ExplorerError
from analysis.figures.points import SLIDER
from analysis.figures.theme import FONT, Style
from analysis.publishing import layout
from analysis.publishing.layout import Print, composed, laid_out
from tests.figures.made import check_figure, named, plain
from tests.publishing.made import animated, heat_map, lines

SCREEN_PX = Style().font_px


def test_a_column_of_89_mm_is_336_pixels_and_7_points_are_nine_and_a_third():
    figure = laid_out(lines(), Print())
    assert figure.layout.width == pytest.approx(89 / 25.4 * 96)
    assert figure.layout.font.size == pytest.approx(7 / 72 * 96)


@pytest.mark.parametrize("font_pt", [5.0, 7.0, 12.0])
def test_every_length_that_plotly_counts_in_pixels_changes_by_the_factor_of_the_type(font_pt):
    before, factor = lines(), font_pt * 96 / 72 / SCREEN_PX
    after = laid_out(before, Print(font_pt=font_pt))
    one, other = named(before, "alpha · final"), named(after, "alpha · final")
    assert other.line.width == pytest.approx(factor * one.line.width)
    assert other.marker.size == pytest.approx(factor * one.marker.size)
    assert after.layout.margin.l == pytest.approx(factor * before.layout.margin.l)
    assert after.layout.xaxis.title.font.size == pytest.approx(factor * before.layout.xaxis.title.font.size)
    assert after.layout.template.layout.xaxis.ticklen == pytest.approx(factor * 5), "also what a figure does not say"


def test_what_is_in_units_of_the_data_stays():
    before, after = lines(), laid_out(lines(), Print(font_pt=5))
    for one, other in zip(before.data, after.data, strict=True):
        assert plain(go.Figure(one))["data"][0]["y"] == plain(go.Figure(other))["data"][0]["y"]
    assert after.layout.yaxis.domain == before.layout.yaxis.domain
    heat = laid_out(heat_map(), Print()).data[0]
    assert (heat.colorbar.len, heat.xgap) == (0.75, pytest.approx(7 * 96 / 72 / SCREEN_PX))


def test_a_height_is_kept_and_without_one_the_figure_is_as_high_as_it_was_designed_in_letters():
    assert laid_out(lines(), Print(height_mm=60)).layout.height == pytest.approx(60 / 25.4 * 96)
    before = lines()
    assert laid_out(before, Print(font_pt=9)).layout.height == pytest.approx(before.layout.height * 12 / SCREEN_PX)


def test_the_figure_of_the_screen_is_left_as_it_was():
    figure = animated()
    before = figure.to_json()
    laid_out(figure, Print(background="dark", palette="grey"))
    composed([figure, figure], 2, Print(width_mm=183))
    assert figure.to_json() == before


def test_all_that_is_for_the_screen_is_left_out():
    for figure in (lines(), heat_map(), animated()):
        after = laid_out(figure, Print())
        check_figure(after.update_layout(template="none"))
        assert not after.frames and not after.layout.sliders and not after.layout.updatemenus
        assert not set(layout.SCREEN_TRACE) & {name for trace in plain(after)["data"] for name in trace}
        assert after.layout.hovermode is False and after.layout.dragmode is None


@pytest.mark.parametrize("at", [0, 2])
def test_of_an_animation_the_shown_frame_stays_and_the_room_of_its_slider_is_closed(at):
    before = animated(at)
    after = laid_out(before, Print())
    moving = before.frames[at].traces
    assert [list(after.data[index].x) for index in moving] == [list(trace.x) for trace in before.frames[at].data]
    note, = after.layout.annotations
    assert (note.text, note.yshift) == (before.frames[at].layout.annotations[0].text, 0)
    factor = after.layout.font.size / SCREEN_PX
    assert after.layout.margin.t == pytest.approx((before.layout.margin.t - SLIDER) * factor)


def test_strips_of_phases_that_stand_in_pixels_shrink_with_the_type():
    figure = go.Figure().update_layout(font={"size": 14}, shapes=[
        {"ysizemode": "pixel", "yanchor": 1, "y0": 4, "y1": 14, "x0": 1, "x1": 3}, {"y0": 0.5, "y1": 1}])
    strip, tint = laid_out(figure, Print(font_pt=5.25)).layout.shapes
    assert (strip.y0, strip.y1, strip.x1, strip.yanchor) == (2, 7, 3, 1) and (tint.y0, tint.y1) == (0.5, 1)


def test_sizes_of_markers_that_differ_by_point_are_all_scaled():
    figure = go.Figure(go.Scatter(x=[1, 2], y=[1, 2], marker={"size": [4, 8]})).update_layout(font={"size": 14})
    assert list(laid_out(figure, Print(font_pt=5.25)).data[0].marker.size) == [2, 4]


def test_a_title_stands_above_the_figure_only_when_asked_for_and_is_text_not_markup():
    assert laid_out(lines(), Print(), "A < B").layout.title.text is None
    assert laid_out(lines(), Print(titles=True), "A < B").layout.title.text == "A &lt; B"


def test_a_long_title_has_lines_as_wide_as_the_figure():
    title = laid_out(lines(), Print(titles=True), "Stitching seed 1 into seed 2 at the same depth " * 2).layout.title
    widths = [0.5 * len(line) * 7 / 72 * 25.4 for line in title.text.split("<br>")]
    assert len(widths) == 2 and max(widths) <= 89


def test_a_title_has_its_own_room_unless_the_height_is_given():
    bare, titled = (laid_out(lines(), Print(titles=titles), "One line").layout for titles in (False, True))
    assert titled.height - bare.height == pytest.approx(titled.margin.t - bare.margin.t)
    assert titled.margin.t - bare.margin.t == pytest.approx(1.3 * 7 / 72 * 96)
    assert laid_out(lines(), Print(titles=True, height_mm=70), "One").layout.height == pytest.approx(70 / 25.4 * 96)


def test_the_legend_goes_where_it_is_told_to():
    assert laid_out(lines(), Print(legend="none")).layout.showlegend is False
    assert laid_out(lines(), Print(legend="right")).layout.legend.x > 1
    below = laid_out(lines(), Print()).layout.legend
    assert (below.orientation, below.yref, below.y) == ("h", "container", 0)


@pytest.mark.parametrize(("background", "paper", "ink"), [
    ("light", "#ffffff", Style().ink), ("dark", Style(dark=True).paper, Style(dark=True).ink),
    ("transparent", "rgba(0,0,0,0)", Style().ink)])
def test_the_background_does_not_depend_on_that_of_the_screen(background, paper, ink):
    for dark in (False, True):
        after = laid_out(lines(Style(dark=dark)), Print(background=background)).layout
        assert after.paper_bgcolor.lower() == after.plot_bgcolor.lower() == paper.lower()
        assert after.font.color.lower() == ink.lower()


def test_the_first_font_is_the_free_one_and_the_theme_knows_it_too():
    first = laid_out(lines(), Print()).layout.font.family.split(",")[0]
    assert first == "Liberation Sans" and first in FONT


@pytest.mark.parametrize(("given", "said"), [
    ({"width_mm": 19.9}, "width is 19.9; it must be between 20 and 400 mm"),
    ({"width_mm": 401}, "between 20 and 400 mm"), ({"width_mm": float("nan")}, "width is nan"),
    ({"height_mm": 5}, "height is 5"), ({"font_pt": 3}, "type is 3; it must be between 4 and 24 pt"),
    ({"palette": "rainbow"}, "'rainbow'; it must be one of Okabe-Ito, Tol muted, grey"),
    ({"background": "blue"}, "light, dark, transparent"), ({"legend": "left"}, "below, right, none")])
def test_a_print_that_cannot_be_is_refused_in_a_sentence(given, said):
    with pytest.raises(ExplorerError, match=said):
        Print(**given)


# --- several on one page ---


def test_figures_stand_row_by_row_without_touching_and_fill_the_width():
    sheet = composed([lines(), heat_map(), animated()], 2, Print(width_mm=183))
    a, b, c = sheet.panels
    assert (a.x, c.x) == (0, 0) and a.y == b.y < c.y and a.figure.layout.height == b.figure.layout.height
    assert b.x - a.figure.layout.width == pytest.approx(layout.GAP_MM * 96 / 25.4)
    assert b.x + b.figure.layout.width == pytest.approx(183 * 96 / 25.4)
    assert c.y > a.y + a.figure.layout.height
    assert c.y + c.figure.layout.height == pytest.approx(sheet.height_mm * 96 / 25.4)


def test_letters_stand_above_several_figures_and_not_above_one():
    assert [panel.letter for panel in composed([lines()] * 3, 3, Print(width_mm=183)).panels] == ["a", "b", "c"]
    assert [panel.letter for panel in composed([lines()] * 2, 1, Print(letters=False)).panels] == ["", ""]
    alone, = composed([lines()], 1, Print()).panels
    assert (alone.letter, alone.x, alone.y) == ("", 0, 0)


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (2, 1), (4, 2), (3, 2)])
def test_a_page_is_exactly_as_high_as_asked_for(count, columns):
    sheet = composed([lines()] * count, columns, Print(width_mm=183, height_mm=200))
    last = sheet.panels[-1]
    assert sheet.height_mm == 200 and last.y + last.figure.layout.height == pytest.approx(200 * 96 / 25.4)


@pytest.mark.parametrize(("count", "columns", "given", "said"), [
    (0, 1, {}, "no figure"), (2, 3, {}, "columns is 3; it must be between 1 and 2"), (1, 0, {}, "columns is 0"),
    (27, 9, {"width_mm": 400}, "at most|between 1 and 26"), (5, 5, {}, "does not fit: The width is 15.4"),
    (4, 1, {"height_mm": 60}, "does not fit: The height"), (6, 1, {"width_mm": 183}, "height of the page")])
def test_a_page_that_cannot_be_is_refused_in_a_sentence(count, columns, given, said):
    with pytest.raises(ExplorerError, match=said):
        composed([lines()] * count, columns, Print(**given))
