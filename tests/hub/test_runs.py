"""Runs on a served Hub, from the first list to results in the store, through the library and the command line."""

import json
import socket
import threading
import time

import pytest

from analysis import compute, registry
from analysis.__main__ import main
from analysis.checkpoints import fetching
from analysis.checkpoints import hub as hubs
from analysis.errors import ExplorerError
from analysis.keys import Policy
from analysis.runs import find_run, known_runs, open_on_hub, open_stages, remember, signature
from analysis.store import Store
from tests.hub.server import commit

RANKME = "rankme_covariance"


@pytest.fixture
def protocol(probe):
    return compute.Protocol(probe, Policy.parse("last"))


def fetched(store):
    return len(list(store.downloads.glob("*/model.safetensors")))


def sweep(store, run, protocol, report=lambda *_: None):
    return compute.sweep(store, [run], protocol, [registry.get(RANKME)], report=report)


def test_a_run_on_the_hub_is_known_with_its_steps_and_the_commits_it_is_pinned_to(hub, store):
    run = open_on_hub(store, "lab/tiny", "log-4")
    assert run.checkpoints[0].step == 0 and run.checkpoints[-1].step == 3000
    assert [c.path for c in run.checkpoints] == [f"hub:lab/tiny@{commit(c.revision)}" for c in run.checkpoints]
    assert hub.downloaded() == []


def test_a_remembered_run_opens_again_without_a_request(hub, store):
    run = open_on_hub(store, "lab/tiny", "all")
    remember(store, run)
    hub.requests.clear()
    assert run in known_runs(store)[0] and find_run(store, "tiny") == run == find_run(store, "hub:lab/tiny")
    assert hub.requests == []


def test_a_run_that_gets_other_revisions_has_another_signature(hub, store):
    remember(store, open_on_hub(store, "lab/tiny", "log-4"))
    before = signature(store)
    assert signature(store) == before
    remember(store, open_on_hub(store, "lab/tiny", "all"))
    assert signature(store) != before


def test_equal_weights_at_two_steps_are_flagged_before_any_download(hub, store):
    assert open_on_hub(store, "lab/tiny", "all").duplicates == [["step2000", "step3000"]]
    assert hub.downloaded() == []


def test_a_sweep_gives_the_numbers_of_the_same_weights_in_local_folders(hub, store, protocol, step_folders, tmp_path):
    run, local = open_on_hub(store, "lab/tiny", "0..16"), find_run(store, str(step_folders))
    elsewhere = Store(tmp_path / "elsewhere")
    sweep(store, run, protocol)
    sweep(elsewhere, local, protocol)
    values = {(r["step"], r["site"]): r["value"] for r in compute.records(store, run)}
    expected = {(r["step"], r["site"]): r["value"] for r in compute.records(elsewhere, local) if r["step"] <= 16}
    assert len(values) == 6 * 4 and values == expected


def test_the_commit_stands_in_every_record(hub, store, protocol):
    run = open_on_hub(store, "lab/tiny", "step1,step8")
    sweep(store, run, protocol)
    expected = {f"hub:lab/tiny@{commit(name)}" for name in ("step1", "step8")}
    assert {r["source"] for r in compute.records(store, run)} == expected
    assert {f["source"] for f in compute.losses(store, run, protocol)} == {c.path for c in run.checkpoints}


def test_weights_are_gone_after_the_sweep_and_one_revision_lies_ahead_of_the_one_in_work(hub, store, protocol):
    most, until = 0, time.monotonic() + 20

    def watch(done, total, message):
        nonlocal most
        most = max(most, fetched(store))
        while "step0: loading" in message and fetched(store) < 2 and time.monotonic() < until:
            time.sleep(0.02)  # this checkpoint is so small that its forward pass ends before the next has come

    assert sweep(store, open_on_hub(store, "lab/tiny", "0..16"), protocol, watch) == 6
    assert most == 2
    assert list(store.downloads.glob("*")) == []


def test_the_weights_of_one_digest_are_fetched_and_computed_once(hub, store, protocol):
    run = open_on_hub(store, "lab/tiny", "step2000,step3000")
    assert sweep(store, run, protocol) == 1
    assert [p for p in hub.downloaded() if p.endswith("safetensors")] == [f"{commit('step2000')}/model.safetensors"]
    assert len({r["value"] for r in compute.records(store, run, site="final")}) == 1


def test_a_second_sweep_asks_the_hub_nothing(hub, store, protocol):
    run = open_on_hub(store, "lab/tiny", "step1,step8")
    sweep(store, run, protocol)
    hub.requests.clear()
    assert sweep(store, run, protocol) == 0 and hub.requests == []


def test_a_budget_for_one_revision_fetches_one_after_the_other(hub, store, protocol, monkeypatch):
    run = open_on_hub(store, "lab/tiny", "0..4")
    size = hubs.remote("lab/tiny", commit("step1")).size
    monkeypatch.setenv("EXPLORER_DISK_GB", str(1.5 * size / 1e9))
    seen = []
    assert sweep(store, run, protocol, lambda *_: seen.append(fetched(store))) == 4 and max(seen) == 1


