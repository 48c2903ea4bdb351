"""Delete-one-group jackknife over documents, with Student's t for the few groups there are."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Int
from scipy.stats import t

from analysis.errors import Undefined
from analysis.results import Scalar

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
    return change, *jackknife_interval(change, (b.values - a.values).__getitem__, a.sizes)


def jackknife_interval(value: float, without_group: Callable[[int], float], sizes: Int[np.ndarray, " g"],
                       level: float = 0.95) -> tuple[float, float]:
    """Interval of a statistic from its values with each group of rows left out.

    The delete-m_j jackknife of Busing, Meijer & Van der Leeden (1999) for groups of unequal size, h_j = n / m_j:

        theta_j = h_j theta - (h_j - 1) theta_(-j)
        var = mean over j of (theta_j - theta_J)^2 / (h_j - 1)

    Parameters
    ----------
    value : the statistic on all rows
    without_group : group number -> the statistic on the rows of all other groups
    sizes : number of rows in each group

    Returns
    -------
    (low, high) around the value itself; the bias is shown by corrected measures, not removed here.

    Raises Undefined with fewer than 8 groups: an interval from so few would promise more than it can keep.
    """
    groups = len(sizes)
    if groups < MIN_GROUPS:
        raise Undefined(f"an interval needs at least {MIN_GROUPS} documents, got {groups}")
    h = sizes.sum() / sizes
    left_out = np.array([without_group(group) for group in range(groups)])
    pseudo = h * value - (h - 1) * left_out
    centre = groups * value - np.sum((1 - 1 / h) * left_out)
    half = t.ppf(0.5 + level / 2, groups - 1) * np.sqrt(np.mean((pseudo - centre)**2 / (h - 1)))
    return float(value - half), float(value + half)

