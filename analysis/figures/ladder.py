"""The revisions of a repository along training: every one a tick, the chosen ones filled."""

from collections.abc import Collection, Sequence

import plotly.graph_objects as go

from analysis.figures.theme import PALETTE, Style, dress
from analysis.figures.trajectory import log_ticks, short


def build(revisions: Sequence[tuple[str, int]], chosen: Collection[str], style: Style) -> go.Figure:
    """One mark for each (name, step) on a logarithmic axis, with 0 under a tick of its own."""
    positive = sorted({step for _, step in revisions if step})
    zero = positive[0] / 3 if positive else 1 / 3
    figure = go.Figure()
    for filled in (False, True):
        part = [(name, step) for name, step in revisions if (name in chosen) == filled]
        marker = {"size": 11, "color": PALETTE[0]} if filled else {"size": 6, "color": style.muted}
        figure.add_trace(go.Scatter(
            x=[step or zero for _, step in part], y=[0] * len(part), mode="markers", marker=marker,
            name="chosen" if filled else "left out", customdata=[[name, step] for name, step in part],
            hovertemplate="%{customdata[0]}<br>step %{customdata[1]}<extra></extra>"))
    dress(figure, style, height=150)
    figure.update_yaxes(visible=False, range=[-1, 1])
    places = log_ticks(positive)
    figure.update_xaxes(type="log", title_text="Training (optimizer steps)", tickvals=[zero, *places],
                        ticktext=["0", *(short(place) for place in places)])
    return figure
