"""What the overview shows beside its trajectory: the spectra behind it, and which layers of two runs agree."""

from collections.abc import Sequence

import streamlit as st

from analysis import export, registry, similarity, spectra, summaries, views
from analysis.compute import sites_of
from analysis.figures import matrix, spectrum
from analysis.figures.profile import beside
from analysis.pairs import matches
from ui import cards, selection, words, workspace
from ui.selection import Selection

ALIKE = "linear_cka_debiased"


def behind(chosen: Selection, revisions: Sequence[str]) -> None:
    """The eigenspectra of the first run at some checkpoints."""
    run = chosen.runs[0]
    shown = [checkpoint for checkpoint in run.checkpoints if checkpoint.revision in revisions]
    found = spectra.fitted(workspace.store(), shown, chosen.protocol, chosen.site, spectra.BANDS[spectra.FIRST])
    st.subheader("The spectrum behind it")
    words.guide("Variance along each principal direction, largest first, at the first, the lowest and the last "
                "checkpoint.", "A line that falls steeply has few directions in use, so RankMe is low; a flat one has "
                "many.")
    if found:
        records = summaries.spectrum_records(found, chosen.site, chosen.protocol, shown)
        cards.figure(beside(spectrum.build(found, workspace.colours(), workspace.style())), records,
                     title=f"Eigenspectrum of {run.name} at {chosen.site}", key="overview spectrum",
                     caption=f"Dashed: the power law over ranks {spectra.FIRST}. {cards.caption(chosen, records)}")
    else:
        st.caption("The eigenspectra are not computed yet on these texts and rows.")
    st.page_link(selection.PAGES / "spectra.py", label="Spectra at any checkpoint, with fits over several windows",
                 icon=":material/ssid_chart:", query_params=selection.shared(at=list(revisions)))


def agreement(chosen: Selection) -> None:
    """Debiased CKA of every layer of the first run with every layer of the last one, at their last checkpoints."""
    store, measure = workspace.store(), registry.get(ALIKE)
    ends = chosen.runs[0].checkpoints[-1], chosen.runs[-1].checkpoints[-1]
    rows, columns = (views.layers(end, sites_of(store, end, chosen.protocol)) for end in ends)
    found = similarity.matrix(store, rows, columns, measure, chosen.protocol, {}) if rows and columns else None
    st.subheader("Do the layers agree?" if len(chosen.runs) > 1 else "Which layers are alike?")
    words.guide("Each cell compares a layer of one run with a layer of the other by CKA, at their last checkpoints."
                if len(chosen.runs) > 1 else "Each cell compares two layers of the last checkpoint by CKA.",
                "Dark is alike; a ring marks a best match that stands above what shuffled documents give.")
    if found:
        left, right = (summaries.item_records(items, chosen.protocol) for items in (rows, columns))
        records = export.matrix_records(found, left, right, measure)
        titles = views.side_title(rows, "layer"), views.side_title(columns, "layer")
        down, along = (views.names(items, "layer") for items in (rows, columns))
        cards.figure(beside(matrix.build(records, down, along, titles, measure, workspace.style())), records,
                     title=f"{measure.label}, {ends[0].run} and {ends[1].run}", key="overview layers", caption=
                     f"{summaries.pair_caption(store, rows, chosen.protocol)} {matches.sureness(found, measure)}")
    else:
        st.caption("This comparison is not computed yet; the page Similarity offers to.")
    st.page_link(selection.PAGES / "similarity.py", label="Similarity of any layers, steps and runs, by any measure",
                 icon=":material/grid_on:", query_params=selection.shared())
