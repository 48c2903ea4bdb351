"""CKA and stitching of the same two networks over depth, one panel a pair, sites of disagreement tinted."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from analysis.figures.theme import PALETTE, PHASES, Style, dress, faded
from analysis.pairs.disagreement import DISAGREEMENTS, INTERCHANGEABLE

FUNCTION = PALETTE[2]
TINTS = dict(zip(DISAGREEMENTS, (PHASES["compression-seeking"], PHASES["entropy-seeking"]), strict=True))
TALL, LOWEST = 230, -1.0  # pixels of a panel; a share recovered below this is drawn at the edge
Records = Sequence[dict[str, Any]]


def build(records: Records, style: Style) -> go.Figure:
    """A panel for each pair: debiased CKA with what shuffled documents stay below, and the share of the loss recovered
    with what an untrained sender recovers. Hollow: the stitch says nothing of its sender."""
    pairs = list(dict.fromkeys(record["pair"] for record in records))
    figure = make_subplots(rows=len(pairs), shared_xaxes=True, subplot_titles=[_wrapped(pair) for pair in pairs],
                           vertical_spacing=0.32 / max(1, len(pairs)) if len(pairs) > 1 else 0)
    floor = _floor(records)
    for row, pair in enumerate(pairs, 1):
        own = [record for record in records if record["pair"] == pair]
        for trace in _lines(own, floor, style, first=row == 1):
            figure.add_trace(trace, row=row, col=1)
        for record in own:
            if record["verdict"] in TINTS:
                place = [record["site"] for record in own].index(record["site"])
                figure.add_vrect(x0=place - 0.5, x1=place + 0.5, fillcolor=TINTS[record["verdict"]], opacity=0.25,
                                 line_width=0, layer="below", row=row, col=1)
    figure.add_traces([_entry("share of the loss recovered", "circle"), *(
        [_entry("says nothing of its sender", "circle-open")] if any(r["uninformative"] for r in records) else [])])
    for kind in [kind for kind in TINTS if any(record["verdict"] == kind for record in records)]:
        figure.add_trace(go.Scatter(x=[None], y=[None], mode="markers", hoverinfo="skip", name=_short(kind), marker={
            "symbol": "square", "size": 12, "color": faded(TINTS[kind], 0.4)}))
    dress(figure, style, height=150 + TALL * len(pairs)).update_layout(margin={"t": 60})
    figure.update_annotations(font={"size": style.font_px, "color": style.ink})
    figure.update_yaxes(range=[floor - 0.05, 1.15], title_text="CKA, share")
    figure.update_xaxes(type="category", title_text="", range=[-0.5, _most_sites(records) - 0.5])
    figure.update_xaxes(title_text="Site, the same of sender and receiver", row=len(pairs), col=1)
    return figure


def _lines(own: Records, floor: float, style: Style, *, first: bool) -> list[go.Scatter]:
    hollow = ["circle-open" if record["uninformative"] else "circle" for record in own]
    return [
        _line(own, "threshold", "95 % of shuffled documents", style.ink, floor, first, dash="dash", width=1),
        _line(own, "random_recovered", "untrained sender", FUNCTION, floor, first, dash="dot", width=1.5),
        _line(own, "cka", "debiased CKA", style.ink, floor, first, symbol="square"),
        _line(own, "recovered", "share of the loss recovered", FUNCTION, floor, False, symbol=hollow)]


def _entry(name: str, symbol: str) -> go.Scatter:
    """Stands in the legend only: a line with two kinds of points would show the kind of its first there."""
    return go.Scatter(x=[None], y=[None], mode="lines+markers", name=name, hoverinfo="skip",
                      line={"color": FUNCTION, "width": 2}, marker={"symbol": symbol, "size": 9, "color": FUNCTION})


def _line(own: Records, name: str, label: str, colour: str, floor: float, first: bool, *, dash: str = "solid",
          width: float = 2, symbol: Any = None) -> go.Scatter:
    """One quantity over the sites, with its interval where it has one; what is below the floor stands at the edge."""
    ends = [(record.get(f"{name}_low"), record[name], record.get(f"{name}_high")) for record in own]
    known = symbol is not None and any(low is not None for low, _, _ in ends)
    bars = {"type": "data", "symmetric": False, "thickness": 1, "width": 3,
            "array": [0 if high is None or value is None else high - value for _, value, high in ends],
            "arrayminus": [0 if low is None or value is None else value - low for low, value, _ in ends]}
    return go.Scatter(
        x=[record["site"] for record in own], name=label, legendgroup=label, showlegend=first, connectgaps=False,
        y=[None if value is None else max(value, floor) for _, value, _ in ends],
        mode="lines+markers" if symbol else "lines", line={"color": colour, "width": width, "dash": dash},
        marker={"symbol": symbol, "size": 9, "color": colour}, error_y=bars if known else None,
        customdata=[[_told(label, end), record["verdict"], record["reason"]]
                    for record, end in zip(own, ends, strict=True)],
        hovertemplate="%{x}<br>%{customdata[0]}<br>%{customdata[1]}<br>%{customdata[2]}<extra></extra>")


def _told(label: str, end: tuple[float | None, float | None, float | None]) -> str:
    low, value, high = end
    if value is None:
        return f"{label}: undefined"
    return f"{label} {value:.3f}" + ("" if low is None or high is None else f" ({low:.3f} to {high:.3f})")


def _floor(records: Records) -> float:
    values = [record[name] for record in records for name in ("cka", "recovered", "random_recovered")
              if record[name] is not None]
    return max(LOWEST, min([0.0, *values]))


def _most_sites(records: Records) -> int:
    return len(dict.fromkeys(record["site"] for record in records))


def _wrapped(pair: str) -> str:
    """Sender and receiver on two lines, which fit on a phone."""
    return pair.replace(" → ", " →<br>")


def _short(kind: str) -> str:
    return "CKA different, interchangeable" if kind == INTERCHANGEABLE else "CKA alike, not interchangeable"
