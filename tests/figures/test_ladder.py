"""The ladder of revisions: every one drawn once at its step, the chosen ones filled, 0 under a tick of its own."""

import pytest

from analysis.figures import ladder
from analysis.figures.theme import PALETTE, Style
from tests.figures.made import check_figure, named, plain

PYTHIA = [(f"step{step}", step) for step in (0, *(2**k for k in range(10)), *range(1000, 143_001, 1000))]
CHOSEN = {"step0", "step1", "step512", "step143000"}


def marks(figure):
    """(name, step, place on the axis) of every mark, and the trace it is in."""
    return [(*given, x, trace.name) for trace in figure.data
            for given, x in zip(trace.customdata, trace.x, strict=True)]


@pytest.mark.parametrize("chosen", [(), CHOSEN, [name for name, _ in PYTHIA]], ids=["none", "some", "all"])
def test_every_revision_is_drawn_once_and_the_chosen_ones_as_chosen(chosen):
    figure = ladder.build(PYTHIA, chosen, Style())
    check_figure(figure)
    drawn = marks(figure)
    assert sorted((name, step) for name, step, *_ in drawn) == sorted(PYTHIA)
    assert {name for name, _, _, trace in drawn if trace == "chosen"} == set(chosen)
    assert all(y == 0 for trace in figure.data for y in trace.y)


def test_a_revision_stands_at_its_step():
    assert all(x == step for _, step, x, _ in marks(ladder.build(PYTHIA, CHOSEN, Style())) if step)


@pytest.mark.parametrize("revisions", [PYTHIA, PYTHIA[::-1], [("start", 0), ("a", 300), ("b", 900)], [("start", 0)]],
                         ids=["pythia", "backwards", "few", "only step 0"])
def test_step_0_stands_left_of_every_other_under_a_tick_that_says_0(revisions):
    figure = ladder.build(revisions, CHOSEN, Style())
    places = {step: x for _, step, x, _ in marks(figure)}
    axis = figure.layout.xaxis
    assert places[0] > 0 and all(places[0] < x for step, x in places.items() if step)
    assert [text for value, text in zip(axis.tickvals, axis.ticktext, strict=True) if value == places[0]] == ["0"]


def test_ticks_rise_and_say_where_they_stand():
    axis = ladder.build(PYTHIA, CHOSEN, Style()).layout.xaxis
    assert axis.type == "log" and "step" in axis.title.text
    assert list(axis.tickvals) == sorted(set(axis.tickvals))
    assert list(zip(axis.tickvals, axis.ticktext, strict=True))[1:] == [
        (1, "1"), (10, "10"), (100, "100"), (1000, "1k"), (10_000, "10k"), (100_000, "100k")]


def test_two_revisions_of_one_step_are_two_marks():
    twice = [("main", 1000), ("step1000", 1000), ("step1", 1)]
    drawn = marks(ladder.build(twice, ["main"], Style()))
    assert [(name, trace) for name, step, _, trace in drawn if step == 1000] == [
        ("step1000", "left out"), ("main", "chosen")]


def test_a_chosen_name_that_is_no_revision_draws_nothing():
    assert len(marks(ladder.build(PYTHIA, {"step7"}, Style()))) == len(PYTHIA)
    assert not named(ladder.build(PYTHIA, {"step7"}, Style()), "chosen").x


def test_no_revision_gives_an_empty_figure_and_does_not_fail():
    assert not marks(ladder.build([], [], Style()))


@pytest.mark.parametrize("dark", [False, True])
def test_chosen_marks_are_larger_and_of_another_colour_than_those_left_out(dark):
    style = Style(dark=dark)
    figure = ladder.build(PYTHIA, CHOSEN, style)
    chosen, rest = named(figure, "chosen").marker, named(figure, "left out").marker
    assert chosen.size > rest.size and (chosen.color, rest.color) == (PALETTE[0], style.muted)
    assert figure.data[-1].name == "chosen", "chosen marks lie above the others"
    assert (figure.layout.paper_bgcolor, figure.layout.font.color) == (style.paper, style.ink)


def test_dark_paper_changes_colours_and_no_place():
    light, dark = (ladder.build(PYTHIA, CHOSEN, Style(dark=dark)) for dark in (False, True))
    assert marks(light) == marks(dark)
    assert light.layout.paper_bgcolor != dark.layout.paper_bgcolor
    assert named(light, "left out").marker.color != named(dark, "left out").marker.color


def test_what_is_given_is_not_changed_and_gives_the_same_figure_again():
    revisions, chosen = list(PYTHIA), set(CHOSEN)
    first = plain(ladder.build(revisions, chosen, Style()))
    assert (revisions, chosen) == (PYTHIA, CHOSEN)
    assert plain(ladder.build(revisions, chosen, Style())) == first
