"""A tree of representations: what is joined further to the left is more alike."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from analysis.figures.similarity_map import ring
from analysis.figures.theme import Style, dress

FIRST, STEP = 5, 10  # where scipy puts the first leaf, and how far apart leaves are


def build(brackets: Sequence[Sequence[tuple[float, float]]], leaves: Sequence[dict[str, Any]], names: Sequence[str],
          colours: dict[str, str], style: Style, ringed: Sequence[dict[str, Any]] = ()) -> go.Figure:
    """Brackets of four (place, distance) corners each; leaves from top to bottom in order, coloured by run; those
    that are `ringed` are a reference."""
    figure = go.Figure()
    across: list[float | None] = []
    down: list[float | None] = []
    for bracket in brackets:
        across += [*(distance for _, distance in bracket), None]
        down += [*(place for place, _ in bracket), None]
    figure.add_trace(go.Scatter(x=across, y=down, mode="lines", showlegend=False, name="joins", connectgaps=False,
                                line={"color": style.muted, "width": 1.5},
                                hovertemplate="joined at %{x:.4g} rad<extra></extra>"))
    places = [FIRST + STEP * order for order in range(len(leaves))]
    for run in dict.fromkeys(leaf["run"] for leaf in leaves):
        own = [(leaf, place) for leaf, place in zip(leaves, places, strict=True) if leaf["run"] == run]
        figure.add_trace(go.Scatter(
            x=[0] * len(own), y=[place for _, place in own], mode="markers", name=run, cliponaxis=False,
            marker={"color": colours[run], "size": 9},
            customdata=[[leaf["revision"], leaf["site"], leaf["joined_at"]] for leaf, _ in own],
            hovertemplate=f"{run}<br>%{{customdata[0]}}, %{{customdata[1]}}<br>first joined at %{{customdata[2]:.4g}} "
                          "rad<extra></extra>"))
    at = [place for leaf, place in zip(leaves, places, strict=True) if leaf in ringed]
    ring(figure, [0.0] * len(at), at, style, named=True)
    dress(figure, style, height=140 + 24 * max(len(leaves), 4))
    figure.update_xaxes(title_text="Joined at mean distance (rad)", rangemode="tozero")
    figure.update_yaxes(tickvals=places, ticktext=list(names), range=[places[-1] + FIRST, 0], showgrid=False,
                        ticks="", showline=False)
    return figure
