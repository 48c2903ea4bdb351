"""The page of intrinsic dimension: what it offers, draws and says, and the shuffled probe among the probes."""

import shlex

import pytest

from analysis import compute, dimensions, sample_size
from analysis.__main__ import _parser, main, open_store
from analysis.checkpoints.folder import open_run
from analysis.extraction.library import find_probe
from analysis.extraction.probes import SHUFFLED
from analysis.jobs import job
from analysis.keys import Policy
from analysis.representations import Protocol
from analysis.runs import remember
from tests.checkpoints.models import copied, edit_json
from tests.ui.test_pages import charts, healthy, numbers, opened
from ui import cards

GRIDE, TWONN = dimensions.ESTIMATORS[:2]


@pytest.fixture
def mine(tiny_run, tmp_path, probe_file):
    """A run named `mine` with a probe of its own that was opened and not computed."""
    folder = copied(tiny_run, tmp_path / "mine")
    edit_json(folder / "run.json", probe=str(probe_file))
    run = open_run(folder)
    remember(open_store(), run)
    return run


@pytest.fixture
def protocol(probe_file):
    return Protocol(find_probe(str(probe_file)), Policy.parse("last"))


@pytest.fixture
def measured(mine, protocol):
    """Every estimator, on the texts and on shuffled tokens, and GRIDE on shares of the documents."""
    measures = [*dimensions.estimators().values(), dimensions.by_scale()]
    for one in (protocol, dimensions.control(protocol)):
        compute.sweep(open_store(), [mine], one, measures)
    question = sample_size.Question(protocol, (dimensions.estimators()[GRIDE],))
    sample_size.measure_shares(open_store(), mine.checkpoints[2:], question)
    return mine


def commands(at):
    """The argv that each offer names."""
    return [shlex.split(code.value)[3:] for code in at.code if code.value.startswith("python -m analysis ")]


def test_a_measured_run_asks_nothing_and_draws_four_figures_and_a_table(measured, protocol):
    at = opened("intrinsic_dimension", runs="mine")
    healthy(at)
    assert [title.value for title in at.title] == ["Intrinsic dimension"] and not at.info
    assert [head.value for head in at.subheader] == ["Over depth", "Over training", "At one checkpoint",
                                                     "Would more texts change it?"]
    assert len(charts(at)) == 4 and len(at.dataframe) >= 1
    stored = compute.records(open_store(), measured, probe=protocol.probe.identity, measure=GRIDE, site="final")
    line, = [trace for trace in charts(at)[1]["data"] if trace["name"] == "mine · final" and trace["mode"] != "lines"]
    assert numbers(line["y"]) == pytest.approx([record["value"] for record in stored])


def test_every_figure_and_table_has_the_lower_bound_and_the_published_caution_beside_it(measured):
    at = opened("intrinsic_dimension", runs="mine")
    beside = [caption.value for caption in at.caption if "Above about 20 this is a lower bound" in caption.value]
    assert len(beside) == len(charts(at)) + 1
    assert all("Schulte & Rügamer 2026" in said for said in beside)
    assert any("Schulte & Rügamer 2026" in warning.value for warning in at.warning)
    for chart in charts(at):
        assert "above about 20: a lower bound" in [note["text"] for note in chart["layout"]["annotations"]]


def test_both_controls_are_drawn_in_profile_curve_and_trajectory(measured):
    for chart in charts(opened("intrinsic_dimension", runs="mine"))[:3]:
        listed = [trace["name"] for trace in chart["data"] if trace.get("showlegend") is not False]
        assert dimensions.FIRST in listed and dimensions.SHUFFLED in listed
        dashes = {trace["line"].get("dash") for trace in chart["data"] if "line" in trace}
        assert "dot" in dashes and "dash" in dashes


def test_the_table_holds_every_estimator_beside_its_controls(measured):
    table = opened("intrinsic_dimension", runs="mine").dataframe[0].value
    assert list(table["estimator"]) == [m.label for m in dimensions.estimators().values()]
    twonn = table.set_index("estimator").loc[dimensions.estimators()[TWONN].label]
    assert all(twonn[name] > 0 for name in ("value", dimensions.FIRST, dimensions.SHUFFLED))
    assert (twonn["rows"], twonn["duplicates left out"]) == (48, 0)


