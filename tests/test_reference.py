"""The pinned reference: what can be pinned, its value and interval by hand, differences from it, what is missing."""

import math
from dataclasses import replace

import numpy as np
import pytest

from analysis import changes, compute, reference, registry
from analysis.errors import Undefined
from analysis.inference.jackknife import paired_change
from analysis.keys import Checkpoint, Run
from analysis.reference import Reference
from analysis.results import Replicates, Scalar
from tests.test_phasing import PLANTED, made_run, put, put_planted

RANKME = registry.get("rankme_covariance")
GROUPS = 8
SIZES = np.full(GROUPS, 5)
TURNS = np.array([1.0, -1.0] * (GROUPS // 2))
T_OF_7 = 2.3646242515927844  # Student's t, 97.5 %, 7 degrees of freedom, from a table
HALF = T_OF_7 * math.sqrt(7)  # of equal groups whose values without each differ by +1 and -1 in turn: var = g - 1


def scalar(value, turn=1.0, sizes=SIZES):
    """A value that is `turn` more or less without each of the groups."""
    return Scalar(value=value, low=value - 1, high=value + 1, replicates=Replicates(value + turn * TURNS, sizes))


def checkpoint(step, run="mine"):
    return Checkpoint(run, f"step{step}", step, None, "/nowhere", f"{run}-{step}")


def run_of(*steps, name="mine"):
    return Run(name, "/nowhere", tuple(checkpoint(step, name) for step in steps))


def phase(*steps):
    return Reference("mine · warmup", f"mine · warmup (step{steps[0]} to step{steps[-1]})",
                     tuple(checkpoint(step) for step in steps))


def records(store, run, protocol, **more):
    return compute.records(store, run, probe=protocol.probe.identity, policy=protocol.rows, measure=RANKME.name, **more)


# --- the value of a phase ---


def test_a_phase_has_the_mean_of_its_checkpoints_and_the_interval_of_that_mean(store, protocol):
    put(store, protocol, run_of(1, 2), RANKME.name, [scalar(10.0, 1.0), scalar(20.0, 3.0)])
    found = phase(1, 2).value(store, protocol, "final", RANKME, {})
    assert found.value == 15
    assert (found.low, found.high) == pytest.approx((15 - 2 * HALF, 15 + 2 * HALF), rel=1e-12)


def test_what_moves_two_checkpoints_against_each_other_cancels_in_their_mean(store, protocol):
    put(store, protocol, run_of(1, 2), RANKME.name, [scalar(10.0, 1.0), scalar(20.0, -1.0)])
    found = phase(1, 2).value(store, protocol, "final", RANKME, {})
    assert (found.value, found.low, found.high) == (15, 15, 15)


def test_one_checkpoint_has_its_stored_value_and_interval(store, protocol):
    put(store, protocol, run_of(1), RANKME.name, [scalar(10.0)])
    found = reference.of_checkpoint(checkpoint(1)).value(store, protocol, "final", RANKME, {})
    assert (found.value, found.low, found.high) == (10, 9, 11)


def test_values_without_the_same_documents_have_a_mean_and_no_interval(store, protocol):
    put(store, protocol, run_of(1, 2), RANKME.name, [scalar(10.0), scalar(20.0, sizes=SIZES + 1)])
    found = phase(1, 2).value(store, protocol, "final", RANKME, {})
    assert (found.value, found.low, found.high, found.replicates) == (15, None, None, None)


def test_a_value_without_replicates_takes_the_interval_of_the_mean_away(store, protocol):
    put(store, protocol, run_of(1, 2), RANKME.name, [scalar(10.0), Scalar(value=20.0)])
    found = phase(1, 2).value(store, protocol, "final", RANKME, {})
    assert (found.value, found.low, found.high) == (15, None, None)


def test_pairs_of_groups_narrow_the_interval_of_the_mean_only_if_every_checkpoint_has_them(store, protocol):
    bent = Scalar(value=10.0, replicates=Replicates(10 + TURNS, SIZES, np.full(4, 10.5)))
    put(store, protocol, run_of(1, 2, 3), RANKME.name, [bent, bent, scalar(10.0)])
    with_pairs, without = (phase(*steps).value(store, protocol, "final", RANKME, {}) for steps in ((1, 2), (1, 3)))
    assert with_pairs.replicates.without_pairs.tolist() == [10.5] * 4 and without.replicates.without_pairs is None
    assert with_pairs.high - with_pairs.low < without.high - without.low == pytest.approx(2 * HALF)


@pytest.mark.parametrize("second", [None, Scalar.undefined("all rows are the same")], ids=["missing", "undefined"])
def test_a_phase_with_a_checkpoint_without_a_value_has_none(store, protocol, second):
    put(store, protocol, run_of(1, 2), RANKME.name, [scalar(10.0), second])
    assert phase(1, 2).value(store, protocol, "final", RANKME, {}) is None
    assert reference.levels(store, phase(1, 2), protocol, ["final"], RANKME, {}) == []


def test_an_interval_of_too_few_documents_is_refused_as_that_of_a_checkpoint_is(store, protocol):
    few = Scalar(value=1.0, replicates=Replicates(np.ones(4), np.full(4, 5)))
    put(store, protocol, run_of(1, 2), RANKME.name, [few, few])
    with pytest.raises(Undefined, match="at least 8 documents"):
        phase(1, 2).value(store, protocol, "final", RANKME, {})


# --- levels ---


def test_levels_are_records_without_a_place_in_training_and_name_the_reference(store, protocol):
    run = run_of(1, 2)
    for site, more in (("block 1", 100.0), ("final", 0.0)):
        put(store, protocol, run, RANKME.name, [scalar(10.0 + more), scalar(20.0 + more, 3.0)], site=site)
    found = reference.levels(store, phase(1, 2), protocol, ["block 1", "nowhere", "final"], RANKME, {})
    assert [(one["site"], one["value"]) for one in found] == [("block 1", 115), ("final", 15)]
    for one in found:
        assert (one["run"], one["step"], one["tokens"]) == ("reference mine · warmup", None, None)
        assert (one["revision"], one["fingerprint"], one["n"], one["d"]) == ("step2", "mine-2", 800, 128)
        assert (one["low"], one["high"]) == pytest.approx((one["value"] - 2 * HALF, one["value"] + 2 * HALF))


def test_levels_are_of_the_settings_that_are_asked_for(store, protocol):
    alpha = registry.get("alpha_weighted_least_squares")
    here, there = ({alpha.name: {"first_rank": first, "last_rank": 50}} for first in (11, 12))
    put(store, protocol, run_of(1), alpha.name, [scalar(2.0)], settings=here)
    pinned = reference.of_checkpoint(checkpoint(1))
    assert [one["value"] for one in reference.levels(store, pinned, protocol, ["final"], alpha, here)] == [2.0]
    assert reference.levels(store, pinned, protocol, ["final"], alpha, there) == []


# --- differences ---


def test_a_difference_is_paired_over_documents_and_by_hand(store, protocol):
    run = run_of(1, 2)
    put(store, protocol, run, RANKME.name, [scalar(10.0, 1.0), scalar(25.0, 3.0)])
    pinned = reference.of_checkpoint(checkpoint(1))
    same, other = reference.differences(store, records(store, run, protocol), [run], pinned, protocol, RANKME, {})
    assert (same["value"], same["low"], same["high"]) == (0, 0, 0)
    assert other["value"] == 15 and other["minus"] == "mine@step1"
    assert (other["low"], other["high"]) == pytest.approx((15 - 2 * HALF, 15 + 2 * HALF), rel=1e-12)


def test_differences_from_a_checkpoint_are_those_of_two_checkpoints(store, protocol):
    run = run_of(1, 2, 3)
    kept = [scalar(10.0, 1.0), scalar(25.0, 3.0), scalar(4.0, -0.5)]
    put(store, protocol, run, RANKME.name, kept)
    pinned = reference.of_checkpoint(checkpoint(2))
    found = reference.differences(store, records(store, run, protocol), [run], pinned, protocol, RANKME, {})
    for one, own, value in zip(found, run.checkpoints, kept, strict=True):
        row, = changes.between(store, run.checkpoints[1], own, protocol, ["final"], RANKME, {})
        assert (one["value"], one["low"], one["high"]) == (row["change"], row["low"], row["high"])
        assert (one["value"], one["low"], one["high"]) == paired_change(kept[1], value)


def test_a_difference_from_a_phase_is_from_its_mean_in_every_group(store, protocol):
    run = run_of(1, 2, 3)
    put(store, protocol, run, RANKME.name, [scalar(10.0, 1.0), scalar(20.0, 3.0), scalar(40.0, 2.0)])
    *_, last = reference.differences(store, records(store, run, protocol), [run], phase(1, 2), protocol, RANKME, {})
    assert (last["value"], last["low"], last["high"]) == pytest.approx((25, 25, 25))  # the mean turns by 2 too


def test_a_difference_without_the_same_documents_has_no_interval(store, protocol):
    run = run_of(1, 2)
    put(store, protocol, run, RANKME.name, [scalar(10.0), Scalar(value=25.0)])
    pinned = reference.of_checkpoint(checkpoint(1))
    found = reference.differences(store, records(store, run, protocol), [run], pinned, protocol, RANKME, {})
    assert [(one["value"], one["low"], one["high"]) for one in found] == [(0, 0, 0), (15, None, None)]


def test_an_undefined_value_has_no_difference_and_keeps_its_reason(store, protocol):
    run = run_of(1, 2)
    put(store, protocol, run, RANKME.name, [scalar(10.0), Scalar.undefined("all rows are the same")])
    pinned = reference.of_checkpoint(checkpoint(1))
    found = reference.differences(store, records(store, run, protocol), [run], pinned, protocol, RANKME, {})
    assert [one["value"] for one in found] == [0, None] and found[1]["reason"] == "all rows are the same"
    assert (found[1]["low"], found[1]["high"]) == (None, None)


def test_a_site_where_the_reference_has_no_value_is_left_out(store, protocol):
    run = run_of(1, 2)
    put(store, protocol, run, RANKME.name, [scalar(10.0), scalar(25.0)])
    put(store, protocol, run, RANKME.name, [None, scalar(7.0)], site="block 1")
    pinned = reference.of_checkpoint(checkpoint(1))
    found = reference.differences(store, records(store, run, protocol), [run], pinned, protocol, RANKME, {})
    assert [(one["site"], one["revision"]) for one in found] == [("final", "step1"), ("final", "step2")]


def test_differences_are_labelled_as_such_and_lie_on_an_axis_without_bounds():
    less = reference.less(registry.get("linear_cka_debiased"), phase(1, 2))
    assert less.label.endswith(", less mine · warmup (step1 to step2)") and less.symbol.startswith("Δ")
    assert less.bounds == (-np.inf, np.inf) and not less.log_scale
    assert less.name == "linear_cka_debiased", "the values still are of that measure"


# --- what can be pinned ---


def test_checkpoints_and_phases_of_the_chosen_runs_and_the_ends_of_others_can_be_pinned(store, protocol):
    run, other = made_run(), run_of(1, 2, 3, name="other")
    put_planted(store, protocol, run)
    found = reference.options(store, [run], [run, other], protocol, "final")
    phases = [f"planted · {name}" for name in PLANTED]
    assert list(found) == [*phases, *(f"planted@{one.revision}" for one in run.checkpoints), "other@step3"]
    assert found["other@step3"] == reference.of_checkpoint(other.checkpoints[-1])
    for name in phases:
        held = found[name].checkpoints
        assert found[name].is_phase and found[name].last is held[-1]
        assert found[name].says == f"{name} ({held[0].revision} to {held[-1].revision})"
    ends = [found[name].checkpoints for name in phases]
    assert all(one[0] in run.checkpoints and len(one) > 1 for one in ends)
    assert [run.checkpoints.index(one[0]) for one in ends] == sorted(run.checkpoints.index(one[0]) for one in ends)


def test_a_phase_that_comes_again_is_numbered(store, protocol, monkeypatch):
    run = made_run()
    put_planted(store, protocol, run)
    phased = reference.phasing.of_run(store, run, protocol, "final")
    labels = phased.labels.phases
    monkeypatch.setattr(reference.phasing, "of_run", lambda *_: replace(
        phased, labels=replace(phased.labels, phases=(*labels, *labels))))
    names = [name for name in reference.options(store, [run], [run], protocol, "final") if "·" in name]
    assert names == [*(f"planted · {name}" for name in PLANTED), *(f"planted · {name} 2" for name in PLANTED)]


def test_a_run_without_results_has_its_checkpoints_and_no_phases(store, protocol):
    assert list(reference.options(store, [run_of(1, 2)], [run_of(1, 2)], protocol, "final")) == [
        "mine@step1", "mine@step2"]
