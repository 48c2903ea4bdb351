"""Sweeps, records and comparisons on tiny checkpoints, against transformers and numpy by hand."""

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import t
from transformers import AutoModelForCausalLM, AutoTokenizer

from analysis import compute, registry, similarity, spectra
from analysis.checkpoints.folder import open_run
from analysis.compute import PROBE_LOSS, Protocol
from analysis.errors import ExplorerError
from analysis.extraction import forward
from analysis.keys import Policy
from analysis.representations import ensure
from analysis.store import Store
from analysis.textrows import TextRows
from tests.store.test_store import contents

SITES = ["embedding", "block 1", "block 2", "final"]
SINGLE = [measure for measure in registry.all_measures().values() if measure.arity == 1]
ALPHA = "alpha_weighted_least_squares"
NARROW = {measure.name: {"first_rank": 1, "last_rank": 10} for measure in SINGLE
          if "last_rank" in {param.name for param in measure.params}}
FIELDS = {"run", "revision", "step", "tokens", "site", "measure", "value", "low", "high", "n", "d", "protocol",
          "fingerprint", "reason", "chance"}


@pytest.fixture(scope="module")
def swept_once(tmp_path_factory, run, protocol):
    folder = tmp_path_factory.mktemp("swept") / "cache"
    assert compute.sweep(Store(folder), [run], protocol, SINGLE) == 3
    return folder


@pytest.fixture
def swept(swept_once, tmp_path):
    """A store of its own in which every measure of one representation is computed."""
    return Store(shutil.copytree(swept_once, tmp_path / "swept"))


@pytest.fixture
def passes(monkeypatch):
    """Grows by one with every forward pass over a probe."""
    made, extract = [], forward.extract
    monkeypatch.setattr(forward, "extract", lambda *given: made.append(1) or extract(*given))
    return made


@pytest.fixture(scope="module")
def by_hand(run, probe):
    """Last-token rows at three sites, and the loss, of the last checkpoint: transformers alone, text by text."""
    model = AutoModelForCausalLM.from_pretrained(run.checkpoints[-1].path).eval()
    tokenizer = AutoTokenizer.from_pretrained(run.checkpoints[-1].path)
    rows, losses = {"embedding": [], "block 1": [], "final": []}, []
    for text in probe.texts:
        ids = tokenizer(text.text, return_tensors="pt").input_ids
        with torch.inference_mode():
            out = model(ids, output_hidden_states=True)
        for site, layer in (("embedding", 0), ("block 1", 1), ("final", -1)):
            rows[site].append(out.hidden_states[layer][0, -1].double().numpy())
        losses += (-out.logits[0, :-1].log_softmax(-1)[range(ids.shape[1] - 1), ids[0, 1:]]).tolist()
    return {site: np.array(values) for site, values in rows.items()}, float(np.mean(losses))


def measures(*names):
    return [registry.get(name) for name in names]


def test_a_sweep_computes_every_measure_at_every_site_of_every_checkpoint_and_says_how_far_it_is(store, run, protocol):
    said = []
    compute.sweep(store, [run], protocol, SINGLE, report=lambda *parts: said.append(parts))
    done = [part[0] for part in said]
    assert done == sorted(done) and {part[1] for part in said} == {3} and said[-1] == (3, 3, "done")
    found = {(r["revision"], r["site"], r["measure"]) for r in compute.records(store, run)}
    assert found == {(c.revision, site, m.name) for c in run.checkpoints for site in SITES for m in SINGLE}


def test_a_second_sweep_works_on_those_checkpoints_only_that_lack_something(swept, run, protocol, passes):
    before = contents(swept.root)
    assert compute.missing(swept, [run], protocol, SINGLE) == 0
    assert compute.sweep(swept, [run], protocol, SINGLE) == 0
    assert contents(swept.root) == before
    shutil.rmtree(swept.root / "results" / run.checkpoints[1].fingerprint)
    assert compute.missing(swept, [run], protocol, SINGLE) == 1
    assert compute.sweep(swept, [run], protocol, SINGLE) == 1 and passes == []
    assert len(compute.records(swept, run)) == 3 * len(SITES) * len(SINGLE)


