"""Eigenspectra at chosen checkpoints on log-log axes, each with the line whose slope is alpha."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from analysis.figures.theme import Style, axis_title, dress, shade
from analysis.results import FittedSpectrum


def build(spectra: Sequence[FittedSpectrum], colours: dict[str, str], style: Style) -> go.Figure:
    """Points are eigenvalues; the dashed line is the weighted fit over its window of ranks. Zeros cannot be drawn."""
    figure = go.Figure()
    for run in dict.fromkeys(view.run for view in spectra):
        views = [view for view in spectra if view.run == run]
        for index, view in enumerate(views):
            _add(figure, view, shade(colours[run], index, len(views), style), style)
    dress(figure, style, height=600)
    figure.update_xaxes(type="log", title_text="Rank k", dtick=1)
    figure.update_yaxes(type="log", title_text=axis_title("Covariance eigenvalue", "λ<sub>k</sub>", "variance"),
                        exponentformat="power", dtick=1)
    return figure


def _add(figure: go.Figure, view: FittedSpectrum, colour: str, style: Style) -> None:
    positive = view.values[view.values > 0]
    ranks = np.arange(1, len(positive) + 1)
    name = f"{view.run} · {view.revision}"
    label = name if view.alpha is None else f"{name} (α = {view.alpha:.2f})"
    figure.add_trace(go.Scatter(
        x=ranks, y=positive, mode="lines+markers", name=label, legendgroup=name, line={"color": colour, "width": 1.5},
        marker={"size": 4}, hovertemplate="rank %{x}<br>λ = %{y:.4g}<extra>" + name + "</extra>"))
    if view.alpha is not None and view.intercept is not None:
        ends = np.array(view.window, dtype=float)
        figure.add_trace(go.Scatter(
            x=ends, y=np.exp(view.intercept - view.alpha * np.log(ends)), mode="lines", showlegend=False,
            legendgroup=name, name=f"{name} fit", hoverinfo="skip",
            line={"color": style.ink, "width": 1.5, "dash": "dash"}))
