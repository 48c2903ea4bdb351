"""Every page on the bundled runs: it draws what is stored, restores a selection from its URL, survives a wrong one."""

import base64
import json
from functools import cache
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from analysis import compute, registry, weight_measures
from analysis.__main__ import PROJECT, open_store
from analysis.extraction.probes import load_probe
from analysis.keys import Policy
from analysis.references import citation
from analysis.runs import find_run
from analysis.sweeping import OPENS_ON

TITLES = {"overview": "How did the representation change?", "trajectories": "Trajectories", "spectra": "Spectra",
          "similarity": "Similarity", "measures": "Measures"}
FIGURES = ("overview", "trajectories", "spectra", "similarity")
SEED_1, MODULAR = "sotu-neox-seed1", "modular-addition"
MEASURES = registry.usual()


def opened(page: str, **query: Any) -> AppTest:
    """The page as a browser that follows a link to it shows it."""
    st.cache_resource.clear()  # the store of another test
    at = AppTest.from_file(PROJECT / "ui" / "main.py", default_timeout=60)
    at.switch_page(f"../pages/{page}.py")
    for name, value in query.items():
        at.query_params[name] = value
    return at.run()


def healthy(at: AppTest) -> None:
    assert not at.exception, at.exception[0].value
    assert [shown.value for shown in at.error] == []


def charts(at: AppTest) -> list[dict[str, Any]]:
    return [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]


def numbers(value: Any) -> np.ndarray:
    """Numbers as plotly writes them into JSON: a list, or base64 of their bytes."""
    if isinstance(value, dict):
        return np.frombuffer(base64.b64decode(value["bdata"]), dtype=value["dtype"]).astype(float)
    return np.array(value, dtype=float)


@cache
def default_data(page: str) -> str:
    """What the page draws for a visitor without a selection."""
    return json.dumps(charts(opened(page))[0]["data"])


# --- every page ---


@pytest.mark.parametrize("page", TITLES)
def test_a_page_runs_on_the_bundled_runs_without_error_warning_or_question(page):
    at = opened(page)
    healthy(at)
    assert [title.value for title in at.title] == [TITLES[page]]
    assert not at.warning and not at.info, "the bundled results are complete, so nothing is left to compute"
    assert dict(at.query_params) == {}, "defaults stay out of the URL"


def test_the_script_that_streamlit_is_started_with_draws_the_overview():
    at = AppTest.from_file(PROJECT / "app.py", default_timeout=60).run()
    healthy(at)
    assert [title.value for title in at.title] == [TITLES["overview"]]


@pytest.mark.parametrize("page", FIGURES)
def test_a_figure_has_its_caption_its_three_files_and_how_to_read_it(page):
    at = opened(page)
    drawn = charts(at)
    assert len(drawn) == (3 if page == "overview" else 1), "the overview goes on to spectrum and points"
    for chart in drawn:
        assert any(len(trace.get("y", trace.get("z", ()))) > 0 for trace in chart["data"])
    said = " ".join(caption.value for caption in at.caption)
    assert load_probe("sotu-held-out").identity in said and "rows: last" in said
    assert "n = 1145" in said
    assert [button.proto.label for button in at.get("download_button")] == [
        "Figure + table", "Figure (HTML)", "Table (CSV)", "Manifest (JSON)"] * len(drawn)
    assert any(expander.label.startswith("How to read") for expander in at.expander)


def test_the_line_on_the_trajectories_page_is_what_the_store_holds():
    store = open_store()
    stored = compute.records(store, find_run(store, SEED_1), probe=load_probe("sotu-held-out").identity, policy="last",
                             measure="stable_rank", site="block 2")
    chart, = charts(opened("trajectories", runs=SEED_1, measure="Stable rank", sites="block 2"))
    drawn = [numbers(trace["y"]) for trace in chart["data"] if trace.get("y") is not None]
    expected = np.array([record["value"] for record in stored])
    assert len(expected) == 20
    assert any(len(y) == 20 and np.allclose(y, expected, rtol=1e-6) for y in drawn)


