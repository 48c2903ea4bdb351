"""The rows of one checkpoint on one probe, as they come of a forward pass or lie in the store."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open


@dataclass(frozen=True, kw_only=True, eq=False)
class Representation:
    """All sites of one checkpoint on one probe: rows (float32), ids, and the model's loss there."""

    rows: Mapping[str, np.ndarray]
    row_ids: tuple[str, ...]
    document_ids: tuple[str, ...]
    facts: dict[str, Any]


class StoredRows(Mapping[str, np.ndarray]):
    """The sites of a stored representation; each is read when it is asked for and not kept."""

    def __init__(self, path: Path, sites: list[str]):
        self.path, self.sites = path, sites

    def __getitem__(self, site: str) -> np.ndarray:
        if site not in self.sites:
            raise KeyError(site)
        with suppress(OSError):
            os.utime(self.path)  # again: a measure may come back to it an hour later
        with safe_open(self.path, framework="numpy") as handle:
            return handle.get_tensor(site)

    def __iter__(self) -> Iterator[str]:
        return iter(self.sites)

    def __len__(self) -> int:
        return len(self.sites)
