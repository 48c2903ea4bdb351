"""The selection every page shares - runs, texts, rows, sites, checkpoints, reference - as widgets that live in the
URL."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import streamlit as st

from analysis import compute, reference
from analysis.compute import Protocol, protocols
from analysis.errors import ExplorerError
from analysis.extraction.library import added_probes, find_probe, shuffled_names
from analysis.extraction.probes import AS_GIVEN, DEFAULT, SHUFFLED, built_in_probes
from analysis.keys import Checkpoint, Policy, Run
from analysis.reference import Reference
from ui import opener, workspace
from ui.plain import plain

POLICIES = ["last", "mean", "first", "mean-keep-first", "every-1", "every-8", "every-16", "every-32", "words-1",
            "words-4"]
DTYPES = ["float32", "bfloat16"]
SHARED = ("runs", "probe", "rows", "dtype", "sites", "at", "pin")
NO_REFERENCE = "none"
PAGES = Path(__file__).parents[1] / "pages"  # for links between them
FOLLOW_PIN = ("reference", "run_B", "at_B", "ends", "b", "pair b", "pair run b", "pair at b", "pair site b", "receiver",
              "receiver_at", "networks", "ph_b", "map_since")  # fields of pages that begin at the reference
POLICY_HELP = ("Which tokens become rows: the last of each text, the mean of its tokens, every k-th, or the one that "
               "ends each word or every 4th word. Words are the same for every model, so choose words to compare, word "
               "by word, models that cut texts into different tokens. Position 0 is left out of means, of every k-th "
               "and of words, because in many models it is a massive outlier.")


@dataclass(frozen=True)
class Selection:
    """What is looked at. `probe` is as the command line takes it: a built-in name or a file. `known_sites` are all that
    the runs are measured at and `sites` the chosen ones; no checkpoint `at` means that each page takes its own."""

    runs: tuple[Run, ...]
    protocol: Protocol
    probe: str
    known_sites: tuple[str, ...] = ()
    sites: tuple[str, ...] = ("final",)
    at: tuple[str, ...] = ()
    reference: Reference | None = None
    pinned: tuple[Run, ...] = ()  # the run of the reference, where it is not among the chosen ones

    @property
    def argv(self) -> list[str]:
        """The options that give the command line the same protocol."""
        dtype = [] if self.protocol.dtype == DTYPES[0] else ["--dtype", self.protocol.dtype]
        return ["--probe", self.probe, "--policy", str(self.protocol.policy), *dtype]

    @property
    def filters(self) -> dict[str, str]:
        """What of the store is of this protocol."""
        return {"probe": self.protocol.probe.identity, "policy": self.protocol.rows, "dtype": self.protocol.dtype}

    @property
    def site(self) -> str:
        """The deepest of the chosen sites, for what shows one."""
        return self.sites[-1]

    @property
    def sides(self) -> dict[str, Run]:
        """The runs that a comparison of two can name: the chosen ones and that of the reference."""
        return {run.name: run for run in (*self.runs, *self.pinned)}

    @property
    def checkpoints(self) -> dict[str, Checkpoint]:
        """Every checkpoint of the chosen runs, as run@revision."""
        return {f"{run.name}@{one.revision}": one for run in self.runs for one in run.checkpoints}

    def revisions(self, usual: Sequence[str]) -> list[str]:
        """The chosen checkpoints by name, or those a page takes where none is chosen."""
        return list(self.at or usual)


def pick() -> Selection:
    """Draw the pickers in the sidebar and return what is chosen; stops the page with a next step when nothing is."""
    known = {run.name: run for run in workspace.runs()}
    if not known:
        st.info("No run yet. Rebuild the demo with `make demo`, or open a folder of checkpoints here:",
                icon=":material/folder_open:")
        opener.draw()
        st.stop()
    _arrived()
    _miss(known)
    with st.session_state.get("pickers") or st.sidebar:
        names = several("Runs", list(known), "runs", _first_runs(known), placeholder="Choose one or more runs",
                         on_change=_follow_probe, args=(known,))
        chosen = [known[name] for name in names]
        own = [run.default_probe or DEFAULT for run in chosen]
        given = [probe == AS_GIVEN for probe in own]
        asked = _texts(own, any(given))
        dtype = _precision({dtype for *_, dtype in protocols(workspace.store(), chosen)})
    if not chosen:
        st.info("Choose a run in the sidebar.", icon=":material/arrow_back:")
        st.stop()
    if any(given) and not all(given):
        st.error("Rows that came with a run and models that read texts cannot be drawn together: their rows are not "
                 "the same. Choose runs of one kind in the sidebar.", icon=":material/block:")
        st.stop()
    try:
        found = Selection(tuple(chosen), Protocol(find_probe(asked[0]), Policy.parse(asked[1]), dtype), asked[0])
    except ExplorerError as error:
        st.error(plain(error))
        st.stop()
    with st.session_state.get("pickers") or st.sidebar:
        found = _places(found, list(known.values()))
    st.caption(_said(found))
    return found


def _miss(known: dict[str, Run]) -> None:
    """Say which runs a link names that this server has not, where others are shown in their place."""
    absent = [name for name in st.query_params.get_all("runs") if name not in known]
    if absent:
        st.warning(f"The link names {plain(', '.join(absent))}, which this server does not have: open it on the page "
                   "Checkpoints. Shown instead is what is chosen in the sidebar.", icon=":material/link_off:")


def one_site(chosen: Selection) -> str:
    """The site of a page that shows one: of several chosen ones, whichever is clicked."""
    if len(chosen.sites) == 1:
        return chosen.site
    return choose("Site", chosen.sites, "site", chosen.site, st.segmented_control, required=True)


def shared(**more: str | list[str]) -> dict[str, Any]:
    """What a link to another page carries: the selection as the URL has it, and what is named here instead of it."""
    held = {name: found for name in SHARED if (found := st.query_params.get_all(name))}
    return held | {name: value for name, value in more.items() if value}


def pin(name: str) -> None:
    """Make something the reference of every page, by its name in reference.options; nothing takes it off."""
    st.session_state.pin = name or NO_REFERENCE
    _follow_pin()


def _follow_pin() -> None:
    """Let the fields that begin at the reference begin there again."""
    for key in FOLLOW_PIN:
        st.session_state.pop(key, None)
        to_url(key, [])


def _texts(own: Sequence[str], given: bool) -> tuple[str, str]:
    """The probe and the policy of its rows."""
    probes = [AS_GIVEN] if given else list(dict.fromkeys(
        [*own, DEFAULT, *built_in_probes(), *shuffled_names(dict.fromkeys([*own, DEFAULT])), *added_probes()]))
    probe = choose("Probe", probes, "probe", help="The texts that are read; +shuffled: with the tokens of each in a "
                                                   "random order. Numbers on different probes are never drawn "
                                                   "together.")
    rows = [policy for policy in POLICIES if not (probe.endswith(SHUFFLED) and policy.startswith("words"))]
    return probe, "last" if given else choose("Rows", rows, "rows", help=POLICY_HELP, format_func=_policy_words)


def _places(found: Selection, known: Sequence[Run]) -> Selection:
    """Sites and checkpoints, and the reference."""
    store = workspace.store()
    sites = compute.sites(store, found.runs, found.protocol) or ["final"]
    picked = several("Sites", sites, "sites", sites[-1:], "site", help="Where in the network. A page that shows one "
                      "site takes the deepest of these first.") or sites[-1:]
    picked = [site for site in sites if site in picked]
    if len(picked) == 1:
        _written("site", [], st.session_state.get("site"))  # one of several, or an old link's name for the one
    revisions = list(dict.fromkeys(one.revision for run in found.runs for one in run.checkpoints))
    at = several("Checkpoints", revisions, "at", [], placeholder="As each page has them",
                  help="Looked at on every page, in place of those that a page takes by itself.")
    asked = [held for held in (st.query_params.get("pin"), st.session_state.get("pin")) if held]
    pins = reference.options(store, found.runs, known, found.protocol, picked[-1], (asked or [""])[0])
    name = choose("Reference", [NO_REFERENCE, *pins], "pin", help="What every page compares against: a checkpoint, "
                   "a phase of a run, or the last checkpoint of another run.",
                   format_func=lambda one: pins[one].says if one in pins else one, on_change=_follow_pin)
    pinned = pins.get(name)
    _gathered()
    return replace(found, known_sites=tuple(sites), sites=tuple(picked),
                   at=tuple(one for one in revisions if one in at), reference=pinned,
                   pinned=tuple(run for run in known if run not in found.runs
                                and pinned and run.name == pinned.last.run))


def _said(found: Selection) -> str:
    """The selection in one line, for who does not see the sidebar."""
    parts = [", ".join(run.name for run in found.runs), ", ".join(found.sites), found.protocol.probe.name,
             _policy_words(str(found.protocol.policy)), ", ".join(found.at),
             f"against {found.reference.says}" if found.reference else ""]
    return ":material/filter_alt: " + plain(" · ".join(filter(None, parts)))


def _arrived() -> None:
    """Note whether this is the first drawing of a page: Streamlit then needs to be told the value of a widget again.

    So it does after the browser's way back to an address without the selection, with which its navigation opened the
    page before the selection was put there.
    """
    here, bare = st.context.url, not any(st.query_params.get_all(key) for key in SHARED)
    came = st.session_state.get("last_page", "") != here
    written = any(st.session_state.get(f"{key} as written", ([], None))[0] for key in SHARED)
    st.session_state.arrived = came or (bare and written and here in st.session_state.get("bare", ()))
    st.session_state.last_page = here
    st.session_state.gathered = {} if st.session_state.arrived else None


def _gathered() -> None:
    """Put what was gathered on arrival into the URL at once: one step of the browser's way back, not one for each."""
    gathered = st.session_state.gathered
    if gathered is not None:
        bare = not any(st.query_params.get_all(key) for key in SHARED)
        known = {one for one in st.session_state.get("bare", ()) if one != st.context.url or not bare}
        st.session_state.bare = known | ({st.context.url} if bare and gathered else set())
        st.query_params.update(gathered)
    st.session_state.gathered = None


