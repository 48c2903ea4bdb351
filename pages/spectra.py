"""Which eigenspectrum is behind the number, and is a power law a fair description of it?"""

import streamlit as st

from analysis import compute, registry, summaries, views
from analysis.figures import spectrum
from ui import cards, jobs_panel, selection, workspace

st.title("Spectra")
st.markdown("Each point is the variance along one principal direction. The dashed line is the fitted power law; its "
            "slope is -α, and it is drawn over the window it was fitted on.")

chosen = selection.pick()
store = workspace.store()
measure, decay = registry.get("covariance_eigenspectrum"), registry.get("alpha_weighted_least_squares")
sites = compute.sites(store, chosen.runs, chosen.protocol) or ["final"]
left, right = st.columns([1, 3])
site = left.selectbox("Site", sites, index=len(sites) - 1, key="site", bind="query-params")
revisions = list(dict.fromkeys(c.revision for run in chosen.runs for c in run.checkpoints))
picked = right.multiselect("Checkpoints", revisions, default=views.spread(revisions, 4), key="at",
                           bind="query-params")
window = cards.measure_params(decay)

if compute.missing(store, chosen.runs, chosen.protocol, [measure]):
    jobs_panel.offer(["sweep", *(run.name for run in chosen.runs), "--measure", measure.name, *chosen.argv],
                     measure.label, "The eigenspectrum is not computed yet for every checkpoint on these rows.")
if window["last_rank"] < window["first_rank"] + 2:
    st.error("The window needs at least 3 ranks: raise the last rank or lower the first.")
    st.stop()
checkpoints = [c for run in chosen.runs for c in run.checkpoints if c.revision in picked]
spectra = compute.spectra(store, checkpoints, chosen.protocol, site, (window["first_rank"], window["last_rank"]))
if not spectra:
    st.info("Choose checkpoints that are computed.", icon=":material/arrow_upward:")
    st.stop()

records = summaries.spectrum_records(spectra, site, chosen.protocol, checkpoints)
cards.figure(spectrum.build(spectra, workspace.colours(), workspace.style()), records,
             title=f"Eigenspectrum at {site}", caption=cards.caption(chosen, records), key="spectrum")
for reason in dict.fromkeys(s.reason for s in spectra if s.reason):
    st.warning(f"No line is drawn where {reason}.", icon=":material/block:")
cards.how_to_read(decay)
