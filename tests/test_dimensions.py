"""Estimates of intrinsic dimension beside their controls: which records a page gets, and what it says of them."""

from dataclasses import replace

import pytest

from analysis import compute, dimensions, registry
from analysis.__main__ import _parser
from analysis.dimensions import FIRST, SHUFFLED
from analysis.errors import ExplorerError
from analysis.extraction.probes import AS_GIVEN, Probe, load_probe
from analysis.keys import Policy
from analysis.representations import Protocol

MEASURE = registry.get("stable_rank")
SITES = ("embedding", "block 1", "block 2", "final")


@pytest.fixture
def computed(store, run, protocol):
    """Values at every checkpoint on the texts, and on shuffled tokens at all but step1."""
    measures = [MEASURE, registry.get("participation_ratio"), registry.get("covariance_eigenspectrum")]
    compute.sweep(store, [run], protocol, measures)
    some = replace(run, checkpoints=(run.checkpoints[0], run.checkpoints[2]))
    compute.sweep(store, [some], dimensions.control(protocol), measures)
    return store


@pytest.fixture
def two_estimators(monkeypatch):
    monkeypatch.setattr(dimensions, "ESTIMATORS", ("stable_rank", "participation_ratio", "not_there"))
    monkeypatch.setattr(dimensions, "BY_SCALE", "covariance_eigenspectrum")


def read(store, run, protocol):
    return dimensions.records(store, [run], protocol, MEASURE, {})


# --- controls ---


def test_every_record_names_what_it_is_of(computed, run, protocol):
    found = read(computed, run, protocol)
    assert [(r["revision"], r["control"]) for r in found if r["site"] == "final"] == [
        ("step0", FIRST), ("step1", ""), ("step8", ""), ("step0", SHUFFLED), ("step8", SHUFFLED)]
    assert {r["site"] for r in found} == set(SITES)


def test_records_are_the_stored_values_of_both_probes_and_keep_their_protocol(computed, run, protocol):
    control = dimensions.control(protocol)
    for kind, one in (("", protocol), (SHUFFLED, control)):
        stored = {(r["revision"], r["site"]): r["value"] for r in compute.records(
            computed, run, probe=one.probe.identity, measure=MEASURE.name)}
        found = {(r["revision"], r["site"]): r for r in read(computed, run, protocol)
                 if (r["control"] == SHUFFLED) == (kind == SHUFFLED)}
        assert {key: record["value"] for key, record in found.items()} == stored
        assert {record["protocol"]["probe"] for record in found.values()} == {one.probe.identity}


def test_the_first_checkpoint_stays_whatever_checkpoints_are_chosen(computed, run, protocol):
    found = dimensions.of(read(computed, run, protocol), ["step8"])
    assert {(r["revision"], r["control"]) for r in found} == {("step0", FIRST), ("step8", ""), ("step8", SHUFFLED)}
    assert {r["site"] for r in dimensions.at(found, ["final", "embedding"])} == {"final", "embedding"}


def test_a_run_of_one_checkpoint_has_no_first_one_to_compare_with(computed, run, protocol):
    alone = replace(run, checkpoints=run.checkpoints[:1])
    assert {r["control"] for r in read(computed, alone, protocol)} == {"", SHUFFLED}


def test_the_control_is_the_same_protocol_on_shuffled_tokens(protocol):
    control = dimensions.control(replace(protocol, dtype="bfloat16"))
    assert (control.policy, control.dtype) == (protocol.policy, "bfloat16")
    assert control.probe.shuffled and control.probe.texts == protocol.probe.texts


@pytest.mark.parametrize(("policy", "other", "why"), [
    ("words-4", None, r"words-4 are of words, .* choose other rows"),
    ("last", Probe(AS_GIVEN, ()), "holds rows that came with a run"),
    ("last", load_probe("digits-held-out"), "holds images")], ids=["words", "as given", "images"])
def test_where_there_is_no_control_the_reason_is_said_and_the_values_stay(computed, run, protocol, policy, other, why):
    asked = Protocol(other or protocol.probe, Policy.parse(policy))
    with pytest.raises(ExplorerError, match=why):
        dimensions.control(asked)
    assert read(computed, run, asked) == []


def test_shuffled_tokens_are_read_alone_when_they_are_the_probe(computed, run, protocol):
    found = read(computed, run, dimensions.control(protocol))
    assert {r["control"] for r in found} == {"", FIRST}


# --- by scale ---


def test_a_curve_becomes_a_record_for_each_scale_which_doubles():
    record = {"run": "a", "revision": "step8", "site": "final", "value": [5.0, 4.5, float("nan"), 4.0], "reason": "",
              "n": 40, "d": 8}
    found = dimensions.scales([record, {**record, "value": [], "reason": "too few rows"}])
    assert [(r["scale"], r["value"]) for r in found] == [(1, 5.0), (2, 4.5), (4, None), (8, 4.0)]
    assert {(r["low"], r["n"], r["run"]) for r in found} == {(None, 40, "a")}


# --- side by side ---


