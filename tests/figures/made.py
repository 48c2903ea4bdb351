"""Small hand-made records, measures and checks that the tests of all builders share."""

import json
import math
from typing import Any

import numpy as np
import plotly.graph_objects as go
import plotly.io

from analysis.figures.theme import run_colours
from analysis.measure import SIMILARITY, Measure

COLOURS = run_colours(["alpha", "beta", "gamma"])


def measure(**given: Any) -> Measure:
    facts: dict[str, Any] = {
        "name": "made", "fn": np.mean, "arity": 1, "takes": "rows", "returns": "scalar", "label": "Made rank",
        "symbol": "M<sub>1</sub>", "unit": "dimensions", "bounds": (1.0, math.inf), "direction": "larger: more",
        "invariant_to": SIMILARITY, "min_samples": 4, "cost": "n", "caveats": "none", "reference": "gao2017theory",
        "version": 1, "uncertainty": "jackknife over documents", "null": "none"}
    return Measure(**(facts | given))


def record(run: str, step: int | None, value: float | None, *, site: str = "final", width: float | None = 1.0,
           tokens: int | None = None) -> dict[str, Any]:
    """A stored value as compute.records gives it; without a value there is a reason and no interval."""
    bounds = (None, None) if value is None or width is None else (value - width, value + width)
    return {"run": run, "revision": f"step{step}", "step": step, "tokens": tokens, "site": site, "measure": "made",
            "value": value, "low": bounds[0], "high": bounds[1], "n": 40, "d": 8, "fingerprint": "f" * 64,
            "reason": "all rows are the same" if value is None else "", "chance": None}


def named(figure: go.Figure, name: str) -> Any:
    """The one trace of that name."""
    found = [trace for trace in figure.data if trace.name == name]
    assert len(found) == 1, f"{len(found)} traces are named {name}: {[trace.name for trace in figure.data]}"
    return found[0]


def listed(figure: go.Figure) -> list[str]:
    """What the legend names, in its order."""
    shown = [trace for trace in figure.data if trace.showlegend is not False]
    return [trace.name for trace in sorted(shown, key=lambda trace: trace.legendrank or 1000)]


def drawn(figure: go.Figure) -> list[Any]:
    """Traces with points: all but those that stand in the legend only."""
    return [trace for trace in figure.data if tuple(trace.x) != (None,)]


def plain(figure: go.Figure) -> dict[str, Any]:
    """The figure as plain JSON values."""
    return json.loads(figure.to_json())


def numbers(value: Any) -> list[float]:
    """Every number anywhere inside a figure."""
    if isinstance(value, dict):
        return [number for inner in value.values() for number in numbers(inner)]
    if isinstance(value, (list, tuple)):
        return [number for inner in value for number in numbers(inner)]
    if isinstance(value, np.ndarray):
        return numbers(value.tolist())
    return [float(value)] if isinstance(value, (int, float)) and not isinstance(value, bool) else []


def check_figure(figure: go.Figure) -> None:
    """What holds for every figure: numbers are finite, JSON brings it back, and no layout comes from a template."""
    found = numbers(figure.to_dict())
    assert found and all(map(math.isfinite, found)), "a figure holds a number that is not finite"
    again = plotly.io.from_json(figure.to_json())
    assert plain(again) == plain(figure)
    assert "template" not in plain(figure)["layout"] or not plain(figure)["layout"]["template"].get("layout")
