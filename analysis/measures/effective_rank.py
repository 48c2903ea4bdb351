"""Effective rank: the exponential of the entropy of a normalised spectrum.

Two variants share the name RankMe in the literature and differ by a factor of several on the same rows, so each has its
own name here: on eigenvalues of the centred covariance (Li et al. 2025) and on singular values of the uncentred rows
(Garrido et al. 2023). No epsilon is added: 0 ln 0 is 0.
"""

from typing import Any

import numpy as np
from jaxtyping import Float

from analysis.errors import Undefined
from analysis.measure import RIGID, SIMILARITY, Measure, Transform
from analysis.moments import Moments


def rankme_covariance(x: Moments) -> float:
    """Exponential of the entropy of the covariance eigenvalues.

    With p_k the k-th eigenvalue of the centred covariance of the n x d rows, divided by their sum:

        RankMe = exp(-sum_k p_k ln p_k)

    Parameters
    ----------
    x : moments of n x d rows, any unit

    Returns
    -------
    Dimensions, from 1 (one direction carries all variance) to min(n - 1, d) (all equal).

    Raises Undefined when every row is the same. Reference: Li et al. 2025, section 2.1.
    """
    return _exponential_entropy(x.covariance_eigenvalues)


def rankme_singular_values(x: Moments) -> float:
    """Exponential of the entropy of the singular values of the uncentred rows.

    With p_k the k-th singular value of the uncentred n x d rows, divided by their sum:

        RankMe = exp(-sum_k p_k ln p_k)

    Parameters
    ----------
    x : moments of n x d rows, any unit

    Returns
    -------
    Dimensions, from 1 (one direction carries all) to min(n, d) (all equal).

    Raises Undefined when every row is zero. Reference: Garrido et al. 2023, equation 5, without its epsilon.
    """
    return _exponential_entropy(x.singular_values)


def _exponential_entropy(spectrum: Float[np.ndarray, " r"]) -> float:
    positive = spectrum[spectrum > 0]
    if not len(positive):
        raise Undefined("the spectrum is zero: every row is the same")
    p = positive / positive.sum()
    return float(np.exp(-np.sum(p * np.log(p))))


_SHARED: dict[str, Any] = {
    "arity": 1, "takes": "moments", "returns": "scalar", "unit": "dimensions", "bounds": (1.0, np.inf),
    "min_samples": 4, "cost": "n d^2 + d^3", "version": 1, "uncertainty": "jackknife over documents",
    "direction": "larger: variance is spread over more directions",
    "null": "for isotropic noise d exp(-d / 2n) when n >= d (Page's law)",
}

MEASURES = (
    Measure(name="rankme_covariance", fn=rankme_covariance, label="RankMe (covariance eigenvalues)",
            symbol="RankMe<sub>λ</sub>", invariant_to=SIMILARITY, reference="li2025tracing",
            caveats="Biased down when n is not much larger than d. One row of very large norm collapses it: look at "
                    "the top eigenvalue share beside it.", **_SHARED),
    Measure(name="rankme_singular_values", fn=rankme_singular_values, label="RankMe (singular values)",
            symbol="RankMe<sub>σ</sub>", invariant_to=(RIGID | {Transform.ISOTROPIC_SCALING}) - {Transform.TRANSLATION},
            reference="garrido2023rankme",
            caveats="Uncentred: a large common mean changes it. Not comparable with the covariance variant, which is "
                    "smaller on the same rows.", **_SHARED),
)
