"""Information imbalance: how far the nearest neighbours of one representation are neighbours in the other."""

from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

from analysis.measure import SIMILARITY, Measure, Param
from analysis.measures._gram import by_distance
from analysis.measures.neighbours import nearest


def information_imbalance(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"], k: int = 1) -> float:
    """Mean distance rank in Y of the k nearest neighbours in X, as a share of n / 2: what X does not tell of Y.

    With r^Y_ij the rank of row j among the distances from row i in Y, from 1 for the nearest other row to n - 1:

        Delta(X -> Y) = 2 / (n^2 k) sum_i sum_(j : r^X_ij <= k) r^Y_ij

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order
    k : number of nearest neighbours in X

    Returns
    -------
    From (k + 1) / n, near 0 (neighbours in X are neighbours in Y) to 1 for unrelated rows; above 1 where neighbours
    in X lie far apart in Y.

    Raises Undefined when k exceeds n - 1. Reference: Glielmo et al. 2022, equation 4.
    """
    near, away = nearest(by_distance(x), k), by_distance(y)
    np.fill_diagonal(away, np.inf)
    ranks = rankdata(away, method="ordinal", axis=1)
    return float(2 * np.mean(ranks[near]) / len(x))


def information_imbalance_reverse(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"], k: int = 1) -> float:
    """Mean distance rank in X of the k nearest neighbours in Y, as a share of n / 2: what Y does not tell of X.

    With r^X_ij the rank of row j among the distances from row i in X, from 1 for the nearest other row to n - 1:

        Delta(Y -> X) = 2 / (n^2 k) sum_i sum_(j : r^Y_ij <= k) r^X_ij

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order
    k : number of nearest neighbours in Y

    Returns
    -------
    From (k + 1) / n, near 0 (neighbours in Y are neighbours in X) to 1 for unrelated rows; above 1 where neighbours
    in Y lie far apart in X.

    Raises Undefined when k exceeds n - 1. Reference: Glielmo et al. 2022, equation 4.
    """
    return information_imbalance(y, x, k)


_SHARED: dict[str, Any] = {
    "arity": 2, "takes": "rows", "returns": "scalar", "unit": "", "bounds": (0.0, 2.0), "equal": 0.0,
    "invariant_to": SIMILARITY,
    "min_samples": 4, "cost": "n^2 (d1 + d2 + log n)", "version": 1, "reference": "glielmo2022ranking",
    "uncertainty": "none: with rows left out every row has other neighbours and ranks",
    "null": "1, exact over row permutations", "chance": lambda x, y, k: 1.0,
    "params": (Param(name="k", default=1, low=1, high=1_000, help="Number of nearest neighbours looked up."),),
}
_CAVEATS = "Euclidean: a few massive channels decide who is near. Where rows of one document are nearest on both " \
           "sides it is low for unrelated models too. Of equal rows the first count as nearer. "

MEASURES = (
    Measure(name="information_imbalance", fn=information_imbalance, label="Information imbalance, X → Y",
            symbol="Δ(X→Y)", direction="smaller: neighbours in X predict neighbours in Y",
            caveats=_CAVEATS + "Read both directions: low one way only means that X holds more.", **_SHARED),
    Measure(name="information_imbalance_reverse", fn=information_imbalance_reverse,
            label="Information imbalance, Y → X", symbol="Δ(Y→X)",
            direction="smaller: neighbours in Y predict neighbours in X",
            caveats=_CAVEATS + "Read both directions: low one way only means that Y holds more.", **_SHARED),
)
