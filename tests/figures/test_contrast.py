"""Figures of differences, of arrows and of small multiples, on hand-made records."""

import json
import math
from itertools import pairwise

import pytest

from analysis.contrasts import arrows as legs_of
from analysis.contrasts.sides import between, over_training
from analysis.contrasts.stretches import rows as stretch_rows
from analysis.figures import contrast, multiples, trajectory
from analysis.figures.theme import Style
from analysis.figures.trajectory import Axis
from analysis.keys import Checkpoint, Run
from analysis.results import Panel
from tests.contrasts.made import numbers, point, scalar, series
from tests.figures.made import COLOURS, check_figure, drawn, listed, measure, named, record

LIGHT = Style()
STEPS = (0, 1, 10, 100)


def far(run, mean, seed):
    return series(run, [scalar(numbers(seed + k, mean)) for k in range(4)], STEPS)


def over(rows, axis=Axis(), made=None):  # noqa: B008 - Axis is frozen
    return contrast.over_training(rows, "alpha", made or measure(), axis, COLOURS, LIGHT)


# --- differences over training ---


def test_a_line_of_differences_for_each_run_with_a_band_and_a_line_at_0():
    base = far("alpha", 0, 1)
    rows = [*over_training(base, far("beta", 5, 11), "step"), *over_training(base, far("gamma", -5, 21), "step")]
    figure = over(rows)
    assert list(named(figure, "beta · final").y) == [row["value"] for row in rows[:4]]
    assert named(figure, "gamma · final interval").fill == "toself"
    zero = next(shape for shape in figure.layout.shapes if shape.name == "no difference")
    assert (zero.y0, zero.y1, zero.xref) == (0, 0, "paper")
    check_figure(figure)


def test_a_point_is_filled_exactly_where_the_interval_excludes_0():
    values = [scalar(numbers(1)), scalar(numbers(2, 9)), 3.0]
    base = series("alpha", [scalar(numbers(5))] * 3, (1, 2, 3))
    rows = over_training(base, series("beta", values, (1, 2, 3)), "step")
    figure = over(rows)
    assert [row["excludes_0"] for row in rows] == [False, True, None]
    assert list(named(figure, "beta · final").marker.symbol) == ["circle-open", "circle", "x-thin-open"]
    assert {contrast.DIFFERS, contrast.ALIKE, contrast.UNKNOWN} <= set(listed(figure))


def test_the_axis_says_what_is_subtracted_and_is_never_logarithmic_or_bounded():
    rows = over_training(far("alpha", 0, 1), far("beta", -5, 11), "step")
    figure = over(rows, made=measure(log_scale=True, bounds=(0.0, 1.0)))
    assert "minus alpha" in figure.layout.yaxis.title.text
    assert figure.layout.yaxis.type != "log" and figure.layout.yaxis.range is None


def test_the_pointer_tells_both_checkpoints_and_a_line_between_two_of_them():
    rows = over_training(series("alpha", [1, 3], (0, 4)), series("beta", [5], (2,)), "step", line=True)
    text, = named(over(rows), "beta · final").customdata
    assert text[0] == "beta step2: 5" and text[1] == "alpha step0 and step4: 2" and "+150.0%" in text[3]


# --- axes that runs of different lengths share ---


def test_over_the_loss_the_axis_falls_and_the_line_keeps_the_order_of_training():
    records = [record("alpha", step, 5.0 + step) | {"loss": loss} for step, loss in ((0, 7.0), (1, 4.0), (10, 4.5))]
    figure = trajectory.build(records, Panel("", []), measure(), Axis("loss"), COLOURS, LIGHT)
    assert list(named(figure, "alpha · final").x) == [7.0, 4.0, 4.5]
    assert figure.layout.xaxis.autorange == "reversed" and figure.layout.xaxis.type != "log"
    assert "Loss" in figure.layout.xaxis.title.text and not Axis("loss").is_logarithmic


def test_over_the_share_of_training_0_has_its_tick_and_the_end_is_100():
    records = [record("alpha", step, 5.0) | {"share": share} for step, share in ((0, 0.0), (1, 1.0), (10, 100.0))]
    figure = trajectory.build(records, Panel("", []), measure(), Axis("share"), COLOURS, LIGHT)
    assert figure.layout.xaxis.ticktext[0] == "0" and figure.layout.xaxis.ticktext[-1] == "100"
    assert "%" in figure.layout.xaxis.title.text and figure.layout.xaxis.type == "log"


