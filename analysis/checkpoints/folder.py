"""Runs from local folders: one model, or a folder of step folders. Nothing here reads a weight."""

import csv
import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from analysis.checkpoints import activations
from analysis.checkpoints.config import read_json
from analysis.checkpoints.grammar import parse_revision
from analysis.checkpoints.preflight import pickled_weights, weight_files
from analysis.errors import ExplorerError
from analysis.extraction.probes import AS_GIVEN
from analysis.files import PROJECT, cache_root
from analysis.keys import Checkpoint, Run, digest

ROOTS_VARIABLE, PUBLIC_VARIABLE = "EXPLORER_ROOTS", "EXPLORER_PUBLIC"
DEMO = (PROJECT / "demo").resolve()
FACTS = {"tokens_per_step": int, "probe": str, "watch": str}
IDENTITY = ("config.json", "*.safetensors", "tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "spiece.model",
            "tokenizer.model", "sentencepiece.bpe.model", "tokenizer_config.json", "added_tokens.json",
            "special_tokens_map.json", "preprocessor_config.json", "model.safetensors.index.json")
LARGEST_NOTES = 50_000_000


def open_run(source: str | Path, name: str | None = None) -> Run:
    """The run in a local folder: a model folder, or a folder whose sub-folders are checkpoints.

    Raises ExplorerError with what is missing when the folder holds neither.
    """
    try:
        folder = Path(source).expanduser().resolve()
        folder.exists()
    except (OSError, ValueError, RuntimeError) as error:  # too long, a null byte, the home of nobody
        raise ExplorerError(f"{str(source)[:200]!a} cannot be a folder ({type(error).__name__}); give the path of a "
                            "model folder or of a folder of step folders.") from error
    _check_allowed(folder)
    if folder.is_file() and folder.suffix in activations.SUFFIXES:
        return _rows_run(name or folder.stem, folder, [folder])
    if not folder.is_dir():
        raise ExplorerError(f"There is no folder {source}. Give the path of a model folder (config.json, "
                            "*.safetensors, tokenizer), of a folder of step folders, or of a .npy or .npz file.")
    facts = _facts(folder)
    _check_probe(facts.get("probe"), folder)
    name = name or folder.name
    if (folder / "config.json").exists():
        members = [folder]
    else:
        members = [child for child in sorted(folder.iterdir()) if (child / "config.json").exists()]
    rows = sorted(path for path in folder.iterdir() if path.suffix in activations.SUFFIXES and path.is_file())
    if not members and rows:
        return _rows_run(name, folder, rows)
    if not members:
        seen = ", ".join(sorted(child.name for child in folder.iterdir())[:6]) or "nothing"
        raise ExplorerError(f"{folder} holds no checkpoint: found {seen}; wanted config.json and *.safetensors there, "
                            "or in sub-folders such as step0, step1000. Save one with model.save_pretrained(folder).")
    checkpoints = [_checkpoint(name, member, name if member == folder else member.name, facts.get("tokens_per_step"))
                   for member in members]
    checkpoints.sort(key=_place)
    return Run(name, str(folder), tuple(checkpoints), facts.get("probe"), facts.get("watch"), _log(folder))


def _checkpoint(run: str, folder: Path, label: str, tokens_per_step: int | None) -> Checkpoint:
    revision = parse_revision(label)
    tokens = revision.step * tokens_per_step if tokens_per_step and revision.step is not None else revision.tokens
    return Checkpoint(run, label, revision.step, tokens, str(folder), fingerprint(folder))


def _rows_run(name: str, source: Path, files: list[Path]) -> Run:
    """Rows that somebody brought: one file is one checkpoint, and its name may say the step."""
    checkpoints = []
    for path in files:
        _check_allowed(path)
        revision = parse_revision(path.stem)
        content = digest([("rows", _file_sum(str(path), path.stat().st_size, path.stat().st_mtime_ns))])
        checkpoints.append(Checkpoint(name, path.stem, revision.step, revision.tokens, f"{activations.PREFIX}{path}",
                                      content))
    checkpoints.sort(key=_place)
    facts, log = (_facts(source), _log(source)) if source.is_dir() else ({}, ())
    return Run(name, str(source), tuple(checkpoints), AS_GIVEN, facts.get("watch"), log)


