"""What figures, tables and sentences say of cells whose bars are known: no bar and no count without its null."""

import numpy as np
import pytest

from analysis.errors import Undefined
from analysis.extraction.probes import load_probe
from analysis.keys import Policy, Run
from analysis.references import citation
from analysis.representations import Protocol
from analysis.topology import reading, summaries, words
from analysis.topology.cell import GRID, KINDS
from analysis.topology.computing import Question
from analysis.topology.nulls import null_of
from tests.topology.made import POINTS, SURROGATES, cell, checkpoint, diagrams

ITEM = (checkpoint(), "final")
QUESTION = Question(points=POINTS, draws=4, surrogates=SURROGATES)


@pytest.fixture(scope="module")
def protocol():
    return Protocol(load_probe("numbers-mod-59"), Policy.parse("last"))


@pytest.fixture(scope="module")
def records(protocol):
    """Three checkpoints, of which the second has a loop."""
    return [one for step, loop in ((0, 0.0), (1, 0.3), (8, 0.0))
            for one in reading.of_cell(cell(loop, seed=step), (checkpoint(step), "final"), protocol, QUESTION)]


# --- bars ---


def test_every_bar_of_every_draw_is_there_with_the_thresholds_of_both_nulls():
    made = cell()
    bars = reading.bars(made, ITEM)
    for draw, one in enumerate(made.draws):
        for dimension in (0, 1):
            own = [bar for bar in bars if (bar["draw"], bar["dimension"]) == (draw, dimension)]
            assert sorted((bar["birth"], bar["death"]) for bar in own) == sorted(map(tuple, one.bars[dimension]))
            assert [bar["length"] for bar in own] == sorted((bar["length"] for bar in own), reverse=True)
    for bar in bars:
        assert [bar[f"{kind}_threshold"] for kind in KINDS] == [
            null.threshold(bar["dimension"]) for null in made.nulls.values()]


def test_the_range_of_a_rank_holds_that_bar_of_every_draw_and_is_touched_at_both_ends():
    bars = [bar for bar in reading.bars(cell(), ITEM) if bar["dimension"] == 1]
    for first in (bar for bar in bars if bar["draw"] == 0):
        lengths = [bar["length"] for bar in bars if bar["rank"] == first["rank"]]
        assert (first["low"], first["high"]) == pytest.approx((min(lengths), max(lengths)))
    assert all(bar["low"] is None for bar in bars if bar["draw"])


def test_a_rank_that_some_draw_has_not_reaches_down_to_no_bar():
    short, long = (diagrams([7, loops], loops=loops) for loops in (2, 5))
    made = cell()
    two = type(made)(draws=(long, short), folds=(), nulls=made.nulls, rows=100, distinct=90, d=4)
    lows = [bar["low"] for bar in reading.bars(two, ITEM) if bar["dimension"] == 1 and bar["draw"] == 0]
    assert all(low > 0 for low in lows[:2]) and lows[2:] == [0, 0, 0]


# --- curves ---


def test_betti_numbers_begin_at_the_number_of_points_and_end_at_one_component():
    curves = reading.curves(cell(), ITEM)
    components = [one for one in curves if one["curve"] == "β0"]
    for end in ("value", "low", "high", "matched_low", "shuffled_high"):
        assert (components[0][end], components[-1][end]) == (POINTS, 1)
    assert [one["radius"] for one in components] == GRID.tolist()
    loops = [one["value"] for one in curves if one["curve"] == "β1"]
    expected = np.mean([summaries.betti_curve(one.bars[1], GRID) for one in cell().draws], axis=0)
    assert loops == pytest.approx(expected.tolist())


@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_euler_curve_is_that_of_each_draw_and_its_bounds_hold_what_they_promise(dimensions):
    made = cell(dimensions=dimensions)
    found = [one for one in reading.curves(made, ITEM) if one["curve"] == "χ"]
    every = np.array([summaries.euler_curve(one, GRID) for one in made.draws])
    assert [one["value"] for one in found] == pytest.approx(every.mean(axis=0).tolist())
    assert [one["high"] for one in found] == every.max(axis=0).tolist()
    surrogates = [diagrams([0, 100, number], points=POINTS, dimensions=dimensions) for number in range(SURROGATES)]
    euler = np.array([summaries.euler_curve(one, GRID) for one in surrogates])
    low, high = (np.array([one[f"matched_{end}"] for one in found]) for end in ("low", "high"))
    inside = ((euler >= low) & (euler <= high)).mean(axis=0)
    assert inside.min() >= (0.8 if dimensions == 2 else 0.7), "what the caption says"
    assert all(one["matched_median"] is None for one in found), "quantiles of a sum are no sum of quantiles"


@pytest.mark.parametrize("dimension", [0, 1])
def test_the_ceiling_of_a_landscape_parts_surrogates_as_the_threshold_of_their_longest_bars_does(dimension):
    made = cell()
    ceiling = reading.landscapes(made, ITEM, dimension)[0]["matched_ceiling"]
    surrogates = [diagrams([0, 100, number]) for number in range(SURROGATES)]
    fine = np.linspace(0, 1, 20_001)  # so that no peak is missed by more than a step
    peaks = np.array([summaries.landscape(one.bars[dimension], fine, 1).max() for one in surrogates])
    longest = np.array([summaries.longest(one.lengths(dimension)) for one in surrogates])
    assert ((peaks > ceiling) == (longest > null_of(surrogates).threshold(dimension))).all()
    assert (peaks > ceiling).any()


