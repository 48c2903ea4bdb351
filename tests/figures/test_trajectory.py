"""The trajectory builder on hand-made records."""

import copy
import itertools
import math

import pytest

from analysis.figures import trajectory
from analysis.figures.theme import PALETTE, Style
from analysis.figures.trajectory import Axis
from analysis.results import Panel
from tests.figures.made import COLOURS, check_figure, drawn, measure, named, plain, record

NOTHING = Panel("loss on the probe (nats/token)", [])
LIGHT = Style()


def build(records, panel=NOTHING, axis=Axis(), made=None, style=LIGHT):  # noqa: B008 - Axis is frozen
    return trajectory.build(records, panel, made or measure(), axis, COLOURS, style)


def series(run="alpha", steps=(0, 1, 10, 100), **given):
    return [record(run, step, 5.0 + index, **given) for index, step in enumerate(steps)]


def loss(*runs, steps=(0, 1, 10, 100)):
    return Panel("loss on the probe (nats/token)", [
        {"run": run, "step": step, "tokens": step * 64, "value": 7.0 - index}
        for run in runs for index, step in enumerate(steps)])


def test_one_line_and_one_band_for_each_run_and_site():
    records = [*series("alpha"), *series("alpha", site="block 1"), *series("beta"), *series("beta", site="block 1")]
    figure = build(records)
    assert sorted(trace.name for trace in drawn(figure)) == sorted(
        f"{run} · {site}{kind}" for run in ("alpha", "beta") for site in ("block 1", "final")
        for kind in ("", " interval"))
    check_figure(figure)


def test_a_line_holds_the_values_in_order_of_training():
    line = named(build(series(steps=(1, 10, 100))), "alpha · final")
    assert list(line.x) == [1, 10, 100] and list(line.y) == [5.0, 6.0, 7.0]


def test_sites_are_listed_from_input_to_output():
    records = [*series(site="final"), *series(site="block 10"), *series(site="block 2"), *series(site="embedding")]
    lines = [trace.name for trace in drawn(build(records)) if not trace.name.endswith("interval")]
    assert lines == [f"alpha · {site}" for site in ("embedding", "block 2", "block 10", "final")]


def test_the_vertical_axis_says_label_symbol_and_unit():
    title = build(series()).layout.yaxis.title.text
    assert all(part in title for part in ("Made rank", "M<sub>1</sub>", "(dimensions)"))


def test_a_measure_without_a_unit_has_no_empty_brackets():
    assert "()" not in build(series(), made=measure(unit="")).layout.yaxis.title.text


def test_the_horizontal_axis_says_what_training_is_counted_in():
    assert build(series()).layout.xaxis.title.text == "Training (optimizer steps)"
    in_tokens = [record("alpha", step, 5.0, tokens=step * 2048) for step in (0, 1, 10)]
    assert build(in_tokens, axis=Axis("tokens")).layout.xaxis.title.text == "Training (tokens)"


def test_step_0_stands_on_the_logarithmic_axis_under_a_tick_that_says_0():
    figure = build(series(steps=(0, 1, 10, 100)))
    axis, line = figure.layout.xaxis, named(figure, "alpha · final")
    assert axis.type == "log"
    assert axis.ticktext[0] == "0" and axis.tickvals[0] == line.x[0]
    assert 0 < line.x[0] < 1
    assert list(axis.ticktext[1:]) == ["1", "10", "100"] and list(axis.tickvals[1:]) == [1, 10, 100]


def test_without_a_step_0_no_tick_says_0():
    assert "0" not in build(series(steps=(1, 10, 100))).layout.xaxis.ticktext


@pytest.mark.parametrize("first", [1, 2, 3, 25, 30, 250, 300, 512, 1000])
def test_every_other_tick_stands_to_the_right_of_0(first):
    axis = build(series(steps=(0, first, first * 10, first * 100))).layout.xaxis
    places = dict(zip(axis.ticktext, axis.tickvals, strict=True))
    zero = places.pop("0")
    assert [label for label, place in places.items() if place <= zero] == []


@pytest.mark.parametrize("steps", [(1, 10, 1000), (200, 800), (2000, 4000, 8000), (0, 143_000), (100, 100_000),
                                   (0, 1, 512, 16_000), (60, 70, 80)])
def test_a_logarithmic_axis_has_at_least_two_labelled_places_in_the_drawn_range(steps):
    figure = build(series(steps=steps))
    axis, line = figure.layout.xaxis, named(figure, "alpha · final")
    if axis.tickvals is None:
        return  # plotly labels the axis itself
    shown = [label for label, place in zip(axis.ticktext, axis.tickvals, strict=True)
             if min(line.x) <= place <= max(line.x)]
    assert len(shown) >= 2, f"only {shown} of {list(axis.ticktext)} are in view"


