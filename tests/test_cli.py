"""The command line as a script meets it: JSON fields, exit codes, sentences, and what stays in the cache."""

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, GPTNeoXForCausalLM

from analysis import compute, registry
from analysis.__main__ import main
from analysis.checkpoints.folder import open_run
from analysis.extraction.probes import load_probe
from tests.checkpoints.models import copied, edit_json, edit_weights, save, without_tensor

ROOT, COMMAND = Path(__file__).parents[1], [sys.executable, "-m", "analysis"]
FIELDS = re.search(r"one record a value: ([\w, ]+\w)", (ROOT / "README.md").read_text())[1].split(", ")
STEPS, SITES = ("step0", "step1", "step8"), ("embedding", "block 1", "block 2", "final")
ALPHA, SPECTRUM, RANK = "alpha_weighted_least_squares", "covariance_eigenspectrum", "stable_rank"
DENSE = "gpt_neox.layers.1.mlp.dense_h_to_4h.weight"
BROKEN = {
    "a missing tensor": (lambda folder: without_tensor(folder, DENSE), DENSE),
    "an extra tensor": (lambda folder: edit_weights(folder, lambda t: t.update(stray=torch.ones(3))), "stray"),
    "a wrong shape": (lambda folder: edit_weights(folder, lambda t: t.update({DENSE: torch.ones(32, 15)})), DENSE),
    "another layer count": (lambda folder: edit_json(folder / "config.json", num_hidden_layers=3), "3 blocks"),
    "NaN weights": (lambda folder: edit_weights(folder, lambda t: t[DENSE].fill_(float("nan"))), "NaN"),
    "a truncated file": (lambda folder: os.truncate(folder / "model.safetensors", 900), "safetensors is damaged"),
    "no tokenizer": (lambda folder: [path.unlink() for path in folder.glob("tokenizer*")], "no tokenizer"),
    "a dangling link": (lambda folder: (folder / "more.safetensors").symlink_to("gone"), "more.safetensors"),
}
TOY = '''from dataclasses import replace
from analysis.measures.dominant_direction import MEASURES as OTHERS
def column_count(x):
    """How many columns the rows have."""
    return float(len(x.mean))
MEASURES = (replace(OTHERS[0], name="column_count", fn=column_count),)
'''


