"""Saved views: the button that keeps the page as it is, what a view holds, and reports of views."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import streamlit as st

from analysis import files
from analysis.errors import ExplorerError
from analysis.jobs import job
from analysis.publishing.shelf import Shelf
from analysis.publishing.view import MOST_LETTERS, Seen, View, to_json
from ui import guard, jobs_panel, selection, workspace
from ui.plain import plain

NOTHING_CHOSEN = ("jobs", "measures", "checkpoints", "known_answers")  # pages that show no runs
SIDES = {"pair": {"a": "pair a", "b": "pair b"}}  # what a page keeps out of its URL while it is the usual
PANEL, COMMAND = "keep view", "report"


def shelf() -> Shelf:
    return Shelf(workspace.store(), workspace.owner())


def draw(page: str, title: str) -> None:
    """In the sidebar: keep what the page shows, its link, and a report of it. `page` is its name in links."""
    if page == "views" or st.session_state.get(guard.HEADLESS):
        return
    with st.sidebar:
        st.fragment(_keep)(page, title)


def present(page: str) -> View:
    """What the page shows now: its URL, and the selection that the URL leaves out while it is the usual one, which
    may be another one tomorrow."""
    query = [(name, value) for name in st.query_params for value in st.query_params.get_all(name)]
    held = {} if page in NOTHING_CHOSEN else dict.fromkeys(selection.SHARED) | SIDES.get(page, {})
    for name, key in held.items():
        value = st.session_state.get(key or name)
        if name not in st.query_params and value not in (None, selection.NO_REFERENCE):
            query += [(name, one) for one in ([value] if isinstance(value, str) else value)]
    view = View(page, tuple(query))
    known = [run for run in workspace.runs() if run.name in view.runs]
    return replace(view, seen=tuple(map(Seen.of, known)))


def open_view(view: View) -> None:
    """Go to what a view shows, without what is chosen in this session now."""
    for key in [*selection.SHARED, *SIDES.get(view.page, {}).values()]:
        st.session_state.pop(key, None)
    st.switch_page(script(view), query_params=view.parameters)


def script(view: View) -> Path:
    """The script of the page of a view; it need not exist."""
    return files.PROJECT / "pages" / f"{view.page or 'overview'}.py"


def make_report(views: Sequence[View], title: str, note: str = "") -> job.Job:
    """Start the report of some views; its views, and then itself, lie in the owner's folder."""
    guard.check_may_change()
    content = to_json(views)
    name = sha256(content + title.encode() + note.encode()).hexdigest()[:32]
    place = shelf().reports / f"{name}.html"
    files.write(place.with_suffix(".json"), content)
    argv = [COMMAND, "--views", str(place.with_suffix(".json")), "--title", title, *(["--note", note] if note else []),
            "--out", str(place)]
    return jobs_panel.start(argv, f"Report: {title}")


def reports() -> list[tuple[job.Job, Path]]:
    """The jobs that make or made reports for this person, the newest first, and where each report lies."""
    jobs = [(one, Path(one.argv[-1])) for one in job.listed(jobs_panel.jobs_folder()) if one.argv[:1] == (COMMAND,)]
    return [(one, place) for one, place in jobs if place.parent == shelf().reports]


def take(one: job.Job, place: Path, where: str) -> None:
    """The button that gives a finished report."""
    name = one.title.removeprefix("Report: ")
    st.download_button(f"Download {plain(name)}", lambda: place.read_bytes(), f"{_stem(name)}.html", "text/html",
                       key=f"take {where} {one.id}", on_click="ignore", icon=":material/download:", width="stretch")


def drop(one: job.Job, place: Path) -> None:
    """Delete a report that is done or failed, and its job."""
    guard.check_may_change()
    for path in (place, place.with_suffix(".json")):
        path.unlink(missing_ok=True)
    job.forget(one)


def fields(view: View, key: str) -> tuple[str, str]:
    """Where the name and the note of a view are typed."""
    return (st.text_input("Name", view.name, max_chars=MOST_LETTERS["name"], key=f"name {key}"),
            st.text_area("Note", view.note, max_chars=MOST_LETTERS["note"], key=f"note {key}", height=100,
                         placeholder="What is seen here, and why it matters"))


def _keep(page: str, title: str) -> None:
    closed = guard.is_read_only()
    popover = st.popover("Share this view" if closed else "Save or share this view", key=PANEL, on_change="rerun",
                         icon=":material/bookmark_add:", width="stretch")
    if not popover.open:
        return
    with popover:
        view = present(page)
        kept = next((known for known, _ in shelf().listed() if known.id == view.id), None)
        view = kept or replace(view, name=f"{title}: {', '.join(view.runs)}"[:MOST_LETTERS["name"]] if view.runs
                               else title)
        if not closed:
            _save(view, kept is not None)
        st.markdown("**Link to this view**")
        st.code(_address(view), language=None, wrap_lines=True)
        if not guard.is_view_only("views are saved and reports made where you run this project yourself."):
            _report(view)


def _save(view: View, kept: bool) -> None:
    if kept:
        st.caption(":material/bookmark_added: This view is saved. Its name and its note can be changed here.")
    with st.form("keep", border=False):
        name, note = fields(view, view.id)
        if st.form_submit_button("Save", type="primary", icon=":material/bookmark_add:", width="stretch"):
            try:
                guard.check_may_change()
                shelf().save(replace(view, name=name.strip(), note=note.strip()))
                st.success("Saved; the page Saved views lists it.", icon=":material/check:")
            except ExplorerError as error:
                st.error(plain(error))


def _report(view: View) -> None:
    """A report of this view alone: the way to it, or itself."""
    made = next(((one, place) for one, place in reports() if one.title == f"Report: {view.called}"), None)
    if made and made[0].active:
        st.caption(":material/hourglass_top: The report is being made; its progress is below.")
    elif made and made[0].state == "done" and made[1].exists():
        take(*made, "popover")
    if not (made and made[0].active) and st.button("Make a report of it", icon=":material/article:", width="stretch",
                                                   help="One HTML file with the figures, the numbers and their "
                                                        "sources, which opens without this app."):
        make_report([view], view.called, view.note)
        st.rerun()


def _address(view: View) -> str:
    """The link with the machine that this browser sees."""
    here = urlsplit(str(st.context.url or ""))
    base = f"{here.scheme}://{here.netloc}{here.path}" if here.netloc else view.page
    return f"{base}?{urlencode(view.query)}" if view.query else base


def _stem(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower()).strip("-")[:80] or "report"
