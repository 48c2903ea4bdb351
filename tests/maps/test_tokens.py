"""The token of each row and the text around it, by the tokenizer that the network was read with."""

import numpy as np
import pytest

from analysis.checkpoints.folder import open_run
from analysis.extraction import token_spans
from analysis.extraction.probes import AS_GIVEN, Probe, Text, shuffled
from analysis.keys import Policy
from analysis.maps.tokens import described
from analysis.representations import Protocol, ensure

TEXTS = ("w3 w1 w4", "w1  w5 nowhere w9 w2", "w6 " * 40 + "w7", "w5")


@pytest.fixture
def few():
    return Probe("few", tuple(Text(f"t@{k}", f"d{k}", text) for k, text in enumerate(TEXTS)))


def of(store, checkpoint, probe, policy):
    """Row ids as a forward pass gives them, and what is said of each."""
    protocol = Protocol(probe, Policy.parse(policy))
    ids = ensure(store, checkpoint, protocol).row_ids
    found = described(checkpoint, protocol, ids)
    assert len(found.tokens) == len(found.contexts) == len(ids)
    return dict(zip(ids, zip(found.tokens, found.contexts, strict=True), strict=True))


@pytest.fixture
def checkpoint(run):
    return run.checkpoints[-1]


def test_every_token_is_told_with_the_text_around_it(store, checkpoint, few):
    found = of(store, checkpoint, few, "every-1")
    assert found["t@0@1"] == ("w1", "w3 w1▏ w4") and found["t@0@2"] == ("w4", "w3 w1 w4▏")
    assert found["t@1@2"] == ("nowhere", "w1  w5 nowhere▏ w9 w2"), "a token the vocabulary lacks is its characters"
    assert found["t@2@31"][1].endswith("w6▏ w6 w6 w6 w6 w6 w6 w…")
    assert "t@2@32" not in found and "t@3@0" not in found


def test_the_token_is_that_of_the_position_after_the_cut(store, checkpoint, few):
    assert {id: token for id, (token, _) in of(store, checkpoint, few, "last").items()} == {
        "t@0": "w4", "t@1": "w2", "t@2": "w6", "t@3": "w5"}, "the context of 32 tokens ends before w7"
    assert [token for token, _ in of(store, checkpoint, few, "first").values()] == ["w3", "w1", "w6", "w5"]


def test_whole_texts_are_told_by_their_ends(store, checkpoint, few):
    for policy in ("last", "mean-keep-first"):
        found = of(store, checkpoint, few, policy)
        assert found["t@0"][1] == "w3 w1 w4" and " … " in found["t@2"][1] and found["t@2"][1].endswith("w7")


def test_the_mean_of_a_text_has_no_token(store, checkpoint, few):
    assert {token for token, _ in of(store, checkpoint, few, "mean-keep-first").values()} == {""}


def test_words_are_those_of_the_text(store, checkpoint, few):
    found = of(store, checkpoint, few, "words-1")
    assert found["t@1@c14"] == ("nowhere", "w1  w5 nowhere▏ w9 w2") and found["t@0@c5"][0] == "w1"
    for id, (token, _) in found.items():
        text, end = TEXTS[int(id[2])], int(id.rpartition("@c")[2])
        assert text[:end].split()[-1] == token


def test_special_tokens_of_an_encoder_go_by_their_names(store, tiny_bert, few):
    bert = open_run(tiny_bert).checkpoints[0]
    assert {token for token, _ in of(store, bert, few, "last").values()} == {"[SEP]"}
    found = of(store, bert, few, "every-1-keep-first")
    assert found["t@3@0"] == ("[CLS]", "w5") and found["t@3@1"] == ("w5", "w5▏") and found["t@3@2"][0] == "[SEP]"


def test_shuffled_texts_give_the_tokens_that_were_read_and_no_place_in_the_text(store, checkpoint, few):
    known: dict[str, np.ndarray] = {}
    for probe in (few, shuffled(few)):
        found = of(store, checkpoint, probe, "every-1-keep-first")
        rows = ensure(store, checkpoint, Protocol(probe, Policy.parse("every-1-keep-first"))).rows["embedding"]
        for (token, _), row in zip(found.values(), rows, strict=True):
            name = "[UNK]" if token == "nowhere" else token
            assert np.array_equal(known.setdefault(name, row), row), "a token has one embedding"
    assert len(known) == len(np.unique(np.stack(list(known.values())), axis=0)) > 5
    assert found["t@0@1"][1] == TEXTS[0]


def test_rows_that_are_no_texts_have_neither_token_nor_context(checkpoint):
    for probe in (Probe(AS_GIVEN, ()), Probe("pictures", (Text("a", "a", "/a.png", content="x"),), "image")):
        found = described(checkpoint, Protocol(probe, Policy.parse("last")), ("a", "b@3", "c@c4"))
        assert found.tokens == ("", "", "") and found.contexts == ("", "", "")


def test_a_tokenizer_that_cannot_be_loaded_leaves_the_texts(tmp_path, run, few):
    from dataclasses import replace
    away = replace(run.checkpoints[0], path=str(tmp_path / "gone"))
    found = described(away, Protocol(few, Policy.parse("last")), ("t@0", "t@1"))
    assert found.tokens == ("", "") and found.contexts[0] == TEXTS[0]


def test_a_tokenizer_in_python_gives_the_token_without_its_place(monkeypatch, checkpoint, few):
    real, longest = token_spans._loaded(checkpoint)

    class Slow:
        decode = staticmethod(real.decode)

        def __call__(self, texts, **settings):
            encoded = real(texts, **settings)
            encoded._encodings = None
            return encoded

    monkeypatch.setattr(token_spans, "_loaded", lambda _: (Slow(), longest))
    found = described(checkpoint, Protocol(few, Policy.parse("every-1")), ("t@0@1", "t@1@4"))
    assert found.tokens == ("w1", "w2") and found.contexts == (TEXTS[0], TEXTS[1])


def test_a_checkpoint_on_the_hub_costs_its_small_files_alone(monkeypatch, tmp_path, run, few):
    from dataclasses import replace
    local = token_spans.Path(run.checkpoints[0].path)
    fetched = []

    def fetch(wanted, into, progress=None):
        fetched.extend(name for name, *_ in wanted.files)
        for name, *_ in wanted.files:
            (into / name).write_bytes((local / name).read_bytes())

    files = tuple((path.name, 1, "") for path in local.iterdir())
    assert any(name.endswith(".safetensors") for name, *_ in files)
    monkeypatch.setattr(token_spans.hub, "remote", lambda repo, commit: token_spans.hub.Remote(repo, commit, files))
    monkeypatch.setattr(token_spans.hub, "fetch", fetch)
    there = replace(run.checkpoints[0], path="hub:someone/tiny@abc")
    assert described(there, Protocol(few, Policy.parse("last")), ("t@0",)).tokens == ("w4",)
    assert "tokenizer.json" in fetched and not any(name.endswith(".safetensors") for name in fetched)
