"""The table of runs: its numbers, its filters, and the choice that it makes."""

from datetime import datetime

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from analysis import compute
from analysis.__main__ import main, open_store
from analysis.extraction.probes import DEFAULT, load_probe
from analysis.keys import Checkpoint, Policy, Run
from analysis.runs import find_run, remember
from ui import opener, run_table
from ui.run_table import BEST_LOSS, LAST_LOSS, RANKME

DEMO = ("sotu-neox-seed1", "modular-addition")


@pytest.fixture(autouse=True)
def fresh():
    """No store of another test."""
    st.cache_resource.clear()


@pytest.fixture
def many(tmp_path):
    """Five runs in each of two folders, of rows whose rank falls from run to run; the last is not computed."""
    rng = np.random.default_rng(0)
    for number in range(10):
        folder = tmp_path / ("early" if number < 5 else "late") / f"mine{number}"
        folder.mkdir(parents=True)
        for step in range(2):
            rows = rng.normal(size=(40, 12)) * np.arange(1, 13.0) ** -(number / 2)
            np.savez(folder / f"step{step}.npz", final=rows.astype(np.float32))
        remember(open_store(), find_run(open_store(), str(folder)))
    main(["sweep", *(f"mine{number}" for number in range(9)), "--measure", "rankme_covariance"])


def table() -> None:
    """The page that the tests draw: the table under what the sidebar chose."""
    from ui import run_table, selection
    run_table.runs_table(selection.pick())


def drawn(**query) -> AppTest:
    at = AppTest.from_function(table, default_timeout=60)
    at.session_state.arrived = True
    for name, value in query.items():
        at.query_params[name] = value
    at.run()
    assert not at.exception and not at.error
    return at


def summed(name, probe="as-given"):
    run = find_run(open_store(), name)
    protocol = compute.Protocol(load_probe(probe), Policy.parse("last"))
    return run, protocol, run_table.summed([run], protocol)[0]


def test_loss_is_the_last_and_the_lowest_and_rankme_that_of_the_last_checkpoint_at_its_deepest_site():
    run, protocol, row = summed(DEMO[0], DEFAULT)
    losses = [fact["loss"] for fact in compute.losses(open_store(), run, protocol)]
    assert (row[LAST_LOSS], row[BEST_LOSS]) == (losses[-1], min(losses)) and min(losses) < losses[0]
    found = [record for record in compute.records(open_store(), run, probe=protocol.probe.identity, policy="last",
                                                  dtype="float32", measure="rankme_covariance", site="final")
             if record["revision"] == run.checkpoints[-1].revision]
    assert [row[RANKME]] == [record["value"] for record in found]
    assert row["checkpoints"] == len(run.checkpoints) and row["last used"] is None


def test_a_run_that_another_protocol_was_computed_with_has_no_numbers(many):
    assert summed("mine0", DEFAULT)[2][RANKME] is None and summed("mine0")[2][RANKME] > 1


def test_rankme_is_of_the_last_checkpoint_that_has_it(many, tmp_path):
    before = summed("mine0")[2]
    np.savez(tmp_path / "early" / "mine0" / "step2.npz", final=np.eye(40, 12, dtype=np.float32))
    st.cache_resource.clear()
    assert summed("mine0")[2][RANKME] == before[RANKME] and summed("mine0")[2]["checkpoints"] == 3


def test_no_checkpoint_but_the_last_is_read_for_rankme(many, monkeypatch):
    asked = []
    real = compute.of_checkpoint
    monkeypatch.setattr(compute, "of_checkpoint", lambda store, checkpoint, *rest: asked.append(checkpoint.revision)
                        or real(store, checkpoint, *rest))
    summed("mine3")
    assert asked == ["step1"]


@pytest.mark.parametrize(("source", "group"), [
    ("/data/llm/seed0", "/data/llm"), ("hub:EleutherAI/pythia-70m", "hub:EleutherAI"),
    ("stages: hub:a/b, /data/c", "stages")])
def test_runs_are_grouped_by_the_folder_they_lie_in(source, group):
    assert run_table.lies_in(Run("x", source, (Checkpoint("x", "step0", 0, None, "p", "f"),))) == group


ROWS = [{"run": f"run{k}", "folder": f"/data/{'ab'[k % 2]}", RANKME: value} for k, value in enumerate((2.0, 5.0, None))]


@pytest.mark.parametrize(("text", "between", "kept"), [
    ("", None, [0, 1, 2]), ("RUN1", None, [1]), (" data/a ", None, [0, 2]), ("zebra", None, []),
    ("", (2.0, 4.9), [0]), ("", (2.0, 5.0), [0, 1]), ("b", (0.0, 9.0), [1])])
def test_runs_are_kept_by_a_part_of_their_name_or_folder_and_by_a_range_that_holds_its_ends(text, between, kept):
    assert run_table.within(ROWS, text, between) == [ROWS[k] for k in kept]


def test_a_column_that_says_nothing_of_any_run_is_left_out():
    assert run_table.told([{"a": None, "b": 0}, {"a": None, "b": None}]) == [{"b": 0}, {"b": None}]


def test_few_runs_are_listed_without_filters():
    at = drawn()
    assert not [one for one in at.text_input if one.label == "Find runs"] and not at.slider
    assert set(DEMO) <= set(at.dataframe[0].value["run"])


def test_many_runs_are_found_by_their_folder_and_by_their_rankme(many):
    at = drawn(runs="mine0", runs_find="late")
    assert set(at.dataframe[0].value["run"]) == {f"mine{k}" for k in range(5, 10)}
    at.text_input(key="runs_find").set_value("mine").run()
    low, _ = at.slider(key="runs_rankme").value
    at.slider(key="runs_rankme").set_range(low, 4.0).run()
    table = at.dataframe[0].value
    assert 0 < len(table) < 9 and (table[RANKME] <= 4).all() and "mine9" not in set(table["run"])
    again = drawn(runs="mine0", runs_find="mine", runs_rankme=[str(low), "4.0"])
    assert list(again.dataframe[0].value["run"]) == list(table["run"]), "a link restores the filter"
    assert any(f"{len(table)} of " in caption.value for caption in at.caption)


def test_a_filter_that_keeps_nothing_says_so(many):
    at = drawn(runs="mine0", runs_find="zebra")
    assert not at.dataframe and any("No run is left" in info.value for info in at.info)


def test_the_table_says_when_a_run_was_used(many):
    when = drawn(runs="mine0").dataframe[0].value.set_index("run")["last used"]
    assert abs((when["mine3"] - datetime.now()).total_seconds()) < 3600 and when[[*DEMO]].isna().all()


def test_nothing_ticked_chooses_nothing():
    assert next(button for button in drawn().button if button.key == "choose ticked").disabled


def test_runs_that_are_chosen_take_the_place_of_the_others_with_a_probe_of_theirs(many, monkeypatch):
    held = {"runs": [DEMO[0]], "probe": "sotu"}

    class State(dict):
        __getattr__, __setattr__ = dict.__getitem__, dict.__setitem__
    state = State(held)
    monkeypatch.setattr(opener.st, "session_state", state)
    opener.choose_runs([find_run(open_store(), name) for name in ("mine1", "mine2")])
    assert (state.runs, state.probe) == (["mine1", "mine2"], "as-given")
    opener.choose_runs([find_run(open_store(), DEMO[1])])
    assert state.probe == find_run(open_store(), DEMO[1]).default_probe
