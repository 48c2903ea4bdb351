"""Starting work and following it. Nothing is computed in the script thread; the panel polls the job folders."""

import re
import shlex
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import streamlit as st

from analysis.estimates import duration
from analysis.jobs import job
from ui import guard, workspace
from ui.plain import plain

RECENT, LOG_LINES = 3, 40
ELSEWHERE = "it shows what is computed. Where you run this project yourself, this command computes it:"
WORDS = {"queued": "waiting", "running": "running", "done": "done", "failed": "failed", "cancelled": "cancelled",
         "interrupted": "interrupted: its process ended before it was done"}


def jobs_folder():
    return workspace.store().root / "jobs"


def offer(argv: list[str], title: str, why: str) -> None:
    """An empty state with its next step: a button that starts the worker, and the command that does the same, which is
    all there is on a view-only server."""
    last = next((j for j in job.listed(jobs_folder()) if j.argv == tuple(argv)), None)
    if last and last.active:
        st.info(f"Computing now: {plain(title)}. This page fills in when it is done.", icon=":material/hourglass_top:")
        return
    if last and last.state in ("failed", "interrupted"):
        st.error(f"The last attempt {last.state}: {plain(last.message)}", icon=":material/error:")
    st.info(why, icon=":material/calculate:")
    if guard.is_view_only(ELSEWHERE):
        st.code(command(argv), language="bash")
        return
    if st.button(f"Compute {plain(title)}", type="primary", key=f"start {title}"):
        start(argv, title)
        st.rerun()
    with st.expander("The same from a terminal"):
        st.code(command(argv), language="bash")


def start(argv: list[str], title: str) -> job.Job:
    """Start a worker. Raises ExplorerError on a view-only server."""
    guard.check_may_change()
    return job.start(jobs_folder(), argv, title)


def draw() -> None:
    """Recent jobs in the sidebar, below what the pages choose from; while one is active the panel refreshes itself."""
    jobs = _recent()
    active = any(j.active for j in jobs)
    with st.sidebar:
        st.session_state.pickers = st.container()
        if jobs:
            st.divider()
        st.fragment(_panel, run_every=2.0 if active else None)(active)


def _recent() -> list[job.Job]:
    return [one for number, one in enumerate(job.listed(jobs_folder())) if number < RECENT or one.state == "running"]


def _panel(was_active: bool) -> None:
    jobs = _recent()
    for one in jobs:
        _row(one)
    if was_active and not any(one.active for one in jobs):
        st.rerun(scope="app")


def _row(one: job.Job) -> None:
    if one.active:
        _progress(one)
        _cancel(one, "sidebar")
    elif one.state == "done":
        st.caption(f":material/check: {plain(one.title)}")
        take(one, "sidebar")
    else:
        with st.expander(f"{plain(one.title)}: {one.state}", icon=":material/error:"):
            st.text(one.message)
            st.code(job.log_tail(one) or "The log is empty.", language=None)


def board() -> None:
    """Every job with what can be done about it; it follows those under way."""
    active = any(one.active for one in job.listed(jobs_folder()))
    st.fragment(_board, run_every=1.0 if active else None)(active)


def _board(was_active: bool) -> None:
    jobs = job.listed(jobs_folder())
    if was_active and not any(one.active for one in jobs):
        st.rerun(scope="app")
    if not jobs:
        st.info("No job yet." if guard.is_read_only() else "No job yet. The buttons of the other pages start them.",
                icon=":material/pending_actions:")
    for one in jobs:
        with st.container(border=True):
            st.markdown(f"**{plain(one.title)}** · {WORDS[one.state]} · {_when(one)}")
            if one.active:
                _progress(one)
            elif one.state != "done":
                st.text(one.message)
            _actions(one)
            with st.expander("Log and command"):
                st.code(command(one.argv), language="bash")
                st.code(job.log_tail(one, LOG_LINES) or "The log is empty.", language=None)


def _actions(one: job.Job) -> None:
    with st.container(horizontal=True):
        if one.active:
            _cancel(one, "board")
            return
        take(one, "board")
        if guard.is_read_only():
            return
        if one.state != "done" and st.button("Go on", key=f"again {one.id}", icon=":material/replay:",
                                             help="Runs the same command; what is finished is not computed again."):
            again(one)
            st.rerun(scope="app")
        if st.button("Take off the list", key=f"forget {one.id}", icon=":material/delete:"):
            forget(one)
            st.rerun(scope="app")


def again(one: job.Job) -> job.Job:
    """Run a job once more. Raises ExplorerError on a view-only server."""
    guard.check_may_change()
    return job.again(jobs_folder(), one)


def forget(one: job.Job) -> None:
    """Take a job off the list. Raises ExplorerError on a view-only server."""
    guard.check_may_change()
    job.forget(one)


def cancel(one: job.Job) -> None:
    """Stop a job. Raises ExplorerError on a view-only server."""
    guard.check_may_change()
    job.cancel(one)


def take(one: job.Job, where: str) -> bool:
    """The button that gives the figures that a job drew, where it has drawn them and they are still there."""
    place = Path(one.argv[-1]) if one.argv[:1] == ("figures",) else None
    if place is None or one.state != "done" or not place.exists():
        return False
    made = datetime.fromtimestamp(place.stat().st_mtime).strftime("%d %b %H:%M")
    st.download_button("All figures (ZIP)", lambda: place.read_bytes(), f"{_stem(one.title)}.zip", "application/zip",
                       key=f"take {where} {one.id}", on_click="ignore", icon=":material/folder_zip:",
                       help=f"Drawn {made}.", width="content" if where == "board" else "stretch")
    return True


def _stem(title: str) -> str:
    return "-".join(re.findall(r"\w+", title.lower()))


def _progress(one: job.Job) -> None:
    left = "" if one.remaining_s is None else f" · about {duration(one.remaining_s)} left"
    st.progress(one.share, text=f"{plain(one.title)}{left}")
    st.caption(plain(one.message))


def _cancel(one: job.Job, where: str) -> None:
    if guard.is_read_only():
        return
    if one.elsewhere:
        st.caption(f"It runs on {plain(one.elsewhere)}, and can be cancelled there.")
    elif st.button("Cancel", key=f"cancel {where} {one.id}", icon=":material/stop_circle:"):
        cancel(one)
        st.rerun(scope="app")


def _when(one: job.Job) -> str:
    started = datetime.fromtimestamp(one.started).strftime("%d %b %H:%M")
    return f"began {started}, {'so far' if one.active else 'took'} {duration(one.lasted_s)}"


def command(argv: Sequence[str]) -> str:
    """What a person would type for the same."""
    return f"python -m analysis {shlex.join(argv)}"
