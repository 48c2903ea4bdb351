"""Topology of stored representations: equal numbers of points, nulls beside every number, nothing computed twice."""

import json

import numpy as np
import pytest

from analysis.__main__ import main
from analysis.errors import ExplorerError, Undefined
from analysis.topology import changes, reading
from analysis.topology.cell import GRID, KINDS, SUMMARIES, packed, unpacked
from analysis.topology.computing import Question, compute, of_rows, stored
from analysis.topology.nulls import verdict
from analysis.topology.workers import Workers

SMALL = Question(points=24, draws=4, surrogates=19)


@pytest.fixture(scope="module")
def workers():
    with Workers(count=2) as pool:
        yield pool


def circle(n, noise, seed=0, d=8):
    generator = np.random.default_rng(seed)
    angles = generator.uniform(0, 2 * np.pi, n)
    x = np.zeros((n, d))
    x[:, :2] = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return x + noise * generator.standard_normal((n, d))


def names(n, each=1):
    return [f"document {i // each}" for i in range(n)]


@pytest.fixture(scope="module")
def loop(workers):
    return of_rows(circle(400, 0.05), names(400), Question(points=60, draws=4, surrogates=39), workers)


@pytest.fixture(scope="module")
def noise(workers):
    x = np.random.default_rng(1).standard_normal((400, 8))
    return of_rows(x, names(400), Question(points=60, draws=4, surrogates=39), workers)


@pytest.mark.parametrize("kind", KINDS)
def test_a_circle_is_longer_than_chance_and_a_gaussian_is_not(loop, noise, kind):
    found, none = verdict(loop, kind), verdict(noise, kind)
    assert found.p == 1 / 40 and found.above == found.draws == 4 and found.longer == 1
    assert none.p > 0.05 and not none.significant and none.longer < 1


def test_two_draws_of_one_circle_do_not_differ_and_a_circle_differs_from_noise(loop, noise, workers):
    other = of_rows(circle(400, 0.05, seed=5), names(400), Question(points=60, draws=4, surrogates=19), workers)
    same = changes.difference(loop, other, 1, same_documents=False)
    unlike = changes.difference(loop, noise, 1, same_documents=False)
    assert same.p > 0.05 > unlike.p and unlike.between > max(unlike.within_a, unlike.within_b)


def test_all_clouds_have_the_same_number_of_points(loop):
    clouds = [*loop.draws]
    assert {cloud.points for cloud in clouds} == {60} and {len(cloud.bars[0]) for cloud in clouds} == {59}
    assert len({cloud.points for cloud in loop.folds}) == 1 and len(loop.folds) == 4
    for null in loop.nulls.values():
        assert null.summaries["bars"][:, 0].tolist() == [59.0] * 39
        assert null.betti.shape == (3, 2, len(GRID)) and null.betti[1, 0, 0] == 59


def test_duplicates_are_left_out_counted_and_change_nothing(workers):
    x = circle(60, 0.05)
    repeated = np.concatenate([x, x[:20]])
    cell = of_rows(repeated, names(80), Question(points=60, draws=3, surrogates=19), workers)
    alone = of_rows(x, names(60), Question(points=60, draws=3, surrogates=19), workers)
    assert (cell.rows, cell.distinct, cell.points) == (80, 60, 60) and cell.whole and len(cell.draws) == 1
    assert np.allclose(np.sort(cell.draws[0].lengths(1)), np.sort(alone.draws[0].lengths(1)), atol=1e-6)


def test_what_was_kept_is_what_was_computed(loop):
    record, tensors = packed(loop)
    again = unpacked(json.loads(json.dumps(record)), tensors)
    for before, after in zip([*loop.draws, *loop.folds], [*again.draws, *again.folds], strict=True):
        assert before.points == after.points and before.scale == after.scale
        assert all(np.array_equal(a, b) for a, b in zip(before.bars, after.bars, strict=True)), "the engine's float32"
    for kind, null in loop.nulls.items():
        assert all(np.allclose(null.summaries[name], again.nulls[kind].summaries[name], rtol=1e-6)
                   for name in SUMMARIES)


