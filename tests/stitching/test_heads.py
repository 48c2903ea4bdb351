"""Stitches into heads that judge a whole item or every token: task loss by labels, and agreement with the receiver."""

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import BertConfig, BertForMaskedLM, BertForSequenceClassification
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from analysis.checkpoints.load import Loaded
from analysis.errors import ExplorerError, Undefined
from analysis.extraction.probes import load_probe
from analysis.linear_maps import LinearMap
from analysis.stitching.behaviour import Stitch, class_numbers, evaluate
from analysis.stitching.states import split
from tests.checkpoints.models import tokenizer
from tests.stitching.families import JUDGING, TEXT, fitted, loaded

WIDTH = 16
IDENTITY = LinearMap(np.eye(WIDTH), np.zeros(WIDTH), "identity", WIDTH)


@pytest.fixture(scope="module")
def parts(probe):
    return split(probe)


@pytest.fixture(scope="module")
def judges():
    return [loaded(lambda: BertForSequenceClassification(BertConfig(**TEXT, num_labels=3)), "text", tokenizer("bert"),
                   seed) for seed in (0, 1)]


@torch.inference_mode()
def test_a_classifier_has_task_loss_by_labels_and_agreement(judges, parts, probe):
    sender, receiver = judges
    labels = {text.id: k % 3 for k, text in enumerate(probe.texts)}
    pairs = [("block 1", "block 1"), ("block 3", "block 3")]
    stitches = fitted(sender, receiver, parts[0], pairs, first="fitted")
    found = evaluate(sender, receiver, parts[1], stitches, labels=labels)
    logits = [torch.cat([network.model(**network.processor(text.text, return_tensors="pt")).logits
                         for text in parts[1].texts]) for network in (receiver, sender)]
    right = torch.tensor([labels[text.id] for text in parts[1].texts])
    for sums, given in zip((found.receiver, found.sender), logits, strict=True):
        assert sums.sum() == pytest.approx(torch.nn.functional.cross_entropy(given, right, reduction="sum").item(),
                                           rel=1e-5)
    assert (found.kind, found.first, found.counts.sum()) == ("item", "fitted", len(parts[1].texts))
    constant = (np.bincount(logits[0].argmax(-1), minlength=3) / len(right)).tolist()
    assert found.agreement(("block 3", "block 3", "mean")).value in [pytest.approx(share) for share in constant]
    assert 0 <= found.agreement(("block 1", "block 1", "affine")).value <= 1


def test_a_self_stitch_of_a_classifier_changes_no_logit(judges, parts):
    stitches = [Stitch(site, site, "identity", IDENTITY) for site in ("embedding", "block 1", "block 3", "final")]
    found = evaluate(judges[0], judges[0], parts[1], stitches, labels=dict.fromkeys((t.id for t in parts[1].texts), 2))
    for stitch in stitches:
        assert found.penalty(stitch.key).value == 0.0 and found.agreement(stitch.key).value == 1.0


def test_without_labels_there_is_agreement_and_a_loss_is_undefined(judges, parts):
    stitches = [Stitch("block 1", "block 1", "identity", IDENTITY)]
    found = evaluate(*judges, parts[1], stitches)
    assert found.receiver is None and 0 <= found.agreement(stitches[0].key).value <= 1
    with pytest.raises(Undefined, match="no labels were given"):
        found.penalty(stitches[0].key)
    assert found.uninformative(stitches[0].key, found, stitches[0].key)


def test_a_head_that_judges_tokens_agrees_token_by_token(parts):
    network = loaded(lambda: BertForMaskedLM(BertConfig(**TEXT)), "text", tokenizer("bert"))
    assert isinstance(network, Loaded)
    stitches = [Stitch("block 1", "block 1", "identity", IDENTITY), Stitch("embedding", "block 3", "lens", IDENTITY)]
    found = evaluate(network, network, parts[1], stitches)
    assert (found.kind, found.counts.sum()) == ("token", sum(len(t.text.split()) + 2 for t in parts[1].texts))
    assert found.agreement(stitches[0].key).value == 1.0 > found.agreement(stitches[1].key).value


def test_labels_are_class_names_or_numbers_of_the_head(judges, probe):
    network = judges[0]
    labelled = [type(probe)(probe.name, tuple(type(text)(text.id, text.document, text.text, {"party": name})
                                              for text in probe.texts)) for name in ("LABEL_2", "2", "x", "3")]
    for one in labelled[:2]:
        assert set(class_numbers(network, one, "party").values()) == {2}
    for one in labelled[2:]:
        with pytest.raises(ExplorerError, match=r"as party, and the classes of the head are LABEL_0, .*\(0 to 2\)"):
            class_numbers(network, one, "party")


def test_a_text_without_a_label_is_an_error_that_names_it(judges, parts):
    some = {text.id: 0 for text in parts[1].texts[1:]}
    with pytest.raises(ExplorerError, match=f"'{parts[1].texts[0].id}' of the probe has no class among the 23 labels"):
        evaluate(*judges, parts[1], [], labels=some)


@torch.inference_mode()
def test_an_image_classifier_is_stitched_at_every_patch_and_judged_by_the_folders(tmp_path):
    for k in range(12):
        path = tmp_path / "images" / str(k % 3) / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(k).integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(path)
    images, prepare = load_probe(tmp_path / "images"), ViTImageProcessorPil(size={"height": 16, "width": 16})
    sender, receiver = (loaded(JUDGING["vit"][1], "image", prepare, seed) for seed in (0, 1))
    labels = class_numbers(receiver, images, "folder")
    stitches = fitted(sender, receiver, images, [("block 2", "block 2")], first="fitted")
    found = evaluate(sender, receiver, images, stitches, labels=labels)
    pixels = prepare([Image.open(text.text) for text in images.texts], return_tensors="pt")["pixel_values"]
    right = torch.tensor([int(text.labels["folder"]) for text in images.texts])
    for losses, network in ((found.receiver, receiver), (found.sender, sender)):
        own = torch.nn.functional.cross_entropy(network.model(pixels).logits, right, reduction="none")
        np.testing.assert_allclose(losses, own, rtol=1e-4)
    assert found.penalty(stitches[0].key).low is not None and found.first == "fitted"
