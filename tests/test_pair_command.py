"""The command `pair`: what it takes for a side, what it prints and what it keeps."""

import json

import pytest

from analysis import registry, similarity, views
from analysis.__main__ import main, open_store
from analysis.errors import ExplorerError
from analysis.extraction.probes import load_probe
from analysis.keys import Policy
from analysis.pair_command import parse_item
from analysis.pairs import cells, sheet, shown
from analysis.representations import Protocol
from analysis.runs import find_run, remember

FIELDS = {"measure", "value", "low", "high", "chance", "null_mean", "threshold", "calibrated", "p", "reason"}


@pytest.fixture
def mine(tiny_run):
    run = find_run(open_store(), str(tiny_run))
    remember(open_store(), run)
    return run


@pytest.fixture
def printed(capsys, probe_file):
    def run(*arguments):
        capsys.readouterr()
        assert main(["pair", *arguments, "--probe", str(probe_file)]) == 0
        return capsys.readouterr().out
    return run


@pytest.mark.parametrize(("text", "expected"), [
    ("tiny", ("tiny", None, "final")),
    ("tiny@step8", ("tiny", "step8", "final")),
    ("tiny@step8:block 1", ("tiny", "step8", "block 1")),
    ("tiny:embedding", ("tiny", None, "embedding")),
    ("tiny@:embedding", ("tiny", None, "embedding")),
    ("tiny@step8:", ("tiny", "step8", "final")),
    ("hub:EleutherAI/pythia-70m", ("hub:EleutherAI/pythia-70m", None, "final")),
    ("hub:EleutherAI/pythia-70m@step512:final", ("hub:EleutherAI/pythia-70m", "step512", "final")),
    ("hub:EleutherAI/pythia-70m:block 2", ("hub:EleutherAI/pythia-70m", None, "block 2")),
    ("/a/b:c/d", ("/a/b:c/d", None, "final")),
    ("", ("", None, "final")),
], ids=str)
def test_a_side_is_a_run_with_or_without_revision_and_site(text, expected):
    assert views.split_item(text) == expected


def test_a_side_is_found_and_named_again_as_it_was_given(mine):
    run, checkpoint, site = parse_item(open_store(), "tiny@step1:block 2")
    assert (run, checkpoint, site) == (mine, mine.at("step1"), "block 2")
    assert views.item_name(checkpoint, site) == "tiny@step1:block 2"
    assert parse_item(open_store(), "tiny")[1:] == (mine.at("step8"), "final")


@pytest.mark.parametrize(("text", "words"), [
    ("nothing@step1", "no run or folder nothing"), ("tiny@step7", "tiny has no checkpoint step7; it has step0, step1"),
    ("@step1", "names no run"), ("", "names no run")], ids=str)
def test_a_wrong_side_is_refused_with_what_there_is(mine, text, words):
    with pytest.raises(ExplorerError, match=words):
        parse_item(open_store(), text)


def test_a_wrong_site_ends_with_a_sentence_that_names_the_sites(mine, probe_file, capsys):
    assert main(["pair", "tiny:block 9", "tiny", "--probe", str(probe_file)]) == 2
    assert "tiny step8 has no site 'block 9'; it has embedding, block 1, block 2, final" in capsys.readouterr().err


def test_a_measure_of_one_representation_is_refused(mine, probe_file, capsys):
    assert main(["pair", "tiny", "tiny", "--probe", str(probe_file), "--measure", "stable_rank"]) == 2
    assert "stable_rank describes one representation" in capsys.readouterr().err


def test_every_measure_is_computed_stored_and_printed_as_the_store_holds_it(mine, printed, probe_file):
    rows = json.loads(printed("tiny@step0", "tiny@step8", "--json"))
    expected = [m.name for m in registry.of_kind(arity=2, returns="scalar") if not m.on_demand]
    assert sorted(row["measure"] for row in rows) == sorted(expected) and {frozenset(row) for row in rows} == {
        frozenset(FIELDS)}
    protocol = Protocol(load_probe(probe_file), Policy.parse("last"))
    a, b = ((mine.at(name), "final") for name in ("step0", "step8"))
    found = sheet.stored(open_store(), a, b, protocol)
    assert set(found) == set(expected)
    row = next(row for row in rows if row["measure"] == "linear_cka_debiased")
    matrix = similarity.matrix(open_store(), [a], [b], registry.get("linear_cka_debiased"), protocol)
    said = cells.verdict(matrix, registry.get("linear_cka_debiased"))
    assert [row[name] for name in ("value", "low", "null_mean", "threshold", "calibrated", "p", "chance")] == [
        matrix.values[0, 0], cells.interval(matrix)[0][0, 0], said.mean[0, 0], said.threshold[0, 0],
        said.calibrated[0, 0], said.p[0, 0], 0.0]
    assert all((row["value"] is None) == bool(row["reason"]) for row in rows)


def test_named_measures_only_and_a_table_for_people(mine, printed):
    lines = printed("tiny@step0", "tiny@step8:block 1", "--measure", "cca_mean", "--measure", "svcca").splitlines()
    assert [line.split()[0] for line in lines] == ["measure", "cca_mean", "svcca"]


def test_an_undefined_value_is_null_with_its_reason():
    line = shown.Line(measure=registry.get("svcca"), reason="all rows of one side are the same")
    assert sheet.record(line) == dict.fromkeys(FIELDS) | {"measure": "svcca", "reason": line.reason}


def test_every_measure_is_of_a_kind_and_stands_with_its_kind():
    kinds = [shown.group(measure) for measure in sheet.measures()]
    assert shown.OTHERS not in kinds and list(dict.fromkeys(kinds)) == list(shown.GROUPS)
    assert kinds == sorted(kinds, key=list(shown.GROUPS).index) and sheet.measures()[0].name == "linear_cka_debiased"


@pytest.mark.parametrize(("name", "expected"), [
    ("linear_cka_debiased", "R S T"), ("cca_mean", "R S T L"), ("rsa_correlation_spearman", "S")])
def test_marks_are_the_invariances_of_the_record(name, expected):
    assert sheet.marks(registry.get(name)) == expected
