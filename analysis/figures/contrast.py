"""Differences over training, over stretches of it and over all measures; and runs as arrows between two measures."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import plotly.graph_objects as go

from analysis.figures import trajectory
from analysis.figures.theme import PALETTE, Style, axis_title, dress, faded, shade
from analysis.figures.trajectory import Axis
from analysis.measure import Measure
from analysis.results import Panel

KEPT = "\u00a0"  # a space at which no line is broken
Records = Sequence[dict[str, Any]]
DIFFERS, ALIKE, UNKNOWN = "95 % interval excludes 0", "interval holds 0", "no paired interval"
SYMBOL = {True: "circle", False: "circle-open", None: "x-thin-open"}
SAYS = {True: DIFFERS, False: ALIKE, None: UNKNOWN}
ROW, MOST_NAMED, LINE = 28, 12, 26  # half the pixels of a row; points with names beside them; letters


def over_training(rows: Records, base: str, measure: Measure, axis: Axis, colours: dict[str, str],
                  style: Style) -> go.Figure:
    """A line of differences for each run and site with its band, and a line at 0; filled where the interval excludes 0.
    """
    records = [_of_b(row) for row in rows]
    less = replace(measure, label=f"{measure.label}, minus that of", symbol="", unit="", log_scale=False,
                   bounds=(-math.inf, math.inf))
    figure = trajectory.build(records, Panel("", []), less, axis, colours, style)
    for trace in [trace for trace in figure.data if trace.mode == "lines+markers" and trace.customdata is not None]:
        own = {row["revision_b"]: row for row in rows if trace.name == f"{row['run_b']} · {row['site']}"}
        shown = [own[data[0]] for data in trace.customdata]
        trace.update(
            marker={"symbol": [SYMBOL[row["excludes_0"]] for row in shown], "size": 8},
            customdata=[[_side(row, "b"), _side(row, "a"), _interval(row), _percent(row)] for row in shown],
            hovertemplate=f"%{{customdata[0]}}<br>less %{{customdata[1]}}<br>Δ = %{{y:.4g}} %{{customdata[2]}}"
                          f"%{{customdata[3]}}<extra>{trace.name}</extra>")
    _zero(figure, style, upright=False)
    _say_symbols(figure, {row["excludes_0"] for row in rows if row["value"] is not None}, style)
    figure.update_yaxes(title_text=axis_title(measure.label, "", f"minus {base}"))
    return figure


def stretches(rows: Records, measure: Measure, colours: dict[str, str], style: Style) -> go.Figure:
    """The change over each phase or stage of each run with its paired interval, one row each, in order."""
    shown = [row for row in rows if row["value"] is not None]
    runs = list(dict.fromkeys(row["run"] for row in shown))
    figure = go.Figure()
    for run in runs:
        own = [place for place, row in enumerate(shown) if row["run"] == run]
        figure.add_trace(_points(own, [shown[place] for place in own], "value", run, colours[run]))
    dress(figure, style, height=140 + 2 * ROW * len(shown))
    _zero(figure, style, upright=True)
    _say_symbols(figure, {row["excludes_0"] for row in shown}, style)
    figure.update_yaxes(range=[len(shown) - 0.5, -0.5], tickvals=list(range(len(shown))), ticks="", ticktext=[
        f"{_first(shown, place)}{row['stretch']}<br>{row['revision_a']} to {row['revision_b']}"
        for place, row in enumerate(shown)])
    figure.update_xaxes(title_text=axis_title(f"Change of {measure.symbol}", "", measure.unit), tickangle=0)
    return figure


def ranking(rows: Records, limit: float, correction: str, style: Style) -> go.Figure:
    """Differences in standard errors, largest at the top; filled where the corrected p is at most the limit."""
    figure = go.Figure()
    for name, colour, sign in (("rises", PALETTE[0], 1), ("falls", PALETTE[1], -1)):
        own = [row | {"excludes_0": row[correction] <= limit} for row in rows if row["standardised"] * sign > 0]
        if own:
            trace = _points([_label(row) for row in own], own, "standardised", name, colour)
            trace.update(error_x=None, customdata=[[_side(row, "a"), _side(row, "b"), _change(row), _interval(row),
                                                    f"{row[correction]:.2g}"] for row in own],
                         hovertemplate="%{y}<br>from %{customdata[0]}<br>to %{customdata[1]}<br>Δ = %{customdata[2]} "
                                       "%{customdata[3]}<br>%{x:.1f} standard errors<br>corrected p = %{customdata[4]}"
                                       "<extra></extra>")
            figure.add_trace(trace)
    dress(figure, style, height=150 + 36 * len(rows))
    _zero(figure, style, upright=True)
    figure.update_xaxes(title_text="Change in standard errors<br>(jackknife over documents)", nticks=6, tickangle=0)
    figure.update_yaxes(range=[len(rows) - 0.5, -0.5], categoryorder="array", categoryarray=list(map(_label, rows)),
                        ticks="")
    return figure


def arrows(legs: Sequence[tuple[dict[str, Any], dict[str, Any]]], places: Records, across: Measure, up: Measure,
           colours: dict[str, str], style: Style) -> go.Figure:
    """Checkpoints in the plane of two measures with their intervals as crosses, an arrow from each to the next of its
    run, lighter early and full in colour late."""
    figure = go.Figure()
    runs = list(dict.fromkeys(record["run"] for record in places))
    for number, run in enumerate(runs):
        own = [record for record in places if record["run"] == run]
        beside = "" if len(places) > MOST_NAMED else "bottom center" if number % 2 else "top center"
        figure.add_trace(_crosses(own, run, colours[run], across, up, beside))
        lines = [(a, b) for a, b in legs if a["run"] == run]
        for index, (a, b) in enumerate(lines):
            colour = shade(colours[run], index, len(lines), style)
            figure.add_trace(go.Scatter(
                x=[a["value"], b["value"]], y=[a["up"], b["up"]], mode="lines+markers", showlegend=False,
                legendgroup=run, name=f"{run}: {a['revision']} to {b['revision']}", hoverinfo="skip",
                line={"color": colour, "width": 2}, marker={"symbol": "arrow", "size": 15, "color": colour,
                                                            "standoff": 5, "angleref": "previous"}))
    dress(figure, style, height=560)
    figure.update_xaxes(title_text=axis_title(across.label, across.symbol, across.unit),
                        type="log" if across.log_scale else "linear")
    figure.update_yaxes(title_text=axis_title(up.label, up.symbol, up.unit), type="log" if up.log_scale else "linear")
    return figure


def _label(row: dict[str, Any]) -> str:
    """Measure and site, in lines that leave room for the points on a phone."""
    site = row["site"].replace(" ", KEPT)
    return "<br>".join(textwrap.wrap(f"{row['what']}{KEPT}· {site}", LINE))


def _of_b(row: dict[str, Any]) -> dict[str, Any]:
    """A difference as a record that a trajectory draws: where B is."""
    named = {name.removesuffix("_b"): value for name, value in row.items() if name.endswith("_b")}
    return row | named | {"value": row["value"], "low": row["low"], "high": row["high"], "chance": None}


def _first(rows: Records, place: int) -> str:
    """The name of the run, above the first of its rows."""
    run = rows[place]["run"]
    return "" if place and rows[place - 1]["run"] == run else f"<b>{run}</b><br>"


def _points(y: Sequence[Any], rows: Records, value: str, name: str, colour: str) -> go.Scatter:
    """Values in rows with their intervals to both sides, filled where the interval excludes 0."""
    return go.Scatter(
        x=[row[value] for row in rows], y=y, mode="markers", name=name,
        marker={"color": colour, "size": 9, "symbol": [SYMBOL[row["excludes_0"]] for row in rows],
                "line": {"width": 2, "color": colour}},
        error_x={"type": "data", "symmetric": False, "color": colour, "thickness": 1.5, "width": 4,
                 "array": [0 if row["high"] is None else row["high"] - row["value"] for row in rows],
                 "arrayminus": [0 if row["low"] is None else row["value"] - row["low"] for row in rows]},
        customdata=[[_side(row, "a"), _side(row, "b"), _interval(row), _percent(row)] for row in rows],
        hovertemplate="%{customdata[0]}<br>to %{customdata[1]}<br>Δ = %{x:.4g} %{customdata[2]}%{customdata[3]}"
                      f"<extra>{name}</extra>")


def _crosses(own: Records, run: str, colour: str, across: Measure, up: Measure, beside: str) -> go.Scatter:
    def arms(value: str, low: str, high: str) -> dict[str, Any]:
        return {"type": "data", "symmetric": False, "color": faded(colour, 0.45), "thickness": 1, "width": 0,
                "array": [0 if r[high] is None else r[high] - r[value] for r in own],
                "arrayminus": [0 if r[low] is None else r[value] - r[low] for r in own]}
    return go.Scatter(
        x=[r["value"] for r in own], y=[r["up"] for r in own], mode="markers+text" if beside else "markers", name=run,
        legendgroup=run, text=[r["revision"] for r in own], textposition=beside or None, cliponaxis=False,
        marker={"color": colour, "size": 7}, error_x=arms("value", "low", "high"),
        error_y=arms("up", "up_low", "up_high"),
        customdata=[[r["revision"], _interval(r), _bracket(r["up_low"], r["up_high"])] for r in own],
        hovertemplate=f"%{{customdata[0]}}<br>{across.symbol} = %{{x:.4g}} %{{customdata[1]}}<br>"
                      f"{up.symbol} = %{{y:.4g}} %{{customdata[2]}}<extra>{run}</extra>")


def _zero(figure: go.Figure, style: Style, *, upright: bool) -> None:
    ends = {"x0": 0, "x1": 0, "yref": "paper", "y0": 0, "y1": 1} if upright else \
        {"y0": 0, "y1": 0, "xref": "paper", "x0": 0, "x1": 1}
    figure.add_shape(type="line", layer="below", line={"color": style.ink, "width": 1}, name="no difference", **ends)


def _say_symbols(figure: go.Figure, found: set[bool | None], style: Style) -> None:
    for excludes in (True, False, None):
        if excludes in found:
            figure.add_trace(go.Scatter(
                x=[None], y=[None], mode="markers", name=SAYS[excludes], hoverinfo="skip",
                marker={"symbol": SYMBOL[excludes], "size": 8, "color": style.ink,
                        "line": {"width": 2, "color": style.ink}}))


def _side(row: dict[str, Any], side: str) -> str:
    where = row.get(f"between_{side}") or row[f"revision_{side}"]
    value = row[f"value_{side}"]
    return f"{row[f'run_{side}']} {where}: {'undefined' if value is None else f'{value:.4g}'}"


def _change(row: dict[str, Any]) -> str:
    return f"{row['value']:+.4g}"


def _interval(row: dict[str, Any]) -> str:
    return _bracket(row["low"], row["high"])


def _bracket(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"[{low:.4g}, {high:.4g}]"


def _percent(row: dict[str, Any]) -> str:
    return "" if row["relative"] is None else f"<br>{row['relative']:+.1%}"
