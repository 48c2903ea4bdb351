"""The page of phases: what it draws, claims and offers is what phasing says, under every way and rule."""

import shlex
from dataclasses import replace

import numpy as np
import pytest

from analysis import compute, phasing, registry
from analysis.__main__ import _parser, main, open_store
from analysis.checkpoints.folder import open_run
from analysis.extraction.probes import load_probe
from analysis.figures.theme import Style
from analysis.jobs import job
from analysis.keys import Policy
from analysis.phases import CHOSEN
from analysis.phasing import GARRIDO, LI, OURS
from analysis.runs import find_run, remember
from tests.checkpoints.models import copied
from tests.ui.test_pages import MODULAR, SEED_1, charts, healthy, numbers, opened
from ui import workspace

SEED_2 = "sotu-neox-seed2"


def expected(*runs, site="final", way=OURS, rule=CHOSEN, probe="sotu-held-out"):
    store, protocol = open_store(), compute.Protocol(load_probe(probe), Policy.parse("last"))
    return [phasing.of_run(store, find_run(store, name), protocol, site, way, rule) for name in runs]


def table(at):
    """All rows on the page, the named phases first."""
    frames = [shown.value for shown in at.dataframe]
    return [row for frame in frames for row in frame.astype(object).where(frame.notna(), None).to_dict("records")]


def in_order(rows):
    """Rows of phasing.rows as the page shows them: what is named before what is not."""
    return sorted(rows, key=lambda row: row["phase"] == "not resolved")


def lines(at):
    """Every drawn line with points."""
    chart, = charts(at)
    return [trace for trace in chart["data"] if "markers" in trace.get("mode", "") and "·" in trace["name"]]


def compute_buttons(at):
    return [button for button in at.button if button.label.startswith("Compute ")]


@pytest.fixture
def mine(tiny_run, tmp_path):
    """A run named `mine` that was opened and not computed."""
    run = open_run(copied(tiny_run, tmp_path / "mine"))
    remember(open_store(), run)
    return run


# --- on the bundled runs ---


def test_the_page_draws_rankme_and_alpha_above_the_loss_states_the_rule_and_asks_nothing():
    at = opened("phases")
    healthy(at)
    assert [title.value for title in at.title] == ["Phases"] and not compute_buttons(at)
    assert not at.warning, "the bundled values of the usual way are all defined"
    assert any("entropy-seeking" in text.value and "Bonferroni" in text.value for text in at.text), "the rule in full"
    assert [at.select_slider(key=key).value for key in ("window", "confidence", "prominence", "length")] == [
        CHOSEN.window, CHOSEN.confidence, CHOSEN.prominence, CHOSEN.min_length]
    layout = charts(at)[0]["layout"]
    assert [registry.get(name).label in layout[axis]["title"]["text"]
            for name, axis in ((OURS.rank, "yaxis"), (OURS.decay, "yaxis2"))] == [True, True]
    assert "Loss" in layout["yaxis3"]["title"]["text"] and dict(at.query_params) == {}


@pytest.mark.parametrize("way", [OURS, LI], ids=lambda way: way.name)
def test_a_line_has_one_point_for_each_checkpoint_whatever_other_settings_are_stored(way):
    at = opened("phases", runs=SEED_1, way=way.name)
    healthy(at)
    store = open_store()
    for trace, name in zip(lines(at), [way.rank, way.decay], strict=True):
        x = numbers(trace["x"])
        assert len(x) == 20 and np.all(np.diff(x) > 0), name
        stored = [record["value"] for record in compute.records(
            store, find_run(store, SEED_1), probe=load_probe("sotu-held-out").identity, policy="last", measure=name,
            site="final", settings=way.settings)]
        drawn = trace["y"] if isinstance(trace["y"], list) else numbers(trace["y"])  # a list where some are undefined
        np.testing.assert_allclose(np.array(drawn, dtype=float), np.array(stored, dtype=float), rtol=1e-6)


