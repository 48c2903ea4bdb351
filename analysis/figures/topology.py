"""Topology over training, beside what clouds without structure give, and how far diagrams move."""

from collections.abc import Iterator, Sequence
from typing import Any

import plotly.graph_objects as go

from analysis.figures import legend, trajectory
from analysis.figures.theme import PALETTE, Style, axis_title, dress, faded
from analysis.figures.trajectory import Axis
from analysis.measure import Measure
from analysis.results import Panel

Records = Sequence[dict[str, Any]]
HATCHES = {"matched": "/", "shuffled": "\\"}
NULLS = {"matched": "same covariance", "shuffled": "components shuffled"}  # short, for a phone
UNIT = "0.9 quantile of distances"
AFTER = 1001  # in the legend, behind the lines, whose rank is 1000
ENTRY = 22  # pixels of a line of the legend


def over_training(records: Records, panel: Panel, summary: Measure, axis: Axis, colours: dict[str, str],
                  style: Style) -> go.Figure:
    """One line for each run and site with its spread over draws, before the hatched central 90 % of both kinds of
    surrogates; the panel below, if filled. Where records say whether they are `significant`, markers that are not are
    hollow. `summary` needs only what stands on an axis: label, symbol, unit, bounds, log_scale."""
    figure = trajectory.build(records, panel, summary, axis, colours, style)
    bands = list[go.Scatter]()
    alone = len({(record["run"], record["site"]) for record in records}) == 1
    for trace, placed in _lines(figure, records, axis):
        trace.update(customdata=[_told(record) for record in placed], hovertemplate="%{customdata[3]}<extra></extra>",
                     unselected={"marker": {"opacity": 1}}, selected={"marker": {"size": 14}})
        if trace.marker.symbol and any(record.get("significant") is not None for record in placed):
            trace.marker.update(size=9, line={"width": 1.5, "color": trace.line.color}, symbol=[
                f"{trace.marker.symbol}{'' if record['significant'] else '-open'}" for record in placed])
        colour = style.ink if alone else trace.line.color
        bands += [_null(trace, placed, kind, colour) for kind in HATCHES]
    _name_once(bands)
    figure.add_traces(bands)
    figure.data = (*figure.data[-len(bands):], *figure.data[:-len(bands)]) if bands else figure.data
    _add_entries(figure, records, style)
    return figure


def changes(records: Records, distance: Measure, axis: Axis, colours: dict[str, str], style: Style) -> go.Figure:
    """One line for each run and site: how far its diagrams lie from those of the reference; dashed, how far different
    draws of one checkpoint lie apart. `distance` needs only what stands on an axis."""
    figure = trajectory.build(records, Panel("", []), distance, axis, colours, style)
    noise = [go.Scatter(
        x=trace.x, y=[record["noise"] for record in placed], mode="lines", name=f"{trace.name}, draws",
        legendgroup="draws", showlegend=False, line={"color": trace.line.color, "width": 1.5, "dash": "dash"},
        hovertemplate=f"different draws of one checkpoint: %{{y:.4g}}<extra>{trace.name}</extra>")
        for trace, placed in _lines(figure, records, axis) if any(record["noise"] is not None for record in placed)]
    for trace, placed in _lines(figure, records, axis):
        trace.update(customdata=[_told(record) for record in placed], hovertemplate="%{customdata[3]}<extra></extra>")
    figure.add_traces(noise)
    if noise:
        figure.add_trace(go.Scatter(x=[None], y=[None], mode="lines", name="different draws of one checkpoint",
                                    hoverinfo="skip", legendgroup="draws",
                                    line={"color": style.ink, "width": 1.5, "dash": "dash"}))
    figure.update_yaxes(rangemode="tozero")
    return figure


