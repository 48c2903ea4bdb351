"""What a checkpoint folder is, from its file list, its headers and its settings, before anything of it is loaded."""

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from analysis.checkpoints import config as settings
from analysis.checkpoints.headers import Tensor, read_header
from analysis.errors import ExplorerError

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
                   "vocab.txt", "vocab.json", "merges.txt", "spiece.model", "tokenizer.model",
                   "sentencepiece.bpe.model")
VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model", "spiece.model",
                "sentencepiece.bpe.model")
PROCESSOR_FILES = ("preprocessor_config.json",)
LARGEST_TOKENIZER = 64_000_000
MOST_FILES = 10_000
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
PICKLE_VARIABLE, MEMORY_VARIABLE = "EXPLORER_ALLOW_PICKLE", "EXPLORER_MEMORY_GB"
FLOATS = frozenset({"F16", "BF16", "F32", "F64"})
WORKING_BYTES = 1_500_000_000  # python, torch and one batch of activations


@dataclass(frozen=True, kw_only=True)
class Report:
    """One checkpoint folder. `refusals` are the reasons not to load it; none means that it is fit to load."""

    folder: str
    files: tuple[tuple[str, int], ...]
    model_type: str | None = None
    architecture: str | None = None
    blocks: int | None = None
    width: int | None = None
    tensors: int = 0
    parameters: int = 0
    dtypes: dict[str, int]
    memory_bytes: int = 0
    rows: int | None = None
    tokenizer: str | None = None
    refusals: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        return sum(size for _, size in self.files)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"bytes": self.size, "fit_to_load": not self.refusals}


def examine(folder: Path) -> Report:
    """Everything that can be known of a checkpoint folder without loading it, and every reason to refuse it."""
    refusals: list[str] = []

    @contextmanager
    def noting() -> Iterator[None]:
        try:
            yield
        except ExplorerError as error:
            refusals.append(str(error))

    config: dict[str, Any] = {}
    tensors: list[Tensor] = []
    vocabulary = None
    files: tuple[tuple[str, int], ...] = ()
    with noting():
        files = listing(folder)
    with noting():
        config = settings.read_config(folder)
    with noting():
        tensors = [] if pickled_weights(folder) else headers(folder)
    if config and settings.modality(config) == "text":
        with noting():
            vocabulary = tokenizer(folder)
    if config and tensors:
        with noting():
            agree(folder, config, tensors)
        with noting():
            fits(folder, tensors)
    return Report(
        folder=str(folder), files=files, model_type=config.get("model_type"), architecture=architecture(config),
        blocks=settings.block_count(config), width=settings.width(config), tensors=len(tensors),
        parameters=sum(t.count for t in tensors), dtypes=dict(Counter(t.dtype for t in tensors)),
        memory_bytes=memory(tensors), tokenizer=vocabulary, refusals=tuple(refusals))


def check(folder: Path) -> dict[str, Any]:
    """The settings of a checkpoint that passes every check above; raises ExplorerError with the first that fails."""
    config = settings.read_config(folder)
    tensors = headers(folder)
    agree(folder, config, tensors)
    fits(folder, tensors)
    if settings.modality(config) == "text":
        tokenizer(folder)
    return config


def architecture(config: dict[str, Any]) -> str | None:
    named = config.get("architectures")
    return str(named[0]) if isinstance(named, list) and named else None


def listing(folder: Path) -> tuple[tuple[str, int], ...]:
    """Name and size of every file in the folder itself."""
    found = sorted((path.name, path.stat().st_size) for path in folder.iterdir() if path.is_file())
    if len(found) > MOST_FILES:
        raise ExplorerError(f"{folder} holds {len(found)} files and {MOST_FILES} is the most for one checkpoint.")
    return tuple(found)


