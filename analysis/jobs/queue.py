"""Jobs take turns: as many at a time as there are cards (or EXPLORER_WORKERS), the others wait in order of their start.

A turn is a locked file, which the system frees when its process ends, however it ends; so there is nothing to clean up
and no server that has to be there for the next job to begin.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from analysis.checkpoints.preflight import whole
from analysis.files import locked
from analysis.jobs import job
from analysis.status import Status

WORKERS_VARIABLE = "EXPLORER_WORKERS"
LOOK_S = 0.2


@contextmanager
def turn(folder: Path, status: Status) -> Iterator[int]:
    """Waits for the turn of the job in a folder; within, one card is the job's own. Yields the number of its place."""
    while (taken := _place(folder)) is None:
        status.wait("waiting for the jobs before it")
        time.sleep(LOOK_S)
    status.report(0, 1, "starting")
    number, handle = taken
    cards = _cards()
    if cards and "CUDA_VISIBLE_DEVICES" not in os.environ:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(number % cards)
    try:
        yield number
    finally:
        handle.close()


def workers() -> int:
    """How many jobs may run at a time."""
    return whole(WORKERS_VARIABLE, max(1, _cards()))


def _place(folder: Path) -> tuple[int, IO[str]] | None:
    """A free place, when no job that began earlier still waits for one."""
    mine = job.read(folder)
    if any(other.state == "queued" and other.started < mine.started for other in job.listed(folder.parent)):
        return None
    for number in range(workers()):
        handle = locked(folder.parent / f"place-{number}.lock")
        if handle is not None:
            return number, handle
    return None


def _cards() -> int:
    return len(list(Path("/dev").glob("nvidia[0-9]*")))
