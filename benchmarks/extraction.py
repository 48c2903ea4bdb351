"""Extraction against a plain forward pass of the same network, and against the naive way."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from analysis.checkpoints.load import load
from analysis.checkpoints.loader import Loader
from analysis.extraction.forward import BATCH_TOKENS, extract
from analysis.extraction.inputs import feed
from analysis.extraction.probes import load_probe
from analysis.keys import Policy
from benchmarks import models
from benchmarks.timing import ratio

PEER = "plain forward pass of the base model, transformers, same batches"
HOME = Path(__file__).parents[1]


def _against_forward(folder: Path, texts: int, what: str, turns: int) -> dict:
    import torch
    loaded, probe = load(folder), load_probe("sotu-held-out")
    probe = replace(probe, texts=probe.texts[:texts])
    batches = list(feed(loaded, probe, BATCH_TOKENS).batches)

    def forward() -> None:
        with torch.inference_mode():
            for batch in batches:
                loaded.base(**batch.inputs, use_cache=False)

    value = ratio(lambda: extract(loaded, probe, Policy.parse("last")), forward, turns)
    return {"name": f"extraction of all sites and the loss / plain forward, {what}", "value": value, "bar": 1.10,
            "better": "lower", "peer": PEER, "n": len(probe.texts)}


def demo() -> dict:
    return _against_forward(models.DEMO, 1145, "demo GPT-NeoX 4 x 64", 7)


def realistic() -> dict | str:
    folder = models.smollm2()
    return folder if isinstance(folder, str) else _against_forward(folder, 150, "SmolLM2-135M 30 x 576", 3)


def memory() -> list[dict]:
    """Peak memory beyond the loaded model, each way in a process of its own."""
    found = models.smollm2()
    folder, name = (models.random_network(), "random GPT-NeoX 8 x 512") if isinstance(found, str) else (
        found, "SmolLM2-135M")
    peak = {way: _peak(way, folder, 16, 400)[-1] for way in ("ours", "naive")}
    rows = [{"name": f"peak extra memory / AutoModelForCausalLM with output_hidden_states, {name}, 16 x 512 tokens",
             "value": peak["ours"] / peak["naive"], "bar": 0.4, "better": "lower", "peer": "transformers", "n": 16}]
    few, many = (_peak("stored", models.DEMO, count, 400) for count in (2_500, 10_000))
    growth = (many[1] - few[1] - (many[0] - few[0])) / few[1]
    return [*rows, {"name": "growth of peak memory beyond the stored rows, 2500 to 10000 texts / peak at 2500, demo",
                    "value": growth, "bar": 0.5, "better": "lower", "peer": "itself", "n": 10_000}]


def _peak(way: str, folder: Path, texts: int, tokens: int) -> list[int]:
    printed = subprocess.run([sys.executable, "-m", "benchmarks.memory", way, str(folder), str(texts), str(tokens)],
                             check=True, capture_output=True, text=True, cwd=HOME).stdout
    return [int(line) for line in printed.split()]


def swap() -> dict:
    """The second checkpoint of an architecture against the first."""
    folder, loader = models.random_network(), Loader()
    loader.load(folder)
    value = ratio(lambda: loader.load(folder), lambda: load(folder), 5)
    return {"name": "weights swapped into the same network / loaded anew, GPT-NeoX 8 x 512", "value": value,
            "bar": 0.6, "better": "lower", "peer": "loading anew, same checks", "n": 1}
