"""Matrix-based Renyi entropies: one family, from the tail of the spectrum (small order) to its head (large order)."""

import math
from typing import Any

import numpy as np

from analysis.measure import SIMILARITY, Measure
from analysis.measures.effective_rank import exponential_entropy, shares
from analysis.moments import Moments


def von_neumann_entropy_covariance(x: Moments) -> float:
    """Entropy of the covariance eigenvalues, the matrix-based Renyi entropy of order 1.

    With p_k the k-th eigenvalue of the centred covariance of the n x d rows, divided by their sum:

        S_1 = -sum_k p_k ln p_k = ln RankMe

    Parameters
    ----------
    x : moments of n x d rows, any unit

    Returns
    -------
    Nats, from 0 (one direction carries all variance) to ln min(n - 1, d) (all equal).

    Raises Undefined when every row is the same. Reference: Sanchez Giraldo et al. 2015, the limit of order 1.
    """
    return math.log(exponential_entropy(x.covariance_eigenvalues))


def renyi_entropy_order_half(x: Moments) -> float:
    """Matrix-based Renyi entropy of order 1/2 of the covariance eigenvalues, which listens to the tail.

    With p_k the k-th eigenvalue of the centred covariance of the n x d rows, divided by their sum:

        S_1/2 = 2 ln sum_k sqrt(p_k)

    Parameters
    ----------
    x : moments of n x d rows, any unit

    Returns
    -------
    Nats, from 0 (one direction carries all variance) to ln min(n - 1, d) (all equal).

    Raises Undefined when every row is the same. Reference: Sanchez Giraldo et al. 2015, centred linear kernel.
    """
    return 2 * math.log(np.sum(np.sqrt(shares(x.covariance_eigenvalues))))


def renyi_entropy_order_2(x: Moments) -> float:
    """Matrix-based Renyi entropy of order 2 of the covariance eigenvalues, the logarithm of the participation ratio.

    With p_k the k-th eigenvalue of the centred covariance of the n x d rows, divided by their sum:

        S_2 = -ln sum_k p_k^2 = ln PR

    Parameters
    ----------
    x : moments of n x d rows, any unit

    Returns
    -------
    Nats, from 0 (one direction carries all variance) to ln min(n - 1, d) (all equal).

    Raises Undefined when every row is the same. Reference: Sanchez Giraldo et al. 2015, centred linear kernel.
    """
    return math.log(1 / np.sum(shares(x.covariance_eigenvalues)**2))


def min_entropy_covariance(x: Moments) -> float:
    """Min-entropy of the covariance eigenvalues, the Renyi entropy of infinite order, the logarithm of stable rank.

    With p_k the k-th eigenvalue of the centred covariance of the n x d rows, divided by their sum, largest first:

        S_inf = -ln p_1 = ln(stable rank)

    Parameters
    ----------
    x : moments of n x d rows, any unit

    Returns
    -------
    Nats, from 0 (one direction carries all variance) to ln min(n - 1, d) (all equal).

    Raises Undefined when every row is the same. Reference: Sanchez Giraldo et al. 2015, the limit of infinite order.
    """
    return math.log(1 / shares(x.covariance_eigenvalues)[0])


_SHARED: dict[str, Any] = {
    "arity": 1, "takes": "moments", "returns": "scalar", "unit": "nats", "bounds": (0.0, np.inf),
    "invariant_to": SIMILARITY, "min_samples": 4, "cost": "n d^2 + d^3", "version": 1,
    "direction": "larger: variance is spread over more directions", "reference": "giraldo2015measures",
    "uncertainty": "jackknife over documents",
}

MEASURES = (
    Measure(name="von_neumann_entropy_covariance", fn=von_neumann_entropy_covariance, label="Von Neumann entropy",
            symbol="S<sub>1</sub>", null="for isotropic noise ln d - d / 2n when n >= d (Page's law)",
            caveats="The logarithm of RankMe of eigenvalues, so it says nothing new beside it. Biased down when n is "
                    "not much larger than d.", **_SHARED),
    Measure(name="renyi_entropy_order_half", fn=renyi_entropy_order_half, label="Rényi entropy, order 1/2",
            symbol="S<sub>1/2</sub>", null="for isotropic noise about ln d - d / 4n when n is much larger than d",
            caveats="Weak directions count for much, so it is the most sensitive to noise in the tail and to too few "
                    "rows.", **_SHARED),
    Measure(name="renyi_entropy_order_2", fn=renyi_entropy_order_2, label="Rényi entropy, order 2",
            symbol="S<sub>2</sub>", null="for isotropic noise about -ln(1/n + 1/d)",
            caveats="The logarithm of the participation ratio. Biased down at small n; nearly blind to the tail.",
            **_SHARED),
    Measure(name="min_entropy_covariance", fn=min_entropy_covariance, label="Min-entropy", symbol="S<sub>∞</sub>",
            null="for isotropic noise about ln d - 2 ln(1 + sqrt(d / n))",
            caveats="The logarithm of stable rank: the strongest direction decides it, the rest of the spectrum only "
                    "by its sum.", **_SHARED),
)
