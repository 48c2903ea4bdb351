"""What changed most, on the bundled runs."""

import pytest

from analysis import registry
from analysis.__main__ import open_store
from analysis.changes import scalar
from analysis.compute import Protocol
from analysis.contrasts import ranking
from analysis.contrasts.multiplicity import BH, BY, HOLM
from analysis.contrasts.stretches import rows as stretch_rows
from analysis.contrasts.values import of_checkpoint, of_run
from analysis.extraction.probes import load_probe
from analysis.inference.jackknife import paired_change
from analysis.keys import Policy
from analysis.reference import of_checkpoint as pinned
from analysis.runs import find_run


@pytest.fixture
def asked():
    store = open_store()
    runs = [find_run(store, f"sotu-neox-seed{seed}") for seed in (1, 2)]
    return store, runs, Protocol(load_probe("sotu-held-out"), Policy.parse("last"))


@pytest.fixture
def ranked(asked):
    store, runs, protocol = asked
    return ranking.rank(store, runs[0].at("step64"), runs[1].at("step16000"), protocol)


def test_every_stored_measure_and_site_is_tested_or_has_a_reason(asked, ranked):
    store, runs, protocol = asked
    tested, rest = ranked
    stored = of_checkpoint(store, runs[1].at("step16000"), protocol)
    assert len(tested) + len(rest) == len(stored) > 200
    assert all(row["reason"] for row in rest) and not any(row["reason"] for row in tested)
    assert {row["site"] for row in tested} == {"embedding", "block 1", "block 2", "block 3", "block 4", "final"}


def test_they_are_ordered_by_their_size_in_standard_errors(ranked):
    sizes = [abs(row["standardised"]) for row in ranked[0]]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > sizes[-1]


def test_p_is_corrected_over_all_that_was_tested(ranked):
    tested, _ = ranked
    smallest = min(row["p"] for row in tested)
    best = next(row for row in tested if row["p"] == smallest)
    assert best[HOLM] == pytest.approx(min(1, smallest * len(tested)))
    assert all(row["p"] <= row[BH] <= row[BY] and row["p"] <= row[HOLM] for row in tested)


def test_a_row_is_the_paired_change_of_the_stored_values(asked, ranked):
    store, runs, protocol = asked
    row = next(row for row in ranked[0] if (row["measure"], row["site"]) == ("rankme_covariance", "final"))
    a, b = (scalar(store, run.at(at), protocol, "final", registry.get("rankme_covariance"), {})
            for run, at in zip(runs, ("step64", "step16000"), strict=True))
    assert (row["value"], row["low"], row["high"]) == paired_change(a, b)


def test_settings_other_than_the_usual_are_rows_of_their_own(ranked):
    names = {row["what"] for row in [*ranked[0], *ranked[1]] if row["measure"] == "alpha_weighted_least_squares"}
    assert names == {"Spectral decay exponent α", "Spectral decay exponent α (first rank 12, last rank 100)"}


def test_a_checkpoint_and_itself_give_no_test_at_all(asked):
    store, runs, protocol = asked
    tested, rest = ranking.rank(store, runs[0].at("step64"), runs[0].at("step64"), protocol)
    assert tested == [] and rest


def test_two_runs_are_compared_at_the_last_step_they_share_and_one_at_its_ends(asked):
    runs = asked[1]
    assert [one.revision for one in ranking.sides(runs)] == ["step16000", "step16000"]
    assert [one.run for one in ranking.sides(runs)] == ["sotu-neox-seed1", "sotu-neox-seed2"]
    assert [one.revision for one in ranking.sides(runs[:1])] == ["step0", "step16000"]


def test_what_is_claimed_is_at_most_the_limit_and_the_sentence_counts_it(ranked):
    tested, _ = ranked
    for correction in (BH, BY, HOLM):
        shown = ranking.claimed(tested, correction, 0.05)
        assert 0 < len(shown) < len(tested) and all(row[correction] <= 0.05 for row in shown)
        said = ranking.sentence(tested, shown, correction, 0.05)
        assert f"{len(shown)} of {len(tested)} differences" in said and "nothing of other training seeds" in said
    assert "however the tests depend" in ranking.sentence(tested, [], BY, 0.05)
    assert "positively dependent" in ranking.sentence(tested, [], BH, 0.05)


def test_values_of_a_run_are_those_of_the_store_in_order(asked):
    store, runs, protocol = asked
    measure = registry.get("participation_ratio")
    points = of_run(store, runs[0], protocol, [measure], ["block 2", "nowhere"], {})
    assert [point.record["step"] for point in points] == [c.step for c in runs[0].checkpoints]
    assert points[3].scalar == scalar(store, runs[0].checkpoints[3], protocol, "block 2", measure, {})
    assert all(point.record["value"] == point.scalar.value for point in points)


def test_differences_to_a_pinned_checkpoint_are_those_to_its_value(asked):
    from analysis.contrasts.sides import to_reference
    store, runs, protocol = asked
    measure = registry.get("participation_ratio")
    points = of_run(store, runs[1], protocol, [measure], ["final"], {})
    rows = to_reference(store, pinned(runs[0].at("step64")), points, protocol, measure, {}, "step")
    base = scalar(store, runs[0].at("step64"), protocol, "final", measure, {})
    assert [row["value"] for row in rows] == [point.scalar.value - base.value for point in points]
    assert {row["revision_a"] for row in rows} == {"step64"} and all(row["low"] < row["value"] for row in rows)


def test_phases_of_a_bundled_run_have_their_changes(asked):
    from analysis import phasing
    store, runs, protocol = asked
    measure = registry.get("rankme_covariance")
    points = {run.name: of_run(store, run, protocol, [measure], ["final"], {}) for run in runs}
    found = stretch_rows(runs, points, [phasing.of_run(store, run, protocol, "final") for run in runs])
    assert [row["stretch"] for row in found] == ["whole training", "entropy-seeking"] * 2
    assert all(row["excludes_0"] for row in found)
