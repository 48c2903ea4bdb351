"""Phases of stored results: planted ones come back where they are, ways never mix, what is missing claims nothing."""

import re
from dataclasses import replace

import numpy as np
import pytest

from analysis import compute, phasing, registry
from analysis.batches import Stored
from analysis.inference.jackknife import paired_change
from analysis.keys import Checkpoint, Policy, ResultKey, Run
from analysis.phases import CHOSEN, UNPAIRED
from analysis.phasing import ALPHA, GARRIDO, LI, OURS, RANKME, WAYS
from analysis.representations import Protocol
from analysis.results import Replicates, Scalar

COUNT, GROUPS, TURNS = 24, 20, (7, 16)
TOKENS = [round(tokens) for tokens in np.geomspace(1e6, 3e11, COUNT)]
STEPS = [round(step) for step in np.geomspace(10, 4e6, COUNT)]
SIZES = np.full(GROUPS, 40)
PLANTED = ["warmup", "entropy-seeking", "compression-seeking"]


def made_run(steps=STEPS, tokens=TOKENS, name="planted"):
    return Run(name, "/nowhere", tuple(
        Checkpoint(name, f"step{step}", step, count, "/nowhere", f"{name}-{number}")
        for number, (step, count) in enumerate(zip(steps, tokens, strict=True))))


def scalars(curve, seed, *, sizes=SIZES, exponential=False):
    """A curve plus what documents add to it, which mostly lasts through training, and the same without each group."""
    rng = np.random.default_rng(seed)
    effect = 0.3 * rng.standard_normal((len(sizes), 1)) + 0.01 * rng.standard_normal((len(sizes), len(curve)))
    weight = (sizes / sizes.sum())[:, None]
    total = np.sum(weight * effect, axis=0) + 0.003 * rng.standard_normal(len(curve))
    values, left_out = curve + total, curve + (total - weight * effect) / (1 - weight)
    values, left_out = (np.exp(values), np.exp(left_out)) if exponential else (values, left_out)
    return [Scalar(value=float(value), low=float(value) - 1, high=float(value) + 1, replicates=Replicates(out, sizes))
            for value, out in zip(values, left_out.T, strict=True)]


def ladder(count=COUNT, turns=TURNS):
    """ln RankMe that falls to the first turn, rises to the second and falls again."""
    return 3 + np.interp(np.arange(count), [0, *turns, count - 1], [0, -1.5, 1, 0.2])


def put(store, protocol, run, name, values, *, site="final", settings=None, version=None):
    measure = registry.get(name)
    params = tuple(sorted(measure.settings((settings or {}).get(name)).items()))
    for checkpoint, value in zip(run.checkpoints, values, strict=True):
        if value is not None:
            key = ResultKey(protocol.key(checkpoint), site, name, version or measure.version, params)
            store.put_results([Stored(key=key, result=value, n=800, d=128)])


def put_planted(store, protocol, run, *, way=OURS, seed=0, **changed):
    """Results of a way whose RankMe and alpha oppose each other; `changed` are values put in place of some of them."""
    curve = ladder(len(run.checkpoints))
    for name, values in ((way.rank, scalars(curve, seed, exponential=True)), (way.decay, scalars(4 - curve, seed + 1))):
        for number, value in changed.get("ranks" if name == way.rank else "decays", {}).items():
            values[number] = value(values[number]) if callable(value) else value
        put(store, protocol, run, name, values, settings=way.settings)


@pytest.fixture
def planted(store, protocol):
    run = made_run()
    put_planted(store, protocol, run)
    return run


def named(phased):
    return [phase.name for phase in phased.labels.phases if phase.name != "not resolved"]


def claimed(found):
    return [shade for shade in phasing.shades(found) if shade.name != "not resolved"]


# --- what is planted ---


