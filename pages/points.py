"""How do the points of a cloud move over training or depth, and which points are their neighbours?"""

from functools import partial

import streamlit as st

from analysis import summaries
from analysis.figures import points as figures
from analysis.keys import Policy
from analysis.maps import reading
from ui import cards, jobs_panel, map_choice, selection, words, workspace
from ui.plain import plain

words.intro("Map of points",
            "Each point is one row, a token or a text, and moves from checkpoint to checkpoint or from layer to layer. "
            "On the page Map of representations a point is a whole checkpoint and site instead.")

chosen = selection.pick()
question, argv = map_choice.pick_question(chosen)
found = map_choice.stored(question)
if found is None:
    jobs_panel.offer(argv, f"the map of {argv[1]}",
                     "This map is not computed yet. PCA takes seconds, UMAP and t-SNE of many frames take minutes.")
    st.stop()

several = Policy.gives_several(chosen.protocol.rows)
labels = map_choice.labels_of(found, question)
way, since = map_choice.pick_colour(found, labels, several, map_choice.reference_frame(chosen, question, found))
picked, matches = map_choice.pick_points(found)
at = map_choice.pick_frame(found)
ringed = [row for row in matches if row < found.drawn][:reading.MOST_LISTED]
style = workspace.style()
figure = figures.build(found, reading.colouring(found, way, labels, since), reading.hover(found, labels), at=at,
                       since=since, picked=picked, ringed=ringed, style=style)
caption = reading.caption(found, summaries.spoken(chosen.protocol))
records = map_choice.records(question.digest, since, found, labels, question)
cards.figure(figure, records, caption=caption,
             title=f"Map of points, {argv[1]}", key=map_choice.CHART, modes=("points", "box", "lasso"),
             on_select=partial(map_choice.follow_choice, found))

if matches:
    st.subheader("Found")
    st.caption(plain(reading.found_words(found, matches)))
    st.dataframe(reading.match_table(found, ringed, labels), hide_index=True, alt="Rows that hold the text",
                 height="auto" if len(ringed) <= reading.FEW else 250)
elif st.session_state.map_find:
    st.info("No row holds this text.", icon=":material/search_off:")

st.subheader("Who are its neighbours?")
if not picked:
    st.info("Click a point, draw a box around some, or choose them by name: the nearest rows of each in the full space "
            "are then listed at every frame.", icon=":material/ads_click:")
else:
    map_choice.take_chosen(found, picked, records, f"chosen-points-{question.items[0][0].run}")
    map_choice.neighbours(found, picked, since, labels.get(way.removeprefix("label ")))

st.subheader("How far is the map to be believed?")
cards.figure(figures.faithfulness(found, style), reading.faith_records(
    found, summaries.item_records(question.items, question.protocol)), key="map faith",
             title=f"Faithfulness of the map, {argv[1]}", caption=reading.faith_caption(found))
