"""Measures on shares of the documents: which rows are drawn, what is stored, what comes back, and the command."""

import json
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest

from analysis import compute, registry, sample_size, summaries
from analysis.__main__ import main
from analysis.checkpoints.folder import open_run
from analysis.errors import ExplorerError
from analysis.extraction.library import find_probe
from analysis.extraction.probes import AS_GIVEN
from analysis.inference.shares import DRAWS, POLICY_ENDS, SHARES, WHOLE, drawn, spread
from analysis.keys import Policy
from analysis.representations import Protocol, ensure
from tests.checkpoints.models import copied, edit_weights

RANKS = ("rankme_covariance", "stable_rank")
DOCUMENTS = [f"document {k % 30}" for k in range(200)]  # 30 documents of 6 or 7 rows


@pytest.fixture
def question(protocol):
    return sample_size.Question(protocol, sample_size.asked(RANKS))


@pytest.fixture
def measured(store, run, question):
    assert sample_size.measure_shares(store, run.checkpoints, question) == 3
    return sample_size.records(store, run, question)


@pytest.fixture
def cli(capsys):
    def call(*arguments):
        capsys.readouterr()
        return main([str(argument) for argument in arguments]), *capsys.readouterr()
    return call


def rows_run(path, rows, documents):
    """A run of rows that came without a model, and the protocol that reads them."""
    np.savez(path, rows=rows.astype(np.float32), documents=np.array(documents))
    return open_run(path), Protocol(find_probe(AS_GIVEN), Policy.parse("last"))


# --- draws ---


@pytest.mark.parametrize("eighths", SHARES)
@pytest.mark.parametrize("draw", range(1, DRAWS + 1))
def test_a_draw_has_whole_documents_and_about_its_share_of_the_rows(eighths, draw):
    kept = drawn(DOCUMENTS, eighths, draw)
    inside = {name for name, is_in in zip(DOCUMENTS, kept, strict=True) if is_in}
    assert [name in inside for name in DOCUMENTS] == kept.tolist(), "a document is in it with all its rows or none"
    assert abs(len(inside) - 30 * eighths / WHOLE) <= 2 and abs(kept.mean() - eighths / WHOLE) < 0.08


@pytest.mark.parametrize(("eighths", "in_one_deal"), [(1, 8), (2, 4), (4, 2)])
def test_draws_of_one_deal_have_no_row_in_common_and_all_rows_together(eighths, in_one_deal):
    for first in range(1, DRAWS + 1, in_one_deal):
        times = sum(drawn(DOCUMENTS, eighths, first + k).astype(int) for k in range(in_one_deal))
        assert times.tolist() == [1] * len(DOCUMENTS)


def test_draws_above_a_half_leave_each_document_out_once_in_a_deal():
    times = sum(drawn(DOCUMENTS, 6, draw).astype(int) for draw in range(1, 5))
    assert times.tolist() == [3] * len(DOCUMENTS)


def test_draws_are_the_same_again_all_different_and_know_documents_by_name_only():
    masks = [drawn(DOCUMENTS, eighths, draw) for eighths in SHARES for draw in range(1, DRAWS + 1)]
    assert len({mask.tobytes() for mask in masks}) == len(masks)
    order = np.random.default_rng(1).permutation(len(DOCUMENTS))
    shuffled = [DOCUMENTS[k] for k in order]
    for eighths in SHARES:
        again = drawn(shuffled, eighths, 3)
        np.testing.assert_array_equal(again, drawn(DOCUMENTS, eighths, 3)[order])
    assert drawn(DOCUMENTS, WHOLE, 1).all()


def test_documents_of_very_unequal_size_still_give_shares_of_near_equal_size():
    documents = [f"d{k}" for k in range(40) for _ in range(1 + k)]  # 820 rows, documents of 1 to 40
    sizes = [drawn(documents, 1, draw).sum() for draw in range(1, DRAWS + 1)]
    assert sum(sizes) == len(documents) and max(sizes) < 1.4 * min(sizes)


@pytest.mark.parametrize("eighths", SHARES)
def test_the_spread_is_the_standard_deviation_of_a_mean_of_so_many_documents(eighths):
    rng, documents = np.random.default_rng(2), [f"d{k}" for k in range(64)]
    masks = [drawn(documents, eighths, draw) for draw in range(1, DRAWS + 1)]
    variances = []
    for _ in range(400):
        x = rng.standard_normal(64)
        variances.append(spread([x[mask].mean() for mask in masks], range(1, DRAWS + 1), eighths) ** 2)
    assert np.mean(variances) == pytest.approx(1 / (8 * eighths), rel=0.1)


