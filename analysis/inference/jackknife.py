"""Delete-one-group jackknife over documents, with Student's t for the few groups there are."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import t

from analysis.errors import Undefined
from analysis.results import Replicates, Scalar

MAX_GROUPS, MIN_GROUPS = 25, 8


def document_groups(document_ids: Sequence[str]) -> Int[np.ndarray, " n"]:
    """Group number of each row: one group a document, or up to 25 groups of whole documents, dealt in turn.

    Deal documents in order of size, largest first, so groups are near equal in rows; ties go by name.
    """
    names, inverse, counts = np.unique(np.asarray(document_ids), return_inverse=True, return_counts=True)
    if len(names) <= MAX_GROUPS:
        return inverse
    rank = np.empty(len(names), dtype=int)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(names))
    return rank[inverse] % MAX_GROUPS


def paired_change(before: Scalar, after: Scalar) -> tuple[float, float, float] | None:
    """Change of a value between two checkpoints, and the ends of its 95 % interval: each group of documents is left
    out at both, so what moves both alike cancels. None where either has no replicates, or of other groups."""
    a, b = before.replicates, after.replicates
    if a is None or b is None or not np.array_equal(a.sizes, b.sizes):
        return None
    change = after.value - before.value
    pairs = None if a.without_pairs is None or b.without_pairs is None else b.without_pairs - a.without_pairs
    return change, *interval(change, Replicates(b.values - a.values, a.sizes, pairs))


def interval(value: float, replicates: Replicates) -> tuple[float, float]:
    """The 95 % interval of a value from its replicates."""
    return jackknife_interval(value, replicates.values.__getitem__, replicates.sizes,
                              without_pairs=replicates.without_pairs)


def pairs_of(groups: int) -> Int[np.ndarray, "p 2"]:
    """The groups that are left out together: 0 and 1, 2 and 3, and so on; the last of an odd number is in no pair."""
    return np.arange(groups // 2 * 2).reshape(-1, 2)


def jackknife_interval(value: float, without_group: Callable[[int], float], sizes: Int[np.ndarray, " g"],
                       level: float = 0.95, without_pairs: Float[np.ndarray, " p"] | None = None,
                       ) -> tuple[float, float]:
    """Interval of a statistic from its values with each group of rows left out.

    The delete-m_j jackknife of Busing, Meijer & Van der Leeden (1999) for groups of unequal size, h_j = n / m_j:

        theta_j = h_j theta - (h_j - 1) theta_(-j)
        var = mean over j of (theta_j - theta_J)^2 / (h_j - 1)

    Parameters
    ----------
    value : the statistic on all rows
    without_group : group number -> the statistic on the rows of all other groups
    sizes : number of rows in each group
    without_pairs : the statistic without both groups of each of pairs_of(g); the variance is then less what these show

    Returns
    -------
    (low, high) around the value itself; the bias is shown by corrected measures, not removed here.

    Raises Undefined with fewer than 8 groups: an interval from so few would promise more than it can keep.
    """
    groups = len(sizes)
    if groups < MIN_GROUPS:
        raise Undefined(f"an interval needs at least {MIN_GROUPS} documents, got {groups}")
    left_out = np.array([without_group(group) for group in range(groups)])
    variance = jackknife_variance(value, left_out, sizes)
    if without_pairs is not None:
        variance -= min(_together(value, left_out, without_pairs, sizes), variance) / 2
    half = t_quantile(level, groups - 1) * np.sqrt(variance)
    return float(value - half), float(value + half)


@cache
def t_quantile(level: float, freedom: int) -> float:
    """How many standard errors hold so much of Student's t on both sides; pages ask for the same one thousands of
    times."""
    return float(t.ppf(0.5 + level / 2, freedom))


def jackknife_variance(value: Any, left_out: np.ndarray, sizes: Int[np.ndarray, " g"]) -> Any:
    """The variance of jackknife_interval, of one statistic or of an array of them."""
    h = (sizes.sum() / sizes).reshape(-1, *[1] * np.ndim(value))
    pseudo = h * value - (h - 1) * left_out
    centre = len(sizes) * value - np.sum((1 - 1 / h) * left_out, axis=0)
    return np.mean((pseudo - centre)**2 / (h - 1), axis=0)


def _together(value: float, without_group: Float[np.ndarray, " g"], without_pairs: Float[np.ndarray, " p"],
              sizes: Int[np.ndarray, " g"]) -> float:
    """Variance of what groups do together and not one by one (Efron & Stein 1981), from second differences.

        q_ij = n theta - (n - m_i) theta_(-i) - (n - m_j) theta_(-j) + (n - m_i - m_j) theta_(-ij)
        mean over pairs of q_ij^2 / (2 m_i m_j)

    The jackknife counts the variance of what k groups do together k times, and this counts it k (k - 1) / 2 times. Less
    half of this, the jackknife counts it once or up to 1.5 times for k up to 4. Never less than half of the jackknife
    is kept: all that k = 2 leaves where it is all there is.
    """
    n, (i, j) = sizes.sum(), pairs_of(len(sizes)).T
    bend = (n * value - (n - sizes[i]) * without_group[i] - (n - sizes[j]) * without_group[j]
            + (n - sizes[i] - sizes[j]) * without_pairs)
    return float(np.mean(bend**2 / (2 * sizes[i] * sizes[j])))

