"""A measure over depth: the looked-at checkpoint is drawn over the others, in the order of the network."""

import pytest

from analysis import registry
from analysis.figures import profile
from analysis.figures.theme import Style

MEASURE = registry.get("rankme_covariance")
SITES = ["final", "block 2", "embedding", "block 10"]
IN_ORDER = ["embedding", "block 2", "block 10", "final"]


def line(revision, low=None):
    return [{"run": "a", "revision": revision, "site": site, "value": float(at), "low": low and at - low,
             "high": low and at + low} for at, site in enumerate(SITES, 1)]


@pytest.fixture
def figure():
    return profile.build([line("step8", 0.5), line("step0", 0.5)], ["a step8", "a step0"], MEASURE,
                         ["#0072B2", "#1F2328"], Style(), "block 2")


def test_sites_run_from_the_input_to_the_output_and_10_comes_after_2(figure):
    assert list(figure.layout.xaxis.categoryarray) == IN_ORDER
    assert [list(trace.x) for trace in figure.data if trace.name != "interval"] == [IN_ORDER] * 2
    assert [trace.y[IN_ORDER.index("final")] for trace in figure.data if trace.name != "interval"] == [1.0, 1.0]


def test_the_first_checkpoint_is_drawn_last_over_the_others_and_alone_has_its_interval(figure):
    names = [trace.name for trace in figure.data]
    assert names == ["a step0", "interval", "a step8"]
    band = figure.data[1]
    assert min(band.y) == 0.5 and max(band.y) == 4.5 and len(band.x) == 2 * len(SITES)


def test_the_site_that_is_looked_at_has_the_largest_marker(figure):
    sizes = dict(zip(figure.data[-1].x, figure.data[-1].marker.size, strict=True))
    assert max(sizes, key=sizes.get) == "block 2"


def test_a_click_tells_which_representation_was_clicked(figure):
    assert list(figure.data[-1].customdata[0]) == ["step8", "", "a", "", "embedding"]
