"""Does the cloud of rows have loops or gaps that a cloud without structure has not, and when in training?"""

import streamlit as st

from analysis import compute, referring, summaries
from analysis.errors import Undefined
from analysis.figures import diagram, topology
from analysis.figures.trajectory import Axis
from analysis.topology import changes, computing, reading, words
from ui import cards, pinned, selection, topology_choice, workspace
from ui.plain import plain
from ui.words import intro

intro("Topology",
      "Pieces and loops of the cloud of rows, by persistent homology. A bar or a count means nothing by itself: "
      "hatched is what clouds without structure give at the same number of points.")

chosen = selection.pick()
store, style, colours, protocol = workspace.store(), workspace.style(), workspace.colours(), chosen.protocol
left, middle, right = st.columns([3, 3, 3])
name = left.selectbox("Summary", list(reading.LABELS), key="ph_summary", bind="query-params",
                      format_func=reading.LABELS.__getitem__)
picked = chosen.sites
below_name = middle.selectbox("Below it", compute.quantities(chosen.runs), key="below", bind="query-params",
                            help="The loss on the probe, or a column of the training log, on the same axis.")
with right:
    axes = summaries.axes(chosen.runs)
    quantity = st.segmented_control("Training in", axes, default=axes[0], key="axis", bind="query-params",
                                    required=True, format_func=lambda a: {"revision": "stage"}.get(a, a)) or axes[0]
    log = st.toggle("Logarithmic axis", value=True, key="log", bind="query-params")
question, options = topology_choice.pick_question()
dimension = topology_choice.pick_dimension(left, question)
everything = reading.records(store, chosen.runs, picked, protocol, question)
topology_choice.offer(chosen, everything, picked, question, options)
records = reading.over_training(everything, name, dimension)
if not records:
    topology_choice.how_to_read(0)
    st.stop()

items = reading.items(chosen.runs, records)
axis, shown = Axis(quantity, log), reading.quantity(name, dimension)
last = list(items)[-1]
said = words.caption_of(records, question, summaries.spoken(protocol))
cards.figure(topology.over_training(records, compute.beside(store, chosen.runs, protocol, below_name), shown, axis,
                                    colours, style), records, title=f"{shown.label} over training", key="ph over",
             caption=f"{words.over_training(name, records)} {said}", on_select=topology_choice.follow_click)
st.markdown(reading.looks(everything, dimension))
with st.expander("All numbers, with p", icon=":material/table:"):
    st.dataframe(reading.table(everything, name, dimension), hide_index=True, placeholder="",
                 alt="Summary of each representation with what surrogates give",
                 column_config={column: st.column_config.NumberColumn(format="%.3g") for column in reading.NUMBERS})
    st.caption(words.TABLE)

st.subheader("How far do diagrams move?")
left, right = st.columns(2)
distance = left.selectbox("Distance", list(changes.DISTANCES), key="ph_distance", bind="query-params",
                          format_func=reading.DISTANCE_LABELS.__getitem__)
reference = topology_choice.pick_reference(right, chosen)
to = chosen.reference.last if chosen.reference and reference == "pinned" else None
if to:
    pinned.stands(chosen)
is_offered = topology_choice.offer_changes(chosen, picked, question, options, to)
moved = [one for run in chosen.runs for site in picked
         for one in changes.records(store, run.checkpoints, site, protocol, question, to)]
if drawn := reading.distances_over_training(moved, distance, reference):
    cards.figure(topology.changes(drawn, reading.quantity(distance), axis, colours, style), drawn,
                 title=f"{reading.DISTANCE_LABELS[distance]} from {topology_choice.REFERENCES[reference]}",
                 caption=f"{words.changes(drawn)} {said}"
                         f"{referring.shown(chosen.reference, drawn if to else [], 'Distances from')}", key="ph moved")
elif not is_offered:
    st.info("Distances need two computed checkpoints of a run with as many distinct rows.", icon=":material/info:")

st.subheader("One representation")
title = topology_choice.pick_item(st, "Checkpoint and site (or click a point above)", "ph_at", list(items), last)
item = items[title]
cell = computing.stored(store, item, protocol, question)
st.markdown(f"**{plain(reading.sentence(cell, dimension))}**")
caption = f"{reading.caption(cell, question)} {summaries.spoken(protocol)}"
bars, curves = reading.bars(cell, item, protocol), reading.curves(cell, item, protocol)
cards.figure(diagram.diagram(bars, style), bars, title=f"Persistence diagram of {title}", key="ph diagram",
             caption=f"{words.DIAGRAM} {caption}")
cards.figure(diagram.barcode(bars, dimension, style), bars, title=f"Barcode of H{dimension} of {title}",
             key="ph barcode", caption=f"{words.BARCODE} {caption}")
with st.expander("Drawings: Betti curves and landscapes", icon=":material/area_chart:"):
    cards.figure(diagram.curves(curves, style), curves, title=f"Betti curves of {title}", key="ph curves",
                 caption=f"{words.CURVES} {caption}")
    levels = reading.landscapes(cell, item, dimension, protocol)
    cards.figure(diagram.landscapes(levels, style), levels, title=f"Landscape of H{dimension} of {title}",
                 key="ph landscape", caption=f"{words.LANDSCAPES} {caption}")

st.subheader("Do two representations differ?")
items, usual = topology_choice.with_reference(chosen, items, question)
left, right = st.columns(2)
names = (topology_choice.pick_item(left, "A", "ph_a", list(items), next(iter(items))),
         topology_choice.pick_item(right, "B", "ph_b", list(items), usual))


@st.cache_data(max_entries=16, show_spinner=False)
def differing(names: tuple[str, str], digests: tuple[str, str], of: int) -> tuple:
    """The test of two representations, kept while a person looks at it."""
    return reading.differing(*(computing.stored(store, items[one], protocol, question) for one in names), of, names)


try:
    digests = tuple(computing.name_of(*items[one], protocol, question) for one in names)
    verdict, pairs = differing(names, digests, dimension)
    st.markdown(f"**{plain(verdict)}**")
    cards.figure(topology.two_samples(pairs, names, dimension, style), pairs,
                 title=f"H{dimension} of {names[0]} and {names[1]}", caption=words.DIFFERENCE, key="ph differ")
except Undefined as reason:
    st.info(f"They cannot be tested, because {plain(reason)}.", icon=":material/block:")
st.markdown("**Row by row**")
topology_choice.point_to_divergences()
topology_choice.how_to_read(len(records))
