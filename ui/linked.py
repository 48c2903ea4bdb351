"""The linked path: a point of a trajectory opens what is behind it in place: spectrum, layers and points."""

from collections.abc import Callable
from functools import partial

import streamlit as st

from analysis import compute, reference, referring, spectra, summaries, views
from analysis.figures import points, profile, spectrum
from analysis.keys import Checkpoint, Policy
from analysis.maps import computing, reading
from analysis.maps.computing import Question
from analysis.measure import Measure
from ui import cards, jobs_panel, map_choice, selection, workspace
from ui.plain import plain
from ui.selection import Selection

KEY = "point"
CLICK = "Click a point of a line, or choose it here: its spectrum, its layers and its cloud of points open below."


def follow(chart: str) -> Callable[[], None]:
    """What a chart does when one of its points is clicked."""
    return partial(_follow, chart)


def _follow(chart: str) -> None:
    clicked = [point["customdata"] for point in st.session_state[chart]["selection"]["points"]
               if len(point.get("customdata") or ()) >= 5]
    if clicked:
        revision, _, run, _, site = clicked[-1][:5]
        st.session_state[KEY] = f"{run}@{revision}:{site}"


def draw(chosen: Selection, measure: Measure, params: dict[str, int]) -> None:
    """The field for a representation and, once there is one, what is behind its number."""
    names = _names(chosen, _asked())
    if st.session_state.get(KEY) not in (*names, None):
        del st.session_state[KEY]  # of a run that is no longer chosen
    name = st.selectbox("Look inside", names, index=None, key=KEY, bind="query-params", placeholder="A checkpoint and "
                        "a site", help=CLICK)
    if name is None:
        st.caption(CLICK)
        return
    run, revision, site = views.split_item(name)
    checkpoint = chosen.checkpoints[f"{run}@{revision}"]
    with st.container(border=True):
        st.subheader(f"{plain(revision or '')} of {plain(run)}, at {plain(site)}", anchor="inside")
        _way(chosen, checkpoint, site)
        _said(chosen, checkpoint, site, measure, params)
        left, right = st.columns(2)
        with left:
            _spectrum(chosen, checkpoint, site)
        with right:
            _layers(chosen, checkpoint, site, measure, params)
        _points(chosen, checkpoint, site)


def marked(chosen: Selection) -> list[str]:
    """The checkpoints that a trajectory marks: the chosen ones and the one that is looked into."""
    asked = _asked()
    return [*chosen.at, *([views.split_item(asked)[1] or ""] if asked else [])]


def _asked() -> str | None:
    """What is looked into, before its field is drawn."""
    return st.session_state[KEY] if KEY in st.session_state else st.query_params.get(KEY)


def _names(chosen: Selection, asked: str | None) -> list[str]:
    """Every checkpoint at the chosen sites, and at the one that is asked for."""
    site = views.split_item(asked)[2] if asked else chosen.site
    sites = [one for one in chosen.known_sites if one in (*chosen.sites, site)]
    return [views.item_name(checkpoint, one) for checkpoint in chosen.checkpoints.values() for one in sites]


def _go(name: str | None) -> None:
    st.session_state[KEY] = name


def _way(chosen: Selection, checkpoint: Checkpoint, site: str) -> None:
    """To the checkpoints beside it, to the pages behind it, and back."""
    own = next(run for run in chosen.runs if run.name == checkpoint.run).checkpoints
    at = own.index(checkpoint)
    with st.container(horizontal=True):
        for label, icon, to in (("Earlier", "arrow_back", at - 1), ("Later", "arrow_forward", at + 1)):
            there = 0 <= to < len(own)
            st.button(label, icon=f":material/{icon}:", disabled=not there, key=f"inside {label}", on_click=_go,
                      args=(views.item_name(own[to], site) if there else None,))
        name = reference.of_checkpoint(checkpoint).name
        is_pinned = chosen.reference is not None and chosen.reference.name == name
        st.button("Unpin" if is_pinned else "Pin as reference", icon=":material/keep:", key="inside pin",
                  on_click=selection.pin, args=("" if is_pinned else name,))
        st.button("Back to the whole training", icon=":material/close:", key="inside close", on_click=_go, args=(None,))
    with st.container(horizontal=True):
        here = {"at": checkpoint.revision, "sites": site}
        more: dict[str, dict[str, str]] = {
            "Spectra": {}, "Similarity": {"run_A": checkpoint.run, "at_A": checkpoint.revision}, "Points": {
                "map_run": checkpoint.run, "map_site": site}}
        for page, query in more.items():
            st.page_link(selection.PAGES / f"{page.lower()}.py", label={"Points": "Map of points"}.get(page, page),
                         query_params=selection.shared(**here, **query), icon=":material/open_in_new:")


