"""Which rows a cloud is made of: random subsamples that know which rows are of one document."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

SHARE = 0.5  # of the documents that a draw is taken from: draws then differ as other documents would make them differ
LEFT_OVER = 0.8  # of a fold's rows that a disjoint draw takes, for there may be duplicates among them
FEWEST = 30  # points of a disjoint draw; fewer say nothing


def drawn(documents: Sequence[str], points: int, seed: int, draw: int) -> Int[np.ndarray, " m"]:
    """Rows in the order in which they are taken for one draw: a cloud is the first `points` distinct ones.

    Half of the documents are taken at random, or as many as are needed for `points` rows, and their rows in turns: one
    of each document, then a second of each. The others follow in the same way, for clouds with duplicates. The same
    rows come for every representation of the same documents.
    """
    generator = np.random.default_rng([seed, draw])
    groups = _shuffled_groups(documents, generator)
    sizes = np.cumsum([len(rows) for rows in groups])
    taken = max(int(np.ceil(SHARE * len(groups))), int(np.searchsorted(sizes, points)) + 1)
    return np.concatenate([_in_turns(groups[:taken]), _in_turns(groups[taken:])])


def disjoint(documents: Sequence[str], points: int, seed: int, draws: int) -> list[Int[np.ndarray, " m"]]:
    """Rows of draws that share no document, in the order in which they are taken; as many points each as `fold_points`
    says. They are as good as independent, which a test between two clouds needs."""
    groups = _shuffled_groups(documents, np.random.default_rng([seed, draws]))
    folds: list[list[np.ndarray]] = [[] for _ in range(draws)]
    for rows in sorted(groups, key=len, reverse=True):  # stable, so that documents of one size stay shuffled
        min(folds, key=lambda fold: sum(map(len, fold))).append(rows)
    return [_in_turns(fold) for fold in folds]


def fold_points(folds: Sequence[Int[np.ndarray, " m"]], points: int) -> int:
    """How many points each disjoint draw has, or 0 where that would be too few."""
    enough = min(points, int(LEFT_OVER * min(map(len, folds))))
    return enough if enough >= FEWEST else 0


def _shuffled_groups(documents: Sequence[str], generator: np.random.Generator) -> list[np.ndarray]:
    """The rows of each document in random order, documents in random order."""
    _, of = np.unique(np.asarray(documents), return_inverse=True)
    order = generator.permutation(len(of))
    rows = order[np.argsort(of[order], kind="stable")]
    groups = np.split(rows, np.cumsum(np.bincount(of))[:-1])
    return [groups[i] for i in generator.permutation(len(groups))]


def _in_turns(groups: Sequence[np.ndarray]) -> Int[np.ndarray, " m"]:
    """One row of each group, then a second of each, and so on."""
    if not groups:
        return np.empty(0, dtype=int)
    rows = np.concatenate(groups)
    turns = np.concatenate([np.arange(len(group)) for group in groups])
    return rows[np.argsort(turns, kind="stable")]
