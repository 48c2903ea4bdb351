"""The page Compare: what each of its views draws, says and lets a person take away."""

import csv
import io

import pytest

from analysis import changes, export, registry
from analysis.__main__ import main, open_store
from analysis.compute import Protocol
from analysis.extraction.library import add_probe
from analysis.extraction.probes import load_probe
from analysis.figures import trajectory
from analysis.keys import Policy
from analysis.publishing.methods import methods
from analysis.runs import find_run
from tests.ui.test_pages import charts, healthy, numbers, opened
from ui import cards

SEEDS = ["sotu-neox-seed1", "sotu-neox-seed2"]
VIEWS = ["Trajectories", "Differences", "Phase by phase", "Two measures", "Small multiples", "What changed most"]


def page(view, **query):
    return opened("compare", contrast=view, **query)


def said(at):
    return " ".join(part.value for part in (*at.caption, *at.markdown))


def lines(at):
    chart, = charts(at)
    return {trace["name"]: trace for trace in chart["data"] if trace.get("mode") == "lines+markers"}


@pytest.fixture
def taken(monkeypatch):
    """The records that go with each figure, which is drawn all the same."""
    found, draw = [], cards.figure

    def figure(built, records, **about):
        found.append((list(records), about))
        draw(built, records, **about)
    monkeypatch.setattr(cards, "figure", figure)
    return found


@pytest.mark.parametrize("view", VIEWS)
def test_each_view_draws_one_figure_with_its_caption_a_manifest_and_a_methods_sentence(view, taken):
    at = page(view)
    healthy(at)
    assert len(charts(at)) == 1 and not at.warning and not at.info
    assert "n = 1145" in said(at) and load_probe("sotu-held-out").identity in said(at)
    assert list(at.query_params) == ([] if view == "Trajectories" else ["contrast"]), "defaults stay out of the URL"
    (records, about), = taken
    sides = ["fingerprint"] if "fingerprint" in records[0] else ["fingerprint_a", "fingerprint_b"]
    assert all(len(record[side]) == 64 for record in records for side in sides)
    assert load_probe("sotu-held-out").identity in export.manifest(records, about["title"], "").decode()
    sentence = methods(records)
    assert "of sotu-neox-seed1" in sentence and "sotu-held-out" in sentence and "n = 1145 rows" in sentence
    assert len(list(csv.DictReader(io.StringIO(export.table_csv(records).decode())))) == len(records) > 0


@pytest.mark.parametrize("query", [{"contrast": "nothing", "axis": "years", "log": "perhaps"},
                                   {"contrast": "Differences", "subtract": "nobody"},
                                   {"contrast": "Two measures", "arrows": "sideways", "across": "zzz"},
                                   {"contrast": "Small multiples", "rows_of": "zzz", "columns_of": "block 99"},
                                   {"contrast": "What changed most", "side_from": "x", "correction": "none", "q": "7"}],
                         ids=str)
def test_a_wrong_value_in_the_url_leaves_the_default(query):
    at = opened("compare", **query)
    healthy(at)
    assert len(charts(at)) == 1


# --- trajectories ---


@pytest.mark.parametrize(("axis", "ends"), [("share of training", (0, 100)), ("loss", (7.6, 3.6))])
def test_runs_are_overlaid_on_the_share_of_training_and_on_the_loss(axis, ends):
    at = page("Trajectories", axis=axis, log="false")
    healthy(at)
    x = numbers(lines(at)["sotu-neox-seed1 · final"]["x"])
    assert (x[0], x[-1]) == pytest.approx(ends, abs=0.1) and len(x) == 20


def test_the_caption_says_what_a_figure_of_many_lines_leaves_out(monkeypatch):
    def of_the_chart(at):
        return next(one.value for one in at.caption if "n/d" in one.value)

    assert trajectory.NO_BANDS not in of_the_chart(page("Trajectories"))
    monkeypatch.setattr(trajectory, "MOST_BANDS", 1)
    at = page("Trajectories")
    healthy(at)
    assert of_the_chart(at).endswith(trajectory.NO_BANDS)


# --- differences ---


def test_the_difference_is_that_of_the_stored_values_at_every_step():
    store, protocol = open_store(), Protocol(load_probe("sotu-held-out"), Policy.parse("last"))
    one, other = (find_run(store, name) for name in SEEDS)
    measure = registry.get("stable_rank")
    values = [[changes.scalar(store, c, protocol, "final", measure, {}).value for c in run.checkpoints]
              for run in (one, other)]
    at = page("Differences", measure=measure.label)
    healthy(at)
    assert numbers(lines(at)["sotu-neox-seed2 · final"]["y"]) == pytest.approx(
        [b - a for a, b in zip(*values, strict=True)])
    assert len(at.dataframe[0].value) == 20 and "nothing of what another seed" in said(at)


def test_subtracting_the_other_run_turns_the_sign():
    there, back = (numbers(lines(page("Differences", subtract=base))[f"{other} · final"]["y"])
                   for base, other in (SEEDS, SEEDS[::-1]))
    assert there == pytest.approx(-back)


