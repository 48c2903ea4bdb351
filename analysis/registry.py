"""Finds every measure by walking analysis/measures and reading each module's MEASURES."""

import difflib
import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import analysis.measures
from analysis.measure import Measure


@cache
def all_measures() -> Mapping[str, Measure]:
    """Every measure by name, in order of module and then as each module lists them."""
    found: dict[str, Measure] = {}
    for module in sorted(pkgutil.iter_modules(analysis.measures.__path__), key=lambda module: module.name):
        if not module.name.startswith("_"):
            for measure in importlib.import_module(f"analysis.measures.{module.name}").MEASURES:
                if measure.name in found:
                    raise ValueError(f"two measures are named {measure.name}")
                found[measure.name] = measure
    return MappingProxyType(found)


def get(name: str) -> Measure:
    """The measure of that name; an unknown name raises with the nearest known ones."""
    measures = all_measures()
    if name not in measures:
        near = ([known for known in measures if name and name in known][:3]
                or difflib.get_close_matches(name, measures, n=3, cutoff=0.3) or list(measures))
        raise ValueError(f"no measure is named {name!r}; did you mean {', '.join(near)}?")
    return measures[name]


def usual() -> list[Measure]:
    """What a sweep computes that names no measure."""
    return [measure for measure in all_measures().values() if not measure.on_demand]


def of_kind(*, arity: int, returns: str) -> list[Measure]:
    return [m for m in all_measures().values() if m.arity == arity and m.returns == returns]