def test_a_planted_fall_rise_and_fall_is_named_at_the_right_revisions(store, protocol, planted):
    phased = phasing.of_run(store, planted, protocol, "final")
    assert named(phased) == PLANTED
    revisions = [checkpoint.revision for checkpoint in planted.checkpoints]
    ends = [(revisions.index(shade.first["revision"]), revisions.index(shade.last["revision"]))
            for shade in claimed([phased])]
    wanted = [(0, TURNS[0]), TURNS, (TURNS[1], COUNT - 1)]
    assert all(abs(got - true) <= 1 for pair, turn in zip(ends, wanted, strict=True)
               for got, true in zip(pair, turn, strict=True)), ends


def test_shades_and_rows_say_the_same_of_every_phase_and_name_whole_checkpoints(store, protocol, planted):
    phased = phasing.of_run(store, planted, protocol, "final")
    known = [{"step": c.step, "tokens": c.tokens, "revision": c.revision} for c in planted.checkpoints]
    shades, rows = phasing.shades([phased]), phasing.rows([phased])
    assert all(bool(row["reason"]) == (row["phase"] == "not resolved") for row in rows)
    assert [(shade.run, shade.name, shade.first["revision"], shade.last["revision"]) for shade in shades] \
        == [(row["run"], row["phase"], row["from"], row["to"]) for row in rows]
    assert all(shade.first in known and shade.last in known for shade in shades)


def test_a_row_states_the_change_between_its_ends_and_the_share_of_rules_that_agree(store, protocol, planted):
    values = {record["revision"]: record["value"] for record in compute.records(store, planted, measure=RANKME)}
    for row in phasing.rows([phasing.of_run(store, planted, protocol, "final")]):
        assert 0 <= row["keeps its label"] <= 1
        if row["phase"] != "not resolved":
            change, low, high = (float(part) for part in re.findall(r"[+-]\d+\.\d", row["RankMe"]))
            assert change == pytest.approx(100 * (values[row["to"]] / values[row["from"]] - 1), abs=0.051)
            assert low <= change <= high and low * high > 0, "a named phase excludes no change"


def test_a_stricter_rule_claims_less(store, protocol, planted):
    strict = replace(CHOSEN, prominence=20.0)
    phased = phasing.of_run(store, planted, protocol, "final", OURS, strict)
    assert named(phased) == [] and all(row["phase"] == "not resolved" for row in phasing.rows([phased], strict))


def test_phases_of_several_runs_carry_their_own_names(store, protocol):
    runs = [made_run(name="one"), made_run(name="other")]
    for seed, run in enumerate(runs):
        put_planted(store, protocol, run, seed=10 * seed)
    found = [phasing.of_run(store, run, protocol, "final") for run in runs]
    assert [(shade.run, shade.name) for shade in claimed(found)] == [(run.name, name) for run in runs
                                                                     for name in PLANTED]


# --- tokens or steps ---


def test_tokens_are_the_position_where_all_checkpoints_have_them(store, protocol, planted):
    phased = phasing.of_run(store, planted, protocol, "final")
    assert phased.series.unit == "tokens" and phased.series.position.tolist() == TOKENS


@pytest.mark.parametrize("without", [range(COUNT), [5]], ids=["none has tokens", "one has no tokens"])
def test_steps_are_the_position_where_any_checkpoint_has_no_tokens(store, protocol, without):
    run = made_run(tokens=[None if number in without else tokens for number, tokens in enumerate(TOKENS)])
    put_planted(store, protocol, run)
    phased = phasing.of_run(store, run, protocol, "final")
    assert phased.series.unit == "steps" and phased.series.position.tolist() == STEPS
    assert named(phased)[1:] == PLANTED[1:]


def test_step_0_of_a_run_stands_in_no_phase(store, protocol):
    run = made_run([0, *STEPS[1:]], [0, *TOKENS[1:]])
    put_planted(store, protocol, run)
    phased = phasing.of_run(store, run, protocol, "final")
    assert phased.labels.names()[0] == "not resolved" and named(phased) == PLANTED
    assert any("position 0" in note and note.startswith("planted: ") for note in phasing.notes([phased]))


# --- what cannot be labelled ---


def test_a_run_without_results_gets_no_label_shade_row_or_note(store, protocol):
    found = [phasing.of_run(store, made_run(), protocol, "final")]
    assert found == [None] and phasing.shades(found) == [] and phasing.rows(found) == [] and phasing.notes(found) == []


