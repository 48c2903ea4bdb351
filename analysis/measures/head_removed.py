"""The head of the spectrum and what is left without it: a few huge directions can hide everything else."""

from typing import Any

import numpy as np
from jaxtyping import Float

from analysis.errors import Undefined
from analysis.measure import SIMILARITY, Measure, Param
from analysis.measures.effective_rank import exponential_entropy, shares
from analysis.moments import Moments


def rankme_covariance_head_removed(x: Moments, removed: int = 8) -> float:
    """Exponential of the entropy of the covariance eigenvalues without the largest ones.

    With lambda_k the eigenvalues of the centred covariance of the n x d rows, largest first, and r = removed:

        RankMe = exp(-sum_k p_k ln p_k),   p_k = lambda_k / sum_j lambda_j,   j, k > r

    Parameters
    ----------
    x : moments of n x d rows, any unit
    removed : how many of the largest eigenvalues are left out

    Returns
    -------
    Dimensions, from 1 (one direction carries what is left) to min(n - 1, d) - removed (all that is left is equal).

    Raises Undefined when fewer than 2 positive eigenvalues are left. Reference: RankMe as in Li et al. 2025, without
    the top directions as in Mu & Viswanath 2018.
    """
    return entropy_without_head(x.covariance_eigenvalues, removed)


def head_share(x: Moments, head: int = 8) -> float:
    """Share of the variance in the strongest directions together.

    With lambda_k the eigenvalues of the centred covariance of the n x d rows, largest first, and h = head:

        share = sum_(k <= h) lambda_k / sum_k lambda_k

    Parameters
    ----------
    x : moments of n x d rows, any unit
    head : how many of the largest eigenvalues are summed

    Returns
    -------
    From head / min(n - 1, d) (all directions equal) to 1 (no variance outside these directions).

    Raises Undefined when every row is the same. Reference: Mu & Viswanath 2018, the variance of the top directions.
    """
    return float(1 - np.sum(shares(x.covariance_eigenvalues)[head:]))  # exactly 1 where nothing is outside


def entropy_without_head(eigenvalues: Float[np.ndarray, " r"], removed: int) -> float:
    """exp(-sum p ln p) of what is left of a spectrum, for the measure and for the table below the spectrum figure."""
    tail = eigenvalues[removed:]
    left = int(np.sum(tail > 0))
    if left < 2:
        raise Undefined(f"without the {removed} largest eigenvalues {left} are positive, and 2 are needed")
    return exponential_entropy(tail)


_SHARED: dict[str, Any] = {
    "arity": 1, "takes": "moments", "returns": "scalar", "invariant_to": SIMILARITY, "min_samples": 4,
    "cost": "n d^2 + d^3", "reference": "mu2018allbutthetop",
}

MEASURES = (
    Measure(name="rankme_covariance_head_removed", fn=rankme_covariance_head_removed, label="RankMe without the head",
            symbol="RankMe<sub>λ, tail</sub>", unit="dimensions", bounds=(1.0, np.inf),
            direction="larger: the variance outside the head is spread over more directions",
            null="for isotropic noise a little above (d - removed) exp(-d / 2n) when n >= d",
            caveats="Usually larger than RankMe, and more biased down at small n: the tail needs the most rows. How "
                    "many directions are removed is a choice, so compare equal settings only.",
            params=(Param(name="removed", default=8, low=1, high=4096, help="Largest eigenvalues left out."),),
            version=2, leaves_two_out=True, **_SHARED,
            uncertainty="jackknife over documents, which also leaves out two groups at a time: the eigenvalues of the "
                        "tail are close, and repel"),
    Measure(name="head_share", fn=head_share, label="Share of the head", symbol="Σ<sub>head</sub>λ/Σλ", unit="",
            bounds=(0.0, 1.0), direction="larger: a few directions carry most of the variance",
            null="for isotropic noise above head / min(n - 1, d), the more so the smaller n / d",
            caveats="Biased up at small n, and 1 where the head reaches the rank. A few outlying rows can drive it.",
            params=(Param(name="head", default=8, low=1, high=4096, help="Largest eigenvalues summed."),),
            version=1, uncertainty="jackknife over documents", **_SHARED),
)
