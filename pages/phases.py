"""When did the representation collapse, expand and compress, and would another rule say the same?"""

import streamlit as st

from analysis import compute, phases, phasing, referring, registry, summaries
from analysis.figures import trajectory
from ui import cards, jobs_panel, pinned, selection, words, workspace
from ui.plain import plain

words.intro("Phases",
            "A phase is named where RankMe and α move in opposite directions and the paired intervals of both slopes "
            "exclude 0: RankMe up is entropy-seeking, RankMe down is warmup at the start and compression-seeking "
            "later. Elsewhere nothing is claimed.")

chosen = selection.pick()
store = workspace.store()
left, right = st.columns([4, 2])
way = phasing.WAYS[left.segmented_control("Protocol", list(phasing.WAYS), default=phasing.OURS.name, key="way",
                                          bind="query-params", required=True) or phasing.OURS.name]
site = selection.one_site(chosen)
axes = summaries.axes(chosen.runs)
quantity = right.segmented_control("Training in", axes, default=axes[0], key="axis", bind="query-params", required=True,
                                   format_func=lambda a: {"revision": "stage"}.get(a, a)) or axes[0]
st.caption(way.says)

measures = [registry.get(name) for name in way.measures]
if compute.missing(store, chosen.runs, chosen.protocol, measures, way.settings):
    settings = {name: value for params in way.settings.values() for name, value in params.items()}
    jobs_panel.offer(["sweep", *(run.name for run in chosen.runs), *(f"--measure={m.name}" for m in measures),
                      *cards.settings_argv(settings), *chosen.argv], way.name,
                     "This protocol is not computed yet for every checkpoint on this probe and rows.")
records = {measure.name: [record for run in chosen.runs
                          for record in compute.records(store, run, **chosen.filters, measure=measure.name, site=site,
                                                        settings=way.settings)] for measure in measures}
if not records[way.rank]:
    st.stop()

rule = cards.phase_rule() if way.decay else phases.CHOSEN
found = [phasing.of_run(store, run, chosen.protocol, site, way, rule) for run in chosen.runs]
levels = {name: pinned.levels(chosen, [site], registry.get(name), way.settings.get(name, {}), records[name])
          for name in (way.rank, way.decay) if name}
panels = [trajectory.Drawn(registry.get(name), records[name], records.get(corrected, []), levels[name])
          for name, corrected in ((way.rank, way.corrected_rank), (way.decay, way.corrected_decay)) if name]
every = [record for kept in records.values() for record in kept]
compared = [level for kept in levels.values() for level in kept]
below = compute.beside(store, chosen.runs, chosen.protocol, compute.quantities(chosen.runs)[0])
cards.figure(trajectory.stack(panels, below, trajectory.Axis(quantity), workspace.colours(), workspace.style(),
                              phasing.shades(found), chosen.at), [*every, *compared], title="Phases of training",
             caption=f"{way.name}. {cards.caption(chosen, every, registry.get(way.rank))}"
                     f"{referring.drawn(chosen.reference, compared)}", key="phases")
if way.decay and (rows := phasing.rows(found, rule)):
    st.subheader("What is claimed")
    cards.phases(rows)
    with st.expander("The rule in full", icon=":material/gavel:"):
        st.text(phases.__doc__)
if way.decay:
    st.caption(plain(" ".join(phasing.notes(found, chosen.runs))))
cards.undefined(every)
