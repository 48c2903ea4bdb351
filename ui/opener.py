"""The way in for a person's own checkpoints: a folder on the machine that runs the app."""

import streamlit as st

from analysis.errors import ExplorerError
from analysis.runs import find_run, remember
from ui import workspace


def draw() -> None:
    """A field for a folder; once it opens, it is the chosen run, and its next step is to compute."""
    with st.form("open", border=False):
        st.text_input("Folder", placeholder="/data/my-run", key="folder")
        st.form_submit_button("Open", icon=":material/folder_open:", on_click=_open)
    if said := st.session_state.pop("opened", None):
        (st.success if said[0] else st.error)(said[1])


def _open() -> None:
    """Runs before the page is drawn, so that the sidebar can already show the new run."""
    store = workspace.store()
    try:
        run = find_run(store, st.session_state.folder)
    except (ExplorerError, OSError) as error:
        st.session_state.opened = (False, str(error))
        return
    remember(store, run)
    st.session_state.runs = [run.name]
    if run.default_probe:
        st.session_state.probe = run.default_probe
    st.session_state.opened = (True, f"Opened {run.name}: {len(run.checkpoints)} checkpoint(s). It is now the chosen "
                                     "run; compute it with the button at the top of this page.")
