"""Finite-sample bias taken away by extrapolation from halves of the documents (Quenouille 1956)."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Int

from analysis.errors import Undefined
from analysis.moments import Moments, centred
from analysis.textrows import TextRows

SPLITS = 4


def extrapolated(rows: TextRows, statistic: Callable[[Moments], float], splits: int = SPLITS) -> float:
    """A statistic at infinitely many rows, from its value on all n rows and on halves of the documents.

    With the bias inversely proportional to the number of rows, and both means over the halves h of all splits:

        theta* = theta - (mean theta_h - theta) / (n mean(1 / n_h) - 1)

    which is 2 theta - mean theta_h for halves of equal size. Documents stay whole, so rows of one document, which
    repeat each other, count for as little in a half as in the whole.

    Parameters
    ----------
    rows : n x d rows with their documents
    statistic : moments of rows -> number

    Returns
    -------
    theta*, on the scale of the statistic; not confined to its range.

    Raises Undefined with fewer than 2 documents, and where a half has fewer rows than the covariance of all rows has
    positive eigenvalues: sample eigenvalues then miss directions and their bias is no longer proportional to 1 / n.
    """
    whole = Moments.of(rows.x)
    rank = int(np.sum(whole.covariance_eigenvalues > 0))
    parts = [mask for first in halves(rows, splits) for mask in (first, ~first)]
    sizes = np.array([mask.sum() for mask in parts])
    if sizes.min() < rank:
        raise Undefined(f"half of the documents has {sizes.min()} rows, and the correction needs as many as the "
                        f"{rank} positive eigenvalues; use a larger probe or a token policy with more rows")
    value = statistic(whole)
    of_halves = np.mean([statistic(Moments.of(rows.x[mask])) for mask in parts])
    return float(value - (of_halves - value) / (len(rows) * np.mean(1 / sizes) - 1))


def halves(rows: TextRows, splits: int = SPLITS) -> list[Bool[np.ndarray, " n"]]:
    """The rows of one half in each of several random splits of the documents, the same for the same rows.

    Documents are dealt in pairs of like size, one to each side at random, so that halves differ by less than the
    largest document has rows.
    """
    documents, sizes = np.unique(rows.documents, return_inverse=True, return_counts=True)[1:]
    if len(sizes) < 2:
        raise Undefined(f"halves need at least 2 documents, got {len(sizes)}")
    order = _order(rows, documents)
    rng = np.random.default_rng(0)
    return [_dealt(rng.permutation(order), sizes, rng)[documents] for _ in range(splits)]


def _order(rows: TextRows, documents: Int[np.ndarray, " n"]) -> Int[np.ndarray, " m"]:
    """Documents by the squared distance of their rows from the mean, which does not know how they are numbered."""
    return np.argsort(np.bincount(documents, weights=np.sum(centred(rows.x)**2, axis=1)))


def _dealt(order: Int[np.ndarray, " m"], sizes: Int[np.ndarray, " m"],
           rng: np.random.Generator) -> Bool[np.ndarray, " m"]:
    """Which documents are on the first side."""
    by_size = order[np.argsort(-sizes[order], kind="stable")]
    first = np.zeros(len(sizes), dtype=bool)
    pairs = by_size[:len(by_size) // 2 * 2].reshape(-1, 2)
    first[rng.permuted(pairs, axis=1)[:, 0]] = True
    if len(by_size) % 2:
        first[by_size[-1]] = sizes[first].sum() < sizes[~first].sum() - sizes[by_size[-1]]
    return first
