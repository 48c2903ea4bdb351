"""What holds of every page of the navigation: it draws in peace, fits a phone and has no serious fault of access."""

import hashlib
import re
from pathlib import Path

import pytest

from tests.browser.conftest import settle, watched
from tests.browser.pages import PAGES

SAID = {"pair": 1, "sample_size": 1,  # bundled results hold no rows, so the page offers to read them
        "points": 1,  # how to choose points
        "intrinsic_dimension": 2}  # the caution that belongs beside every estimate, and how many rows are distinct
LISTS = ("jobs", "views", "checkpoints")  # what they say depends on what other tests began, saved and opened
AXE = Path(__file__).parent / "axe" / "axe.min.js"
SERIOUS = ("serious", "critical")
# Parts of Streamlit's own shell that break a rule and that no app can reach, each with the rules it breaks.
SHELL = {
    # On a phone the navigation's sections are <div> between <ul> and <li>. Seen in Streamlit 1.67.0; list, listitem:
    # https://dequeuniversity.com/rules/axe/4.14/list
    "[data-testid=stSidebarNavItems]": ("list", "listitem"),
}
FAULTS = """async ({shell, only}) => {
    const options = {resultTypes: ['violations']};
    if (only.length) options.runOnly = only;
    const {violations} = await axe.run(document, options);
    const known = (rule, node) => Object.entries(shell).some(([selector, rules]) => rules.includes(rule)
        && document.querySelector(node.target.at(-1))?.closest(selector));
    return violations.flatMap(one => one.nodes.filter(node => !known(one.id, node))
        .map(node => [one.impact, `${one.id}: ${node.target.at(-1)}: ${node.failureSummary}`]));
}"""


def faults(page, *only):
    """What axe-core finds serious or critical, by all of its rules or some."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate(FAULTS, {"shell": SHELL, "only": list(only)})
    return [said for impact, said in found if impact in SERIOUS]


@pytest.fixture(scope="module", params=PAGES)
def path(request):
    return request.param


@pytest.fixture(scope="module")
def page(path, app, shared):
    """The page at 1280 pixels, light; a test may change that and puts it back."""
    page = watched(shared.new_page())
    page.set_viewport_size({"width": 1280, "height": 1400})
    page.goto(f"{app}/{path}")
    settle(page)
    yield page
    page.close()


def test_it_draws_without_errors_and_asks_nothing_of_the_network(page, path, app):
    assert page.locator("h1").count() == 1 and page.get_by_test_id("stException").count() == 0
    assert page.said == []
    assert path in LISTS or page.get_by_test_id("stAlert").count() == SAID.get(path, 0)
    outside = [url for url in page.asked if not url.startswith((f"{app}/", "data:", "blob:"))]
    assert page.asked and outside == []


def test_every_figure_says_in_words_what_it_shows(page):
    said = page.evaluate("""() => [...document.querySelectorAll('.stPlotlyChart')]
        .map(e => e.closest('figure, [role=figure], [aria-label]')?.getAttribute('aria-label') || '')""")
    assert all(len(words) > 40 for words in said), said


def test_axe_finds_no_serious_fault_on_light_paper(page):
    assert faults(page) == []


def test_nothing_is_wider_than_a_phone(page):
    page.set_viewport_size({"width": 400, "height": 900})
    settle(page)
    width = page.evaluate("""() => Math.max(...[...document.querySelectorAll(
        'html, [data-testid=stMain], [data-testid=stMainBlockContainer]')].map(e => e.scrollWidth))""")
    edges = page.evaluate("""() => [...document.querySelectorAll('.stPlotlyChart, .stDownloadButton, .stButton, h1, '
        + '.stMarkdown p, .stMetric, .stCaption, .stSelectbox, .stMultiSelect, .stTextInput, .stDataFrame')]
        .filter(e => !e.closest('details:not([open])'))  // what is folded is laid out when it is opened
        .map(e => e.getBoundingClientRect()).filter(r => r.width > 0).map(r => r.right)""")
    page.set_viewport_size({"width": 1280, "height": 1400})
    assert width <= 400 and edges and max(edges) <= 400.5


def test_axe_finds_no_word_too_faint_on_dark_paper(page):
    page.emulate_media(color_scheme="dark")
    page.reload()
    settle(page)
    found = faults(page, "color-contrast")
    page.emulate_media(color_scheme="light")
    assert found == [] and page.said == []


# --- on a few pages ---


@pytest.mark.parametrize("some", ["", "trajectories", "similarity", "checkpoints"])
def test_axe_finds_no_serious_fault_on_a_phone(visit, some):
    assert faults(visit(some, width=400, height=900)) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault_in_the_figure_studio(visit, scheme):
    page = visit("trajectories", color_scheme=scheme)
    page.get_by_test_id("stMain").get_by_role("button", name="Export", exact=True).click()
    page.get_by_role("dialog").get_by_text("Figure studio").wait_for()
    settle(page)
    assert faults(page) == []


@pytest.mark.parametrize(("fault", "rule"), [
    ("<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>", "image-alt"),
    ("<button></button>", "button-name"), ("<p style='color: #bbb; background: #fff'>faint</p>", "color-contrast"),
    ("<ul><div>between</div></ul>", "list")])
def test_axe_finds_a_fault_that_is_put_on_a_page(visit, fault, rule):
    page = visit("jobs")
    page.evaluate("fault => document.querySelector('h1').insertAdjacentHTML('afterend', fault)", fault)
    assert [said.partition(":")[0] for said in faults(page)] == [rule]


def test_the_vendored_axe_is_the_one_its_note_names():
    note = (AXE.parent / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256(AXE.read_bytes()).hexdigest() in note
    assert re.search(r"axe v([\d.]+)", AXE.read_text(encoding="utf-8"))[1] in note.splitlines()[0]
