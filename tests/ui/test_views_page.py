"""Saved views: what is kept shows again exactly, whatever was chosen meanwhile, and strangers' text stays text."""

import ast
import json

import pytest

from analysis.__main__ import PROJECT, open_store
from analysis.jobs import job
from analysis.publishing.shelf import Shelf
from analysis.publishing.view import Seen, View, from_json, to_json
from analysis.runs import known_runs
from tests.ui.test_headless import visited
from tests.ui.test_pages import charts, healthy, opened
from ui import view_list, view_shelf

SEED_1, SEED_2 = "sotu-neox-seed1", "sotu-neox-seed2"
EVIL = "[EVIL](javascript:alert(1)) <img src=x> $x$ :material/home: # `c`"
CHOICES = {"selectbox", "multiselect", "segmented_control", "radio", "toggle", "checkbox", "slider", "select_slider",
           "number_input", "text_input", "text_area", "pills", "date_input"}
# Widgets that choose nothing that is drawn, or that write the URL themselves.
ELSEWHERE = {"pages/jobs.py", "ui/hub_opener.py", "ui/opener.py", "ui/upload_area.py", "ui/preflight_card.py",
             "ui/view_shelf.py", "ui/view_list.py"}
WRITTEN = {"ui/map_choice.py": 2, "ui/pair_sides.py": 1, "ui/selection.py": 1}  # through selection.to_url


@pytest.fixture
def shelf():
    return Shelf(open_store(), "local")


def kept(shelf, *links):
    for number, link in enumerate(links):
        shelf.save(View.of_link(link, f"View {number}", f"Note {number}"), saved=1000.0 - number)


def button(at, label, number=0):
    return [one for one in at.button if one.label == label][number]


def tick(at, name):
    (box,) = [one for one in at.checkbox if name in one.label]
    box.check()


def opens(at, popover):
    at.session_state[popover] = True
    at.run()
    healthy(at)


def downloads(at):
    return {one.proto.label for one in at.get("download_button")}


# --- what a view holds ---


def test_a_view_holds_the_selection_that_its_url_leaves_out():
    view = presented(visited("trajectories?log=false"))
    assert view.runs == [SEED_1, SEED_2] and view.parameters["log"] == ["false"]
    assert view.parameters["probe"] == ["sotu-held-out"] and view.parameters["rows"] == ["last"]
    assert view.parameters["sites"] == ["final"], "which is the deepest of today"


def test_both_sides_of_a_pair_are_held_chosen_or_not():
    asked = presented(visited(f"pair?a={SEED_1}@step512:block+2")).parameters
    assert asked["a"] == [f"{SEED_1}@step512:block 2"] and asked["b"][0].startswith(SEED_2)


def test_a_page_that_shows_no_runs_holds_its_url_alone():
    assert presented(visited("measures?find=rank")).query == (("find", "rank"),)


@pytest.mark.parametrize("link", [
    f"trajectories?runs={SEED_2}&sites=block+2&measure=Stable+rank", "similarity", "pair",
    "spectra?runs=modular-addition&at=step100", "points?map_frame=step512", "stitching"])
def test_a_view_draws_the_same_figures_for_who_follows_it(link):
    at = visited(link)
    drawn, other = charts(at), charts(visited(presented(at).link))
    assert drawn and [chart["data"] for chart in other] == [chart["data"] for chart in drawn]


def test_saving_keeps_the_view_with_its_name_its_note_and_the_weights_of_its_runs(shelf):
    at = visited(f"trajectories?runs={SEED_2}")
    view = presented(at)
    at.text_input(key=f"name {view.id}").set_value("Mine")
    at.text_area(key=f"note {view.id}").set_value("Why")
    button(at, "Save").click().run()
    healthy(at)
    ((kept_view, _),) = shelf.listed()
    assert (kept_view.name, kept_view.note, kept_view.id) == ("Mine", "Why", view.id)
    assert [run.name for run in kept_view.seen] == [SEED_2] and kept_view.troubles(known_runs(shelf.store)[0]) == []
    again = visited(kept_view.link)
    presented(again)
    assert again.text_input(key=f"name {view.id}").value == "Mine", "it is known to be kept"


