"""Phases, arrows, grids and places as the page shows them, on hand-made values."""

import pytest

from analysis.contrasts import arrows, grid, places, stretches, telling
from analysis.keys import Checkpoint, Run
from analysis.phases import Labels, Phase
from analysis.phasing import Phased
from analysis.results import Panel, Shade
from tests.contrasts.made import numbers, point, scalar, series

STEPS = (0, 1, 2, 4, 8)


def run(name="one", steps=STEPS, names=None):
    revisions = names or [f"step{step}" for step in steps]
    return Run(name, "", tuple(Checkpoint(name, revision, None if names else step, None, "", f"{name} {revision}")
                               for revision, step in zip(revisions, steps, strict=True)))


def phased(one, *parts):
    phases = tuple(Phase(start=start, end=end, positions=(0, 1), name=name) for name, start, end in parts)
    return Phased(one, one.checkpoints, None, Labels(phases))


PARTS = (("not resolved", 0, 0), ("entropy-seeking", 1, 3), ("not resolved", 3, 3), ("not resolved", 4, 4))


# --- phases and stages ---


def test_a_run_with_steps_has_its_whole_and_each_named_phase():
    assert stretches.stretches(run(), phased(run(), *PARTS)) == [
        ("whole training", "step0", "step8"), ("entropy-seeking", "step1", "step4")]


def test_a_run_without_steps_has_each_stage_and_all_of_them():
    stages = run(steps=(0, 0, 0), names=["base", "SFT", "DPO"])
    assert stretches.stretches(stages, None) == [("all stages", "base", "DPO"), ("base to SFT", "base", "SFT"),
                                                 ("SFT to DPO", "SFT", "DPO")]
    assert stretches.stretches(run(steps=(0, 0), names=["base", "SFT"]), None) == [("base to SFT", "base", "SFT")]
    assert stretches.stretches(run(steps=(0,)), None) == []


def test_the_rate_is_the_change_at_each_doubling_and_none_from_step_0():
    points = {"one": series("one", [1, 2, 3, 8, 5], STEPS)}
    whole, phase = stretches.rows([run()], points, [phased(run(), *PARTS)])
    assert (whole["value"], whole["rate"]) == (4, None)
    assert (phase["value"], phase["rate"]) == (6, 3)


def test_a_row_says_what_its_interval_says():
    values = [scalar(numbers(seed, mean)) for seed, mean in ((1, 0), (2, 0), (3, 9))]
    rows = [stretches.says(row) for row in stretches.rows(
        [run(steps=(1, 2)), run("two", (1, 2)), run("three", (1, 2))],
        {"one": series("one", values[:2], (1, 2)), "two": series("two", values[1:], (1, 2)),
         "three": series("three", [1, 2], (1, 2))}, [])]
    assert rows[:2] == ["not distinguishable", "differs"] and rows[2].startswith("no paired interval: too few")


def test_stretches_without_a_name_are_told_in_one_line_that_joins_neighbours():
    said = stretches.unresolved([phased(run(), *PARTS)], [run()])
    assert said == "Not resolved in one: step0 to step0, step4 to step8."
    assert "two: no steps" in stretches.unresolved([None], [run("two", (0, 0), ["base", "SFT"])])


def test_the_table_of_phases_has_the_rate_and_percents():
    row, *_ = telling.phase_table(stretches.rows([run()], {"one": series("one", [2, 2, 3, 8, 5], STEPS)}, []))
    assert (row["run"], row["phase"], row["from"], row["to"], row["change"], row["change %"]) == (
        "one", "whole training", "step0", "step8", 3, 150)


# --- arrows ---


@pytest.mark.parametrize(("way", "expected"), [(arrows.ENDS, ["step0", "step8"]),
                                               (arrows.PHASES, ["step0", "step1", "step4", "step8"]),
                                               (arrows.EVERY, [f"step{step}" for step in STEPS])])
def test_arrows_stop_at_ends_at_phases_or_everywhere(way, expected):
    assert arrows.stops(run(), way, phased(run(), *PARTS)) == expected


def test_stages_are_all_stopped_at():
    assert arrows.stops(run(steps=(0, 0, 0), names=["base", "SFT", "DPO"]), arrows.ENDS, None) == ["base", "SFT", "DPO"]


def test_an_arrow_goes_to_the_next_checkpoint_of_the_same_run():
    one, two = series("one", [1, 2, 3], (1, 2, 4)), series("two", [5, 6], (1, 2))
    found = [row for points in (one, two) for row in arrows.places(points, points, {arrows.name(p) for p in points})]
    assert [(a["run"], a["revision"], b["revision"]) for a, b in arrows.legs(found)] == [
        ("one", "step1", "step2"), ("one", "step2", "step4"), ("two", "step1", "step2")]


