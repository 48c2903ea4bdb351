"""What the page Map of points chooses from: the frames, the map, and the points that are looked at."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st
from numpy import where
from pandas import DataFrame

from analysis import compute, export
from analysis.checkpoints import activations
from analysis.keys import Policy, Run
from analysis.maps import computing, projections, reading
from analysis.maps.computing import Question
from analysis.maps.shown import PointMap
from analysis.summaries import item_records
from ui import pinned, workspace
from ui.plain import plain
from ui.selection import Selection, choose, to_url

OVER = {"steps": "training", "layers": "depth"}
POINTS = (250, 500, 1000, 2000, 5000)
CHART, WHOLE = "map points chart", "map points chosen"  # the chart, and all that was chosen on it
TINT = "background-color: rgba(230, 159, 0, 0.22)"
Items = tuple[computing.Item, ...]


def pick_question(chosen: Selection) -> tuple[Question, list[str]]:
    """Which rows are mapped how, with the command that computes it."""
    columns = st.columns(4)
    runs = {run.name: run for run in chosen.runs}
    run = runs[columns[0].selectbox("Run", list(runs), key="map_run", bind="query-params")]
    over = columns[1].segmented_control("Frames over", list(OVER), default="steps", key="map_over", bind="query-params",
                                        required=True, format_func=OVER.__getitem__) or "steps"
    method = columns[3].selectbox("Map", _methods(run), key="map_method", bind="query-params",
                                  format_func=reading.METHODS.__getitem__, help="PCA: a flat view, the fastest, which "
                                  "keeps large distances best. UMAP and t-SNE keep near points near, and say little "
                                  "of the distance between groups. Own layout: where rows of your own come with an "
                                  "array `layout`, drawn as it is.")
    with st.expander("Frames, points and seed", icon=":material/tune:"):
        left, right = st.columns(2)
        points = left.selectbox("Points", POINTS, index=2, key="map_count", bind="query-params",
                                help="How many rows are drawn, evenly over the documents. Neighbours are searched "
                                     "among more.")
        seed = int(right.number_input("Seed", 0, 9999, 0, key="map_seed", bind="query-params",
                                      help="Of the rows that are drawn, and of UMAP and t-SNE."))
        items, argv = (_steps if over == "steps" else _layers)(columns[2], chosen, run)
    argv = ["map", *argv, "--over", over, "--method", method, "--points", str(points), "--seed", str(seed),
            *chosen.argv]
    return Question(items, over, method, chosen.protocol, points, seed), argv


def _methods(run: Run) -> list[str]:
    """Every way to map a run; the layout of its own where its rows bring one at each checkpoint."""
    files = [computing.rows_file(checkpoint) for checkpoint in run.checkpoints]
    brings = _bring_layouts(tuple(one.fingerprint for one in run.checkpoints), tuple(filter(None, files)))
    return [method for method in reading.METHODS if method != projections.GIVEN or (all(files) and brings)]


@st.cache_data(max_entries=50, show_spinner=False)
def _bring_layouts(fingerprints: tuple[str, ...], files: tuple[Path, ...]) -> bool:
    return bool(files) and all(path.exists() and activations.has_layout(path) for path in files)


def _steps(column: Any, chosen: Selection, run: Run) -> tuple[Items, list[str]]:
    """One site at some checkpoints of a run."""
    sites = compute.sites(workspace.store(), [run], chosen.protocol) or ["final"]
    site = column.selectbox("Site", sites, index=len(sites) - 1, key="map_site", bind="query-params")
    usual = [checkpoint.revision for checkpoint, _ in computing.frames_for(run)]
    picked = st.multiselect("Checkpoints", [checkpoint.revision for checkpoint in run.checkpoints], default=usual,
                            key="map_only", bind="query-params", max_selections=computing.MOST_FRAMES)
    only = [] if picked == usual else [part for revision in picked for part in ("--only", revision)]
    return computing.frames_for(run, site=site, only=picked), [run.name, "--site", site, *only]


def _layers(column: Any, chosen: Selection, run: Run) -> tuple[Items, list[str]]:
    """Every site of one checkpoint; none before it is extracted."""
    revisions = [checkpoint.revision for checkpoint in run.checkpoints]
    revision = column.selectbox("Checkpoint", revisions, index=len(revisions) - 1, key="map_at", bind="query-params")
    sites = compute.sites_of(workspace.store(), run.at(revision), chosen.protocol)
    return computing.frames_for(run, "layers", revision=revision, sites=sites), [f"{run.name}@{revision}"]


@st.cache_resource(max_entries=4, show_spinner=False)
def _read(key: str, _question: Question) -> PointMap | None:
    return computing.stored(workspace.store(), _question)


def stored(question: Question) -> PointMap | None:
    """The map, kept while a person looks at it."""
    found = _read(question.digest, question)
    if found is None:
        _read.clear()
    return found


def labels_of(found: PointMap, question: Question) -> reading.Labels:
    """What is known of the rows: labels of the probe's texts, or those that came with the rows."""
    path = computing.rows_file(question.items[0][0])
    if path is not None:
        return _given_labels(question.digest, path, found)
    return reading.labels_of(question.protocol.probe, found, Policy.gives_several(question.protocol.rows))


