"""The legend of many lines: each run named once by its colour, each part of it once by its symbol and shade."""

from collections.abc import Sequence

import plotly.graph_objects as go

from analysis.figures.theme import SYMBOLS, Style, shade

CORRECTED = ", corrected"
FIRST = 900  # before what says no rank, whose rank is 1000


def line_name(run: str, part: str) -> str:
    """A line where it is named in full: in hover texts, and in the legend where runs have one part only."""
    return f"{run} · {part}"


def factor(figure: go.Figure, runs: Sequence[str], parts: Sequence[str], colours: dict[str, str],
           style: Style) -> None:
    """Where runs have several parts (sites, matrices, checkpoints): entries for runs and for parts instead of one for
    each pair of them, and one entry for all corrected lines.

    Of one run, a click on a part hides its line. Of several, no entry is one line, so a click does nothing.
    """
    names = {line_name(run, part) for run in runs for part in parts}
    if len(names) < 2:
        return
    corrected = {f"{name}{CORRECTED}" for name in names}
    dotted = [trace for trace in figure.data if trace.name in corrected]
    for trace in dotted:
        trace.update(legendgroup="corrected", showlegend=False)
    if len(parts) > 1:
        for trace in figure.data:
            trace.update(showlegend=False if trace.legendgroup in names else trace.showlegend)
        _add_entries(figure, runs, parts, colours, style)
    if dotted:
        _add_entry(figure, "corrected", style.ink, dash="dot", group="corrected")


def make_room(figure: go.Figure) -> None:
    """A higher figure where the legend below it is long, so that the lines keep their room."""
    listed = sum(trace.showlegend is not False for trace in figure.data)
    figure.update_layout(height=figure.layout.height + 11 * max(0, listed - 4))


def _add_entries(figure: go.Figure, runs: Sequence[str], parts: Sequence[str], colours: dict[str, str],
                 style: Style) -> None:
    alone = len(runs) == 1
    for run in () if alone else runs:
        _add_entry(figure, run, colours[run])
    for index, part in enumerate(parts):
        _add_entry(figure, part, shade(colours[runs[0]] if alone else style.ink, index, len(parts), style),
                   symbol=SYMBOLS[index % len(SYMBOLS)], group=line_name(runs[0], part) if alone else None)
    title = {"text": runs[0], "side": "top", "font": {"size": style.font_px}}
    figure.update_layout(legend={"title": title} if alone else {"itemclick": False, "itemdoubleclick": False})


def _add_entry(figure: go.Figure, name: str, colour: str, *, symbol: str | None = None, group: str | None = None,
               dash: str | None = None) -> None:
    figure.add_trace(go.Scatter(
        x=[None], y=[None], mode="lines+markers" if symbol else "lines", name=name, legendgroup=group,
        legendrank=FIRST if dash is None else None, hoverinfo="skip",
        line={"color": colour, "width": 2, "dash": dash}, marker={"symbol": symbol, "size": 7}))