def presented(at):
    """The view that the sidebar of a drawn page offers to keep."""
    opens(at, view_shelf.PANEL)
    (link,) = [code.value for code in at.sidebar.get("code")]
    return View.of_link(link)


def unbound(source):
    """How many of the choices in a source live neither in the URL nor in a form."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)
             and isinstance(node.func, ast.Attribute) and node.func.attr in CHOICES]
    return sum(not any(keyword.arg == "bind" for keyword in call.keywords) for call in calls)


def test_every_choice_that_is_drawn_lives_in_the_url():
    for folder in ("pages", "ui"):
        for path in sorted((PROJECT / folder).glob("*.py")):
            name = str(path.relative_to(PROJECT))
            if name not in ELSEWHERE and not name.startswith("ui/studio"):  # which is about paper
                assert unbound(path.read_text(encoding="utf-8")) == WRITTEN.get(name, 0), name


def test_the_check_of_choices_reports_one_that_is_not_in_the_url():
    assert unbound("import streamlit as st\nst.toggle('x', key='x')\nst.toggle('y', key='y', bind='query-params')") == 1


# --- the page ---


def test_without_a_view_the_page_says_how_to_keep_one():
    at = opened("views")
    healthy(at)
    assert "No view is saved yet" in at.info[0].value and not downloads(at)


def test_the_list_shows_names_notes_pages_and_runs_the_newest_first(shelf):
    kept(shelf, f"trajectories?runs={SEED_1}", "similarity_map")
    at = opened("views")
    healthy(at)
    assert [box.label for box in at.checkbox] == ["**View 0**", "**View 1**"]
    assert [text.value for text in at.main.markdown if text.value.startswith("Note")] == ["Note 0", "Note 1"]
    said = [text.value for text in at.main.caption]
    assert f"Trajectories · {SEED_1}" in said and "Similarity map" in said


def test_a_name_is_changed_and_a_view_deleted(shelf):
    kept(shelf, "pair", "points")
    at = opened("views")
    view = View.of_link("pair")
    opens(at, f"edit {view.id}")
    at.text_input(key=f"name edit {view.id}").set_value("Better")
    at.text_area(key=f"note edit {view.id}").set_value("Because")
    button(at, "Change").click().run()
    healthy(at)
    assert [(one.name, one.note) for one, _ in shelf.listed()] == [("Better", "Because"), ("View 1", "Note 1")]
    assert not at.session_state[f"edit {view.id}"], "what was open closes"
    opens(at, f"edit {view.id}")
    at.button(key=f"forget {view.id}").click().run()
    healthy(at)
    assert [one.page for one, _ in shelf.listed()] == ["points"]


def test_text_of_strangers_is_shown_as_text(shelf):
    view = View("trajectories", (("runs", EVIL),), EVIL, EVIL, (Seen(EVIL, "", "0" * 16),))
    shelf.save(view)
    at = opened("views")
    healthy(at)
    texts = [one.value for one in [*at.main.markdown, *at.main.caption, *at.main.warning]]
    texts += [box.label for box in at.checkbox]
    held = [text for text in texts if "EVIL" in text]
    assert len(held) == 4
    assert not any("[EVIL]" in text.replace("\\[EVIL\\]", "") or "<img" in text.replace("\\<img", "") for text in held)


def test_a_view_of_a_run_that_is_not_here_says_what_opens_it(shelf):
    shelf.save(View("trajectories", (("runs", "far"),), "Theirs", seen=(Seen("far", "hub:lab/far", "0" * 16),)))
    at = opened("views")
    (said,) = at.warning
    assert "far is not here" in said.value and "open hub" in said.value


def test_a_view_of_a_page_that_this_app_does_not_have_cannot_be_opened(shelf):
    shelf.save(View.of_link("tomorrow?x=1", "Newer"))
    at = opened("views")
    assert button(at, "Open").disabled and "no page tomorrow" in " ".join(text.value for text in at.main.caption)


def test_many_views_are_found_by_a_word_and_shown_some_at_a_time(shelf):
    for number in range(25):
        shelf.save(View.of_link(f"points?map_seed={number}", f"Map {number:02}"), saved=1000.0 - number)
    at = opened("views")
    healthy(at)
    assert len(at.checkbox) == 20
    at.text_input(key="find").set_value("map 07").run()
    assert [box.label for box in at.checkbox] == ["**Map 07**"]
    at.text_input(key="find").set_value("nothing").run()
    assert not at.checkbox and "No view holds" in at.info[0].value


# --- files ---


def test_a_colleagues_views_are_added_once(shelf):
    kept(shelf, "pair")
    content = to_json([View.of_link("pair", "Theirs"), View.of_link("points", "New")])
    at = opened("views")
    at.get("file_uploader")[0].upload("views.json", content)
    button(at, "Add them").click().run()
    healthy(at)
    assert "1 added. 1 was here already" in at.success[0].value
    assert {view.name for view, _ in shelf.listed()} == {"View 0", "New"}


def test_a_file_that_is_none_is_answered_with_a_sentence_and_nothing_is_kept(shelf):
    at = opened("views")
    at.get("file_uploader")[0].upload("x.json", json.dumps({"schema": 1, "views": [{"name": 7}]}).encode())
    button(at, "Add them").click().run()
    assert "name must be text" in at.error[0].value and shelf.listed() == []


def test_adding_without_a_file_asks_for_one():
    at = opened("views")
    button(at, "Add them").click().run()
    healthy(at)
    assert "Choose a file first" in [said.value for said in at.info][-1]


# --- reports ---


def test_a_report_of_the_ticked_views_is_a_job_with_their_file(shelf, monkeypatch):
    started = []
    monkeypatch.setattr(job, "start", lambda jobs, argv, title: started.append((argv, title)))
    kept(shelf, "pair", "points", "spectra")
    at = opened("views")
    tick(at, "View 0")
    tick(at, "View 2")
    at.run()
    assert "**With the 2 views that are ticked**" in [text.value for text in at.main.markdown]
    opens(at, view_list.REPORT)
    at.text_input(key="report title").set_value("Two of them")
    button(at, "Start").click().run()
    ((argv, name),) = started
    assert name == "Report: Two of them" and argv[0] == "report" and argv[argv.index("--title") + 1] == "Two of them"
    file = argv[argv.index("--views") + 1]
    with open(file, "rb") as handle:
        assert [view.page for view in from_json(handle.read())] == ["pair", "spectra"]
    assert argv[-2] == "--out" and argv[-1].startswith(str(shelf.reports))


def put(shelf, number, name, owner_folder=None, **status):
    """A job of a report as its worker leaves it."""
    folder = shelf.store.root / "jobs" / f"2099010{number}-000000-abcdef"
    folder.mkdir(parents=True)
    place = (owner_folder or shelf.reports) / f"{name}.html"
    job.write_json(folder / "spec.json", {"argv": ["report", "--out", str(place)], "title": f"Report: {name}",
                                          "started": 1.0})
    job.write_json(folder / "pid.json", {"pid": 2**22 + 1, "born": "0"})
    job.write_json(folder / "status.json", {"done": 1, "total": 1, "began": 1.0, **status})
    place.parent.mkdir(parents=True, exist_ok=True)
    if status["state"] == "done":
        place.write_bytes(b"<html>")
    return place


def test_finished_reports_can_be_taken_and_deleted_and_failed_ones_say_why(shelf):
    place = put(shelf, 1, "good", state="done", message="")
    put(shelf, 2, "bad", state="failed", message="No view could be drawn.")
    at = opened("views")
    healthy(at)
    assert any("good" in label for label in downloads(at))
    assert any("bad" in text.value and "No view could be drawn" in text.value for text in at.main.caption)
    button(at, "Delete", 1).click().run()
    healthy(at)
    assert not place.exists() and not any("good" in label for label in downloads(at))


def test_reports_of_others_are_not_offered(shelf):
    put(shelf, 1, "theirs", owner_folder=Shelf(shelf.store, "someone else").reports, state="done", message="")
    assert not downloads(opened("views"))


def test_a_report_is_in_the_owners_folder(shelf, monkeypatch):
    monkeypatch.setattr(job, "start", lambda jobs, argv, title: argv)
    monkeypatch.setattr(view_shelf, "shelf", lambda: shelf)
    monkeypatch.setattr("ui.jobs_panel.jobs_folder", lambda: shelf.store.root / "jobs")
    one, same, other = (view_shelf.make_report([View.of_link("pair")], title) for title in ("A", "A", "B"))
    assert one == same != other and shelf.place in one[-1]
