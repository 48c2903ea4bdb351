"""What a sweep will ask of the machine, before it starts: bytes, and seconds by the machine's own speed."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from analysis.checkpoints.hub import Remote
from analysis.extraction.probes import Probe

LINE_BYTES_PER_S = 20e6  # an assumption, and said as one
CHARACTERS_PER_TOKEN = 4.0
BYTES_PER_PARAMETER = 3.0  # between half and single precision
SHARE_OF_PEAK = 0.5  # what a forward pass reaches of a bare matrix product


@dataclass(frozen=True)
class Estimate:
    """Of fetching and computing some revisions: bytes in all and at once, seconds of each part."""

    total_bytes: int
    largest_bytes: int
    download_s: float
    compute_s: float

    @property
    def sentence(self) -> str:
        return (f"{volume(self.total_bytes)} to download, {volume(self.largest_bytes)} at a time, about "
                f"{duration(self.download_s)} at {LINE_BYTES_PER_S / 1e6:.0f} MB/s; about {duration(self.compute_s)} "
                "of forward passes on this machine. The two overlap.")


def estimate(remotes: Sequence[Remote], probe: Probe) -> Estimate:
    """For a text probe on the CPU of this machine; identical revisions are fetched and computed once."""
    distinct = {remote.fingerprint: remote.size for remote in remotes}
    compute_s = sum(forward_s(size / BYTES_PER_PARAMETER, probe) for size in distinct.values())
    return Estimate(sum(distinct.values()), max(distinct.values(), default=0),
                    sum(distinct.values()) / LINE_BYTES_PER_S, compute_s)


def forward_s(parameters: float, probe: Probe) -> float:
    """Seconds of one forward pass over a probe of texts by a dense network on the CPU of this machine."""
    tokens = sum(len(text.text) for text in probe.texts) / CHARACTERS_PER_TOKEN
    return 2 * parameters * tokens / (SHARE_OF_PEAK * operations_per_s())


@cache
def operations_per_s() -> float:
    """Single-precision operations a second of a matrix product here, the best of three."""
    a = np.ones((768, 768), dtype=np.float32)
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - start)
    return 2 * 768**3 / best * max(1, (os.cpu_count() or 2) - 1) / (os.cpu_count() or 2)


def volume(size: float) -> str:
    """Bytes in the unit a person would use."""
    return f"{size / 1e6:.1f} MB" if size < 999.95e6 else f"{size / 1e9:.1f} GB"


def duration(seconds: float) -> str:
    """Seconds in the unit a person would use."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
