"""Results of one representation as what a file holds: JSON records, and tensors for what is long."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from analysis.files import collector_paused
from analysis.keys import RepresentationKey, ResultKey
from analysis.results import Curve, Replicates, Scalar

HEAD_BYTES = 4096
REPLICATES, SIZES, PAIRS = "replicates", "group sizes", "replicates without pairs"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """A result with the size of the representation it was computed on and how it was made."""

    key: ResultKey
    result: Scalar | Curve
    n: int
    d: int


Asked = tuple[str, int, tuple[tuple[str, int], ...], int]  # a measure, its version, its settings and the schema


class Batch(dict[ResultKey, Stored]):
    """The results in one file, and which of them there are by measure, worked out once."""

    def of(self, measure: str) -> Sequence[Stored]:
        return self._of.get(measure, ())

    def sites(self, asked: Asked) -> frozenset[str]:
        """Where there is a result of a measure as it is asked for."""
        return self._sites.get(asked, frozenset())

    @cached_property
    def _of(self) -> dict[str, list[Stored]]:
        found: dict[str, list[Stored]] = {}
        for key, item in self.items():
            found.setdefault(key.measure, []).append(item)
        return found

    @cached_property
    def _sites(self) -> dict[Asked, frozenset[str]]:
        found: dict[Asked, set[str]] = {}
        for key in self:
            found.setdefault((key.measure, key.version, key.params, key.schema), set()).add(key.site)
        return {asked: frozenset(sites) for asked, sites in found.items()}


def head(path: Path) -> dict[str, Any]:
    """What the file of a batch says first: the parts of its representation's key. Unchecked, and empty where it is not
    there."""
    try:
        with path.open("rb") as handle:
            handle.readline()  # the checksum
            text = handle.read(HEAD_BYTES).decode(errors="ignore")
        found, _ = json.JSONDecoder().raw_decode(text, text.index("{", 1))
    except (FileNotFoundError, ValueError):
        return {}
    return found


def packed(results: Sequence[Stored]) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Records and tensors: each curve by its digest, and the replicates of all scalars that have them, in order. All
    are of the same documents."""
    curves = {stored.key.digest: stored.result.values for stored in results if isinstance(stored.result, Curve)}
    kept = [scalar.replicates for stored in results if isinstance(scalar := stored.result, Scalar)
            and scalar.defined and scalar.replicates is not None]
    paired = {REPLICATES: np.stack([one.values for one in kept]), SIZES: kept[0].sizes} if kept else {}
    by_two = [one.without_pairs for one in kept if one.without_pairs is not None]
    return [_record(stored) for stored in results], curves | paired | ({PAIRS: np.stack(by_two)} if by_two else {})


def unpacked(records: Sequence[dict[str, Any]], representation: RepresentationKey,
             tensors: Mapping[str, np.ndarray]) -> Batch:
    replicates = _replicates([record for record in records if record.get("paired")], tensors)
    with collector_paused():
        items = [_stored(record, representation, tensors, replicates) for record in records]
        return Batch(zip([item.key for item in items], items, strict=True))


def _replicates(records: Sequence[dict[str, Any]], tensors: Mapping[str, np.ndarray]) -> Iterator[Replicates]:
    pairs = iter(tensors.get(PAIRS, ()))
    for record, values in zip(records, tensors.get(REPLICATES, ()), strict=True):
        yield Replicates(values, tensors[SIZES], next(pairs) if record.get("by two") else None)


def _record(stored: Stored) -> dict[str, Any]:
    key, result = stored.key, stored.result
    record = {"site": key.site, "measure": key.measure, "version": key.version, "params": dict(key.params),
              "schema": key.schema, "n": stored.n, "d": stored.d, "reason": result.reason}
    if isinstance(result, Scalar):
        record |= {"value": result.value if result.defined else None, "low": result.low, "high": result.high,
                   "chance": result.chance}
        if result.defined and result.replicates is not None:
            record["paired"] = True
            if result.replicates.without_pairs is not None:
                record["by two"] = True
    return record


def _stored(record: dict[str, Any], representation: RepresentationKey, tensors: Mapping[str, np.ndarray],
            replicates: Iterator[Replicates]) -> Stored:
    key = ResultKey(representation, record["site"], record["measure"], record["version"],
                    tuple(sorted(record["params"].items())), record["schema"])
    result: Scalar | Curve
    if "value" not in record:
        result = Curve(values=tensors[key.digest], reason=record["reason"])
    elif record["reason"]:
        result = Scalar.undefined(record["reason"])
    else:
        result = Scalar(value=record["value"], low=record["low"], high=record["high"], chance=record["chance"],
                        replicates=next(replicates) if record.get("paired") else None)
    return Stored(key=key, result=result, n=record["n"], d=record["d"])
