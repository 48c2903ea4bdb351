"""Figures of topology: every bar, count and curve stands before what clouds without structure give."""

import pytest

from analysis.figures import diagram, topology
from analysis.figures.theme import PALETTE, Style
from analysis.figures.trajectory import Axis
from analysis.results import Panel
from analysis.topology import reading
from tests.figures.made import COLOURS, check_figure, listed, named
from tests.topology.made import cell, checkpoint

ITEM = (checkpoint(), "final")
NOTHING, STYLES = Panel("", []), (Style(), Style(dark=True))
STEPS = (0, 1, 10, 100)


def record(step, value=0.2, *, run="alpha", site="final", spread=0.01, **given):
    return {"run": run, "revision": f"step{step}", "step": step, "tokens": None, "site": site, "value": value,
            "spread": spread, "low": value - spread if spread else None, "high": value + spread if spread else None,
            "n": 60, "d": 8, "draws": 5, "matched_low": 0.05, "matched_high": 0.11, "shuffled_low": 0.06,
            "shuffled_high": 0.12, "p_matched": 0.025, "p_shuffled": 0.05, "significant": value > 0.13} | given


def line(**given):
    return [record(step, 0.1 + 0.02 * index, **given) for index, step in enumerate(STEPS)]


def built(records=None, panel=NOTHING, axis=Axis(), style=STYLES[0], summary="longest"):  # noqa: B008 - frozen
    return topology.over_training(line() if records is None else records, panel, reading.quantity(summary), axis,
                                  COLOURS, style)


# --- over training ---


@pytest.mark.parametrize("style", STYLES, ids=["light", "dark"])
@pytest.mark.parametrize("kind", ["matched", "shuffled"])
def test_the_central_part_of_each_null_is_a_hatched_band_behind_the_line(kind, style):
    figure = built(style=style)
    check_figure(figure)
    band = named(figure, f"90 % of surrogates, {topology.NULLS[kind]}")
    low, high = line()[0][f"{kind}_low"], line()[0][f"{kind}_high"]
    assert list(band.y) == [high] * 4 + [low] * 4 and band.fill == "toself"
    assert list(band.x[:4]) == list(named(figure, "alpha · final").x) == list(band.x[:3:-1])
    order = [trace.name for trace in figure.data]
    assert order.index(band.name) < order.index("alpha · final")
    assert band.fillpattern.shape == topology.HATCHES[kind]


def test_every_line_has_both_nulls_and_each_kind_is_named_once():
    figure = built([*line(), *line(site="block 1"), *line(run="beta")])
    for name in topology.NULLS.values():
        bands = [trace for trace in figure.data if trace.name == f"90 % of surrogates, {name}"]
        assert len(bands) == 3 and sum(band.showlegend for band in bands) == 1
        assert len({band.fillpattern.fgcolor for band in bands}) == 3, "each in the colour of its line"


def test_checkpoints_that_beat_both_nulls_are_filled_and_others_hollow():
    figure = built()
    assert list(named(figure, "alpha · final").marker.symbol) == ["circle-open", "circle-open", "circle", "circle"]
    assert {"longer than both nulls (p ≤ 0.05)", "not longer than both"} <= set(listed(figure))
    assert listed(figure)[0] == "alpha · final"


def test_summaries_without_a_test_have_plain_markers():
    figure = built([{**one, "significant": None} for one in line()], summary="total")
    assert named(figure, "alpha · final").marker.symbol == "circle"
    assert "not longer than both" not in listed(figure)


def test_the_band_of_draws_is_one_standard_deviation_and_one_draw_has_none():
    band = named(built(), "alpha · final interval")
    assert list(band.y)[:4] == [one["high"] for one in line()]
    assert not [t for t in built(line(spread=None)).data if t.name == "alpha · final interval"]


def test_a_model_without_steps_is_a_level_with_its_null():
    figure = built([record(None, 0.3), *line(run="beta")])
    level = named(figure, "alpha · final")
    bands = [trace for trace in figure.data if trace.fillpattern.shape and list(trace.x[:2]) == list(level.x)]
    assert len(bands) == 2 and level.line.dash == "dot"


def test_the_panel_below_shares_the_axis_and_has_no_null():
    loss = Panel("loss", [{"run": "alpha", "step": step, "tokens": None, "value": 3.0} for step in STEPS])
    figure = built(panel=loss)
    check_figure(figure)
    assert [trace.name for trace in figure.data if trace.yaxis == "y2"] == ["loss"]


def test_a_point_carries_what_a_click_follows_and_hovering_says_the_nulls_and_p():
    revision, run, site, told = named(built(), "alpha · final").customdata[0]
    assert (revision, run, site) == ("step0", "alpha", "final")
    assert "0.05 to 0.11, p = 0.025" in told and "60 points" in told and "± 0.01 over 5 draws" in told