def test_a_run_without_steps_gets_no_label(store, protocol):
    run = made_run([None] * COUNT, [None] * COUNT)
    put_planted(store, protocol, run)
    assert phasing.of_run(store, run, protocol, "final") is None


@pytest.mark.parametrize("name", [RANKME, ALPHA])
def test_a_run_with_only_one_of_the_two_measures_gets_no_label(store, protocol, name):
    run = made_run()
    put(store, protocol, run, name, scalars(ladder(), 0))
    assert phasing.of_run(store, run, protocol, "final") is None


def test_one_checkpoint_is_not_resolved(store, protocol):
    run = made_run(STEPS[:1], TOKENS[:1])
    put(store, protocol, run, RANKME, scalars(np.ones(1), 0, exponential=True))
    put(store, protocol, run, ALPHA, scalars(np.ones(1), 1))
    phased = phasing.of_run(store, run, protocol, "final")
    assert [(row["phase"], bool(row["reason"])) for row in phasing.rows([phased])] == [("not resolved", True)]


def test_checkpoints_at_one_position_have_no_order_and_so_no_label(store, protocol):
    run = made_run([*STEPS[:-1], STEPS[-2]], [*TOKENS[:-1], TOKENS[-2]])
    put_planted(store, protocol, run)
    assert phasing.of_run(store, run, protocol, "final") is None


@pytest.mark.parametrize("of", ["ranks", "decays"])
def test_checkpoints_where_a_value_is_undefined_are_left_out_and_the_rest_is_named(store, protocol, of):
    run, reason = made_run(), Scalar.undefined("too few ranks")
    put_planted(store, protocol, run, **{of: {4: reason, 12: reason}})
    phased = phasing.of_run(store, run, protocol, "final")
    assert named(phased) == PLANTED and len(phased.checkpoints) == COUNT
    assert any(re.search(r"\b2 checkpoint\(s\) left out", note) and "undefined" in note
               for note in phasing.notes([phased]))


def test_alpha_that_is_undefined_everywhere_claims_nothing(store, protocol):
    run = made_run()
    put_planted(store, protocol, run, decays=dict.fromkeys(range(COUNT), Scalar.undefined("63 eigenvalues")))
    phased = phasing.of_run(store, run, protocol, "final")
    assert claimed([phased]) == [] and all(row["reason"] for row in phasing.rows([phased]))


def test_checkpoints_without_a_result_are_passed_over(store, protocol):
    run = made_run()
    put_planted(store, protocol, run, ranks={3: None}, decays={11: None, 20: None})
    phased = phasing.of_run(store, run, protocol, "final")
    kept = [c for number, c in enumerate(run.checkpoints) if number not in (3, 11, 20)]
    assert list(phased.checkpoints) == kept and named(phased) == PLANTED


@pytest.mark.parametrize("sizes", [np.array([41, 39, *[40] * (GROUPS - 2)]), np.full(GROUPS - 1, 40)],
                         ids=["other sizes", "fewer groups"])
def test_replicates_of_other_groups_at_one_checkpoint_are_not_paired(store, protocol, sizes):
    run = made_run()
    put_planted(store, protocol, run, decays={9: scalars(np.ones(1), 5, sizes=sizes)[0]})
    phased = phasing.of_run(store, run, protocol, "final")
    assert phased.series.sizes is None and claimed([phased]) == []
    assert [row["reason"] for row in phasing.rows([phased])] == [UNPAIRED]


def test_a_defined_value_without_replicates_is_not_paired_with_the_others(store, protocol):
    run = made_run()
    put_planted(store, protocol, run, ranks={9: lambda value: Scalar(value=value.value)})
    assert claimed([phasing.of_run(store, run, protocol, "final")]) == []


# --- ways ---