def _led(key: str) -> bool:
    """Whether the URL decides: on arrival, and after the browser's way back, which changes it and no widget."""
    url, value = st.session_state.get(f"{key} as written", (None, None))
    return st.session_state.arrived or (
        value is not None and st.query_params.get_all(key) != url and st.session_state.get(key) == value)


def choose(label: str, options: Sequence[str], key: str, usual: str = "", widget: Any = None, **how: Any) -> str:
    """One of some options: what the URL or else the session says where it is among them, and else the usual one, which
    is the first where none is named. `widget` draws it, for a field in a column or of another kind."""
    usual = usual if usual in options else options[0]
    asked = [st.query_params.get(key), st.session_state.get(key), usual]
    if _led(key):
        st.session_state[key] = next(value for value in asked[::1 if st.session_state.arrived else 2]
                                     if value in options)
    elif asked[1] not in options:
        st.session_state[key] = usual
    chosen = (widget or st.selectbox)(label, options, key=key, persist_state="session", **how)
    _written(key, [] if chosen == usual else [chosen], chosen)
    return chosen


def several(label: str, options: Sequence[str], key: str, usual: list[str], also: str = "", **how: Any) -> list[str]:
    """Some of the options, or the usual ones; `also` is another name that links may have for one of them."""
    asked = [name for name in st.query_params.get_all(key) or st.query_params.get_all(also) if name in options]
    held = [name for name in st.session_state.get(key, usual) if name in options]
    if _led(key):
        st.session_state[key] = asked or (held if st.session_state.arrived else []) or usual
    elif key not in st.session_state or len(held) < len(st.session_state[key]):
        st.session_state[key] = held or usual
    chosen = st.multiselect(label, options, key=key, persist_state="session", **how)
    _written(key, [] if chosen == usual else chosen, chosen)
    return chosen


def _written(key: str, values: list[str], chosen: Any) -> None:
    """Put a choice into the URL and note both, so that a later difference tells which of the two has moved."""
    to_url(key, values)
    st.session_state[f"{key} as written"] = values, chosen


def _precision(used: set[str]) -> str:
    """The precision of the forward pass, to choose where results of more than the usual one are there."""
    if used - {DTYPES[0]}:
        return choose("Precision", DTYPES, "dtype", help="Of the forward pass; statistics are float64 always.")
    _written("dtype", [], st.session_state.get("dtype"))  # as it was, for when there is more than one again
    return DTYPES[0]


def to_url(key: str, values: list[str]) -> None:
    """Streamlit's own binding loses the URL on the first change of page, so the shared selection is written here."""
    if st.query_params.get_all(key) != values:
        if values and st.session_state.get("gathered") is not None:
            st.session_state.gathered[key] = values
        elif values:
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
