"""Sweeps whose checkpoints are tasks of their own: the same results, each task once, and what fails named."""

import functools
import io
import json
import os
import re
import signal
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest

from analysis import compute, registry, similarity, views
from analysis.__main__ import PROJECT, main
from analysis.checkpoints.folder import open_run
from analysis.extraction.probes import load_probe
from analysis.jobs import cluster
from analysis.keys import Policy
from analysis.store import Store
from analysis.sweeping import OPENS_ON
from tests.checkpoints.models import copied

pytest.importorskip("submitit", reason="submitit is not installed (requirements-dev.txt), so there is no executor")

STEPS, SITES = ("step0", "step1", "step8"), ("embedding", "block 1", "block 2", "final")
LOCAL = ("--executor", "local", "--option", "array=2")
PAIRS = [registry.get(name) for name in OPENS_ON]


class Here:
    """The command line in this process, on a cache of its own; remembers the tasks it was about to submit."""

    def __init__(self, cache, patch):
        self.cache, self.submitted = cache, []
        patch.setenv("EXPLORER_CACHE", str(cache))
        original = functools.partial(cluster.fan_out, poll_s=0.1)

        def fan_out(tasks, *given, **how):
            self.submitted = [task.name for task in tasks]
            return original(tasks, *given, **how)
        patch.setattr(cluster, "fan_out", fan_out)

    def __call__(self, *arguments):
        """Exit code, standard output, standard error."""
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        self.submitted = None
        try:
            with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
                code = main([str(argument) for argument in arguments])
        finally:
            _ = [signal.signal(*pair) for pair in before.items()]
        return code, out.getvalue(), err.getvalue()

    def shown(self, run):
        return json.loads(self("show", run, "--json")[1])

    def listed(self):
        """Revisions of each run that the list has, beside the bundled ones."""
        return {run["name"]: [c["revision"] for c in run["checkpoints"]]
                for run in json.loads(self("list", "--json")[1])["runs"] if "demo/runs" not in run["source"]}


@pytest.fixture
def here(tmp_path, monkeypatch):
    return Here(tmp_path / "cache", monkeypatch)


@pytest.fixture(scope="module")
def fanned_once(tmp_path_factory, tiny_run, probe_file):
    """The cache after one sweep of the tiny run in tasks, how that ended, and what it submitted."""
    with pytest.MonkeyPatch.context() as patch:
        here = Here(tmp_path_factory.mktemp("fanned") / "cache", patch)
        ended = here("sweep", tiny_run, "--probe", probe_file, *LOCAL)
        return here.cache, ended, here.submitted


@pytest.fixture
def fanned(fanned_once, monkeypatch):
    """The command line on the cache of that sweep, which stays as it is."""
    return Here(fanned_once[0], monkeypatch)


@pytest.fixture
def plain(here, tiny_run, probe_file):
    """The command line on the cache of a sweep without tasks."""
    assert here("sweep", tiny_run, "--probe", probe_file)[0] == 0
    return here


def files(cache, kind):
    return {path.name for path in (cache / kind).rglob("*.json")}


# --- all of it ---


def test_each_checkpoint_is_a_task_of_its_own_and_the_sweep_ends_well(fanned_once):
    cache, (code, out, err), submitted = fanned_once
    assert (code, out) == (0, "") and submitted == [f"tiny {step}" for step in STEPS]
    assert "3 of 3 checkpoints needed work; see them with: python -m analysis show" in err
    logs = [path.read_text() for path in (cache / "tasks").rglob("*.out")]
    assert sorted(re.findall(r"(?m)(\d) of 1 checkpoints needed work", "\n".join(logs))) == ["1"] * 3


def test_the_results_of_tasks_are_those_of_a_sweep_without_them(plain, fanned_once, monkeypatch):
    alone = plain.shown("tiny")
    monkeypatch.setenv("EXPLORER_CACHE", str(fanned_once[0]))
    together = plain.shown("tiny")
    assert len(alone) == len(together) > 3 * len(SITES)
    for one, other in zip(alone, together, strict=True):
        numbers = [[record.pop(name) for name in ("value", "low", "high")] for record in (one, other)]
        assert one == other
        for a, b in zip(*numbers, strict=True):
            assert (a is None) == (b is None)
            np.testing.assert_allclose([] if a is None else a, [] if b is None else b, rtol=1e-6, atol=1e-12)


