"""Sentences and tables about results: each says what its numbers are, on a few made records and one computed run."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from analysis import compute, registry, summaries
from analysis.checkpoints import glance
from analysis.checkpoints.folder import open_run
from analysis.extraction.probes import Probe, Text, load_probe
from analysis.keys import Checkpoint, Policy, Run
from analysis.results import FittedSpectrum

PROBE = Probe("made", (Text("t1", "d1", "one"), Text("t2", "d1", "two")))
PROTOCOL = compute.Protocol(PROBE, Policy.parse("every-8"))


def run(name="a", *, steps=(0, 1, 8), watch=None):
    return Run(name, f"/runs/{name}", tuple(
        Checkpoint(name, f"step{step}", step, None, f"/runs/{name}/step{step}", f"{name}{step}") for step in steps),
        watch=watch)


def record(name, step, value):
    return {"run": name, "revision": f"step{step}", "step": step, "value": value, "d": 16}


def loss(name, step, value):
    return {"run": name, "revision": f"step{step}", "loss": value}


FALLS_AND_RISES = [record("a", 0, 9.04), record("a", 1, 2.26), record("a", 8, 5.5)]


# --- headline ---


def test_the_headline_gives_the_last_value_the_lowest_and_the_way_between():
    (row,) = summaries.headline([run()], FALLS_AND_RISES, [loss("a", 0, 7.625), loss("a", 8, 3.5)])
    assert row == {"run": "a", "last": "5.5", "lowest_at": "step1", "change": "+3.2 since step1",
                   "sentence": "9.0 at step0, lowest 2.3 at step1, 5.5 at step8 (d = 16). "
                               "Loss 7.62 to 3.50 nats/token."}


def test_a_run_at_its_lowest_point_has_changed_by_nothing_since():
    (row,) = summaries.headline([run()], [record("a", 0, 5.0), record("a", 8, 3.0)], [])
    assert row["change"] == "+0.0 since step8" and "Loss" not in row["sentence"]


def test_each_run_has_its_own_row_in_the_order_of_the_runs():
    rows = summaries.headline([run("b"), run("a")], [*FALLS_AND_RISES, record("b", 0, 1.0)], [loss("b", 0, 2.0)])
    assert [row["run"] for row in rows] == ["b", "a"]
    assert "Loss 2.00" in rows[0]["sentence"] and "Loss" not in rows[1]["sentence"]


def test_undefined_values_are_left_out_and_a_run_of_nothing_else_has_no_row():
    gaps = [record("a", 0, None), record("a", 1, 4.0), record("a", 8, None), record("b", 0, None)]
    (row,) = summaries.headline([run("a"), run("b")], gaps, [])
    assert row["sentence"].startswith("4.0 at step1, lowest 4.0 at step1, 4.0 at step1")


def test_a_run_that_names_another_quantity_to_watch_is_not_summed_up_by_its_loss():
    (row,) = summaries.headline([run(watch="test_accuracy")], FALLS_AND_RISES, [loss("a", 0, 7.6), loss("a", 8, 3.5)])
    assert "Loss" not in row["sentence"]


def test_a_loss_that_was_not_recorded_is_not_in_the_sentence():
    (row,) = summaries.headline([run()], FALLS_AND_RISES, [loss("a", 0, None), loss("a", 1, 4.0), loss("a", 8, None)])
    assert "Loss 4.00 to 4.00" in row["sentence"]


# --- records of figures ---


def spectrum(name, revision, values, **fit):
    return FittedSpectrum(run=name, revision=revision, values=np.array(values), n=40, window=(2, 3), **fit)


def test_a_spectrum_becomes_one_record_for_each_eigenvalue_with_its_rank_from_one():
    checkpoints = [*run("a").checkpoints, *run("b").checkpoints]
    records = summaries.spectrum_records([spectrum("a", "step8", [4.0, 1.0, 0.25], alpha=1.5),
                                          spectrum("b", "step0", [2.0, 1.0], reason="too few")], "block 1", PROTOCOL,
                                         checkpoints)
    assert [(r["run"], r["rank"], r["eigenvalue"]) for r in records] == [
        ("a", 1, 4.0), ("a", 2, 1.0), ("a", 3, 0.25), ("b", 1, 2.0), ("b", 2, 1.0)]
    assert {r["alpha"] for r in records if r["run"] == "a"} == {1.5} and records[-1]["alpha"] is None
    assert [r["fingerprint"] for r in records] == ["a8"] * 3 + ["b0"] * 2
    assert all(r["site"] == "block 1" and (r["fit_first_rank"], r["fit_last_rank"], r["n"]) == (2, 3, 40)
               for r in records)
    assert [r["d"] for r in records] == [3, 3, 3, 2, 2]
    assert all(type(r["eigenvalue"]) is float for r in records)


def test_a_spectrum_of_an_unknown_checkpoint_is_an_error_and_not_another_fingerprint():
    with pytest.raises(KeyError):
        summaries.spectrum_records([spectrum("c", "step8", [1.0])], "final", PROTOCOL, run().checkpoints)


def test_a_side_of_a_comparison_names_checkpoint_site_and_protocol():
    first, _, last = run().checkpoints
    records = summaries.item_records([(first, "embedding"), (last, "final")], PROTOCOL)
    assert [(r["run"], r["revision"], r["step"], r["site"], r["fingerprint"]) for r in records] == [
        ("a", "step0", 0, "embedding", "a0"), ("a", "step8", 8, "final", "a8")]
    assert records[0]["protocol"] == summaries.described(PROTOCOL)


def test_a_protocol_is_described_by_probe_with_digest_policy_and_precision():
    assert summaries.described(PROTOCOL) == {"probe": f"made@{PROBE.digest[:16]}", "policy": "every-8",
                                             "dtype": "float32"}


# --- what is computed ---


def test_a_run_without_results_is_loaded_with_nothing_yet(store):
    assert summaries.loaded(store, [run()]) == [
        {"run": "a", "checkpoints": 3, "first": "step0", "last": "step8", "computed on": "nothing yet",
         "folder": "/runs/a"}]
    assert summaries.loaded(store, []) == []


def test_nothing_is_finished_before_anything_is_computed_and_the_caption_does_not_know_the_rows(store):
    assert summaries.unfinished(store, [run("a"), run("b", steps=(0,))], PROTOCOL) == 4
    assert summaries.pair_caption(store, [(run().checkpoints[0], "final")], PROTOCOL).startswith("n = ? rows")


def test_summaries_follow_what_is_computed(store, tiny_run, probe_file):
    own = open_run(tiny_run)
    words, others = (compute.Protocol(load_probe(name), Policy.parse(policy))
                     for name, policy in ((probe_file, "last"), ("numbers-mod-59", "mean-keep-first")))
    everything = list(registry.all_measures().values())
    two = Run(own.name, own.source, own.checkpoints[:2])
    compute.sweep(store, [two], words, everything)
    assert summaries.unfinished(store, [own], words) == 1
    assert summaries.unfinished(store, [two], words) == 0
    compute.sweep(store, [two], others, [registry.get("stable_rank")])
    assert summaries.unfinished(store, [two], others) == 2, "one measure of many is not all"
    (row,) = summaries.loaded(store, [own])
    assert set(row["computed on"].split("; ")) == {"words, last: 2", "numbers-mod-59, mean-keep-first: 2"}
    caption = summaries.pair_caption(store, [(c, "final") for c in reversed(own.checkpoints)], words)
    assert caption.startswith("n = 48 rows") and words.probe.identity in caption and "rows: last" in caption


def test_the_tensors_of_a_checkpoint_are_those_of_its_file(tiny_run):
    opened = open_run(tiny_run)
    found = {row["tensor"]: (row["type"], row["values"])
             for row in summaries.tensors(glance.tensors(opened.at("step8")))}
    saved = load_file(tiny_run / "step8" / "model.safetensors")
    assert found == {name: ("F32", array.size) for name, array in saved.items()}


def test_rows_without_a_model_are_judged_and_listed_too(tmp_path, probe):
    np.savez(tmp_path / "rows.npz", v1=np.eye(8, 4), it=np.eye(8, 6))
    opened = open_run(tmp_path / "rows.npz")
    reports = glance.reports(opened.checkpoints)
    [row] = summaries.preflight(opened, probe, reports)
    assert (row["verdict"], row["kind"], row["rows"], row["tensors"], row["width"]) == (
        "fit to load", "rows, no model", 8, 2, 6)
    assert not {"parameters", "memory GB", "forward pass", "blocks", "reasons", "step"} & set(row)
    assert [(t["tensor"], t["shape"]) for t in summaries.tensors(glance.tensors(opened.checkpoints[0]))] == [
        ("it", "8 × 6"), ("v1", "8 × 4")]


def test_rows_that_went_bad_are_refused_with_the_reason(tmp_path):
    np.save(tmp_path / "rows.npy", np.eye(8, 4))
    opened = open_run(tmp_path / "rows.npy")
    np.save(tmp_path / "rows.npy", np.full((8, 4), np.nan))
    [report] = glance.reports(opened.checkpoints)
    assert "NaN" in report.refusals[0]


def test_preflight_says_of_each_checkpoint_whether_it_is_fit(tiny_run, probe):
    run = open_run(tiny_run)
    rows = summaries.preflight(run, probe, glance.reports(run.checkpoints))
    assert [(row["checkpoint"], row["verdict"], row["blocks"], row["width"]) for row in rows] == [
        (f"step{step}", "fit to load", 2, 16) for step in (0, 1, 8)]
