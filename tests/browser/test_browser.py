"""What a person sees in a browser: pages draw without errors and without the network, links restore, work gets done."""

import csv
import io
import json
import re
import shutil

import pytest

from analysis import registry
from tests.browser.conftest import PATIENCE_MS, settle, wait_until
from tests.browser.pages import go_to, pick
from tests.checkpoints.models import copied, edit_weights

PAGES = {"": "How did the representation change?", "trajectories": "Trajectories", "spectra": "Spectra",
         "similarity": "Similarity", "drift": "Similarity over training", "similarity_map": "Map of representations",
         "pair": "Pair", "stitching": "Stitching", "seed_question": "Different inside, same in function?",
         "topology": "Topology", "intrinsic_dimension": "Intrinsic dimension", "points": "Map of points",
         "known_answers": "Known answers", "measures": "Measures"}
FIGURES = ["", "trajectories", "spectra", "similarity", "drift"]  # one figure each
DRAWN = ".js-plotly-plot .main-svg"


def alerts(page):
    return [alert.inner_text() for alert in page.get_by_test_id("stAlert").all()]


def saved(page, button):
    """The name and the content of the file that a button gives, which may stand below the first "Files"."""
    if not page.get_by_role("button", name=button).count():
        page.get_by_role("button", name="Files", exact=True).first.click()
    with page.expect_download() as given:
        page.get_by_role("button", name=button).click()
    return given.value.suggested_filename, given.value.path().read_bytes()


def traces(page):
    page.wait_for_selector(DRAWN)
    return page.evaluate("""() => document.querySelector('.js-plotly-plot').data.map(
        t => [t.name || '', Array.from(t.y || []).map(String)])""")


def open_folder(page, folder):
    page.get_by_label("Folder").fill(str(folder))
    page.get_by_role("button", name="Open", exact=False).last.click()
    page.wait_for_selector("[data-testid=stAlert]")
    settle(page)


def compute(page):
    page.get_by_role("button", name=re.compile("^Compute ")).click()
    page.wait_for_selector("text=Computing now")


# --- the way between pages ---


def test_every_page_is_a_menu_away_and_keeps_the_selection(visit):
    page = visit("?runs=sotu-neox-seed2", fresh=True)
    for title in ("Trajectories", "Spectra", "Similarity", "Overview"):
        go_to(page, title)
        page.wait_for_selector(f"h1:has-text('{PAGES.get(title.lower(), PAGES[''])}')")
        settle(page)
        assert page.get_by_test_id("stMultiSelect").first.inner_text().split() == ["Runs", "sotu-neox-seed2"], title
        assert alerts(page) == []
        page.wait_for_selector(DRAWN)
        page.wait_for_url(re.compile(f"({title.lower()}|/).runs=sotu-neox-seed2$"))
    assert page.said == []


def test_the_keyboard_reaches_the_pages_and_the_choice_of_runs(visit):
    page = visit("trajectories")
    page.wait_for_selector(DRAWN)
    settle(page)
    reached = []
    while len(reached) < 100 and "Files" not in "".join(reached):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.getAttribute('aria-label') || "
                                     "document.activeElement.innerText || ''"))
    text = "\n".join(reached)
    assert all(name in text for name in ("Overview", "Training", "Behind it", "Runs", "Reference", "Files", "Export"))
    page.get_by_test_id("stTopNavSection").filter(has_text="Behind it").focus()
    page.keyboard.press("Enter")
    item = page.get_by_role("menuitem", name=re.compile("Measures$"))
    item.wait_for()
    while not item.evaluate("e => e === document.activeElement"):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('Measures')")


# --- the URL ---


def test_a_choice_enters_the_url_and_a_fresh_browser_restores_it_from_there(visit):
    page = visit("trajectories?runs=modular-addition")
    pick(page.get_by_role("combobox", name="Measure").first, "Stable rank")
    page.get_by_role("radio", name="tokens").click()
    page.wait_for_url(re.compile("(?=.*measure=Stable)(?=.*axis=tokens)"))
    page.wait_for_function("document.querySelector('.js-plotly-plot')?.layout?.yaxis.title.text.includes('Stable')")
    settle(page)
    other = visit(page.url.split("/", 3)[3], fresh=True)
    assert traces(other) == traces(page) and len(traces(page)) > 1
    assert other.url == page.url


def test_reloading_keeps_what_was_chosen(visit):
    page = visit("spectra?site=block+2&at=step0&at=step512&first_rank=5")
    before = traces(page)
    page.reload()
    settle(page)
    assert traces(page) == before and any("step512" in name for name, _ in before)


# --- files to take away ---


