"""What this server works on: its store, its jobs folder, and the runs a person can choose."""

from datetime import datetime

import streamlit as st

from analysis.__main__ import open_store
from analysis.figures.theme import Style, run_colours
from analysis.keys import Run
from analysis.runs import known_runs, signature
from analysis.store import Store
from ui.plain import plain

KEPT_S = 10.0  # for what changes inside a checkpoint


@st.cache_resource
def store() -> Store:
    return open_store()


@st.cache_resource(ttl=KEPT_S, max_entries=4, show_spinner=False)
def _known(root: str, signature: list) -> tuple[list[Run], list[str]]:
    """Runs are opened anew when one comes, goes or gets another checkpoint, and otherwise not on every click."""
    return known_runs(store())


def owner() -> str:
    """Whose uploads these are: the person who is logged in, or everybody on this machine."""
    return str(st.user.get("email") or st.user.get("sub") or "signed in") if st.user.get("is_logged_in") else "local"


def runs() -> list[Run]:
    """Every run that opens; the ones that no longer do are named in a warning."""
    found, problems = _known(str(store().root), signature(store()))
    for problem in problems:
        st.warning(f"Left out: {plain(problem)}", icon=":material/folder_off:")
    return found


def used_last(run: Run) -> datetime | None:
    """When a run was opened or computed last; None for one that came with the app."""
    note = store().root / "runs" / f"{run.name}.json"
    return datetime.fromtimestamp(note.stat().st_mtime) if note.exists() else None


def colours() -> dict[str, str]:
    return run_colours([run.name for run in _known(str(store().root), signature(store()))[0]])


def style() -> Style:
    return Style(dark=st.context.theme.type == "dark")