def _place(checkpoint: Checkpoint) -> tuple[bool, int, str]:
    return checkpoint.step is None, checkpoint.step or 0, checkpoint.revision


def fingerprint(folder: Path) -> str:
    """sha256 over the names and contents of everything that decides a forward pass: weights, config, tokenizer."""
    files = sorted({path for pattern in IDENTITY for path in folder.glob(pattern)})
    if not any(path.suffix == ".safetensors" for path in files):
        files = sorted([*files, pickled_weights(folder) or weight_files(folder)[0]])
    for path in files:
        _check_allowed(path)
        if not path.is_file():
            raise ExplorerError(f"{path} is not a file (a broken link?). Copy or download it again.")
    # Step 0 and step 1 of one run differ in their weights alone, so names relative to the folder are enough.
    return digest([(path.name, _file_sum(str(path), path.stat().st_size, path.stat().st_mtime_ns)) for path in files])


@lru_cache(maxsize=100_000)
def _file_sum(path: str, size: int, modified: int) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _facts(folder: Path) -> dict:
    """run.json beside the checkpoints, written by whoever trained them: tokens_per_step, probe, watch."""
    path = folder / "run.json"
    if not path.exists():
        return {}
    facts: Any = read_json(path, "Mend it or remove it.")
    if any(name in facts and not isinstance(facts[name], kind) for name, kind in FACTS.items()):
        raise ExplorerError(f"{path} must be a JSON object whose tokens_per_step is a whole number and whose probe and "
                            "watch are texts; mend or remove it.")
    return facts


def _check_probe(probe: str | None, folder: Path) -> None:
    """A probe that run.json gives as a file must be one that this run may name: a stranger's upload only its own."""
    path = Path(probe or "")
    if path.name in ("", probe) and not path.suffix:
        return  # a name of a built-in or added probe, or none
    uploads = (cache_root() / "uploads").resolve()
    own = uploads / folder.relative_to(uploads).parts[0] if folder.is_relative_to(uploads) else None
    if own is not None and not path.resolve().is_relative_to(own):
        raise ExplorerError(f"run.json of {folder.name} names the probe {str(probe)[:80]!a}, which is not part of the "
                            "upload. Add the probe on its own, and name it without a path.")
    _check_allowed(path)


def _log(folder: Path) -> tuple[dict[str, float], ...]:
    """log.csv beside the checkpoints, if it is there: one record per logged step, numbers only."""
    path = folder / "log.csv"
    if not path.exists():
        return ()
    if not path.is_file() or path.stat().st_size > LARGEST_NOTES:
        raise ExplorerError(f"{path} is not a file of at most {LARGEST_NOTES // 10**6} MB; remove it.")
    with path.open(newline="") as handle:
        try:
            log = tuple({name: float(value) for name, value in row.items()} for row in csv.DictReader(handle))
        except (TypeError, ValueError, csv.Error) as error:
            raise ExplorerError(f"{path} has a value that is not a number ({error}); mend or remove it.") from error
    if log and "step" not in log[0]:
        raise ExplorerError(f"{path} has the columns {', '.join(log[0])} and none is named step; name it or remove it.")
    return log


def _check_allowed(path: Path) -> None:
    """Where the operator names roots or lets others in, only files below a root are read, symlinks resolved first."""
    roots = [Path(root).expanduser().resolve() for root in os.environ.get(ROOTS_VARIABLE, "").split(os.pathsep) if root]
    allowed = [*roots, (cache_root() / "uploads").resolve(), DEMO]
    closed = roots or os.environ.get(PUBLIC_VARIABLE) == "1"
    if closed and not any(path.resolve().is_relative_to(root) for root in allowed):
        named = ", ".join(map(str, roots)) or "none"
        raise ExplorerError(f"{path} is outside the folders the operator opened ({named}); set {ROOTS_VARIABLE} to add "
                            "one.")
