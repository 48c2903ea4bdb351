"""Canonical correlations: how alike two representations are when any linear map of either is free."""

from typing import Any

import numpy as np
from jaxtyping import Float

from analysis.errors import Undefined
from analysis.measure import SIMILARITY, Measure, Param, Transform
from analysis.measures.subspace_overlap import principal_axes
from analysis.moments import centred


def cca_mean(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"]) -> float:
    """Mean canonical correlation.

    With Qx, Qy orthonormal bases of the column-centred rows, of rank p and q:

        rho_1 >= rho_2 >= ... = singular values of Qx^T Qy
        CCA = sum_i rho_i / min(p, q)

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order

    Returns
    -------
    From 0 (no linear relation) to 1 (one is a linear map of the other). Where p + q > n - 1, as many correlations as
    the difference are 1 whatever the rows.

    Raises Undefined when all rows of one side are the same, and when n - 1 <= max(p, q). Reference: Hotelling 1936.
    """
    return float(np.mean(_matched(principal_axes(x)[0], principal_axes(y)[0])[1]))


def cca_r2(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"]) -> float:
    """Mean squared canonical correlation.

    With Qx, Qy orthonormal bases of the column-centred rows, of rank p and q:

        R2 = ||Qx^T Qy||_F^2 / min(p, q)

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order

    Returns
    -------
    From 0 (no linear relation) to 1 (one is a linear map of the other). Unrelated representations score
    max(p, q) / (n - 1) on average over row permutations, exactly: the chance level given beside the value.

    Raises Undefined when a side's rows are all the same, and when n - 1 <= max(p, q). Reference: Kornblith et al. 2019.
    """
    return float(np.mean(_matched(principal_axes(x)[0], principal_axes(y)[0])[1]**2))


def svcca(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"], variance: int = 99) -> float:
    """Mean canonical correlation between the leading principal components of either side.

    With Ux, Uy the left singular vectors of the column-centred rows that belong to the fewest leading singular values
    sigma_k whose squares reach the kept share of sum sigma_k^2 (of the variance, not of the singular values):

        SVCCA = mean of the singular values of Ux^T Uy

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order
    variance : share of either side's variance that is kept at least, in percent

    Returns
    -------
    From 0 (no linear relation) to 1 (the kept components of one side are linear maps of the other's).

    Raises Undefined when all rows of one side are the same, and when n - 1 are kept. Reference: Raghu et al. 2017.
    """
    return float(np.mean(_matched(_leading(x, variance), _leading(y, variance))[1]))


def pwcca(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"]) -> float:
    """Mean canonical correlation weighted by how much of the second side each canonical variate accounts for.

    With h_i the canonical variates of the second side, y_j the columns of its centred rows, and p, q the two ranks:

        PWCCA = sum_i a_i rho_i / sum_i a_i,   a_i = sum_j |h_i . y_j|

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order; y gives the weights

    Returns
    -------
    From 0 (no linear relation) to 1 (one is a linear map of the other). Not the same when the sides are swapped.

    Raises Undefined when a side's rows are all the same, and when n - 1 <= max(p, q). Reference: Morcos et al. 2018.
    """
    own = principal_axes(y)[0]
    turns, correlations = _matched(own, principal_axes(x)[0])
    weights = np.abs((own @ turns).T @ centred(y)).sum(axis=1)
    return float(weights @ correlations / weights.sum())


def _leading(x: Float[np.ndarray, "n d"], variance: int) -> Float[np.ndarray, "n k"]:
    vectors, values = principal_axes(x)
    reached = np.cumsum(values**2)
    return vectors[:, :1 + int(np.searchsorted(reached, variance / 100 * reached[-1]))]


def _matched(x: Float[np.ndarray, "n p"],
             y: Float[np.ndarray, "n q"]) -> tuple[Float[np.ndarray, "p m"], Float[np.ndarray, " m"]]:
    """Of two orthonormal bases: what turns the first into its canonical variates, and their correlations."""
    n, directions = len(x), max(x.shape[1], y.shape[1])
    if n - 1 <= directions:
        raise Undefined(f"one side has {directions} directions in {n} rows, which makes every canonical correlation 1 "
                        "whatever the rows: use more rows than directions + 1")
    return np.linalg.svd(x.T @ y, full_matrices=False)[:2]


def permutation_mean(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"]) -> float:
    """Mean of cca_r2 over all permutations of the rows of y: max(p, q) / (n - 1), exactly."""
    return max(principal_axes(side)[0].shape[1] for side in (x, y)) / (len(x) - 1)


_SHARED: dict[str, Any] = {
    "arity": 2, "takes": "rows", "returns": "scalar", "unit": "", "bounds": (0.0, 1.0), "min_samples": 4, "version": 1,
    "cost": "n (d1 + d2)^2"}
_TOO_WIDE = "none: correlations near 0 cannot be negative, so leaving documents out gives intervals that are too wide"
_LINEAR = SIMILARITY | {Transform.INVERTIBLE_LINEAR}
_UP_TO_LINEAR = "larger: more alike (1: one is a linear map of the other)"
_PERMUTE = "above 0 for unrelated rows, near 1 when n is little more than the width: permutations of documents give it"
_NOISE = "Directions of noise count for as much as the strongest."
_ROWS = "Far too high unless n is many times d1 + d2."

MEASURES = (
    Measure(name="cca_mean", fn=cca_mean, label="CCA, mean correlation", symbol="ρ<sub>CCA</sub>", symmetric=True,
            invariant_to=_LINEAR, direction=_UP_TO_LINEAR, reference="hotelling1936relations", null=_PERMUTE,
            uncertainty=_TOO_WIDE, caveats=f"{_NOISE} {_ROWS}", **_SHARED),
    Measure(name="cca_r2", fn=cca_r2, label="CCA, mean squared correlation", symbol="R²<sub>CCA</sub>", symmetric=True,
            invariant_to=_LINEAR, direction=_UP_TO_LINEAR, reference="kornblith2019similarity",
            null="max(p, q) / (n - 1) for ranks p and q, exact over row permutations", chance=permutation_mean,
            uncertainty=_TOO_WIDE, caveats=f"{_NOISE} Read it against its chance level.", **_SHARED),
    Measure(name="svcca", fn=svcca, label="SVCCA", symbol="SVCCA", symmetric=True, invariant_to=SIMILARITY,
            direction="larger: more alike (1: the kept components are linear maps of each other)",
            reference="raghu2017svcca", null=_PERMUTE, uncertainty="none: the number kept jumps from sample to sample",
            params=(Param(name="variance", default=99, low=1, high=100, help="Percent of the variance kept."),),
            caveats="The share is of the variance; code that takes it of the singular values keeps more components. "
                    "The number kept follows the spectrum, so a change may be one of dimension alone.", **_SHARED),
    Measure(name="pwcca", fn=pwcca, label="PWCCA (weights of the second side)", symbol="PWCCA",
            invariant_to=SIMILARITY - {Transform.ORTHOGONAL}, direction=_UP_TO_LINEAR, reference="morcos2018insights",
            null=_PERMUTE, uncertainty=_TOO_WIDE, caveats=f"Rotating Y changes its weights. {_ROWS}", **_SHARED),
)
