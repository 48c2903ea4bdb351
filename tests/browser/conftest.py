"""The real app in a process of its own and a headless Chromium that looks at it."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from analysis.__main__ import PROJECT

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
PATIENCE_MS = 30_000
# Opened at /trajectories, Streamlit's own script looks for its server below /trajectories too, and finds it at /.
SEARCH = re.compile(r"/[a-z_]+/_stcore/(health|host-config)$")


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="no Chromium; see tests/need_chromium.sh"))


@pytest.fixture(scope="session")
def app(tmp_path_factory):
    """Address of the app, started as `make run` starts it, on a free port and with an empty cache."""
    with running(tmp_path_factory.mktemp("app"), HF_HUB_OFFLINE="1") as address:
        yield address


@contextmanager
def running(folder, **settings):
    """The app in a process of its own, whose cache lies in a folder; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    known = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    settings = known | {"EXPLORER_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"} | settings
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)],
                                  cwd=PROJECT, env=settings, stdout=log, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}/{settings.get('STREAMLIT_SERVER_BASE_URL_PATH', '')}".rstrip("/")
    try:
        wait_until(lambda: server.poll() is not None or answers(f"{address}/_stcore/health"))
        assert server.poll() is None, (folder / "log").read_text()
        yield address
    finally:
        server.terminate()
        server.wait(20)


def answers(address: str) -> bool:
    try:
        return urllib.request.urlopen(address, timeout=5).status == 200
    except OSError:
        return False


def wait_until(true, patience_s: float = PATIENCE_MS / 1000) -> None:
    until = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.1)


@pytest.fixture(scope="session")
def chromium():
    from playwright.sync_api import sync_playwright
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def shared(chromium):
    """A context that has loaded Streamlit's scripts before, so that most pages open faster."""
    return chromium.new_context()


@pytest.fixture
def visit(app, chromium, shared):
    """A function that opens a page and waits until it is drawn; `fresh`, as a person who was never here."""
    opened = []

    def open_page(path: str = "", *, width: int = 1280, height: int = 1400, fresh: bool = False, **media):
        context = chromium.new_context() if fresh else shared
        page = watched(context.new_page())
        opened.append(context if fresh else page)
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(**media)
        page.goto(f"{app}/{path}")
        settle(page)
        return page
    yield open_page
    for each in opened:
        each.close()


def watched(page):
    """A page that notes what it says in the console, in `said`, and what it asks for, in `asked`."""
    page.set_default_timeout(PATIENCE_MS)
    page.said, page.asked = [], []
    page.on("console", lambda m: page.said.append(f"{m.text} {m.location['url']}")
            if m.type in ("error", "warning") and not SEARCH.search(m.location["url"]) else None)
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("response", lambda response: page.said.append(f"{response.status} {response.url}")
            if response.status >= 400 and not SEARCH.search(response.url) else None)
    return page


QUIET = """() => {
    const state = document.querySelector('[data-testid=stApp]')?.dataset.testScriptState;
    window.quietSince = state === 'notRunning' ? window.quietSince || performance.now() : 0;
    return window.quietSince && performance.now() - window.quietSince > 250;
}"""


DRAWN = """!document.querySelector('[data-testid=stSkeleton]')
    && [...document.querySelectorAll('.stPlotlyChart')].every(chart => chart.querySelector('.main-svg'))"""


def settle(page) -> None:
    """Wait until the script has run to its end and every figure of the page is drawn. One run may ask for another, for
    the theme or after a click, so the end is when nothing has run for a while."""
    page.wait_for_selector("h1")
    page.evaluate("window.quietSince = 0")
    page.wait_for_function(QUIET)
    page.wait_for_function(DRAWN)


@pytest.fixture(scope="session")
def small_run(tiny_run, tmp_path_factory):
    """Two of the tiny checkpoints, whose tokenizer knows the numbers of the smallest built-in probe."""
    folder = tmp_path_factory.mktemp("browser") / "small"
    for step in (0, 8):
        shutil.copytree(tiny_run / f"step{step}", folder / f"step{step}")
        path = folder / f"step{step}" / "tokenizer.json"
        path.write_text(re.sub(r'"w(\d+)":', r'"\1":', path.read_text()))
    (folder / "run.json").write_text(json.dumps({"probe": "numbers-mod-59", "tokens_per_step": 1000}))
    return folder
