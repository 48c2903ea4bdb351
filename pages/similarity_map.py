"""Which checkpoints and sites lie near each other, and along which paths does training take them?"""

import streamlit as st

from analysis import compute, referring, registry, similarity, views
from analysis.errors import Undefined
from analysis.figures import dendrogram, similarity_map
from analysis.pairs import layout, matches
from ui import cards, jobs_panel, pinned, selection, words, workspace
from ui.plain import plain

MAP, TREE = "map", "tree"

words.intro("Map of representations",
            "Each point is one site of one checkpoint; points that are near are alike, and lines follow training from "
            "the open circle to the star. The tree joins the most alike first.")

chosen = selection.pick()
store = workspace.store()
measures = {name: registry.get(name) for name in layout.MEASURES}
left, right = st.columns(2)
name = left.selectbox("Distance", list(measures), key="distance", bind="query-params",
                      format_func=lambda m: f"{'' if m == layout.ANGLE else 'arccos of '}{measures[m].label}")
show = right.segmented_control("Show", [MAP, TREE], default=MAP, key="show", bind="query-params", required=True) or MAP
measure = measures[name]
checkpoints = [checkpoint for run in chosen.runs for checkpoint in run.checkpoints]
extracted = all(compute.sites_of(store, checkpoint, chosen.protocol) for checkpoint in checkpoints)
items = views.everything(chosen.runs, lambda checkpoint: compute.sites_of(store, checkpoint, chosen.protocol))
matrix = similarity.matrix(store, items, items, measure, chosen.protocol) if extracted else None
title = f"{measure.label} between everything"
if matrix is None:
    if why := matches.refusal(store, items, chosen.protocol):
        st.error(plain(why), icon=":material/block:")
        st.stop()
    jobs_panel.offer(["compare", *(run.name for run in chosen.runs), "--by", "all", "--measure", name, *chosen.argv],
                     f"{title}, {', '.join(run.name for run in chosen.runs)}",
                     f"Every checkpoint and site of these runs has to be compared with every other ({len(checkpoints)} "
                     "checkpoints).")
    st.stop()

sites = compute.sites(store, chosen.runs, chosen.protocol)
groups = {layout.ALL: "every checkpoint", layout.ENDS: "the last of each run"}
left, right = st.columns(2)
if show == MAP:
    with left:
        usual = sites if chosen.sites == chosen.known_sites[-1:] else list(chosen.sites)
        picked = selection.several("Sites on the map", sites, "map_sites", usual, "sites")
    way = right.segmented_control("Layout", list(layout.WAYS), default="classical", key="layout", bind="query-params",
                                  required=True, format_func=layout.WAYS.__getitem__) or "classical"
    group = layout.ALL
else:
    with left:
        picked = selection.several("Sites in the tree", sites, "branches", list(chosen.sites), "sites")
    group = right.segmented_control("Checkpoints", list(groups), default=layout.ALL, key="of", bind="query-params",
                                    required=True, format_func=groups.__getitem__) or layout.ALL
try:
    part = layout.part(matrix, items, chosen.runs, picked, group)
    d, excess = layout.distances(part.values, name)
    said = layout.caption(store, part, chosen.protocol, measure, excess)
    if show == MAP:
        found = layout.layout(d, way)
        records = layout.records(chosen.runs, part.items, found.points, chosen.protocol)
        ringed = referring.among(chosen.reference, records)
        figure = similarity_map.build(records, found.shares if way == "classical" else None, workspace.colours(),
                                      workspace.style(), ringed)
        faith = layout.faith(found, way)
    else:
        branches = layout.tree(d)
        records = layout.leaf_records(branches, part.items, chosen.protocol)
        ringed = referring.among(chosen.reference, records)
        figure = dendrogram.build(branches.brackets, records, layout.leaf_names(records), workspace.colours(),
                                  workspace.style(), ringed)
        faith = layout.kept(branches)
except Undefined as why_not:
    st.info(f"Nothing is drawn, because {why_not}.", icon=":material/info:")
    st.stop()
if chosen.reference and not ringed:
    st.info(plain(referring.not_among(chosen.reference, show)), icon=pinned.ICON)
cards.figure(figure, layout.made_by(records, name, way if show == MAP else None),
             title=f"{'Map' if show == MAP else 'Tree'} by {measure.label}", key=show,
             caption=f"{faith} {said}{referring.shown(chosen.reference, ringed, 'Ring')}")
for left_out in part.reasons:
    st.warning(plain(left_out), icon=":material/block:")
cards.how_to_read(measure)
