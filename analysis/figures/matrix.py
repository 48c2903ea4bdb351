"""A pair measure over two lists of items, as a heat map with a fixed range where the measure is bounded."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from analysis.figures.theme import ABOVE_AXES, PALETTE, SEQUENTIAL, Style, dress
from analysis.measure import Measure
from analysis.pairs.cells import LEVEL
from analysis.pairs.telling import best_matches, told

MOST_NUMBERED, MOST_CLICKED = 8, 5000  # rows or columns whose numbers fit on a phone; cells that can be chosen
LONG_NAME = 14  # characters
MATCH = PALETTE[1]
Cell = tuple[str, str]


def build(records: Sequence[Mapping[str, Any]], rows: Sequence[str], columns: Sequence[str], titles: tuple[str, str],
          measure: Measure, style: Style, *, above_chance: bool = False, chosen: Cell | None = None) -> go.Figure:
    """Rows run upwards and columns to the right, both from first to last; the darker, the more alike.

    `records` are those of export.matrix_records. With `above_chance` the colour is the calibrated value, and cells that
    are not above chance are empty but for a thin mark. A ring stands around the best match of a row.
    """
    calibrated = above_chance and measure.equal is not None
    shown = [_shown(record, above_chance, calibrated) for record in records]
    low, high = (0.0, 1.0) if calibrated else _range(measure)
    numbered = max(len(rows), len(columns)) <= MOST_NUMBERED
    text = ["" if value is None else f"{value:.2f}" for value in shown] if numbered else None
    places = [(column, row) for row in rows for column in columns]
    hover = ["<br>".join([f"{titles[0]} {row}", f"{titles[1]} {column}", *told(record, measure, measure.symbol)])
             for (column, row), record in zip(places, records, strict=True)]
    figure = go.Figure(go.Heatmap(
        z=_grid(shown, columns), x=list(columns), y=list(rows), zmin=low, zmax=high, colorscale=SEQUENTIAL, xgap=1,
        ygap=1, reversescale=calibrated or not measure.smaller_is_closer, hovertext=_grid(hover, columns),
        hovertemplate="%{hovertext}<extra></extra>", text=text and _grid(text, columns),
        texttemplate="%{text}" if numbered else None, colorbar=_bar(measure, calibrated)))
    faint = [p is not None and p >= LEVEL for p in (record["p"] for record in records)]
    matches = [(columns[best], row) for row, best in zip(rows, best_matches(records, len(columns), measure),
                                                         strict=True) if best is not None]
    if above_chance:
        _mark(figure, "not above chance", [place for place, is_faint in zip(places, faint, strict=True) if is_faint],
              symbol="line-ew-open", color=style.muted, size=5, line={"width": 1})
    _mark(figure, "best match of the row", matches, symbol="circle-open", color=MATCH, size=32 if numbered else 8,
          line={"width": 2 if numbered else 1.5})
    if len(records) <= MOST_CLICKED:
        _add_targets(figure, places, hover)
    _mark(figure, "chosen", [chosen[::-1]] if chosen else [], symbol="square-open", color=MATCH,
          size=40 if numbered else 14, line={"width": 3})
    return _dressed(figure, rows, columns, titles, style)


def _shown(record: Mapping[str, Any], above_chance: bool, calibrated: bool) -> float | None:
    if above_chance and (record["p"] is None or record["p"] >= LEVEL):
        return None
    return record["calibrated"] if calibrated else record["value"]


def _range(measure: Measure) -> tuple[float | None, float | None]:
    """0 to 1 for similarities, whatever their values; the bounds of a distance; else the range of the values."""
    low, high = measure.bounds
    if measure.smaller_is_closer:
        return (low, high) if math.isfinite(high) else (None, None)
    return (0.0, 1.0) if measure.equal == 1.0 else (None, None)


def _grid(cells: Sequence[Any], columns: Sequence[str]) -> list[list[Any]]:
    return [list(cells[start:start + len(columns)]) for start in range(0, len(cells), len(columns))]


def _bar(measure: Measure, calibrated: bool) -> dict[str, Any]:
    """Above the map, where it takes no width from it on a phone."""
    title = f"{measure.symbol}, above chance" if calibrated else measure.symbol
    return {"title": {"text": title, "side": "top"}, "orientation": "h", "thickness": 10, "outlinewidth": 0,
            "x": 0, "xanchor": "left", "y": ABOVE_AXES, "yanchor": "bottom", "len": 0.75, "nticks": 4}


def _mark(figure: go.Figure, name: str, places: Sequence[Cell], **marker: Any) -> None:
    if places:
        figure.add_trace(go.Scatter(x=[x for x, _ in places], y=[y for _, y in places], mode="markers", name=name,
                                    hoverinfo="skip", showlegend=False, marker=marker))


def _add_targets(figure: go.Figure, places: Sequence[Cell], hover: Sequence[str]) -> None:
    """What a click meets, since a heat map tells Streamlit of none: a square that is not seen over every cell."""
    unseen = {"marker": {"opacity": 0}}
    figure.data[0].update(hoverinfo="skip", hovertext=None, hovertemplate=None)
    figure.add_trace(go.Scatter(
        x=[x for x, _ in places], y=[y for _, y in places], mode="markers", name="cells", showlegend=False,
        hovertext=list(hover), hovertemplate="%{hovertext}<extra></extra>", marker={"symbol": "square", "opacity": 0},
        selected=unseen, unselected=unseen))
    figure.update_layout(hoverdistance=-1)  # the nearest centre is that of the cell below the pointer


def _dressed(figure: go.Figure, rows: Sequence[str], columns: Sequence[str], titles: tuple[str, str],
             style: Style) -> go.Figure:
    dress(figure, style, height=max(460, 180 + 24 * len(rows)))
    figure.update_layout(margin={"t": 70})
    figure.update_xaxes(type="category", title={"text": titles[1], "standoff": 16}, showgrid=False,
                        range=[-0.5, len(columns) - 0.5], **_ticks(columns))
    figure.update_yaxes(type="category", title_text=titles[0], showgrid=False, range=[-0.5, len(rows) - 0.5],
                        **_ticks(rows))
    return figure


def _ticks(names: Sequence[str]) -> dict[str, Any]:
    """Long names of few items stand on lines of their own; of many, plotly leaves out what has no room."""
    if len(names) > MOST_NUMBERED or max(map(len, names)) <= LONG_NAME:
        return {}
    return {"tickvals": list(names), "ticktext": [name.replace(" ", "<br>") for name in names]}
