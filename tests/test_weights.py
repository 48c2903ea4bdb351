"""Weight measures of checkpoints: what is read, what is stored, what comes back, and the command that does it."""

import json
import os
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from analysis import compute, registry, weights
from analysis.__main__ import main
from analysis.checkpoints.folder import open_run
from analysis.errors import ExplorerError
from analysis.extraction.weight_matrices import WeightMatrices
from analysis.representations import Protocol
from analysis.runs import open_on_hub
from analysis.weight_measures import MEASURES
from tests.checkpoints.models import copied, edit_json, edit_weights, save
from tests.hub.conftest import hub, step_folders  # noqa: F401  (fixtures)

EMBEDDING, HEAD = "gpt_neox.embed_in.weight", "embed_out.weight"
DENSE, MLP = "gpt_neox.layers.{}.attention.dense.weight", "gpt_neox.layers.{}.mlp.dense_4h_to_h.weight"


def tensors(folder):
    return {name: tensor.double().numpy() for name, tensor in load_file(folder / "model.safetensors").items()}


def values(found, measure, revision):
    return {r["site"]: r["value"] for r in found if (r["measure"], r["revision"]) == (measure, revision)}


@pytest.fixture
def folder(tiny_run, tmp_path):
    """A copy of the tiny run, to break."""
    return copied(tiny_run, tmp_path / "copy")


@pytest.fixture
def measured(store, run):
    assert weights.measure_weights(store, [run]) == 3
    return weights.records(store, run)


@pytest.fixture
def cli(capsys):
    def call(*arguments):
        capsys.readouterr()
        return main([str(argument) for argument in arguments]), *capsys.readouterr()
    return call


# --- values ---


def test_values_are_those_of_numpy_on_the_tensors_of_the_file(measured, tiny_run):
    first, last = (tensors(tiny_run / step) for step in ("step0", "step8"))
    for site, value in values(measured, "weight_stable_rank", "step8").items():
        assert value == pytest.approx(np.linalg.norm(last[site]) ** 2 / np.linalg.norm(last[site], 2) ** 2)
    for site, value in values(measured, "weight_frobenius_norm", "step0").items():
        assert value == pytest.approx(np.linalg.norm(first[site]))
    for site, value in values(measured, "weight_relative_change", "step8").items():
        assert value == pytest.approx(np.linalg.norm(last[site] - first[site]) / np.linalg.norm(first[site]))
    for site, value in values(measured, "weight_change_stable_rank", "step8").items():
        change = last[site] - first[site]
        assert value == pytest.approx(np.linalg.norm(change) ** 2 / np.linalg.norm(change, 2) ** 2)


def test_each_checkpoint_and_matrix_has_each_measure_once(measured, tiny_run):
    sites, names = list(WeightMatrices(tiny_run / "step0")), sorted(measure.name for measure in MEASURES)
    assert [(r["revision"], r["site"], r["measure"]) for r in measured] == [
        (step, site, name) for step in ("step0", "step1", "step8") for site in sites for name in names]
    assert {(r["low"], r["high"]) for r in measured} == {(None, None)}
    assert all((r["value"] is None) == bool(r["reason"]) for r in measured)
    assert {(r["step"], r["tokens"]) for r in measured} == {(0, 0), (1, 1000), (8, 8000)}


def test_the_reference_has_not_moved_and_its_change_has_no_rank(measured):
    assert set(values(measured, "weight_relative_change", "step0").values()) == {0.0}
    assert {r["reason"] for r in measured if r["measure"] == "weight_change_stable_rank" and r["step"] == 0} == {
        "the matrix is that of the reference checkpoint, and no change has no rank"}


