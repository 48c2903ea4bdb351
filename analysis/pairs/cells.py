"""What the cells of a pair matrix say: interval, chance, and whether a value is above what shuffled documents give."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import t

from analysis.inference.jackknife import MIN_GROUPS, jackknife_variance
from analysis.measure import Measure
from analysis.results import PairMatrix

LEVEL = 0.05
Cells = Float[np.ndarray, "m k"]


@dataclass(frozen=True, eq=False)
class Verdict:
    """Of every cell: mean and threshold of its null, the value calibrated by it, p values alone and for the whole
    matrix. NaN where the value is undefined."""

    mean: Cells
    threshold: Cells
    calibrated: Cells
    p: Cells
    p_any: Cells


def interval(matrix: PairMatrix) -> tuple[Cells, Cells] | None:
    """Ends of the 95 % interval of every cell, from its values without each group of documents."""
    if matrix.replicates is None or matrix.sizes is None or len(matrix.sizes) < MIN_GROUPS:
        return None
    variance = jackknife_variance(matrix.values, matrix.replicates, matrix.sizes)
    half = t.ppf(1 - LEVEL / 2, len(matrix.sizes) - 1) * np.sqrt(variance)
    return matrix.values - half, matrix.values + half


def verdict(matrix: PairMatrix, measure: Measure) -> Verdict | None:
    """Each value against the values after shuffles of the documents, and against the most alike of all cells.

    With s the value, s_k those after K shuffles (all with their signs turned where smaller is more alike), tau the
    ceil((1 - 0.05)(K + 1))-th smallest of s_1 .. s_K, s, and s_max the value of equal representations:

        p = (1 + #{s_k >= s}) / (1 + K)
        calibrated = max(0, (s - tau) / (s_max - tau))

    The p value for the whole matrix sets each z = (s - mean) / sd of its own null against the largest z of the same
    shuffle (Westfall & Young 1993): the search for the best layer pays for itself. Reference: Groger et al. 2026.
    """
    if matrix.null is None:
        return None
    sign = -1.0 if measure.smaller_is_closer else 1.0
    values, null = sign * matrix.values, sign * matrix.null.astype(float)
    draws = len(null)
    unknown = np.isnan(values)
    mean, deviation = null.mean(axis=0), null.std(axis=0, ddof=1)
    exceeding = (null >= values).sum(axis=0)
    rank = int(np.ceil((1 - LEVEL) * (draws + 1))) - 1
    threshold = np.sort(np.concatenate([null, values[None]]), axis=0)[rank]
    best = np.nan if measure.equal is None else sign * measure.equal
    with np.errstate(invalid="ignore", divide="ignore"):
        calibrated = np.maximum(0.0, (values - threshold) / (best - threshold))
        z, shuffled = (values - mean) / deviation, (null - mean) / deviation
    largest = np.nanmax(shuffled.reshape(draws, -1), axis=1, initial=-np.inf)
    return Verdict(mean=sign * mean, threshold=sign * threshold, calibrated=calibrated,
                   p=_known((1 + exceeding) / (1 + draws), unknown),
                   p_any=_known((1 + (largest[:, None, None] >= z).sum(axis=0)) / (1 + draws), unknown))


def _known(values: Cells, unknown: np.ndarray) -> Cells:
    return np.where(unknown, np.nan, values)
