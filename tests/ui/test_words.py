"""The glossary: its words are linked where a page uses them first, links lead to them, and every page has a head."""

import ast
import re
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from analysis.__main__ import PROJECT
from analysis.glossary import BY_ANCHOR, TERMS
from tests.ui.test_pages import healthy, opened
from ui import words

PAGES = sorted((PROJECT / "pages").glob("*.py"))
LINK = re.compile(r"\]\(/(?:[^)#]*)glossary#([^)]*)\)")


@pytest.fixture(autouse=True)
def nothing_linked_before(monkeypatch):
    monkeypatch.setattr(st, "session_state", {})


def test_no_two_words_share_an_anchor_or_a_spelling():
    assert len(BY_ANCHOR) == len(TERMS)
    spellings = [spelling.lower() for term in TERMS for spelling in (term.word, *term.also)]
    assert len(set(spellings)) == len(spellings)


def test_every_page_a_word_names_exists():
    assert {term.page for term in TERMS} - {""} <= {page.stem for page in PAGES}


def test_a_word_is_linked_at_its_first_use_by_its_longest_spelling_and_as_it_is_written():
    assert words.linked("RankMe of a Run; the run at principal directions.") == (
        "[RankMe](/glossary#rankme) of a [Run](/glossary#run); the run at "
        "[principal directions](/glossary#principal-direction).")
    assert words.linked("another run") == "another run", "once on a page"


def test_parts_of_words_and_code_and_links_are_left_alone():
    text = "prune, rerun `run` [run](x) entropy-seeker p1"
    assert words.linked(text) == text


def test_the_way_back_from_links_is_the_text():
    assert words.unlinked(words.linked("The probe of a run.")) == "The probe of a run."


def test_below_a_base_path_links_stay_below_it(monkeypatch):
    monkeypatch.setattr(st, "get_option", {"server.baseUrlPath": "/explorer/"}.__getitem__)
    assert words.linked("a site") == "a [site](/explorer/glossary#site)"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_page_begins_with_its_title_and_an_introduction(page: Path):
    first = next(node for node in ast.parse(page.read_text()).body if isinstance(node, ast.Expr)
                 and isinstance(node.value, ast.Call))
    called = ast.unparse(first.value.func)
    assert called.removeprefix("words.") == ("intro" if page.stem != "glossary" else "st.title")


def test_the_glossary_page_holds_every_word_with_the_anchor_that_links_name(monkeypatch):
    monkeypatch.undo()
    at: AppTest = opened("glossary")
    healthy(at)
    assert {head.proto.anchor for head in at.subheader} == set(BY_ANCHOR)


def test_the_overview_links_its_words_and_tells_what_each_figure_shows(monkeypatch):
    monkeypatch.undo()
    at = opened("overview")
    text = [one.value for one in at.main.markdown]
    anchors = LINK.findall(" ".join(text))
    assert {"rankme", "checkpoint", "cka"} <= set(anchors) <= set(BY_ANCHOR)
    assert len(anchors) == len(set(anchors)), "each once"
    guides = [one for one in text if one.startswith("**What you see:**")]
    assert len(guides) == len(at.get("plotly_chart")) == 3
    assert all(re.fullmatch(r"\*\*What you see:\*\* .+\. \*\*How to read it:\*\* .+\.", one, re.S) for one in guides)
