"""Measures that are the cosine between one matrix of each side: that matrix is made once an item, not once a pair."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from analysis.errors import Undefined
from analysis.pairs.work import Kept, Load, Work, tiles
from analysis.results import PairMatrix


def values(work: Work) -> PairMatrix:
    """The measure of every pair, and without each group of documents."""
    groups, reasons = work.groups, set[str]()
    sizes = None if groups is None else np.bincount(groups)
    kept = [slice(None), *([] if sizes is None or groups is None else
                           [np.flatnonzero(groups != group) for group in range(len(sizes))])]
    found, chance = [], np.full((len(work.rows), len(work.columns)), np.nan)
    for number, rows in enumerate(kept):
        def report(done: float, total: float, message: str, number: int = number) -> None:
            work.report(number + done / total, len(kept), message)
        found.append(_cosines(work, rows, reasons, report, chance if number == 0 else None))
    return PairMatrix(values=found[0], chance=chance, sizes=sizes, reasons=tuple(sorted(reasons)),
                      replicates=None if sizes is None else np.stack(found[1:]))


def _cosines(work: Work, rows: Any, reasons: set[str], report: Callable[[float, float, str], None],
             chance: np.ndarray | None) -> np.ndarray:
    """Cosines of the matrices of some rows, tile by tile, and their means over all orders of the rows."""
    item = work.measure.item
    assert item is not None

    def unit(x: np.ndarray) -> np.ndarray:
        made = item(x[rows], **work.settings).ravel()
        norm = np.linalg.norm(made)
        if not norm:
            raise Undefined("the distances of one side do not differ, so they cannot be compared")
        return made / norm

    n = len(work.documents)
    found = np.full((len(work.rows), len(work.columns)), np.nan)
    sides = [tiles(len(side), 8 * n * n, work.budget / 3) for side in (work.rows, work.columns)]
    for number, part in enumerate(sides[0]):
        left = _stacked(work.rows[part], unit, reasons)
        for at, other in enumerate(sides[1]):
            report(number + at / len(sides[1]), len(sides[0]), f"rows {part.start + 1} to {part.stop} of {len(found)}")
            right = left if work.square and part == other else _stacked(work.columns[other], unit, reasons)
            found[part, other] = left @ right.T
            if chance is not None:
                chance[part, other] = _means(left, right, n)
    return found


def _means(left: np.ndarray, right: np.ndarray, n: int) -> np.ndarray:
    """Mean of the cosine over all orders of the rows of one side, exactly: the diagonal meets the diagonal and every
    other entry every other, tr(A) tr(B) / n + off(A) off(B) / (n (n - 1)) with off the sum beside the diagonal."""
    traces = [side[:, ::n + 1].sum(axis=1) for side in (left, right)]
    others = [side.sum(axis=1) - trace for side, trace in zip((left, right), traces, strict=True)]
    return np.outer(*traces) / n + np.outer(*others) / (n * (n - 1))


def _stacked(loads: Sequence[Load], unit: Callable[[np.ndarray], np.ndarray], reasons: set[str]) -> np.ndarray:
    made = list(Kept(loads, unit, 0))
    reasons |= {str(one) for one in made if isinstance(one, Undefined)}
    length = next((len(one) for one in made if not isinstance(one, Undefined)), 1)
    return np.stack([np.full(length, np.nan) if isinstance(one, Undefined) else one for one in made])
