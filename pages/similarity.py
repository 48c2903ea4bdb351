"""Which layers, steps and runs hold the same representation?"""

import streamlit as st

from analysis import compute, export, registry, similarity, summaries, views
from analysis.figures import matrix as heat_map
from analysis.keys import Run
from ui import cards, jobs_panel, selection, workspace

st.title("Similarity")
st.markdown("Each cell compares two representations of the same rows: 1 means equal up to rotation, shift and scale. "
            "Hover a cell for its value and for the value expected by chance.")

chosen = selection.pick()
store = workspace.store()
measures = {measure.name: measure for measure in registry.of_kind(arity=2, returns="scalar")}
runs = {run.name: run for run in chosen.runs}
left, right = st.columns(2)
name = left.selectbox("Measure", list(measures), key="similarity", bind="query-params",
                      format_func=lambda m: measures[m].label)
by = right.segmented_control("Compare", ["layer", "step"], default="layer", key="by", bind="query-params",
                             required=True, format_func=lambda b: f"{b} × {b}")
measure = measures[name]


def pick_side(column, side: str, index: int) -> tuple[Run, str]:
    """Run of one side and, layer by layer, its checkpoint."""
    run = runs[column.selectbox(f"Run {side}", list(runs), index=index, key=f"run_{side}", bind="query-params")]
    revisions = [checkpoint.revision for checkpoint in run.checkpoints]
    if by == "step":
        return run, revisions[-1]
    return run, column.selectbox(f"Checkpoint {side}", revisions, index=len(revisions) - 1, key=f"at_{side}",
                                 bind="query-params")


left, right = st.columns(2)
(run_a, at_a), (run_b, at_b) = pick_side(left, "A", 0), pick_side(right, "B", len(runs) - 1)
if by == "step":
    sites = compute.sites(store, [run_a, run_b], chosen.protocol) or ["final"]
    site = st.selectbox("Site", sites, index=len(sites) - 1, key="site", bind="query-params")
    rows, columns = views.steps(run_a, site), views.steps(run_b, site)
    argv = ["compare", run_a.name, run_b.name, "--by", "step", "--site", site]
else:
    ends = views.checkpoint_of(run_a, at_a), views.checkpoint_of(run_b, at_b)
    rows, columns = (views.layers(end, compute.sites_of(store, end, chosen.protocol)) for end in ends)
    argv = ["compare", f"{run_a.name}@{at_a}", f"{run_b.name}@{at_b}"]
result = similarity.matrix(store, rows, columns, measure, chosen.protocol) if rows and columns else None
title = f"{measure.label}, {run_a.name} and {run_b.name}, {by} by {by}"
if result is None:
    jobs_panel.offer([*argv, "--measure", name, *chosen.argv], title, "This comparison is not computed yet.")
    st.stop()

sides = [summaries.item_records(items, chosen.protocol) for items in (rows, columns)]
labels = [views.names(items, by) for items in (rows, columns)]
titles = views.side_title(rows, by), views.side_title(columns, by)
cards.figure(heat_map.build(result, *labels, titles, measure, workspace.style()),
             export.matrix_records(result, *sides, name), title=title, key="matrix",
             caption=summaries.pair_caption(store, rows, chosen.protocol))
for reason in result.reasons:
    st.warning(f"Empty cells are undefined, because {reason}.", icon=":material/block:")
cards.how_to_read(measure)
