"""The safetensors header reader: known answers from safetensors itself, every lie a header can tell, and fuzz."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError, deserialize, safe_open
from safetensors.torch import save, save_file

from analysis.checkpoints import headers
from analysis.checkpoints.headers import BYTES, parse_header, read_header
from analysis.errors import ExplorerError

QUICK = settings(max_examples=150, deadline=None, database=None,
                 suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
WRITTEN = {"BOOL": torch.bool, "U8": torch.uint8, "I8": torch.int8, "F8_E5M2": torch.float8_e5m2,
           "F8_E4M3": torch.float8_e4m3fn, "F8_E8M0": torch.float8_e8m0fnu, "I16": torch.int16, "U16": torch.uint16,
           "F16": torch.float16, "BF16": torch.bfloat16, "I32": torch.int32, "U32": torch.uint32, "F32": torch.float32,
           "C64": torch.complex64, "F64": torch.float64, "I64": torch.int64, "U64": torch.uint64}
ONE = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
TWO = {"dtype": "F16", "shape": [4], "data_offsets": [24, 32]}


def file_of(header, data=b"", length=None):
    """The bytes of a safetensors file with this header, as JSON or raw, and this many or other bytes after it."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(raw) if length is None else length).to_bytes(8, "little") + raw + data


def refused(path, *words):
    """The file is refused in one printable line that names it and holds all of these words."""
    with pytest.raises(ExplorerError) as caught:
        read_header(path)
    message = str(caught.value)
    assert str(path) in message and "damaged" in message and message.isprintable(), message
    for word in words:
        assert word in message, message


def opened_by_safetensors(path):
    with safe_open(path, "pt") as handle:
        return {(name, handle.get_slice(name).get_dtype(), tuple(handle.get_slice(name).get_shape()))
                for name in handle.keys()}  # noqa: SIM118 - the handle is not a dict


def seen(tensors):
    return {(tensor.name, tensor.dtype, tensor.shape) for tensor in tensors}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.safetensors"


# --- known answers ---


@pytest.mark.parametrize("name", BYTES)
def test_every_type_that_safetensors_writes_is_read_with_its_shape(path, name):
    save_file({"a": torch.zeros(2, 3).to(WRITTEN[name]), "b": torch.zeros(()).to(WRITTEN[name])}, path)
    assert seen(read_header(path)) == {("a", name, (2, 3)), ("b", name, ())} == opened_by_safetensors(path)


def test_the_number_of_values_is_the_product_of_the_shape(path):
    save_file({"scalar": torch.tensor(1.0), "empty": torch.zeros(3, 0, 2), "cube": torch.zeros(2, 3, 4)}, path)
    assert {tensor.name: tensor.count for tensor in read_header(path)} == {"scalar": 1, "empty": 0, "cube": 24}


def test_a_file_without_tensors_is_empty_and_its_metadata_is_no_tensor(path):
    save_file({}, path, metadata={"format": "pt"})
    assert read_header(path) == []


def test_names_in_any_script_are_kept(path):
    save_file({"βάρος.0": torch.ones(1), "重み": torch.ones(1), 'quote"\\': torch.ones(1)}, path)
    assert {tensor.name for tensor in read_header(path)} == {"βάρος.0", "重み", 'quote"\\'}


def test_no_tensor_is_read_to_describe_a_file_of_many_gigabytes(path):
    shape = [50_000, 100_000]
    path.write_bytes(file_of({"big": {"dtype": "F32", "shape": shape, "data_offsets": [0, 20_000_000_000]}}))
    with path.open("r+b") as handle:
        handle.truncate(path.stat().st_size + 20_000_000_000)
    assert [tensor.count for tensor in read_header(path)] == [5_000_000_000]


# --- lies ---


def with_entry(**changes):
    return {"a": {key: value for key, value in (ONE | changes).items() if value is not ...}}


