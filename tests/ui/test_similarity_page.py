"""The page Similarity: the three ways to compare, a chosen cell and its link, colour above chance, warnings."""

import shlex
import shutil

import numpy as np
import pytest
import streamlit as st

from analysis import registry, similarity, views
from analysis.__main__ import _parser, main, open_store
from analysis.checkpoints.folder import open_run
from analysis.extraction.probes import load_probe
from analysis.jobs import job
from analysis.keys import Checkpoint, Policy
from analysis.pairs import cells, matches
from analysis.pairs.shown import GROUPS
from analysis.representations import Protocol
from analysis.results import PairMatrix
from analysis.runs import remember
from analysis.store import Representation, Store
from tests.checkpoints.models import copied, edit_json
from tests.ui.test_pages import charts, healthy, opened
from ui import pair_choice

CKA, REMOVED = "linear_cka_debiased", "linear_cka_debiased_head_removed"
SITES = ["embedding", "block 1", "block 2", "final"]


@pytest.fixture(scope="module")
def folder(tiny_run, tmp_path_factory, probe_file):
    folder = copied(tiny_run, tmp_path_factory.mktemp("similarity") / "mine")
    edit_json(folder / "run.json", name="mine", probe=str(probe_file))
    return folder


@pytest.fixture
def mine(folder):
    run = open_run(folder)
    remember(open_store(), run)
    return run


@pytest.fixture(scope="module")
def compared(folder, tmp_path_factory):
    """A cache with the layers of the first checkpoint against those of the last."""
    cache = tmp_path_factory.mktemp("compared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPLORER_CACHE", str(cache))
        remember(open_store(), open_run(folder))
        assert main(["compare", "mine@step0", "mine@step8", "--measure", CKA]) == 0
    return cache


@pytest.fixture
def layers(mine, compared):
    shutil.copytree(compared, open_store().root, dirs_exist_ok=True)
    return mine


def page(**query):
    return opened("similarity", **{"runs": "mine", "at_A": "step0"} | query)


def offered(at):
    return [shlex.split(code.value)[3:] for code in at.code if code.value.startswith("python -m analysis ")]


def said(at):
    return " ".join(element.value for element in [*at.markdown, *at.caption])


def stored(run, probe_file, measure=CKA):
    protocol = Protocol(load_probe(probe_file), Policy.parse("last"))
    sides = [views.layers(views.checkpoint_of(run, revision), SITES) for revision in ("step0", "step8")]
    return similarity.matrix(open_store(), *sides, registry.get(measure), protocol)


def traces(at):
    chart, = charts(at)
    return {trace.get("name", trace["type"]): trace for trace in chart["data"]}


@pytest.mark.parametrize(("query", "by"), [
    ({}, "layer"), ({"by": "step × step", "site": "final"}, "step"),
    ({"by": "run × run", "ends": ["mine@step0", "mine@step1", "mine@step8"]}, "run"),
    ({"kind": "Neighbours", "k": "3"}, "layer")], ids=str)
def test_what_is_missing_is_offered_with_the_command_that_fills_the_page(mine, monkeypatch, query, by):
    calls = []
    monkeypatch.setattr(job, "start", lambda jobs, argv, title: calls.append(argv))
    assert main(["sweep", "mine", "--measure", "stable_rank"]) == 0  # so that the sites are known
    at = page(**query)
    healthy(at)
    (argv,) = offered(at)
    at.button[0].click().run()
    assert calls == [argv] and _parser().parse_args(argv).by == by
    assert main(argv) == 0
    at = page(**query)
    healthy(at)
    assert not at.info and traces(at)["heatmap"]


def test_fewer_than_two_checkpoints_are_not_a_comparison(mine):
    at = page(by="run × run", ends="mine@step8")
    healthy(at)
    assert "at least two" in at.info[0].value and not charts(at)


def test_the_caption_states_rows_interval_shuffles_and_the_correction(layers):
    text = said(page())
    for part in ("n = 48 rows", "rows: last", "95 % interval of a cell: jackknife over documents, 12 groups.",
                 "199 shuffles of the documents", "p for any cell: corrected for the search"):
        assert part in text
    assert "No interval yet" not in text


def test_choosing_a_row_and_a_column_says_the_value_and_links_to_the_pair(layers, probe_file):
    at = page()
    assert not at.get("page_link")
    at.selectbox(key="row").set_value("block 1").run()
    at.selectbox(key="column").set_value("final").run()
    healthy(at)
    found = stored(layers, probe_file)
    assert f"Linear CKA, debiased = {found.values[1, 3]:z.4f}" in said(at)
    assert f"p = {cells.verdict(found, registry.get(CKA)).p[1, 3]:.3g}" in said(at)
    (link,) = at.get("page_link")
    assert link.proto.page == "pair"
    assert "a=mine%40step0%3Ablock+1" in link.proto.query_string and "runs=mine" in link.proto.query_string
    frame = traces(at)["chosen"]
    assert (frame["x"], frame["y"]) == (["final"], ["block 1"])


def test_a_link_opens_at_its_cell_and_a_cell_that_does_not_exist_is_none(layers):
    at = page(row="embedding", column="block 2")
    healthy(at)
    assert "mine@step0:embedding × mine@step8:block 2" in said(at)
    at = page(row="block 77", column="block 2")
    healthy(at)
    assert not at.get("page_link") and "chosen" not in traces(at)


def test_a_click_on_a_cell_is_the_choice_of_its_row_and_its_column(monkeypatch):
    state = type("State", (dict,), {"__getattr__": dict.__getitem__, "__setattr__": dict.__setitem__})()
    monkeypatch.setattr(st, "session_state", state)
    state.matrix = {"selection": {"points": [{"x": "final", "y": "block 1"}]}}
    pair_choice.follow_click()
    state.matrix = {"selection": {"points": []}}
    pair_choice.follow_click()
    assert (state["row"], state["column"]) == ("block 1", "final"), "clicking beside the cells forgets nothing"


