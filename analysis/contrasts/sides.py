"""Differences as flat records that name both of their sides, over training and at two checkpoints."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from analysis import compute
from analysis.contrasts import places, values
from analysis.contrasts.pivot import difference
from analysis.contrasts.values import Point
from analysis.inference.jackknife import interval, paired_change
from analysis.keys import Run
from analysis.measure import Measure
from analysis.reference import Reference
from analysis.representations import Protocol
from analysis.results import Replicates, Scalar
from analysis.store import Store

OF_BOTH = ("measure", "low", "high", "chance", "reason")  # of a record: said of the difference, not of each side
BLANK = ("value", "low", "high", "excludes_0", "relative", "standard_error", "standardised", "p")


def between(a: Point, b: Point) -> dict[str, Any]:
    """B minus A with both sides in full; `reason` says why it has no value, or no standard error."""
    sides = {f"{name}{side}": value for side, point in (("_a", a), ("_b", b)) for name, value in point.record.items()
             if name not in OF_BOTH}
    shared = {name: b.record[name] if a.record[name] == b.record[name] else None for name in ("n", "d")}
    row = {"measure": b.record["measure"], "site": b.record["site"], **dict.fromkeys(BLANK), "reason": "", **shared,
           **sides}
    for side, point in (("the first side", a), ("the second side", b)):
        if not point.scalar.defined:
            return row | {"reason": f"undefined on {side}: {point.scalar.reason}"}
    found = difference(a.scalar, b.scalar, b.record["measure"])
    share = found.value / abs(a.scalar.value) if a.scalar.value else None
    return row | {"value": found.value, "low": found.low, "high": found.high, "excludes_0": found.excludes_0,
                  "relative": share, "standard_error": found.standard_error, "standardised": found.standardised,
                  "p": found.p, "reason": found.reason}


def over_training(base: Sequence[Point], other: Sequence[Point], quantity: str,
                  line: bool = False, log: bool = False) -> list[dict[str, Any]]:
    """One run minus another at each place on an axis that both have a checkpoint at.

    Parameters
    ----------
    base, other : values of one measure at one site, in order of training, whose records hold their place on the axis
    quantity : the axis, and the field of the record that is the place on it
    line : take `base` also between two of its checkpoints, on the straight line that joins them on the axis
    log : whether the axis is logarithmic, which decides what is straight

    Returns
    -------
    One record for each place of `other` that `base` has too, in order. `between_a` names both checkpoints of the line.
    """
    known = {point.record[quantity]: _named(point, point, "") for point in reversed(base)}
    rising = _monotone(base, quantity) if line else []
    rows = []
    for point in other:
        place = point.record[quantity]
        match = None if place is None else known.get(place) or _on_line(rising, place, quantity, log)
        if match is not None:
            rows.append(between(match, point) | {quantity: place})
    return rows


def to_reference(store: Store, reference: Reference, points: Sequence[Point], protocol: Protocol, measure: Measure,
                 settings: compute.Settings, quantity: str) -> list[dict[str, Any]]:
    """Each value minus that of the pinned reference at its site; of a phase, the mean over its checkpoints."""
    held = Run(reference.last.run, "", reference.checkpoints)
    rows = []
    for site in dict.fromkeys(point.record["site"] for point in points):
        value = reference.value(store, protocol, site, measure, settings)
        kept = values.of_run(store, held, protocol, [measure], [site], settings)
        if value is None or not kept:
            continue
        record = kept[-1].record | {"value": value.value} | _prints([one.record for one in kept])
        rows += [between(Point(record, value), point) | {quantity: point.record[quantity], "between_a": ""}
                 for point in points if point.record["site"] == site]
    return rows


def _prints(records: Sequence[dict[str, Any]]) -> dict[str, str]:
    """The fingerprints of all checkpoints that one side is made of, beyond that of its record."""
    return {f"fingerprint_{number}": record["fingerprint"] for number, record in enumerate(records[:-1], 1)}


def _monotone(points: Sequence[Point], quantity: str) -> list[Point]:
    """The defined values whose place is further than all before: a loss that rises again has no one value there."""
    kept: list[Point] = []
    sign = -1 if quantity == places.LOSS else 1
    for point in points:
        place = point.record[quantity]
        if isinstance(place, (int, float)) and point.scalar.defined and (
                not kept or sign * (place - kept[-1].record[quantity]) > 0):
            kept.append(point)
    return kept


def _on_line(points: Sequence[Point], place: float, quantity: str, log: bool) -> Point | None:
    """The value at a place between two neighbours: a weighted mean of theirs, and so of their replicates."""
    for one, other in pairwise(points):
        ends = [point.record[quantity] for point in (one, other)]
        if min(ends) < place < max(ends) and not (log and min(ends) <= 0):
            low, high, at = (math.log(end) for end in (*ends, place)) if log else (*ends, place)
            weight = (at - low) / (high - low)
            value = _mixed(one.scalar, other.scalar, weight)
            said = _named(one, other, f"{one.record['revision']} and {other.record['revision']}")
            return Point(said.record | {"value": value.value, quantity: place}, value)
    return None


def _named(one: Point, other: Point, said: str) -> Point:
    """A side that is made of two checkpoints, or of one: what it is called, and the weights of both."""
    return Point(one.record | {"between": said, "fingerprint_1": other.record["fingerprint"]}, one.scalar)


def _mixed(a: Scalar, b: Scalar, weight: float) -> Scalar:
    """(1 - weight) a + weight b, with the interval of that sum where both left the same documents out."""
    value = (1 - weight) * a.value + weight * b.value
    one, other = a.replicates, b.replicates
    if one is None or other is None or paired_change(a, b) is None:
        return Scalar(value=value)
    pairs = None if one.without_pairs is None or other.without_pairs is None else (
        (1 - weight) * one.without_pairs + weight * other.without_pairs)
    mixed = Replicates((1 - weight) * one.values + weight * other.values, one.sizes, pairs)
    low, high = interval(value, mixed)
    return replace(a, value=value, low=low, high=high, replicates=mixed)
