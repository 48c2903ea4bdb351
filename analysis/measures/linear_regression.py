"""Linear predictability: the share of one representation's variance that a linear map of the other explains."""

from typing import Any

import numpy as np
from jaxtyping import Float

from analysis.errors import Undefined
from analysis.measure import SIMILARITY, Measure
from analysis.measures.subspace_overlap import principal_axes
from analysis.moments import centred


def linear_regression_r2(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"]) -> float:
    """Share of the variance of Y explained by least squares from X, in sample.

    With Qx an orthonormal basis of the column-centred rows of X, of rank p, and Yc those of Y:

        R2 = ||Qx^T Yc||_F^2 / ||Yc||_F^2

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order; x predicts y

    Returns
    -------
    From 0 (nothing explained) to 1 (Y is a linear map of X). Unrelated representations score p / (n - 1) on average
    over row permutations, exactly: the chance level given beside the value.

    Raises Undefined when all rows of one side are the same, and when p = n - 1: then anything is explained.
    Reference: Kornblith et al. 2019.
    """
    return _explained(_basis(x), y)


def linear_regression_r2_reverse(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"]) -> float:
    """Share of the variance of X explained by least squares from Y, in sample.

    With Qy an orthonormal basis of the column-centred rows of Y, of rank q, and Xc those of X:

        R2 = ||Qy^T Xc||_F^2 / ||Xc||_F^2

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order; y predicts x

    Returns
    -------
    From 0 (nothing explained) to 1 (X is a linear map of Y). Unrelated representations score q / (n - 1) on average
    over row permutations, exactly: the chance level given beside the value.

    Raises Undefined when all rows of one side are the same, and when q = n - 1: then anything is explained.
    Reference: Kornblith et al. 2019.
    """
    return linear_regression_r2(y, x)


def linear_regression_r2_adjusted(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"]) -> float:
    """Share of the variance of Y explained by least squares from X, less what chance explains.

    With R2 the in-sample share and p the rank of the column-centred rows of X:

        R2_adj = 1 - (1 - R2) (n - 1) / (n - 1 - p)

    R2 averages p / (n - 1) over row permutations, so R2_adj averages 0, exactly.

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order; x predicts y

    Returns
    -------
    Up to 1 (Y is a linear map of X); 0 on average for unrelated rows, so small negative values are real.

    Raises Undefined when all rows of one side are the same, and when p = n - 1: no row is left to judge by.
    Reference: Ezekiel 1929.
    """
    basis = _basis(x)
    freedom = len(x) - 1
    return 1 - (1 - _explained(basis, y)) * freedom / (freedom - basis.shape[1])


def _basis(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n r"]:
    basis, _ = principal_axes(x)
    n, rank = basis.shape
    if rank >= n - 1:
        raise Undefined(f"the predicting side has {rank} directions in {n} rows, enough to explain anything: use more "
                        "rows than directions + 1")
    return basis


def _explained(basis: Float[np.ndarray, "n r"], y: Float[np.ndarray, "n d"]) -> float:
    y = centred(y)
    variance = np.sum(y * y)
    if variance == 0:
        raise Undefined("all rows of the predicted side are the same, so there is nothing to explain")
    return float(np.sum((basis.T @ y)**2) / variance)


def permutation_mean(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"]) -> float:
    """Mean of linear_regression_r2 over all permutations of the rows of y: p / (n - 1), exactly.

    The mean of P L P^T over permutations P of a centred Gram matrix L is tr(L) H / (n - 1), so a projection of rank p
    that is centred too meets p / (n - 1) of the trace.
    """
    return _basis(x).shape[1] / (len(x) - 1)


_SHARED: dict[str, Any] = {
    "arity": 2, "takes": "rows", "returns": "scalar", "unit": "", "invariant_to": SIMILARITY, "min_samples": 4,
    "version": 1, "uncertainty": "jackknife over documents",
}
_IN_SAMPLE = "In sample: rises to 1 for unrelated rows as width grows to n - 1. The strongest directions of the " \
             "predicted side decide it."

MEASURES = (
    Measure(name="linear_regression_r2", fn=linear_regression_r2, label="Linear regression R², X to Y",
            symbol="R²<sub>X→Y</sub>", bounds=(0.0, 1.0), reference="kornblith2019similarity",
            direction="larger: more of Y is linear in X (1: all of it)", cost="n d1 (d1 + d2)",
            null="p / (n - 1) for rank p of X, exact over row permutations", chance=permutation_mean,
            caveats=_IN_SAMPLE, **_SHARED),
    Measure(name="linear_regression_r2_reverse", fn=linear_regression_r2_reverse, label="Linear regression R², Y to X",
            symbol="R²<sub>Y→X</sub>", bounds=(0.0, 1.0), reference="kornblith2019similarity",
            direction="larger: more of X is linear in Y (1: all of it)", cost="n d2 (d1 + d2)",
            null="q / (n - 1) for rank q of Y, exact over row permutations",
            chance=lambda x, y: permutation_mean(y, x), caveats=_IN_SAMPLE, **_SHARED),
    Measure(name="linear_regression_r2_adjusted", fn=linear_regression_r2_adjusted,
            label="Linear regression R², X to Y, adjusted", symbol="R²<sub>adj, X→Y</sub>", bounds=(-np.inf, 1.0),
            direction="larger: more of Y is linear in X (1: all of it)", reference="ezekiel1929application",
            cost="n d1 (d1 + d2)", null="0 on average over row permutations, exactly", chance=lambda x, y: 0.0,
            caveats="It estimates the share of the best linear map, not that of the map fitted here on new rows, which "
                    "is lower. Assumes independent rows.", **_SHARED),
)