def test_a_new_measure_is_computed_alone_and_without_a_second_forward_pass(store, run, protocol, passes):
    compute.sweep(store, [run], protocol, measures("stable_rank"))
    assert len(passes) == 3
    before, both = contents(store.root), measures("stable_rank", "rankme_covariance")
    assert compute.missing(store, [run], protocol, both) == 3
    assert compute.sweep(store, [run], protocol, both) == 3
    assert len(passes) == 3
    new = [path for path in contents(store.root) if path not in before]
    assert all(contents(store.root)[path][0] == before[path][0] for path in before)
    told = [path for path in new if path.suffix == ".json"]
    assert len(told) == 3 and all('"stable_rank"' not in (store.root / path).read_text() for path in told)
    assert len(compute.records(store, run)) == 2 * 3 * len(SITES)


def test_a_new_parameter_is_computed_beside_the_old_and_without_a_forward_pass(swept, run, protocol, passes):
    assert compute.missing(swept, [run], protocol, SINGLE, NARROW) == 3
    assert compute.sweep(swept, [run], protocol, SINGLE, NARROW) == 3
    assert passes == [] and compute.missing(swept, [run], protocol, SINGLE, NARROW) == 0
    windows = [r["protocol"]["params"]["last_rank"] for r in compute.records(swept, run, measure=ALPHA)]
    assert sorted(windows) == [10] * 12 + [50] * 12
    shown = compute.records(swept, run, settings=NARROW)
    assert {r["protocol"]["params"]["last_rank"] for r in shown if r["measure"] == ALPHA} == {10}
    assert len(shown) == 3 * len(SITES) * len(SINGLE)


def test_a_sweep_that_is_interrupted_keeps_what_was_finished_and_goes_on_from_there(store, run, protocol, passes):
    def stop(done, total, message):
        if message.startswith(f"{run.name} step8"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compute.sweep(store, [run], protocol, SINGLE, report=stop)
    assert {r["revision"] for r in compute.records(store, run)} == {"step0", "step1"}
    assert compute.sweep(store, [run], protocol, SINGLE) == 1 and len(passes) == 3


def test_a_broken_checkpoint_is_named_when_all_others_are_done(store, tiny_run, protocol, tmp_path):
    folder = shutil.copytree(tiny_run, tmp_path / "broken")
    weights = folder / "step1" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    broken, said = open_run(folder), []
    with pytest.raises(ExplorerError, match=r"^1 of 3 checkpoints could not be computed, and the others are done. "
                                            r"broken step1: .*damaged"):
        compute.sweep(store, [broken], protocol, SINGLE, say=said.append)
    assert {r["revision"] for r in compute.records(store, broken)} == {"step0", "step8"}
    assert [line.split(":")[0] for line in said] == ["broken step0", "broken step1", "broken step8"]


def test_a_reason_that_holds_for_all_is_said_once(store, run, protocol):
    few = Protocol(replace(protocol.probe, texts=protocol.probe.texts[:2]), protocol.policy)
    with pytest.raises(ExplorerError) as caught:
        compute.sweep(store, [run], few, SINGLE)
    assert str(caught.value).count("at least 4") == 1 and "of 3 checkpoints" not in str(caught.value)


def test_another_precision_is_computed_and_kept_apart(swept, run, protocol, passes):
    half = Protocol(protocol.probe, protocol.policy, "bfloat16")
    assert compute.sweep(swept, [run], half, measures("stable_rank")) == 3 == len(passes)
    found = {dtype: [r["value"] for r in compute.records(swept, run, dtype=dtype, measure="stable_rank")]
             for dtype in ("float32", "bfloat16")}
    assert found["bfloat16"] == pytest.approx(found["float32"], rel=0.1) and found["bfloat16"] != found["float32"]


def test_two_sweeps_at_once_share_the_work_and_do_none_of_it_twice(store, run, protocol, passes):
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: compute.sweep(store, [run], protocol, SINGLE), range(2)))
    assert sum(done) == 3 == len(passes)
    assert len(compute.records(store, run)) == 3 * len(SITES) * len(SINGLE)


def test_what_another_process_works_on_comes_last_and_is_waited_for(store, run, protocol, passes):
    said, release = [], threading.Event()

    def holding():
        with store.claimed(protocol.key(run.checkpoints[0]).digest):
            claimed.set()
            release.wait(60)

    def follow(done, total, message):
        said.append(message)
        if "another process" in message:
            release.set()

    claimed = threading.Event()
    other = threading.Thread(target=holding)
    other.start()
    assert claimed.wait(60)
    assert compute.sweep(store, [run], protocol, SINGLE, report=follow) == 3 == len(passes)
    other.join()
    order = list(dict.fromkeys(message.split(":")[0] for message in said))
    assert order == [f"{run.name} {step}" for step in ("step1", "step8", "step0")] + ["done"]
    assert not (store.root / "claims").exists()


