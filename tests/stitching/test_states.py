"""States for stitching: every real token of both networks at the same place, and moments of many pairs in one pass."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from analysis.checkpoints.load import load
from analysis.cross_moments import CrossMoments
from analysis.errors import ExplorerError
from analysis.extraction.forward import extract
from analysis.extraction.inputs import feed
from analysis.extraction.sites import block_list
from analysis.keys import Policy
from analysis.stitching.states import batches, limited, moments, split, states, stitched_at, usual_first
from tests.checkpoints.models import BUILD, CONTEXT, tokenizer
from tests.stitching.families import BLOCKS, CAUSAL, inputs, loaded

PAIRS = [("embedding", "block 1"), ("block 1", "block 1"), ("block 2", "final"), ("final", "embedding")]


class Seen:
    """Counts how often a network is run."""

    def __init__(self, network):
        self.count = 0
        self.handle = network.base.register_forward_pre_hook(self.add)

    def add(self, *_):
        self.count += 1


@pytest.fixture(scope="module")
def sender(tiny_run):
    return load(tiny_run / "step8")


@pytest.fixture(scope="module")
def receiver(tiny_run):
    return load(tiny_run / "step1")


def rows(network, probe, site, policy):
    return extract(network, probe, Policy.parse(policy)).rows[site].astype(np.float64)


# --- the split ---


def test_the_split_keeps_whole_documents_together_and_loses_none(probe):
    fit, held = split(probe)
    assert {t.document for t in fit.texts}.isdisjoint(t.document for t in held.texts)
    assert sorted((*fit.texts, *held.texts), key=probe.texts.index) == list(probe.texts)
    assert len({t.document for t in held.texts}) == 6


def test_the_split_is_the_same_again_and_another_by_another_seed(probe):
    assert split(probe, 3) == split(probe, 3)
    assert len({split(probe, seed)[1].texts for seed in range(1, 6)}) > 2


def test_a_probe_of_too_few_documents_to_split_is_an_error(probe):
    one = replace(probe, texts=probe.texts[:4])
    with pytest.raises(ExplorerError, match=r"leaves 0 document\(s\) on one side of the split by document"):
        split(one)


def test_a_cap_takes_whole_texts_up_to_it(sender, probe):
    for most in (1, 40, 100, 10**6):
        some = limited(sender, probe, most, seed=2)
        assert set(some.texts) <= set(probe.texts)
        used = sum(feed(sender, some, 512).lengths)
        assert used <= most or len(some.texts) == 1
        assert used > most - CONTEXT or len(some.texts) == len(probe.texts)
    assert limited(sender, probe, 100, seed=2) == limited(sender, probe, 100, seed=2)
    assert limited(sender, probe, 100, seed=2) != limited(sender, probe, 100, seed=3)


# --- the states ---


@pytest.mark.parametrize("name", ["neox", "opt"])
@torch.inference_mode()
def test_states_of_chosen_sites_are_the_models_own(name):
    network, given = loaded(CAUSAL[name]), inputs("text")
    own = network.base(**given, output_hidden_states=True).hidden_states
    found = states(network, given, ["embedding", "block 2"])
    assert list(found) == ["embedding", "block 2"]
    assert torch.equal(found["embedding"], own[0]) and torch.equal(found["block 2"], own[2])


@torch.inference_mode()
def test_the_pass_ends_at_the_last_site_that_is_wanted():
    network, ran = loaded(CAUSAL["neox"]), []
    for k, block in enumerate(block_list(network.base, BLOCKS), 1):
        block.register_forward_hook(lambda *_, k=k: ran.append(k))
    states(network, inputs("text"), ["block 1", "embedding"])
    assert ran == [1] or ran == []
    states(network, inputs("text"), ["final"])
    assert ran[-3:] == [1, 2, 3]


def test_an_unknown_site_is_an_error():
    with pytest.raises(ExplorerError, match="has no site 'block 9'"):
        states(loaded(CAUSAL["neox"]), inputs("text"), ["block 1", "block 9"])


def test_padding_is_never_stitched_and_position_0_only_where_it_is_not_kept():
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]])
    assert stitched_at(mask, "kept").tolist() == [[False, True, True], [False, True, False]]
    assert torch.equal(stitched_at(mask, "stitched"), mask.bool()) and torch.equal(stitched_at(mask, "fitted"),
                                                                                   mask.bool())
    with pytest.raises(ExplorerError, match="Position 0 can be kept, stitched, fitted, and 'dropped' was asked for"):
        stitched_at(mask, "dropped")


def test_the_usual_position_0_is_kept_by_causal_models_and_fitted_by_others(tiny_bert, sender):
    assert (usual_first(sender), usual_first(load(tiny_bert))) == ("kept", "fitted")


# --- the moments ---


@pytest.mark.parametrize(("first", "policy"), [("kept", "every-1"), ("stitched", "every-1"),
                                               ("fitted", "every-1-keep-first")])
def test_moments_are_those_of_the_rows_that_extraction_gives(sender, receiver, probe, first, policy):
    fit = moments(sender, receiver, probe, PAIRS, CrossMoments, first=first, batch_tokens=100)
    assert list(fit.paired) == PAIRS and not fit.shuffled
    for i, j in PAIRS:
        wanted = CrossMoments.of(rows(sender, probe, i, policy), rows(receiver, probe, j, policy))
        assert fit.paired[i, j].n == wanted.n
        for part in ("mean_x", "mean_y", "scatter_xx", "scatter_xy", "scatter_yy"):
            np.testing.assert_allclose(getattr(fit.paired[i, j], part), getattr(wanted, part), rtol=1e-4, atol=1e-4)


def test_many_pairs_cost_one_pass_of_each_network(sender, receiver, probe):
    def passes(pairs, **settings):
        counted = Seen(sender), Seen(receiver)
        moments(sender, receiver, probe, pairs, CrossMoments, **settings)
        for seen in counted:
            seen.handle.remove()
        return [seen.count for seen in counted]

    assert passes(PAIRS, shuffled=PAIRS) == passes(PAIRS[:1])


def test_shuffled_rows_have_the_same_sides_and_nothing_in_common(sender, probe):
    pair = ("block 2", "block 2")
    fit = moments(sender, sender, probe, [pair], CrossMoments, shuffled=[pair])
    true, mixed = fit.paired[pair], fit.shuffled[pair]
    np.testing.assert_allclose(true.scatter_xx, mixed.scatter_xx, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(true.scatter_xy, true.scatter_xx, rtol=1e-9)
    assert np.trace(mixed.scatter_xy) < 0.2 * np.trace(true.scatter_xy)
    again = moments(sender, sender, probe, [pair], CrossMoments, shuffled=[pair]).shuffled[pair]
    assert np.array_equal(again.scatter_xy, mixed.scatter_xy)


def test_progress_counts_the_items_of_the_probe(sender, receiver, probe):
    told = []
    moments(sender, receiver, probe, PAIRS[:1], CrossMoments, batch_tokens=100,
            progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (48, 48) and len(told) > 2


# --- the same tokens ---


def test_texts_are_cut_to_the_shorter_context_for_both(sender, receiver, probe):
    short = replace(receiver, context=5)
    for a, b in batches(sender, short, probe, 100):
        assert torch.equal(a.inputs["input_ids"], b.inputs["input_ids"]) and a.inputs["input_ids"].shape[1] <= 5


def test_other_lengths_of_a_text_are_an_error_that_says_what_to_do(sender, receiver, probe):
    other = replace(receiver, processor=tokenizer("bert"))
    with pytest.raises(ExplorerError) as caught:
        next(batches(sender, other, probe))
    count = len(probe.texts[0].text.split())
    assert f"The text 'text 0.0' is {count} tokens for the sender and {count + 2} for the receiver" in str(caught.value)
    assert "choose two models with the same tokenizer" in str(caught.value)


def test_other_tokens_of_the_same_lengths_are_an_error(sender, receiver, probe):
    other = replace(receiver, processor=tokenizer("neox", words=3))  # most words are unknown to it
    with pytest.raises(ExplorerError, match=r"is token \d+ at position \d+ for the sender and token 1 at position"):
        next(batches(sender, other, probe))


def test_a_network_whose_sites_cannot_be_heard_is_refused(receiver, probe):
    class Odd(torch.nn.Module):
        def __init__(self, base):
            super().__init__()
            self.inner, self.config, self.device = base, base.config, base.device

        def forward(self, **given):
            output = self.inner(**given)
            if output.hidden_states is not None:
                output.hidden_states = tuple(state + 1 for state in output.hidden_states)
            return output

        def get_input_embeddings(self):
            return self.inner.get_input_embeddings()

    with pytest.raises(ExplorerError, match="reports other hidden states than its blocks produce"):
        next(batches(replace(receiver, base=Odd(receiver.base)), receiver, probe))


def test_every_family_of_the_checkpoint_tests_can_be_a_sender(tiny_models, probe):
    for kind in set(BUILD) - {"bert"}:
        fit = moments(load(tiny_models[kind]), load(tiny_models["neox"]), probe, [("block 1", "block 2")], CrossMoments)
        assert fit.paired["block 1", "block 2"].n == sum(len(text.text.split()) - 1 for text in probe.texts)