def pickled_weights(folder: Path) -> Path | None:
    """pytorch_model.bin, where the operator allows pickles and there is nothing better."""
    path = folder / "pytorch_model.bin"
    allowed = os.environ.get(PICKLE_VARIABLE) == "1" and path.exists() and not any(folder.glob("*.safetensors"))
    return path if allowed else None


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a checkpoint; raises ExplorerError saying what stands there instead."""
    if (folder / "adapter_config.json").exists():
        raise ExplorerError(f"{folder} is a PEFT adapter, not a model. Merge it first: "
                            "model.merge_and_unload().save_pretrained(folder).")
    found = sorted(folder.glob("*.safetensors"))
    index = folder / "model.safetensors.index.json"
    if index.exists() and not (folder / "model.safetensors").exists():
        return _shards(folder, index)
    pickles = sorted(path.name for path in folder.glob("*") if path.suffix in PICKLES)
    if not found and pickles:
        raise ExplorerError(
            f"{folder} has no *.safetensors file, only {', '.join(pickles[:3])}, and opening a pickle can run code. "
            f"Convert it with model.save_pretrained(folder), or let the operator set {PICKLE_VARIABLE}=1.")
    if not found:
        raise ExplorerError(f"{folder} has no *.safetensors file. Only safetensors weights are read; convert others "
                            "with model.save_pretrained(folder).")
    return [folder / "model.safetensors"] if (folder / "model.safetensors").exists() else found


def _shards(folder: Path, index: Path) -> list[Path]:
    weight_map = settings.read_json(index, "Copy or download it again.", 32_000_000).get("weight_map")
    if not isinstance(weight_map, dict) or not all(isinstance(name, str) for name in weight_map.values()):
        raise ExplorerError(f"{index} has no weight_map of file names. Copy or download it again.")
    names = sorted(set(weight_map.values()))
    for name in names:
        plain = Path(name).name == name and len(name) <= 200 and name.isprintable()
        if not plain or not name.endswith(".safetensors"):
            raise ExplorerError(f"{index} names {name[:80]!a}, which is not a safetensors file in the same folder.")
        if not (folder / name).is_file():
            raise ExplorerError(f"{folder} lacks {name}, which its index names. Copy or download it again.")
    return [folder / name for name in names]


def headers(folder: Path) -> list[Tensor]:
    """Every tensor of a checkpoint, from the headers of its files."""
    files = weight_files(folder)
    for path in files:
        if not path.is_file():
            raise ExplorerError(f"{path} is not a file (a broken link?). Copy or download it again.")
    tensors = [tensor for path in files for tensor in read_header(path)]
    twice = [name for name, count in Counter(tensor.name for tensor in tensors).items() if count > 1]
    if twice:
        raise ExplorerError(f"{folder}: tensor {twice[0]!r} stands in more than one file; keep one set of weights.")
    weights = [tensor for tensor in tensors if tensor.count > 1]
    other = [tensor for tensor in weights if tensor.dtype not in FLOATS and not _is_buffer(tensor)]
    if other:
        raise ExplorerError(f"{folder}: tensor {other[0].name!r} holds {other[0].dtype} values. Quantised weights have "
                            "another geometry; give the checkpoint in float32, float16 or bfloat16.")
    return tensors


def _is_buffer(tensor: Tensor) -> bool:
    """Position ids and causal masks, which older checkpoints carry as whole numbers."""
    return tensor.name.endswith(("position_ids", "token_type_ids", "masked_bias", "attention.bias", "attn.bias",
                                 "num_batches_tracked", "relative_position_index"))


def agree(folder: Path, config: dict[str, Any], tensors: list[Tensor]) -> None:
    """Compare the number of blocks and the width in config.json with the weights, before anything is allocated."""
    wanted, found = settings.block_count(config), block_counts(tensors)
    if wanted is None:
        raise ExplorerError(f"{folder}/config.json does not say how many blocks the {config['model_type']} model has. "
                            "Use the config.json that was saved with these weights.")
    if found and wanted not in found.values() and not config.get("num_hidden_groups"):
        raise ExplorerError(f"{folder}: config.json says {wanted} blocks and the weights hold {max(found.values())}. "
                            "Use the config.json that was saved with these weights.")
    wide = settings.width(config)
    if wide is not None and not any(wide in tensor.shape for tensor in tensors):
        raise ExplorerError(f"{folder}: config.json says width {wide} and no tensor has that dimension. Use the "
                            "config.json that was saved with these weights.")


def block_counts(tensors: list[Tensor]) -> dict[str, int]:
    """How many numbered parts each part of a network has, by the names of its tensors."""
    found: dict[str, int] = {}
    for tensor in tensors:
        match = re.match(r"(.*?\.)(\d{1,6})\.", tensor.name)
        if match:
            found[match[1]] = max(found.get(match[1], 0), int(match[2]) + 1)
    return found


def tokenizer(folder: Path) -> str:
    """The vocabulary file of a checkpoint; raises ExplorerError when there is none or one is too large to be one."""
    for name in TOKENIZER_FILES:
        path = folder / name
        if path.exists() and not path.is_file():
            raise ExplorerError(f"{path} is not a file. Save it again with tokenizer.save_pretrained(folder).")
        if path.exists() and path.stat().st_size > LARGEST_TOKENIZER:
            raise ExplorerError(f"{path} is {path.stat().st_size / 1e6:.0f} MB and "
                                f"{LARGEST_TOKENIZER / 1e6:.0f} MB is the most that is read.")
    found = next((name for name in VOCABULARIES if (folder / name).exists()), None)
    if found is None:
        raise ExplorerError(f"{folder} has no tokenizer: none of {', '.join(VOCABULARIES)} is there. Save it beside "
                            "the weights with tokenizer.save_pretrained(folder).")
    return found


def memory(tensors: list[Tensor]) -> int:
    """Bytes that a forward pass in float32 needs: the weights and what stands around them."""
    return 4 * sum(tensor.count for tensor in tensors) + WORKING_BYTES


def fits(folder: Path, tensors: list[Tensor]) -> None:
    limit, needed = memory_limit(), memory(tensors)
    if needed > limit:
        raise ExplorerError(f"{folder} needs about {needed / 1e9:.1f} GB in float32 and {limit / 1e9:.1f} GB may be "
                            f"used. Run it on a larger machine, or set {MEMORY_VARIABLE} if more is free.")


def memory_limit() -> float:
    """Bytes a worker may use: what the operator set, else nine tenths of the machine."""
    return gigabytes(MEMORY_VARIABLE, 0.9 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def gigabytes(variable: str, default: float) -> float:
    """Bytes from an environment variable that is given in gigabytes."""
    given = os.environ.get(variable)
    try:
        amount = float(given) * 1e9 if given else default
    except ValueError:
        amount = 0.0
    if not 0 < amount < 1e18:
        raise ExplorerError(f"{variable}={given} is not a number of gigabytes above 0.")
    return amount


def whole(variable: str, default: int) -> int:
    """A whole number above 0 from an environment variable."""
    given = os.environ.get(variable, "")
    if given and not (given.isascii() and given.isdecimal() and 0 < int(given) < 10_000):
        raise ExplorerError(f"{variable}={given[:40]} is not a whole number above 0.")
    return int(given) if given else default


def as_json(reports: list[Report]) -> str:
    return json.dumps({"checkpoints": [report.as_dict() for report in reports]})
