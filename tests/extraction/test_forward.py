"""The forward pass: rows, ids and loss equal those of one unpadded pass a text, done by hand."""

import random
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers

from analysis.checkpoints.load import load
from analysis.errors import ExplorerError
from analysis.extraction import forward
from analysis.extraction.forward import extract
from analysis.extraction.probes import Probe, Text
from analysis.keys import Policy
from tests.checkpoints.models import BUILD, COMMON, CONTEXT, FINAL_NORM, WIDTH

SITES = ["embedding", "block 1", "block 2", "final"]
TAKE = {"last": lambda h: h[-1:], "last-keep-first": lambda h: h[-1:],
        "mean": lambda h: h[1:].mean(0, keepdims=True) if len(h) > 1 else h[1:],
        "mean-keep-first": lambda h: h.mean(0, keepdims=True), "every-1": lambda h: h[1:], "every-3": lambda h: h[1::3],
        "every-3-keep-first": lambda h: h[::3], "every-40-keep-first": lambda h: h[:1]}
TINY, SMALL, LARGE = 1, 40, 100_000


def words(count, seed=0):
    return " ".join(f"w{random.Random(f'{seed} {k}').randrange(50)}" for k in range(count))


def probe_of(*texts):
    return Probe("made", tuple(Text(f"id{k}", f"document{k // 2}", text) for k, text in enumerate(texts)))


MIXED = probe_of(*(words(count, seed) for seed, count in enumerate((9, 1, 13, 2, 2, 40, 1, 5, 32, 7, 33, 3))))


@pytest.fixture(scope="module")
def models(tiny_models):
    """Each architecture, loaded; no test changes them."""
    return {kind: load(folder) for kind, folder in tiny_models.items()}


@pytest.fixture(scope="module")
def by_hand(models):
    """For each architecture, token ids and float64 hidden states of every text of MIXED, one unpadded pass a text."""
    return {kind: [hidden_states(loaded, kind, text.text) for text in MIXED.texts] for kind, loaded in models.items()}


def token_ids(loaded, text):
    """The ids of a text cut to the context; BERT's [SEP] stays at the end."""
    ids = loaded.processor(text)["input_ids"]
    end = [id for id in ids[-1:] if id == loaded.processor.convert_tokens_to_ids("[SEP]")]
    return ids if len(ids) <= CONTEXT else [*ids[:CONTEXT - len(end)], *end]


@torch.inference_mode()
def hidden_states(loaded, kind, text):
    """The model's own report; the last block's output is reported once the final norm is taken out."""
    ids = token_ids(loaded, text)
    states = list(loaded.base(torch.tensor([ids]), output_hidden_states=True).hidden_states)
    if FINAL_NORM[kind]:
        bare = deepcopy(loaded.base)
        setattr(bare, FINAL_NORM[kind], torch.nn.Identity())
        states.insert(-1, bare(torch.tensor([ids])).last_hidden_state)
    else:
        states.append(states[-1])
    return ids, {site: state[0].double().numpy() for site, state in zip(SITES, states, strict=True)}


def changed(loaded, change):
    """The model after a change to a copy of its weights."""
    model = deepcopy(loaded.model)
    with torch.no_grad():
        change(model.base_model)
    return replace(loaded, model=model, base=model.base_model)


def assert_close(got, want, rtol=1e-5):
    """Equal to rounding, measured against the largest entry."""
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=0, atol=rtol * np.abs(want).max())


def refused(loaded, probe, policy, *parts):
    with pytest.raises(ExplorerError) as caught:
        extract(loaded, probe, Policy.parse(policy))
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message, message


# --- rows ---


@pytest.mark.parametrize("policy", TAKE)
@pytest.mark.parametrize("kind", BUILD)
def test_rows_are_those_of_one_unpadded_pass_a_text(models, by_hand, kind, policy):
    found = extract(models[kind], MIXED, Policy.parse(policy), batch_tokens=SMALL)
    assert list(found.rows) == SITES
    for site in SITES:
        assert found.rows[site].dtype == np.float32
        assert_close(found.rows[site], np.concatenate([TAKE[policy](states[site]) for _, states in by_hand[kind]]))