@pytest.mark.parametrize("way", WAYS.values(), ids=lambda way: way.name)
def test_a_way_names_scalars_of_the_registry_and_settings_that_they_accept(way):
    assert WAYS[way.name] is way and way.says.endswith(".")
    assert way.rank == way.measures[0] and len(set(way.measures)) == len(way.measures)
    for name in way.measures:
        measure = registry.get(name)
        assert (measure.arity, measure.returns) == (1, "scalar")
        assert dict(way.settings.get(name, {})).items() <= measure.settings(way.settings.get(name)).items()
    assert set(way.settings) <= set(way.measures), "a setting of a measure that the way does not use"


def test_ways_pin_every_measure_that_has_settings_so_that_others_are_never_drawn_with_it():
    assert all(name in way.settings for way in WAYS.values() for name in way.measures if registry.get(name).params)


def test_the_window_that_a_way_states_is_the_one_that_it_uses():
    assert (OURS.settings[ALPHA], LI.settings[ALPHA]) == ({"first_rank": 11, "last_rank": 50},
                                                          {"first_rank": 12, "last_rank": 100})
    assert "11 to 50" in OURS.says and "12 to 100" in LI.says
    assert OURS.settings[OURS.corrected_decay] == OURS.settings[ALPHA], "a correction is of what it stands beside"


def test_ways_that_share_a_measure_never_share_its_values(store, protocol, planted):
    assert phasing.of_run(store, planted, protocol, "final", LI) is None
    put(store, protocol, planted, LI.decay, scalars(104 - ladder(), 7), settings=LI.settings)
    put(store, protocol, planted, LI.rank, scalars(ladder(), 8, exponential=True), settings=LI.settings)
    ours, li = (phasing.of_run(store, planted, protocol, "final", way) for way in (OURS, LI))
    assert np.all(ours.series.alpha < 50) and np.all(li.series.alpha > 50)
    for way, phased in ((OURS, ours), (LI, li)):
        drawn = compute.records(store, planted, measure=ALPHA, settings=way.settings)
        assert [record["value"] for record in drawn] == phased.series.alpha.tolist()
        assert all(record["protocol"]["params"] == way.settings[ALPHA] for record in drawn)


def test_a_way_without_a_decay_exponent_has_no_phases_whatever_is_stored(store, protocol, planted):
    put(store, protocol, planted, GARRIDO.rank, scalars(ladder(), 0, exponential=True))
    assert phasing.of_run(store, planted, protocol, "final", GARRIDO) is None


def test_values_of_another_site_policy_or_version_are_not_labelled(store, protocol, planted):
    assert phasing.of_run(store, planted, protocol, "embedding") is None
    assert phasing.of_run(store, planted, Protocol(protocol.probe, Policy.parse("mean")), "final") is None
    old = made_run(name="old")
    for name in (RANKME, ALPHA):
        put(store, protocol, old, name, scalars(ladder(), 0), version=registry.get(name).version + 1)
    assert phasing.of_run(store, old, protocol, "final") is None


# --- paired changes ---


def test_a_paired_change_leaves_out_what_documents_add_at_both_checkpoints():
    before, after = scalars(np.array([1.0, 1.5]), 3)
    change, low, high = paired_change(before, after)
    assert change == after.value - before.value and low <= change <= high
    assert paired_change(after, before) == pytest.approx((-change, -high, -low), rel=1e-12)
    unpaired = replace(after, replicates=Replicates(after.replicates.values[::-1].copy(), SIZES))
    assert high - low < 0.3 * np.ptp(paired_change(before, unpaired)[1:])


@pytest.mark.parametrize("change", [
    lambda value: replace(value, replicates=None), lambda value: Scalar.undefined("no value"),
    lambda value: replace(value, replicates=Replicates(value.replicates.values, SIZES + np.arange(GROUPS))),
    lambda value: replace(value, replicates=Replicates(value.replicates.values[:-1], SIZES[:-1]))],
    ids=["none", "undefined", "other sizes", "fewer groups"])
def test_without_replicates_of_the_same_groups_there_is_no_paired_change(change):
    before, after = scalars(np.array([1.0, 1.5]), 5)
    assert paired_change(before, change(after)) is None and paired_change(change(before), after) is None
