"""What the test of bars and the estimates of dimension say of clouds whose truth is known, beside that truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from analysis import compute, registry
from analysis.checkpoints.activations import PREFIX, labels_of, read_rows
from analysis.extraction.library import find_probe
from analysis.extraction.probes import AS_GIVEN
from analysis.keys import Checkpoint, Policy, Run
from analysis.measure import Measure
from analysis.representations import Protocol
from analysis.store import Store
from analysis.topology import computing
from analysis.topology.cell import Cell
from analysis.topology.known import ANGLE, SHAPES, Shape
from analysis.topology.nulls import LEVEL, verdict
from analysis.topology.surrogates import leading
from analysis.topology.words import options

QUESTION = computing.Question(points=150, surrogates=19, max_dim=2)
ESTIMATORS = {"intrinsic_dimension_twonn": "TwoNN", "intrinsic_dimension_mle": "MLE",
              "intrinsic_dimension_gride": "GRIDE", "intrinsic_dimension_gride_by_scale": "GRIDE by scale",
              "correlation_dimension": "correlation", "local_pca_dimension": "local PCA",
              "persistent_homology_dimension": "persistent homology"}
NEAR = 0.2  # an estimate further from the truth than a fifth is called wrong
DIMENSIONS = ("All rows, at usual settings. GRIDE by scale: from the nearest neighbours to the farthest. In brackets, "
              "where an estimator has one: 95 % interval at this n, in which bias is not.")
PROCEDURES = {"known answer": r"Rows of a known shape are drawn on their two leading principal components "
                              r"\cite{jolliffe2002principal}."}
Cells = dict[str, Cell]
Values = dict[tuple[str, str], dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The bars of one dimension of a shape against both kinds of surrogates, and how many there should be."""

    dimension: int
    true: int  # bars of H0 are one less than components
    longer: float  # bars above both thresholds, mean over draws
    p: tuple[float, ...]
    longest: float
    threshold: float

    @property
    def significant(self) -> bool:
        return max(self.p) <= LEVEL

    @property
    def recovered(self) -> bool:
        return self.significant == (self.true > 0) and (not self.true or round(self.longer) == self.true)

    @property
    def said(self) -> str:
        """Whether the truth is recovered, in words."""
        if self.recovered:
            return "rightly seen" if self.true else "rightly none"
        if not self.significant:
            return "missed"
        return f"{'seen, but as' if self.true else 'a false alarm:'} {self.longer:.1f} bars a draw"


def protocol() -> Protocol:
    """The rows as they came with the run."""
    return Protocol(find_probe(AS_GIVEN), Policy.parse("last"))


def topology_argv(run: Run) -> list[str]:
    """The command that computes the topology of all shapes."""
    return ["topology", run.name, "--site", "all", *options(QUESTION)]


def dimension_argv(run: Run) -> list[str]:
    """The command that computes every estimate of the dimension of all shapes."""
    return ["sweep", run.name, *(part for measure in estimators() for part in ("--measure", measure.name))]


def estimators() -> list[Measure]:
    """The measures of the dimension of one cloud."""
    return [registry.get(name) for name in ESTIMATORS]


def cells(store: Store, checkpoint: Checkpoint) -> Cells:
    """The topology of each shape for which it is computed."""
    found = {shape.name: computing.stored(store, (checkpoint, shape.name), protocol(), QUESTION) for shape in SHAPES}
    return {name: cell for name, cell in found.items() if cell is not None}


def values(store: Store, run: Run) -> Values:
    """The records of each shape and estimator that are computed."""
    settings = {measure.name: measure.settings() for measure in estimators()}
    found = compute.records(store, run, probe=protocol().probe.identity, policy=protocol().rows, settings=settings)
    return {(record["site"], record["measure"]): record for record in found if record["measure"] in settings}


def seen(cell: Cell, shape: Shape) -> list[Seen]:
    """What the test says of the components, loops and voids of a shape."""
    found = []
    for dimension in range(cell.dimensions):
        of = [verdict(cell, kind, dimension) for kind in cell.nulls]
        found.append(Seen(dimension=dimension, true=shape.betti[dimension] - (dimension == 0),
                          longer=min(one.longer for one in of), p=tuple(one.p for one in of), longest=of[0].value,
                          threshold=max(one.threshold for one in of)))
    return found


def bars_table(found: Cells) -> list[dict[str, Any]]:
    """A row a shape: its true Betti numbers, and the bars above the null with both p of each dimension."""
    return [{"shape": shape.name, "true b0, b1, b2": ", ".join(map(str, shape.betti)),
             **({f"H{one.dimension} bars above the null": f"{one.longer:.1f} ({_p(one)})"
                 for one in seen(found[shape.name], shape)} if shape.name in found else {})} for shape in SHAPES]


