"""Differences between two checkpoints on the screen: paired where they can be, and never called real without that."""

from analysis import changes, registry
from analysis.__main__ import open_store
from analysis.compute import Protocol
from analysis.extraction.probes import load_probe
from analysis.inference.jackknife import paired_change
from analysis.keys import Policy
from analysis.runs import find_run
from tests.ui.test_pages import healthy, opened

RANKME, LIDAR = registry.get("rankme_covariance"), registry.get("lidar")


def between(before, after, measure, sites=("final", "block 2", "nowhere")):
    run, store = find_run(open_store(), "sotu-neox-seed1"), open_store()
    protocol = Protocol(load_probe("sotu-held-out"), Policy.parse("last"))
    return changes.between(store, run.at(before), run.at(after), protocol, sites, measure, {})


def test_a_change_is_that_of_the_stored_values_with_its_paired_interval():
    rows = between("step64", "step16000", RANKME)
    assert [row["site"] for row in rows] == ["final", "block 2"]
    for row in rows:
        assert row["change"] == row["to"] - row["from"] and row["low"] < row["change"] < row["high"]
        assert row["says"] == "differs" and row["low"] > 0
    store, run = open_store(), find_run(open_store(), "sotu-neox-seed1")
    protocol = Protocol(load_probe("sotu-held-out"), Policy.parse("last"))
    one, other = (changes.scalar(store, run.at(at), protocol, "final", RANKME, {}) for at in ("step64", "step16000"))
    assert paired_change(one, other) == (rows[0]["change"], rows[0]["low"], rows[0]["high"])


def test_a_checkpoint_does_not_differ_from_itself():
    (row,) = between("step512", "step512", RANKME, ["final"])
    assert (row["change"], row["low"], row["high"], row["says"]) == (0, 0, 0, "not distinguishable")


def test_a_measure_without_an_interval_has_a_change_and_no_verdict():
    (row,) = between("step64", "step16000", LIDAR, ["final"])
    assert row["low"] is None and row["says"] == changes.UNPAIRED


def test_the_page_compares_two_checkpoints_when_asked():
    at = opened("trajectories")
    assert not at.dataframe
    (switch,) = [toggle for toggle in at.toggle if toggle.key == "compare"]
    at = switch.set_value(True).run()
    healthy(at)
    assert at.dataframe[0].value["says"].tolist() == ["differs"]
