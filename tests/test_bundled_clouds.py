"""What the bundled runs show of topology, dimension and maps: computed again, and as demo/README.md says it."""

import numpy as np
import pytest

from analysis import compute, dimensions
from analysis.extraction.library import find_probe
from analysis.keys import Policy
from analysis.maps import computing as maps
from analysis.representations import Protocol, ensure
from analysis.runs import DEMO, find_run
from analysis.store import Store
from analysis.topology import computing, recovered
from analysis.topology.nulls import verdict
from analysis.topology.workers import Workers

RESULTS = DEMO.parent / "results"
ALONG_FOUR = computing.Question(directions=4)


@pytest.fixture(scope="module")
def bundled():
    return Store(RESULTS)


@pytest.fixture(scope="module")
def numbers():
    return Protocol(find_probe("numbers-mod-59"), Policy.parse("last"))


def significant(store, protocol, question):
    """Steps whose longest loop is longer than chance against both kinds of surrogates."""
    run = find_run(store, "modular-addition")
    cells = {c.step: computing.stored(store, (c, "embedding"), protocol, question) for c in run.checkpoints}
    assert len(cells) == 28 and all(cells.values())
    return {step for step, cell in cells.items() if all(verdict(cell, kind).significant for kind in cell.nulls)}


def test_circles_of_numbers_stand_out_along_four_directions_soon_after_the_test_accuracy_has_risen(bundled, numbers):
    run = find_run(bundled, "modular-addition")
    accuracy = {int(row["step"]): row["test_accuracy"] for row in run.log}
    found = significant(bundled, numbers, ALONG_FOUR)
    assert found == {c.step for c in run.checkpoints if c.step >= 2500}
    assert accuracy[1000] < 0.5 < 0.97 < accuracy[1500] and accuracy[2000] > 0.99, "the loops come after, not with it"


def test_along_all_directions_loops_of_numbers_stand_out_no_more_often_than_by_chance(bundled, numbers):
    assert significant(bundled, numbers, computing.Question()) == {8000}, "one of 28 at a level of 5 %"


def test_known_answers_are_recovered_as_often_as_the_readme_says(bundled):
    found = recovered.cells(bundled, find_run(bundled, "known-answers").checkpoints[0])
    assert len(found) == 7 and recovered.summary(found).startswith(
        "The test recovers 17 of 21 Betti numbers. Of 15 true zeros it calls 2 a structure")
    assert "17 of 21 Betti\nnumbers are recovered" in (DEMO.parent / "README.md").read_text()


def test_a_bundled_cell_is_what_the_code_computes(bundled, numbers, tmp_path):
    checkpoint = find_run(bundled, "modular-addition").at("step2500")
    rows = ensure(Store(tmp_path), checkpoint, numbers)
    with Workers(count=2) as workers:
        fresh = computing.of_rows(rows.rows["embedding"], rows.document_ids, ALONG_FOUR, workers)
    kept = computing.stored(bundled, (checkpoint, "embedding"), numbers, ALONG_FOUR)
    assert (kept.points, kept.distinct, kept.rows) == (fresh.points, fresh.distinct, fresh.rows) == (59, 59, 59)
    for mine, theirs in zip(fresh.draws[0].bars, kept.draws[0].bars, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-4)
    for kind, null in fresh.nulls.items():
        np.testing.assert_allclose(null.summaries["longest"], kept.nulls[kind].summaries["longest"], atol=1e-4)


def test_a_bundled_map_is_what_the_code_computes(bundled, numbers, tmp_path):
    run = find_run(bundled, "modular-addition")
    question = maps.Question(maps.frames_for(run, site="embedding"), "steps", "pca", numbers)
    kept, fresh = maps.stored(bundled, question), maps.compute(Store(tmp_path), question)
    assert kept.row_ids == fresh.row_ids and kept.frames == fresh.frames and kept.total == 59
    np.testing.assert_allclose(fresh.positions, kept.positions, atol=1e-3)
    assert np.mean(fresh.neighbours == kept.neighbours) > 0.999


def test_every_estimate_of_dimension_is_there_with_both_controls(bundled):
    run = find_run(bundled, "sotu-neox-seed1")
    plain = Protocol(find_probe("sotu-held-out"), Policy.parse("last"))
    for protocol in (plain, dimensions.control(plain)):
        assert dimensions.lacking(bundled, [run.checkpoints[0], run.checkpoints[-1]], protocol) == []
    found = compute.records(bundled, run, probe=plain.probe.identity, measure="intrinsic_dimension_gride", site="final")
    assert len(found) == 20 and all(0 < one["value"] < 20 for one in found)