LIES = {
    "overlap": ({"a": ONE, "b": TWO | {"data_offsets": [20, 28]}}, 28, "overlap"),
    "the same bytes twice": ({"a": ONE, "b": ONE}, 24, "overlap"),
    "hole": ({"a": ONE, "b": TWO | {"data_offsets": [28, 36]}}, 36, "hole"),
    "hole at the start": (with_entry(data_offsets=[4, 28]), 28, "hole"),
    "bytes after the last tensor": ({"a": ONE}, 25, "25 follow"),
    "bytes missing": ({"a": ONE}, 23, "23 follow"),
    "bytes but no tensor": ({}, 1, "1 follow"),
    "size against shape": (with_entry(shape=[2, 2]), 24, "span 24"),
    "offsets backwards": (with_entry(data_offsets=[24, 0]), 24, "span -24"),
    "negative shape": (with_entry(shape=[-2, -3]), 24, "not whole numbers"),
    "negative offset": (with_entry(data_offsets=[-24, 0]), 24, "not whole numbers"),
    "float in shape": (with_entry(shape=[2.0, 3]), 24, "not whole numbers"),
    "bool in shape": (with_entry(shape=[True, 6]), 24, "not whole numbers"),
    "null in shape": (with_entry(shape=[None]), 24, "not whole numbers"),
    "text in offsets": (with_entry(data_offsets=["0", "24"]), 24, "not whole numbers"),
    "shape is a number": (with_entry(shape=6), 24, "not whole numbers"),
    "one offset": (with_entry(data_offsets=[24]), 24, "not whole numbers"),
    "three offsets": (with_entry(data_offsets=[0, 24, 24]), 24, "not whole numbers"),
    "huge shape": (with_entry(shape=[2**70]), 24, "not whole numbers"),
    "shape whose product is huge": (with_entry(shape=[2**62] * 8), 24, "takes"),
    "huge offset": (with_entry(data_offsets=[0, 2**64 + 24]), 24, "not whole numbers"),
    "eleven thousand dimensions": (with_entry(shape=[1] * 11_000), 24, "'a'"),
    "unknown type": (with_entry(dtype="F31"), 24, "F31"),
    "lower-case type": (with_entry(dtype="f32"), 24, "f32"),
    "type is a list": (with_entry(dtype=["F32"]), 24, "type"),
    "type is null": (with_entry(dtype=None), 24, "type"),
    "type with a line break": (with_entry(dtype="F32\n\x1b[31mloaded fine"), 24, "type"),
    "type that no terminal can print": (with_entry(dtype="\ud800"), 24, ""),
    "no type": (with_entry(dtype=...), 24, "'a'"),
    "no shape": (with_entry(shape=...), 24, "'a'"),
    "no offsets": (with_entry(data_offsets=...), 24, "'a'"),
    "one key too many": (with_entry(code="import os"), 24, "'a'"),
    "entry is a list": ({"a": ["F32", [2, 3], [0, 24]]}, 24, "'a'"),
    "entry is null": ({"a": None}, 24, "'a'"),
    "name of 100 kB": ({"n" * 100_000: ONE}, 24, "nnn"),
    "header is a list": ([ONE], 24, "not a JSON object"),
    "header is a number": (b"3", 24, "not a JSON object"),
    "not JSON": (b"{'a': 1}", 24, "not JSON"),
    "no header": (b"", 0, "not JSON"),
    "two headers": (b"{}{}", 0, "not JSON"),
    "not text": (b"\xff\xfe\xfd", 0, "not JSON"),
    "a number of 10,000 digits": (b'{"a": ' + b"9" * 10_000 + b"}", 0, "not JSON"),
    "a name twice": (b'{"a": %b, "a": %b}' % ((json.dumps(ONE).encode(),) * 2), 24, "twice"),
    "a field twice": (b'{"a": {"dtype": "F16", "dtype": "F32", "shape": [6], "data_offsets": [0, 24]}}', 24, "twice"),
    "a thousand levels": (b"[" * 1000 + b"]" * 1000, 0, "not JSON"),
    "ten million open brackets": (b"[" * 10_000_000, 0, "not JSON"),
}


@pytest.mark.parametrize(("header", "data_bytes", "word"), LIES.values(), ids=LIES)
def test_a_header_that_lies_is_refused_in_one_line_that_names_the_file(path, header, data_bytes, word):
    path.write_bytes(file_of(header, bytes(data_bytes)))
    refused(path, word)


@pytest.mark.parametrize("depth", [100, 300, 500, *range(700, 1000, 4)])
def test_nesting_of_any_depth_where_a_type_should_stand_is_a_sentence(path, depth):
    nested = b"[" * depth + b"]" * depth
    path.write_bytes(file_of(b'{"a": {"dtype": %b, "shape": [], "data_offsets": [0, 4]}}' % nested, bytes(4)))
    refused(path)


@pytest.mark.parametrize("length", [33, 10**9, 2**63 - 1, 2**63, 2**64 - 1])
def test_a_header_longer_than_its_file_is_refused_and_not_allocated(path, length):
    path.write_bytes(file_of(b"{}", bytes(30), length))
    refused(path, f"claims {length} bytes")


def test_a_header_over_the_limit_is_refused_before_it_is_read(path):
    with path.open("wb") as handle:
        handle.write((headers.LONGEST_HEADER + 1).to_bytes(8, "little"))
        handle.truncate(headers.LONGEST_HEADER + 100)
    refused(path, "is the most")


def test_more_tensors_than_the_limit_are_counted_and_refused(path, monkeypatch):
    monkeypatch.setattr(headers, "MOST_TENSORS", 2)
    path.write_bytes(save({"a": torch.ones(1), "b": torch.ones(1), "c": torch.ones(1)}))
    refused(path, "3 tensors")


