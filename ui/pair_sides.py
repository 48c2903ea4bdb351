"""The two sides of the page Pair: run, checkpoint and site of each, as one name in the URL."""

from typing import Any

import streamlit as st

from analysis import compute, views
from analysis.keys import Run
from analysis.similarity import Item
from ui import workspace
from ui.selection import Selection, to_url


def pick(column: Any, side: str, chosen: Selection, usual: Run, *, first: bool = False) -> Item:
    """Draw the pickers of one side, `a` or `b`, and return what is chosen: what the link or else the session names,
    else the last site of the last checkpoint of the usual run (or of its first), and for `b` of the reference."""
    runs = chosen.sides
    pinned = chosen.reference.last if chosen.reference and side == "b" else None
    usual = runs[pinned.run] if pinned else usual
    asked = st.query_params.get(side) or st.session_state.get(f"pair {side}") or ""
    name, revision, site = views.split_item(asked)
    if name not in runs:
        name, revision, site = usual.name, None, ""
    run = runs[_one_of(column, f"Run {side.upper()}", f"pair run {side}", list(runs), name, usual.name)]
    revisions = [checkpoint.revision for checkpoint in run.checkpoints]
    last = revisions[0] if first and run == usual else revisions[-1]
    last = pinned.revision if pinned and run == usual else last
    checkpoint = run.at(_one_of(column, f"Checkpoint {side.upper()}", f"pair at {side}", revisions, revision, last))
    sites = compute.sites_of(workspace.store(), checkpoint, chosen.protocol)
    sites = sites or list(dict.fromkeys([site or "final", "final"]))  # before it is computed, a link knows best
    picked = _one_of(column, f"Site {side.upper()}", f"pair site {side}", sites, site, sites[-1])
    named = views.item_name(checkpoint, picked)
    st.session_state[f"pair {side}"] = named
    plain = (run.name, checkpoint.revision, picked) == (usual.name, last, sites[-1])
    to_url(side, [] if plain else [named])
    return checkpoint, picked


def _one_of(column: Any, label: str, key: str, options: list[str], asked: str | None, otherwise: str) -> str:
    """One option: on the first drawing of the page what was asked for, later what the widget holds."""
    if st.session_state.arrived or st.session_state.get(key) not in options:
        st.session_state[key] = asked if asked in options else otherwise
    return column.selectbox(label, options, key=key)