def test_the_pair_matrices_that_the_similarity_page_opens_on_are_there_after_the_tasks(plain, fanned_once, probe_file,
                                                                                       tiny_run):
    run, protocol = open_run(tiny_run), compute.Protocol(load_probe(probe_file), Policy.parse("last"))
    assert len(PAIRS) >= 2 and files(fanned_once[0], "matrices") == files(plain.cache, "matrices")
    assert len(files(plain.cache, "matrices")) == 2 * len(PAIRS)
    for items in (views.layers(run.checkpoints[-1], list(SITES)), views.steps(run, "final")):
        for measure in PAIRS:
            alone, together = (similarity.matrix(Store(cache), items, items, measure, protocol)
                               for cache in (plain.cache, fanned_once[0]))
            np.testing.assert_allclose(together.values, alone.values, rtol=1e-6)


def test_the_run_is_in_the_list_with_all_its_checkpoints(fanned):
    assert fanned.listed() == {"tiny": list(STEPS)}


def test_what_is_complete_is_not_submitted_and_the_sweep_still_ends_well(fanned, probe_file):
    before = files(fanned.cache, "results")
    code, out, err = fanned("sweep", "tiny", "--probe", probe_file, *LOCAL)
    assert (code, out, fanned.submitted) == (0, "", []) and err.startswith("0 of 3 checkpoints needed work")
    assert files(fanned.cache, "results") == before


# --- what goes wrong ---


def test_a_broken_stage_is_named_with_its_own_sentence_and_log_and_the_others_are_done(here, tiny_run, probe_file,
                                                                                      tmp_path):
    broken = copied(tiny_run / "step1", tmp_path / "broken")
    os.truncate(broken / "model.safetensors", (broken / "model.safetensors").stat().st_size - 100)
    assert here("open", f"base={tiny_run / 'step0'}", f"SFT={broken}", "--name", "after")[0] == 0
    code, out, err = here("sweep", "after", "--probe", probe_file, "--measure", "stable_rank", *LOCAL)
    assert (code, out) == (2, "") and here.submitted == ["after base", "after SFT"]
    (sentence,) = [line for line in err.splitlines() if line.startswith("error: ")]
    assert sentence.startswith("error: 1 of 2 tasks failed, and the others are done. after SFT: ")
    reason, _, log = sentence.partition("after SFT: ")[2].rpartition(" Its log: ")
    assert str(broken) in reason and "model.safetensors" in reason and reason.endswith(".")
    assert f"error: {reason}" in Path(log).read_text().splitlines()
    assert {record["revision"] for record in here.shown("after")} == {"base"}
    assert here.listed() == {"after": ["base", "SFT"]}


@pytest.mark.parametrize(("option", "words"), [
    ("colour=red", "No scheduler option is called 'colour'; give any of account, array"),
    ("x", "'x'"), ("=3", "''"), ("", "''"), ("array=some", "array=some is not a whole number above 0"),
    ("time", "time"), ("partition", "partition"), ("mem=", "mem")])
def test_an_option_that_cannot_be_used_is_refused_with_a_sentence(fanned, probe_file, option, words):
    code, out, err = fanned("sweep", "tiny", "--probe", probe_file, "--executor", "local", "--option", option)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert err.startswith("error: ") and words in err and "unexpected" not in err
    assert fanned.submitted == []


def test_an_unknown_executor_is_refused_with_those_there_are(here, tiny_run, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["sweep", str(tiny_run), "--executor", "cloud"])
    assert "'slurm', 'local'" in capsys.readouterr().err


# --- some checkpoints only ---