def test_a_file_cut_anywhere_or_longer_by_a_byte_is_refused(path):
    whole = save({"a": torch.ones(2, 3), "b": torch.ones(4).half()}, metadata={"format": "pt"})
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        refused(path)
    path.write_bytes(whole + b"\0")
    refused(path, "follow the header")


ONLY_PYTHON_READS = {
    "UTF-16": json.dumps({"a": ONE}).encode("utf-16"),
    "byte order mark": json.dumps({"a": ONE}).encode("utf-8-sig"),
    "metadata that is a number": json.dumps({"__metadata__": 5, "a": ONE}).encode(),
    "metadata of numbers": json.dumps({"__metadata__": {"format": 1}, "a": ONE}).encode(),
    "NaN in the metadata": json.dumps({"__metadata__": float("nan"), "a": ONE}).encode(),
    "half a surrogate pair in a name": json.dumps({"\ud800": ONE}).encode(),
    "minus zero": json.dumps({"a": ONE}).replace("[0, 24]", "[-0, 24]").encode(),
    "an empty shape that overflows": json.dumps(
        {"a": ONE, "b": {"dtype": "F32", "shape": [2**62, 2**62, 0], "data_offsets": [24, 24]}}).encode(),
}


@pytest.mark.parametrize("header", ONLY_PYTHON_READS.values(), ids=ONLY_PYTHON_READS)
def test_a_header_that_safetensors_itself_refuses_is_refused_here(path, header):
    path.write_bytes(file_of(header, bytes(24)))
    with pytest.raises(SafetensorError):
        opened_by_safetensors(path)
    refused(path)


# --- fuzz ---


def accepted(content: bytes) -> list | None:
    """What read_header makes of a file's bytes; None for a refusal, and anything but a refusal in one line fails."""
    if len(content) < 8:
        return None
    length = int.from_bytes(content[:8], "little")
    try:
        return parse_header(content[8:8 + length], len(content) - 8 - length, ExplorerError)
    except ExplorerError as error:
        assert str(error).isprintable()
        return None


def holds_for_safetensors(content: bytes) -> None:
    """Where the header is accepted, safetensors opens the file too and finds the same names, types and shapes."""
    tensors = accepted(content)
    if tensors is not None:
        theirs = {(name, what["dtype"], tuple(what["shape"])) for name, what in deserialize(content)}
        assert seen(tensors) == theirs


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**70) | st.floats() | st.text(max_size=5) | st.sampled_from([*BYTES]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=8)
ENTRY = st.fixed_dictionaries({
    "dtype": st.sampled_from([*BYTES]) | JSON, "shape": st.lists(st.integers(0, 3), max_size=3) | JSON,
    "data_offsets": st.sampled_from([[0, 0], [0, 4], [0, 24], [4, 8]]) | JSON})


@given(st.binary(max_size=300))
@QUICK
def test_random_bytes_are_never_more_than_refused(content):
    assert accepted(content) is None or content[8:].lstrip()[:1] == b"{"
    assert accepted(file_of(content)) is None or content.lstrip()[:1] == b"{"


@given(st.dictionaries(st.text(max_size=4) | st.just("__metadata__"), ENTRY | JSON, max_size=3), st.integers(0, 40))
@QUICK
def test_a_random_json_header_that_is_accepted_is_one_that_safetensors_opens(header, data_bytes):
    holds_for_safetensors(file_of(header, bytes(data_bytes)))


@given(st.data())
@QUICK
def test_a_real_file_with_bytes_changed_is_refused_or_read_as_safetensors_reads_it(data):
    content = bytearray(save({"a": torch.ones(2, 3), "b": torch.ones(4).half(), "c": torch.ones(())}))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place:place + data.draw(st.integers(0, 2))] = data.draw(
            st.binary(max_size=2) | st.sampled_from([b"0", b"-", b"[", b"}", b'"', b"9", b"e", b".", b",", b" "]))
    holds_for_safetensors(bytes(content))


SHAPES = st.lists(st.integers(0, 4), max_size=4)


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=20).filter(lambda name: name != "__metadata__"),
                       st.tuples(st.sampled_from([*WRITTEN.values()]), SHAPES), max_size=6))
@QUICK
def test_whatever_safetensors_writes_is_accepted_and_read_as_written(wanted):
    content = save({name: torch.zeros(shape).to(dtype) for name, (dtype, shape) in wanted.items()})
    spelled = {dtype: name for name, dtype in WRITTEN.items()}
    assert seen(accepted(content)) == {(name, spelled[dtype], tuple(shape)) for name, (dtype, shape) in wanted.items()}


def test_reading_from_a_path_and_parsing_the_bytes_agree(path: Path):
    content = save({"a": torch.ones(2, 3), "b": torch.ones(4).half()})
    path.write_bytes(content)
    assert read_header(path) == accepted(content)
