"""One pair of representations under every measure, side by side: values, intervals and what chance would give."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis import registry, similarity, summaries
from analysis.measure import Measure, Transform
from analysis.outliers import outlier_warnings
from analysis.pairs import cells
from analysis.representations import Protocol
from analysis.results import PairMatrix
from analysis.similarity import Item
from analysis.store import Store

GROUPS = {"CKA": ("cka", "head_removed_cka", "column_corrected_cka", "kernel_cka"),
          "Subspaces and regression": ("cca", "linear_regression", "subspace_overlap", "shared_dimensions"),
          "Distances (RSA)": ("rsa", "topological_rsa"),
          "Neighbours": ("neighbours", "cknna", "information_imbalance"),
          "Shape": ("procrustes",)}
OTHERS = "Others"
MARKS = {"R": Transform.ORTHOGONAL, "S": Transform.ISOTROPIC_SCALING, "T": Transform.TRANSLATION,
         "L": Transform.INVERTIBLE_LINEAR}
MARKS_HELP = "What changes nothing: R rotation, S scale, T shift, L any invertible linear map."


@dataclass(frozen=True, kw_only=True)
class Line:
    """One measure of one pair. `chance` is exact; `null_mean` and `threshold` are of the shuffles. None where there is
    no such number, and `reason` says why there is no value."""

    measure: Measure
    value: float | None = None
    low: float | None = None
    high: float | None = None
    chance: float | None = None
    null_mean: float | None = None
    threshold: float | None = None
    calibrated: float | None = None
    p: float | None = None
    draws: int = 0
    reason: str = ""

    @property
    def label(self) -> str:
        """The measure's label, in which the sides are A and B."""
        return re.sub(r"\bY\b", "B", re.sub(r"\bX\b", "A", self.measure.label))

    @property
    def by_chance(self) -> float | None:
        """The exact mean over all orders of the rows, else the mean of the shuffles."""
        return self.null_mean if self.chance is None else self.chance

    def place(self, value: float | None) -> float | None:
        """A value on the axis that all measures share: 0 at the threshold of its shuffles, 1 for equal sides."""
        equal, threshold = self.measure.equal, self.threshold
        if value is None or equal is None or threshold is None or equal == threshold:
            return None
        return (value - threshold) / (equal - threshold)


def measures() -> list[Measure]:
    """Every pair measure that a comparison of one pair computes, by group, the usual ones first."""
    order = list(GROUPS)
    found = [m for m in registry.of_kind(arity=2, returns="scalar") if not m.on_demand]
    return sorted(found, key=lambda m: (order + [OTHERS]).index(group(m)))


def group(measure: Measure) -> str:
    """Which kind of measure it is, by the module it stands in."""
    module = measure.fn.__module__.rpartition(".")[2]
    return next((name for name, modules in GROUPS.items() if module in modules), OTHERS)


def line(measure: Measure, matrix: PairMatrix) -> Line:
    """What a 1 x 1 matrix says."""
    ends, said = cells.interval(matrix), cells.verdict(matrix, measure)
    return Line(measure=measure, value=_number(matrix.values), low=ends and _number(ends[0]),
                high=ends and _number(ends[1]), chance=_number(matrix.chance),
                null_mean=said and _number(said.mean), threshold=said and _number(said.threshold),
                calibrated=said and _number(said.calibrated), p=said and _number(said.p),
                draws=0 if matrix.null is None else len(matrix.null), reason="; ".join(matrix.reasons))


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
    """As the page shows it."""
    return [{"kind": group(of.measure), "measure": of.label, "value": of.value, "low": of.low, "high": of.high,
             "chance": of.by_chance, "calibrated": of.calibrated, "p": of.p, "same after": marks(of.measure),
             "undefined because": of.reason} for of in lines]


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
