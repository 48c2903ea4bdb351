"""Dissimilarities of all pairs of rows, as the symmetric matrices whose cosine is a value of RSA.

Every dissimilarity here is a squared Euclidean distance of suitably prepared rows: 1 - cos is half of that between
rows of norm 1, and 1 - corr half of that between centred rows of norm 1. Equal rows are then exactly 0 apart.
"""

import numpy as np
from jaxtyping import Float
from scipy.spatial.distance import pdist, squareform
from scipy.stats import rankdata

from analysis.errors import Undefined
from analysis.moments import centred

ROUNDING = 64 * np.finfo(np.float64).eps  # of the largest term: what is left of an exact cancellation


def of_norm_one(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """Rows in their own direction: half their squared distance is 1 - cos."""
    norms = np.linalg.norm(x, axis=1, keepdims=True)
    if not norms.all():
        raise Undefined("a row has no direction: it is zero or, for correlation, the same in every column")
    return x / norms


def of_mean_zero_and_norm_one(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """Rows standardised over their own columns: half their squared distance is 1 - corr."""
    return of_norm_one(centred(x.T).T)


def spread_out(z: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """The rows, of which some must differ by more than rounding."""
    if np.abs(z - z[0]).max() <= ROUNDING * np.abs(z).max():
        raise Undefined("one side's rows are all the same, or all of the same direction where only that counts")
    return z


def distances(z: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " m"]:
    """Squared Euclidean distances of the m = n (n - 1) / 2 pairs i < j.

    Taken pair by pair: through the Gram matrix, rounding would break the ties that repeated rows make.
    """
    return pdist(spread_out(z), "sqeuclidean")


def varying(values: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
    """The values of all pairs, of which some must differ by more than rounding."""
    if np.ptp(values) <= ROUNDING * values.max():
        raise Undefined("one side's pairs are all equally far apart: there is no pattern to compare")
    return values


def deviations(values: Float[np.ndarray, " m"]) -> Float[np.ndarray, "n n"]:
    """One value a pair, less their mean, as a symmetric matrix whose diagonal does not count."""
    return squareform(values - values.mean())


def by_rank(z: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n n"]:
    """Matrices whose cosine is Spearman's correlation of the distances, ties at their average rank."""
    return deviations(rankdata(varying(distances(z))))


def by_deviation(z: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n n"]:
    """Matrices whose cosine is Pearson's correlation of the distances."""
    return deviations(varying(distances(z)))


def by_size(z: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n n"]:
    """The distances themselves."""
    return squareform(distances(z))


def by_whitened_deviation(z: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n n"]:
    """-H (D - mean D) H / 2 of the distances D: the centred Gram matrix without its isotropic part, so of trace 0."""
    z = centred(spread_out(z))
    gram = z @ z.T
    whitened = gram - np.trace(gram) / (len(z) - 1) * (np.eye(len(z)) - 1 / len(z))
    if np.linalg.norm(whitened) <= ROUNDING * np.linalg.norm(gram):
        raise Undefined("one side's pairs are all equally far apart: there is no pattern to compare")
    return whitened


def matrix_cosine(a: Float[np.ndarray, "n n"], b: Float[np.ndarray, "n n"]) -> float:
    """Cosine of the angle between two matrices as vectors."""
    return float(np.vdot(a, b) / np.linalg.norm(a) / np.linalg.norm(b))