def test_records_have_the_fields_of_every_other_record(measured, store, run, protocol):
    compute.sweep(store, [run], protocol, [registry.get("stable_rank")])
    other = compute.records(store, run)
    assert {tuple(record) for record in measured} == {tuple(record) for record in other}
    assert {r["measure"] for r in other} == {"stable_rank"}, "weights are not drawn among representations"
    assert set(measured[0]["protocol"]) == set(other[0]["protocol"])
    size, = {(r["n"], r["d"]) for r in measured if r["site"] == MLP.format(0)}
    assert size == (16, 32)


def test_another_reference_stands_beside_the_first(measured, store, run, tiny_run):
    assert weights.measure_weights(store, [run], "step8") == 3
    found = weights.records(store, run, measure="weight_relative_change", sites=[HEAD], reference="step8")
    assert [r["revision"] for r in found] == ["step0", "step1", "step8"] and found[-1]["value"] == 0
    last, first = tensors(tiny_run / "step8")[HEAD], tensors(tiny_run / "step0")[HEAD]
    assert found[0]["value"] == pytest.approx(np.linalg.norm(last - first) / np.linalg.norm(last))
    assert {r["protocol"]["policy"] for r in found} == {f"minus {run.at('step8').fingerprint[:12]}"}
    assert weights.records(store, run) == measured


def test_a_vocabulary_that_grew_and_a_new_matrix_are_undefined_with_the_reason(folder, store):
    for step in ("step1", "step8"):
        edit_weights(folder / step, lambda t: t.update({HEAD: torch.ones(70, 16), "new": torch.eye(3)}))
    weights.measure_weights(store, [open_run(folder)])
    found = [r for r in weights.records(store, open_run(folder), measure="weight_relative_change") if r["reason"]]
    assert {(r["revision"], r["site"], r["reason"]) for r in found} == {
        (step, site, f"the reference checkpoint has {what}") for step in ("step1", "step8")
        for site, what in ((HEAD, "one of 64 × 16"), ("new", "no matrix of this name"))}


# --- working ---


def test_what_is_stored_needs_no_weights_again(measured, store, run, monkeypatch):
    monkeypatch.setattr(weights, "_opened", lambda *_: pytest.fail("weights are read again"))
    assert weights.measure_weights(store, [run]) == 0
    assert all(weights.missing(store, [run], measure) == 0 for measure in MEASURES)


def test_one_decomposition_serves_all_measures_of_a_matrix(store, run, monkeypatch):
    calls, original = [], np.linalg.svd
    monkeypatch.setattr(np.linalg, "svd", lambda *given, **how: calls.append(1) or original(*given, **how))
    weights.measure_weights(store, [run])
    assert len(calls) == 10 * (3 + 2), "10 matrices of 3 checkpoints, and their change since the first of them"


def test_an_interrupt_keeps_what_was_finished_and_the_same_call_goes_on(store, run):
    def stop(done, total, message):
        if message.startswith("tiny step1: measuring"):
            raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        weights.measure_weights(store, [run], report=stop)
    assert {r["revision"] for r in weights.records(store, run)} == {"step0"}
    assert [weights.missing(store, [run], measure) for measure in MEASURES] == [2] * len(MEASURES)
    assert weights.measure_weights(store, [run]) == 2
    assert not list((store.root / "claims").glob("*"))


def test_progress_rises_to_the_number_of_checkpoints(store, run):
    said = []
    weights.measure_weights(store, [run], report=lambda done, total, message: said.append((done, total)))
    shares = [done for done, _ in said]
    assert shares == sorted(shares) and said[-1] == (3, 3) and {total for _, total in said} == {3}


def test_a_broken_checkpoint_is_named_and_the_others_are_done(folder, store):
    edit_weights(folder / "step1", lambda t: t[DENSE.format(1)].fill_(float("nan")))
    with pytest.raises(ExplorerError, match=rf"1 checkpoint.*copy step1: .*NaN .*{DENSE.format(1)}") as raised:
        weights.measure_weights(store, [open_run(folder)])
    assert "could be is stored" in str(raised.value)
    assert {r["revision"] for r in weights.records(store, open_run(folder))} == {"step0", "step8"}


