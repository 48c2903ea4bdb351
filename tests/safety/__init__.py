"""Ways to break a checkpoint folder, and a process to try it in, so that a hang or a bomb stops nothing else."""

import hashlib
import json
import multiprocessing
import os
import resource
import socket
import tempfile
import traceback
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import torch
from safetensors.torch import save_file
from transformers import BartConfig, BartModel, GPTNeoConfig, GPTNeoModel, T5Config, T5EncoderModel

from analysis.checkpoints.folder import open_run
from analysis.checkpoints.load import load
from analysis.checkpoints.preflight import examine
from analysis.errors import ExplorerError
from tests.checkpoints.models import edit_json, edit_weights, tokenizer

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tests.safety"])
HUNG_AFTER, MOST_GROWTH, MOST_ADDRESSES = 20, 250_000_000, 16_000_000_000
HEAD, DENSE = "embed_out.weight", "gpt_neox.layers.0.mlp.dense_h_to_4h.weight"
IDS = torch.arange(5, 25)[None]


def what_it_says(folder: Path) -> tuple[dict[str, str], bytes, list[int]]:
    """Everything that a loaded checkpoint decides: its weights, what it computes, its tokens."""
    loaded = load(folder)
    assert 1 <= loaded.context <= 512
    weights = {name: hashlib.sha256(tensor.numpy().tobytes()).hexdigest()
               for name, tensor in loaded.model.state_dict().items()}
    with torch.no_grad():
        out = loaded.base(IDS, attention_mask=torch.ones_like(IDS))[0]
    return weights, out.numpy().tobytes(), loaded.processor("w1 w2 w3")["input_ids"]


def tried(folder: Path, **environment: str) -> dict[str, tuple[str, Any]]:
    """What examine, load and open_run make of a folder; they may end in a sentence, and do nothing else."""
    temporary = folder.parent / "temporary"
    temporary.mkdir(exist_ok=True)
    ours, theirs = SERVER.Pipe(duplex=False)
    child = SERVER.Process(target=_in_the_child, args=(folder, str(temporary), environment, theirs), daemon=True)
    child.start()
    theirs.close()
    try:
        assert ours.poll(HUNG_AFTER), "it hangs"
        told, growth, reached = ours.recv()
    finally:
        child.kill()
        child.join()
        ours.close()
    assert not (folder.parent / "ran").exists(), "code from the folder ran"
    assert (reached, sorted(temporary.glob("explorer-*"))) == ([], []), "it reached for the network, or left files"
    crashed = [said for how, said in told.values() if how == "crashed"]
    assert not crashed, crashed[0]
    assert growth < MOST_GROWTH, f"it took {growth / 1e6:.0f} MB"
    return told


def refused(folder: Path, *words: str, early: bool = True, **environment: str) -> None:
    """Load refuses in one printable line that names the folder and holds the words; so does examine, if early."""
    told = tried(folder, **environment)
    assert told["load"][0] == "refused", "it was loaded"
    found = [told["load"][1], *(told["examine"][1].refusals if early else ())]
    assert all(line.isprintable() and line.endswith(".") for line in found), found
    assert str(folder) in found[0]
    assert [True] * (1 + early) == [any(all(word in line for word in words) for line in lines)
                                    for lines in ((found[:1], found[1:]) if early else (found,))], found


def _in_the_child(folder: Path, temporary: str, environment: dict[str, str], answer: Any) -> None:
    reached: list[str] = []

    def reach(*what: Any, **_: Any) -> None:
        reached.append(str(what))
        raise OSError("no network in a test")

    tempfile.tempdir, huggingface_hub.constants.HF_HUB_OFFLINE = temporary, False
    socket.socket.connect = socket.getaddrinfo = reach  # type: ignore[assignment,method-assign]
    os.environ.update(environment)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_ADDRESSES, MOST_ADDRESSES))
    before, told = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, {}
    for name, work in (("examine", examine), ("load", what_it_says), ("open", open_run)):
        try:
            told[name] = ("done", work(folder))
        except ExplorerError as error:
            told[name] = ("refused", str(error))
        except BaseException:
            told[name] = ("crashed", traceback.format_exc())
    answer.send((told, 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before), reached))


class Trap:
    """Unpickling it leaves a mark."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def config(**changes):
    return lambda f: edit_json(f / "config.json", **changes)


def words_config(**changes):
    return lambda f: edit_json(f / "tokenizer_config.json", **changes)


def tensors(change):
    return lambda f: edit_weights(f, change)


def deep(name, depth):
    return lambda f: (f / name).write_text((f / name).read_text().rstrip()[:-1] + ', "x": ' + "[" * depth + "]" * depth
                                           + "}")


def file(name, content="{}", instead_of="nothing"):
    def change(f):
        (f / instead_of).unlink(missing_ok=True)
        if callable(content):
            torch.save(content(f), f / name, _use_new_zipfile_serialization=name != "model.pt")
        else:
            (f / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return change


def index(shard, content=None):
    return file("model.safetensors.index.json", content or json.dumps({"weight_map": {DENSE: shard}}),
                "model.safetensors")


def special(kind, name):
    def change(f):
        (f / name).unlink(missing_ok=True)
        {"fifo": os.mkfifo, "folder": Path.mkdir, "device": lambda path: path.symlink_to("/dev/zero"),
         "dangling": lambda path: path.symlink_to("/no/such/file")}[kind](f / name)
    return change


def header(change):
    def rewrite(f):
        path = f / "model.safetensors"
        path.write_bytes(change(path.read_bytes()))
    return rewrite


def twice(f):
    (f / "model.safetensors").rename(f / "a.safetensors")
    save_file({HEAD: torch.ones(64, 16)}, f / "b.safetensors")


def sparse_tokenizer(f):
    with (f / "tokenizer.json").open("r+b") as handle:
        handle.truncate(100_000_000)


def same(name):
    return lambda t: t.update({name(key): torch.randn_like(value) for key, value in list(t.items()) if key == DENSE})


def bomb(f):
    return {"x": torch.ones(2), "code": Trap(f.parent / "ran")}


def with_evil_code(change):
    def broken(f):
        for name in ("evil.py", "custom_generate.py", "modeling_gpt_neox.py", "tokenization_evil.py"):
            (f / name).write_text(f"open({str(f.parent / 'ran')!r}, 'w')\nclass Model: ...\nWords = Config = Model\n")
        change(f)
    return broken


def save_others(root):
    """A BART, a GPT-Neo and a T5 encoder, whose settings can ask for what no weight shows."""
    small = {"vocab_size": 64, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}
    bart = {f"{part}_{key}": value for part in ("encoder", "decoder")
            for key, value in (("layers", 2), ("attention_heads", 2), ("ffn_dim", 32))}
    neo = {"hidden_size": 16, "attention_types": [[["global"], 2]], "max_position_embeddings": 32}
    for model in (BartModel(BartConfig(vocab_size=64, d_model=16, **bart)), T5EncoderModel(T5Config(**small)),
                  GPTNeoModel(GPTNeoConfig(vocab_size=64, num_layers=2, num_heads=2, **neo))):
        model.save_pretrained(root / model.config.model_type)
        tokenizer().save_pretrained(root / model.config.model_type)
    return root
