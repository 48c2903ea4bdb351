"""Representation topology divergence: clusters and loops that appear at other distances in one representation."""

from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.spatial.distance import squareform

from analysis.measure import SIMILARITY, Measure, Param
from analysis.measures.merge_trees import POINTS, aligned
from analysis.topology.engine import merges, persistence


def rtd_per_point(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"], points: int) -> float:
    """How long clusters and loops of either side differ from those where a pair is as near as on either side.

    With D_x, D_y the distances of the sides, each divided by its 0.9 quantile, and bars those of H1 of the 2n points
    whose distances are the matrix

        B(D_x, D_y) = bars of [[min(D_x, D_y), D_x], [D_x, 0]]
        RTD = (total length of B(D_x, D_y) + total length of B(D_y, D_x)) / 2
        RTD per point = RTD / n

    A bar of B(D_x, D_y) is a span of distances over which rows are in one cluster where a pair is as near as on either
    side and not yet in X, or over which a loop is there that X has not.

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order
    points : most rows used; of more rows that many evenly spaced ones, the same on both sides

    Returns
    -------
    From 0 (the same clusters and loops at the same distances, for the same rows), without an upper bound; never below
    RTD-lite per point, its part from clusters. In units of the 0.9 quantile of the distances.

    Raises Undefined when all rows of one side are the same. Reference: Barannikov et al. 2022.
    """
    near_x, near_y = map(squareform, aligned(x, y, points))
    return (_directed(near_x, near_y) + _directed(near_y, near_x)) / 2 / len(near_x)


def rtd_lite_per_point(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"], points: int) -> float:
    """How much later clusters merge on one side than where a pair is as near as on either: RTD by merges only.

    With D_x, D_y the distances of the sides, each divided by its 0.9 quantile, and M the total weight of the minimum
    spanning tree, which is the sum of the heights at which single linkage merges:

        RTD-lite = ((M(D_x) - M(min(D_x, D_y))) + (M(D_y) - M(min(D_x, D_y)))) / 2
        RTD-lite per point = RTD-lite / n

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order
    points : most rows used; of more rows that many evenly spaced ones, the same on both sides

    Returns
    -------
    From 0 (each cluster merges as near on both sides as the nearer side has it), without an upper bound. In units of
    the 0.9 quantile of the distances.

    Raises Undefined when all rows of one side are the same. Reference: Tulchinskii et al. 2025.
    """
    near_x, near_y = aligned(x, y, points)
    heights = (merges(near_x) + merges(near_y)) / 2
    return _mean_delay(heights, merges(np.minimum(near_x, near_y)))


def srtd_lite_per_point(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"], points: int) -> float:
    """How much later clusters merge where a pair is as far as on either side than where it is as near as on either.

    With D_x, D_y the distances of the sides, each divided by its 0.9 quantile, and M the total weight of the minimum
    spanning tree, which is the sum of the heights at which single linkage merges:

        SRTD-lite = M(max(D_x, D_y)) - M(min(D_x, D_y))
        SRTD-lite per point = SRTD-lite / n

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order
    points : most rows used; of more rows that many evenly spaced ones, the same on both sides

    Returns
    -------
    From 0 (the same merge tree), without an upper bound; never below RTD-lite per point. In units of the 0.9 quantile
    of the distances.

    Raises Undefined when all rows of one side are the same. Reference: Wang & Hu 2026.
    """
    near_x, near_y = aligned(x, y, points)
    return _mean_delay(merges(np.maximum(near_x, near_y)), merges(np.minimum(near_x, near_y)))


def _directed(near: Float[np.ndarray, "n n"], other: Float[np.ndarray, "n n"]) -> float:
    """Total length of the bars. The block of zeros comes last, for the engine is then faster."""
    bars = persistence(np.block([[np.minimum(near, other), near], [near, np.zeros_like(near)]]), 1)[1]
    return float(np.sum(bars[:, 1] - bars[:, 0]))


def _mean_delay(later: Float[np.ndarray, " m"], sooner: Float[np.ndarray, " m"]) -> float:
    """A point's share of the sum. Merge by merge: none comes sooner where no distance is smaller, so that rounding
    makes nothing negative."""
    return float(np.sum(later - sooner) / (len(later) + 1))


_SHARED: dict[str, Any] = {
    "arity": 2, "takes": "rows", "returns": "scalar", "unit": "", "bounds": (0.0, float("inf")), "equal": 0.0,
    "symmetric": True, "invariant_to": SIMILARITY, "min_samples": 4, "version": 1,
    "uncertainty": "none: with rows left out clouds are thinner, so clusters and loops appear at larger distances",
    "null": "shuffled documents give the chance level; it is lower where all distances are nearly equal",
}
_CAVEATS = "There is no upper bound: compare only values of the same number of rows, and with the chance level. Of " \
           "more rows than `points` it sees evenly spaced ones only."
_CLUSTERS: dict[str, Any] = _SHARED | {
    "cost": "n^2 (d1 + d2)", "direction": "smaller: more alike (0: the same clusters at the same distances)",
    "caveats": f"Clusters only, no loops. {_CAVEATS}", "params": (POINTS,)}

MEASURES = (
    Measure(name="rtd_per_point", fn=rtd_per_point, label="RTD per point", symbol="RTD/n",
            direction="smaller: more alike (0: the same clusters and loops at the same distances)",
            cost="n^2 (d1 + d2), then n^3 or more for loops", reference="barannikov2022representation",
            caveats=f"Slow where one side is all clusters or one direction. {_CAVEATS}", params=(
                Param(name="points", default=200, low=20, high=500, help="Most rows used, evenly spaced among more; "
                      "time grows with a high power of it."),), **_SHARED),
    Measure(name="rtd_lite_per_point", fn=rtd_lite_per_point, label="RTD-lite per point",
            symbol="RTD<sub>lite</sub>/n", reference="tulchinskii2025rtd", **_CLUSTERS),
    Measure(name="srtd_lite_per_point", fn=srtd_lite_per_point, label="SRTD-lite per point",
            symbol="SRTD<sub>lite</sub>/n", reference="wang2026symmetric", **_CLUSTERS),
)
