"""What is loaded, and how did its geometry change over training?"""

import streamlit as st

from analysis import compute, phasing, registry, summaries
from analysis.figures import trajectory
from analysis.outliers import outlier_warnings
from ui import cards, jobs_panel, opener, selection, workspace

st.title("How did the representation change?")
st.markdown("Each run is a ladder of checkpoints read on the same texts. A rise of RankMe means that the variance of "
            "the hidden states spreads over more directions; a fall means that it concentrates.")

chosen = selection.pick()
store = workspace.store()
measure = registry.get("rankme_covariance")
site = (compute.sites(store, chosen.runs, chosen.protocol) or ["final"])[-1]
records = [record for run in chosen.runs
           for record in compute.records(store, run, **chosen.filters, measure=measure.name, site=site)]
facts = [fact for run in chosen.runs for fact in compute.losses(store, run, chosen.protocol)]

below = compute.beside(store, chosen.runs, chosen.protocol, compute.quantities(chosen.runs)[0])

if unfinished := summaries.unfinished(store, chosen.runs, chosen.protocol):
    jobs_panel.offer(["sweep", *(run.name for run in chosen.runs), *chosen.argv],
                     f"{', '.join(run.name for run in chosen.runs)} on {chosen.protocol.probe.name}",
                     f"{unfinished} checkpoint(s) have measures that are not computed on these texts and rows yet.")

if records:
    rows = summaries.headline(chosen.runs, records, facts)
    for column, row in zip(st.columns(len(rows)), rows, strict=True):
        with column:
            st.metric(f"{row['run']}: RankMe at the end", row["last"], delta=row["change"], delta_color="off",
                      help=f"Site {site}; from the lowest point, at {row['lowest_at']}, to the last checkpoint.")
            st.caption(row["sentence"])
    axis = trajectory.Axis(summaries.axes(chosen.runs)[0])
    shades = phasing.shades([phasing.of_run(store, run, chosen.protocol, site) for run in chosen.runs])
    cards.figure(trajectory.build(records, below, measure, axis, workspace.colours(), workspace.style(), shades),
                 records, title="RankMe over training", key="overview",
                 caption=cards.caption(chosen, records, measure) + cards.tints(shades, [site]))
    cards.how_to_read(measure)
    cards.warnings(chosen, facts, [site], outlier_warnings)

st.subheader("What is loaded")
st.dataframe(summaries.loaded(store, workspace.runs()), hide_index=True,
             alt="Every run with its checkpoints and what is computed")

st.subheader("Bring your own")
st.markdown("A folder that `transformers` can load (config, safetensors, tokenizer), or a folder of step folders such "
            "as `step1000`, on the machine that runs this app. For a model on the Hub, an upload, stages of "
            "post-training or rows of your own, see the page Checkpoints.")
opener.draw()
