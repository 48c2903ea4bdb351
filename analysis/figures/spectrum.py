"""Eigenspectra at chosen checkpoints on log-log axes, each with the line whose slope is alpha."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from analysis.figures.theme import Style, axis_title, dress, shade
from analysis.results import FittedSpectrum

LEGEND_LINE = 20  # pixels of the second line that a broken fit has in the legend
EVERY, MOST = 512, 1024  # every rank up to here, and from there on so many in all that the eye misses none


def build(spectra: Sequence[FittedSpectrum], colours: dict[str, str], style: Style, *, broken: bool = False,
          noise: bool = False) -> go.Figure:
    """Points are eigenvalues; the dashed line is the weighted fit over its window of ranks. Zeros cannot be drawn, and
    of more than 1024 ranks those beyond the first 512 are drawn evenly along the logarithmic axis.

    `broken` adds the fit with one break, a diamond at it, and `noise` the spectrum of isotropic noise, below the rest.
    """
    figure = go.Figure()
    noisy = [view for view in spectra if noise and view.noise is not None]
    for index, view in enumerate(noisy):
        _add_noise(figure, view, style, named=index == 0)
    for run in dict.fromkeys(view.run for view in spectra):
        views = [view for view in spectra if view.run == run]
        for index, view in enumerate(views):
            _add(figure, view, shade(colours[run], index, len(views), style), style, broken)
    dress(figure, style, height=600 + LEGEND_LINE * len([view for view in spectra if broken and view.bend]))
    figure.update_layout(legend={"maxheight": 0.7})  # by itself it hides what is beyond half of the figure
    figure.update_xaxes(type="log", title_text="Rank k", dtick=1)
    figure.update_yaxes(type="log", title_text=axis_title("Covariance eigenvalue", "λ<sub>k</sub>", "variance"),
                        exponentformat="power", dtick=1,
                        tickfont={"size": style.font_px / 1.25})  # plotly.js draws powers larger by as much
    return figure


def _add(figure: go.Figure, view: FittedSpectrum, colour: str, style: Style, broken: bool) -> None:
    positive = view.values[view.values > 0]
    ranks = _ranks(len(positive))
    name = f"{view.run} · {view.revision}"
    figure.add_trace(go.Scatter(
        x=ranks, y=positive[ranks - 1], mode="lines+markers", name=_label(name, view, broken), legendgroup=name,
        line={"color": colour, "width": 1.5}, marker={"size": 4},
        hovertemplate="rank %{x}<br>λ = %{y:.4g}<extra>" + name + "</extra>"))
    if view.alpha is not None and view.intercept is not None:
        ends = np.array(view.window, dtype=float)
        figure.add_trace(go.Scatter(
            x=ends, y=np.exp(view.intercept - view.alpha * np.log(ends)), mode="lines", showlegend=False,
            legendgroup=name, name=f"{name} fit", hoverinfo="skip",
            line={"color": style.ink, "width": 1.5, "dash": "dash"}))
    if broken and view.bend is not None:
        x, y = zip(*view.bend.corners, strict=True)
        figure.add_trace(go.Scatter(
            x=x, y=y, mode="lines+markers", showlegend=False, legendgroup=name, name=f"{name} broken fit",
            hoverinfo="skip", line={"color": style.ink, "width": 1.5},
            marker={"symbol": "diamond", "size": [0, 10, 0], "color": style.paper,
                    "line": {"color": style.ink, "width": 1.5}}))


def _add_noise(figure: go.Figure, view: FittedSpectrum, style: Style, *, named: bool) -> None:
    values = np.array([]) if view.noise is None else view.noise
    like = f"<extra>noise of the size of {view.run} · {view.revision}</extra>"
    figure.add_trace(go.Scatter(
        x=_ranks(len(values)), y=values[_ranks(len(values)) - 1], mode="lines", showlegend=named, legendgroup="noise",
        name="isotropic noise of the same n, d and variance",
        line={"color": style.muted, "width": 1.5, "dash": "dash"},
        hovertemplate="rank %{x}<br>λ = %{y:.4g}" + like))


def _ranks(count: int) -> np.ndarray:
    """The ranks that are drawn: all, or beyond the first 512 those that are evenly spread on a logarithmic axis."""
    if count <= MOST:
        return np.arange(1, count + 1, dtype=np.int32)
    rest = np.unique(np.round(np.geomspace(EVERY, count, MOST - EVERY)).astype(np.int32))
    return np.concatenate([np.arange(1, EVERY, dtype=np.int32), rest])


def _label(name: str, view: FittedSpectrum, broken: bool) -> str:
    if view.alpha is None:
        return name
    if not broken or view.bend is None:
        return f"{name} (α = {view.alpha:.2f})"
    bend = view.bend
    return (f"{name} (α = {view.alpha:.2f};<br>broken: {bend.head_alpha:.2f} to rank {bend.break_rank}, then "
            f"{bend.tail_alpha:.2f})")  # two lines, or a phone cuts it off