# --- phases ---


def test_each_phase_has_a_row_with_its_change_and_interval():
    run = Run("alpha", "", tuple(Checkpoint("alpha", f"step{s}", s, None, "", "f") for s in STEPS))
    rows = stretch_rows([run], {"alpha": far("alpha", 0, 1)}, [])
    figure = contrast.stretches(rows, measure(), COLOURS, LIGHT)
    trace = named(figure, "alpha")
    assert list(trace.x) == [rows[0]["value"]]
    assert trace.error_x.array[0] == pytest.approx(rows[0]["high"] - rows[0]["value"])
    assert trace.error_x.arrayminus[0] == pytest.approx(rows[0]["value"] - rows[0]["low"])
    assert figure.layout.yaxis.ticktext[0] == "<b>alpha</b><br>whole training<br>step0 to step100"
    check_figure(figure)


def test_a_change_without_an_interval_has_no_bar_and_a_symbol_of_its_own():
    rows = [between(point("alpha", 1, 1), point("alpha", 2, 4)) | {"run": "alpha", "stretch": "whole training"}]
    trace = named(contrast.stretches(rows, measure(), COLOURS, LIGHT), "alpha")
    assert trace.error_x.array[0] == 0 and trace.marker.symbol[0] == "x-thin-open"


# --- ranking ---


def ranked():
    sides = [(f"made {k}", point("alpha", 1, scalar(numbers(k))), point("beta", 1, scalar(numbers(k + 50, mean))))
             for k, mean in enumerate((4, -4, 0.1))]
    return [between(a, b) | {"what": what, "Holm": between(a, b)["p"]} for what, a, b in sides]


def test_the_ranking_has_rises_and_falls_in_order_and_fills_what_is_claimed():
    rows = ranked()
    figure = contrast.ranking(rows, 0.05, "Holm", LIGHT)
    assert list(figure.layout.yaxis.categoryarray) == [f"made {k}\u00a0· final" for k in range(3)]
    found = dict(zip([y for name in listed(figure) for y in named(figure, name).y],
                     [s for name in listed(figure) for s in named(figure, name).marker.symbol], strict=True))
    assert [found[f"made {k}\u00a0· final"] for k in range(3)] == ["circle", "circle", "circle-open"]
    assert all(x > 0 for x in named(figure, "rises").x) and all(x < 0 for x in named(figure, "falls").x)
    check_figure(figure)


def test_a_long_name_is_broken_into_lines_that_keep_its_site_whole():
    label = contrast._label({"what": "Largest channel's share of the variance", "site": "block 12"})
    assert label.split("<br>")[-1].endswith("block\u00a012") and all(
        len(line) <= contrast.LINE for line in label.split("<br>"))


# --- arrows ---


def plane(*runs, ups=(4, 3, 2)):
    found = []
    for run in runs:
        across, up = series(run, [1, 2, 3], (1, 2, 4)), series(run, ups, (1, 2, 4), measure="participation_ratio")
        found += legs_of.places(across, up, [f"{run}@step{step}" for step in (1, 2, 4)])
    return contrast.arrows(legs_of.legs(found), found, measure(), measure(symbol="U"), COLOURS, LIGHT)


def test_an_arrow_leads_from_each_checkpoint_to_the_next_and_points_at_it():
    figure = plane("alpha", "beta")
    arrow = named(figure, "beta: step2 to step4")
    assert (list(arrow.x), list(arrow.y)) == ([2, 3], [3, 2])
    assert arrow.marker.symbol == "arrow" and arrow.marker.angleref == "previous"
    assert len([trace for trace in figure.data if trace.marker.symbol == "arrow"]) == 4
    assert listed(figure) == ["alpha", "beta"]
    check_figure(figure)


def test_a_place_is_crossed_by_both_of_its_intervals():
    a, b = scalar(numbers(1)), scalar(numbers(2))
    up = [point("alpha", 1, b, measure="participation_ratio")]
    found = legs_of.places([point("alpha", 1, a)], up, ["alpha@step1"])
    trace = named(contrast.arrows([], found, measure(), measure(), COLOURS, LIGHT), "alpha")
    assert trace.error_x.array[0] == pytest.approx(a.high - a.value)
    assert trace.error_y.arrayminus[0] == pytest.approx(b.value - b.low)


