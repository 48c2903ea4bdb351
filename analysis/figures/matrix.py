"""A pair measure over two lists of items, as a heat map with a fixed range where the measure is bounded."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from analysis.figures.theme import SEQUENTIAL, Style, dress
from analysis.measure import Measure
from analysis.results import PairMatrix


def build(matrix: PairMatrix, rows: Sequence[str], columns: Sequence[str], titles: tuple[str, str], measure: Measure,
          style: Style) -> go.Figure:
    """Rows run upwards and columns to the right, both from first to last; hover gives the chance level."""
    low, high = (0.0, 1.0) if measure.bounds in ((0.0, 1.0), (-1.0, 1.0)) else (None, None)
    figure = go.Figure(go.Heatmap(
        z=matrix.values, x=list(columns), y=list(rows), customdata=matrix.chance, zmin=low, zmax=high,
        colorscale=SEQUENTIAL, colorbar={"title": {"text": measure.symbol}, "outlinewidth": 0, "thickness": 14},
        xgap=1, ygap=1,
        hovertemplate=f"{titles[0]} %{{y}}<br>{titles[1]} %{{x}}<br>{measure.symbol} = %{{z:.4f}}"
                      f"{'' if matrix.chance is None else '<br>by chance %{customdata:.4f}'}<extra></extra>",
        **_numbers(matrix, len(rows) * len(columns))))
    dress(figure, style, height=max(420, 140 + 24 * len(rows)))
    figure.update_xaxes(type="category", title_text=titles[1], showgrid=False)
    figure.update_yaxes(type="category", title_text=titles[0], showgrid=False)
    return figure


def _numbers(matrix: PairMatrix, cells: int) -> dict:
    """Write the value into each cell while there is room for it."""
    if cells > 150:
        return {}
    text = [["" if np.isnan(value) else f"{value:.2f}" for value in row] for row in matrix.values]
    return {"text": text, "texttemplate": "%{text}"}
