"""What a run's checkpoints are, from headers and settings alone, with a verdict for each."""

import streamlit as st

from analysis import summaries
from analysis.errors import ExplorerError
from analysis.extraction.library import find_probe
from analysis.extraction.probes import DEFAULT
from analysis.keys import Run
from analysis.runs import forget
from ui import workspace
from ui.plain import plain


def draw(runs: list[Run]) -> None:
    names = [run.name for run in runs]
    chosen = [name for name in st.session_state.get("runs", []) if name in names]
    if "preflight" not in st.session_state and st.query_params.get("preflight") not in names:
        st.session_state.preflight = chosen[0] if chosen else names[-1]
    name = st.selectbox("Run", names, key="preflight", bind="query-params")
    run = runs[names.index(name)]
    try:
        probe = find_probe(st.session_state.get("probe") or run.default_probe or DEFAULT)
    except ExplorerError:
        probe = find_probe(DEFAULT)
    rows = summaries.preflight(run, probe)
    refused = [row for row in rows if row["verdict"] == "refused"]
    if any(row["verdict"] == "not looked at" for row in rows):
        st.info(f"These {len(rows)} revisions lie on the Hub. Each is checked as it is fetched, before it is loaded.",
                icon=":material/cloud:")
    elif refused:
        st.error(f"{len(refused)} of {len(rows)} checkpoints are not fit to load, for the reasons below.",
                 icon=":material/block:")
    else:
        words = "The checkpoint is" if len(rows) == 1 else f"All {len(rows)} checkpoints are"
        st.success(f"{words} fit to load.", icon=":material/verified_user:")
    for group in run.duplicates:
        st.warning(f"{plain(', '.join(group))} have identical weights. A flat stretch there is not a plateau.",
                   icon=":material/content_copy:")
    st.dataframe(rows, hide_index=True, alt="Files, sizes, types, parameters, memory and verdict of each checkpoint")
    st.caption(f"Memory in float32; time of one forward pass over {plain(probe.name)} on this machine.")
    inside = st.selectbox("Tensors of", [row["checkpoint"] for row in rows], index=None, key="tensors_of",
                          placeholder="Choose a checkpoint to see its tensors")
    if inside and (found := summaries.tensors(run, inside)):
        st.dataframe(found, hide_index=True, alt=f"Name, type and shape of each tensor of {inside}")
    for reason in dict.fromkeys(row["reasons"] for row in refused):
        st.text(reason)
    if not summaries.is_bundled(run) and st.button("Take this run off the list", icon=":material/delete:",
                                                   help="What was uploaded for it is deleted; results stay."):
        forget(workspace.store(), run)
        st.session_state.pop("runs", None)
        st.rerun()
