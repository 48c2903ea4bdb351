"""Several measures above each other on one axis, and the dotted lines of what corrects them."""

import copy
import itertools

import pytest

from analysis.figures import trajectory
from analysis.figures.theme import Style
from analysis.figures.trajectory import Axis, Drawn
from analysis.results import Panel
from tests.figures.made import COLOURS, check_figure, drawn, measure, named, plain, record

STEPS = (0, 1, 10, 100)
NOTHING, LIGHT = Panel("loss on the probe (nats/token)", []), Style()
LOSS = Panel("loss on the probe (nats/token)", [
    {"run": "alpha", "step": step, "tokens": None, "value": 7.0 - index} for index, step in enumerate(STEPS)])


def series(run="alpha", by=0.0, steps=STEPS, **given):
    return [record(run, step, 5.0 + by + index, **given) for index, step in enumerate(steps)]


def stack(*panels, panel=NOTHING, axis=Axis()):  # noqa: B008 - Axis is frozen
    return trajectory.stack(panels, panel, axis, COLOURS, LIGHT)


def rank(**given):
    return Drawn(measure(label="Rank"), series(), **given)


def decay(**given):
    return Drawn(measure(label="Decay", symbol="α", unit=""), series(by=10.0), **given)


def lines(figure, axis):
    return [trace for trace in figure.data if trace.yaxis == axis and not trace.name.endswith("interval")]


def test_each_measure_stands_on_its_own_axis_with_its_own_title():
    figure = stack(rank(), decay())
    assert [list(line.y) for axis in ("y", "y2") for line in lines(figure, axis)] == [[5, 6, 7, 8], [15, 16, 17, 18]]
    assert "Rank" in figure.layout.yaxis.title.text and "Decay" in figure.layout.yaxis2.title.text
    check_figure(figure)


@pytest.mark.parametrize("panel", [NOTHING, LOSS], ids=["alone", "above the loss"])
def test_measures_share_the_horizontal_axis_and_do_not_overlap(panel):
    figure = stack(rank(), decay(), panel=panel)
    layout = plain(figure)["layout"]
    domains = sorted(axis["domain"] for name, axis in layout.items() if name.startswith("yaxis"))
    assert len(domains) == (3 if panel is LOSS else 2)
    assert all(below[1] < above[0] for below, above in itertools.pairwise(domains))
    others = [axis for name, axis in layout.items() if name.startswith("xaxis") and "matches" not in axis]
    assert len(others) == 1, "all horizontal axes but one follow it"
    titles = [axis["title"]["text"] for name, axis in layout.items() if name.startswith("xaxis")
              and axis.get("title", {}).get("text")]
    assert titles == ["Training (optimizer steps)"]


def test_what_is_below_stands_below_all_measures():
    figure = stack(rank(), decay(), panel=LOSS)
    assert list(lines(figure, "y3")[0].y) == [7.0, 6.0, 5.0, 4.0]
    assert figure.layout.yaxis3.title.text.startswith("Loss on the probe")
    assert figure.layout.yaxis3.domain[1] < figure.layout.yaxis2.domain[0] < figure.layout.yaxis.domain[0]


def test_step_0_stands_at_one_place_in_every_panel():
    late = Drawn(measure(), series(steps=(0, 10, 100)))
    figure = stack(rank(), late, panel=LOSS)
    assert len({trace.x[0] for trace in figure.data}) == 1


def test_a_bound_or_a_logarithm_of_one_measure_is_not_that_of_its_neighbour():
    figure = stack(Drawn(measure(bounds=(0.0, 1.0)), series()), Drawn(measure(log_scale=True), series()))
    assert (figure.layout.yaxis.range, figure.layout.yaxis2.range) == ((0, 1.02), None)
    assert (figure.layout.yaxis.type, figure.layout.yaxis2.type) == ("linear", "log")


def test_a_stack_of_one_is_the_figure_of_that_measure():
    alone = trajectory.build(series(), LOSS, measure(label="Rank"), Axis(), COLOURS, LIGHT)
    assert plain(stack(rank(), panel=LOSS)) == plain(alone)


