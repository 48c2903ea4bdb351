"""What a figure says in words, and a copy of it that says it in others."""

from collections.abc import Iterator, Mapping
from typing import Any

import plotly.graph_objects as go

AXIS, LEGEND, BAR, NOTE = "axis", "legend", "colour bar", "note"
Place = tuple[dict[str, Any], str, str]  # what holds a text, under which name, and which kind of text it is


def words(figure: go.Figure) -> dict[str, str]:
    """Each text that the figure shows once, with its kind: titles of axes, entries and titles of the legend, titles of
    colour bars, and notes. Tick labels and titles of the whole figure are not among them."""
    found: dict[str, str] = {}
    for holder, name, kind in _places(figure.to_plotly_json()):
        found.setdefault(holder[name], kind)
    return dict(sorted(found.items(), key=lambda one: (AXIS, BAR, LEGEND, NOTE).index(one[1])))


def reworded(figure: go.Figure, changes: Mapping[str, str]) -> go.Figure:
    """A copy in which each text is exchanged for another, wherever it stands; an empty one takes it away."""
    if not changes:
        return figure
    spec = figure.to_plotly_json()
    for holder, name, _ in _places(spec):
        holder[name] = changes.get(holder[name], holder[name])
    return go.Figure(spec)


def _places(spec: dict[str, Any]) -> Iterator[Place]:
    layout = spec["layout"]
    for name, axis in layout.items():
        if name.startswith(("xaxis", "yaxis")):
            yield from _title(axis, AXIS)
    bars = [layout.get("coloraxis", {}), *spec["data"], *(trace.get("marker", {}) for trace in spec["data"])]
    for holder in bars:
        yield from _title(holder.get("colorbar", {}), BAR)
    yield from _title(layout.get("legend", {}), LEGEND)
    for trace in spec["data"]:
        if _is_listed(trace, spec):
            yield trace, "name", LEGEND
        group = trace.get("legendgrouptitle", {})
        if group.get("text"):
            yield group, "text", LEGEND
    for note in layout.get("annotations", ()):
        if note.get("text"):
            yield note, "text", NOTE


def _title(holder: dict[str, Any], kind: str) -> Iterator[Place]:
    title = holder.get("title") or {}
    if title.get("text"):
        yield title, "text", kind


def _is_listed(trace: dict[str, Any], spec: dict[str, Any]) -> bool:
    """Whether the legend has an entry of this line: of one line alone it has none unless it is asked for."""
    asked = trace.get("showlegend", spec["layout"].get("showlegend", len(spec["data"]) > 1))
    return bool(trace.get("name")) and bool(asked) and spec["layout"].get("showlegend") is not False
