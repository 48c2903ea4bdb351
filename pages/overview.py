"""What is loaded, and how did its geometry change over training?"""

from pathlib import Path

import streamlit as st

from analysis import compute, phasing, referring, registry, summaries
from analysis.figures import trajectory
from analysis.outliers import outlier_warnings
from ui import cards, jobs_panel, linked, opener, pinned, run_table, selection, tour, words, workspace

words.intro("How did the representation change?",
            "Each run is a ladder of checkpoints read on the same texts. A rise of RankMe means that the variance of "
            "the hidden states spreads over more directions; a fall means that it concentrates. "
            "[Bring your own checkpoints](#bring-your-own) below.")

chosen = selection.pick()
store = workspace.store()
measure = registry.get("rankme_covariance")
site = chosen.site
records = [record for run in chosen.runs
           for record in compute.records(store, run, **chosen.filters, measure=measure.name, site=site)]
levels = pinned.levels(chosen, [site], measure, {}, records)
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
    words.guide("RankMe of each run at every checkpoint, with its 95 % interval, and the loss on the same texts below.",
                "Where the line falls, representations collapse onto few directions; where it rises, they spread "
                "again, and a tint marks a phase that the rule names.")
    axis = trajectory.Axis(summaries.axes(chosen.runs)[0])
    shades = phasing.shades([phasing.of_run(store, run, chosen.protocol, site) for run in chosen.runs])
    cards.figure(trajectory.build(records, below, measure, axis, workspace.colours(), workspace.style(), shades,
                                  levels, linked.marked(chosen)), [*records, *levels],
                 title="RankMe over training", key="overview", on_select=linked.follow("overview"),
                 caption=cards.caption(chosen, records, measure) + cards.tints(shades, [site])
                 + referring.drawn(chosen.reference, levels))
    linked.draw(chosen, measure, {})
    cards.how_to_read(measure)
    cards.warnings(chosen, facts, [site], outlier_warnings)
    left, right = st.columns(2)
    with left:
        run = chosen.runs[0]
        ends = [run.checkpoints[0].revision, rows[0]["lowest_at"], run.checkpoints[-1].revision]
        tour.behind(chosen, list(dict.fromkeys(ends)))
    with right:
        tour.agreement(chosen)

st.subheader("What is loaded")
run_table.runs_table(chosen)

st.subheader("Bring your own")
st.markdown("A folder that `transformers` can load (config, safetensors, tokenizer), or a folder of step folders such "
            "as `step1000`, on the machine that runs this app:")
opener.draw()
st.page_link(Path(__file__).with_name("checkpoints.py"), icon=":material/inventory_2:",
             label="Or from the Hub, an upload, stages, rows")
