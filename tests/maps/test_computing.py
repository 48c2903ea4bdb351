"""Maps of the tiny run: which rows are drawn, their neighbours, what is stored, and what is refused."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from analysis.checkpoints.folder import open_run
from analysis.errors import ExplorerError, Undefined
from analysis.extraction.probes import Probe, Text
from analysis.keys import Checkpoint, Policy, Run
from analysis.maps import computing, faithfulness, projections
from analysis.maps.computing import Question, draw, frames_for, neighbours
from analysis.representations import Protocol, ensure

SITES = ["final", "embedding", "block 1", "block 2"]


@pytest.fixture
def question(run, protocol):
    return Question(frames_for(run), "steps", "pca", protocol, points=20, seed=4)


@pytest.fixture
def words(probe):
    return Protocol(probe, Policy.parse("words-1"))


def same(a, b):
    assert vars(a).keys() == vars(b).keys()
    for name, value in vars(a).items():
        other = getattr(b, name)
        assert np.array_equal(value, other) if isinstance(value, np.ndarray) else value == other, name


# --- which rows ---


def documents(*counts):
    return [f"d{number}" for number, count in enumerate(counts) for _ in range(count)]


def test_rows_are_drawn_evenly_from_documents_of_any_length():
    names = documents(1, 2, 50, 1000)
    searched, drawn = draw(names, 23, 0)
    assert drawn == 23 and sorted(searched) == list(range(len(names)))
    assert Counter(names[row] for row in searched[:drawn]) == {"d0": 1, "d1": 2, "d2": 10, "d3": 10}


def test_within_a_document_rows_are_drawn_by_chance():
    hits = np.zeros(40)
    for seed in range(400):
        searched, drawn = draw(documents(20, 20), 10, seed)
        hits[searched[:drawn]] += 1
    assert hits.sum() == 4000 and abs(hits - 100).max() < 5 * np.sqrt(100 * 0.75)


def test_drawn_rows_come_first_and_both_groups_keep_their_order():
    searched, drawn = draw(documents(30, 30, 30), 12, 5)
    assert (np.diff(searched[:drawn]) > 0).all() and (np.diff(searched[drawn:]) > 0).all()


def test_all_rows_are_drawn_where_there_are_few():
    searched, drawn = draw(documents(3, 6), 1000, 0)
    assert searched.tolist() == list(range(9)) and drawn == 9


def test_of_many_rows_whole_documents_are_searched(monkeypatch):
    monkeypatch.setattr(computing, "MOST_SEARCHED", 50)
    names = documents(*[20] * 10)
    searched, drawn = draw(names, 9, 1)
    held = Counter(names[row] for row in searched)
    assert len(searched) == 50 and sorted(held.values()) == [10, 20, 20] and drawn == 9
    assert Counter(names[row] for row in searched[:drawn]) == dict.fromkeys(held, 3)
    others = {frozenset(names[row] for row in draw(names, 9, seed)[0]) for seed in range(5)}
    assert len(others) > 1, "another seed searches other documents"


def test_a_seed_draws_the_same_rows_again():
    names = documents(*[7] * 20)
    assert np.array_equal(draw(names, 30, 3)[0], draw(names, 30, 3)[0])
    assert not np.array_equal(draw(names, 30, 3)[0], draw(names, 30, 4)[0])


# --- neighbours ---


def test_neighbours_are_the_nearest_of_all_searched_rows():
    x = np.random.default_rng(0).standard_normal((60, 9)) + 40
    which, far = neighbours(x, 25, 10)
    full = cdist(x, x)
    np.fill_diagonal(full, np.inf)
    assert np.array_equal(which, np.argsort(full, axis=1)[:25, :10])
    assert far == pytest.approx(np.sort(full, axis=1)[:25, :10], rel=1e-9)


def test_a_row_is_never_its_own_neighbour_and_copies_are_exactly_0_away():
    x = np.repeat(np.random.default_rng(0).standard_normal((4, 30)).astype(np.float32) + 9, 30, axis=0)
    which, far = neighbours(x, len(x), 10)
    assert not (which == np.arange(len(x))[:, None]).any() and not far.any()
    assert np.array_equal(which // 30, np.repeat(np.arange(len(x))[:, None] // 30, 10, axis=1))


def test_there_are_no_more_neighbours_than_other_rows():
    assert neighbours(np.eye(8), 8, 10)[0].shape == (8, 7)


# --- the map ---


def test_a_map_holds_what_the_stored_rows_say(store, run, protocol, question):
    found = computing.compute(store, question)
    assert found.frames == ("step0", "step1", "step8") and (found.drawn, found.searched, found.total) == (20, 48, 48)
    assert sorted(found.row_ids) == sorted(text.id for text in protocol.probe.texts)
    for frame, checkpoint in enumerate(run.checkpoints):
        stored = ensure(store, checkpoint, protocol)
        place = [stored.row_ids.index(id) for id in found.row_ids]
        x = stored.rows["final"][place].astype(float)
        assert found.documents == tuple(stored.document_ids[row] for row in place)
        assert found.norms[frame] == pytest.approx(np.linalg.norm(x[:20], axis=1), rel=1e-12)
        near, far = neighbours(x, 20, 10)
        assert np.array_equal(found.neighbours[frame], near) and np.array_equal(found.distances[frame], far)
        facts = faithfulness.facts(x[:20], found.positions[frame])
        assert {name: found.facts[frame][name] for name in facts} == pytest.approx(facts)
        assert 0 < found.facts[frame]["variance_explained"] <= 1
    assert found.settings["k"] == 9 and found.seed == 4 and found.method == "pca"


@pytest.mark.parametrize("method", ["pca", "tsne"])
@pytest.mark.parametrize("over", ["steps", "layers"])
def test_a_map_read_again_is_the_map_that_was_computed(store, run, words, method, over):
    asked = Question(frames_for(run, over, sites=SITES), over, method, words, points=30)
    assert computing.stored(store, asked) is None
    made = computing.compute(store, asked)
    again = computing.stored(store, asked)
    same(made, again)
    same(made, computing.compute(store, asked, lambda *_: None))
    assert again.positions.dtype == np.float64 and isinstance(again.facts, tuple)
    assert len(again.tokens) == len(again.contexts) == again.searched


def test_layers_come_in_order_of_depth(store, run, words):
    asked = Question(frames_for(run, "layers", revision="step1", sites=SITES), "layers", "pca", words)
    found = computing.compute(store, asked)
    assert found.frames == ("embedding", "block 1", "block 2", "final")
    assert {checkpoint.revision for checkpoint, _ in asked.items} == {"step1"}
    assert found.norms[0, 0] != found.norms[1, 0]


def test_one_frame_is_a_map_of_one_checkpoint(store, run, protocol):
    found = computing.compute(store, Question(frames_for(run, only=["step1"]), "steps", "pca", protocol))
    assert found.frames == ("step1",) and found.positions.shape == (1, 48, 2)
    assert found.alignment == projections.ONE_FRAME


def test_words_that_only_some_contexts_hold_are_left_out(store, tiny_models, probe):
    runs = [open_run(tiny_models[kind]) for kind in ("gpt2", "llama")]
    long = replace(probe, texts=(*probe.texts, Text("long", "document 0", "w1 " * 60)))
    asked = Question(tuple((run.checkpoints[0], "final") for run in runs), "steps", "pca",
                     Protocol(long, Policy.parse("words-1")))
    found = computing.compute(store, asked)
    counts = [len(ensure(store, run.checkpoints[0], asked.protocol).row_ids) for run in runs]
    assert found.total <= min(counts) and len(set(found.row_ids)) == found.total


def test_progress_only_rises_and_names_every_stage(store, question):
    said = []
    computing.compute(store, question, lambda *one: said.append(one))
    shares = [done / total for done, total, _ in said]
    assert shares == sorted(shares) and shares[-1] == 1
    for stage in ("forward pass", "neighbours at step1", "PCA at step8", "faithfulness at step0", "tokens", "done"):
        assert any(stage in message for *_, message in said), stage


def test_what_is_stopped_leaves_no_map_behind(store, question, monkeypatch):
    def stop(*arguments):
        raise KeyboardInterrupt
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(computing, "described", stop)
        computing.compute(store, question)
    assert not (store.root / computing.KIND).exists() and computing.stored(store, question) is None
    assert not list((store.root / "claims").glob("*")) if (store.root / "claims").exists() else True
    assert computing.compute(store, question).drawn == 20


# --- questions ---


def test_whatever_a_map_depends_on_is_in_its_digest(run, protocol, question, words):
    others = [replace(question, method="umap"), replace(question, points=21), replace(question, seed=5),
              replace(question, protocol=words), replace(question, protocol=replace(protocol, dtype="bfloat16")),
              replace(question, items=question.items[:2]), replace(question, items=question.items[::-1]),
              replace(question, items=tuple((c, "block 1") for c, _ in question.items)),
              replace(question, items=frames_for(run, "layers", sites=SITES), over="layers"),
              replace(question, items=tuple((replace(c, fingerprint="0" * 64), s) for c, s in question.items))]
    assert len({one.digest for one in (question, *others)}) == len(others) + 1
    assert replace(question).digest == question.digest


def checkpoints(*steps):
    return Run("long", "/long", tuple(Checkpoint("long", f"step{step}", step, None, "/long", str(step))
                                      for step in steps))


def test_of_many_checkpoints_twelve_are_taken_evenly_on_a_logarithmic_axis_with_both_ends():
    chosen = [c.step for c, _ in frames_for(checkpoints(0, *(2**k for k in range(18)), *range(140000, 150000, 500)))]
    assert len(chosen) == 12 and chosen[0] == 0 and chosen[-1] == 149500
    assert [c.step for c, _ in frames_for(checkpoints(0, 1, 5), pick="log-2")] == [0, 5]
    assert len(frames_for(checkpoints(*range(30)), pick="all")) == 30


def test_checkpoints_without_steps_are_taken_evenly():
    run = Run("stages", "", tuple(Checkpoint("stages", f"s{k}", None, None, "", str(k)) for k in range(9)))
    assert [c.revision for c, _ in frames_for(run, pick="log-3")] == ["s0", "s4", "s8"]


def test_named_checkpoints_and_sites_come_in_their_order(run):
    assert [c.revision for c, _ in frames_for(run, only=["step8", "step0"])] == ["step0", "step8"]
    named = frames_for(run, "layers", sites=SITES, only=["final", "block 1"])
    assert [site for _, site in named] == ["block 1", "final"]
    assert {c.revision for c, _ in frames_for(run, "layers", sites=SITES)} == {"step8"}


@pytest.mark.parametrize(("asked", "words"), [
    (lambda run: frames_for(run, only=["step7"]), "tiny has no checkpoint 'step7'; it has step0, step1, step8"),
    (lambda run: frames_for(run, pick="log-0"), "'log-0' picks no checkpoints; give all, log-N"),
    (lambda run: frames_for(run, "layers", sites=SITES, only=["block 9"]), "step8 has no site 'block 9'; it has emb"),
    (lambda run: frames_for(run, "layers", "final", "step3"), "has no checkpoint 'step3'")])
def test_what_is_not_there_is_refused_with_what_is(run, asked, words):
    with pytest.raises(ExplorerError, match=words):
        asked(run)


@pytest.mark.parametrize(("change", "words"), [
    ({"method": "mds"}, "'mds' is no choice of method; choose from pca, umap, tsne"),
    ({"over": "seeds"}, "'seeds' is no choice of frames"), ({"points": 7}, "draws 8 to 5000 rows .* got 7"),
    ({"points": 5001}, "got 5001"), ({"seed": -1}, "seed -1")])
def test_a_question_that_cannot_be_asked_is_refused(question, change, words):
    with pytest.raises(ExplorerError, match=words):
        replace(question, **change)


def test_too_many_frames_and_none_are_refused(store, question):
    with pytest.raises(ExplorerError, match="at most 40 frames; got 41"):
        replace(question, items=question.items[:1] * 41)
    assert computing.stored(store, replace(question, items=())) is None
    with pytest.raises(ExplorerError, match="at least one checkpoint"):
        computing.compute(store, replace(question, items=()))


def test_a_site_that_is_not_there_is_refused_with_those_that_are(store, run, protocol):
    with pytest.raises(ExplorerError, match="tiny step0 has no site 'block 5'; it has embedding, block 1, block 2"):
        computing.compute(store, Question(frames_for(run, site="block 5"), "steps", "pca", protocol))


def test_rows_that_are_all_the_same_have_no_map_and_the_frame_is_named(store, run):
    probe = Probe("alike", tuple(Text(f"t{k}", f"d{k}", f"w{k} w1") for k in range(12)))
    asked = Question(frames_for(run, "layers", sites=SITES), "layers", "pca", Protocol(probe, Policy.parse("last")))
    with pytest.raises(Undefined, match="all 12 rows are the same at embedding"):
        computing.compute(store, asked)
    kept = replace(asked, items=frames_for(run, "layers", sites=SITES, only=["final"]))
    assert computing.compute(store, kept).drawn == 12


def test_fewer_rows_than_a_map_needs_are_refused(store, run, probe):
    few = Probe("few", probe.texts[:6])
    with pytest.raises(Undefined, match="at least 8 rows, got 6"):
        computing.compute(store, Question(frames_for(run), "steps", "pca", Protocol(few, Policy.parse("last"))))
