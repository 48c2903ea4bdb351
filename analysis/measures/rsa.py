"""Representational similarity analysis (RSA): how alike two representational dissimilarity matrices (RDMs) are."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from analysis.measure import SIMILARITY, Measure, Transform
from analysis.measures._dissimilarity import (
    by_deviation,
    by_rank,
    by_size,
    by_whitened_deviation,
    matrix_cosine,
    of_mean_zero_and_norm_one,
    of_norm_one,
)


@dataclass(frozen=True)
class _Rdm:
    """How rows are prepared so that their squared Euclidean distances are the dissimilarities meant."""

    prepare: Callable[[Float[np.ndarray, "n d"]], Float[np.ndarray, "n d"]]
    label: str
    symbol: str
    equation: str
    invariant_to: frozenset[Transform]
    caveat: str


@dataclass(frozen=True)
class _Comparison:
    """How the dissimilarities of one side become the matrix that is compared with the other side's by its cosine."""

    matrix: Callable[[Float[np.ndarray, "n d"]], Float[np.ndarray, "n n"]]
    label: str
    symbol: str
    equation: str
    low: float
    top: str
    caveat: str
    remark: str = "Squared Euclidean distances, not plain ones."
    reference: tuple[str, str] = ("kriegeskorte2008representational", "Kriegeskorte et al. 2008")


_UNMOVED = frozenset({Transform.ROW_PERMUTATION, Transform.ISOTROPIC_SCALING, Transform.FEATURE_PERMUTATION})
_RDMS = {
    "euclidean": _Rdm(lambda x: x, "squared Euclidean", "E", "D_ij = ||x_i - x_j||^2", SIMILARITY,
                      "Directions of large variance and rows of large norm make up most of each distance."),
    "cosine": _Rdm(of_norm_one, "cosine", "C", "D_ij = 1 - cos(x_i, x_j)", _UNMOVED | {Transform.ORTHOGONAL},
                   "A large mean, common to all rows, makes all angles small and alike."),
    "correlation": _Rdm(of_mean_zero_and_norm_one, "correlation", "R", "D_ij = 1 - corr(x_i, x_j)", _UNMOVED,
                        "Depends on the basis: rotating the features changes the value."),
}
_COMPARISONS = {
    "spearman": _Comparison(
        by_rank, "Spearman", "ρ", "rho = corr(rank(D_x), rank(D_y))", -1.0, "pairs in the same order of dissimilarity",
        "Only the order of the dissimilarities counts, not their sizes.",
        "Ties get their average rank. Squared and plain Euclidean distances give the same value."),
    "pearson": _Comparison(
        by_deviation, "Pearson", "r", "r = corr(D_x, D_y)", -1.0, "dissimilarities equal up to scale and a constant",
        "A few far-out rows can carry the whole value."),
    "cosine": _Comparison(
        by_size, "cosine", "cos", "cos = <D_x, D_y> / (||D_x|| ||D_y||)", 0.0, "dissimilarities equal up to scale",
        "High for unrelated rows too, as dissimilarities are never negative: read it against its chance level."),
    "whitened_pearson": _Comparison(
        by_whitened_deviation, "whitened Pearson", "r<sub>w</sub>",
        "A = H (D - mean(D) (11^T - I)) H,  H = I - 11^T / n,  r_w = <A_x, A_y> / (||A_x|| ||A_y||)", -1.0,
        "dissimilarities equal up to scale and a constant",
        "Whitened for noise that is equal and independent in every row; other noise would need other weights.",
        "Without the mean it is the whitened cosine: linear_cka_biased of the rows (of norm 1, for angles).",
        ("diedrichsen2021comparing", "Diedrichsen et al. 2021")),
}
_DOCUMENTATION = """RSA: {comparison.label} agreement of two matrices of {rdm.label} dissimilarities.

    Over the pairs of rows i < j, with D the dissimilarities of one side:

        {rdm.equation}
        {comparison.equation}

    {comparison.remark}

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order

    Returns
    -------
    From {comparison.low:.0f} to 1 ({comparison.top}).

    Raises Undefined when all dissimilarities of one side are the same, or a row has no direction where one is needed.
    Reference: {comparison.reference[1]}.
    """


def distance_permutation_mean(a: Float[np.ndarray, "n n"], b: Float[np.ndarray, "n n"]) -> float:
    """Mean cosine of two matrices of zero diagonal over all row permutations of one: mean / root mean square, twice."""
    pairs = len(a) * (len(a) - 1)
    return float(a.sum() / np.linalg.norm(a) * (b.sum() / np.linalg.norm(b)) / pairs)


def _measure(name: str, rdm: _Rdm, comparison: _Comparison) -> Measure:
    def item(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n n"]:
        return comparison.matrix(rdm.prepare(x))

    def rsa(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"]) -> float:
        return matrix_cosine(item(x), item(y))

    def chance(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"]) -> float:
        return distance_permutation_mean(item(x), item(y)) if comparison.low == 0 else 0.0

    rsa.__name__, rsa.__doc__ = name, _DOCUMENTATION.format(rdm=rdm, comparison=comparison)
    return Measure(
        name=name, fn=rsa, item=item, arity=2, takes="rows", returns="scalar", version=1, min_samples=4,
        label=f"RSA, {rdm.label}, {comparison.label}", symbol=f"{comparison.symbol}<sub>{rdm.symbol}</sub>", unit="",
        bounds=(comparison.low, 1.0), symmetric=True, invariant_to=rdm.invariant_to, cost="n^2 (d1 + d2)",
        direction=f"larger: more alike (1: {comparison.top})", caveats=f"{comparison.caveat} {rdm.caveat}",
        reference=comparison.reference[0], uncertainty="jackknife over documents", chance=chance,
        null="the product of both sides' mean / root mean square dissimilarity, exact over row permutations"
        if comparison.low == 0 else "0 on average over row permutations, exactly")


MEASURES = tuple(_measure(f"rsa_{distance}_{by}", rdm, comparison)
                 for distance, rdm in _RDMS.items() for by, comparison in _COMPARISONS.items())
