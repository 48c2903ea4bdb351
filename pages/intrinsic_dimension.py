"""Along how many directions do the neighbours of a point lie, and along how many without training or word order?"""

from dataclasses import replace

import streamlit as st

from analysis import compute, dimensions, referring, sample_size, summaries, views
from analysis.errors import ExplorerError
from analysis.extraction.probes import SHUFFLED
from analysis.figures import dimension as drawing
from analysis.figures import sample_size as by_size
from analysis.figures.trajectory import Axis
from analysis.outliers import outlier_warnings
from ui import cards, jobs_panel, pinned, selection, words, workspace
from ui.plain import plain

words.intro("Intrinsic dimension",
            "Along how many directions do the neighbours of a point lie? Each estimate stands beside two controls: the "
            "first checkpoint (dashed), and the same texts with their tokens shuffled (dotted).")
st.warning(dimensions.CAUTION, icon=":material/warning:")

chosen = selection.pick()
store, colours, style = workspace.store(), workspace.colours(), workspace.style()
estimators = dimensions.estimators()
name = st.selectbox("Estimator", list(estimators), key="estimator", bind="query-params",
                      format_func=lambda m: estimators[m].label)
revisions = list(dict.fromkeys(c.revision for run in chosen.runs for c in run.checkpoints))
picked = chosen.revisions(views.spread(revisions, 3)[1:] or revisions)
measure = estimators[name]
params = cards.measure_params(measure)
asked = ["--measure", name, *cards.settings_argv(params)]
sweep = ["sweep", *(run.name for run in chosen.runs), *asked]
if compute.missing(store, chosen.runs, chosen.protocol, [measure], {name: params}):
    jobs_panel.offer([*sweep, *chosen.argv], measure.label,
                     f"{measure.label} is not computed yet for every checkpoint on this probe, rows and setting.")
control: selection.Selection | None = None
try:
    control = replace(chosen, protocol=dimensions.control(chosen.protocol), probe=f"{chosen.probe}{SHUFFLED}")
    if compute.missing(store, control.runs, control.protocol, [measure], {name: params}):
        jobs_panel.offer([*sweep, *control.argv], f"{measure.label} on shuffled tokens",
                         "The control of shuffled tokens is not computed yet for every checkpoint.")
except ExplorerError as reason:
    st.info(f"No control of shuffled tokens: {plain(reason)}", icon=":material/info:")
everything = dimensions.records(store, chosen.runs, chosen.protocol, measure, params)
if not everything:
    cards.how_to_read(measure)
    st.stop()

st.subheader("Over depth")
found = dimensions.of(everything, picked)
beside = dimensions.own(dimensions.records(store, referring.as_run(chosen.reference), chosen.protocol, measure, params))
pinned.beside(chosen, beside, found, measure.label)
drawn, colours = [*found, *beside], colours | {record["run"]: style.ink for record in beside}
cards.figure(drawing.profile(drawn, measure, colours, style), drawn, title=f"{measure.label} over depth", key="profile",
             caption=dimensions.caption(found, chosen.protocol, cards.caption(chosen, found, measure))
             + referring.shown(chosen.reference, beside))
cards.undefined(found)
for sentence in dimensions.unlike(found):
    st.warning(sentence, icon=":material/compare_arrows:")

st.subheader("Over training")
sites = compute.sites(store, chosen.runs, chosen.protocol)
some = list(chosen.sites) if chosen.sites != chosen.known_sites[-1:] else views.spread(sites, 3)[1:] or sites
with st.container(horizontal=True):
    axes = summaries.axes(chosen.runs)
    quantity = st.segmented_control("Training in", axes, default=axes[0], key="axis", bind="query-params",
                                    required=True, format_func=lambda a: {"revision": "stage"}.get(a, a)) or axes[0]
    log = st.toggle("Logarithmic axis", value=True, key="log", bind="query-params")
if found := dimensions.at(everything, some):
    levels = pinned.levels(chosen, some, measure, params)
    cards.figure(drawing.over_training(found, measure, Axis(quantity, log), colours, style, levels, chosen.at),
                 [*found, *levels], key="training", title=f"{measure.label} over training",
                 caption=dimensions.caption(found, chosen.protocol, cards.caption(chosen, found, measure))
                 + referring.drawn(chosen.reference, levels))
else:
    st.info("Choose at least one site.", icon=":material/arrow_upward:")

st.subheader("At one checkpoint")
left, right = st.columns(2)
known = dimensions.checkpoints(chosen.runs)
run, checkpoint = known[left.selectbox("Checkpoint", list(known), key="checkpoint", bind="query-params",
                                       index=len(chosen.runs[0].checkpoints) - 1)]
with right:
    site = selection.one_site(chosen)
title = f"{run.name} {checkpoint.revision}"
if lacking := dimensions.lacking(store, [run.checkpoints[0], checkpoint], chosen.protocol):
    jobs_panel.offer([*dimensions.command(run, lacking), *chosen.argv], f"every estimator of {title}",
                     "Not every estimator is computed at this checkpoint and at the first one.")
if control and (lacking := dimensions.lacking(store, [checkpoint], control.protocol)):
    jobs_panel.offer([*dimensions.command(run, lacking), *control.argv], f"every estimator of {title} on shuffled "
                     "tokens", "Not every estimator is computed at this checkpoint on shuffled tokens.")
if rows := dimensions.side_by_side(store, run, chosen.protocol, checkpoint, site):
    number = st.column_config.NumberColumn(format="%.1f")
    st.dataframe(rows, hide_index=True, alt=f"Every estimator of {title} at {site} beside its controls",
                 placeholder="", column_config=dict.fromkeys(dimensions.NUMBERS, number))
    st.caption(plain(dimensions.table_caption(rows, site)))
curve = dimensions.by_scale()
if curve and (found := dimensions.scales(dimensions.of(dimensions.at(
        dimensions.records(store, [run], chosen.protocol, curve, curve.settings()), some), [checkpoint.revision]))):
    cards.figure(drawing.by_scale(found, curve, colours, style), found, key="by_scale",
                 title=f"{curve.label} of {title}",
                 caption=dimensions.caption(found, chosen.protocol, cards.caption(chosen, found)))

st.subheader("Would more texts change it?")
question = sample_size.Question(chosen.protocol, (measure,), {name: params}, site)
if sample_size.lacking(store, [run], [checkpoint.revision], question):
    jobs_panel.offer(["sample-size", run.name, "--only", checkpoint.revision, "--site", site, *asked,
                      *chosen.argv], f"{measure.label} of {title} on shares of the documents",
                     f"{measure.label} is not computed yet on shares of the documents at {site} of {title}.")
sizes = sample_size.records(store, run, question, [checkpoint.revision])
if levels := sample_size.levels(sizes):
    cards.figure(drawing.mark(by_size.build(sizes, levels, [], measure, colours, style), style), sizes, key="sizes",
                 title=f"{measure.label} of {title} by sample size", caption=
                 f"{sample_size.caption(sizes, summaries.spoken(chosen.protocol))} {dimensions.CAUTION}")
cards.undefined(sample_size.first_of_each_reason(sizes))
facts = [fact for one in chosen.runs for fact in compute.losses(store, one, chosen.protocol)]
cards.warnings(chosen, facts, some, outlier_warnings)
cards.how_to_read(measure)
