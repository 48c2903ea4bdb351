"""The way in for a person's own checkpoints: a folder on the machine of the app, or models as stages of a run."""

from collections.abc import Callable, Sequence

import streamlit as st

from analysis.errors import ExplorerError
from analysis.keys import Run
from analysis.runs import find_run, open_stages, remember
from ui import guard, workspace
from ui.plain import plain

AT_HOME = "runs are opened where you run this project yourself, in the app or with this command:"

def draw() -> None:
    """A field for a folder; once it opens, it is the chosen run, and its next step is to compute."""
    if is_closed("open FOLDER"):
        return
    with st.form("open", border=False):
        st.text_input("Folder", placeholder="/data/my-run", key="folder")
        st.form_submit_button("Open", icon=":material/folder_open:", on_click=_open)
    said("folder")


def draw_stages() -> None:
    """Several models as the named stages of one run."""
    if is_closed("open NAME=SOURCE NAME=SOURCE"):
        return
    with st.form("new stages", border=False):
        st.text_input("Name of the run", "post-training", key="stages_name")
        st.text_area("Stages, one a line, in order", key="stages", height=140,
                     placeholder="base = hub:allenai/OLMo-2-0425-1B\nSFT = hub:allenai/OLMo-2-0425-1B-SFT\n"
                                 "DPO = hub:allenai/OLMo-2-0425-1B-DPO\nmine = /data/my-model")
        st.form_submit_button("Open as one run", icon=":material/stacks:", on_click=_open_stages)
    said("stages")


def said(way: str) -> None:
    """What came of the last attempt to open something this way, said where it was tried."""
    if st.session_state.get("opened", ("",))[0] == way:
        _, is_good, sentence = st.session_state.pop("opened")
        (st.success if is_good else st.error)(plain(sentence))


def is_closed(argv: str) -> bool:
    """Whether nothing can be opened, since this server is view-only, which is then said with the command that opens."""
    closed = guard.is_view_only(AT_HOME)
    if closed:
        st.code(f"python -m analysis {argv}", language="bash")
    return closed


def choose_runs(runs: Sequence[Run]) -> None:
    """Make these the chosen runs on every page, with a probe that one of them is meant for."""
    st.session_state.runs = [run.name for run in runs]
    own = [run.default_probe for run in runs if run.default_probe]
    if own and st.session_state.get("probe") not in own:
        st.session_state.probe = own[0]


def choose(run: Run, way: str) -> None:
    """Make a run the chosen one, with the probe it is meant for, and say so where it was opened."""
    choose_runs([run])
    st.session_state.preflight = run.name
    st.session_state.opened = (way, True, f"Opened {run.name}: {len(run.checkpoints)} checkpoint(s). It is now the "
                                          "chosen run; compute it with the button at the top of the overview.")


def _open() -> None:
    """Runs before the page is drawn, so that the sidebar can already show the new run."""
    _try(lambda: find_run(workspace.store(), st.session_state.folder), "folder")


def _open_stages() -> None:
    def opened() -> Run:
        lines = [line.partition("=") for line in st.session_state.stages.splitlines() if line.strip()]
        if len(lines) < 2 or not all(equals and source.strip() and name.strip() for name, equals, source in lines):
            raise ExplorerError("Give at least two lines of the form NAME = SOURCE, such as SFT = hub:owner/model.")
        return open_stages(workspace.store(), [(name.strip(), source.strip()) for name, _, source in lines],
                           st.session_state.stages_name or "stages")
    _try(opened, "stages")


def keep(run: Run, way: str) -> None:
    """Remember a run that was opened and make it the chosen one. Raises ExplorerError on a view-only server."""
    guard.check_may_change()
    remember(workspace.store(), run)
    choose(run, way)


def _try(opened: Callable[[], Run], way: str) -> None:
    try:
        guard.check_may_change()
        run = opened()
    except (ExplorerError, OSError, RuntimeError, ValueError) as error:  # such as the home of nobody
        st.session_state.opened = (way, False, str(error))
        return
    keep(run, way)
