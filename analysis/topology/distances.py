"""How far two diagrams are apart: the least that bars must move until one diagram is the other.

Bars move in the (birth, death) plane; a move is as long as the larger of its two coordinates (the L-infinity metric),
and a bar that has no partner moves to the diagonal, over half of its length. Exact, and bars may repeat.
"""

from bisect import bisect_left

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from analysis.topology.diagrams import Bars


def bottleneck(a: Bars, b: Bars) -> float:
    """The longest move of the matching whose longest move is shortest.

    Over all matchings of some bars of a with as many of b, the others going to the diagonal:

        d_B = min over matchings of max over moves |move|

    Parameters
    ----------
    a, b : births and deaths of m and of k bars of one dimension, finite

    Returns
    -------
    In the units of the bars, from 0 (the same diagram, up to bars of length 0). Moving every point of a cloud by at
    most e changes it by at most 2 e.

    Raises ValueError when a birth or a death is not finite. Reference: Edelsbrunner & Harer 2010, section VIII.2.
    """
    apart, out_a, out_b = _moves(a, b)
    most = max(out_a.max(initial=0.0), out_b.max(initial=0.0))  # enough, for then all may go to the diagonal
    levels = np.unique(np.concatenate([[0.0], apart[apart <= most], out_a, out_b]))
    return float(levels[bisect_left(levels, True, key=lambda level: _feasible(apart, out_a, out_b, level))])


def wasserstein(a: Bars, b: Bars, order: int = 1) -> float:
    """The sum of all moves, each to the power q, of the matching where it is least.

    Over all matchings of some bars of a with as many of b, the others going to the diagonal:

        W_q = (min over matchings of sum over moves |move|^q)^(1/q)

    Found on the m x k matrix of what a pair saves over sending both its bars to the diagonal, half the size of the
    usual one, which holds a copy of the diagonal for every bar.

    Parameters
    ----------
    a, b : births and deaths of m and of k bars of one dimension, finite
    order : q, 1 or more

    Returns
    -------
    In the units of the bars, from 0 (the same diagram, up to bars of length 0).

    Raises ValueError when a birth or a death is not finite. Reference: Edelsbrunner & Harer 2010, section VIII.2.
    """
    apart, out_a, out_b = _moves(a, b)
    saved = out_a[:, None]**order + out_b**order - apart**order
    rows, columns = linear_sum_assignment(np.maximum(saved, 0.0), maximize=True)
    pays = saved[rows, columns] > 0
    rows, columns = rows[pays], columns[pays]
    # Summed over the moves: what is left of the total less the savings would be rounding for diagrams much alike.
    moves = np.concatenate([apart[rows, columns], np.delete(out_a, rows), np.delete(out_b, columns)])
    return float(np.linalg.norm(moves, ord=order))


def merges_apart(a: Bars, b: Bars) -> float:
    """Sum of the differences between the merges of two clouds of as many points, matched in order: not below W_1.

    With s and t the sorted deaths of the bars of H0, all born at 0:

        sum_i |s_i - t_i|  >=  W_1

    It is the least sum of moves without the diagonal, which some pairs of bars would reach sooner.

    Parameters
    ----------
    a, b : births and deaths of the same number of bars of H0

    Returns
    -------
    In the units of the bars, from 0 (the same merges).

    Raises ValueError when the numbers of bars differ or a bar is not born at 0.
    """
    if len(a) != len(b):
        raise ValueError(f"merges_apart compares clouds of as many points, got {len(a)} and {len(b)} merges; take as "
                         "many rows of each, or use wasserstein")
    if np.any(a[:, 0]) or np.any(b[:, 0]):
        raise ValueError("merges_apart compares bars of H0, which are born at 0, and got one born later; use "
                         "wasserstein for other dimensions")
    return float(np.abs(np.sort(a[:, 1]) - np.sort(b[:, 1])).sum())


def _moves(a: Bars, b: Bars) -> tuple[Float[np.ndarray, "m k"], Float[np.ndarray, " m"], Float[np.ndarray, " k"]]:
    """How far each bar of a is from each of b, and each from the diagonal."""
    a, b = (np.asarray(bars, dtype=np.float64).reshape(-1, 2) for bars in (a, b))
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("a diagram holds a bar that is never born or never dies, and distances are between finite "
                         "bars; leave it out on both sides")
    apart = np.maximum(np.abs(a[:, None, 0] - b[:, 0]), np.abs(a[:, None, 1] - b[:, 1]))
    return apart, (a[:, 1] - a[:, 0]) / 2, (b[:, 1] - b[:, 0]) / 2


def _feasible(apart: Float[np.ndarray, "m k"], out_a: Float[np.ndarray, " m"], out_b: Float[np.ndarray, " k"],
              level: float) -> bool:
    """Whether no move need be longer than `level`.

    The bars too long for the diagonal must all find partners on the other side. If those of a can, and those of b can,
    then one matching serves both (Mendelsohn & Dulmage 1958), so that the sides are looked at one by one.
    """
    near = apart <= level
    return _all_find_partners(near[out_a > level]) and _all_find_partners(near.T[out_b > level])


def _all_find_partners(near: Bool[np.ndarray, "m k"]) -> bool:
    if not near.any(axis=1).all():
        return False
    return not len(near) or bool(np.all(maximum_bipartite_matching(csr_array(near), perm_type="column") >= 0))