def two_samples(records: Records, names: tuple[str, str], dimension: int, style: Style) -> go.Figure:
    """Every distance between two disjoint draws, by whether they are of A, of B, or of one each."""
    figure = go.Figure()
    groups = {"within A": PALETTE[0], "within B": PALETTE[1], "between": style.muted}
    for name, colour in groups.items():
        own = [record for record in records if record["pair"] == name]
        figure.add_trace(go.Box(
            x=[record["distance"] for record in own], y=[name] * len(own), orientation="h", name=name,
            boxpoints="all", jitter=0.5, pointpos=0, fillcolor=faded(PALETTE[7], 0.15), showlegend=False,
            line={"color": style.muted, "width": 1}, marker={"color": colour, "size": 6},
            customdata=[f"draws {record['draw'] + 1} and {record['other'] + 1}" for record in own],
            hovertemplate="%{customdata}<br>%{x:.4g}<extra>" + name + "</extra>"))
    dress(figure, style, height=300)
    figure.update_xaxes(title_text=axis_title(f"Wasserstein distance, H{dimension}", unit=UNIT), rangemode="tozero")
    figure.update_yaxes(autorange="reversed")
    for side, name, colour in (("A", names[0], PALETTE[0]), ("B", names[1], PALETTE[1])):
        figure.add_trace(go.Scatter(x=[None], y=[None], mode="markers", name=f"{side}: {name}", hoverinfo="skip",
                                    marker={"color": colour, "size": 7}))
    return figure


def _lines(figure: go.Figure, records: Records, axis: Axis) -> Iterator[tuple[Any, list[dict[str, Any]]]]:
    """Each line of the figure with the record of each of its points; a model without steps is a level with two."""
    for trace in figure.data:
        own = [record for record in records if legend.line_name(record["run"], record["site"]) == trace.name]
        placed = [record for record in own if record[axis.quantity] is not None]
        if own and (placed or len(own) == 1):
            yield trace, placed or own * len(trace.x)


def _null(trace: Any, placed: Records, kind: str, colour: str) -> go.Scatter:
    """The central 90 % of one kind of surrogates along a line. Its edge is drawn too, for a line of one point."""
    return go.Scatter(
        x=[*trace.x, *reversed(trace.x)], mode="lines", fill="toself", hoverinfo="skip", legendgroup=f"null {kind}",
        y=[record[f"{kind}_high"] for record in placed] + [record[f"{kind}_low"] for record in reversed(placed)],
        name=f"90 % of surrogates, {NULLS[kind]}", legendrank=AFTER, line={"width": 1, "color": faded(colour, 0.35)},
        fillcolor="rgba(0,0,0,0)", fillpattern=hatch(kind, colour))


def hatch(kind: str, colour: str) -> dict[str, Any]:
    """The lines that mark a band as one of surrogates of a kind."""
    return {"shape": HATCHES[kind], "fgcolor": faded(colour, 0.4), "bgcolor": "rgba(0,0,0,0)", "size": 7,
            "solidity": 0.15, "fillmode": "replace"}


def _name_once(bands: Sequence[go.Scatter]) -> None:
    named = set[str]()
    for band in bands:
        band.update(showlegend=band.name not in named)
        named.add(band.name)


def _add_entries(figure: go.Figure, records: Records, style: Style) -> None:
    """What filled and hollow markers say, where both are there, and room for what the legend has got."""
    told = {bool(record["significant"]) for record in records if record.get("significant") is not None}
    for significant in sorted(told, reverse=True):
        figure.add_trace(go.Scatter(
            x=[None], y=[None], mode="markers", hoverinfo="skip", legendrank=AFTER,
            name="longer than both nulls (p ≤ 0.05)" if significant else "not longer than both",
            marker={"symbol": f"circle{'' if significant else '-open'}", "size": 9, "color": style.ink}))
    figure.update_layout(height=figure.layout.height + ENTRY * (len(HATCHES) + len(told)))


def _told(record: dict[str, Any]) -> list[str]:
    """Revision, run and site of a point, by which a click is followed, and what hovering says."""
    spread = "" if record["spread"] is None else f" ± {record['spread']:.2g} over {record['draws']} draws"
    lines = [f"{record['run']} · {record['site']}, {record['revision']}", f"{record['value']:.4g}{spread}"]
    lines += [f"{NULLS[kind]}: {record[f'{kind}_low']:.3g} to {record[f'{kind}_high']:.3g}"
              + (f", p = {record[f'p_{kind}']:.3g}" if f"p_{kind}" in record else "")
              for kind in HATCHES if f"{kind}_low" in record]
    if record.get("noise") is not None:
        lines.append(f"different draws of one checkpoint: {record['noise']:.3g}")
    lines += [f"against {record['to']}"] if "to" in record else [f"{record['n']} points a cloud, d = {record['d']}"]
    return [record["revision"], record["run"], record["site"], "<br>".join(lines)]
