"""The page Topology in a browser: it draws, a click on a point shows its representation, and it fits a phone."""

import pytest

from analysis.__main__ import main, open_store
from analysis.runs import find_run, remember
from tests.browser.conftest import PATIENCE_MS, running, settle

QUERY = "topology?runs=small&sites=final&ph_points=30&ph_draws=2&ph_surrogates=19"
DRAWN = """document.querySelector('.js-plotly-plot')?._fullData?.some(trace => trace.name === 'small · final')"""
PLACE = """() => {
    const figure = document.querySelector('.js-plotly-plot'), at = figure.getBoundingClientRect();
    const line = figure._fullData.find(trace => trace.name === 'small · final');
    const {xaxis, yaxis} = figure._fullLayout;
    return [at.left + xaxis._offset + xaxis.d2p(line.x[0]), at.top + yaxis._offset + yaxis.d2p(line.y[0])];
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory, small_run):
    """The app on a cache that holds the topology of two checkpoints."""
    folder = tmp_path_factory.mktemp("topology")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPLORER_CACHE", str(folder / "cache"))
        remember(open_store(), find_run(open_store(), str(small_run)))
        assert main(["topology", "small", "--points", "30", "--draws", "2", "--surrogates", "19"]) == 0
    with running(folder, HF_HUB_OFFLINE="1") as at:
        yield at


@pytest.fixture
def page(chromium, address, request):
    context = chromium.new_context(viewport={"width": request.param, "height": 1600})
    found = context.new_page()
    found.set_default_timeout(PATIENCE_MS)
    found.goto(f"{address}/{QUERY}")
    settle(found)
    yield found
    context.close()


@pytest.mark.parametrize("page", [1280], indirect=True)
def test_a_click_on_a_point_shows_its_representation_and_stays_in_the_url(page):
    page.wait_for_function(DRAWN)
    settle(page)
    page.mouse.click(*page.evaluate(PLACE))
    page.wait_for_url("**ph_at=small%40step0%3Afinal**")
    settle(page)
    page.locator("[aria-label*='Persistence diagram of small@step0:final']").wait_for()
    assert page.get_by_test_id("stException").count() == 0


@pytest.mark.parametrize("page", [400], indirect=True)
def test_nothing_of_the_page_is_wider_than_a_phone(page):
    page.wait_for_function(DRAWN)
    edges = page.evaluate("""() => [...document.querySelectorAll(
        '.stPlotlyChart, .stDownloadButton, h1, .stMarkdown p, .stCaption, .stSelectbox')]
        .map(e => e.getBoundingClientRect()).filter(r => r.width > 0).map(r => r.right)""")
    assert edges and max(edges) <= 400.5
