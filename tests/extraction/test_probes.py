"""Probes: what a file holds becomes texts with ids, and each way a file is wrong has a sentence that names the line."""

import hashlib
import json
import lzma
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import ExplorerError
from analysis.extraction import probes
from analysis.extraction.probes import DEFAULT, Probe, Text, built_in_probes, load_probe

RECORDS = [{"id": "a", "document": "first", "text": "One text.", "year": 1795, "party": "none"},
           {"id": "b", "document": "first", "text": "Ein zweiter, größer: 文"},
           {"text": "no id"}, {"id": 7, "text": " spaces stay "}]
TEXTS = (Text("a", "first", "One text.", {"year": "1795", "party": "none"}),
         Text("b", "first", "Ein zweiter, größer: 文"), Text("mine:3", "mine:3", "no id"),
         Text("7", "7", " spaces stay "))


def written(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def lines(records):
    return "\n".join(json.dumps(record, ensure_ascii=False) for record in records)


def probe_of(folder, records):
    return load_probe(written(folder / "mine.jsonl", lines(records)))


def refused(path, *words):
    """The probe is refused in a sentence, without line breaks, that holds its path and all of these words."""
    with pytest.raises(ExplorerError) as caught:
        load_probe(path)
    message = str(caught.value)
    assert "\n" not in message
    for word in (str(path), *words):
        assert word in message, message


# --- files that can be read ---


def test_a_jsonl_file_gives_ids_documents_texts_and_labels(tmp_path):
    probe = probe_of(tmp_path, RECORDS)
    assert probe.name == "mine"
    assert probe.texts == TEXTS


def test_a_compressed_file_is_the_same_probe(tmp_path):
    packed = load_probe(written(tmp_path / "mine.jsonl.xz", lzma.compress(lines(RECORDS).encode())))
    assert packed == Probe("mine", TEXTS)
    assert packed.identity == probe_of(tmp_path, RECORDS).identity


def test_each_line_of_a_text_file_is_a_text_and_a_document_named_by_its_line(tmp_path):
    path = written(tmp_path / "words.of.mine.txt", "one two\n\n   \nthree größer\n")
    assert load_probe(path) == Probe("words", (Text("words:1", "words:1", "one two"),
                                               Text("words:4", "words:4", "three größer")))


def test_a_path_may_be_a_string(tmp_path):
    path = written(tmp_path / "mine.jsonl", lines(RECORDS))
    assert load_probe(str(path)) == load_probe(path)


@pytest.mark.parametrize("content", [lines(RECORDS) + "\n", "\n" + lines(RECORDS), lines(RECORDS).replace("\n", "\r\n"),
                                     lines(RECORDS).replace("\n", "\n\n \n")])
def test_blank_lines_and_line_endings_do_not_matter_to_given_ids(tmp_path, content):
    found = load_probe(written(tmp_path / "mine.jsonl", content)).texts
    assert [(text.text, text.labels) for text in found] == [(text.text, text.labels) for text in TEXTS]
    assert [found[k].id for k in (0, 1, 3)] == ["a", "b", "7"]


def test_a_line_separator_inside_a_json_text_does_not_end_the_line(tmp_path):
    (text,) = probe_of(tmp_path, [{"text": "one\u2028two\x85three\nfour"}]).texts
    assert text.text == "one\u2028two\x85three\nfour"


@pytest.mark.parametrize("suffix", ["jsonl", "txt"])
def test_a_byte_order_mark_is_no_part_of_the_first_text(tmp_path, suffix):
    content = "one two" if suffix == "txt" else json.dumps({"text": "one two"})
    (text,) = load_probe(written(tmp_path / f"mine.{suffix}", "\ufeff" + content)).texts
    assert text.text == "one two"


@pytest.mark.parametrize("given_as", ["absent", "null"])
def test_a_null_id_or_document_is_no_id_or_document(tmp_path, given_as):
    nothing = {} if given_as == "absent" else {"id": None, "document": None}
    found = probe_of(tmp_path, [{"text": "one"} | nothing, {"text": "two"} | nothing]).texts
    assert [(text.id, text.document) for text in found] == [("mine:1", "mine:1"), ("mine:2", "mine:2")]


# --- built-in probes ---


def test_the_built_in_probes_are_listed_and_hold_the_default():
    assert built_in_probes() == sorted(set(built_in_probes()))
    assert {DEFAULT, "numbers-mod-59", "sums-mod-59"} <= set(built_in_probes())


@pytest.mark.parametrize("name", built_in_probes())
def test_a_built_in_probe_loads_by_name_with_every_line_of_its_file(name):
    (path,) = probes.BUILT_IN.glob(f"{name}.jsonl*")
    records = [json.loads(line) for line in lzma.decompress(path.read_bytes()).decode().splitlines()]
    probe = load_probe(name)
    assert probe == load_probe(path) and probe.name == name
    assert [(t.id, t.document, t.text, list(t.views)) for t in probe.texts] == [
        (r["id"], r.get("document", r["id"]), r.get("text", ""), list(r.get("views", {}))) for r in records]
    assert len({text.id for text in probe.texts}) == len(probe.texts) >= 59
    assert all(text.labels for text in probe.texts)


def test_the_sums_are_labelled_with_their_answers_modulo_59():
    for text in load_probe("sums-mod-59").texts:
        a, b = map(int, re.fullmatch(r"(\d+) \+ (\d+) =", text.text).groups())
        assert text.labels["answer"] == str((a + b) % 59)


# --- identity ---


def test_the_digest_is_the_sha256_of_the_ids_documents_and_texts(tmp_path):
    probe = probe_of(tmp_path, RECORDS)
    written_out = ('[["a","first","One text."],["b","first","Ein zweiter, größer: 文"],["mine:3","mine:3","no id"],'
                   '["7","7"," spaces stay "]]')
    assert probe.digest == hashlib.sha256(written_out.encode()).hexdigest()
    assert probe.identity == f"mine@{probe.digest[:16]}"


@settings(derandomize=True, deadline=None, database=None, max_examples=60)
@given(which=st.integers(0, 3), part=st.sampled_from(["id", "document", "text"]), data=st.data())
def test_one_changed_character_changes_the_digest(which, part, data):
    texts = list(TEXTS)
    old = getattr(texts[which], part)
    at = data.draw(st.integers(0, len(old) - 1))
    new = data.draw(st.characters(codec="utf-8").filter(lambda c: c != old[at]))
    texts[which] = Text(**(vars(texts[which]) | {part: old[:at] + new + old[at + 1:]}))
    assert Probe("mine", tuple(texts)).digest != Probe("mine", TEXTS).digest


def test_labels_and_the_name_of_the_file_do_not_change_the_digest(tmp_path):
    plain = probe_of(tmp_path, [{key: r[key] for key in ("id", "document", "text") if key in r} for r in RECORDS])
    assert not plain.texts[0].labels
    assert plain.digest == Probe("other", TEXTS).digest


def test_the_order_of_the_texts_changes_the_digest():
    assert Probe("mine", TEXTS[::-1]).digest != Probe("mine", TEXTS).digest


# --- files that are wrong ---


def test_a_missing_probe_is_refused_with_the_names_of_those_built_in(tmp_path):
    refused(tmp_path / "nowhere.jsonl", "There is no probe", *built_in_probes())
    refused("sotu", "There is no probe sotu")
    refused(tmp_path, "holds 0 images and sounds")


@pytest.mark.parametrize("name", ["mine.jsonl", "mine.txt", "mine.jsonl.xz"])
@pytest.mark.parametrize("content", ["", "\n\n \n"])
def test_an_empty_file_is_refused(tmp_path, name, content):
    packed = lzma.compress(content.encode()) if name.endswith(".xz") else content
    refused(written(tmp_path / name, packed), "is empty", "at least 4 texts")


@pytest.mark.parametrize("line", ["not json", "{", '{"text": "a"} {"text": "b"}', "{'text': 'a'}", '{"text": "a",}'])
def test_a_line_that_is_not_json_is_named_counting_blank_lines(tmp_path, line):
    refused(written(tmp_path / "mine.jsonl", lines(RECORDS[:2]) + "\n\n" + line), "Line 4", "is not JSON")


@pytest.mark.parametrize("line", ["{}", '{"id": "c"}', '{"text": ""}', '{"text": "  \\n"}', '{"text": null}', "3",
                                  "null", '"words"', '["text"]'])
def test_a_line_without_a_text_is_named(tmp_path, line):
    refused(written(tmp_path / "mine.jsonl", lines(RECORDS[:2]) + "\n" + line), "Line 3", "has no text")


def test_ids_that_come_twice_are_counted_and_the_first_is_named(tmp_path):
    twice = [*RECORDS, {"id": "7", "text": "x"}, {"id": "b", "text": "y"}, {"id": "b", "text": "z"}]
    refused(written(tmp_path / "mine.jsonl", lines(twice)), "2 id(s) more than once", "first 'b'")


def test_an_id_that_equals_the_name_of_another_line_is_found(tmp_path):
    refused(written(tmp_path / "mine.jsonl", lines([{"id": "mine:2", "text": "x"}, {"text": "y"}])), "'mine:2'")


@pytest.mark.parametrize("name", ["mine.jsonl", "mine.txt", "mine.jsonl.xz"])
def test_a_file_that_is_not_utf8_is_refused_with_the_byte(tmp_path, name):
    content = '{"text": "größer"}'.encode("latin-1")
    refused(written(tmp_path / name, lzma.compress(content) if name.endswith(".xz") else content),
            "not UTF-8", "byte 12")


@pytest.mark.parametrize("spoil", [lambda packed: b"not xz at all", lambda packed: packed[:-20],
                                   lambda packed: packed[:40] + b"\0\0\0\0" + packed[44:]],
                         ids=["not xz", "cut short", "changed"])
def test_a_damaged_compressed_file_is_refused(tmp_path, spoil):
    path = written(tmp_path / "mine.jsonl.xz", spoil(lzma.compress(lines(RECORDS).encode())))
    refused(path)


def test_half_of_a_character_in_a_json_text_is_refused_with_its_line(tmp_path):
    refused(written(tmp_path / "mine.jsonl", lines(RECORDS[:2]) + '\n{"text": "cut \\ud83d"}'), "Line 3")


@pytest.mark.parametrize("name", ["mine.txt", "mine.jsonl.xz"])
def test_a_file_that_is_too_large_is_refused_even_when_it_is_small_before_unpacking(tmp_path, monkeypatch, name):
    monkeypatch.setattr(probes, "MAX_BYTES", 2_000_000)
    content = b"w " * 1_000_000 + b"w"
    path = written(tmp_path / name, lzma.compress(content, preset=0) if name.endswith(".xz") else content)
    assert (path.stat().st_size < 2_000_000) == name.endswith(".xz")
    refused(path, "larger than 2 MB")


def test_a_file_is_read_again_only_when_it_has_changed(tmp_path):
    path = written(tmp_path / "mine.txt", "one two\nthree")
    first = load_probe(path)
    assert load_probe(path) is first
    written(path, "one two\nthree\nfour")
    assert len(load_probe(path).texts) == 3


def test_a_file_of_just_the_largest_size_is_read(tmp_path, monkeypatch):
    path = written(tmp_path / "mine.txt", "one two\nthree")
    monkeypatch.setattr(probes, "MAX_BYTES", path.stat().st_size)
    assert len(load_probe(path).texts) == 2
    monkeypatch.setattr(probes, "MAX_BYTES", path.stat().st_size - 1)
    probes._read.cache_clear()
    refused(path, "larger than")
