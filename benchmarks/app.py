"""How soon the app answers while a job runs on the same machine."""

import os
import statistics
import tempfile
import time
from pathlib import Path

from analysis.jobs import job

RERUN_S = 0.35
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
    try:
        from playwright.sync_api import sync_playwright

        from tests.browser.conftest import CHROMIUM, running
    except ImportError as error:
        return f"page reruns need the packages of requirements-dev.txt ({error.name})"
    if CHROMIUM is None:
        return "page reruns need Chromium; see tests/need_chromium.sh"
    with tempfile.TemporaryDirectory() as name, sync_playwright() as play, running(Path(name)) as address:
        page = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"]).new_page()
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
