"""Every page with a pinned reference: it is drawn, compared with or begun at, or one sentence says why it is not."""

import shlex
from typing import Any

import numpy as np
import pytest

from analysis import compute, dimensions, reference, registry, similarity, spectra, views, weights
from analysis.__main__ import open_store
from analysis.extraction.probes import load_probe
from analysis.figures.theme import Style
from analysis.keys import Policy
from analysis.maps import reading
from analysis.phasing import OURS
from analysis.runs import find_run
from tests.ui.test_pages import MODULAR, SEED_1, charts, healthy, numbers, opened
from ui import cards

SEED_2 = "sotu-neox-seed2"
AT_512, LAST_2, PHASE = f"{SEED_1}@step512", f"{SEED_2}@step16000", f"{SEED_1} · entropy-seeking"
INK = Style().ink
STANDS = "its last checkpoint, step2000"


@pytest.fixture(scope="module")
def protocol():
    return compute.Protocol(load_probe("sotu-held-out"), Policy.parse("last"))


def named(at: Any, start: str, chart: int = 0) -> list[dict[str, Any]]:
    """The drawn traces whose name begins so."""
    return [trace for trace in charts(at)[chart]["data"] if trace.get("name", "").startswith(start)
            and trace["x"] != [None] and not trace["name"].endswith(("interval", "fit"))]


def said(at: Any) -> str:
    return " ".join(shown.value for shown in [*at.caption, *at.info]).replace("\\", "")


def phase(protocol: Any) -> reference.Reference:
    store = open_store()
    run = find_run(store, SEED_1)
    return reference.options(store, [run], [run], protocol, "final")[PHASE]


# --- figures over training ---


def test_both_panels_of_phases_have_the_level_of_the_reference_and_marks(protocol):
    at = opened("phases", pin=PHASE, at="step64")
    healthy(at)
    levels = named(at, "reference")
    for trace, name in zip(levels, (OURS.rank, OURS.decay), strict=True):
        value = phase(protocol).value(open_store(), protocol, "final", registry.get(name), OURS.settings).value
        assert numbers(trace["y"]) == pytest.approx([value, value]), name
        assert trace["line"]["color"] == INK
    assert "mean over its 3 checkpoints" in said(at)
    shapes = charts(at)[0]["layout"]["shapes"]
    assert [shape["x0"] for shape in shapes if shape["line"].get("dash") == "dot"] == [64] * 3


@pytest.mark.parametrize("page", ["overview", "trajectories", "phases", "intrinsic_dimension", "spectra", "weights"])
def test_the_records_of_a_figure_hold_those_of_the_reference(page, monkeypatch):
    tables: list[list[dict[str, Any]]] = []
    monkeypatch.setattr(cards, "figure", lambda built, records, **about: tables.append(records))
    healthy(opened(page, pin=AT_512))
    held = [record for record in tables[0] if record["run"].startswith("reference ")]
    assert held and {record["revision"] for record in held} == {"step512"}


def test_weights_have_the_level_of_the_reference_and_change_since_it():
    at = opened("weights", runs=SEED_1, pin=AT_512)
    healthy(at)
    run = find_run(open_store(), SEED_1)
    names = weights.default_matrices(weights.matrices(open_store(), [run]))
    stored = [record["value"] for record in weights.records(
        open_store(), run, measure="weight_effective_rank", sites=names) if record["revision"] == "step512"]
    assert sorted(numbers(trace["y"])[0] for trace in named(at, "reference")) == pytest.approx(sorted(stored))
    at = opened("weights", weight_measure="Relative change of the weights", pin=AT_512)
    healthy(at)
    assert at.selectbox(key="reference").value == "step512" and "reference" not in at.query_params
    assert any("--reference step512" in code.value for code in at.code)


def test_changes_of_weights_of_runs_without_the_reference_say_that_they_are_not_since_it():
    at = opened("weights", runs=SEED_1, weight_measure="Relative change of the weights", pin=LAST_2)
    healthy(at)
    assert at.selectbox(key="reference").value == "first of each run"
    assert f"not every chosen run has the checkpoint of the reference {LAST_2}" in said(at)


def test_dimension_has_the_profile_of_the_reference_and_its_levels(protocol):
    at = opened("intrinsic_dimension", pin=AT_512)
    healthy(at)
    measure = next(iter(dimensions.estimators().values()))
    stored = {record["site"]: record["value"] for record in compute.of_checkpoint(
        open_store(), find_run(open_store(), SEED_1).at("step512"), protocol, measure, {})}
    profile, = named(at, f"reference {SEED_1}")
    assert dict(zip(profile["x"], numbers(profile["y"]), strict=True)) == pytest.approx(stored)
    levels = {trace["name"].split(" · ")[-1]: numbers(trace["y"])[0] for trace in named(at, "reference", 1)}
    assert levels == pytest.approx({site: stored[site] for site in levels}) and "final" in levels


