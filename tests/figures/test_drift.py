"""Similarity over training on hand-made records: lines, thresholds, the range between runs, tints."""

import pytest

from analysis.figures import drift
from analysis.figures.theme import Style
from analysis.figures.trajectory import Axis
from analysis.results import Shade
from tests.figures.made import COLOURS, check_figure, listed, measure, named, record

CKA = measure(arity=2, symbol="S", label="Made similarity", bounds=(-1.0, 1.0))
STEPS = (0, 1, 8, 64)
RANGE = "between 3 seeds (range)"


def compared(run, values, *, site="final", threshold=0.2, steps=STEPS):
    return [record(run, step, value, site=site, width=0.05, tokens=None if step is None else step * 10)
            | {"reference": f"{run} step0", "threshold": threshold, "p": None if threshold is None else 0.025}
            for step, value in zip(steps, values, strict=True)]


def ranged(lows, highs):
    return [record(RANGE, step, None) | {"low": low, "high": high, "reason": ""}
            for step, low, high in zip(STEPS, lows, highs, strict=True)]


def build(own, between=(), spread=(), made=CKA, axis=Axis(), style=Style(), shades=()):  # noqa: B008 - frozen
    return drift.build(own, between, spread, made, axis, COLOURS, style, shades)


OWN = compared("alpha", (1, 0.9, 0.5, 0.3))
PAIRS = [compared(name, (0.3 + 0.1 * k, 0.4, 0.6, 0.7)) for k, name in
         enumerate(("alpha × beta", "alpha × gamma", "beta × gamma"))]


def test_a_line_with_its_band_and_a_thin_dashed_threshold_at_the_same_places():
    figure = build(OWN)
    line, dashes = named(figure, "alpha · final"), named(figure, "alpha · final, shuffled")
    assert tuple(line.y) == (1, 0.9, 0.5, 0.3) and tuple(dashes.x) == tuple(line.x)
    assert tuple(dashes.y) == (0.2,) * 4 and (dashes.line.dash, dashes.line.width) == ("dash", 1)
    assert dashes.line.color == line.line.color and named(figure, "alpha · final interval").fill == "toself"
    assert listed(figure) == ["alpha · final", "95 % of shuffled documents"]
    check_figure(figure)


def test_hovering_says_what_it_is_compared_with_and_how_surely():
    line = named(build(OWN), "alpha · final")
    assert line.customdata[1][0] == "step1" and line.customdata[1][2] == "alpha step0"
    assert line.customdata[1][1] == "[0.85, 0.95]" and "p = 0.025" in line.customdata[1][3]


def test_without_a_null_there_is_no_dashed_line_and_no_entry_for_it():
    figure = build(compared("alpha", (1, 0.9, 0.5, 0.3), threshold=None))
    assert listed(figure) == ["alpha · final"] and not any("shuffled" in (t.name or "") for t in figure.data)
    check_figure(figure)


@pytest.mark.parametrize(("direction", "side"), [("larger: more", "below"), ("smaller: more alike", "above")])
def test_the_threshold_says_on_which_side_of_it_shuffled_documents_are(direction, side):
    figure = build(OWN, made=measure(arity=2, direction=direction))
    assert f"stay {side}" in named(figure, "alpha · final, shuffled").hovertemplate


def test_one_pair_of_runs_is_a_line_in_ink_with_its_interval():
    figure = build(OWN, PAIRS[0])
    line = named(figure, "alpha × beta · final")
    assert line.line.color == Style().ink and named(figure, "alpha × beta · final interval")
    assert "alpha × beta · final" in listed(figure)
    check_figure(figure)


def test_several_pairs_have_a_band_from_the_lowest_to_the_highest_instead_of_intervals():
    figure = build(OWN, [r for pair in PAIRS for r in pair], ranged((0.3, 0.4, 0.6, 0.7), (0.5, 0.4, 0.6, 0.7)))
    band = named(figure, f"{RANGE} · final interval")
    assert band.fill == "toself" and set(band.y) == {0.3, 0.4, 0.5, 0.6, 0.7}
    assert not any(trace.name == "alpha × beta · final interval" for trace in figure.data)
    assert named(figure, "alpha · final interval") and f"{RANGE} · final" in listed(figure)
    colours = {named(figure, f"{pair[0]['run']} · final").line.color for pair in PAIRS}
    assert len(colours) == 3 and named(figure, f"{RANGE} · final").marker.symbol == "square"
    check_figure(figure)


def test_a_phase_is_shaded_behind_the_runs_and_pairs_get_no_strip():
    shade = Shade("alpha", "warmup", {"step": 0, "tokens": 0, "revision": "step0"},
                  {"step": 8, "tokens": 80, "revision": "step8"})
    figure = build(OWN, PAIRS[0], shades=[shade])
    shape, = figure.layout.shapes
    line = named(figure, "alpha · final")
    assert (shape.x0, shape.x1) == (line.x[0], 8) and shape.y1 == 1 and not figure.layout.annotations
    assert "warmup" in listed(figure)


def test_without_lines_of_single_runs_nothing_is_shaded():
    shade = Shade("alpha", "warmup", {"step": 0, "tokens": 0, "revision": "a"},
                  {"step": 8, "tokens": 80, "revision": "b"})
    assert not build([], PAIRS[0], shades=[shade]).layout.shapes


@pytest.mark.parametrize("axis", [Axis("step", log=False), Axis("tokens"), Axis("revision")], ids=str)
def test_every_axis_draws_every_checkpoint(axis):
    figure = build(OWN, PAIRS[0], axis=axis)
    assert len(named(figure, "alpha · final").x) == 4 == len(named(figure, "alpha · final, shuffled").x)
    check_figure(figure)


def test_several_sites_are_several_lines_with_thresholds_of_their_own():
    figure = build([*OWN, *compared("alpha", (1, 0.8, 0.7, 0.6), site="embedding", threshold=0.1)])
    assert tuple(named(figure, "alpha · embedding, shuffled").y) == (0.1,) * 4
    assert listed(figure) == ["embedding", "final", "95 % of shuffled documents"]


def test_a_model_without_steps_is_a_level():
    figure = build([*OWN, *compared("beta", (0.5,), steps=(None,))])
    assert named(figure, "beta · final").line.dash == "dot"
    check_figure(figure)


def test_records_are_not_changed_and_dark_paper_differs():
    own = compared("alpha", (1, 0.9, None, 0.3))
    before = [dict(r) for r in own]
    assert build(own, PAIRS[0]).layout.paper_bgcolor != build(own, style=Style(dark=True)).layout.paper_bgcolor
    assert own == before
