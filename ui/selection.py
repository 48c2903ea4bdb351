"""The selection every page shares - runs, probe, token policy - as widgets that live in the URL."""

from dataclasses import dataclass

import streamlit as st

from analysis.compute import Protocol
from analysis.errors import ExplorerError
from analysis.extraction.probes import DEFAULT, built_in_probes, load_probe
from analysis.keys import Policy, Run
from ui import workspace

POLICIES = ["last", "mean", "mean-keep-first", "every-8", "every-16", "every-32"]
POLICY_HELP = ("Which tokens become rows: the last of each text, the mean of its tokens, or every k-th. Position 0 is "
               "left out of means and of every k-th, because in many models it is a massive outlier.")


@dataclass(frozen=True)
class Selection:
    runs: tuple[Run, ...]
    protocol: Protocol

    @property
    def argv(self) -> list[str]:
        """The options that give the command line the same protocol."""
        return ["--probe", self.protocol.probe.name, "--policy", str(self.protocol.policy)]


def pick() -> Selection:
    """Draw the pickers in the sidebar and return what is chosen; stops the page with a next step when nothing is."""
    known = {run.name: run for run in workspace.runs()}
    if not known:
        st.info("No run yet. Rebuild the demo with `make demo`, or open a folder of checkpoints on the overview page.",
                icon=":material/folder_open:")
        st.stop()
    with st.sidebar:
        first = None if "runs" in st.session_state else _first_runs(known)
        names = st.multiselect("Runs", list(known), default=first, key="runs", bind="query-params",
                               placeholder="Choose one or more runs", on_change=_follow_probe, args=(known,))
        own = [known[name].default_probe or DEFAULT for name in names if name in known]
        probes = list(dict.fromkeys([*own, DEFAULT, *built_in_probes()]))
        probe = st.selectbox("Probe", probes, key="probe", bind="query-params",
                             help="The texts that are read. Numbers on different probes are never drawn together.")
        policy = st.selectbox("Rows", POLICIES, key="rows", bind="query-params", help=POLICY_HELP,
                              format_func=_policy_words)
    chosen = [known[name] for name in names if name in known]
    if not chosen:
        st.info("Choose a run in the sidebar.", icon=":material/arrow_back:")
        st.stop()
    try:
        return Selection(tuple(chosen), Protocol(load_probe(probe), Policy.parse(policy)))
    except ExplorerError as error:
        st.error(str(error))
        st.stop()


def _first_runs(known: dict[str, Run]) -> list[str]:
    """What a new visitor sees: the first two runs that share the default probe."""
    return [name for name, run in known.items() if (run.default_probe or DEFAULT) == DEFAULT][:2] or list(known)[:1]


def _follow_probe(known: dict[str, Run]) -> None:
    """When none of the chosen runs is meant for the current probe, switch to the probe of the first."""
    own = [known[name].default_probe or DEFAULT for name in st.session_state.runs if name in known]
    if own and st.session_state.get("probe") not in own:
        st.session_state.probe = own[0]


def _policy_words(policy: str) -> str:
    words = {"last": "last token", "mean": "mean of tokens", "mean-keep-first": "mean of tokens, position 0 kept"}
    return words.get(policy, f"every {policy.removeprefix('every-')}th token")
