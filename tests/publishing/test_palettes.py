"""Colours of a finished figure, exchanged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.figures.theme import PALETTE, Style, faded, shade
from analysis.publishing.palettes import GREY, OKABE_ITO, PALETTES, TOL, recoloured

LIGHT, DARK = Style(), Style(dark=True)
TOLS = PALETTES[TOL]


def channels(colour):
    return [int(colour[i:i + 2], 16) for i in (1, 3, 5)]


def test_each_palette_has_as_many_colours_as_the_theme_and_no_two_alike():
    assert [len(set(colours)) for name, colours in PALETTES.items() if name != GREY] == [len(PALETTE)] * 2


@pytest.mark.parametrize(("ours", "theirs"), list(zip(PALETTE, TOLS, strict=True)))
def test_a_pure_colour_becomes_the_one_at_its_place(ours, theirs):
    assert recoloured(ours, TOL, LIGHT, LIGHT).lower() == theirs.lower()
    assert recoloured(faded(ours, 0.16), TOL, LIGHT, LIGHT) == faded(theirs, 0.16)


@given(st.integers(0, len(PALETTE) - 1), st.integers(2, 9), st.data(), st.booleans(), st.booleans())
def test_a_shade_becomes_the_same_shade_of_the_other_colour_on_the_other_paper(number, count, data, before, after):
    index = data.draw(st.integers(0, count - 1))
    was = shade(PALETTE[number], index, count, Style(dark=before))
    became = recoloured(was, TOL, Style(dark=before), Style(dark=after))
    wanted = shade(TOLS[number], index, count, Style(dark=after))
    # The share is known to half a step of the channels on the way to the grey, and other ways are up to twice as long.
    assert all(abs(one - other) <= 2 for one, other in zip(channels(became), channels(wanted), strict=True))


@pytest.mark.parametrize("role", ["ink", "muted", "paper", "grid"])
def test_ink_and_paper_are_exchanged_and_those_of_the_wanted_style_stay(role):
    for was, style in ((LIGHT, DARK), (DARK, LIGHT), (DARK, DARK)):
        assert recoloured(getattr(was, role), TOL, was, style).lower() == getattr(style, role).lower()


def test_the_palette_of_the_screen_changes_nothing_on_paper_of_the_same_kind():
    colours = [*PALETTE, *(shade(colour, index, 5, LIGHT) for colour in PALETTE for index in range(5)), LIGHT.grid]
    assert [colour.lower() for colour in recoloured(colours, OKABE_ITO, LIGHT, LIGHT)] == [c.lower() for c in colours]


def test_greys_have_three_equal_channels_and_keep_the_luma():
    for colour in PALETTE:
        red, green, blue = channels(recoloured(colour, GREY, LIGHT, LIGHT))
        was = channels(colour)
        assert red == green == blue and abs(red - (0.2126 * was[0] + 0.7152 * was[1] + 0.0722 * was[2])) <= 0.5


def test_colour_scales_words_and_numbers_are_left():
    spec = {"colorscale": [[0.0, "#0072B2"], [1.0, "#D55E00"]], "name": "step #12", "x": [1, 2.5, None, True],
            "marker": {"color": "#0072B2"}}
    after = recoloured(spec, GREY, LIGHT, LIGHT)
    assert after["marker"]["color"] != "#0072B2"
    assert {name: value for name, value in after.items() if name != "marker"} == \
        {name: value for name, value in spec.items() if name != "marker"}


def test_a_colour_that_is_not_the_themes_stays_but_for_greys():
    assert recoloured("#12FE45", TOL, LIGHT, LIGHT).lower() == "#12fe45"
    assert recoloured("rgb(1, 200, 3)", TOL, LIGHT, LIGHT) == "rgb(1,200,3)"
