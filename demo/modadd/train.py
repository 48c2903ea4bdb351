"""Train the modular-addition demo: one transformer block that memorises a + b mod p, and later generalises.

    python demo/modadd/train.py               # minutes on one CPU core; `make demo` runs it

The known answer (Power 2022, Nanda 2023): after test accuracy jumps, the number embeddings lie on circles, one for each
Fourier frequency the network uses. Texts are "a + b =" and the answer is read at the last token.
"""

import argparse
import csv
import json
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, PreTrainedTokenizerFast

RUNS = Path(__file__).parents[1] / "runs"
PRIME, TRAIN_SHARE, RATE, WEIGHT_DECAY, WARMUP = 59, 0.6, 1e-3, 1.0, 10
LOG_EVERY = 25


def checkpoint_steps(total: int) -> list[int]:
    return [0, 1, 10, 50, 100, 200, 300, 400, *range(500, total + 1, 500)]


def build_tokenizer() -> PreTrainedTokenizerFast:
    """One token for each number, then "+" and "=": the id of number k is k."""
    vocabulary = {**{str(k): k for k in range(PRIME)}, "+": PRIME, "=": PRIME + 1, "[PAD]": PRIME + 2}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="[PAD]"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", model_max_length=8)


def all_sums() -> tuple[torch.Tensor, torch.Tensor]:
    """Every text "a + b =" as token ids (p^2 x 4), and its answer."""
    a, b = torch.meshgrid(torch.arange(PRIME), torch.arange(PRIME), indexing="ij")
    a, b = a.flatten(), b.flatten()
    return torch.stack([a, torch.full_like(a, PRIME), b, torch.full_like(a, PRIME + 1)], 1), (a + b) % PRIME


def split(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows for training and for test. a + b and b + a stay on one side, or half of the test would be given away."""
    order = torch.from_numpy(np.random.default_rng(seed).random((PRIME, PRIME)))
    score = torch.triu(order).T.contiguous() + torch.triu(order, 1)
    seen = (score < TRAIN_SHARE).flatten()
    return seen.nonzero()[:, 0], (~seen).nonzero()[:, 0]


def build_model() -> GPTNeoXForCausalLM:
    return GPTNeoXForCausalLM(GPTNeoXConfig(
        vocab_size=PRIME + 3, hidden_size=64, num_hidden_layers=1, num_attention_heads=4, intermediate_size=256,
        rotary_pct=0.25, max_position_embeddings=8, use_parallel_residual=False, tie_word_embeddings=False,
        bos_token_id=None, eos_token_id=None, use_cache=False))


def train(seed: int, total: int, out: Path, stop: int | None = None) -> None:
    """Full-batch AdamW for `total` steps (or leave after `stop` of them) with checkpoints and a log beside them."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    texts, answers = all_sums()
    seen, unseen = split(seed)
    model, tokenizer = build_model(), build_tokenizer()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.98), weight_decay=WEIGHT_DECAY)

    def measure(rows: torch.Tensor) -> tuple[torch.Tensor, float]:
        logits = model(input_ids=texts[rows], logits_to_keep=1).logits[:, -1]
        accuracy = (logits.argmax(1) == answers[rows]).double().mean().item()
        return torch.nn.functional.cross_entropy(logits, answers[rows]), accuracy

    def save(step: int) -> None:
        model.save_pretrained(out / f"step{step}")
        tokenizer.save_pretrained(out / f"step{step}")

    out.mkdir(parents=True, exist_ok=True)
    (out / "run.json").write_text(json.dumps({
        "name": out.name, "tokens_per_step": 4 * len(seen), "seed": seed, "steps": total, "parameters":
        model.num_parameters(), "prime": PRIME, "train_texts": len(seen), "corpus": "all sums modulo the prime",
        "probe": f"sums-mod-{PRIME}", "watch": "test_accuracy",
        "peak_learning_rate": RATE, "weight_decay": WEIGHT_DECAY, "weight_dtype": "float32"}, indent=1) + "\n")
    steps = set(checkpoint_steps(total))
    save(0)
    with (out / "log.csv").open("w", newline="") as handle:
        log = csv.writer(handle, lineterminator="\n")
        log.writerow(["step", "tokens", "learning_rate", "loss", "train_accuracy", "test_loss", "test_accuracy"])
        for step in range(1, (stop or total) + 1):
            rate = RATE * min(1.0, step / WARMUP)
            for group in optimizer.param_groups:
                group["lr"] = rate
            loss, accuracy = measure(seen)
            if step % LOG_EVERY == 0 or step in steps:
                with torch.no_grad():
                    test_loss, test_accuracy = measure(unseen)
                log.writerow([step, step * 4 * len(seen), f"{rate:.3e}", f"{loss.item():.5f}", f"{accuracy:.4f}",
                              f"{test_loss.item():.5f}", f"{test_accuracy:.4f}"])
                handle.flush()
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            if step in steps:
                save(step)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=10000)
    parser.add_argument("--stop", type=int, help="leave after this many steps")
    parser.add_argument("--out", type=Path, default=RUNS / "modular-addition")
    arguments = parser.parse_args()
    train(arguments.seed, arguments.steps, arguments.out, arguments.stop)
