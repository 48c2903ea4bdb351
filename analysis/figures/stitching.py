"""Stitches between sites: a heat map over the sites of sender and receiver, lines with their baselines, rank curves."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from analysis.figures.theme import ABOVE_AXES, PALETTE, SEQUENTIAL, Style, dress

MOST_NUMBERED = 8  # sites a side whose numbers fit on a phone
BASELINES = {  # colour and dash of each
    "untrained sender": (PALETTE[1], "dash"), "self-stitch": (PALETTE[2], "dot"), "identity": (PALETTE[3], "dashdot"),
    "mean ablation": (PALETTE[7], "solid"), "shuffled rows": (PALETTE[4], "longdash")}
SAYS_NOTHING = "says nothing of the sender"
Row = Mapping[str, Any]
Lines = Mapping[str, Sequence[Row | None]]


def grid(cells: Sequence[Sequence[Row | None]], sites: tuple[Sequence[str], Sequence[str]], titles: tuple[str, str],
         quantity: tuple[str, str], along: Lines, chosen: str, style: Style) -> go.Figure:
    """Above, every site of the sender (upwards) into every site of the receiver: the darker, the better it is read.
    Colours of the penalty end where mean ablation costs least. Grey cells say nothing of the sender. Below, the row of
    one site of the sender with its baselines.

    `quantity` is the field of the rows that is drawn, and its name.
    """
    sources, targets = sites
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.58, 0.42], vertical_spacing=0.06)
    ablated = [row[quantity[0]] for row in along["mean ablation"] if _has(row, quantity[0])]
    most = max(1e-9, min(ablated, default=1.0)) if quantity[0] == "penalty" else 1.0
    numbered = max(len(sources), len(targets)) <= MOST_NUMBERED
    for grey in (False, True):
        shown = [[row[quantity[0]] if _has(row, quantity[0]) and bool(row["uninformative"]) == grey else None
                  for row in line] for line in cells]
        if grey and not any(value is not None for line in shown for value in line):
            continue
        figure.add_trace(go.Heatmap(
            z=shown, x=list(targets), y=list(sources), xgap=1, ygap=1, name=SAYS_NOTHING if grey else quantity[1],
            zmin=0.0, zmax=most, showscale=not grey,
            colorscale=[[0, style.muted], [1, style.muted]] if grey else SEQUENTIAL,
            reversescale=quantity[0] != "penalty", colorbar=_bar(quantity[1]), hoverinfo="text",
            hovertext=[[_told(row, titles) for row in line] for line in cells],
            texttemplate="%{text}" if numbered else None,
            text=[["" if value is None else f"{value:.2f}" for value in line] for line in shown] if numbered else None,
        ), row=1, col=1)
    _add_lines(figure, along, targets, quantity[0], titles, style, row=2)
    _outline(figure, list(sources).index(chosen), len(targets), style)
    dress(figure, style, height=max(680, 420 + 36 * len(sources)))
    figure.update_layout(margin={"t": 60, "b": 110})
    figure.update_xaxes(type="category", range=[-0.5, len(targets) - 0.5])
    figure.update_xaxes(title_text=titles[1], row=2, col=1)
    figure.update_yaxes(type="category", title_text=titles[0], showgrid=False, row=1, col=1)
    figure.update_yaxes(title_text=_two_lines(f"{quantity[1]}, from {chosen}"), row=2, col=1)
    return figure


def lines(along: Lines, names: Sequence[str], titles: tuple[str, str], quantity: tuple[str, str],
          style: Style) -> go.Figure:
    """One stitch for each pair of sites, from the input of the network to its output, with every baseline."""
    figure = make_subplots(rows=1, cols=1)
    _add_lines(figure, along, names, quantity[0], titles, style, row=1)
    dress(figure, style, height=480)
    figure.update_layout(margin={"b": 110})
    figure.update_xaxes(type="category", title_text=titles[0])
    figure.update_yaxes(title_text=_two_lines(quantity[1]))
    return figure


def ranks(curve: Sequence[float], points: Sequence[Row], style: Style) -> go.Figure:
    """What a map of each rank is worth: held-out R2 at every rank, and the loss recovered at the ranks that were run.
    Both axes begin at 0; dotted lines stand at the ranks that recover 95 % of the best."""
    figure = go.Figure()
    figure.add_trace(go.Scatter(
        x=list(range(len(curve))), y=list(curve), mode="lines", name="held-out R²",
        line={"color": PALETTE[0], "width": 2}, hovertemplate="rank %{x}: R² %{y:.3f}<extra></extra>"))
    run = [row for row in points if row["recovered"] is not None]
    figure.add_trace(go.Scatter(
        x=[row["rank"] for row in run], y=[row["recovered"] for row in run], mode="lines+markers",
        name="loss recovered", line={"color": PALETTE[1], "width": 2}, marker={"size": 8},
        error_y=_ends(run, "recovered"), hovertemplate="rank %{x}: %{y:.1%} of the loss<extra></extra>"))
    for row in points:
        for name, colour, dash in (("rank95_r2", PALETTE[0], "dot"), ("rank95_loss", PALETTE[1], "dash")):
            if row[name] is not None:
                figure.add_vline(x=row[name], line={"color": colour, "width": 1, "dash": dash})
    dress(figure, style, height=380)
    figure.update_layout(margin={"b": 90})
    low = min([0.0, *curve, *(row["recovered"] for row in run)])
    figure.update_xaxes(title_text="Rank of the map", rangemode="tozero")
    figure.update_yaxes(title_text="R², share of loss recovered", range=[max(low, -1.0) * 1.05, 1.05])
    return figure


def _add_lines(figure: go.Figure, along: Lines, names: Sequence[str], field: str, titles: tuple[str, str],
               style: Style, *, row: int) -> None:
    """The baselines thin, the stitch over them with its intervals, hollow where it says nothing of the sender."""
    for name, baseline in along.items():
        have = [(at, found) for at, found in zip(names, baseline, strict=True) if _has(found, field)]
        if not have or name == "stitch":
            continue
        colour, dash = BASELINES[name]
        figure.add_trace(go.Scatter(
            x=[at for at, _ in have], y=[found[field] for _, found in have], name=name, mode="lines+markers",
            line={"color": colour, "width": 1.3, "dash": dash}, marker={"size": 5}, hoverinfo="text",
            hovertext=[f"{name}<br>{_told(found, titles)}" for _, found in have]), row=row, col=1)
    have = [(at, found) for at, found in zip(names, along["stitch"], strict=True) if _has(found, field)]
    rows: list[Row] = [found for found in along["stitch"] if _has(found, field)]
    figure.add_trace(go.Scatter(
        x=[at for at, _ in have], y=[found[field] for found in rows], name="stitch", mode="lines+markers",
        line={"color": PALETTE[0], "width": 2.5}, error_y=_ends(rows, field), hoverinfo="text",
        hovertext=[_told(found, titles) for found in rows],
        marker={"size": 10, "line": {"width": 1.5, "color": [style.muted if found["uninformative"] else PALETTE[0]
                                                             for found in rows]},
                "color": [style.paper if found["uninformative"] else PALETTE[0] for found in rows]}), row=row, col=1)
    figure.update_xaxes(categoryorder="array", categoryarray=list(names))


def _ends(rows: Sequence[Row], field: str) -> dict[str, Any] | None:
    """Both ends of the interval, where every value has one."""
    if field not in ("penalty", "recovered", "agreement") or any(row[f"{field}_low"] is None for row in rows):
        return None
    return {"type": "data", "symmetric": False, "thickness": 1.2, "width": 3,
            "array": [row[f"{field}_high"] - row[field] for row in rows],
            "arrayminus": [row[field] - row[f"{field}_low"] for row in rows]}


def _told(row: Row | None, titles: tuple[str, str]) -> str:
    if row is None:
        return ""
    said = [f"{row['source']} → {row['target']}, {row['map']}"]
    for name, label in (("penalty", "penalty"), ("recovered", "loss recovered"), ("agreement", "agreement")):
        if row[name] is not None:
            ends = "" if row[f"{name}_low"] is None else f" [{row[f'{name}_low']:.3f}, {row[f'{name}_high']:.3f}]"
            said.append(f"{label} {row[name]:.3f}{ends}")
    if row["r2"] is not None:
        said.append(f"held-out R² {row['r2']:.3f}")
        said.append(f"shift: mean {row['mean_distance']:.2f}, covariance {row['covariance_distance']:.2f}")
    return "<br>".join([*said, *([f"{SAYS_NOTHING}: {row['uninformative']}"] if row["uninformative"] else [])])


def _outline(figure: go.Figure, at: int, count: int, style: Style) -> None:
    """A frame around the row that the lines below show."""
    figure.add_shape(type="rect", x0=-0.5, x1=count - 0.5, y0=at - 0.5, y1=at + 0.5, row=1, col=1,
                     line={"color": PALETTE[1], "width": 2}, fillcolor="rgba(0,0,0,0)")


def _bar(title: str) -> dict[str, Any]:
    return {"title": {"text": title, "side": "right"}, "orientation": "h", "thickness": 10, "outlinewidth": 0, "x": 0,
            "xanchor": "left", "y": ABOVE_AXES, "yanchor": "bottom", "len": 0.75, "nticks": 6}


def _two_lines(title: str) -> str:
    """Broken at the bracket or comma, where a narrow panel would cut it."""
    return title.replace(" (", "<br>(", 1) if " (" in title else title.replace(", ", ",<br>", 1)


def _has(row: Row | None, field: str) -> TypeGuard[Row]:
    return row is not None and row[field] is not None
