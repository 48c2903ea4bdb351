"""How much of the variance the strongest direction carries: stable rank and its inverse, the top-eigenvalue share."""

from typing import Any

import numpy as np

from analysis.errors import Undefined
from analysis.measure import SIMILARITY, Measure
from analysis.moments import Moments


def stable_rank(x: Moments) -> float:
    """Total variance over the variance of the strongest direction.

    The same ratio is called NESum by He & Ozay (2022). With lambda_k the eigenvalues of the centred covariance of the
    n x d rows, largest first:

        stable rank = sum_k lambda_k / lambda_1 = ||Xc||_F^2 / ||Xc||_2^2

    Parameters
    ----------
    x : moments of n x d rows, any unit

    Returns
    -------
    Dimensions, from 1 (one direction carries all variance) to min(n - 1, d).

    Raises Undefined when every row is the same. Reference: Rudelson & Vershynin 2007.
    """
    return 1.0 / top_eigenvalue_share(x)


def top_eigenvalue_share(x: Moments) -> float:
    """Share of the variance in the strongest direction.

    With lambda_k the eigenvalues of the centred covariance of the n x d rows, largest first:

        share = lambda_1 / sum_k lambda_k

    Parameters
    ----------
    x : moments of n x d rows, any unit

    Returns
    -------
    From 1 / min(n - 1, d) (all directions equal) to 1. Near 1, one row or one channel often drives everything.

    Raises Undefined when every row is the same. Reference: Razzhigaev et al. 2024 (their anisotropy).
    """
    eigenvalues = x.covariance_eigenvalues
    if eigenvalues[0] == 0:
        raise Undefined("the spectrum is zero: every row is the same")
    return float(eigenvalues[0] / eigenvalues.sum())


_SHARED: dict[str, Any] = {
    "arity": 1, "takes": "moments", "returns": "scalar", "invariant_to": SIMILARITY, "min_samples": 4,
    "cost": "n d^2 + d^3", "version": 1, "uncertainty": "jackknife over documents",
}

MEASURES = (
    Measure(name="stable_rank", fn=stable_rank, label="Stable rank", symbol="sr", unit="dimensions",
            bounds=(1.0, np.inf), direction="larger: no single direction dominates",
            caveats="Depends on the head of the spectrum only; blind to the tail.",
            null="for isotropic noise about d / (1 + sqrt(d / n))^2", reference="rudelson2007sampling", **_SHARED),
    Measure(name="top_eigenvalue_share", fn=top_eigenvalue_share, label="Top-eigenvalue share",
            symbol="λ<sub>1</sub>/Σλ", unit="", bounds=(0.0, 1.0),
            direction="larger: one direction dominates (1 is complete collapse)",
            caveats="The inverse of stable rank. A single outlying row can drive it to 1.",
            null="for isotropic noise about (1 + sqrt(d / n))^2 / d", reference="razzhigaev2024shape", **_SHARED),
)
