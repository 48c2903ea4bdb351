"""How soon each page of the app is drawn with two long runs in the store, and how large its figures are.

    python -m benchmarks.run pages.server
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Widget

from analysis.store import Store
from benchmarks import long_runs
from benchmarks.timing import TURNS

HOME = Path(__file__).parents[1]
PAGES = sorted(path.stem for path in (HOME / "pages").glob("*.py"))
SERVER_S, FIGURE_MB, PATIENCE_S = 0.5, 2.0, 300
SCALE = f"2 runs x {long_runs.CHECKPOINTS} checkpoints x {len(long_runs.SITES)} sites"


@dataclass(frozen=True)
class Timed:
    """Of one page: seconds of its script for the first time, again, and after changes of a widget; those of a bare page
    of as many widgets; and its largest figure."""

    page: str
    first_s: float
    again_s: float
    changed_s: float
    bare_s: float
    widgets: int
    figure_mb: float
    changed: str


def server() -> list[dict]:
    """Server time of each page, warm and after a change of a widget, and its largest figure."""
    rows = []
    with loaded():
        for one in map(timed, PAGES):
            for what, value, bar in ((f"server seconds of the page {one.page} drawn again", one.again_s, SERVER_S),
                                     (f"server seconds of the page {one.page} after a change", one.changed_s, SERVER_S),
                                     (f"MB of the largest figure of the page {one.page}", one.figure_mb, FIGURE_MB),
                                     (f"page {one.page} over a bare page of {one.widgets} widgets",
                                      one.again_s / one.bare_s, None)):
                rows.append({"name": f"{what}, {SCALE}", "value": value, "bar": bar, "better": "lower",
                             "peer": "none" if bar else "streamlit", "n": TURNS})
        lines = visited("trajectories", sites=long_runs.SITES)
        lines.run()
        rows.append({"name": f"server seconds of the page trajectories drawn again with every site, {SCALE}",
                     "value": statistics.median(seconds(lines.run) for _ in range(TURNS)), "bar": SERVER_S,
                     "better": "lower", "peer": "none", "n": TURNS})
    return rows


@contextmanager
def loaded() -> Iterator[None]:
    """The app's cache is one that holds the two runs."""
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, EXPLORER_CACHE=folder):
        long_runs.fill(Store(folder))
        yield


def timed(page: str) -> Timed:
    """Medians of several turns, after one that reads the store and imports what the page needs."""
    at = visited(page)
    first_s = seconds(at.run)
    assert not at.exception, at.exception[0].value
    again_s = statistics.median(seconds(at.run) for _ in range(TURNS))
    figure_mb = max((len(chart.proto.spec) for chart in at.get("plotly_chart")), default=0) / 1e6
    widgets = [node for node in at if isinstance(node, Widget)]
    bare = AppTest.from_function(_bare, args=(len(widgets),)).run()
    bare_s = statistics.median(seconds(bare.run) for _ in range(TURNS))
    options = _to_change(at)
    changed_s = statistics.median(seconds(at.run) for _ in _changes(at, options, TURNS))
    return Timed(page, first_s, again_s, changed_s, bare_s, len(widgets), figure_mb, options[0])


def seconds(work: Callable[[], object]) -> float:
    """Of the processor, and not of the clock: what other programs take of a shared machine is not in it."""
    start = time.process_time()
    work()
    return time.process_time() - start


def visited(page: str, **query: Any) -> AppTest:
    """The page with both long runs chosen, and what a link says else, not drawn yet."""
    at = AppTest.from_file(HOME / "ui" / "main.py", default_timeout=PATIENCE_S)
    at.switch_page(f"../pages/{page}.py")
    for name, value in {"runs": [run.name for run in long_runs.runs()], **query}.items():
        at.query_params[name] = value
    return at


def _bare(widgets: int) -> None:
    import streamlit as st
    for number in range(widgets):
        st.selectbox("Choose", ["one", "other"], key=f"choice {number}")


def _to_change(at: AppTest) -> tuple[str, str, list[Any]]:
    """Kind, label and values of the first choice of the page itself, or else of the one of runs; a page without either
    is drawn again as it is."""
    for box in at.main.selectbox:
        if len(box.options) > 1:
            return "selectbox", box.label, list(range(len(box.options)))
    runs = [box for box in at.sidebar.multiselect if box.label == "Runs"]
    return ("multiselect", "Runs", [[run.name] for run in long_runs.runs()]) if runs else ("", "", [])


def _changes(at: AppTest, how: tuple[str, str, list[Any]], turns: int) -> Iterator[int]:
    """Set the widget to another of its values, once a turn."""
    kind, label, values = how
    for turn in range(turns):
        for box in [one for one in getattr(at, kind) if one.label == label] if kind else []:
            if kind == "selectbox":
                box.select_index(((box.index or 0) + 1) % len(values))
            else:
                box.set_value(values[turn % len(values)])
        yield turn
