"""Loading weights: what loads is what was saved, and each way of being broken has a sentence that names it."""

import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import PreTrainedModel, RobertaConfig, RobertaModel

from analysis.checkpoints.load import load
from analysis.errors import ExplorerError
from analysis.extraction.forward import extract
from analysis.keys import Policy
from tests.checkpoints.models import (
    BLOCKS,
    BUILD,
    CONTEXT,
    copied,
    edit_json,
    edit_weights,
    save,
    tokenizer,
    without_tensor,
)

RENAMED = {"embed_out.weight": "lm_head.weight"}  # GPT-NeoX: the name in the file, and in transformers 5
DENSE = "gpt_neox.layers.1.mlp.dense_h_to_4h.weight"


@pytest.fixture
def folder(tiny_run, tmp_path):
    """A good checkpoint, for the test to break."""
    return copied(tiny_run / "step8", tmp_path / "model")


def refused(folder, *words):
    """The checkpoint is refused in one sentence or two, without line breaks, that hold all of these words."""
    with pytest.raises(ExplorerError) as caught:
        load(folder)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


# --- good models ---


@pytest.mark.parametrize("kind", BUILD)
def test_a_good_model_loads_with_exactly_the_saved_weights(tiny_models, kind):
    loaded = load(tiny_models[kind])
    saved = load_file(tiny_models[kind] / "model.safetensors")
    state = loaded.model.state_dict()
    assert saved and all(torch.equal(state[RENAMED.get(name, name)], tensor) for name, tensor in saved.items())
    assert (loaded.blocks, loaded.context) == (BLOCKS, CONTEXT)
    assert not loaded.model.training


def test_models_that_are_loaded_at_once_do_not_keep_later_ones_from_tying_their_weights(tiny_gpt2):
    tie = PreTrainedModel.tie_weights
    with ThreadPoolExecutor(4) as pool:
        models = [loaded.model for loaded in pool.map(load, [tiny_gpt2] * 24)]
    models.append(load(tiny_gpt2).model)
    assert all(model.lm_head.weight is model.transformer.wte.weight for model in models)
    assert PreTrainedModel.tie_weights is tie


@pytest.mark.parametrize("kind", BUILD)
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_is_on_the_right_however_the_tokenizer_was_saved(tmp_path, kind, side):
    folder = save(kind, tmp_path / kind, seed=1, side=side)
    assert json.loads((folder / "tokenizer_config.json").read_text()).get("padding_side", "right") == side
    loaded = load(folder)
    assert (loaded.processor.padding_side, loaded.processor.truncation_side) == ("right", "right")


def test_the_longest_text_of_a_network_that_counts_positions_from_behind_the_padding_fits(tmp_path):
    config = RobertaConfig(vocab_size=64, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
                           intermediate_size=32, max_position_embeddings=20, pad_token_id=1)
    RobertaModel(config).save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    loaded = load(tmp_path)
    assert loaded.context == 18
    tokens = torch.full((1, loaded.context), 9)
    assert loaded.base(tokens).last_hidden_state.shape == (1, 18, 16)
    with pytest.raises((IndexError, RuntimeError)):
        loaded.base(torch.full((1, 19), 9))


def test_half_precision_weights_are_computed_in_single_precision(folder):
    edit_weights(folder, lambda tensors: tensors.update({name: t.half() for name, t in tensors.items()}))
    assert {p.dtype for p in load(folder).model.parameters()} == {torch.float32}


def test_weights_in_several_files_load(tmp_path):
    torch.manual_seed(0)
    model = BUILD["neox"]()
    model.save_pretrained(tmp_path, max_shard_size="8KB")
    tokenizer().save_pretrained(tmp_path)
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    state = load(tmp_path).model.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items())


def test_a_tokenizer_without_a_padding_token_gets_one(folder):
    edit_json(folder / "tokenizer_config.json", pad_token=None)
    assert load(folder).processor.pad_token == "<eos>"


# --- broken weights ---


def test_a_missing_tensor_is_named(folder):
    without_tensor(folder, DENSE)
    refused(folder, "1 tensor(s) missing", DENSE)


def test_a_missing_language_model_head_is_named(folder):
    without_tensor(folder, "embed_out.weight")
    refused(folder, "missing", "lm_head.weight")


def test_many_missing_tensors_are_counted_and_some_named(folder):
    edit_weights(folder, lambda tensors: [tensors.pop(name) for name in list(tensors) if "layers.1.mlp" in name
                                          or "layers.1.attention" in name])
    refused(folder, "8 tensor(s) missing", "gpt_neox.layers.1.attention", "and 4 more")


def test_an_extra_tensor_is_named(folder):
    edit_weights(folder, lambda tensors: tensors.update({"gpt_neox.layers.1.adapter.weight": torch.ones(3)}))
    refused(folder, "no place for", "gpt_neox.layers.1.adapter.weight")


