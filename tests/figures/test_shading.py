"""Phases behind a trajectory: where their tints stand, whose they are, and what is never drawn."""

import copy
import itertools

import pytest

from analysis.figures import trajectory
from analysis.figures.theme import PHASES, Style
from analysis.figures.trajectory import Axis, Drawn
from analysis.results import Panel, Shade
from tests.figures.made import COLOURS, check_figure, measure, named, plain, record

STEPS = (0, 1, 10, 100, 1000)
NAMES = list(PHASES)
NOTHING, LIGHT = Panel("loss on the probe (nats/token)", []), Style()


def place(step, tokens=True):
    return {"step": step, "tokens": step * 64 if tokens else None, "revision": f"step{step}"}


def shade(run="alpha", name=NAMES[0], first=1, last=100, **given):
    return Shade(run, name, place(first, **given), place(last, **given))


def series(*runs, tokens=True):
    return [record(run, step, 5.0 + step % 7, tokens=step * 64 if tokens else None) for run in runs for step in STEPS]


def build(shades, runs=("alpha",), axis=Axis(), style=LIGHT, panel=NOTHING):  # noqa: B008 - Axis is frozen
    return trajectory.build(series(*runs), panel, measure(), axis, COLOURS, style, shades)


def entries(figure):
    """What the legend says of phases."""
    return [trace for trace in figure.data if trace.name in (*PHASES, "not resolved")]


def channels(colour):
    return colour.partition("(")[2].split(",")[:3]


# --- where ---


@pytest.mark.parametrize(("axis", "ends"), [
    (Axis(), (1, 100)), (Axis(log=False), (1, 100)), (Axis("tokens"), (64, 6400)), (Axis("tokens", False), (64, 6400)),
    (Axis("revision"), ("step1", "step100"))], ids=str)
def test_a_tint_reaches_from_the_first_checkpoint_of_its_phase_to_the_last(axis, ends):
    figure = build([shade()], axis=axis)
    tint, = figure.layout.shapes
    assert (tint.x0, tint.x1, tint.xref) == (*ends, "x")
    line = named(figure, "alpha · final").x
    assert tint.x0 == line[1] and tint.x1 == line[3], "the tint begins and ends under a point of the line"
    check_figure(figure)


@pytest.mark.parametrize("axis", [Axis(), Axis(log=False), Axis("tokens"), Axis("tokens", False)], ids=str)
def test_a_phase_from_step_0_begins_where_step_0_is_drawn(axis):
    figure = build([shade(first=0)], axis=axis)
    tint, = figure.layout.shapes
    assert tint.x0 == named(figure, "alpha · final").x[0]
    assert (tint.x0 > 0) == axis.log, "a logarithmic axis has no place 0"
    check_figure(figure)


def test_phases_of_one_run_follow_each_other_without_overlap():
    figure = build([shade(first=0, last=1), shade(name=NAMES[1], first=10, last=100),
                    shade(name=NAMES[2], first=100, last=1000)])
    ends = [(tint.x0, tint.x1) for tint in figure.layout.shapes]
    assert len(ends) == 3 and all(a < b for a, b in ends)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(ends))


def test_tints_of_one_run_fill_the_height_and_lie_behind_the_lines():
    tint, = build([shade()]).layout.shapes
    assert (tint.y0, tint.y1, tint.yref, tint.layer, tint.line.width) == (0, 1, "paper", "below", 0)


@pytest.mark.parametrize("stacked", [1, 2])
def test_several_runs_get_a_strip_each_that_overlaps_no_other(stacked):
    shades = [shade(run, name, first, last) for run in COLOURS
              for name, first, last in ((NAMES[0], 1, 10), (NAMES[1], 100, 1000))]
    figure = trajectory.stack([Drawn(measure(), series(*COLOURS))] * stacked, NOTHING, Axis(), COLOURS, LIGHT, shades)
    strips: dict[str, set[tuple[float, float]]] = {}
    for tint in figure.layout.shapes:
        strips.setdefault(tint.name.partition(":")[0], set()).add((tint.y0, tint.y1))
    assert set(strips) == set(COLOURS) and all(len(heights) == 1 for heights in strips.values())
    heights = sorted(height for (height,) in strips.values())
    assert all(low < high for low, high in heights)
    assert all(below[1] <= above[0] for below, above in itertools.pairwise(heights))
    assert {(tint.ysizemode, tint.yanchor) for tint in figure.layout.shapes} == {("pixel", 1)}
    assert heights[0][0] > 0 and heights[-1][1] <= figure.layout.margin.t, "strips stand in the margin above the lines"