def test_a_place_has_both_values_and_only_where_both_are():
    across, up = series("one", [1, 2], (1, 2)), [point("one", 2, 9, measure="participation_ratio")]
    row, = arrows.places(across, up, ["one@step1", "one@step2"])
    assert (row["revision"], row["value"], row["up"], row["measure_up"]) == ("step2", 2, 9, "participation_ratio")
    first, second = arrows.records([row])
    assert (first["measure"], first["value"]) == ("rankme_covariance", 2)
    assert (second["measure"], second["value"]) == ("participation_ratio", 9) and set(first) == set(second)


def test_changes_along_arrows_are_between_the_stops_only():
    rows = arrows.changes([series("one", [1, 2, 4], (1, 2, 4))], ["one@step1", "one@step4"])
    assert [(row["revision_a"], row["revision_b"], row["value"]) for row in rows] == [("step1", "step4", 3)]


# --- grids ---


@pytest.mark.parametrize(("count", "expected"), [(1, [0]), (4, [0, 1, 2, 3]), (5, [0, 1, 3, 4]), (26, [0, 8, 17, 25])])
def test_sites_are_spread_through_the_depth_with_both_ends(count, expected):
    sites = [f"block {k}" for k in range(count)]
    assert grid.spread(sites) == [sites[k] for k in expected]


def test_a_small_grid_draws_every_checkpoint():
    records = [one.record for one in series("one", [1, 2, 3], (1, 2, 4))]
    assert grid.lines(records) == ({("rankme_covariance", "final", "one"): records}, "")


def test_a_large_grid_draws_every_kth_and_the_last_and_says_so():
    records = [{"measure": "m", "site": f"s{site}", "run": "one", "step": step}
               for site in range(grid.MOST_POINTS // 400) for step in range(1001)]
    lines, said = grid.lines(records)
    assert sum(map(len, lines.values())) <= grid.MOST_POINTS * 1.01
    for line in lines.values():
        assert [row["step"] for row in line] == [*range(0, 1000, 3), 1000]
    assert "every 3th" not in said and "one checkpoint in 3" in said and f"{len(records):,}" in said


# --- places ---


def test_a_share_is_of_the_steps_of_the_run_itself():
    rows = [one.record for one in (*series("one", [1, 2], (0, 4)), *series("two", [1, 2], (8, 16)))]
    placed = places.placed(None, [run(), run("two", (8, 16))], None, rows, places.SHARE)
    assert [row["share"] for row in placed] == [0, 50, 50, 100]


def test_equal_shares_of_different_lengths_are_equal_numbers():
    lengths = [(3, 7 * k) for k in range(1, 40)]
    found = {places.placed(None, [run("one", (0, 7 * k))], None, [point("one", 3 * k, 1).record], "share")[0]["share"]
             for k, _ in enumerate(lengths, 1)}
    assert len(found) == 1


def test_stages_have_no_share():
    stages = run(steps=(0, 0), names=["base", "SFT"])
    row, = places.placed(None, [stages], None, [point("one", None, 1, revision="SFT").record], places.SHARE)
    assert row["share"] is None


def test_phases_stand_on_the_share_and_not_on_the_loss():
    shade = Shade("one", "warmup", {"step": 2, "revision": "step2"}, {"step": 4, "revision": "step4"})
    placed, = places.shades(None, [run()], None, [shade], places.SHARE)
    assert (placed.first["share"], placed.last["share"]) == (25, 50)
    assert places.shades(None, [run()], None, [shade], places.LOSS) == []


def test_a_training_log_has_no_place_over_the_loss(monkeypatch):
    rows = [{"run": "one", "step": 4, "value": 3.0}]
    monkeypatch.setattr(places.compute, "beside", lambda *given: Panel("train loss", rows))
    assert places.below(None, [run()], None, "train loss", places.LOSS).rows == []
    assert places.below(None, [run()], None, "train loss", places.SHARE).rows[0]["share"] == 50


# --- words ---


def test_what_has_nothing_to_be_compared_with_is_counted():
    rows = [{"run_b": "one", "revision_b": "step0"}]
    assert telling.unmatched(rows, [run()], "two", "share") == (
        "Left out: 4 of the 5 checkpoints of one, for which two has no value at the same share of training. ")
    assert telling.unmatched(rows, [run(steps=(0,))], "two", "step") == ""


def test_how_many_differences_are_to_a_line_is_said():
    rows = [{"between_a": ""}, {"between_a": "x and y"}]
    assert telling.interpolated(rows, "two", "step").startswith(" 1 of 2 differences are to two")
    assert "whose loss" in telling.interpolated(rows, "two", "loss") and "loss" not in telling.interpolated(
        rows, "two", "step")
    assert telling.interpolated(rows[:1], "two", "loss") == ""
