"""How far a map of points can be believed: what of the full space its distances and its neighbours keep."""

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.distance import pdist, squareform
from scipy.stats import spearmanr
from sklearn.metrics import euclidean_distances
from sklearn.neighbors import NearestNeighbors

from analysis.moments import centred

K = 15


def facts(x: Float[np.ndarray, "m d"], positions: Float[np.ndarray, "m 2"], k: int = K) -> dict[str, float]:
    """Trustworthiness, neighbourhood overlap and distance correlation of a map, over all of its rows.

    Parameters
    ----------
    x : the rows in the full space
    positions : the same rows on the map
    k : neighbours of a row that count; at most (m - 1) / 2, above which trustworthiness is not defined
    """
    k = counted(len(x), k)
    full = distances(x)
    ranks = _ranks(full, nearest(positions, k)[0])
    return {"trustworthiness": trustworthiness(ranks), "neighbourhood_overlap": neighbourhood_overlap(ranks),
            "distance_correlation": distance_correlation(full, positions)}


def counted(m: int, k: int = K) -> int:
    """How many neighbours of each of m rows count: k, or fewer where there are few rows."""
    return min(k, (m - 1) // 2)


def trustworthiness(ranks: Int[np.ndarray, "m k"]) -> float:
    """Whether the k nearest rows on the map are near in the full space.

        1 - 2 / (m k (2 m - 3 k - 1)) sum_i sum_{j in k nearest of i on the map} max(0, r(i, j) - k)

    where r(i, j) is the rank of j among the neighbours of i in the full space, 1 for the nearest; rows as near as each
    other share the best rank, so that copies of a row do not count against a map.

    Returns 1 when no row that is near on the map is beyond the k nearest in the full space, 0 when all are those that
    are farthest. Shuffled rows give 1 - (m - k) (m - k - 1) / ((m - 1) (2 m - 3 k - 1)), about 1/2 for many rows.
    Reference: Venna & Kaski 2001.
    """
    m, k = ranks.shape
    return float(1 - 2 / (m * k * (2 * m - 3 * k - 1)) * np.maximum(ranks - k, 0).sum())


def neighbourhood_overlap(ranks: Int[np.ndarray, "m k"]) -> float:
    """Share of the k nearest rows on the map that are among the k nearest in the full space, in [0, 1].

    Returns 1 when all are, 0 when none is; shuffled rows give k / (m - 1). Of rows as near as each other in the full
    space, all count when one does. Reference: Venna & Kaski 2001.
    """
    return float((ranks <= ranks.shape[1]).mean())


def distance_correlation(full: Float[np.ndarray, "m m"], positions: Float[np.ndarray, "m 2"]) -> float:
    """Rank correlation (Spearman) of the distances of all pairs of rows on the map with those in the full space.

    It is not the distance correlation of Szekely, Rizzo & Bakirov 2007. Returns 1 when the map keeps the order of all
    distances, 0 by chance, -1 when it turns it around. Reference: Kriegeskorte et al. 2008.
    """
    return float(spearmanr(squareform(full, checks=False), pdist(positions)).statistic)


def distances(x: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "m m"]:
    """Euclidean distances of all pairs, through the Gram matrix of the distinct rows: copies of a row are exactly as
    far from all others, which rounding would part."""
    distinct, which = np.unique(away(x), axis=0, return_inverse=True)
    far = euclidean_distances(distinct)
    return ((far + far.T) / 2)[np.ix_(which, which)]


def nearest(x: Float[np.ndarray, "m d"], k: int) -> tuple[Int[np.ndarray, "m k"], Float[np.ndarray, "m k"]]:
    """The k other rows nearest to each, nearest first, and how far they are: an exact search over all pairs."""
    far, which = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(away(x)).kneighbors()
    return which, far


def away(x: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "m d"]:
    """Rows minus their mean, in float64."""
    return centred(np.asarray(x, dtype=np.float64))


def _ranks(full: Float[np.ndarray, "m m"], chosen: Int[np.ndarray, "m k"]) -> Int[np.ndarray, "m k"]:
    """1 + how many other rows are nearer to a row than each of those chosen for it."""
    ranks = np.empty(chosen.shape, dtype=np.int64)
    for row, others in enumerate(chosen):
        ordered = np.sort(np.delete(full[row], row))
        ranks[row] = 1 + np.searchsorted(ordered, full[row, others], side="left")
    return ranks
