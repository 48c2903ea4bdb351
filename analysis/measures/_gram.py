"""Gram matrices of one side and the cosine between two of them; distances, for whichever measure needs them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from analysis.errors import Undefined
from analysis.measure import Kernel
from analysis.measures.cka import ROUNDING
from analysis.moments import centred


def squared_distances(x: Float[np.ndarray, "n d"], which: Any = slice(None)) -> Float[np.ndarray, "m n"]:
    """From some of the centred rows to all; what is left of an exact cancellation is 0, so equal rows are at 0."""
    squares = np.einsum("nd,nd->n", x, x)
    sums = squares[which][:, None] + squares
    found = sums - 2 * (x[which] @ x.T)
    return np.where(found > ROUNDING * sums, found, 0.0)


def by_cosine(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n n"]:
    """Distance that orders as the cosine does: its negative."""
    norms = np.linalg.norm(x, axis=1)
    if not norms.all():
        raise Undefined("a row of one side is zero: it has no direction")
    return _between_distinct(x / norms[:, None], lambda unit: -(unit @ unit.T))


def by_distance(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n n"]:
    return _between_distinct(centred(x), squared_distances)


def by_inner_product(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n n"]:
    return _between_distinct(x, lambda distinct: -(distinct @ distinct.T))


def _between_distinct(x: Float[np.ndarray, "n d"], pairwise: Callable[[np.ndarray], np.ndarray]
                      ) -> Float[np.ndarray, "n n"]:
    """Computed once for rows that are equal, so that what is equal is so to the last bit and ties are ties."""
    distinct, which = np.unique(x, axis=0, return_inverse=True)
    return pairwise(distinct)[np.ix_(which, which)]


def centred_gram(kernel: Kernel, x: Float[np.ndarray, "n d"], **settings: int) -> Float[np.ndarray, "n n"]:
    """Doubly centred, U-centred where debiased: the kernel's measure is the cosine between two of them."""
    gram = np.array(kernel.rows(kernel.prepare(x, **settings), slice(None)))
    n, lost = (len(gram), 2) if kernel.debiased else (len(gram), 0)
    if kernel.debiased:
        np.fill_diagonal(gram, 0.0)
    size, means = np.linalg.norm(gram), gram.sum(axis=0) / (n - lost)
    gram += means.sum() / (n - lost / 2) - means - means[:, None]
    if kernel.debiased:
        np.fill_diagonal(gram, 0.0)
    if np.linalg.norm(gram) <= ROUNDING * size:
        raise Undefined("one side has no similarity with itself: its rows are all the same, or all equally far apart")
    return gram


def gram_cosine(kernel: Kernel, x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"], **settings: int) -> float:
    """The measure that a kernel makes, from whole Gram matrices."""
    k, m = (centred_gram(kernel, side, **settings) for side in (x, y))
    return float(np.vdot(k, m) / np.linalg.norm(k) / np.linalg.norm(m))


def permutation_mean(kernel: Kernel, x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"],
                      **settings: int) -> float:
    """Mean of the cosine over all permutations of the rows of y: tr(HKH) tr(HLH) / ((n-1) ||HKH|| ||HLH||)."""
    ratios = [np.trace(gram) / np.linalg.norm(gram) for gram in (centred_gram(kernel, z, **settings) for z in (x, y))]
    return float(np.prod(ratios) / (len(x) - 1))