def test_tick_labels_are_short():
    records = [record("alpha", 1, 5.0, tokens=2_000_000), record("alpha", 2, 6.0, tokens=3_000_000_000_000)]
    labels = build(records, axis=Axis("tokens")).layout.xaxis.ticktext
    assert list(labels) == ["10M", "100M", "1B", "10B", "100B", "1T"]


def test_a_linear_axis_keeps_0_where_it_is():
    figure = build(series(steps=(0, 10, 100)), axis=Axis(log=False))
    assert list(named(figure, "alpha · final").x) == [0, 10, 100]
    assert figure.layout.xaxis.type in (None, "-", "linear")


def test_tokens_run_along_the_axis_when_asked_and_0_keeps_its_tick():
    records = [record("alpha", step, 5.0, tokens=step * 2048) for step in (0, 1, 10)]
    figure = build(records, axis=Axis("tokens"))
    line = named(figure, "alpha · final")
    assert list(line.x)[1:] == [2048, 20480] and 0 < line.x[0] < 2048
    assert figure.layout.xaxis.ticktext[0] == "0" and figure.layout.xaxis.tickvals[0] == line.x[0]
    assert all(place > line.x[0] for place in figure.layout.xaxis.tickvals[1:])


def test_a_checkpoint_that_does_not_know_its_tokens_is_left_out_of_a_token_axis():
    records = [record("alpha", 1, 5.0, tokens=100), record("alpha", 2, 6.0), record("alpha", 3, 7.0, tokens=300)]
    assert list(named(build(records, axis=Axis("tokens")), "alpha · final").x) == [100, 300]


def test_an_undefined_value_is_a_gap():
    records = [record("alpha", 1, 5.0), record("alpha", 10, None), record("alpha", 100, 7.0)]
    figure = build(records)
    line = named(figure, "alpha · final")
    assert list(line.y) == [5.0, None, 7.0] and line.connectgaps is False
    assert plain(figure)["data"][-1]["y"] == [5.0, None, 7.0]
    check_figure(figure)


def test_a_band_of_few_points_has_no_dots_at_its_corners():
    assert {trace.mode for trace in build(series()).data if trace.fill is not None} == {"lines"}


def test_the_band_does_not_bridge_a_gap():
    records = [record("alpha", 1, 5.0), record("alpha", 2, 5.0), record("alpha", 4, None), record("alpha", 8, 7.0),
               record("alpha", 16, 7.0)]
    bands = [trace for trace in build(records).data if trace.fill is not None]
    edges = [(a, b) for band in bands for a, b in itertools.pairwise(band.x) if a is not None and b is not None]
    assert edges, "there is a band on both sides of the gap"
    assert [edge for edge in edges if min(edge) < 4 < max(edge)] == []


def test_a_run_that_is_undefined_throughout_draws_no_number():
    figure = build([record("alpha", 1, None), record("alpha", 10, None)])
    assert [list(trace.y) for trace in figure.data] == [[None, None]]


@pytest.mark.parametrize(("sites", "width", "bands", "said"), [(16, 0.5, 16, ""), (17, 0.5, 0, trajectory.NO_BANDS),
                                                               (17, None, 0, "")])
def test_bands_that_would_cover_each_other_are_left_out_and_the_figure_says_so(sites, width, bands, said):
    figure = build([one for k in range(sites) for one in series(site=f"block {k}", width=width)])
    assert len([trace for trace in figure.data if trace.fill is not None]) == bands
    assert len(drawn(figure)) == sites + bands and figure.layout.meta["said"] == said
    assert all("[4.5, 5.5]" in trace.customdata[0][1] for trace in drawn(figure) if width and trace.fill is None)


@pytest.mark.parametrize(("width", "bands"), [(0.5, 1), (None, 0)])
def test_there_is_a_band_exactly_when_there_is_an_interval(width, bands):
    figure = build(series(width=width))
    assert sum(trace.fill is not None for trace in figure.data) == bands


def test_the_band_runs_along_the_upper_ends_and_back_along_the_lower_ones():
    band = named(build([record("alpha", 1, 5.0, width=1.0), record("alpha", 10, 6.0, width=2.0)]),
                 "alpha · final interval")
    assert set(zip(band.x, band.y, strict=True)) == {(1, 6.0), (10, 8.0), (10, 4.0), (1, 4.0)}
    assert band.fill == "toself" and band.hoverinfo == "skip" and band.showlegend is False
    assert band.legendgroup == "alpha · final", "hiding the line hides its band"


def test_the_hover_text_gives_revision_value_and_interval():
    line = named(build(series(steps=(1, 10))), "alpha · final")
    assert list(line.customdata[0])[:3] == ["step1", "[4, 6]", "alpha"]
    assert line.customdata[0][3].startswith("n = ") and "n/d = " in line.customdata[0][3]
    assert "%{customdata[0]}" in line.hovertemplate and "%{customdata[1]}" in line.hovertemplate
    assert "%{y" in line.hovertemplate


