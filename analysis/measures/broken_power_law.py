"""A power law with one break: two lines that meet, fitted to the eigenspectrum in log-log coordinates."""

from typing import Any

import numpy as np

from analysis.errors import Undefined
from analysis.measure import SIMILARITY, Measure, Param
from analysis.measures._broken_line import BrokenLine, broken_line
from analysis.measures.spectrum_decay import of_noise
from analysis.moments import Moments


def broken_power_law_head_alpha(x: Moments, first_rank: int = 2, last_rank: int = 50) -> float:
    """Exponent of the first piece of a power law with one break.

    The continuous line of two pieces that minimises the squared residual of ln lambda_k, weights 1 / k, over all breaks
    b that leave each piece at least 4 ranks:

        lambda_k ~ k^-head for k <= b,  k^-tail for k >= b

    Parameters
    ----------
    x : moments of n x d rows, any unit
    first_rank, last_rank : window of ranks, counted from 1, both ends included

    Returns
    -------
    head, dimensionless: larger for faster decay, 0 for a flat head; negative only where the spectrum has steps.

    Raises Undefined when fewer than last_rank eigenvalues are positive.
    Reference: Pospisil & Pillow 2025, for the broken power law; here it is fitted to the sample eigenvalues.
    """
    return broken_line(x.covariance_eigenvalues, first_rank, last_rank).head_alpha


def broken_power_law_tail_alpha(x: Moments, first_rank: int = 2, last_rank: int = 50) -> float:
    """Exponent of the second piece of a power law with one break, in the fit of broken_power_law_head_alpha.

        lambda_k ~ k^-head for k <= b,  k^-tail for k >= b

    Parameters
    ----------
    x : moments of n x d rows, any unit
    first_rank, last_rank : window of ranks, counted from 1, both ends included

    Returns
    -------
    tail, dimensionless: larger for faster decay, 0 for a flat tail; negative only where the spectrum has steps.

    Raises Undefined when fewer than last_rank eigenvalues are positive. Reference: Pospisil & Pillow 2025.
    """
    return broken_line(x.covariance_eigenvalues, first_rank, last_rank).tail_alpha


def broken_power_law_break_rank(x: Moments, first_rank: int = 2, last_rank: int = 50) -> float:
    """Rank at which a power law with one break changes its exponent, every rank b tried.

        b = argmin sum_k (1 / k) (ln lambda_k - line_b(ln k))^2

    Parameters
    ----------
    x : moments of n x d rows, any unit
    first_rank, last_rank : window of ranks, counted from 1, both ends included

    Returns
    -------
    A whole rank, from first_rank + 3 to last_rank - 3.

    Raises Undefined when fewer than last_rank eigenvalues are positive or a single line is exact.
    Reference: Pospisil & Pillow 2025.
    """
    line = broken_line(x.covariance_eigenvalues, first_rank, last_rank)
    return _where_broken(line, float(line.break_rank))


def broken_power_law_gain(x: Moments, first_rank: int = 2, last_rank: int = 50) -> float:
    """Share of the misfit of a single power law that one break removes, RSS with weights 1 / k.

        gain = 1 - RSS(two pieces) / RSS(one line)

    Parameters
    ----------
    x : moments of n x d rows, any unit
    first_rank, last_rank : window of ranks, counted from 1, both ends included

    Returns
    -------
    Share, from 0 (the break removes nothing) to 1 (two lines are exact).

    Raises Undefined when fewer than last_rank eigenvalues are positive or a single line is exact.
    Reference: Pospisil & Pillow 2025.
    """
    line = broken_line(x.covariance_eigenvalues, first_rank, last_rank)
    return _where_broken(line, line.gain)


def _where_broken(line: BrokenLine, value: float | None) -> float:
    if line.gain is None or value is None:
        raise Undefined("a single power law is exact over the window, so it has no break")
    return value


def head_of_noise(x: Moments, first_rank: int, last_rank: int) -> float:
    """The head exponent of isotropic noise of as many rows and columns."""
    return of_noise(lambda *window: broken_line(*window).head_alpha, x, first_rank, last_rank)


def tail_of_noise(x: Moments, first_rank: int, last_rank: int) -> float:
    """The tail exponent of isotropic noise of as many rows and columns."""
    return of_noise(lambda *window: broken_line(*window).tail_alpha, x, first_rank, last_rank)


_SHARED: dict[str, Any] = {
    "arity": 1, "takes": "moments", "returns": "scalar", "invariant_to": SIMILARITY, "min_samples": 4, "version": 2,
    "cost": "n d^2 + d^3", "reference": "pospisil2025revisiting",
    "caveats": "Fitted to sample eigenvalues, so biased at small n as α is: too few rows steepen the tail. Look at the "
               "gain first: a smoothly curved spectrum also gains from a break, and without a break its rank is "
               "arbitrary and both exponents are near α.",
    "params": (Param(name="first_rank", default=2, low=1, high=10_000, help="First rank of the fit, from 1."),
               Param(name="last_rank", default=50, low=7, high=10_000, help="Last rank of the fit.")),
}
_EXPONENT: dict[str, Any] = {
    "unit": "", "bounds": (-np.inf, np.inf),
    "uncertainty": "none: the break jumps from rank to rank, so no jackknife holds (an interval held 86 to 100 %)",
    "null": "the same fit to isotropic noise of the same n and d, from the Marchenko-Pastur law",
}

MEASURES = (
    Measure(name="broken_power_law_head_alpha", fn=broken_power_law_head_alpha, chance=head_of_noise,
            label="Head exponent of a broken power law", symbol="α<sub>head</sub>",
            direction="larger: the eigenspectrum falls faster before the break", **_EXPONENT, **_SHARED),
    Measure(name="broken_power_law_tail_alpha", fn=broken_power_law_tail_alpha, chance=tail_of_noise,
            label="Tail exponent of a broken power law", symbol="α<sub>tail</sub>",
            direction="larger: the eigenspectrum falls faster after the break", **_EXPONENT, **_SHARED),
    Measure(name="broken_power_law_break_rank", fn=broken_power_law_break_rank, label="Break of a broken power law",
            symbol="k<sub>b</sub>", unit="rank", bounds=(1.0, np.inf), direction="larger: the exponent changes later",
            uncertainty="none: the break jumps from rank to rank, so no jackknife holds",
            null="none: a power law has no break, and any rank may come out", **_SHARED),
    Measure(name="broken_power_law_gain", fn=broken_power_law_gain, label="Gain of a broken power law", symbol="g",
            unit="share", bounds=(0.0, 1.0), direction="larger: one break explains more of the misfit of a power law",
            uncertainty="none: the break jumps from rank to rank, so no jackknife holds (the interval of a change held "
                        "99 to 100 %)",
            null="about 0.1 to 0.2 for an exact power law seen through n rows; above 0.9 for isotropic noise, whose "
                 "spectrum is curved", **_SHARED),
)
