"""The figure of a measure against its number of rows: draws, means, band, corrected level and the width."""

import math

import pytest

from analysis.figures import sample_size
from analysis.figures.theme import Style
from tests.figures.made import COLOURS, check_figure, listed, measure, named, plain

SHARES = ((0.125, 25), (0.25, 50), (0.5, 100), (0.75, 150), (1.0, 200))


def draws(run="alpha", step=8, undefined=()):
    return [{"run": run, "revision": f"step{step}", "share": share, "draw": draw, "n": n + draw, "d": 32,
             "value": None if share in undefined else 5.0 - 1 / n + draw / 100}
            for share, n in SHARES for draw in (range(1, 9) if share < 1 else (1,))]


def levels(run="alpha", step=8, undefined=()):
    return [{"run": run, "revision": f"step{step}", "share": share, "n": float(n), "d": 32, "mean": 5.0 - 1 / n,
             "spread": None if share == 1 else 1 / n, "draws": 8 if share < 1 else 1}
            for share, n in SHARES if share not in undefined]


def built(records=None, means=None, corrected=(), style=None, **about):
    return sample_size.build(draws() if records is None else records, levels() if means is None else means, corrected,
                             measure(**about), COLOURS, style or Style())


def test_draws_are_points_and_the_line_goes_through_the_means_to_all_rows():
    figure = built()
    check_figure(figure)
    points, line = named(figure, "alpha · step8, draws"), named(figure, "alpha · step8")
    assert points.mode == "markers" and len(points.x) == 32, "all draws, and not the value at all rows"
    assert list(line.x) == [n for _, n in SHARES] and list(line.y) == [level["mean"] for level in levels()]
    assert line.marker.size[-1] > max(line.marker.size[:-1]), "the value at all rows stands out"


def test_the_band_is_the_spread_around_the_means_of_the_draws():
    band = named(built(), "alpha · step8 spread")
    means = [(level["mean"], level["spread"]) for level in levels()[:-1]]
    assert list(band.y) == [m + s for m, s in means] + [m - s for m, s in reversed(means)]
    assert band.x[0] == 25 and max(band.x) == 150


def test_one_line_for_each_checkpoint_in_the_colour_of_its_run():
    runs = [("alpha", 1), ("alpha", 8), ("beta", 8)]
    figure = built([r for of in runs for r in draws(*of)], [r for of in runs for r in levels(*of)])
    assert [trace.name for trace in figure.data if trace.mode == "lines+markers" and trace.x[0]] == [
        "alpha · step1", "alpha · step8", "beta · step8"]
    assert listed(figure) == ["alpha", "beta", "step1", "step8"]
    assert len({named(figure, f"{run} · step8").marker.symbol for run in ("alpha", "beta")}) == 1
    assert named(figure, "beta · step8").line.color.lower() == COLOURS["beta"].lower()
    assert named(figure, "alpha · step1").line.color != named(figure, "alpha · step8").line.color


def test_a_corrected_value_is_a_dotted_level_along_the_line_of_its_checkpoint():
    corrected = [{"run": "alpha", "revision": "step8", "value": 6.5, "n": 200, "d": 32}]
    level = named(built(corrected=corrected), "alpha · step8, corrected")
    assert list(level.y) == [6.5, 6.5] and list(level.x) == [25, 200] and level.line.dash == "dot"
    assert not [trace for trace in built().data if "corrected" in trace.name]


def test_the_width_is_a_line_with_its_name_at_the_same_place():
    figure = built()
    line, = figure.layout.shapes
    note, = figure.layout.annotations
    assert (line.x0, line.x1, note.text) == (32, 32, "n = d = 32")
    assert note.x == math.log10(32), "annotations count in powers of ten on a logarithmic axis, and shapes do not"
    assert figure.layout.xaxis.type == "log"


def test_hovering_says_rows_width_and_their_ratio():
    figure = built()
    assert named(figure, "alpha · step8").customdata[0][2] == "n = 25, d = 32, n/d = 0.78"
    assert named(figure, "alpha · step8").customdata[0][0] == "1/8 of the documents"
    assert named(figure, "alpha · step8").customdata[-1][0] == "all documents"
    assert named(figure, "alpha · step8, draws").customdata[0][2] == "n = 26, d = 32, n/d = 0.81"


def test_a_share_without_a_value_is_left_out():
    figure = built(draws(undefined=(0.125, 0.25)), levels(undefined=(0.125, 0.25)))
    check_figure(figure)
    assert list(named(figure, "alpha · step8").x) == [100, 150, 200]
    assert len(named(figure, "alpha · step8, draws").x) == 16


@pytest.mark.parametrize(("about", "axis"), [({"bounds": (0.0, 1.0)}, {"range": [0, 1.02]}),
                                             ({"log_scale": True}, {"type": "log"})], ids=str)
def test_the_measure_decides_its_axis(about, axis):
    drawn = plain(built(**about))["layout"]["yaxis"]
    assert {name: drawn[name] for name in axis} == axis and "Made rank" in drawn["title"]["text"]


def test_dark_paper_changes_colours_and_no_place():
    light, dark = (built(style=Style(dark=dark)) for dark in (False, True))
    assert light.layout.paper_bgcolor != dark.layout.paper_bgcolor
    assert [list(trace.x) for trace in light.data] == [list(trace.x) for trace in dark.data]