def test_a_model_without_steps_is_a_level_across_the_other_runs():
    figure = build([*series("alpha", steps=(1, 100)), record("beta", None, 3.0)])
    level = named(figure, "beta · final")
    assert list(level.y) == [3.0, 3.0] and min(level.x) <= 1 and max(level.x) == 100
    assert level.line.dash == "dot" and level.line.color == COLOURS["beta"]
    check_figure(figure)


def test_a_model_alone_has_an_axis_without_steps():
    figure = build([record("beta", None, 3.0)])
    assert list(named(figure, "beta · final").y) == [3.0, 3.0]
    assert "No training steps" in figure.layout.xaxis.title.text and figure.layout.xaxis.showticklabels is False


def test_a_measure_from_0_to_1_has_a_fixed_range_and_another_one_has_not():
    low, high = build(series(), made=measure(bounds=(0.0, 1.0))).layout.yaxis.range
    assert low == 0 and 1 < high < 1.1
    assert build(series()).layout.yaxis.range is None


def test_a_measure_that_asks_for_it_gets_a_logarithmic_scale():
    assert build(series(), made=measure(log_scale=True)).layout.yaxis.type == "log"
    assert build(series()).layout.yaxis.type == "linear"


def test_the_loss_stands_below_on_the_same_axis():
    figure = build([*series("alpha"), *series("beta")], loss("alpha", "beta"))
    below = [trace for trace in figure.data if trace.yaxis == "y2"]
    assert [trace.line.color for trace in below] == [COLOURS["alpha"], COLOURS["beta"]]
    assert all(list(trace.y) == [7.0, 6.0, 5.0, 4.0] and trace.x[0] == figure.layout.xaxis.tickvals[0]
               for trace in below)
    assert "matches" in plain(figure)["layout"]["xaxis"] or "matches" in plain(figure)["layout"]["xaxis2"]
    assert figure.layout.yaxis2.title.text == "Loss on the probe<br>(nats/token)"
    assert figure.layout.xaxis2.title.text == "Training (optimizer steps)" and figure.layout.xaxis.title.text is None
    check_figure(figure)


def test_without_anything_below_there_is_one_panel():
    figure = build(series())
    assert "yaxis2" not in plain(figure)["layout"]
    assert figure.layout.height < build(series(), loss("alpha")).layout.height


def test_the_panel_is_left_out_when_its_rows_do_not_know_the_axis():
    rows = [{"run": "alpha", "step": 1, "tokens": None, "value": 7.0}]
    figure = build([record("alpha", 1, 5.0, tokens=10), record("alpha", 2, 6.0, tokens=20)], Panel("loss", rows),
                   Axis("tokens"))
    assert "yaxis2" not in plain(figure)["layout"]


def test_a_run_has_the_colour_of_the_palette_whichever_runs_stand_beside_it():
    alone, together = build(series("beta")), build([*series("alpha"), *series("beta"), *series("gamma")])
    colours = {named(figure, "beta · final").line.color for figure in (alone, together)}
    assert colours == {PALETTE[1]}


def test_sites_of_a_run_differ_in_shade_and_the_last_is_the_colour_of_the_run():
    figure = build([*series(site="embedding"), *series(site="block 1"), *series(site="final")])
    colours = [named(figure, f"alpha · {site}").line.color for site in ("embedding", "block 1", "final")]
    assert len(set(colours)) == 3 and colours[-1].lower() == COLOURS["alpha"].lower()
    symbols = [named(figure, f"alpha · {site}").marker.symbol for site in ("embedding", "block 1", "final")]
    assert len(set(symbols)) == 3, "sites can be told apart without colour"


def test_dark_paper_has_other_paper_ink_and_grid():
    light, dark = build(series()), build(series(), style=Style(dark=True))
    for one in ("paper_bgcolor", "plot_bgcolor"):
        assert light.layout[one] != dark.layout[one]
    assert light.layout.font.color != dark.layout.font.color
    assert light.layout.xaxis.gridcolor != dark.layout.xaxis.gridcolor
    assert named(light, "alpha · final").line.color == named(dark, "alpha · final").line.color


def test_nothing_that_is_given_is_changed():
    records, panel, colours = series(), loss("alpha"), dict(COLOURS)
    before = copy.deepcopy((records, panel.rows, colours))
    trajectory.build(records, panel, measure(), Axis(), colours, LIGHT)
    assert (records, panel.rows, colours) == before


def test_the_same_records_give_the_same_figure():
    assert build(series(), loss("alpha")).to_json() == build(series(), loss("alpha")).to_json()


def test_the_place_of_0_leaves_room_to_the_first_step():
    figure = build(series(steps=(0, 8, 64)))
    zero, first, *_ = named(figure, "alpha · final").x
    assert math.log10(first / zero) > 0.3