def test_above_chance_leaves_cells_empty_that_are_not_above_it(layers, probe_file):
    at = page(colour="above chance")
    healthy(at)
    verdict = cells.verdict(stored(layers, probe_file), registry.get(CKA))
    heat = traces(at)["heatmap"]
    assert [[value is not None for value in row] for row in heat["z"]] == (verdict.p < cells.LEVEL).tolist()
    drawn = [value for row in heat["z"] for value in row if value is not None]
    np.testing.assert_allclose(drawn, verdict.calibrated[verdict.p < cells.LEVEL])


def test_measures_stand_in_kinds_and_a_link_that_names_a_measure_only_finds_its_kind():
    kinds = pair_choice.by_kind()
    assert list(kinds)[:len(GROUPS)] == list(GROUPS) and kinds["CKA"][0].name == CKA
    listed = [measure.name for measures in kinds.values() for measure in measures]
    assert sorted(listed) == sorted(m.name for m in registry.of_kind(arity=2, returns="scalar"))
    label = registry.get("rsa_cosine_pearson").label
    at = opened("similarity", similarity=label)
    assert (at.selectbox(key="kind").value, at.selectbox(key="similarity").value) == (
        "Distances (RSA)", "rsa_cosine_pearson")


def test_another_kind_begins_at_its_first_measure(layers):
    at = page()
    at.selectbox(key="kind").set_value("Shape").run()
    healthy(at)
    assert at.selectbox(key="similarity").value == "procrustes_nbs"


def test_an_outlier_is_named_with_the_score_without_the_top_directions_or_a_way_to_it(layers, monkeypatch):
    monkeypatch.setattr(matches, "outlier_warnings", lambda signature: ["one row holds 40% of the variance"])
    at = page()
    healthy(at)
    (expander,) = [e for e in at.expander if "outlier" in e.label]
    assert expander.label.startswith("8 representation(s)") and not at.info
    table = expander.dataframe[0].value
    assert set(table["what may drive it"]) == {"one row holds 40% of the variance"}
    at.toggle(key="heads").set_value(True).run()
    (argv,) = offered(at)
    assert REMOVED in argv and main(argv) == 0
    at = page()
    healthy(at)
    (expander,) = [e for e in at.expander if "outlier" in e.label]
    assert expander.dataframe[0].value["top directions removed"].notna().all() and not at.toggle


def test_without_outliers_nothing_is_said_of_them(layers, monkeypatch):
    monkeypatch.setattr(matches, "outlier_warnings", lambda signature: [])
    assert not [e for e in page().expander if "outlier" in e.label]


def test_runs_of_different_rows_are_refused_with_what_to_do(mine, monkeypatch):
    monkeypatch.setattr(matches, "refusal", lambda *given: "The rows differ. Use the token policy last or mean.")
    at = page()
    assert [shown.value for shown in at.error] == ["The rows differ. Use the token policy last or mean."]
    assert not at.button and not charts(at)


def test_how_to_read_says_what_a_pair_measure_does_not_see(layers):
    (text,) = [m.value for m in page().markdown if "Does not change under" in m.value]
    assert "orthogonal map" in text and "Interval:** jackknife over documents" in text and "makes no difference" in text


# --- the words and lists behind the page ---


def test_what_driving_items_match_best_is_not_themselves():
    checkpoint = Checkpoint(run="r", revision="s", step=None, tokens=None, path="", fingerprint="f")
    items = [(checkpoint, site) for site in "xyz"]
    values = np.array([[1.0, 0.2, 0.7], [0.2, 1.0, np.nan], [0.7, np.nan, 1.0]])
    rows = matches.driven({items[0]: "said"}, items, items, PairMatrix(values=values), None, registry.get(CKA))
    assert rows == [{"representation": "r s x", "what may drive it": "said", "best match": "r s z", "value": 0.7,
                     "top directions removed": None}]


def test_a_matrix_without_null_or_interval_says_why():
    wide = PairMatrix(values=np.ones((30, 30)))
    assert matches.sureness(wide, registry.get("mutual_knn_cosine")) == (
        "No interval: with rows left out every row has other neighbours, so the value is of another quantity. "
        "No p value: 900 cells are too many to shuffle the documents for.")


def test_checkpoints_read_with_the_same_rows_are_not_refused(mine, probe_file):
    assert main(["sweep", "mine", "--measure", "stable_rank"]) == 0
    protocol = Protocol(load_probe(probe_file), Policy.parse("last"))
    assert matches.refusal(open_store(), [(c, "final") for c in mine.checkpoints], protocol) == ""


def test_checkpoints_read_with_other_rows_are_refused_before_anything_is_computed(mine, probe_file, monkeypatch):
    ids = {checkpoint.fingerprint: tuple(f"{row}@{number}" for row in "abcdef")
           for number, checkpoint in enumerate(mine.checkpoints)}
    monkeypatch.setattr(Store, "representation_facts", lambda self, key: {"ids": ids[key.fingerprint][0]})
    monkeypatch.setattr(Store, "get_representation", lambda self, key: Representation(
        rows={}, row_ids=ids[key.fingerprint], document_ids=ids[key.fingerprint], facts={}))
    said = matches.refusal(open_store(), [(c, "final") for c in mine.checkpoints],
                           Protocol(load_probe(probe_file), Policy.parse("last")))
    assert said.startswith("The rows of mine step1 are not those of the others") and "policy last or mean" in said
