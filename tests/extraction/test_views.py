"""Probes of items in several renderings: a network reads the one it was trained on, and comparisons say so."""

import base64
import io
import json

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import ViTConfig, ViTForImageClassification
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from analysis import registry, similarity
from analysis.checkpoints.folder import open_run
from analysis.errors import ExplorerError
from analysis.extraction.library import add_probe, find_probe
from analysis.extraction.probes import load_probe
from analysis.keys import Policy
from analysis.pairs import matches
from analysis.representations import Protocol, ensure

COUNT, SIDE = 24, 8
RNG = np.random.default_rng(3)
SHOWN = {view: RNG.integers(0, 256, (COUNT, SIDE, SIDE, 3), dtype=np.uint8) for view in ("front", "back")}
LINEAR_CKA = registry.get("linear_cka_debiased")


def address(shown, kind="PNG"):
    file = io.BytesIO()
    Image.fromarray(shown).save(file, kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


def record(k, views=("front", "back")):
    return {"id": f"item {k}", "document": f"document {k // 2}", "digit": str(k % 3),
            "views": {view: address(SHOWN[view][k]) for view in views}}


def written(path, records):
    path.write_text("\n".join(map(json.dumps, records)) + "\n")
    return path


@pytest.fixture(scope="module")
def views(tmp_path_factory):
    return load_probe(written(tmp_path_factory.mktemp("views") / "two-sided.jsonl", [record(k) for k in range(COUNT)]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three checkpoints of the same weights: one names no view, the others one each."""
    torch.manual_seed(0)
    model = ViTForImageClassification(ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=SIDE, patch_size=4,
        num_labels=3))
    root = tmp_path_factory.mktemp("runs") / "readers"
    for name in ("plain", "front", "back", "side"):
        model.save_pretrained(root / name)
        named = {} if name == "plain" else {"view": name}
        size = {"height": SIDE, "width": SIDE}
        ViTImageProcessorPil(do_resize=False, size=size, **named).save_pretrained(root / name)
    return root


@pytest.fixture
def rows(store, folder, views):
    protocol, run = Protocol(views, Policy.parse("mean")), open_run(folder)
    return {name: ensure(store, run.at(name), protocol) for name in ("plain", "front", "back")}


def test_a_probe_of_views_is_of_images_with_ids_documents_and_labels(views):
    assert (views.kind, views.views, len(views.texts)) == ("image", ("front", "back"), COUNT)
    assert [(text.id, text.document, text.labels) for text in views.texts[:3]] == [
        ("item 0", "document 0", {"digit": "0"}), ("item 1", "document 0", {"digit": "1"}),
        ("item 2", "document 1", {"digit": "2"})]


@pytest.mark.parametrize("view", ["front", "back"])
def test_a_network_reads_the_view_that_its_preprocessor_names(rows, folder, view):
    model = ViTForImageClassification.from_pretrained(folder / view).eval()
    pixels = ViTImageProcessorPil.from_pretrained(folder / view)(list(SHOWN[view]), return_tensors="pt")
    with torch.inference_mode():
        expected = model.vit(**pixels).last_hidden_state[:, 1:].mean(1)
    np.testing.assert_allclose(rows[view].rows["final"], expected, atol=1e-5)
    assert rows[view].facts["view"] == view


def test_a_network_that_names_no_view_reads_the_first(rows):
    np.testing.assert_array_equal(rows["plain"].rows["final"], rows["front"].rows["final"])
    assert rows["plain"].facts["view"] == "front"


def test_the_same_weights_that_read_another_view_are_another_checkpoint(folder, views):
    run, protocol = open_run(folder), Protocol(views, Policy.parse("mean"))
    keys = {protocol.key(checkpoint).digest for checkpoint in run.checkpoints}
    assert len(keys) == len(run.checkpoints) == 4 and not run.duplicates


def test_a_comparison_across_views_says_that_inputs_differ_and_one_within_a_view_does_not(store, folder, views):
    run, protocol = open_run(folder), Protocol(views, Policy.parse("mean"))
    sides = {name: [(run.at(name), "final")] for name in ("plain", "front", "back")}
    across = similarity.compare(store, sides["front"], sides["back"], LINEAR_CKA, protocol)
    within = similarity.compare(store, sides["front"], sides["plain"], LINEAR_CKA, protocol)
    assert across.note == "items matched by id; inputs differ: front, back" and within.note == ""
    assert matches.sureness(across, LINEAR_CKA).startswith("Items matched by id; inputs differ: front, back. ")
    assert within.values[0, 0] == pytest.approx(1) and across.values[0, 0] < 0.9
    kept = similarity.matrix(store, sides["front"], sides["back"], LINEAR_CKA, protocol)
    assert kept is not None and kept.note == across.note


def test_a_view_that_the_probe_does_not_have_is_named(store, folder, views, tmp_path):
    with pytest.raises(ExplorerError, match="view 'side' of each item and the probe two-sided has front, back"):
        ensure(store, open_run(folder).at("side"), Protocol(views, Policy.parse("mean")))
    for k in range(4):
        Image.fromarray(SHOWN["front"][k]).save(tmp_path / f"{k}.png")
    with pytest.raises(ExplorerError, match=r"reads the view 'front' .* has no views; choose a probe that holds it"):
        ensure(store, open_run(folder).at("front"), Protocol(load_probe(tmp_path), Policy.parse("mean")))


def test_one_changed_pixel_of_one_view_or_another_order_of_views_is_another_probe(tmp_path, views):
    changed = [record(k) for k in range(COUNT)]
    other = SHOWN["back"][5].copy()
    other[0, 0, 0] ^= 1
    changed[5]["views"]["back"] = address(other)
    turned = [record(k, ("back", "front")) for k in range(COUNT)]
    digests = {load_probe(written(tmp_path / f"{name}.jsonl", records)).digest for name, records in
               (("same", [record(k) for k in range(COUNT)]), ("changed", changed), ("turned", turned))}
    assert len(digests) == 3 and views.digest in digests


@pytest.mark.parametrize("spoilt", [
    {"front": "no picture"}, {"front": 3}, {"front": "data:image/png;base64,A"},
    {"front": "data:text/html;base64,AAAA"}, {"../up": address(SHOWN["front"][0])},
    {"front": "https://example.org/a.png"}, {"front": "file:///etc/passwd"}, {}])
def test_a_view_that_is_no_picture_in_the_file_itself_is_refused_with_its_line(tmp_path, spoilt):
    path = written(tmp_path / "odd.jsonl", [record(0), record(1) | {"views": spoilt}])
    with pytest.raises(ExplorerError, match=r"Line 2 of the probe .*odd\.jsonl has .* picture") as caught:
        load_probe(path)
    assert str(caught.value).isprintable()


def test_items_with_other_views_than_the_first_are_refused(tmp_path):
    records = [record(0), record(1), record(2, ("front",)), {"id": "x", "text": "words"}]
    for kept, wrong in ((records[:3], "'item 2' the views front "),
                        ([*records[:2], records[3]], "'x' the views none ")):
        with pytest.raises(ExplorerError, match=wrong):
            load_probe(written(tmp_path / "mixed.jsonl", kept))


def test_bytes_that_are_no_image_are_named_when_they_are_read(store, folder, tmp_path):
    records = [record(k) for k in range(6)]
    records[3]["views"]["front"] = f"data:image/png;base64,{base64.b64encode(b'these are words').decode()}"
    probe = load_probe(written(tmp_path / "broken.jsonl", records))
    with pytest.raises(ExplorerError, match="The image 'item 3' of the probe cannot be read"):
        ensure(store, open_run(folder).at("front"), Protocol(probe, Policy.parse("mean")))


def test_a_label_named_views_of_a_text_stays_a_label(tmp_path):
    probe = load_probe(written(tmp_path / "texts.jsonl", [{"text": "one", "views": 12}, {"text": "two", "views": 3}]))
    assert (probe.kind, probe.views, probe.texts[0].labels) == ("text", (), {"views": "12"})


def test_a_probe_of_views_can_be_added_in_the_app(views):
    content = "\n".join(json.dumps(record(k)) for k in range(COUNT)).encode()
    added = add_probe("two-sided.jsonl", content)
    assert added.digest == views.digest and find_probe("two-sided").views == ("front", "back")