def test_the_seed_decides_the_result_and_the_number_of_processes_does_not():
    x = circle(80, 0.3)
    question = Question(points=30, draws=2, surrogates=19)
    with Workers(count=1) as one, Workers(count=3) as three:
        first, second = of_rows(x, names(80), question, one), of_rows(x, names(80), question, three)
    for name in SUMMARIES:
        assert np.array_equal(first.nulls["matched"].summaries[name], second.nulls["matched"].summaries[name])


def test_leading_directions_are_taken_of_the_surrogates_too(workers):
    cell = of_rows(circle(60, 0.4, d=20), names(60), Question(points=60, surrogates=39, directions=2), workers)
    rng = np.random.default_rng(0)
    plane = [of_rows(rng.standard_normal((60, 2)), names(60), Question(points=60, surrogates=19), workers)]
    assert cell.nulls["matched"].threshold(1) == pytest.approx(plane[0].nulls["matched"].threshold(1), rel=0.4)


@pytest.mark.parametrize(("asked", "sentence"), [({"points": 5_000}, "between 8 and 2000"),
                                                 ({"points": 300, "max_dim": 2}, "between 8 and 250"),
                                                 ({"surrogates": 9}, "19 to 999"), ({"max_dim": 3}, "dimension")])
def test_what_would_take_too_long_or_say_nothing_is_refused_in_a_sentence(asked, sentence):
    with pytest.raises(ExplorerError, match=sentence):
        Question(**asked)


def test_too_few_distinct_rows_are_undefined(workers):
    with pytest.raises(Undefined, match="3 distinct rows among 30"):
        of_rows(np.repeat(np.eye(3), 10, axis=0), names(30), SMALL, workers)


def test_a_run_is_computed_once_and_read_back(store, run, protocol):
    chosen = run.checkpoints
    assert compute(store, chosen, ["final"], protocol, SMALL) == 3
    assert compute(store, chosen, ["final"], protocol, SMALL) == 0
    assert stored(store, (chosen[0], "embedding"), protocol, SMALL) is None
    found = reading.records(store, [run], ["final"], protocol, SMALL)
    assert {one["revision"] for one in found} == {"step0", "step1", "step8"}
    longest = [one for one in found if one["summary"] == "longest" and one["dimension"] == 1]
    assert all(1 / 20 <= one[f"p_{kind}"] <= 1 and one["n"] == 24 for one in longest for kind in KINDS)
    assert all(f"{kind}_{part}" in one for one in found if one["summary"] != "longer" for kind in KINDS
               for part in ("mean", "low", "high")), "no number without its null"


def test_changes_along_training_come_with_what_other_texts_would_change(store, run, protocol):
    compute(store, run.checkpoints, ["final"], protocol, SMALL)
    changes.compute(store, run.checkpoints, "final", protocol, SMALL)
    found = changes.records(store, run.checkpoints, "final", protocol, SMALL)
    assert {(one["revision"], one["reference"], one["to"]) for one in found} == {
        ("step1", "previous", "step0"), ("step8", "previous", "step1"), ("step0", "last", "step8"),
        ("step1", "last", "step8")}
    assert all(one["value"] > 0 and one["noise"] > 0 and one["draws"] == 4 for one in found)


def test_a_representation_is_no_distance_from_itself(loop):
    assert all(value == 0 for values in changes.apart(loop, loop).values() for value in values)


def test_clouds_of_different_sizes_are_not_compared(loop, workers):
    other = of_rows(circle(90, 0.05), names(90), Question(points=30, draws=2, surrogates=19), workers)
    with pytest.raises(Undefined, match="60 points and the other's 30"):
        changes.apart(loop, other)


