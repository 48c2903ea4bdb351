"""The rows of a cloud whose shape is known, on its two leading principal directions."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from analysis.figures.theme import PALETTE, SYMBOLS, Style, dress

ANGLES = "Phase"  # a colour scale whose two ends are one colour, as 0 and 2 pi are one angle
SIZE = 6
Records = Sequence[dict[str, Any]]


def build(records: Records, style: Style) -> go.Figure:
    """A point a row: coloured by its angle where its label is a number, a colour and symbol for each label otherwise.
    One unit is as long in both directions."""
    figure = go.Figure()
    labels = [record["label"] for record in records]
    if all(isinstance(label, float) for label in labels):
        _add(figure, records, "rows", {"color": labels, "colorscale": ANGLES, "cmin": 0, "cmax": 6.2832,
                                       "colorbar": {"title": {"text": "angle"}, "thickness": 12,
                                                    "tickvals": [0, 1.5708, 3.1416, 4.7124, 6.2832],
                                                    "ticktext": ["0", "π/2", "π", "3π/2", "2π"]}})
    else:
        for index, label in enumerate(dict.fromkeys(labels)):
            _add(figure, [record for record in records if record["label"] == label], label or "rows",
                 {"color": PALETTE[index], "symbol": SYMBOLS[index]})
    dress(figure, style, height=460)
    figure.update_layout(showlegend=len(figure.data) > 1)
    figure.update_xaxes(title_text="Principal direction 1")
    figure.update_yaxes(title_text="Principal direction 2", scaleanchor="x", scaleratio=1)
    return figure


def _add(figure: go.Figure, records: Records, name: str, marker: dict[str, Any]) -> None:
    figure.add_trace(go.Scatter(
        x=[record["direction 1"] for record in records], y=[record["direction 2"] for record in records],
        mode="markers", name=name, marker={"size": SIZE, "opacity": 0.8, **marker},
        customdata=[record["row"] for record in records],
        hovertemplate="row %{customdata}<br>%{x:.3f}, %{y:.3f}<extra>" + name + "</extra>"))
