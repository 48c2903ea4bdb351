"""Starting work and following it. Nothing is computed in the script thread; the panel polls the job folders."""

import streamlit as st

from analysis.jobs import job
from ui import workspace
from ui.plain import plain

RECENT = 3


def jobs_folder():
    return workspace.store().root / "jobs"


def offer(argv: list[str], title: str, why: str) -> None:
    """An empty state with its next step: a button that starts the worker, and the command that does the same."""
    last = next((j for j in job.listed(jobs_folder()) if j.argv == tuple(argv)), None)
    if last and last.active:
        st.info(f"Computing now: {plain(title)}. This page fills in when it is done.", icon=":material/hourglass_top:")
        return
    if last and last.state in ("failed", "interrupted"):
        st.error(f"The last attempt {last.state}: {plain(last.message)}", icon=":material/error:")
    st.info(why, icon=":material/calculate:")
    if st.button(f"Compute {title}", type="primary", key=f"start {title}"):
        job.start(jobs_folder(), argv, title)
        st.rerun()
    with st.expander("The same from a terminal"):
        st.code("python -m analysis " + " ".join(f'"{a}"' if " " in a else a for a in argv), language="bash")


def draw() -> None:
    """Recent jobs in the sidebar, below what the pages choose from; while one is active the panel refreshes itself."""
    jobs = job.listed(jobs_folder())[:RECENT]
    active = any(j.active for j in jobs)
    with st.sidebar:
        st.session_state.pickers = st.container()
        if jobs:
            st.divider()
        st.fragment(_panel, run_every=1.0 if active else None)(active)


def _panel(was_active: bool) -> None:
    jobs = job.listed(jobs_folder())[:RECENT]
    for one in jobs:
        _row(one)
    if was_active and not any(one.active for one in jobs):
        st.rerun(scope="app")


def _row(one: job.Job) -> None:
    if one.active:
        left = "" if one.remaining_s is None else f" · about {max(1, round(one.remaining_s))} s left"
        st.progress(one.share, text=f"{one.title}{left}")
        st.caption(one.message)
        if st.button("Cancel", key=f"cancel {one.id}", icon=":material/stop_circle:"):
            job.cancel(one)
            st.rerun(scope="app")
    elif one.state == "done":
        st.caption(f":material/check: {plain(one.title)}")
    else:
        with st.expander(f"{one.title}: {one.state}", icon=":material/error:"):
            st.text(one.message)
            st.code(job.log_tail(one) or "The log is empty.", language=None)
