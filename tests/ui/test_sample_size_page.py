"""The page of sample sizes: what it offers, draws and says."""

import shlex

import pytest

from analysis import sample_size
from analysis.__main__ import _parser, main, open_store
from analysis.checkpoints.folder import open_run
from analysis.extraction.library import find_probe
from analysis.figures.theme import Style
from analysis.jobs import job
from analysis.keys import Policy
from analysis.representations import Protocol
from analysis.runs import remember
from tests.checkpoints.models import copied, edit_json
from tests.ui.test_pages import charts, healthy, numbers, opened
from ui import cards

STABLE, ALPHA = "Stable rank", "Spectral decay exponent α"


@pytest.fixture
def mine(tiny_run, tmp_path, probe_file):
    """A run named `mine` with a probe of its own that was opened and not computed."""
    folder = copied(tiny_run, tmp_path / "mine")
    edit_json(folder / "run.json", probe=str(probe_file))
    run = open_run(folder)
    remember(open_store(), run)
    return run


@pytest.fixture
def question(probe_file):
    return sample_size.Question(Protocol(find_probe(str(probe_file)), Policy.parse("last")), sample_size.asked(None))


@pytest.fixture
def measured(mine, question):
    sample_size.measure_shares(open_store(), mine.checkpoints[1:], question)
    return mine


def test_the_page_of_a_measured_checkpoint_asks_nothing_and_draws_what_is_stored(measured, question):
    at = opened("sample_size", runs="mine")
    healthy(at)
    assert [title.value for title in at.title] == ["Sample size"] and not at.info
    chart, = charts(at)
    line, = [trace for trace in chart["data"] if trace["name"] == "mine · step8"]
    stored = [r for r in sample_size.records(open_store(), measured, question, ["step8"])
              if r["measure"] == "rankme_covariance"]
    assert numbers(line["y"])[-1] == pytest.approx(stored[-1]["value"]) and stored[-1]["share"] == 1
    said = " ".join(caption.value for caption in at.caption)
    assert all(words in said for words in ("flat at the right", "biased at this n", "8 draws", "rows: last"))
    assert [button.proto.label for button in at.get("download_button")] == [
        "Figure + table", "Figure (HTML)", "Table (CSV)", "Manifest (JSON)"]
    assert any("on half of the documents" in text.value for text in at.markdown)
    has_dotted = any(trace.get("line", {}).get("dash") == "dot" for trace in chart["data"])
    assert ("Dotted: the value at all rows" in said) == has_dotted
    assert any("; corrected, " in text.value for text in at.markdown) == has_dotted
    assert any(expander.label.startswith("How to read") for expander in at.expander)


@pytest.mark.parametrize("query", [{}, {"measure": STABLE, "at": "step1"},
                                   {"measure": ALPHA, "first_rank": "2", "last_rank": "6", "at": "step1"}], ids=str)
def test_what_is_missing_is_offered_with_a_command_that_computes_it(mine, monkeypatch, query):
    calls = []
    monkeypatch.setattr(job, "start", lambda jobs, argv, title: calls.append(argv))
    at = opened("sample_size", runs="mine", **query)
    healthy(at)
    assert not charts(at) and any("not computed yet" in info.value for info in at.info)
    button, = [b for b in at.button if b.label.startswith("Compute ")]
    command, = [code.value for code in at.code if code.value.startswith("python -m analysis ")]
    argv = shlex.split(command)[3:]
    button.click().run()
    assert calls == [argv] and _parser().parse_args(argv).only == [query.get("at", "step8")]
    assert main(argv) == 0
    at = opened("sample_size", runs="mine", **query)
    healthy(at)
    assert charts(at) and not [b for b in at.button if b.label.startswith("Compute ")]


def test_another_setting_is_asked_for_by_name_and_the_usual_measures_together(measured):
    at = opened("sample_size", runs="mine", measure=ALPHA, first_rank="2", last_rank="6")
    healthy(at)
    command, = [code.value for code in at.code if code.value.startswith("python -m analysis ")]
    assert "--measure alpha_weighted_least_squares --set first_rank=2 --set last_rank=6" in command
    at = opened("sample_size", runs="mine", measure=STABLE, at="step0")
    command, = [code.value for code in at.code if code.value.startswith("python -m analysis ")]
    assert "--measure" not in command and "--site final" in command


def test_several_checkpoints_are_several_lines_and_the_first_one_is_asked_for(measured):
    at = opened("sample_size", runs="mine", at=["step0", "step1", "step8"], measure=STABLE)
    healthy(at)
    lines = [trace["name"] for trace in charts(at)[0]["data"] if trace.get("showlegend") is not False]
    assert lines == ["step1", "step8"] and charts(at)[0]["layout"]["legend"]["title"]["text"] == "mine"
    command, = [code.value for code in at.code if code.value.startswith("python -m analysis ")]
    assert "--only step0" in command and "step8" not in command


def test_a_value_that_does_not_exist_says_on_which_share_and_why(measured):
    at = opened("sample_size", runs="mine", measure="RankMe (covariance, extrapolated from halves)")
    healthy(at)
    assert any("final on 0.125 of the documents" in warning.value for warning in at.warning)


def test_without_a_chosen_checkpoint_the_last_of_each_run_is_drawn(measured):
    usual = opened("sample_size", runs="mine")
    at = opened("sample_size", runs="mine", at="step0")
    assert charts(at) != charts(usual)
    at.multiselect(key="at").set_value([]).run()
    healthy(at)
    assert charts(at)[0]["data"] == charts(usual)[0]["data"]


@pytest.mark.parametrize("query", [{"measure": "zzzz"}, {"site": "zzzz"}, {"at": "step99"}], ids=str)
def test_a_wrong_value_in_the_url_leaves_the_default(measured, query):
    at = opened("sample_size", runs="mine", **query)
    healthy(at)
    assert charts(at)[0]["data"] == charts(opened("sample_size", runs="mine"))[0]["data"]


def test_the_table_to_take_away_holds_every_draw(measured, monkeypatch):
    tables = []
    monkeypatch.setattr(cards, "figure", lambda built, records, **about: tables.append(records))
    healthy(opened("sample_size", runs="mine", measure=STABLE))
    assert len(tables[0]) == 33 and {"share", "draw", "n", "d", "value"} <= set(tables[0][0])


def test_the_line_of_the_reference_stands_beside_the_others(measured, question):
    at = opened("sample_size", runs="mine", pin="mine@step1")
    healthy(at)
    line, = [trace for trace in charts(at)[0]["data"] if trace["name"] == "reference mine · step1"]
    stored = [r for r in sample_size.records(open_store(), measured, question, ["step1"])
              if r["measure"] == "rankme_covariance"]
    assert numbers(line["y"])[-1] == pytest.approx(stored[-1]["value"])
    assert line["line"]["color"].lower() == Style().ink.lower()
    assert any("In ink: the reference mine@step1" in caption.value for caption in at.caption)
    assert not at.info


def test_a_reference_without_values_on_shares_is_named(measured):
    at = opened("sample_size", runs="mine", pin="mine@step0")
    healthy(at)
    assert charts(at) and any("on shares of the documents is not computed for the reference mine@step0" in info.value
                              for info in at.info)
