"""A measure against the number of rows it is estimated from: does it still move where the texts end?"""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import plotly.graph_objects as go

from analysis.figures import legend
from analysis.figures.theme import SYMBOLS, Style, axis_title, dress, faded, shade
from analysis.figures.trajectory import log_ticks, short
from analysis.measure import Measure

MARGIN = 0.06  # beside the first and the last point, in powers of ten


def build(records: Sequence[dict[str, Any]], levels: Sequence[dict[str, Any]], corrected: Sequence[dict[str, Any]],
          measure: Measure, colours: dict[str, str], style: Style) -> go.Figure:
    """For each checkpoint its draws as faint points, the line through their means with its band, the value at all rows
    at its end, and the corrected value as a dotted level. A vertical line stands where n = d."""
    figure = go.Figure()
    runs = list(dict.fromkeys(level["run"] for level in levels))
    revisions = list(dict.fromkeys(level["revision"] for level in levels))
    for run in runs:
        for index, revision in enumerate(revisions):
            own, line, dotted = ([row for row in rows if (row["run"], row["revision"]) == (run, revision)]
                                 for rows in (records, levels, corrected))
            colour, name = shade(colours[run], index, len(revisions), style), legend.line_name(run, revision)
            if line:
                _add_draws(figure, own, name, colour, measure)
                _add_line(figure, line, name, colour, SYMBOLS[index % len(SYMBOLS)], measure)
            for record in dotted:
                _add_corrected(figure, record, line, name, colour)
    dress(figure, style, height=520)
    legend.factor(figure, runs, revisions, colours, style)
    legend.make_room(figure)
    sizes = [*(record["n"] for record in records), *(level["d"] for level in levels)]
    places = log_ticks(sorted({level["n"] for level in levels}))
    figure.update_xaxes(type="log", range=[math.log10(min(sizes)) - MARGIN, math.log10(max(sizes)) + MARGIN],
                        title_text="Rows in the estimate, n", tickvals=places,
                        ticktext=[short(place) for place in places])
    figure.update_yaxes(title_text=axis_title(measure.label, measure.symbol, measure.unit),
                        type="log" if measure.log_scale else "linear")
    if measure.bounds == (0.0, 1.0):
        figure.update_yaxes(range=[0, 1.02])
    for d in sorted({level["d"] for level in levels}):
        _add_width(figure, d, style)
    return figure


def _add_draws(figure: go.Figure, records: Sequence[dict[str, Any]], name: str, colour: str, measure: Measure) -> None:
    draws = [record for record in records if record["share"] < 1 and record["value"] is not None]
    figure.add_trace(go.Scatter(
        x=[record["n"] for record in draws], y=[record["value"] for record in draws], mode="markers",
        name=f"{name}, draws", legendgroup=name, showlegend=False, marker={"size": 5, "color": faded(colour, 0.4)},
        customdata=[[_words(record["share"]), record["draw"], _size(record)] for record in draws],
        hovertemplate=f"%{{customdata[0]}}, draw %{{customdata[1]}}<br>{measure.symbol} = %{{y:.4g}}"
                      f"<br>%{{customdata[2]}}<extra>{name}</extra>"))


def _add_line(figure: go.Figure, levels: Sequence[dict[str, Any]], name: str, colour: str, symbol: str,
              measure: Measure) -> None:
    spread = [level for level in levels if level["spread"] is not None]
    if len(spread) > 1:
        figure.add_trace(go.Scatter(
            x=[level["n"] for level in spread] + [level["n"] for level in reversed(spread)],
            y=[level["mean"] + level["spread"] for level in spread]
            + [level["mean"] - level["spread"] for level in reversed(spread)],
            mode="lines", fill="toself", fillcolor=faded(colour, 0.16), line={"width": 0}, hoverinfo="skip",
            showlegend=False, legendgroup=name, name=f"{name} spread"))
    figure.add_trace(go.Scatter(
        x=[level["n"] for level in levels], y=[level["mean"] for level in levels], mode="lines+markers", name=name,
        legendgroup=name, line={"color": colour, "width": 2},
        marker={"symbol": symbol, "size": [11 if level["share"] == 1 else 6 for level in levels]},
        customdata=[[_words(level["share"]), _spread(level), _size(level)] for level in levels],
        hovertemplate=f"%{{customdata[0]}}<br>{measure.symbol} = %{{y:.4g}} %{{customdata[1]}}<br>%{{customdata[2]}}"
                      f"<extra>{name}</extra>"))


def _add_corrected(figure: go.Figure, record: dict[str, Any], levels: Sequence[dict[str, Any]], name: str,
                   colour: str) -> None:
    figure.add_trace(go.Scatter(
        x=[levels[0]["n"], levels[-1]["n"]], y=[record["value"]] * 2, mode="lines", name=f"{name}{legend.CORRECTED}",
        legendgroup=name, line={"color": colour, "width": 1.5, "dash": "dot"},
        hovertemplate=f"corrected at all rows<br>%{{y:.4g}}<br>{_size(record)}<extra>{name}</extra>"))


def _add_width(figure: go.Figure, d: int, style: Style) -> None:
    """Where there are as many rows as dimensions; left of it no estimate can have full rank."""
    figure.add_shape(type="line", xref="x", yref="paper", x0=d, x1=d, y0=0, y1=1, layer="below",
                     line={"color": style.muted, "width": 1, "dash": "dash"}, name=f"n = d = {d}")
    figure.add_annotation(text=f"n = d = {d}", xref="x", yref="paper", x=math.log10(d), y=0, xanchor="left",
                          yanchor="bottom", xshift=3, showarrow=False,
                          font={"size": style.font_px - 2, "color": style.muted})


def _words(share: float) -> str:
    return "all documents" if share == 1 else f"{Fraction(share)} of the documents"


def _spread(level: dict[str, Any]) -> str:
    if level["share"] == 1:
        return ""
    spread = "" if level["spread"] is None else f"± {level['spread']:.2g}"
    return f"{spread}, mean of {level['draws']} draws"


def _size(row: dict[str, Any]) -> str:
    return f"n = {row['n']:.0f}, d = {row['d']}, n/d = {row['n'] / row['d']:.2f}"
