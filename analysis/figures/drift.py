"""Similarity to a reference over training, with what shuffled documents give, and between runs at equal steps."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from analysis.figures import legend, trajectory
from analysis.figures.shading import add_shades
from analysis.figures.theme import Style, faded, shade
from analysis.figures.trajectory import Axis
from analysis.measure import Measure
from analysis.results import Panel, Shade

Records = Sequence[dict[str, Any]]


def build(own: Records, between: Records, spread: Records, measure: Measure, axis: Axis, colours: dict[str, str],
          style: Style, shades: Sequence[Shade] = ()) -> go.Figure:
    """A line for each run and site, and in shades of ink for each pair of runs. Of several pairs the range is a band
    in place of their intervals. A thin dashed line is what shuffled documents stay below."""
    pairs = list(dict.fromkeys(record["run"] for record in between))
    known = colours | {name: shade(style.ink, k, len(pairs), style) for k, name in enumerate(pairs)} | {
        record["run"]: style.muted for record in spread}
    plain = [record | {"low": None, "high": None} for record in between] if spread else list(between)
    lines = [*spread, *own, *plain]
    figure = trajectory.build(lines, Panel("", []), measure, axis, known, style)
    where: dict[Any, Any] = {}
    thresholds = []
    for trace in [trace for trace in figure.data if trace.mode == "lines+markers" and trace.customdata is not None]:
        placed = [r for r in [*spread, *own, *between] if legend.line_name(r["run"], r["site"]) == trace.name
                  and r[axis.quantity] is not None]
        where |= {record[axis.quantity]: x for record, x in zip(placed, trace.x, strict=True)}
        _hover(trace, placed, measure)
        if trace.name in {legend.line_name(record["run"], record["site"]) for record in spread}:
            _as_band(trace, style)
        elif any(record["threshold"] is not None for record in placed):
            thresholds.append(_threshold(trace, placed, measure))
    figure.add_traces(thresholds)
    if thresholds:
        figure.add_trace(go.Scatter(x=[None], y=[None], mode="lines", name="95 % of shuffled documents",
                                    hoverinfo="skip", line={"color": style.ink, "width": 1, "dash": "dash"}))
    runs = list(dict.fromkeys(record["run"] for record in own))
    add_shades(figure, shades, runs, lambda row: where.get(row[axis.quantity]), colours, style)
    return figure


def _hover(trace: Any, placed: Records, measure: Measure) -> None:
    trace.update(
        customdata=[[r["revision"], _interval(r), r.get("reference", ""), _null(r)] for r in placed],
        hovertemplate=f"%{{customdata[0]}}, against %{{customdata[2]}}<br>{measure.symbol} = %{{y:.4g}} "
                      f"%{{customdata[1]}}<br>%{{customdata[3]}}<extra>{trace.name}</extra>")


def _as_band(trace: Any, style: Style) -> None:
    """The range over pairs has no line of its own: in the legend it is a tint."""
    trace.update(mode="markers", hoverinfo="skip", hovertemplate=None,
                 marker={"symbol": "square", "size": 11, "color": faded(style.muted, 0.45)})


def _threshold(trace: Any, placed: Records, measure: Measure) -> go.Scatter:
    side = "above" if measure.direction.startswith("smaller") else "below"
    return go.Scatter(
        x=trace.x, y=[record["threshold"] for record in placed], mode="lines", showlegend=False, connectgaps=False,
        name=f"{trace.name}, shuffled", legendgroup=trace.legendgroup,
        line={"color": trace.line.color, "width": 1, "dash": "dash"},
        hovertemplate=f"95 % of shuffled documents stay {side} %{{y:.4g}}<extra>{trace.name}</extra>")


def _interval(record: dict[str, Any]) -> str:
    return "" if record["low"] is None else f"[{record['low']:.4g}, {record['high']:.4g}]"


def _null(record: dict[str, Any]) -> str:
    if record.get("p") is None:
        return ""
    return f"p = {record['p']:.3g}, shuffled documents {record['threshold']:.4g}"
