"""Topological RSA of one pair at every two thresholds at once: the triangle l <= u."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from analysis.measures.topological_rsa import distance_ranks, geotopological, percentile

AT_ONCE = 65_536  # pairs of rows whose shares of all bins stand in memory at the same time


@dataclass(frozen=True, eq=False)
class Triangle:
    """trsa by lower threshold (row) and upper threshold (column), both in percent of the pairs of rows; NaN where l
    is above u, or where one side's distances are all flattened to the same value."""

    percents: Int[np.ndarray, " g"]
    values: Float[np.ndarray, "g g"]


def triangle(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"], step: int = 5) -> Triangle:
    """trsa of two representations for all thresholds l <= u that are multiples of `step` percent.

    A flattened rank is, up to scale, a sum over the bins k between neighbouring thresholds of how far the rank reaches
    into each, so that each covariance of flattened ranks is the sum over a square of one small matrix:

        f_k(r) = min(max(r, Q(k)), Q(k + 1)) - Q(k)
        cov(G_x, G_y) ~ sum over l <= j, k < u of cov(f_j(r_x), f_k(r_y))

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order
    step : distance between thresholds in percent, a divisor of 100

    Returns
    -------
    The thresholds, and values from -1 to 1 that are those of trsa at every two of them.

    Raises Undefined when all distances of one side are the same. Reference: Lin & Kriegeskorte 2024.
    """
    if step < 1 or 100 % step:
        raise ValueError(f"step is {step}; it must be a divisor of 100, such as 5")
    percents = np.arange(0, 101, step)
    ranks = distance_ranks(x), distance_ranks(y)
    cuts = [np.array([percentile(in_order, int(percent)) for percent in percents]) for in_order in map(np.sort, ranks)]
    cross, own_x, own_y = (_square_sums(part) for part in _covariances(*ranks, *cuts))
    with np.errstate(invalid="ignore", divide="ignore"):  # squares without a bin, which the steps below fill
        values = cross / np.sqrt(own_x) / np.sqrt(own_y)
    for low, high in zip(*np.triu_indices(len(percents)), strict=True):
        if any(cut[low] == cut[high] for cut in cuts):
            values[low, high] = _correlation(*(geotopological(r, int(percents[low]), int(percents[high]))
                                               for r in ranks))
    return Triangle(percents, values)


def _covariances(r_x: np.ndarray, r_y: np.ndarray, cuts_x: np.ndarray, cuts_y: np.ndarray) -> list[np.ndarray]:
    """Covariances between the bins of x and of y, of x and x, and of y and y."""
    bins = len(cuts_x) - 1
    products, sums = np.zeros((2 * bins, 2 * bins)), np.zeros(2 * bins)
    for start in range(0, len(r_x), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        reached = np.hstack([_reached(r_x[part], cuts_x), _reached(r_y[part], cuts_y)])
        products += reached.T @ reached
        sums += reached.sum(axis=0)
    covariance = products / len(r_x) - np.outer(sums, sums) / len(r_x)**2
    return [covariance[:bins, bins:], covariance[:bins, :bins], covariance[bins:, bins:]]


def _reached(ranks: Float[np.ndarray, " m"], cuts: Float[np.ndarray, " g"]) -> Float[np.ndarray, "m b"]:
    """How far into each bin each rank reaches, in shares of all ranks' span."""
    return (np.clip(ranks[:, None], cuts[:-1], cuts[1:]) - cuts[:-1]) / (cuts[-1] - cuts[0])


def _square_sums(covariance: Float[np.ndarray, "b b"]) -> Float[np.ndarray, "g g"]:
    """[l, u]: the sum over the square of bins from l up to, not including, u; NaN for l > u and 0 for l = u."""
    bins = len(covariance)
    found = np.full((bins + 1, bins + 1), np.nan)
    found[-1, -1] = 0.0
    for low in range(bins):
        sums = covariance[low:, low:].cumsum(axis=0).cumsum(axis=1)
        found[low, low:] = np.concatenate([[0.0], np.diag(sums)])
    return found


def _correlation(a: Float[np.ndarray, " m"], b: Float[np.ndarray, " m"]) -> float:
    a, b = a - a.mean(), b - b.mean()
    if not a.any() or not b.any():
        return np.nan
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
