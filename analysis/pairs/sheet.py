"""One pair of representations under every measure, side by side: values, intervals and what chance would give."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from analysis import registry, similarity, summaries
from analysis.measure import Measure, Transform
from analysis.outliers import outlier_warnings
from analysis.pairs import cells
from analysis.pairs.shown import Line, group, in_order
from analysis.representations import Protocol
from analysis.results import PairMatrix
from analysis.similarity import Item
from analysis.store import Store

MARKS = {"R": Transform.ORTHOGONAL, "S": Transform.ISOTROPIC_SCALING, "T": Transform.TRANSLATION,
         "L": Transform.INVERTIBLE_LINEAR}
MARKS_HELP = "What changes nothing: R rotation, S scale, T shift, L any invertible linear map."


def measures() -> list[Measure]:
    """Every pair measure that a comparison of one pair computes, by group, the usual ones first."""
    return in_order(m for m in registry.of_kind(arity=2, returns="scalar") if not m.on_demand)


def line(measure: Measure, matrix: PairMatrix) -> Line:
    """What a 1 x 1 matrix says."""
    low, high = cells.interval(matrix) or (None, None)
    found = Line(measure=measure, value=_number(matrix.values), low=_number(low), high=_number(high),
                 chance=_number(matrix.chance), reason="; ".join(matrix.reasons))
    said = cells.verdict(matrix, measure)
    if said is None or matrix.null is None:
        return found
    return replace(found, null_mean=_number(said.mean), threshold=_number(said.threshold),
                   calibrated=_number(said.calibrated), p=_number(said.p), draws=len(matrix.null))


def stored(store: Store, a: Item, b: Item, protocol: Protocol) -> dict[str, PairMatrix]:
    """The matrices of all measures of a pair that are there, by measure."""
    found = {m.name: similarity.matrix(store, [a], [b], m, protocol) for m in measures()}
    return {name: matrix for name, matrix in found.items() if matrix is not None}


def record(of: Line) -> dict[str, Any]:
    """As the command line prints it."""
    return {"measure": of.measure.name, "value": of.value, "low": of.low, "high": of.high, "chance": of.chance,
            "null_mean": of.null_mean, "threshold": of.threshold, "calibrated": of.calibrated, "p": of.p,
            "reason": of.reason}


def table(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """As the page shows it; the column of reasons is there where something is undefined."""
    why = any(of.reason for of in lines)
    return [{"kind": group(of.measure), "measure": of.label, "value": of.value, "low": of.low, "high": of.high,
             "chance": of.by_chance, "calibrated": of.calibrated, "p": of.p, "same after": marks(of.measure),
             **({"undefined because": of.reason} if why else {})} for of in lines]


def records(lines: Sequence[Line], a: Item, b: Item, protocol: Protocol) -> list[dict[str, Any]]:
    """As files hold it, with both sides named in full."""
    sides = zip("ab", summaries.item_records([a, b], protocol), strict=True)
    named = {f"{name}_{side}": value for side, item in sides for name, value in item.items()}
    return [{**named, "kind": group(of.measure), **record(of), "draws": of.draws, "uncertainty": of.measure.uncertainty,
             "invariant_to": marks(of.measure)} for of in lines]


def marks(measure: Measure) -> str:
    """One letter for each transformation that leaves the measure as it is."""
    return " ".join(mark for mark, transform in MARKS.items() if transform in measure.invariant_to)


def caption(store: Store, a: Item, protocol: Protocol, found: dict[str, PairMatrix]) -> str:
    """Rows, probe, draws and interval of a pair."""
    facts = store.representation_facts(protocol.key(a[0])) or {"n": "?"}
    note = next((f" ({matrix.note})" for matrix in found.values() if matrix.note), "")
    draws = sorted({len(matrix.null) for matrix in found.values() if matrix.null is not None})
    shuffled = (f"Chance: documents of B shuffled whole, {' or '.join(map(str, draws))} times." if draws else
                "No shuffles: too few documents.")
    return (f"n = {facts['n']} rows, matched by id{note}. {summaries.spoken(protocol)} Interval: 95 %, jackknife over "
            f"documents, where a measure has one. {shuffled}")


def outliers(store: Store, a: Item, b: Item, protocol: Protocol) -> list[dict[str, Any]]:
    """Of each side, what of its rows may drive the numbers."""
    known = [(c, site, store.representation_facts(protocol.key(c)) or {}) for c, site in dict.fromkeys([a, b])]
    return [{"run": c.run, "revision": c.revision, "outliers": {site: facts.get("outliers", {}).get(site)}}
            for c, site, facts in known]


def said_of(signature: dict[str, float] | None) -> list[str]:
    """Warnings of one side; none where nothing is known of it."""
    return outlier_warnings(signature) if signature else []


def _number(array: Any) -> float | None:
    return None if array is None or array[0, 0] != array[0, 0] else float(array[0, 0])
