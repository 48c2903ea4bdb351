"""The way in for a repository on the Hugging Face Hub: list its revisions, choose, see what they cost, open."""

import streamlit as st

from analysis.checkpoints import hub
from analysis.errors import ExplorerError
from analysis.estimates import estimate
from analysis.extraction.probes import DEFAULT, load_probe
from analysis.figures import ladder
from analysis.runs import open_on_hub
from ui import opener, workspace
from ui.plain import plain

SIZED_AT_ONCE = 40
WAYS = {"log": "log-spaced", "every": "every k-th", "range": "a range of steps", "names": "by name", "all": "all"}


@st.cache_data(ttl=300, max_entries=20, show_spinner="Asking the Hub for its revisions")
def _refs(repo: str) -> list[hub.Ref]:
    return hub.refs(repo)


@st.cache_data(ttl=3600, max_entries=200, show_spinner="Asking the Hub for sizes")
def _sizes(chosen: tuple[hub.Ref, ...]) -> list[hub.Remote]:
    return hub.sizes(chosen)


def draw() -> None:
    """Revisions of a repository, chosen and opened; nothing is asked of the Hub on a view-only server."""
    if opener.is_closed("open hub:OWNER/MODEL"):
        return
    repo = st.text_input("Repository", placeholder="EleutherAI/pythia-70m", key="repo", bind="query-params",
                         help="The id of a model on the Hugging Face Hub. For a gated or private one, start the app "
                              "with HF_TOKEN set.")
    opener.said("hub")
    if not repo:
        return
    try:
        found = _refs(hub.repo_id(repo))
        chosen = hub.pick(found, _how(found))
        _offer(repo, found, chosen)
    except ExplorerError as error:
        st.error(plain(error), icon=":material/error:")


def _how(found: list[hub.Ref]) -> str:
    """The widgets that choose among the revisions, in the words of `hub.pick`."""
    steps = [ref.revision.step for ref in found if ref.revision.step is not None]
    way = st.segmented_control("Take", list(WAYS), default="log" if steps else "names", format_func=WAYS.__getitem__,
                               key="take", required=True)
    if way == "log":
        return f"log-{st.slider('How many', 1, max(2, len(steps)), min(20, max(2, len(steps))))}"
    if way == "every":
        return f"every-{st.number_input('Every how manyth', 1, max(1, len(steps)), min(8, max(1, len(steps))))}"
    if way == "range":
        ends = (steps[0], steps[-1]) if steps else (0, 1)
        low, high = st.select_slider("From step to step", steps or [0, 1], value=ends)
        return f"{low}..{high}"
    if way == "names":
        names = [ref.name for ref in found]
        return ",".join(st.multiselect("Revisions", names, default=names[-1:])) or names[-1]
    return "all"


def _offer(repo: str, found: list[hub.Ref], chosen: list[hub.Ref]) -> None:
    names = {ref.name for ref in chosen}
    stepped = [(ref.name, ref.revision.step) for ref in found if ref.revision.step is not None]
    if stepped:
        st.plotly_chart(ladder.build(stepped, names, workspace.style()), theme=None, key="ladder",
                        config={"displayModeBar": False}, alt=f"{len(chosen)} of {len(found)} revisions chosen")
    st.caption(f"{len(chosen)} of {len(found)} revisions: {plain(', '.join(ref.name for ref in chosen[:8]))}"
               f"{' ...' if len(chosen) > 8 else ''}")
    if len(chosen) <= SIZED_AT_ONCE or st.button(f"Show what {len(chosen)} revisions would download"):
        remotes = _sizes(tuple(chosen))
        st.markdown(f"**{estimate(remotes, load_probe(DEFAULT)).sentence}** Weights are fetched one revision ahead "
                    "and removed once their rows are taken.")
        _flag_duplicates(chosen, remotes)
    if st.button("Open these revisions", type="primary", icon=":material/cloud_download:"):
        run = open_on_hub(workspace.store(), repo, ",".join(ref.name for ref in chosen))
        opener.keep(run, "hub")
        st.rerun()


def _flag_duplicates(chosen: list[hub.Ref], remotes: list[hub.Remote]) -> None:
    groups: dict[str, list[str]] = {}
    for ref, remote in zip(chosen, remotes, strict=True):
        groups.setdefault(remote.fingerprint, []).append(ref.name)
    for group in groups.values():
        if len(group) > 1:
            st.warning(f"{plain(', '.join(group))} have identical files. They will be computed once, and flagged.",
                       icon=":material/content_copy:")
