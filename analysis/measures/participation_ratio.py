"""Participation ratio: how many directions carry variance, weighted towards the strongest."""

from typing import Any

import numpy as np
from jaxtyping import Float

from analysis.errors import Undefined
from analysis.measure import SIMILARITY, Measure
from analysis.moments import Moments, centred

ROUNDING = 64 * np.finfo(np.float64).eps  # of the largest term: what is left of an exact cancellation


def participation_ratio(x: Moments) -> float:
    """Squared sum over sum of squares of the covariance eigenvalues (plug-in).

    With lambda_k the eigenvalues of the centred covariance of the n x d rows:

        PR = (sum_k lambda_k)^2 / sum_k lambda_k^2

    Parameters
    ----------
    x : moments of n x d rows, any unit

    Returns
    -------
    Dimensions, from 1 (one direction) to min(n - 1, d) (all equal). Biased down: 1/PR grows by about 1/n.

    Raises Undefined when every row is the same. Reference: Gao et al. 2017, section 3.
    """
    trace = np.trace(x.scatter)
    squares = np.sum(x.scatter * x.scatter)
    if squares == 0:
        raise Undefined("the spectrum is zero: every row is the same")
    return float(trace**2 / squares)


def participation_ratio_row_corrected(x: Float[np.ndarray, "n d"]) -> float:
    """Participation ratio from unbiased estimates of its numerator and denominator over independent rows.

    With a_i the squared norm of centred row i, A = sum_i a_i, Q = sum_i a_i^2, T the squared Frobenius norm of the
    scatter matrix, numerator and denominator are U-statistics (averages over distinct rows):

        (tr S)^2 ~ [n^2 A^2 - n^2 Q - 3 n A^2 + n Q + A^2 + 2 T] / [n (n-1)(n-2)(n-3)]
        tr(S^2)  ~ [T - n Q / (n-2) + A^2 / ((n-1)(n-2))] / [n (n-3)]

    and the measure is their ratio, a closed form of the row correction of Chun et al. 2026.

    Parameters
    ----------
    x : n x d rows, any unit; rows must be independent for the correction to hold

    Returns
    -------
    Dimensions; close to the value at infinite n. It can exceed d, and is undefined where the estimate of tr(S^2) is
    not positive.

    Raises Undefined in that case. Reference: Chun et al. 2026; formula derived here and tested against enumeration.
    """
    n = len(x)
    x = centred(x)
    norms = np.einsum("nd,nd->n", x, x)
    gram = x.T @ x if x.shape[1] <= n else x @ x.T
    total, fourth, frobenius = norms.sum(), np.sum(norms**2), np.sum(gram * gram)
    numerator = (n**2 * total**2 - n**2 * fourth - 3 * n * total**2 + n * fourth + total**2 + 2 * frobenius) \
        / (n * (n - 1) * (n - 2) * (n - 3))
    denominator = (frobenius - n / (n - 2) * fourth + total**2 / ((n - 1) * (n - 2))) / (n * (n - 3))
    if denominator * n * (n - 3) <= ROUNDING * frobenius:
        raise Undefined("the unbiased estimate of tr(S^2) is not positive: the rows are all the same, "
                        "or equally far apart")
    return float(numerator / denominator)


_SHARED: dict[str, Any] = {
    "arity": 1, "returns": "scalar", "unit": "dimensions", "invariant_to": SIMILARITY, "version": 1, "symbol": "PR",
    "direction": "larger: variance is spread over more directions", "uncertainty": "jackknife over documents",
    "null": "for isotropic noise about 1 / (1/n + 1/d)",
}

MEASURES = (
    Measure(name="participation_ratio", fn=participation_ratio, takes="moments", label="Participation ratio",
            bounds=(1.0, np.inf), min_samples=4, cost="n d^2", reference="gao2017theory",
            caveats="Biased down at small n; the row-corrected value beside it shows by how much.", **_SHARED),
    Measure(name="participation_ratio_row_corrected", fn=participation_ratio_row_corrected, takes="rows",
            label="Participation ratio, row-corrected", bounds=(-np.inf, np.inf), min_samples=4,
            cost="n d min(n, d)", reference="chun2026estimating",
            caveats="Assumes independent rows; several rows of one document are not.", **_SHARED),
)
