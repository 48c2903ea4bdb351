"""Sites: what the hooks hear is what the model itself reports, and nothing stays behind on the model."""

import weakref
from copy import deepcopy

import pytest
import torch

from analysis.checkpoints.load import load
from analysis.errors import ExplorerError
from analysis.extraction.forward import extract
from analysis.extraction.sites import block_list, listening, verify
from analysis.keys import Policy
from tests.checkpoints.models import BLOCKS, BUILD, FINAL_NORM

SITES = ["embedding", "block 1", "block 2", "final"]
INPUTS = {"input_ids": torch.tensor([[5, 9, 33, 7, 60], [11, 6, 12, 0, 0]]),
          "attention_mask": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])}


@pytest.fixture(scope="module")
def networks(tiny_models):
    """The network of each architecture, without its head."""
    return {kind: load(folder).base for kind, folder in tiny_models.items()}


def heard_and_reported(base):
    seen = {}
    with torch.inference_mode(), listening(base, BLOCKS, seen.__setitem__):
        base(**INPUTS)
    with torch.inference_mode():
        return seen, base(**INPUTS, output_hidden_states=True)


def hooks(base):
    """Where our own hooks are; transformers leaves some of its own once it has reported hidden states."""
    return {name or "network" for name, module in base.named_modules()
            for kind in ("_forward_hooks", "_forward_pre_hooks") for hook in getattr(module, kind).values()
            if hook.__module__ == listening.__module__}


class Wrapped(torch.nn.Module):
    """A network whose report of its own hidden states is changed."""

    def __init__(self, inner, change):
        super().__init__()
        self.inner, self.change = inner, change

    def forward(self, **inputs):
        output = self.inner(**inputs)
        output.hidden_states = self.change(list(output.hidden_states))
        return output


# --- what is heard ---


@pytest.mark.parametrize("kind", BUILD)
def test_the_embedding_and_every_inner_block_are_what_the_model_reports(networks, kind):
    heard, output = heard_and_reported(networks[kind])
    assert list(heard) == SITES
    assert torch.equal(heard["embedding"], output.hidden_states[0])
    assert torch.equal(heard["block 1"], output.hidden_states[1])


@pytest.mark.parametrize("kind", BUILD)
def test_final_is_the_last_hidden_state(networks, kind):
    heard, output = heard_and_reported(networks[kind])
    assert torch.equal(heard["final"], output.last_hidden_state)


@pytest.mark.parametrize("kind", [kind for kind, norm in FINAL_NORM.items() if norm])
def test_the_last_block_is_heard_before_the_final_norm(networks, kind):
    heard, _ = heard_and_reported(networks[kind])
    with torch.inference_mode():
        normed = getattr(networks[kind], FINAL_NORM[kind])(heard["block 2"])
    assert torch.equal(normed, heard["final"])
    assert not torch.allclose(heard["block 2"], heard["final"], rtol=0.1)


def test_the_last_block_of_bert_is_the_final_site_since_no_norm_follows(networks):
    heard, _ = heard_and_reported(networks["bert"])
    assert torch.equal(heard["block 2"], heard["final"])


def test_the_embedding_of_gpt2_holds_the_positions_added_to_the_words(networks):
    heard, _ = heard_and_reported(networks["gpt2"])
    by_hand = networks["gpt2"].wte.weight[INPUTS["input_ids"]] + networks["gpt2"].wpe.weight[:5]
    torch.testing.assert_close(heard["embedding"], by_hand, rtol=1e-6, atol=0)


def test_every_site_is_handed_over_once_a_pass_and_in_order(networks):
    base, heard = networks["neox"], []
    with torch.inference_mode(), listening(base, BLOCKS, lambda site, hidden: heard.append((site, hidden.shape))):
        base(**INPUTS)
        base(input_ids=torch.tensor([[8, 8]]))
    assert heard == [(site, (2, 5, 16)) for site in SITES] + [(site, (1, 2, 16)) for site in SITES]


