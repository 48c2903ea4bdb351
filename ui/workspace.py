"""What this server works on: its store, its jobs folder, and the runs a person can choose."""

import streamlit as st

from analysis.__main__ import open_store
from analysis.figures.theme import Style, run_colours
from analysis.keys import Run
from analysis.runs import known_runs
from analysis.store import Store
from ui.plain import plain


@st.cache_resource
def store() -> Store:
    return open_store()


def owner() -> str:
    """Whose uploads these are: the person who is logged in, or everybody on this machine."""
    return str(st.user.get("email") or st.user.get("sub") or "signed in") if st.user.get("is_logged_in") else "local"


def runs() -> list[Run]:
    """Every run that opens; the ones that no longer do are named in a warning."""
    found, problems = known_runs(store())
    for problem in problems:
        st.warning(f"Left out: {plain(problem)}", icon=":material/folder_off:")
    return found


def colours() -> dict[str, str]:
    return run_colours([run.name for run in known_runs(store())[0]])


def style() -> Style:
    return Style(dark=st.context.theme.type == "dark")
