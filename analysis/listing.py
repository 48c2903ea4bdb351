"""What lies in a folder, read again when the folder has changed: pages ask for the same thousands at every click."""

import time
from pathlib import Path

SETTLED_NS = 2_000_000_000  # a change within this of another may leave the folder's time as it was


class Listing:
    """The paths in folders, in order, each list kept for as long as its folder stays as it is."""

    def __init__(self) -> None:
        self._kept: dict[Path, tuple[tuple[int, int], list[Path]]] = {}

    def __call__(self, folder: Path, ending: str = "") -> list[Path]:
        """The paths whose names end so; none where there is no such folder. A folder is always asked for with the same
        ending."""
        try:
            found = folder.stat()
            now, kept = (found.st_mtime_ns, found.st_ino), self._kept.get(folder)
            if kept and kept[0] == now:
                return kept[1]
            paths = sorted(path for path in folder.iterdir() if path.name.endswith(ending))
        except (FileNotFoundError, NotADirectoryError):
            return []
        if time.time_ns() - found.st_mtime_ns > SETTLED_NS:
            self._kept[folder] = now, paths
        return paths
