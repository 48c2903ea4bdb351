"""Clouds without structure beyond their covariance, and the test of a cloud against them."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from analysis.errors import Undefined


def leading(x: Float[np.ndarray, "n d"], directions: int) -> Float[np.ndarray, "n k"]:
    """Scores on the leading principal directions of a cloud; all of them have the distances of the cloud itself.

        x - mean = U S V^T,   scores = U S

    Parameters
    ----------
    x : n x d points
    directions : how many, 0 for all

    Returns
    -------
    n x k scores in units of x, by decreasing variance; k is at most the rank. The score farthest from 0 on each
    direction is positive.

    Raises Undefined when all points are the same. Reference: Jolliffe 2002.
    """
    centred = np.asarray(x, dtype=np.float64)
    centred = centred - centred.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    # Values below this are the rounding of the decomposition: numpy.linalg.matrix_rank draws the same line.
    rank = int(np.count_nonzero(s > s.max(initial=0.0) * max(x.shape) * np.finfo(np.float64).eps))
    if not rank:
        raise Undefined(f"all {len(x)} points are the same: they have no principal directions")
    scores = (u * s)[:, :min(directions or rank, rank)]
    farthest = np.abs(scores).argmax(axis=0)
    return scores * np.sign(scores[farthest, np.arange(scores.shape[1])])


def matched_covariance(scores: Float[np.ndarray, "n k"], rng: np.random.Generator) -> Float[np.ndarray, "n k"]:
    """A Gaussian cloud, given that its sample covariance is that of the cloud.

        z = Q S,   Q uniform among n x k with Q^T Q = I and columns that sum to 0

    If the cloud x - mean = U S V^T is Gaussian, of whatever covariance, its U is such a Q, independent of S and V: then
    the cloud is one more of its surrogates, and p is exact. Points drawn from the sample covariance would not do: where
    n is not far above the dimension, their own sample covariance is less even still, and p far too large.

    Parameters
    ----------
    scores : n x k scores of `leading`, all of them; not points in another basis, whose columns are correlated
    rng : the source of chance

    Returns
    -------
    n x k scores in units of x, around 0, with exactly the covariance of the scores.

    Reference: Muirhead 1982.
    """
    return _uncorrelated(rng.standard_normal(scores.shape), scores)


def shuffled_components(scores: Float[np.ndarray, "n k"], rng: np.random.Generator) -> Float[np.ndarray, "n k"]:
    """Each principal component in a random order of its own, made uncorrelated again with those of larger variance.

    Without the second step the shuffled components are correlated by chance, as those of the cloud are not, and p is
    far too large where n is not far above the dimension.

    Parameters
    ----------
    scores : n x k scores of `leading`, all of them; not points in another basis, whose columns are correlated
    rng : the source of chance

    Returns
    -------
    n x k scores in units of x, around 0, with exactly the covariance of the scores. The first component has exactly
    its values, the others nearly where n is far above k.
    """
    return _uncorrelated(rng.permuted(scores, axis=0), scores)


def _uncorrelated(columns: Float[np.ndarray, "n k"], scores: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
    """Columns made orthogonal from left to right, each of the variance of its score."""
    q, r = np.linalg.qr(columns - columns.mean(axis=0))
    return q * np.copysign(np.linalg.norm(scores, axis=0), np.diag(r))


def p_value(statistic: float, null: Sequence[float] | Float[np.ndarray, " m"]) -> float:
    """How often chance alone gives so large a statistic, the cloud itself counted as one of the cases.

        p = (1 + #{null >= statistic}) / (1 + m)

    Parameters
    ----------
    statistic : of the cloud
    null : the same of m surrogates

    Returns
    -------
    From 1 / (1 + m) (larger than all surrogates) to 1 (none is smaller).

    Reference: Phipson & Smyth 2010.
    """
    return float((1 + np.count_nonzero(np.asarray(null) >= statistic)) / (1 + len(null)))
