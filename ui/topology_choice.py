"""What the page Topology chooses from: the settings of the clouds, one representation, and two that are compared."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from analysis import referring, registry
from analysis.errors import ExplorerError
from analysis.keys import Checkpoint
from analysis.pairs.shown import group
from analysis.references import citation
from analysis.topology import changes, reading, words
from analysis.topology.computing import FEWEST, KIND, Item, Question, name_of
from analysis.views import item_name
from ui import jobs_panel, pinned, workspace
from ui.plain import plain
from ui.selection import PAGES, Selection, choose, shared

DRIFT_PAGE = PAGES / "drift.py"
USUAL, MOST_POINTS = Question(), 500
DIRECTIONS = [0, 2, 4, 8]
PAIRED = ("rtd_per_point", "rtd_lite_per_point", "srtd_lite_per_point", "nts_edges", "nts_merge_heights")
REFERENCES = {"previous": "the checkpoint before", "last": "the last checkpoint", "pinned": "the reference"}


def pick_question() -> tuple[Question, list[str]]:
    """How clouds are made, with the options that tell the command line the same; stops the page if it cannot be."""
    with st.expander("Settings of the clouds", icon=":material/tune:"):
        one, two, three = st.columns(3)
        points = one.number_input("Points in a cloud", FEWEST, MOST_POINTS, USUAL.points, 50, key="ph_points",
                                  bind="query-params", help="Distinct rows. Counts and totals grow with it, so clouds "
                                  "are compared at equal numbers of points only.")
        drawn = two.number_input("Draws", 1, 100, USUAL.draws, key="ph_draws", bind="query-params",
                                 help="Clouds of different documents: how far other texts move what is shown.")
        made = three.number_input("Surrogates of each kind", 19, 999, USUAL.surrogates, 20, key="ph_surrogates",
                                  bind="query-params", help="Clouds without structure. The lowest p they can give is 1 "
                                                            "over their number and one.")
        top = one.selectbox("Highest dimension", [1, 2], key="ph_dim", bind="query-params",
                            format_func=lambda k: f"H{k}", help="H2 takes long, and at most 250 points.")
        along = two.selectbox("Distances along", DIRECTIONS, key="ph_directions", bind="query-params",
                              format_func=lambda k: f"{k} leading directions" if k else "all directions",
                              help="The leading principal directions of each cloud.")
        seed = three.number_input("Seed", 0, 9999, 0, key="ph_seed", bind="query-params")
    try:
        question = Question(int(points), int(drawn), int(made), int(top), int(along), int(seed))
    except ExplorerError as error:
        st.error(plain(error), icon=":material/block:")
        st.stop()
    return question, words.options(question)


def pick_dimension(column: Any, question: Question) -> int:
    """Components, loops or voids."""
    words = ["H0: components", "H1: loops", "H2: voids"][:question.max_dim + 1]
    return words.index(column.segmented_control("Of", words, default=words[1], key="ph_of", bind="query-params",
                                                required=True) or words[1])


def offer(chosen: Selection, records: Sequence[dict[str, Any]], sites: Sequence[str], question: Question,
          options: Sequence[str]) -> None:
    """What is missing, with the command that computes it and how long that may take."""
    lacking = reading.lacking(chosen.runs, sites, records)
    if not lacking:
        return
    runs = list(dict.fromkeys(checkpoint.run for checkpoint, _ in lacking))
    named = [site for site in sites if any(site == of for _, of in lacking)]
    asked = sum(len(run.checkpoints) for run in chosen.runs) * len(sites)
    jobs_panel.offer(["topology", *runs, *(part for site in named for part in ("--site", site)), *options,
                      *chosen.argv], f"topology of {', '.join(runs)} at {', '.join(named)}",
                     f"Topology is computed for {asked - len(lacking)} of {asked} representations at these settings. "
                     f"{words.cost(question, len(lacking))}")


def pick_reference(column: Any, chosen: Selection) -> str:
    """What distances are taken from."""
    names = {said: name for name, said in REFERENCES.items() if name != "pinned" or chosen.reference}
    return names[choose("From", list(names), "ph_reference", widget=column.segmented_control, required=True)]


def offer_changes(chosen: Selection, sites: Sequence[str], question: Question, options: Sequence[str],
                  to: Checkpoint | None = None) -> bool:
    """The same command where diagrams are there and their distances are not, or nothing is of the checkpoint that they
    are taken to; says whether it is needed."""
    store, protocol = workspace.store(), chosen.protocol
    runs = [run.name for run in chosen.runs for site in sites
            if changes.lacking(store, run.checkpoints, site, protocol, question, to)
            or (to and not store.has_record(KIND, name_of(to, site, protocol, question)))]
    if runs:
        against = ["--against", f"{to.run}@{to.revision}"] if to else []
        argv = ["topology", *dict.fromkeys(runs), *(part for site in sites for part in ("--site", site)), *against]
        jobs_panel.offer([*argv, *options, *chosen.argv], f"distances along {', '.join(dict.fromkeys(runs))}",
                         "Some distances between diagrams are not computed yet. It takes up to a minute a run.")
    return bool(runs)


def follow_click() -> None:
    """Show the representation whose point was clicked on the chart over training."""
    points = [point["customdata"] for point in st.session_state["ph over"]["selection"]["points"]
              if point.get("customdata")]
    if points:
        revision, run, site = points[-1][:3]
        st.session_state.ph_at = f"{run}@{revision}:{site}"


def pick_item(column: Any, label: str, key: str, names: Sequence[str], usual: str) -> str:
    """One of the representations that are computed."""
    return choose(label, names, key, usual, column.selectbox)


def with_reference(chosen: Selection, items: dict[str, Item], question: Question) -> tuple[dict[str, Item], str]:
    """The representations that can be tested, the reference among them, and which of them is first compared with;
    says why where the reference is not computed."""
    last = list(items)[-1]
    if chosen.reference is None:
        return items, last
    item = (chosen.reference.last, chosen.site)
    if not workspace.store().has_record(KIND, name_of(*item, chosen.protocol, question)):
        st.info(plain(referring.missing(chosen.reference, "Topology", f" at {chosen.site}")), icon=pinned.ICON)
        return items, last
    pinned.stands(chosen)
    return items | {item_name(*item): item}, item_name(*item)


def point_to_divergences() -> None:
    """The measures of topology between two representations of the same rows, on their pages."""
    known = registry.all_measures()
    for measure in (known[name] for name in PAIRED if name in known):
        st.page_link(DRIFT_PAGE, label=f"{measure.label}, over training", icon=":material/trending_up:",
                     query_params=shared(kind=group(measure), similarity=measure.label))
    st.caption("They match row by row, which diagrams do not: two clouds with equal diagrams can hold their rows in "
               "different places. The pages Similarity and Pair have them too.")


def how_to_read(count: int) -> None:
    """What a bar is, and what misleads."""
    with st.expander("How to read topology", icon=":material/menu_book:"):
        st.markdown(words.how_to_read(count))
        st.caption("  \n".join(citation(key) for key in words.CITED))
