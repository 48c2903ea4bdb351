"""Single rows and channels that can decide every other measure: how large the largest of them is."""

from typing import Any

import numpy as np
from jaxtyping import Float

from analysis.errors import Undefined
from analysis.measure import SIMILARITY, Measure, Transform
from analysis.moments import centred


def top_row_leverage_share(x: Float[np.ndarray, "n d"]) -> float:
    """Share of the variance that the row farthest from the mean holds.

    With m the mean of the n x d rows:

        share = max_i ||x_i - m||^2 / sum_i ||x_i - m||^2

    Parameters
    ----------
    x : n x d rows, any unit

    Returns
    -------
    From 1 / n (all rows equally far from the mean) to 1 - 1 / n (all rows but one are the same).

    Raises Undefined when every row is the same. Reference: Rudelson & Vershynin 2007, their row weights, centred.
    """
    squares = _squared_deviations(x)
    return float(squares.sum(axis=1).max() / squares.sum())


def massive_channel_ratio(x: Float[np.ndarray, "n d"]) -> float:
    """Largest magnitude of any entry over the median magnitude of all entries.

    Over the entries x_ij of the n x d rows, not centred:

        ratio = max_ij |x_ij| / median_ij |x_ij|

    Parameters
    ----------
    x : n x d rows, any unit

    Returns
    -------
    Dimensionless, from 1 (all magnitudes equal) upwards; a massive activation has about 1000 or more.

    Raises Undefined when the median is 0. Reference: Sun et al. 2024, whose definition also asks for |x_ij| > 100.
    """
    magnitudes = np.abs(x)
    largest = magnitudes.max()
    median = np.median(magnitudes, overwrite_input=True)
    if median == 0:
        raise Undefined("the median magnitude is 0: half of the entries or more are zero")
    return float(largest / median)


def top_channel_share(x: Float[np.ndarray, "n d"]) -> float:
    """Share of the variance in the channel (column) that varies most.

    With v_j the variance of column j of the n x d rows:

        share = max_j v_j / sum_j v_j

    Parameters
    ----------
    x : n x d rows, any unit

    Returns
    -------
    From 1 / d (all channels vary alike) to 1 (one channel carries all variance).

    Raises Undefined when every row is the same. Reference: Timkey & van Schijndel 2021 (rogue dimensions).
    """
    squares = _squared_deviations(x)
    return float(squares.sum(axis=0).max() / squares.sum())


def _squared_deviations(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    squares = centred(x)**2
    if not squares.any():
        raise Undefined("there is no variance: every row is the same")
    return squares


_SHARED: dict[str, Any] = {
    "arity": 1, "takes": "rows", "returns": "scalar", "unit": "", "min_samples": 4, "cost": "n d", "version": 1,
}
NO_INTERVAL = "none: what one row decides jumps when that row is left out, so no jackknife holds"

MEASURES = (
    Measure(name="top_row_leverage_share", fn=top_row_leverage_share, label="Largest row's share of the variance",
            symbol="max ‖x<sub>i</sub>‖²/Σ", bounds=(0.0, 1.0), direction="larger: one row drives the spectrum",
            invariant_to=SIMILARITY, reference="rudelson2007sampling", uncertainty=NO_INTERVAL,
            null="for isotropic noise in many dimensions a little above 1 / n",
            caveats="Falls as 1 / n by construction, so compare equal n. Several outlying rows share it out and hide "
                    "each other.", **_SHARED),
    Measure(name="massive_channel_ratio", fn=massive_channel_ratio, label="Massive-activation ratio",
            symbol="max|x|/med|x|", bounds=(1.0, np.inf), direction="larger: one entry towers over the typical one",
            invariant_to=frozenset({Transform.ROW_PERMUTATION, Transform.FEATURE_PERMUTATION,
                                    Transform.ISOTROPIC_SCALING}),
            reference="sun2024massive", uncertainty=NO_INTERVAL, log_scale=True,
            null="for Gaussian noise about 6.0 over 10^4 entries and 7.4 over 10^6",
            caveats="One entry decides it, so it grows with n. Massive activations sit mostly at the first token: a "
                    "token policy that drops it will miss them. It depends on the basis.", **_SHARED),
    Measure(name="top_channel_share", fn=top_channel_share, label="Largest channel's share of the variance",
            symbol="max v<sub>j</sub>/Σv", bounds=(0.0, 1.0), direction="larger: one channel drives the spectrum",
            invariant_to=SIMILARITY - {Transform.ORTHOGONAL}, reference="timkey2021all",
            uncertainty="jackknife over documents", null="about 1 / d where all channels vary alike",
            caveats="It depends on the basis: a dominant direction spread over many channels is not seen here, but in "
                    "the top eigenvalue share. One outlying row can drive it.", **_SHARED),
)
