"""How do the weight matrices themselves change over training, and how far do they move?"""

import streamlit as st

from analysis import phasing, referring, summaries, weights
from analysis.figures import trajectory
from analysis.references import citation
from analysis.results import Panel
from analysis.weight_measures import BY_NAME
from ui import cards, jobs_panel, pinned, selection, words, workspace
from ui.plain import plain

FIRST = "first of each run"

words.intro("Weights",
            "One line for each run and weight matrix. These are measures of the weights, not of representations: "
            "the probe, its rows and the precision in the sidebar do not matter here.")

chosen = selection.pick()
store = workspace.store()
if not all(weights.has_weights(run) for run in chosen.runs):
    st.info("These runs came as rows, without a model, so they have no weights to measure. Choose a run of checkpoints "
            "in the sidebar.", icon=":material/arrow_back:")
    st.stop()
left, right = st.columns([3, 2])
name = left.selectbox("Measure", list(BY_NAME), key="weight_measure", bind="query-params",
                      format_func=lambda m: BY_NAME[m].label)
with right:
    axes = summaries.axes(chosen.runs)
    quantity = st.segmented_control("Training in", axes, default=axes[0], key="axis", bind="query-params",
                                    required=True, format_func=lambda a: {"revision": "stage"}.get(a, a)) or axes[0]
    log = st.toggle("Logarithmic axis", value=True, key="log", bind="query-params")
measure = BY_NAME[name]
reference = None
if measure.of == "change":
    asked = selection.choose("Change since", [FIRST, *weights.shared_revisions(chosen.runs)], "reference",
                             referring.own_revision(chosen.reference, chosen.runs), left.selectbox,
                             help="The checkpoint of the same run that is subtracted.")
    reference = None if asked == FIRST else asked
if weights.missing(store, chosen.runs, measure, reference):
    since = ["--reference", reference] if reference else []
    jobs_panel.offer(["weights", *(run.name for run in chosen.runs), *since], "weight measures",
                     f"{measure.label} is not computed yet for every checkpoint of these runs. All measures of this "
                     "page are computed together.")
matrices = weights.matrices(store, chosen.runs)
if not matrices:
    st.stop()
short = weights.short_names(matrices)
picked = left.multiselect("Matrices", matrices, default=weights.default_matrices(matrices), key="matrices",
                          bind="query-params", format_func=lambda matrix: short[matrix],
                          help="Tensors of two dimensions, by their names in the files; convolutions, biases and norms "
                               "are left out.")
if not picked:
    st.info("Choose at least one matrix.", icon=":material/arrow_upward:")
records = [record for run in chosen.runs
           for record in weights.records(store, run, measure=name, sites=picked, reference=reference)]
if not records:
    st.stop()

if all(record[quantity] is None for record in records) and any(record["step"] is not None for record in records):
    st.info("These runs do not say how many tokens a step reads; put tokens_per_step into run.json beside the steps.")
compared = [record for run in referring.as_run(chosen.reference) if measure.of == "matrix"
            for record in weights.records(store, run, measure=name, sites=picked) if record["value"] is not None]
if measure.of == "matrix":
    pinned.beside(chosen, compared, [], measure.label)
elif chosen.reference and not referring.own_revision(chosen.reference, chosen.runs):
    st.info(plain(referring.no_change(chosen.reference)), icon=pinned.ICON)
else:
    pinned.stands(chosen)
drawn, levels = ([{**record, "site": short[record["site"]]} for record in some] for some in (records, compared))
deepest = chosen.site
shades = phasing.shades([phasing.of_run(store, run, chosen.protocol, deepest) for run in chosen.runs])
cards.figure(trajectory.build(drawn, Panel("", []), measure, trajectory.Axis(quantity, log), workspace.colours(),
                              workspace.style(), shades, levels, chosen.at), [*records, *compared], key="weights",
             title=f"{measure.label} over training", caption=weights.caption(records, measure)
             + referring.shown(chosen.reference, compared, "Dashes and dots, in ink") + cards.tints(shades, [deepest]))
cards.undefined(records)
cards.warnings(chosen, [], [], None)
cards.how_to_read(measure)
st.caption(citation(measure.reference))
