"""The selection every page shares - runs, probe, token policy - as widgets that live in the URL."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from analysis.compute import Protocol, protocols
from analysis.errors import ExplorerError
from analysis.extraction.library import added_probes, find_probe, shuffled_names
from analysis.extraction.probes import AS_GIVEN, DEFAULT, SHUFFLED, built_in_probes
from analysis.keys import Policy, Run
from ui import opener, workspace
from ui.plain import plain

POLICIES = ["last", "mean", "first", "mean-keep-first", "every-1", "every-8", "every-16", "every-32", "words-1",
            "words-4"]
DTYPES = ["float32", "bfloat16"]
POLICY_HELP = ("Which tokens become rows: the last of each text, the mean of its tokens, every k-th, or the one that "
               "ends each word or every 4th word. Words are the same for every model, so choose words to compare, word "
               "by word, models that cut texts into different tokens. Position 0 is left out of means, of every k-th "
               "and of words, because in many models it is a massive outlier.")


@dataclass(frozen=True)
class Selection:
    runs: tuple[Run, ...]
    protocol: Protocol
    probe: str  # as the command line takes it: a built-in name or a file

    @property
    def argv(self) -> list[str]:
        """The options that give the command line the same protocol."""
        dtype = [] if self.protocol.dtype == DTYPES[0] else ["--dtype", self.protocol.dtype]
        return ["--probe", self.probe, "--policy", str(self.protocol.policy), *dtype]

    @property
    def filters(self) -> dict[str, str]:
        """What of the store is of this protocol."""
        return {"probe": self.protocol.probe.identity, "policy": self.protocol.rows, "dtype": self.protocol.dtype}


def pick() -> Selection:
    """Draw the pickers in the sidebar and return what is chosen; stops the page with a next step when nothing is."""
    known = {run.name: run for run in workspace.runs()}
    if not known:
        st.info("No run yet. Rebuild the demo with `make demo`, or open a folder of checkpoints here:",
                icon=":material/folder_open:")
        opener.draw()
        st.stop()
    asked = [name for name in st.query_params.get_all("runs") if name in known]
    if _arrived() or "runs" not in st.session_state:
        st.session_state.runs = asked or st.session_state.get("runs") or _first_runs(known)  # a link knows best
    with st.session_state.get("pickers") or st.sidebar:
        names = st.multiselect("Runs", list(known), key="runs", persist_state="session",
                               placeholder="Choose one or more runs", on_change=_follow_probe, args=(known,))
        to_url("runs", [] if names == _first_runs(known) else names)
        own = [known[name].default_probe or DEFAULT for name in names if name in known]
        given = [probe == AS_GIVEN for probe in own]
        probes = [AS_GIVEN] if any(given) else list(dict.fromkeys(
            [*own, DEFAULT, *built_in_probes(), *shuffled_names(dict.fromkeys([*own, DEFAULT])), *added_probes()]))
        probe = _choose("Probe", probes, "probe", help="The texts that are read; +shuffled: with the tokens of "
                                                       "each in a random order. Numbers on different probes are "
                                                       "never drawn together.")
        rows = [policy for policy in POLICIES if not (probe.endswith(SHUFFLED) and policy.startswith("words"))]
        policy = "last" if any(given) else _choose("Rows", rows, "rows", help=POLICY_HELP, format_func=_policy_words)
        chosen = [known[name] for name in names if name in known]
        used = {dtype for *_, dtype in protocols(workspace.store(), chosen)}
        dtype = _precision(used)
    if not chosen:
        st.info("Choose a run in the sidebar.", icon=":material/arrow_back:")
        st.stop()
    if any(given) and not all(given):
        st.error("Rows that came with a run and models that read texts cannot be drawn together: their rows are not "
                 "the same. Choose runs of one kind in the sidebar.", icon=":material/block:")
        st.stop()
    try:
        return Selection(tuple(chosen), Protocol(find_probe(probe), Policy.parse(policy), dtype), probe)
    except ExplorerError as error:
        st.error(plain(error))
        st.stop()


def _arrived() -> bool:
    """Whether this is the first drawing of a page: Streamlit then needs to be told the value of a widget again."""
    here = st.context.url
    st.session_state.arrived = st.session_state.get("last_page") != here
    st.session_state.last_page = here
    return st.session_state.arrived


def _choose(label: str, options: list[str], key: str, **how: Any) -> str:
    """One of some options: what the session or else the URL says where it is among them, and else the first."""
    asked = [st.query_params.get(key), st.session_state.get(key), options[0]]
    if st.session_state.arrived or asked[1] not in options:
        st.session_state[key] = next(value for value in asked if value in options)
    chosen = st.selectbox(label, options, key=key, persist_state="session", **how)
    to_url(key, [] if chosen == options[0] else [chosen])
    return chosen


def _precision(used: set[str]) -> str:
    """The precision of the forward pass, to choose where results of more than the usual one are there."""
    if used - {DTYPES[0]}:
        return _choose("Precision", DTYPES, "dtype", help="Of the forward pass; statistics are float64 always.")
    to_url("dtype", [])
    return DTYPES[0]


def to_url(key: str, values: list[str]) -> None:
    """Streamlit's own binding loses the URL on the first change of page, so the shared selection is written here."""
    if st.query_params.get_all(key) != values:
        if values:
            st.query_params[key] = values
        else:
            del st.query_params[key]


def _first_runs(known: dict[str, Run]) -> list[str]:
    """What a new visitor sees: the first two runs that share the default probe."""
    return [name for name, run in known.items() if (run.default_probe or DEFAULT) == DEFAULT][:2] or list(known)[:1]


def _follow_probe(known: dict[str, Run]) -> None:
    """When none of the chosen runs is meant for the current probe, switch to the probe of the first."""
    own = [known[name].default_probe or DEFAULT for name in st.session_state.runs if name in known]
    if own and str(st.session_state.get("probe")).removesuffix(SHUFFLED) not in own:
        st.session_state.probe = own[0]


def _policy_words(policy: str) -> str:
    words = {"first": "first token", "last": "last token", "mean": "mean of tokens",
             "mean-keep-first": "mean of tokens, position 0 kept", "every-1": "every token", "words-1": "every word"}
    kind, _, every = policy.partition("-")
    return words.get(policy, f"every {every}th {'word' if kind == 'words' else 'token'}")
