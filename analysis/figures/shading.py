"""Phases behind a trajectory: tints for one run, a strip of tints above the axes for each of several."""

from collections.abc import Callable, Sequence
from typing import Any

import plotly.graph_objects as go

from analysis.figures.theme import PHASES, Style, faded
from analysis.results import Shade

STRIP = 14  # pixels


def add_shades(figure: go.Figure, shades: Sequence[Shade], runs: Sequence[str],
               place: Callable[[dict[str, Any]], float | None], colours: dict[str, str], style: Style) -> None:
    """Named phases only: what is not resolved stays as it is. Strips where several runs are drawn, in their order."""
    drawn = [(shade, ends) for shade in shades if shade.name in PHASES and shade.run in runs
             and None not in (ends := (place(shade.first), place(shade.last)))]
    for shade, ends in drawn:
        _add(figure, shade, ends, None if len(runs) == 1 else len(runs) - 1 - runs.index(shade.run), style)
    for name in dict.fromkeys(shade.name for shade, _ in drawn):  # the legend says what a tint is
        figure.add_trace(go.Scatter(
            x=[None], y=[None], mode="markers", name=name, hoverinfo="skip",
            marker={"symbol": "square", "size": 11, "color": faded(PHASES[name], 0.45)}))
    if len(runs) > 1 and drawn:
        _name_strips(figure, runs[::-1], colours, style)


def _add(figure: go.Figure, shade: Shade, ends: tuple[Any, Any], strip: int | None, style: Style) -> None:
    low, high = (0.0, 1.0) if strip is None else _heights(strip)
    figure.add_shape(type="rect", xref="x", yref="paper", x0=ends[0], x1=ends[1], y0=low, y1=high,
                     ysizemode="scaled" if strip is None else "pixel", yanchor=None if strip is None else 1,
                     line={"width": 0}, layer="below", name=f"{shade.run}: {shade.name}",
                     fillcolor=faded(PHASES[shade.name], 0.16 if strip is None else 0.6))


def _name_strips(figure: go.Figure, runs: Sequence[str], colours: dict[str, str], style: Style) -> None:
    """Each strip says whose it is, and the margin makes room for them."""
    for number, run in enumerate(runs):
        figure.add_annotation(text=run, xref="paper", yref="paper", x=0, xanchor="left", yanchor="middle",
                              y=1, yshift=sum(_heights(number)) / 2, showarrow=False,
                              font={"size": style.font_px - 2, "color": colours[run]})
    figure.update_layout(margin={"t": _heights(len(runs))[1]})


def _heights(strip: int) -> tuple[int, int]:
    """Between which pixels above the axes a strip stands, whatever the legend leaves of their height."""
    low = 4 + strip * (STRIP + 3)
    return low, low + STRIP
