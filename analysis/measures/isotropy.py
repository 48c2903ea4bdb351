"""Isotropy in the senses of the word-embedding literature: even use of the columns' space, and mean cosine."""

from typing import Any

import numpy as np
from jaxtyping import Float

from analysis.errors import Undefined
from analysis.measure import SIMILARITY, Measure, Transform
from analysis.measures.participation_ratio import participation_ratio
from analysis.moments import Moments, centred


def isoscore(x: Moments) -> float:
    """How evenly the variance uses all d dimensions: the participation ratio on a scale from 0 to 1.

    The published steps (PCA, normalised variances, their distance from all ones, two rescalings) come down to, with
    PR the participation ratio of the n x d rows:

        IsoScore = (PR - 1) / (d - 1)

    Parameters
    ----------
    x : moments of n x d rows, any unit; d at least 2

    Returns
    -------
    From 0 (one direction carries all variance) to 1 (all d directions equal); at most (n - 2) / (d - 1) if n <= d.

    Raises Undefined when every row is the same or there is one column. Reference: Rudman et al. 2022, algorithm 1.
    """
    if len(x.mean) < 2:
        raise Undefined("one column has one direction: there is nothing to share out")
    return (participation_ratio(x) - 1) / (len(x.mean) - 1)


def mean_cosine(x: Float[np.ndarray, "n d"]) -> float:
    """Mean cosine similarity over all pairs of different rows.

    With u_i = x_i / ||x_i|| the unit rows, exactly and without forming the pairs:

        mean cosine = (||sum_i u_i||^2 - n) / (n (n - 1))

    Parameters
    ----------
    x : n x d rows, any unit

    Returns
    -------
    From -1 / (n - 1) (directions cancel) over 0 (unrelated directions) to 1 (all rows point the same way).

    Raises Undefined when a row is zero. Reference: Ethayarajh 2019, anisotropy, over all pairs and not a sample.
    """
    norms = np.linalg.norm(x, axis=1)
    if norms.min() == 0:
        raise Undefined("a row is zero, so it has no direction")
    return _mean_over_pairs(x, norms)


def mean_cosine_centred(x: Float[np.ndarray, "n d"]) -> float:
    """Mean cosine similarity over all pairs of different rows, after their mean is subtracted.

    With u_i = (x_i - m) / ||x_i - m|| and m the mean of the rows:

        mean cosine = (||sum_i u_i||^2 - n) / (n (n - 1))

    Parameters
    ----------
    x : n x d rows, any unit

    Returns
    -------
    From -1 / (n - 1) (rows equally far from their mean) upwards, below 1; large where a few rows lie far on one side.

    Raises Undefined when a row equals the mean. Reference: Ethayarajh 2019, after centring as in Mu & Viswanath 2018.
    """
    away = centred(x)
    norms = np.linalg.norm(away, axis=1)
    if norms.min() <= max(x.shape) * np.finfo(np.float64).eps * norms.max():
        raise Undefined("a row equals the mean of the rows to rounding, so it has no direction from there")
    return _mean_over_pairs(away, norms)


def _mean_over_pairs(x: Float[np.ndarray, "n d"], norms: Float[np.ndarray, " n"]) -> float:
    n, total = len(x), (1 / norms) @ x
    return float((total @ total - n) / (n * (n - 1)))


_SHARED: dict[str, Any] = {
    "arity": 1, "returns": "scalar", "unit": "", "min_samples": 4, "version": 1,
    "uncertainty": "jackknife over documents",
}

MEASURES = (
    Measure(name="isoscore", fn=isoscore, takes="moments", label="IsoScore", symbol="ι", bounds=(0.0, 1.0),
            direction="larger: variance uses the dimensions more evenly", invariant_to=SIMILARITY, cost="n d^2",
            reference="rudman2022isoscore", null="for isotropic noise about n / (n + d), and not 1",
            caveats="The participation ratio in another unit: biased down at small n in the same way, and relative to "
                    "d, so models of different width are compared by share and not by number of directions.",
            **_SHARED),
    Measure(name="mean_cosine", fn=mean_cosine, takes="rows", label="Mean cosine similarity", symbol="cos",
            bounds=(-1.0, 1.0), direction="larger: rows point more the same way",
            invariant_to=SIMILARITY - {Transform.TRANSLATION}, cost="n d", reference="ethayarajh2019contextual",
            null="0 for independent directions without a common mean",
            caveats="A common mean, or a few channels of large magnitude, decide it; it says little about how many "
                    "directions carry variance. Read it beside the centred value.", **_SHARED),
    Measure(name="mean_cosine_centred", fn=mean_cosine_centred, takes="rows", label="Mean cosine similarity, centred",
            symbol="cos<sub>c</sub>", bounds=(-1.0, 1.0),
            direction="larger: most rows lie on one side of the mean, a few far on the other", invariant_to=SIMILARITY,
            cost="n d", reference="ethayarajh2019contextual",
            null="about -1 / (n - 1): centred rows of equal norm cancel exactly",
            caveats="Close to 0 by construction unless norms differ strongly, so it measures outlying rows and skew, "
                    "not how many directions are used.",
            **_SHARED | {"uncertainty": "none: centred unit rows nearly cancel, and the jackknife of what is left is "
                                        "too wide"}),
)
