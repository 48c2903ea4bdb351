"""Which views are worth coming back to, and what goes to a colleague?"""

import streamlit as st

from analysis.errors import ExplorerError
from analysis.publishing.view import MOST_BYTES, from_json, to_json
from ui import guard, view_list, view_shelf, words
from ui.plain import plain

words.intro("Saved views",
            "A view is a page with everything that is chosen on it. “Save or share this view”, in the sidebar of every "
            "page, keeps one here.")

shelf = view_shelf.shelf()
views = [view for view, _ in shelf.listed()]
if not views:
    st.info("No view is saved yet." if guard.is_read_only() else "No view is saved yet. Open a page, choose what it "
            "shows, and press “Save or share this view” in the sidebar.", icon=":material/bookmark_add:")
else:
    shown = view_list.find(views)
    ticked = [view for view in shown if view_list.row(view, shelf)]
    taken = ticked or shown
    if taken:
        many = f"the {len(taken)} views that are {'ticked' if ticked else 'listed'}" if len(taken) > 1 else "this view"
        st.markdown(f"**With {many}**")
        with st.container(horizontal=True):
            st.download_button("Export as JSON", lambda: to_json(taken), "views.json", "application/json",
                               on_click="ignore", icon=":material/download:", help="For a colleague, who reads the "
                               "file on this page of another server. It holds names, notes and links, and no numbers.")
            view_list.report_button(taken)

view_list.reports()

if guard.is_view_only("views of a colleague are added where you run this project yourself."):
    st.stop()
st.subheader("Views of a colleague")
with st.form("import", border=False, clear_on_submit=True):
    given = st.file_uploader("The JSON of saved views", type=["json"], max_upload_size=MOST_BYTES // 1_000_000)
    asked = st.form_submit_button("Add them", icon=":material/upload:")
if asked and given is None:
    st.info("Choose a file first.", icon=":material/arrow_upward:")
elif asked and given is not None:
    try:
        guard.check_may_change()
        st.session_state.added = shelf.add(from_json(given.getvalue(), f"The file {given.name[:80]}"))
        st.rerun()
    except ExplorerError as error:
        st.error(plain(error), icon=":material/error:")
if "added" in st.session_state:
    new, known = st.session_state.pop("added")
    here = f" {len(known)} {'was' if len(known) == 1 else 'were'} here already and stay as they are." if known else ""
    st.success(f"{len(new)} added.{here}", icon=":material/check:")
