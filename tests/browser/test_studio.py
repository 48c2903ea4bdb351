"""The studio as a person uses it: settings, preview, names, the zip; and all figures of a page in the background."""

import io
import json
import re
import subprocess
import zipfile

import pytest

from tests.browser.conftest import PATIENCE_MS, settle
from tests.browser.pages import pick
from tests.browser.test_browser import DRAWN, alerts, saved
from tests.browser.test_every_page import faults
from tests.publishing.made import needs_browser

pytestmark = needs_browser
WIDTH = "() => document.querySelector('[role=dialog] .js-plotly-plot')._fullLayout.width"


def studio(page, number=0):
    page.wait_for_selector(DRAWN)
    page.get_by_role("button", name="Export", exact=True).nth(number).click()
    dialog = page.get_by_role("dialog")
    dialog.locator(".main-svg").first.wait_for()
    return dialog


def archive(content):
    found = zipfile.ZipFile(io.BytesIO(content))
    assert found.testzip() is None
    return found


def pdf_text(content, tmp_path):
    (tmp_path / "figure.pdf").write_bytes(content)
    return subprocess.run(["pdftotext", "figure.pdf", "-"], cwd=tmp_path, capture_output=True, text=True,
                          check=True).stdout


def test_a_figure_and_its_table_are_one_click_away(visit):
    page = visit("spectra")
    page.wait_for_selector(DRAWN)
    name, content = saved(page, "Figure + table")
    assert name.endswith(".zip") and {"figure.html", "table.csv", "methods.tex", "references.bib"} < set(
        archive(content).namelist())
    assert page.said == []


def test_a_figure_is_set_up_renamed_and_downloaded_for_a_paper(visit, tmp_path):
    page = visit("spectra?runs=modular-addition")
    dialog = studio(page)
    assert page.evaluate(WIDTH) == pytest.approx(89 / 25.4 * 96, abs=1)
    dialog.get_by_text("183 mm", exact=True).click()
    dialog.get_by_text("183 mm wide").wait_for()
    dialog.get_by_text("Titles, axes and names").click()
    axis = dialog.get_by_label("Axis").first
    axis.fill("Place in the order")
    axis.press("Enter")
    page.wait_for_function("() => document.querySelector('[role=dialog] .js-plotly-plot')?.textContent"
                           ".includes('Place in the order')")
    assert page.evaluate(WIDTH) == pytest.approx(183 / 25.4 * 96, abs=1)
    with page.expect_download() as given:
        dialog.get_by_role("button", name="Download zip").click()
    files = archive(given.value.path().read_bytes())
    facts = json.loads(files.read("manifest.json"))
    assert facts["print"]["width_mm"] == 183 and {"figure.pdf", "figure.svg"} < set(files.namelist())
    assert "Place in the order" in pdf_text(files.read("figure.pdf"), tmp_path)
    assert b"Place in the order" not in files.read("table.csv")
    assert page.said == []


def test_the_settings_stay_for_the_next_figure_and_a_collected_one_goes_along(visit):
    page = visit("spectra?runs=modular-addition", fresh=True)
    dialog = studio(page)
    dialog.get_by_text("dark", exact=True).click()
    dialog.get_by_role("button", name="Add to the collection").click()
    dialog.get_by_text("In your collection").wait_for()
    dialog.get_by_label("Close").click()
    page.get_by_text("Comparison", exact=True).click()
    page.get_by_text("Similarity", exact=True).click()
    page.wait_for_selector("h1:has-text('Similarity')")
    settle(page)
    dialog = studio(page)
    assert page.evaluate("() => document.querySelector('[role=dialog] .js-plotly-plot').layout.paper_bgcolor"
                         ).upper() == "#14161A"
    pick(dialog.get_by_role("combobox").first, re.compile(r"\(collected\)$"))
    dialog.get_by_text("b", exact=True).wait_for()
    page.wait_for_function("() => document.querySelectorAll('[role=dialog] .js-plotly-plot').length === 2")


def test_the_page_is_shown_as_it_will_be_printed(visit):
    page = visit("spectra?runs=modular-addition")
    dialog = studio(page)
    dialog.get_by_role("button", name="Show it as printed").click()
    dialog.get_by_text("As it is printed").wait_for(timeout=2 * PATIENCE_MS)
    image = dialog.locator("[data-testid=stImage] img")
    assert image.evaluate("i => i.decode().then(() => i.naturalWidth)") == round(89 / 25.4 * 110)


def test_nothing_of_the_studio_is_wider_than_a_phone(visit):
    page = visit("spectra", width=400, height=900, color_scheme="dark")
    dialog = studio(page)
    assert dialog.evaluate("d => d.scrollWidth") <= 400
    edges = dialog.evaluate("""d => [...d.querySelectorAll('button, input, .stPlotlyChart, .stCaption')]
        .map(e => e.getBoundingClientRect()).filter(r => r.width > 0).map(r => r.right)""")
    assert edges and max(edges) <= 400.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault_in_the_studio(visit, scheme):
    page = visit("spectra", color_scheme=scheme)
    dialog = studio(page)
    dialog.get_by_text("Titles, axes and names").click()
    dialog.get_by_text("Methods and references").click()
    dialog.get_by_text("@article").first.wait_for()
    assert faults(page) == []


def test_all_figures_of_a_page_are_drawn_in_the_background_and_offered(visit):
    page = visit("seed_question")
    page.get_by_role("button", name="Export all figures").click()
    page.get_by_role("button", name="Draw them").click()
    page.get_by_test_id("stSidebar").get_by_role("button", name="Cancel").wait_for()
    page.reload()
    settle(page)
    page.get_by_role("button", name="All figures (ZIP)").wait_for(timeout=2 * PATIENCE_MS)
    name, content = saved(page, "All figures (ZIP)")
    files = archive(content).namelist()
    assert name == "figures-of-different-inside-same-in-function.zip"
    assert [file for file in files if file.endswith((".pdf", ".svg"))] and "contents.txt" in files
    assert alerts(page) == [] and page.said == []
    page.goto(page.url.split("/seed_question")[0] + "/jobs")
    settle(page)
    with page.expect_download() as given:
        page.get_by_test_id("stMain").get_by_role("button", name="All figures (ZIP)").click()
    assert given.value.path().read_bytes() == content


