"""Entropy of the eigenvalues of Gram matrices, for one set of rows or for each of many texts."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy.special import entr

from analysis.errors import Undefined

AT_ONCE = 1 << 22  # numbers in the Gram matrices that are held together


def matrix_entropy(rows: Float[np.ndarray, "m d"]) -> float:
    """Entropy in nats of the Gram matrix of the rows, by its smaller side, which has the same positive eigenvalues."""
    return gram_entropy(rows @ rows.T if len(rows) < rows.shape[1] else rows.T @ rows)


def gram_entropy(gram: Float[np.ndarray, "m m"]) -> float:
    """Entropy in nats of the eigenvalues of a positive semi-definite matrix divided by their sum."""
    return float(gram_entropies(gram[None])[0])


def gram_entropies(grams: Float[np.ndarray, "k m m"]) -> Float[np.ndarray, " k"]:
    """Those of several matrices. Raises Undefined when one of them is zero."""
    eigenvalues = np.linalg.eigvalsh(grams).clip(min=0)  # one below 0 is rounding
    sums = eigenvalues.sum(axis=1, keepdims=True)
    if not sums.all():
        raise Undefined("every vector is zero")
    return 0.0 + entr(eigenvalues / sums).sum(axis=1)  # not -0.0


def text_entropies(texts: Sequence[Float[np.ndarray, "t d"]]) -> Float[np.ndarray, " k"]:
    """The matrix entropy of each text; many short ones of a length are one call, as calls would take all the time."""
    found, lengths = np.empty(len(texts)), np.array([len(rows) for rows in texts])
    for length in np.unique(lengths):
        same, least = np.flatnonzero(lengths == length), min(length, texts[0].shape[1])
        step = max(1, AT_ONCE // int(least**2))
        for some in (same[start:start + step] for start in range(0, len(same), step)):
            rows = np.stack([texts[k] for k in some])
            found[some] = gram_entropies(rows @ rows.mT if length == least else rows.mT @ rows)
    return found
