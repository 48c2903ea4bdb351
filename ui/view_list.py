"""The list of saved views and of reports, as the page Saved views draws it."""

from collections.abc import Sequence

import streamlit as st

from analysis.publishing.shelf import Shelf
from analysis.publishing.view import MOST_LETTERS, View
from ui import guard, view_shelf, workspace
from ui.plain import plain

AT_ONCE, FEW = 20, 5
REPORT = "report popover"


def find(views: Sequence[View]) -> list[View]:
    """The views of one sheet of the list, of those that hold the words that are looked for."""
    wanted = st.text_input("Find", placeholder="a word of the name, the note or the link", key="find",
                           bind="query-params").lower() if len(views) > FEW else ""
    kept = [view for view in views if wanted in f"{view.name} {view.note} {view.link}".lower()]
    if not kept:
        st.info(f"No view holds “{plain(wanted)}”. Clear the field to see them all.", icon=":material/search_off:")
    sheets = -(-len(kept) // AT_ONCE)
    sheet = st.pagination(sheets, key="sheet") if sheets > 1 else 1
    return kept[(sheet - 1) * AT_ONCE:sheet * AT_ONCE]


def row(view: View, shelf: Shelf) -> bool:
    """One view with what can be done about it; whether it is ticked."""
    with st.container(border=True):
        ticked = st.checkbox(f"**{plain(view.called)}**", key=f"tick {view.id}")
        runs = f" · {plain(', '.join(view.runs))}" if view.runs else ""
        st.caption(f"{plain(titled(view))}{runs}")
        if view.note:
            st.markdown(plain(view.note))
        for trouble in view.troubles(workspace.runs()):
            st.warning(plain(trouble), icon=":material/folder_off:")
        with st.container(horizontal=True):
            if st.button("Open", key=f"open {view.id}", icon=":material/open_in_new:",
                         disabled=not view_shelf.script(view).is_file()):
                view_shelf.open_view(view)
            if not guard.is_read_only():
                _edit(view, shelf)
    return ticked


def titled(view: View) -> str:
    """The page of a view in words."""
    if not view_shelf.script(view).is_file():
        return f"This app has no page {view.page}"
    return view.page.replace("_", " ").capitalize() or "Overview"


def report_button(views: Sequence[View]) -> None:
    """The form that starts a report of some views, where this server may make one."""
    if guard.is_read_only():
        return
    popover = st.popover("Make a report", icon=":material/article:", key=REPORT, on_change="rerun")
    if not popover.open:
        return
    with popover:
        with st.form("report", border=False):
            st.text_input("Title", "Report" if len(views) > 1 else views[0].called, max_chars=MOST_LETTERS["name"],
                          key="report title")
            st.text_area("Introduction", max_chars=MOST_LETTERS["note"], height=100, key="report note")
            st.form_submit_button("Start", type="primary", icon=":material/play_arrow:", on_click=_start, args=(views,))
        st.caption("One HTML file with the figures, their numbers and their sources, which opens without this app. It "
                   "is made in the background.")


def reports() -> None:
    """Reports that were made or are being made, with their downloads."""
    listed = view_shelf.reports()
    if not listed:
        return
    st.subheader("Reports")
    for one, place in listed:
        with st.container(horizontal=True, vertical_alignment="center"):
            if one.active:
                st.caption(f":material/hourglass_top: {plain(one.title)}: {plain(one.message)}. The sidebar shows how "
                           "far it is.")
            elif one.state == "done" and place.exists():
                view_shelf.take(one, place, "page")
            else:
                st.caption(f":material/error: {plain(one.title)}, {one.state}: {plain(one.message)}")
            if one.active or guard.is_read_only():
                continue
            if st.button("Delete", key=f"drop {one.id}", icon=":material/delete:"):
                view_shelf.drop(one, place)
                st.rerun()


def _start(views: Sequence[View]) -> None:
    view_shelf.make_report(views, st.session_state["report title"].strip() or "Report",
                           st.session_state["report note"].strip())
    st.session_state[REPORT] = False


def _edit(view: View, shelf: Shelf) -> None:
    key = f"edit {view.id}"
    popover = st.popover("Edit", icon=":material/edit:", key=key, on_change="rerun")
    if not popover.open:
        return
    with popover:
        with st.form(f"form {key}", border=False):
            view_shelf.fields(view, key)
            st.form_submit_button("Change", type="primary", icon=":material/check:", on_click=_change,
                                  args=(view, shelf, key))
        st.button("Delete this view", key=f"forget {view.id}", icon=":material/delete:", on_click=_forget,
                  args=(view, shelf))


def _forget(view: View, shelf: Shelf) -> None:
    guard.check_may_change()
    shelf.forget(view)


def _change(view: View, shelf: Shelf, key: str) -> None:
    guard.check_may_change()
    shelf.edit(view, st.session_state[f"name {key}"], st.session_state[f"note {key}"])
    st.session_state[key] = False
