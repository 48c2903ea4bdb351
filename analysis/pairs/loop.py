"""Measures that join both sides in one formula: pair by pair, with what is finished kept now and then."""

import time
from collections.abc import Iterator

import numpy as np

from analysis.pairs.shuffles import orders
from analysis.pairs.work import Kept, Work
from analysis.results import PairMatrix, Scalar

SAVE_EVERY_S = 20.0


def values(work: Work) -> PairMatrix:
    """The measure of every pair, without each group of documents, and after each shuffle of them."""
    groups = work.groups
    sizes = None if groups is None else np.bincount(groups)
    left_out = [] if sizes is None or groups is None else [groups != group for group in range(len(sizes))]
    shuffled = orders(work.documents, work.draws)
    shape = len(work.rows), len(work.columns)
    table = np.full((2 + len(left_out) + len(shuffled), *shape), np.nan)  # value, chance, replicates, null
    reasons: set[str] = set()
    begun = _restore(work, table)
    rows, columns = (Kept(side, lambda x: x, work.budget / 2) for side in (work.rows, work.columns))
    saved_at = time.monotonic()
    pairs = [(i, j) for i in range(shape[0]) for j in range(i if _mirrored(work) else 0, shape[1])]
    for number, (i, j) in enumerate(pairs):
        if number < begun and not np.isnan(table[0, i, j]):
            continue
        work.report(number, len(pairs), f"pair {number + 1} of {len(pairs)}")
        table[:, i, j] = list(_of_pair(work, rows[i], columns[j], left_out, shuffled, reasons))
        if time.monotonic() - saved_at > SAVE_EVERY_S:
            work.saved.save({"table": table, "pairs": np.array(number + 1)})
            saved_at = time.monotonic()
    if _mirrored(work):
        below = np.tril_indices(shape[0], -1)
        table[:, below[0], below[1]] = table[:, below[1], below[0]]
    last = 2 + len(left_out)
    return PairMatrix(values=table[0], chance=None if np.isnan(table[1]).all() else table[1], sizes=sizes,
                      replicates=table[2:last] if left_out else None, null=table[last:] if shuffled else None,
                      reasons=tuple(sorted(reasons)))


def _mirrored(work: Work) -> bool:
    """Whether the lower half follows from the upper: the null of (j, i) is that of (i, j) with the shuffle undone,
    which is as good a draw."""
    return work.square and work.measure.symmetric


def _of_pair(work: Work, x: np.ndarray, y: np.ndarray, left_out: list[np.ndarray], shuffled: list[np.ndarray],
             reasons: set[str]) -> Iterator[float]:
    """Value, chance level, values without each group, and values after each shuffle."""
    whole = _value(work, x, y)
    reasons |= {whole.reason} - {""}
    yield whole.value
    yield np.nan if whole.chance is None else whole.chance
    for kept in left_out:
        yield _value(work, x[kept], y[kept]).value if whole.defined else np.nan
    for order in shuffled:
        yield _value(work, x, y[order]).value if whole.defined else np.nan


def _value(work: Work, x: np.ndarray, y: np.ndarray) -> Scalar:
    found = work.measure(x, y, **work.settings)
    if not isinstance(found, Scalar):
        raise TypeError(f"{work.measure.name} must return a scalar to fill a matrix")
    return found


def _restore(work: Work, table: np.ndarray) -> int:
    """Take up the pairs that an earlier process had finished; how many that were."""
    found = work.saved.load()
    if found is None or "table" not in found or found["table"].shape != table.shape:
        return 0
    table[:] = found["table"]
    return int(found["pairs"])
