"""How fast the eigenspectrum falls: the exponent of a power law fitted over a stated window of ranks."""

import numpy as np
from jaxtyping import Float

from analysis.errors import Undefined
from analysis.measure import SIMILARITY, Measure, Param
from analysis.moments import Moments


def alpha_weighted_least_squares(x: Moments, first_rank: int = 11, last_rank: int = 50) -> float:
    """Exponent of a power law fitted to the covariance eigenvalues over a window of ranks.

    Ordinary least squares of ln lambda_k on ln k, each rank weighted by 1 / k, over first_rank <= k <= last_rank:

        lambda_k ~ k^-alpha

    Parameters
    ----------
    x : moments of n x d rows, any unit
    first_rank, last_rank : window of ranks, counted from 1, both ends included

    Returns
    -------
    alpha, dimensionless: 0 for a flat spectrum, larger for faster decay.

    Raises Undefined when fewer than last_rank eigenvalues are positive: a truncated window is another measure.
    Reference: Agrawal et al. 2022 (alpha-ReQ), with the weights of Stringer et al. 2019.
    """
    return decay_line(x.covariance_eigenvalues, first_rank, last_rank)[0]


def decay_line(eigenvalues: Float[np.ndarray, " r"], first_rank: int, last_rank: int) -> tuple[float, float]:
    """Exponent and ln-intercept of the weighted fit, for the measure and for the line drawn on the spectrum."""
    if last_rank <= first_rank + 1:
        raise ValueError(f"a fit needs at least 3 ranks, got the window {first_rank}-{last_rank}")
    usable = int(np.sum(eigenvalues > 0))
    if usable < last_rank:
        raise Undefined(f"the window ends at rank {last_rank} and only {usable} eigenvalues are positive")
    ranks = np.arange(first_rank, last_rank + 1)
    x, y = np.log(ranks), np.log(eigenvalues[first_rank - 1:last_rank])
    weights = (1 / ranks) / np.sum(1 / ranks)
    x_mean, y_mean = weights @ x, weights @ y
    slope = (weights @ ((x - x_mean) * (y - y_mean))) / (weights @ (x - x_mean)**2)
    return float(-slope), float(y_mean - slope * x_mean)


MEASURES = (
    Measure(name="alpha_weighted_least_squares", fn=alpha_weighted_least_squares, arity=1, takes="moments",
            returns="scalar", label="Spectral decay exponent α", symbol="α", unit="", bounds=(0.0, np.inf),
            direction="larger: the eigenspectrum falls faster", invariant_to=SIMILARITY, min_samples=4,
            cost="n d^2 + d^3", reference="agrawal2022alpha", version=1, uncertainty="jackknife over documents",
            null="noise has a small positive α that depends on n, d and the window, not 0",
            caveats="Biased at small n: down when the window is a small part of the spectrum, up when it reaches "
                    "towards its end. Neighbouring eigenvalues are not independent, so the fit's own standard "
                    "error is not an error bar. Not the density exponent of weight matrices.",
            params=(Param(name="first_rank", default=11, low=1, high=10_000, help="First rank of the fit, from 1."),
                    Param(name="last_rank", default=50, low=3, high=10_000, help="Last rank of the fit."))),
)