def test_over_the_loss_nothing_is_compared_until_values_between_checkpoints_are_asked_for():
    at = page("Differences", axis="loss")
    healthy(at)
    assert not charts(at) and any("values between checkpoints" in info.value for info in at.info)
    next(toggle for toggle in at.toggle if toggle.key == "line").set_value(True)
    at.run()
    healthy(at)
    assert len(charts(at)) == 1 and "on the straight line between two of its checkpoints" in said(at)


def test_one_run_alone_asks_for_a_second_or_a_reference():
    at = page("Differences", runs=SEEDS[:1])
    healthy(at)
    assert not charts(at) and any("second run" in info.value for info in at.info)


def test_the_pinned_reference_can_be_subtracted(taken):
    at = page("Differences", runs=SEEDS[:1], pin="sotu-neox-seed2@step16000")
    healthy(at)
    (records, about), = taken
    assert {(record["run_a"], record["revision_a"]) for record in records} == {("sotu-neox-seed2", "step16000")}
    assert len(records) == 20 and "sotu-neox-seed2@step16000" in about["title"]


# --- phases, arrows, multiples ---


def test_phases_are_listed_with_their_changes_and_the_rest_is_one_line():
    at = page("Phase by phase")
    table = at.dataframe[0].value
    assert list(zip(table["run"], table["phase"], strict=True)) == [
        (run, phase) for run in SEEDS for phase in ("whole training", "entropy-seeking")]
    assert table["says"].tolist() == ["differs"] * 4 and table["per doubling"].notna().tolist() == [False, True] * 2
    assert "Not resolved in sotu-neox-seed1: step0 to step256, step4000 to step16000." in said(at)


@pytest.mark.parametrize(("way", "count"), [("first and last", 2), ("ends of phases", 6), ("every checkpoint", 38)])
def test_arrows_join_ends_phases_or_every_checkpoint(way, count):
    at = page("Two measures", arrows=way)
    healthy(at)
    chart, = charts(at)
    assert len([trace for trace in chart["data"] if trace["marker"].get("symbol") == "arrow"]) == count


def test_two_measures_with_a_setting_of_one_name_do_not_share_its_field():
    at = page("Two measures", across="Spectral decay exponent α")
    healthy(at)
    assert [field.label for field in at.number_input] == ["first rank", "last rank"]


def test_the_grid_has_a_line_for_each_measure_site_and_run():
    at = page("Small multiples", columns_of=["block 2", "final"])
    healthy(at)
    chart, = charts(at)
    drawn = [trace for trace in chart["data"] if trace.get("xaxis")]
    assert len(drawn) == 4 * 2 * 2 and {trace["xaxis"] for trace in drawn} == {"x", "x2"}


# --- ranking ---


def test_a_stricter_limit_claims_fewer_and_says_how_many_of_how_many():
    counts = []
    for limit in (0.05, 0.00001):
        at = page("What changed most", q=str(limit))
        healthy(at)
        table = at.dataframe[0].value
        counts.append(len(table))
        assert f"{len(table)} of 120 differences are claimed" in said(at)
        assert (table["Benjamini-Yekutieli"] <= limit).all()
    assert counts[0] > counts[1] > 0
    assert any(part.label.startswith("Not tested, and why") for part in at.expander)


def test_a_checkpoint_against_itself_claims_nothing():
    at = page("What changed most", side_from="sotu-neox-seed1@step64", side_to="sotu-neox-seed1@step64")
    healthy(at)
    assert not charts(at) and any("no measure" in i.value or "paired interval" in i.value for i in at.info)


# --- stages ---


@pytest.fixture
def _staged(tiny_run, probe_file):
    stages = [f"{name}={tiny_run / step}" for name, step in (("base", "step0"), ("SFT", "step1"), ("DPO", "step8"))]
    add_probe("words.jsonl", probe_file.read_bytes())
    assert main(["open", *stages, "--name", "post"]) == 0
    assert main(["sweep", "post", "--probe", "words", "--policy", "last", "--measure", "rankme_covariance",
                 "--measure", "participation_ratio"]) == 0


@pytest.mark.usefixtures("_staged")
def test_stages_are_rows_and_arrows_by_their_names():
    at = page("Phase by phase", runs="post", probe="words")
    healthy(at)
    assert at.dataframe[0].value["phase"].tolist() == ["all stages", "base to SFT", "SFT to DPO"]
    at = page("Two measures", runs="post", probe="words", up="Participation ratio")
    healthy(at)
    chart, = charts(at)
    assert [trace["name"] for trace in chart["data"] if trace["marker"].get("symbol") == "arrow"] == [
        "post: base to SFT", "post: SFT to DPO"]
    cross = next(trace for trace in chart["data"] if trace["name"] == "post")
    assert list(cross["text"]) == ["base", "SFT", "DPO"]
