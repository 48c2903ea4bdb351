"""The persistent homology of one representation: its diagram, barcode, Betti curves and landscapes, each with what
clouds without structure give."""

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from analysis.figures.theme import PALETTE, SYMBOLS, Style, axis_title, dress, faded
from analysis.figures.topology import HATCHES, NULLS, UNIT, hatch

Records = Sequence[dict[str, Any]]
MOST_BARS = 60
MARGIN = 0.03
CURVES = {"β0": "Components β<sub>0</sub>", "β1": "Loops β<sub>1</sub>", "β2": "Voids β<sub>2</sub>",
          "χ": "Euler curve χ"}


def diagram(bars: Records, style: Style) -> go.Figure:
    """Birth and death of every bar: those of the first draw full, those of the other draws faint. Above the dashed line
    of its dimension, parallel to the diagonal, a bar is longer than the longest of 95 % of surrogates of both kinds."""
    figure = go.Figure()
    limits = {record["dimension"]: _threshold(record) for record in bars}
    top = max(*(record["death"] for record in bars), *(1.1 * limit for limit in limits.values()))
    figure.add_trace(go.Scatter(x=[0, top], y=[0, top], mode="lines", line={"color": style.muted, "width": 1},
                                name="diagonal", hoverinfo="skip", showlegend=False))
    for dimension, threshold in sorted(limits.items()):
        own = [record for record in bars if record["dimension"] == dimension]
        for name, drawn in ((f"H{dimension}, other draws", [one for one in own if one["draw"]]),
                            (f"H{dimension}", [one for one in own if not one["draw"]])):
            if drawn:
                _add_points(figure, drawn, name, style)
        figure.add_trace(go.Scatter(
            x=[0, top - threshold], y=[threshold, top], mode="lines",
            name=f"H{dimension}: longest of 95 % of surrogates", legendgroup=f"H{dimension}",
            line={"color": PALETTE[dimension], "width": 1.5, "dash": "dash"},
            hovertemplate=f"H{dimension}: 95 % of surrogates have no bar longer than {threshold:.3f}<extra></extra>"))
    dress(figure, style, height=620)
    ends = [-MARGIN * top, (1 + MARGIN) * top]  # H0 is born at 0 and would be cut there
    figure.update_xaxes(title_text=axis_title("Birth", unit=UNIT), range=ends)
    figure.update_yaxes(title_text=axis_title("Death", unit=UNIT), range=ends)
    return figure


def barcode(bars: Records, dimension: int, style: Style) -> go.Figure:
    """The longest bars of the first draw, longest on top; thin, where the bar of that rank ends over all draws. Above
    the dashed line bars are longer than the longest of 95 % of surrogates; those below are faint."""
    own = [record for record in bars if record["dimension"] == dimension and not record["draw"]][:MOST_BARS]
    figure = go.Figure()
    colour, above = PALETTE[dimension], sum(record["length"] > _threshold(record) for record in own)
    for name, drawn, ink in (("longer than the null", own[:above], colour),
                             ("not longer than the null", own[above:], faded(colour, 0.4))):
        if drawn:
            figure.add_trace(go.Scatter(
                x=_gapped([(one["birth"], one["death"]) for one in drawn]), mode="lines", name=name,
                y=_gapped([(one["rank"], one["rank"]) for one in drawn]), line={"color": ink, "width": 5},
                customdata=_gapped([(_said(one), _said(one)) for one in drawn]),
                hovertemplate="%{customdata}<extra></extra>"))
    if own and len({record["draw"] for record in bars}) > 1:
        figure.add_trace(go.Scatter(
            x=_gapped([(one["birth"] + one["low"], one["birth"] + one["high"]) for one in own]), mode="lines",
            y=_gapped([(one["rank"], one["rank"]) for one in own]), name="its end over all draws", hoverinfo="skip",
            line={"color": style.ink, "width": 1.5}))
    if own:
        figure.add_trace(go.Scatter(
            x=[0, max(one["death"] for one in own)], y=[above + 0.5] * 2, mode="lines", hoverinfo="skip",
            name=f"longest of 95 % of surrogates ({_threshold(own[0]):.3f})",
            line={"color": style.ink, "width": 1.5, "dash": "dash"}))
    dress(figure, style, height=max(260, 150 + 9 * len(own)))
    figure.update_xaxes(title_text=axis_title("Radius", unit=UNIT), rangemode="tozero")
    figure.update_yaxes(title_text=f"H{dimension} bars by length", range=[len(own) + 1.5, 0],
                        tickvals=[1, *range(10, len(own) + 1, 10)])
    return figure