@pytest.fixture(autouse=True)
def signals():
    """Signals reach the processes a test starts, and are handled as before in the tests that follow."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    _ = [signal.signal(*pair) for pair in before.items()]


@pytest.fixture
def cli(capsys):
    """Runs a command in this process and gives its exit code, standard output and standard error."""
    def run(*arguments):
        capsys.readouterr()
        return main([str(argument) for argument in arguments]), *capsys.readouterr()
    return run


@pytest.fixture
def shown(cli):
    return lambda *arguments: json.loads(cli("show", *arguments, "--json")[1])


@pytest.fixture
def swept(cli, tiny_run, probe_file):
    assert cli("sweep", tiny_run, "--probe", probe_file)[0] == 0
    return tiny_run


@pytest.fixture
def refused(cli):
    """Exit code 2, nothing on standard output, and a line on standard error that says what is wrong in these words."""
    def check(*arguments, words):
        code, out, err = cli(*arguments)
        assert (code, out, err[:7], err.count("\n")) == (2, "", "error: ", 1) and "unexpected" not in err, err
        assert all(word in err for word in words), err
    return check


def in_cache(tmp_path):
    return {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*")}


def test_list_as_json_is_exactly_the_documented_object(cli, swept):
    code, out, err = cli("list", "--json")
    listed = json.loads(out)
    assert (code, err, set(listed)) == (0, "", {"runs"})
    assert {run["name"]: run["source"] for run in listed["runs"]} == {"tiny": str(swept)} | {
        source.stem: str(source) for source in (ROOT / "demo/runs").iterdir()}
    for run in listed["runs"]:
        assert set(run) == {"name", "source", "checkpoints"}
        assert run["checkpoints"] == [{"revision": c.revision, "step": c.step, "tokens": c.tokens,
                                       "fingerprint": c.fingerprint} for c in open_run(run["source"]).checkpoints]
    assert [(c["step"], c["tokens"]) for c in run["checkpoints"]] == [(0, 0), (1, 1000), (8, 8000)]


def test_list_says_what_is_computed_what_is_twice_and_what_is_gone(cli, tiny_run, probe_file, probe, tmp_path):
    twice, moved = copied(tiny_run, tmp_path / "twice"), copied(tiny_run, tmp_path / "moved")
    copied(twice / "step8", twice / "step9")
    cli("sweep", twice, moved, "--probe", probe_file, "--measure", RANK)
    shutil.rmtree(moved)
    code, out, err = cli("list")
    assert code == 0 and err.startswith("left out: moved: There is no folder") and "moved" not in out
    assert f"computed on {probe.identity}, token policy last" in out.partition("twice  4 checkpoints")[2]
    assert "warning: step8, step9 have identical weights" in out


def test_show_gives_the_documented_fields_of_each_value_and_null_where_it_is_undefined(cli, shown, swept):
    records = shown("tiny")
    single = sorted(measure.name for measure in registry.usual() if measure.arity == 1)
    assert [(r["revision"], r["site"], r["measure"]) for r in records] == list(itertools.product(STEPS, SITES, single))
    known = {c.revision: (c.step, c.tokens, c.fingerprint) for c in open_run(swept).checkpoints}
    assert all((r["step"], r["tokens"], r["fingerprint"]) == known[r["revision"]] for r in records)
    assert {(r["run"], r["n"], r["d"]) for r in records} == {("tiny", 48, 16)}
    assert len(cli("show", "tiny")[1].splitlines()) == len(records)
    undefined = [(r["value"], r["low"], r["high"]) for r in records if "ends at rank 50" in r["reason"]]
    windowed = [m for m in registry.usual() if m.settings().get("last_rank") == 50]
    assert undefined == [(None, None, None)] * (12 * len(windowed)) and len(windowed) >= 7
    assert {tuple(sorted(set(FIELDS) ^ set(r))) for r in records} == {()} and len(FIELDS) >= 15


def test_shown_values_are_those_of_transformers_and_numpy(shown, swept, probe):
    model, words = GPTNeoXForCausalLM.from_pretrained(swept / "step8"), AutoTokenizer.from_pretrained(swept / "step8")
    with torch.inference_mode():
        rows = np.stack([model(**words(text.text, return_tensors="pt"), output_hidden_states=True)
                         .hidden_states[-1][0, -1].double().numpy() for text in probe.texts])
    expected = np.linalg.eigvalsh(np.cov(rows.T))[::-1]
    found = {r["measure"]: r for r in shown("tiny", "--site", "final") if r["revision"] == "step8"}
    np.testing.assert_allclose(found[SPECTRUM]["value"], expected, rtol=1e-4, atol=1e-10)
    assert found[RANK]["value"] == pytest.approx(expected.sum() / expected[0], rel=1e-4)
    assert found[RANK]["low"] < found[RANK]["value"] < found[RANK]["high"] and found[RANK]["reason"] == ""


def test_show_filters_by_measure_site_policy_and_probe(cli, shown, swept, probe_file):
    cli("sweep", swept, "--probe", probe_file, "--policy", "mean", "--measure", RANK)
    every = shown("tiny")
    found = shown("tiny", "--measure", RANK, "--site", "block 1", "--policy", "last", "--probe", probe_file)
    assert [r["revision"] for r in found] == list(STEPS)
    assert {(r["measure"], r["site"], r["protocol"]["policy"]) for r in found} == {(RANK, "block 1", "last")}
    assert all(r in every for r in found) and {r["protocol"]["policy"] for r in every} == {"last", "mean"}
    assert shown("tiny", "--probe", "numbers-mod-59") == []


def test_a_run_is_the_same_by_name_and_by_folder(shown, swept, monkeypatch):
    monkeypatch.chdir(swept.parent)
    assert shown("tiny") == shown(swept) == shown("./tiny") != []


def test_before_a_sweep_show_says_what_to_run(cli, shown, tiny_run):
    assert shown(tiny_run) == []
    assert cli("show", tiny_run)[:2] == (0, "") and f"analysis sweep {tiny_run}" in cli("show", tiny_run)[2]


def test_compare_takes_the_named_checkpoints_and_is_one_where_they_are_the_same(cli, swept, probe_file):
    found = json.loads(cli("compare", "tiny", "--by", "step", "--site", "block 2", "--probe", probe_file, "--json")[1])
    assert found["rows"] == found["columns"] == [f"{step} block 2" for step in STEPS]
    values = np.array(found["values"])
    np.testing.assert_allclose([np.diag(values), values[0]], [np.ones(3), values[:, 0]])
    assert np.abs(values[~np.eye(3, dtype=bool)]).max() < 0.9
    found = json.loads(cli("compare", "tiny@step0", f"{swept}@step8", "--probe", probe_file, "--json")[1])
    assert [found["rows"], found["columns"]] == [[f"{step} {site}" for site in SITES] for step in ("step0", "step8")]


@pytest.mark.parametrize("measure", ["linear_cka_debiased", "linear_cka_biased"])
def test_undefined_pairs_are_null_and_the_output_stays_json(cli, tiny_run, tmp_path, measure):
    (tmp_path / "same-last-word.txt").write_text("".join(f"w{k} w{k + 1} w0\n" for k in range(1, 20)))
    out = cli("compare", tiny_run, "--measure", measure, "--probe", tmp_path / "same-last-word.txt", "--json")[1]
    found = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert found["values"][0] == [None] * 4 and found["values"][1][1] == pytest.approx(1)
    assert any("rows are all the same" in reason for reason in found["undefined"])


def test_a_second_sweep_needs_no_weights_and_writes_no_result(cli, swept, probe_file, tmp_path, monkeypatch):
    monkeypatch.setattr(compute.Extraction, "ensure", lambda *_: pytest.fail("weights are needed again"))
    before = in_cache(tmp_path)
    assert cli("sweep", "tiny", "--probe", probe_file)[2].startswith("0 of 3 checkpoints needed work")
    assert not [path for path, _ in in_cache(tmp_path).items() ^ before.items() if "runs" not in path.parts]


def test_a_run_is_measured_on_its_own_probe_or_else_the_default(cli, shown, tiny_run, tiny_gpt2, probe_file, tmp_path):
    own = copied(tiny_run / "step0", tmp_path / "own")
    (own / "run.json").write_text(json.dumps({"probe": str(probe_file)}))
    code, _, err = cli("sweep", own, tiny_gpt2, "--measure", RANK, "--measure", "rankme_covariance")
    assert code == 0, err
    for name, probe in (("own", probe_file), ("gpt2", "sotu-held-out")):
        assert {r["protocol"]["probe"] for r in shown(name)} == {load_probe(probe).identity}
        assert {r["measure"] for r in shown(name)} == {RANK, "rankme_covariance"}


def test_two_folders_of_one_name_are_two_runs(cli, probe_file, tmp_path):
    folders = [save("neox", tmp_path / parent / "model", seed=seed) for seed, parent in enumerate("ab")]
    cli("sweep", *folders, "--probe", probe_file, "--measure", RANK)
    assert set(map(str, folders)) <= {run["source"] for run in json.loads(cli("list", "--json")[1])["runs"]}


def test_set_changes_the_window_of_the_fit_and_is_recorded(cli, shown, swept, probe_file):
    cli("sweep", swept, "--probe", probe_file, "--measure", ALPHA, "--set", "first_rank=2", "--set", "last_rank=9")
    window, ranks = {"first_rank": 2, "last_rank": 9}, np.arange(2, 10)
    values = [r["value"] for r in shown("tiny", "--measure", ALPHA) if r["protocol"]["params"] == window]
    spectra = [r["value"][1:9] for r in shown("tiny", "--measure", SPECTRUM)]
    assert values == pytest.approx([-np.polyfit(np.log(ranks), np.log(s), 1, w=ranks**-0.5)[0] for s in spectra])


@pytest.mark.parametrize(("line", "words"), [
    ("show nothing", ["nothing", "sotu-neox-seed1"]), ("show tiny --measure rank_me", ["rank_me", "rankme_"]),
    ("show tiny --site block-9", ["block-9", "block 2"]), ("sweep tiny --policy second", ["second", "every-K"]),
    ("compare tiny@step99", ["step99", "step0, step1, step8"]), ("compare tiny --measure stable_rank", ["linear_cka"]),
    (f"sweep {'x' * 300}", ["xxx"])])
def test_what_is_not_there_is_refused_with_what_is_there(refused, swept, line, words):
    refused(*line.split(), words=words)


@pytest.mark.parametrize("pair", ["last_rank", "last_rank=x", "no_such=3", "last_rank=99999", "last_rank=--5",
                                  "last_rank=²", "last_rank=9 --measure stable_rank"])
def test_a_wrong_setting_is_refused_before_any_work(refused, tiny_run, probe_file, tmp_path, pair):
    refused("sweep", tiny_run, "--probe", probe_file, "--set", *pair.split(), words=[pair.partition("=")[0]])
    assert in_cache(tmp_path) == {}


@pytest.mark.parametrize(("name", "content"), [
    ("empty.jsonl", b""), ("words.jsonl", b"hello"), ("short.txt", b"w1\nw2\n"), ("cut.jsonl.xz", b"\xfd7zXZ\0")])
def test_a_probe_that_cannot_be_used_leaves_nothing(refused, tiny_run, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    refused("sweep", tiny_run, "--probe", tmp_path / name, words=["probe"])
    assert in_cache(tmp_path) == {}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_checkpoint_is_left_out_and_named(refused, tiny_run, probe_file, tmp_path, fault):
    folder, cache = copied(tiny_run, tmp_path / "run"), tmp_path / "cache"
    BROKEN[fault][0](folder / "step8")
    refused("sweep", folder, "--probe", probe_file, words=[str(folder / "step8"), BROKEN[fault][1]])
    opened = [] if fault == "a dangling link" else open_run(tiny_run).checkpoints[:2]
    assert {path.name for path in cache.glob("results/*")} == {checkpoint.fingerprint for checkpoint in opened}
    assert len(list(cache.glob("representations/*"))) == len(opened) and not list(cache.rglob(".*"))


def test_a_refusing_process_exits_with_2_and_one_sentence():
    done = subprocess.run([*COMMAND, "show", "nothing"], cwd=ROOT, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (2, "") and re.fullmatch("error: There is no run .*\n", done.stderr)


@pytest.mark.parametrize(("call", "count"), [("fsync", 1), ("fsync", 5), ("fsync", 9), ("fsync", 20), ("mkdir", 1)])
def test_an_interrupt_loses_only_work_under_way(cli, shown, tiny_run, probe_file, tmp_path, monkeypatch, call, count):
    calls, original = itertools.count(1), getattr(os, call)

    def interrupting(what, *given):
        original(what, *given)
        if (call == "fsync" or "/representations/." in str(what)) and next(calls) == count:
            signal.raise_signal(signal.SIGINT)
    with monkeypatch.context() as patch:
        patch.setattr(os, call, interrupting)
        code, out, err = cli("sweep", tiny_run, "--probe", probe_file)
    assert (code, out) == (130, "") and "finished checkpoints are kept" in err
    assert not list((tmp_path / "cache").rglob(".*"))
    kept = len({r["revision"] for r in shown(tiny_run)})
    assert cli("sweep", tiny_run, "--probe", probe_file)[2].startswith(f"{3 - kept} of 3 checkpoints needed work")
    resumed = shown(tiny_run)  # and now the same without an interrupt
    monkeypatch.setenv("EXPLORER_CACHE", str(tmp_path / "other"))
    cli("sweep", tiny_run, "--probe", probe_file)
    assert shown(tiny_run) == resumed


@pytest.mark.slow
def test_a_terminated_process_exits_with_130_and_the_same_command_goes_on(cli, shown, tiny_run, probe_file, tmp_path):
    folder, status, many = tmp_path / "run", tmp_path / "status.json", 30
    for step in range(many):
        edit_json(copied(tiny_run / "step8", folder / f"step{step}") / "config.json", note=step)
    command = ["sweep", str(folder), "--probe", str(probe_file), "--measure", RANK]
    with subprocess.Popen([*COMMAND, *command, "--status", status], cwd=ROOT, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as worker:
        while worker.poll() is None and not (status.exists() and json.loads(status.read_text())["done"] >= 2):
            time.sleep(0.005)
        worker.terminate()
        out, err = worker.communicate()
    assert (worker.returncode, out) == (130, "") and "the same command goes on" in err.splitlines()[-1]
    assert not list((tmp_path / "cache").rglob(".*"))
    kept = len({r["revision"] for r in shown(folder)})
    assert 1 <= kept < many and cli(*command)[2].startswith(f"{many - kept} of {many} checkpoints needed work")


@pytest.mark.slow
def test_one_new_file_adds_a_measure_without_another_edit(tiny_run, probe_file, tmp_path):
    shutil.copytree(ROOT / "analysis", tmp_path / "analysis", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "demo").symlink_to(ROOT / "demo")
    (tmp_path / "analysis" / "measures" / "toy.py").write_text(TOY)

    def printed(*arguments):
        return subprocess.check_output([*COMMAND, *arguments], cwd=tmp_path, text=True)
    *before, last = registry.all_measures()
    assert [line.split()[0] for line in printed("measures").splitlines()] == [*before, "column_count", last]
    printed("sweep", tiny_run, "--probe", probe_file, "--measure", "column_count")
    found = json.loads(printed("show", "tiny", "--json"))
    assert [(r["revision"], r["site"]) for r in found] == list(itertools.product(STEPS, SITES))
    assert all([r["low"], r["value"], r["high"]] == pytest.approx([16, 16, 16]) for r in found)