def test_few_points_are_named_beside_them_and_many_are_not():
    assert "text" in named(plane("alpha"), "alpha").mode
    many = [point("alpha", step, step) for step in range(1, 30)]
    found = legs_of.places(many, many, [legs_of.name(p) for p in many])
    figure = contrast.arrows(legs_of.legs(found), found, measure(), measure(), COLOURS, LIGHT)
    assert named(figure, "alpha").mode == "markers"


# --- small multiples ---


MADE = [measure(name="one", symbol="A"), measure(name="two", symbol="B", log_scale=True)]


def grid(sites=("embedding", "final"), runs=("alpha", "beta"), steps=STEPS, axis=Axis()):  # noqa: B008
    lines = {(m.name, site, run): [record(run, step, 5.0 + step, site=site) for step in steps]
             for m in MADE for site in sites for run in runs}
    return multiples.build(lines, MADE, sites, axis, COLOURS, LIGHT)


def test_one_line_for_each_measure_site_and_run_on_shared_axes():
    figure = grid()
    lines = drawn(figure)
    assert len(lines) == 8
    assert {(trace.xaxis, trace.yaxis) for trace in lines} == {(x, y) for x in ("x", "x2") for y in ("y", "y2")}
    assert figure.layout.yaxis2.type == "log" and figure.layout.yaxis.type == "linear"
    assert listed(figure) == ["alpha", "beta"]
    check_figure(figure)


def test_what_is_under_the_pointer_is_told_in_every_panel_of_the_column():
    layout = grid().layout
    assert (layout.hovermode, layout.hoversubplots) == ("x", "axis")


@pytest.mark.parametrize("count", [2, 4, 25])
def test_panels_do_not_overlap_and_fill_the_figure(count):
    layout = grid(sites=[f"block {k}" for k in range(count)], runs=("alpha",)).layout
    across = sorted(tuple(layout[f"xaxis{k or ''}"].domain) for k in (0, *range(2, count + 1)))
    assert len(across) == count and across[0][0] == 0 and across[-1][1] == pytest.approx(1)
    assert all(one[1] < other[0] for one, other in pairwise(across))
    assert sum(end - start for start, end in across) >= 0.8 - 1e-9
    assert layout.yaxis.domain[0] > layout.yaxis2.domain[1] and layout.yaxis2.domain[0] == pytest.approx(0)


def test_step_0_stands_on_the_logarithmic_axis_of_every_column():
    figure = grid()
    for name in ("xaxis", "xaxis2"):
        axis = figure.layout[name]
        assert axis.ticktext[0] == "0" and axis.tickvals[0] == drawn(figure)[0].x[0] and axis.type == "log"


@pytest.mark.parametrize(("quantity", "kind"), [("revision", "category"), ("loss", None), ("share", "log")])
def test_every_axis_of_training_can_be_drawn(quantity, kind):
    lines = {("one", "final", "alpha"): [record("alpha", step, 1.0) | {"loss": 5.0 - step, "share": 50.0 * step}
                                         for step in (0, 1, 2)]}
    figure = multiples.build(lines, MADE[:1], ["final"], Axis(quantity), COLOURS, LIGHT)
    assert figure.layout.xaxis.type == kind
    assert trajectory.TITLES[quantity] in [note.text for note in figure.layout.annotations]


def test_a_grid_of_154_checkpoints_25_sites_and_9_measures_of_four_runs_is_below_2_megabytes():
    from analysis.contrasts import grid as thinning
    made = [measure(name=f"m{k}") for k in range(9)]
    sites = [f"block {k}" for k in range(1, 26)]
    records = [record(run, 1000 * step, math.pi * step, site=site) | {"measure": m.name}
               for m in made for site in sites for run in ("alpha", "beta", "gamma", "delta")
               for step in range(154)]
    lines, said = thinning.lines(records)
    figure = multiples.build(lines, made, sites, Axis(), COLOURS | {"delta": "#000000"}, LIGHT)
    assert len(json.dumps(json.loads(figure.to_json()))) < 2_000_000 and "one checkpoint in" in said
