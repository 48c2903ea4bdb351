"""Loads weights: no code from the folder, every tensor accounted for, every value finite. Used in workers only."""

import json
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file

from analysis.checkpoints import cards, preflight
from analysis.checkpoints.config import clean, modality, read_config, read_json
from analysis.errors import ExplorerError

SAFE: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
LONGEST_CONTEXT = 512
MAX_NAMED = 4
MOST_BUFFERS = 1_000_000_000
FUSED = ("moe", "mixtral")  # their experts are stored one by one and loaded as one
NOT_FOR_A_TOKENIZER = ("chat_template", "auto_map")
BUILDING = threading.Lock()  # transformers patches its own classes meanwhile, and two threads would leave them patched

transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()  # what it would warn of is an error here, raised below


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model in evaluation mode with what turns probes into its input. `base` is the network that is listened to: no
    language-model head, and of an encoder-decoder the encoder."""

    model: Any
    base: Any
    processor: Any
    modality: str
    blocks: int
    context: int

    @property
    def pads_sounds(self) -> bool:
        """Whether sounds are padded to one length, so that only a mask tells what of it was heard."""
        return self.modality == "sound" and self.model.config.model_type == "whisper"


def load(folder: str | Path, dtype: torch.dtype = torch.float32, device: str | None = None) -> Loaded:
    """The model in a folder, as the class its config names, checked tensor by tensor, on a device (see `cards.place`).

    Raises ExplorerError naming the tensor or setting that is wrong.
    """
    folder = Path(folder)
    with with_safetensors(folder) as weights:
        settings = preflight.check(weights)
        with _staged(weights, settings) as staged:
            config = _config(folder, settings)
            architecture = _architecture(config)
            with BUILDING:
                _check_size(folder, architecture, config, weights)
                where = cards.placed(weights, dtype, device)
                try:
                    model, report = architecture.from_pretrained(
                        staged, config=config, dtype=dtype, use_safetensors=True, output_loading_info=True,
                        ignore_mismatched_sizes=True, **({"device_map": where} if where == "auto" else {}), **SAFE)
                except Exception as error:  # whatever a stranger's files provoke in transformers ends in a sentence
                    raise _unloadable(folder, architecture, error) from error
            _check_complete(folder, report)
            _check_every_tensor(folder, weights, model)
            check_finite(folder, model)
            reads = modality(settings)
            processor = _tokenizer(folder, staged) if reads == "text" else _processor(folder, staged, reads)
    model.eval()
    if where not in (None, "auto"):
        model.to(where)
    inner = model.base_model
    is_pair = all(isinstance(getattr(inner, part, None), torch.nn.Module) for part in ("encoder", "decoder"))
    return Loaded(model, model.get_encoder() if is_pair else inner, processor, reads, config.num_hidden_layers,
                  _context(folder, config, inner))


@contextmanager
def with_safetensors(folder: Path) -> Iterator[Path]:
    """The folder itself; or, where the operator allows pickles and has nothing else, a safetensors copy of one."""
    pickled = preflight.pickled_weights(folder)
    if pickled is None:
        yield folder
        return
    read_config(folder)
    with tempfile.TemporaryDirectory(prefix="explorer-") as name:
        copy = Path(name)
        try:
            tensors = torch.load(pickled, map_location="cpu", weights_only=True)
            _check_pickle(tensors, pickled.stat().st_size)
            save_file({key: value.contiguous().clone() for key, value in tensors.items()}, copy / "model.safetensors",
                      metadata={"format": "pt"})
        except Exception as error:
            raise ExplorerError(f"{pickled} cannot be read as tensors alone: {_first_line(error)} Convert it with "
                                "model.save_pretrained(folder) where you trust it.") from error
        del tensors
        for path in folder.iterdir():
            if path.suffix in (".json", ".txt", ".model"):
                (copy / path.name).symlink_to(path.resolve())
        yield copy


def _check_pickle(tensors: Any, size: int) -> None:
    """A dictionary of plain tensors that takes no more than the file does: a tensor may claim to repeat one value."""
    if not isinstance(tensors, dict) or not all(isinstance(key, str) and isinstance(value, torch.Tensor)
                                                for key, value in tensors.items()):
        raise ValueError("it does not hold a dictionary of tensors")
    if any(value.layout != torch.strided or value.is_meta or key == "__metadata__" for key, value in tensors.items()):
        raise ValueError("it holds tensors that are not plain arrays")
    distinct = {(value.data_ptr(), value.shape, value.stride()): value.numel() * value.element_size()
                for value in tensors.values()}
    if sum(distinct.values()) > 1.1 * size + 1_000_000:
        raise ValueError(f"its tensors claim {sum(distinct.values()):,} bytes and the file holds {size:,}")


@contextmanager
def _staged(folder: Path, settings: dict[str, Any]) -> Iterator[Path]:
    """A folder that holds only what was checked: transformers never sees the stranger's own folder."""
    with tempfile.TemporaryDirectory(prefix="explorer-") as name:
        staged = Path(name)
        (staged / "config.json").write_text(json.dumps({"model_type": settings["model_type"]}))  # for the tokenizer
        index = folder / "model.safetensors.index.json"
        weights = preflight.weight_files(folder)
        if len(weights) > 1 and index.exists():
            (staged / index.name).write_text(index.read_text())
        for path in weights:
            (staged / (path.name if len(weights) > 1 else "model.safetensors")).symlink_to(path.resolve())
        for name in (*preflight.TOKENIZER_FILES, *preflight.PROCESSOR_FILES):
            path = folder / name
            if path.suffix == ".json" and path.exists() and name.endswith("config.json"):
                kept = clean(read_json(path, "Save it again with tokenizer.save_pretrained(folder)."))
                (staged / name).write_text(json.dumps({k: v for k, v in kept.items() if k not in NOT_FOR_A_TOKENIZER}))
            elif path.exists():
                (staged / name).symlink_to(path.resolve())
        yield staged