@pytest.mark.filterwarnings("ignore:.* was damaged")
@pytest.mark.parametrize("name", ["rows.safetensors", "meta.json"])
def test_a_lost_file_of_a_representation_is_extracted_again_for_a_new_measure(store, run, protocol, passes, name):
    compute.sweep(store, [run], protocol, measures("stable_rank"))
    before = compute.records(store, run)
    (store.root / "representations" / protocol.key(run.checkpoints[1]).digest / name).unlink()
    compute.sweep(store, [run], protocol, measures("stable_rank", "rankme_covariance"))
    assert len(passes) == 4
    assert compute.records(store, run, measure="stable_rank") == before
    assert len(compute.records(store, run, measure="rankme_covariance")) == 3 * len(SITES)


def test_what_a_base_holds_is_not_computed_again_and_what_it_lacks_is(swept, run, protocol, passes, tmp_path):
    for path in swept.root.glob("representations/*/*.safetensors"):
        path.unlink()
    above = Store(tmp_path / "above", base=swept.root)
    before = contents(swept.root)
    assert compute.sweep(above, [run], protocol, SINGLE) == 0 == len(passes)
    assert compute.sweep(above, [run], protocol, SINGLE, NARROW) == 3 == len(passes)
    assert len(compute.records(above, run)) == 3 * len(SITES) * (len(SINGLE) + len(NARROW))
    assert contents(swept.root) == before


@pytest.mark.parametrize("measure", [m.name for m in SINGLE if m.returns == "scalar"])
@pytest.mark.parametrize("site", ["embedding", "block 1", "final"])
def test_a_stored_value_is_the_measure_of_rows_that_transformers_gives(swept, run, protocol, by_hand, measure, site):
    compute.sweep(swept, [run], protocol, measures(measure), NARROW)
    record = compute.records(swept, run, measure=measure, site=site, settings=NARROW)[-1]
    representation = ensure(swept, run.checkpoints[-1], protocol)
    rows = TextRows.of(by_hand[0][site], representation.row_ids, representation.document_ids)
    given = rows if registry.get(measure).takes == "texts" else rows.x
    expected = registry.get(measure)(given, **NARROW.get(measure, {}))
    if expected.reason:
        assert record["value"] is None and record["reason"] == expected.reason
        return
    assert expected.defined and record["value"] == pytest.approx(expected.value, rel=1e-3)
    assert (record["n"], record["d"], record["reason"]) == (48, 16, "")


def test_intervals_are_finite_and_around_the_value_and_an_undefined_value_has_a_reason_instead(swept, run, protocol):
    compute.sweep(swept, [run], protocol, SINGLE, NARROW)
    for record in compute.records(swept, run, settings=NARROW):
        if record["value"] is not None and registry.get(record["measure"]).has_interval:
            assert np.isfinite([record["low"], record["high"]]).all()
            assert record["low"] < record["value"] < record["high"]
        else:
            assert record["low"] is None and record["high"] is None
    for record in (r for r in compute.records(swept, run, measure=ALPHA) if r["protocol"]["params"]["last_rank"] == 50):
        assert record["value"] is record["low"] is record["high"] is None and "rank 50" in record["reason"]


def test_an_interval_is_the_jackknife_over_the_twelve_documents(swept, run, by_hand):
    rows = by_hand[0]["final"]
    left_out = [registry.get("stable_rank")(np.delete(rows, slice(4 * k, 4 * k + 4), axis=0)).value for k in range(12)]
    half = t.ppf(0.975, 11) * np.sqrt(11 / 12 * np.sum((left_out - np.mean(left_out)) ** 2))
    record = compute.records(swept, run, measure="stable_rank", site="final")[-1]
    assert (record["high"] - record["low"]) / 2 == pytest.approx(half, rel=1e-3)


