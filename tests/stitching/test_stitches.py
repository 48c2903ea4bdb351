"""Stitches from the store's side: complete records, known answers, resuming, both directions, and what pages read."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from analysis import linear_maps, stitch_views, stitches
from analysis.checkpoints.folder import open_run
from analysis.checkpoints.load import load
from analysis.cross_moments import CrossMoments
from analysis.errors import ExplorerError
from analysis.site_moments import SiteMoments
from analysis.stitches import Ends, Question
from analysis.stitching.bench import Bench, Texts
from analysis.stitching.outcome import WARNING
from analysis.stitching.untrained import untrained
from analysis.store import Store
from tests.checkpoints.models import COMMON, tokenizer
from tests.stitching.families import CAUSAL, loaded

SITES = ["embedding", "block 1", "block 2", "final"]
NUMBERS = ("penalty", "penalty_low", "penalty_high", "loss", "r2", "agreement", "mean_distance", "covariance_distance",
           "variance_ratio", "n", "d", "rank")


@pytest.fixture(scope="module")
def many(probe):
    """The probe with twice the documents, so that every part has enough for an interval."""
    more = tuple(replace(text, id=f"{text.id} again", document=f"{text.document} again",
                         text=" ".join(reversed(text.text.split()))) for text in probe.texts)
    return replace(probe, texts=(*probe.texts, *more))


@pytest.fixture(scope="module")
def question(many):
    return Question(many, pairs="all", maps=("affine", "orthogonal", "reduced-rank"), tokens=400)


@pytest.fixture(scope="module")
def of(run):
    """Step 1 sends, step 8 receives, and step 0 is the untrained sender."""
    return stitches.ends(run, run.checkpoints[1], run.checkpoints[2])


@pytest.fixture(scope="module")
def kept(tmp_path_factory, of, question):
    """A store in which all pairs are computed."""
    store = Store(tmp_path_factory.mktemp("kept"))
    assert stitches.compute(store, of, question) == 4
    return store


@pytest.fixture(scope="module")
def found(kept, of, question):
    return stitch_views.read(kept, of, question)


# --- moments of many sites ---


def test_moments_of_many_sites_are_those_of_each_pair_by_itself():
    rng = np.random.default_rng(0)
    xs, ys = {"a": rng.normal(5, 1, (40, 3)), "b": rng.normal(size=(40, 3))}, {"c": rng.normal(9, 2, (40, 5))}
    pairs = [("a", "c"), ("b", "c")]
    parts = [SiteMoments.of({k: v[cut] for k, v in xs.items()}, {k: v[cut] for k, v in ys.items()}, pairs)
             for cut in (slice(15), slice(15, None))]
    for i, j in pairs:
        one, whole = (parts[0] + parts[1]).pair((i, j)), CrossMoments.of(xs[i], ys[j])
        np.testing.assert_allclose(one.joint.scatter, whole.joint.scatter)
        np.testing.assert_allclose(one.joint.mean, whole.joint.mean)
        np.testing.assert_allclose(linear_maps.affine(one).weight, linear_maps.affine(whole).weight)
        assert np.isnan(one.squares).all() and one.n == 40


def test_eigenvectors_of_a_site_are_found_once_for_all_of_its_pairs():
    rows = {"a": np.random.default_rng(0).normal(size=(40, 3))}
    both = {"c": rows["a"][:, ::-1], "d": 2 * rows["a"]}
    moments = SiteMoments.of(rows, both, [("a", "c"), ("a", "d")])
    one, other = moments.pair(("a", "c")), moments.pair(("a", "d"))
    assert one.principal_x is other.principal_x and one.principal_y is not other.principal_y


# --- an untrained network ---


@pytest.mark.parametrize("name", ["neox", "gpt2", "opt"])
def test_an_untrained_network_is_drawn_by_its_seed_and_touches_nothing(name):
    given = loaded(CAUSAL[name])
    before = {key: value.clone() for key, value in given.model.state_dict().items()}
    torch.manual_seed(4)
    state = torch.random.get_rng_state()
    one, again, other = untrained(given), untrained(given), untrained(given, 2)
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(value, given.model.state_dict()[key]) for key, value in before.items())
    weights = [next(p for p in each.model.parameters() if p.ndim == 2) for each in (one, again, other, given)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2]) and not torch.equal(weights[0], weights[3])
    assert type(one.base) is type(given.base) and not one.model.training


# --- a record ---


def test_every_pair_has_its_stitches_and_all_baselines(found):
    ranks = {"reduced rank 1", "reduced rank 4", "reduced rank 8", "reduced rank 12"}
    for source in SITES:
        for target in SITES:
            own = {role: {row["map"] for row in found.rows if (row["of"], row["source"], row["target"]) ==
                          (role, source, target)} for role in ("sender", "random", "self")}
            assert own["sender"] == {"affine", "orthogonal", "identity", "mean", "shuffled", *ranks}
            assert own["random"] == {"affine", "orthogonal", "identity", *ranks}
            assert own["self"] == {"affine", "orthogonal"}
    assert found.missing == [] and found.sources == found.targets == SITES


def test_every_row_has_its_numbers_and_an_interval_around_its_penalty(found):
    for row in found.rows:
        assert all(isinstance(row[name], int | float) and np.isfinite(row[name]) for name in NUMBERS), row
        assert row["penalty_low"] <= row["penalty"] <= row["penalty_high"]
        assert (row["recovered"] is None) == ("costs the receiver nothing" in row["reason"])
        assert found.penalty(row).replicates is not None


def test_the_facts_say_what_was_fitted_and_judged(found, many):
    facts = found.facts
    assert facts["documents_fit"] + facts["documents_held"] == len({text.document for text in many.texts})
    assert facts["kind"] == "causal" and facts["first"] == "kept" and "position 0" in facts["first_rule"]
    assert facts["predictions"] > 0 and facts["sender"]["loss"] > 0 and facts["receiver"]["loss"] > 0
    text = stitch_views.caption(found, "affine")
    assert all(part in text for part in (f"{facts['n']} positions", f"{facts['predictions']} predictions", "n/d = ",
                                         "position 0", "jackknife", "tiny step0", "seed 1", many.identity))


def test_the_receiver_as_its_own_sender_costs_nothing_at_the_same_site(found):
    for site in SITES[1:]:
        assert abs(found.row(site, site, "affine", "self")["penalty"]) < 1e-4
        assert found.row(site, site, "affine", "self")["agreement"] == 1


def test_mean_ablation_recovers_nothing_and_predicts_nothing(found):
    for target in SITES:
        row = found.row("block 1", target, "mean")
        assert not row["recovered"] and row["r2"] <= 0 and row["rank"] == 0 and row["uninformative"] == ""


def test_a_self_stitch_by_identity_costs_exactly_nothing(store, run, many):
    ends = stitches.ends(run, run.checkpoints[2], run.checkpoints[2])
    asked = Question(many, maps=("affine",), tokens=200)
    stitches.compute(store, ends, asked)
    read = stitch_views.read(store, ends, asked)
    for site in SITES:
        row = read.row(site, site, "identity")
        assert row["penalty"] == 0 and row["agreement"] == 1 and row["r2"] == pytest.approx(1)
        assert read.row(site, site, "affine")["penalty"] == read.row(site, site, "affine", "self")["penalty"]


def test_a_sender_that_is_untrained_itself_says_nothing(store, run, many):
    ends = stitches.ends(run, run.checkpoints[0], run.checkpoints[2])
    asked = Question(many, maps=("affine",), tokens=200)
    stitches.compute(store, ends, asked, "block 1")
    read = stitch_views.read(store, ends, asked)
    assert read.missing == ["embedding", "block 2", "final"]
    assert "itself the untrained network" in read.row("block 1", "block 1", "affine")["uninformative"]


def test_a_run_without_step_0_gets_a_network_drawn_anew(store, run, many):
    ends = replace(stitches.ends(run, run.checkpoints[1], run.checkpoints[2]), random=None)
    asked = Question(many, maps=("affine",), tokens=200)
    stitches.compute(store, ends, asked, "block 2")
    read = stitch_views.read(store, ends, asked)
    assert read.row("block 2", "block 2", "affine", "random") is not None
    assert "re-initialised" in stitch_views.caption(read, "affine")


def test_ranks_are_of_the_best_map_and_the_loss_among_those_run(found):
    row = found.row("block 2", "block 2", "affine")
    curve = found.curves["block 2", "block 2"]
    assert curve[row["rank95_r2"]] >= 0.95 * curve.max() > curve[row["rank95_r2"] - 1]
    run = stitch_views.rank_points(found, ("block 2", "block 2"))
    assert [point["rank"] for point in run] == [1, 4, 8, 12, 16] and run[-1] is row
    assert curve[-1] == pytest.approx(row["r2"])


# --- once, and in parts ---


def test_what_is_stored_is_read_and_not_computed_again(kept, of, question, monkeypatch):
    monkeypatch.setattr(stitches, "_opened", lambda *args: pytest.fail("a network was loaded"))
    assert stitches.compute(kept, of, question) == 0


def test_what_an_interrupted_run_has_written_is_kept(store, of, question, monkeypatch):
    measure, seen = Bench.measure, []

    def stopping(self, source, targets, progress):
        seen.append(source)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return measure(self, source, targets, progress)
    monkeypatch.setattr(Bench, "measure", stopping)
    with pytest.raises(KeyboardInterrupt):
        stitches.compute(store, of, question)
    assert stitch_views.read(store, of, question).missing == SITES[2:]
    assert stitches.compute(store, of, question) == 2 and seen == [*SITES[:3], *SITES[2:]]


def test_sites_in_parts_of_the_memory_give_the_same_numbers(store, kept, of, question, found, monkeypatch):
    monkeypatch.setattr(stitches, "MOST_HELD", 1)
    assert stitches.compute(store, of, question, "block 1") == 1
    assert stitches.compute(store, of, question) == 3
    again = stitch_views.read(store, of, question)
    for one, other in zip(again.rows, found.rows, strict=True):
        if one["map"] != "shuffled":
            assert one["penalty"] == pytest.approx(other["penalty"], abs=1e-5)


def test_same_depth_is_found_among_all_pairs(kept, of, question):
    same = stitch_views.read(kept, of, replace(question, pairs="same"))
    assert same.missing == [] and {(row["source"], row["target"]) for row in same.rows} == {(s, s) for s in SITES}


def test_both_directions_are_questions_of_their_own(kept, of, question, store):
    back = Ends(of.receiver, of.sender, of.random)
    assert stitch_views.read(kept, back, question) is None and back.key(question, "") != of.key(question, "")
    stitches.compute(store, back, replace(question, pairs="same"), "block 2")
    there, here = (stitch_views.read(where, ends, replace(question, pairs="same")).row("block 2", "block 2", "affine")
                   for where, ends in ((kept, of), (store, back)))
    assert there["penalty"] != here["penalty"]


@pytest.mark.parametrize("change", [{"dtype": "bfloat16"}, {"maps": ("affine",)}, {"first": "stitched"}, {"seed": 2},
                                    {"tokens": 401}, {"ranks": (2,)}, {"label": "class"}], ids=str)
def test_every_setting_is_part_of_the_key(of, question, change):
    assert of.key(replace(question, **change), "") != of.key(question, "")


def test_a_lens_reads_every_site_with_the_models_own_head(store, run, many):
    ends = stitches.ends(run, run.checkpoints[2], run.checkpoints[2])
    asked = Question(many, pairs="lens", maps=("affine",), tokens=200)
    stitches.compute(store, ends, asked)
    read = stitch_views.read(store, ends, asked)
    assert stitch_views.pairs_along(read) == [("embedding", "block 2"), ("block 1", "block 2")]
    assert read.row("block 1", "block 2", "affine")["r2"] > read.row("block 1", "block 2", "identity")["r2"]


# --- trained ---


def test_a_trained_stitch_stands_beside_the_fitted_one_with_its_warning_and_shift(store, of, question):
    pair = ("block 1", "block 2")
    assert stitch_views.trained(store, of, question, pair) == []
    assert stitches.train(store, of, question, pair) and not stitches.train(store, of, question, pair)
    fitted, trained = stitch_views.trained(store, of, question, pair)
    assert (fitted["map"], trained["map"]) == ("affine", "trained")
    assert trained["warning"] == WARNING and fitted["warning"] == ""
    assert trained["penalty"] != fitted["penalty"] and trained["covariance_distance"] > 0


# --- what pages read ---


def test_a_difference_from_the_untrained_sender_is_paired(found):
    row, random = (found.row("block 2", "block 2", "affine", role) for role in ("sender", "random"))
    change, low, high = stitch_views.against(found, row, random)
    assert change == pytest.approx(random["penalty"] - row["penalty"]) and low <= change <= high


def test_records_are_flat_and_name_both_sides(found, of):
    records = stitch_views.records(found, ["affine"])
    assert json.dumps(records) and {record["map"] for record in records} == {"affine"}
    assert {(r["fingerprint_a"], r["fingerprint_b"]) for r in records} == {(of.sender.fingerprint,
                                                                           of.receiver.fingerprint)}
    assert all(record["documents_held"] and record["protocol"]["untrained"] == "tiny step0" for record in records)


def test_the_parts_of_the_texts_share_no_document_but_those_that_choose(many, run):
    texts = Texts.of(load(run.checkpoints[2].path), many, 400, 1)
    fit, choose, held = ({text.document for text in part.texts} for part in (texts.fit, texts.choose, texts.held))
    assert fit and choose and held and not (fit & choose or fit & held or choose & held)


# --- refusals ---


@pytest.mark.parametrize(("change", "said"), [({"pairs": "none"}, "no choice of pairs"), ({"tokens": 0}, "1 token"),
                                              ({"maps": ("mlp",)}, "affine"), ({"first": "last"}, "position 0")])
def test_a_question_that_makes_no_sense_is_a_sentence(many, change, said):
    with pytest.raises(ExplorerError, match=said):
        Question(many, **change)


def test_a_lens_of_two_models_and_an_unknown_site_are_sentences(kept, of, question):
    with pytest.raises(ExplorerError, match="two models were given"):
        stitches.compute(kept, of, replace(question, pairs="lens"))
    with pytest.raises(ExplorerError, match="has no site 'block 9'"):
        stitches.compute(kept, of, question, "block 9")
    with pytest.raises(ExplorerError, match="has no site 'block 9'"):
        stitches.train(kept, of, question, ("block 1", "block 9"))


# --- heads that judge a whole text ---


@pytest.fixture(scope="module")
def judges(tmp_path_factory):
    """A run of two classifiers of three classes."""
    folder = tmp_path_factory.mktemp("judges")
    for seed, step in enumerate((1, 8)):
        torch.manual_seed(seed)
        BertForSequenceClassification(BertConfig(**COMMON, num_labels=3)).save_pretrained(folder / f"step{step}")
        tokenizer("bert").save_pretrained(folder / f"step{step}")
    return open_run(folder)


@pytest.mark.parametrize("label", [None, "class"])
def test_a_classifier_is_judged_by_its_labels_and_else_by_agreement_alone(store, judges, many, label):
    labelled = replace(many, texts=tuple(replace(text, labels={"class": str(at % 3)})
                                         for at, text in enumerate(many.texts)))
    ends = stitches.ends(judges, *judges.checkpoints)
    asked = Question(labelled, maps=("affine", "reduced-rank"), label=label, tokens=400)
    stitches.compute(store, ends, asked, "block 1")
    read = stitch_views.read(store, ends, asked)
    row = read.row("block 1", "block 1", "affine")
    assert read.facts["kind"] == "item" and 0 <= row["agreement"] <= 1 and row["r2"] is not None
    assert (row["penalty"] is None) == (label is None) and ("no labels were given" in row["reason"]) == (label is None)
    assert (row["rank95_loss"] is None) or label
    assert json.dumps(stitch_views.table(read, "affine", [("block 1", "block 1")]))
    others = replace(asked, probe=replace(labelled, texts=tuple(replace(t, labels={"class": "0"}) for t in many.texts)))
    assert (stitch_views.read(store, ends, others) is None) == (label is not None)
    assert "Own loss" in stitch_views.caption(read, "affine") or label is None


def test_a_receiver_without_a_head_is_a_sentence(store, tiny_bert, many):
    run = open_run(tiny_bert)
    with pytest.raises(ExplorerError, match="no head"):
        stitches.compute(store, stitches.ends(run, run.checkpoints[0], run.checkpoints[0]), Question(many))
