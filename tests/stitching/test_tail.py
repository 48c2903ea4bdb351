"""Tails: a network's own states put back anywhere give its own logits, and what leads to a site is not computed."""

import pytest
import torch
import transformers as hf
from transformers.modeling_outputs import CausalLMOutput

from analysis.errors import ExplorerError
from analysis.extraction.sites import block_list
from analysis.stitching.tail import checked_kind, head_kind, item_logits, resume, run, sites_of, token_logits
from tests.stitching.families import BLOCKS, CAUSAL, JUDGING, TEXT, inputs, loaded

FAMILIES = {name: ("text", build) for name, build in CAUSAL.items()} | JUDGING
KINDS = {"bert classes": "item", "gpt2 classes": "item", "bert words": "token", "deberta tags": "token", "vit": "item",
         "dinov2": "item", "wavlm": "item"} | dict.fromkeys(CAUSAL, "causal")


@pytest.fixture(scope="module")
def networks():
    return {name: (loaded(build, modality), inputs(modality)) for name, (modality, build) in FAMILIES.items()}


def traces(network):
    """What could be left behind on a model: hooks, and forwards that stand in for others."""
    return [(module.__dict__.get("forward"), *map(len, (module._forward_hooks, module._forward_pre_hooks)))
            for module in network.model.modules()]


@pytest.mark.parametrize("name", FAMILIES)
@torch.inference_mode()
def test_own_states_put_back_at_any_site_give_the_models_own_logits_bit_for_bit(networks, name):
    network, given = networks[name]
    expected = network.model(**given).logits
    before = traces(network)  # transformers hangs its own there on the first call
    own = run(network, given, sites_of(network))
    assert list(own.states) == ["embedding", "block 1", "block 2", "block 3", "final"]
    for site, states in own.states.items():
        output = resume(network, given, site, states, own)
        assert torch.equal(output.last_hidden_state, own.output.last_hidden_state), site
        assert torch.equal(item_logits(network, given, output), expected), site
    assert traces(network) == before


@pytest.mark.parametrize("name", FAMILIES)
@torch.inference_mode()
def test_a_tail_needs_no_pass_that_was_made_before_it(networks, name):
    network, given = networks[name]
    own = run(network, given, ["block 2"])
    output = resume(network, given, "block 2", own.states["block 2"])
    assert torch.equal(output.last_hidden_state, own.output.last_hidden_state)


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind != "item"])
@torch.inference_mode()
def test_logits_of_states_without_their_texts_are_those_of_the_texts(networks, name):
    network, given = networks[name]
    real = given["attention_mask"].bool()
    states = network.base(**given).last_hidden_state[real]
    torch.testing.assert_close(token_logits(network, states), network.model(**given).logits[real], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_kind_of_a_head_is_known_and_every_site_of_it_checked(networks, name):
    before = traces(networks[name][0])
    assert checked_kind(*networks[name]) == KINDS[name]
    assert traces(networks[name][0]) == before


@pytest.mark.parametrize("name", ["neox", "gpt2", "bert classes", "wavlm"])
@torch.inference_mode()
def test_the_blocks_before_a_site_are_not_computed(networks, name):
    network, given = networks[name]
    own = run(network, given, sites_of(network))
    ran = []
    parts = [next(part for part in block.modules() if isinstance(part, torch.nn.LayerNorm))
             for block in block_list(network.base, BLOCKS)]
    handles = [part.register_forward_hook(lambda *_, k=k: ran.append(k)) for k, part in enumerate(parts, 1)]
    for site, left in {"embedding": [1, 2, 3], "block 1": [2, 3], "block 3": [], "final": []}.items():
        ran.clear()
        resume(network, given, site, own.states[site], own)
        assert ran == left, site
    for handle in handles:
        handle.remove()


@pytest.mark.parametrize("name", FAMILIES)
@torch.inference_mode()
def test_other_states_give_another_result_at_every_site(networks, name):
    network, given = networks[name]
    own = run(network, given, sites_of(network))
    wanted = network.model(**given).logits
    for site, states in own.states.items():
        output = resume(network, given, site, torch.randn_like(states), own)
        assert not torch.allclose(item_logits(network, given, output), wanted), site


@torch.inference_mode()
def test_states_of_the_last_block_pass_the_final_norm_and_final_states_do_not(networks):
    network, given = networks["llama"]
    states = torch.randn(3, 7, 16)
    own = run(network, given, ())
    lens = resume(network, given, "block 3", states, own).last_hidden_state
    assert torch.equal(lens, network.base.norm(states))
    assert torch.equal(resume(network, given, "final", states, own).last_hidden_state, states)


@pytest.mark.parametrize("site", ["embedding", "block 1", "block 2"])
def test_nothing_stays_on_a_model_whose_tail_fails(networks, site):
    network, given = networks["neox"]
    before = traces(network)
    with pytest.raises(RuntimeError):
        resume(network, given, site, torch.zeros(3, 7, 5))
    assert traces(network) == before
    with pytest.raises(RuntimeError):
        token_logits(network, torch.zeros(4, 5))
    assert traces(network) == before


def test_a_forward_that_stood_in_the_place_before_is_put_back(networks):
    network, given = networks["gpt2"]
    block = block_list(network.base, BLOCKS)[0]
    mine = block.forward
    block.__dict__["forward"] = mine
    try:
        with torch.inference_mode():
            resume(network, given, "block 2", torch.zeros(3, 7, 16))
        assert block.__dict__["forward"] is mine
    finally:
        del block.__dict__["forward"]


@pytest.mark.parametrize("site", ["block 0", "block 4", "block x", "head", ""])
def test_a_site_that_is_not_there_is_an_error_that_names_those_that_are(networks, site):
    network, given = networks["neox"]
    with pytest.raises(ExplorerError, match=r"has no site '.*'; its sites are embedding, block 1 to block 3"):
        resume(network, given, site, torch.zeros(3, 7, 16))


def test_gradients_reach_the_given_states_and_no_weight_is_needed(networks):
    network, given = networks["neox"]
    states = torch.randn(3, 7, 16, requires_grad=True)
    resume(network, given, "block 1", states).last_hidden_state.sum().backward()
    assert states.grad is not None and states.grad.abs().sum() > 0


def test_a_model_without_a_head_is_refused_as_a_receiver():
    bare = loaded(lambda: hf.BertModel(hf.BertConfig(**TEXT)))
    assert head_kind(bare, inputs("text")) == "none"
    with pytest.raises(ExplorerError, match="BertModel has no head that turns its last states into logits"):
        checked_kind(bare, inputs("text"))


def test_a_model_whose_head_reads_more_than_the_last_state_is_refused():
    class Odd(hf.GPTNeoXForCausalLM):
        def forward(self, input_ids, **rest):
            states = self.gpt_neox(input_ids, **rest).last_hidden_state
            return CausalLMOutput(logits=self.lm_head(states + self.gpt_neox.embed_in(input_ids)))

    network = loaded(lambda: Odd(hf.GPTNeoXConfig(**TEXT)))
    Odd.__name__ = "OddForCausalLM"
    with pytest.raises(ExplorerError, match="gives other logits when its own states are put back at embedding and 4"):
        checked_kind(network, inputs("text"))
