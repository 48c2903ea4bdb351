"""One pair of representations: all measures on one axis, the null of one of them, its points matched, its triangle."""

from collections.abc import Sequence
from html import escape
from textwrap import wrap
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from analysis.figures.theme import PALETTE, SEQUENTIAL, Style, axis_title, dress, faded
from analysis.pairs.shown import Line, Matched, group

LEFT, RIGHT = -0.25, 1.05  # of the shared axis; what lies further left is drawn at its edge
BARS, CHARACTERS, LABEL = 30, 60, 28


def overview(lines: Sequence[Line], style: Style) -> go.Figure:
    """A dot for each measure with a calibrated value, on one axis: 0 is the threshold of its shuffles, 1 is equal."""
    shown = [line for line in lines if line.calibrated is not None]
    figure = go.Figure()
    for index, kind in enumerate(dict.fromkeys(group(line.measure) for line in shown)):
        some = [line for line in shown if group(line.measure) == kind]
        at = [_edge(line.place(line.value)) for line in some]
        ends = [sorted(_edge(line.place(end)) for end in (line.low, line.high) if end is not None) for line in some]
        figure.add_trace(go.Scatter(
            x=at, y=[_folded(line.label) for line in some], mode="markers", name=kind,
            marker={"color": PALETTE[index % len(PALETTE)], "size": 9},
            error_x={"type": "data", "symmetric": False, "thickness": 1.5, "width": 4,
                     "array": [max(pair[1] - x, 0) if pair else 0 for pair, x in zip(ends, at, strict=True)],
                     "arrayminus": [max(x - pair[0], 0) if pair else 0 for pair, x in zip(ends, at, strict=True)]},
            customdata=[[_told(line)] for line in some], hovertemplate="%{customdata[0]}<extra></extra>"))
    figure.add_trace(go.Scatter(
        x=[_edge(line.place(line.null_mean)) for line in shown], y=[_folded(line.label) for line in shown],
        mode="markers", name="mean of the shuffles", hoverinfo="skip",
        marker={"symbol": "line-ns-open", "size": 10, "color": style.muted, "line": {"width": 1.5}}))
    dress(figure, style, height=230 + 28 * len(shown))
    figure.add_vline(x=0, line={"color": style.ink, "width": 1.5, "dash": "dash"})
    figure.update_xaxes(range=[LEFT, RIGHT], title_text="Calibrated value<br>0: 95 % threshold of shuffles<br>1: equal")
    figure.update_yaxes(type="category", categoryorder="array", tickfont={"size": style.font_px - 2},
                        categoryarray=[_folded(line.label) for line in reversed(shown)], range=[-0.7, len(shown) - 0.3])
    return figure


def null(line: Line, draws: Sequence[float], style: Style) -> go.Figure:
    """How often each value came out of the shuffles, enlarged, and below it where the value lies with its interval."""
    finite = np.asarray(draws, dtype=float)[np.isfinite(draws)]
    counts, edges = np.histogram(finite, bins=BARS)
    figure = make_subplots(rows=2, row_heights=[0.75, 0.25], vertical_spacing=0.28)
    figure.add_trace(go.Bar(
        x=(edges[1:] + edges[:-1]) / 2, y=counts, width=np.diff(edges), name=f"{len(finite)} shuffles",
        legendgroup="shuffles", marker={"color": style.muted, "line": {"width": 0}},
        hovertemplate="about %{x:.4g}: %{y}<extra></extra>"), row=1, col=1)
    _box(figure, finite.min(), finite.max(), style.muted, "")
    if line.low is not None and line.high is not None:
        _box(figure, line.low, line.high, faded(PALETTE[0], 0.3), "95 % interval of the value")
    for value, name, colour, dash in ((line.threshold, "95 % threshold", PALETTE[1], "dash"),
                                      (line.chance, "exact chance", style.ink, "dot"),
                                      (line.value, "value", PALETTE[0], "solid")):
        if value is not None:
            enlarged = edges[0] <= value <= edges[-1]
            for row, top in ((1, float(counts.max())), (2, 1.0))[not enlarged:]:
                figure.add_trace(go.Scatter(
                    x=[value, value], y=[0, top], mode="lines", name=f"{name} ({value:.3g})", legendgroup=name,
                    showlegend=row == 1 or not enlarged, line={"color": colour, "width": 2, "dash": dash},
                    hovertemplate=f"{name} %{{x:.4g}}<extra></extra>"), row=row, col=1)
    dress(figure, style, height=460)
    figure.update_xaxes(title_text="The shuffles, enlarged", row=1, col=1)
    figure.update_xaxes(title_text=axis_title(line.label, line.measure.symbol, line.measure.unit), row=2, col=1)
    figure.update_yaxes(title_text="Shuffles", row=1, col=1)
    figure.update_yaxes(visible=False, row=2, col=1)
    return figure


