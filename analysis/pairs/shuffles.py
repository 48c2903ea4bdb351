"""What unrelated representations would score: documents of one side shuffled whole, one shuffle for all pairs."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Int

from analysis.errors import Undefined
from analysis.pairs.work import Kept, Load, Work, tiles

SEED = 20_251_121
LEAST_DOCUMENTS = 8
STRIPE = 16
MOST_ROWS = 8_000  # a matrix of rows by rows must stand in memory to be shuffled


def orders(documents: Sequence[str], draws: int) -> list[Int[np.ndarray, " n"]]:
    """Orders of the rows in which documents stand whole but shuffled, the same for every comparison of these rows.

    Row i of one side is set beside row order[i] of the other. Documents of equal length meet row by row; others
    overlap. Every token of a document so keeps its neighbours, which a shuffle of single rows would tear apart and so
    make chance look smaller than it is.
    """
    _, number = np.unique(np.asarray(documents), return_inverse=True)
    rows = [np.flatnonzero(number == document) for document in range(number.max() + 1)]
    stand = np.concatenate(rows)
    rng = np.random.default_rng(SEED)
    found = []
    for _ in range(draws if len(rows) >= LEAST_DOCUMENTS else 0):
        order = np.empty(len(stand), dtype=int)
        order[stand] = np.concatenate([rows[document] for document in rng.permutation(len(rows))])
        found.append(order)
    return found


def shuffled_cosines(work: Work, item: Callable[[np.ndarray], Float[np.ndarray, "n n"]]) -> np.ndarray | None:
    """The measure after each shuffle of the columns' rows, as k x rows x columns.

    Shuffling rows permutes an item's matrix and leaves its norm as it is, so nothing is measured anew. In float32: the
    spread of a null is some thousand times its rounding error.
    """
    wanted = orders(work.documents, work.draws) if len(work.documents) <= MOST_ROWS else []
    if not wanted:
        return None
    null = np.full((len(wanted), len(work.rows), len(work.columns)), np.nan, dtype=np.float32)
    size = 4 * len(work.documents)**2
    sides = [tiles(len(side), size, work.budget / 3) for side in (work.rows, work.columns)]
    done, total = 0, len(wanted) * len(sides[0]) * len(sides[1])
    for rows in sides[0]:
        left = _units(work.rows[rows], item, len(work.documents))
        for columns in sides[1]:
            right = left if work.square and rows == columns else _units(
                work.columns[columns], item, len(work.documents))
            for draw, order in enumerate(wanted):
                work.report(done, total, f"shuffle {draw + 1} of {len(wanted)}")
                null[draw, rows, columns] = _cosines(left, right, order)
                done += 1
    return null


def _units(loads: Sequence[Load], item: Callable[[np.ndarray], Float[np.ndarray, "n n"]], n: int) -> np.ndarray:
    """Matrices of norm 1, a row of all items after the other (n x items x n); NaN where an item has none."""
    found = np.full((n, len(loads), n), np.nan, dtype=np.float32)
    for number, made in enumerate(Kept(loads, item, 0)):
        norm = 0.0 if isinstance(made, Undefined) else np.linalg.norm(made)
        if norm:
            found[:, number] = made / norm
    return found


def _cosines(left: np.ndarray, right: np.ndarray, order: Int[np.ndarray, " n"]) -> np.ndarray:
    """Some rows of the matrices at a time: a shuffled copy of all of them would fall out of the processor's cache. And
    row by row: products of two short and very long sides are slow."""
    found = np.zeros((left.shape[1], right.shape[1]))
    moved, turned = (np.empty((STRIPE, *right.shape[1:]), dtype=np.float32) for _ in range(2))
    for start in range(0, len(order), STRIPE):
        rows = order[start:start + STRIPE]
        some, ready = moved[:len(rows)], turned[:len(rows)]
        np.take(right, rows, axis=0, out=some, mode="clip")  # this mode is the quick one; no index is out of range
        np.take(some, order, axis=2, out=ready, mode="clip")
        found += (left[start:start + len(rows)] @ ready.swapaxes(1, 2)).sum(axis=0, dtype=float)
    return found
