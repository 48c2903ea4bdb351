"""Checkpoint folders from strangers: each ends in a sentence, runs nothing, takes nothing and leaves nothing behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from analysis.checkpoints.folder import open_run
from analysis.checkpoints.load import load
from analysis.checkpoints.preflight import memory_limit
from analysis.errors import ExplorerError
from tests.checkpoints.models import copied, edit_weights, tokenizer
from tests.safety import (
    DENSE,
    HEAD,
    IDS,
    bomb,
    config,
    deep,
    file,
    header,
    index,
    refused,
    same,
    save_others,
    sparse_tokenizer,
    special,
    tensors,
    tried,
    twice,
    what_it_says,
    with_evil_code,
    words_config,
)


@pytest.fixture
def folder(tiny_run, tmp_path):
    return copied(tiny_run / "step8", tmp_path / "model")


@pytest.fixture(scope="module")
def other_models(tmp_path_factory):
    return save_others(tmp_path_factory.mktemp("others"))


KERNEL = "evil/kernel"
EVIL = {"AutoConfig": "evil.Config", "AutoModel": "evil.Model", "AutoModelForCausalLM": "evil--x/y.Model",
        "AutoTokenizer": ["evil.Words", None]}
HOSTILE = "{{ ().__class__.__base__.__subclasses__() }}{% for a in range(999999999) %}{% endfor %}"
METHODS = ("to_dict", "get_text_config", "from_dict", "to_diff_dict", "validate", "update", "save_pretrained",
           "sub_configs", "attribute_map", "standardize_rope_params", "is_heterogeneous", "__class__", "_to_dict")
KNOWN_EARLY = {
    "a pickle bomb": (file("pytorch_model.bin", bomb, "model.safetensors"), ["can run code", "pytorch_model.bin"]),
    "a pickle bomb in model.pt": (file("model.pt", bomb, "model.safetensors"), ["can run code", "model.pt"]),
    "GGUF only": (file("model.gguf", "GGUF", "model.safetensors"), ["no *.safetensors"]),
    "an adapter": (file("adapter_config.json"), ["PEFT adapter", "merge_and_unload"]),
    "code for the config": (with_evil_code(config(auto_map=EVIL)), ["auto_map"]),
    "code for an unknown type": (with_evil_code(config(auto_map=EVIL, model_type="its_own")), ["auto_map"]),
    "an unknown type": (config(model_type="perceptron\n\x1b[2J"), ["model type"]),
    "a type that is a list": (config(model_type=["gpt_neox"]), ["model type"]),
    "quantised settings": (config(quantization_config={"quant_method": "gptq", "bits": 4}), ["quantised"]),
    "quantised weights": (tensors(lambda t: t.update({DENSE: t[DENSE].char()})), ["I8", DENSE]),
    "weights of eight bits": (tensors(lambda t: t.update({DENSE: t[DENSE].to(torch.float8_e5m2)})), ["F8_E5M2"]),
    "3000 blocks": (config(num_hidden_layers=3000), ["3000 blocks"]),
    "1e30 blocks": (config(num_hidden_layers=10**30), ["blocks"]),
    "another number of blocks": (config(num_hidden_layers=3), ["3 blocks", "hold 2"]),
    "a million wide": (config(hidden_size=10**6), ["width 1000000"]),
    "a header cut short": (header(lambda raw: raw[:100]), ["damaged"]),
    "a file cut short": (header(lambda raw: raw[:-1]), ["damaged"]),
    "a header longer than the file": (header(lambda raw: b"\xff" * 7 + b"\x7f" + raw[8:]), ["damaged"]),
    "tensors that overlap": (header(lambda raw: raw.replace(b"[0,", b"[1,")), ["damaged"]),
    "an empty file": (header(lambda raw: b""), ["damaged"]),
    "a tensor in two files": (twice, [HEAD, "more than one file"]),
    "a lost shard": (index("model-00001-of-00002.safetensors"), ["lacks model-00001-of-00002.safetensors"]),
    "a shard above": (index("../model/x.safetensors"), ["index.json", "same folder"]),
    "a shard elsewhere": (index("/etc/x.safetensors"), ["index.json", "same folder"]),
    "a shard below": (index("a/x.safetensors"), ["index.json", "same folder"]),
    "a shard that is a pickle": (index("pytorch_model.bin"), ["index.json", "same folder"]),
    "a shard without a name": (index(""), ["index.json", "same folder"]),
    "a shard with a line break": (index("a\nb.safetensors"), ["index"]),
    "a shard with a zero byte": (index("a\0.safetensors"), ["index"]),
    "a shard with a long name": (index("a" * 5000 + ".safetensors"), ["index"]),
    "a shard that is a number": (index(5), ["weight_map"]),
    "an index without a map": (index("", "{}"), ["weight_map"]),
    "a deep index": (index("", '{"weight_map": ' + "[" * 9999), ["index.json"]),
    "100 MB of tokenizer": (sparse_tokenizer, ["tokenizer.json", "100 MB"]),
    "a deep config": (deep("config.json", 20_000), ["config.json"]),
    **{f"{name} that is a {kind}": (special(kind, name), [name]) for kind in ("fifo", "folder", "device")
       for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")},
    "a dangling model.safetensors": (special("dangling", "model.safetensors"), ["model.safetensors"]),
    "a dangling config.json": (special("dangling", "config.json"), ["config.json"]),
}
KNOWN_BY_LOADING = {
    "a vocabulary of 1e12": (config(vocab_size=10**12), ["parameters"]),
    "a vocabulary of 2**62": (config(vocab_size=2**62), []),
    "a rotation of 80 million directions": (config(rope_parameters={
        "rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": 1e7}), []),
    "a negative context": (config(max_position_embeddings=-5), []),
    "architectures as a table": (config(architectures={"a": 1}), []),
    "a missing tensor": (tensors(lambda t: t.pop(DENSE)), ["1 tensor(s) missing", DENSE]),
    "an extra tensor": (tensors(lambda t: t.update({"x.weight": torch.ones(3)})), ["no place for", "x.weight"]),
    "a misshapen tensor": (tensors(lambda t: t.update({DENSE: torch.ones(32, 15)})), [DENSE, "[32, 15]", "[32, 16]"]),
    "not a number": (tensors(lambda t: t[DENSE].fill_(torch.nan)), ["NaN or infinite", DENSE]),
    "infinity after rounding": (tensors(lambda t: t.update({DENSE: t[DENSE].double() * 1e300})), ["infinite", DENSE]),
    "a tensor under its old and its new name": (
        tensors(lambda t: t.update({"lm_head.weight": torch.randn_like(t[HEAD])})), []),
    "a tensor with and without its prefix": (tensors(same(lambda name: name.removeprefix("gpt_neox."))), []),
    "a deep tokenizer": (deep("tokenizer.json", 20_000), ["tokenizer"]),
    "a tokenizer of two tokenizers": (words_config(tokenizer_class="RagTokenizer"), ["tokenizer"]),
}
SAME_OR_REFUSED = {
    **{f"{key} of a hub kernel": config(**{key: KERNEL, "text_config": {key: KERNEL}}) for key in (
        "_attn_implementation", "attn_implementation", "_attn_implementation_internal", "attn_implementation_internal",
        "experts_implementation", "_experts_implementation_internal", "use_kernels", "kernel_config")},
    **{f"{key} of a hub kernel at the top": config(**{key: KERNEL}) for key in (
        "_attn_implementation", "attn_implementation", "_attn_implementation_internal", "experts_implementation")},
    "settings as deep as JSON may be": deep("config.json", 900),
    "token settings as deep as JSON may be": deep("tokenizer_config.json", 900),
    "nested code": with_evil_code(config(trust_remote_code=True, text_config={"auto_map": EVIL},
                                         x=[{"auto_map": EVIL, "trust_remote_code": True}])),
    "code for the tokenizer": with_evil_code(words_config(auto_map=EVIL, tokenizer_class="Words",
                                                          trust_remote_code=True)),
    "names on the hub": config(_name_or_path="evil/x", name_or_path="evil/x", base_model_name_or_path="evil/x",
                               custom_pipelines={"x": {"impl": "evil.Model"}}, generation_config="evil/x"),
    "settings named as methods": config(**dict.fromkeys(METHODS, 5)),
    "a chat template": words_config(chat_template=HOSTILE),
    "chat templates": words_config(chat_template=[{"name": "default", "template": HOSTILE}]),
    "a chat template in a file": file("chat_template.jinja", HOSTILE),
    "generation settings": with_evil_code(file("generation_config.json", '{"custom_generate": "evil/x"}')),
    "a pickle beside the weights": file("training_args.bin", bomb),
    "weights as a pickle too": file("pytorch_model.bin", bomb),
    "an encoder and decoder": config(is_encoder_decoder=True), "ten million labels": config(num_labels=10**7),
    "token settings": words_config(model_max_length=-1, name_or_path="evil/x", fix_mistral_regex=True,
                                   fast_tokenizer_files=["../x"], gguf_file="x", subfolder=".."),
}
PICKLES = {
    "a bomb": bomb, "a number for a name": lambda f: {5: torch.ones(2)},
    "a list": lambda f: [torch.ones(2)], "sparse": lambda f: {"x": torch.eye(3).to_sparse()},
    "400 TB in four bytes": lambda f: {"x": torch.zeros(1).expand(10**7, 10**7)},
    "1 GB in four bytes": lambda f: {"x": torch.zeros(1).expand(25 * 10**7)},
    "no data": lambda f: {"x": torch.ones(2, device="meta")}, "metadata": lambda f: {"__metadata__": torch.ones(2)},
    "complex": lambda f: {"x": torch.ones(3, dtype=torch.complex128)}, "a state within": lambda f: {"state_dict": {}},
    "half a surrogate pair": lambda f: {"\ud800": torch.ones(2)},
}


@pytest.mark.parametrize("case", KNOWN_EARLY)
def test_what_can_be_known_early_is_reported_by_examine_and_refused_by_load(folder, case):
    change, words = KNOWN_EARLY[case]
    change(folder)
    refused(folder, *words)


@pytest.mark.parametrize("case", KNOWN_BY_LOADING)
def test_what_only_loading_shows_is_refused_before_it_costs_anything(folder, case):
    change, words = KNOWN_BY_LOADING[case]
    change(folder)
    refused(folder, *words, early=False)


@pytest.mark.parametrize("case", SAME_OR_REFUSED)
def test_what_steers_a_loader_is_ignored_or_refused(folder, tiny_run, case):
    SAME_OR_REFUSED[case](folder)
    how, said = tried(folder)["load"]
    assert said.isprintable() if how == "refused" else said == what_it_says(tiny_run / "step8")


def test_a_tokenizer_config_cannot_name_another_vocabulary(folder, tiny_run, tmp_path):
    tokenizer("bert", words=20).save_pretrained(tmp_path / "other")
    words_config(tokenizer_file=str(tmp_path / "other/tokenizer.json"), vocab_file="/etc/passwd")(folder)
    assert tried(folder)["load"] == ("done", what_it_says(tiny_run / "step8"))


@pytest.mark.parametrize(("kind", "changes"), [
    ("bart", {"decoder_layers": 10**7}), ("gpt_neo", {"attention_types": [[["global"], 10**9]]}),
    ("gpt_neo", {"max_position_embeddings": 40_000}), ("t5", {"n_positions": [3]}), ("t5", {"n_positions": "far"}),
    ("t5", {"n_positions": float("inf")}), ("t5", {"n_positions": -4})], ids=str)
def test_a_setting_that_no_weight_bounds_is_refused_before_it_costs_anything(other_models, tmp_path, kind, changes):
    tried(copied(other_models / kind, tmp_path / "good"))
    folder = copied(other_models / kind, tmp_path / "model")
    config(**changes)(folder)
    refused(folder, early=False)


@pytest.mark.parametrize(("kind", "name"), [("gpt2", "transformer.h.0.mlp.c_fc.weight"),
                                            ("bert", "encoder.layer.0.output.LayerNorm.weight")])
def test_a_tensor_that_stands_twice_under_two_spellings_is_refused(tiny_models, tmp_path, kind, name):
    other = {"gpt2": name.removeprefix("transformer."), "bert": name.replace("weight", "gamma")}[kind]
    folder = copied(tiny_models[kind], tmp_path / "model")
    edit_weights(folder, lambda t: t.update({other: torch.randn_like(t[name])}))
    refused(folder, early=False)


@pytest.mark.parametrize("legacy", [
    {"rope_theta": 500.0}, {"rope_theta": 500.0, "rope_scaling": {"type": "linear", "factor": 4.0}},
    {"rope_theta": 500.0, "rope_scaling": {"rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0,
                                           "high_freq_factor": 4.0, "original_max_position_embeddings": 8}}], ids=str)
def test_an_older_spelling_of_the_rotation_keeps_its_meaning(tiny_llama, tmp_path, legacy):
    folder = copied(tiny_llama, tmp_path / "model")
    settings = json.loads((folder / "config.json").read_text())
    del settings["rope_parameters"]
    (folder / "config.json").write_text(json.dumps(settings | legacy))
    wanted = AutoModelForCausalLM.from_pretrained(folder).eval()
    with torch.no_grad():
        assert torch.equal(load(folder).model(IDS).logits, wanted(IDS).logits)
        assert not torch.equal(load(tiny_llama).model(IDS).logits, wanted(IDS).logits)


# --- pickles where the operator allows them ---


@pytest.mark.parametrize("case", PICKLES)
def test_a_pickle_that_is_not_a_dictionary_of_plain_tensors_is_refused_where_pickles_are_allowed(folder, case):
    file("pytorch_model.bin", PICKLES[case], "model.safetensors")(folder)
    refused(folder, early=False, EXPLORER_ALLOW_PICKLE="1")


def test_a_benign_pickle_loads_the_same_weights_and_only_where_pickles_are_allowed(folder, tiny_run):
    weights = load_file(folder / "model.safetensors")
    file("pytorch_model.bin", lambda f: weights, "model.safetensors")(folder)
    refused(folder, "EXPLORER_ALLOW_PICKLE=1")
    told = tried(folder, EXPLORER_ALLOW_PICKLE="1")
    assert told["load"] == ("done", what_it_says(tiny_run / "step8"))
    assert told["examine"][1].refusals == ()


# --- opening a run ---


@pytest.mark.parametrize("name", ["run.json", "log.csv"])
@pytest.mark.parametrize("kind", ["fifo", "folder", "device"])
def test_a_special_file_beside_the_checkpoints_is_named_or_left_alone(folder, name, kind):
    special(kind, name)(folder)
    how, said = tried(folder)["open"]
    assert how == "done" or name in said


@pytest.mark.parametrize(("name", "content"), [
    ("run.json", "[" * 20_000), ("run.json", b"\xff"), ("log.csv", "step,loss\n1," + "9" * 200_000),
    ("log.csv", b"\xff")])
def test_damage_beside_the_checkpoints_is_named(folder, name, content):
    file(name, content)(folder)
    how, said = tried(folder)["open"]
    assert how == "refused" and name in said


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json", "special_tokens_map.json"])
def test_a_link_out_of_the_opened_folders_is_not_followed(folder, tmp_path, monkeypatch, name):
    monkeypatch.setenv("EXPLORER_ROOTS", str(folder))
    assert open_run(folder).checkpoints
    (folder / name).unlink(missing_ok=True)
    (tmp_path / name).write_text("{}")
    (folder / name).symlink_to(tmp_path / name)
    with pytest.raises(ExplorerError, match="outside the folders the operator opened"):
        open_run(folder)


def test_no_file_changes_the_tokens_and_keeps_the_fingerprint(folder):
    before = open_run(folder).checkpoints[0].fingerprint
    tokens = what_it_says(folder)[2]
    (folder / "added_tokens.json").write_text('{"w1 w2": 60}')
    (folder / "special_tokens_map.json").write_text('{"additional_special_tokens": ["w1 w2"]}')
    assert what_it_says(folder)[2] == tokens or open_run(folder).checkpoints[0].fingerprint != before


# --- memory ---


def test_a_checkpoint_that_does_not_fit_in_what_the_operator_allows_is_refused_by_both(folder):
    refused(folder, "GB in float32", "EXPLORER_MEMORY_GB", EXPLORER_MEMORY_GB="0.001")


@pytest.mark.parametrize("given", ["nan", "inf", "-100", "ten"])
def test_a_memory_limit_that_is_no_amount_of_memory_is_named(monkeypatch, given):
    monkeypatch.setenv("EXPLORER_MEMORY_GB", given)
    with pytest.raises(ExplorerError, match=f"EXPLORER_MEMORY_GB={given}"):
        memory_limit()


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="CUDA reserves addresses beyond any limit")
def test_a_limited_process_cannot_allocate_40_gb_or_dump_its_memory():
    said = subprocess.run([sys.executable, "-c", """if True:
        import resource
        from analysis.jobs.limits import limit_this_process
        limit_this_process()
        try:
            bytearray(40_000_000_000)
        except MemoryError:
            print(*(resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_CORE)))
        """], env=os.environ | {"EXPLORER_MEMORY_GB": "2"}, capture_output=True, text=True, check=True).stdout.split()
    assert 2_000_000_000 < int(said[0]) < 20_000_000_000 and said[1] == "0"