def test_the_number_on_the_overview_is_the_last_stored_value():
    store = open_store()
    stored = compute.records(store, find_run(store, SEED_1), probe=load_probe("sotu-held-out").identity, policy="last",
                             measure="rankme_covariance", site="final")
    at = opened("overview", runs=SEED_1)
    assert [(metric.label, metric.value) for metric in at.metric] == [
        (f"{SEED_1}: RankMe at the end", f"{stored[-1]['value']:.1f}")]


def test_the_overview_lists_every_run_with_its_extent():
    table = opened("overview").dataframe[0].value
    assert set(table["run"]) == {SEED_1, "sotu-neox-seed2", MODULAR, "known-answers", *(
        f"vit-digits-{view}-seed{seed}" for view in ("persistence", "pixels") for seed in (1, 2))}
    row = table.set_index("run").loc[SEED_1]
    assert (row["checkpoints"], row["first"], row["last"]) == (20, "step0", "step16000")


@pytest.mark.parametrize("measure", [m for m in registry.usual() if (m.arity, m.returns) == (1, "scalar")],
                         ids=lambda m: m.name)
def test_every_scalar_measure_can_be_chosen_and_is_drawn(measure):
    at = opened("trajectories", measure=measure.label)
    healthy(at)
    assert at.selectbox(key="measure").value == measure.name
    assert measure.label in str(charts(at)[0]["layout"]) and measure.caveats in " ".join(m.value for m in at.markdown)


@pytest.mark.parametrize("by", ["layer × layer", "step × step"])
@pytest.mark.parametrize("measure", [registry.get(name) for name in OPENS_ON], ids=lambda m: m.name)
def test_the_usual_similarities_are_drawn_layer_by_layer_and_step_by_step(measure, by):
    at = opened("similarity", similarity=measure.label, by=by)
    healthy(at)
    assert at.selectbox(key="similarity").value == measure.name
    (heat,) = [trace for trace in charts(at)[0]["data"] if trace["type"] == "heatmap"]
    store = open_store()
    runs = [find_run(store, name) for name in (SEED_1, "sotu-neox-seed2")]
    protocol = compute.Protocol(load_probe("sotu-held-out"), Policy.parse("last"))
    size = 20 if by == "step × step" else len(compute.sites(store, runs, protocol))
    assert len(heat["x"]) == len(heat["y"]) == size


@pytest.mark.parametrize("measure", [m for m in registry.of_kind(arity=2, returns="scalar") if m.name not in OPENS_ON],
                         ids=lambda m: m.name)
def test_every_other_similarity_is_offered_with_the_command_that_computes_it(measure):
    at = opened("similarity", similarity=measure.label)
    healthy(at)
    assert at.selectbox(key="similarity").value == measure.name and not charts(at)
    assert f"--measure {measure.name}" in " ".join(code.value for code in at.code)
    assert any(button.label.startswith("Compute") for button in at.button)


def test_the_measures_page_holds_each_record_and_its_citation():
    at = opened("measures")
    text = " ".join(element.value for element in [*at.markdown, *at.caption])
    equations = [code.value for code in at.code]
    for measure in (*registry.all_measures().values(), *weight_measures.MEASURES):
        assert f"`{measure.name}`" in text and measure.summary in text and measure.caveats in text
        assert citation(measure.reference) in text and measure.equation in equations


def test_finding_a_measure_leaves_the_others_out():
    at = opened("measures", find="lidar")
    shown = {m.name for m in MEASURES if any(f"`{m.name}` ·" in element.value for element in at.markdown)}
    assert shown == {m.name for m in MEASURES
                     if "lidar" in f"{m.name} {m.label} {m.summary} {m.caveats}".lower()} and "lidar" in shown
    assert at.text_input(key="find").value == "lidar" and len(shown) < len(MEASURES)


def test_measures_of_weights_stand_in_groups_of_their_own_and_empty_groups_are_left_out():
    assert [group.value for group in opened("measures").subheader] == [
        "Of one representation", "Of two representations", "Of a weight matrix", "Of the change of a weight matrix"]
    at = opened("measures", find="weight_relative_change")
    healthy(at)
    assert [group.value for group in at.subheader] == ["Of the change of a weight matrix"]


