"""Train the digits demo: small vision transformers that tell 0, 1 and 8 apart, from pixels or from topology alone.

    python demo/make_digits.py                # the probe and four runs, minutes on one CPU core; `make demo` runs it

The question of McGuire et al. 2022: two networks solve one task from different inputs, here the 8 x 8 pixels and the
persistence image of the same digit. Are they alike inside? The digits are those of scikit-learn (UCI ML hand-written
digits, test part: E. Alpaydin & C. Kaynak 1998). The first half in its order is trained on, the second is held out and
is the probe.
"""

import argparse
import base64
import csv
import io
import json
import lzma
import sys
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits
from transformers import ViTConfig, ViTForImageClassification
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "digits")]

from persistence import picture

RUNS, PROBE = HERE / "runs", HERE / "probes" / "digits-held-out.jsonl.xz"
CLASSES, SIDE, PATCH = ("0", "1", "8"), 8, 2
VIEWS = ("pixels", "persistence")
STEPS, RATE, WARMUP, BATCH, WEIGHT_DECAY, LOG_EVERY = 600, 2e-3, 30, 64, 0.05, 20
PARTS = ("train", "test")


def pixels(ink: np.ndarray) -> np.ndarray:
    """8 x 8 x 3 bytes: ink 0 to 16 as grey."""
    return np.repeat(np.rint(ink * 255 / 16).astype(np.uint8)[..., None], 3, axis=-1)


@cache
def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Number in scikit-learn's set, ink (n x 8 x 8, 0 to 16) and class of every 0, 1 and 8, in their order."""
    bunch = load_digits()
    chosen = np.flatnonzero(np.isin(bunch.target, [int(name) for name in CLASSES]))
    return chosen, bunch.images[chosen], np.array([CLASSES.index(str(k)) for k in bunch.target[chosen]])


@cache
def pictures(view: str) -> np.ndarray:
    """Every digit in one of its views, n x 8 x 8 x 3 bytes."""
    return np.stack([(pixels if view == "pixels" else picture)(ink) for ink in digits()[1]])


def split() -> dict[str, np.ndarray]:
    """Places of the digits that are trained on, and of those held out."""
    count = len(digits()[0])
    return dict(zip(PARTS, np.split(np.arange(count), [count // 2]), strict=True))


def address(shown: np.ndarray) -> str:
    """A picture as a data: address of a PNG."""
    file = io.BytesIO()
    Image.fromarray(shown).save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def write_probe() -> None:
    """The held-out digits, each once with both views."""
    numbers, _, classes = digits()
    with lzma.open(PROBE, "wt", encoding="utf-8") as handle:
        for place in split()["test"]:
            id = f"digit {numbers[place]:04d}"
            handle.write(json.dumps({"id": id, "document": id, "digit": CLASSES[classes[place]], "views": {
                view: address(pictures(view)[place]) for view in VIEWS}}) + "\n")


def build_model() -> ViTForImageClassification:
    return ViTForImageClassification(ViTConfig(
        hidden_size=32, num_hidden_layers=4, num_attention_heads=4, intermediate_size=64, image_size=SIDE,
        patch_size=PATCH, label2id={name: k for k, name in enumerate(CLASSES)}, id2label=dict(enumerate(CLASSES)),
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, initializer_range=0.1))


def build_processor(view: str) -> ViTImageProcessorPil:
    """How a picture becomes the input, and which view of an item that is."""
    return ViTImageProcessorPil(do_resize=False, size={"height": SIDE, "width": SIDE}, image_mean=[0.5] * 3,
                                image_std=[0.5] * 3, view=view)


def rate_at(step: int, total: int) -> float:
    """Linear warmup, then a cosine to 0."""
    return RATE * min(step / WARMUP, 0.5 * (1 + float(np.cos(np.pi * max(0, step - WARMUP) / (total - WARMUP)))))


def checkpoint_steps(total: int) -> list[int]:
    return [step for step in (0, 100) if step < total] + [total]


def train(view: str, seed: int, total: int, out: Path, stop: int | None = None) -> None:
    """AdamW for `total` steps (or leave after `stop` of them); checkpoints in float16, and a log beside them."""
    torch.set_num_threads(1)
    torch.manual_seed(seed + 100 * VIEWS.index(view))  # no two of the four runs begin at the same weights
    model, processor = build_model(), build_processor(view)
    given = processor(list(pictures(view)), return_tensors="pt")["pixel_values"]
    answers = torch.from_numpy(digits()[2])
    parts = {name: torch.from_numpy(places) for name, places in split().items()}
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=WEIGHT_DECAY)
    shuffled = np.random.default_rng(seed)
    tokens = BATCH * (SIDE // PATCH)**2

    def measured() -> list[str]:
        with torch.no_grad():
            logits = {name: model(given[places]).logits for name, places in parts.items()}
        right = {name: (logits[name].argmax(1) == answers[parts[name]]).double().mean().item() for name in PARTS}
        loss = torch.nn.functional.cross_entropy(logits["test"], answers[parts["test"]]).item()
        return [f"{right['train']:.4f}", f"{loss:.5f}", f"{right['test']:.4f}"]

    def save(step: int) -> None:
        state = {name: tensor.half() for name, tensor in model.state_dict().items()}
        model.save_pretrained(out / f"step{step}", state_dict=state)
        processor.save_pretrained(out / f"step{step}")

    out.mkdir(parents=True, exist_ok=True)
    (out / "run.json").write_text(json.dumps({
        "name": out.name, "tokens_per_step": tokens, "seed": seed, "steps": total, "view": view,
        "parameters": model.num_parameters(), "train_images": len(parts["train"]), "classes": list(CLASSES),
        "corpus": "digits of scikit-learn (UCI ML hand-written digits)", "probe": PROBE.name.split(".")[0],
        "watch": "test_accuracy", "peak_learning_rate": RATE, "warmup_steps": WARMUP, "weight_decay": WEIGHT_DECAY,
        "weight_dtype": "float16"}, indent=1) + "\n")
    save(0)
    with (out / "log.csv").open("w", newline="") as handle:
        log = csv.writer(handle, lineterminator="\n")
        log.writerow(["step", "tokens", "learning_rate", "loss", "train_accuracy", "test_loss", "test_accuracy"])
        for step in range(1, (stop or total) + 1):
            for group in optimizer.param_groups:
                group["lr"] = rate_at(step, total)
            batch = parts["train"][torch.from_numpy(shuffled.choice(len(parts["train"]), BATCH, replace=False))]
            loss = torch.nn.functional.cross_entropy(model(given[batch]).logits, answers[batch])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            if step in checkpoint_steps(total):
                save(step)
            if step in checkpoint_steps(total) or step % LOG_EVERY == 0:
                log.writerow([step, step * tokens, f"{rate_at(step, total):.3e}", f"{loss.item():.5f}", *measured()])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--view", choices=VIEWS, action="append", help="train only on this view")
    parser.add_argument("--seed", type=int, action="append", help="train only this seed")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--stop", type=int, help="leave after this many steps")
    parser.add_argument("--out", type=Path, default=RUNS)
    arguments = parser.parse_args()
    if arguments.out == RUNS:
        write_probe()
    for view in arguments.view or VIEWS:
        for seed in arguments.seed or (1, 2):
            train(view, seed, arguments.steps, arguments.out / f"vit-digits-{view}-seed{seed}", arguments.stop)
