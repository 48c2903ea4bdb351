"""Topological RSA: representational similarity analysis of distances flattened where they are small or large."""

from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial.distance import squareform
from scipy.stats import rankdata

from analysis.errors import Undefined
from analysis.measure import SIMILARITY, Measure, Param
from analysis.measures._dissimilarity import deviations, distances, matrix_cosine, varying


def distance_ranks(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " m"]:
    """Rank, from 1, of the Euclidean distance of each pair of rows; ties get their average rank."""
    return rankdata(varying(distances(x)))


def percentile(in_order: Float[np.ndarray, " m"], percent: int) -> float:
    """numpy.percentile of sorted values, but exactly one of them where the percentage falls on one of them."""
    below, hundredths = divmod(percent * (len(in_order) - 1), 100)
    above = in_order[min(below + 1, len(in_order) - 1)]
    return float(in_order[below] + (above - in_order[below]) * hundredths / 100)


def geotopological(ranks: Float[np.ndarray, " m"], low: int, high: int) -> Float[np.ndarray, " m"]:
    """0 up to the `low` percentile, 1 above the `high` one, linear between; a step where both are the same number."""
    in_order = np.sort(ranks)
    start, end = percentile(in_order, low), percentile(in_order, high)
    return (np.clip(ranks, start, end) - start) / (end - start) if start < end else (ranks > end).astype(np.float64)


def geotopological_item(x: Float[np.ndarray, "n d"], low: int, high: int) -> Float[np.ndarray, "n n"]:
    """The flattened ranks of one side, less their mean."""
    if low > high:
        raise Undefined(f"the lower threshold, {low} %, is above the upper one, {high} %")
    flattened = geotopological(distance_ranks(x), low, high)
    if not np.ptp(flattened):
        raise Undefined(f"one side has no distance above its {high} % quantile: all are flattened to one value")
    return deviations(flattened)


def geodesic_item(x: Float[np.ndarray, "n d"], shortest: int) -> Float[np.ndarray, "n n"]:
    """Ranks of the path lengths of one side, less their mean; pairs that no path joins share the highest rank.

    Weights are whole or half numbers, so that lengths add exactly and equal ones tie.
    """
    ranks = distance_ranks(x)
    first, second = np.triu_indices(len(x), 1)
    near = ranks <= percentile(np.sort(ranks), shortest)
    # The graph is stored sparse because there a weight of 0, that of the nearest pair, still is an edge.
    weights = ranks[near] - ranks.min()
    graph = csr_array((weights, (first[near], second[near])), shape=(len(x), len(x)))
    lengths = dijkstra(graph, directed=False)
    return deviations(rankdata(squareform(lengths, checks=False)))


def trsa(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"], low: int, high: int) -> float:
    """Correlation of geo-topological matrices: distance ranks flattened below and above two thresholds.

    With r the ranks of one side's Euclidean distances over the pairs i < j, and Q its own quantiles of them:

        G_ij = min(max((r_ij - Q(l)) / (Q(u) - Q(l)), 0), 1)
        tRSA = corr(G_x, G_y)

    At l = u, G_ij is 1 where r_ij > Q(l) and else 0: the graph of neighbours, which is pure topology. At l = 0 and
    u = 100 % nothing is flattened: rsa_euclidean_spearman, which is pure geometry of ranks.

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order
    low, high : thresholds l and u, in percent of all pairs

    Returns
    -------
    From -1 to 1 (the same geo-topological matrix).

    Raises Undefined when l is above u, or all distances of one side are flattened to the same value, or are the same.
    Reference: Lin & Kriegeskorte 2024.
    """
    return matrix_cosine(geotopological_item(x, low, high), geotopological_item(y, low, high))


def trsa_geodesic(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"], shortest: int) -> float:
    """Rank correlation of geodesic distances: shortest paths over the graph of the shortest distances.

    With r the ranks of one side's Euclidean distances, and its pairs of r_ij <= Q(p) as edges:

        g_ij = min over paths from i to j of sum (r_ab - min r),  and infinite where there is none
        tRSA = corr(rank(g_x), rank(g_y))

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order
    shortest : p, the share of pairs that are edges, in percent

    Returns
    -------
    From -1 to 1 (the same order of geodesic distances). Pairs that no path joins are tied at the highest rank.

    Raises Undefined when all distances of one side are the same. Reference: Lin & Kriegeskorte 2024.
    """
    return matrix_cosine(geodesic_item(x, shortest), geodesic_item(y, shortest))


_SHARED: dict[str, Any] = {
    "arity": 2, "takes": "rows", "returns": "scalar", "unit": "", "bounds": (-1.0, 1.0), "symmetric": True,
    "invariant_to": SIMILARITY, "min_samples": 4, "reference": "lin2024topology", "version": 1,
    "cost": "n^2 (d1 + d2 + log n)", "chance": lambda x, y, **_: 0.0,
    "null": "0 on average over row permutations, exactly",
}
_FLATTENED: dict[str, Any] = _SHARED | {
    "uncertainty": "jackknife over documents", "direction": "larger: more alike (1: the same geo-topological matrix)"}
_CLOSE = {"uncertainty": "none: pairs jump over close thresholds when rows are left out", "version": 2}
_ONLY_GENERAL = "    low, high : thresholds l and u, in percent of all pairs\n"


def _preset(name: str, low: int, high: int, label: str, caveats: str, **more: Any) -> Measure:
    def preset(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"]) -> float:
        return trsa(x, y, low, high)

    said = str(trsa.__doc__).split("\n", 1)[1].replace(_ONLY_GENERAL, "")
    preset.__name__, preset.__doc__ = name, f"tRSA at l = {low} % and u = {high} % of all pairs: {label}.\n{said}"
    return Measure(name=name, fn=preset, item=partial(geotopological_item, low=low, high=high), caveats=caveats,
                   label=f"tRSA, {label}", symbol=f"tRSA<sub>{low},{high}</sub>", **_FLATTENED | more)


MEASURES = (
    _preset("trsa_topology", 50, 50, "topology-sensitive", "Only says which half of the pairs is nearer.", **_CLOSE),
    _preset("trsa_geometry", 10, 90, "geometry-sensitive", "Close to Spearman RSA: only the extreme tenths are flat."),
    _preset("trsa_local", 0, 20, "local", "Blind to what is beyond the nearest fifth of the pairs.", **_CLOSE),
    _preset("trsa_global", 80, 100, "global", "Blind to all but the farthest fifth of the pairs, so to neighbours."),
    _preset("trsa_intermediate", 20, 80, "intermediate", "The released code's default; it mixes local and global."),
    Measure(name="trsa", fn=trsa, item=geotopological_item, label="tRSA, thresholds of your own", symbol="tRSA",
            caveats="Thresholds picked after seeing the values make the chosen value too high: fix them before.",
            on_demand=True, params=(
                Param(name="low", default=20, low=0, high=100, help="percent of pairs flattened to 0"),
                Param(name="high", default=80, low=0, high=100, help="percent of pairs not flattened to 1")),
            **_FLATTENED | _CLOSE),
    Measure(name="trsa_geodesic", fn=trsa_geodesic, item=geodesic_item, label="tRSA, geodesic",
            symbol="tRSA<sub>g</sub>", direction="larger: more alike (1: the same order of geodesic distances)",
            uncertainty="none: leaving rows out also removes the stepping stones of the paths between the others",
            caveats="Lone rows far from all others are joined to nothing, and all their pairs tie.",
            params=(Param(name="shortest", default=5, low=1, high=100, help="percent of pairs that are edges"),),
            **_SHARED),
)
