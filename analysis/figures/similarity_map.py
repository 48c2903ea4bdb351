"""Checkpoints and sites as points whose distances on paper are near those between the representations."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from analysis.figures import legend
from analysis.figures.theme import Style, dress, shade
from analysis.keys import site_order

REFERENCE = "reference"


def build(records: Sequence[dict[str, Any]], shares: tuple[float, float] | None, colours: dict[str, str],
          style: Style, ringed: Sequence[dict[str, Any]] = ()) -> go.Figure:
    """One line for each run and site through its checkpoints, from an open circle to a star; one unit is as long in
    both directions. `shares` are those of squared distance that the axes show, where axes have any of their own. Those
    of the records that are `ringed` are a reference."""
    figure = go.Figure()
    runs = list(dict.fromkeys(record["run"] for record in records))
    sites = sorted({record["site"] for record in records}, key=site_order)
    for run in runs:
        for index, site in enumerate(sites):
            path = [record for record in records if (record["run"], record["site"]) == (run, site)]
            if path:
                _add_path(figure, path, legend.line_name(run, site), shade(colours[run], index, len(sites), style),
                          style)
    ring(figure, [record["x"] for record in ringed], [record["y"] for record in ringed], style)
    dress(figure, style, height=560)
    if len(sites) > 1:
        _add_entries(figure, runs, sites, colours, style)
    for name, symbol in (("first checkpoint", "circle-open"), ("last checkpoint", "star")):
        _add_entry(figure, name, marker={"symbol": symbol, "size": 11, "color": style.ink})
    if ringed:
        _add_entry(figure, REFERENCE, marker=_ring(style))
    legend.make_room(figure)
    titles = ([f"Axis {k} ({share:.0%} of squared distance)" for k, share in enumerate(shares, 1)] if shares else
              ["Axis 1 (rad)", "Axis 2 (rad)"])
    figure.update_xaxes(title_text=titles[0], constrain="domain")
    figure.update_yaxes(title_text=titles[1].replace(" (", "<br>("), scaleanchor="x", scaleratio=1)
    return figure


def ring(figure: go.Figure, x: Sequence[float], y: Sequence[float], style: Style, *, named: bool = False) -> None:
    """A ring around each place of the reference."""
    if x:
        figure.add_trace(go.Scatter(x=list(x), y=list(y), mode="markers", name=REFERENCE, showlegend=named,
                                    marker=_ring(style), hoverinfo="skip", cliponaxis=False))


def _ring(style: Style) -> dict[str, Any]:
    return {"symbol": "circle-open", "size": 19, "color": style.ink, "line": {"width": 2.5}}


def _add_path(figure: go.Figure, path: Sequence[dict[str, Any]], name: str, colour: str, style: Style) -> None:
    last = len(path) - 1
    figure.add_trace(go.Scatter(
        x=[record["x"] for record in path], y=[record["y"] for record in path], mode="lines+markers", name=name,
        legendgroup=name, line={"color": colour, "width": 1.5},
        marker={"symbol": ["star" if k == last else "circle-open" if k == 0 else "circle" for k in range(len(path))],
                "size": [11 if k in (0, last) else 5 for k in range(len(path))], "opacity": 1,
                "line": {"width": [2 if k == 0 else 0 for k in range(len(path))]}},
        customdata=[[record["revision"], record["site"]] for record in path],
        hovertemplate=f"{path[0]['run']}<br>%{{customdata[0]}}, %{{customdata[1]}}<extra></extra>"))


def _add_entries(figure: go.Figure, runs: Sequence[str], sites: Sequence[str], colours: dict[str, str],
                 style: Style) -> None:
    """Runs by their colours and sites by their shades, in place of an entry for each pair of them."""
    figure.update_traces(showlegend=False)
    alone = len(runs) == 1
    for run in () if alone else runs:
        _add_entry(figure, run, line={"color": colours[run], "width": 2})
    for index, site in enumerate(sites):
        colour = shade(colours[runs[0]] if alone else style.ink, index, len(sites), style)
        _add_entry(figure, site, marker={"symbol": "square", "size": 10, "color": colour})


def _add_entry(figure: go.Figure, name: str, **drawn: Any) -> None:
    figure.add_trace(go.Scatter(x=[None], y=[None], mode="lines" if "line" in drawn else "markers", name=name,
                                hoverinfo="skip", **drawn))