def _config(folder: Path, settings: dict[str, Any]) -> Any:
    """The config built from checked settings, never from the file. Older files spell some fields in other ways, such as
    rope_theta, so settings that the class does not declare go in too, unless they would stand in for its methods."""
    try:
        kind = transformers.CONFIG_MAPPING[settings["model_type"]]
        own = {field.name for field in fields(kind)} | set(kind.attribute_map) | set(kind.sub_configs)
        own |= {"rope_scaling"}
        own -= {"is_encoder_decoder"}  # the class knows
        return kind(**{name: value for name, value in settings.items() if name in own or not hasattr(kind, name)})
    except Exception as error:
        raise ExplorerError(f"{folder}/config.json cannot be used: {_first_line(error)} Use the config.json that was "
                            "saved with these weights.") from error


def _architecture(config: Any) -> Any:
    """The class the config names, where it is a model of transformers; else its base model."""
    named = getattr(transformers, preflight.architecture({"architectures": config.architectures}) or "", None)
    is_model = isinstance(named, type) and issubclass(named, transformers.PreTrainedModel)
    return named if is_model else transformers.MODEL_MAPPING[type(config)]


def _check_size(folder: Path, architecture: Any, config: Any, weights: Path) -> None:
    """Build the network without memory and compare its size with the weights, so that nothing larger is allocated."""
    try:
        with torch.device("meta"):
            model = architecture(config)
    except Exception as error:
        raise _unloadable(folder, architecture, error) from error
    wanted = sum(parameter.numel() for parameter in model.parameters())
    around = sum(buffer.numel() * buffer.element_size() for buffer in model.buffers())
    found = sum(tensor.count for tensor in preflight.headers(weights))
    if wanted > 1.5 * found + 1_000_000 or around > 4 * found + MOST_BUFFERS:
        raise ExplorerError(f"{folder}: config.json describes {wanted:,} parameters and {around:,} bytes of tables, "
                            f"and the weights hold {found:,} parameters. Use the config.json saved with them.")


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


