"""The probes there are: those that come with the project, and those a person has added to the cache."""

import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from analysis.checkpoints.archive import Limits, is_archive, unpack
from analysis.errors import ExplorerError
from analysis.extraction.probes import AS_GIVEN, IMAGES, SHUFFLED, SOUNDS, Probe, built_in_probes, load_probe
from analysis.files import cache_root

SUFFIXES = (".txt", ".csv", ".jsonl", ".parquet", ".zip")
LARGEST = 2_000_000_000


def added_probes() -> dict[str, Path]:
    """File or folder of each probe that a person added, by name."""
    return {path.name.split(".")[0]: path for path in sorted((cache_root() / "probes").glob("*"))
            if not path.name.startswith(".")}


def add_probe(file_name: str, content: bytes) -> Probe:
    """Keep a probe under its file's name, once it reads; the same content twice is one probe.

    A .zip holds images or .wav sounds. Raises ExplorerError when it cannot be read; nothing is kept then.
    """
    path = Path(file_name)
    stem = re.sub(r"[^\w-]+", "-", path.stem, flags=re.ASCII).strip("-")[:60] or "probe"
    if path.suffix.lower() not in SUFFIXES or len(content) > LARGEST:
        raise ExplorerError(f"{file_name[:80]!r} cannot be a probe; give {', '.join(SUFFIXES)} (images or sounds) of "
                            f"at most {LARGEST // 10**9} GB.")
    root = cache_root() / "probes"
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=root) as name:
        try:
            return _kept(root, Path(name), f"{stem}{path.suffix.lower()}", content)
        except ExplorerError as error:  # the person knows their file, and not where we looked at it
            raise ExplorerError(str(error).replace(f"{name}/", "")) from error


def _kept(root: Path, aside: Path, file_name: str, content: bytes) -> Probe:
    fresh = aside / file_name
    fresh.write_bytes(content)
    if is_archive(file_name):
        folder = aside / fresh.stem
        folder.mkdir()
        unpack(fresh, folder, Limits(LARGEST, (*IMAGES, *SOUNDS)))
        fresh = _without_wrapper(folder)
    stem = fresh.stem
    for number in range(1, 1000):
        named = f"{stem}{'' if number == 1 else f'-{number}'}"
        if named in (*built_in_probes(), AS_GIVEN):
            continue
        fresh = fresh.rename(fresh.with_name(f"{named}{fresh.suffix}"))  # texts without ids are named by their file
        probe, known = load_probe(fresh), added_probes().get(named)
        if known is not None and load_probe(known).digest == probe.digest:
            return load_probe(known)
        if known is None:
            return load_probe(shutil.move(fresh, root / fresh.name))
    raise ExplorerError(f"There are a thousand probes named {stem} already; rename the file.")


def _without_wrapper(folder: Path) -> Path:
    """The folder itself, or the one folder in it that zip tools put around what was packed."""
    inside = list(folder.iterdir())
    is_wrapped = len(inside) == 1 and inside[0].is_dir() and any(path.is_dir() for path in inside[0].iterdir())
    return _without_wrapper(inside[0]) if is_wrapped else folder


def find_probe(name: str) -> Probe:
    """A probe by its name, built in or added, or by the path of its file or folder; `+shuffled` may stand behind it."""
    plain = name.removesuffix(SHUFFLED)
    return load_probe(f"{added_probes().get(plain, plain)}{name[len(plain):]}")


def shuffled_names(names: Iterable[str]) -> list[str]:
    """Of each of these probes that holds texts, the name of the same texts with their tokens shuffled."""
    return [f"{name}{SHUFFLED}" for name in names if _holds_texts(name)]


def _holds_texts(name: str) -> bool:
    try:
        return find_probe(name).kind == "text" and name != AS_GIVEN
    except ExplorerError:
        return False
