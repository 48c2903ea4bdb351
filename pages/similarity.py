"""Which layers, steps and runs hold the same representation?"""

from itertools import product

import streamlit as st

from analysis import export, registry, similarity, summaries, views
from analysis.figures import matrix as heat_map
from analysis.pairs import matches
from ui import cards, jobs_panel, pair_choice, selection, words, workspace
from ui.plain import plain

WITHOUT_TOP = "linear_cka_debiased_head_removed"

words.intro("Similarity",
            "Each cell compares two representations of the same rows; the darker, the more alike. Hover a cell for its "
            "value and what chance gives, click it for more.")

chosen = selection.pick()
store = workspace.store()
measure = pair_choice.pick_measure()
params = cards.measure_params(measure)
asked = pair_choice.pick_sides(chosen)
if asked is None:
    st.stop()
rows, columns = asked.rows, asked.columns
result = similarity.matrix(store, rows, columns, measure, chosen.protocol, params) if rows and columns else None
title = f"{measure.label}, {asked.title}"
argv = ["compare", *asked.argv]
if result is None:
    if why := matches.refusal(store, [*rows, *columns], chosen.protocol):
        st.error(plain(why), icon=":material/block:")
        st.stop()
    jobs_panel.offer([*argv, "--measure", measure.name, *cards.settings_argv(params), *chosen.argv], title,
                     "This comparison is not computed yet.")
    st.stop()

down, along = (views.names(items, asked.by) for items in (rows, columns))
titles = views.side_title(rows, asked.by), views.side_title(columns, asked.by)
colour = st.segmented_control("Colour", ["value", "above chance"], default="value", key="colour", bind="query-params",
                              required=True, disabled=result.null is None,
                              help="Above chance: 0 where 95 % of the values of shuffled texts lie, 1 for equal "
                                   "representations; cells that are not above it are empty.")
left, right = (summaries.item_records(items, chosen.protocol) for items in (rows, columns))
records = export.matrix_records(result, left, right, measure)
above_chance = colour == "above chance" and result.null is not None
ring = "" if result.null is None else " Ring: best match of a row that stands above the best of shuffled texts."
cards.figure(heat_map.build(records, down, along, titles, measure, workspace.style(), above_chance=above_chance,
                            chosen=pair_choice.chosen_cell(down, along)), records,
             title=title, key="matrix", on_select=pair_choice.follow_click, caption=
             f"{summaries.pair_caption(store, rows, chosen.protocol)} {matches.sureness(result, measure)}{ring}")
pair_choice.pick_cell(dict(zip(product(down, along), records, strict=True)), titles, measure)
for reason in result.reasons:
    st.warning(f"Empty cells are undefined, because {plain(reason)}.", icon=":material/block:")
without = similarity.matrix(store, rows, columns, registry.get(WITHOUT_TOP), chosen.protocol)
outliers = matches.outlying(store, [*rows, *columns], chosen.protocol)
if cards.driven(matches.driven(outliers, rows, columns, result, without, measure), without is not None):
    jobs_panel.offer([*argv, "--measure", WITHOUT_TOP, *chosen.argv], f"{asked.title}, top directions removed",
                     "The comparison without the top directions is not computed yet.")
cards.how_to_read(measure)
