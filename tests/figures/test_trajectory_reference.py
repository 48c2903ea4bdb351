"""The levels of a reference on a trajectory, and the lines through checkpoints that are marked."""

import pytest

from analysis.figures import trajectory
from analysis.figures.theme import Style
from analysis.figures.trajectory import Axis
from tests.figures.made import COLOURS, check_figure, measure, named, record
from tests.figures.test_trajectory import LIGHT, NOTHING, build, loss, series


def level(value, site="final", width=1.0):
    return {**record("reference gamma@step9", None, value, site=site, width=width), "revision": "step9"}


def test_a_reference_is_a_level_in_ink_from_end_to_end_with_its_interval():
    figure = trajectory.build(series(steps=(1, 10, 100)), NOTHING, measure(), Axis(), COLOURS, LIGHT, (), [level(6.5)])
    line = named(figure, "reference gamma@step9 · final")
    assert list(line.y) == [6.5, 6.5] and list(line.x) == [pytest.approx(1 / 3), 100]
    assert (line.line.color, line.line.dash) == (LIGHT.ink, "dashdot"), "no other line looks so"
    band = named(figure, "reference gamma@step9 · final interval")
    assert sorted(band.y) == [5.5, 5.5, 7.5, 7.5] and band.fill == "toself"
    assert "step9" in line.hovertemplate and line.showlegend is not False
    check_figure(figure)


def test_a_reference_without_an_interval_has_no_band():
    figure = trajectory.build(series(), NOTHING, measure(), Axis(), COLOURS, LIGHT, (), [level(6.5, width=None)])
    assert "reference gamma@step9 · final interval" not in [trace.name for trace in figure.data]


def test_a_reference_has_a_level_for_each_site_in_shades_of_ink():
    records = [*series(), *series(site="block 1")]
    figure = trajectory.build(records, NOTHING, measure(), Axis(), COLOURS, Style(), (),
                              [level(3.0, "block 1"), level(6.5)])
    lines = [named(figure, f"reference gamma@step9 · {site}") for site in ("block 1", "final")]
    assert [line.y[0] for line in lines] == [3.0, 6.5]
    assert lines[0].line.color.lower() != lines[1].line.color.lower() == LIGHT.ink.lower()
    assert all(line.showlegend is not False for line in lines)


def test_a_reference_goes_from_the_first_stage_to_the_last_where_stages_have_no_steps():
    stages = [{**record("alpha", None, 5.0 + k), "revision": name} for k, name in enumerate(("base", "sft", "dpo"))]
    figure = trajectory.build(stages, NOTHING, measure(), Axis("revision"), COLOURS, LIGHT, (), [level(6.5)])
    assert list(named(figure, "reference gamma@step9 · final").x) == ["base", "dpo"]


def test_each_panel_has_its_own_level_and_the_legend_names_the_reference_once():
    panels = [trajectory.Drawn(measure(), series(), levels=[level(value)]) for value in (6.5, 2.0)]
    figure = trajectory.stack(panels, loss("alpha"), Axis(), COLOURS, LIGHT)
    own = [trace for trace in figure.data if trace.name == "reference gamma@step9 · final"]
    assert [(trace.yaxis, trace.y[0]) for trace in own] == [("y", 6.5), ("y2", 2.0)]
    assert [trace.showlegend is not False for trace in own] == [True, False]


def test_marked_checkpoints_have_one_thin_line_through_all_panels_where_they_stand():
    records = [*series("alpha"), *series("beta", steps=(0, 10, 1000))]
    figure = trajectory.build(records, loss("alpha"), measure(), Axis(), COLOURS, LIGHT, (), (), ["step10", "step0"])
    zero = named(figure, "alpha · final").x[0]
    marks = [shape for shape in figure.layout.shapes if shape.line.dash == "dot"]
    assert sorted((mark.x0, mark.x1) for mark in marks) == [(zero, zero)] * 2 + [(10, 10)] * 2
    assert len({mark.yref for mark in marks}) == 2, "through both panels"
    assert not [s for s in build(records).layout.shapes if s.line.dash == "dot"], "none where nothing is marked"


def test_a_checkpoint_that_no_line_has_is_not_marked():
    figure = trajectory.build(series(), NOTHING, measure(), Axis(), COLOURS, LIGHT, (), (), ["step7"])
    assert not figure.layout.shapes
