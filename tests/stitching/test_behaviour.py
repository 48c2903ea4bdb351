"""Behaviour of stitched networks against transformers by hand, known answers, and baselines."""

import numpy as np
import pytest
import torch

from analysis.checkpoints.load import load
from analysis.cross_moments import CrossMoments
from analysis.errors import ExplorerError
from analysis.extraction.forward import extract
from analysis.extraction.probes import load_probe
from analysis.files import PROJECT
from analysis.keys import Policy
from analysis.linear_maps import LinearMap
from analysis.stitching.behaviour import Stitch, baselines, evaluate
from analysis.stitching.states import limited, moments, split
from tests.stitching.families import fitted

WIDTH = 16
IDENTITY = LinearMap(np.eye(WIDTH), np.zeros(WIDTH), "identity", WIDTH)
SITES = ["embedding", "block 1", "block 2", "final"]
SAME = [(site, site) for site in SITES]


@pytest.fixture(scope="module")
def models(tiny_models, tiny_run):
    return {kind: load(folder) for kind, folder in tiny_models.items()} | {"other": load(tiny_run / "step1")}


@pytest.fixture(scope="module")
def parts(probe):
    return split(probe)


@torch.inference_mode()
def by_hand(network, probe, start=1):
    """Summed loss of each document by transformers alone, text by text, predictions made from position `start` on."""
    sums = {}
    for text in probe.texts:
        given = network.processor(text.text, return_tensors="pt")
        logits = network.model(**given).logits[0, start:-1]
        losses = torch.nn.functional.cross_entropy(logits, given["input_ids"][0, start + 1:], reduction="sum")
        sums[text.document] = sums.get(text.document, 0) + losses.item()
    return [sums[name] for name in sorted(sums)]


# --- loss of both networks ---


@pytest.mark.parametrize(("first", "start"), [("kept", 1), ("stitched", 0)])
def test_losses_of_sender_and_receiver_are_those_of_transformers(models, parts, first, start):
    found = evaluate(models["gpt2"], models["llama"], parts[1], [], first=first)
    assert found.documents == tuple(sorted({text.document for text in parts[1].texts}))
    assert found.counts.sum() == sum(len(text.text.split()) - 1 - start for text in parts[1].texts)
    np.testing.assert_allclose(found.receiver, by_hand(models["llama"], parts[1], start), rtol=1e-5)
    np.testing.assert_allclose(found.sender, by_hand(models["gpt2"], parts[1], start), rtol=1e-5)


def test_the_loss_with_every_position_is_the_one_that_extraction_states(models, probe):
    found = evaluate(models["neox"], models["neox"], probe, [], first="stitched")
    stated = extract(models["neox"], probe, Policy.parse("last")).facts
    assert found.counts.sum() == stated["loss_tokens"]
    assert found.loss("receiver").value == pytest.approx(stated["loss"], rel=1e-6)


@pytest.mark.parametrize("batch_tokens", [20, 100])
def test_the_batch_size_changes_nothing_but_rounding(models, parts, batch_tokens):
    stitches = [Stitch("block 1", "block 2", "identity", IDENTITY)]
    whole = evaluate(models["neox"], models["other"], parts[1], stitches)
    small = evaluate(models["neox"], models["other"], parts[1], stitches, batch_tokens=batch_tokens)
    np.testing.assert_array_equal(whole.counts, small.counts)
    np.testing.assert_allclose(whole.stitched[stitches[0].key], small.stitched[stitches[0].key], rtol=1e-5)


# --- known answers ---


@pytest.mark.parametrize("kind", ["neox", "gpt2", "llama"])
@pytest.mark.parametrize("first", ["kept", "stitched"])
def test_a_self_stitch_by_identity_costs_exactly_nothing(models, parts, kind, first):
    found = evaluate(models[kind], models[kind], parts[1], [Stitch(*pair, "identity", IDENTITY) for pair in SAME],
                     first=first)
    for pair in SAME:
        assert found.penalty((*pair, "identity")).value == 0.0
        assert found.agreement((*pair, "identity")).value == 1.0


@pytest.mark.parametrize("first", ["kept", "fitted"])
def test_a_fitted_self_stitch_costs_nothing_beyond_rounding(models, parts, first):
    found = evaluate(models["neox"], models["neox"], parts[1],
                     fitted(models["neox"], models["neox"], parts[0], SAME[1:], first=first), first=first)
    for pair in SAME[1:]:
        assert abs(found.penalty((*pair, "affine")).value) < 1e-5


