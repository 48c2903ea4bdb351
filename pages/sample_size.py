"""Would more texts change this number?"""

import streamlit as st

from analysis import compute, referring, registry, sample_size, summaries
from analysis.figures import sample_size as drawing
from ui import cards, jobs_panel, pinned, selection, words, workspace
from ui.plain import plain

words.intro("Sample size",
            "Would more texts change this number? The measure on parts of the documents, and on all of them: where the "
            "line is flat at its right end, more texts would not.")

chosen = selection.pick()
store = workspace.store()
measures = {measure.name: measure for measure in registry.of_kind(arity=1, returns="scalar")}
name = st.selectbox("Measure", list(measures), key="measure", bind="query-params",
                      index=list(measures).index("rankme_covariance"), format_func=lambda m: measures[m].label)
sites = compute.sites(store, chosen.runs, chosen.protocol)
site = selection.one_site(chosen)
picked = chosen.revisions(list(dict.fromkeys(run.checkpoints[-1].revision for run in chosen.runs)))
measure = measures[name]
params = cards.measure_params(measure)

question = sample_size.Question(chosen.protocol, (measure,), {name: params}, site if sites else None)
if lacking := sample_size.lacking(store, chosen.runs, picked, question):
    which = [] if sample_size.is_usual(measure, params) else ["--measure", name, *cards.settings_argv(params)]
    jobs_panel.offer(["sample-size", *dict.fromkeys(c.run for c in lacking),
                      *(part for r in dict.fromkeys(c.revision for c in lacking) for part in ("--only", r)),
                      *(["--site", site] if sites else []), *which, *chosen.argv], "values on shares of the documents",
                     f"{measure.label} is not computed yet on shares of the documents for every chosen checkpoint. "
                     "The model reads the texts again if its rows are no longer stored.")
records = [record for run in chosen.runs for record in sample_size.records(store, run, question, picked)]
if not records:
    st.stop()
corrected = [record for run in chosen.runs for record in sample_size.corrected(store, run, question, picked)]
beside = [record for run in referring.as_run(chosen.reference) for record in sample_size.records(store, run, question)]
pinned.beside(chosen, beside, [], f"{measure.label} on shares of the documents")
if levels := sample_size.levels([*records, *beside]):
    colours = workspace.colours() | {record["run"]: workspace.style().ink for record in beside}
    cards.figure(drawing.build([*records, *beside], levels, corrected, measure, colours, workspace.style()),
                 [*records, *beside], title=f"{measure.label} by sample size",
                 caption=sample_size.caption([*records, *beside], summaries.spoken(chosen.protocol), bool(corrected))
                 + referring.shown(chosen.reference, beside), key="sample_size")
    st.markdown("\n".join(f"- {plain(sentence)}" for sentence in sample_size.moves(records, corrected)))
cards.undefined(sample_size.first_of_each_reason(records))
cards.warnings(chosen, [], [], None)
cards.how_to_read(measure)