@st.cache_resource(max_entries=4, show_spinner=False)
def _given_labels(key: str, path: Path, _found: PointMap) -> reading.Labels:
    return computing.given_labels(path, _found)


@st.cache_resource(max_entries=4, show_spinner=False)
def records(key: str, since: str, _found: PointMap, _labels: reading.Labels, _question: Question) -> list[dict]:
    """The table to take away, of tens of thousands of records."""
    return reading.records(_found, _labels, since, item_records(_question.items, _question.protocol))


def reference_frame(chosen: Selection, question: Question, found: PointMap) -> str:
    """The frame of the checkpoint that stands for the reference, or nothing, which is said."""
    if chosen.reference is None or len(found.frames) < 2:
        return ""
    prints = [checkpoint.fingerprint for checkpoint, _ in question.items]
    if question.over == "steps" and chosen.reference.last.fingerprint in prints:
        pinned.stands(chosen)
        return found.frames[prints.index(chosen.reference.last.fingerprint)]
    st.caption(f"No frame of this map is the reference {plain(chosen.reference.name)}, so no neighbour counts as new "
               "since it.")
    return ""


def pick_colour(found: PointMap, labels: reading.Labels, several: bool, pin: str = "") -> tuple[str, str]:
    """What the points are coloured by, and since when a neighbour counts as new: since a frame that is pinned, where
    there is one."""
    left, right = st.columns(2)
    words = reading.ways(found, labels, several)
    way = left.selectbox("Colour", list(words), key="map_colour", bind="query-params", format_func=words.__getitem__)
    since = choose("A neighbour is new since", [reading.FIRST, reading.PREVIOUS, *([pin] if pin else [])], "map_since",
                   pin, right.segmented_control, required=True,
                   format_func=lambda one: f"the reference, {one}" if one == pin else one)
    return way, since


def pick_points(found: PointMap) -> tuple[list[int], list[int]]:
    """Drawn points that were chosen, and rows that hold the text that is looked for."""
    rows = {id: row for row, id in enumerate(found.row_ids[:found.drawn])}
    if st.session_state.arrived or "map_points" not in st.session_state:
        st.session_state.map_points = st.query_params.get_all("map_points")
    st.session_state.map_points = [id for id in st.session_state.map_points if id in rows][:reading.MOST_PICKED]
    left, right = st.columns(2)
    matches = reading.search(found, left.text_input("Find a text or a token", key="map_find", bind="query-params"))
    drawn = [row for row in matches if row < found.drawn]
    options = dict.fromkeys([*st.session_state.map_points, *(found.row_ids[row] for row in drawn or rows.values())])
    picked = right.multiselect("Chosen points", list(options), key="map_points", max_selections=reading.MOST_PICKED,
                               format_func=lambda id: reading.named(found, rows[id]),
                               placeholder="Click points, draw a box, or choose here",
                               help="Of those found, where a text is looked for.")
    to_url("map_points", picked)
    return [rows[id] for id in picked], matches


