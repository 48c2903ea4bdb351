"""Tiny checkpoints made on the spot, a probe for them, and a cache of its own for every test."""

import json
import os
import random
import sys

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded, and for every process a test starts
os.environ["HF_HUB_OFFLINE"] = "1"

import pytest

from analysis.checkpoints.folder import open_run
from analysis.compute import Protocol
from analysis.extraction.probes import load_probe
from analysis.keys import Policy
from analysis.store import Store

MAIN = sys.modules["__main__"]
DOCUMENTS, TEXTS_EACH = 12, 4
TOKENS_PER_STEP = 1000


@pytest.fixture(autouse=True)
def isolated(tmp_path, monkeypatch):
    """No test sees the project's cache, the network or the operator's settings."""
    monkeypatch.setenv("EXPLORER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("EXPLORER_ROOTS", "EXPLORER_BACKGROUND", "EXPLORER_PROGRESS"):
        monkeypatch.delenv(name, raising=False)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture(autouse=True)
def main_module():
    """Streamlit's AppTest leaves its script as the main module, which processes that are spawned later would run.

    Put back before each test too: fixtures of a module or a session are made first, and some draw pages.
    """
    sys.modules["__main__"] = MAIN
    yield
    sys.modules["__main__"] = MAIN


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "cache")


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory):
    """A folder of three GPT-NeoX checkpoints (width 16, 2 blocks), each with its own weights; run.json and log.csv."""
    from tests.checkpoints.models import save
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    for seed, step in enumerate((0, 1, 8)):
        save("neox", folder / f"step{step}", seed=seed)
    (folder / "run.json").write_text(json.dumps({"name": "tiny", "tokens_per_step": TOKENS_PER_STEP}))
    (folder / "log.csv").write_text("step,tokens,loss\n" + "".join(
        f"{step},{step * TOKENS_PER_STEP},{5 - 0.1 * step:.1f}\n" for step in (1, 2, 4, 8)))
    return folder


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory, tiny_run):
    """A model folder of each architecture, by its short name."""
    from tests.checkpoints.models import save
    root = tmp_path_factory.mktemp("models")
    return {"neox": tiny_run / "step8"} | {kind: save(kind, root / kind, seed=7) for kind in ("gpt2", "llama", "bert")}


@pytest.fixture(scope="session")
def tiny_gpt2(tiny_models):
    return tiny_models["gpt2"]


@pytest.fixture(scope="session")
def tiny_llama(tiny_models):
    return tiny_models["llama"]


@pytest.fixture(scope="session")
def tiny_bert(tiny_models):
    return tiny_models["bert"]


@pytest.fixture(scope="session")
def probe_file(tmp_path_factory):
    """48 texts of 2 to 14 words in 12 documents, as a .jsonl file; no two are alike."""
    words = random.Random(5)
    lines = [json.dumps({"id": f"text {d}.{t}", "document": f"document {d}", "text": " ".join(
        f"w{words.randrange(50)}" for _ in range(words.randint(2, 14)))})
        for d in range(DOCUMENTS) for t in range(TEXTS_EACH)]
    path = tmp_path_factory.mktemp("probe") / "words.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def probe(probe_file):
    return load_probe(probe_file)


@pytest.fixture(scope="session")
def protocol(probe):
    """The last token of each text of the probe."""
    return Protocol(probe, Policy.parse("last"))


@pytest.fixture(scope="session")
def run(tiny_run):
    """The tiny run, opened."""
    return open_run(tiny_run)
