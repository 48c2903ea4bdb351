"""Centred kernel nearest-neighbour alignment: debiased CKA of which only shared neighbours are left."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from analysis.errors import Undefined
from analysis.measure import SIMILARITY, Measure, Param, Transform
from analysis.measures._gram import by_cosine, by_inner_product
from analysis.measures.neighbours import nearest


def cknna_cosine(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"], k: int = 10) -> float:
    """Debiased HSIC of cosines, restricted to pairs that are neighbours on both sides, normalised.

    With K_ij the cosine of rows i and j, N^X its k nearest neighbours, L and N^Y likewise, HSIC_1 of Song et al. 2012:

        a(K, L) = HSIC_1(M o K, M o L),   M_ij = 1 if j is in N^X(i) and in N^Y(i), else 0
        CKNNA = a(K, L) / sqrt(a(K, K) a(L, L))

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order, not centred
    k : number of neighbours

    Returns
    -------
    1 for equal up to rotation and row norms; above 0, up to about k / (n - 1), for unrelated rows. At
    k = n - 1 it is linear_cka_debiased of the rows divided by their norms.

    Raises Undefined when k exceeds n - 1, a row is zero, or a(K, K) is not positive. Reference: Huh et al. 2024,
    as released, without the 1e-6 it adds below the fraction bar.
    """
    return _aligned(-by_cosine(x), -by_cosine(y), k)


def cknna_inner_product(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"], k: int = 10) -> float:
    """Debiased HSIC of inner products, restricted to pairs that are neighbours on both sides, normalised.

    With K_ij = x_i . x_j, N^X(i) the k rows of largest K_ij, L and N^Y likewise, HSIC_1 of Song et al. 2012:

        a(K, L) = HSIC_1(M o K, M o L),   M_ij = 1 if j is in N^X(i) and in N^Y(i), else 0
        CKNNA = a(K, L) / sqrt(a(K, K) a(L, L))

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order, not centred
    k : number of neighbours

    Returns
    -------
    1 for equal up to rotation and scale; above 0, up to about k / (n - 1), for unrelated rows. At k = n - 1
    it is linear_cka_debiased.

    Raises Undefined when k exceeds n - 1 or a(K, K) is not positive. Reference: Huh et al. 2024, as released, without
    the 1e-6 it adds below the fraction bar.
    """
    return _aligned(-by_inner_product(x), -by_inner_product(y), k)


def _aligned(gram_x: Float[np.ndarray, "n n"], gram_y: Float[np.ndarray, "n n"], k: int) -> float:
    near_x, near_y = nearest(-gram_x, k), nearest(-gram_y, k)
    cross = _restricted_hsic(gram_x, gram_y, near_x & near_y)
    own_x, own_y = _restricted_hsic(gram_x, gram_x, near_x), _restricted_hsic(gram_y, gram_y, near_y)
    if own_x <= 0 or own_y <= 0:
        raise Undefined("among its nearest neighbours one side has no similarity with itself above chance")
    return cross / np.sqrt(own_x) / np.sqrt(own_y)


def _restricted_hsic(gram_x: Float[np.ndarray, "n n"], gram_y: Float[np.ndarray, "n n"],
                     which: Bool[np.ndarray, "n n"]) -> float:
    """n(n-3) HSIC_1 of the Gram matrices where `which`, which need not be symmetric and leaves the diagonal out."""
    n, left, right = len(which), gram_x * which, gram_y * which
    return float(np.sum(left * right.T) + left.sum() * right.sum() / ((n - 1) * (n - 2))
                 - 2 / (n - 2) * (left.sum(axis=0) @ right.sum(axis=1)))


_SHARED: dict[str, Any] = {
    "arity": 2, "takes": "rows", "returns": "scalar", "unit": "", "bounds": (-np.inf, np.inf),
    "direction": "larger: neighbours more alike", "min_samples": 4, "cost": "n^2 (d1 + d2)", "version": 1,
    "reference": "huh2024platonic",
    "params": (Param(name="k", default=10, low=1, high=1_000, help="Number of nearest neighbours of each row."),),
    "uncertainty": "none: with rows left out every row has other neighbours, so the value is of another quantity",
    "null": "above 0, up to about k / (n - 1): permutations of the rows give it",
}
_CAVEATS = "As released: being a neighbour is not mutual, so it is no cosine, can leave [-1, 1], moves by about 1 % " \
           "when the sides are swapped. Compare only values of the same n and k. Of equal rows the first are nearer. "

MEASURES = (
    Measure(name="cknna_cosine", fn=cknna_cosine, label="CKNNA (cosine)", symbol="CKNNA<sub>cos</sub>",
            invariant_to=SIMILARITY - {Transform.TRANSLATION},
            caveats=_CAVEATS + "Not centred: a large common mean makes all cosines alike.", **_SHARED),
    Measure(name="cknna_inner_product", fn=cknna_inner_product, label="CKNNA (inner product)",
            symbol="CKNNA<sub>·</sub>", invariant_to=SIMILARITY - {Transform.TRANSLATION},
            caveats=_CAVEATS + "Rows of large norm are everyone's neighbours; the published scores divide rows by "
                               "their norms first, as the cosine does.", **_SHARED),
)
