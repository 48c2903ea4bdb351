"""The command `map`: what it takes, what it prints and what it keeps."""

import json

import pytest

from analysis.__main__ import _parser, main, open_store
from analysis.extraction.probes import load_probe
from analysis.keys import Policy
from analysis.map_command import map_points
from analysis.maps import computing
from analysis.maps.computing import Question, frames_for
from analysis.representations import Protocol
from analysis.runs import find_run, remember
from analysis.status import Status


@pytest.fixture
def mine(tiny_run):
    run = find_run(open_store(), str(tiny_run))
    remember(open_store(), run)
    return run


@pytest.fixture
def printed(capsys, probe_file):
    def run(*arguments):
        capsys.readouterr()
        assert main(["map", *arguments, "--probe", str(probe_file)]) == 0
        return capsys.readouterr().out
    return run


def test_a_map_is_printed_as_the_store_holds_it(mine, printed, probe_file):
    told = json.loads(printed("tiny", "--points", "20", "--seed", "3", "--policy", "words-1", "--site", "block 2",
                              "--json"))
    protocol = Protocol(load_probe(probe_file), Policy.parse("words-1"))
    found = computing.stored(open_store(), Question(frames_for(mine, site="block 2"), "steps", "pca", protocol, 20, 3))
    assert (told["drawn"], told["searched"], told["total"], told["seed"]) == (20, found.searched, found.total, 3)
    assert (told["method"], told["over"], told["settings"]) == ("pca", "steps", found.settings)
    assert told["alignment"] == found.alignment and told["protocol"]["policy"] == "words-1"
    assert [frame["revision"] for frame in told["frames"]] == ["step0", "step1", "step8"]
    for number, frame in enumerate(told["frames"]):
        assert frame.items() >= found.facts[number].items() and (frame["run"], frame["site"]) == ("tiny", "block 2")
    assert [row["row"] for row in told["rows"]] == list(found.row_ids[:20])
    for number, row in enumerate(told["rows"]):
        assert (row["token"], row["context"]) == (found.tokens[number], found.contexts[number])
        assert row["positions"] == found.positions[:, number].tolist() and len(row["norms"]) == 3
        assert row["distances"] == found.distances[:, number].tolist()
        assert row["neighbours"][2] == [found.row_ids[near] for near in found.neighbours[2, number]]


def test_a_second_call_reads_what_the_first_has_stored(mine, printed, monkeypatch):
    first = printed("tiny", "--json")
    monkeypatch.setattr(computing, "_map", None)
    assert printed("tiny", "--json") == first


def test_layers_of_the_named_checkpoint_are_mapped_in_order_of_depth(mine, printed):
    frames = json.loads(printed("tiny@step1", "--over", "layers", "--policy", "mean", "--json"))["frames"]
    assert [(frame["revision"], frame["site"]) for frame in frames] == [
        ("step1", site) for site in ("embedding", "block 1", "block 2", "final")]
    frames = json.loads(printed("tiny", "--over", "layers", "--only", "final", "--only", "block 2", "--json"))["frames"]
    assert [(frame["revision"], frame["site"]) for frame in frames] == [("step8", "block 2"), ("step8", "final")]


@pytest.mark.parametrize(("arguments", "revisions"), [
    (["tiny"], ["step0", "step1", "step8"]), (["tiny@step1"], ["step1"]), (["tiny", "--pick", "log-1"], ["step8"]),
    (["tiny", "--pick", "log-2"], ["step0", "step8"]),
    (["tiny", "--only", "step8", "--only", "step1"], ["step1", "step8"])])
def test_checkpoints_are_picked_or_named(mine, printed, arguments, revisions):
    assert [frame["revision"] for frame in json.loads(printed(*arguments, "--json"))["frames"]] == revisions


def test_without_json_a_table_of_frames_is_printed_with_what_is_drawn(mine, printed):
    lines = printed("tiny", "--method", "tsne", "--points", "30").splitlines()
    assert lines[0].split() == ["frame", "trustworthiness", "overlap", "rank", "correlation"]
    assert [line.split()[0] for line in lines[1:4]] == ["step0", "step1", "step8"]
    assert lines[4].startswith("30 drawn of 48 searched of 48 rows, seed 0. t-SNE of each frame")


@pytest.mark.parametrize(("arguments", "words"), [
    (["--points", "5"], "A map draws 8 to 5000 rows"), (["--pick", "every-2"], "'every-2' picks no checkpoints"),
    (["--only", "step5"], "tiny has no checkpoint 'step5'; it has step0, step1, step8"),
    (["--site", "block 7"], "has no site 'block 7'; it has embedding"),
    (["--over", "layers", "--only", "x"], "tiny step8 has no site 'x'; it has embedding"),
    (["--policy", "never"], "token policy 'never' is not known")])
def test_what_cannot_be_mapped_ends_with_a_sentence(mine, probe_file, capsys, arguments, words):
    assert main(["map", "tiny", *arguments, "--probe", str(probe_file)]) == 2
    error, = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert words in error


def test_a_run_that_is_mapped_is_remembered(tiny_run, printed):
    printed(str(tiny_run), "--points", "10")
    assert str(tiny_run) in open_store().remembered_runs().values()


def test_a_worker_prints_nothing_and_leaves_its_map_in_the_store(mine, probe_file, tmp_path, capsys):
    status = Status(str(tmp_path / "status.json"))
    map_points(_parser().parse_args(["map", "tiny", "--probe", str(probe_file)]), open_store(), status)
    assert capsys.readouterr().out == ""
    protocol = Protocol(load_probe(probe_file), Policy.parse("last"))
    assert computing.stored(open_store(), Question(frames_for(mine), "steps", "pca", protocol)) is not None
    assert json.loads((tmp_path / "status.json").read_text())["message"] == "done"
