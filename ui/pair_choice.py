"""What a page of pairs chooses from: the measure, by kind, the two sides, and one cell of their matrix."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from analysis import compute, registry, views
from analysis.keys import Checkpoint, Run
from analysis.measure import Measure
from analysis.pairs.shown import group, in_order
from analysis.pairs.telling import told
from ui import pinned, selection, workspace
from ui.plain import plain
from ui.selection import Selection

WAYS = {"layer": "layer × layer", "step": "step × step", "run": "run × run"}
PAIR_PAGE = selection.PAGES / "pair.py"


@dataclass(frozen=True)
class Comparison:
    """Two sides, how a person calls the comparison, and the command that computes it."""

    by: str
    rows: views.Items
    columns: views.Items
    title: str
    argv: list[str]


def by_kind() -> dict[str, list[Measure]]:
    """Pair measures that are one number, by kind."""
    found: dict[str, list[Measure]] = {}
    for measure in in_order(registry.of_kind(arity=2, returns="scalar")):
        found.setdefault(group(measure), []).append(measure)
    return found


def pick_measure() -> Measure:
    """The kind, and the measure of that kind; a link that names a measure only opens at its kind."""
    kinds = by_kind()
    asked = st.query_params.get("similarity")
    if asked and "kind" not in st.session_state and "kind" not in st.query_params:
        st.session_state.kind = next((kind for kind, measures in kinds.items()
                                      if asked in [measure.label for measure in measures]), next(iter(kinds)))
    left, right = st.columns([2, 3])
    kind = left.selectbox("Kind of measure", list(kinds), key="kind", bind="query-params")
    measures = {measure.name: measure for measure in kinds[kind]}
    return measures[right.selectbox("Measure", list(measures), key="similarity", bind="query-params",
                                    format_func=lambda name: measures[name].label)]


def pick_sides(chosen: Selection) -> Comparison | None:
    """Layers of two checkpoints, steps of two runs at one site, or checkpoints of runs at one site."""
    by = st.segmented_control("Compare", list(WAYS), default="layer", key="by", bind="query-params", required=True,
                              format_func=WAYS.__getitem__) or "layer"
    store = workspace.store()
    pinned.stands(chosen)
    if by == "run":
        return _checkpoints(chosen)
    left, right = st.columns(2)
    start = chosen.reference.last if chosen.reference else chosen.runs[-1].checkpoints[-1]
    run_a, at_a = _side(left, "A", chosen, chosen.runs[0].checkpoints[-1], by)
    run_b, at_b = _side(right, "B", chosen, start, by)
    title = f"{run_a.name} and {run_b.name}, {WAYS[by]}"
    if by == "step":
        site = selection.one_site(chosen)
        return Comparison(by, views.steps(run_a, site), views.steps(run_b, site), title,
                          [run_a.name, run_b.name, "--by", "step", "--site", site])
    ends = views.checkpoint_of(run_a, at_a), views.checkpoint_of(run_b, at_b)
    rows, columns = (views.layers(end, compute.sites_of(store, end, chosen.protocol)) for end in ends)
    return Comparison(by, rows, columns, title, [f"{run_a.name}@{at_a}", f"{run_b.name}@{at_b}"])


def _side(column: Any, side: str, chosen: Selection, start: Checkpoint, by: str) -> tuple[Run, str]:
    """Run of one side and, layer by layer, its checkpoint."""
    runs = chosen.sides
    run = runs[selection.choose(f"Run {side}", list(runs), f"run_{side}", start.run, column.selectbox)]
    revisions = [checkpoint.revision for checkpoint in run.checkpoints]
    if by == "step":
        return run, revisions[-1]
    usual = start.revision if run.name == start.run else revisions[-1]
    return run, selection.choose(f"Checkpoint {side}", revisions, f"at_{side}", usual, column.selectbox)


def _checkpoints(chosen: Selection) -> Comparison | None:
    every = {f"{run.name}@{c.revision}": c for run in chosen.sides.values() for c in run.checkpoints}
    ends = [*(run.checkpoints[-1] for run in chosen.runs), *([chosen.reference.last] if chosen.reference else [])]
    picked = selection.several("Checkpoints", list(every), "ends",
                               list(dict.fromkeys(f"{c.run}@{c.revision}" for c in ends)))
    site = selection.one_site(chosen)
    if len(picked) < 2:
        st.info("Choose at least two checkpoints, of one run or of several. More runs are in the sidebar.",
                icon=":material/arrow_upward:")
        return None
    items = views.models([every[name] for name in picked], site)
    return Comparison("run", items, items, f"{', '.join(picked)}, {WAYS['run']}",
                      [*picked, "--by", "run", "--site", site])


def follow_click() -> None:
    """Choose the cell that was clicked on the chart `matrix`, as the two fields below it do."""
    points = st.session_state.matrix["selection"]["points"]
    if points:
        st.session_state.row, st.session_state.column = points[-1]["y"], points[-1]["x"]


def chosen_cell(rows: Sequence[str], columns: Sequence[str]) -> tuple[str, str] | None:
    """The chosen cell, which is known before the fields are drawn below the figure."""
    row, column = (st.session_state.get(name) or st.query_params.get(name) for name in ("row", "column"))
    return (row, column) if row and column and row in rows and column in columns else None


def pick_cell(cells: Mapping[tuple[str, str], Mapping[str, Any]], titles: Sequence[str], measure: Measure) -> None:
    """One cell by keyboard, what is known of it, and the way to the page of its pair."""
    left, right = st.columns(2)
    labels = [list(dict.fromkeys(cell[side] for cell in cells)) for side in (0, 1)]
    row = left.selectbox(f"Row: {plain(titles[0])}", labels[0], index=None, key="row", bind="query-params",
                         placeholder="Click a cell, or choose here")
    column = right.selectbox(f"Column: {plain(titles[1])}", labels[1], index=None, key="column", bind="query-params",
                             placeholder="Click a cell, or choose here")
    if row is None or column is None:
        return
    record = cells[row, column]
    names = {side: f"{record[f'run_{side}']}@{record[f'revision_{side}']}:{record[f'site_{side}']}" for side in "ab"}
    lines = told(record, measure, measure.label)
    st.markdown(f"**{plain(names['a'])} × {plain(names['b'])}**: {plain('; '.join(lines))}.")
    st.page_link(PAIR_PAGE, label="Open this pair: every measure, and why they disagree",
                 query_params=selection.shared(**names), icon=":material/compare_arrows:")
