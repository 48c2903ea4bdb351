"""RankMe at infinitely many rows: two estimates that take away the bias of the plug-in value."""

from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import exprel

from analysis.errors import Undefined
from analysis.inference.halves import extrapolated
from analysis.measure import SIMILARITY, Measure
from analysis.measures.effective_rank import rankme_covariance
from analysis.moments import Moments
from analysis.textrows import TextRows


def rankme_covariance_richardson(x: TextRows) -> float:
    """RankMe of the covariance eigenvalues, extrapolated to infinitely many rows from halves of the documents.

    With R the plug-in RankMe of all rows and R_h that of half of the documents, over several random halves:

        ln R* = 2 ln R - mean ln R_h

    Parameters
    ----------
    x : n x d rows with their documents, any unit

    Returns
    -------
    Dimensions, mostly above the plug-in value; a noisy estimate may exceed d.

    Raises Undefined with fewer than 2 documents, when half of them has fewer rows than there are positive
    eigenvalues, when every row of a half is the same, or when R* comes out below 1.
    Reference: Quenouille 1956, with halves of whole documents.
    """
    entropy = extrapolated(x, lambda part: float(np.log(rankme_covariance(part))))
    if entropy < 0:
        raise Undefined(f"the extrapolated value {np.exp(entropy):.2g} is below 1, which no spectrum has: a few rows "
                        "carry most of the variance, and halves without them are another population")
    return float(np.exp(entropy))


def rankme_covariance_first_order(x: Moments) -> float:
    """RankMe of the covariance eigenvalues with the bias of order 1 / n of Gaussian rows taken away.

    With p_k the k-th eigenvalue of the centred covariance, divided by their sum:

        ln R* = -sum_k p_k ln p_k + (1 / (2 (n - 1))) sum_jk L(p_j, p_k)
        L(a, b) = a b (ln a - ln b) / (a - b),  L(a, a) = a

    Parameters
    ----------
    x : moments of n x d rows, any unit

    Returns
    -------
    Dimensions, always above the plug-in value; a noisy estimate may exceed d.

    Raises Undefined when n is less than twice the number of positive eigenvalues, or every row is the same.
    Reference: Lawley 1956 for the expected eigenvalues, put into the entropy; for isotropic rows it is Page's law.
    """
    plug_in = rankme_covariance(x)
    positive = x.covariance_eigenvalues[x.covariance_eigenvalues > 0]
    if x.n < 2 * len(positive):
        raise Undefined(f"the correction of order 1/n needs {2 * len(positive)} rows, twice the {len(positive)} "
                        f"positive eigenvalues, got {x.n}; use a larger probe or a token policy with more rows")
    return float(plug_in * np.exp(_pair_sum(positive / positive.sum()) / (2 * (x.n - 1))))


def _pair_sum(p: Float[np.ndarray, " r"]) -> float:
    """Sum of L over all pairs; b / exprel(ln(b / a)) is L without a difference of nearly equal numbers."""
    logs = np.log(p)
    return float(sum(np.sum(p / exprel(logs - log)) for log in logs))


_SHARED: dict[str, Any] = {
    "arity": 1, "returns": "scalar", "unit": "dimensions", "min_samples": 4,
    "invariant_to": SIMILARITY, "direction": "larger: variance is spread over more directions",
    "spread_of": "rankme_covariance", "relative_spread": True,
    "uncertainty": "jackknife spread of the plug-in value, moved to the corrected one; none for changes (held 73 %)",
}

MEASURES = (
    Measure(name="rankme_covariance_richardson", fn=rankme_covariance_richardson, takes="texts", version=2,
            label="RankMe (covariance, extrapolated from halves)", symbol="RankMe<sub>∞</sub>", bounds=(1.0, np.inf),
            cost="9 (n d^2 + d^3)", reference="quenouille1956notes", null="d for isotropic noise",
            caveats="For Gaussian rows and n of at least 2d it is within 1% where the plug-in is up to 22% too small; "
                    "at n = d it would still be 5% too small, below that far more, so there it has no value. Heavy "
                    "tails or few documents leave part of the bias, which its interval leaves out.", **_SHARED),
    Measure(name="rankme_covariance_first_order", fn=rankme_covariance_first_order, takes="moments", version=1,
            label="RankMe (covariance, first-order correction)", symbol="RankMe<sub>1/n</sub>", bounds=(1.0, np.inf),
            cost="n d^2 + d^3", reference="lawley1956tests",
            null="slightly below d for isotropic noise: 4% at n = 2d, 1% at n = 4d",
            caveats="Assumes independent Gaussian rows. With several rows a document, or heavy tails, it takes away "
                    "too little: the value extrapolated from halves of documents is then the better one.",
            **_SHARED | {"spread_of": "", "uncertainty": "none: with several rows a document the bias that is left is "
                                                         "as large as the spread (an interval held 78 %)"}),
)