# --- over training ---


def test_only_the_checkpoint_with_a_loop_is_significant(records):
    shown = reading.over_training(records, "longest", 1)
    assert [one["significant"] for one in shown] == [False, True, False]
    assert all("significant" not in one for one in reading.over_training(records, "total", 1))
    assert "1 of 3 representations" in reading.looks(records, 1) and "0.15" in reading.looks(records, 1)


@pytest.mark.parametrize("summary", reading.LABELS)
def test_every_summary_has_both_nulls_a_band_of_its_draws_and_a_label(records, summary):
    for dimension in (0, 1):
        shown = reading.over_training(records, summary, dimension)
        assert len(shown) == 3
        for one in shown:
            assert all(one[f"{kind}_low"] <= one[f"{kind}_high"] for kind in KINDS)
            if summary != "longer":
                assert [one["high"] - one["value"], one["value"] - one["low"]] == pytest.approx([one["spread"]] * 2)
        assert reading.quantity(summary, dimension).label.endswith(f", H{dimension}")
        assert len(reading.table(records, summary, dimension)) == 3


def test_the_table_holds_p_against_both_nulls_whatever_the_summary(records):
    for summary in reading.LABELS:
        rows = reading.table(records, summary, 1)
        assert [row["beyond both"] for row in rows] == [False, True, False]
        assert rows[1]["p, matched"] == rows[1]["p, shuffled"] == 1 / (1 + SURROGATES)


def test_what_is_missing_is_what_has_no_record(records):
    run = Run(name="alpha", source="", checkpoints=tuple(checkpoint(step) for step in (0, 1, 4, 8)))
    known = reading.items([run], records)
    assert list(known) == ["alpha@step0:final", "alpha@step1:final", "alpha@step8:final"]
    assert reading.lacking([run], ["final"], records) == [(checkpoint(4), "final")]
    assert len(reading.lacking([run], ["final", "block 1"], records)) == 5


# --- words ---


def test_a_cloud_without_other_draws_is_said_to_be_one_and_has_no_band(protocol):
    one = cell(draws=1, folds=0)
    shown = reading.over_training(reading.of_cell(one, ITEM, protocol, QUESTION), "longest", 1)
    assert shown[0]["low"] is None and shown[0]["high"] is None
    said = words.caption_of(shown, QUESTION, "Probe x.")
    assert "one cloud" in said and "standard deviation" not in words.over_training("longest", shown)
    assert "standard deviation" in words.over_training("longest", [shown[0] | {"draws": 4}])


def test_draws_that_disagree_are_not_called_chance():
    made = cell(loop=0.3)
    disagreeing = type(made)(draws=(diagrams([9, 9]), *made.draws), folds=(), nulls=made.nulls, rows=9, distinct=9, d=4)
    assert "not clearly longer than chance: the draws disagree" in reading.sentence(disagreeing)
    assert "4 of 5 draws lie above" in reading.sentence(disagreeing)
    assert " is longer than chance (" in reading.sentence(made)
    assert "no longer than chance would make it" in reading.sentence(cell(loop=0.0))


def test_the_test_of_two_representations_says_p_points_and_draws_and_keeps_every_distance():
    a, b = cell(loop=0.0, seed=3), cell(loop=0.4, seed=4)
    said, pairs = reading.differing(a, b, 1, ("a", "b"))
    assert said.startswith("The H1 diagrams of A and B differ: p = 0.0312, from 32 labellings of 6 draws")
    assert f"{POINTS} points" in said
    assert [sum(pair["pair"] == kind for pair in pairs) for kind in ("within A", "within B", "between")] == [15, 15, 36]
    same, _ = reading.differing(a, a, 1, ("a", "a"))
    assert same.startswith("No difference")


def test_too_few_draws_for_a_low_p_are_said_to_be_too_few():
    said, _ = reading.differing(cell(loop=0.0, folds=3), cell(loop=0.4, folds=3), 1, ("a", "b"))
    assert "p cannot be below 0.25" in said


def test_no_disjoint_draws_are_a_reason_and_no_number():
    with pytest.raises(Undefined, match="share no document"):
        reading.differing(cell(folds=0), cell(), 1, ("a", "b"))


def test_the_options_give_the_command_line_the_same_question():
    from analysis.__main__ import _parser
    asked = Question(points=123, draws=7, surrogates=99, max_dim=2, directions=4, seed=5)
    given = _parser().parse_args(["topology", "run", *words.options(asked)])
    assert Question(given.points, given.draws, given.surrogates, given.max_dim, given.directions, given.seed) == asked


def test_the_cost_grows_with_points_surrogates_and_representations():
    few = words.cost(QUESTION, 1)
    assert f"{2 * 4 + 2 * SURROGATES} clouds of {POINTS} points" in few
    assert few != words.cost(Question(points=400, draws=4, surrogates=SURROGATES), 1) != words.cost(QUESTION, 50)


def test_how_to_read_names_the_looks_and_every_reference_is_known():
    assert "up to 1 of 20" in words.how_to_read(20) and "up to" not in words.how_to_read(0)
    assert all(citation(key) for key in words.CITED)