def curves(records: Records, style: Style) -> go.Figure:
    """Betti numbers and the Euler curve over the radius: mean and range over draws, before the hatched central 90 % of
    surrogates of both kinds and their median, dotted."""
    names = list(dict.fromkeys(record["curve"] for record in records))
    figure = make_subplots(rows=len(names), shared_xaxes=True, vertical_spacing=0.05)
    for row, name in enumerate(names, 1):
        own = [record for record in records if record["curve"] == name]
        colour = style.ink if name == "χ" else PALETTE[int(name[1:])]
        for kind in HATCHES:
            _add_band(figure, own, f"{kind}_low", f"{kind}_high", row, name=f"90 % of surrogates, {NULLS[kind]}",
                      line={"width": 0}, fillcolor="rgba(0,0,0,0)", fillpattern=hatch(kind, style.ink))
            if own[0][f"{kind}_median"] is not None:
                figure.add_trace(go.Scatter(
                    x=[one["radius"] for one in own], y=[one[f"{kind}_median"] for one in own], mode="lines",
                    line={"color": style.muted, "width": 1, "dash": "dot"}, hoverinfo="skip", showlegend=False,
                    name=f"{name}, median of {kind}"), row=row, col=1)
        _add_band(figure, own, "low", "high", row, name=f"{name}, draws", line={"width": 0},
                  fillcolor=faded(colour, 0.25), showlegend=False)
        figure.add_trace(go.Scatter(
            x=[one["radius"] for one in own], y=[one["value"] for one in own], mode="lines", showlegend=False,
            name=name, line={"color": colour, "width": 2}, customdata=[_nulls(one) for one in own],
            hovertemplate=f"radius %{{x:.2f}}<br>{name} = %{{y:.4g}}<br>%{{customdata}}<extra></extra>"),
            row=row, col=1)
        figure.update_yaxes(title_text=CURVES[name], row=row, col=1)
    dress(figure, style, height=150 + 170 * len(names))
    figure.update_xaxes(title_text=axis_title("Radius", unit=UNIT), row=len(names), col=1)
    return figure


def landscapes(records: Records, style: Style) -> go.Figure:
    """The first levels of the landscape, mean over draws. A peak is half as high as its bar is long; 95 % of surrogates
    have none above the dashed line."""
    figure = go.Figure()
    levels = sorted({record["level"] for record in records})
    colour = PALETTE[records[0]["dimension"]]
    for level in levels:
        own = [record for record in records if record["level"] == level]
        figure.add_trace(go.Scatter(
            x=[one["radius"] for one in own], y=[one["value"] for one in own], mode="lines", name=f"λ{level}",
            line={"color": faded(colour, 1 - 0.3 * (level - 1)), "width": 2},
            hovertemplate=f"radius %{{x:.2f}}<br>λ{level} = %{{y:.4g}}<extra></extra>"))
    ceiling = max(records[0][f"{kind}_ceiling"] for kind in HATCHES)
    figure.add_trace(go.Scatter(
        x=[records[0]["radius"], records[-1]["radius"]], y=[ceiling] * 2, mode="lines", hoverinfo="skip",
        name="95 % of surrogates have no higher peak", line={"color": style.ink, "width": 1.5, "dash": "dash"}))
    dress(figure, style, height=380)
    figure.update_xaxes(title_text=axis_title("Radius", unit=UNIT))
    figure.update_yaxes(title_text=axis_title("Landscape", unit=UNIT), rangemode="tozero")
    return figure


def _add_points(figure: go.Figure, drawn: Records, name: str, style: Style) -> None:
    first, dimension = not drawn[0]["draw"], drawn[0]["dimension"]
    figure.add_trace(go.Scatter(
        x=[one["birth"] for one in drawn], y=[one["death"] for one in drawn], mode="markers", name=name,
        legendgroup=f"H{dimension}", showlegend=first, customdata=[_said(one) for one in drawn],
        hovertemplate="%{customdata}<extra></extra>",
        marker={"symbol": SYMBOLS[dimension], "size": 8 if first else 5,
                "color": faded(PALETTE[dimension], 0.9 if first else 0.22),
                "line": {"width": 0.5 if first else 0, "color": style.paper}}))


def _add_band(figure: go.Figure, own: Records, low: str, high: str, row: int, **how: Any) -> None:
    radii = [one["radius"] for one in own]
    group = how["name"]
    figure.add_trace(go.Scatter(
        x=[*radii, *reversed(radii)], y=[one[high] for one in own] + [one[low] for one in reversed(own)], mode="lines",
        fill="toself", hoverinfo="skip", legendgroup=group, **({"showlegend": row == 1} | how)), row=row, col=1)


def _threshold(record: dict[str, Any]) -> float:
    """The stricter of both kinds."""
    return max(record[f"{kind}_threshold"] for kind in HATCHES)


def _said(record: dict[str, Any]) -> str:
    nulls = ", ".join(f"{NULLS[kind]} {record[f'{kind}_threshold']:.3f}" for kind in HATCHES)
    return (f"H{record['dimension']}, draw {record['draw'] + 1}, bar {record['rank']}<br>born {record['birth']:.3f}, "
            f"dies {record['death']:.3f}, length {record['length']:.3f}<br>95 % of surrogates stay below: {nulls}")


def _nulls(record: dict[str, Any]) -> str:
    return "<br>".join(f"{NULLS[kind]}: {record[f'{kind}_low']:.4g} to {record[f'{kind}_high']:.4g}"
                       for kind in HATCHES)


def _gapped(pairs: Sequence[tuple[Any, Any]]) -> list[Any]:
    """Both ends of each, with a gap after them."""
    return [value for pair in pairs for value in (*pair, None)]
