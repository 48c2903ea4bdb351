"""Loads weights: no code from the folder, every tensor accounted for, every value finite. Used in workers only."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError, safe_open

from analysis.errors import ExplorerError

SAFE: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
MAX_NAMED = 4
VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model", "spiece.model")

transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()  # what it would warn of is an error here, raised below


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model in evaluation mode with its tokenizer. `base` is the network without its language-model head."""

    model: Any
    base: Any
    tokenizer: Any
    blocks: int
    context: int


def load(folder: str | Path, dtype: torch.dtype = torch.float32) -> Loaded:
    """The model in a folder, as the class its config names, checked tensor by tensor.

    Raises ExplorerError naming the tensor or setting that is wrong.
    """
    folder = Path(folder)
    config = _config(folder)
    _check_headers(folder, config)
    name = str((getattr(config, "architectures", None) or [""])[0])
    named = getattr(transformers, name, None)
    is_model = isinstance(named, type) and issubclass(named, transformers.PreTrainedModel)
    architecture: Any = named if is_model else transformers.AutoModel
    try:
        model, report = architecture.from_pretrained(
            folder, config=config, dtype=dtype, use_safetensors=True, output_loading_info=True,
            ignore_mismatched_sizes=True, **SAFE)
    except Exception as error:  # whatever a stranger's files provoke inside transformers ends in a sentence
        raise ExplorerError(f"{folder} cannot be loaded as {name or 'a model'}: {_first_line(error)} Check "
                            "that config.json was saved with these weights.") from error
    _check_complete(folder, report)
    _check_finite(folder, model)
    model.eval()
    return Loaded(model, model.base_model, _tokenizer(folder), config.num_hidden_layers, _context(config))


def _config(folder: Path) -> Any:
    try:
        if "auto_map" in json.loads((folder / "config.json").read_text()):
            raise ExplorerError(f"{folder}/config.json asks to run code of its own (auto_map). Code from a checkpoint "
                                "is never run; save the model with an architecture that transformers ships.")
        return transformers.AutoConfig.from_pretrained(folder, **SAFE)
    except ExplorerError:
        raise
    except Exception as error:
        raise ExplorerError(f"{folder}/config.json cannot be used: {_first_line(error)} Use the config.json that was "
                            "saved with these weights.") from error


def _check_headers(folder: Path, config: Any) -> None:
    """Compare the number of blocks in config.json with that in the weights before anything is allocated."""
    names: list[str] = []
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, framework="pt") as handle:
                names += handle.keys()
        except (SafetensorError, OSError) as error:
            raise ExplorerError(f"{path} is damaged: {_first_line(error)} Copy or download it again.") from error
    wanted = getattr(config, "num_hidden_layers", None)
    if not isinstance(wanted, int):
        raise ExplorerError(f"{folder}/config.json names a {config.model_type} model without num_hidden_layers; "
                            "transformer text models have it. Check that this folder is one.")
    blocks: dict[str, set[int]] = {}
    for name in names:
        match = re.match(r"(.*?\.)(\d+)\.", name)
        if match:
            blocks.setdefault(match[1], set()).add(int(match[2]))
    found = max((max(numbers) + 1 for numbers in blocks.values()), default=0)
    if found and found != wanted and not getattr(config, "num_hidden_groups", None):
        raise ExplorerError(f"{folder}: config.json says {wanted} blocks and the weights hold {found}. Use the "
                            "config.json that was saved with these weights.")


def _check_complete(folder: Path, report: dict[str, Any]) -> None:
    """Missing, extra or misshapen tensors are an error: transformers would fill them with random numbers."""
    missing, extra = sorted(report["missing_keys"]), sorted(report["unexpected_keys"])
    misshapen = sorted(report["mismatched_keys"])
    if misshapen:
        name, got, wanted = misshapen[0]
        raise ExplorerError(f"{folder}: tensor {name} has shape {list(got)} and the config wants {list(wanted)}. Use "
                            "the config.json that was saved with these weights.")
    if missing:
        raise ExplorerError(f"{folder}: {len(missing)} tensor(s) missing from the weights: {_some(missing)}. The file "
                            "is incomplete; copy or download it again.")
    if extra:
        raise ExplorerError(f"{folder}: {len(extra)} tensor(s) in the weights that the model has no place for: "
                            f"{_some(extra)}. Check that config.json names the right architecture.")


def _check_finite(folder: Path, model: torch.nn.Module) -> None:
    bad = [name for name, tensor in model.state_dict().items() if not torch.isfinite(tensor).all()]
    if bad:
        raise ExplorerError(f"{folder}: NaN or infinite values in {len(bad)} tensor(s): {_some(bad)}. Training "
                            "diverged or the file is damaged; leave this checkpoint out.")


def _tokenizer(folder: Path) -> Any:
    if not any((folder / name).exists() for name in VOCABULARIES):
        raise ExplorerError(f"{folder} has no tokenizer: none of {', '.join(VOCABULARIES)} is there. Save it beside "
                            "the weights with tokenizer.save_pretrained(folder).")
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **SAFE)
    except Exception as error:
        raise ExplorerError(f"{folder} has no tokenizer that transformers can load: {_first_line(error)} Save it "
                            "beside the weights with tokenizer.save_pretrained(folder).") from error
    tokenizer.padding_side = tokenizer.truncation_side = "right"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    return tokenizer


def _context(config: Any) -> int:
    """Longest input in tokens: the model's own limit, at most 512."""
    limit = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None) or 512
    return min(int(limit), 512)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].split(". ")[0].rstrip(".") + "."