def dimension_table(estimated: Values) -> list[dict[str, Any]]:
    """A row a shape: its true dimension, and every estimate with its interval."""
    return [{"shape": shape.name, "true dimension": shape.dimension,
             **{short: _told(estimated.get((shape.name, name))) for name, short in ESTIMATORS.items()}}
            for shape in SHAPES]


def wrong(found: Cells, estimated: Values, shape: Shape) -> str:
    """What is not recovered of a shape and why, or nothing where all is right."""
    bars = [f"H{one.dimension} {one.said}" for one in (seen(found[shape.name], shape) if shape.name in found else ())
            if not one.recovered]
    numbers = {short: record["value"] for name, short in ESTIMATORS.items()
               if (record := estimated.get((shape.name, name))) and isinstance(record["value"], float)}
    off = [f"{short} {value:.1f} too {'high' if value > shape.dimension else 'low'}" for short, value in numbers.items()
           if abs(value / shape.dimension - 1) > NEAR]
    missed = "; ".join([*bars, *([f"of a dimension of {shape.dimension}, {', '.join(off)}"] if off else [])])
    return f"{missed}. {shape.beware}" if missed else ""


def about_bars(cell: Cell, shape: Shape) -> str:
    """The verdict on each dimension of a shape, with the numbers it rests on."""
    return "; ".join(f"H{one.dimension} (b{one.dimension} = {shape.betti[one.dimension]}) {one.said}: longest bar "
                     f"{one.longest:.3f}, null's 95 % at {one.threshold:.3f}, {_p(one)}"
                     for one in seen(cell, shape)) + "."


def summary(found: Cells) -> str:
    """How many truths the test recovers, and how many false alarms chance alone would give."""
    every = [one for shape in SHAPES if shape.name in found for one in seen(found[shape.name], shape)]
    alarms = sum(one.significant and not one.true for one in every)
    zeros = sum(not one.true for one in every)
    return (f"The test recovers {sum(one.recovered for one in every)} of {len(every)} Betti numbers. Of {zeros} true "
            f"zeros it calls {alarms} a structure; chance alone would call at most about {LEVEL * zeros:.1f}.")


def caption(found: Cells) -> str:
    """What the clouds were and how the columns are to be read."""
    cell = next(iter(found.values()))
    made = len(next(iter(cell.nulls.values())).summaries["longest"])
    return (f"{cell.rows} rows in {cell.d} directions; {len(cell.draws)} draws of {cell.points} points. Bars above the "
            f"null: longer than the longest of 95 % of surrogates, mean over draws, the smaller of both kinds. p of "
            f"the first draw, against {made} Gaussians of the same covariance, then against {made} clouds of shuffled "
            "principal components. A bar of H0 is one component more than one.")


def map_records(checkpoint: Checkpoint, shape: Shape) -> list[dict[str, Any]]:
    """A record a row: its scores on the two leading principal directions of its shape, and the label that says where
    on it the row is: a number, a word, or none."""
    path = Path(checkpoint.path.removeprefix(PREFIX))
    scores = leading(read_rows(path).rows[shape.name], 2)
    labels: Sequence[Any] = labels_of(path)[shape.label] if shape.label else [None] * len(scores)
    if shape.label == ANGLE:
        labels = [float(label) for label in labels]
    return [{"procedure": "known answer", "row": place, "direction 1": float(one), "direction 2": float(two),
             "label": label}
            for place, ((one, two), label) in enumerate(zip(scores, labels, strict=True))]


def links(run: Run, shape: Shape) -> dict[str, dict[str, str]]:
    """What the URL of each page says that opens it on one shape."""
    named = {"runs": run.name, "probe": AS_GIVEN}
    return {"topology": {**named, "sites": shape.name, "ph_points": str(QUESTION.points),
                         "ph_surrogates": str(QUESTION.surrogates), "ph_dim": f"H{QUESTION.max_dim}"},
            "intrinsic_dimension": {**named, "sites": shape.name, "site": shape.name},
            "points": {**named, "map_run": run.name, "map_site": shape.name}}


def _p(one: Seen) -> str:
    return f"p = {', '.join(f'{p:.2g}' for p in one.p)}"


def _told(record: dict[str, Any] | None) -> str:
    """An estimate with its interval; of a curve its two ends."""
    if record is None:
        return ""
    if record["value"] is None:
        return "undefined"
    if isinstance(record["value"], list):
        known = [value for value in record["value"] if isfinite(value)]
        return f"{known[0]:.1f} to {known[-1]:.1f}"
    interval = "" if record["low"] is None else f" [{record['low']:.1f}, {record['high']:.1f}]"
    return f"{record['value']:.1f}{interval}"
