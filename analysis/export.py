"""Figures and their numbers as files a person takes away: HTML that works offline, CSV, and a JSON manifest."""

import csv
import io
import json
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, TypeAlias

import numpy as np
import plotly.graph_objects as go

from analysis.measure import Measure
from analysis.pairs import cells
from analysis.results import PairMatrix

# The second one would send the figure to a company's server.
CONFIG: dict[str, Any] = {"displaylogo": False, "modeBarButtonsToRemove": ["lasso2d", "sendChartToCloud"],
                          "toImageButtonOptions": {"format": "svg"}}
Figure: TypeAlias = go.Figure
VERDICT = {"null_mean": "mean", "threshold": "threshold", "calibrated": "calibrated", "p": "p", "p_any": "p_any"}
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def figure_html(figure: Figure, title: str) -> bytes:
    """One self-contained page: plotly.js is inside, nothing is fetched."""
    page = figure.to_html(include_plotlyjs=True, full_html=True, config=CONFIG, auto_play=False)
    return page.replace("<head>", f"<head><title>{_escaped(title)}</title>", 1).encode()


def table_csv(records: Sequence[dict[str, Any]]) -> bytes:
    """Flat records as CSV; nested values become JSON, and text that a spreadsheet would run as a formula is quoted."""
    handle = io.StringIO()
    if records:
        writer = csv.DictWriter(handle, fieldnames=list(records[0]), lineterminator="\r\n")
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in record.items()} for record in records)
    return handle.getvalue().encode()


def matrix_records(matrix: PairMatrix, rows: Sequence[dict[str, Any]], columns: Sequence[dict[str, Any]],
                   measure: Measure) -> list[dict[str, Any]]:
    """One record per cell, row by row, with both sides named in full and what cells.py says of the cell."""
    ends, said = cells.interval(matrix), cells.verdict(matrix, measure)
    arrays: dict[str, Any] = {
        "value": matrix.values, "low": ends and ends[0], "high": ends and ends[1], "chance": matrix.chance,
        **{ours: said and getattr(said, theirs) for ours, theirs in VERDICT.items()}}
    draws = 0 if matrix.null is None else len(matrix.null)
    return [{**{f"{name}_a": value for name, value in a.items()}, **{f"{name}_b": value for name, value in b.items()},
             "measure": measure.name,
             **{name: None if array is None else _number(array[i, j]) for name, array in arrays.items()},
             "draws": draws}
            for i, a in enumerate(rows) for j, b in enumerate(columns)]


def manifest(records: Sequence[dict[str, Any]], title: str, caption: str) -> bytes:
    """What the figure was made from: checkpoint fingerprints, protocols, and the versions of what computed it."""
    prints = {value for record in records for name, value in record.items() if name.startswith("fingerprint")}
    protocols = {json.dumps(value, sort_keys=True) for record in records for name, value in record.items()
                 if name.startswith("protocol")}
    return json.dumps({
        "title": title, "caption": caption, "fingerprints": sorted(prints),
        "protocols": [json.loads(protocol) for protocol in sorted(protocols)],
        "versions": {name: version(name) for name in ("numpy", "scipy", "torch", "transformers", "plotly")},
    }, indent=1, ensure_ascii=False).encode()


def _cell(value: Any) -> Any:
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return value


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