def test_a_misshapen_tensor_is_named_with_both_shapes(folder):
    edit_weights(folder, lambda tensors: tensors.update({DENSE: torch.ones(32, 15)}))
    refused(folder, DENSE, "[32, 15]", "[32, 16]")


@pytest.mark.parametrize("blocks", [1, 3])
def test_a_config_with_another_number_of_blocks_is_refused(folder, blocks):
    edit_json(folder / "config.json", num_hidden_layers=blocks)
    refused(folder, f"{blocks} blocks", "hold 2")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_weight_that_is_not_finite_is_named(folder, value):
    def spoil(tensors):
        tensors[DENSE][3, 5] = value
    edit_weights(folder, spoil)
    refused(folder, "NaN or infinite", DENSE)


@pytest.mark.parametrize("keep", [0, 4, 200, -1])
def test_a_truncated_file_is_named(folder, keep):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    refused(folder, "model.safetensors is damaged")


def test_a_lost_shard_is_noticed(tmp_path):
    BUILD["neox"]().save_pretrained(tmp_path, max_shard_size="8KB")
    tokenizer().save_pretrained(tmp_path)
    sorted(tmp_path.glob("*.safetensors"))[0].unlink()
    refused(tmp_path, "00001-of-")


def test_a_folder_with_only_a_pickle_is_refused_and_the_pickle_is_not_opened(folder, tmp_path):
    class Trap:
        def __reduce__(self):
            return Path.touch, (tmp_path / "opened",)

    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap()))
    refused(folder, "no *.safetensors", "pytorch_model.bin", "can run code", "EXPLORER_ALLOW_PICKLE")
    assert not (tmp_path / "opened").exists()


# --- broken settings ---


@pytest.mark.parametrize("content", ["", "{", "not json", "[]", "3", "null"])
def test_a_config_that_is_not_a_json_object_is_named(folder, content):
    (folder / "config.json").write_text(content)
    refused(folder, "config.json")


def test_a_missing_config_is_named(folder):
    (folder / "config.json").unlink()
    refused(folder, "config.json")


def test_an_unknown_model_type_is_named(folder):
    edit_json(folder / "config.json", model_type="perceptron_9000")
    refused(folder, "config.json", "perceptron_9000")


def test_a_model_without_blocks_is_refused(folder):
    (folder / "config.json").write_text('{"model_type": "resnet", "architectures": ["ResNetModel"]}')
    refused(folder, "model type 'resnet'")


@pytest.mark.parametrize("changes", [
    {"hidden_size": "wide"}, {"num_hidden_layers": "2"}, {"num_attention_heads": 3}, {"num_attention_heads": 0},
    {"hidden_size": -4}, {"hidden_act": "no-such-function"}, {"architectures": ["BertTokenizer"]},
    {"architectures": [5]}, {"architectures": ["BertModel"]},
    {"quantization_config": {"quant_method": "gptq", "bits": 4}}], ids=str)
def test_an_impossible_setting_is_a_sentence_and_not_a_crash(folder, changes):
    edit_json(folder / "config.json", **changes)
    refused(folder, str(folder))


@pytest.mark.parametrize("model_type", ["gpt_neox", "its_own"])
def test_code_that_comes_with_a_config_never_runs(folder, tmp_path, model_type):
    (folder / "evil.py").write_text(f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\n"
                                    "class Config: ...\nclass Model: ...\n")
    edit_json(folder / "config.json", model_type=model_type,
              auto_map={"AutoConfig": "evil.Config", "AutoModel": "evil.Model", "AutoModelForCausalLM": "evil.Model"})
    refused(folder, "auto_map")
    assert not (tmp_path / "ran").exists()


def test_code_that_comes_with_a_tokenizer_never_runs(folder, tmp_path):
    (folder / "evil.py").write_text(f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\n"
                                    "class Words: ...\n")
    edit_json(folder / "tokenizer_config.json", tokenizer_class="Words",
              auto_map={"AutoTokenizer": ["evil.Words", None]})
    try:
        load(folder)
    except ExplorerError as error:
        assert "tokenizer" in str(error)
    assert not (tmp_path / "ran").exists()


# --- tokenizers ---


def test_a_folder_without_a_tokenizer_is_refused(folder):
    for path in folder.glob("tokenizer*"):
        path.unlink()
    refused(folder, "no tokenizer", "save_pretrained")


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_a_damaged_tokenizer_is_refused(folder, content):
    (folder / "tokenizer.json").write_text(content)
    refused(folder, "no tokenizer that transformers can load")


def test_a_tokenizer_of_a_larger_model_is_caught_before_the_forward_pass(folder, probe):
    tokenizer(words=80).save_pretrained(folder)
    edit_json(folder / "tokenizer.json", truncation=None)
    loaded = load(folder)
    big = type(probe)("big", tuple(type(text)(text.id, text.document, f"{text.text} w79") for text in probe.texts))
    with pytest.raises(ExplorerError, match=r"token 84 and the model knows 64 tokens"):
        extract(loaded, big, Policy.parse("last"))