def test_a_single_draw_of_each_deal_has_no_spread():
    assert spread([1.0, 2.0], [1, 3], 4) is None
    assert spread([1.0, 2.0], [1, 2], 4) == pytest.approx(np.std([1.0, 2.0], ddof=1))


# --- values ---


def test_a_value_is_the_measure_on_the_rows_of_its_draw(measured, store, run, protocol):
    found = ensure(store, run.at("step8"), protocol)
    for record in (r for r in measured if r["revision"] == "step8"):
        mask = drawn(found.document_ids, round(record["share"] * WHOLE), record["draw"])
        rows = found.rows["final"][mask]
        assert (record["n"], record["d"]) == rows.shape
        assert record["value"] == pytest.approx(registry.get(record["measure"])(rows).value)


def test_each_checkpoint_and_measure_has_each_draw_once_and_all_rows_once(measured):
    parts = [(e / WHOLE, draw) for e in SHARES for draw in range(1, DRAWS + 1)] + [(1.0, 1)]
    assert [(r["revision"], r["measure"], r["share"], r["draw"]) for r in measured] == [
        (step, name, *part) for step in ("step0", "step1", "step8") for name in RANKS for part in parts]
    assert {r["site"] for r in measured} == {"final"}, "the last site, as none was named"


def test_the_value_at_all_rows_is_that_of_a_sweep(measured, store, run, protocol):
    compute.sweep(store, [run], protocol, [registry.get(name) for name in RANKS])
    swept = {(r["revision"], r["measure"]): r["value"] for r in compute.records(
        store, run, policy=protocol.rows, site="final")}
    assert {(r["revision"], r["measure"]): r["value"] for r in measured if r["share"] == 1} == pytest.approx(swept)


def test_records_have_the_fields_of_every_other_record_and_their_share_and_draw(measured, store, run, protocol):
    compute.sweep(store, [run], protocol, [registry.get("stable_rank")])
    other = compute.records(store, run, policy=protocol.rows)[0]
    assert set(measured[0]) == {*other, "share", "draw"}
    assert measured[-1]["protocol"] == {**other["protocol"]}, "the protocol is that of the rows it was drawn from"


def test_plug_in_rank_of_noise_rises_with_the_rows_and_the_corrected_value_does_not(store, tmp_path):
    x = np.random.default_rng(0).standard_normal((2048, 32)) * np.arange(1, 33)**-0.5
    run, protocol = rows_run(tmp_path / "noise.npz", x, [f"d{k // 8}" for k in range(2048)])
    question = sample_size.Question(protocol, sample_size.asked(
        ["participation_ratio", "participation_ratio_row_corrected"]))
    sample_size.measure_shares(store, run.checkpoints, question)
    by_measure = {name: [level["mean"] for level in sample_size.levels(
        r for r in sample_size.records(store, run, question) if r["measure"] == name)]
        for name in ("participation_ratio", "participation_ratio_row_corrected")}
    plug_in, fixed = by_measure.values()
    assert plug_in == sorted(plug_in) and plug_in[-1] - plug_in[0] > 0.3
    assert max(fixed) - min(fixed) < 0.3 * (plug_in[-1] - plug_in[0])


def test_a_measure_without_a_value_on_few_rows_says_why_and_has_no_mean_there(store, run, protocol):
    question = sample_size.Question(protocol, sample_size.asked(["alpha_weighted_least_squares"]),
                                    {"alpha_weighted_least_squares": {"first_rank": 2, "last_rank": 6}})
    sample_size.measure_shares(store, run.checkpoints[-1:], question)
    found = sample_size.records(store, run, question)
    assert {r["share"] for r in found if r["reason"]} == {0.125}
    assert any(r["share"] == 0.125 and r["value"] is not None for r in found), "a larger draw of that share has one"
    assert [level["share"] for level in sample_size.levels(found)] == [0.25, 0.5, 0.75, 1.0]
    first, = sample_size.first_of_each_reason(found)
    assert first["site"] == "final on 0.125 of the documents" and first["value"] is None
    assert any(line.endswith(first["reason"]) for line in sample_size.table(found))
    assert not sample_size.records(store, run, replace(question, settings={})), "other settings are other values"


