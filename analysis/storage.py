"""How much room the cache takes, and how to get some of it back without losing a number."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from analysis.store import ROWS, Store

KINDS = {"representations": "rows, which a forward pass can make again", "results": "measured values",
         "matrices": "pair comparisons", "stitches": "what stitched models predict",
         "topology": "persistence diagrams", "topology-changes": "distances of diagrams", "maps": "maps of points",
         "uploads": "files that came through the browser", "downloads": "weights from the Hub, while they are needed",
         "views": "views that were saved", "reports": "reports of views, which can be made again",
         "exports": "figures for print, which can be made again",
         "jobs": "logs of jobs", "tasks": "logs of tasks", "damaged": "files that failed their checksum"}
IN_USE_S = 600.0


def usage(store: Store) -> dict[str, int]:
    """Bytes of each kind of file."""
    return {kind: sum(_size(path) for path in _files(store.root / kind)) for kind in KINDS}


def reclaim(store: Store, budget: float) -> int:
    """Remove damaged files, figures that were laid out for print, and the rows that were read longest ago until those
    left fit the budget (in bytes); returns the bytes that came free. Measured values, and what was used in the last ten
    minutes, stay."""
    before = sum(usage(store).values())
    shutil.rmtree(store.root / "damaged", ignore_errors=True)
    for path in (store.root / "representations").glob(".*"):
        if _used(path) < time.time() - IN_USE_S:
            shutil.rmtree(path, ignore_errors=True)  # left by a process that was killed
    for path in _files(store.exports):
        if _used(path) < time.time() - IN_USE_S:
            path.unlink(missing_ok=True)
    rows = sorted((_used(path), _size(path), path) for path in (store.root / "representations").glob(f"*/{ROWS}"))
    total = sum(size for _, size, _ in rows)
    for used, size, path in rows:
        if total <= budget or used > time.time() - IN_USE_S:
            break
        path.unlink(missing_ok=True)
        total -= size
    return before - sum(usage(store).values())


def _files(folder: Path) -> Iterator[Path]:
    """Every file below a folder; what goes while it is looked at is passed over."""
    for parent, _, names in os.walk(folder):
        yield from (Path(parent) / name for name in names)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:
        return 0


def _used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
