"""A view-only server: pages show what is there, and nothing that a visitor does, with a button or without, is kept."""

import hashlib
import io
import json
import re
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from analysis.__main__ import PROJECT, open_store
from analysis.errors import ExplorerError
from analysis.jobs import job
from analysis.publishing.view import View
from analysis.runs import find_run, remember
from tests.ui.test_jobs_page import put
from tests.ui.test_pages import charts, healthy, opened
from ui import guard, jobs_panel, opener, studio, upload_area, view_list, view_shelf
from ui.upload_route import ROUTES, give_token

ACTS = ("Compute", "Cancel", "Go on", "Take ", "Make", "Open", "Add th", "Delete", "Save", "Change", "Draw")
PAGES = sorted(path.stem for path in (PROJECT / "pages").glob("*.py"))


@pytest.fixture
def mine(tiny_run):
    """A run that was opened, a saved view, a job that failed and one that seems to run: things to take away."""
    run = find_run(open_store(), str(tiny_run))
    remember(open_store(), run)
    jobs = open_store().root / "jobs"
    view_shelf.Shelf(open_store(), "local").save(View("trajectories", (("runs", run.name),), name="Kept"))
    put(jobs, 1, state="failed", message="no room")
    put(jobs, 2, state="running", message="at it", done=1)
    return run


@pytest.fixture
def view_only(monkeypatch):
    monkeypatch.setenv(guard.READ_ONLY_VARIABLE, "1")


def content() -> dict[str, str]:
    """Each file of the store by what is in it."""
    root = open_store().root
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(root.rglob("*")) if path.is_file()}


def acting(at) -> list[str]:
    """Labels of the buttons that would change something here."""
    labels = {button.label: button.key or "" for button in at.button}
    return [label for label, key in labels.items()
            if label.startswith(ACTS) and not key.startswith("open ")]


@pytest.mark.parametrize(("given", "closed"), [("1", True), ("true", True), ("yes", True), ("0", False), ("", False),
                                               (" 0 ", False), (None, False)])
def test_any_value_but_0_closes_the_server_so_that_a_mistyped_one_does_not_open_it(monkeypatch, given, closed):
    monkeypatch.delenv(guard.READ_ONLY_VARIABLE, raising=False)
    if given is not None:
        monkeypatch.setenv(guard.READ_ONLY_VARIABLE, given)
    assert guard.is_read_only() is closed


@pytest.mark.parametrize("page", PAGES)
def test_no_page_of_a_view_only_server_has_a_button_that_acts_and_drawing_it_keeps_nothing(mine, view_only, page):
    before = content()
    at = opened(page, runs=mine.name)
    healthy(at)
    assert acting(at) == [] and at.title
    assert not list(at.get("file_uploader"))
    assert content() == before


@pytest.mark.parametrize(("page", "label"), [("trajectories", "Compute"), ("jobs", "Go on"), ("views", "Add th"),
                                             ("checkpoints", "Open"), ("checkpoints", "Take ")])
def test_the_same_pages_have_such_buttons_on_another_server(mine, page, label):
    found = acting(opened(page, runs=mine.name, **({"preflight": mine.name} if page == "checkpoints" else {})))
    assert any(one.startswith(label) for one in found), found


def test_the_popover_of_a_view_gives_its_link_and_neither_saves_nor_reports(mine, view_only):
    at = opened("trajectories", runs=mine.name)
    at.session_state[view_shelf.PANEL] = True
    before = content()
    at.run()
    healthy(at)
    assert any(f"trajectories?runs={mine.name}" in code.value for code in at.code)
    assert acting(at) == [] and not at.text_area and content() == before


def test_all_figures_are_not_drawn_in_the_background_and_the_page_says_so(mine, view_only):
    at = opened("trajectories", runs=mine.name)
    at.session_state[studio.ALL] = True
    at.run()
    healthy(at)
    assert any("draws nothing in the background" in info.value for info in at.sidebar.info) and acting(at) == []


def test_no_screen_but_the_gated_functions_starts_stops_or_forgets_a_job():
    bare = {str(path.relative_to(PROJECT)): re.findall(r"\bjob\.(?:start|again|cancel|forget)\(", path.read_text())
            for folder in ("ui", "pages") for path in (PROJECT / folder).glob("*.py")}
    assert {name: len(found) for name, found in bare.items() if found} == {"ui/jobs_panel.py": 4, "ui/view_shelf.py": 1}
    assert "guard.check_may_change()" in bare_source("ui/view_shelf.py", "def drop")


def bare_source(name, head):
    """The function that begins so."""
    return (PROJECT / name).read_text().split(head)[1].split("\ndef ")[0]


def test_saving_without_the_form_is_refused_in_a_sentence(mine, view_only, monkeypatch):
    said = []
    monkeypatch.setattr(view_shelf, "st", SimpleNamespace(
        form=lambda *a, **k: nullcontext(), form_submit_button=lambda *a, **k: True, error=said.append,
        text_input=lambda *a, **k: "name", text_area=lambda *a, **k: "note", success=pytest.fail))
    before = content()
    view_shelf._save(View("spectra", ()), kept=False)
    assert len(said) == 1 and guard.VIEW_ONLY in said[0] and content() == before


