"""What the page Compare chooses from: measures, axis, sides, and checkpoints for arrows."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from analysis import compute, export, registry
from analysis.contrasts import arrows, grid, multiplicity, places, ranking, sides, values
from analysis.contrasts.values import Point
from analysis.figures.trajectory import Axis
from analysis.keys import Checkpoint
from analysis.measure import Measure
from analysis.phasing import Phased
from ui import cards, jobs_panel, workspace
from ui.plain import plain
from ui.selection import Selection

FIRST = "rankme_covariance"
REFERENCE = "reference"
FORMATS = {"start": "%.4g", "end": "%.4g", "change": "%+.4g", "low": "%+.4g", "high": "%+.4g", "change %": "%+.1f",
           "standard errors": "%+.1f", **dict.fromkeys(multiplicity.SAYS, "%.2g")}


def measures() -> dict[str, Measure]:
    """Every scalar measure of one representation, by name."""
    return {measure.name: measure for measure in registry.of_kind(arity=1, returns="scalar")}


def pick_measure(where: Any, key: str = "measure", label: str = "Measure", first: str = FIRST) -> Measure:
    known = measures()
    name = where.selectbox(label, list(known), key=key, bind="query-params", index=list(known).index(first),
                           format_func=lambda m: known[m].label)
    return known[name]


def pick_axis(where: Any, chosen: Selection) -> Axis:
    """What training is counted in, and whether its scale is logarithmic."""
    with where:
        axes = places.axes(workspace.store(), chosen.runs, chosen.protocol)
        quantity = st.selectbox("Training in", axes, key="axis", bind="query-params",
                                format_func=lambda axis: places.SAID.get(axis, axis))
        log = st.toggle("Logarithmic axis", value=True, key="log", bind="query-params",
                        disabled=not Axis(quantity).is_logarithmic)
    return Axis(quantity, log)


def pick_base(where: Any, chosen: Selection) -> tuple[str, str, bool]:
    """What is subtracted - a run, or the pinned reference - how it is called, and whether its values between its
    checkpoints are taken too; stops the page where nothing can be subtracted."""
    said = {run.name: run.name for run in chosen.runs} if len(chosen.runs) > 1 else {}
    if chosen.reference:
        said = {REFERENCE: chosen.reference.says} | said
    if not said:
        st.info("Choose a second run in the sidebar, or pin a reference there, to have something to subtract.",
                icon=":material/arrow_back:")
        st.stop()
    name = where.selectbox("Subtract", list(said), key="subtract", bind="query-params", format_func=said.__getitem__)
    line = name != REFERENCE and where.toggle(
        "Also between checkpoints", key="line", bind="query-params",
        help="Where the subtracted run has no checkpoint at the same place, take the straight line between its "
             "neighbours. The interval is that of the line.")
    return name, said[name], line


def pick_grid(chosen: Selection) -> tuple[list[Measure], list[str], Axis]:
    """The rows and columns of the grid."""
    left, middle, right = st.columns([3, 3, 2])
    known = measures()
    rows = left.multiselect("Measures (rows)", list(known), default=list(grid.USUAL), key="rows_of",
                            bind="query-params", format_func=lambda m: known[m].label)
    columns = middle.multiselect("Sites (columns)", chosen.known_sites, default=grid.spread(chosen.known_sites),
                                 key="columns_of", bind="query-params")
    sites = [site for site in chosen.known_sites if site in columns]
    return [known[name] for name in rows], sites, pick_axis(right, chosen)


def pick_stops(where: Any, chosen: Selection, phased: Sequence[Phased | None]) -> list[str]:
    """Which checkpoints arrows join, as run@revision: those of the sidebar where some are chosen there."""
    if chosen.at:
        return [name for name, one in chosen.checkpoints.items() if one.revision in chosen.at]
    way = arrows.EVERY
    if any(one.step is not None for one in chosen.checkpoints.values()):
        way = where.segmented_control("Arrows between", list(arrows.WAYS), default=arrows.ENDS, key="arrows",
                                      bind="query-params", required=True, format_func=arrows.WAYS.__getitem__,
                                      help="Or choose checkpoints in the sidebar, and arrows join these.") or way
    known = {one.run.name: one for one in phased if one}
    return [f"{run.name}@{stop}" for run in chosen.runs for stop in arrows.stops(run, way, known.get(run.name))]


def pick_sides(chosen: Selection) -> tuple[Checkpoint, Checkpoint]:
    """The two checkpoints whose values are compared; the first begins at the pinned reference."""
    every = {f"{run.name}@{one.revision}": one for run in chosen.sides.values() for one in run.checkpoints}
    first = list(ranking.sides(chosen.runs))
    if chosen.reference:
        first = [chosen.reference.last, first[1]]
    names = [f"{one.run}@{one.revision}" for one in first]
    found = [column.selectbox(label, list(every), index=list(every).index(name), key=key, bind="query-params")
             for column, label, key, name in zip(st.columns(2), ("From", "To"), ("side_from", "side_to"), names,
                                                 strict=True)]
    return every[found[0]], every[found[1]]


def pick_correction() -> tuple[str, float]:
    """How p-values are corrected for their number, and the limit for what is claimed."""
    left, right = st.columns([3, 1])
    name = left.segmented_control("Correction for the number of tests", list(multiplicity.SAYS),
                                  default=multiplicity.BY, key="correction", bind="query-params",
                                  required=True) or multiplicity.BY
    limit = right.number_input("At most q", 0.0, 1.0, 0.05, 0.01, key="q", bind="query-params",
                               help="Rows whose corrected p is at most this are listed as changed.")
    return name, limit


def points(chosen: Selection, measure: Measure, sites: Sequence[str], axis: Axis | None = None,
           asked: Measure | None = None) -> dict[str, list[Point]]:
    """The values of each run with their place on the axis, at the setting that is asked for; what lacks is offered.

    A setting whose name the measure `asked` has too is at its usual value: one field can only be of one measure.
    """
    taken = {param.name for param in asked.params} if asked else set()
    params = {measure.name: {} if taken & {param.name for param in measure.params} else cards.measure_params(measure)}
    offer(chosen, [measure], params)
    store = workspace.store()
    found = {run.name: values.of_run(store, run, chosen.protocol, [measure], sites, params) for run in chosen.runs}
    if not any(found.values()):
        st.stop()
    return found if axis is None else places.points(store, chosen.runs, chosen.protocol, found, axis.quantity)


def differences(chosen: Selection, measure: Measure, found: dict[str, list[Point]], base: str, axis: Axis,
                line: bool) -> list[dict[str, Any]]:
    """Each run minus the one that is subtracted, or minus the reference."""
    if base == REFERENCE and chosen.reference:
        params = {measure.name: dict(next(p for of_run in found.values() for p in of_run).record["protocol"]["params"])}
        return [row for of_run in found.values() for row in sides.to_reference(
            workspace.store(), chosen.reference, of_run, chosen.protocol, measure, params, axis.quantity)]
    return [row for run in chosen.runs if run.name != base for site in chosen.sites for row in sides.over_training(
        *([point for point in found[name] if point.record["site"] == site] for name in (base, run.name)),
        axis.quantity, line, axis.is_logarithmic)]


def offer(chosen: Selection, wanted: Sequence[Measure], params: dict[str, dict[str, int]]) -> None:
    """A job for what these measures lack."""
    if compute.missing(workspace.store(), chosen.runs, chosen.protocol, wanted, params):
        settings = [part for given in params.values() for part in cards.settings_argv(given)]
        jobs_panel.offer(["sweep", *(run.name for run in chosen.runs), *(f"--measure={m.name}" for m in wanted),
                          *settings, *chosen.argv], ", ".join(m.label for m in wanted[:3]),
                         "Not every checkpoint has these measures yet on this probe, rows and setting.")


def nothing(rows: Sequence[Any], why: str) -> bool:
    """Whether there is nothing to show, after a sentence on what to do."""
    if not rows:
        st.info(plain(why), icon=":material/info:")
    return not rows


def table(rows: Sequence[dict[str, Any]], title: str) -> None:
    """Differences as a table to sort and to take away."""
    config = {name: st.column_config.NumberColumn(format=form) for name, form in FORMATS.items()}
    config["p"] = st.column_config.NumberColumn(
        format="%.2g", help="By the pivot of the interval. Far below 0.001 it only says: very small.")
    config["per doubling"] = st.column_config.NumberColumn(
        format="%+.4g", help="Change at each doubling of the steps; a phase that begins at step 0 has none.")
    st.dataframe(rows, hide_index=True, alt=f"Table of {title}", column_config=config)
    st.download_button("This table (CSV)", lambda: export.table_csv(rows), "differences.csv", "text/csv",
                       key=f"compare table {title}", on_click="ignore", icon=":material/table:")


def untested(rest: Sequence[dict[str, Any]], some: bool) -> None:
    """What has no test, folded, with the reason of each."""
    if not some:
        st.info("Nothing here has a paired interval." if rest else "The two checkpoints have no measure and site in "
                "common.", icon=":material/info:")
    if rest:
        with st.expander(f"Not tested, and why ({len(rest)})", icon=":material/help:"):
            table(ranking.reasons(rest), "what is not tested")
