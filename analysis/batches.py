"""Results of one representation as what a file holds: JSON records, and tensors for what is long."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.keys import RepresentationKey, ResultKey
from analysis.results import Curve, Replicates, Scalar

REPLICATES, SIZES, PAIRS = "replicates", "group sizes", "replicates without pairs"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """A result with the size of the representation it was computed on and how it was made."""

    key: ResultKey
    result: Scalar | Curve
    n: int
    d: int


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
             tensors: Mapping[str, np.ndarray]) -> dict[ResultKey, Stored]:
    replicates = _replicates([record for record in records if record.get("paired")], tensors)
    return {item.key: item for record in records for item in [_stored(record, representation, tensors, replicates)]}


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