def test_distances_have_dashes_for_what_other_draws_are_apart():
    records = [{**one, "noise": 0.07, "to": "step100"} for one in line()]
    figure = topology.changes(records, reading.quantity("merges_h0"), Axis(), COLOURS, STYLES[1])
    check_figure(figure)
    assert list(named(figure, "alpha · final, draws").y) == [0.07] * 4
    assert "upper bound" in figure.layout.yaxis.title.text and "against step100" in named(
        figure, "alpha · final").customdata[0][3]
    alone = [{**one, "noise": None, "to": "step100"} for one in line()]
    assert not [t for t in topology.changes(alone, reading.quantity("merges_h0"), Axis(), COLOURS, STYLES[0]).data
                if t.line.dash == "dash"]


# --- one representation ---


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("draws", [1, 4])
def test_the_diagram_has_the_threshold_of_each_dimension_parallel_to_the_diagonal(draws, dimensions):
    made = cell(draws=draws, dimensions=dimensions)
    figure = diagram.diagram(reading.bars(made, ITEM), STYLES[0])
    check_figure(figure)
    for dimension in range(dimensions):
        threshold = max(null.threshold(dimension) for null in made.nulls.values())
        limit = named(figure, f"H{dimension}: longest of 95 % of surrogates")
        assert [y - x for x, y in zip(limit.x, limit.y, strict=True)] == pytest.approx([threshold] * 2)
        assert limit.x[1] > limit.x[0], "a line has a length"
        points = named(figure, f"H{dimension}")
        assert list(zip(points.x, points.y, strict=True)) and len(points.x) == len(made.draws[0].bars[dimension])
        others = [trace for trace in figure.data if trace.name == f"H{dimension}, other draws"]
        assert len(others) == (draws > 1) and all(trace.marker.size < points.marker.size for trace in others)


def test_bars_above_the_dashed_line_of_the_barcode_are_those_longer_than_both_nulls():
    made = cell()
    threshold = max(null.threshold(1) for null in made.nulls.values())
    longer = int((made.draws[0].lengths(1) > threshold).sum())
    assert longer == 1
    figure = diagram.barcode(reading.bars(made, ITEM), 1, STYLES[0])
    check_figure(figure)
    full, faint = named(figure, "longer than the null"), named(figure, "not longer than the null")
    assert [full.y[0], full.x[0], full.x[1]] == pytest.approx([1, 0.4, 0.7]) and len(faint.y) == 3 * 12
    dashed = named(figure, f"longest of 95 % of surrogates ({threshold:.3f})")
    assert list(dashed.y) == [1.5, 1.5]
    assert faint.line.color != full.line.color == PALETTE[1]


def test_the_barcode_shows_at_most_sixty_bars_and_where_their_ends_are_over_draws():
    bars = reading.bars(cell(points=100), ITEM)
    figure = diagram.barcode(bars, 0, STYLES[0])
    assert sum(len(trace.y) for trace in figure.data if "than the null" in trace.name) == 3 * diagram.MOST_BARS
    ends = named(figure, "its end over all draws")
    assert list(ends.x[:2]) == [bars[0]["low"], bars[0]["high"]]
    one = diagram.barcode(reading.bars(cell(draws=1), ITEM), 0, STYLES[0])
    assert "its end over all draws" not in listed(one)


def test_a_dimension_without_bars_is_an_empty_barcode():
    bars = [bar for bar in reading.bars(cell(), ITEM) if bar["dimension"] == 0]
    assert len(diagram.barcode(bars, 1, STYLES[0]).data) == 0


@pytest.mark.parametrize("style", STYLES, ids=["light", "dark"])
def test_every_betti_curve_and_the_euler_curve_have_both_nulls_behind_them(style):
    figure = diagram.curves(reading.curves(cell(), ITEM), style)
    check_figure(figure)
    for row, name in enumerate(("β0", "β1", "χ"), 1):
        own = [trace for trace in figure.data if trace.yaxis == ("y" if row == 1 else f"y{row}")]
        assert sum(bool(trace.fillpattern.shape) for trace in own) == 2
        assert own[-1].name == name, "the line is drawn last"
        assert "same covariance" in own[-1].customdata[0]
    assert sum(name.startswith("90 % of surrogates") for name in listed(figure)) == 2


def test_the_landscape_has_three_levels_below_each_other_and_the_ceiling_of_the_surrogates():
    made = cell()
    figure = diagram.landscapes(reading.landscapes(made, ITEM, 1), STYLES[0])
    check_figure(figure)
    first, second = named(figure, "λ1"), named(figure, "λ2")
    assert all(a >= b for a, b in zip(first.y, second.y, strict=True))
    assert max(first.y) == pytest.approx(0.15, abs=0.01), "the loop is 0.3 long, and a grid step is 0.01"
    assert named(figure, "95 % of surrogates have no higher peak").y[0] == max(
        null.threshold(1) for null in made.nulls.values()) / 2 < max(first.y)


def test_distances_of_two_representations_are_told_apart_by_side():
    _, pairs = reading.differing(cell(0.0), cell(0.4, seed=2), 1, ("one@step0:final", "other@step8:final"))
    figure = topology.two_samples(pairs, ("one@step0:final", "other@step8:final"), 1, STYLES[0])
    assert [len(trace.x) for trace in figure.data[:3]] == [15, 15, 36]
    assert listed(figure) == ["A: one@step0:final", "B: other@step8:final"]
