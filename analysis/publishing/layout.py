"""Figures at the size of a page: millimetres and points instead of pixels, and several of them with letters."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from string import ascii_lowercase
from textwrap import wrap
from typing import Any

import numpy as np
import plotly.graph_objects as go

from analysis.errors import ExplorerError
from analysis.figures.points import SLIDER
from analysis.figures.theme import Style
from analysis.publishing.palettes import OKABE_ITO, PALETTES, recoloured

SINGLE_MM, DOUBLE_MM = 89.0, 183.0  # one and two columns of a journal
LEAST_MM, MOST_MM = 20.0, 400.0
LEAST_PT, MOST_PT = 4.0, 24.0
GAP_MM = 3.0
BACKGROUNDS = ("light", "dark", "transparent")
LEGENDS = {"below": {"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0, "xanchor": "left", "x": 0},
           "right": {"orientation": "v", "xref": "paper", "yref": "paper", "xanchor": "left", "x": 1.02,
                     "yanchor": "top", "y": 1}, "none": {}}
# The metrics of Arial; the first is free, so that it may be put into a file.
FAMILY = "Liberation Sans, Arial, Helvetica, sans-serif"
CLEAR = "rgba(0,0,0,0)"
PX_PER_MM, PX_PER_PT = 96 / 25.4, 96 / 72
# What plotly counts in pixels, wherever it stands, and below which name.
LENGTHS = {"ticklen", "tickwidth", "linewidth", "gridwidth", "zerolinewidth", "outlinewidth", "borderwidth",
           "arrowwidth", "standoff", "startstandoff", "borderpad", "xshift", "yshift", "xpad", "ypad", "thickness",
           "tracegroupgap", "xgap", "ygap"}
LENGTHS_OF = {"line": {"width"}, "error_x": {"width"}, "error_y": {"width"}, "marker": {"size"},
              "margin": {"l", "r", "t", "b", "pad"}}
SCREEN_TRACE = {"hovertemplate", "hovertext", "hoverinfo", "hoverlabel", "customdata", "ids"}
SCREEN_LAYOUT = {"hovermode", "hoverlabel", "dragmode", "clickmode", "updatemenus", "sliders", "title", "width",
                 "height"}
MARGIN_TOP = 100  # of plotly where a figure does not say
_BAR = {"thickness": 30, "ticklen": 5, "tickwidth": 1, "xpad": 10, "ypad": 10}
_AXIS = {"ticklen": 5, "tickwidth": 1, "linewidth": 1, "gridwidth": 1, "zerolinewidth": 1}
# What plotly draws where a figure says nothing, said so that it is scaled with the rest.
UNSAID = {"layout": {"xaxis": _AXIS, "yaxis": _AXIS},
          "data": {"scatter": [{"line": {"width": 2}, "marker": {"size": 6, "colorbar": _BAR}}],
                   "heatmap": [{"colorbar": _BAR}], "contour": [{"colorbar": _BAR}], "box": [{"line": {"width": 2}}],
                   "violin": [{"line": {"width": 2}}]}}


@dataclass(frozen=True, kw_only=True)
class Print:
    """How a figure is to be printed.

    Parameters
    ----------
    width_mm : of the whole figure, 20 to 400 mm
    height_mm : of the whole figure; None for the height it was designed with, at this size of type
    font_pt : size of the figure's usual type, in points; notes of a figure are a little smaller
    palette : a name of palettes.PALETTES
    background : "light" or "dark" paper, or "transparent", which has the ink of light paper
    titles : whether the title stands above the figure
    legend : "below" the axes, to the "right" of them, or "none"
    letters : whether several figures on one page are lettered a, b, c
    """

    width_mm: float = SINGLE_MM
    height_mm: float | None = None
    font_pt: float = 7.0
    palette: str = OKABE_ITO
    background: str = "light"
    titles: bool = False
    legend: str = "below"
    letters: bool = True

    def __post_init__(self) -> None:
        _check_between("The width", self.width_mm, LEAST_MM, MOST_MM, "mm")
        if self.height_mm is not None:
            _check_between("The height", self.height_mm, LEAST_MM, MOST_MM, "mm")
        _check_between("The type", self.font_pt, LEAST_PT, MOST_PT, "pt")
        _check_known("The palette", self.palette, PALETTES)
        _check_known("The background", self.background, BACKGROUNDS)
        _check_known("The place of the legend", self.legend, LEGENDS)

    @property
    def style(self) -> Style:
        return Style(dark=self.background == "dark")

    @property
    def font_px(self) -> float:
        return self.font_pt * PX_PER_PT


@dataclass(frozen=True, eq=False)
class Panel:
    """A figure at its place on a sheet, in CSS pixels from the upper left corner; its letter stands above it."""

    figure: go.Figure
    x: float = 0.0
    y: float = 0.0
    letter: str = ""


@dataclass(frozen=True, eq=False)
class Sheet:
    """Figures on one page of width x height mm. An empty `background` is none."""

    panels: tuple[Panel, ...]
    width_mm: float
    height_mm: float
    background: str
    ink: str
    letter_px: float
    title: str = ""


def laid_out(figure: go.Figure, to: Print, title: str = "") -> go.Figure:
    """A copy of a figure at the size of the print, with all that is for the screen left out.

    Fonts, lines, markers and margins become smaller by the same factor, that of the usual type, so the copy looks as
    the figure does on a screen that is as wide, in letters. Of an animation the frame stays that is shown.

    Parameters
    ----------
    figure : as it is on the screen
    to : size, type and colours; its height is that of this figure
    title : what stands above it where `to.titles`, as plain text

    Returns
    -------
    A figure whose width and height are CSS pixels at 96 to the inch.
    """
    layout = figure.layout.to_plotly_json()
    scale = to.font_px / layout.get("font", {}).get("size", 12)
    height = to.height_mm * PX_PER_MM if to.height_mm else layout.get("height", 450) * scale
    if layout.get("sliders"):
        _close_gap(layout)
    kept = {name: value for name, value in layout.items() if name not in SCREEN_LAYOUT}
    if not kept.get("template", {}).get("layout"):
        kept["template"] = UNSAID
    traces = [{name: value for name, value in trace.to_plotly_json().items() if name not in SCREEN_TRACE}
              for trace in figure.data]
    was = Style(dark=layout.get("paper_bgcolor") == Style(dark=True).paper)
    spec = recoloured(_scaled({"data": traces, "layout": kept}, scale), to.palette, was, to.style)
    copy = go.Figure(spec).update_layout(
        width=to.width_mm * PX_PER_MM, height=height, font={"family": FAMILY, "size": to.font_px},
        legend=LEGENDS[to.legend], hovermode=False)
    if to.legend == "none":
        copy.update_layout(showlegend=False)
    if to.titles and title:
        _add_title(copy, title, to)
    return copy.update_layout(paper_bgcolor=CLEAR, plot_bgcolor=CLEAR) if to.background == "transparent" else copy


def composed(figures: Sequence[go.Figure], columns: int, to: Print, titles: Sequence[str] = ()) -> Sheet:
    """Figures in rows of some columns on one sheet, each row as high as its highest figure.

    Parameters
    ----------
    figures : as they are on the screen, row by row
    columns : how many stand beside each other
    to : of the whole sheet
    titles : of each figure, or none

    Returns
    -------
    A Sheet as wide as the print; letters stand above the figures where there are several.
    """
    if not figures:
        raise ExplorerError("There is no figure to print; add one first.")
    _check_between("The number of columns", columns, 1, len(figures), "for this many figures")
    _check_between("The number of figures on one page", len(figures), 1, len(ascii_lowercase), "figures")
    lettered = to.letters and len(figures) > 1
    letter_px = to.font_px + PX_PER_PT if lettered else 0.0  # journals ask for a point more
    above, rows = 1.4 * letter_px, math.ceil(len(figures) / columns)
    width = (to.width_mm - (columns - 1) * GAP_MM) / columns
    height = to.height_mm and (to.height_mm - (rows - 1) * GAP_MM - rows * above / PX_PER_MM) / rows
    one = _part(to, width, height)
    names = [*titles, *[""] * (len(figures) - len(titles))]
    drawn = [laid_out(figure, one, name) for figure, name in zip(figures, names, strict=True)]
    panels, end = _placed(drawn, columns, width + GAP_MM, above, ascii_lowercase if lettered else "")
    total = to.height_mm or end / PX_PER_MM - GAP_MM
    _check_between("The height of the page", total, LEAST_MM, MOST_MM, "mm")
    return Sheet(panels, to.width_mm, total, "" if to.background == "transparent" else to.style.paper, to.style.ink,
                 letter_px, "; ".join(filter(None, titles)))


def _placed(figures: Sequence[go.Figure], columns: int, step_mm: float, above: float,
            letters: str) -> tuple[tuple[Panel, ...], float]:
    """The figures row by row, all of a row as high as its highest, and where the row after the last would begin."""
    panels: list[Panel] = []
    y = 0.0
    for start in range(0, len(figures), columns):
        row = figures[start:start + columns]
        tallest = max(figure.layout.height for figure in row)
        for column, figure in enumerate(row):
            panels.append(Panel(figure.update_layout(height=tallest), column * step_mm * PX_PER_MM, y + above,
                                letters[start + column:start + column + 1]))
        y += above + tallest + GAP_MM * PX_PER_MM
    return tuple(panels), y


def _add_title(figure: go.Figure, title: str, to: Print) -> None:
    """The title in as many lines as it needs, and room for them above all else: plotly makes room for one at most."""
    shown = wrap(title, int(to.width_mm * PX_PER_MM / (0.5 * to.font_px)))  # letters of Arial are half as wide as high
    room = 1.3 * to.font_px * len(shown)
    down = 0.3 if len(shown) == 1 else 1.0  # one line is placed by its top, several by the first one's baseline
    top = figure.layout.margin.t
    figure.update_layout(
        height=to.height_mm * PX_PER_MM if to.height_mm else figure.layout.height + room,
        margin={"t": room + (MARGIN_TOP if top is None else top)},
        title={"text": "<br>".join(map(escape, shown)), "font": {"size": to.font_px}, "x": 0, "xanchor": "left",
               "yref": "container", "y": 1, "yanchor": "top", "pad": {"t": down * to.font_px}})


def _part(to: Print, width: float, height: float | None) -> Print:
    try:
        return replace(to, width_mm=width, height_mm=height)
    except ExplorerError as why:
        raise ExplorerError(f"One of the figures on the page does not fit: {why}") from None


def _scaled(value: Any, scale: float, inside: str = "") -> Any:
    """Nested dicts and lists with every length that plotly counts in pixels multiplied."""
    if isinstance(value, (list, tuple)):
        return [_scaled(inner, scale, inside) for inner in value]
    if not isinstance(value, dict):
        return value
    lengths = LENGTHS | LENGTHS_OF.get(inside, set()) | ({"size"} if inside.endswith("font") else set())
    lengths |= {f"{axis}{end}" for axis in "xy" if value.get(f"{axis}sizemode") == "pixel" for end in "01"}
    return {name: _times(inner, scale) if name in lengths else _scaled(inner, scale, name)
            for name, inner in value.items()}


def _times(value: Any, scale: float) -> Any:
    if value is None or isinstance(value, str):
        return value
    return value * scale if isinstance(value, (int, float)) else np.asarray(value, dtype=np.float64) * scale


def _close_gap(layout: dict[str, Any]) -> None:
    """Take back the room of a slider above the axes, and what stands above it."""
    layout["margin"]["t"] -= SLIDER
    for note in layout.get("annotations", ()):
        if note.get("yshift", 0) >= SLIDER:
            note["yshift"] -= SLIDER


def _check_between(what: str, value: float, low: float, high: float, unit: str) -> None:
    if not low <= value <= high:
        raise ExplorerError(f"{what} is {value:.4g}; it must be between {low:g} and {high:g} {unit}.")


def _check_known(what: str, value: str, known: Any) -> None:
    if value not in known:
        raise ExplorerError(f"{what} is {value!r}; it must be one of {', '.join(known)}.")
