"""Where do runs, phases and stages differ, by how much, is that more than the texts decide, and what changed most?"""

import streamlit as st

from analysis import compute, phasing, registry
from analysis.contrasts import arrows, grid, places, ranking, stretches, telling, values
from analysis.figures import contrast, multiples, trajectory
from ui import cards, compare_choice, selection, words, workspace
from ui.plain import plain


def overlay() -> None:
    left, middle, right = st.columns([3, 3, 2])
    measure, axis = compare_choice.pick_measure(left), compare_choice.pick_axis(right, chosen)
    quantity = middle.selectbox("Below it", compute.quantities(chosen.runs), key="below", bind="query-params")
    points = compare_choice.points(chosen, measure, chosen.sites, axis)
    records = [point.record for of_run in points.values() for point in of_run]
    shades = places.shades(store, chosen.runs, chosen.protocol, phasing.shades(phased(chosen.site)), axis.quantity)
    panel = places.below(store, chosen.runs, chosen.protocol, quantity, axis.quantity)
    cards.figure(trajectory.build(records, panel, measure, axis, colours, style, shades), records,
                 title=f"{measure.label} over training", key="compare overlay",
                 caption=cards.caption(chosen, records, measure) + cards.tints(shades, [chosen.site]))
    cards.undefined(records)
    cards.how_to_read(measure)


def difference() -> None:
    left, middle, right = st.columns([3, 3, 2])
    measure, axis = compare_choice.pick_measure(left), compare_choice.pick_axis(right, chosen)
    base, said, line = compare_choice.pick_base(middle, chosen)
    points = compare_choice.points(chosen, measure, chosen.sites, axis)
    rows = compare_choice.differences(chosen, measure, points, base, axis, line)
    if compare_choice.nothing(rows, f"On this axis no checkpoint stands where {said} has one. Choose another axis, or "
                                    "switch on values between checkpoints."):
        return
    cards.figure(contrast.over_training(rows, said, measure, axis, colours, style), rows, key="compare difference",
                 title=f"{measure.label} minus {said}",
                 caption=telling.caption(rows, chosen.protocol) + telling.interpolated(rows, said, axis.quantity))
    others = [run for run in chosen.runs if run.name != base]
    st.caption(plain(f"{telling.unmatched(rows, others, said, axis.quantity)}{telling.TEXTS_ONLY}"))
    compare_choice.table(telling.table(rows), f"{measure.label} minus {said}")


def phases() -> None:
    measure, site = compare_choice.pick_measure(st), selection.one_site(chosen)
    found = phased(site)
    rows = stretches.rows(chosen.runs, compare_choice.points(chosen, measure, [site]), found)
    if compare_choice.nothing(rows, "A change needs a run with two checkpoints that have this value."):
        return
    cards.figure(contrast.stretches(rows, measure, colours, style), rows, key="compare phases",
                 title=f"{measure.label} phase by phase",
                 caption=f"{telling.caption(rows, chosen.protocol)} Phases are those of RankMe and α at {site}.")
    st.caption(plain(f"{stretches.unresolved(found, chosen.runs)} {telling.TEXTS_ONLY}"))
    compare_choice.table(telling.phase_table(rows), f"{measure.label} phase by phase")


def two_measures() -> None:
    left, right = st.columns(2)
    across = compare_choice.pick_measure(left, "across", "Across")
    up = compare_choice.pick_measure(right, "up", "Up", phasing.ALPHA)
    site = selection.one_site(chosen)
    stops = compare_choice.pick_stops(st, chosen, phased(site))
    one = compare_choice.points(chosen, across, [site])
    other = compare_choice.points(chosen, up, [site], asked=across)
    found = [row for run in chosen.runs for row in arrows.places(one[run.name], other[run.name], stops)]
    if compare_choice.nothing(found, "None of these checkpoints has both measures."):
        return
    cards.figure(contrast.arrows(arrows.legs(found), found, across, up, colours, style), arrows.records(found),
                 title=f"{across.label} and {up.label}", key="compare arrows",
                 caption=f"{cards.caption(chosen, found)} {arrows.SAYS}")
    changes = arrows.changes([*one.values(), *other.values()], stops)
    compare_choice.table(telling.table(changes), "changes along the arrows")


def small_multiples() -> None:
    measures, sites, axis = compare_choice.pick_grid(chosen)
    compare_choice.offer(chosen, measures, {})
    found = [point.record for run in chosen.runs
             for point in values.of_run(store, run, chosen.protocol, measures, sites, {})]
    if compare_choice.nothing(found, "Choose measures and sites that have values."):
        return
    records = places.placed(store, chosen.runs, chosen.protocol, found, axis.quantity)
    lines, left_out = grid.lines(records)
    cards.figure(multiples.build(lines, measures, sites, axis, colours, style), records, key="compare grid",
                 title="Measures at sites", caption=cards.caption(chosen, records) + left_out)
    cards.undefined(records)


def what_changed() -> None:
    before, after = compare_choice.pick_sides(chosen)
    compare_choice.offer(chosen, registry.usual(), {})
    correction, limit = compare_choice.pick_correction()
    tested, rest = ranking.rank(store, before, after, chosen.protocol)
    if tested:
        shown = ranking.claimed(tested, correction, limit)
        st.markdown(ranking.sentence(tested, shown, correction, limit))
        top = (shown or tested)[:ranking.MOST_DRAWN]
        cards.figure(contrast.ranking(top, limit, correction, style), tested, key="compare ranking",
                     title=f"What changed from {before.run}@{before.revision} to {after.run}@{after.revision}",
                     caption=f"{telling.caption(tested, chosen.protocol)} {ranking.drawn(top, shown, tested)}")
        compare_choice.table(ranking.table(shown or tested, correction), "what changed most")
    compare_choice.untested(rest, bool(tested))


VIEWS = {"Trajectories": overlay, "Differences": difference, "Phase by phase": phases, "Two measures": two_measures,
         "Small multiples": small_multiples, "What changed most": what_changed}

words.intro("Compare",
            "Choose runs in the sidebar - seeds, sizes or stages - and see where they differ and by how much. "
            "Differences are paired: their intervals leave the same documents out on both sides.")
chosen = selection.pick()
store, colours, style = workspace.store(), workspace.colours(), workspace.style()


def phased(site: str) -> list[phasing.Phased | None]:
    return [phasing.of_run(store, run, chosen.protocol, site) for run in chosen.runs]


VIEWS[st.segmented_control("Show", list(VIEWS), default="Trajectories", key="contrast", bind="query-params",
                           required=True) or "Trajectories"]()