@pytest.mark.parametrize(("kind", "norm"), [("neox", "final_layer_norm"), ("gpt2", "ln_f"), ("llama", "norm")])
@torch.inference_mode()
def test_an_identity_stitch_to_the_last_block_is_the_logit_lens_by_hand(models, parts, kind, norm):
    network, total = models[kind], 0.0
    for text in parts[1].texts:
        given = network.processor(text.text, return_tensors="pt")
        states = network.model(**given, output_hidden_states=True).hidden_states[1]
        logits = network.model.get_output_embeddings()(getattr(network.base, norm)(states))[0, :-1]
        total += torch.nn.functional.cross_entropy(logits, given["input_ids"][0, 1:], reduction="sum").item()
    found = evaluate(network, network, parts[1], [Stitch("block 1", "block 2", "lens", IDENTITY)], first="stitched")
    assert found.stitched["block 1", "block 2", "lens"].sum() == pytest.approx(total, rel=1e-5)


@torch.inference_mode()
def test_mean_ablation_predicts_from_one_state_that_knows_no_text(models, parts):
    network = models["neox"]
    stitches = fitted(network, network, parts[0], [("block 1", "final")])
    ablation = next(stitch for stitch in stitches if stitch.name == "mean")
    rows = extract(network, parts[0], Policy.parse("every-1")).rows["final"]
    scores = network.model.get_output_embeddings()(torch.from_numpy(rows.mean(0))).log_softmax(-1)
    wanted = -sum(scores[token].item() for text in parts[1].texts
                  for token in network.processor(text.text)["input_ids"][2:])
    found = evaluate(network, network, parts[1], [ablation])
    assert found.stitched[ablation.key].sum() == pytest.approx(wanted, rel=1e-5)


def test_position_0_keeps_the_receivers_own_state_or_is_stitched_as_it_is_set(models, parts):
    far = Stitch("block 1", "block 1", "far", LinearMap(np.zeros((WIDTH, WIDTH)), np.full(WIDTH, 50.0), "mean", 0))
    kept, stitched = (evaluate(models["neox"], models["neox"], parts[1], [far], first=first)
                      for first in ("kept", "stitched"))
    assert (kept.counts < stitched.counts).all()
    assert kept.loss(far.key).value != pytest.approx(stitched.loss(far.key).value, rel=1e-3)


def test_maps_of_many_pairs_cost_one_pass_of_the_sender_and_one_tail_each(models, parts):
    sender, receiver = models["gpt2"], models["neox"]
    stitches = [Stitch(i, j, "identity", IDENTITY) for i in SITES for j in ("block 1", "block 2")]
    evaluate(sender, receiver, parts[1], [])
    ran = {"sender": 0, "receiver block 1": 0, "receiver block 2": 0}

    def count(name):
        def hook(*_):
            ran[name] += 1
        return hook

    blocks = receiver.base.layers
    handles = [sender.base.h[0].mlp.register_forward_hook(count("sender")),
               *(blocks[k].mlp.register_forward_hook(count(f"receiver block {k + 1}")) for k in (0, 1))]
    evaluate(sender, receiver, parts[1], [])
    alone = dict(ran)
    ran.update(dict.fromkeys(ran, 0))
    evaluate(sender, receiver, parts[1], stitches)
    for handle in handles:
        handle.remove()
    assert ran["sender"] == alone["sender"] and ran["receiver block 1"] == alone["receiver block 1"]
    assert ran["receiver block 2"] == alone["receiver block 2"] + 4  # the tails behind block 1, one batch


# --- baselines and the mark ---


def test_baselines_are_identity_mean_and_shuffled_and_identity_needs_equal_widths(models, parts):
    fit = moments(models["neox"], models["gpt2"], parts[0], [SAME[1]], CrossMoments, shuffled=[SAME[1]])
    assert [stitch.name for stitch in baselines(fit, SAME[1])] == ["identity", "mean", "shuffled"]
    narrow = CrossMoments.of(np.random.default_rng(0).normal(size=(99, 3)), np.ones((99, 1)) * np.arange(5.0))
    fit.paired["a", "b"] = narrow
    assert [stitch.name for stitch in baselines(fit, ("a", "b"))] == ["mean"]


@pytest.fixture(scope="module")
def trained():
    """Runs of two seeds at the end of training and one at its start, on some of the texts they were held out from."""
    runs = PROJECT / "demo" / "runs"
    models = {name: load(runs / f"sotu-neox-seed{name.split()[0]}" / f"step{name.split()[1]}")
              for name in ("1 16000", "2 16000", "1 0")}
    return models, split(limited(models["1 0"], load_probe("sotu-held-out"), 24_000))


