"""Intrinsic dimension over depth, scale and training: the lines, their controls and the level of lower bounds."""

import pytest

from analysis import dimensions
from analysis.figures import dimension
from analysis.figures.dimension import FIRST, LOWER_BOUND, SHUFFLED
from analysis.figures.theme import Style
from analysis.figures.trajectory import Axis
from tests.figures.made import COLOURS, check_figure, listed, measure, named, plain, record

SITES = ("embedding", "block 2", "block 10", "final")


def one(run, step, value, control="", **given):
    return {**record(run, step, value, **given), "control": control, "distinct": 38}


def depth(run="alpha", step=100, control="", base=5.0, sites=SITES, **given):
    return [one(run, step, base + place, control, site=site, **given) for place, site in enumerate(sites)]


def training(run="alpha", site="final", base=5.0, shuffled=True):
    steps = (0, 1, 10, 100)
    own = [one(run, step, base + place, "" if step else FIRST, site=site) for place, step in enumerate(steps)]
    return own + [one(run, step, base / 2, SHUFFLED, site=site) for step in steps if shuffled]


def curve(run="alpha", site="final", control="", base=5.0, scales=(1, 2, 4, 8)):
    return [{**one(run, 100, base + place, control, site=site, width=None), "scale": scale}
            for place, scale in enumerate(scales)]


def profile(records, style=None, **about):
    return dimension.profile(records, measure(**about), COLOURS, style or Style())


def over_training(records, axis=Axis()):  # noqa: B008 - Axis is frozen
    return dimension.over_training(records, measure(), axis, COLOURS, Style())


def level(figure):
    """The dashed line at which lower bounds begin, and the tint above it."""
    tint, = [shape for shape in figure.layout.shapes if shape.name == "lower bound"]
    line, = [shape for shape in figure.layout.shapes if shape.type == "line" and shape.y0 == shape.y1 == LOWER_BOUND]
    return tint, line


# --- over depth ---


def test_a_line_goes_over_the_sites_from_input_to_output_whatever_the_order_of_the_records():
    figure = profile(depth()[::-1])
    check_figure(figure)
    line = named(figure, "alpha · step100")
    assert tuple(line.x) == SITES and list(line.y) == [5.0, 6.0, 7.0, 8.0]
    assert tuple(figure.layout.xaxis.categoryarray) == SITES


def test_the_band_is_the_interval_and_a_site_without_one_parts_it():
    records = depth()
    records[1] |= {"low": None, "high": None}
    figure = profile(records)
    bands = [trace for trace in figure.data if trace.name == "alpha · step100 interval"]
    assert [list(band.x) for band in bands] == [["embedding"] * 2, ["block 10", "final", "final", "block 10"]]
    assert list(bands[1].y) == [8.0, 9.0, 7.0, 6.0], "upper ends along, lower ends back"


def test_the_first_checkpoint_is_dashed_and_shuffled_tokens_are_dotted_in_the_colour_of_their_checkpoint():
    figure = profile([*depth(step=0, control=FIRST), *depth(), *depth(control=SHUFFLED, base=2.0)])
    first, own, dotted = (named(figure, name) for name in (
        f"alpha · step0, {FIRST}", "alpha · step100", f"alpha · step100, {SHUFFLED}"))
    assert [trace.line.dash for trace in (own, first, dotted)] == ["solid", "dash", "dot"]
    assert dotted.line.color == own.line.color != first.line.color
    assert listed(figure) == ["step0", "step100", FIRST, SHUFFLED]


def test_a_control_that_is_not_there_is_not_in_the_legend():
    assert listed(profile(depth())) == ["alpha · step100"]
    assert SHUFFLED not in listed(profile([*depth(step=0, control=FIRST), *depth()]))


def test_the_names_of_controls_are_those_that_records_have():
    assert set(dimension.DASHES) == {"", dimensions.FIRST, dimensions.SHUFFLED}
    assert f"Above about {LOWER_BOUND:g} " in dimensions.CAUTION


def test_of_several_runs_each_has_its_colour_and_every_checkpoint_its_shade():
    records = [line for run in ("alpha", "beta") for step in (1, 100) for line in depth(run, step)]
    figure = profile(records)
    colours = {trace.line.color for trace in figure.data if "interval" not in trace.name and trace.x != (None,)}
    assert len(colours) == 4
    assert listed(figure) == ["alpha", "beta", "step1", "step100"]


def test_an_undefined_site_is_a_gap():
    records = depth()
    records[2] = one("alpha", 100, None, site="block 10")
    line = named(profile(records), "alpha · step100")
    assert list(line.y) == [5.0, 6.0, None, 8.0] and line.connectgaps is False


def test_hovering_says_checkpoint_site_interval_and_rows():
    line = named(profile(depth()), "alpha · step100")
    assert list(line.customdata[1]) == ["step100", "block 2", "[5, 7]", "38 distinct of 40 rows"]


# --- by scale ---


def test_a_curve_stands_on_a_logarithmic_axis_with_a_tick_at_each_scale():
    figure = dimension.by_scale([*curve(), *curve(site="block 2")], measure(), COLOURS, Style())
    check_figure(figure)
    assert list(named(figure, "alpha · final").x) == [1, 2, 4, 8]
    assert figure.layout.xaxis.type == "log" and list(figure.layout.xaxis.ticktext) == ["1", "2", "4", "8"]
    assert listed(figure) == ["block 2", "final"]


