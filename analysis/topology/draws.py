"""Which rows a cloud is made of: random subsamples that know which rows are of one document."""

from collections.abc import Sequence
from heapq import heapreplace

import numpy as np
from jaxtyping import Int

Rows = Int[np.ndarray, " n"]

SHARE = 0.5  # of the documents that a draw is taken from: draws then differ as other documents would make them differ
LEFT_OVER = 0.8  # of a fold's rows that a disjoint draw takes, for there may be duplicates among them
FEWEST = 30  # points of a disjoint draw; fewer say nothing


def drawn(documents: Sequence[str] | Rows, points: int, seed: int, draw: int) -> Int[np.ndarray, " m"]:
    """Rows in the order in which they are taken for one draw: a cloud is the first `points` distinct ones.

    Half of the documents are taken at random, or as many as are needed for `points` rows, and their rows in turns: one
    of each document, then a second of each. The others follow in the same way, for clouds with duplicates. The same
    rows come for every representation of the same documents.
    """
    of, order, turns, rank = _shuffled(documents, np.random.default_rng([seed, draw]))
    sizes = np.bincount(rank[of])
    enough = np.searchsorted(np.cumsum(sizes), points) + 1
    left = rank[of] >= max(np.ceil(SHARE * len(sizes)), enough)
    return order[np.lexsort((rank[of][order], turns, left[order]))]


def disjoint(documents: Sequence[str] | Rows, points: int, seed: int, draws: int) -> list[Int[np.ndarray, " m"]]:
    """Rows of draws that share no document, in the order in which they are taken; as many points each as `fold_points`
    says. They are as good as independent, which a test between two clouds needs."""
    of, order, turns, rank = _shuffled(documents, np.random.default_rng([seed, draws]))
    sizes = np.bincount(rank[of])
    fold_of, smallest = np.empty(len(sizes), dtype=int), [(0, fold) for fold in range(draws)]
    for document in np.argsort(-sizes, kind="stable").tolist():  # documents of one size stay shuffled
        size, fold_of[document] = smallest[0]
        heapreplace(smallest, (size + int(sizes[document]), int(fold_of[document])))
    evenly = order[np.lexsort((rank[of][order], turns))]
    return [evenly[fold_of[rank[of[evenly]]] == fold] for fold in range(draws)]


def fold_points(folds: Sequence[Int[np.ndarray, " m"]], points: int) -> int:
    """How many points each disjoint draw has, or 0 where that would be too few."""
    enough = min(points, int(LEFT_OVER * min(map(len, folds))))
    return enough if enough >= FEWEST else 0


def _shuffled(documents: Sequence[str] | Rows, generator: np.random.Generator,
              ) -> tuple[Rows, Rows, Rows, Int[np.ndarray, " documents"]]:
    """The document of each row by number; rows in random order, and with each the how manyth of its document it is;
    and the place of each document in a random order of documents."""
    _, of = np.unique(np.asarray(documents), return_inverse=True)
    order = generator.permutation(len(of))
    grouped = np.argsort(of[order], kind="stable")
    counts = np.bincount(of)
    turns = np.empty(len(of), dtype=int)
    turns[grouped] = np.arange(len(of)) - np.repeat(np.cumsum(counts) - counts, counts)
    return of, order, turns, generator.permutation(len(counts))
