"""The page Topology: what it offers, that nothing stands without its null, and that its state lives in the URL."""

import shlex

import pytest
import streamlit as st

from analysis.__main__ import _parser, main, open_store
from analysis.checkpoints.folder import open_run
from analysis.extraction.library import find_probe
from analysis.jobs import job
from analysis.keys import Policy
from analysis.representations import Protocol
from analysis.runs import remember
from analysis.topology import draws, reading
from analysis.topology.computing import Question
from tests.checkpoints.models import copied, edit_json
from tests.ui.test_pages import charts, healthy, numbers, opened
from ui import cards, topology_choice

SMALL = {"ph_points": "20", "ph_draws": "4", "ph_surrogates": "19"}
ASKED = Question(points=20, draws=4, surrogates=19)
OPTIONS = ["--points", "20", "--draws", "4", "--surrogates", "19"]


def open_mine(folder, tiny_run, probe_file):
    edit_json(copied(tiny_run, folder) / "run.json", name="mine", probe=str(probe_file))
    run = open_run(folder)
    remember(open_store(), run)
    return run


@pytest.fixture
def mine(tiny_run, tmp_path, probe_file, few_points):
    """A run named `mine` with a probe of its own that was opened and not computed."""
    return open_mine(tmp_path / "mine", tiny_run, probe_file)


@pytest.fixture
def few_points(monkeypatch):
    """Disjoint draws of the twelve documents of the probe, which would be too small to say anything."""
    monkeypatch.setattr(draws, "FEWEST", 3)


@pytest.fixture(scope="module")
def kept(tiny_run, tmp_path_factory, probe_file):
    """A cache with the topology of `mine`: all checkpoints at its last site, and two at its first."""
    folder = tmp_path_factory.mktemp("topology")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPLORER_CACHE", str(folder / "cache"))
        patch.setattr(draws, "FEWEST", 3)
        run = open_mine(folder / "mine", tiny_run, probe_file)
        assert main(["topology", "mine", "--probe", str(probe_file), *OPTIONS]) == 0
        assert main(["topology", "mine", "--probe", str(probe_file), *OPTIONS, "--site", "embedding", "--only", "step0",
                     "--only", "step8"]) == 0
    return folder / "cache", run


@pytest.fixture
def computed(kept, monkeypatch):
    monkeypatch.setenv("EXPLORER_CACHE", str(kept[0]))
    return kept[1]


def page(**query):
    return opened("topology", **{"runs": "mine", **SMALL} | query)


def commands(at):
    return [shlex.split(code.value)[3:] for code in at.code if code.value.startswith("python -m analysis ")]


def said(at):
    return " ".join(element.value for element in [*at.markdown, *at.caption, *at.subheader, *at.info])


def test_what_is_missing_is_offered_with_a_command_that_computes_it(mine, monkeypatch):
    calls = []
    monkeypatch.setattr(job, "start", lambda jobs, argv, title: calls.append(argv))
    at = page()
    healthy(at)
    assert not charts(at) and "computed for 0 of 3 representations" in at.info[0].value
    assert "clouds of 20 points" in at.info[0].value, "it says what it will take"
    argv, = commands(at)
    asked = _parser().parse_args(argv)
    assert (asked.points, asked.draws, asked.surrogates, asked.site) == (20, 4, 19, ["final"])
    next(b for b in at.button if b.label.startswith("Compute ")).click().run()
    assert calls == [argv] and main(argv) == 0
    at = page()
    healthy(at)
    assert len(charts(at)) == 7 and not at.info and not commands(at)


def test_some_checkpoints_are_shown_and_the_others_offered(mine, probe_file):
    assert main(["topology", "mine", "--only", "step1", "--probe", str(probe_file), *OPTIONS]) == 0
    at = page()
    healthy(at)
    assert "computed for 1 of 3 representations" in at.info[0].value and charts(at)
    assert any("two computed checkpoints" in info.value for info in at.info)
    assert len(commands(at)) == 1


def test_the_line_is_what_is_stored_and_both_nulls_are_behind_it(computed, probe_file):
    at = page()
    chart = charts(at)[0]
    protocol = Protocol(find_probe(str(probe_file)), Policy.parse("last"))
    stored = reading.over_training(reading.records(open_store(), [computed], ["final"], protocol, ASKED), "longest", 1)
    line = next(trace for trace in chart["data"] if trace["name"] == "mine · final")
    assert numbers(line["y"]).tolist() == pytest.approx([one["value"] for one in stored])
    bands = [trace for trace in chart["data"] if trace.get("fillpattern", {}).get("shape")]
    assert len(bands) == 2 and len(stored) == 3
    table = at.dataframe[0].value
    assert list(table["p, matched"]) == [one["p_matched"] for one in stored]


