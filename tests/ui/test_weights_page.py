"""The page of weight measures: what it offers, draws and says, on runs whose weights were measured and on others."""

import shlex

import numpy as np
import pytest

from analysis import weights
from analysis.__main__ import _parser, main, open_store
from analysis.checkpoints.folder import open_run
from analysis.jobs import job
from analysis.references import citation
from analysis.runs import find_run, remember
from analysis.weight_measures import MEASURES
from tests.checkpoints.models import copied
from tests.ui.test_pages import charts, healthy, numbers, opened
from ui import cards

HEAD = "embed_out.weight"


@pytest.fixture
def mine(tiny_run, tmp_path):
    """A run named `mine` that was opened and not computed."""
    run = open_run(copied(tiny_run, tmp_path / "mine"))
    remember(open_store(), run)
    return run


@pytest.fixture
def measured(mine):
    weights.measure_weights(open_store(), [mine])
    return mine


def drawn(at):
    """What is drawn of each line, by the name of its run and matrix."""
    chart, = charts(at)
    return {trace["name"]: numbers([np.nan if v is None else v for v in trace["y"]]
                                   if isinstance(trace["y"], list) else trace["y"]) for trace in chart["data"]
            if trace["y"] != [None]}


def test_the_page_of_a_measured_run_asks_nothing_and_warns_of_nothing(measured):
    at = opened("weights", runs="mine")
    healthy(at)
    assert [title.value for title in at.title] == ["Weights"]
    assert not at.info and not at.warning, [shown.value for shown in [*at.info, *at.warning]]


@pytest.mark.parametrize("query", [{}, {"weight_measure": "Relative change of the weights", "reference": "step8"}],
                         ids=["as stored", "since step8"])
def test_what_is_missing_is_offered_with_a_command_that_computes_it(mine, monkeypatch, query):
    calls = []
    monkeypatch.setattr(job, "start", lambda jobs, argv, title: calls.append(argv))
    at = opened("weights", runs="mine", **query)
    healthy(at)
    assert not charts(at) and any("not computed yet" in info.value for info in at.info)
    button, = [b for b in at.button if b.label.startswith("Compute ")]
    command, = [code.value for code in at.code if code.value.startswith("python -m analysis ")]
    argv = shlex.split(command)[3:]
    assert argv == ["weights", "mine", *(["--reference", "step8"] if query else [])]
    button.click().run()
    assert calls == [argv] and _parser().parse_args(argv).run == ["mine"]
    assert main(argv) == 0
    at = opened("weights", runs="mine", **query)
    healthy(at)
    assert charts(at) and not [b for b in at.button if b.label.startswith("Compute ")]


@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: m.name)
def test_every_measure_is_drawn_and_explained(measured, measure):
    at = opened("weights", runs="mine", weight_measure=measure.label)
    healthy(at)
    assert at.selectbox(key="weight_measure").value == measure.name
    text = " ".join(element.value for element in [*at.markdown, *at.caption])
    assert all(part in text for part in (measure.caveats, measure.summary, measure.null, f"`{measure.name}`"))
    assert citation(measure.reference) in text and measure.uncertainty in text
    assert measure.label in str(charts(at)[0]["layout"])
    assert [button.proto.label for button in at.get("download_button")] == [
        "Figure + table", "Figure (HTML)", "Table (CSV)", "Manifest (JSON)"]


def test_the_lines_are_what_the_store_holds(measured):
    lines = drawn(opened("weights", runs="mine", weight_measure="Relative change of the weights"))
    names = weights.default_matrices(weights.matrices(open_store(), [measured]))
    short = weights.short_names(weights.matrices(open_store(), [measured]))
    assert set(lines) == {f"mine · {short[name]}" for name in names} and len(names) == 3
    for name in names:
        stored = weights.records(open_store(), measured, measure="weight_relative_change", sites=[name])
        np.testing.assert_allclose(lines[f"mine · {short[name]}"], [record["value"] for record in stored])


def test_matrices_and_the_reference_are_chosen_by_the_url(measured):
    weights.measure_weights(open_store(), [measured], "step8")
    at = opened("weights", runs="mine", weight_measure="Relative change of the weights", reference="step8",
                matrices="embed_out")
    healthy(at)
    assert at.multiselect(key="matrices").value == [HEAD] and at.selectbox(key="reference").value == "step8"
    line, = drawn(at).values()
    assert line[-1] == 0 and line[0] > 0


def test_an_undefined_value_says_where_and_why(measured):
    at = opened("weights", runs="mine", weight_measure="Stable rank of the change")
    healthy(at)
    assert any("Undefined at mine step0" in w.value and "no change has no rank" in w.value for w in at.warning)


def test_no_matrix_chosen_is_a_sentence(measured):
    at = opened("weights", runs="mine")
    at.multiselect(key="matrices").set_value([]).run()
    healthy(at)
    assert not charts(at) and [info.value for info in at.info] == ["Choose at least one matrix."]


@pytest.mark.parametrize("query", [
    {"weight_measure": "zzzz"}, {"matrices": "zzzz"}, {"axis": "years", "log": "maybe"},
    {"reference": "step99", "weight_measure": "Relative change of the weights"}], ids=str)
def test_a_wrong_value_in_the_url_leaves_the_default(measured, query):
    at = opened("weights", runs="mine", **query)
    healthy(at)
    expected = {"weight_measure": query["weight_measure"]} if "reference" in query else {}
    assert charts(at)[0]["data"] == charts(opened("weights", runs="mine", **expected))[0]["data"]


def test_rows_without_a_model_say_that_they_have_no_weights(tmp_path):
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).standard_normal((40, 5)).astype(np.float32))
    remember(open_store(), find_run(open_store(), str(tmp_path / "rows.npy")))
    at = opened("weights", runs="rows")
    healthy(at)
    assert ["no weights to measure" in info.value for info in at.info] == [True] and not charts(at)


def test_the_table_to_take_away_names_matrices_in_full(measured, monkeypatch):
    tables = []
    monkeypatch.setattr(cards, "figure", lambda built, records, **about: tables.append(records))
    healthy(opened("weights", runs="mine", matrices="embed_out"))
    assert tables == [weights.records(open_store(), measured, measure=MEASURES[0].name, sites=[HEAD])] != [[]]
