"""How soon the app is there for a browser that was never here, and how soon it answers while a job runs beside it."""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from analysis.jobs import job

RERUN_S, PAINT_S, VISITS = 0.35, 3.0, 7
PAGE = "trajectories"
WATCH = """() => {
    const app = document.querySelector('[data-testid=stApp]');
    window.took = 0;
    document.addEventListener('click', () => { window.began = performance.now(); }, {once: true, capture: true});
    new MutationObserver((_, observer) => {
        if (app.getAttribute('data-test-script-state') === 'notRunning') {
            window.took = performance.now() - window.began;
            observer.disconnect();
        }
    }).observe(app, {attributes: true, attributeFilter: ['data-test-script-state']});
}"""


def reruns() -> list[dict] | str:
    """Median seconds from a click on the trajectories page to the end of the rerun, without and with a sweep."""
    if lacking := _lacking():
        return f"page reruns need {lacking}"
    with tempfile.TemporaryDirectory() as name, _opened(Path(name)) as (browser, address):
        page = browser.new_page()
        page.goto(f"{address}/{PAGE}")
        page.get_by_test_id("stPlotlyChart").first.wait_for()
        idle = _clicks(page)
        os.environ["EXPLORER_CACHE"] = str(Path(name) / "cache")
        started = job.start(Path(name) / "cache" / "jobs", ["sweep", "sotu-neox-seed1", "--policy", "every-8"], "bench")
        while "forward pass" not in (now := job.read(started.folder)).message and now.active:
            time.sleep(0.05)
        busy = _clicks(page)
        under_way = job.read(started.folder).active
        job.cancel(started)
        del os.environ["EXPLORER_CACHE"]
    assert under_way, "the sweep ended before the clicks did"
    return [{"name": f"median seconds of a rerun of the page {PAGE}, {when}", "value": statistics.median(took),
             "bar": RERUN_S if took is busy else None, "better": "lower", "peer": "none", "n": len(took)}
            for when, took in (("nothing else running", idle), ("while a sweep runs", busy))]


def paint() -> list[dict] | str:
    """Median seconds from the opening of the overview in a fresh browser to its title and to its first figure."""
    if lacking := _lacking():
        return f"the first paint needs {lacking}"
    with tempfile.TemporaryDirectory() as name, _opened(Path(name)) as (browser, address):
        _visit(browser, address)  # the first visitor of a server waits for its imports
        title, figure = map(statistics.median, zip(*(_visit(browser, address) for _ in range(VISITS)), strict=True))
    return [{"name": f"median seconds from opening the overview in a fresh browser to its {what}", "value": value,
             "bar": PAINT_S, "better": "lower", "peer": "none", "n": VISITS}
            for what, value in (("title", title), ("first figure", figure))]


def _visit(browser, address: str) -> tuple[float, float]:
    context = browser.new_context()
    page = context.new_page()
    start = time.perf_counter()
    page.goto(address)
    page.locator("h1").wait_for()
    title = time.perf_counter() - start
    page.locator(".main-svg").first.wait_for()
    figure = time.perf_counter() - start
    time.sleep(2)  # what is below the figure is drawn before the next visitor comes
    context.close()
    return title, figure


def _lacking() -> str:
    """What a browser needs and this machine lacks."""
    try:
        from tests.browser.conftest import CHROMIUM
    except ImportError as error:
        return f"the packages of requirements-dev.txt ({error.name})"
    return "" if CHROMIUM else "Chromium; see tests/need_chromium.sh"


@contextmanager
def _opened(folder: Path) -> Iterator[tuple[Any, str]]:
    """A browser, and the address of the app in a process of its own."""
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import CHROMIUM, running
    with sync_playwright() as play, running(folder) as address:
        yield play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"]), address


def _clicks(page, count: int = 12) -> list[float]:
    """Seconds from each click on a widget, as the page sees it, to the end of the rerun it asks for."""
    took = []
    options = page.locator("[data-testid=stButtonGroup] button")
    for number in range(count):
        time.sleep(0.5)
        page.evaluate(WATCH)
        options.nth((number + 1) % 2).click()  # the first is chosen already
        took.append(page.wait_for_function("window.took").json_value() / 1000)
    return took