def test_curves_have_both_controls():
    figure = dimension.by_scale([*curve(), *curve(control=FIRST), *curve(control=SHUFFLED)], measure(), COLOURS,
                                Style())
    assert [named(figure, f"alpha · final{end}").line.dash for end in ("", f", {FIRST}", f", {SHUFFLED}")] == [
        "solid", "dash", "dot"]


# --- over training ---


def test_a_trajectory_has_the_level_of_its_first_checkpoint_and_a_dotted_line_at_the_same_places():
    figure = over_training(training())
    check_figure(figure)
    line, dotted = named(figure, "alpha · final"), named(figure, f"alpha · final, {SHUFFLED}")
    assert list(line.y) == [5.0, 6.0, 7.0, 8.0] and list(dotted.y) == [2.5] * 4
    assert tuple(dotted.x) == tuple(line.x), "step 0 stands where the logarithmic axis puts it"
    assert dotted.line.dash == "dot" and dotted.line.color == line.line.color
    first, = [shape for shape in figure.layout.shapes if shape.line.dash == "dash" and shape.y0 == 5.0]
    assert first.y1 == 5.0 and (first.x0, first.x1, first.xref) == (0, 1, "paper")
    assert listed(figure)[-2:] == [FIRST, SHUFFLED]


def test_checkpoints_without_a_shuffled_value_are_left_out_of_the_dotted_line():
    figure = over_training([record for record in training() if not (record["control"] and record["step"] == 10)])
    dotted, line = named(figure, f"alpha · final, {SHUFFLED}"), named(figure, "alpha · final")
    assert list(dotted.x) == [line.x[0], line.x[1], line.x[3]]


def test_each_run_and_site_has_its_own_controls():
    records = [line for run in ("alpha", "beta") for site, base in (("block 2", 5.0), ("final", 9.0))
               for line in training(run, site, base)]
    figure = over_training(records)
    assert sum(trace.name.endswith(f", {SHUFFLED}") for trace in figure.data) == 4
    levels = sorted(shape.y0 for shape in figure.layout.shapes if shape.type == "line")
    assert levels == [5.0, 5.0, 9.0, 9.0, LOWER_BOUND]
    assert listed(figure).count(SHUFFLED) == 1


def test_a_model_without_steps_has_its_shuffled_level_from_end_to_end():
    own, shuffled = one("beta", None, 6.0), one("beta", None, 3.0, SHUFFLED)
    figure = over_training([*training(), own, shuffled])
    check_figure(figure)
    assert list(named(figure, f"beta · final, {SHUFFLED}").y) == [3.0, 3.0]
    assert tuple(named(figure, f"beta · final, {SHUFFLED}").x) == tuple(named(figure, "beta · final").x)


def test_in_tokens_the_controls_follow_the_axis():
    records = [{**record, "tokens": record["step"] * 1000} for record in training()]
    figure = over_training(records, Axis("tokens", log=False))
    assert list(named(figure, f"alpha · final, {SHUFFLED}").x) == [0, 1000, 10000, 100000]


# --- lower bounds ---


@pytest.mark.parametrize("build", [lambda base: profile(depth(base=base)),
                                   lambda base: over_training(training(base=base, shuffled=False)),
                                   lambda base: dimension.by_scale(curve(base=base), measure(), COLOURS, Style())],
                         ids=["profile", "training", "scale"])
def test_every_figure_marks_from_where_an_estimate_is_a_lower_bound_and_begins_at_0(build):
    for base, top in ((5.0, LOWER_BOUND), (50.0, 53.0)):
        figure = build(base)
        tint, line = level(figure)
        assert tint.y0 == LOWER_BOUND and tint.y1 > top and line.line.dash == "dash"
        note, = figure.layout.annotations
        assert note.text == "above about 20: a lower bound" and note.y == LOWER_BOUND
        assert figure.layout.yaxis.rangemode == "tozero"


def test_on_a_logarithmic_axis_the_note_stands_at_the_same_level_as_the_line():
    figure = profile(depth(), log_scale=True)
    assert plain(figure)["layout"]["yaxis"]["type"] == "log"
    note, = figure.layout.annotations
    assert 10**note.y == pytest.approx(level(figure)[1].y0), "annotations count in powers of ten, shapes do not"


def test_dark_paper_changes_colours_and_no_place():
    light, dark = (profile(depth(), Style(dark=dark)) for dark in (False, True))
    assert light.layout.paper_bgcolor != dark.layout.paper_bgcolor
    assert [tuple(trace.y) for trace in light.data] == [tuple(trace.y) for trace in dark.data]


def test_a_reference_is_a_level_over_training_that_has_no_controls():
    level = {**record("reference gamma@step9", None, 7.5, width=None), "revision": "step9"}
    figure = dimension.over_training(training(), measure(), Axis(), COLOURS, Style(), [level], ["step10"])
    line = named(figure, "reference gamma@step9 · final")
    assert list(line.y) == [7.5, 7.5] and line.line.color == Style().ink
    assert len([shape for shape in figure.layout.shapes if shape.line.dash == "dot"]) == 1
    assert not any("reference" in str(trace.name) and "shuffled" in str(trace.name) for trace in figure.data)
