"""How does a measure move over training, at which sites, and where does the loss stand then?"""

import streamlit as st

from analysis import changes, compute, phasing, reference, referring, registry
from analysis.contrasts import places
from analysis.figures import trajectory
from analysis.outliers import outlier_warnings
from ui import cards, jobs_panel, linked, pinned, selection, words, workspace

words.intro("Trajectories",
            "One line for each run and site; the band is the 95 % interval. The loss on the same texts, or a column of "
            "the training log, stands below on the same axis.")

chosen = selection.pick()
store = workspace.store()
measures = {measure.name: measure for measure in registry.of_kind(arity=1, returns="scalar")}
left, middle, right = st.columns([3, 3, 4])
name = left.selectbox("Measure", list(measures), key="measure", bind="query-params",
                      index=list(measures).index("rankme_covariance"), format_func=lambda m: measures[m].label)
picked = chosen.sites
with right:
    axes = places.axes(store, chosen.runs, chosen.protocol)
    quantity = st.segmented_control("Training in", axes, default=axes[0], key="axis", bind="query-params",
                                    required=True, format_func=lambda a: places.SAID.get(a, a)) or axes[0]
    log = st.toggle("Logarithmic axis", value=True, key="log", bind="query-params")
below_name = middle.selectbox("Below it", compute.quantities(chosen.runs), key="below", bind="query-params",
                          help="The loss on the probe, or a column of the training log, on the same axis.")
measure = measures[name]
params = cards.measure_params(measure)

records = [record for run in chosen.runs
           for record in compute.records(store, run, **chosen.filters, measure=name, settings={name: params})
           if record["site"] in picked]
if compute.missing(store, chosen.runs, chosen.protocol, [measure], {name: params}):
    jobs_panel.offer(["sweep", *(run.name for run in chosen.runs), "--measure", name, *cards.settings_argv(params),
                      *chosen.argv], measure.label,
                     f"{measure.label} is not computed yet for every checkpoint on this probe, rows and setting.")
if not records:
    st.stop()

facts = [fact for run in chosen.runs for fact in compute.losses(store, run, chosen.protocol)]
axis = trajectory.Axis(quantity, log)
below = places.below(store, chosen.runs, chosen.protocol, below_name, quantity)
records = places.placed(store, chosen.runs, chosen.protocol, records, quantity)
if all(record[quantity] is None for record in records) and any(record["step"] is not None for record in records):
    st.info("These runs do not say how many tokens a step reads; put tokens_per_step into run.json beside the steps.")
deepest = [chosen.site]
shades = phasing.shades([phasing.of_run(store, run, chosen.protocol, site) for run in chosen.runs for site in deepest])
shades = places.shades(store, chosen.runs, chosen.protocol, shades, quantity)
levels = pinned.levels(chosen, picked, measure, params, records)
shown = measure
if levels and st.toggle("Less the reference", key="less", bind="query-params", help="Each value minus that of the "
                        "reference at the same site; the interval leaves the same documents out of both."):
    records = reference.differences(store, records, chosen.runs, chosen.reference, chosen.protocol, measure,
                                    {name: params})
    shown, levels = reference.less(measure, chosen.reference), []
cards.figure(trajectory.build(records, below, shown, axis, workspace.colours(), workspace.style(), shades, levels,
                              linked.marked(chosen)), [*records, *levels],
             title=f"{shown.label} over training", key="trajectory", on_select=linked.follow("trajectory"),
             caption=cards.caption(chosen, records, measure) + cards.tints(shades, deepest)
             + referring.drawn(chosen.reference, levels))
linked.draw(chosen, measure, params)
cards.undefined(records)
if st.toggle("Is the difference between two checkpoints real?", key="compare", bind="query-params"):
    every = {f"{run.name} · {c.revision}": c for run in chosen.runs for c in run.checkpoints}
    one, other = st.columns(2)
    before = every[one.selectbox("From", list(every), key="before", bind="query-params")]
    after = every[other.selectbox("To", list(every), index=len(chosen.runs[0].checkpoints) - 1, key="after",
                                  bind="query-params")]
    cards.changes(changes.between(store, before, after, chosen.protocol, picked, measure, {name: params}))
cards.warnings(chosen, facts, picked, outlier_warnings)
cards.how_to_read(measure)
