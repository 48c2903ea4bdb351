"""The app below a path of a site, as docs/deploy.md serves it: links, pages and uploads stay below that path."""

import numpy as np
import pytest

from tests.browser.conftest import running, settle
from tests.browser.pages import go_to


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("below")


@pytest.fixture(scope="module")
def app(folder):
    with running(folder, HF_HUB_OFFLINE="1", STREAMLIT_SERVER_BASE_URL_PATH="explorer") as address:
        yield address


def test_a_link_into_the_app_opens_and_its_pages_stay_below_the_path(visit, app):
    page = visit("trajectories?runs=sotu-neox-seed2")
    assert page.url.startswith(f"{app}/trajectories?runs=sotu-neox-seed2")
    go_to(page, "Measures")
    page.wait_for_url(f"{app}/measures*")
    settle(page)
    assert page.said == [] and all(url.startswith(app) for url in page.asked if url.startswith("http"))


def test_an_upload_arrives_below_the_path(visit, folder, tmp_path):
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).normal(size=(24, 6)))
    page = visit("checkpoints?way=Upload")
    page.get_by_label("Choose files or an archive").set_input_files(tmp_path / "rows.npy")
    page.locator(".area .said").filter(has_text="Opened rows: 1 checkpoint(s).").wait_for()
    assert [path.read_bytes() for path in (folder / "cache" / "uploads").glob("*/files/rows.npy")] == \
        [(tmp_path / "rows.npy").read_bytes()]
