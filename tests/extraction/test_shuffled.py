"""A probe with its tokens shuffled: the same tokens of each text in another order, and nothing else."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from transformers import CanineTokenizer

from analysis.__main__ import PROJECT, main, open_store
from analysis.checkpoints.load import load
from analysis.errors import ExplorerError
from analysis.extraction import inputs
from analysis.extraction.forward import extract
from analysis.extraction.inputs import feed
from analysis.extraction.library import add_probe, find_probe, shuffled_names
from analysis.extraction.probes import AS_GIVEN, DEFAULT, SHUFFLED, Probe, Text, load_probe, shuffled
from analysis.keys import Policy
from tests.checkpoints.models import tokenizer
from tests.extraction.test_words import LARGE, MAKE, SMALL, model_of, wrapped

LINE = "the quick brown fox jumps over the lazy dog and the naïve café of São Paulo"
LONG = " ".join(f"w{k}" for k in range(12))
BEGINS = {"llama": "<s>", "wordpiece": "[CLS]"}
ENDS = {"wordpiece": "[SEP]"}


def probe_of(*texts, named=None):
    ids = named or [f"id{k}" for k in range(len(texts))]
    return Probe("made", tuple(Text(id, id, text) for id, text in zip(ids, texts, strict=True)))


def tokens(loaded, probe, budget=LARGE):
    """The ids that the network is given for each text, in the order of the probe."""
    found = {}
    for batch in feed(loaded, probe, budget).batches:
        for item, ids, mask in zip(batch.items, batch.inputs["input_ids"], batch.inputs["attention_mask"], strict=True):
            found[item] = ids[mask.bool()].tolist()
    return [found[item] for item in range(len(probe.texts))]


def words(loaded, probe):
    return [loaded.processor.convert_ids_to_tokens(ids) for ids in tokens(loaded, probe)]


@pytest.fixture(scope="module")
def networks():
    """One network with each kind of tokenizer, and `plain`, one token a word; no test changes them."""
    return {kind: model_of(wrapped(make())) for kind, make in MAKE.items()} | {"plain": model_of(tokenizer())}


# --- the tokens ---


@pytest.mark.parametrize("budget", [SMALL, LARGE])
@pytest.mark.parametrize("kind", [*MAKE, "plain"])
def test_each_text_keeps_its_tokens_and_their_number_whatever_the_tokenizer(networks, kind, budget):
    probe = probe_of(LINE, f"{LINE} {LONG}", "quick", "the the the dog")
    before, after = (tokens(networks[kind], one, budget) for one in (probe, shuffled(probe)))
    assert [Counter(ids) for ids in after] == [Counter(ids) for ids in before]
    assert before[1] != after[1]


def test_the_order_of_a_text_is_this_one_for_good(networks):
    """Pinned: another order under the same identity would mix with values that are stored already."""
    found, = words(networks["plain"], shuffled(probe_of(LONG, named=["text 0.0"])))
    assert " ".join(found) == "w5 w6 w10 w0 w7 w9 w11 w1 w8 w3 w4 w2"


def test_the_order_is_that_of_the_id_whatever_other_texts_there_are(networks):
    many = shuffled(probe_of(LINE, LONG, LONG, named=["a", "b", "c"]))
    alone = shuffled(probe_of(LONG, named=["b"]))
    found = words(networks["plain"], many)
    assert found[1] == words(networks["plain"], alone)[0]
    assert found[1] != found[2], "equal texts with other ids have other orders"


def test_every_order_of_three_tokens_comes_about_equally_often(networks):
    count = 1200
    probe = shuffled(probe_of(*["w1 w2 w3"] * count))
    seen = Counter(tuple(found) for found in words(networks["plain"], probe))
    assert len(seen) == 6
    assert sum((times - count / 6)**2 / (count / 6) for times in seen.values()) < 20.5, "chi square, p > 0.001"


@pytest.mark.parametrize("kind", BEGINS)
def test_special_tokens_that_the_tokenizer_adds_stay_at_their_ends(networks, kind):
    for found in words(networks[kind], shuffled(probe_of(*[LINE] * 20))):
        assert found.index(BEGINS[kind]) == 0
        assert kind not in ENDS or found.index(ENDS[kind]) == len(found) - 1


def test_special_tokens_written_at_the_ends_of_a_text_stay_and_those_inside_are_shuffled(networks):
    text = f"<eos> <eos> w1 w2 <eos> {LONG} <eos>"
    places = set()
    for found in words(networks["plain"], shuffled(probe_of(*[text] * 20))):
        assert found[:2] == ["<eos>", "<eos>"] and found[-1] == "<eos>"
        places.add(found.index("<eos>", 2))
    assert len(places) > 3


def test_a_token_for_what_is_unknown_is_of_the_text_and_not_of_its_ends(networks):
    firsts = {found[0] for found in words(networks["plain"], shuffled(probe_of(*[f"zzz {LONG}"] * 20)))}
    assert len(firsts) > 3 and "[UNK]" not in words(networks["plain"], probe_of(LONG))[0]


def test_a_tokenizer_written_in_python_keeps_its_ends_too(networks):
    loaded = replace(networks["plain"], processor=CanineTokenizer())
    probe = Probe("made", (Text("a", "a", "abcdefghij"),))
    plain, found = (inputs._tokens(loaded.processor, one, loaded.context, None)[0][0].tolist()
                    for one in (probe, shuffled(probe)))  # its vocabulary is wider than the network's
    assert (found[0], found[-1]) == (plain[0], plain[-1]) and sorted(found) == sorted(plain) and found != plain


@pytest.mark.parametrize("kind", MAKE)
def test_what_the_context_cuts_off_is_cut_before_the_rest_is_shuffled(networks, kind):
    loaded, probe = replace(networks[kind], context=9), probe_of(LINE, LONG)
    before, after = (feed(loaded, one, LARGE) for one in (probe, shuffled(probe)))
    assert (after.lengths, after.cut, after.count) == (before.lengths, before.cut, before.count) == ([9, 9], 2, 2)
    assert [sorted(ids) for ids in tokens(loaded, probe)] == [sorted(ids) for ids in tokens(loaded, shuffled(probe))]


# --- the rows ---


@pytest.mark.parametrize("policy", ["last", "first", "mean", "every-2", "every-1-keep-first"])
def test_rows_keep_their_ids_and_documents_so_that_they_pair(networks, probe, policy):
    before, after = (extract(networks["plain"], one, Policy.parse(policy)) for one in (probe, shuffled(probe)))
    assert (after.row_ids, after.document_ids) == (before.row_ids, before.document_ids)
    assert not np.array_equal(after.rows["final"], before.rows["final"])


def test_the_mean_of_token_embeddings_does_not_know_the_order_and_later_sites_do(networks, probe):
    before, after = (extract(networks["plain"], one, Policy.parse("mean-keep-first")).rows
                     for one in (probe, shuffled(probe)))
    scale = np.abs(before["embedding"]).max()
    assert np.abs(after["embedding"] - before["embedding"]).max() < 1e-6 * scale
    assert np.abs(after["final"] - before["final"]).max() > 1e-2 * np.abs(before["final"]).max()


def test_a_trained_model_reads_shuffled_texts_with_a_higher_loss():
    loaded = load(PROJECT / "demo" / "runs" / "sotu-neox-seed1" / "step16000")
    texts = replace(load_probe(DEFAULT), texts=load_probe(DEFAULT).texts[:40])
    before, after = (extract(loaded, one, Policy.parse("last")).facts["loss"] for one in (texts, shuffled(texts)))
    assert after > before + 1


# --- the name ---


@pytest.fixture
def added(probe_file):
    return add_probe("mine.jsonl", probe_file.read_bytes())


def test_built_in_added_and_file_probes_are_found_by_the_same_suffix(added, probe_file):
    for name in (DEFAULT, "mine", str(probe_file)):
        plain, found = find_probe(name), find_probe(f"{name}{SHUFFLED}")
        assert found == shuffled(plain) and found.texts == plain.texts and found.name == f"{plain.name}{SHUFFLED}"
    assert load_probe(f"{DEFAULT}{SHUFFLED}") == shuffled(load_probe(DEFAULT))


def test_a_shuffled_probe_has_a_digest_of_its_own_and_the_plain_one_keeps_its(probe):
    assert load_probe(DEFAULT).identity == "sotu-held-out@0c66d4464cf8fc80"
    assert shuffled(probe).digest not in (probe.digest, replace(probe, name=f"{probe.name}{SHUFFLED}").digest)
    assert shuffled(probe).identity.startswith(f"{probe.name}{SHUFFLED}@")


@pytest.mark.parametrize(("name", "held"), [("digits-held-out", "holds images"), (AS_GIVEN, "holds rows that came"),
                                            (f"{DEFAULT}{SHUFFLED}", "holds shuffled texts already")])
def test_what_holds_no_texts_to_shuffle_is_refused_in_a_sentence(name, held):
    with pytest.raises(ExplorerError, match=held) as caught:
        find_probe(f"{name}{SHUFFLED}")
    assert name in str(caught.value) and "choose a probe of texts" in str(caught.value)


def test_sounds_are_refused():
    with pytest.raises(ExplorerError, match="holds sounds"):
        shuffled(Probe("made", (Text("a", "a", "a.wav"),), "sound"))


def test_an_unknown_probe_is_told_as_without_the_suffix():
    with pytest.raises(ExplorerError, match="There is no probe zzzz: built in are"):
        find_probe(f"zzzz{SHUFFLED}")


def test_words_do_not_survive_so_policies_of_words_are_refused_with_those_that_work(networks, probe):
    with pytest.raises(ExplorerError, match=r"words-4 takes words .* no word survives; use .* last, mean or every-K"):
        feed(networks["plain"], shuffled(probe), SMALL, Policy.parse("words-4"))


def test_only_probes_of_texts_are_listed_with_a_shuffled_version():
    assert shuffled_names([DEFAULT, "digits-held-out", AS_GIVEN, "zzzz", "sums-mod-59"]) == [
        f"{DEFAULT}{SHUFFLED}", f"sums-mod-59{SHUFFLED}"]


def test_the_command_line_sweeps_and_shows_a_shuffled_probe_apart_from_the_plain_one(tiny_run, probe_file, capsys):
    names = [str(probe_file), f"{probe_file}{SHUFFLED}"]
    for name in names:
        assert main(["sweep", str(tiny_run), "--only", "step8", "--measure", "stable_rank", "--probe", name]) == 0
    capsys.readouterr()
    shown = []
    for name in names:
        main(["show", "tiny", "--measure", "stable_rank", "--probe", name, "--json"])
        shown.append(json.loads(capsys.readouterr().out))
    plain, other = ({record["site"]: record["value"] for record in records} for records in shown)
    assert plain.keys() == other.keys() and plain["final"] != other["final"]
    assert {record["protocol"]["probe"] for record in shown[1]} == {find_probe(names[1]).identity}
    assert len(open_store().representations_of(shown[0][0]["fingerprint"])) == 2
