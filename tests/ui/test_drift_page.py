"""The page of similarity over training: what it offers, draws and says."""

import shlex

import pytest

from analysis.__main__ import main, open_store
from analysis.checkpoints.folder import open_run
from analysis.jobs import job
from analysis.runs import remember
from tests.checkpoints.models import copied, edit_json
from tests.ui.test_pages import charts, healthy, numbers, opened
from ui import cards


@pytest.fixture(scope="module")
def two(tiny_run, tmp_path_factory, probe_file):
    """Folders of two runs with the same steps, one of which begins and ends the other way round."""
    root = tmp_path_factory.mktemp("two")
    for name in ("mine", "yours"):
        edit_json(copied(tiny_run, root / name) / "run.json", name=name, probe=str(probe_file))
    (root / "yours" / "step0").rename(root / "yours" / "kept")
    (root / "yours" / "step8").rename(root / "yours" / "step0")
    (root / "yours" / "kept").rename(root / "yours" / "step8")
    return root


@pytest.fixture
def known(two):
    for name in ("mine", "yours"):
        remember(open_store(), open_run(two / name))


def compare(probe_file, *runs, site="final", measure="linear_cka_debiased"):
    argv = ["compare", *runs, "--by", "step", "--site", site, "--measure", measure, "--probe", str(probe_file)]
    assert main([*argv, "--policy", "last"]) == 0


@pytest.fixture
def compared(known, probe_file):
    for runs in (("mine",), ("yours",), ("mine", "yours")):
        compare(probe_file, *runs)


def page(**query):
    return opened("drift", **query)


def commands(at):
    return [shlex.split(code.value)[3:] for code in at.code if code.value.startswith("python -m analysis ")]


def lines(at):
    chart, = charts(at)
    return {trace["name"]: trace for trace in chart["data"] if trace.get("mode") == "lines+markers"}


def test_what_is_missing_is_offered_with_a_command_that_computes_it(known, monkeypatch):
    calls = []
    monkeypatch.setattr(job, "start", lambda jobs, argv, title: calls.append(argv))
    at = page(runs="mine")
    healthy(at)
    assert not charts(at) and any("not computed yet" in info.value for info in at.info)
    argv, = commands(at)
    assert argv[:3] == ["compare", "mine", "--by"]
    next(button for button in at.button if button.label.startswith("Compute ")).click().run()
    assert calls == [argv] and main(argv) == 0
    at = page(runs="mine")
    healthy(at)
    assert not commands(at)
    assert numbers(lines(at)["mine · final"]["y"])[0] == pytest.approx(1)


def test_two_runs_at_the_same_steps_have_a_line_between_them_from_a_matrix_of_its_own(compared):
    at = page(runs=["mine", "yours"])
    healthy(at)
    found = lines(at)
    assert set(found) == {"mine · final", "yours · final", "mine × yours · final"}
    between = numbers(found["mine × yours · final"]["y"])
    assert between[1] == pytest.approx(1) and between[0] == pytest.approx(between[2]) and between[0] < 0.99
    said = " ".join(caption.value for caption in at.caption)
    assert all(words in said for words in ("n = 48 rows", "rows: last", "95 % interval", "shuffled"))
    assert [button.proto.label for button in at.get("download_button")] == [
        "Figure + table", "Figure (HTML)", "Table (CSV)", "Manifest (JSON)"]


@pytest.mark.parametrize(("reference", "one"), [("its last checkpoint", 2), ("step1", 1)])
def test_the_reference_of_the_url_is_where_the_line_is_1(compared, reference, one):
    at = page(runs="mine", reference=reference)
    healthy(at)
    values = numbers(lines(at)["mine · final"]["y"])
    assert values[one] == pytest.approx(1) and sum(values > 0.999) == 1
    assert at.query_params["reference"] in (reference, [reference])


def test_the_same_step_of_the_other_run_can_be_the_only_line(compared):
    at = page(runs=["mine", "yours"], reference="the same step of the other runs")
    healthy(at)
    assert set(lines(at)) == {"mine × yours · final"}


def test_lines_between_runs_are_left_out_on_request_and_ask_for_nothing(known, probe_file):
    compare(probe_file, "mine"), compare(probe_file, "yours")
    at = page(runs=["mine", "yours"], between="false")
    healthy(at)
    assert set(lines(at)) == {"mine · final", "yours · final"} and not commands(at)


def test_when_no_site_is_chosen_the_deepest_is_drawn(compared):
    at = page(runs="mine", sites="block 1")
    at.multiselect(key="sites").set_value([]).run()
    healthy(at)
    assert charts(at)[0]["data"] == charts(page(runs="mine"))[0]["data"]


@pytest.mark.parametrize("query", [{"reference": "step99"}, {"sites": "block 99"}, {"similarity": "zzzz"},
                                   {"axis": "years", "log": "perhaps"}, {"between": "maybe"}], ids=str)
def test_a_wrong_value_in_the_url_leaves_the_default(compared, query):
    at = page(runs="mine", **query)
    healthy(at)
    assert charts(at)[0]["data"] == charts(page(runs="mine"))[0]["data"]


def test_the_table_to_take_away_holds_both_checkpoints_of_every_value(compared, monkeypatch):
    tables = []
    monkeypatch.setattr(cards, "figure", lambda built, records, **about: tables.append(records))
    healthy(page(runs=["mine", "yours"]))
    assert len(tables[0]) == 9
    assert {"value", "low", "high", "threshold", "p", "fingerprint", "fingerprint_reference"} <= set(tables[0][0])