@pytest.mark.parametrize("batch_tokens", [TINY, SMALL, LARGE])
@pytest.mark.parametrize("policy", TAKE)
def test_row_and_document_ids_follow_the_probe_although_batches_follow_length(models, by_hand, policy, batch_tokens):
    found = extract(models["neox"], MIXED, Policy.parse(policy), batch_tokens=batch_tokens)
    ids, documents = [], []
    for text, (tokens, _) in zip(MIXED.texts, by_hand["neox"], strict=True):
        taken = TAKE[policy](np.arange(len(tokens), dtype=float)[:, None])[:, 0]
        names = [f"{text.id}@{p:.0f}" for p in taken] if policy.startswith("every") else [text.id] * len(taken)
        ids += names
        documents += [text.document] * len(names)
    assert found.row_ids == tuple(ids)
    assert found.document_ids == tuple(documents)


@pytest.mark.parametrize("policy", ["last", "mean", "every-2"])
@pytest.mark.parametrize("kind", BUILD)
def test_padding_never_enters_a_row_or_the_loss(models, probe, kind, policy):
    alone, together = (extract(models[kind], probe, Policy.parse(policy), batch_tokens=b) for b in (TINY, LARGE))
    assert alone.row_ids == together.row_ids and alone.document_ids == together.document_ids
    for site in SITES:
        assert_close(together.rows[site], alone.rows[site])
    loss = alone.facts["loss"]
    assert together.facts["loss"] == (loss and pytest.approx(loss, rel=1e-5))


@pytest.mark.parametrize("kind", ["neox", "llama", "bert"])
def test_what_the_padding_token_looks_like_changes_nothing(models, kind):
    def spoil(base):
        base.get_input_embeddings().weight[models[kind].processor.pad_token_id] = 1e6

    for policy in ("mean-keep-first", "every-2"):
        plain, spoilt = (extract(loaded, MIXED, Policy.parse(policy))
                         for loaded in (models[kind], changed(models[kind], spoil)))
        assert spoilt.facts == plain.facts
        assert all(np.array_equal(spoilt.rows[site], plain.rows[site]) for site in SITES)


def test_progress_counts_texts_up_to_all_of_them(models):
    seen = []
    extract(models["neox"], MIXED, Policy.parse("last"), lambda done, total: seen.append((done, total)), SMALL)
    done = [number for number, _ in seen]
    assert done == sorted(set(done)) and len(done) > 2
    assert {total for _, total in seen} == {12} and done[-1] == 12


# --- loss ---


@torch.inference_mode()
def losses(loaded, ids):
    """Cross-entropy of each next token in nats, by a float64 log-softmax of the whole model's logits."""
    logits = loaded.model(torch.tensor([ids])).logits[0, :-1].double()
    return -logits.log_softmax(-1)[torch.arange(len(ids) - 1), ids[1:]].numpy()


@pytest.mark.parametrize("batch_tokens", [TINY, SMALL, LARGE])
@pytest.mark.parametrize("kind", ["neox", "gpt2", "llama"])
def test_the_loss_is_the_cross_entropy_of_every_next_token_when_tokens_are_few(models, by_hand, kind, batch_tokens):
    each = np.concatenate([losses(models[kind], ids) for ids, _ in by_hand[kind]])
    found = extract(models[kind], MIXED, Policy.parse("last"), batch_tokens=batch_tokens).facts
    assert found["loss_tokens"] == len(each)
    assert found["loss"] == pytest.approx(each.mean(), rel=1e-6)


def test_the_loss_does_not_depend_on_the_token_policy(models):
    facts = [extract(models["llama"], MIXED, Policy.parse(policy)).facts for policy in TAKE]
    assert all(other == facts[0] for other in facts)


