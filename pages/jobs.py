"""What is being computed, what has been, how did it go, and how much room does it take?"""

import streamlit as st

from analysis.estimates import volume
from analysis.storage import KINDS, reclaim, usage
from ui import guard, jobs_panel, words, workspace

words.intro("Jobs",
            "One job after the other, also while this page is closed. What is finished is kept, and a job that was "
            "stopped goes on from there.")
jobs_panel.board()

st.header("Storage")
store = workspace.store()
used = usage(store)
st.markdown(f"`{store.root}` takes **{volume(sum(used.values()))}**.")
st.dataframe([{"what": kind, "size": volume(size), "holds": KINDS[kind]} for kind, size in used.items() if size],
             hide_index=True, alt="Bytes of each kind of file in the cache")
if (used["representations"] or used["damaged"] or used["exports"]) and not guard.is_read_only():
    keep = st.number_input("Keep at most (GB) of rows", 0.0, value=min(50.0, used["representations"] / 1e9), step=1.0,
                           help="Rows read longest ago go first. Values stay; new measures of what went need another "
                                "forward pass.")
    if st.button("Make room", icon=":material/cleaning_services:"):
        guard.check_may_change()
        st.session_state.freed = reclaim(store, keep * 1e9)
        st.rerun()
if "freed" in st.session_state:  # said after the page is drawn anew, with the new sizes on it
    st.success(f"{volume(st.session_state.pop('freed'))} came free.", icon=":material/check:")