@pytest.mark.parametrize("how", [(), LOCAL], ids=["here", "in tasks"])
def test_an_unknown_revision_is_refused_with_those_there_are(here, tiny_run, probe_file, how):
    code, out, err = here("sweep", tiny_run, "--probe", probe_file, "--only", "step1", "--only", "step2", *how)
    assert (code, out) == (2, "") and here.submitted is None
    assert err == "error: tiny has no revision 'step2'; it has step0, step1, step8.\n"


def test_a_run_of_many_names_the_first_of_its_revisions(here):
    code, _, err = here("sweep", "sotu-neox-seed1", "--only", "step3")
    assert code == 2 and err.rstrip().endswith("it has step0, step1, step2, step4, step8 ....")


def test_only_the_named_revisions_are_computed_in_whatever_order_they_are_named(here, tiny_run, probe_file):
    names = ["--only", "step8", "--only", "step0", "--only", "step8"]
    code, _, err = here("sweep", tiny_run, "--probe", probe_file, "--measure", "stable_rank", *names)
    assert code == 0 and "2 of 2 checkpoints needed work" in err
    assert [r["revision"] for r in here.shown(tiny_run) if r["site"] == "final"] == ["step0", "step8"]


def test_a_run_of_stages_keeps_all_of_them_after_a_sweep_of_one(here, tiny_run, probe_file):
    here("open", f"a={tiny_run / 'step0'}", f"b={tiny_run / 'step8'}", "--name", "two")
    code, _, err = here("sweep", "two", "--probe", probe_file, "--measure", "stable_rank", "--only", "b")
    assert code == 0 and "1 of 1 checkpoints needed work" in err
    assert here.listed() == {"two": ["a", "b"]} and {r["revision"] for r in here.shown("two")} == {"b"}


def test_a_folder_that_was_swept_in_part_is_in_the_list_with_all_its_checkpoints(here, tiny_run, probe_file):
    here("sweep", tiny_run, "--probe", probe_file, "--measure", "stable_rank", "--only", "step1")
    assert here.listed() == {"tiny": list(STEPS)}


# --- tasks run elsewhere ---


@pytest.fixture
def elsewhere(here, monkeypatch):
    """Tasks run in this process, in the folder where they always run; what they say on standard error is kept."""
    said = []

    def fan_out(tasks, *given, **how):
        monkeypatch.chdir(PROJECT)
        said.extend(here(*task.argv)[2] for task in tasks)
        return []
    monkeypatch.setattr(cluster, "fan_out", fan_out)
    return said


def test_tasks_read_a_probe_and_a_run_that_lie_beside_the_person(here, elsewhere, tiny_run, probe_file, monkeypatch):
    copied(tiny_run, probe_file.parent / "beside")
    monkeypatch.chdir(probe_file.parent)
    here("sweep", "beside", "--probe", probe_file.name, "--measure", "stable_rank", *LOCAL)
    assert [said.partition(";")[0] for said in elsewhere] == ["1 of 1 checkpoints needed work"] * 3


def test_tasks_find_a_run_that_nobody_opened_before(here, elsewhere, tiny_run, probe_file):
    here("sweep", tiny_run, "--probe", probe_file, "--measure", "stable_rank", "--only", "step1", *LOCAL)
    assert [said.partition(";")[0] for said in elsewhere] == ["1 of 1 checkpoints needed work"]


def test_tasks_have_the_settings_of_the_person(here, elsewhere, tiny_run, probe_file):
    given = ["--measure", "alpha_weighted_least_squares", "--set", "first_rank=2", "--set", "last_rank=9",
             "--policy", "mean", "--dtype", "bfloat16"]
    assert here("sweep", tiny_run, "--probe", probe_file, *given, *LOCAL)[0] == 0
    protocols = [record["protocol"] for record in here.shown("tiny")]
    assert len(elsewhere) == 3 and len(protocols) == 3 * len(SITES)
    assert {(p["policy"], p["dtype"], *sorted(p["params"].items())) for p in protocols} == {
        ("mean", "bfloat16", ("first_rank", 2), ("last_rank", 9))}