def test_the_loss_of_many_tokens_is_that_of_evenly_chosen_texts(models, by_hand, monkeypatch):
    total = sum(len(ids) for ids, _ in by_hand["neox"])
    monkeypatch.setattr(forward, "LOSS_TOKENS", total // 3 + 1)
    each = np.concatenate([losses(models["neox"], ids) for ids, _ in by_hand["neox"][::3]])
    for batch_tokens in (TINY, LARGE):
        found = extract(models["neox"], MIXED, Policy.parse("last"), batch_tokens=batch_tokens).facts
        assert (found["loss_tokens"], found["loss"]) == (len(each), pytest.approx(each.mean(), rel=1e-6))


@pytest.mark.parametrize(("kind", "setting"), [("Granite", {"logits_scaling": 4.0}), ("Cohere", {"logit_scale": 0.1}),
                                               ("Gemma2", {"final_logit_softcapping": 2.0, "head_dim": 8})])
def test_a_loss_is_the_models_own_where_it_scales_or_caps_its_logits_or_there_is_none(models, kind, setting):
    torch.manual_seed(1)
    config = getattr(transformers, f"{kind}Config")(**COMMON, num_key_value_heads=2, pad_token_id=0, **setting)
    model = getattr(transformers, f"{kind}ForCausalLM")(config).eval()
    loaded = replace(models["llama"], model=model, base=model.base_model)
    own = np.concatenate([losses(loaded, token_ids(loaded, text.text)) for text in MIXED.texts]).mean()
    assert extract(loaded, MIXED, Policy.parse("last")).facts["loss"] in (None, pytest.approx(own, rel=1e-5))


def test_a_model_without_a_causal_head_has_no_loss(models):
    facts = extract(models["bert"], MIXED, Policy.parse("last")).facts
    assert (facts["loss"], facts["loss_tokens"]) == (None, 0)


def test_texts_of_one_token_have_rows_and_no_loss(models):
    found = extract(models["neox"], probe_of("w1", "w2", "w3", "w4"), Policy.parse("last"))
    assert (found.facts["loss"], found.facts["loss_tokens"]) == (None, 0)
    assert found.rows["final"].shape == (4, WIDTH)


# --- precision ---


@pytest.mark.parametrize("policy", ["last", "mean", "every-3"])
def test_rows_of_a_bfloat16_pass_are_float32_and_those_of_the_model_in_bfloat16(tiny_models, models, policy):
    half = load(tiny_models["llama"], torch.bfloat16)
    found = extract(half, MIXED, Policy.parse(policy), batch_tokens=TINY)
    exact = extract(models["llama"], MIXED, Policy.parse(policy), batch_tokens=TINY)
    with torch.inference_mode():
        states = [half.base(torch.tensor([token_ids(half, text.text)])).last_hidden_state[0].double().numpy()
                  for text in MIXED.texts]
    assert_close(found.rows["final"], np.concatenate([TAKE[policy](each) for each in states]), rtol=1e-6)
    for site in SITES:
        assert found.rows[site].dtype == np.float32
        assert_close(found.rows[site], exact.rows[site], rtol=0.05)
        assert not np.array_equal(found.rows[site], exact.rows[site])


# --- facts ---


@pytest.mark.parametrize("kind", BUILD)
def test_facts_count_texts_tokens_and_texts_longer_than_the_context(models, by_hand, kind):
    facts = extract(models[kind], MIXED, Policy.parse("mean")).facts
    assert {key: facts[key] for key in ("texts", "texts_cut", "tokens", "sites")} == {
        "texts": 12, "texts_cut": 3 if kind == "bert" else 2, "sites": SITES,
        "tokens": sum(len(ids) for ids, _ in by_hand[kind])}
    assert max(len(ids) for ids, _ in by_hand[kind]) == CONTEXT


def test_words_beyond_the_context_do_not_matter(models):
    short = [words(CONTEXT, seed) for seed in range(4)]
    cut, whole = (extract(models["neox"], probe_of(*texts), Policy.parse("every-1"))
                  for texts in ([f"{text} {words(9)}" for text in short], short))
    assert (cut.facts["texts_cut"], whole.facts["texts_cut"]) == (4, 0)
    assert cut.row_ids == whole.row_ids
    assert all(np.array_equal(cut.rows[site], whole.rows[site]) for site in SITES)


# --- what cannot be measured ---


@pytest.mark.parametrize("policy", ["last", "mean", "every-2"])
@pytest.mark.parametrize("block", [1, 2])
@pytest.mark.parametrize("change", [
    pytest.param(lambda block: block.mlp.dense_4h_to_h.bias.fill_(3e38), id="bias"),
    pytest.param(lambda block: block.mlp.dense_4h_to_h.weight.mul_(1e38), id="weight")])
def test_finite_weights_that_overflow_are_refused_naming_the_first_site(models, policy, block, change):
    def spoil(base):
        for layer in base.layers[block - 1:]:
            layer.attention.dense.bias.fill_(3e38)
            change(layer)

    loaded = changed(models["neox"], spoil)
    assert all(torch.isfinite(parameter).all() for parameter in loaded.model.parameters())
    refused(loaded, MIXED, policy, "NaN or infinite", f"site block {block},", "overflow")


@pytest.mark.parametrize(("batch_tokens", "first", "last"), [(TINY, "id3", "id3"), (LARGE, "id0", "id6")])
def test_a_single_text_that_overflows_is_among_those_named(models, batch_tokens, first, last):
    texts = [words(5, seed) for seed in range(7)]
    texts[3] = "w3 w4 <eos> w5 w6"
    loaded = changed(models["neox"], lambda base: base.get_input_embeddings().weight[2].fill_(3e38))
    with pytest.raises(ExplorerError, match=f"infinite values at site block 1, first in texts '{first}' to '{last}';"):
        extract(loaded, probe_of(*texts), Policy.parse("mean"), batch_tokens=batch_tokens)


def test_texts_without_tokens_are_counted_and_the_first_is_named(models):
    refused(models["neox"], probe_of("w1 w2", " ", "w3 w4", "\t", "w5", "w6"), "last", "2 text(s)", "no token", "'id1'")
    refused(models["gpt2"], probe_of(" ", " ", " ", " "), "every-2", "4 text(s)", "'id0'")


@pytest.mark.parametrize(("policy", "rows"), [("last", 3), ("mean", 2), ("every-4", 3), ("every-9", 2)])
def test_fewer_than_four_rows_are_refused_with_their_number(models, policy, rows):
    refused(models["neox"], probe_of(words(8), words(4), "w1"), policy, f"{rows} row(s)", "at least 4")


@pytest.mark.parametrize("policy", ["mean", "every-1", "every-5"])
def test_texts_of_one_token_that_give_no_row_are_refused(models, policy):
    refused(models["neox"], probe_of(*(f"w{k}" for k in range(9))), policy, "0 row(s)", "at least 4")


@pytest.mark.parametrize("policy", ["mean", "every-2"])
def test_a_batch_of_texts_that_give_no_row_leaves_the_others_alone(models, policy):
    long = [words(6, seed) for seed in range(4)]
    mixed = extract(models["neox"], probe_of(long[0], "w1", "w2", *long[1:]), Policy.parse(policy), batch_tokens=6)
    alone = extract(models["neox"], probe_of(*long), Policy.parse(policy), batch_tokens=6)
    assert [name.split("@")[0] for name in dict.fromkeys(mixed.row_ids)] == [
        name for name in ("id0", "id3", "id4", "id5") for _ in range(len(alone.row_ids) // 4)]
    assert all(np.array_equal(mixed.rows[site], alone.rows[site]) for site in SITES)
    assert len(mixed.rows["final"]) == len(mixed.row_ids) == len(mixed.document_ids)
