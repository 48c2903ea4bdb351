"""Shared nearest neighbours of the same rows in two representations: likeness of local structure only."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import hypergeom

from analysis.errors import Undefined
from analysis.measure import SIMILARITY, Measure, Param, Transform
from analysis.measures._gram import by_cosine, by_distance


def mutual_knn_cosine(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"], k: int = 10) -> float:
    """Share of each row's k nearest neighbours by cosine that are the same on both sides.

    With N_k(i) the k rows of largest cosine with row i, itself left out:

        mKNN = mean_i |N_k^X(i) & N_k^Y(i)| / k

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order, not centred
    k : number of neighbours

    Returns
    -------
    From 0 (no shared neighbour) to 1 (the same neighbours); k / (n - 1) for unrelated rows.

    Raises Undefined when k exceeds n - 1 or a row is zero. Reference: Huh et al. 2024.
    """
    return float(np.mean(_shared(x, y, k, by_cosine)) / k)


def mutual_knn_euclidean(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"], k: int = 10) -> float:
    """Share of each row's k nearest neighbours by Euclidean distance that are the same on both sides.

    With N_k(i) the k rows nearest to row i, itself left out:

        mKNN = mean_i |N_k^X(i) & N_k^Y(i)| / k

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order
    k : number of neighbours

    Returns
    -------
    From 0 (no shared neighbour) to 1 (the same neighbours); k / (n - 1) for unrelated rows.

    Raises Undefined when k exceeds n - 1. Reference: Huh et al. 2024, with distances instead of cosines.
    """
    return float(np.mean(_shared(x, y, k, by_distance)) / k)


def neighbourhood_jaccard_cosine(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"], k: int = 10) -> float:
    """Jaccard similarity of the sets of k nearest neighbours by cosine, mean over rows.

    With N_k(i) the k rows of largest cosine with row i, itself left out:

        J = mean_i |N_k^X(i) & N_k^Y(i)| / |N_k^X(i) | N_k^Y(i)|

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order, not centred
    k : number of neighbours

    Returns
    -------
    From 0 (no shared neighbour) to 1 (the same neighbours); lower than mutual_knn_cosine in between.

    Raises Undefined when k exceeds n - 1 or a row is zero. Reference: Klabunde et al. 2025, section 3.4.
    """
    shared = _shared(x, y, k, by_cosine)
    return float(np.mean(shared / (2 * k - shared)))


def jaccard_chance(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"], k: int) -> float:
    """Mean over all row permutations: the shared neighbours of a row are then hypergeometric."""
    shared = np.arange(k + 1)
    return float(np.sum(hypergeom.pmf(shared, len(x) - 1, k, k) * shared / (2 * k - shared)))


def nearest(distances: Float[np.ndarray, "n n"], k: int) -> Bool[np.ndarray, "n n"]:
    """Whether column j is among the k nearest of row i, never i itself; of equal distances the first rows count."""
    n = len(distances)
    if k > n - 1:
        raise Undefined(f"{k} neighbours were asked for, and {n} rows have {n - 1} each")
    away = distances.copy()
    np.fill_diagonal(away, np.inf)
    last = np.partition(away, k - 1, axis=1)[:, k - 1:k]
    closer, level = away < last, away == last
    return closer | (level & (np.cumsum(level, axis=1) <= k - closer.sum(axis=1, keepdims=True)))


def _shared(x: np.ndarray, y: np.ndarray, k: int, distances: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """How many neighbours each row has in common."""
    return np.sum(nearest(distances(x), k) & nearest(distances(y), k), axis=1)


def _item(distances: Callable[[np.ndarray], np.ndarray]) -> Callable[..., Float[np.ndarray, "n n"]]:
    """The matrix of who is whose neighbour: with k ones a row, the cosine of two is the share of neighbours."""
    return lambda x, k=10: nearest(distances(x), k).astype(np.float64)


_SHARED: dict[str, Any] = {
    "arity": 2, "takes": "rows", "returns": "scalar", "unit": "", "bounds": (0.0, 1.0), "symmetric": True,
    "direction": "larger: more neighbours in common", "min_samples": 4, "cost": "n^2 (d1 + d2)", "version": 1,
    "params": (Param(name="k", default=10, low=1, high=1_000, help="Number of nearest neighbours of each row."),),
    "uncertainty": "none: with rows left out every row has other neighbours, so the value is of another quantity",
}
_NULL = "k / (n - 1), exact over row permutations"
_CAVEATS = "Local: says nothing of how far groups of rows lie apart. Compare only values of the same n and k. Of " \
           "equal rows the first count as nearer, on both sides alike; tokens of one document are often neighbours. "
_NO_SHIFT = SIMILARITY - {Transform.TRANSLATION}

MEASURES = (
    Measure(name="mutual_knn_cosine", fn=mutual_knn_cosine, label="Mutual nearest neighbours (cosine)",
            symbol="mKNN<sub>cos</sub>", invariant_to=_NO_SHIFT, null=_NULL, item=_item(by_cosine),
            caveats=_CAVEATS + "Not centred: a large common mean makes all cosines alike.",
            chance=lambda x, y, k: k / (len(x) - 1), reference="huh2024platonic", **_SHARED),
    Measure(name="mutual_knn_euclidean", fn=mutual_knn_euclidean, label="Mutual nearest neighbours (Euclidean)",
            symbol="mKNN<sub>L2</sub>", invariant_to=SIMILARITY, null=_NULL, item=_item(by_distance),
            caveats=_CAVEATS + "A few massive channels decide who is near.",
            chance=lambda x, y, k: k / (len(x) - 1), reference="huh2024platonic", **_SHARED),
    Measure(name="neighbourhood_jaccard_cosine", fn=neighbourhood_jaccard_cosine,
            label="Neighbourhood Jaccard similarity (cosine)", symbol="J<sub>cos</sub>", invariant_to=_NO_SHIFT,
            null="mean of m / (2k - m) for hypergeometric m, exact over row permutations", chance=jaccard_chance,
            caveats=_CAVEATS + "Not centred: a large common mean makes all cosines alike.",
            reference="klabunde2025similarity", **_SHARED),
)
