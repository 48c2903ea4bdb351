"""How fast the eigenspectrum falls: the exponent of a power law fitted over a stated window of ranks."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

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


def alpha_log_log_curvature(x: Moments, first_rank: int = 11, last_rank: int = 50) -> float:
    """How far the spectrum bends away from a power law over a window of ranks.

    The quadratic coefficient of the same fit, weights 1 / k, over first_rank <= k <= last_rank:

        ln lambda_k ~ a - b ln k - curvature (ln k)^2

    Parameters
    ----------
    x : moments of n x d rows, any unit
    first_rank, last_rank : window of ranks, counted from 1, both ends included

    Returns
    -------
    Curvature, dimensionless: 0 for a power law, positive where the spectrum falls ever faster, negative where its fall
    slows down. Over the window alpha grows by 2 curvature ln(last_rank / first_rank).

    Raises Undefined when fewer than last_rank eigenvalues are positive. Reference: the fit of Stringer et al. 2019
    with one more term.
    """
    return decay_curvature(x.covariance_eigenvalues, first_rank, last_rank)


def decay_line(eigenvalues: Float[np.ndarray, " r"], first_rank: int, last_rank: int) -> tuple[float, float]:
    """Exponent and ln-intercept of the weighted fit, for the measure and for the line drawn on the spectrum."""
    x, y, weights = log_log_window(eigenvalues, first_rank, last_rank, at_least=3)
    x_mean, y_mean = weights @ x, weights @ y
    slope = (weights @ ((x - x_mean) * (y - y_mean))) / (weights @ (x - x_mean)**2)
    return float(-slope), float(y_mean - slope * x_mean)


def decay_curvature(eigenvalues: Float[np.ndarray, " r"], first_rank: int, last_rank: int) -> float:
    """Quadratic coefficient of the weighted fit, positive where the spectrum falls ever faster."""
    x, y, weights = log_log_window(eigenvalues, first_rank, last_rank, at_least=4)
    return float(-np.polyfit(x - weights @ x, y, 2, w=np.sqrt(weights))[0])


def log_log_window(eigenvalues: Float[np.ndarray, " r"], first_rank: int, last_rank: int,
                   at_least: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """ln rank, ln eigenvalue and weight of each rank of a window; the weights 1 / rank are scaled to sum to 1."""
    if last_rank - first_rank + 1 < at_least:
        raise ValueError(f"a fit needs at least {at_least} ranks, got the window {first_rank}-{last_rank}")
    usable = int(np.sum(eigenvalues > 0))
    if usable < last_rank:
        raise Undefined(f"the window ends at rank {last_rank} and only {usable} eigenvalues are positive")
    ranks = np.arange(first_rank, last_rank + 1)
    return np.log(ranks), np.log(eigenvalues[first_rank - 1:last_rank]), (1 / ranks) / np.sum(1 / ranks)


@lru_cache(maxsize=64)
def noise_spectrum(n: int, d: int) -> Float[np.ndarray, " r"]:
    """Covariance eigenvalues expected of n x d isotropic noise, largest first, up to a common factor.

    The k-th of r = min(n - 1, d) is the quantile 1 - (k - 1/2) / r of the Marchenko-Pastur law, whose distribution
    function is closed in the angle t of lambda = 1 + y - 2 sqrt(y) cos t, y = r / max(n - 1, d).
    """
    few, many = sorted((n - 1, d))
    y, root = few / many, np.sqrt(few / many)
    t = np.linspace(0, np.pi, 4097)
    turned = np.arctan2((1 + root) * np.sin(t / 2), (1 - root) * np.cos(t / 2))
    below = (np.sin(t) / root + (1 + y) / (2 * y) * t - (1 - y) / y * turned) / np.pi
    spectrum = 1 + y - 2 * root * np.cos(np.interp(1 - (np.arange(few) + 0.5) / few, below, t))
    spectrum.flags.writeable = False
    return spectrum


def alpha_of_noise(x: Moments, first_rank: int, last_rank: int) -> float:
    """The alpha of isotropic noise of as many rows and columns."""
    return of_noise(lambda *window: decay_line(*window)[0], x, first_rank, last_rank)


def curvature_of_noise(x: Moments, first_rank: int, last_rank: int) -> float:
    """The curvature of isotropic noise of as many rows and columns."""
    return of_noise(decay_curvature, x, first_rank, last_rank)


def of_noise(fit: Callable[..., float], x: Moments, first_rank: int, last_rank: int) -> float:
    """A fit to the spectrum of isotropic noise of as many rows and columns, or nan where it has no such window."""
    fits = last_rank <= min(x.n - 1, len(x.mean))
    return fit(noise_spectrum(x.n, len(x.mean)), first_rank, last_rank) if fits else float("nan")


WINDOW = (Param(name="first_rank", default=11, low=1, high=10_000, help="First rank of the fit, from 1."),
          Param(name="last_rank", default=50, low=3, high=10_000, help="Last rank of the fit."))
_SHARED: dict[str, Any] = {
    "arity": 1, "takes": "moments", "returns": "scalar", "unit": "", "invariant_to": SIMILARITY, "min_samples": 4,
    "cost": "n d^2 + d^3", "params": WINDOW,
    "leaves_two_out": True,
    "uncertainty": "jackknife over documents, which also leaves out two groups at a time: neighbouring eigenvalues "
                   "repel",
}

MEASURES = (
    Measure(name="alpha_weighted_least_squares", fn=alpha_weighted_least_squares, version=3, bounds=(0.0, np.inf),
            label="Spectral decay exponent α", symbol="α", direction="larger: the eigenspectrum falls faster",
            chance=alpha_of_noise, reference="agrawal2022alpha",
            null="α of isotropic noise of the same n and d over the window, from the Marchenko-Pastur law: small, "
                 "positive, not 0",
            caveats="Biased at small n: down when the window is a small part of the spectrum, up when it reaches "
                    "towards its end. Neighbouring eigenvalues are not independent, so the fit's own standard "
                    "error is not an error bar. Not the density exponent of weight matrices.", **_SHARED),
    Measure(name="alpha_log_log_curvature", fn=alpha_log_log_curvature, version=1, bounds=(-np.inf, np.inf),
            label="Log-log curvature of the spectrum", symbol="κ",
            direction="larger: the eigenspectrum falls ever faster; 0 is a power law", chance=curvature_of_noise,
            reference="stringer2019high",
            null="curvature of isotropic noise of the same n and d over the window, from the Marchenko-Pastur law",
            caveats="Depends on the window and, like α, on n: too few rows bend the end of a power law down.",
            **_SHARED | {"leaves_two_out": False,
                         "uncertainty": "none: neighbouring eigenvalues repel, and the jackknife is too wide for it "
                                        "(an interval held 98.7 %)"}),
)