def _check_every_tensor(folder: Path, weights: Path, model: torch.nn.Module) -> None:
    """A file may name one parameter twice, in an old and a new spelling, and only one of the two is loaded; so each
    tensor of the file is looked for in the model, by its shape and three stretches of its values."""
    if any(kind in str(getattr(model.config, "model_type", "")) for kind in FUSED):
        return
    loaded: dict[tuple, list[torch.Tensor]] = {}
    for tensor in model.state_dict().values():
        loaded.setdefault(tuple(tensor.shape), []).append(tensor.flatten())
    for path in preflight.weight_files(weights):
        with safe_open(path, framework="pt") as handle:
            for tensor in preflight.read_header(path):
                there = loaded.get(tensor.shape)
                if there and tensor.dtype in preflight.FLOATS:
                    values = handle.get_tensor(tensor.name).flatten()
                    if not any(_alike(values, other) for other in there):
                        raise ExplorerError(f"{folder}: the model did not take in tensor {tensor.name!r}; the file has "
                                            "another for its place, under another spelling. Keep one of them.")


def _alike(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Equal at their first, middle and last values, where NaN equals NaN."""
    places = torch.cat([torch.arange(at, min(at + 64, len(a))) for at in (0, len(a) // 2, max(0, len(a) - 64))])
    return torch.equal(a[places].to(b.dtype).nan_to_num(0), b[places].cpu().nan_to_num(0))


def check_finite(folder: Path, model: torch.nn.Module) -> None:
    bad = [name for name, tensor in model.state_dict().items() if not _is_finite(tensor)]
    if bad:
        raise ExplorerError(f"{folder}: NaN or infinite values in {len(bad)} tensor(s): {_some(bad)}. Training "
                            "diverged or the file is damaged; leave this checkpoint out.")


def _is_finite(tensor: torch.Tensor) -> bool:
    """One NaN or infinity makes a sum that is no number either; only where a sum overflows is every value looked at."""
    return not tensor.is_floating_point() or bool(tensor.sum().isfinite() or torch.isfinite(tensor).all())


def load_tokenizer(folder: Path, settings: dict[str, Any]) -> Any:
    """The tokenizer of a checkpoint alone, looked over and staged as for a load; `settings` are those of its config."""
    preflight.tokenizer(folder)
    with _staged(folder, settings) as staged:
        return _tokenizer(folder, staged)


def _tokenizer(folder: Path, staged: Path) -> Any:
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(staged, **SAFE)
        tokenizer.padding_side = tokenizer.truncation_side = "right"
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
        return tokenizer
    except Exception as error:
        raise ExplorerError(f"{folder} has no tokenizer that transformers can load: {_first_line(error)} Save it "
                            "beside the weights with tokenizer.save_pretrained(folder).") from error


def _processor(folder: Path, staged: Path, reads: str) -> Any:
    """What turns images into pixels, or sounds into samples, as it was when the network was trained."""
    try:
        if reads == "image":
            return transformers.AutoImageProcessor.from_pretrained(staged, **SAFE)
        return transformers.AutoFeatureExtractor.from_pretrained(staged, **SAFE)
    except Exception as error:
        raise ExplorerError(f"{folder} has no preprocessor_config.json that transformers can load: "
                            f"{_first_line(error)} Save it beside the weights, with "
                            "processor.save_pretrained(folder).") from error


def _context(folder: Path, config: Any, network: torch.nn.Module) -> int:
    """Longest input in tokens: the model's own limit, at most 512. RoBERTa and its kin number positions from behind the
    padding, and take that many fewer."""
    limit = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None) or LONGEST_CONTEXT
    if type(limit) is not int or limit < 1:
        raise ExplorerError(f"{folder}/config.json gives {str(limit)[:40]!r} as the longest input; a whole number of "
                            "tokens is needed.")
    behind = [table.padding_idx + 1 for name, table in network.named_modules()
              if name.endswith("position_embeddings") and getattr(table, "padding_idx", None) is not None]
    return max(1, min(limit - max(behind, default=0), LONGEST_CONTEXT))


def _unloadable(folder: Path, architecture: Any, error: Exception) -> ExplorerError:
    return ExplorerError(f"{folder} cannot be loaded as {architecture.__name__}: {_first_line(error)} Check that "
                         "config.json was saved with these weights.")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].split(". ")[0].rstrip(".") + "."
