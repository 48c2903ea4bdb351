"""A report in a real browser without a network: its figures draw, its numbers are the page's, nothing is asked for."""

import csv
import io
import json

import pytest

from analysis.__main__ import PROJECT, main
from tests.browser.conftest import PATIENCE_MS, settle
from tests.browser.test_browser import DRAWN, saved, traces

LINKS = ["trajectories?runs=sotu-neox-seed2&sites=block+2", "similarity", "stitching"]
AXE = PROJECT / "tests" / "browser" / "axe" / "axe.min.js"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """A report of three views, made as the command line makes it."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    assert main(["report", *LINKS, "--title", "<b>Three</b> views", "--out", str(path)]) == 0
    return path


@pytest.fixture
def read(chromium, report):
    """A function that opens the report offline and waits for its figures."""
    contexts = []

    def open_report(width=1280, **media):
        context = chromium.new_context(offline=True, viewport={"width": width, "height": 900}, accept_downloads=True)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.emulate_media(**media)
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(report.as_uri())
        page.wait_for_function("[...document.querySelectorAll('.plot')].every(p => p.querySelector('.main-svg'))")
        return page
    yield open_report
    for context in contexts:
        context.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (400, "dark")])
def test_every_figure_draws_offline_without_a_request_or_an_error(read, report, width, scheme):
    page = read(width, color_scheme=scheme)
    assert page.locator(".plot").count() == 4 and page.locator("h2").count() == 5
    assert page.said == [] and page.asked == [report.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("getComputedStyle(document.querySelector('.paper')).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("h1").inner_text() == "<b>Three</b> views"


def test_the_numbers_of_a_report_are_those_of_the_page(read, visit):
    page, shown = read(), visit(LINKS[0])
    drawn = page.evaluate("() => document.querySelector('.plot').data.map("
                          "t => [t.name || '', Array.from(t.y || []).map(String)])")
    assert drawn == traces(shown) and len(drawn) > 1
    with page.expect_download() as given:
        page.get_by_role("link", name="rows as CSV").first.click()
    assert given.value.suggested_filename == "view-1-figure-1.csv"
    rows = list(csv.DictReader(io.StringIO(given.value.path().read_text())))
    assert {row["site"] for row in rows} == {"block 2"} and len(rows) == 20
    page.get_by_text("The numbers").first.click()
    cells = page.locator("details[open] tbody tr").first.locator("td").all_inner_texts()
    assert f"{float(rows[0]['value']):.6g}" in cells


def test_the_policy_of_the_file_stops_a_request(read):
    page = read()
    stopped = page.evaluate("fetch('https://example.org/').then(() => 'sent', () => 'stopped')")
    assert stopped == "stopped" and any("Content Security Policy" in text for text in page.said)


def test_the_keyboard_reaches_the_contents_the_tables_and_the_files(read):
    page = read()
    reached = []
    while len(reached) < 60:
        page.keyboard.press("Tab")
        reached.append(page.evaluate("(e => e.tagName + ' ' + (e.innerText || e.getAttribute('aria-label') || ''))"
                                     "(document.activeElement)"))
    assert reached[0] == "A Skip to the views"
    text = "\n".join(reached)
    assert all(said in text for said in ("A Trajectories", "SUMMARY The numbers", "rows as CSV"))


def test_on_paper_no_figure_is_wider_than_the_page(read, tmp_path):
    page = read()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.wait_for_function("[...document.querySelectorAll('.plot')].every("
                           "p => p.querySelector('.main-svg').getBoundingClientRect().width <= 700)")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.wait_for_function("document.querySelector('.plot .main-svg').getBoundingClientRect().width > 700")
    assert page.pdf(format="A4").startswith(b"%PDF")


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not here")
def test_axe_finds_nothing_serious(read):
    page = read()
    page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run({resultTypes: ['violations']}).then(r => r.violations)")
    serious = [(v["id"], [node["html"][:120] for node in v["nodes"]]) for v in found
               if v["impact"] in ("serious", "critical")]
    assert serious == []


def test_a_view_is_kept_opened_again_and_reported_from_the_app(visit):
    page = visit("trajectories?runs=sotu-neox-seed2&sites=block+2", fresh=True)
    before, asked = traces(page), page.url
    page.get_by_role("button", name="Save or share this view").click()
    page.get_by_label("Name").fill("Mine <b>")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("Saved; the page").wait_for()
    link = page.locator("[data-testid=stPopoverBody] code").inner_text()
    assert link.startswith(asked.split("?")[0]) and "sites=block+2" in link
    page.goto(asked.split("/trajectories")[0] + "/spectra?runs=modular-addition")
    settle(page)
    page.goto(asked.split("/trajectories")[0] + "/views")
    settle(page)
    page.get_by_role("button", name="Open").first.click()
    page.wait_for_selector("h1:has-text('Trajectories')")
    settle(page)
    page.wait_for_selector(DRAWN)
    assert traces(page) == before and page.said == []
    page.goto(asked.split("/trajectories")[0] + "/views")
    settle(page)
    name, content = saved(page, "Export as JSON")
    assert name == "views.json" and [view["name"] for view in json.loads(content)["views"]] == ["Mine <b>"]
    page.get_by_role("button", name="Make a report").click()
    page.get_by_role("button", name="Start").click()
    page.get_by_role("button", name="Download Mine").wait_for(timeout=3 * PATIENCE_MS)
    name, content = saved(page, "Download Mine")
    assert name == "mine--b.html" and b"Mine &lt;b&gt;" in content and page.said == []
