"""Correlation dimension: how fast the number of pairs of near rows grows with the distance."""

import numpy as np

from analysis.errors import Undefined
from analysis.measure import Measure
from analysis.measures._dimension import CAUTION, SEARCHED
from analysis.neighbours import Neighbours

NEAR, FAR = 10, 20


def correlation_dimension(x: Neighbours) -> float:
    """Slope of the share of pairs of rows within a distance, over that distance, both logarithmic, between two radii.

    With C(r) the share of pairs of rows nearer than r, and r_1 and r_2 the medians over rows of the distances to the
    10th and the 20th nearest row:

        d = log(C(r_2) / C(r_1)) / log(r_2 / r_1)

    Parameters
    ----------
    x : neighbours of n distinct rows, any unit

    Returns
    -------
    Dimensions, from 0 (no pair has a distance between the two radii).

    Raises Undefined with fewer than 21 distinct rows, and where both radii are equal.
    Reference: Grassberger & Procaccia 1983.
    """
    distances = x.nearest(FAR)[1]
    near, far = np.median(distances[:, NEAR - 1]), np.median(distances[:, FAR - 1])
    if near == far:
        raise Undefined(f"the {NEAR}th and the {FAR}th nearest rows of a row are equally far")
    return float(np.log(x.within(far).sum() / x.within(near).sum()) / np.log(far / near))


MEASURES = (
    Measure(name="correlation_dimension", fn=correlation_dimension, label="Correlation dimension",
            symbol="d<sub>corr</sub>", returns="scalar", reference="grassberger1983measuring",
            caveats=CAUTION.format("23", 5000) + "Biased lowest of these estimators. Both radii are the same for all "
                    "rows, so dense groups of rows count most.", **SEARCHED),
)
