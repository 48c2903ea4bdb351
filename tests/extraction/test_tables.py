"""Probes from tables: .csv and .parquet files become texts with ids, or end in a sentence that names the file."""

import re

import numpy as np
import pandas
import pyarrow
import pytest
from pyarrow import parquet

from analysis.errors import ExplorerError
from analysis.extraction import probes
from analysis.extraction.probes import Probe, Text, load_probe

TABLE = {"text": ["one, two", 'a "quoted" word', "größer 文\nsecond line"], "id": ["a", "b", "c"],
         "document": ["first", "first", None], "party": ["none", None, "whig"]}
TEXTS = (Text("a", "first", "one, two", {"party": "none"}), Text("b", "first", 'a "quoted" word'),
         Text("c", "c", "größer 文\nsecond line", {"party": "whig"}))


def csv_of(folder, content):
    path = folder / "mine.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def parquet_of(folder, columns, **options):
    path = folder / "mine.parquet"
    parquet.write_table(pyarrow.table(columns), path, **options)
    return path


def saved(folder, suffix, columns):
    if suffix == "parquet":
        return parquet_of(folder, columns)
    pandas.DataFrame(columns).to_csv(folder / "mine.csv", index=False)
    return folder / "mine.csv"


def refused(path, *words):
    """The table is refused in one printable line that holds its path and all of these words."""
    with pytest.raises(ExplorerError) as caught:
        load_probe(path)
    message = str(caught.value)
    for word in (str(path), *words):
        assert word in message, message
    assert message.isprintable(), repr(message)
    return message


both = pytest.mark.parametrize("suffix", ["csv", "parquet"])


# --- tables that can be read ---


@both
def test_a_table_gives_ids_documents_texts_and_labels(tmp_path, suffix):
    assert load_probe(saved(tmp_path, suffix, TABLE)) == Probe("mine", TEXTS)


def test_the_same_rows_are_the_same_probe_in_every_format(tmp_path):
    lines = tmp_path / "mine.jsonl"
    pandas.DataFrame(TABLE).to_json(lines, orient="records", lines=True, force_ascii=False)
    found = [load_probe(lines), *(load_probe(saved(tmp_path, suffix, TABLE)) for suffix in ("csv", "parquet"))]
    assert len({probe.identity for probe in found}) == 1


@both
def test_a_table_of_texts_alone_names_them_by_their_row(tmp_path, suffix):
    found = load_probe(saved(tmp_path, suffix, {"text": ["one", "two"]})).texts
    assert found == (Text("mine:1", "mine:1", "one"), Text("mine:2", "mine:2", "two"))


@both
@pytest.mark.parametrize("column", ["id", "document"])
def test_a_missing_id_or_document_is_none(tmp_path, suffix, column):
    found = load_probe(saved(tmp_path, suffix, {"text": ["one", "two"], column: ["given", None]})).texts
    assert [getattr(text, column) for text in found] == ["given", "mine:2"]
    assert all(not text.labels for text in found)


def test_words_that_pandas_takes_for_missing_are_texts(tmp_path):
    words = ["NA", "null", "nan", "None", "N/A", "001", "1e5", "TRUE"]
    found = load_probe(csv_of(tmp_path, "text,kind\n" + "".join(f"{word},{word}\n" for word in words))).texts
    assert [text.text for text in found] == [text.labels["kind"] for text in found] == words


def test_quotes_commas_and_line_breaks_inside_quotes_belong_to_the_text(tmp_path):
    content = 'id,text\r\n1,"one, two"\r\n2,"say ""hi"""\r\n3,"two\r\nlines"\r\n4, spaces stay \r\n'
    found = load_probe(csv_of(tmp_path, content)).texts
    assert [text.text for text in found] == ["one, two", 'say "hi"', "two\r\nlines", " spaces stay "]


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    (text,) = load_probe(csv_of(tmp_path, '\ufeff"text",id\nwörd,1\n')).texts
    assert (text.id, text.text) == ("1", "wörd")


def test_numbers_and_truth_values_in_a_parquet_file_are_labels(tmp_path):
    found = load_probe(parquet_of(tmp_path, {"text": ["a", "b"], "id": [7, 8], "zero": [0, 1],
                                             "right": [True, False], "share": [0.5, None]})).texts
    assert found == (Text("7", "7", "a", {"zero": "0", "right": "True", "share": "0.5"}),
                     Text("8", "8", "b", {"zero": "1", "right": "False"}))


@pytest.mark.parametrize("column", ["id", "document", "year"])
def test_a_missing_value_does_not_turn_the_whole_numbers_beside_it_into_fractions(tmp_path, column):
    text = load_probe(parquet_of(tmp_path, {"text": ["a", "b"], column: [1795, None]})).texts[0]
    assert (getattr(text, column, None) or text.labels[column]) == "1795"


@pytest.mark.parametrize("values", [[[1.0, 2.0], [3.0, 4.0]], [[1.0], []], [{"a": 1}, {"a": 2}]], ids=str)
def test_a_column_of_lists_or_records_beside_the_texts_does_not_hinder_them(tmp_path, values):
    found = load_probe(parquet_of(tmp_path, {"text": ["one", "two"], "embedding": values})).texts
    assert [text.text for text in found] == ["one", "two"]


def test_texts_stored_as_bytes_are_read_as_utf8_or_refused(tmp_path):
    path = parquet_of(tmp_path, {"text": ["größer".encode(), b"two"]})
    try:
        assert [text.text for text in load_probe(path).texts] == ["größer", "two"]
    except ExplorerError as error:
        assert "text" in str(error)


