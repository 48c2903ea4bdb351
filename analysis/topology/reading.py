"""What is said of stored topology: records for figures and files, verdicts in words, captions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.keys import Checkpoint, Run
from analysis.representations import Protocol
from analysis.store import Store
from analysis.summaries import described
from analysis.topology import summaries, words
from analysis.topology.cell import GRID, KINDS, SUMMARIES, Cell
from analysis.topology.changes import DISTANCES, difference
from analysis.topology.computing import Item, Question, stored
from analysis.topology.nulls import LEVEL, Verdict, summarised, verdict
from analysis.topology.two_sample import TwoSample
from analysis.views import item_name

LABELS = {"longest": "Longest bar", "total": "Total persistence", "entropy": "Persistence entropy",
          "bars": "Number of bars", "longer": "Bars longer than the null's"}
UNIT = "0.9 quantile of distances"
UNITS = {"longest": UNIT, "total": UNIT, "entropy": "nats"}
DISTANCE_LABELS = {
    "wasserstein_h1": "Wasserstein distance, H1", "bottleneck_h1": "Bottleneck distance, H1",
    "wasserstein_h0": "Wasserstein distance, H0",
    "merges_h0": "Matched merges, an upper bound on the Wasserstein distance of H0"}
NUMBERS = ("value", "± over draws", *(f"p, {kind}" for kind in KINDS))
LEVELS = 3  # of a landscape that are drawn


@dataclass(frozen=True)
class Quantity:
    """What a figure says of a summary or a distance: the fields of a Measure that stand on an axis."""

    label: str
    unit: str = ""
    symbol: str = ""
    bounds: tuple[float, float] = (0.0, math.inf)
    log_scale: bool = False


def quantity(name: str, dimension: int = 1) -> Quantity:
    """A summary of one dimension, or a distance between diagrams, as an axis names it."""
    if name in DISTANCES:
        return Quantity(DISTANCE_LABELS[name].replace(", an", "<br>an"), UNIT)
    return Quantity(f"{LABELS[name]}, H{dimension}", UNITS.get(name, ""))


def records(store: Store, runs: Sequence[Run], sites: Sequence[str], protocol: Protocol,
            question: Question) -> list[dict[str, Any]]:
    """One record a checkpoint, site, dimension and summary, with what surrogates of both kinds give beside it."""
    return [record for run in runs for checkpoint in run.checkpoints
            for record in records_at(store, checkpoint, sites, protocol, question)]


def records_at(store: Store, checkpoint: Checkpoint, sites: Sequence[str], protocol: Protocol,
               question: Question) -> list[dict[str, Any]]:
    """The records of some sites of one checkpoint."""
    return [record for site in sites if (cell := stored(store, (checkpoint, site), protocol, question)) is not None
            for record in of_cell(cell, (checkpoint, site), protocol, question)]


def of_cell(cell: Cell, item: Item, protocol: Protocol, question: Question) -> list[dict[str, Any]]:
    """The records of one representation."""
    checkpoint, site = item
    every = [summarised(one) for one in cell.draws]
    shared = {**_of(checkpoint), "site": site, "n": cell.points, "d": cell.d, "rows": cell.rows,
              "distinct": cell.distinct, "draws": len(cell.draws), "seed": question.seed,
              "directions": question.directions, "fingerprint": checkpoint.fingerprint, "source": checkpoint.source,
              "protocol": described(protocol)}
    found = []
    for dimension in range(cell.dimensions):
        verdicts = {kind: verdict(cell, kind, dimension) for kind in cell.nulls}
        told = {f"p_{kind}": one.p for kind, one in verdicts.items()}
        told |= {f"draws_above_{kind}": one.above for kind, one in verdicts.items()}
        for name in SUMMARIES:
            values = np.array([one[name][dimension] for one in every])
            found.append({**shared, "procedure": words.SUMMARISED[name], "dimension": dimension, "summary": name,
                          "value": float(values.mean()),
                          "spread": float(values.std(ddof=1)) if len(values) > 1 else None,
                          **_nulls(cell, name, dimension), **(told if name == "longest" else {})})
        found.append({**shared, "procedure": words.SUMMARISED["longer"], "dimension": dimension, "summary": "longer",
                      "spread": None,
                      "value": min(one.longer for one in verdicts.values()),
                      **{f"{kind}_{end}": 0.0 for kind in verdicts for end in ("low", "high")}})
    return found


def over_training(records: Sequence[dict[str, Any]], summary: str, dimension: int) -> list[dict[str, Any]]:
    """The records of one summary and dimension, with mean +- one standard deviation over draws as `low` and `high`.
    Of the longest bar, `significant` says whether p is at most 0.05 against both kinds of surrogates."""
    found = []
    for one in records:
        if (one["summary"], one["dimension"]) == (summary, dimension):
            verdicts = {"significant": significant(one)} if summary == "longest" else {}
            found.append({**_with_band(one), **verdicts})
    return found


def significant(record: dict[str, Any]) -> bool:
    """Whether a longest bar is longer than chance by both kinds of surrogates."""
    return all(record[f"p_{kind}"] <= LEVEL for kind in KINDS)


def distances_over_training(records: Sequence[dict[str, Any]], distance: str, reference: str) -> list[dict[str, Any]]:
    """The records of one distance to one reference, with mean +- one standard deviation over draws."""
    return [_with_band(one) for one in records if (one["distance"], one["reference"]) == (distance, reference)]


def lacking(runs: Sequence[Run], sites: Sequence[str], records: Sequence[dict[str, Any]]) -> list[Item]:
    """The representations of some sites that have no records."""
    known = {_place(one) for one in records}
    return [(c, site) for run in runs for c in run.checkpoints for site in sites
            if (c.run, c.revision, site) not in known]


def items(runs: Sequence[Run], records: Sequence[dict[str, Any]]) -> dict[str, Item]:
    """The representations that have records, by name."""
    by_place = {(c.run, c.revision): c for run in runs for c in run.checkpoints}
    found = {_place(one): (by_place[one["run"], one["revision"]], one["site"]) for one in records}
    return {item_name(*item): item for item in found.values()}


def looks(records: Sequence[dict[str, Any]], dimension: int) -> str:
    """How many representations have a bar longer than chance, and how many would by luck."""
    every = over_training(records, "longest", dimension)
    return words.looks(sum(one["significant"] for one in every), len(every), dimension)


def table(records: Sequence[dict[str, Any]], summary: str, dimension: int) -> list[dict[str, Any]]:
    """One row a representation: the summary with both nulls, and p of the longest bar."""
    longest = {_place(one): one for one in over_training(records, "longest", dimension)}
    rows = []
    for one in over_training(records, summary, dimension):
        told = longest[_place(one)]
        rows.append({"run": one["run"], "checkpoint": one["revision"], "site": one["site"], "value": one["value"],
                     "± over draws": one["spread"],
                     **{f"{kind} null": f"{one[f'{kind}_low']:.3g} to {one[f'{kind}_high']:.3g}" for kind in KINDS},
                     **{f"p, {kind}": told[f"p_{kind}"] for kind in KINDS},
                     "beyond both": told["significant"], "draws": one["draws"], "points": one["n"]})
    return rows


def bars(cell: Cell, item: Item, protocol: Protocol | None = None) -> list[dict[str, Any]]:
    """One record a bar of every draw, longest first, each with the lengths that 95 % of surrogates stay below, and of
    the first draw with the range of the bar of its rank over all draws."""
    about, found = _about(cell, item, "bars", protocol), []
    for dimension in range(cell.dimensions):
        bounds = {f"{kind}_threshold": null.threshold(dimension) for kind, null in cell.nulls.items()}
        sorted_bars = [one.bars[dimension][np.argsort(-one.lengths(dimension), kind="stable")] for one in cell.draws]
        most = max(len(one) for one in sorted_bars)
        ranked = np.array([np.pad(one[:, 1] - one[:, 0], (0, most - len(one))) for one in sorted_bars])
        low, high = ranked.min(axis=0), ranked.max(axis=0)
        for draw, diagram in enumerate(sorted_bars):
            found += [{**about, "draw": draw, "dimension": dimension, "rank": rank + 1,
                       "birth": float(birth), "death": float(death), "length": float(death - birth),
                       "low": float(low[rank]) if draw == 0 else None,
                       "high": float(high[rank]) if draw == 0 else None, **bounds}
                      for rank, (birth, death) in enumerate(diagram)]
    return found


def curves(cell: Cell, item: Item, protocol: Protocol | None = None) -> list[dict[str, Any]]:
    """Betti numbers and the Euler curve over the radius: mean and range over draws, and the central 90 % and the median
    of surrogates. Of the Euler curve surrogates give bounds only, the sums of those of its Betti numbers, in which at
    least 80 % of them lie (with H2, 70 %)."""
    about = _about(cell, item, "betti curves", protocol)
    signs = [(-1)**dimension for dimension in range(cell.dimensions)]
    every = np.array([[summaries.betti_curve(bars, GRID) for bars in one.bars] for one in cell.draws])
    every[:, 0] += 1  # the component that never dies has no bar
    nulls = {kind: null.betti + np.eye(cell.dimensions)[0][:, None] for kind, null in cell.nulls.items()}
    euler = {kind: [sum(betti[2 * (end if sign > 0 else 1 - end), k] * sign for k, sign in enumerate(signs))
                    for end in (0, 1)] for kind, betti in nulls.items()}
    shown = [(f"β{k}", every[:, k], {kind: betti[:, k] for kind, betti in nulls.items()})
             for k in range(cell.dimensions)]
    shown.append(("χ", np.einsum("k,bkg->bg", signs, every),
                  {kind: np.array([low, np.full(len(GRID), np.nan), high]) for kind, (low, high) in euler.items()}))
    return [{**about, "curve": name, "radius": float(radius),
             "value": float(values[:, place].mean()), "low": float(values[:, place].min()),
             "high": float(values[:, place].max()),
             **{f"{kind}_{end}": _or_none(betti[row, place]) for kind, betti in null.items()
                for row, end in enumerate(("low", "median", "high"))}}
            for name, values, null in shown for place, radius in enumerate(GRID)]


def landscapes(cell: Cell, item: Item, dimension: int,
               protocol: Protocol | None = None) -> list[dict[str, Any]]:
    """The first levels of the landscape, mean over draws, with the height that 95 % of surrogates stay below: half of
    the length that their longest bars do."""
    about = _about(cell, item, "persistence landscape", protocol)
    levels = np.mean([summaries.landscape(one.bars[dimension], GRID, LEVELS) for one in cell.draws], axis=0)
    ceiling = {f"{kind}_ceiling": null.threshold(dimension) / 2 for kind, null in cell.nulls.items()}
    return [{**about, "dimension": dimension, "level": level + 1, "radius": float(radius),
             "value": float(value), **ceiling}
            for level, values in enumerate(levels) for radius, value in zip(GRID, values, strict=True)]


def differing(a: Cell, b: Cell, dimension: int, names: tuple[str, str]) -> tuple[str, list[dict[str, Any]]]:
    """The verdict of the test whether two representations of the same documents differ, and what it stands on.

    Raises Undefined as changes.difference does.
    """
    found = difference(a, b, dimension, same_documents=True)
    return words.two_sample(found, a.folds[0].points, dimension), two_sample_records(found, names, dimension)


def two_sample_records(found: TwoSample, names: tuple[str, str], dimension: int) -> list[dict[str, Any]]:
    """One record a pair of disjoint draws: of A, of B, or one of each."""
    draws = len(found.distances) // 2
    kinds = {(True, True): "within A", (False, False): "within B", (True, False): "between"}
    return [{"procedure": "two samples", "a": names[0], "b": names[1], "dimension": dimension,
             "pair": kinds[i < draws, j < draws], "draw": i % draws, "other": j % draws,
             "distance": float(found.distances[i, j])}
            for i in range(2 * draws) for j in range(i + 1, 2 * draws)]


def sentence(cell: Cell, dimension: int = 1) -> str:
    """The verdicts of both kinds of surrogates in words."""
    verdicts = [verdict(cell, kind, dimension) for kind in cell.nulls]
    clear = all(one.significant for one in verdicts)
    said = "; ".join(f"against {KINDS[one.kind]}: p = {one.p:.3g}, 95 % of {one.surrogates} surrogates stay below "
                     f"{one.threshold:.3f}{_above(one)}" for one in verdicts)
    split = not clear and all(2 * one.above > one.draws for one in verdicts)
    head = "is longer than chance" if clear else "is not clearly longer than chance: the draws disagree" if split else \
        "is no longer than chance would make it"
    return f"The longest H{dimension} bar ({verdicts[0].value:.3f}) {head} ({said})."


def caption(cell: Cell, question: Question) -> str:
    """How many points, of how many, how they were drawn, and what was done to their distances."""
    duplicates = cell.rows - cell.distinct
    draws = "all of them in one cloud, so nothing is said of other draws" if cell.whole else (
        f"{len(cell.draws)} draws of {cell.points} rows, each from half of the documents (seed {question.seed})")
    kept = f" Distances are along the {question.directions} leading principal directions." if question.directions \
        else ""
    return (f"{cell.distinct} distinct rows of {cell.rows} ({duplicates} duplicates left out), d = {cell.d}; {draws}."
            f"{kept} Distances are divided by their 0.9 quantile.")


def _with_band(record: dict[str, Any]) -> dict[str, Any]:
    value, spread = record["value"], record["spread"]
    return {**record, "low": None if spread is None else value - spread,
            "high": None if spread is None else value + spread}


def _place(record: dict[str, Any]) -> tuple[str, str, str]:
    return record["run"], record["revision"], record["site"]


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _nulls(cell: Cell, summary: str, dimension: int) -> dict[str, float]:
    """Mean and central 90 % of a summary over surrogates of each kind."""
    found: dict[str, float] = {}
    for kind, null in cell.nulls.items():
        values = null.summaries[summary][:, dimension]
        low, high = np.quantile(values, [LEVEL, 1 - LEVEL])
        found |= {f"{kind}_mean": float(values.mean()), f"{kind}_low": float(low), f"{kind}_high": float(high)}
    return found


def _of(checkpoint: Checkpoint) -> dict[str, Any]:
    return {"run": checkpoint.run, "revision": checkpoint.revision, "step": checkpoint.step,
            "tokens": checkpoint.tokens}


def _about(cell: Cell, item: Item, procedure: str, protocol: Protocol | None) -> dict[str, Any]:
    """What all records of a drawing of one representation say."""
    told = {"protocol": described(protocol)} if protocol else {}
    return {**_of(item[0]), "site": item[1], "procedure": procedure, "n": cell.points, "d": cell.d,
            "fingerprint": item[0].fingerprint, **told}


def _above(one: Verdict) -> str:
    return f", {one.above} of {one.draws} draws lie above" if one.draws > 1 else ""
