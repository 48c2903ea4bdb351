"""A served Hub with a Pythia-like repository, reached through HF_ENDPOINT as the real one is."""

import shutil
import threading

import pytest

from tests.checkpoints.models import save
from tests.hub.server import Hub, Repository, serve

STEPS = (0, 1, 2, 4, 8, 16, 1000, 2000, 3000)


@pytest.fixture(scope="session")
def step_folders(tmp_path_factory):
    """One GPT-NeoX a step, with what else lies in real repositories; step 3000 repeats the weights of step 2000."""
    root = tmp_path_factory.mktemp("hub")
    for step in STEPS[:-1]:
        folder = save("neox", root / f"step{step}", seed=step)
        (folder / "pytorch_model.bin").write_bytes(b"never fetched")
        (folder / "optimizer.pth").write_bytes(b"never fetched")
        (folder / "README.md").write_text("a card")
    shutil.copytree(root / "step2000", root / "step3000")
    return root


@pytest.fixture
def hub(step_folders, monkeypatch, tmp_path):
    served = Hub({"lab/tiny": Repository(branches={"main": step_folders / "step3000"} | {
        f"step{step}": step_folders / f"step{step}" for step in STEPS}),
        "lab/gated": Repository(branches={"main": step_folders / "step0"}, gated=True)})
    server = serve(served)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", served.url)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    yield served
    server.shutdown()
    server.server_close()
