"""Merge trees of the same rows in two representations: their order compared over the edges of both (NTS)."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.cluster.hierarchy import cophenet, linkage
from scipy.stats import spearmanr

from analysis.errors import Undefined
from analysis.measure import SIMILARITY, Measure, Param
from analysis.topology.engine import merges, normalised

POINTS = Param(name="points", default=500, low=20, high=2_000,
               help="Most rows used; of more rows that many evenly spaced ones, the same on both sides.")


def aligned(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"], points: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances of the same rows on both sides, each side's in units of their 0.9 quantile; of more rows than `points`,
    that many evenly spaced ones."""
    count = min(len(x), points)
    rows = np.arange(count) * len(x) // count
    return normalised(x[rows])[0], normalised(y[rows])[0]


def nts_edges(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"], points: int) -> float:
    """Rank correlation of the two sides' distances over the edges of both minimum spanning trees.

    With C the edges that are in the tree of D_x or in that of D_y:

        NTS-E = Spearman over edges in C of (D_x, D_y)

    Where distances of one side tie, its tree takes the edge that is shorter on the other side.

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order
    points : most rows used; of more rows that many evenly spaced ones, the same on both sides

    Returns
    -------
    From -1 (the longer on one side, the shorter on the other) to 1 (the same order of edges).

    Raises Undefined when all these edges are equally long on one side. Reference: Wang & Hu 2026.
    """
    near_x, near_y = aligned(x, y, points)
    core = _core(near_x, near_y)
    return _spearman(near_x[core], near_y[core])


def nts_merge_heights(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"], points: int) -> float:
    """Rank correlation of the two sides' merge heights over the edges of both minimum spanning trees.

    With C the edges that are in the tree of D_x or in that of D_y, and h(e) the height at which single linkage merges
    the clusters of the two ends of e, which is the longest edge on the tree's path between them:

        NTS-M = Spearman over edges e in C of (h_x(e), h_y(e))

    Where distances of one side tie, its tree takes the edge that is shorter on the other side.

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order
    points : most rows used; of more rows that many evenly spaced ones, the same on both sides

    Returns
    -------
    From -1 (merged early on one side, late on the other) to 1 (the same order of merges).

    Raises Undefined when all these merges are equally high on one side. Reference: Wang & Hu 2026.
    """
    near_x, near_y = aligned(x, y, points)
    core = _core(near_x, near_y)
    return _spearman(*(cophenet(linkage(near, "single"))[core] for near in (near_x, near_y)))


def _core(near_x: Float[np.ndarray, " m"], near_y: Float[np.ndarray, " m"]) -> Int[np.ndarray, " c"]:
    """Pairs that are edges of either tree. Single linkage of the places of the pairs in order of length, which never
    tie, merges at the places of the tree's edges."""
    edges = []
    for near, other in ((near_x, near_y), (near_y, near_x)):
        order = np.lexsort((other, near))
        edges.append(order[merges(np.argsort(order).astype(np.float64)).astype(int)])
    return np.union1d(*edges)


def _spearman(one: Float[np.ndarray, " c"], other: Float[np.ndarray, " c"]) -> float:
    if not (np.ptp(one) and np.ptp(other)):
        raise Undefined("on one side all edges of the trees are equally long: there is no order to compare")
    return float(spearmanr(one, other).statistic)


_SHARED: dict[str, Any] = {
    "arity": 2, "takes": "rows", "returns": "scalar", "unit": "", "bounds": (-1.0, 1.0), "symmetric": True,
    "invariant_to": SIMILARITY, "min_samples": 4, "cost": "n^2 (d1 + d2 + log n)", "version": 1,
    "reference": "wang2026symmetric", "uncertainty": "none: with rows left out the trees have other edges",
    "null": "shuffled documents give the chance level, which lies below 0: an edge is in a tree for being short on one "
            "side, and so is longer than most of these on the other",
    "params": (POINTS,),
}
_CAVEATS = "Rows that repeat on both sides count as agreeing. Of more rows than `points` it sees evenly spaced ones " \
           "only."

MEASURES = (
    Measure(name="nts_edges", fn=nts_edges, label="Normalised topological similarity, edges",
            symbol="NTS<sub>E</sub>", direction="larger: more alike (1: the same order of edges)",
            caveats=f"Sees short distances only. {_CAVEATS}", **_SHARED),
    Measure(name="nts_merge_heights", fn=nts_merge_heights, label="Normalised topological similarity, merges",
            symbol="NTS<sub>M</sub>", direction="larger: more alike (1: the same order of merges)",
            caveats=f"By single linkage: one row between two clusters joins them. {_CAVEATS}", **_SHARED),
)