def test_a_reference_that_is_broken_leaves_the_measures_that_do_not_need_it(folder, store):
    os.truncate(folder / "step0" / "model.safetensors", 900)
    run = open_run(folder)
    with pytest.raises(ExplorerError, match=r"1 checkpoint.*copy step0: .*damaged.*--reference"):
        weights.measure_weights(store, [run])
    found = weights.records(store, run)
    assert {(r["revision"], r["protocol"]["policy"]) for r in found} == {(s, "as stored") for s in ("step1", "step8")}
    with pytest.raises(ExplorerError, match="copy step0"):
        weights.measure_weights(store, [run], "step8")
    assert weights.records(store, run, measure="weight_relative_change", reference="step8")


def test_a_checkpoint_that_another_process_works_on_comes_last(store, run, monkeypatch):
    busy, original, order = [weights.key_of(run.at("step0")).digest], store.claimed, []

    def claimed(name, wait=False, report=None):
        order.append((name, wait))
        if name in busy and not wait:
            return nullcontext(False)
        return original(name, wait)
    monkeypatch.setattr(store, "claimed", claimed)
    assert weights.measure_weights(store, [run]) == 3
    assert [wait for _, wait in order] == [False, False, False, True] and order[-1][0] == busy[0]


def test_weights_from_a_hub_are_those_of_the_same_folders_and_do_not_stay(hub, store, step_folders):  # noqa: F811
    run = open_on_hub(store, "lab/tiny", "step1,step2,step8")
    assert weights.measure_weights(store, [run]) == 3
    assert len([path for path in hub.downloaded() if path.endswith("safetensors")]) == 3
    assert list(store.downloads.glob("*")) == []
    first, last = (tensors(step_folders / step) for step in ("step1", "step8"))
    found = values(weights.records(store, run), "weight_relative_change", "step8")
    assert found and found == {site: pytest.approx(np.linalg.norm(last[site] - first[site])
                                                   / np.linalg.norm(first[site])) for site in found}


# --- names ---


@pytest.mark.parametrize(("kind", "chosen"), [
    ("neox", [EMBEDDING, DENSE.format(1), MLP.format(1)]),
    ("gpt2", ["transformer.wte.weight", *(f"transformer.h.1.{part}.c_proj.weight" for part in ("attn", "mlp"))]),
    ("llama", ["model.embed_tokens.weight", *(f"model.layers.1.{part}.weight"
                                              for part in ("self_attn.o_proj", "mlp.down_proj"))]),
    ("bert", ["embeddings.word_embeddings.weight", *(f"encoder.layer.1.{part}output.dense.weight"
                                                     for part in ("attention.", ""))])])
def test_the_default_is_the_embedding_and_what_a_block_writes(tiny_models, kind, chosen):
    assert weights.default_matrices(list(WeightMatrices(tiny_models[kind]))) == chosen


def test_of_many_blocks_the_one_in_the_middle_is_shown():
    names = [part.format(k) for k in range(9) for part in (DENSE, MLP)]
    assert weights.default_matrices(names) == [part.format(4) for part in (DENSE, MLP)]
    assert weights.default_matrices([f"layer{k}" for k in range(9)]) == [f"layer{k}" for k in range(6)]


def test_short_names_leave_out_the_network_and_stay_apart():
    assert weights.short_names([HEAD, EMBEDDING, DENSE.format(0), MLP.format(1)]) == {
        HEAD: "embed_out", EMBEDDING: "embed_in", DENSE.format(0): "layers.0.attention.dense",
        MLP.format(1): "layers.1.mlp.dense_4h_to_h"}
    assert weights.short_names(["a", "a.weight"]) == {"a": "a", "a.weight": "a.weight"}
    assert weights.short_names([]) == {}


# --- runs and the command ---


