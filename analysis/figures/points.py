"""The same rows on a plane at each frame, with a slider and a play button; and how faithful each frame is."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from textwrap import wrap
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, Int

from analysis.figures import legend
from analysis.figures.theme import PALETTE, SEQUENTIAL, Style, dress, faded
from analysis.maps import reading
from analysis.maps.reading import Colouring
from analysis.maps.shown import PointMap

COLOURS = PALETTE[:-1]  # its grey is for the rest
MOST_PATHS, MOST_SMOOTH = 40, 2_000  # paths of more points hide each other; more points do not move smoothly
CHARACTERS, SIZE, ROOM = 44, 6, 0.05
TOP, SLIDER, BUTTONS, HEIGHT = 100, 72, 92, 760  # pixels
STAY_MS, MOVE_MS = 900, 500


@dataclass(frozen=True, eq=False)
class Part:
    """Points that are drawn alike, and what differs between them: a number for each at each frame."""

    name: str
    rows: Int[np.ndarray, " g"]
    drawn: dict[str, Any]  # marker, mode, text and whether the legend names it
    values: Float[np.ndarray, "frames g"] | None = None


def build(found: PointMap, colours: Colouring, hover: Sequence[Sequence[str]], *, at: int, style: Style,
          since: str = reading.FIRST, picked: Sequence[int] = (), ringed: Sequence[int] = ()) -> go.Figure:
    """The map as it stands at frame `at`, with the frames to play. `hover` are the lines said of each point, `picked`
    points are lettered, `ringed` ones have a ring, and both have their path over all frames drawn."""
    parts = _parts(colours, found.drawn, style) + _rings(picked, ringed, style)
    told = np.stack([np.broadcast_to(np.arange(found.drawn), found.norms.shape), found.norms,
                     reading.change(found, since)], axis=-1)
    figure = go.Figure()
    everything = range(found.drawn) if found.drawn <= MOST_PATHS else ringed[:MOST_PATHS]
    _add_paths(figure, found, everything, {"color": faded(style.ink, 0.18), "width": 1})
    _add_paths(figure, found, picked, {"color": faded(style.ink, 0.75), "width": 1.5})
    paths = len(figure.data)
    for part in parts:
        figure.add_trace(_at(found, part, at, told).update(
            name=part.name, hovertext=["<br>".join(map(_wrapped, hover[row])) for row in part.rows],
            hovertemplate="%{hovertext}<br>norm %{customdata[1]:.3g}, new neighbours %{customdata[2]:.0%}"
                          "<extra></extra>", **{"mode": "markers", **part.drawn}))
    dress(figure, style, height=HEIGHT)
    if len(found.frames) > 1:
        moving = list(range(paths, paths + len(parts)))
        figure.frames = [go.Frame(name=str(f), traces=moving, data=[_at(found, part, f, told) for part in parts],
                                  layout={"annotations": [_faith(found, f, style)]})
                         for f in range(len(found.frames))]
        _add_controls(figure, found, at, style)
    figure.update_layout(annotations=[_faith(found, at, style)], dragmode="select",
                         margin={"t": TOP + SLIDER * (len(found.frames) > 1), "l": 10, "r": 10,
                                 "b": 60 + 40 * any(trace.showlegend is not False for trace in figure.data[paths:])})
    _set_axes(figure, found.positions)
    legend.make_room(figure)
    return figure


def faithfulness(found: PointMap, style: Style) -> go.Figure:
    """What the map keeps of the full space at each frame, and dotted what it would keep by chance."""
    figure = go.Figure()
    for colour, (name, chance) in zip(PALETTE, reading.by_chance(found).items(), strict=False):
        label = reading.FACTS[name]
        figure.add_trace(go.Scatter(x=found.frames, y=[facts[name] for facts in found.facts], name=label,
                                    legendgroup=name, mode="lines+markers", line={"color": colour, "width": 2},
                                    hovertemplate=f"%{{x}}: {label} %{{y:.3f}}<extra></extra>"))
        figure.add_trace(go.Scatter(x=found.frames, y=[chance] * len(found.frames), mode="lines", hoverinfo="skip",
                                    legendgroup=name, showlegend=False, name=f"{label} by chance",
                                    line={"color": colour, "width": 1.5, "dash": "dot"}))
    dress(figure, style, height=320)
    lowest = min(facts["distance_correlation"] for facts in found.facts)
    figure.update_yaxes(range=[min(0.0, lowest) - 0.03, 1.03], title_text="1: the map keeps it all")
    figure.update_xaxes(type="category")
    return figure


def _parts(colours: Colouring, count: int, style: Style) -> list[Part]:
    """The points by their colours; those without one are below the others and grey."""
    named = [rows for _, rows in colours.groups]
    parts = [Part(name, rows, {"marker": {
        "color": COLOURS[k % len(COLOURS)], "symbol": "circle" if k < len(COLOURS) else "diamond", "size": SIZE}})
        for k, (name, rows) in enumerate(colours.groups)]
    if colours.values is not None:
        rows = np.flatnonzero(np.isfinite(colours.values).all(axis=0))
        named, shown = [rows], colours.values[:, rows]
        parts = [Part(colours.title, rows, {"showlegend": False, "marker": {
            "size": SIZE, "colorscale": SEQUENTIAL, "cmin": shown.min(), "cmax": shown.max(),
            "colorbar": {"orientation": "h", "thickness": 12, "y": 0, "yanchor": "top", "outlinewidth": 0,
                         "title": {"text": colours.title, "side": "bottom", "font": {"size": style.font_px}}}}},
                      shown)] if rows.size else []
    rest = np.setdiff1d(np.arange(count), np.concatenate([*named, []]).astype(int))
    grey = {"marker": {"color": style.muted, "size": SIZE - 1, "opacity": 0.6}}
    return [*([Part(reading.OTHER, rest, grey)] if rest.size else []), *parts]


def _rings(picked: Sequence[int], ringed: Sequence[int], style: Style) -> list[Part]:
    """Rings around points that were searched for, and letters at those that were chosen."""
    ring = {"symbol": "circle-open", "color": style.ink, "line": {"width": 1.5}, "size": SIZE + 6}
    letters = {"mode": "markers+text", "text": [reading.letter(k) for k in range(len(picked))],
               "textposition": "top right", "textfont": {"size": style.font_px + 3}, "showlegend": False,
               "marker": {**ring, "size": SIZE + 9, "line": {"width": 2.5}}}
    return [*([Part("found", np.array(ringed), {"marker": ring})] if ringed else []),
            *([Part("chosen", np.array(picked), letters)] if picked else [])]


def _at(found: PointMap, part: Part, frame: int, told: Float[np.ndarray, "frames m 3"]) -> go.Scatter:
    """What of a part differs from frame to frame: places, numbers to say, and colours."""
    x, y = found.positions[frame, part.rows].astype(np.float32).T
    trace = go.Scatter(x=x, y=y, customdata=told[frame, part.rows].astype(np.float32))
    if part.values is not None:
        trace.marker.color = part.values[min(frame, len(part.values) - 1)].astype(np.float32)
    return trace


def _add_paths(figure: go.Figure, found: PointMap, rows: Sequence[int], line: dict[str, Any]) -> None:
    """The way of each point through all frames, with a gap after it."""
    if rows and len(found.frames) > 1:
        paths = found.positions[:, list(rows)].transpose(1, 0, 2).astype(np.float32)
        flat = np.concatenate([paths, np.full((len(paths), 1, 2), np.nan, np.float32)], axis=1).reshape(-1, 2)
        x, y = ([None if np.isnan(value) else round(value, 4) for value in side] for side in flat.T.tolist())
        figure.add_trace(go.Scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip", showlegend=False,
                                    name="paths"))


def _add_controls(figure: go.Figure, found: PointMap, at: int, style: Style) -> None:
    """Play, pause, and a slider that names the frame; they stand above the map, where a legend cannot meet them."""
    move = MOVE_MS if found.drawn <= MOST_SMOOTH else 0

    def go_to(frames: list[str] | list[None] | None, stay: int, moved: int) -> dict[str, Any]:
        return {"method": "animate", "args": [frames, {
            "mode": "immediate", "transition": {"duration": moved, "easing": "cubic-in-out"},
            "frame": {"duration": stay, "redraw": True}}]}

    above = {"x": 0, "y": 1, "xanchor": "left", "yanchor": "bottom"}
    edge = {"bordercolor": style.grid, "font": {"color": style.ink, "size": style.font_px - 2}, "bgcolor": style.paper}
    figure.update_layout(
        updatemenus=[above | edge | {"type": "buttons", "direction": "left", "showactive": False, "pad": {"b": 26},
                                     "buttons": [{"label": "▶", **go_to(None, STAY_MS, move)},
                                                 {"label": "❚❚", **go_to([None], 0, 0)}]}],
        sliders=[above | edge | {
            "active": at, "len": 1, "pad": {"l": BUTTONS, "b": 10, "r": 10}, "currentvalue": {"visible": False},
            "bgcolor": style.muted, "activebgcolor": style.ink, "ticklen": 4, "tickcolor": style.muted,
            "steps": [{"label": name, **go_to([str(f)], 0, move)} for f, name in enumerate(found.frames)]}])


def _faith(found: PointMap, frame: int, style: Style) -> dict[str, Any]:
    """The frame's name and how faithful it is, above the map."""
    return {"text": "<br>".join([f"<b>{escape(found.frames[frame])}</b>", *reading.faith(found, frame)]),
            "align": "left", "showarrow": False, "xref": "paper", "yref": "paper", "x": 0, "y": 1, "xanchor": "left",
            "yanchor": "bottom", "yshift": SLIDER if len(found.frames) > 1 else 0, "font": {"size": style.font_px - 1}}


def _set_axes(figure: go.Figure, positions: Float[np.ndarray, "frames m 2"]) -> None:
    """The same ranges at every frame and the same length of a unit in both directions, without numbers."""
    low, high = positions.min(axis=(0, 1)), positions.max(axis=(0, 1))
    pad = ROOM * (high - low).max()
    bare = {"showticklabels": False, "ticks": "", "showgrid": False, "mirror": True}
    figure.update_xaxes(range=[low[0] - pad, high[0] + pad], constrain="domain", **bare)
    figure.update_yaxes(range=[low[1] - pad, high[1] + pad], scaleanchor="x", scaleratio=1, constrain="domain",
                        **bare)


def _wrapped(text: str) -> str:
    return "<br>".join(escape(part) for part in wrap(text, CHARACTERS))
