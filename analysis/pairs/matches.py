"""What stands around a pair matrix: how sure it is, why it is refused, and which of its items may drive it."""

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
from analysis.pairs.work import MOST_REPLICATES, MOST_SHUFFLED
from analysis.representations import Protocol
from analysis.results import PairMatrix
from analysis.store import Store

Item = tuple[Checkpoint, str]


def sureness(matrix: PairMatrix, measure: Measure) -> str:
    """How the interval and the chance level of the cells are made, as a caption says it."""
    cells = matrix.values.size
    said = [f"{matrix.note[:1].upper()}{matrix.note[1:]}."] if matrix.note else []
    if matrix.replicates is not None and matrix.sizes is not None and len(matrix.sizes) >= MIN_GROUPS:
        said.append(f"95 % interval of a cell: {measure.uncertainty}, {len(matrix.sizes)} groups.")
    else:
        said.append(f"No interval: {measure.uncertainty.removeprefix('none: ')}." if not measure.has_interval else
                    f"No interval: {cells} cells are too many." if cells > MOST_REPLICATES else
                    f"No interval: it needs at least {MIN_GROUPS} groups of documents.")
    if matrix.null is None:
        said.append(f"No p value: {cells} cells are too many to shuffle the documents for." if cells > MOST_SHUFFLED
                    else "No p value: too few documents to shuffle, or too many rows.")
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
    rest = np.full_like(matrix.values, np.nan) if without is None else without.values
    sides = [(rows, columns, matrix.values, rest), (columns, rows, matrix.values.T, rest.T)]
    return [_one(outliers[item], item, others, values[place], left[place], measure)
            for own, others, values, left in sides[:1 if list(rows) == list(columns) else 2]
            for place, item in enumerate(own) if item in outliers]


def _one(said: str, item: Item, others: Sequence[Item], values: np.ndarray, rest: np.ndarray,
         measure: Measure) -> dict[str, Any]:
    signed = -values if measure.smaller_is_closer else values
    known = [place for place, other in enumerate(others) if other != item and not np.isnan(values[place])]
    best = max(known, key=lambda place: signed[place], default=None)
    found: dict[str, Any] = {"best match": None, "value": None, "top directions removed": None}
    if best is not None:
        found = {"best match": _name(others[best]), "value": float(values[best]),
                 "top directions removed": None if np.isnan(rest[best]) else float(rest[best])}
    return {"representation": _name(item), "what may drive it": said, **found}


def _name(item: Item) -> str:
    return f"{item[0].run} {item[0].revision} {item[1]}"
