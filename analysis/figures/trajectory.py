"""A measure of several runs and sites against training, with the loss or another quantity below it."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from analysis.figures import legend
from analysis.figures.shading import add_shades
from analysis.figures.theme import SYMBOLS, Style, axis_title, dress, faded, shade
from analysis.keys import site_order
from analysis.measure import Measure
from analysis.results import Panel, Shade

TITLES = {"step": "Training (optimizer steps)", "tokens": "Training (tokens)", "revision": "Stage",
          "share": "Training (% of the steps of each run's last checkpoint)",
          "loss": "Loss on the probe (nats/token), falling to the right"}
MOST_BANDS = 16  # of more lines the bands would cover each other, and the lines
NO_BANDS = " Of so many lines no bands are drawn; the intervals are in the labels of the points and in the table."


@dataclass(frozen=True)
class Axis:
    """What runs along the bottom: "step", "tokens", the "share" of a run's steps, the "loss" or, for stages without
    steps, "revision"; and whether its scale is logarithmic, which that of names and of the loss never is."""

    quantity: str = "step"
    log: bool = True

    @property
    def is_logarithmic(self) -> bool:
        return self.log and self.quantity not in ("revision", "loss")


@dataclass(frozen=True)
class Drawn:
    """A measure with its records, those of the measure that corrects it, which are drawn dotted, and the values of a
    reference, which are levels from end to end."""

    measure: Measure
    records: Sequence[dict[str, Any]]
    corrected: Sequence[dict[str, Any]] = ()
    levels: Sequence[dict[str, Any]] = ()


def build(records: Sequence[dict[str, Any]], panel: Panel, measure: Measure, axis: Axis, colours: dict[str, str],
          style: Style, shades: Sequence[Shade] = (), levels: Sequence[dict[str, Any]] = (),
          marked: Sequence[str] = ()) -> go.Figure:
    """One line for each run and site, its interval as a band, undefined values as gaps; the panel below, if filled."""
    return stack([Drawn(measure, records, levels=levels)], panel, axis, colours, style, shades, marked)


def stack(panels: Sequence[Drawn], panel: Panel, axis: Axis, colours: dict[str, str], style: Style,
          shades: Sequence[Shade] = (), marked: Sequence[str] = ()) -> go.Figure:
    """Several measures of the same runs and sites above each other on one axis, phases shaded behind all of them.

    `marked` names the checkpoints that have a thin line through all panels.
    """
    below = [row for row in panel.rows if row.get(axis.quantity) is not None]
    rows = len(panels) + bool(below)
    heights = [0.72] * len(panels) + [0.28] * bool(below)
    figure = make_subplots(rows=rows, shared_xaxes=True, vertical_spacing=0.06 if rows < 3 else 0.04,
                           row_heights=[height / sum(heights) for height in heights])
    everything = [*itertools.chain.from_iterable(drawn.records for drawn in panels), *below]
    span = span_of(everything, axis)
    lines = [record for drawn in panels for record in drawn.records]
    bands = len({(record["run"], record["site"]) for record in lines}) <= MOST_BANDS
    for row, drawn in enumerate(panels, 1):
        _add_panel(figure, row, drawn, axis, colours, style, span, bands)
    for run in dict.fromkeys(record["run"] for record in everything) if below else ():
        _add_below(figure, [row for row in below if row["run"] == run], colours[run], axis, span, panel.label, rows)
    dress(figure, style, height=460 if rows == 1 else 600 if rows == 2 else 760)
    runs = list(dict.fromkeys(record["run"] for record in lines))
    legend.factor(figure, runs, sorted({record["site"] for record in lines}, key=site_order), colours, style)
    _set_axes(figure, rows, axis, span, everything)
    if below:
        title = panel.label[:1].upper() + panel.label[1:].replace(" (", "<br>(")
        figure.update_yaxes(title_text=title, row=rows, col=1)
    add_shades(figure, shades, runs, lambda record: place(record, axis, span), colours, style)
    for mark in dict.fromkeys(place(r, axis, span) for r in lines if r["revision"] in marked):
        if mark is not None:
            figure.add_vline(x=mark, line={"color": style.ink, "width": 1, "dash": "dot"}, opacity=0.6, layer="below")
    said = "" if bands or all(record["low"] is None for record in lines) else NO_BANDS
    figure.update_layout(meta={"axis": axis.quantity, "said": said})  # charts of one axis are hovered together
    legend.make_room(figure)
    return figure


def _add_panel(figure: go.Figure, row: int, drawn: Drawn, axis: Axis, colours: dict[str, str], style: Style,
               span: tuple[float, float], bands: bool) -> None:
    measure, before = drawn.measure, len(figure.data)
    sites = sorted({record["site"] for record in drawn.records}, key=site_order)
    for run in dict.fromkeys(record["run"] for record in drawn.records):
        for index, site in enumerate(sites):
            colour, symbol = shade(colours[run], index, len(sites), style), SYMBOLS[index % len(SYMBOLS)]
            series, corrected = ([record for record in records if record["run"] == run and record["site"] == site]
                                 for records in (drawn.records, drawn.corrected))
            name = legend.line_name(run, site)
            _add_series(figure, series, name, colour, symbol, axis, span, measure, bands)
            if corrected:
                _add_corrected(figure, corrected, f"{name}{legend.CORRECTED}", colour, axis, span)
    named = [record["revision"] for record in drawn.records] if axis.quantity == "revision" else span
    for index, record in enumerate(drawn.levels):
        _add_level(figure, record, legend.line_name(record["run"], record["site"]),
                   shade(style.ink, index, len(drawn.levels), style), (named[0], named[-1]), dash="dashdot")
    _add_chance(figure, drawn.records, axis, span, style)
    listed = {trace.legendgroup for trace in figure.data[:before] if trace.showlegend is not False}
    for trace in figure.data[before:]:
        trace.update(xaxis=f"x{row}" if row > 1 else "x", yaxis=f"y{row}" if row > 1 else "y",
                     showlegend=False if trace.legendgroup in listed else trace.showlegend)
    figure.update_yaxes(title_text=axis_title(measure.label, measure.symbol, measure.unit), row=row, col=1,
                        type="log" if measure.log_scale else "linear")
    if measure.bounds == (0.0, 1.0):
        figure.update_yaxes(range=[0, 1.02], row=row, col=1)


def place(row: dict[str, Any], axis: Axis, span: tuple[float, float]) -> float | None:
    """Where a record stands along the axis."""
    value = row.get(axis.quantity)
    return span[0] if axis.is_logarithmic and value == 0 else value


def span_of(rows: Sequence[dict[str, Any]], axis: Axis) -> tuple[float, float]:
    """Where 0 stands on a logarithmic axis (a third of the first step, under a tick that says 0), and the last step."""
    positive = [row[axis.quantity] for row in rows if row[axis.quantity] and axis.quantity != "revision"]
    return (min(positive) / 3, max(positive)) if positive else (1.0, 10.0)


def _add_series(figure: go.Figure, series: list[dict[str, Any]], name: str, colour: str, symbol: str, axis: Axis,
                span: tuple[float, float], measure: Measure, bands: bool) -> None:
    if len(series) == 1 and series[0][axis.quantity] is None:
        _add_level(figure, series[0], name, colour, span)
        return
    placed = [record for record in series if record[axis.quantity] is not None]
    x = [place(record, axis, span) for record in placed]
    band_x, band_y = _outline(x, placed) if bands else ([], [])
    if band_x:
        figure.add_trace(go.Scatter(
            x=band_x, y=band_y, mode="lines", fill="toself", fillcolor=faded(colour, 0.16), line={"width": 0},
            hoverinfo="skip", showlegend=False, legendgroup=name, name=f"{name} interval"))
    figure.add_trace(go.Scatter(
        x=x, y=[record["value"] for record in placed], mode="lines+markers", name=name, legendgroup=name,
        line={"color": colour, "width": 2}, marker={"symbol": symbol, "size": 6}, connectgaps=False,
        customdata=[[record["revision"], _interval(record), record["run"], _size(record), record["site"]]
                    for record in placed],
        hovertemplate=f"%{{customdata[0]}}<br>{measure.symbol} = %{{y:.4g}} %{{customdata[1]}}<br>%{{customdata[3]}}"
                      f"<extra>{name}</extra>"))


def _add_chance(figure: go.Figure, records: Sequence[dict[str, Any]], axis: Axis, span: tuple[float, float],
                style: Style) -> None:
    """What the measure would be with nothing to find, where it knows that: one muted line for each level there is."""
    levels: dict[float, list[float | None]] = {}
    for record in records:
        if record.get("chance") is not None and record[axis.quantity] is not None:
            levels.setdefault(float(f"{record['chance']:.4g}"), []).append(place(record, axis, span))
    for level, places in levels.items():
        figure.add_trace(go.Scatter(
            x=[places[0], places[-1]], y=[level, level], mode="lines", name="with nothing to find",
            legendgroup="chance", line={"color": style.muted, "width": 1.5, "dash": "dash"},
            hovertemplate="with nothing to find: %{y:.4g}<extra></extra>", showlegend=level == min(levels)))


def _add_corrected(figure: go.Figure, series: list[dict[str, Any]], name: str, colour: str, axis: Axis,
                   span: tuple[float, float]) -> None:
    placed = [record for record in series if record[axis.quantity] is not None]
    if not placed:
        return
    figure.add_trace(go.Scatter(
        x=[place(record, axis, span) for record in placed], y=[record["value"] for record in placed], mode="lines",
        name=name, legendgroup=name, line={"color": colour, "width": 1.5, "dash": "dot"}, connectgaps=False,
        customdata=[[record["revision"], _interval(record)] for record in placed],
        hovertemplate=f"%{{customdata[0]}}<br>%{{y:.4g}} %{{customdata[1]}}<extra>{name}</extra>"))


def _outline(x: Sequence[float | None], placed: Sequence[dict[str, Any]]) -> tuple[list, list]:
    """The interval along its upper ends and back along its lower ones; one closed shape on each side of a gap."""
    across: list[float | None] = []
    up: list[float | None] = []
    pairs = zip(x, placed, strict=True)
    for has_interval, part in itertools.groupby(pairs, key=lambda pair: pair[1]["low"] is not None):
        if has_interval:
            places, records = zip(*part, strict=True)
            gap = [None] if across else []
            across += [*gap, *places, *reversed(places)]
            up += [*gap, *(r["high"] for r in records), *(r["low"] for r in reversed(records))]
    return across, up


def _add_level(figure: go.Figure, record: dict[str, Any], name: str, colour: str, span: tuple[Any, Any],
               dash: str = "dot") -> None:
    """A model without training steps, or a reference: a level to compare with, from end to end, and its interval."""
    if record["low"] is not None:
        figure.add_trace(go.Scatter(
            x=[*span, *reversed(span)], y=[record["high"]] * 2 + [record["low"]] * 2, mode="lines", fill="toself",
            fillcolor=faded(colour, 0.08), line={"width": 0}, hoverinfo="skip", showlegend=False, legendgroup=name,
            name=f"{name} interval"))
    figure.add_trace(go.Scatter(
        x=list(span), y=[record["value"]] * 2, mode="lines", name=name, legendgroup=name,
        line={"color": colour, "dash": dash, "width": 2},
        hovertemplate=f"{record['revision']}<br>%{{y:.4g}} {_interval(record)}<br>{_size(record)}"
                      f"<extra>{name}</extra>"))


def _add_below(figure: go.Figure, rows: list[dict[str, Any]], colour: str, axis: Axis, span: tuple[float, float],
               label: str, row: int) -> None:
    figure.add_trace(go.Scatter(
        x=[place(row, axis, span) for row in rows], y=[row["value"] for row in rows], showlegend=False, name=label,
        mode="lines+markers" if len(rows) < 100 else "lines", line={"color": colour, "width": 1.5}, marker={"size": 4},
        hovertemplate=f"{axis.quantity} %{{x}}<br>{label} = %{{y:.4g}}<extra></extra>"), row=row, col=1)


def _interval(record: dict[str, Any]) -> str:
    return "" if record["low"] is None else f"[{record['low']:.4g}, {record['high']:.4g}]"


def _size(record: dict[str, Any]) -> str:
    """Rows and width, and what decides the bias of a spectral measure: their ratio."""
    n, d = record.get("n"), record.get("d")
    return f"n = {n}, d = {d}, n/d = {n / d:.1f}" if n and d else ""


def _set_axes(figure: go.Figure, last: int, axis: Axis, span: tuple[float, float],
              rows: Sequence[dict[str, Any]]) -> None:
    figure.update_xaxes(title_text=TITLES[axis.quantity], row=last, col=1)
    values = [row[axis.quantity] for row in rows if row[axis.quantity] is not None]
    if not values:
        figure.update_xaxes(showticklabels=False, title_text="No training steps: one model", ticks="")
    elif axis.quantity == "revision":
        figure.update_xaxes(type="category")
    elif axis.quantity == "loss":
        figure.update_xaxes(autorange="reversed")
    elif axis.log:
        places = log_ticks(sorted({value for value in values if value}))
        figure.update_xaxes(type="log", tickvals=([span[0]] if 0 in values else []) + places,
                            ticktext=(["0"] if 0 in values else []) + [short(value) for value in places])


def log_ticks(values: Sequence[float]) -> list[float]:
    """Powers of ten among the values; where fewer than two fit, 1-2-5 steps, and then the ends themselves."""
    if not values:
        return []
    powers = [10.0**k for k in range(math.floor(math.log10(values[0])), math.ceil(math.log10(values[-1])) + 1)]
    for steps in ((1,), (1, 2, 5)):
        places = [step * power for power in powers for step in steps if values[0] <= step * power <= values[-1]]
        if len(places) >= 2:
            return places
    return sorted({values[0], values[-1]})


def short(value: float) -> str:
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
