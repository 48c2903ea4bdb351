"""The checkpoints page in a browser: files stream in, go on after a break, and a Hub run is computed to the end."""

import csv
import io
import re
import threading
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from tests.browser.conftest import PATIENCE_MS, running, settle
from tests.browser.pages import go_to
from tests.browser.test_browser import DRAWN, alerts, compute, saved
from tests.hub.server import Hub, Repository, serve

PIECE = 8 * 1024 * 1024
FILES, FOLDER = "Choose files or an archive", "Choose a folder"
HOSTILE = ['<img src=x onerror="window.hit=1">.npz', "<script>window.hit=1<script>.npz", "![x](https:evil.example).npz",
           "[x](https:evil.example).npz"]


@pytest.fixture(scope="module")
def hub(small_run):
    """A Hub on loopback with two checkpoints of one run."""
    served = Hub({"lab/small": Repository(branches={
        "main": small_run / "step8", "step0": small_run / "step0", "step8": small_run / "step8"})})
    server = serve(served)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield served
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("own")


@pytest.fixture(scope="module")
def app(folder, hub):
    """An app that reaches the served Hub and has a cache to look into."""
    with running(folder, HF_ENDPOINT=hub.url, HF_HOME=str(folder / "hf"), HF_HUB_DISABLE_XET="1") as address:
        yield address


@pytest.fixture
def page(visit):
    page = visit("checkpoints?way=Upload")
    page.set_default_timeout(10_000)
    return page


def said(page):
    return page.locator(".area .said")


def choose(page, files, label=FILES):
    said(page).evaluate("element => { element.textContent = ''; }")  # of the upload before
    page.get_by_label(label).set_input_files(files)


def opened(page):
    """Name of the run that the streaming area says it opened."""
    said(page).filter(has_text=re.compile("^Opened |[^.][.]$")).wait_for()
    text = said(page).inner_text()
    assert text.startswith("Opened "), text
    return text.removeprefix("Opened ").split(":")[0]


def failed(page):
    page.locator(".area .said.bad").wait_for()
    return said(page).inner_text()


def received(folder):
    """Content of every uploaded file of a finished upload, by its path there."""
    root = folder / "cache" / "uploads"
    return [{path.relative_to(one).as_posix(): path.read_bytes() for path in one.rglob("*") if path.is_file()}
            for one in root.glob("*/files")]