def test_a_parquet_file_of_many_row_groups_keeps_the_order_of_its_rows(tmp_path):
    words = [f"word {number}" for number in range(50)]
    path = parquet_of(tmp_path, {"text": words}, row_group_size=7)
    assert parquet.ParquetFile(path).metadata.num_row_groups == 8
    assert [text.text for text in load_probe(path).texts] == words


# --- tables that are wrong ---


@both
def test_a_table_without_a_text_column_is_refused_with_the_columns_it_has(tmp_path, suffix):
    refused(saved(tmp_path, suffix, {"sentence": ["one"], "Text": ["two"]}), "sentence, Text", "none is named text")


def test_a_table_whose_columns_are_separated_by_semicolons_is_refused_with_its_header(tmp_path):
    refused(csv_of(tmp_path, "id;text\n1;one\n"), "id;text")


@both
def test_ids_that_come_twice_are_named(tmp_path, suffix):
    refused(saved(tmp_path, suffix, {"text": ["a", "b", "c"], "id": ["x", "y", "x"]}), "1 id(s) more than once", "'x'")


@both
def test_a_table_of_no_row_is_empty(tmp_path, suffix):
    refused(saved(tmp_path, suffix, {"text": pyarrow.array([], pyarrow.string())}), "is empty", "at least 4 texts")


@both
@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_a_row_without_a_text_is_named(tmp_path, suffix, nothing):
    refused(saved(tmp_path, suffix, {"text": ["one", "two", nothing], "id": ["a", "b", "c"]}), "has no text")


def test_the_line_that_is_named_is_that_of_the_file_or_is_called_a_row(tmp_path):
    message = refused(csv_of(tmp_path, "id,text\n1,one\n2,two\n3,\n"), "has no text")
    assert re.match(r"Line 4\b|[Rr]ow 3\b", message), message


@pytest.mark.parametrize("content", ["", "\n\n", 'text\n"never closed\n', "id,text\na,one\nb,two, three\n",
                                     "text\ngrößer\n".encode("latin-1"), b"\xff\xfe\x00\x01", b"PK\x03\x04\0\0"],
                         ids=["empty", "blank", "open quote", "a comma more", "latin-1", "bytes", "zip"])
def test_a_broken_csv_file_is_refused(tmp_path, content):
    refused(csv_of(tmp_path, content))


def test_a_comma_too_many_in_every_row_does_not_shift_the_columns_in_silence(tmp_path):
    refused(csv_of(tmp_path, "id,text\na,hello, world\nb,second, one\n"))


@pytest.mark.parametrize("keep", [0, 3, 4, 10, 0.5, -1])
def test_a_parquet_file_cut_short_is_refused(tmp_path, keep):
    path = parquet_of(tmp_path, TABLE)
    whole = path.read_bytes()
    path.write_bytes(whole[:int(len(whole) * keep) if isinstance(keep, float) else keep])
    refused(path, "cannot be read as a table")


def test_a_parquet_file_whose_texts_are_not_utf8_is_refused(tmp_path):
    path = parquet_of(tmp_path, {"text": ["some words", "other words"]}, compression="none")
    path.write_bytes(path.read_bytes().replace(b"some", b"som\xff"))
    refused(path)


def test_a_parquet_file_with_changed_bytes_is_read_or_refused_and_never_crashes(tmp_path):
    path, random = parquet_of(tmp_path, TABLE), np.random.default_rng(0)
    whole, outcomes = path.read_bytes(), set()
    for _ in range(150):
        content = bytearray(whole)
        for at in random.integers(4, len(whole) - 8, random.integers(1, 12)):
            content[at] = random.integers(256)
        path.write_bytes(bytes(content))
        try:
            outcomes.add(bool(load_probe(path).texts))
        except ExplorerError as error:
            assert str(path) in str(error)
            outcomes.add("refused")
    assert outcomes == {True, "refused"}


@both
def test_a_table_of_too_many_rows_is_refused_and_not_cut(tmp_path, monkeypatch, suffix):
    path = saved(tmp_path, suffix, {"text": list("abcdefgh")})
    monkeypatch.setattr(probes, "MOST_TEXTS", 8)
    assert len(load_probe(path).texts) == 8
    monkeypatch.setattr(probes, "MOST_TEXTS", 5)
    probes._read.cache_clear()
    refused(path)


@both
def test_a_table_that_is_too_large_is_refused(tmp_path, monkeypatch, suffix):
    path = saved(tmp_path, suffix, TABLE)
    monkeypatch.setattr(probes, "MAX_BYTES", path.stat().st_size - 1)
    refused(path, "larger than")


def test_a_parquet_file_that_says_it_unpacks_to_too_much_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = parquet_of(tmp_path, {"text": [f"{n:07} " * 500 for n in range(2000)]}, use_dictionary=False,
                      compression="zstd")
    monkeypatch.setattr(probes, "MAX_BYTES", 1_000_000)
    monkeypatch.setattr(pandas, "read_parquet", lambda *given, **options: pytest.fail("it was read"))
    assert path.stat().st_size < 1_000_000
    refused(path, "it unpacks to more than 1 MB")


def test_a_parquet_file_that_repeats_one_long_text_is_refused_for_what_it_unpacks_to(tmp_path, monkeypatch):
    path = parquet_of(tmp_path, {"text": ["w" * 10_000] * 2000})
    monkeypatch.setattr(probes, "MAX_BYTES", 1_000_000)
    assert path.stat().st_size < 20_000
    refused(path)
