"""The legend of many lines: each run and each site is named once, and what a click does."""

from dataclasses import replace

import pytest

from analysis.figures import trajectory
from analysis.figures.theme import Style
from analysis.figures.trajectory import Axis, Drawn
from analysis.results import Panel, Shade
from tests.figures.made import COLOURS, check_figure, drawn, listed, measure, named, record

SITES = ("embedding", "block 1", "final")


def series(runs, sites, by=0.0):
    return [record(run, step, 5.0 + by, site=site) for run in runs for site in sites for step in (1, 10, 100)]


def stack(runs=("alpha", "beta"), sites=SITES, corrected=False, times=1, shades=(), style=None):
    one = Drawn(measure(), series(runs, sites), series(runs, sites, by=1.0) if corrected else ())
    return trajectory.stack([one] * times, Panel("", []), Axis(), COLOURS, style or Style(), shades)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_several_sites_of_several_runs_are_named_once_each(times, dark):
    figure = stack(times=times, style=Style(dark=dark))
    assert listed(figure) == ["alpha", "beta", *SITES]
    assert len(drawn(figure)) == 12 * times, "a line and a band for each run and site, listed or not"
    check_figure(figure)


def test_an_entry_has_the_colour_of_its_run_or_the_symbol_of_its_site():
    figure = stack()
    for run in ("alpha", "beta"):
        assert named(figure, run).line.color == COLOURS[run] and named(figure, run).mode == "lines"
        for site in SITES:
            assert named(figure, site).marker.symbol == named(figure, f"{run} · {site}").marker.symbol


def test_where_no_entry_is_one_line_a_click_does_nothing():
    legend = stack().layout.legend
    assert legend.itemclick is False and legend.itemdoubleclick is False


def test_one_run_is_the_title_and_a_click_on_a_site_hides_its_line():
    figure = stack(runs=("alpha",))
    assert listed(figure) == list(SITES)
    assert figure.layout.legend.title.text == "alpha" and figure.layout.legend.itemclick is None
    for site in SITES:
        line, entry = named(figure, f"alpha · {site}"), named(figure, site)
        assert line.legendgroup == entry.legendgroup == named(figure, f"alpha · {site} interval").legendgroup
        assert (entry.line.color, entry.marker.symbol) == (line.line.color, line.marker.symbol)


def test_runs_at_one_site_are_named_with_it_as_lines_of_their_own():
    figure = stack(sites=("final",))
    assert listed(figure) == ["alpha · final", "beta · final"] and len(figure.data) == len(drawn(figure))
    assert figure.layout.legend.itemclick is None


@pytest.mark.parametrize("sites", [("final",), SITES], ids=len)
def test_all_corrected_lines_have_one_entry_after_the_others(sites):
    figure = stack(sites=sites, corrected=True)
    assert listed(figure)[-1] == "corrected" and sum("corrected" in name for name in listed(figure)) == 1
    dotted = [trace for trace in drawn(figure) if trace.line.dash == "dot"]
    assert len(dotted) == 2 * len(sites)
    assert {trace.legendgroup for trace in dotted} == {named(figure, "corrected").legendgroup}


def test_phases_come_last():
    place = {"step": 1, "tokens": None, "revision": "step1"}
    shades = [Shade("alpha", "warmup", place, {**place, "step": 10})]
    assert listed(stack(shades=shades)) == ["alpha", "beta", *SITES, "warmup"]


def test_a_longer_legend_gets_a_higher_figure():
    heights = [stack(sites=SITES[:count]).layout.height for count in (1, 2, 3)]
    assert heights[0] == 460 and heights == sorted(heights) and heights[2] > heights[0]


def test_nothing_that_is_given_is_changed():
    given = Drawn(measure(), series(("alpha",), SITES))
    before = replace(given, records=[dict(one) for one in given.records])
    trajectory.stack([given], Panel("", []), Axis(), COLOURS, Style())
    assert given == before
