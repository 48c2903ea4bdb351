"""Intrinsic dimension over depth, over training and over scale, each beside its controls, and the level above which an
estimate is a lower bound."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import plotly.graph_objects as go

from analysis.figures import legend, trajectory
from analysis.figures.theme import SYMBOLS, Style, axis_title, dress, faded, shade
from analysis.keys import site_order
from analysis.measure import Measure
from analysis.results import Panel

LOWER_BOUND = 20.0
FIRST, SHUFFLED = "first checkpoint", "shuffled tokens"
DASHES = {"": "solid", FIRST: "dash", SHUFFLED: "dot"}  # by the control that a record is of
HEADROOM = 1.05

Records = Sequence[dict[str, Any]]


def profile(records: Records, measure: Measure, colours: dict[str, str], style: Style) -> go.Figure:
    """One line over the sites, from input to output, for each run and checkpoint, its interval as a band."""
    sites = sorted({record["site"] for record in records}, key=site_order)
    ordered = sorted(records, key=lambda record: sites.index(record["site"]))
    figure = _lines(ordered, "revision", list(dict.fromkeys(record["revision"] for record in records)), "site", measure,
                    colours, style)
    figure.update_xaxes(type="category", categoryorder="array", categoryarray=sites,
                        title_text="Site, from input to output")
    return mark(figure, style)


def by_scale(records: Records, measure: Measure, colours: dict[str, str], style: Style) -> go.Figure:
    """One line over the number of neighbours for each run and site: near on the left, where noise weighs most, and far
    on the right, where the cloud bends."""
    sites = sorted({record["site"] for record in records}, key=site_order)
    scales = sorted({record["scale"] for record in records})
    figure = _lines(records, "site", sites, "scale", measure, colours, style)
    figure.update_xaxes(type="log", tickvals=scales, ticktext=[str(scale) for scale in scales],
                        title_text="Scale s: neighbour 2s over neighbour s")
    return mark(figure, style)


def over_training(records: Records, measure: Measure, axis: trajectory.Axis, colours: dict[str, str], style: Style,
                  levels: Records = (), marked: Sequence[str] = ()) -> go.Figure:
    """A trajectory for each run and site, dashed on at the level of its first checkpoint, and dotted the same
    checkpoints on shuffled tokens. `levels` are those of a reference."""
    own = [record for record in records if record["control"] != SHUFFLED]
    figure = trajectory.build(own, Panel("", []), measure, axis, colours, style, (), levels, marked)
    drawn = {trace.name: trace for trace in figure.data if tuple(trace.x) != (None,)}
    for name, line in _grouped(records):
        if name in drawn:
            _add_controls(figure, drawn[name], name, line, measure)
    _say_controls(figure, {record["control"] for record in records}, style)
    return mark(figure, style)


def mark(figure: go.Figure, style: Style) -> go.Figure:
    """The range in which an estimate is a lower bound: tinted, above a dashed line; the axis begins at 0."""
    values = [value for trace in figure.data for value in trace.y if value is not None]
    top = HEADROOM * max([LOWER_BOUND, *values])
    figure.add_shape(type="rect", xref="paper", x0=0, x1=1, y0=LOWER_BOUND, y1=top, layer="below", line={"width": 0},
                     fillcolor=faded(style.muted, 0.12), name="lower bound")
    figure.add_shape(type="line", xref="paper", x0=0, x1=1, y0=LOWER_BOUND, y1=LOWER_BOUND, layer="below",
                     line={"color": style.muted, "width": 1, "dash": "dash"})
    logarithmic = figure.layout.yaxis.type == "log"
    figure.add_annotation(text=f"above about {LOWER_BOUND:g}: a lower bound", xref="paper", x=1, xanchor="right",
                          y=math.log10(LOWER_BOUND) if logarithmic else LOWER_BOUND, yanchor="bottom", showarrow=False,
                          font={"size": style.font_px - 2, "color": style.ink}, opacity=0.8)
    figure.update_yaxes(rangemode="normal" if logarithmic else "tozero")
    return figure


def _lines(records: Records, part: str, parts: Sequence[str], along: str, measure: Measure, colours: dict[str, str],
           style: Style) -> go.Figure:
    """A line along sites or scales for each run, part and control, in the dash of the control."""
    figure = go.Figure()
    runs = list(dict.fromkeys(record["run"] for record in records))
    for run, (index, name), control in itertools.product(runs, enumerate(parts), DASHES):
        line = [r for r in records if (r["run"], r[part], r["control"]) == (run, name, control)]
        if line:
            colour = shade(colours[run], index, len(parts), style)
            _add_line(figure, line, legend.line_name(run, name), control, colour, SYMBOLS[index % len(SYMBOLS)], along,
                      measure)
    dress(figure, style, height=480)
    legend.factor(figure, runs, parts, colours, style)
    _say_controls(figure, {record["control"] for record in records}, style)
    legend.make_room(figure)
    figure.update_yaxes(title_text=axis_title(measure.label, measure.symbol, measure.unit),
                        type="log" if measure.log_scale else "linear")
    return figure


def _add_line(figure: go.Figure, line: Records, name: str, control: str, colour: str, symbol: str, along: str,
              measure: Measure) -> None:
    for has_interval, part in itertools.groupby(line, key=lambda record: record["low"] is not None):
        band = list(part)
        if has_interval and control != SHUFFLED:
            figure.add_trace(go.Scatter(
                x=[r[along] for r in [*band, *reversed(band)]], hoverinfo="skip", showlegend=False, legendgroup=name,
                y=[*(r["high"] for r in band), *(r["low"] for r in reversed(band))], mode="lines", fill="toself",
                fillcolor=faded(colour, 0.16), line={"width": 0}, name=f"{name} interval"))
    said = f"{name}, {control}" if control else name
    place = "s = %{x}<br>" if along == "scale" else ""
    figure.add_trace(go.Scatter(
        x=[record[along] for record in line], y=[record["value"] for record in line], mode="lines+markers", name=said,
        legendgroup=name, showlegend=control != SHUFFLED, connectgaps=False,
        line={"color": colour, "width": 1.5 if control else 2, "dash": DASHES[control]},
        marker={"symbol": symbol, "size": 4 if control == SHUFFLED else 6},
        customdata=[[record["revision"], record["site"], _interval(record), _rows(record)] for record in line],
        hovertemplate=f"%{{customdata[0]}}, %{{customdata[1]}}<br>{measure.symbol} = %{{y:.4g}} %{{customdata[2]}}"
                      f"<br>{place}%{{customdata[3]}}<extra>{said}</extra>"))


def _add_controls(figure: go.Figure, drawn: Any, name: str, line: Records, measure: Measure) -> None:
    """The level of the first checkpoint, and the values on shuffled tokens where the line has the same checkpoints."""
    for record in line:
        if record["control"] == FIRST and record["value"] is not None:
            figure.add_shape(type="line", xref="paper", x0=0, x1=1, y0=record["value"], y1=record["value"],
                             layer="below", line={"color": drawn.line.color, "width": 1, "dash": DASHES[FIRST]})
    shuffled = {r["revision"]: r for r in line if r["control"] == SHUFFLED}
    if not shuffled:
        return
    if drawn.customdata is None:  # a model without training steps is a level from end to end
        x, placed = list(drawn.x), list(shuffled.values()) * 2
    else:
        pairs = [(x, shuffled[row[0]]) for x, row in zip(drawn.x, drawn.customdata, strict=True) if row[0] in shuffled]
        x, placed = [x for x, _ in pairs], [record for _, record in pairs]
    figure.add_trace(go.Scatter(
        x=x, y=[record["value"] for record in placed], mode="lines", name=f"{name}, {SHUFFLED}", legendgroup=name,
        showlegend=False, connectgaps=False, line={"color": drawn.line.color, "width": 1.5, "dash": DASHES[SHUFFLED]},
        customdata=[[record["revision"], _interval(record)] for record in placed],
        hovertemplate=f"%{{customdata[0]}}<br>{measure.symbol} = %{{y:.4g}} %{{customdata[1]}}"
                      f"<extra>{name}, {SHUFFLED}</extra>"))


def _say_controls(figure: go.Figure, controls: set[str], style: Style) -> None:
    for control in (FIRST, SHUFFLED):
        if control in controls:
            figure.add_trace(go.Scatter(x=[None], y=[None], mode="lines", name=control, hoverinfo="skip",
                                        line={"color": style.ink, "width": 1.5, "dash": DASHES[control]}))


def _grouped(records: Records) -> Iterator[tuple[str, Records]]:
    """The records of each line of a trajectory, by its name."""
    names = dict.fromkeys(legend.line_name(record["run"], record["site"]) for record in records)
    for name in names:
        yield name, [r for r in records if legend.line_name(r["run"], r["site"]) == name]


def _rows(record: dict[str, Any]) -> str:
    return f"{record['distinct']} distinct of {record['n']} rows"


def _interval(record: dict[str, Any]) -> str:
    return "" if record["low"] is None else f"[{record['low']:.4g}, {record['high']:.4g}]"
