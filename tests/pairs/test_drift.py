"""Similarity over training from stored matrices: the right cells, intervals, thresholds and equal steps."""

import numpy as np
import pytest

from analysis import registry, views
from analysis.keys import Checkpoint, Run
from analysis.pairs import cells, drift
from analysis.results import PairMatrix
from analysis.similarity import matrix_key

CKA, REGRESSION = registry.get("linear_cka_debiased"), registry.get("linear_regression_r2")
IMBALANCE = registry.get("information_imbalance")
STEPS = (0, 1, 8, 64)


def made_run(name, steps=STEPS, tokens=1000):
    return Run(name, "/nowhere", tuple(
        Checkpoint(name, f"step{step}", step, None if tokens is None else step * tokens, "/nowhere", f"{name}-{step}")
        for step in steps))


def staged(name, *stages):
    return Run(name, "/nowhere", tuple(Checkpoint(name, stage, None, None, "/nowhere", f"{name}-{stage}")
                                       for stage in stages))


def made_matrix(shape=(4, 4), seed=0, draws=39, groups=20):
    """Values with the replicates and the null that belong to them."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(0.3, 1, shape)
    return PairMatrix(values=values, replicates=values + 0.01 * rng.standard_normal((groups, *shape)),
                      sizes=np.full(groups, 5), null=rng.uniform(-0.1, 0.2, (draws, *shape)).astype(np.float32),
                      chance=np.zeros(shape))


@pytest.fixture
def question(protocol):
    return drift.Question(CKA, protocol)


# --- which cells ---


@pytest.mark.parametrize(("asked", "column", "revision"), [(drift.FIRST, 0, "step0"), (drift.LAST, 3, "step64"),
                                                           ("step8", 2, "step8")])
def test_each_checkpoint_is_set_against_the_column_of_its_reference(question, asked, column, revision):
    matrix = made_matrix()
    records = drift.against(matrix, made_run("one"), "final", asked, question)
    assert [record["value"] for record in records] == pytest.approx(matrix.values[:, column])
    assert [(r["revision"], r["step"], r["tokens"]) for r in records] == [
        (f"step{step}", step, step * 1000) for step in STEPS]
    assert {r["reference"] for r in records} == {f"one {revision}"}
    assert {r["fingerprint_reference"] for r in records} == {f"one-{revision.removeprefix('step')}"}


def test_a_run_without_the_reference_has_no_line(question):
    assert drift.against(made_matrix(), made_run("one"), "final", "step9", question) == []
    assert drift.wanted([made_run("one"), made_run("other", (0, 9))], "step9", between=False) == [
        (made_run("other", (0, 9)), made_run("other", (0, 9)))]


def test_interval_threshold_and_p_are_those_of_the_cell(question):
    matrix = made_matrix(seed=4)
    low, high = cells.interval(matrix)
    said = cells.verdict(matrix, CKA)
    record = drift.against(matrix, made_run("one"), "final", drift.LAST, question)[1]
    assert (record["low"], record["high"]) == pytest.approx((low[1, 3], high[1, 3]))
    assert record["threshold"] == pytest.approx(said.threshold[1, 3]) and record["p"] == pytest.approx(1 / 40)
    assert record["draws"] == 39 and record["exact_chance"] == 0 and record["reason"] == ""


def test_a_matrix_without_replicates_and_null_has_values_only(question):
    matrix = PairMatrix(values=np.ones((4, 4)))
    record = drift.against(matrix, made_run("one"), "final", drift.FIRST, question)[0]
    assert [record[name] for name in ("low", "high", "threshold", "p", "exact_chance")] == [None] * 5
    assert record["value"] == 1 and record["draws"] == 0


def test_an_undefined_cell_is_a_gap_with_its_reason(question):
    values = np.ones((4, 4))
    values[0], values[:, 0] = np.nan, np.nan
    records = drift.against(PairMatrix(values=values, reasons=("all rows are the same",)), made_run("one"), "final",
                            drift.LAST, question)
    assert [record["value"] for record in records] == [None, 1, 1, 1]
    assert [record["reason"] for record in records] == ["all rows are the same", "", "", ""]


# --- runs with each other ---


def test_runs_are_compared_where_their_steps_are_equal(question):
    one, other = made_run("one"), made_run("other", (1, 4, 64))
    matrix = made_matrix((4, 3))
    records = drift.between(matrix, one, other, "final", question)
    assert [(record["step"], record["value"]) for record in records] == [
        (1, pytest.approx(matrix.values[1, 0])), (64, pytest.approx(matrix.values[3, 2]))]
    assert {record["run"] for record in records} == {"one × other"}
    assert [record["reference"] for record in records] == ["other step1", "other step64"]
    assert [record["tokens"] for record in records] == [1000, 64000]


def test_steps_that_read_different_numbers_of_tokens_have_no_place_on_an_axis_of_tokens(question):
    records = drift.between(made_matrix(), made_run("one"), made_run("other", tokens=500), "final", question)
    assert [record["tokens"] for record in records] == [0, None, None, None]


def test_stages_without_steps_are_matched_by_their_names(question):
    one, other = staged("one", "base", "sft", "dpo"), staged("other", "base", "dpo")
    records = drift.between(made_matrix((3, 2)), one, other, "final", question)
    assert [record["revision"] for record in records] == ["base", "dpo"]


def test_runs_are_a_pair_only_with_two_equal_steps():
    one, far, near = made_run("one"), made_run("far", (0, 3, 5)), made_run("near", (8, 64, 100))
    assert drift.pairs([one, far, near]) == [(one, near)]
    assert drift.SAME in drift.references([one, near]) and drift.SAME not in drift.references([one, far])
    assert drift.references([far])[:2] == [drift.FIRST, drift.LAST]


def test_what_has_to_be_computed_follows_what_is_asked():
    one, other = made_run("one"), made_run("other")
    assert drift.wanted([one, other], drift.FIRST, between=False) == [(one, one), (other, other)]
    assert drift.wanted([one, other], drift.FIRST, between=True) == [(one, one), (other, other), (one, other)]
    assert drift.wanted([one, other], drift.SAME, between=False) == [(one, other)]


def test_the_range_is_of_the_steps_that_all_pairs_have(question):
    runs = [made_run("a"), made_run("b"), made_run("c", (0, 1, 64))]
    matrices = [made_matrix((len(one.checkpoints), len(other.checkpoints)), seed=k)
                for k, (one, other) in enumerate(drift.pairs(runs))]
    records = [record for matrix, (one, other) in zip(matrices, drift.pairs(runs), strict=True)
               for record in drift.between(matrix, one, other, "final", question)]
    spread = drift.spread(records, 3)
    assert [record["step"] for record in spread] == [0, 1, 64]
    at_64 = matrices[0].values[3, 3], matrices[1].values[3, 2], matrices[2].values[3, 2]
    assert (spread[2]["low"], spread[2]["high"]) == pytest.approx((min(at_64), max(at_64)))
    assert {record["run"] for record in spread} == {"between 3 seeds (range)"}
    assert all(record["value"] is None and record["reason"] == "" for record in spread)


def test_one_pair_has_no_range_and_a_step_without_a_value_is_not_in_it(question):
    runs = [made_run("a"), made_run("b"), made_run("c")]
    records = [record for one, other in drift.pairs(runs)
               for record in drift.between(made_matrix(), one, other, "final", question)]
    assert drift.spread([record for record in records if record["run"] == "a × b"], 2) == []
    records[5]["value"] = None
    assert [record["step"] for record in drift.spread(records, 3)] == [0, 8, 64]


# --- stored matrices and sentences ---


def test_the_stored_matrix_of_a_question_is_found_under_its_setting_only(store, protocol):
    one, other, measure = made_run("one"), made_run("other"), registry.get("mutual_knn_cosine")
    name = measure.params[0].name
    rows, columns = views.steps(one, "final"), views.steps(other, "final")
    store.put_matrix(matrix_key(rows, columns, measure, protocol, {name: 3}), made_matrix())
    found = drift.Question(measure, protocol, {name: 3}).matrix(store, one, other, "final")
    np.testing.assert_array_equal(found.values, made_matrix().values)
    assert drift.Question(measure, protocol, {name: 4}).matrix(store, one, other, "final") is None
    assert drift.Question(measure, protocol, {name: 3}).matrix(store, other, one, "final") is None


def test_the_caption_says_rows_interval_and_how_often_documents_were_shuffled(store, question):
    run = made_run("one")
    said = drift.caption(store, run, question, drift.against(made_matrix(), run, "final", drift.FIRST, question))
    assert all(words in said for words in ("n = ? rows", "rows: last", "95 % interval", "not what another seed",
                                           "of 39 comparisons", "5 % lie above"))
    assert "X is the checkpoint" not in said


def test_the_caption_says_what_is_missing_and_which_side_is_which(store, protocol):
    run, bare = made_run("one"), PairMatrix(values=np.ones((4, 4)), note="compared on 16 common words of 20 and 16")
    question = drift.Question(REGRESSION, protocol)
    said = drift.caption(store, run, question, drift.against(bare, run, "final", drift.FIRST, question))
    assert "more than 400 cells" in said and "16 common words" in said and "95 % interval" not in said
    assert "X is the checkpoint on the axis" in said


def test_where_smaller_is_more_alike_few_shuffles_lie_below(store, protocol):
    run, question = made_run("one"), drift.Question(IMBALANCE, protocol)
    said = drift.caption(store, run, question, drift.against(made_matrix(), run, "final", drift.FIRST, question))
    assert "5 % lie below" in said


# --- a pinned reference ---


def kept(store, question, one, other, matrix, site="final"):
    rows, columns = views.steps(one, site), views.steps(other, site)
    store.put_matrix(matrix_key(rows, columns, question.measure, question.protocol, {}), matrix)


def test_every_run_is_set_against_the_same_pinned_checkpoint_whichever_way_round_it_is_stored(store, question):
    one, home, other = made_run("one"), made_run("home"), made_run("other", (0, 8))
    matrices = {name: made_matrix(shape, seed) for seed, (name, shape) in enumerate(
        {"one": (4, 4), "home": (4, 4), "other": (4, 2)}.items())}
    kept(store, question, one, home, matrices["one"])
    kept(store, question, home, home, matrices["home"])
    kept(store, question, home, other, matrices["other"])
    pinned = home, home.checkpoints[2]
    found = drift.lines(store, [one, home, other], ["final"], drift.PINNED, False, question, pinned)
    values = {run.name: [r["value"] for r in found.own if r["run"] == run.name] for run in (one, home, other)}
    assert values["one"] == pytest.approx(matrices["one"].values[:, 2])
    assert values["home"] == pytest.approx(matrices["home"].values[:, 2])
    assert values["other"] == pytest.approx(matrices["other"].values[2]), "read from the rows of its matrix"
    assert {(r["reference"], r["fingerprint_reference"]) for r in found.own} == {("home step8", "home-8")}
    assert (found.pairs, found.absent) == ([], [])


def test_a_pinned_checkpoint_of_a_run_that_is_not_chosen_can_be_the_reference(store, question):
    one, home = made_run("one"), made_run("home")
    kept(store, question, one, home, made_matrix())
    found = drift.lines(store, [one], ["final"], drift.PINNED, True, question, (home, home.checkpoints[3]))
    assert [r["value"] for r in found.own] == pytest.approx(made_matrix().values[:, 3]) and found.absent == []


def test_a_measure_with_sides_is_not_read_the_other_way_round(store, protocol):
    one, home, question = made_run("one"), made_run("home"), drift.Question(REGRESSION, protocol)
    kept(store, question, home, one, made_matrix())
    found = drift.lines(store, [one], ["final"], drift.PINNED, False, question, (home, home.checkpoints[0]))
    assert found.own == [] and found.absent == [(one, home, "final")]


def test_what_is_missing_for_the_pinned_checkpoint_and_between_runs_is_named_once(store, question):
    home, one = made_run("home"), made_run("one")
    found = drift.lines(store, [home, one], ["final"], drift.PINNED, True, question, (home, home.checkpoints[0]))
    assert found.absent == [(home, one, "final"), (home, home, "final")]


def test_the_pinned_checkpoint_can_be_chosen_only_where_there_is_one(store, question):
    one = made_run("one")
    assert drift.PINNED not in drift.references([one]) and drift.PINNED in drift.references([one], True)
    kept(store, question, one, one, made_matrix())
    found = drift.lines(store, [one], ["final"], drift.FIRST, False, question, (one, one.checkpoints[2]))
    assert [r["value"] for r in found.own] == pytest.approx(made_matrix().values[:, 0]), "another choice wins"
