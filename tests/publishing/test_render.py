"""Real files by a real browser, read by poppler; and a browser that hangs, fails or is not there."""

import io
import json
import os
import re
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path
from xml.etree import ElementTree

import plotly.graph_objects as go
import pytest

from analysis.errors import ExplorerError
from analysis.publishing import browser, drawing, render
from analysis.publishing.layout import Print, composed, laid_out
from tests.publishing.made import animated, heat_map, lines, needs_browser

SINGLE = composed([lines()], 1, Print())
PAGE = composed([lines(), heat_map(), animated(), lines()], 2,
                Print(width_mm=183, height_mm=170, titles=True, background="dark"), ["One", "Two", "Three", "Four"])
CLEAR = composed([heat_map()], 1, Print(width_mm=40, height_mm=30, background="transparent"))
DPI = 300


@pytest.fixture(scope="module")
def drawn():
    return render.render_all([SINGLE, PAGE, CLEAR], render.FORMATS, dpi=DPI)


def told(tool, content, tmp_path):
    (tmp_path / "figure.pdf").write_bytes(content)
    return subprocess.run([tool, "figure.pdf"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout


def texts(svg):
    return ["".join(text.itertext()) for text in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def pixels(png):
    """Width, height and colour type of a PNG from its header."""
    return (*struct.unpack(">II", png[16:24]), png[25])


# --- files ---


@needs_browser
@pytest.mark.browser
@pytest.mark.parametrize("sheet", [SINGLE, PAGE, CLEAR])
def test_a_pdf_has_one_page_of_the_asked_size_within_half_a_millimetre(drawn, sheet, tmp_path):
    facts = told("pdfinfo", drawn[[SINGLE, PAGE, CLEAR].index(sheet)]["pdf"], tmp_path)
    width, height = (float(size) / 72 * 25.4 for size in re.search(r"Page size: +([\d.]+) x ([\d.]+)", facts).groups())
    assert abs(width - sheet.width_mm) < 0.5 and abs(height - sheet.height_mm) < 0.5
    assert re.search(r"Pages: +1\n", facts)


@needs_browser
@pytest.mark.browser
def test_every_font_of_a_pdf_is_embedded_and_none_is_type_3(drawn, tmp_path):
    for files in drawn:
        rows = told("pdffonts", files["pdf"], tmp_path).splitlines()[2:]
        assert rows
        for row in rows:
            assert "TrueType" in row and "Type 3" not in row
            assert row.split()[-5:-2] == ["yes", "yes", "yes"], "embedded, a subset, with a map to Unicode"
        if drawing.face():
            assert all("Liberation" in row for row in rows)


@needs_browser
@pytest.mark.browser
def test_text_of_an_svg_is_live_and_the_font_is_inside(drawn):
    svg = drawn[1]["svg"].decode()
    assert {"a", "b", "c", "d", "One", "Two", "Three", "Four", "Training (optimizer steps)", "0.25"} <= set(texts(svg))
    assert svg.count("@font-face") == (2 if drawing.face() else 0), "regular, and bold for the letters"
    assert "<script" not in svg and "<foreignObject" not in svg


@needs_browser
@pytest.mark.browser
def test_type_of_the_asked_size_is_in_the_file(drawn):
    sizes = {float(size) for size in re.findall(r"font-size: ([\d.]+)px", drawn[0]["svg"].decode())}
    assert min(abs(size - 7 / 72 * 96) for size in sizes) < 0.01
    assert max(sizes) < 7 / 72 * 96 * 1.2 + 0.01, "a title of a colour bar is a fifth larger"


@needs_browser
@pytest.mark.browser
@pytest.mark.parametrize("sheet", [SINGLE, PAGE, CLEAR])
def test_a_png_has_as_many_pixels_as_its_size_has_and_says_its_resolution(drawn, sheet):
    png = drawn[[SINGLE, PAGE, CLEAR].index(sheet)]["png"]
    width, height, _ = pixels(png)
    assert (width, height) == (round(sheet.width_mm * DPI / 25.4), round(sheet.height_mm * DPI / 25.4))
    assert png[37:41] == b"pHYs" and struct.unpack(">IIB", png[41:50]) == (11811, 11811, 1)


@needs_browser
@pytest.mark.browser
def test_a_transparent_png_has_an_alpha_channel_and_nothing_behind_its_figure(drawn):
    image = pytest.importorskip("PIL.Image")
    clear, dark = (image.open(io.BytesIO(drawn[index]["png"])).convert("RGBA") for index in (2, 1))
    assert clear.getpixel((0, 0))[3] == 0 and clear.getextrema()[3][1] == 255
    corners = [(x, y) for x in (0, dark.width - 1) for y in (0, dark.height - 1)]
    assert {dark.getpixel(corner) for corner in corners} == {(0x14, 0x16, 0x1A, 255)}


@needs_browser
@pytest.mark.browser
def test_titles_below_a_colour_bar_stand_clear_of_the_tick_labels(drawn):
    svg = drawn[1]["svg"].decode()
    ticks = [float(y) for y in re.findall(r'class="xtick"><text[^>]* y="([\d.]+)"[^>]*>(?:embedding|final)<', svg)]
    title, = re.findall(r'class="xtitle"( transform="[^"]*")? x="[\d.]+" y="([\d.]+)"[^>]*>beta, step16<', svg)
    assert len(ticks) == 2 and title[0] == "" and float(title[1]) > max(ticks) + 9


@needs_browser
@pytest.mark.browser
def test_the_same_figure_gives_the_same_bytes(drawn):
    again = render.render_all([CLEAR], render.FORMATS, dpi=DPI)[0]
    assert again == drawn[2]


# --- what can go wrong ---


@pytest.fixture
def fake(monkeypatch, tmp_path):
    """Puts a few lines of Python in the place of the process that draws; gives the folder it may write to."""
    def put(code):
        script = tmp_path / "fake.py"
        script.write_text(code.replace("FOLDER", repr(str(tmp_path))))
        monkeypatch.setattr(render, "COMMAND", (sys.executable, str(script)))
        monkeypatch.setattr(render, "available", lambda: "")
        return tmp_path
    return put


HANGS = """
import os, pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import subprocess, sys, time;"
    "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True).pid,"
    "flush=True); time.sleep(600)"], stdout=subprocess.PIPE, text=True, start_new_session=True)
pids = f"{os.getpid()} {child.pid} {child.stdout.readline()}"
pathlib.Path(FOLDER, "tmp").write_text(os.environ["TMPDIR"])
pathlib.Path(FOLDER, "pids").write_text(pids)
time.sleep(600)
"""


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are found in Linux's /proc")
def test_a_browser_that_hangs_is_ended_with_all_that_it_started_and_leaves_no_files(fake):
    folder = fake(HANGS)
    with pytest.raises(ExplorerError, match=r"had not drawn the figure after 2 s and was ended; draw fewer"):
        render.render_all([SINGLE], ["pdf"], timeout_s=2)
    pids = [int(pid) for pid in (folder / "pids").read_text().split()]
    until = time.monotonic() + 20
    while any(map(is_running, pids)) and time.monotonic() < until:
        time.sleep(0.05)
    assert len(pids) == 3 and not any(map(is_running, pids))
    assert not Path((folder / "tmp").read_text()).exists()


def test_a_browser_that_fails_is_reported_with_its_last_words(fake):
    fake("import sys; print('noise', file=sys.stderr); sys.exit('the page crashed')")
    with pytest.raises(ExplorerError, match=r"could not draw the figure: the page crashed\. If other figures fail"):
        render.render_all([SINGLE], ["pdf"])


def test_the_process_is_told_figures_as_json_and_its_files_come_back(fake):
    folder = fake("import json, pathlib, sys; told = sys.stdin.read(); pathlib.Path(FOLDER, 'told').write_text(told);"
                  "print(json.dumps([{'svg': 'YWJj'} for _ in json.loads(told)['sheets']]))")
    assert render.render_all([SINGLE, PAGE], ["svg"], dpi=150) == [{"svg": b"abc"}] * 2
    asked = json.loads((folder / "told").read_text())
    assert (asked["formats"], asked["dpi"]) == (["svg"], 150)
    assert [len(sheet["panels"]) for sheet in asked["sheets"]] == [1, 4]


def test_one_figure_is_a_page_of_its_own_size_without_letters(fake):
    folder = fake("import pathlib, sys; pathlib.Path(FOLDER, 'told').write_text(sys.stdin.read());"
                  "print('[{\"pdf\": \"YWJj\"}]')")
    assert render.render(laid_out(lines(), Print(height_mm=50)), "pdf") == b"abc"
    sheet, = json.loads((folder / "told").read_text())["sheets"]
    assert (sheet["width_mm"], sheet["height_mm"]) == (pytest.approx(89), pytest.approx(50))
    assert [(panel["x"], panel["y"], panel["letter"]) for panel in sheet["panels"]] == [(0, 0, "")]


def test_without_a_browser_there_is_a_sentence_that_says_what_to_install(monkeypatch):
    from choreographer.browsers.chromium import Chromium
    monkeypatch.setattr(Chromium, "find_browser", classmethod(lambda *_, **__: None))
    assert "apt-get install chromium" in render.available()
    with pytest.raises(ExplorerError, match="drawn by Chrome or Chromium, and neither was found"):
        render.render_all([SINGLE], ["svg"])


def test_without_kaleido_there_is_a_sentence_too(monkeypatch):
    monkeypatch.setattr(render.importlib.util, "find_spec", lambda name: None)
    assert "kaleido, which is not installed" in render.available()


@pytest.mark.parametrize(("formats", "dpi", "said"), [
    (["tiff"], 300, "'tiff' is not a format of figures; choose from pdf, svg, png"),
    (["png"], 50, "resolution is 50 dpi; it must be between 72 and 1200"),
    (["png"], 1201, "resolution is 1201")])
def test_a_file_that_cannot_be_is_refused_before_a_browser_starts(fake, formats, dpi, said):
    fake("raise SystemExit('started')")
    with pytest.raises(ExplorerError, match=said):
        render.render_all([SINGLE], formats, dpi=dpi)


def test_an_image_longer_than_a_browser_draws_is_refused_and_its_pdf_is_not(fake):
    fake("print([])")
    long = composed([lines()], 1, Print(width_mm=400, height_mm=100))
    with pytest.raises(ExplorerError, match="18898 pixels long, and a browser draws at most 16000; lower"):
        render.render_all([long], ["png"], dpi=1200)
    assert render.render_all([long], ["pdf"], dpi=1200) == []


def test_a_figure_without_a_size_is_refused():
    with pytest.raises(ExplorerError, match="no size on paper; lay it out first"):
        render.render(go.Figure(), "pdf")


def test_the_resolution_is_a_chunk_that_readers_accept():
    noted = browser.with_dpi(b"\x89PNG\r\n\x1a\n" + bytes(25) + b"rest", 600)
    length, kind = struct.unpack(">I4s", noted[33:41])
    assert (length, kind) == (9, b"pHYs") and noted.endswith(b"rest")
    assert struct.unpack(">I", noted[50:54])[0] == zlib.crc32(noted[37:50])
    assert struct.unpack(">II", noted[41:49]) == (23622, 23622), "600 dpi in pixels per metre"


def test_processes_below_one_are_found_at_any_depth():
    child = subprocess.Popen(["sh", "-c", "sleep 600 & wait"])
    try:
        until = time.monotonic() + 20
        while len(found := render._children(os.getpid())) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        assert child.pid in found and len(render._children(child.pid)) == 1
    finally:
        render._end(child)
    assert not is_running(child.pid)


@needs_browser
@pytest.mark.browser
def test_every_line_of_a_title_is_on_the_page_and_above_the_axes():
    titles = ("One line", "A title of many words " * 9)
    sheets = [composed([lines()], 1, Print(titles=True), [title]) for title in titles]
    for files, count in zip(render.render_all(sheets, ["pdf"]), (1, 3), strict=True):
        found = subprocess.run(["pdftotext", "-bbox", "-", "-"], input=files["pdf"], capture_output=True, check=True)
        words = re.findall(r'yMin="([-\d.]+)" xMax="[-\d.]+" yMax="([\d.]+)">([^<]+)<', found.stdout.decode())
        title = [(float(top), float(bottom)) for top, bottom, word in words if word in "A title of many words One line"]
        assert len({round(top) for top, _ in title}) == count and min(top for top, _ in title) >= 0
        ticks = [float(top) for top, _, word in words if word in ("8", "6", "4")]
        assert max(bottom for _, bottom in title) < min(ticks)