def test_what_is_missing_is_offered_with_commands_that_compute_it(mine, monkeypatch):
    calls = []
    monkeypatch.setattr(job, "start", lambda jobs, argv, title: calls.append(argv))
    at = opened("intrinsic_dimension", runs="mine", estimator=dimensions.estimators()[TWONN].label)
    healthy(at)
    assert not charts(at) and len(at.info) == 2
    argvs = commands(at)
    plain, shuffled = (_parser().parse_args(argv) for argv in argvs)
    assert plain.measure == shuffled.measure == [TWONN]
    assert shuffled.probe == f"{plain.probe}{SHUFFLED}"
    button = next(b for b in at.button if b.label.startswith("Compute "))
    button.click().run()
    assert calls == [argvs[0]]
    for argv in argvs:
        assert main(argv) == 0
    at = opened("intrinsic_dimension", runs="mine", estimator=dimensions.estimators()[TWONN].label)
    healthy(at)
    assert len(charts(at)) == 2, "over depth and over training"
    rest = commands(at)
    assert [argv[0] for argv in rest] == ["sweep", "sweep", "sample-size"]
    assert _parser().parse_args(rest[0]).only == ["step0", "step8"]
    for argv in rest:
        assert main(argv) == 0
    at = opened("intrinsic_dimension", runs="mine", estimator=dimensions.estimators()[TWONN].label)
    healthy(at)
    assert len(charts(at)) == 4 and not commands(at)


def test_another_setting_is_offered_with_its_number(measured):
    mle = dimensions.estimators()["intrinsic_dimension_mle"]
    at = opened("intrinsic_dimension", runs="mine", estimator=mle.label, **{mle.params[0].name: "7"})
    healthy(at)
    assert all(f"{mle.params[0].name}=7" in argv for argv in commands(at)) and len(commands(at)) >= 2


def test_on_the_shuffled_probe_the_control_is_not_offered_and_the_reason_is_said(measured, probe_file):
    at = opened("intrinsic_dimension", runs="mine", probe=f"{probe_file}{SHUFFLED}")
    healthy(at)
    assert any("No control of shuffled tokens" in info.value for info in at.info)
    assert at.selectbox(key="probe").value == f"{probe_file}{SHUFFLED}"
    assert "words-4" not in str(at.selectbox(key="rows").options)
    assert all(not argv.count(f"{probe_file}{SHUFFLED}{SHUFFLED}") for argv in commands(at))


def test_rows_of_words_have_no_control_and_the_page_says_so(measured):
    at = opened("intrinsic_dimension", runs="mine", rows="words-4")
    healthy(at)
    assert any("rows words-4 are of words" in info.value for info in at.info)


def test_the_shuffled_version_of_the_own_and_the_default_probe_can_be_chosen(mine, probe_file):
    options = opened("trajectories", runs="mine").selectbox(key="probe").options
    assert [name for name in options if name.endswith(SHUFFLED)] == [f"{probe_file}{SHUFFLED}",
                                                                      f"sotu-held-out{SHUFFLED}"]
    images = opened("trajectories", runs="vit-digits-pixels-seed1").selectbox(key="probe").options
    assert [name for name in images if name.endswith(SHUFFLED)] == [f"sotu-held-out{SHUFFLED}"]


@pytest.mark.parametrize("query", [{"estimator": "zzzz"}, {"site": "zzzz"}, {"at": "step99"}, {"checkpoint": "x"},
                                   {"sites": "zzzz"}], ids=str)
def test_a_wrong_value_in_the_url_leaves_the_default(measured, query):
    at = opened("intrinsic_dimension", runs="mine", **query)
    healthy(at)
    assert len(charts(at)) == 4


def test_the_chosen_sites_are_drawn_over_training_and_a_spread_of_them_where_none_is(measured):
    usual = charts(opened("intrinsic_dimension", runs="mine"))
    at = opened("intrinsic_dimension", runs="mine", sites="embedding")
    assert all(trace["name"].split(" · ")[-1].startswith("embedding") for trace in charts(at)[1]["data"]
               if trace.get("mode") == "lines+markers" and trace["x"] != [None])
    at.multiselect(key="sites").set_value([]).run()
    healthy(at)
    assert charts(at)[1]["data"] == usual[1]["data"] and len(charts(at)) == len(usual)


def test_the_tables_to_take_away_name_the_control_of_each_value(measured, monkeypatch):
    tables = {}
    monkeypatch.setattr(cards, "figure", lambda built, records, *, key, **about: tables.update({key: records}))
    healthy(opened("intrinsic_dimension", runs="mine"))
    assert set(tables) == {"profile", "training", "by_scale", "sizes"}
    for key in ("profile", "training", "by_scale"):
        assert {record["control"] for record in tables[key]} == {"", dimensions.FIRST, dimensions.SHUFFLED}
    assert {record["scale"] for record in tables["by_scale"]} >= {1, 2, 4, 8}
