"""Train the English demo: GPT-NeoX (the Pythia architecture) on the State of the Union addresses.

    python demo/sotu/train.py --seed 1        # half an hour to an hour on one CPU core; `make demo` runs every seed

The seed sets both initial weights and data order, as in PolyPythias. Checkpoints are taken at steps 0, 1, 2, 4 ... 1024
and then every 2000 (Pythia: 512, then every 1000), and stored in float16, as Pythia's are. One thread and fixed seeds
make a run reproducible on one kind of CPU; other kinds differ in the last bits of each step.
"""

import argparse
import csv
import json
import math
from pathlib import Path

import numpy as np
import torch
from corpus import read
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast

RUNS = Path(__file__).parents[1] / "runs"
END_OF_TEXT = "<|endoftext|>"
VOCAB_SIZE, CONTEXT, BATCH = 2048, 128, 16
PEAK_RATE, FLOOR, WARMUP = 2e-3, 0.1, 100
LOG_EVERY = 10


def checkpoint_steps(total: int) -> list[int]:
    return [0, *(2**k for k in range(11)), *range(2000, total + 1, 2000)]


def train_tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    """Byte-level BPE trained on the training split only."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=VOCAB_SIZE, special_tokens=[END_OF_TEXT],
                                                       initial_alphabet=sorted(alphabet), show_progress=False))
    return PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token=END_OF_TEXT, bos_token=END_OF_TEXT,
                                   pad_token=END_OF_TEXT, model_max_length=CONTEXT)


def token_stream(tokenizer: PreTrainedTokenizerFast, texts: list[str]) -> torch.Tensor:
    """All training documents in order of date, each closed by the end-of-text token."""
    stream: list[int] = []
    for text in texts:
        stream += [*tokenizer(text, verbose=False)["input_ids"], tokenizer.eos_token_id]
    return torch.tensor(stream)


def build_model() -> GPTNeoXForCausalLM:
    return GPTNeoXForCausalLM(GPTNeoXConfig(
        vocab_size=VOCAB_SIZE, hidden_size=64, num_hidden_layers=4, num_attention_heads=4, intermediate_size=256,
        rotary_pct=0.25, max_position_embeddings=CONTEXT, use_parallel_residual=True, tie_word_embeddings=False,
        bos_token_id=0, eos_token_id=0, use_cache=False))


def learning_rate(step: int, total: int) -> float:
    """Linear warm-up, then cosine to a tenth of the peak."""
    if step <= WARMUP:
        return PEAK_RATE * step / WARMUP
    progress = (step - WARMUP) / (total - WARMUP)
    return PEAK_RATE * (FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * progress)))


def save(model: GPTNeoXForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    config, state = model.config.to_dict(), {k: v.half() for k, v in model.state_dict().items()}
    stored = GPTNeoXForCausalLM(GPTNeoXConfig.from_dict(config)).half()
    stored.load_state_dict(state)
    stored.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def train(seed: int, total: int, out: Path, stop: int | None = None) -> None:
    """Run `total` steps (or leave after `stop` of them, for the test that retrains) and write checkpoints and log."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    order = np.random.default_rng(seed)
    texts = [document["text"] for document in read("train")]
    tokenizer = train_tokenizer(texts)
    stream = token_stream(tokenizer, texts)
    model = build_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.0, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
    out.mkdir(parents=True, exist_ok=True)
    (out / "run.json").write_text(json.dumps({
        "name": out.name, "tokens_per_step": BATCH * CONTEXT, "seed": seed, "steps": total, "parameters":
        model.num_parameters(), "train_tokens": len(stream), "corpus": "State of the Union addresses, CC0-1.0",
        "probe": "sotu-held-out",
        "peak_learning_rate": PEAK_RATE, "warmup_steps": WARMUP, "weight_dtype": "float16"}, indent=1) + "\n")
    steps = set(checkpoint_steps(total))
    save(model, tokenizer, out / "step0")
    with (out / "log.csv").open("w", newline="") as handle:
        log = csv.writer(handle, lineterminator="\n")
        log.writerow(["step", "tokens", "learning_rate", "loss"])
        for step in range(1, (stop or total) + 1):
            starts = order.integers(0, len(stream) - CONTEXT, BATCH)
            batch = torch.stack([stream[start:start + CONTEXT] for start in starts])
            loss = model(input_ids=batch, labels=batch).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            rate = learning_rate(step, total)
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            if step % LOG_EVERY == 0 or step in steps:
                log.writerow([step, step * BATCH * CONTEXT, f"{rate:.3e}", f"{loss.item():.4f}"])
                handle.flush()
            if step in steps:
                save(model, tokenizer, out / f"step{step}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--steps", type=int, default=16000)
    parser.add_argument("--stop", type=int, help="leave after this many steps")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    train(arguments.seed, arguments.steps, arguments.out or RUNS / f"sotu-neox-seed{arguments.seed}", arguments.stop)