def test_a_site_is_not_kept_beyond_the_pass(networks):
    base, alive = networks["neox"], []
    with torch.inference_mode(), listening(base, BLOCKS, lambda site, hidden: alive.append(weakref.ref(hidden))):
        base(**INPUTS)
    assert len(alive) == 4 and not any(reference() is not None for reference in alive[:3])


# --- finding the blocks ---


@pytest.mark.parametrize("kind", BUILD)
def test_the_list_of_blocks_is_the_networks_own(networks, kind):
    base = networks[kind]
    own = {"neox": lambda: base.layers, "gpt2": lambda: base.h, "llama": lambda: base.layers,
           "bert": lambda: base.encoder.layer}[kind]()
    assert block_list(base, BLOCKS) is own


def test_experts_inside_a_block_are_not_mistaken_for_blocks():
    def block():
        return torch.nn.ModuleDict({"experts": torch.nn.ModuleList([torch.nn.Linear(2, 2) for _ in range(3)])})
    base = torch.nn.Module()
    base.aside = torch.nn.Module()
    base.aside.parts = torch.nn.ModuleList([block() for _ in range(3)])
    base.layers = torch.nn.ModuleList([block() for _ in range(3)])
    assert block_list(base, 3) is base.layers


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_network_without_such_a_list_is_refused_in_a_sentence_that_names_it(networks, count):
    with pytest.raises(ExplorerError) as caught:
        block_list(networks["neox"], count)
    assert str(caught.value).startswith(f"GPTNeoXModel has no list of {count} blocks")
    assert "not supported" in str(caught.value) and "\n" not in str(caught.value)


# --- checking the model against itself ---


@pytest.mark.parametrize("kind", BUILD)
def test_a_supported_network_passes_its_own_check(networks, kind):
    assert verify(networks[kind], BLOCKS, INPUTS) is None
    assert not hooks(networks[kind])


@pytest.mark.parametrize("change", [
    lambda states: states[:-1], lambda states: [*states, states[-1]], lambda states: [states[1], states[0], states[2]],
    lambda states: [states[0] + 1e-6, *states[1:]], lambda states: [*states[:-1], states[-1] * (1 + 1e-6)]])
def test_a_network_that_reports_something_else_is_refused(networks, change):
    assert verify(Wrapped(networks["llama"], lambda states: states), BLOCKS, INPUTS) is None
    with pytest.raises(ExplorerError, match="Wrapped reports other hidden states than its blocks produce"):
        verify(Wrapped(networks["llama"], change), BLOCKS, INPUTS)


# --- leaving no trace ---


@pytest.mark.parametrize("kind", BUILD)
def test_hooks_are_gone_afterwards_and_the_model_computes_the_same(networks, kind):
    base = networks[kind]
    with torch.inference_mode():
        expected = base(**INPUTS).last_hidden_state
        heard = []
        with listening(base, BLOCKS, lambda site, hidden: heard.append(site)):
            assert len(hooks(base)) == 1 + BLOCKS
            assert torch.equal(base(**INPUTS).last_hidden_state, expected)
        base(input_ids=torch.tensor([[8, 8]]))
    assert not hooks(base) and heard == SITES


def test_hooks_are_gone_after_an_exception_inside(networks):
    base = networks["neox"]
    with pytest.raises(RuntimeError, match="stopped"), listening(base, BLOCKS, lambda site, hidden: None):
        assert hooks(base)
        raise RuntimeError("stopped")
    assert not hooks(base)


def test_hooks_are_gone_after_a_forward_pass_that_fails(networks):
    base = deepcopy(networks["gpt2"])
    base.h[1].mlp = torch.nn.Linear(3, 3)
    with pytest.raises(RuntimeError), listening(base, BLOCKS, lambda site, hidden: None):
        base(**INPUTS)
    assert not hooks(base)


def test_hooks_are_gone_after_an_extraction_that_is_stopped(tiny_models, probe):
    def stop(done, total):
        raise KeyboardInterrupt

    loaded = load(tiny_models["neox"])
    with pytest.raises(KeyboardInterrupt):
        extract(loaded, probe, Policy.parse("last"), stop)
    assert not hooks(loaded.base)