def test_each_strip_says_its_run_in_the_colour_of_the_run():
    figure = build([shade("alpha"), shade("beta", NAMES[1])], runs=("alpha", "beta"))
    for run in ("alpha", "beta"):
        said, = [note for note in figure.layout.annotations if note.text == run]
        tint, = [tint for tint in figure.layout.shapes if tint.name.startswith(f"{run}:")]
        assert said.font.color == COLOURS[run] and said.y == tint.yanchor and tint.y0 <= said.yshift <= tint.y1


def test_strips_are_above_the_lines_and_the_legend_is_below_them():
    legend = build([shade("alpha"), shade("beta")], runs=("alpha", "beta")).layout.legend
    assert (legend.yref, legend.y, legend.yanchor) == ("container", 0, "bottom")


def test_one_run_does_not_need_its_name_said():
    assert not build([shade()]).layout.annotations


def test_a_phase_of_one_of_two_runs_that_are_drawn_is_not_shown_as_if_it_were_of_both():
    figure = build([shade("alpha")], runs=("alpha", "beta"))
    tint, = figure.layout.shapes
    assert tint.ysizemode == "pixel"
    assert {note.text for note in figure.layout.annotations if note.text in COLOURS} == {"alpha", "beta"}


# --- what is not drawn ---


@pytest.mark.parametrize("runs", [("alpha",), ("alpha", "beta")], ids=len)
def test_what_is_not_resolved_is_never_drawn_and_never_in_the_legend(runs):
    figure = build([shade(run, "not resolved") for run in runs], runs=runs)
    assert not figure.layout.shapes and not entries(figure)
    assert plain(figure) == plain(build([], runs=runs))


def test_what_is_not_resolved_leaves_the_named_phases_beside_it():
    figure = build([shade(last=10), shade(name="not resolved", first=10, last=100)])
    assert [tint.name for tint in figure.layout.shapes] == [f"alpha: {NAMES[0]}"]


def test_a_phase_whose_place_the_axis_does_not_know_is_neither_drawn_nor_in_the_legend():
    figure = trajectory.build(series("alpha", tokens=False), NOTHING, measure(), Axis("tokens"), COLOURS, LIGHT,
                              [shade(tokens=False)])
    assert not figure.layout.shapes
    assert not entries(figure), "the legend explains a tint that is not there"


def test_without_shades_the_figure_is_as_it_was():
    assert plain(build([])) == plain(trajectory.build(series("alpha"), NOTHING, measure(), Axis(), COLOURS, LIGHT))


def test_shades_leave_lines_and_axes_as_they_are():
    bare, shaded = build([]), build([shade()])
    assert plain(shaded)["data"][:len(bare.data)] == plain(bare)["data"]
    for one in ("xaxis", "yaxis", "height"):
        assert plain(shaded)["layout"][one] == plain(bare)["layout"][one]


# --- legend and colours ---


def test_the_legend_names_each_phase_once_in_the_colour_of_its_tint():
    shades = [shade(run, name, first, last) for run in ("alpha", "beta")
              for name, first, last in ((NAMES[0], 0, 1), (NAMES[1], 10, 100), (NAMES[0], 100, 1000))]
    figure = build(shades, runs=("alpha", "beta"))
    assert [trace.name for trace in entries(figure)] == NAMES[:2]
    for trace in entries(figure):
        tints = [tint for tint in figure.layout.shapes if tint.name.endswith(f": {trace.name}")]
        assert {tuple(channels(tint.fillcolor)) for tint in tints} == {tuple(channels(trace.marker.color))}
        assert trace.showlegend is not False and trace.legendgroup is None


def test_every_phase_has_its_own_colour():
    figure = build([shade(name=name) for name in NAMES])
    assert len({tuple(channels(tint.fillcolor)) for tint in figure.layout.shapes}) == len(NAMES) == 3


@pytest.mark.parametrize("panel", [NOTHING, Panel("loss", [{**place(step), "run": "alpha", "value": 7.0}
                                                           for step in STEPS])], ids=["alone", "above a loss"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_shaded_figures_hold_on_both_papers_with_and_without_a_panel(dark, panel):
    figure = build([shade(), shade("beta", NAMES[2])], runs=("alpha", "beta"), style=Style(dark=dark), panel=panel)
    assert len(figure.layout.shapes) == 2
    check_figure(figure)


def test_nothing_that_is_given_is_changed():
    given = series("alpha", "beta"), [shade(), shade("beta")], dict(COLOURS)
    before = copy.deepcopy(given)
    trajectory.build(given[0], NOTHING, measure(), Axis(), given[2], LIGHT, given[1])
    assert given == before
