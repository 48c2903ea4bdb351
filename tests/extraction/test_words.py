"""Rows at the ends of words: the same words for every tokenizer, each at the token that ends it."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import CanineTokenizer, GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast

from analysis.checkpoints.load import Loaded
from analysis.errors import ExplorerError
from analysis.extraction import inputs
from analysis.extraction.forward import extract
from analysis.extraction.inputs import feed
from analysis.extraction.probes import Probe, Text
from analysis.keys import Policy
from analysis.pairs.aligned import aligned
from tests.checkpoints.models import COMMON

SMALL, LARGE = 40, 100_000
LONGEST = 200
CORPUS = ["the quick brown fox jumps over the lazy dog and the naïve café of São Paulo", "Hello world, hello words"] * 9
TEXTS = ("Hello  World, naïve Café!", "  the quick\tbrown\n\nfox 🙂🙂 jumps", "łódź São 你好 the",
         "the\u00a0dog\u3000over", "quick")
BYTES = [f"<0x{number:02X}>" for number in range(256)]


def byte_level(trim, prefix):
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    inner.post_processor = processors.ByteLevel(trim_offsets=trim, add_prefix_space=prefix)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return trained(inner, trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False))


def llama(legacy=False):
    """Byte fallback; `legacy` as in Llama 2, whose spaces are text like any other, so that tokens may cross them."""
    inner = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    if legacy:
        inner.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        inner.pre_tokenizer = pre_tokenizers.Metaspace()
    trained(inner, trainers.BpeTrainer(vocab_size=380, special_tokens=["<unk>", "<s>", *BYTES], show_progress=False))
    state = json.loads(inner.to_str())
    state["added_tokens"] = state["added_tokens"][:2]
    inner = Tokenizer.from_str(json.dumps(state))
    inner.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return inner


def wordpiece():
    inner = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    inner.normalizer, inner.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    special = ["[UNK]", "[CLS]", "[SEP]"]
    trained(inner, trainers.WordPieceTrainer(vocab_size=120, special_tokens=special, show_progress=False))
    inner.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]",
                                                         special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    return inner


def unigram():
    inner = Tokenizer(models.Unigram())
    inner.normalizer, inner.pre_tokenizer = normalizers.NFKC(), pre_tokenizers.Metaspace()
    return trained(inner, trainers.UnigramTrainer(vocab_size=60, unk_token="<unk>", special_tokens=["<unk>"],
                                                  show_progress=False))


def trained(inner, trainer):
    inner.train_from_iterator(CORPUS, trainer)
    return inner


MAKE = {"neox": lambda: byte_level(False, False), "trimmed": lambda: byte_level(True, False),
        "roberta": lambda: byte_level(True, True), "llama": llama, "wordpiece": wordpiece, "unigram": unigram}
STARTS_WITH_A_TOKEN_OF_ITS_OWN = ("llama", "wordpiece")


def model_of(tokenizer):
    torch.manual_seed(3)
    config = GPTNeoXConfig(**{**COMMON, "vocab_size": 400, "max_position_embeddings": LONGEST})
    model = GPTNeoXForCausalLM(config).eval()
    return Loaded(model, model.base_model, tokenizer, "text", 2, LONGEST)


def wrapped(inner):
    return PreTrainedTokenizerFast(tokenizer_object=inner, truncation_side="right", padding_side="right")


@pytest.fixture(scope="module")
def networks():
    """One network with each kind of tokenizer; no test changes them."""
    return {kind: model_of(wrapped(make())) for kind, make in MAKE.items()}


def probe_of(*texts):
    return Probe("made", tuple(Text(f"id{k}", f"document{k // 2}", text) for k, text in enumerate(texts)))


PROBE = probe_of(*TEXTS)


def word_ends(text):
    """Where each word of str.split ends in a text."""
    ends, at = [], 0
    for word in text.split():
        at = text.index(word, at) + len(word)
        ends.append(at)
    return ends


def taken(loaded, text, policy="words-1-keep-first"):
    """Token and offset of the words of one text."""
    return feed(loaded, probe_of(text), LARGE, Policy.parse(policy)).words[0].tolist()


def tokens_to(loaded, text, end):
    """How many tokens a text has up to an offset, cut there before it is given to the tokenizer."""
    ids = loaded.processor(text[:end])["input_ids"]
    return len(ids) - (ids[-1] == loaded.processor.convert_tokens_to_ids("[SEP]"))


@pytest.mark.parametrize("kind", MAKE)
def test_a_word_is_at_the_token_up_to_which_the_text_ends_with_it(networks, kind):
    for text in TEXTS:
        assert taken(networks[kind], text) == [[tokens_to(networks[kind], text, end) - 1, end]
                                               for end in word_ends(text)]


@pytest.mark.parametrize("every", [1, 2, 3])
@pytest.mark.parametrize("kind", MAKE)
def test_every_tokenizer_gives_the_same_ids_for_the_same_words(networks, kind, every):
    found = extract(networks[kind], PROBE, Policy.parse(f"words-{every}-keep-first"), batch_tokens=SMALL)
    wanted = [(f"{text.id}@c{end}", text.document) for text in PROBE.texts for end in word_ends(text.text)[::every]]
    assert list(zip(found.row_ids, found.document_ids, strict=True)) == wanted


@pytest.mark.parametrize("batch_tokens", [SMALL, LARGE])
@pytest.mark.parametrize("kind", MAKE)
def test_rows_are_the_states_of_those_tokens_and_the_loss_is_that_of_any_policy(networks, kind, batch_tokens):
    loaded = networks[kind]
    words = extract(loaded, PROBE, Policy.parse("words-1-keep-first"), batch_tokens=batch_tokens)
    tokens = extract(loaded, PROBE, Policy.parse("every-1-keep-first"), batch_tokens=batch_tokens)
    wanted = [tokens.row_ids.index(f"{text.id}@{tokens_to(loaded, text.text, end) - 1}")
              for text in PROBE.texts for end in word_ends(text.text)]
    assert words.facts == tokens.facts
    assert all(np.array_equal(words.rows[site], tokens.rows[site][wanted]) for site in tokens.rows)


@pytest.mark.parametrize("kind", MAKE)
def test_the_word_that_holds_token_0_is_left_out_unless_it_is_asked_for(networks, kind):
    first = () if kind in STARTS_WITH_A_TOKEN_OF_ITS_OWN else (5,)
    assert [end for _, end in taken(networks[kind], "Hello quick brown", "words-1")] == [
        end for end in (5, 11, 17) if end not in first]
    assert [end for _, end in taken(networks[kind], "Hello quick brown", "words-2")] == [
        end for end in (5, 17) if end not in first]
    assert all(token > 0 for token, _ in taken(networks[kind], "🙂 quick", "words-1"))


@pytest.mark.parametrize("kind", ["neox", "trimmed"])
def test_no_word_is_left_out_where_token_0_is_a_space(networks, kind):
    assert [end for _, end in taken(networks[kind], "\n the dog", "words-1")] == [5, 9]


@pytest.mark.parametrize("kind", MAKE)
@pytest.mark.parametrize("context", [3, 4, 7, 12, 19])
def test_words_that_the_context_cuts_off_have_no_row_and_those_before_keep_theirs(networks, kind, context):
    loaded = replace(networks[kind], context=context)
    special = kind == "wordpiece"
    for text in (*TEXTS, "naïve 🙂🙂 Café 你好 the łódź " * 2):
        whole = taken(networks[kind], text)
        assert taken(loaded, text) == [[token, end] for token, end in whole if token < context - special]


def test_a_character_cut_in_half_by_the_context_is_not_read(networks):
    length = len(networks["neox"].processor("the 🙂")["input_ids"])
    for context in range(2, length):
        assert [end for _, end in taken(replace(networks["neox"], context=context), "the 🙂")] == [3]
    assert [end for _, end in taken(networks["neox"], "the 🙂")] == [3, 5]


def test_a_token_that_ends_two_words_is_the_row_of_both():
    loaded = model_of(wrapped(llama(legacy=True)))
    found = taken(loaded, "the quick brown fox jumps over")
    assert [end for _, end in found] == word_ends("the quick brown fox jumps over")
    assert len({token for token, _ in found}) < len(found), "a token that crosses a space"
    rows = extract(loaded, probe_of("the quick brown fox jumps over"), Policy.parse("words-1-keep-first")).rows["final"]
    assert all(np.array_equal(rows[a], rows[b]) for a in range(6) for b in range(6) if found[a][0] == found[b][0])


@pytest.mark.parametrize(("kind", "end"), [("wordpiece", "e\u0301"), ("wordpiece", "e\u200b"), ("unigram", "e\u0301")])
def test_a_last_character_that_the_tokenizer_drops_leaves_the_word_its_last_token(networks, kind, end):
    plain, marked = (taken(networks[kind], f"the caf{last} dog") for last in ("é", end))
    assert [place for _, place in marked] == [3, 9, 13]
    assert [token for token, _ in marked] == [token for token, _ in plain]


def test_a_word_of_which_the_tokenizer_drops_all_has_no_row(networks):
    assert [end for _, end in taken(networks["wordpiece"], "the \u200b dog")] == [3, 9]
    assert [end for _, end in taken(networks["neox"], "the \u200b dog")] == [3, 5, 9]


def test_models_with_different_tokenizers_are_compared_on_the_words_that_both_read(networks):
    texts = probe_of(*["the quick brown fox jumps over the lazy dog and the naïve café"] * 6)
    short = replace(networks["neox"], context=14)
    left, right = (extract(loaded, texts, Policy.parse("words-1")) for loaded in (short, networks["wordpiece"]))
    found = aligned([("short", left, False), ("long", right, False)])
    assert found.which[0] is None and found.row_ids == left.row_ids
    assert found.note == f"compared on {len(left.row_ids)} common words of {len(left.row_ids)} and {13 * 6}"
    assert [right.row_ids[row] for row in found.which[1]] == list(left.row_ids)


def test_other_policies_look_at_no_words(networks, monkeypatch):
    monkeypatch.setattr(inputs, "_word_ends", None)
    for policy in ("last", "mean", "first", "every-2"):
        assert feed(networks["neox"], PROBE, SMALL, Policy.parse(policy)).words is None
    assert feed(networks["neox"], PROBE, SMALL).words is None


def test_a_tokenizer_that_does_not_tell_what_its_tokens_cover_is_refused_with_the_policies_that_work(networks):
    loaded = replace(networks["neox"], processor=CanineTokenizer())
    with pytest.raises(ExplorerError, match=r"CanineTokenizer does not tell .* words-4 .* use .* last or mean"):
        feed(loaded, PROBE, SMALL, Policy.parse("words-4"))


def test_images_have_no_words(networks):
    loaded, probe = replace(networks["neox"], modality="image"), replace(PROBE, kind="image")
    with pytest.raises(ExplorerError, match=r"words-1 takes words of texts, and the probe made holds images; use"):
        feed(loaded, probe, SMALL, Policy.parse("words-1"))


def test_texts_of_one_word_that_give_no_row_are_refused(networks):
    with pytest.raises(ExplorerError, match=r"give 0 row\(s\) and at least 4"):
        extract(networks["neox"], probe_of("the", "quick", "dog", "fox"), Policy.parse("words-1"))