def test_the_corrected_value_is_that_at_all_rows_of_a_sweep_or_of_the_shares(store, run, protocol):
    question = sample_size.Question(protocol, sample_size.asked(["rankme_covariance"]))
    assert sample_size.corrected(store, run, question) == []
    other = replace(question, measures=sample_size.asked(["rankme_covariance_richardson"]))
    sample_size.measure_shares(store, run.checkpoints[-1:], other)
    (own,) = sample_size.corrected(store, run, question)
    compute.sweep(store, [run], protocol, list(other.measures))
    swept = sample_size.corrected(store, run, question)
    assert own["revision"] == "step8" and sorted(r["revision"] for r in swept) == ["step0", "step1", "step8"]
    assert {r["revision"]: r["value"] for r in swept}["step8"] == pytest.approx(own["value"])
    assert sample_size.corrected(store, run, replace(question, measures=sample_size.asked(["stable_rank"]))) == []


def test_a_sentence_says_how_far_each_checkpoint_moves_from_half_to_all(measured):
    said = sample_size.moves([r for r in measured if r["measure"] == "stable_rank"])
    assert len(said) == 3 and all("on half of the documents" in one and "%" in one for one in said)
    away = [{"run": measured[0]["run"], "revision": "step8", "value": 12.5}]
    said = sample_size.moves([r for r in measured if r["measure"] == "stable_rank"], away)
    assert [one.endswith("; corrected, 12.5.") for one in said] == [False, False, True], "where that is known"


# --- what other readers see ---


def test_shares_stand_in_no_list_of_other_values(measured, store, run, protocol, cli, tiny_run):
    assert summaries.loaded(store, [run])[0]["computed on"] == "nothing yet"
    assert compute.records(store, run, policy=protocol.rows) == compute.records(store, run) == []
    assert compute.records(store, run, policy=f"{protocol.rows}{POLICY_ENDS}"), "only where they are asked for"
    assert compute.protocols(store, [run]) == []
    cli("open", tiny_run)
    assert "shares" not in cli("list")[1]
    assert json.loads(cli("show", "tiny", "--json")[1]) == []
    compute.sweep(store, [run], protocol, [registry.get("stable_rank")])
    assert {r["protocol"]["policy"] for r in json.loads(cli("show", "tiny", "--json")[1])} == {"last"}
    assert sample_size.records(store, run, sample_size.Question(protocol, sample_size.asked(RANKS))) == measured


def test_no_measure_has_a_parameter_that_would_hide_the_share_or_the_draw():
    names = {param.name for measure in registry.all_measures().values() for param in measure.params}
    assert not names & {sample_size.EIGHTHS, sample_size.DRAW}


# --- working ---


def test_what_is_stored_is_not_computed_again_and_another_measure_is_added(measured, store, run, question,
                                                                          monkeypatch):
    own = replace(question, measures=sample_size.asked([*RANKS, "participation_ratio"]))
    assert len(sample_size.lacking(store, [run], ["step1", "step8"], own)) == 2
    assert sample_size.measure_shares(store, run.checkpoints, own) == 3
    assert len(sample_size.records(store, run, own)) == len(measured) * 3 // 2
    monkeypatch.setattr(sample_size, "Moments", None)
    assert sample_size.measure_shares(store, run.checkpoints, own) == 0
    assert sample_size.lacking(store, [run], ["step1", "step8"], own) == []


def test_an_interrupt_keeps_the_shares_that_were_finished(store, run, question):
    def stop(done, total, message):
        if "step1: 4/8" in message:
            raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        sample_size.measure_shares(store, run.checkpoints, question, stop)
    found = sample_size.records(store, run, question)
    assert {r["share"] for r in found if r["revision"] == "step1"} == {0.125, 0.25}
    assert [c.revision for c in sample_size.lacking(store, [run], ["step0", "step1", "step8"], question)] == [
        "step1", "step8"]
    assert sample_size.measure_shares(store, run.checkpoints, question) == 2
    assert not list((store.root / "claims").glob("*"))


def test_progress_rises_to_the_number_of_checkpoints(store, run, question):
    said = []
    sample_size.measure_shares(store, run.checkpoints, question, lambda done, total, message: said.append(done / total))
    assert said[-1] == 1 and max(said) == 1 and len(set(said)) > 10