@pytest.mark.parametrize("summary", reading.LABELS.values())
@pytest.mark.parametrize("of", ["H0: components", "H1: loops"])
def test_every_summary_of_every_dimension_is_drawn_before_both_nulls(computed, summary, of):
    at = page(ph_summary=summary, ph_of=of)
    healthy(at)
    first = charts(at)[0]
    assert sum(bool(trace.get("fillpattern", {}).get("shape")) for trace in first["data"]) == 2
    assert summary in str(first["layout"]["yaxis"]["title"]) and of[:2] in str(first["layout"]["yaxis"]["title"])
    assert at.selectbox(key="ph_summary").value in reading.LABELS and at.query_params.get("ph_points")


def test_the_page_says_the_verdict_the_looks_the_protocol_and_how_to_read_it(computed):
    at = page()
    for part in ("The longest H1 bar (", "95 % of 19 surrogates", "0.05 × 3 = 0.15", "20 points a cloud", "rows: last",
                 "4 draws", "Hatched", "What a bar is", "p is of the first draw", "Robinson"):
        assert part in said(at), part
    assert [shown.value for shown in at.subheader] == [
        "How far do diagrams move?", "One representation", "Do two representations differ?"]


def test_one_representation_and_two_sides_are_restored_from_the_url(computed):
    query = {"ph_at": "mine@step1:final", "ph_a": "mine@step1:final", "ph_b": "mine@step0:final",
             "ph_distance": "Bottleneck distance, H1", "ph_reference": "the last checkpoint"}
    at = page(**query)
    healthy(at)
    for key in ("ph_at", "ph_a", "ph_b"):
        assert at.selectbox(key=key).value == query[key]
    assert at.selectbox(key="ph_distance").value == "bottleneck_h1"
    for name, value in (SMALL | query).items():
        kept = at.query_params[name]
        assert kept == value or kept == [value], name


@pytest.mark.parametrize("wrong", [{"ph_at": "mine@step9:final"}, {"ph_a": "zzz"}, {"ph_summary": "zzz"},
                                   {"ph_of": "H7"}, {"ph_distance": "x"}, {"ph_dim": "H9"},
                                   {"ph_seed": "many"}], ids=str)
def test_a_wrong_value_in_the_url_leaves_the_default(computed, wrong):
    at = page(**wrong)
    healthy(at)
    assert not set(wrong) & set(at.query_params)
    assert at.selectbox(key="ph_at").value == "mine@step8:final"


def test_another_run_or_setting_does_not_keep_a_representation_that_is_not_there(computed):
    at = page(ph_at="mine@step1:final")
    at.multiselect(key="sites").set_value(["embedding"]).run()
    healthy(at)
    assert at.selectbox(key="ph_at").value == "mine@step8:embedding"


def test_a_click_on_a_point_shows_its_representation(computed, monkeypatch):
    state = {"ph over": {"selection": {"points": [{"customdata": ["step1", "mine", "final", "told"]}]}}}
    monkeypatch.setattr(st, "session_state", type("State", (dict,), {"__setattr__": dict.__setitem__})(state))
    topology_choice.follow_click()
    assert st.session_state["ph_at"] == "mine@step1:final"
    st.session_state["ph over"] = {"selection": {"points": [{"x": 1}]}}
    topology_choice.follow_click()
    assert st.session_state["ph_at"] == "mine@step1:final", "a band has no representation"


def test_settings_that_cannot_be_computed_are_a_sentence(computed):
    at = page(ph_points="400", ph_dim="H2")
    assert not at.exception and "between" in at.error[0].value and not charts(at)


def test_when_no_site_is_chosen_the_deepest_is_drawn(computed):
    at = page(sites="block 1")
    at.multiselect(key="sites").set_value([]).run()
    healthy(at)
    assert charts(at)[0]["data"] == charts(page())[0]["data"]


def test_rows_too_few_for_other_draws_are_one_cloud_and_two_sides_are_not_tested(mine, probe_file):
    assert main(["topology", "mine", "--probe", str(probe_file), "--points", "300", "--draws", "1", "--surrogates",
                 "19"]) == 0
    at = page(ph_points="300", ph_draws="1")
    healthy(at)
    assert "all distinct rows in one cloud" in said(at) and "share no document" in said(at)
    assert len(charts(at)) == 6 and "standard deviation" not in said(at)


def test_the_tables_to_take_away_hold_every_bar_with_its_thresholds(computed, monkeypatch):
    tables = {}
    monkeypatch.setattr(cards, "figure", lambda built, records, key, **about: tables.update({key: records}))
    healthy(page())
    assert all({"matched_threshold", "shuffled_threshold"} <= set(bar) for bar in tables["ph diagram"])
    assert all(one["matched_low"] <= one["matched_high"] for one in tables["ph curves"])
    assert {one["pair"] for one in tables["ph differ"]} == {"within A", "within B", "between"}
    assert {one["reference"] for one in tables["ph moved"]} == {"previous"}


def test_the_divergences_are_linked_with_their_measure_chosen(computed):
    at = page()
    links = [element.proto for element in at.get("page_link")]
    assert len(links) == 5 and all("similarity=" in link.query_string for link in links)