def points(found: Matched, texts: Sequence[str], names: tuple[str, str], style: Style) -> go.Figure:
    """Each row twice, at A and at B turned onto A, joined by a line; hover gives the row and its text."""
    figure = go.Figure(go.Scatter(
        x=_joined(found.a[:, 0], found.b[:, 0]), y=_joined(found.a[:, 1], found.b[:, 1]), mode="lines",
        line={"color": style.muted, "width": 1}, opacity=0.5, name="same row", hoverinfo="skip"))
    told = [[_wrapped(f"{row}: {text}" if text else row), residual]
            for row, text, residual in zip(found.row_ids, texts, found.residual, strict=True)]
    for side, at, name, colour in (("A", found.a, names[0], PALETTE[0]), ("B", found.b, names[1], PALETTE[1])):
        figure.add_trace(go.Scatter(
            x=at[:, 0], y=at[:, 1], mode="markers", name=f"{side}: {name}", customdata=told,
            marker={"color": colour, "size": 5, "symbol": "circle" if side == "A" else "diamond"},
            hovertemplate=f"{side}<br>%{{customdata[0]}}<br>mismatch %{{customdata[1]:.3f}}<extra></extra>"))
    dress(figure, style, height=620)
    for axis, number, share in (("xaxis", "First", found.shares[0]), ("yaxis", "Second", found.shares[1])):
        figure.update_layout({axis: {"title": {"text": f"{number} principal direction of A ({share:.0%})"}}})
    return figure


def triangle(percents: Sequence[int], values: Any, style: Style) -> go.Figure:
    """tRSA at every lower and upper threshold."""
    figure = go.Figure(go.Heatmap(
        z=values, x=list(percents), y=list(percents), zmin=0, zmax=1, colorscale=SEQUENTIAL, hoverongaps=False,
        colorbar={"title": {"text": "tRSA"}, "outlinewidth": 0, "thickness": 14},
        hovertemplate="l = %{y} %, u = %{x} %<br>tRSA = %{z:.3f}<extra></extra>"))
    dress(figure, style, height=420)
    figure.update_xaxes(title_text="Upper threshold u (% of pairs)", showgrid=False)
    figure.update_yaxes(title_text="Lower threshold l (% of pairs)", showgrid=False)
    return figure


def _box(figure: go.Figure, low: float, high: float, colour: str, name: str) -> None:
    """A stretch of the lower axis; without a name it stays out of the legend."""
    figure.add_trace(go.Scatter(
        x=[low, high, high, low], y=[0, 0, 1, 1], fill="toself", mode="none", fillcolor=colour, hoverinfo="skip",
        name=name or "all shuffles", showlegend=bool(name)), row=2, col=1)


def _edge(place: float | None) -> float:
    return LEFT if place is None else max(place, LEFT)


def _joined(a: np.ndarray, b: np.ndarray) -> list[float | None]:
    """From each point of A to that of B, with a gap after each."""
    return [value for pair in zip(a.tolist(), b.tolist(), strict=True) for value in (*pair, None)]


def _told(line: Line) -> str:
    interval = "" if line.low is None else f" [{line.low:.3f}, {line.high:.3f}]"
    return (f"{line.label}<br>{line.value:.4f}{interval}<br>shuffles: mean {line.null_mean:.4f}, 95 % threshold "
            f"{line.threshold:.4f}<br>calibrated {line.calibrated:.3f}, p = {line.p:.3g}")


def _folded(label: str) -> str:
    """A label on lines that leave room beside them on a phone."""
    return "<br>".join(wrap(label, LABEL))


def _wrapped(text: str) -> str:
    return "<br>".join(escape(part) for part in wrap(text, CHARACTERS))