def test_every_estimator_stands_beside_its_controls_at_one_checkpoint(computed, run, protocol, two_estimators):
    rows = dimensions.side_by_side(computed, run, protocol, run.at("step8"), "final")
    assert [row["estimator"] for row in rows] == ["Stable rank", "Participation ratio"]
    values = {(r["revision"], r["control"]): r for r in read(computed, run, protocol) if r["site"] == "final"}
    own = values["step8", ""]
    assert [rows[0][key] for key in ("value", "low", "high", FIRST, SHUFFLED, "rows")] == [
        own["value"], own["low"], own["high"], values["step0", FIRST]["value"], values["step8", SHUFFLED]["value"], 48]
    assert set(dimensions.NUMBERS) <= set(rows[0])


def test_the_first_checkpoint_is_its_own_control_and_a_missing_one_is_empty(computed, run, protocol, two_estimators):
    first = dimensions.side_by_side(computed, run, protocol, run.at("step0"), "final")[0]
    assert first["value"] == first[FIRST] is not None
    assert "no value, because" not in first, "a column that is empty everywhere is left out"
    assert dimensions.side_by_side(computed, run, protocol, run.at("step1"), "final")[0].get(SHUFFLED) is None


def test_the_duplicates_that_were_left_out_are_counted_where_they_are_known(store, run, protocol, two_estimators):
    double = replace(protocol.probe, texts=(*protocol.probe.texts, *(
        replace(text, id=f"{text.id} again") for text in protocol.probe.texts[:5])))
    compute.sweep(store, [run], replace(protocol, probe=double), [MEASURE])
    row = dimensions.side_by_side(store, run, replace(protocol, probe=double), run.at("step8"), "final")[0]
    assert (row["rows"], row["duplicates left out"]) == (53, 5)


# --- what is missing ---


def test_what_lacks_an_estimator_is_named_once_with_the_command_that_computes_it(store, run, protocol, two_estimators):
    ends = [run.checkpoints[0], run.checkpoints[0]]
    assert dimensions.lacking(store, ends, protocol) == ["step0"]
    argv = dimensions.command(run, ["step0", "step8"])
    arguments = _parser().parse_args(argv)
    assert (arguments.run, arguments.only) == ([run.name], ["step0", "step8"])
    assert arguments.measure == ["stable_rank", "participation_ratio", "covariance_eigenspectrum"]
    compute.sweep(store, [run], protocol, [registry.get(name) for name in arguments.measure])
    assert dimensions.lacking(store, ends, protocol) == []


def test_checkpoints_are_chosen_by_run_and_revision(run):
    found = dimensions.checkpoints([run, replace(run, name="other")])
    assert list(found)[2:4] == ["tiny · step8", "other · step0"]
    assert found["tiny · step8"] == (run, run.checkpoints[2])


# --- what is said ---


def test_a_caption_says_what_the_lines_are_and_what_no_number_is(computed, run, protocol):
    found = read(computed, run, protocol)
    said = dimensions.caption(found, protocol, "n = 48.")
    assert said.startswith("n = 48. Dashed: the first checkpoint (step0). Dotted: ")
    assert said.endswith(dimensions.CAUTION) and dimensions.NO_INTERVAL not in said
    assert dimensions.NO_INTERVAL in dimensions.caption([{**r, "low": None} for r in found], protocol, "")
    assert dimensions.SCALES in dimensions.caption([{**r, "scale": 1} for r in found], protocol, "")
    assert dimensions.SCALES not in said
    assert dimensions.table_caption([{"low": 1.0}], "final").startswith("At final, at the usual settings. low and high")
    assert dimensions.NO_INTERVAL in dimensions.table_caption([{}], "final")
    plain = dimensions.caption([r for r in found if not r["control"]], protocol, "n = 48.")
    assert "Dashed" not in plain and "Dotted" not in plain and plain.endswith(dimensions.CAUTION)


@pytest.mark.parametrize(("policy", "is_said"), [("last", True), ("first", True), ("mean", False), ("every-8", False)])
def test_where_shuffling_changes_which_token_is_read_the_caption_says_so(run, policy, is_said):
    found = [{"control": SHUFFLED, "revision": "step8", "low": None}]
    said = dimensions.caption(found, Protocol(Probe("made", ()), Policy.parse(policy)), "")
    assert ("changes which token" in said) == is_said


def test_values_of_other_numbers_of_distinct_rows_are_not_compared_in_silence():
    found = [{"site": "final", "distinct": 1145}] * 5
    assert dimensions.unlike(found) == []
    assert dimensions.unlike([*found, {"site": "embedding", "distinct": 1100}]) == [], "within a tenth"
    said, = dimensions.unlike([*found, {"site": "embedding", "distinct": 396}, {"site": "embedding", "distinct": 561}])
    assert "1145 for most values and 396 to 561 at embedding" in said


def test_every_estimator_is_a_number_of_one_representation_and_the_curve_is_not():
    assert set(dimensions.estimators()) == set(dimensions.ESTIMATORS)
    assert {(m.arity, m.returns, m.on_demand) for m in dimensions.estimators().values()} == {(1, "scalar", True)}
    curve = dimensions.by_scale()
    assert curve is not None and (curve.arity, curve.returns) == (1, "spectrum")
