"""What pages say of the pinned reference: what stands for a phase, why it is not drawn, what makes it unlike."""

import pytest

from analysis import reference, referring, registry
from analysis.keys import Checkpoint, Run
from analysis.reference import Reference
from analysis.results import Scalar
from tests.test_phasing import put

RANKME = registry.get("rankme_covariance")


def checkpoint(step, run="mine"):
    return Checkpoint(run, f"step{step}", step, None, "/nowhere", f"{run}-{step}")


def run_of(*steps, name="mine"):
    return Run(name, "/nowhere", tuple(checkpoint(step, name) for step in steps))


PHASE = Reference("mine · warmup", "mine · warmup (step1 to step2)", (checkpoint(1), checkpoint(2)))
ONE = reference.of_checkpoint(checkpoint(1))


def test_the_last_checkpoint_stands_for_a_phase_and_that_is_said():
    assert referring.stands(PHASE) == (
        "The reference is a phase, and its last checkpoint, step2 of mine, stands for it here.")
    assert referring.stands(ONE) == ""


def test_what_stands_for_the_reference_is_a_run_of_the_same_weights_under_a_name_of_its_own():
    run, = referring.as_run(PHASE)
    assert run.name == "reference mine" and [c.run for c in run.checkpoints] == ["reference mine"]
    assert [(c.revision, c.fingerprint) for c in run.checkpoints] == [("step2", "mine-2")]
    assert referring.as_run(None) == []


def test_records_of_the_reference_are_known_by_its_weights():
    records = [{"fingerprint": f"mine-{step}"} for step in (1, 2, 3)]
    assert referring.among(PHASE, records) == [{"fingerprint": "mine-2"}]
    assert referring.among(None, records) == []


@pytest.mark.parametrize(("runs", "revision"), [
    ([run_of(1, 2)], "step2"), ([run_of(1, 2), run_of(2, 3, name="other")], "step2"),
    ([run_of(1, 2), run_of(1, 3, name="other")], ""), ([run_of(1, 2, name="other")], "")],
    ids=["its own run", "all runs have it", "one has not", "another run"])
def test_a_revision_is_shared_where_its_run_is_chosen_and_all_runs_have_it(runs, revision):
    assert referring.own_revision(PHASE, runs) == revision and referring.own_revision(None, runs) == ""


def test_a_missing_value_is_said_with_the_next_step_and_sites_of_one_reason_together(store, protocol):
    put(store, protocol, run_of(1, 2), RANKME.name, [Scalar(value=1.0), Scalar(value=2.0)], site="final")
    put(store, protocol, run_of(1, 2), RANKME.name, [Scalar(value=1.0), Scalar.undefined("all rows are the same")],
        site="block 1")
    put(store, protocol, run_of(1), RANKME.name, [Scalar(value=1.0)], site="block 2")
    sites = ["final", "block 1", "block 2", "block 3"]
    undefined, missing = referring.absent(store, PHASE, protocol, sites, RANKME, {})
    assert undefined == (f"{RANKME.label} of the reference mine · warmup (step1 to step2) is undefined at block 1, "
                         "because all rows are the same, so it is not drawn there.")
    assert missing.startswith(f"{RANKME.label} is not computed for the reference mine · warmup at block 2, block 3 on ")
    assert missing.endswith("Choose its run and checkpoints in the sidebar, and the page offers to compute it.")


def test_a_reference_of_another_width_or_of_other_rows_is_said_with_both_sizes():
    def sizes(*pairs):
        return [{"n": n, "d": d} for n, d in pairs]
    assert referring.unlike(sizes((40, 8)), sizes((40, 8), (40, 16)), "RankMe") == ""
    assert referring.unlike([], sizes((40, 8)), "RankMe") == referring.unlike(sizes((40, 8)), [], "RankMe") == ""
    for own in ((40, 16), (20, 8)):
        said = referring.unlike(sizes(own), sizes((40, 8)), "RankMe")
        assert f"has n = {own[0]}, d = {own[1]}, and what it is drawn beside n = 40, d = 8" in said
        assert "RankMe can differ for that alone" in said


def test_captions_name_the_reference_only_where_it_is_drawn():
    assert referring.drawn(PHASE, [{}]) == (
        " Dashes and dots, in ink: the reference mine · warmup (step1 to step2), mean over its 2 checkpoints.")
    assert referring.drawn(ONE, [{}]) == " Dashes and dots, in ink: the reference mine@step1."
    assert referring.shown(PHASE, [{}]) == " In ink: the reference mine · warmup, by its last checkpoint, step2."
    assert referring.shown(ONE, [{}], "Ring") == " Ring: the reference mine@step1."
    for said in (referring.drawn, referring.shown):
        assert said(PHASE, []) == said(None, [{}]) == ""
