"""Loading one checkpoint after another: the network is built once, and holds what each folder holds."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from analysis.checkpoints import loader as loaders
from analysis.checkpoints.cards import place
from analysis.checkpoints.load import load
from analysis.checkpoints.loader import Loader
from analysis.errors import ExplorerError
from tests.checkpoints.models import BUILD, save


@pytest.fixture
def full(monkeypatch):
    """The folders that were loaded from the beginning."""
    made = []
    monkeypatch.setattr(loaders, "load", lambda folder, *rest: made.append(folder) or load(folder, *rest))
    return made


@pytest.fixture
def steps(tmp_path):
    return [save("neox", tmp_path / f"step{seed}", seed=seed) for seed in range(3)]


def weights(loaded):
    return {name: tensor.clone() for name, tensor in loaded.model.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def changed(folder, change, name="model.safetensors"):
    tensors = load_file(folder / name)
    change(tensors)
    save_file(tensors, folder / name, metadata={"format": "pt"})


@pytest.mark.parametrize("kind", BUILD)
def test_every_checkpoint_has_its_own_weights_whether_swapped_or_built(kind, tmp_path, full):
    folders, loader = [save(kind, tmp_path / f"step{seed}", seed=seed) for seed in range(3)], Loader()
    for number, folder in enumerate([*folders, folders[0]]):
        loaded = loader.load(folder)
        assert loader.swapped == (number > 0)
        assert same(weights(loaded), weights(load(folder)))
    assert full == folders[:1]


def test_the_network_and_its_tokenizer_are_the_same_objects_after_a_swap(steps):
    loader = Loader()
    first = loader.load(steps[0])
    module, tokenizer = first.model, first.processor
    second = loader.load(steps[1])
    assert second.model is module and second.processor is tokenizer


def test_half_precision_weights_become_the_precision_of_the_network(steps, full):
    changed(steps[1], lambda tensors: tensors.update({name: value.half() for name, value in tensors.items()}))
    loader = Loader()
    loader.load(steps[0])
    assert same(weights(loader.load(steps[1])), weights(load(steps[1]))) and loader.swapped
    assert {tensor.dtype for tensor in weights(loader.load(steps[1])).values()} == {torch.float32}


def test_a_network_in_bfloat16_stays_so(steps):
    loader = Loader("bfloat16")
    for folder in steps:
        assert {parameter.dtype for parameter in loader.load(folder).model.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("change", [{"rotary_pct": 0.5}, {"layer_norm_eps": 1e-3}, {"hidden_act": "relu"}])
def test_another_setting_is_another_network(steps, full, change):
    config = json.loads((steps[1] / "config.json").read_text())
    (steps[1] / "config.json").write_text(json.dumps(config | change))
    loader = Loader()
    for folder in steps:
        loader.load(folder)
    assert full == steps


def test_another_tokenizer_is_another_network(steps, full):
    (steps[1] / "tokenizer.json").write_text((steps[1] / "tokenizer.json").read_text().replace("w49", "w99"))
    loader = Loader()
    for folder in steps[:2]:
        loader.load(folder)
    assert full == steps[:2]


def test_what_only_tells_of_the_software_does_not_matter(steps, full):
    config = json.loads((steps[1] / "config.json").read_text())
    (steps[1] / "config.json").write_text(json.dumps(config | {"transformers_version": "4.0", "dtype": "float16"}))
    loader = Loader()
    for folder in steps[:2]:
        loader.load(folder)
    assert full == steps[:1]


@pytest.mark.parametrize("spoil", [
    lambda tensors: tensors.pop("gpt_neox.final_layer_norm.weight"),
    lambda tensors: tensors.update(other=torch.ones(3)),
    lambda tensors: tensors.update({"gpt_neox.final_layer_norm.weight": torch.ones(3)}),
    lambda tensors: tensors["gpt_neox.final_layer_norm.weight"].fill_(float("nan"))],
    ids=["missing", "extra", "misshapen", "not finite"])
def test_a_broken_checkpoint_is_refused_and_those_after_it_are_whole(steps, spoil):
    changed(steps[1], spoil)
    loader = Loader()
    loader.load(steps[0])
    with pytest.raises(ExplorerError) as alone:
        load(steps[1])
    with pytest.raises(ExplorerError) as after:
        loader.load(steps[1])
    assert str(after.value) == str(alone.value)
    assert same(weights(loader.load(steps[2])), weights(load(steps[2])))


def test_a_shared_tensor_with_two_contents_is_what_it_is_alone(tmp_path):
    folders = [save("gpt2", tmp_path / f"step{seed}", seed=seed) for seed in range(2)]
    for folder in folders:
        changed(folder, lambda tensors: tensors.update(
            {"lm_head.weight": tensors["transformer.wte.weight"].clone()}))
    loader = Loader()
    loader.load(folders[0])
    assert same(weights(loader.load(folders[1])), weights(load(folders[1])))
    changed(folders[1], lambda tensors: tensors["lm_head.weight"].add_(1))
    loader.load(folders[0])
    assert same(weights(loader.load(folders[1])), weights(load(folders[1])))
    assert same(weights(loader.load(folders[0])), weights(load(folders[0])))


def test_sharded_weights_are_swapped_too(steps, full):
    tensors = load_file(steps[1] / "model.safetensors")
    names = sorted(tensors)
    parts = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for part, held in parts.items():
        save_file({name: tensors[name] for name in held}, steps[1] / part, metadata={"format": "pt"})
    (steps[1] / "model.safetensors").unlink()
    (steps[1] / "model.safetensors.index.json").write_text(json.dumps(
        {"metadata": {}, "weight_map": {name: part for part, held in parts.items() for name in held}}))
    loader = Loader()
    loader.load(steps[0])
    assert same(weights(loader.load(steps[1])), weights(load(steps[1])))
    assert loader.swapped and full == steps[:1]


def test_a_folder_that_is_gone_is_a_sentence_and_the_next_one_loads(steps):
    loader = Loader()
    loader.load(steps[0])
    shutil.rmtree(steps[1])
    with pytest.raises(ExplorerError):
        loader.load(steps[1])
    assert same(weights(loader.load(steps[2])), weights(load(steps[2])))


# --- where a network goes ---


@pytest.mark.parametrize(("needed", "free", "device", "where"), [
    (8, [], None, None), (8, [], "cpu", None), (8, [99], "cpu", None), (8, [10], None, "cuda:0"),
    (8, [5, 10], None, "cuda:1"), (8, [10, 10], "cuda:1", "cuda:1"), (8, [5, 5], None, "auto"),
    (8, [5], None, "auto")])
def test_a_network_goes_to_the_card_with_room_or_over_several(needed, free, device, where):
    assert place(needed, free, device) == where


def test_a_network_too_large_for_the_one_card_is_refused_with_what_is_free(steps, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda card: (1_000_000, 2_000_000))
    with pytest.raises(ExplorerError, match=r"0\.0 GB are free on the card that has most\. Give --dtype b"):
        load(steps[0])