# --- figures of checkpoints ---


def test_the_spectrum_of_the_reference_is_drawn_in_ink_and_stands_in_the_table(protocol):
    at = opened("spectra", pin=AT_512)
    healthy(at)
    trace, = named(at, "reference")
    run = find_run(open_store(), SEED_1)
    own, = spectra.fitted(open_store(), [run.at("step512")], protocol, "final", spectra.BANDS[spectra.FIRST])
    assert trace["name"] == f"reference {SEED_1} · step512 (α = {own.alpha:.2f})" and trace["line"]["color"] == INK
    np.testing.assert_allclose(numbers(trace["y"]), own.values[own.values > 0])
    row = at.dataframe[0].value.iloc[-1]
    assert (row["run"], row["checkpoint"], row["α 11-50"]) == (f"reference {SEED_1}", "step512", own.alpha)
    assert f"In ink: the reference {AT_512}." in said(at)


def test_a_phase_is_drawn_by_its_last_checkpoint_where_one_is_and_that_is_said():
    at = opened("spectra", pin=PHASE)
    trace, = named(at, "reference")
    assert trace["name"].startswith(f"reference {SEED_1} · step2000") and STANDS in said(at)


def test_the_map_and_the_tree_ring_the_reference_at_every_site():
    at = opened("similarity_map", pin=AT_512)
    healthy(at)
    ring, = named(at, "reference")
    paths = [trace for trace in charts(at)[0]["data"] if trace["name"].startswith(f"{SEED_1} · ")]
    places = {(trace["x"][k], trace["y"][k]) for trace in ({**one, "x": numbers(one["x"]), "y": numbers(one["y"])}
                                                          for one in paths)
              for k, told in enumerate(trace["customdata"]) if told[0] == "step512"}
    assert len(places) == 6 and set(zip(numbers(ring["x"]), numbers(ring["y"]), strict=True)) == places
    assert f"Ring: the reference {AT_512}" in said(at)
    at = opened("similarity_map", show="tree", pin=PHASE)
    ring, = named(at, "reference")
    place = charts(at)[0]["layout"]["yaxis"]
    assert dict(zip(numbers(place["tickvals"]), place["ticktext"], strict=True))[numbers(ring["y"])[0]] == (
        f"{SEED_1} step2000")


# --- fields that begin at it ---


def test_drift_reads_another_run_against_the_pinned_checkpoint(protocol):
    at = opened("drift", pin=AT_512, between="false")
    healthy(at)
    store, measure = open_store(), registry.get("linear_cka_debiased")
    one, other = (find_run(store, name) for name in (SEED_1, SEED_2))
    place = one.checkpoints.index(one.at("step512"))
    own, across = (similarity.matrix(store, views.steps(one, "final"), views.steps(run, "final"), measure,
                                     protocol).values for run in (one, other))
    lines = {trace["name"]: numbers(trace["y"]) for trace in charts(at)[0]["data"]
             if trace.get("mode") == "lines+markers" and trace["x"] != [None]}
    assert lines[f"{SEED_1} · final"] == pytest.approx(own[:, place])
    assert lines[f"{SEED_2} · final"] == pytest.approx(across[place])
    assert at.selectbox(key="reference").value == "the reference"
    assert f"Compared with: the reference {AT_512}" in said(at)


@pytest.mark.parametrize(("page", "query", "fields"), [
    ("similarity", {}, {"run_B": SEED_1, "at_B": "step512"}),
    ("pair", {}, {"pair run b": SEED_1, "pair at b": "step512"}),
    ("stitching", {}, {"receiver": SEED_1, "receiver_at": "step512", "sender": SEED_2, "sender_at": "step16000"}),
    ("stitching", {"runs": SEED_1}, {"receiver_at": "step512", "sender_at": "step0"}),
    ("topology", {}, {"ph_b": f"{AT_512}:final"})], ids=str)
def test_the_second_side_begins_at_the_reference_and_another_choice_wins(page, query, fields):
    at = opened(page, pin=AT_512, **query)
    healthy(at)
    assert {key: at.selectbox(key=key).value for key in fields} == fields
    assert not set(fields) & set(at.query_params), "a default stays out of the URL"
    last = list(fields)[-1]
    other = at.selectbox(key=last).options[0]
    at.selectbox(key=last).set_value(other).run()
    assert at.selectbox(key=last).value == other and at.run().selectbox(key=last).value == other


