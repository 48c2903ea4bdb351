"""Measures of stored representations: values with their intervals, and matrices of pairs."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from analysis import registry
from analysis.errors import Undefined
from analysis.inference.jackknife import document_groups, grouped, jackknife_interval
from analysis.keys import ResultKey
from analysis.measure import Measure
from analysis.moments import Moments
from analysis.results import PairMatrix, Scalar
from analysis.store import Representation, Stored


def evaluate(representation: Representation, site: str, keys: Sequence[ResultKey]) -> list[Stored]:
    """Values and intervals of several measures of one site, sharing every eigendecomposition."""
    if not keys:
        return []
    rows, moments = representation.rows[site], representation.moments[site]
    groups = document_groups(representation.document_ids)
    sizes = np.bincount(groups)
    left_out = [moments - Moments.of(part) for part in grouped(rows, groups)]
    results = []
    for key in keys:
        measure, params = registry.get(key.measure), dict(key.params)
        spectral = measure.takes == "moments"
        try:
            value = measure(moments if spectral else rows, **params)
        except ValueError as error:
            value = Scalar.undefined(str(error))
        if isinstance(value, Scalar) and value.defined and measure.uncertainty != "none yet":
            def without(group: int, measure: Measure = measure, params: dict[str, int] = params,
                        spectral: bool = spectral) -> float:
                return _defined(measure(left_out[group] if spectral else rows[groups != group], **params))
            try:
                low, high = jackknife_interval(value.value, without, sizes)
                value = Scalar(value=value.value, low=low, high=high, chance=value.chance)
            except ValueError:
                pass  # too few documents, or undefined without one of them: the value stands without an interval
        results.append(Stored(key=key, result=value, n=len(rows), d=rows.shape[1]))
    return results


def _defined(result: Any) -> float:
    if not result.defined:
        raise Undefined(result.reason)
    return result.value


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
