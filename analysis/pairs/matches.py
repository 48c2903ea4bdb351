"""What a pair matrix says in words and lists: a cell, the best match of each row, how sure it is, and what may drive
it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analysis.checkpoints.activations import PREFIX
from analysis.errors import ExplorerError
from analysis.inference.jackknife import MIN_GROUPS
from analysis.keys import Checkpoint
from analysis.measure import Measure
from analysis.outliers import outlier_warnings
from analysis.pairs.aligned import aligned
from analysis.pairs.cells import LEVEL
from analysis.representations import Protocol
from analysis.results import PairMatrix
from analysis.store import Store

Item = tuple[Checkpoint, str]


def smaller_is_alike(measure: Measure) -> bool:
    """Whether the measure is a distance."""
    return measure.direction.startswith("smaller") or "less alike" in measure.direction


def told(record: Mapping[str, Any], measure: Measure, symbol: str) -> list[str]:
    """Everything known of one cell of export.matrix_records, a line each."""
    if record["value"] is None:
        return [f"{symbol} is undefined"]
    lines = [f"{symbol} = {record['value']:.4f}"]
    if record["low"] is not None:
        lines.append(f"95 % interval {record['low']:.4f} to {record['high']:.4f}")
    if record["chance"] is not None:
        lines.append(f"by chance {record['chance']:.4f} (exact)")
    if record["p"] is not None:
        side = "above" if smaller_is_alike(measure) else "below"
        lines += [f"texts shuffled: mean {record['null_mean']:.4f}, 95 % {side} {record['threshold']:.4f}",
                  f"p = {record['p']:.3g}; for any cell p = {record['p_any']:.3g}"]
    return lines


def best_matches(records: Sequence[Mapping[str, Any]], columns: int, measure: Measure) -> list[int | None]:
    """For each row of the matrix, the column that is most alike to it, the item itself left out; None where the best
    is no better than the best of shuffled texts (p for any cell of the matrix)."""
    sign = -1.0 if smaller_is_alike(measure) else 1.0
    found: list[int | None] = []
    for start in range(0, len(records), columns):
        row = [(sign * record["value"], column) for column, record in enumerate(records[start:start + columns])
               if record["value"] is not None and not _itself(record)]
        best = max(row, key=lambda pair: pair[0])[1] if row else None
        p = None if best is None else records[start + best]["p_any"]
        found.append(best if p is not None and p < LEVEL else None)
    return found


def _itself(record: Mapping[str, Any]) -> bool:
    return all(record.get(f"{name}_a") == record.get(f"{name}_b") for name in ("run", "revision", "site"))


def sureness(matrix: PairMatrix, measure: Measure) -> str:
    """How the interval and the chance level of the cells are made, as a caption says it."""
    said = [f"{matrix.note[:1].upper()}{matrix.note[1:]}."] if matrix.note else []
    if matrix.replicates is not None and matrix.sizes is not None and len(matrix.sizes) >= MIN_GROUPS:
        said.append(f"95 % interval of a cell: {measure.uncertainty}, {len(matrix.sizes)} groups.")
    else:
        said.append(f"No interval: {measure.uncertainty.removeprefix('none: ')}." if not measure.has_interval else
                    f"No interval: it needs at least {MIN_GROUPS} groups of documents.")
    cells = matrix.values.size
    if matrix.null is None:
        said.append(f"No p value: {cells} cells are too many to shuffle the documents for.")
    else:
        said.append(f"Chance: {len(matrix.null)} shuffles of the documents, the same for all {cells} cells. "
                    "p for any cell: corrected for the search.")
    return " ".join(said)


def refusal(store: Store, items: Sequence[Item], protocol: Protocol) -> str:
    """Why the items that were read cannot be compared: their rows are not the same. "" when nothing says so."""
    checkpoints = list(dict.fromkeys(c for c, _ in items))
    facts = [store.representation_facts(protocol.key(c)) for c in checkpoints]
    if len({known["ids"] for known in facts if known}) < 2:
        return ""
    stored = [(c, store.get_representation(protocol.key(c))) for c in checkpoints]
    try:
        aligned([(f"{c.run} {c.revision}", found, c.path.startswith(PREFIX)) for c, found in stored if found])
    except ExplorerError as error:
        return str(error)
    return ""


def outlying(store: Store, items: Sequence[Item], protocol: Protocol) -> dict[Item, str]:
    """Of some items, what single rows, repeated rows or one channel hold, where it may drive a score."""
    facts = {c: (store.representation_facts(protocol.key(c)) or {}).get("outliers", {}) for c, _ in items}
    found = {(c, site): outlier_warnings(facts[c][site]) for c, site in items if site in facts[c]}
    return {item: "; ".join(said) for item, said in found.items() if said}


def driven(outliers: Mapping[Item, str], rows: Sequence[Item], columns: Sequence[Item], matrix: PairMatrix,
           without: PairMatrix | None, measure: Measure) -> list[dict[str, Any]]:
    """Each outlying item with its best match, the value there, and the CKA there without the top directions."""
    sides = [(rows, columns, matrix.values, without and without.values)]
    if list(rows) != list(columns):
        sides.append((columns, rows, matrix.values.T, without and without.values.T))
    return [_one(outliers[item], item, others, values[place], None if rest is None else rest[place], measure)
            for own, others, values, rest in sides for place, item in enumerate(own) if item in outliers]


def _one(said: str, item: Item, others: Sequence[Item], values: np.ndarray, rest: np.ndarray | None,
         measure: Measure) -> dict[str, Any]:
    signed = -values if smaller_is_alike(measure) else values
    known = [place for place, other in enumerate(others) if other != item and not np.isnan(values[place])]
    best = max(known, key=lambda place: signed[place], default=None)
    return {"representation": _name(item), "what may drive it": said,
            "best match": None if best is None else _name(others[best]),
            "value": None if best is None else float(values[best]),
            "top directions removed": None if best is None or rest is None else float(rest[best])}


def _name(item: Item) -> str:
    return f"{item[0].run} {item[0].revision} {item[1]}"
