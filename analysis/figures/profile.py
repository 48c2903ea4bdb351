"""A measure over the depth of a few checkpoints, the one that is looked at before the others."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from analysis.figures import legend
from analysis.figures.theme import Style, axis_title, dress, faded
from analysis.keys import site_order
from analysis.measure import Measure

BESIDE_PX = 430  # figures that stand beside each other are equally high


def build(lines: Sequence[Sequence[dict[str, Any]]], names: Sequence[str], measure: Measure, colours: Sequence[str],
          style: Style, site: str = "") -> go.Figure:
    """One line over the sites, from input to output, for each checkpoint; the first is drawn thick with its interval.

    Parameters
    ----------
    lines : the records of each checkpoint
    names, colours : of each line
    site : has a ring on the first line
    """
    sites = sorted({record["site"] for line in lines for record in line}, key=site_order)
    figure = go.Figure()
    for first, line, name, colour in reversed([*zip([True] + [False] * len(lines), lines, names, colours,
                                                    strict=False)]):
        _add(figure, sorted(line, key=lambda record: sites.index(record["site"])), name, colour, measure, first, site)
    dress(figure, style, height=BESIDE_PX)
    figure.update_xaxes(type="category", categoryorder="array", categoryarray=sites,
                        title_text="Site, from input to output")
    figure.update_yaxes(title_text=axis_title(measure.label, measure.symbol, measure.unit),
                        type="log" if measure.log_scale else "linear")
    figure.update_layout(legend={"traceorder": "reversed"})
    legend.make_room(figure)
    return figure


def beside(figure: go.Figure) -> go.Figure:
    """A figure at the height of those beside it."""
    return figure.update_layout(height=BESIDE_PX)


def _add(figure: go.Figure, line: Sequence[dict[str, Any]], name: str, colour: str, measure: Measure, first: bool,
         site: str) -> None:
    x, y = [record["site"] for record in line], [record["value"] for record in line]
    ends = [record for record in line if record["low"] is not None]
    if first and ends:
        figure.add_trace(go.Scatter(
            x=[r["site"] for r in ends] + [r["site"] for r in reversed(ends)],
            y=[r["high"] for r in ends] + [r["low"] for r in reversed(ends)], mode="lines", fill="toself",
            fillcolor=faded(colour, 0.16), line={"width": 0}, hoverinfo="skip", showlegend=False, name="interval"))
    figure.add_trace(go.Scatter(
        x=x, y=y, name=name, mode="lines+markers" if first else "lines",
        line={"color": colour, "width": 2.5 if first else 1.5, "dash": "solid" if first else "dot"},
        marker={"size": [13 if at == site else 7 for at in x], "color": colour},
        customdata=[[record["revision"], "", record["run"], "", record["site"]] for record in line],
        hovertemplate=f"%{{x}}<br>{measure.symbol} = %{{y:.4g}}<extra>{name}</extra>"))
