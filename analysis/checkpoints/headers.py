"""Reads the header of a safetensors file and nothing else: names, types and shapes, every claim checked.

The format is 8 bytes of header length, that many bytes of JSON, then the tensors one after the other without a gap. A
header that overlaps, leaves a hole, promises more than the file holds or names a type that does not exist is refused.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.errors import ExplorerError

BYTES = {"BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "F8_E8M0": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2,
         "I32": 4, "U32": 4, "F32": 4, "C64": 8, "F64": 8, "I64": 8, "U64": 8}
LONGEST_HEADER, MOST_TENSORS, LONGEST_NAME, MOST_DIMENSIONS = 10_000_000, 200_000, 512, 8


@dataclass(frozen=True)
class Tensor:
    """What a header says of one tensor."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        return math.prod(self.shape)


def read_header(path: Path) -> list[Tensor]:
    """Every tensor of a safetensors file, without reading one. Raises ExplorerError naming what is wrong."""
    size = path.stat().st_size
    with path.open("rb") as handle:
        first = handle.read(8)
        length = int.from_bytes(first, "little")
        if len(first) < 8 or length > size - 8:
            raise _damaged(path, f"its header claims {length} bytes and the file has {size}")
        if length > LONGEST_HEADER:
            raise _damaged(path, f"its header is {length / 1e6:.0f} MB and {LONGEST_HEADER / 1e6:.0f} MB is the most")
        content = handle.read(length)
    return parse_header(content, size - 8 - length, lambda what: _damaged(path, what))


def parse_header(content: bytes, data_bytes: int, refuse: Callable[[str], ExplorerError]) -> list[Tensor]:
    """The tensors a header describes, given how many bytes of tensors follow it."""
    try:
        entries = json.loads(content.decode("utf-8"), object_pairs_hook=_without_repeats, parse_int=_whole_number,
                             parse_constant=_no_constant)
        json.dumps(entries, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    except (ValueError, RecursionError) as error:
        raise refuse(f"its header is not JSON ({error})") from error
    if not isinstance(entries, dict):
        raise refuse("its header is not a JSON object")
    notes = entries.pop("__metadata__", {})
    if not isinstance(notes, dict) or not all(isinstance(value, str) for value in notes.values()):
        raise refuse("its metadata is not a table of texts")
    if len(entries) > MOST_TENSORS:
        raise refuse(f"it claims {len(entries)} tensors and {MOST_TENSORS} is the most")
    tensors, spans = [], []
    for name, entry in entries.items():
        tensor, span = _entry(name, entry, refuse)
        tensors.append(tensor)
        spans.append((*span, name))
    end = 0
    for start, stop, name in sorted(spans):
        if start != end:
            raise refuse(f"tensor {name[:80]!r} starts at byte {start} and {end} was expected (an overlap or a hole)")
        end = stop
    if end != data_bytes:
        raise refuse(f"its tensors take {end} bytes and {data_bytes} follow the header")
    return tensors


def _entry(name: str, entry: Any, refuse: Callable[[str], ExplorerError]) -> tuple[Tensor, tuple[int, int]]:
    shown = repr(name[:80])
    if len(name) > LONGEST_NAME or not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise refuse(f"the entry of tensor {shown} is not one of dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BYTES:
        raise refuse(f"tensor {shown} has the type {ascii(dtype)[:40]}, which is none of {', '.join(BYTES)}")
    if not _whole(shape) or len(shape) > MOST_DIMENSIONS or not _whole(offsets) or len(offsets) != 2:
        raise refuse(f"tensor {shown} has a shape or offsets that are not whole numbers")
    tensor = Tensor(name, dtype, tuple(shape))
    if math.prod(filter(None, shape)) * BYTES[dtype] >= 2**63:
        raise refuse(f"tensor {shown} of shape {shape} takes more than any file holds")
    if offsets[1] - offsets[0] != tensor.count * BYTES[dtype]:
        raise refuse(f"tensor {shown} of shape {shape} takes {tensor.count * BYTES[dtype]} bytes and its offsets "
                     f"span {offsets[1] - offsets[0]}")
    return tensor, (offsets[0], offsets[1])


def _whole(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 2**63 for value in values)


def _whole_number(text: str) -> int:
    if text == "-0":
        raise ValueError("-0 is not a whole number")
    return int(text)


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _damaged(path: Path, what: str) -> ExplorerError:
    return ExplorerError(f"{path} is damaged: {what}. Copy or download it again.")