def test_the_legend_names_each_line_once_however_many_measures_there_are():
    figure = stack(rank(corrected=series(by=1.0)), decay(corrected=series(by=11.0)), panel=LOSS)
    listed = [trace.name for trace in figure.data if trace.showlegend is not False]
    assert sorted(listed) == ["alpha · final", "alpha · final, corrected"]
    groups = {trace.legendgroup for trace in lines(figure, "y2")}
    assert groups == set(listed), "a click in the legend hides a line in all panels"


def test_a_run_that_only_the_second_measure_has_is_named_in_the_legend():
    figure = stack(rank(), Drawn(measure(), [*series(), *series("beta")]))
    assert "beta · final" in [trace.name for trace in figure.data if trace.showlegend is not False]


# --- corrected lines ---


def test_a_corrected_measure_is_a_dotted_line_without_points_or_band_in_the_colour_of_its_run():
    figure = stack(rank(corrected=series(by=0.5)))
    plug_in, corrected = named(figure, "alpha · final"), named(figure, "alpha · final, corrected")
    assert list(corrected.y) == [5.5, 6.5, 7.5, 8.5] and list(corrected.x) == list(plug_in.x)
    assert (corrected.line.dash, corrected.mode, corrected.fill) == ("dot", "lines", None)
    assert corrected.line.color == plug_in.line.color and plug_in.line.dash is None
    check_figure(figure)


def test_each_run_and_site_has_its_own_corrected_line():
    records = [*series(), *series(site="block 1"), *series("beta", by=3.0)]
    figure = stack(Drawn(measure(), records, [*series(by=0.5), *series("beta", by=3.5)]))
    dotted = {trace.name: list(trace.y) for trace in drawn(figure) if trace.line.dash == "dot"}
    assert dotted == {"alpha · final, corrected": [5.5, 6.5, 7.5, 8.5],
                      "beta · final, corrected": [8.5, 9.5, 10.5, 11.5]}


def test_a_corrected_value_that_is_undefined_is_a_gap():
    corrected = [record("alpha", 0, 5.5), record("alpha", 1, None), record("alpha", 10, 7.5)]
    figure = stack(rank(corrected=corrected))
    line = named(figure, "alpha · final, corrected")
    assert line.y[1] is None and line.connectgaps is False
    check_figure(figure)


def test_a_corrected_value_says_its_checkpoint_and_interval_when_pointed_at():
    line = named(stack(rank(corrected=series(by=0.5))), "alpha · final, corrected")
    assert line.customdata[2][0] == "step10" and "[6.5, 8.5]" in line.customdata[2][1]


def test_the_legend_promises_no_corrected_line_that_is_not_drawn():
    model = [record("alpha", None, 5.0)]
    figure = stack(Drawn(measure(), model, [record("alpha", None, 5.5)]))
    promised = [trace for trace in figure.data if trace.name.endswith("corrected") and trace.showlegend is not False]
    assert all(len(trace.x or ()) and 5.5 in trace.y for trace in promised)


def test_nothing_that_is_given_is_changed():
    given = [rank(corrected=series(by=0.5)), decay()]
    before = copy.deepcopy([(drawn.records, drawn.corrected) for drawn in given])
    stack(*given, panel=LOSS)
    assert [(drawn.records, drawn.corrected) for drawn in given] == before


def test_the_level_with_nothing_to_find_is_a_muted_line_and_named_once():
    records = [record("alpha", step, 2.0) | {"chance": 0.3} for step in (1, 10, 100)]
    figure = trajectory.build(records, Panel("", []), measure(), trajectory.Axis(), COLOURS, Style())
    (line,) = [trace for trace in figure.data if trace.name == "with nothing to find"]
    assert list(line.x) == [1, 100] and list(line.y) == [0.3, 0.3] and line.line.color == Style().muted
    without = trajectory.build([record("alpha", 1, 2.0)], Panel("", []), measure(), trajectory.Axis(), COLOURS, Style())
    assert not [trace for trace in without.data if trace.name == "with nothing to find"]
