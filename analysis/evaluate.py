"""Measures of stored representations: values with their intervals, and matrices of pairs."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis import registry
from analysis.inference.jackknife import MIN_GROUPS, document_groups, jackknife_interval
from analysis.keys import ResultKey
from analysis.measure import Measure
from analysis.moments import Moments
from analysis.results import Curve, PairMatrix, Scalar
from analysis.store import Representation, Stored

SUBTRACT_ABOVE = 0.1  # share of the variance that must remain


def evaluate(representation: Representation, site: str, keys: Sequence[ResultKey]) -> list[Stored]:
    """Values and intervals of several measures of one site, sharing every eigendecomposition."""
    rows = representation.rows[site]
    moments = Moments.of(rows)
    values = {key: _value(key, rows, moments) for key in keys}
    groups = document_groups(representation.document_ids)
    replicates = _replicates([key for key, value in values.items() if _has_interval(key, value)], rows, moments, groups)
    results = []
    for key, value in values.items():
        if isinstance(value, Scalar) and replicates.get(key):
            low, high = jackknife_interval(value.value, replicates[key].__getitem__, np.bincount(groups))
            value = replace(value, low=low, high=high)
        results.append(Stored(key=key, result=value, n=len(rows), d=rows.shape[1]))
    return results


def _value(key: ResultKey, rows: np.ndarray, moments: Moments) -> Scalar | Curve:
    measure = registry.get(key.measure)
    try:
        return measure(moments if measure.takes == "moments" else rows, **dict(key.params))
    except ValueError as error:
        return Scalar.undefined(str(error))


def _has_interval(key: ResultKey, value: Scalar | Curve) -> bool:
    return isinstance(value, Scalar) and value.defined and registry.get(key.measure).uncertainty != "none yet"


def _replicates(keys: Sequence[ResultKey], rows: np.ndarray, moments: Moments,
                groups: np.ndarray) -> dict[ResultKey, list[float]]:
    """Each measure without each group of documents; a measure that is undefined without one of them is left out.

    Groups come one after the other and are dropped again, so memory holds one scatter matrix and not one a group.
    """
    found: dict[ResultKey, list[float]] = {key: [] for key in keys}
    count = int(groups.max()) + 1
    for group in range(count if keys and count >= MIN_GROUPS else 0):
        kept = groups != group
        left_out = _left_out(moments, rows, kept)
        for key in list(found):
            value = _value(key, rows[kept], left_out)
            if isinstance(value, Scalar) and value.defined:
                found[key].append(value.value)
            else:
                del found[key]
    return found


def _left_out(moments: Moments, rows: np.ndarray, kept: np.ndarray) -> Moments:
    """Moments of the kept rows: by subtraction, or afresh where little variance is left and rounding would fill it."""
    rest = moments - Moments.of(rows[~kept])
    return rest if np.trace(rest.scatter) > SUBTRACT_ABOVE * np.trace(moments.scatter) else Moments.of(rows[kept])


def pair_matrix(rows: Sequence[np.ndarray], columns: Sequence[np.ndarray], measure: Measure,
                 params: dict[str, int]) -> PairMatrix:
    """A pair measure between every row array and every column array."""
    values = np.full((len(rows), len(columns)), np.nan)
    chance = np.full_like(values, np.nan)
    reasons: set[str] = set()
    for i, x in enumerate(rows):
        for j, y in enumerate(columns):
            result = measure(x, y, **params)
            if not isinstance(result, Scalar):
                raise TypeError(f"{measure.name} must return a scalar to fill a matrix")
            values[i, j], chance[i, j] = result.value, np.nan if result.chance is None else result.chance
            reasons |= {result.reason} - {""}
    return PairMatrix(values=values, chance=None if np.isnan(chance).all() else chance, reasons=tuple(sorted(reasons)))
