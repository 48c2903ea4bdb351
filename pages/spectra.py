"""Which eigenspectrum is behind the number, and is a power law a fair description of it?"""

import streamlit as st

from analysis import compute, referring, registry, spectra, summaries, views
from analysis.figures import spectrum
from ui import cards, jobs_panel, pinned, selection, words, workspace
from ui.plain import plain

words.intro("Spectra",
            "Each point is the variance along one principal direction. The dashed line is the fitted power law; its "
            "slope is -α, and it is drawn over the window it was fitted on.")

chosen = selection.pick()
store = workspace.store()
measure, decay = registry.get("covariance_eigenspectrum"), registry.get("alpha_weighted_least_squares")
site = selection.one_site(chosen)
revisions = list(dict.fromkeys(c.revision for run in chosen.runs for c in run.checkpoints))
picked = chosen.revisions(views.spread(revisions, 4))
usual = spectra.usual(st.query_params)
name = st.segmented_control("Ranks of the fit", [*spectra.BANDS, spectra.OWN], default=usual, key="ranks",
                            bind="query-params", required=True, help="Where α depends on the window, the spectrum is "
                            f"no power law. The end is {spectra.END} ranks before the last positive eigenvalue.")
name = name or usual  # a link may hold an empty choice
fields = cards.measure_params(decay) if name == spectra.OWN else {}
band = (fields["first_rank"], fields["last_rank"]) if fields else spectra.BANDS[name]
with st.container(horizontal=True):
    broken = st.toggle("Broken power law", key="broken", bind="query-params",
                       help="The two lines that fit best over the same window, solid, with a diamond where they meet.")
    noise = st.toggle("Isotropic noise", key="noise", bind="query-params",
                      help="The Marchenko-Pastur spectrum of rows without structure.")

if compute.missing(store, chosen.runs, chosen.protocol, [measure]):
    jobs_panel.offer(["sweep", *(run.name for run in chosen.runs), "--measure", measure.name, *chosen.argv],
                     measure.label, "The eigenspectrum is not computed yet for every checkpoint on these rows.")
if not spectra.long_enough(band):
    st.error("The window needs at least 3 ranks: raise the last rank or lower the first.")
    st.stop()
compared = [c for run in referring.as_run(chosen.reference) for c in run.checkpoints]
checkpoints = [c for run in chosen.runs for c in run.checkpoints if c.revision in picked]
own, pins = (spectra.fitted(store, some, chosen.protocol, site, band) for some in (checkpoints, compared))
found, drawn = [*own, *pins], views.spread(own, spectra.MOST_DRAWN)
if not found:
    st.info("Choose checkpoints that are computed, in the sidebar.", icon=":material/arrow_back:")
    st.stop()

st.caption(plain(spectra.too_short(found)))
records, beside = (summaries.spectrum_records(some, site, chosen.protocol, [*checkpoints, *compared])
                   for some in (drawn, pins))
pinned.beside(chosen, beside, records, measure.label)
colours = workspace.colours() | {one.run: workspace.style().ink for one in pins}
figure = spectrum.build([*drawn, *pins], colours, workspace.style(), broken=broken, noise=noise)
cards.figure(figure, [*records, *beside], title=f"Eigenspectrum at {site}", key="spectrum",
             caption=cards.caption(chosen, [*records, *beside]) + referring.shown(chosen.reference, beside)
             + spectra.left_out(own, drawn))
for reason in dict.fromkeys(s.reason for s in found if s.reason):
    st.warning(f"No line is drawn where {reason}.", icon=":material/block:")
for reason in dict.fromkeys(s.no_bend for s in found if broken and s.no_bend and not s.reason):
    st.warning(f"No broken line is drawn where {reason}.", icon=":material/block:")

st.subheader("Is it one power law?")
rows, notes = spectra.table(found, site, band)
numbers = [column for column in rows[0] if column not in ("run", "checkpoint", "site", "window")]
st.dataframe(rows, hide_index=True, alt="Exponents over every window of ranks, and ranks without the head",
             placeholder="", column_config={column: st.column_config.NumberColumn(format="%.3g") for column in numbers})
st.caption("Window, chance α (of isotropic noise), curvature and break gain (the share of the misfit that one break "
           "removes) are of the ranks chosen above. The menu at the table's corner saves it as CSV.")
st.caption("  \n".join(plain(note) for note in notes))
cards.how_to_read(decay)