def test_where_a_page_would_offer_to_compute_it_says_why_not_and_gives_the_command(mine, view_only):
    at = opened("trajectories", runs=mine.name)
    assert any(guard.VIEW_ONLY in info.value for info in at.info)
    assert any(code.value.startswith(f"python -m analysis sweep {mine.name} ") for code in at.code)


def test_bundled_results_are_drawn_with_their_downloads(view_only):
    at = opened("trajectories")
    healthy(at)
    assert charts(at) == charts(opened("trajectories")) and charts(at)
    assert {"Figure + table", "Figure (HTML)", "Table (CSV)"} <= {one.label for one in at.get("download_button")}


def small_file(monkeypatch):
    packed = io.BytesIO()
    np.savez(packed, final=np.eye(12, dtype=np.float32))
    upload_area._take([("rows.npz", packed.getvalue())])


def forged(monkeypatch, module, **state):
    """The module with a session that holds what a visitor says; messages are kept."""
    held = SimpleNamespace(error=lambda *said, **how: None, session_state=SimpleNamespace(**state))
    monkeypatch.setattr(module, "st", held)


def folder(monkeypatch):
    forged(monkeypatch, opener, folder=str(PROJECT / "demo" / "runs" / "modular-addition"))
    opener._open()


def stages(monkeypatch):
    place = PROJECT / "demo" / "runs" / "modular-addition"
    forged(monkeypatch, opener, stages=f"a={place}\nb={place}", stages_name="x")
    opener._open_stages()


def one_job(number):
    return job.listed(open_store().root / "jobs")[number]


def kept():
    shelf = view_shelf.Shelf(open_store(), "local")
    return shelf, shelf.listed()[0][0]


def edited(monkeypatch):
    shelf, view = kept()
    forged(monkeypatch, view_list, **{"name e": "other", "note e": "x"})
    monkeypatch.setattr(view_list.st, "session_state", {"name e": "other", "note e": "x"})
    view_list._change(view, shelf, "e")


ACTIONS = {
    "start a job": lambda patch: jobs_panel.start(["sweep", "x"], "x"),
    "go on with a job": lambda patch: jobs_panel.again(one_job(1)),
    "take a job off the list": lambda patch: jobs_panel.forget(one_job(1)),
    "cancel a job": lambda patch: jobs_panel.cancel(one_job(0)),
    "open a folder": folder,
    "open stages": stages,
    "keep a run": lambda patch: opener.keep(find_run(open_store(), "modular-addition"), "hub"),
    "send a small file": small_file,
    "make a report": lambda patch: view_shelf.make_report([kept()[1]], "x"),
    "delete a report": lambda patch: view_shelf.drop(one_job(1), open_store().root / "jobs" / "x.html"),
    "change a view": edited,
    "delete a view": lambda patch: view_list._forget(kept()[1], kept()[0]),
}


@pytest.mark.parametrize("name", ACTIONS)
def test_what_acts_changes_nothing_when_it_is_called_without_its_button(mine, view_only, monkeypatch, name):
    monkeypatch.setattr(job.subprocess, "Popen", lambda *a, **k: pytest.fail("a process was started"))
    before = content()
    assert len(before) > 5
    try:
        ACTIONS[name](monkeypatch)
        said = str(getattr(opener.st.session_state, "opened", ("", False, "caught and said"))[2])
        assert said == "caught and said" or guard.VIEW_ONLY in said
    except ExplorerError as error:
        assert str(error).startswith(guard.VIEW_ONLY) and guard.READ_ONLY_VARIABLE in str(error)
    assert content() == before


@pytest.mark.parametrize("name", ["take a job off the list", "change a view", "delete a view"])
def test_the_same_calls_change_the_store_of_another_server(mine, monkeypatch, name):
    before = content()
    ACTIONS[name](monkeypatch)
    assert content() != before


def test_the_way_to_upload_is_closed_whatever_the_token(mine, view_only):
    before = content()
    with TestClient(Starlette(routes=ROUTES), headers={"X-Upload-Token": give_token("local")}) as client:
        asked = [client.post("/uploads", content=json.dumps([["rows.npy", 10]])),
                 client.put("/uploads/abc/0?offset=0", content=b"1234"), client.post("/uploads/abc/finish")]
    assert [answer.status_code for answer in asked] == [403] * 3
    assert all(guard.VIEW_ONLY in answer.json()["error"] for answer in asked) and content() == before


def test_a_visitor_without_the_setting_may_begin_an_upload(mine):
    with TestClient(Starlette(routes=ROUTES), headers={"X-Upload-Token": give_token("local")}) as client:
        assert client.post("/uploads", content=json.dumps([["rows.npy", 10]])).status_code == 200
