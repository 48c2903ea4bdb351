"""Vietoris-Rips persistence of a cloud of points by ripser, and what of it needs no engine.

scipy is imported where it is used, and of ripser only the compiled function: each new worker imports this module.
"""

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from analysis.errors import ExplorerError, Undefined
from analysis.topology.diagrams import Bars, Diagrams

SCALE = 0.9  # the quantile of a cloud's distances that they are divided by
MOST_SIMPLICES = 2**55 - 1  # that ripser can number; beyond it ends the process
PRIMES = (2, 3, 5, 7, 11, 13)


def normalised(x: Float[np.ndarray, "n d"]) -> tuple[Float[np.ndarray, " pairs"], float]:
    """Euclidean distances of all pairs of points over their 0.9 quantile, and that quantile.

    Parameters
    ----------
    x : n x d points

    Returns
    -------
    Distances of the pairs (0, 1), (0, 2), ..., (1, 2), ..., and the quantile in units of x.

    Raises Undefined for fewer than two points, for points that are all the same, and where the quantile is 0 or a
    distance is not finite. Reference: Barannikov et al. 2022.
    """
    from scipy.spatial.distance import pdist
    distances = pdist(np.asarray(x, dtype=np.float64))
    if not len(distances):
        raise Undefined("there are no distances between fewer than two points")
    if not np.isfinite(distances).all():
        raise Undefined("a distance between two points is not a finite number")
    scale = float(np.quantile(distances, SCALE))
    if not distances.any():
        raise Undefined(f"all {len(x)} points are the same")
    if not scale:
        raise Undefined(f"{SCALE:.0%} of the distances are 0: leave repeated points out")
    return distances / scale, scale


def merges(distances: Float[np.ndarray, "..."]) -> Float[np.ndarray, " n-1"]:
    """Distances at which components merge, smallest first: deaths of H0, and edges of the minimum spanning tree.

    By single linkage. scipy's minimum_spanning_tree will not do: it drops edges of 1e-8 and less, so duplicates.

    Parameters
    ----------
    distances : of all pairs of n points, condensed or n x n

    Returns
    -------
    n - 1 distances, in the same units. Of duplicates they are 0.
    """
    from scipy.cluster.hierarchy import linkage
    condensed = _condensed(distances)
    return linkage(condensed, "single")[:, 2] if len(condensed) else np.empty(0)


def persistence(distances: Float[np.ndarray, "..."], max_dim: int, coeff: int = 2) -> tuple[Bars, ...]:
    """Bars of H0 to H_max_dim of the Vietoris-Rips filtration: a simplex enters with its longest edge.

    The filtration runs up to the enclosing radius, where all homology but one component is gone, so that every bar of
    H1 and above ends. The engine computes in float32, and all values are rounded so.

    Parameters
    ----------
    distances : of all pairs of n points, condensed or n x n
    max_dim : highest dimension
    coeff : the prime p of the field Z/p of coefficients

    Returns
    -------
    For each dimension m x 2 births and deaths in units of the distances, every death later than its birth; but H0 has
    all n - 1 merges, born at 0, smallest first, also those of duplicates. Its component that never dies is left out.

    Raises Undefined for distances that are not finite in float32, ExplorerError for dimensions or coefficients that
    the engine does not know. Reference: Bauer 2021.
    """
    with np.errstate(over="ignore"):
        single = _condensed(distances).astype(np.float32)
    if not np.isfinite(single).all():
        raise Undefined("a distance is not a finite number in float32")
    points = _points(len(single), max_dim, coeff)
    if points == 1:
        return tuple(np.empty((0, 2)) for _ in range(max_dim + 1))
    found = _engine()(single, max_dim, np.inf, coeff, False)["births_and_deaths_by_dim"]
    h0, *higher = (np.array(bars, dtype=np.float64).reshape(-1, 2) for bars in found)
    if not all(np.isfinite(bars).all() for bars in higher):
        raise Undefined("a bar above H0 never ends: the distances are not those of a full filtration")
    h0 = h0[np.isfinite(h0[:, 1])]
    return np.vstack([np.zeros((points - 1 - len(h0), 2)), h0]), *higher


def diagrams(x: Float[np.ndarray, "n d"], max_dim: int) -> Diagrams:
    """Bars of n x d distinct points, at the scale of their own distances. Raises Undefined as `normalised` does."""
    distances, scale = normalised(x)
    return Diagrams(persistence(distances, max_dim), scale, len(x))


def _condensed(distances: Float[np.ndarray, "..."]) -> Float[np.ndarray, " pairs"]:
    distances = np.asarray(distances)
    if distances.ndim == 2:
        from scipy.spatial.distance import squareform
        return squareform(distances)
    return distances


def _points(pairs: int, max_dim: int, coeff: int) -> int:
    """Of how many points, when the engine can work them out: where it has no number for a simplex it ends the process,
    and it takes any integer as a prime."""
    points = (1 + math.isqrt(1 + 8 * pairs)) // 2
    if math.comb(points, 2) != pairs:
        raise ExplorerError(f"{pairs} distances were given, which are not the pairs of any number of points.")
    if max_dim < 0 or math.comb(points, max_dim + 2) > MOST_SIMPLICES:
        raise ExplorerError(f"H{max_dim} of {points} points was asked for, and there are more simplices than the "
                            "engine can number: use fewer points or a lower dimension from 0 up.")
    if coeff not in PRIMES:
        raise ExplorerError(f"Coefficients modulo {coeff} were asked for; give one of {PRIMES}.")
    return points


def _engine() -> Callable[..., dict]:
    """The compiled function alone, for `import ripser` imports scikit-learn too, which takes a second."""
    from pyRipser import doRipsFiltrationDM
    return doRipsFiltrationDM
