"""Small figures in a grid: measures down, sites across, one line for each run, all on the same axes."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from analysis.figures import trajectory
from analysis.figures.theme import Style, axis_title, dress
from analysis.figures.trajectory import Axis
from analysis.measure import Measure

PANEL = 150  # pixels of height
GAP, GAPS = 0.03, 0.2  # share of the figure between two panels, and at most between all
TICKS = 2
Records = Sequence[dict[str, Any]]


def build(lines: dict[tuple[str, str, str], Records], measures: Sequence[Measure], sites: Sequence[str], axis: Axis,
          colours: dict[str, str], style: Style) -> go.Figure:
    """A panel for each measure and site, of lines by measure, site and run. One axis for each column and each row, so
    that what is under the pointer is told in every panel of its column."""
    drawn = [record for series in lines.values() for record in series]
    span = trajectory.span_of(drawn, axis)
    rows, columns = [measure.name for measure in measures], list(sites)
    listed = [go.Scatter(x=[None], y=[None], mode="lines", name=run, hoverinfo="skip",
                         line={"color": colours[run], "width": 2}) for run in dict.fromkeys(run for *_, run in lines)]
    notes = [_note(site, sum(ends) / 2, 1, style, yanchor="bottom")
             for site, ends in zip(sites, _parts(len(sites)), strict=True)]
    notes.append(_note(trajectory.TITLES[axis.quantity], 0.5, 0, style, yanchor="top", yshift=-26))
    figure = go.Figure(
        [*(_line(series, run, colours[run], axis, span, _name("x", columns.index(site)), _name("y", rows.index(name)))
           for (name, site, run), series in lines.items()), *listed],
        {"annotations": notes, **_axes(measures, sites)})
    dress(figure, style, height=140 + PANEL * len(measures))
    figure.update_layout(hovermode="x", hoversubplots="axis", margin={"t": 40, "l": 70, "r": 12},
                         legend={"itemclick": False, "itemdoubleclick": False})
    figure.update_xaxes(**_training(axis, span, drawn))
    return figure


def _line(series: Records, run: str, colour: str, axis: Axis, span: tuple[float, float], x: str, y: str) -> go.Scatter:
    """One line, in single precision: a grid has many. An undefined value is a gap."""
    placed = [record for record in series if record[axis.quantity] is not None]
    values = [math.nan if record["value"] is None else record["value"] for record in placed]
    return go.Scatter(
        x=[trajectory.place(record, axis, span) for record in placed], y=np.array(values, dtype=np.float32),
        mode="lines" if len(placed) > 2 else "lines+markers", name=run, showlegend=False, connectgaps=False,
        line={"color": colour, "width": 1.5}, marker={"size": 5}, xaxis=x, yaxis=y, hovertemplate="%{y:.4g}")


def _parts(count: int) -> list[list[float]]:
    """Where each of so many columns or rows begins and ends, as shares of the figure."""
    gap = min(GAP, GAPS / count)
    wide = (1 + gap) / count
    return [[part * wide, min(1.0, (part + 1) * wide - gap)] for part in range(count)]


def _axes(measures: Sequence[Measure], sites: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for column, ends in enumerate(_parts(len(sites))):
        found[_name("xaxis", column)] = {"domain": ends, "anchor": _name("y", len(measures) - 1), "mirror": "all"}
    for row, (measure, ends) in enumerate(zip(measures, reversed(_parts(len(measures))), strict=True)):
        found[_name("yaxis", row)] = {
            "domain": ends, "anchor": "x", "mirror": "all", "nticks": 5,
            "title": {"text": axis_title(measure.symbol, "", measure.unit)},
            "type": "log" if measure.log_scale else "linear"}
    return found


def _note(text: str, x: float, y: float, style: Style, **where: Any) -> dict[str, Any]:
    return {"text": text, "x": x, "y": y, "xref": "paper", "yref": "paper", "xanchor": "center", "showarrow": False,
            "font": {"size": style.font_px, "color": style.ink}, **where}


def _training(axis: Axis, span: tuple[float, float], drawn: Records) -> dict[str, Any]:
    """What all columns say of training, with few ticks for so little room."""
    title = {"title": {"text": ""}}
    values = sorted({record[axis.quantity] for record in drawn if record[axis.quantity] is not None}
                    if axis.quantity != "revision" else ())
    if axis.quantity == "revision":
        return title | {"type": "category"}
    if axis.quantity == "loss":
        return title | {"autorange": "reversed", "nticks": TICKS + 2, "tickangle": 0}
    if not axis.log:
        return title | {"nticks": TICKS + 2, "tickangle": 0, "rangemode": "tozero"}
    places = trajectory.log_ticks([value for value in values if value])
    places = places[::-1][::max(1, math.ceil(len(places) / TICKS))][::-1]
    return title | {"type": "log", "tickangle": 0, "tickvals": [span[0]] * (0 in values) + places,
                    "ticktext": ["0"] * (0 in values) + [trajectory.short(place) for place in places]}


def _name(letter: str, index: int) -> str:
    return f"{letter}{index + 1 if index else ''}"