@pytest.fixture(scope="module")
def outcomes(trained):
    """Seed 2 as the receiver of a trained, an untrained and its own sender."""
    models, (fit, held) = trained
    pairs = [("block 1", "block 1"), ("block 3", "block 3")]
    return {name: evaluate(sender, models["2 16000"], held, fitted(sender, models["2 16000"], fit, pairs), most=3000)
            for name, sender in models.items()}


@pytest.mark.parametrize("site", ["block 1", "block 3"])
def test_a_stitch_between_trained_seeds_stands_between_mean_ablation_and_the_receiver_itself(outcomes, site):
    affine, mean, same, mixed = ((site, site, name) for name in ("affine", "mean", "identity", "shuffled"))
    found, own = outcomes["1 16000"], outcomes["2 16000"]
    assert 0.5 < found.recovered(affine, mean).value < 0.95
    assert found.penalty(same).low > 2 and found.penalty(mixed).low > 2
    assert found.recovered(mean, mean).value == 0 and abs(found.recovered(mixed, mean).value) < 0.15
    assert abs(own.penalty(affine).value) < 1e-5
    assert own.recovered(affine, mean).value == pytest.approx(1, abs=1e-5)
    assert own.agreement(affine).value > 0.999 > found.agreement(affine).value > found.agreement(mean).value


@pytest.mark.parametrize("site", ["block 1", "block 3"])
def test_an_untrained_sender_marks_only_the_stitch_that_it_passes_too(outcomes, site):
    affine, mean = (site, site, "affine"), (site, site, "mean")
    good, random = outcomes["1 16000"], outcomes["1 0"]
    assert good.uninformative(affine, random, mean) == ""
    assert random.uninformative(affine, random, mean) == "a random sender does about as well through this stitch"
    passed = good.uninformative(affine, outcomes["2 16000"], mean)
    assert passed == "a random sender recovers 100% of the loss through this stitch too"


def test_a_random_sender_on_other_documents_is_no_comparison(outcomes, models, probe):
    found, key = outcomes["1 16000"], ("block 1", "block 1", "affine")
    with pytest.raises(ExplorerError, match="evaluated on other documents"):
        found.uninformative(key, evaluate(models["neox"], models["neox"], probe, []), key)


def test_what_mean_ablation_recovers_is_undefined_for_a_receiver_that_it_helps(models, parts):
    network, pair = models["neox"], ("block 2", "block 2")  # random weights predict worse than their mean does
    found = evaluate(network, network, parts[1], fitted(network, network, parts[0], [pair]))
    recovered = found.recovered((*pair, "affine"), (*pair, "mean"))
    assert not recovered.defined and recovered.reason == "mean ablation at this site costs the receiver nothing"


def test_the_interval_of_a_penalty_leaves_out_documents_and_needs_eight(models, probe, parts):
    stitches = [Stitch("block 1", "block 1", "identity", IDENTITY)]
    found = evaluate(models["other"], models["neox"], probe, stitches)
    penalty = found.penalty(stitches[0].key)
    more = found.stitched[stitches[0].key] - found.receiver
    left = (more.sum() - more) / (found.counts.sum() - found.counts)
    np.testing.assert_allclose(np.sort(penalty.replicates.values), np.sort(left))
    assert penalty.low < penalty.value < penalty.high and penalty.replicates.sizes.sum() == found.counts.sum()
    few = evaluate(models["other"], models["neox"], parts[1], stitches).penalty(stitches[0].key)
    assert few.defined and few.low is None and few.high is None


def test_a_cap_of_tokens_is_kept_and_drawn_by_its_seed(models, probe):
    one, again, other = (evaluate(models["neox"], models["neox"], probe, [], most=60, seed=seed) for seed in (1, 1, 2))
    assert 0 < one.counts.sum() <= 60 and one.documents == again.documents
    assert (one.documents, one.receiver.sum()) != (other.documents, other.receiver.sum())


def test_a_map_of_another_width_is_an_error(models, parts):
    narrow = Stitch("block 1", "block 1", "narrow", LinearMap(np.zeros((5, WIDTH)), np.zeros(WIDTH), "affine", 5))
    with pytest.raises(ExplorerError, match="A map of 5 x 16 was given, and the sender's states are 16 wide"):
        evaluate(models["neox"], models["neox"], parts[1], [narrow])
