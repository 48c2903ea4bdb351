"""Measures of one stored representation: values with their intervals."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from analysis import registry
from analysis.batches import Stored
from analysis.inference.jackknife import MIN_GROUPS, document_groups, interval, pairs_of
from analysis.keys import Policy, ResultKey
from analysis.measure import Measure
from analysis.moments import Moments
from analysis.neighbours import Neighbours
from analysis.results import Curve, Replicates, Scalar
from analysis.store import Representation
from analysis.textrows import TextRows

SUBTRACT_ABOVE = 0.1  # share of the variance that must remain


def evaluate(representation: Representation, site: str, keys: Sequence[ResultKey]) -> list[Stored]:
    """Values and intervals of several measures of one site, sharing every eigendecomposition and one search."""
    several = any(Policy.gives_several(key.representation.policy) for key in keys)
    rows = TextRows.of(representation.rows[site], representation.row_ids, representation.document_ids, several)
    given = Given.of(rows, Moments.of(rows.x), (registry.get(key.measure) for key in keys))
    plain = {key: _plain(key) for key in keys}
    values = {key: _value(key, given) for key in dict.fromkeys([*keys, *plain.values()])}
    groups = document_groups(representation.document_ids)
    resampled = dict.fromkeys(plain[key] for key in keys if all(_has_interval(one, values[one])
                                                                for one in (key, plain[key])))
    replicates = _replicates(list(resampled), given, groups)
    results = []
    for key in keys:
        value, plugged_in, known = values[key], values[plain[key]], replicates.get(plain[key])
        if isinstance(value, Scalar) and isinstance(plugged_in, Scalar) and value.defined and known:
            low, high = interval(plugged_in.value, known)
            plugged_in = replace(plugged_in, low=low, high=high, replicates=known)
            value = _moved(plugged_in, value, registry.get(key.measure)) if key != plain[key] else plugged_in
        results.append(Stored(key=key, result=value, n=len(rows), d=rows.x.shape[1]))
    return results


@dataclass(frozen=True, eq=False)
class Given:
    """One representation in every form that measures take; neighbours where one takes them and the rows are finite."""

    rows: TextRows
    moments: Moments
    neighbours: Neighbours | None

    @staticmethod
    def of(rows: TextRows, moments: Moments, measures: Iterable[Measure]) -> "Given":
        searched = any(measure.takes == "neighbours" for measure in measures) and moments.is_finite
        return Given(rows, moments, Neighbours.of(rows.x) if searched else None)

    def to(self, measure: Measure) -> Any:
        """What a measure takes."""
        return {"texts": self.rows, "rows": self.rows.x, "moments": self.moments,
                "neighbours": self.neighbours or self.rows.x}[measure.takes]


def _plain(key: ResultKey) -> ResultKey:
    """The result whose replicates give the interval: that of the plug-in measure for a corrected one, else its own."""
    measure = registry.get(key.measure)
    if not measure.spread_of:
        return key
    of = registry.get(measure.spread_of)
    given = {name: value for name, value in key.params if name in {param.name for param in of.params}}
    return replace(key, measure=of.name, version=of.version, params=tuple(sorted(of.settings(given).items())))


def _moved(plain: Scalar, value: Scalar, measure: Measure) -> Scalar:
    """The interval of the plug-in value moved to the corrected one: as wide, or as wide a share of it. Without its
    replicates: a change of the corrected value has noise of its own, that of the halves it is extrapolated from."""
    if plain.low is None or plain.high is None:
        return value
    shift, scale = (0.0, value.value / plain.value) if measure.relative_spread else (value.value - plain.value, 1.0)
    return replace(value, low=scale * plain.low + shift, high=scale * plain.high + shift)


def _value(key: ResultKey, given: Given) -> Scalar | Curve:
    measure = registry.get(key.measure)
    try:
        return measure(given.to(measure), **dict(key.params))
    except ValueError as error:
        return Scalar.undefined(str(error))


def _has_interval(key: ResultKey, value: Scalar | Curve) -> bool:
    return isinstance(value, Scalar) and value.defined and registry.get(key.measure).has_interval


def _replicates(keys: Sequence[ResultKey], given: Given, groups: np.ndarray) -> dict[ResultKey, Replicates]:
    """Each measure without each group of documents, and without each pair of groups where it leaves two out."""
    sizes = np.bincount(groups)
    if len(sizes) < MIN_GROUPS:
        return {}
    found = _without(keys, given, (groups == group for group in range(len(sizes))))
    by_two = [key for key in found if registry.get(key.measure).leaves_two_out]
    pairs = _without(by_two, given, (np.isin(groups, pair) for pair in pairs_of(len(sizes))))
    return {key: Replicates(values, sizes, pairs.get(key)) for key, values in found.items()
            if key in pairs or key not in by_two}


def _without(keys: Sequence[ResultKey], given: Given, parts: Iterable[np.ndarray]) -> dict[ResultKey, np.ndarray]:
    """Each measure without each part of the rows; a measure that is undefined without one of them is left out.

    Parts come one after the other and are dropped again, so memory holds one scatter matrix and not one a part.
    """
    found: dict[ResultKey, list[float]] = {key: [] for key in keys}
    takes = {registry.get(key.measure).takes for key in keys}
    for part in parts if keys else ():
        left_out = _left_out(given, part, takes)
        for key in list(found):
            value = _value(key, left_out)
            if isinstance(value, Scalar) and value.defined:
                found[key].append(value.value)
            else:
                del found[key]
    return {key: np.array(values) for key, values in found.items()}


def _left_out(given: Given, dropped: np.ndarray, takes: Collection[str]) -> Given:
    """The kept rows, copied and searched where something looks at that. Moments come by subtraction, or afresh where
    little variance is left and rounding would fill it."""
    rows, moments = given.rows, given.moments
    if "moments" in takes:
        rest = moments - Moments.of(rows.x[dropped])
        moments = (rest if np.trace(rest.scatter) > SUBTRACT_ABOVE * np.trace(moments.scatter)
                   else Moments.of(rows.x[~dropped]))
    return Given(rows.kept(~dropped) if {"rows", "texts"} & set(takes) else rows, moments,
                 given.neighbours.without(dropped) if given.neighbours and "neighbours" in takes else None)