def test_every_record_has_the_fields_that_are_promised_in_order_of_step_site_and_measure(swept, run, protocol):
    found = compute.records(swept, run)
    order = [(r["step"], SITES.index(r["site"]), r["measure"]) for r in found]
    assert order == sorted(order)
    assert {(r["step"], r["tokens"], r["revision"]) for r in found} == {(k, 1000 * k, f"step{k}") for k in (0, 1, 8)}
    assert all(r["run"] == run.name and run.at(r["revision"]).fingerprint == r["fingerprint"] for r in found)
    assert found[0]["protocol"].items() >= {"probe": protocol.probe.identity, "policy": "last"}.items()
    assert all(FIELDS <= set(record) == set(found[0]) for record in found)


def test_filters_let_through_what_they_name_and_nothing_else(swept, run, protocol):
    compute.sweep(swept, [run], Protocol(protocol.probe, Policy.parse("mean")), measures("stable_rank"))
    identity, each = protocol.probe.identity, 3 * (len(SINGLE) + 1)
    assert len(compute.records(swept, run)) == len(compute.records(swept, run, probe=identity)) == len(SITES) * each
    assert len(compute.records(swept, run, site="block 1")) == each
    assert [r["protocol"]["policy"] for r in compute.records(swept, run, policy="mean")] == ["mean"] * 12
    assert len(compute.records(swept, run, measure="stable_rank", site="final", policy="last")) == 3
    assert compute.records(swept, run, probe="words@0") == compute.records(swept, run, site="block 9") == []
    assert compute.records(swept, run, dtype="bfloat16") == []
    assert compute.protocols(swept, [run]) == [(identity, "last", "float32"), (identity, "mean", "float32")]


def test_results_of_an_older_or_unknown_measure_are_not_shown_and_computed_anew(swept, store, run, protocol):
    key = protocol.key(run.checkpoints[-1])
    old = list(swept.results(key).values())
    store.put_results([replace(item, key=replace(item.key, version=item.key.version - 1)) for item in old])
    store.put_results([replace(old[0], key=replace(old[0].key, measure="forgotten"))])
    assert compute.records(store, run) == []
    assert spectra.fitted(store, run.checkpoints, protocol, "final", (1, 10)) == []
    assert compute.sweep(store, [run], protocol, SINGLE) == 3
    assert compute.records(store, run) == compute.records(swept, run)


def test_the_loss_is_that_of_transformers_and_a_model_without_one_has_none(swept, run, protocol, by_hand, tiny_bert):
    rows = compute.losses(swept, run, protocol)
    assert [(r["run"], r["step"], r["tokens"]) for r in rows] == [("tiny", k, 1000 * k) for k in (0, 1, 8)]
    assert rows[-1]["loss"] == pytest.approx(by_hand[1], rel=1e-5)
    panel = compute.beside(swept, [run], protocol, PROBE_LOSS)
    assert [r["value"] for r in panel.rows] == [r["loss"] for r in rows] and panel.label == PROBE_LOSS
    bert = open_run(tiny_bert)
    compute.sweep(swept, [bert], protocol, measures("stable_rank"))
    assert [r["loss"] for r in compute.losses(swept, bert, protocol)] == [None]
    assert compute.beside(swept, [bert], protocol, PROBE_LOSS).rows == []


def test_columns_of_the_training_log_can_stand_below_a_trajectory_the_one_to_watch_first(store, run, protocol):
    panel = compute.beside(store, [run], protocol, "loss")
    assert panel.rows[0] == {"run": "tiny", "step": 1, "tokens": 1000, "value": 4.9}
    assert [row["step"] for row in panel.rows] == [1, 2, 4, 8]
    bare = replace(run, log=({"step": 2.0, "grad_norm": 3.0}, {"step": 4.0}))
    panel = compute.beside(store, [bare], protocol, "grad_norm")
    assert (panel.label, panel.rows) == ("grad norm", [{"run": "tiny", "step": 2, "value": 3.0, "tokens": None}])
    other = replace(run, watch="grad_norm", log=({"step": 1.0, "grad_norm": 2.0, "loss": 1.0},))
    assert compute.quantities([run]) == [PROBE_LOSS, "loss"]
    assert compute.quantities([run, other]) == ["grad_norm", PROBE_LOSS, "loss"]
    assert compute.quantities([replace(run, watch="unlogged", log=())]) == [PROBE_LOSS]


