"""Differences over training: which checkpoints meet, what stands between them, and what each record says."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.contrasts.sides import between, over_training
from analysis.export import manifest, table_csv
from analysis.inference.jackknife import paired_change
from analysis.publishing.methods import methods
from analysis.results import Scalar
from tests.contrasts.made import numbers, point, scalar, series


def test_a_difference_is_b_minus_a_with_both_sides_in_full():
    a, b = scalar(numbers(1)), scalar(numbers(2, 3))
    row = between(point("one", 8, a), point("two", 8, b))
    assert (row["value"], row["low"], row["high"]) == paired_change(a, b)
    assert (row["run_a"], row["run_b"], row["step_a"], row["value_a"], row["value_b"]) == ("one", "two", 8, a.value,
                                                                                          b.value)
    assert (row["fingerprint_a"], row["fingerprint_b"]) == ("one 8", "two 8")
    assert row["relative"] == pytest.approx((b.value - a.value) / abs(a.value))
    assert row["n_a"] == row["n_b"] == 40 and row["protocol_a"]["probe"] == "words@0"


def test_files_of_a_difference_name_both_sides():
    rows = [between(point("one", 8, 1), point("two", 8, 2))]
    assert b'"one 8"' in manifest(rows, "t", "c") and b'"two 8"' in manifest(rows, "t", "c")
    assert b"run_a" in table_csv(rows)
    said = methods(rows)
    assert "of one (step8)" in said and "of two (step8)" in said and "probe words@0" in said


def test_an_undefined_side_gives_no_number_and_the_reason():
    for a, b, side in ((Scalar.undefined("one row"), Scalar(value=1), "the first side"),
                       (Scalar(value=1), Scalar.undefined("one row"), "the second side")):
        row = between(point("one", 8, a), point("two", 8, b))
        assert row["value"] is None and row["p"] is None and row["reason"] == f"undefined on {side}: one row"


def test_a_change_from_0_has_no_relative_size():
    assert between(point("one", 8, 0), point("two", 8, 2))["relative"] is None


def places(rows, quantity="step"):
    return [row[quantity] for row in rows]


def test_only_places_that_both_have_are_compared():
    rows = over_training(series("one", [1, 2, 3], (0, 4, 8)), series("two", [5, 6, 7], (0, 6, 8)), "step")
    assert places(rows) == [0, 8] and [row["value"] for row in rows] == [4, 4]
    assert [row["between_a"] for row in rows] == ["", ""]


def test_on_request_the_line_between_neighbours_is_taken_and_both_are_named():
    rows = over_training(series("one", [1, 2, 4], (0, 4, 8)), series("two", [5, 6, 7], (0, 6, 8)), "step", line=True)
    assert places(rows) == [0, 6, 8] and [row["value"] for row in rows] == [4, 3, 3]
    assert [row["between_a"] for row in rows] == ["", "step4 and step8", ""]
    assert rows[1]["value_a"] == 3 and b'"one 8"' in manifest(rows[1:2], "", "") and b'"one 4"' in manifest(
        rows[1:2], "", "")


def test_rows_at_and_between_checkpoints_have_the_same_columns():
    rows = over_training(series("one", [1, 2, 4], (0, 4, 8)), series("two", [5, 6, 7], (0, 6, 8)), "step", line=True)
    assert len({tuple(row) for row in rows}) == 1
    assert table_csv(rows).count(b"\r\n") == 4


def test_on_a_logarithmic_axis_the_line_is_straight_there():
    rows = over_training(series("one", [0, 2], (1, 100)), [point("two", 10, 5)], "step", line=True, log=True)
    assert rows[0]["value_a"] == pytest.approx(1)
    rows = over_training(series("one", [0, 2], (1, 100)), [point("two", 10, 5)], "step", line=True)
    assert rows[0]["value_a"] == pytest.approx(2 * 9 / 99)


def test_nothing_is_taken_from_beyond_the_ends_or_between_0_and_the_first_step_of_a_logarithmic_axis():
    base = series("one", [1, 2], (0, 10))
    assert over_training(base, [point("two", 11, 5)], "step", line=True) == []
    assert over_training(base, [point("two", 5, 5)], "step", line=True, log=True) == []
    assert len(over_training(base, [point("two", 5, 5)], "step", line=True)) == 1


def test_the_interval_between_checkpoints_is_that_of_the_weighted_mean():
    one, other, b = numbers(1), numbers(2), scalar(numbers(3, 2))
    row, = over_training(series("one", [scalar(one), scalar(other)], (4, 8)), [point("two", 5, b)], "step", line=True)
    assert (row["low"], row["high"]) == pytest.approx(paired_change(scalar(0.75 * one + 0.25 * other), b)[1:])


def test_between_a_checkpoint_without_replicates_and_another_there_is_no_interval():
    base = series("one", [scalar(numbers(1)), 2], (4, 8))
    row, = over_training(base, [point("two", 5, scalar(numbers(3)))], "step", line=True)
    assert row["value"] is not None and row["low"] is None and row["reason"]


def test_over_the_loss_a_checkpoint_whose_loss_rose_again_is_no_neighbour():
    base = [point("one", step, value, loss=loss) for step, value, loss in ((1, 1, 5.0), (2, 50, 5.5), (3, 3, 4.0))]
    row, = over_training(base, [point("two", 1, 7, loss=4.5)], "loss", line=True)
    assert row["value_a"] == 2 and row["between_a"] == "step1 and step3"
    assert over_training(base, [point("two", 1, 7, loss=4.5)], "loss") == []


def test_an_undefined_checkpoint_is_no_neighbour():
    base = series("one", [1, Scalar.undefined("no rows"), 3], (0, 4, 8))
    row, = over_training(base, [point("two", 6, 7)], "step", line=True)
    assert row["between_a"] == "step0 and step8" and row["value_a"] == pytest.approx(2.5)


def test_stages_meet_by_name():
    one, two = ([replace(p, record=p.record | {"step": None}) for p in series(run, values, (1, 2))]
                for run, values in (("one", [1, 2]), ("two", [4, 8])))
    assert [row["value"] for row in over_training(one, two, "revision", line=True)] == [3, 6]


def test_pairs_of_groups_are_mixed_too():
    def with_pairs(seed):
        held = scalar(numbers(seed))
        return replace(held, replicates=replace(held.replicates, without_pairs=np.random.default_rng(seed).random(5)))
    one, other, b = with_pairs(1), with_pairs(2), with_pairs(3)
    row, = over_training(series("one", [one, other], (4, 8)), [point("two", 6, b)], "step", line=True)
    middle = replace(one, value=(one.value + other.value) / 2, replicates=replace(
        one.replicates, values=(one.replicates.values + other.replicates.values) / 2,
        without_pairs=(one.replicates.without_pairs + other.replicates.without_pairs) / 2))
    assert (row["low"], row["high"]) == pytest.approx(paired_change(middle, b)[1:])
