"""How far does a representation move from where it began or to where it ends, and further than another seed is away?"""

import streamlit as st

from analysis import phasing, referring, summaries, views
from analysis.figures import drift as drawn
from analysis.figures.trajectory import Axis
from analysis.pairs import drift, matches
from ui import cards, jobs_panel, pair_choice, pinned, selection, words, workspace
from ui.plain import plain

MOST_OFFERED = 4

words.intro("Similarity over training",
            "One line for each run and site: how alike each checkpoint is to the reference. A line in ink compares two "
            "runs at the same step. What lies below the thin dashed line is no more alike than shuffled documents.")

chosen = selection.pick()
store = workspace.store()
measure = pair_choice.pick_measure()
left, middle, right = st.columns([3, 3, 3])
picked = chosen.sites
pin = (chosen.sides[chosen.reference.last.run], chosen.reference.last) if chosen.reference else None
reference = selection.choose("Compare each checkpoint with", drift.references(chosen.runs, bool(pin)), "reference",
                             drift.PINNED if pin else "", left.selectbox,
                             format_func=lambda one: f"{one} {chosen.reference.name}" if one == drift.PINNED else one)
comparable = drift.pairs(chosen.runs)
with right:
    axes = summaries.axes(chosen.runs)
    quantity = st.segmented_control("Training in", axes, default=axes[0], key="axis", bind="query-params",
                                    required=True, format_func=lambda a: {"revision": "stage"}.get(a, a)) or axes[0]
    log = st.toggle("Logarithmic axis", value=True, key="log", bind="query-params")
between = middle.toggle("Runs with each other, step by step", value=bool(comparable), key="between",
                        bind="query-params", disabled=not comparable,
                        help="For runs with checkpoints at the same steps, such as seeds of one training.")
params = cards.measure_params(measure)
question = drift.Question(measure, chosen.protocol, params)

if reference == drift.PINNED:
    pinned.stands(chosen)
found = drift.lines(store, chosen.runs, picked, reference, between, question, pin)
own, pairs, absent = found.own, found.pairs, found.absent
for one, other, site in absent[:MOST_OFFERED]:
    if why := matches.refusal(store, [*views.steps(one, site), *views.steps(other, site)], chosen.protocol):
        st.error(plain(why), icon=":material/block:")
        continue
    names = list(dict.fromkeys([one.name, other.name]))
    jobs_panel.offer(["compare", *names, "--by", "step", "--site", site, "--measure", measure.name,
                      *cards.settings_argv(params), *chosen.argv],
                     f"{measure.label}, {' and '.join(names)}, step by step at {site}",
                     "This comparison is not computed yet on these rows.")
if len(absent) > MOST_OFFERED:
    st.caption(f"{len(absent)} comparisons are missing; {MOST_OFFERED} are offered at a time.")
if not own and not pairs:
    st.stop()

lacking = [run.name for run in chosen.runs
           if reference not in (drift.SAME, drift.PINNED) and drift.reference_of(run, reference) is None]
if lacking:
    st.info(f"{', '.join(lacking)} has no checkpoint {reference}, so no line.", icon=":material/info:")
spread = drift.spread(pairs, len({run.name for both in comparable for run in both}))
deepest = [chosen.site]
shades = phasing.shades([phasing.of_run(store, run, chosen.protocol, site) for run in chosen.runs for site in deepest])
records = [*own, *pairs]
if all(record[quantity] is None for record in records) and any(record["step"] is not None for record in records):
    st.info("These runs do not say how many tokens a step reads; put tokens_per_step into run.json beside the steps.")
caption = drift.caption(store, chosen.runs[0], question, records) + cards.tints(shades if own else [], deepest)
caption += referring.shown(chosen.reference, own if reference == drift.PINNED else [], "Compared with")
if spread:
    caption += " Grey band: lowest to highest over pairs of runs; runs with the same steps are taken as seeds."
figure = drawn.build(own, pairs, spread, measure, Axis(quantity, log), workspace.colours(), workspace.style(), shades)
cards.figure(figure, [*records, *spread], title=f"{measure.label} over training", key="drift", caption=caption)
cards.undefined(records)
cards.how_to_read(measure)
