"""The probes there are: those that come with the project, and those a person has added to the cache."""

import re
import shutil
import tempfile
from pathlib import Path

from analysis.checkpoints.archive import Limits, is_archive, unpack
from analysis.errors import ExplorerError
from analysis.extraction.probes import IMAGES, SOUNDS, Probe, load_probe
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
        raise ExplorerError(f"{file_name[:80]} cannot be a probe; give {', '.join(SUFFIXES)} (images or sounds) of at "
                            f"most {LARGEST // 10**9} GB.")
    root = cache_root() / "probes"
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=root) as name:
        fresh = Path(name) / f"{stem}{path.suffix.lower()}"
        fresh.write_bytes(content)
        if is_archive(fresh.name):
            (Path(name) / stem).mkdir()
            unpack(fresh, Path(name) / stem, Limits(LARGEST, (*IMAGES, *SOUNDS)))
            fresh = Path(name) / stem
        probe = load_probe(fresh)
        for number in range(1, 1000):
            final = root / f"{stem}{'' if number == 1 else f'-{number}'}{fresh.suffix}"
            known = added_probes().get(final.name.split(".")[0])
            if known is not None and load_probe(known).digest == probe.digest:
                return load_probe(known)
            if known is None:
                shutil.move(fresh, final)
                return load_probe(final)
    raise ExplorerError(f"There are a thousand probes named {stem} already; rename the file.")


def find_probe(name: str) -> Probe:
    """A probe by its name, built in or added, or by the path of its file or folder."""
    return load_probe(added_probes().get(name, name))
