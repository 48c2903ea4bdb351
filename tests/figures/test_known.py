"""The figure of a cloud of known shape: points where they are, colours by their label, equal units."""

import math

import pytest

from analysis.figures import known
from analysis.figures.theme import PALETTE, Style
from tests.figures.made import check_figure, listed, named, plain


def rows(labels):
    turns = [2 * math.pi * place / len(labels) for place in range(len(labels))]
    return [{"row": place, "direction 1": math.cos(turn), "direction 2": math.sin(turn), "label": label}
            for place, (turn, label) in enumerate(zip(turns, labels, strict=True))]


def test_points_are_where_the_records_say_and_a_unit_is_as_long_in_both_directions():
    figure = known.build(rows([None] * 8), Style())
    check_figure(figure)
    trace = named(figure, "rows")
    assert list(trace.x) == [row["direction 1"] for row in rows([None] * 8)]
    assert list(trace.y) == [row["direction 2"] for row in rows([None] * 8)] and list(trace.customdata) == [*range(8)]
    assert (figure.layout.yaxis.scaleanchor, figure.layout.yaxis.scaleratio) == ("x", 1)
    assert not figure.layout.showlegend


def test_a_number_colours_its_point_on_a_scale_whose_ends_are_one_colour():
    figure = known.build(rows([0.0, 1.5, 3.0, 6.2]), Style())
    check_figure(figure)
    marker = named(figure, "rows").marker
    assert list(marker.color) == [0.0, 1.5, 3.0, 6.2] and marker.cmax == pytest.approx(2 * math.pi, abs=1e-4)
    assert marker.colorscale[0][1] == marker.colorscale[-1][1] and marker.cmin == 0


def test_each_word_has_a_colour_a_symbol_and_an_entry_in_the_legend():
    figure = known.build(rows(["first", "second"] * 3), Style())
    check_figure(figure)
    assert listed(figure) == ["first", "second"] and figure.layout.showlegend
    first, second = (named(figure, name) for name in ("first", "second"))
    assert list(first.customdata) == [0, 2, 4] and (first.marker.color, second.marker.color) == PALETTE[:2]
    assert first.marker.symbol != second.marker.symbol


def test_the_style_decides_the_paper():
    one, other = (plain(known.build(rows([None] * 4), Style(dark=dark)))["layout"] for dark in (False, True))
    assert one["paper_bgcolor"] != other["paper_bgcolor"]