def rows(path, seed, n=24, d=6):
    rng = np.random.default_rng(seed)
    np.savez(path, **{"block 1": rng.normal(size=(n, d)), "final": rng.normal(size=(n, d)),
                      "documents": np.repeat(np.arange(n // 2), 2)})
    return path


@pytest.fixture
def large(tmp_path):
    """Two files of one name and one size, of three pieces each, and not a byte of rows in common."""
    paths = [tmp_path / str(seed) / "rows.npy" for seed in (1, 2)]
    for seed, path in enumerate(paths, 1):
        path.parent.mkdir()
        np.save(path, np.full((50_000, 100), seed, dtype=np.float32))
    return paths


def puts(page):
    """Offsets of the pieces that the page sends, as they are sent."""
    offsets = []
    page.on("request", lambda request: offsets.append(int(parse_qs(urlsplit(request.url).query)["offset"][0]))
            if request.method == "PUT" and "/uploads/" in request.url else None)
    return offsets


def stopped_after(page, path, pieces):
    """Start to upload a file and press Stop while the piece of that number is on its way."""
    held, count = [], []

    def hold(route):
        count.append(route)
        held.append(route) if len(count) == pieces else route.continue_()
    page.route(re.compile(r"/uploads/\w+/\d+"), hold)
    choose(page, path)
    while not held:
        page.wait_for_timeout(20)
    page.get_by_role("button", name="Stop", exact=True).click()
    held[0].continue_()
    page.get_by_text("Stopped. Choose the same files again").wait_for()
    page.unroute_all()


# --- streaming ---


def test_the_files_of_a_checkpoint_stream_in_and_arrive_as_they_are(page, folder, tiny_gpt2):
    choose(page, sorted(tiny_gpt2.iterdir()))
    assert opened(page).startswith("upload")
    assert {path.name: path.read_bytes() for path in tiny_gpt2.iterdir()} in received(folder)


def test_a_folder_of_step_folders_streams_in_with_its_paths(page, folder, tiny_run):
    choose(page, tiny_run, FOLDER)
    assert opened(page) == "tiny" and "3 checkpoint(s)" in said(page).inner_text()
    assert {f"tiny/{path.relative_to(tiny_run).as_posix()}": path.read_bytes()
            for path in tiny_run.rglob("*") if path.is_file()} in received(folder)


def test_an_opened_upload_is_said_where_one_looks_and_the_page_below_still_stands(page, tmp_path):
    choose(page, rows(tmp_path / "mine.npz", seed=3))
    assert opened(page) == "mine"
    settle(page)
    assert page.get_by_test_id("stException").count() == 0
    page.get_by_role("heading", name="What is loaded").wait_for()
    page.get_by_test_id("stAlert").get_by_text("Opened mine: 1 checkpoint(s).").wait_for()
    assert page.said == []


def test_a_refused_archive_says_why_and_the_next_upload_works(page, tmp_path):
    (tmp_path / "cut.zip").write_bytes(b"PK\3\4 and no more")
    choose(page, tmp_path / "cut.zip")
    assert "cut.zip cannot be unpacked" in failed(page)
    choose(page, rows(tmp_path / "after.npz", seed=4))
    assert opened(page) == "after" and not said(page).get_attribute("class").endswith("bad")


# --- what gets lost on the way ---


def test_pieces_that_are_lost_on_the_way_are_sent_again(page, folder, tmp_path):
    path, lost = rows(tmp_path / "lost.npz", seed=5), []

    def lose(route):
        lost.append(route)
        route.abort() if len(lost) < 3 else route.continue_()
    offsets = puts(page)
    page.route(re.compile(r"/uploads/\w+/\d+"), lose)
    choose(page, path)
    assert opened(page) == "lost" and offsets == [0, 0, 0]
    assert {"lost.npz": path.read_bytes()} in received(folder)


def test_a_piece_that_arrives_damaged_is_sent_again_as_it_says(page, tmp_path):
    damaged = []

    def damage(route):
        damaged.append(route)
        route.continue_(headers=route.request.headers | ({"x-content-sha256": "0" * 64} if len(damaged) == 1 else {}))
    page.route(re.compile(r"/uploads/\w+/\d+"), damage)
    choose(page, rows(tmp_path / "damaged.npz", seed=6))
    assert opened(page) == "damaged" and len(damaged) == 2


def test_a_last_answer_that_is_lost_does_not_lose_the_upload(page, tmp_path):
    lost = []

    def lose(route):
        route.continue_() if lost else (lost.append(route.fetch()), route.abort())
    page.route(re.compile(r"/uploads/\w+/finish"), lose)
    choose(page, rows(tmp_path / "answered.npz", seed=7))
    assert opened(page) == "answered" and lost[0].ok


def test_a_stopped_upload_goes_on_from_the_byte_where_it_stood(page, folder, large):
    offsets = puts(page)
    stopped_after(page, large[0], pieces=2)
    assert offsets == [0, PIECE]
    offsets.clear()
    choose(page, large[0])
    opened(page)
    assert offsets == [2 * PIECE]
    assert {"rows.npy": large[0].read_bytes()} in received(folder)


def test_another_file_of_the_same_name_and_size_is_never_mixed_with_a_stopped_one(page, folder, large):
    stopped_after(page, large[0], pieces=2)
    choose(page, large[1])
    opened(page)
    assert {"rows.npy": large[1].read_bytes()} in received(folder)


# --- names ---


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_name_is_text_in_the_streaming_area(page, name):
    choose(page, {"name": name, "mimeType": "application/zip", "buffer": b"x"})
    sentence = failed(page)
    assert name[:10] in sentence.replace("\\\\", "\\") and "could not be reached" not in sentence
    assert page.locator(".area img, .area script, .area a").count() == 0
    assert page.evaluate("window.hit") is None


@pytest.mark.parametrize("name", HOSTILE[:4])
def test_a_hostile_file_name_is_text_in_the_answer_to_a_small_upload(page, name):
    page.get_by_text("Small files (up to").click()
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(
        {"name": name, "mimeType": "application/zip", "buffer": b"x"})
    page.get_by_test_id("stFileChip").wait_for()
    page.get_by_role("button", name="Open these files").click()
    page.get_by_test_id("stAlert").get_by_text("cannot be used").wait_for()
    assert page.locator("[data-testid=stAlert] :is(img, script, a)").count() == 0, "the name was drawn, not shown"
    assert page.evaluate("window.hit") is None


def test_a_link_to_the_page_cannot_put_a_picture_or_a_link_into_its_message(visit, app):
    page = visit("checkpoints?way=Hub&repo=![x](https://evil.example/x.png)[Sign+in](https://evil.example)")
    page.get_by_test_id("stAlert").get_by_text("is not the id").first.wait_for()
    assert [url for url in page.asked if not url.startswith((f"{app}/", "data:", "blob:"))] == []
    assert page.locator("[data-testid=stAlert] :is(img, a)").count() == 0


# --- from the way in to the numbers ---


def test_a_run_on_the_hub_is_opened_and_computed_to_the_end(visit, hub):
    page = visit("checkpoints?way=Hub&repo=lab/small")
    page.get_by_text("MB to download").wait_for()
    page.get_by_role("button", name="Open these revisions").click()
    page.get_by_text("Opened small: 2 checkpoint(s).").wait_for(state="attached")
    assert hub.downloaded() == []
    page = visit("?runs=small&probe=numbers-mod-59", fresh=True)
    compute(page)
    page.wait_for_selector("text=small: RankMe at the end", timeout=2 * PATIENCE_MS)
    settle(page)
    table = csv.DictReader(io.StringIO(saved(page, "Table (CSV)")[1].decode()))
    assert [(row["revision"], row["n"], row["d"]) for row in table] == [("step0", "59", "16"), ("step8", "59", "16")]
    assert len([path for path in hub.downloaded() if path.endswith(".safetensors")]) == 2
    assert page.get_by_test_id("stException").count() == 0 and page.said == []


def test_uploaded_rows_are_taken_through_every_page(page, visit, tmp_path):
    choose(page, [rows(tmp_path / f"step{step}.npz", seed=step) for step in (0, 8)])
    name = opened(page)
    page = visit(f"?runs={name}", fresh=True)
    compute(page)
    page.wait_for_selector(f"text={name}: RankMe at the end", timeout=2 * PATIENCE_MS)
    for path in ("", "trajectories", "spectra", "similarity"):
        page = visit(f"{path}?runs={name}", fresh=True)
        if page.get_by_role("button", name=re.compile("^Compute ")).count():
            compute(page)
        page.wait_for_selector(DRAWN)
        settle(page)
        assert page.get_by_test_id("stException").count() == 0 and page.said == [], path
        said = [figure.get_attribute("aria-label") for figure in page.get_by_role("figure").all()]
        assert said and all("n = 24" in one for one in said), (path, said)
        assert not [alert for alert in alerts(page) if "not computed" in alert], path


def test_every_page_can_be_gone_to_from_the_checkpoints_page_and_back(visit):
    page = visit("checkpoints", fresh=True)
    for title in ("Overview", "Checkpoints", "Trajectories", "Checkpoints"):
        go_to(page, title)
        page.wait_for_url(re.compile("/(checkpoints|trajectories)?([?]|$)"))
        settle(page)
        assert page.get_by_test_id("stException").count() == 0, title
    page.get_by_role("heading", name="What is loaded").wait_for()
    assert page.said == []


@pytest.mark.parametrize("query", ["way=Hub&repo=lab/small", "way=Folder", "way=Upload", "way=Stages", "way=Probe"])
def test_the_page_is_no_wider_than_a_phone(visit, query):
    page = visit(f"checkpoints?{query}", width=400, height=900)
    width = page.evaluate("""() => Math.max(...[...document.querySelectorAll(
        'html, [data-testid=stMain], [data-testid=stMainBlockContainer]')].map(e => e.scrollWidth))""")
    edges = page.evaluate("""() => [...document.querySelectorAll(
        '.stPlotlyChart, h1, .stMarkdown p, .stSelectbox, .stButton, .stTextInput, .stTextArea, .area, .area > *')]
        .map(e => e.getBoundingClientRect()).filter(r => r.width > 0).map(r => r.right)""")
    assert width <= 400 and edges and max(edges) <= 400.5
