"""What a run's checkpoints are, from headers and settings alone, with a verdict for each."""

import streamlit as st

from analysis import summaries
from analysis.checkpoints import glance
from analysis.checkpoints.headers import Tensor
from analysis.checkpoints.preflight import Report
from analysis.errors import ExplorerError
from analysis.extraction.library import find_probe
from analysis.extraction.probes import DEFAULT, Probe
from analysis.keys import Checkpoint, Run
from analysis.runs import forget, is_bundled
from ui import guard, workspace
from ui.plain import plain


@st.cache_data(ttl=3600, max_entries=20, show_spinner="Reading headers on the Hub")
def _from_the_hub(checkpoints: tuple[Checkpoint, ...]) -> list[Report]:
    return glance.reports(checkpoints)


@st.cache_data(ttl=3600, max_entries=20, show_spinner="Reading headers")
def _tensors(checkpoint: Checkpoint) -> list[Tensor]:
    return glance.tensors(checkpoint)


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
    for group in run.duplicates:
        st.warning(f"{plain(', '.join(group))} have identical weights. A flat stretch there is not a plateau.",
                   icon=":material/content_copy:")
    if _may_look(run):
        try:
            _judged(run, probe)
        except ExplorerError as error:
            st.error(plain(error), icon=":material/error:")
    if is_bundled(run) or guard.is_read_only():
        return
    if st.button("Take this run off the list", icon=":material/delete:",
                 help="What was uploaded for it is deleted; results stay."):
        guard.check_may_change()
        forget(workspace.store(), run)
        st.session_state.pop("runs", None)
        st.rerun()


def _may_look(run: Run) -> bool:
    """Headers of local files are read at once; those of a run on the Hub when a person asks for them."""
    here, asked = len(run.checkpoints), st.session_state.setdefault("looked_at", set())
    if not any(checkpoint.source for checkpoint in run.checkpoints) or run.name in asked:
        return True
    st.info(f"{here} revisions on the Hub. Their settings and the headers of their weights can be looked at without "
            "fetching the weights; each is checked again when it is computed, before it is loaded.",
            icon=":material/cloud:")
    if st.button("Look at the headers", icon=":material/frame_inspect:"):
        asked.add(run.name)
        st.rerun()
    return False


def _judged(run: Run, probe: Probe) -> None:
    remote = any(checkpoint.source for checkpoint in run.checkpoints)
    reports = _from_the_hub(run.checkpoints) if remote else glance.reports(run.checkpoints)
    rows = summaries.preflight(run, probe, reports)
    refused = [report for report in reports if report.refusals]
    if refused:
        st.error(f"{len(refused)} of {len(rows)} checkpoints are not fit to load, for the reasons below.",
                 icon=":material/block:")
    else:
        words = "The checkpoint is" if len(rows) == 1 else f"All {len(rows)} checkpoints are"
        st.success(f"{words} fit to load.", icon=":material/verified_user:")
    st.dataframe(rows, hide_index=True, alt="Files, sizes, types, parameters, memory and verdict of each checkpoint")
    st.caption(f"Memory in float32; time of one forward pass over {plain(probe.name)} on this machine.")
    inside = st.selectbox("Tensors of", [row["checkpoint"] for row in rows], index=None, key="tensors_of",
                          placeholder="Choose a checkpoint to see its tensors")
    if inside:
        _listed(run.at(inside))
    for reason in dict.fromkeys(" ".join(report.refusals) for report in refused):
        st.text(reason)


def _listed(checkpoint: Checkpoint) -> None:
    try:
        st.dataframe(summaries.tensors(_tensors(checkpoint)), hide_index=True,
                     alt=f"Name, type and shape of each tensor of {checkpoint.revision}")
    except ExplorerError as error:
        st.text(str(error))