def _said(chosen: Selection, checkpoint: Checkpoint, site: str, measure: Measure, params: dict[str, int]) -> None:
    """The number that the point stands for, and the one it is compared with."""
    store, settings = workspace.store(), {measure.name: params}
    own = compute.of_checkpoint(store, checkpoint, chosen.protocol, measure, settings)
    told = [f"{measure.label}: {summaries.number(record)}" for record in own if record["site"] == site]
    if chosen.reference:
        told += [f"{record['run']}: {summaries.number(record)}" for record in reference.levels(
            store, chosen.reference, chosen.protocol, [site], measure, settings)]
    st.markdown("  \n".join(plain(line) for line in told))


def _spectrum(chosen: Selection, checkpoint: Checkpoint, site: str) -> None:
    beside = referring.as_run(chosen.reference)
    shown = [checkpoint, *(one for run in beside for one in run.checkpoints)]
    found = spectra.fitted(workspace.store(), shown, chosen.protocol, site, spectra.BANDS[spectra.FIRST])
    if not found:
        jobs_panel.offer(["sweep", checkpoint.run, "--measure", "covariance_eigenspectrum", *chosen.argv],
                         f"eigenspectrum of {checkpoint.run}", "The eigenspectrum is not computed yet.")
        return
    records = summaries.spectrum_records(found, site, chosen.protocol, shown)
    colours = workspace.colours() | {run.name: workspace.style().ink for run in beside}
    cards.figure(profile.beside(spectrum.build(found, colours, workspace.style())), records,
                 title=f"Eigenspectrum of {checkpoint.run} {checkpoint.revision} at {site}", key="inside spectrum",
                 caption=f"Dashed: the power law over ranks {spectra.FIRST}. {cards.caption(chosen, records)}"
                 + referring.shown(chosen.reference, records[1:]))


def _layers(chosen: Selection, checkpoint: Checkpoint, site: str, measure: Measure, params: dict[str, int]) -> None:
    """The measure at every site, beside the reference or else the ends of the run."""
    store = workspace.store()
    own = next(run for run in chosen.runs if run.name == checkpoint.run).checkpoints
    others = [chosen.reference.last] if chosen.reference else [own[0], own[-1]]
    shown = list(dict.fromkeys([checkpoint, *others]))
    lines = [compute.of_checkpoint(store, one, chosen.protocol, measure, {measure.name: params}) for one in shown]
    colour, style = workspace.colours(), workspace.style()
    colours = [colour[checkpoint.run], *([style.ink] if chosen.reference else [style.muted, style.ink])]
    records = [record for line in lines for record in line]
    names = [f"{one.run} {one.revision}" for one in shown]
    cards.figure(profile.build(lines, names, measure, colours, style, site), records, key="inside layers",
                 title=f"{measure.label} over depth, {names[0]}", on_select=follow("inside layers"),
                 caption=f"Click a site to look into it. {cards.caption(chosen, records, measure)}")


def _points(chosen: Selection, checkpoint: Checkpoint, site: str) -> None:
    """The cloud of rows, of a stored map that has the checkpoint as a frame."""
    own = next(run for run in chosen.runs if run.name == checkpoint.run)
    of_run, alone = computing.frames_for(own, site=site), ((checkpoint, site),)
    asked = [Question(items, "steps", method, chosen.protocol) for items in (of_run, alone)
             for method in reading.METHODS if (checkpoint, site) in items]
    question = next((one for one in asked if workspace.store().has_record(computing.KIND, one.digest)), None)
    found = question and map_choice.stored(question)
    if question is None or found is None:
        jobs_panel.offer(["map", own.name, "--site", site, "--only", checkpoint.revision, "--method", "pca",
                          *chosen.argv], f"the cloud of {own.name} {checkpoint.revision} at {site}",
                         "Its cloud of points is not computed yet. It takes seconds.")
        return
    labels = map_choice.labels_of(found, question)
    way = next(iter(reading.ways(found, labels, Policy.gives_several(chosen.protocol.rows))))
    figure = points.build(found, reading.colouring(found, way, labels), reading.hover(found, labels),
                          at=question.items.index((checkpoint, site)), style=workspace.style())
    cards.figure(figure, map_choice.records(question.digest, reading.FIRST, found, labels, question),
                 title=f"Cloud of {own.name} at {site}, {checkpoint.revision}", key="inside points",
                 caption=reading.caption(found, summaries.spoken(chosen.protocol)))