@pytest.mark.parametrize("path", FIGURES)
def test_a_figure_is_described_and_its_three_files_hold_its_data(visit, path):
    page = visit(path)
    assert "n = 1145" in page.get_by_role("figure").first.get_attribute("aria-label"), "for who cannot see the figure"
    name, html = saved(page, "Figure (HTML)")
    assert name.endswith(".html") and b"Plotly.newPlot" in html and len(html) > 1_000_000
    name, table = saved(page, "Table (CSV)")
    rows = list(csv.DictReader(io.StringIO(table.decode())))
    assert name.endswith(".csv") and len(rows) > 10
    column = "eigenvalue" if path == "spectra" else "value"
    assert all(float(row[column]) == float(row[column]) for row in rows)
    name, facts = saved(page, "Manifest (JSON)")
    held = json.loads(facts)
    prints = {value for row in rows for key, value in row.items() if key.startswith("fingerprint")}
    assert name.endswith(".json") and set(held["fingerprints"]) == prints
    assert held["protocols"] and held["versions"]["numpy"]
    assert page.said == []


def test_a_saved_figure_draws_by_itself_without_any_request(visit, chromium, tmp_path):
    _, html = saved(visit(), "Figure (HTML)")
    (tmp_path / "figure.html").write_bytes(html)
    context = chromium.new_context(offline=True)
    page, asked, said = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto((tmp_path / "figure.html").as_uri())
    page.wait_for_selector(DRAWN)
    assert "RankMe" in page.title() and said == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    context.close()


# --- work ---


def test_a_folder_of_ones_own_is_opened_computed_and_drawn_in_three_clicks(visit, small_run):
    page = visit("?probe=numbers-mod-59")
    page.get_by_role("link", name="Bring your own checkpoints").click()
    field = page.get_by_label("Folder")
    wait_until(lambda: field.evaluate("f => { const b = f.getBoundingClientRect();"
                                      " return b.top > 0 && b.bottom < innerHeight }"))
    open_folder(page, small_run)
    page.wait_for_selector("text=Opened small: 2 checkpoint(s).", timeout=PATIENCE_MS)
    assert "runs=small" in page.url
    compute(page)
    page.wait_for_selector("text=small: RankMe at the end", timeout=2 * PATIENCE_MS)
    settle(page)
    page.wait_for_selector(DRAWN)
    assert not any("not computed" in said or "Computing" in said for said in alerts(page))
    rows = list(csv.DictReader(io.StringIO(saved(page, "Table (CSV)")[1].decode())))
    assert [(row["run"], row["revision"], row["n"], row["d"]) for row in rows] == [
        ("small", "step0", "59", "16"), ("small", "step8", "59", "16")]
    assert all(1 <= float(row["value"]) <= 16 and row["reason"] == "" for row in rows)
    label = registry.get("stable_rank").label
    other = visit(f"trajectories?runs=small&measure={label.replace(' ', '+')}")
    assert alerts(other) == [] and any("small" in name for name, _ in traces(other)), "the next visitor has it too"


def test_a_comparison_is_computed_and_fills_in_the_page_that_asked_for_it(visit):
    page = visit("similarity?runs=sotu-neox-seed1&runs=sotu-neox-seed2&at_A=step0")
    compute(page)
    page.wait_for_selector(DRAWN, timeout=2 * PATIENCE_MS)
    assert alerts(page) == []


def test_a_folder_that_holds_no_checkpoint_is_answered_with_a_sentence(visit, tmp_path):
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "photo.jpg").write_bytes(b"")
    page = visit()
    open_folder(page, tmp_path / "holiday")
    (said,) = alerts(page)
    assert "holds no checkpoint" in said and "photo.jpg" in said and "save_pretrained" in said
    assert page.get_by_test_id("stException").count() == 0 and page.said == []


def test_work_that_fails_says_why_on_the_page_and_in_the_panel(visit, small_run, tmp_path):
    broken = copied(small_run, tmp_path / "broken")
    edit_weights(broken / "step8", lambda tensors: tensors.pop("gpt_neox.layers.1.mlp.dense_h_to_4h.weight"))
    page = visit("?probe=numbers-mod-59")
    open_folder(page, broken)
    assert any("Opened broken" in said for said in alerts(page))
    compute(page)
    page.wait_for_selector("text=The last attempt failed")
    wait_until(lambda: page.get_by_text("Computing now").count() == 0)
    (said,) = [said for said in alerts(page) if "The last attempt failed" in said]
    assert "dense_h_to_4h" in said and "missing" in said and "Traceback" not in said
    assert page.get_by_role("button", name=re.compile("^Compute ")).is_visible()
    panel = page.get_by_test_id("stSidebar").get_by_text("failed")
    assert panel.count() >= 1
    assert page.get_by_test_id("stException").count() == 0


def test_work_can_be_cancelled_from_the_sidebar(visit, small_run, tmp_path):
    long = tmp_path / "long"
    for step in range(12):
        shutil.copytree(small_run / "step8", long / f"step{step}")
        edit_weights(long / f"step{step}", lambda tensors, k=step: tensors["embed_out.weight"].mul_(1 + k))
    page = visit("?probe=numbers-mod-59")
    open_folder(page, long)
    compute(page)
    page.get_by_test_id("stSidebar").get_by_role("button", name="Cancel").click()
    page.get_by_test_id("stSidebar").get_by_text("cancelled").first.wait_for()
    page.get_by_role("button", name=re.compile("^Compute ")).wait_for()  # it can be taken up again