def test_finding_nothing_says_so():
    at = opened("measures", find="zzzz")
    assert at.info, "an empty page does not tell what to do"


# --- the URL ---


@pytest.mark.parametrize(("page", "query"), [
    ("trajectories", {"runs": [MODULAR], "measure": "Stable rank", "sites": ["embedding", "final"], "axis": "tokens",
                      "log": "false", "below": "train_accuracy"}),
    ("spectra", {"runs": ["sotu-neox-seed2"], "sites": ["block 3"], "at": ["step0", "step8000"], "first_rank": "5",
                 "last_rank": "40"}),
    ("similarity", {"similarity": "Linear CKA, biased", "by": "step × step", "run_A": "sotu-neox-seed2"}),
    ("similarity", {"at_A": "step512", "at_B": "step64"}),
    ("overview", {"runs": [SEED_1], "rows": "mean"}),
    ("overview", {"runs": [SEED_1], "probe": "numbers-mod-59"})], ids=str)
def test_a_selection_is_restored_from_the_url_and_stays_there(page, query):
    at = opened(page, **query)
    healthy(at)
    labels = {"measure": "stable_rank", "similarity": "linear_cka_biased", "by": "step", "rows": "mean"}
    for name, value in query.items():
        shown = at.session_state[name]
        expected = labels.get(name, value)
        assert shown == expected or str(shown).lower() == expected, name
        kept = at.query_params[name]
        assert kept == value or [kept] == value, name


def test_choosing_on_the_page_draws_what_the_url_of_that_choice_draws():
    at = opened("trajectories")
    at.selectbox(key="measure").set_value("participation_ratio").run()
    at.multiselect(key="sites").set_value(["block 1"]).run()
    healthy(at)
    assert charts(at)[0]["data"] == charts(opened("trajectories", measure="Participation ratio",
                                                  sites="block 1"))[0]["data"]


@pytest.mark.parametrize(("page", "query"), [
    *((page, {"runs": "no-such-run"}) for page in FIGURES), *((page, {"probe": "no-such-probe"}) for page in FIGURES),
    ("overview", {"probe": "/etc/passwd"}), ("overview", {"rows": "every-0"}), ("trajectories", {"measure": "zzzz"}),
    ("trajectories", {"sites": "block 99"}), ("trajectories", {"axis": "years", "log": "perhaps"}),
    ("spectra", {"at": "step3", "site": "block x"}), ("spectra", {"first_rank": "minus one", "last_rank": "-3"}),
    ("similarity", {"run_A": "zzzz", "run_B": "", "at_A": "step3", "by": "colour"}),
    ("similarity", {"runs": "<script>alert(1)</script>"})], ids=str)
def test_a_wrong_value_in_the_url_leaves_the_default_and_does_not_crash(page, query):
    at = opened(page, **query)
    healthy(at)
    assert json.dumps(charts(at)[0]["data"]) == default_data(page)
    assert not set(query) & set(at.query_params), "the wrong value does not stay in the URL"


def test_a_known_run_beside_an_unknown_one_is_kept():
    at = opened("trajectories", runs=["no-such-run", SEED_1])
    healthy(at)
    assert SEED_1 in at.multiselect(key="runs").value


def test_a_run_chosen_by_url_comes_with_its_own_probe():
    at = opened("overview", runs=MODULAR)
    assert at.selectbox(key="probe").value == "sums-mod-59"
    assert not at.info


def test_choosing_a_run_of_another_probe_switches_the_probe():
    at = opened("trajectories")
    at.multiselect(key="runs").set_value([MODULAR]).run()
    healthy(at)
    assert at.selectbox(key="probe").value == "sums-mod-59"
    assert charts(at)


def test_a_window_without_three_ranks_is_a_sentence():
    at = opened("spectra", first_rank="49")
    assert [error.value for error in at.error] == [
        "The window needs at least 3 ranks: raise the last rank or lower the first."]
    assert not charts(at)
