"""Work that was started in a browser goes on without it, and without the server, and is found again."""

import re

import pytest

from analysis.jobs import job
from tests.browser.conftest import running, settle, wait_until, watched

LINK = "trajectories?runs=sotu-neox-seed1&rows=every-8"  # minutes of forward passes
UNDER_WAY = "Computing now"


@pytest.fixture
def folder(tmp_path):
    """Of the app and its cache; what still works there is ended afterwards."""
    yield tmp_path
    for one in job.listed(tmp_path / "cache" / "jobs"):
        job.cancel(one)


@pytest.fixture
def page(chromium):
    context = chromium.new_context(viewport={"width": 1280, "height": 1200})
    yield watched(context.new_page())
    context.close()


def opened(page, address):
    page.goto(f"{address}/{LINK}")
    settle(page)


def only_job(folder):
    (found,) = job.listed(folder / "cache" / "jobs")
    return found


def test_a_job_is_found_after_a_reload_and_a_restart_of_the_server_and_cancelled(page, folder):
    with running(folder, HF_HUB_OFFLINE="1") as address:
        opened(page, address)
        page.get_by_role("button", name=re.compile("^Compute ")).click()
        page.get_by_text(UNDER_WAY).wait_for()
        wait_until(lambda: only_job(folder).state == "running")
        started = only_job(folder)
        page.reload()
        settle(page)
        assert page.get_by_text(UNDER_WAY).count() == 1
    wait_until(lambda: only_job(folder).done > started.done)  # no server is there, and it goes on
    with running(folder, HF_HUB_OFFLINE="1") as address:
        opened(page, address)
        assert page.get_by_text(UNDER_WAY).count() == 1
        page.get_by_test_id("stSidebar").get_by_role("button", name="Cancel").click()
        wait_until(lambda: only_job(folder).state == "cancelled", patience_s=10)
        page.get_by_test_id("stSidebar").get_by_text("cancelled").first.wait_for()
        page.get_by_role("button", name=re.compile("^Compute ")).wait_for()  # it can be taken up again
        assert only_job(folder).folder == started.folder and page.get_by_test_id("stException").count() == 0
