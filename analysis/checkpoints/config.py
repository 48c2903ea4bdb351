"""Reads config.json as data from a stranger: size, architecture and settings are checked, nothing in it can run code.

Only model types that are known here are read. Keys that steer the loader rather than describe the network are dropped,
at every depth; a config that asks for code of its own, or describes quantised weights, is refused.
"""

import json
from pathlib import Path
from typing import Any

from analysis.errors import ExplorerError

MOST_BYTES = 5_000_000
SHARES = ("partial_rotary_factor", "rotary_pct")
MOST_BLOCKS, MOST_LABELS = 1_000, 100_000
BLOCK_KEYS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers", "encoder_layers")
WIDTH_KEYS = ("hidden_size", "n_embd", "d_model", "dim")
LOADER_KEYS = frozenset({"trust_remote_code", "attn_implementation", "experts_implementation", "torch_dtype", "dtype",
                         "adapters", "peft_config", "custom_pipelines", "device_map", "revision", "code_revision"})

TEXT = frozenset("""
    apertus bart bert big_bird bloom camembert codegen cohere cohere2 convbert deberta deberta-v2 distilbert
    electra ernie esm falcon gemma gemma2 gemma3_text glm glm4 gpt2 gpt_bigcode gpt_neo gpt_neox gptj granite helium
    layoutlm llama longt5 m2m_100 marian mbart megatron-bert mistral mixtral mobilebert modernbert mpnet
    mpt mt5 nemotron nomic_bert olmo olmo2 olmo3 olmoe opt pegasus persimmon phi phi3 plbart qwen2 qwen2_moe qwen3
    qwen3_moe rembert roberta roberta-prelayernorm roformer smollm3 squeezebert stablelm starcoder2 t5 umt5 xglm
    xlm-roberta xlm-roberta-xl xmod yoso""".split())
IMAGE = frozenset("""
    beit clip_vision_model data2vec-vision deit dinov2 dinov2_with_registers dinov3_vit ijepa siglip_vision_model vit
    vit_msn yolos""".split())
SOUND = frozenset("""
    data2vec-audio hubert sew unispeech unispeech-sat wav2vec2 wavlm whisper""".split())


def read_config(folder: Path) -> dict[str, Any]:
    """The settings in config.json that describe the network. Raises ExplorerError saying why they cannot be used."""
    path = folder / "config.json"
    raw = read_json(path, "Use the config.json that was saved with these weights.")
    if "auto_map" in raw:
        raise ExplorerError(f"{path} asks to run code of its own (auto_map). Code from a checkpoint is never run; save "
                            "the model with an architecture that transformers ships.")
    kind = raw.get("model_type")
    if not isinstance(kind, str) or kind not in TEXT | IMAGE | SOUND:
        raise ExplorerError(f"{path} names the model type {str(kind)[:60]!r}, which is not one of the "
                            f"{len(TEXT | IMAGE | SOUND)} that are read here (README, section Architectures). Convert "
                            "the model to one of them, or ask for it to be added.")
    if raw.get("quantization_config"):
        raise ExplorerError(f"{path} describes quantised weights. Rounded weights have another geometry; give the "
                            "checkpoint in float32, float16 or bfloat16.")
    settings = clean(raw)
    for key, value in settings.items():
        if largest(value) > MOST_BLOCKS and ("layer" in key or "attention_types" in key or key in BLOCK_KEYS):
            raise ExplorerError(f"{path} asks for {largest(value)} blocks ({key}) and {MOST_BLOCKS} is the most that "
                                "is read.")
    shares = settings | _tables(settings.get("rope_parameters")) | _tables(settings.get("rope_scaling"))
    for key, value in shares.items():
        if key in SHARES and not (type(value) in (int, float) and 0 < value <= 1):
            raise ExplorerError(f"{path} gives {str(value)[:40]} as {key}, which is a share between 0 and 1.")
    if largest(settings.get("num_labels")) > MOST_LABELS:
        raise ExplorerError(f"{path} asks for {settings['num_labels']} labels and {MOST_LABELS} is the most.")
    return settings


def _tables(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def largest(value: Any) -> int:
    """The largest whole number in a setting, at any depth of lists."""
    if isinstance(value, list):
        return max(map(largest, value), default=0)
    return value if type(value) is int else 0


def clean(value: Any) -> Any:
    """Settings without the keys that steer a loader, at every depth."""
    if isinstance(value, dict):
        return {key: clean(inner) for key, inner in value.items()
                if not key.startswith("_") and key not in LOADER_KEYS and key != "auto_map"}
    if isinstance(value, list):
        return [clean(inner) for inner in value]
    return value


def read_json(path: Path, advice: str, most_bytes: int = MOST_BYTES) -> dict[str, Any]:
    """A JSON object of bounded size. `advice` ends the sentence when it cannot be read."""
    try:
        if path.exists() and not path.is_file():
            raise ValueError("it is not a file")
        size = path.stat().st_size
        if size > most_bytes:
            raise ValueError(f"it is {size / 1e6:.0f} MB and {most_bytes / 1e6:.0f} MB is the most")
        value = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(value, dict):
            raise ValueError("it is not a JSON object")
        json.dumps(clean(value))  # what is too deep to be walked is found here
        return value
    except (OSError, ValueError, RecursionError) as error:
        raise ExplorerError(f"{path} cannot be used: {error}. {advice}") from error


def block_count(config: dict[str, Any]) -> int | None:
    """How many blocks a config asks for, under whichever name its family gives the setting."""
    return _first_whole(config, BLOCK_KEYS)


def width(config: dict[str, Any]) -> int | None:
    """The width of the residual stream a config asks for."""
    return _first_whole(config, WIDTH_KEYS)


def modality(config: dict[str, Any]) -> str:
    """What the network reads: text, image or sound."""
    kind = config["model_type"]
    return "image" if kind in IMAGE else "sound" if kind in SOUND else "text"


def _first_whole(config: dict[str, Any], keys: tuple[str, ...]) -> int | None:
    return next((config[key] for key in keys if type(config.get(key)) is int), None)