def test_a_revision_beyond_the_budget_is_a_sentence_before_the_download(hub, store, protocol, monkeypatch):
    run = open_on_hub(store, "lab/tiny", "step1")
    monkeypatch.setenv("EXPLORER_DISK_GB", "0.00001")
    with pytest.raises(ExplorerError, match=r"tiny step1 takes .* budget .*EXPLORER_DISK_GB"):
        sweep(store, run, protocol)
    assert hub.downloaded() == [] and list(store.downloads.glob("*/*")) == []


def test_a_branch_that_moved_does_not_change_what_was_pinned(hub, store, protocol, step_folders):
    run = open_on_hub(store, "lab/tiny", "step1")
    original = hub.repositories["lab/tiny"].branches
    hub.repositories["lab/tiny"].branches = original | {"step1": step_folders / "step8"}  # same commit, other files
    with pytest.raises(ExplorerError, match="holds other files than when it was opened"):
        sweep(store, run, protocol)


def test_what_a_dead_process_had_fetched_is_taken_over(hub, store, monkeypatch):
    here = socket.gethostname().replace(".", "-")
    elsewhere = store.downloads / f"{commit('step1')}.another-machine.999999999"
    elsewhere.mkdir(parents=True)
    dead = store.downloads / f"{commit('step1')}.{here}.999999999"
    dead.mkdir(parents=True)
    (dead / "partial").write_text("")
    stale = store.downloads / f"{'0' * 40}.{here}.999999998"
    stale.mkdir()
    own = fetching._own_folder(store.downloads, commit("step1"))
    assert (own / "partial").exists() and not dead.exists() and not stale.exists()
    assert elsewhere.exists(), "another machine's process may still be at it"


def test_one_revision_of_a_repository_stands_beside_the_run_of_many(hub, store):
    many = open_on_hub(store, "lab/tiny", "all")
    remember(store, many)
    one = find_run(store, "hub:lab/tiny@step1")
    remember(store, one)
    assert (one.name, len(one.checkpoints)) == ("tiny-step1", 1)
    hub.requests.clear()
    assert find_run(store, "hub:lab/tiny") == find_run(store, "tiny") == many and hub.requests == []
    assert find_run(store, "hub:lab/tiny@step1") == one and hub.requests == []


def test_models_become_named_stages_of_one_run(hub, store, protocol, step_folders):
    run = open_stages(store, [("base", "hub:lab/tiny@step1000"), ("SFT", str(step_folders / "step4")),
                              ("DPO", "hub:lab/tiny@step16")], "post training")
    assert run.name == "post-training" and [c.revision for c in run.checkpoints] == ["base", "SFT", "DPO"]
    remember(store, run)
    assert find_run(store, "post-training") == run
    assert sweep(store, run, protocol) == 3
    assert [r["revision"] for r in compute.records(store, run, site="final")] == ["base", "SFT", "DPO"]


def test_stopping_a_sweep_in_the_middle_of_a_download_leaves_no_weights(hub, store, protocol):
    run = open_on_hub(store, "lab/tiny", "0..16")

    def stop(done, total, message):
        if "step4" in message and "loading" in message:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(store, run, protocol, stop)
    for thread in threading.enumerate():
        if thread.daemon and thread.name.startswith("fetch"):
            thread.join()
    assert fetched(store) == 0
    assert len({r["step"] for r in compute.records(store, run)}) == 3


# --- the command line ---


def test_revisions_are_listed_with_what_a_choice_would_download(hub, capsys):
    assert main(["revisions", "hub:lab/tiny", "--pick", "log-3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["repository"] == "lab/tiny" and [r["step"] for r in found["revisions"]] == [0, 16, 3000]
    assert all(r["bytes"] > 1000 and len(r["commit"]) == 40 for r in found["revisions"])
    assert main(["revisions", "hub:lab/tiny", "--pick", "all"]) == 0
    assert "9 revisions" in capsys.readouterr().out


def test_opening_and_sweeping_on_the_command_line(hub, capsys, probe_file):
    assert main(["open", "hub:lab/tiny", "--pick", "every-4", "--name", "mine"]) == 0
    assert main(["sweep", "mine", "--probe", str(probe_file), "--measure", RANKME]) == 0
    assert main(["show", "mine", "--site", "final", "--measure", RANKME, "--json"]) == 0
    records = json.loads(capsys.readouterr().out)
    assert [r["step"] for r in records] == [0, 8, 3000] and all(r["source"] for r in records)


def test_sweeping_a_repository_that_was_never_opened_takes_log_spaced_revisions(hub, capsys, probe_file):
    assert main(["sweep", "hub:lab/tiny", "--probe", str(probe_file), "--measure", RANKME]) == 0
    assert main(["list", "--json"]) == 0
    runs = {run["name"]: run for run in json.loads(capsys.readouterr().out)["runs"]}
    assert len(runs["tiny"]["checkpoints"]) == 9 and runs["tiny"]["source"] == "hub:lab/tiny"


@pytest.mark.parametrize("line", [["revisions", "hub:lab/none"], ["open", "hub:lab/gated"], ["sweep", "hub:../etc"],
                                  ["open", "hub:lab/tiny", "--pick", "step77"], ["open", "a", "b"]])
def test_what_cannot_be_opened_is_one_sentence_and_exit_2(hub, capsys, line):
    assert main(line) == 2
    assert capsys.readouterr().err.startswith("error: ")
