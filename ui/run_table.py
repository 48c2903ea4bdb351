"""Which runs: a table of all of them to sort, to filter and to choose from."""

from collections.abc import Sequence
from math import ceil, floor
from pathlib import Path
from typing import Any

import streamlit as st

from analysis import compute, registry, summaries
from analysis.keys import Run, digest, site_order
from analysis.representations import Protocol
from analysis.runs import signature
from ui import opener, workspace
from ui.plain import plain
from ui.selection import Selection

MANY = 8  # runs above which there is something to filter
RANKME, LAST_LOSS, BEST_LOSS = "RankMe, last", "loss, last", "loss, best"
COLUMNS = {
    "folder": st.column_config.TextColumn("lies in", width="medium"),
    LAST_LOSS: st.column_config.NumberColumn(format="%.3f", help="At the last checkpoint that has one, in nats per "
                                                                 "token on the chosen probe."),
    BEST_LOSS: st.column_config.NumberColumn(format="%.3f", help="The lowest at any checkpoint."),
    RANKME: st.column_config.NumberColumn(format="%.1f", help="At the last checkpoint that has one, at the deepest "
                                                              "site of the run."),
    "last used": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm", help="When it was opened or computed last; "
                                                                                 "empty for what came with the app.")}


def runs_table(chosen: Selection) -> None:
    """Every run in a row; those that are ticked become the chosen ones at a click. It is drawn alone after a tick."""
    st.fragment(_table)(chosen.protocol)


def _table(protocol: Protocol) -> None:
    runs = {run.name: run for run in workspace.runs()}
    rows = told(_summed(str(workspace.store().root), signature(workspace.store()), summaries.described(protocol),
                        list(runs.values()), protocol))
    kept = _filtered(rows) if len(rows) > MANY else rows
    if not kept:
        st.info("No run is left. Clear the field or widen the range to see them all.", icon=":material/search_off:")
        return
    event: Any = st.dataframe(kept, hide_index=True, column_config=COLUMNS, selection_mode="multi-row",
                              on_select="rerun", key=f"runs table {digest([row['run'] for row in kept])[:12]}",
                              alt="Every run with its checkpoints, its last numbers and what is computed")
    ticked = [runs[kept[place]["run"]] for place in event.selection.rows if place < len(kept)]
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(f"Choose these runs ({len(ticked)})" if ticked else "Choose these runs", disabled=not ticked,
                     on_click=opener.choose_runs, args=(ticked,), key="choose ticked", icon=":material/check_box:",
                     help="Tick rows first: the ticked runs then take the place of those in the sidebar."):
            st.rerun(scope="app")
        st.caption(f"{len(kept)} of {len(rows)} runs. A click on a head sorts. Loss and RankMe: "
                   f"{plain(summaries.spoken(protocol))}")


@st.cache_data(ttl=workspace.KEPT_S, max_entries=4, show_spinner=False)
def _summed(root: str, signature: list, protocol: dict[str, str], _runs: list[Run],
            _protocol: Protocol) -> list[dict[str, Any]]:
    """The table is not read again at every tick; of hundreds of runs that would be felt."""
    return summed(_runs, _protocol)


def summed(runs: Sequence[Run], protocol: Protocol) -> list[dict[str, Any]]:
    """What is known of each run, with its loss and RankMe under one protocol; None where it was not computed."""
    rows = []
    for run, known in zip(runs, summaries.loaded(workspace.store(), runs), strict=True):
        losses = [fact["loss"] for fact in compute.losses(workspace.store(), run, protocol)
                  if fact["loss"] is not None]
        rows.append({"run": run.name, "folder": lies_in(run), "checkpoints": known["checkpoints"],
                     LAST_LOSS: losses[-1] if losses else None, BEST_LOSS: min(losses, default=None),
                     RANKME: _last_rankme(run, protocol), "last used": workspace.used_last(run),
                     "first": known["first"], "last": known["last"], "computed on": known["computed on"]})
    return rows


def lies_in(run: Run) -> str:
    """What groups runs: the folder that theirs lies in, or the owner on the Hub."""
    return "stages" if run.source.startswith("stages:") else str(Path(run.source).parent)


def told(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows without the columns that say nothing of any run."""
    names = [name for name in rows[0] if any(row[name] is not None for row in rows)]
    return [{name: row[name] for name in names} for row in rows]


def within(rows: Sequence[dict[str, Any]], text: str,
           between: tuple[float, float] | None = None) -> list[dict[str, Any]]:
    """Rows whose run or folder holds the text, and whose RankMe lies in the range where one is given."""
    wanted = text.strip().casefold()
    return [row for row in rows if wanted in f"{row['run']}\n{row['folder']}".casefold()
            and (between is None or (row[RANKME] is not None and between[0] <= row[RANKME] <= between[1]))]


def _filtered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    left, right = st.columns(2)
    text = left.text_input("Find runs", placeholder="part of a name or of a folder", key="runs_find",
                           bind="query-params")
    known = [row[RANKME] for row in rows if row.get(RANKME) is not None]
    ends = (float(floor(min(known))), float(ceil(max(known)))) if known else (0.0, 0.0)
    if ends[0] == ends[1]:
        return within(rows, text)
    between = right.slider("RankMe between", *ends, ends, format="%.1f", key="runs_rankme", bind="query-params",
                           help="Runs without a value are left out as soon as this is narrower than all.")
    return within(rows, text, None if between == ends else between)


def _last_rankme(run: Run, protocol: Protocol) -> float | None:
    """At the last checkpoint that has one; only as many are read as it takes."""
    measure = registry.get("rankme_covariance")
    for checkpoint in reversed(run.checkpoints):
        sites = compute.sites_of(workspace.store(), checkpoint, protocol)
        deepest = max(sites, key=site_order, default=None)
        for record in compute.of_checkpoint(workspace.store(), checkpoint, protocol, measure) if deepest else []:
            if record["site"] == deepest and record["value"] is not None:
                return record["value"]
    return None