@pytest.mark.parametrize("query", [{"site": "embedding"}, {"runs": MODULAR}], ids=str)
def test_the_table_and_the_tints_are_what_phasing_says(query):
    at = opened("phases", **query)
    healthy(at)
    runs = (query["runs"],) if "runs" in query else (SEED_1, SEED_2)
    probe = "sums-mod-59" if MODULAR in runs else "sotu-held-out"
    found = expected(*runs, site=query.get("site", "final"), probe=probe)
    assert table(at) == in_order(phasing.rows(found))
    shapes = charts(at)[0]["layout"].get("shapes", [])
    assert [(shape["name"], shape["x1"]) for shape in shapes] == [
        (f"{shade.run}: {shade.name}", shade.last["step"]) for shade in phasing.shades(found)
        if shade.name != "not resolved"]
    said = " ".join(element.value for element in [*at.caption, *at.info])
    assert all(note.replace("_", r"\_") in said or note in said for note in phasing.notes(found))


def test_what_is_named_stands_first_and_what_is_not_is_folded_with_its_reasons():
    at = opened("phases")
    healthy(at)
    named, rest = (frame.value for frame in at.dataframe)
    assert set(named["phase"]) == {"entropy-seeking"} and set(rest["phase"]) == {"not resolved"}
    folded, = [expander for expander in at.expander if expander.label.startswith("Where nothing is claimed")]
    assert f"({len(rest)})" in folded.label and len(folded.dataframe) == 1 and rest["reason"].all()


def test_all_rows_can_be_taken_away_as_one_table(monkeypatch):
    tables = []
    monkeypatch.setattr("ui.cards.export.table_csv", lambda rows: tables.append(rows) or b"")
    monkeypatch.setattr("streamlit.download_button", lambda label, data, *given, **how: data())
    healthy(opened("phases"))
    assert [rows for rows in tables if "phase" in rows[0]] == [phasing.rows(expected(SEED_1, SEED_2))]


def test_the_site_and_the_axis_come_from_the_url():
    at = opened("phases", runs=SEED_1, site="embedding", axis="tokens")
    healthy(at)
    shape = charts(at)[0]["layout"]["shapes"][0]
    shade = next(shade for shade in phasing.shades(expected(SEED_1, site="embedding")) if shade.name != "not resolved")
    assert (shape["x0"], shape["x1"]) == (shade.first["tokens"], shade.last["tokens"])
    assert (at.multiselect(key="sites").value, at.segmented_control(key="axis").value) == (["embedding"], "tokens")


# --- ways ---


def test_switching_the_protocol_draws_what_the_url_of_that_protocol_draws():
    way = LI
    at = opened("phases", runs=SEED_1)
    assert at.segmented_control(key="way").proto.query_param_key == "way", "the browser keeps it in the URL"
    at.segmented_control(key="way").set_value(way.name).run()
    healthy(at)
    assert way.says in [caption.value for caption in at.caption]
    linked = opened("phases", runs=SEED_1, way=way.name)
    assert at.segmented_control(key="way").value == linked.segmented_control(key="way").value == way.name
    assert charts(at)[0]["data"] == charts(linked)[0]["data"]


def test_a_way_without_a_decay_exponent_draws_one_measure_and_shows_no_phase():
    at = opened("phases", way=GARRIDO.name)
    healthy(at)
    assert not at.select_slider, "there is no rule to set"
    layout = charts(at)[0]["layout"]
    assert not at.dataframe and "What is claimed" not in [header.value for header in at.subheader]
    assert not layout.get("shapes") and "yaxis3" not in layout and "no phases by it" in " ".join(
        caption.value for caption in at.caption)


def test_a_way_whose_alpha_has_no_value_claims_nothing_and_says_why():
    at = opened("phases", runs=SEED_1, way=LI.name)
    healthy(at)
    assert {row["phase"] for row in table(at)} == {"not resolved"}
    assert any("only 63 eigenvalues are positive" in warning.value for warning in at.warning)


@pytest.mark.parametrize("query", [
    {"way": "zzzz", "site": "block 99", "axis": "years"},
    {"window": "4", "confidence": "2", "prominence": "x", "length": "-1"}], ids=str)
