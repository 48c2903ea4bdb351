"""Tiny transformers with random weights, saved as a person would save them, and ways to break them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

VOCABULARY, WIDTH, BLOCKS, CONTEXT = 64, 16, 2, 32
SPECIAL = ("[PAD]", "[UNK]", "<eos>", "[CLS]", "[SEP]")
COMMON = {"vocab_size": VOCABULARY, "hidden_size": WIDTH, "num_hidden_layers": BLOCKS, "num_attention_heads": 2,
          "intermediate_size": 32, "max_position_embeddings": CONTEXT, "initializer_range": 0.2}
BUILD: dict[str, Callable[[], Any]] = {
    "neox": lambda: GPTNeoXForCausalLM(GPTNeoXConfig(**COMMON)),
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config(vocab_size=VOCABULARY, n_embd=WIDTH, n_layer=BLOCKS, n_head=2,
                                               n_positions=CONTEXT, initializer_range=0.2)),
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**COMMON)),
    "bert": lambda: BertModel(BertConfig(**COMMON)),
}
FINAL_NORM = {"neox": "final_layer_norm", "gpt2": "ln_f", "llama": "norm", "bert": None}


def tokenizer(kind: str = "neox", *, words: int = VOCABULARY - len(SPECIAL), side: str = "right") -> Any:
    """One token a word, w0 w1 ...; BERT's texts stand between [CLS] and [SEP]."""
    vocabulary = {name: number for number, name in enumerate([*SPECIAL, *(f"w{k}" for k in range(words))])}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if kind == "bert":
        inner.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")])
    return PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]", eos_token="<eos>",
                                   model_max_length=CONTEXT, padding_side=side)


def save(kind: str, folder: Path, seed: int, *, side: str = "right") -> Path:
    """A model with no weight at its initial 0 or 1, so that every bias and every norm shows in the output."""
    torch.manual_seed(seed)
    model = BUILD[kind]()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    tokenizer(kind, side=side).save_pretrained(folder)
    return folder


def copied(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to))


def edit_json(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def edit_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def without_tensor(folder: Path, name: str) -> None:
    edit_weights(folder, lambda tensors: tensors.pop(name))
