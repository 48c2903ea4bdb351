"""Effective rank: the exponential of the entropy of a normalised spectrum.

Variants that share a name in the literature differ by a factor of several on the same rows, so each has its own here:
on eigenvalues of the centred covariance (Li et al. 2025; as released, on the largest 2048 of them), on singular values
of the centred rows (Roy & Vetterli 2007) or of the uncentred ones (Garrido et al. 2023). No epsilon: 0 ln 0 is 0.
"""

from typing import Any

import numpy as np
from jaxtyping import Float

from analysis.errors import Undefined
from analysis.measure import RIGID, SIMILARITY, Measure, Param, Transform
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
    return exponential_entropy(x.covariance_eigenvalues)


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
    return exponential_entropy(x.singular_values)


def effective_rank_singular_values(x: Moments) -> float:
    """Exponential of the entropy of the singular values of the centred rows.

    With lambda_k the k-th eigenvalue of the centred covariance of the n x d rows, whose root is in proportion to the
    k-th singular value of the centred rows:

        erank = exp(-sum_k p_k ln p_k),   p_k = sqrt(lambda_k) / sum_j sqrt(lambda_j)

    Parameters
    ----------
    x : moments of n x d rows, any unit

    Returns
    -------
    Dimensions, from 1 (one direction carries all variance) to min(n - 1, d) (all equal).

    Raises Undefined when every row is the same. Reference: Roy & Vetterli 2007, on centred rows.
    """
    return exponential_entropy(np.sqrt(x.covariance_eigenvalues))


def rankme_covariance_capped(x: Moments, largest: int = 2048) -> float:
    """Exponential of the entropy of the largest covariance eigenvalues only.

    With lambda_k the eigenvalues of the centred covariance of the n x d rows, largest first, and K = largest:

        RankMe = exp(-sum_k p_k ln p_k),   p_k = lambda_k / sum_j lambda_j,   j, k <= K

    Parameters
    ----------
    x : moments of n x d rows, any unit
    largest : how many eigenvalues are kept at most

    Returns
    -------
    Dimensions, from 1 (one direction carries all variance) to min(n - 1, d, largest); the uncapped value where
    largest reaches min(n - 1, d).

    Raises Undefined when every row is the same. Reference: Li et al. 2025 as released, without the 1e-7 it adds to
    every p_k, which raises the value by some tenths of a percent.
    """
    return exponential_entropy(x.covariance_eigenvalues[:largest])


def exponential_entropy(spectrum: Float[np.ndarray, " r"]) -> float:
    """exp(-sum p ln p) of a spectrum as shares of its sum."""
    p = shares(spectrum)
    return float(np.exp(-np.sum(p * np.log(p))))


def shares(spectrum: Float[np.ndarray, " r"]) -> Float[np.ndarray, " k"]:
    """The positive part of a spectrum over its sum; Undefined where nothing is positive."""
    positive = spectrum[spectrum > 0]
    if not len(positive):
        raise Undefined("the spectrum is zero: every row is the same")
    return positive / positive.sum()


_SHARED: dict[str, Any] = {
    "arity": 1, "takes": "moments", "returns": "scalar", "unit": "dimensions", "bounds": (1.0, np.inf),
    "min_samples": 4, "cost": "n d^2 + d^3", "version": 1, "uncertainty": "jackknife over documents",
    "direction": "larger: variance is spread over more directions",
}
_PAGE = "for isotropic noise d exp(-d / 2n) when n >= d (Page's law)"
_PAGE_OF_ROOTS = "for isotropic noise about d exp(-d / 8n) when n is much larger than d"

MEASURES = (
    Measure(name="rankme_covariance", fn=rankme_covariance, label="RankMe (covariance eigenvalues)",
            symbol="RankMe<sub>λ</sub>", invariant_to=SIMILARITY, reference="li2025tracing", null=_PAGE,
            caveats="Biased down when n is not much larger than d. One row of very large norm collapses it: look at "
                    "the top eigenvalue share beside it.", **_SHARED),
    Measure(name="rankme_singular_values", fn=rankme_singular_values, label="RankMe (singular values)",
            symbol="RankMe<sub>σ</sub>", invariant_to=(RIGID | {Transform.ISOTROPIC_SCALING}) - {Transform.TRANSLATION},
            reference="garrido2023rankme", null=_PAGE_OF_ROOTS,
            caveats="Uncentred: a large common mean changes it. Not comparable with the covariance variant, which is "
                    "smaller on the same rows.", **_SHARED),
    Measure(name="effective_rank_singular_values", fn=effective_rank_singular_values,
            label="Effective rank (centred singular values)", symbol="erank<sub>σ</sub>", invariant_to=SIMILARITY,
            reference="roy2007effective", null=_PAGE_OF_ROOTS,
            caveats="Roots lift the tail, so weak directions count for more than in RankMe of eigenvalues, which is "
                    "never larger. Biased down when n is not much larger than d.", **_SHARED),
    Measure(name="rankme_covariance_capped", fn=rankme_covariance_capped, label="RankMe (largest eigenvalues only)",
            symbol="RankMe<sub>λ</sub><sup>cap</sup>", invariant_to=SIMILARITY, reference="li2025tracing",
            null=_PAGE + " and d is at most the cap",
            caveats="For comparison with published curves only. Equal to RankMe where d is at most the cap; above, the "
                    "tail is cut: 35 % lower at d = 4096 for eigenvalues 1 / k.",
            params=(Param(name="largest", default=2048, low=2, high=100_000, help="Eigenvalues kept at most."),),
            **_SHARED),
)