def pick_frame(found: PointMap) -> int:
    """The frame at which the map stands; the button in the map plays from the first one."""
    if len(found.frames) < 2:
        return 0
    if st.session_state.arrived or st.session_state.get("map_frame") not in found.frames:
        asked = st.query_params.get("map_frame")
        st.session_state.map_frame = asked if asked in found.frames else found.frames[-1]
    frame = st.select_slider("Frame", found.frames, key="map_frame")
    to_url("map_frame", [] if frame == found.frames[-1] else [frame])
    return found.frames.index(frame)


def follow_choice(found: PointMap) -> None:
    """Choose the points that a box or a lasso holds; a click adds one point or takes it away. The map then stands at
    the frame that was on show, which their places tell."""
    event = st.session_state[CHART]["selection"]
    at = {int(point["customdata"]["0"]): (point["x"], point["y"]) for point in event["points"] if "customdata" in point}
    if not at:
        st.session_state.map_points = st.session_state[WHOLE] = []
        return
    st.session_state.map_frame = found.frames[reading.frame_at(found, list(at), list(at.values()))]
    ids = [found.row_ids[row] for row in at]
    held = _whole(st.session_state.map_points)
    if not (event["box"] or event["lasso"]):
        ids = [id for id in held if id not in ids] + [id for id in ids if id not in held]
    st.session_state[WHOLE] = ids
    st.session_state.map_points = ids[-reading.MOST_PICKED:]


def _whole(lettered: Sequence[str]) -> list[str]:
    """Every chosen point: what the box or the lasso held, as long as those with letters are the last of it."""
    whole = st.session_state.get(WHOLE, [])
    return list(whole if list(lettered) == whole[-reading.MOST_PICKED:] else lettered)


def take_chosen(found: PointMap, picked: Sequence[int], records: Sequence[dict[str, Any]], title: str) -> None:
    """How many points are chosen, and all of them at every frame as a file."""
    drawn = set(found.row_ids[:found.drawn])
    chosen = set(_whole([found.row_ids[row] for row in picked])) & drawn
    st.download_button("Chosen points (CSV)", lambda: export.table_csv([
        record for record in records if record["row"] in chosen]), f"{title}.csv", "text/csv", key="map chosen csv",
        on_click="ignore", icon=":material/table:", help="A line for each chosen point at each frame: its row, text "
        "and labels, its norm, place and share of new neighbours, and its nearest rows.")
    st.caption(reading.chosen_words(len(chosen), len(picked)))


def neighbours(found: PointMap, picked: Sequence[int], since: str, labels: Sequence[str] | None) -> None:
    """For each chosen point its nearest neighbours at every frame, new ones marked and tinted."""
    long = any(len(reading.told(found, row, labels)) > reading.LONG for row in range(found.searched))
    columns = {frame: st.column_config.TextColumn(width=230 if long else 120) for frame in found.frames}
    tabs = st.tabs([f"{reading.letter(k)} · {plain(reading.told(found, row)[:20])}" for k, row in enumerate(picked)])
    for k, (tab, row) in enumerate(zip(tabs, picked, strict=True)):
        table = DataFrame(reading.neighbour_table(found, row, since, labels))
        tints = DataFrame("", index=table.index, columns=table.columns)
        tints.loc[1:, list(found.frames)] = where(reading.new(found, since)[:, row].T, TINT, "")
        tab.markdown(f"**{reading.letter(k)}: {plain(reading.named(found, row))}**")
        tab.dataframe(table.style.apply(lambda _, tints=tints: tints, axis=None), hide_index=True, height="content",
                      row_height=62 if long else None, alt=f"Nearest neighbours of {reading.named(found, row)}",
                      column_config={"rank": st.column_config.TextColumn(width=50, pinned=True), **columns})
    st.caption(plain(reading.neighbour_words(found, since)))