def test_the_last_checkpoint_of_a_run_that_is_not_chosen_can_be_the_second_side():
    for page, run, at_key in (("similarity", "run_B", "at_B"), ("pair", "pair run b", "pair at b"),
                              ("stitching", "receiver", "receiver_at")):
        at = opened(page, runs=SEED_1, pin=LAST_2)
        healthy(at)
        assert (at.selectbox(key=run).value, at.selectbox(key=at_key).value) == (SEED_2, "step16000"), page
    at = opened("topology", runs=SEED_1, pin=LAST_2)
    healthy(at)
    assert at.selectbox(key="ph_b").value == f"{LAST_2}:final"


def test_runs_are_compared_with_the_reference_among_them():
    at = opened("similarity", by="run × run", pin=AT_512)
    assert at.multiselect(key="ends").value == [f"{SEED_1}@step16000", LAST_2, AT_512]
    at = opened("seed_question", pin=AT_512)
    healthy(at)
    assert at.multiselect(key="networks").value[:2] == [
        f"{SEED_1}@step16000 → {AT_512}", f"{LAST_2} → {AT_512}"]


def test_an_old_link_to_pairs_of_networks_still_chooses_them():
    pair = f"{SEED_1}@step16000 → {LAST_2}"
    at = opened("seed_question", pairs=pair)
    healthy(at)
    assert at.multiselect(key="networks").value == [pair]


def test_distances_of_diagrams_from_the_reference_are_offered_with_a_command():
    at = opened("topology", runs=SEED_1, pin=LAST_2)
    assert not any("--against" in code.value for code in at.code)
    at.segmented_control(key="ph_reference").set_value("the reference").run()
    healthy(at)
    argv, = [shlex.split(code.value)[3:] for code in at.code if "--against" in code.value]
    assert argv[:6] == ["topology", SEED_1, "--site", "final", "--against", LAST_2]
    assert "Distances need two" not in said(at)


def test_neighbours_are_new_since_the_frame_of_the_reference(monkeypatch):
    tables: list[list[dict[str, Any]]] = []
    monkeypatch.setattr(cards, "figure", lambda built, records, **about: tables.append(records))
    at = opened("points", pin=AT_512)
    healthy(at)
    assert at.segmented_control(key="map_since").value == "step512"
    assert {record["new_neighbours"] for record in tables[0] if record["frame"] == "step512"} == {0}
    assert any(record["new_neighbours"] for record in tables[0] if record["frame"] == "step0")
    at.segmented_control(key="map_since").set_value(reading.FIRST).run()
    assert at.segmented_control(key="map_since").value == reading.FIRST
    at = opened("points", pin=LAST_2)
    assert at.segmented_control(key="map_since").value == reading.FIRST
    assert f"No frame of this map is the reference {LAST_2}" in said(at)


def test_a_phase_that_one_checkpoint_stands_for_is_said_on_each_such_page():
    for page in ("similarity", "drift", "pair", "stitching", "seed_question", "topology", "points"):
        at = opened(page, pin=PHASE)
        healthy(at)
        assert "its last checkpoint, step2000 of sotu-neox-seed1, stands for it here" in said(at), page


# --- what cannot be compared ---


@pytest.mark.parametrize("page", ["overview", "trajectories", "phases", "spectra", "weights", "intrinsic_dimension"])
def test_a_reference_that_is_not_computed_on_these_rows_is_named_and_the_rest_is_drawn(page):
    at = opened(page, runs=SEED_1, pin=f"{MODULAR}@step10000", rows="last")
    healthy(at)
    assert charts(at)
    if page == "weights":  # weights are of no rows
        assert named(at, f"reference {MODULAR}")
    else:
        assert f"is not computed for the reference {MODULAR}@step10000" in said(at) and not named(at, "reference")


def test_a_reference_that_is_not_on_the_map_says_so():
    at = opened("similarity_map", runs=[SEED_1, SEED_2], pin=f"{MODULAR}@step10000")
    healthy(at)
    assert f"The reference {MODULAR}@step10000 is not on this map" in said(at) and charts(at)


def test_a_reference_that_came_as_rows_receives_no_stitch():
    at = opened("stitching", runs=SEED_1, pin="known-answers@known-answers")
    healthy(at)
    assert "came as rows, without a model, so nothing can be stitched into it" in said(at)
    assert at.selectbox(key="receiver").value == SEED_1
    at = opened("seed_question", runs=[SEED_1, SEED_2], pin="known-answers@known-answers")
    healthy(at)
    assert "nothing can be stitched into it" in said(at)


def test_a_checkpoint_stays_the_reference_when_its_run_is_no_longer_chosen():
    at = opened("trajectories", runs=["sotu-neox-seed2"], pin="sotu-neox-seed1@step64")
    healthy(at)
    assert at.selectbox(key="pin").value == "sotu-neox-seed1@step64"
    assert any("reference sotu-neox-seed1@step64" in str(trace.get("name")) for trace in charts(at)[0]["data"])