def test_a_cloud_that_passes_its_limit_is_named_and_nothing_of_it_is_kept(store, run, protocol):
    with pytest.raises(ExplorerError, match=r"tiny step8, final: Persistent homology of 24 points.* 1e-06 s"):
        compute(store, run.checkpoints[-1:], ["final"], protocol, SMALL, {"seconds": 1e-6})
    assert stored(store, (run.checkpoints[-1], "final"), protocol, SMALL) is None


def test_a_site_that_is_not_there_is_named_with_those_that_are(store, run, protocol):
    with pytest.raises(ExplorerError, match="no site 'block 9'; it has embedding, block 1, block 2, final"):
        compute(store, run.checkpoints[-1:], ["block 9"], protocol, SMALL)


def test_the_command_prints_every_number_with_its_null(tiny_run, probe_file, capsys):
    argv = ["topology", str(tiny_run), "--only", "step8", "--site", "all", "--probe", str(probe_file), "--points", "20",
            "--draws", "2", "--surrogates", "19", "--json"]
    assert main(argv) == 0
    found = json.loads(capsys.readouterr().out)
    assert {one["site"] for one in found} == {"embedding", "block 1", "block 2", "final"}
    assert all(one["matched_mean"] >= 0 for one in found if one["summary"] != "longer")
    assert main(argv[:-1]) == 0
    assert "95 % null" in capsys.readouterr().out


def test_the_command_names_a_revision_that_is_not_there(tiny_run, probe_file, capsys):
    assert main(["topology", str(tiny_run), "--only", "step7", "--probe", str(probe_file)]) == 2
    assert "no checkpoint step7" in capsys.readouterr().err


def test_changes_are_taken_from_a_pinned_checkpoint_of_any_run_as_well(store, run, protocol):
    own, pinned = run.checkpoints[1:], run.checkpoints[0]
    compute(store, run.checkpoints, ["final"], protocol, SMALL)
    assert (own[0], pinned) in changes.lacking(store, own, "final", protocol, SMALL, pinned)
    changes.compute(store, own, "final", protocol, SMALL, pinned=pinned)
    assert changes.lacking(store, own, "final", protocol, SMALL, pinned) == []
    found = changes.records(store, own, "final", protocol, SMALL, pinned)
    apart = changes.apart(*(stored(store, (c, "final"), protocol, SMALL) for c in (own[1], pinned)))
    told = {(one["revision"], one["distance"]): one for one in found if one["reference"] == "pinned"}
    assert {revision for revision, _ in told} == {"step1", "step8"}
    assert (told["step8", "wasserstein_h1"]["to_run"], told["step8", "wasserstein_h1"]["to"]) == ("tiny", "step0")
    for name, values in apart.items():
        assert told["step8", name]["value"] == pytest.approx(np.mean(values))
    assert all(one["reference"] != "pinned" for one in changes.records(store, own, "final", protocol, SMALL))


def test_a_pinned_checkpoint_that_is_not_computed_lacks_nothing_and_has_no_records(store, run, protocol):
    own, pinned = run.checkpoints[1:], run.checkpoints[0]
    compute(store, own, ["final"], protocol, SMALL)
    changes.compute(store, own, "final", protocol, SMALL, pinned=pinned)
    assert changes.lacking(store, own, "final", protocol, SMALL, pinned) == []
    assert all(one["reference"] != "pinned" for one in changes.records(store, own, "final", protocol, SMALL, pinned))


def test_the_command_computes_the_pinned_checkpoint_and_the_distances_from_it(store, run, probe_file, tiny_run,
                                                                              protocol):
    options = ["--probe", str(probe_file), "--points", "24", "--draws", "4", "--surrogates", "19"]
    assert main(["topology", str(tiny_run), *options, "--only", "step8", "--against", f"{tiny_run}@step0"]) == 0
    found = changes.records(store, run.checkpoints, "final", protocol, SMALL, run.checkpoints[0])
    assert {(one["revision"], one["to"]) for one in found if one["reference"] == "pinned"} == {("step8", "step0")}
    assert stored(store, (run.checkpoints[1], "final"), protocol, SMALL) is None