def test_sites_are_those_that_were_measured_from_input_to_output(swept, store, run, protocol):
    assert compute.sites(swept, [run], protocol) == compute.sites_of(swept, run.checkpoints[0], protocol) == SITES
    assert compute.sites(store, [run], protocol) == compute.sites_of(store, run.checkpoints[0], protocol) == []
    assert compute.protocols(store, [run]) == []
    assert compute.sites(swept, [run], Protocol(protocol.probe, Policy.parse("mean"))) == []


def test_spectra_hold_the_eigenvalues_of_the_covariance_and_the_fit_if_there_is_one(swept, run, protocol, by_hand):
    found = spectra.fitted(swept, run.checkpoints, protocol, "final", (2, 9))
    assert [(s.run, s.revision, s.n, s.window) for s in found] == [("tiny", f"step{k}", 48, (2, 9)) for k in (0, 1, 8)]
    expected = np.linalg.eigvalsh(np.cov(by_hand[0]["final"].T))[::-1]
    np.testing.assert_allclose(found[-1].values, expected, rtol=1e-3, atol=1e-6 * expected[0])
    ranks = np.arange(2, 10)
    slope, height = np.polyfit(np.log(ranks), np.log(found[-1].values[1:9]), 1, w=ranks**-0.5)
    assert (found[-1].alpha, found[-1].intercept) == pytest.approx((-slope, height))
    for window, reason in (((1, 40), "only"), ((5, 6), "at least 3 ranks")):
        for spectrum in spectra.fitted(swept, run.checkpoints, protocol, "embedding", window):
            assert spectrum.alpha is None and reason in spectrum.reason and len(spectrum.values) == 16


@pytest.mark.parametrize("name", ["linear_cka_debiased", "linear_cka_biased"])
def test_a_comparison_is_the_measure_of_every_pair_and_is_kept(swept, run, protocol, passes, monkeypatch, name):
    first, last = run.checkpoints[0], run.checkpoints[-1]
    items = [(last, "final"), (first, "final")], [(last, site) for site in SITES]
    measure = registry.get(name)
    assert similarity.matrix(swept, *items, measure, protocol) is None
    made = similarity.compare(swept, *items, measure, protocol)
    rows = {c: swept.get_representation(protocol.key(c)).rows for c in (first, last)}
    for i, (c, site) in enumerate(items[0]):
        for j, (d, other) in enumerate(items[1]):
            pair = measure(rows[c][site], rows[d][other])
            assert (made.values[i, j], made.chance[i, j]) == pytest.approx((pair.value, pair.chance), abs=1e-12)
    assert made.values[0, 3] == pytest.approx(1) and abs(made.values[1, 3]) < 0.9 and passes == []
    monkeypatch.setattr(similarity, "all_pairs", None)
    for again in (ask(swept, *items, measure, protocol) for ask in (similarity.compare, similarity.matrix)):
        assert np.array_equal(again.values, made.values) and np.array_equal(again.chance, made.chance)
    assert similarity.matrix(swept, *items[::-1], measure, protocol) is None


def test_a_comparison_extracts_what_is_not_there_and_refuses_a_site_that_does_not_exist(store, run, protocol, passes):
    items = [(checkpoint, site) for checkpoint in run.checkpoints[:2] for site in ("block 1", "final")]
    made = similarity.compare(store, items, items, registry.get("linear_cka_debiased"), protocol)
    assert len(passes) == 2 and np.allclose(np.diag(made.values), 1) and np.allclose(made.values, made.values.T)
    with pytest.raises(ExplorerError, match="no site 'block 9'; it has embedding, block 1, block 2, final"):
        similarity.compare(store, items, [(run.checkpoints[0], "block 9")], registry.get("linear_cka_biased"), protocol)


def test_models_whose_rows_are_other_tokens_are_not_compared_but_whole_texts_are(store, run, tiny_bert, probe):
    a, b = [(run.checkpoints[0], "final")], [(open_run(tiny_bert).checkpoints[0], "final")]
    measure = registry.get("linear_cka_debiased")
    tokens, texts = (Protocol(probe, Policy.parse(policy)) for policy in ("every-2", "last"))
    with pytest.raises(ExplorerError, match="different tokenizers cut the texts differently"):
        similarity.compare(store, a, b, measure, tokens)
    assert similarity.matrix(store, a, b, measure, tokens) is None
    assert np.isfinite(similarity.compare(store, a, b, measure, texts).values).all()
