"""Local PCA dimension: how many directions carry variance near a row."""

import numpy as np

from analysis.measure import Measure, Param
from analysis.measures._dimension import CAUTION, SEARCHED
from analysis.moments import centred
from analysis.neighbours import Neighbours

MOST_ROWS = 500
SHARE = 0.05


def local_pca_dimension(x: Neighbours, neighbours: int = 50) -> float:
    """Number of directions with more than 5 % of the strongest one's variance among a row's neighbours, mean over rows.

    With lambda_1 >= lambda_2 >= ... the eigenvalues of the covariance of the k = `neighbours` nearest rows of row i,
    itself left out, over all rows, or 500 evenly spaced ones of more:

        d = mean_i #{j : lambda_j > 0.05 lambda_1}

    Parameters
    ----------
    x : neighbours of n distinct rows, any unit
    neighbours : how many nearest rows of each, k

    Returns
    -------
    Dimensions, from 1 (near every row one direction carries all) to min(k - 1, d).

    Raises Undefined with fewer than k + 1 distinct rows. Reference: Fukunaga & Olsen 1971.
    """
    indices = x.nearest(neighbours)[0]
    chosen = np.linspace(0, len(indices) - 1, min(len(indices), MOST_ROWS)).astype(int)
    return float(np.mean([_directions(x.x[near]) for near in indices[chosen]]))


def _directions(x: np.ndarray) -> int:
    around = centred(x)
    eigenvalues = np.linalg.eigvalsh(around @ around.T)
    return int(np.sum(eigenvalues > SHARE * eigenvalues[-1]))


MEASURES = (
    Measure(name="local_pca_dimension", fn=local_pca_dimension, label="Local PCA dimension", symbol="d<sub>lPCA</sub>",
            returns="scalar", reference="fukunaga1971algorithm",
            caveats=CAUTION.format("36", "any n") + "Never above k - 1, and near it for noise. One far row among the "
                    "neighbours makes the rest look like one direction; the mean over rows dampens that.",
            params=(Param(name="neighbours", default=50, low=3, high=256,
                          help="Number of nearest rows of each row, k."),),
            **{**SEARCHED, "cost": "n^2 d, one search for all dimensions, and 500 k^2 (d + k)",
               "uncertainty": "none: it is measured near at most 500 rows, and others with documents left out"}),
)
