"""The figures of our own pages on paper: what poppler and a browser say of their files, and what they cite."""

import re
import subprocess

import pytest

from analysis import references
from analysis.files import PROJECT
from analysis.publishing import methods, render
from analysis.publishing.bundle import Piece
from analysis.publishing.layout import DOUBLE_MM, SINGLE_MM, Print, composed
from analysis.publishing.view import View
from analysis.publishing.wording import words
from tests.browser.conftest import CHROMIUM
from tests.publishing.made import needs_browser
from ui import headless

RUNS = "runs=sotu-neox-seed1&runs=sotu-neox-seed2"
SITES = "&".join(f"sites={site}" for site in ("embedding", "block+1", "block+3", "final"))
VIEWS = {"overview": f"?{RUNS}", "trajectories of four sites": f"trajectories?{RUNS}&{SITES}",
         "similarity": f"similarity?{RUNS}", "spectra": f"spectra?{RUNS}", "points": f"points?{RUNS}",
         "topology": f"topology?{RUNS}", "stitching": f"stitching?{RUNS}"}
FIGURED = {"overview", "trajectories", "phases", "weights", "spectra", "similarity", "drift", "similarity_map", "pair",
           "stitching", "seed_question", "topology", "intrinsic_dimension", "points", "known_answers"}
MOST_BYTES = {"pdf": 600_000, "svg": 2_000_000}  # the most have hatched bands
# Rectangles of the texts as they are drawn, in CSS pixels; of turned tick labels a rectangle says nothing.
BOXES = """() => [...document.querySelectorAll('svg text')].filter(t => t.textContent.trim() && t.style.opacity !== '0'
    && !/rotate\\((?!-90|90)/.test(t.getAttribute('transform') || '')).map(t => {
        const r = t.getBoundingClientRect(); return [t.textContent, r.left, r.top, r.right, r.bottom] })"""


@pytest.fixture(scope="module")
def shown():
    """The figures of each view, as its page draws them."""
    return {name: [Piece.of_fields(one) for one in headless.drawn(View.of_link(link))["pieces"]]
            for name, link in VIEWS.items()}


@pytest.fixture(scope="module")
def printed(shown):
    """Figures and their files at the width of a column, the first of each view of two as well; by one browser."""
    asked = [(piece, SINGLE_MM) for pieces in shown.values() for piece in pieces]
    asked += [(pieces[0], DOUBLE_MM) for pieces in shown.values()]
    sheets = [composed([piece.figure], 1, Print(width_mm=width), [piece.title]) for piece, width in asked]
    return list(zip(asked, sheets, render.render_all(sheets, ("pdf", "svg"), timeout_s=240), strict=True))


def told(tool, content, tmp_path, *more):
    (tmp_path / "figure.pdf").write_bytes(content)
    return subprocess.run([tool, "figure.pdf", *more], cwd=tmp_path, capture_output=True, text=True, check=True).stdout


def bare(text):
    """A text without its markup, in pieces as lines and indices cut it."""
    return [part.strip() for part in re.split(r"<[^>]+>", text) if part.strip()]


def overlap(one, other):
    """By how many pixels two rectangles overlap in the direction in which they do least."""
    return min(min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1]))


@needs_browser
@pytest.mark.browser
def test_every_view_of_the_selection_has_figures(shown):
    assert [name for name, pieces in shown.items() if not pieces] == []
    assert len(words(shown["trajectories of four sites"][0].figure)) > len(words(shown["overview"][0].figure))


@needs_browser
@pytest.mark.browser
def test_each_pdf_has_the_asked_width_live_text_and_embedded_truetype_fonts_only(printed, tmp_path):
    for (piece, width), _, files in printed:
        size = re.search(r"Page size: +([\d.]+) x ([\d.]+)", told("pdfinfo", files["pdf"], tmp_path))
        assert abs(float(size[1]) / 72 * 25.4 - width) < 0.5, piece.title
        rows = told("pdffonts", files["pdf"], tmp_path).splitlines()[2:]
        assert rows and all("TrueType" in row and row.split()[-5:-2] == ["yes"] * 3 for row in rows), piece.title
        text = told("pdftotext", files["pdf"], tmp_path, "-")
        said = [part for words_of in words(piece.figure) for part in bare(words_of)]
        assert said and [part for part in said if part.split()[0] not in text] == [], piece.title


@needs_browser
@pytest.mark.browser
def test_files_are_of_sensible_size_and_an_svg_holds_its_text_and_its_font(printed):
    for (piece, _), _, files in printed:
        assert [kind for kind, most in MOST_BYTES.items() if len(files[kind]) > most] == [], piece.title
        assert b"<text" in files["svg"] and b"@font-face" in files["svg"] and b"<script" not in files["svg"]


@pytest.fixture(scope="module")
def page():
    from playwright.sync_api import sync_playwright
    if CHROMIUM is None:
        pytest.skip("no Chromium; see tests/need_chromium.sh")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser.new_page(viewport={"width": 800, "height": 1600})
        browser.close()


def faults(page, svg, width_mm, height_mm):
    """What a reader would see of an SVG: texts that its edges cut, and texts over each other."""
    page.set_content(f"<style>body{{margin:0}}svg{{display:block}}</style>{svg}")
    page.evaluate("document.fonts.ready")
    boxes = [(text, box) for text, *box in page.evaluate(BOXES)]
    assert boxes
    edges = width_mm / 25.4 * 96 + 0.5, height_mm / 25.4 * 96 + 0.5
    cut = [f"{text!r} is cut off" for text, (left, top, right, bottom) in boxes
           if min(left, top) < -0.5 or right > edges[0] or bottom > edges[1]]
    return cut + [f"{text!r} over {other!r}" for number, (text, box) in enumerate(boxes)
                  for other, beside in boxes[:number] if overlap(box, beside) > 1]


@needs_browser
@pytest.mark.browser
def test_no_text_is_cut_off_and_no_two_texts_overlap(printed, page):
    found = {f"{piece.title} at {width} mm": faults(page, files["svg"].decode(), sheet.width_mm, sheet.height_mm)
             for (piece, width), sheet, files in printed}
    assert {name: what for name, what in found.items() if what} == {}


@pytest.mark.browser
@pytest.mark.parametrize(("texts", "found"), [
    ('<text x="2" y="20">one</text><text x="60" y="20">two</text>', []),
    ('<text x="2" y="20">one</text><text x="8" y="22">two</text>', ["'two' over 'one'"]),
    ('<text x="85" y="20">one</text>', ["'one' is cut off"]), ('<text x="2" y="3">one</text>', ["'one' is cut off"])])
def test_the_check_of_texts_reports_what_is_wrong(page, texts, found):
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="96" height="96">{texts}</svg>'
    assert faults(page, svg, 25.4, 25.4) == found


@pytest.mark.parametrize("page", sorted(path.stem for path in (PROJECT / "pages").glob("*.py")))
def test_every_figure_of_a_page_cites_what_made_it(page):
    pieces = headless.drawn(View(page))["pieces"]
    assert pieces or page not in FIGURED, "the bundled results have figures for it"
    for piece in pieces:
        found = methods.keys(piece["records"])
        assert found and set(found) <= set(references.entries()), f"{page}: {piece['title']}"
