"""What a run's checkpoints are, from headers and settings alone, with a verdict for each."""

import streamlit as st

from analysis import summaries
from analysis.keys import Run
from analysis.runs import forget
from ui import workspace
from ui.plain import plain


def draw(runs: list[Run]) -> None:
    names = [run.name for run in runs]
    chosen = [name for name in st.session_state.get("runs", []) if name in names]
    name = st.selectbox("Run", names, index=names.index(chosen[0]) if chosen else len(names) - 1, key="preflight",
                        bind="query-params")
    run = runs[names.index(name)]
    rows = summaries.preflight(run)
    refused = [row for row in rows if row["verdict"] == "refused"]
    if any(row["verdict"] == "not looked at" for row in rows):
        st.info(f"These {len(rows)} revisions lie on the Hub. Each is checked as it is fetched, before it is loaded.",
                icon=":material/cloud:")
    elif refused:
        st.error(f"{len(refused)} of {len(rows)} checkpoints are not fit to load, for the reasons below.",
                 icon=":material/block:")
    else:
        st.success(f"All {len(rows)} checkpoints are fit to load.", icon=":material/verified_user:")
    for group in run.duplicates:
        st.warning(f"{plain(', '.join(group))} have identical weights. A flat stretch there is not a plateau.",
                   icon=":material/content_copy:")
    st.dataframe(rows, hide_index=True, alt="Files, sizes, types, parameters, memory and verdict of each checkpoint")
    for reason in dict.fromkeys(row["reasons"] for row in refused):
        st.text(reason)
    if not summaries.is_bundled(run) and st.button("Take this run off the list", icon=":material/delete:",
                                                   help="What was uploaded for it is deleted; results stay."):
        forget(workspace.store(), run)
        st.session_state.pop("runs", None)
        st.rerun()