def test_rows_without_a_model_have_no_weights(tmp_path, store):
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).standard_normal((40, 5)).astype(np.float32))
    run = open_run(tmp_path / "rows.npy")
    assert not weights.has_weights(run)
    with pytest.raises(ExplorerError, match="came as rows, without a model"):
        weights.measure_weights(store, [run])


def test_the_command_computes_lists_and_remembers(cli, tiny_run):
    code, out, err = cli("weights", tiny_run, "--reference", "step1", "--json")
    found = json.loads(out)
    assert code == 0 and err.startswith("3 of 3 checkpoints needed work") and len(found) == 3 * 10 * len(MEASURES)
    assert set(values(found, "weight_relative_change", "step1").values()) == {0.0}
    code, out, err = cli("weights", "tiny", "--reference", "step1")
    assert code == 0 and err.startswith("0 of 3") and len(out.splitlines()) == len(found)
    assert "tiny" in {run["name"] for run in json.loads(cli("list", "--json")[1])["runs"]}
    assert "computed on weights, token policy as stored" in cli("list")[1]


def test_a_worker_writes_no_thousands_of_values_into_its_log(cli, tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr("analysis.__main__.limit_this_process", lambda: None)
    (tmp_path / "job").mkdir()
    code, out, _ = cli("weights", tiny_run, "--status", tmp_path / "job" / "status.json")
    assert (code, out) == (0, "")
    assert json.loads((tmp_path / "job" / "status.json").read_text())["state"] == "done"


@pytest.mark.parametrize(("arguments", "words"), [(["--reference", "step99"], ["step99", "step0, step1, step8"]),
                                                  (["nowhere"], ["nowhere"])], ids=str)
def test_what_is_not_there_is_refused_before_any_work(cli, tiny_run, tmp_path, arguments, words):
    code, out, err = cli("weights", tiny_run, *arguments)
    assert (code, out) == (2, "") and all(word in err for word in words)
    assert not list((tmp_path / "cache").rglob("*.json"))


def test_a_failure_of_one_checkpoint_is_exit_code_two_and_what_was_done_stays(cli, folder, store):
    edit_json(folder / "step8" / "config.json", num_hidden_layers=3)
    code, out, err = cli("weights", folder)
    assert (code, out) == (2, "") and "copy step8" in err and "3 blocks" in err
    assert {r["revision"] for r in weights.records(store, open_run(folder))} == {"step0", "step1"}


def test_a_single_model_is_a_run_of_one_that_has_not_moved(store, tmp_path):
    run = open_run(save("gpt2", tmp_path / "alone", seed=3))
    assert weights.measure_weights(store, [run]) == 1
    assert {r["value"] for r in weights.records(store, run, measure="weight_relative_change")} == {0.0}


def test_only_revisions_that_all_runs_have_can_be_their_reference(run, tiny_run, tmp_path):
    other = open_run(copied(tiny_run, tmp_path / "other"))
    assert weights.shared_revisions([run, other]) == ["step0", "step1", "step8"]
    fewer = type(run)("fewer", run.source, run.checkpoints[1:])
    assert weights.shared_revisions([run, fewer]) == ["step1", "step8"]
    assert weights.reference_of(fewer).revision == "step1"


def test_a_result_of_an_older_version_is_not_shown_and_is_computed_again(measured, store, run, monkeypatch):
    newer = tuple(replace(measure, version=2) for measure in MEASURES)
    monkeypatch.setattr(weights, "MEASURES", newer)
    monkeypatch.setattr(weights, "BY_NAME", {measure.name: measure for measure in newer})
    assert weights.records(store, run) == [] and weights.measure_weights(store, [run]) == 3
    assert [r["value"] for r in weights.records(store, run)] == [r["value"] for r in measured]


def test_the_protocol_of_a_sweep_is_not_that_of_weights(run, protocol):
    assert isinstance(protocol, Protocol) and weights.key_of(run.at("step0")) != protocol.key(run.at("step0"))