def test_a_checkpoint_that_another_process_works_on_comes_last(store, run, question, monkeypatch):
    busy, original, order = sample_size.key_of(run.at("step0"), question.protocol).digest, store.claimed, []

    def claimed(name, wait=False, report=None):
        order.append((name, wait))
        return nullcontext(False) if name == busy and not wait else original(name, wait)
    monkeypatch.setattr(store, "claimed", claimed)
    assert sample_size.measure_shares(store, run.checkpoints, question) == 3
    assert (busy, True) in order[-2:]


def test_a_broken_checkpoint_is_named_and_the_others_are_done(tiny_run, tmp_path, store, question):
    folder = copied(tiny_run, tmp_path / "copy")
    edit_weights(folder / "step1", lambda t: t.pop("embed_out.weight"))
    with pytest.raises(ExplorerError, match=r"1 of 3 checkpoints could not .*copy step1: .*1 tensor.*missing"):
        sample_size.measure_shares(store, open_run(folder).checkpoints, question)
    assert {r["revision"] for r in sample_size.records(store, open_run(folder), question)} == {"step0", "step8"}


def test_fewer_than_eight_documents_are_refused_with_their_number(store, tmp_path):
    run, protocol = rows_run(tmp_path / "few.npz", np.random.default_rng(0).standard_normal((70, 4)),
                             [f"d{k % 7}" for k in range(70)])
    with pytest.raises(ExplorerError, match=r"7 document\(s\).*at least 8.*--probe"):
        sample_size.measure_shares(store, run.checkpoints, sample_size.Question(protocol, sample_size.asked(RANKS)))


def test_a_site_that_is_not_there_is_named_with_those_that_are(measured, store, run, question):
    with pytest.raises(ExplorerError, match="no site 'block 9'; it has embedding, block 1"):
        sample_size.measure_shares(store, run.checkpoints, replace(question, site="block 9"))
    assert sample_size.lacking(store, [run], ["step8"], replace(question, site="block 9")) == []
    assert sample_size.lacking(store, [run], ["step8"], replace(question, site="block 1"))


@pytest.mark.parametrize(("name", "words"), [("linear_cka_debiased", "compares two"),
                                             ("covariance_eigenspectrum", "is not one number")])
def test_other_than_single_numbers_are_refused(name, words):
    with pytest.raises(ExplorerError, match=f"{name} {words}.*analysis measures"):
        sample_size.asked([name])


# --- the command ---


def test_the_command_measures_the_last_checkpoint_lists_and_remembers(cli, tiny_run, probe_file):
    arguments = ["sample-size", tiny_run, "--probe", probe_file, "--measure", "stable_rank"]
    code, out, err = cli(*arguments, "--json")
    found = json.loads(out)
    assert code == 0 and err.startswith("1 checkpoint(s) needed work") and len(found) == 33
    assert {r["revision"] for r in found} == {"step8"} and {r["measure"] for r in found} == {"stable_rank"}
    code, out, err = cli(*arguments)
    assert code == 0 and err.startswith("0 checkpoint(s)") and len(out.splitlines()) == 5 and "±" in out
    code, out, _ = cli(*arguments, "--only", "step0", "--only", "step1", "--site", "embedding", "--json")
    assert [r["revision"] for r in json.loads(out)] == ["step0"] * 33 + ["step1"] * 33
    assert {r["site"] for r in json.loads(out)} == {"embedding"}
    assert "tiny" in {run["name"] for run in json.loads(cli("list", "--json")[1])["runs"]}


def test_the_usual_measures_are_those_that_need_no_name(cli, tiny_run, probe_file):
    out = cli("sample-size", tiny_run, "--probe", probe_file, "--json")[1]
    assert {r["measure"] for r in json.loads(out)} == set(sample_size.USUAL)


@pytest.mark.parametrize(("arguments", "words"), [
    (["--only", "step99"], ["step99", "step0, step1, step8"]), (["--measure", "rankme"], ["rankme_covariance"]),
    (["--set", "last_rank=x"], ["last_rank=x"])], ids=str)
def test_what_cannot_be_used_is_refused_before_any_work(cli, tiny_run, tmp_path, probe_file, arguments, words):
    code, out, err = cli("sample-size", tiny_run, "--probe", probe_file, *arguments)
    assert (code, out) == (2, "") and all(word in err for word in words)
    assert not list((tmp_path / "cache").rglob("*.safetensors"))
