"""Everything of some runs: every checkpoint once, every site from input to output."""

from analysis import views
from analysis.keys import Checkpoint, Run

SITES = ["final", "block 10", "embedding", "block 2"]
IN_ORDER = ["embedding", "block 2", "block 10", "final"]


def made_run(name, *prints):
    return Run(name, "/nowhere", tuple(Checkpoint(name, f"step{k}", k, None, "/nowhere", fingerprint)
                                       for k, fingerprint in enumerate(prints)))


def named(items):
    return [(checkpoint.run, checkpoint.revision, site) for checkpoint, site in items]


def test_every_site_of_every_checkpoint_comes_in_order_of_run_training_and_depth():
    runs = [made_run("one", "a", "b"), made_run("other", "c")]
    assert named(views.everything(runs, lambda checkpoint: SITES)) == [
        (run, revision, site) for run, revision in (("one", "step0"), ("one", "step1"), ("other", "step0"))
        for site in IN_ORDER]


def test_a_checkpoint_of_two_runs_comes_once_under_the_first_of_them():
    runs = [made_run("one", "start", "b"), made_run("other", "start", "d")]
    assert sorted(named(views.everything(runs, lambda checkpoint: ["final"]))) == [
        ("one", "step0", "final"), ("one", "step1", "final"), ("other", "step1", "final")]


def test_a_checkpoint_that_a_run_holds_twice_comes_once_under_its_first_name():
    found = views.everything([made_run("one", "a", "b", "a")], lambda checkpoint: ["final"])
    assert sorted(named(found)) == [("one", "step0", "final"), ("one", "step1", "final")]


def test_a_run_that_is_given_twice_changes_nothing():
    run = made_run("one", "a", "b")
    assert views.everything([run, run], lambda checkpoint: SITES) == views.everything([run], lambda checkpoint: SITES)


def test_a_checkpoint_without_sites_has_no_items():
    known = {"a": [], "b": ["final"]}
    assert named(views.everything([made_run("one", "a", "b")], lambda checkpoint: known[checkpoint.fingerprint])) == [
        ("one", "step1", "final")]
