"""The nearest neighbours of every row, searched once for all measures that look at them and for their jackknife."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial.distance import cdist

from analysis.errors import Undefined

MOST = 256
AT_ONCE = 500  # rows whose distances to all others stand in memory together


@dataclass(frozen=True, eq=False)
class Neighbours:
    """For each of n distinct rows its nearest other rows, nearest first; equally near ones in the order of the rows.

    `places` tells which distinct row each of the rows is that were given. After `without`, index -1 and distance inf
    stand where the search did not reach; `nearest` searches again for the rows that need them.
    """

    x: Float[np.ndarray, "n d"]
    indices: Int[np.ndarray, "n k"]
    distances: Float[np.ndarray, "n k"]
    places: Int[np.ndarray, " rows"]

    @staticmethod
    def of(x: Float[np.ndarray, "rows d"], most: int = MOST) -> "Neighbours":
        """The exact search among the distinct rows, for as many neighbours as `most` or as there are."""
        rows, places = distinct(np.asarray(x, dtype=np.float64))
        return Neighbours(rows, *_searched(rows, np.arange(len(rows)), min(most, len(rows) - 1)), places)

    def __len__(self) -> int:
        return len(self.places)

    @property
    def duplicates(self) -> int:
        """How many rows were left out because an equal row is there."""
        return len(self.places) - len(self.x)

    def nearest(self, k: int) -> tuple[Int[np.ndarray, "n k"], Float[np.ndarray, "n k"]]:
        """Which rows are the k nearest of each, and how far; Undefined where there are fewer others."""
        n, reach = len(self.x), self.distances.shape[1]
        if k > n - 1:
            raise Undefined(f"{k} neighbours were asked for, and each of {n} distinct rows has {n - 1}")
        if k > reach:
            return _searched(self.x, np.arange(n), k)
        indices, distances = self.indices[:, :k], self.distances[:, :k]
        lacking = np.isinf(distances[:, -1])
        if lacking.any():
            indices, distances = indices.copy(), distances.copy()
            indices[lacking], distances[lacking] = _searched(self.x, np.flatnonzero(lacking), k)
        return indices, distances

    def within(self, radius: float) -> Int[np.ndarray, " n"]:
        """How many other rows are nearer than a radius to each."""
        n, counts = len(self.x), np.sum(self.distances < radius, axis=1)
        known = np.sum(np.isfinite(self.distances), axis=1)
        more = np.flatnonzero((counts == known) & (known < n - 1))  # may be nearer than the radius and not known
        for some in np.split(more, range(AT_ONCE, len(more), AT_ONCE)):
            counts[some] = np.sum(cdist(self.x[some], self.x) < radius, axis=1) - 1
        return counts

    def without(self, dropped: Bool[np.ndarray, " rows"]) -> "Neighbours":
        """The neighbours among the rest of the given rows, from the same search. A row goes with its last copy."""
        kept = np.zeros(len(self.x), dtype=bool)
        kept[self.places[~dropped]] = True
        number = np.where(kept, np.cumsum(kept) - 1, -1)
        indices = np.where(self.indices[kept] >= 0, number[self.indices[kept]], -1)
        order = np.argsort(indices < 0, axis=1, kind="stable")
        indices = np.take_along_axis(indices, order, axis=1)
        distances = np.take_along_axis(self.distances[kept], order, axis=1)
        return Neighbours(self.x[kept], indices, np.where(indices < 0, np.inf, distances),
                          number[self.places[~dropped]])


def distinct(x: Float[np.ndarray, "rows d"]) -> tuple[Float[np.ndarray, "n d"], Int[np.ndarray, " rows"]]:
    """The rows that differ, in order of first appearance, and which of them each row is."""
    first, places = first_places(x)
    return x[first], places


def first_places(x: Float[np.ndarray, "rows d"]) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " rows"]]:
    """Where each row that differs stands first, in order, and which of them each row is."""
    whole = np.ascontiguousarray(x + 0.0)  # 0.0 and -0.0 are equal and have other bytes
    _, first, places = np.unique(whole.view(np.dtype((np.void, whole.itemsize * whole.shape[1]))).ravel(),
                                 return_index=True, return_inverse=True)
    order = np.argsort(first)
    return first[order], np.argsort(order)[places]


def _searched(x: Float[np.ndarray, "n d"], which: Int[np.ndarray, " m"],
              k: int) -> tuple[Int[np.ndarray, "m k"], Float[np.ndarray, "m k"]]:
    """The k nearest other rows of some of the rows. They are found by products of centred rows, which is fast and
    loses digits; their distances are from differences, which loses none and gives both rows of a pair the same."""
    if k < 1:
        return np.empty((len(which), 0), dtype=int), np.empty((len(which), 0))
    from sklearn.neighbors import NearestNeighbors  # a second to load: only where neighbours are needed
    centred = x - x.mean(axis=0)
    search = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(centred)
    found = search.kneighbors(centred[which], return_distance=False)
    distances = np.stack([cdist(x[row:row + 1], x[near])[0] for row, near in zip(which, found, strict=True)])
    distances[found == which[:, None]] = np.inf
    order = np.lexsort((found, distances), axis=1)[:, :k]
    return np.take_along_axis(found, order, axis=1), np.take_along_axis(distances, order, axis=1)
