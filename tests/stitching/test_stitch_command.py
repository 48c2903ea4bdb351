"""The command `stitch` as a script meets it: records, lines, both directions, a trained stitch, and exit codes."""

import json

import pytest

from analysis.__main__ import main
from analysis.stitching.outcome import WARNING


@pytest.fixture
def cli(capsys, tiny_run, probe_file):
    """Runs `stitch` on the tiny run and gives its exit code, standard output and standard error."""
    def run(*arguments, sender="step1", receiver="step8"):
        code = main(["stitch", f"{tiny_run}@{sender}", f"{tiny_run}@{receiver}", "--probe", str(probe_file), "--map",
                     "affine", "--tokens", "100", *arguments])
        return code, *capsys.readouterr()
    return run


def test_json_is_a_record_for_every_stitch_and_baseline(cli):
    code, out, err = cli("--json")
    records = json.loads(out)
    assert code == 0 and "4 site(s) of tiny step1 needed work" in err
    assert {record["of"] for record in records} == {"sender", "random", "self"}
    assert {record["map"] for record in records if record["of"] == "sender"} == {"affine", "identity", "mean",
                                                                                 "shuffled"}
    assert {"penalty", "penalty_low", "penalty_high", "recovered", "r2", "agreement", "uninformative", "n", "d",
            "run_a", "revision_b", "protocol", "too_few_rows"} <= set(records[0])
    assert cli("--json")[1] == out, "the same again, from the store"
    assert "0 site(s) of tiny step1 needed work" in cli("--json")[2]


def test_a_line_a_stitch_with_the_warning_of_too_few_rows(cli):
    code, out, _ = cli("--from-site", "block 1", "--tokens", "30")
    lines = out.splitlines()
    assert code == 0 and "penalty" in lines[0] and "95 % interval" in lines[0]
    assert sum("block 1    block 1    affine" in line for line in lines) == 3
    assert "rows per input" in lines[-1] and "choose ridge" in lines[-1]


def test_both_directions_are_two_sets_of_records(cli):
    records = json.loads(cli("--both", "--from-site", "final", "--json")[1])
    assert {(record["revision_a"], record["revision_b"]) for record in records} == {("step1", "step8"),
                                                                                    ("step8", "step1")}


def test_a_trained_stitch_is_printed_beside_the_fitted_one_with_the_warning(cli):
    code, out, _ = cli("--trained", "block 1", "block 2")
    assert code == 0 and WARNING in out and "trained" in out.splitlines()[2]
    fitted, trained = json.loads(cli("--trained", "block 1", "block 2", "--json")[1])
    assert (fitted["map"], trained["map"], trained["warning"]) == ("affine", "trained", WARNING)


def test_a_lens_of_one_checkpoint(cli):
    records = json.loads(cli("--pairs", "lens", "--json", sender="step8")[1])
    assert {(record["source"], record["target"]) for record in records} == {("embedding", "block 2"),
                                                                            ("block 1", "block 2")}


@pytest.mark.parametrize(("given", "said"), [
    (["--pairs", "lens"], "two models were given"), (["--from-site", "block 9"], "has no site 'block 9'"),
    (["--trained", "block 1", "end"], "The receiver has no site 'end'"), (["--tokens", "0"], "1 token or more"),
    (["--pairs", "lens", "--from-site", "block 1"], "--from-site")])
def test_what_cannot_be_used_is_one_sentence_and_exit_code_2(cli, given, said):
    code, out, err = cli(*given)
    assert code == 2 and out == "" and said in err


def test_stopping_keeps_what_is_finished_and_exits_with_130(cli, monkeypatch):
    from analysis.stitching.bench import Bench
    measure, seen = Bench.measure, []

    def stopping(self, source, targets, progress):
        seen.append(source)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return measure(self, source, targets, progress)
    monkeypatch.setattr(Bench, "measure", stopping)
    assert cli()[0] == 130
    assert "3 site(s) of tiny step1 needed work" in cli()[2]
