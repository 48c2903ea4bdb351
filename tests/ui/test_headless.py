"""Pages drawn without a browser are the pages that a browser shows, link for link."""

import io
import json
import subprocess
import sys

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from analysis.__main__ import PROJECT
from analysis.errors import ExplorerError
from analysis.publishing.view import View
from tests.ui.test_pages import charts
from ui import guard, headless

LINKS = ["", "trajectories?runs=sotu-neox-seed2&sites=block+2&measure=Stable+rank&axis=tokens", "similarity",
         "spectra?runs=modular-addition&at=step100", "stitching"]


def visited(link):
    """The page as a visitor sees it who arrives by a link."""
    st.cache_resource.clear()  # the store of another test
    view = View.of_link(link)
    at = AppTest.from_file(PROJECT / "ui" / "main.py", default_timeout=60)
    at.switch_page(f"../pages/{view.page or 'overview'}.py")
    for name, values in view.parameters.items():
        at.query_params[name] = values
    return at.run()


@pytest.mark.parametrize("link", LINKS)
def test_a_page_has_the_figures_that_a_visitor_with_the_link_sees(link):
    at, found = visited(link), headless.drawn(View.of_link(link))
    assert found["title"] == at.title[0].value
    assert [piece["figure"]["data"] for piece in found["pieces"]] == [chart["data"] for chart in charts(at)]
    assert all(piece["records"] and piece["title"] and piece["caption"] for piece in found["pieces"])


def test_what_the_link_chooses_is_what_is_drawn():
    (piece,) = headless.drawn(View.of_link(LINKS[1]))["pieces"]
    assert {(record["run"], record["site"], record["measure"]) for record in piece["records"]} == {
        ("sotu-neox-seed2", "block 2", "stable_rank")}


def test_one_drawing_leaves_nothing_for_the_next():
    first, _, again = (headless.drawn(View.of_link(link)) for link in (LINKS[1], "", LINKS[1]))
    assert first == again


def test_messages_come_with_the_command_that_computes_what_is_missing():
    found = headless.drawn(View.of_link("similarity?runs=sotu-neox-seed1&runs=sotu-neox-seed2&at_A=step1&at_B=step2"))
    assert found["pieces"] == [] and any("not computed" in text for _, text in found["said"])
    (command,) = found["commands"]
    assert command.startswith("python -m analysis compare sotu-neox-seed1@step1 sotu-neox-seed2@step2")


def test_a_page_without_figures_has_its_title_and_no_piece():
    found = headless.drawn(View.of_link("measures"))
    assert found["title"] == "Measures" and found["pieces"] == []


@pytest.mark.parametrize("link", ["nowhere", "__init__", "trajectories_"])
def test_an_unknown_page_is_refused_and_the_known_ones_are_named(link):
    with pytest.raises(ExplorerError, match=r"the pages are .*trajectories"):
        headless.drawn(View.of_link(link))


def test_a_page_that_fails_is_told_and_the_next_link_is_drawn(monkeypatch):
    answers = io.StringIO()
    headless.main(io.StringIO("nowhere\n\nmeasures\n"), answers)
    said = [json.loads(line) for line in answers.getvalue().splitlines()]
    assert "There is no page 'nowhere'" in said[0]["failed"] and said[1]["pieces"]
    assert said[2]["title"] == "Measures"


def test_the_process_answers_one_line_for_each_link_and_prints_nothing_else():
    done = subprocess.run([sys.executable, "-m", "ui.headless"], cwd=PROJECT, input="measures\nnowhere\n", text=True,
                          capture_output=True, timeout=120)
    titles = [json.loads(line).get("title") for line in done.stdout.splitlines()]
    assert titles == ["Measures", None] and done.returncode == 0


def test_a_server_that_needs_a_login_draws_for_its_own_worker_and_for_no_visitor(monkeypatch):
    monkeypatch.setenv(guard.PUBLIC_VARIABLE, "1")
    assert headless.drawn(View.of_link("measures"))["title"] == "Measures"
    at = AppTest.from_file(PROJECT / "ui" / "main.py", default_timeout=60)
    at.query_params[guard.HEADLESS] = "1"
    at.run()
    assert at.error and "stays closed" in at.error[0].value
