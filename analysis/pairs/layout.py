"""Where representations stand to each other: distances from a pair measure, their map and their tree."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.cluster.hierarchy import cophenet, dendrogram, linkage
from scipy.spatial.distance import pdist, squareform
from scipy.stats import spearmanr
from sklearn.manifold import smacof

from analysis import summaries
from analysis.errors import Undefined
from analysis.keys import Run
from analysis.measure import Measure
from analysis.representations import Protocol
from analysis.results import PairMatrix
from analysis.store import Store
from analysis.views import Items

ANGLE = "angular_shape_distance"
MEASURES = ("linear_cka_debiased", "linear_cka_biased", "procrustes_nbs", ANGLE)
ALL, ENDS = "all", "ends"  # which checkpoints: every one, or the last of each run
WAYS = {"classical": "classical MDS", "metric": "metric MDS"}
_DISTANCES = r"Distances between representations are angles \cite{williams2021generalized}"
PROCEDURES = {  # of a map or tree, as a methods section says it
    "map by classical MDS": rf"{_DISTANCES}, drawn by classical multidimensional scaling "
                            r"\cite{torgerson1952multidimensional}.",
    "map by metric MDS": rf"{_DISTANCES}, drawn by metric multidimensional scaling (SMACOF) "
                         r"\cite{deleeuw1977convergence}.",
    "tree": rf"{_DISTANCES}, joined by average linkage \cite{{sokal1958statistical}}; how far the tree keeps them is "
            r"their cophenetic correlation \cite{sokal1962comparison}."}
ROUNDING = 1e-6  # a cosine beyond 1 by more than this is an error and no rounding
SAID = 0.0005  # a share that is not 0.0 % in words
LEAST, MOST_LEAVES, MOST_METRIC = 3, 60, 600
Square = Float[np.ndarray, "m m"]
Record = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Map:
    """Points on two axes; the share of squared distance each axis shows, the share that no map can show because it is
    not Euclidean, and how far distances on the map are the true ones (None where all distances are equal)."""

    points: Float[np.ndarray, "m 2"]
    shares: tuple[float, float]
    negative: float
    rank_correlation: float | None
    stress: float | None


@dataclass(frozen=True, eq=False)
class Tree:
    """A dendrogram: leaves in order from first to last at places 5, 15, ..., brackets as four (place, distance) corners
    each, the distance at which each leaf is joined first, and the cophenetic correlation (None where undefined)."""

    leaves: list[int]
    brackets: list[list[tuple[float, float]]]
    joins: list[float]
    cophenetic: float | None


@dataclass(frozen=True, eq=False)
class Part:
    """Some items of a square matrix, how often a checkpoint of the runs is another one's copy, and what to say of items
    without a value."""

    items: Items
    values: Square
    copies: int
    reasons: list[str]


# --- distances ---


def part(matrix: PairMatrix, items: Items, runs: Sequence[Run], sites: Sequence[str], which: str = ALL) -> Part:
    """The items at some sites, of all checkpoints or of the last of each run; those that have no value are left out."""
    ends = {run.checkpoints[-1].fingerprint for run in runs}
    asked = [k for k, (c, site) in enumerate(items) if site in sites and (which == ALL or c.fingerprint in ends)]
    kept = [k for k in asked if not np.isnan(matrix.values[k, k])]
    absent = [f"{items[k][0].run} {items[k][0].revision} {items[k][1]}" for k in asked if k not in kept]
    prints = [c.fingerprint for run in runs for c in (run.checkpoints if which == ALL else run.checkpoints[-1:])]
    reasons = [f"{len(absent)} of {len(asked)} are left out ({', '.join(absent[:2])}{' ...' if absent[2:] else ''}), "
               f"because {'; '.join(matrix.reasons)}."] if absent else []
    return Part([items[k] for k in kept], matrix.values[np.ix_(kept, kept)], len(prints) - len(set(prints)), reasons)


def distances(values: Square, measure: str) -> tuple[Square, float]:
    """Angles between representations, and by how much the largest cosine was beyond 1.

        d_ij = arccos(min(s_ij, 1))

    for a cosine s (linear CKA, NBS), and the angular shape distance as it is. Debiased CKA may be below 0; its angle is
    then above pi/2, as between vectors that point away from each other.

    Parameters
    ----------
    values : m x m of a symmetric pair measure
    measure : one of MEASURES

    Returns
    -------
    The m x m symmetric distances in radians with 0 on the diagonal, and the excess that was clipped.

    Raises Undefined where a value is missing or is beyond 1 by more than rounding.
    """
    if measure not in MEASURES:
        raise ValueError(f"{measure} gives no distances; use one of {', '.join(MEASURES)}")
    if np.isnan(values).any():
        raise Undefined(f"{int(np.isnan(values).sum())} pairs have no value")
    excess = 0.0 if measure == ANGLE else max(0.0, float(np.abs(values).max(initial=0)) - 1)
    if excess > ROUNDING:
        raise Undefined(f"a similarity of {1 + excess:.4g} is no cosine")
    found = values if measure == ANGLE else np.arccos(np.clip(values, -1, 1))
    found = (found + found.T) / 2
    np.fill_diagonal(found, 0)
    return found, excess


# --- map ---


def layout(d: Square, way: str = "classical") -> Map:
    """Points on two axes whose distances are near the given ones.

        B = -1/2 H d^2 H = U diag(w) U',  x_k = sqrt(w_k) u_k   (classical MDS)
        sum_ij (|x_i - x_j| - d_ij)^2 = min                     (metric MDS, begun from the classical map)

    The share of an axis is w_k / sum |w| (Mardia 1978); sum |w < 0| / sum |w| is what is not Euclidean. sklearn's
    ClassicalMDS tells only the eigenvalues of the axes drawn, so that these shares could not be said. For metric MDS
    they are of the classical map it began from.
    """
    if len(d) < LEAST:
        raise Undefined(f"a map needs at least {LEAST} points, got {len(d)}")
    if way not in WAYS:
        raise ValueError(f"{way} is no layout; use one of {', '.join(WAYS)}")
    squared = d**2
    means = squared.mean(axis=0)
    w, u = np.linalg.eigh(-(squared - means - means[:, None] + squared.mean()) / 2)
    w, u = w[::-1], u[:, ::-1]
    top = np.maximum(w[:2], 0)
    points = u[:, :2] * np.sqrt(top) * np.where(u[np.abs(u[:, :2]).argmax(axis=0), [0, 1]] < 0, -1, 1)
    total = float(np.abs(w).sum()) or 1.0
    if way == "metric" and d.any():
        points = _metric(d, points)
    rank, stress = faithfulness(d, points)
    return Map(points, (float(top[0]) / total, float(top[1]) / total), float(-w[w < 0].sum()) / total, rank, stress)


def faithfulness(d: Square, points: Float[np.ndarray, "m 2"]) -> tuple[float | None, float | None]:
    """Spearman correlation between distances on the map and true ones, and Kruskal's stress-1; None where all true
    distances, or all on the map, are equal."""
    true, shown = squareform(d, checks=False), pdist(points)
    scale = true.max(initial=0) or 1.0
    ranked = [np.round(found / scale, 9) for found in (true, shown)]  # what differs by rounding only is a tie
    if any(np.ptp(found) == 0 for found in ranked):
        return None, None
    return float(spearmanr(*ranked).statistic), float(np.sqrt(((shown - true)**2).sum() / (true**2).sum()))


def _metric(d: Square, begin: Float[np.ndarray, "m 2"]) -> Float[np.ndarray, "m 2"]:
    if len(d) > MOST_METRIC:
        raise Undefined(f"metric MDS of {len(d)} points takes too long for a page, {MOST_METRIC} are the most; choose "
                        "fewer runs or sites, or classical MDS")
    found, _ = smacof(d, init=begin, n_init=1, normalized_stress=False)
    found = found - found.mean(axis=0)
    turn, _, back = np.linalg.svd(found.T @ begin)  # so that the two maps stand alike
    return found @ turn @ back


def records(runs: Sequence[Run], items: Items, points: Float[np.ndarray, "m 2"],
            protocol: Protocol) -> list[Record]:
    """Every checkpoint and site of the runs with its place; equal checkpoints of two runs have the same."""
    places = {(c.fingerprint, site): point for (c, site), point in zip(items, points, strict=True)}
    sites = list(dict.fromkeys(site for _, site in items))
    return [{"run": c.run, "revision": c.revision, "step": c.step, "tokens": c.tokens, "site": site,
             "x": float(places[c.fingerprint, site][0]), "y": float(places[c.fingerprint, site][1]),
             "fingerprint": c.fingerprint, "protocol": summaries.described(protocol)}
            for run in runs for site in sites for c in run.checkpoints if (c.fingerprint, site) in places]


def made_by(records: Sequence[Record], measure: str, way: str | None) -> list[Record]:
    """The records with the measure that the distances are of, and what drew them: a way of `WAYS`, or None for a tree.
    """
    procedure = f"map by {WAYS[way]}" if way else "tree"
    return [{**record, "measure": measure, "procedure": procedure} for record in records]


# --- tree ---


def tree(d: Square) -> Tree:
    """The dendrogram of average linkage: clusters are joined at the mean distance between their members."""
    if not 2 <= len(d) <= MOST_LEAVES:
        raise Undefined(f"a tree is drawn of 2 to {MOST_LEAVES} items, got {len(d)}")
    pairs = squareform(d, checks=False)
    joined = linkage(pairs, "average", optimal_ordering=True)
    drawn = dendrogram(joined, no_plot=True)
    heights = cophenet(joined)
    alike = np.ptp(pairs) > 0 and np.ptp(heights) > 0
    first = {int(leaf): float(row[2]) for row in joined[::-1] for leaf in row[:2] if leaf < len(d)}
    return Tree(leaves=drawn["leaves"],
                brackets=[list(zip(places, at, strict=True)) for places, at in
                          zip(drawn["icoord"], drawn["dcoord"], strict=True)],
                joins=[first[leaf] for leaf in drawn["leaves"]],
                cophenetic=float(np.corrcoef(pairs, heights)[0, 1]) if alike else None)


def leaf_records(found: Tree, items: Items, protocol: Protocol) -> list[Record]:
    """The leaves in their order, named in full, with the distance at which each is first joined to another."""
    told = summaries.item_records([items[leaf] for leaf in found.leaves], protocol)
    return [{"order": order, **record, "joined_at": at}
            for order, (record, at) in enumerate(zip(told, found.joins, strict=True), 1)]


def leaf_names(leaves: Sequence[Record]) -> list[str]:
    """Names of leaves by what differs between them."""
    telling = [name for name in ("run", "revision", "site") if len({leaf[name] for leaf in leaves}) > 1]
    return [" ".join(leaf[name] for name in telling or ["revision"]) for leaf in leaves]


# --- sentences ---


def faith(found: Map, way: str) -> str:
    """How far the map is to be believed."""
    shares = (f"{WAYS[way][:1].upper()}{WAYS[way][1:]}; the two axes of classical MDS show {sum(found.shares):.0%} of "
              "squared distance")
    bent = f", and {found.negative:.1%} fits no flat map of any dimension" if found.negative >= SAID else ""
    if found.rank_correlation is None:
        return f"{shares}{bent}. All points are equally far from each other, so their places say nothing."
    return (f"{shares}{bent}. Distances on the map and true ones: rank correlation {found.rank_correlation:.3f}, "
            f"stress {found.stress:.3f} (0: the same).")


def kept(found: Tree) -> str:
    """How far the tree is to be believed."""
    said = "Average linkage. "
    if found.cophenetic is None:
        return f"{said}All distances are equal or there is only one, so there is no cophenetic correlation."
    return f"{said}Cophenetic correlation {found.cophenetic:.3f} (1: the tree keeps every distance)."


def caption(store: Store, drawn: Part, protocol: Protocol, measure: Measure, excess: float) -> str:
    """What is drawn from which rows, and what was done to the values."""
    copies = f", {drawn.copies} copies of other checkpoints stand where those do" if drawn.copies else ""
    below = int(np.count_nonzero(drawn.values < 0)) // 2
    kind = "the measure itself" if measure.name == ANGLE else f"arccos of {measure.label}"
    said = f"{len(drawn.items)} points{copies}; distance: {kind}, in radians"
    said += f"; {below} pairs are below 0 and so further apart than π/2" if below else ""
    said += f"; values up to {excess:.0e} above 1 are rounding and count as 1" if excess else ""
    return (f"{said}. {summaries.pair_caption(store, drawn.items, protocol)} Distances are estimates at this n, and "
            "are drawn without their intervals.")