def test_a_wrong_value_in_the_url_leaves_the_default_and_does_not_stay(query):
    at = opened("phases", **query)
    healthy(at)
    assert table(at) == in_order(phasing.rows(expected(SEED_1, SEED_2))) and not set(query) & set(at.query_params)


# --- the rule ---


@pytest.mark.parametrize(("key", "value", "part"), [
    ("window", 9, "window"), ("confidence", 0.8, "confidence"), ("prominence", 0.2, "prominence"),
    ("length", 6, "min_length")])
def test_each_setting_of_the_rule_is_of_the_url_and_gives_the_labels_of_that_rule(key, value, part):
    rule = replace(CHOSEN, **{part: value})
    at = opened("phases", runs=SEED_1, site="embedding")
    assert at.select_slider(key=key).proto.query_param_key == key, "the browser keeps it in the URL"
    at.select_slider(key=key).set_value(value).run()
    healthy(at)
    wanted = in_order(phasing.rows(expected(SEED_1, site="embedding", rule=rule), rule))
    assert table(at) == wanted
    linked = opened("phases", runs=SEED_1, site="embedding", **{key: str(value)})
    assert table(linked) == wanted and linked.select_slider(key=key).value == value


# --- runs of one's own ---


@pytest.mark.parametrize("way", [OURS, LI], ids=lambda way: way.name)
def test_a_run_without_results_offers_a_command_that_computes_what_the_page_shows(mine, probe_file, monkeypatch, way):
    calls = []
    monkeypatch.setattr(job, "start", lambda jobs, argv, title: calls.append(argv))
    monkeypatch.setattr("ui.selection.built_in_probes", lambda: [str(probe_file)])
    query = {"runs": "mine", "probe": str(probe_file), "way": way.name}
    at = opened("phases", **query)
    healthy(at)
    assert not charts(at) and not at.dataframe and any("not computed yet" in info.value for info in at.info)
    button, = compute_buttons(at)
    command, = [code.value for code in at.code if code.value.startswith("python -m analysis ")]
    argv = shlex.split(command)[3:]
    button.click().run()
    assert calls == [argv] and _parser().parse_args(argv).measure == way.measures
    assert main(argv) == 0
    at = opened("phases", **query)
    healthy(at)
    assert charts(at) and not compute_buttons(at)
    assert not at.dataframe or {row["phase"] for row in table(at)} == {"not resolved"}


def test_a_model_without_steps_has_no_phases_and_a_sentence_says_so(tiny_gpt2, probe_file, tmp_path, monkeypatch):
    remember(open_store(), open_run(copied(tiny_gpt2, tmp_path / "one"), "one"))
    monkeypatch.setattr("ui.selection.built_in_probes", lambda: [str(probe_file)])
    measured = [part for name in OURS.measures for part in ("--measure", name)]
    assert main(["sweep", "one", *measured, "--probe", str(probe_file)]) == 0
    at = opened("phases", runs="one", probe=str(probe_file))
    healthy(at)
    assert charts(at) and not charts(at)[0]["layout"].get("shapes")
    assert not at.dataframe, "a table without rows says nothing"
    assert any("no steps" in element.value for element in [*at.info, *at.caption])


@pytest.mark.parametrize("page", ["phases", "trajectories"])
def test_phases_are_drawn_on_dark_paper_too(monkeypatch, page):
    monkeypatch.setattr(workspace, "style", lambda: Style(dark=True))
    at = opened(page)
    healthy(at)
    layout = charts(at)[0]["layout"]
    assert layout["paper_bgcolor"] == Style(dark=True).paper and layout["shapes"]


# --- the other pages ---


@pytest.mark.parametrize(("page", "runs"), [("trajectories", [SEED_1]), ("overview", [SEED_1, SEED_2])])
def test_the_other_pages_shade_the_same_phases(page, runs):
    at = opened(page, runs=runs)
    healthy(at)
    shapes = [(shape["name"], shape["x0"], shape["x1"]) for shape in charts(at)[0]["layout"].get("shapes", [])]
    assert shapes == [(f"{shade.run}: {shade.name}", shade.first["step"], shade.last["step"])
                      for shade in phasing.shades(expected(*runs)) if shade.name != "not resolved"]
    assert len(shapes) == len(runs)
