"""The only styling: colours, sizes, fonts, axes. Okabe-Ito colours, which colour-blind readers can tell apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6BB1", "#999999")
PHASES = {"warmup": "#999999", "entropy-seeking": "#56B4E9", "compression-seeking": "#E69F00"}
SEQUENTIAL = "Viridis"
DIVERGING = "RdBu"
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "star", "cross", "triangle-down")
ABOVE_AXES = 1 - 1e-6  # of a colour bar: from 1 on plotly.js 7 moves the titles of axes up, onto their tick labels
FONT = "Arial, Liberation Sans, Helvetica, sans-serif"


@dataclass(frozen=True)
class Style:
    dark: bool = False
    font_px: int = 13

    @property
    def ink(self) -> str:
        return "#E8E8E6" if self.dark else "#1F2328"

    @property
    def muted(self) -> str:
        return "#6E7681" if self.dark else "#A0A7B0"

    @property
    def paper(self) -> str:
        return "#14161A" if self.dark else "#FFFFFF"

    @property
    def grid(self) -> str:
        return "#30343B" if self.dark else "#E4E6EA"


def run_colours(names: Sequence[str]) -> dict[str, str]:
    """One colour for each run, the same on every page as long as the list of runs is."""
    return {name: PALETTE[index % len(PALETTE)] for index, name in enumerate(names)}


def faded(colour: str, alpha: float) -> str:
    red, green, blue = (int(colour[i:i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:.3f})"


def shade(colour: str, index: int, count: int, style: Style) -> str:
    """The colour of a run for one of several sites: lighter (darker on dark paper) towards the input."""
    if count < 2:
        return colour
    weight = 0.6 * (1 - index / (count - 1))
    towards = 255 if not style.dark else 60
    mixed = (round(int(colour[i:i + 2], 16) * (1 - weight) + towards * weight) for i in (1, 3, 5))
    return "#" + "".join(f"{value:02x}" for value in mixed)


def dress(figure: go.Figure, style: Style, *, height: int) -> go.Figure:
    """Fonts, paper, grid and margins of every figure; the legend is below it, where no entry is cut on a phone."""
    axis = {"gridcolor": style.grid, "linecolor": style.grid, "zeroline": False, "showline": True, "ticks": "outside",
            "tickcolor": style.grid, "automargin": True, "title": {"font": {"size": style.font_px}, "standoff": 8}}
    figure.update_layout(
        template="none", height=height, font={"family": FONT, "size": style.font_px, "color": style.ink},
        paper_bgcolor=style.paper, plot_bgcolor=style.paper, margin={"l": 60, "r": 20, "t": 30, "b": 50},
        hoverlabel={"font": {"family": FONT}}, hovermode="closest",
        legend={"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0, "xanchor": "left", "x": 0,
                "traceorder": "normal"})
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    return figure


def axis_title(label: str, symbol: str = "", unit: str = "") -> str:
    """Label, symbol and unit, as every axis says them, on two lines; a symbol that the label has is not said again."""
    parts = ["" if symbol in label.split() else symbol, f"({unit})" if unit else ""]
    second = " ".join(filter(None, parts))
    return f"{label}<br>{second}" if second else label
