"""Intrinsic dimension from distances to nearest neighbours: TwoNN, maximum likelihood, GRIDE at one or all scales."""

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq

from analysis.errors import Undefined
from analysis.measure import Measure, Param
from analysis.measures._dimension import CAUTION, SEARCHED
from analysis.neighbours import Neighbours


def intrinsic_dimension_twonn(x: Neighbours) -> float:
    """Intrinsic dimension from how much farther the second neighbour of a row is than the first, by a linear fit.

    With mu_i = r_2 / r_1 the ratio of the distances of row i to its two nearest rows, in increasing order, and
    F_i = i / n, the slope of the line through 0, the largest tenth of the ratios left out:

        d = sum_i log(mu_i) (-log(1 - F_i)) / sum_i log(mu_i)^2

    Parameters
    ----------
    x : neighbours of n distinct rows, any unit

    Returns
    -------
    Dimensions, above 0; near 0 where rows come in tight pairs.

    Raises Undefined with fewer than 3 distinct rows, and where both neighbours of every row are equally far.
    Reference: Facco et al. 2017.
    """
    ratios = np.sort(_log_ratios(x, 1))
    kept = len(ratios) * 9 // 10
    rises = -np.log1p(-np.arange(1, kept + 1) / len(ratios))
    if not ratios[kept - 1]:
        raise Undefined("the two nearest rows of nearly every row are equally far")
    return float(ratios[:kept] @ rises / (ratios[:kept] @ ratios[:kept]))


def intrinsic_dimension_mle(x: Neighbours, neighbours: int = 20) -> float:
    """Intrinsic dimension by maximum likelihood from the distances of each row to its k nearest, inverses averaged.

    With r_j the distance of row i to its j-th nearest row, for k = `neighbours`:

        1 / d = mean_i 1 / (k - 1) sum_(j < k) log(r_k / r_j)

    Parameters
    ----------
    x : neighbours of n distinct rows, any unit
    neighbours : how many nearest rows of each, k

    Returns
    -------
    Dimensions, above 0; near 0 where rows come in tight clumps of fewer than k.

    Raises Undefined with fewer than k + 1 distinct rows, and where all k are equally far.
    Reference: Levina & Bickel 2004, averaged as MacKay & Ghahramani 2005.
    """
    distances = x.nearest(neighbours)[1]
    inverse = np.mean(np.log(distances[:, -1:] / distances[:, :-1]))
    if not inverse:
        raise Undefined(f"the {neighbours} nearest rows of every row are equally far")
    return float(1 / inverse)


def intrinsic_dimension_gride(x: Neighbours, scale: int = 8) -> float:
    """Intrinsic dimension by maximum likelihood from how much farther twice as many neighbours reach.

    With mu_i = r_(2s) / r_s the ratio of the distances of row i to its 2s-th and its s-th nearest row, for s = `scale`,
    the root d of the derivative of the likelihood, with n - 1 for n so that s = 1 (TwoNN) has no bias:

        (n - 1) / d + (s - 1) sum_i log(mu_i) / (1 - mu_i^-d) = (2s - 1) sum_i log(mu_i)

    Parameters
    ----------
    x : neighbours of n distinct rows, any unit
    scale : the nearer of the two neighbours, s

    Returns
    -------
    Dimensions, above 0; near 0 where rows come in tight clumps of between s and 2s.

    Raises Undefined with fewer than 2s + 1 distinct rows, and where both neighbours of every row are equally far.
    Reference: Denti et al. 2022.
    """
    ratios = _log_ratios(x, scale)
    n, total = len(ratios), ratios.sum()
    if not total:
        raise Undefined(f"neighbours {scale} and {2 * scale} of every row are equally far")

    def slope(d: float) -> float:
        each = np.divide(ratios, -np.expm1(-d * ratios), out=np.full(n, 1 / d), where=ratios > 0)
        return float((n - 1) / d + (scale - 1) * each.sum() - (2 * scale - 1) * total)

    # 1 and t are at most t / (1 - exp(-t)), which is at most 1 + t: the root lies between these over 2s - 1 and over s
    least = (n - 1 + (scale - 1) * n) / total
    return brentq(slope, least / (4 * scale), 2 * least / scale, xtol=1e-14 * least / scale, rtol=1e-14)


def intrinsic_dimension_gride_by_scale(x: Neighbours) -> Float[np.ndarray, " scales"]:
    """Intrinsic dimension by GRIDE at scales s = 1, 2, 4, ..., from the finest to the coarsest.

    With d(s) the value of intrinsic_dimension_gride at scale s, over all s whose 2s-th neighbours were searched:

        d(1), d(2), d(4), ..., d(128) at most

    Parameters
    ----------
    x : neighbours of n distinct rows, any unit

    Returns
    -------
    Dimensions, above 0, in order of scale. Noise raises the first ones, curvature and the edge change the last.

    Raises Undefined with fewer than 3 distinct rows, and as intrinsic_dimension_gride does.
    Reference: Denti et al. 2022.
    """
    scales = 2 ** np.arange(max(x.distances.shape[1].bit_length() - 1, 1))
    return np.array([intrinsic_dimension_gride(x, int(scale)) for scale in scales])


def _log_ratios(x: Neighbours, scale: int) -> Float[np.ndarray, " n"]:
    """Logarithm of how much farther the neighbour of twice this number is."""
    _, distances = x.nearest(2 * scale)
    return np.log(distances[:, -1] / distances[:, scale - 1])


MEASURES = (
    Measure(name="intrinsic_dimension_twonn", fn=intrinsic_dimension_twonn, label="Intrinsic dimension (TwoNN)",
            symbol="d<sub>TwoNN</sub>", returns="scalar", reference="facco2017estimating",
            caveats=CAUTION.format("34", 5000) + "It looks at the finest scale there is, so noise raises it: 5 "
                    "dimensions with noise of 3 % in 768 read 23. See intrinsic_dimension_gride_by_scale.",
            **SEARCHED),
    Measure(name="intrinsic_dimension_mle", fn=intrinsic_dimension_mle, label="Intrinsic dimension (MLE)",
            symbol="d<sub>MLE</sub>", returns="scalar", reference="levina2004maximum",
            caveats=CAUTION.format("30", 5000) + "It takes the density as even over the k neighbours: edges and "
                    "uneven density lower it, more so for larger k. Noise raises it.",
            params=(Param(name="neighbours", default=20, low=2, high=256,
                          help="Number of nearest rows of each row, k."),), **SEARCHED),
    Measure(name="intrinsic_dimension_gride", fn=intrinsic_dimension_gride, label="Intrinsic dimension (GRIDE)",
            symbol="d<sub>GRIDE</sub>", returns="scalar", reference="denti2022generalized",
            caveats=CAUTION.format("29", 5000) + "It depends on the scale: small ones see noise, large ones see edges, "
                    "uneven density and curvature.",
            params=(Param(name="scale", default=8, low=1, high=128,
                          help="The nearer of the two neighbours, s; the other is the 2s-th."),), **SEARCHED),
    Measure(name="intrinsic_dimension_gride_by_scale", fn=intrinsic_dimension_gride_by_scale,
            label="Intrinsic dimension by scale (GRIDE)", symbol="d<sub>GRIDE</sub>(s)", returns="spectrum",
            reference="denti2022generalized", caveats=CAUTION.format("34 at s = 1, 29 at 8, 22 at 128", 5000)
            + "Values that fall with the scale say noise; a plateau is the dimension to read.", **SEARCHED),
)
