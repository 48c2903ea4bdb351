"""Do two groups of diagrams come from the same process? A test that exchanges their labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from jaxtyping import Bool, Float

from analysis.errors import Undefined
from analysis.topology.diagrams import Bars

MOST_EXACT = 1_024  # labellings that are all tried
RANDOM = 999  # labellings that are tried where there are more
ROUNDING = 1e-12  # of a loss: two labellings this close have the same loss, summed in another order


@dataclass(frozen=True, kw_only=True, eq=False)
class TwoSample:
    """`loss` is `within_a` + `within_b`, mean distances of two draws of one group; `between` is that of a draw of A and
    one of B. `p` is the share of the `labellings` tried, that of the groups as they are among them, whose loss is no
    larger. `distances` are those of all draws, those of A first."""

    loss: float
    p: float
    labellings: int
    within_a: float
    within_b: float
    between: float
    distances: Float[np.ndarray, "2B 2B"]


def two_sample(a: Sequence[Bars], b: Sequence[Bars], distance: Callable[[Bars, Bars], float], *, paired: bool,
               seed: int = 0) -> TwoSample:
    """Permutation test of the joint loss of two groups of B diagrams: are draws closer within groups than at random?

    The loss is the sum over both groups of the mean distance of two draws of the group:

        loss = 2 / (B (B - 1)) (sum_(i < j) d(a_i, a_j) + sum_(i < j) d(b_i, b_j))
        p = share of labellings with a loss not above that of the groups as they are

    Of the paper's losses F_(p,q) it is the one with q = 1, up to a constant: distances are not squared. All labellings
    are tried where there are at most 1024, else 999 random ones beside that of the groups.

    The p value is valid only where draws are exchangeable under the null hypothesis. So the draws of one group must
    share no document: draws that overlap are closer to each other than to new ones, and p comes out too small. And
    where draw j of A and draw j of B are of the same documents, say `paired`: labels are then exchanged only within
    pairs. At least 6 pairs, or 4 draws a group that are not paired, can give p < 0.05.

    Parameters
    ----------
    a, b : diagrams of B draws each, of one dimension
    distance : symmetric, such as distances.wasserstein
    paired : whether draw j of a and draw j of b belong together
    seed : of the random labellings

    Returns
    -------
    TwoSample, with p from 1 / labellings (no labelling has so small a loss) to 1.

    Raises Undefined for fewer than 2 draws a group, ValueError when the groups differ in size.
    Reference: Robinson & Turner 2017.
    """
    draws = len(a)
    if len(b) != draws:
        raise ValueError(f"two_sample needs as many draws of both groups, got {draws} and {len(b)}; draw both alike")
    if draws < 2:
        raise Undefined(f"there is {draws} draw of each group, and a distance within a group needs 2")
    distances = _distances([*a, *b], distance)
    in_a = (_paired if paired else _unpaired)(draws, np.random.default_rng(seed))
    within_a, within_b = (_within(distances, members) / comb(draws, 2) for members in (in_a, ~in_a))
    losses = within_a + within_b
    return TwoSample(loss=float(losses[0]), p=float(np.mean(losses <= losses[0] * (1 + ROUNDING))),
                     labellings=len(losses), within_a=float(within_a[0]), within_b=float(within_b[0]),
                     between=float(distances[:draws, draws:].mean()), distances=distances)


def _distances(diagrams: Sequence[Bars], distance: Callable[[Bars, Bars], float]) -> Float[np.ndarray, "m m"]:
    found = np.zeros((len(diagrams), len(diagrams)))
    for i, j in combinations(range(len(diagrams)), 2):
        found[i, j] = found[j, i] = distance(diagrams[i], diagrams[j])
    return found


def _within(distances: Float[np.ndarray, "m m"], members: Bool[np.ndarray, "labellings m"]) -> np.ndarray:
    """Sum of the distances between members, for each labelling."""
    chosen = members.astype(np.float64)
    return np.sum(chosen @ distances * chosen, axis=1) / 2


def _paired(draws: int, rng: np.random.Generator) -> Bool[np.ndarray, "labellings m"]:
    """Who is in A, the groups as they are first. The last pair need not be flipped: flipping all pairs only swaps the
    names of the groups."""
    if 2**(draws - 1) <= MOST_EXACT:
        flipped = np.arange(2**(draws - 1))[:, None] >> np.arange(draws) & 1 == 1
    else:
        flipped = np.vstack([np.zeros(draws, dtype=bool), rng.random((RANDOM, draws)) < 0.5])
    return np.hstack([~flipped, flipped])


def _unpaired(draws: int, rng: np.random.Generator) -> Bool[np.ndarray, "labellings m"]:
    """Who is in A, the groups as they are first. Where all are tried the first draw stays in A: the names of the groups
    do not matter."""
    as_they_are = np.arange(2 * draws) < draws
    if comb(2 * draws - 1, draws - 1) <= MOST_EXACT:
        others = np.array(list(combinations(range(1, 2 * draws), draws - 1)))
        in_a = np.zeros((len(others), 2 * draws), dtype=bool)
        in_a[:, 0] = True
        np.put_along_axis(in_a, others, True, axis=1)
        return in_a
    return np.vstack([as_they_are, rng.permuted(np.tile(as_they_are, (RANDOM, 1)), axis=1)])
