"""Local folders for checkpoints wherever they are: one is fetched ahead while another is computed, none is kept."""

import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from analysis.checkpoints import hub
from analysis.checkpoints.preflight import gigabytes
from analysis.errors import ExplorerError
from analysis.keys import Checkpoint

BUDGET_VARIABLE = "EXPLORER_DISK_GB"
DEFAULT_BUDGET = 50e9
KEEP_FREE = 2e9

Report = Callable[[float, float, str], None]


class Fetching:
    """Use as a context; `at(checkpoint)` yields a local folder, valid within its block.

    Checkpoints of local folders are where they are. One on the Hub is downloaded below `downloads` and removed after
    its block; the next of `order` is downloaded meanwhile if both fit the disk budget.
    """

    def __init__(self, downloads: Path, order: Sequence[Checkpoint]):
        self.downloads = downloads
        self.order = [checkpoint for checkpoint in order if checkpoint.path.startswith(hub.PREFIX)]
        self.under_way: dict[str, _Download] = {}

    def __enter__(self) -> "Fetching":
        return self

    def __exit__(self, *reason: object) -> None:
        for download in self.under_way.values():
            download.stop()

    @contextmanager
    def at(self, checkpoint: Checkpoint, report: Report = lambda done, total, message: None) -> Iterator[Path]:
        if not checkpoint.path.startswith(hub.PREFIX):
            yield Path(checkpoint.path)
            return
        download = self._start(checkpoint)
        try:
            folder = download.wait(report)
            self._start_next(checkpoint, download.size)
            yield folder
        finally:
            self.under_way.pop(checkpoint.path, None)
            download.stop()

    def _start(self, checkpoint: Checkpoint) -> "_Download":
        if checkpoint.path not in self.under_way:
            self.under_way[checkpoint.path] = _Download(checkpoint, self.downloads, held=0)
        return self.under_way[checkpoint.path]

    def _start_next(self, checkpoint: Checkpoint, held: int) -> None:
        """Fetch the one after this; a budget that has no room for both leaves it for later."""
        place = self.order.index(checkpoint) + 1 if checkpoint in self.order else len(self.order)
        if place < len(self.order) and self.order[place].path not in self.under_way:
            following = self.order[place]
            self.under_way[following.path] = _Download(following, self.downloads, held=held)


class _Download:
    """One commit on its way to a folder of this process."""

    def __init__(self, checkpoint: Checkpoint, downloads: Path, held: int):
        self.checkpoint, self.held, self.size = checkpoint, held, 0
        self.repo, self.commit = hub.split_path(checkpoint.path)
        self.folder = _own_folder(downloads, self.commit)
        self.said: tuple[float, float, str] = (0, 1, "asking the Hub")
        self.error: Exception | None = None
        self.postponed = self.stopped = False
        self.thread = threading.Thread(target=self._run, name=f"fetch {self.commit}", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            wanted = hub.remote(self.repo, self.commit)
            if wanted.fingerprint != self.checkpoint.fingerprint:
                raise ExplorerError(f"{self.repo}@{self.commit[:8]} holds other files than when it was opened; open it "
                                    "again.")
            self.size = wanted.size
            if not self._has_room(wanted.size):
                return
            self.folder.mkdir(parents=True, exist_ok=True)
            hub.fetch(wanted, self.folder, self._progress)
        except Exception as error:  # raised again by whoever waits for it
            self.error = error
        finally:
            if self.stopped:
                shutil.rmtree(self.folder, ignore_errors=True)

    def _has_room(self, size: int) -> bool:
        budget, free = disk_budget(), _free(self.folder.parent)
        if self.held + size > budget or size > free - KEEP_FREE:
            if self.held:
                self.postponed = True
                return False
            raise ExplorerError(f"{self.checkpoint.run} {self.checkpoint.revision} takes {size / 1e9:.1f} GB; the "
                                f"budget for downloads is {budget / 1e9:.1f} GB ({BUDGET_VARIABLE}) and "
                                f"{free / 1e9:.1f} GB of the disk is free, of which {KEEP_FREE / 1e9:.0f} GB stay so.")
        return True

    def _progress(self, done: int, total: int, name: str) -> None:
        if self.stopped:
            raise InterruptedError(f"{self.repo}@{self.commit} is not wanted any more")
        self.said = (done, max(total, 1), f"downloading {name} ({done / 1e6:.0f} of {total / 1e6:.0f} MB)")

    def wait(self, report: Report) -> Path:
        while self.thread.is_alive():
            report(*self.said)
            self.thread.join(timeout=0.2)
        if self.postponed:
            self.held, self.postponed = 0, False
            self._run()
        if self.error is not None:
            raise self.error
        return self.folder

    def stop(self) -> None:
        """Remove what was fetched; a download that is still going on ends at its next file and removes it itself."""
        self.stopped = True
        shutil.rmtree(self.folder, ignore_errors=True)


def disk_budget() -> float:
    """Bytes that downloads may take at once."""
    return gigabytes(BUDGET_VARIABLE, DEFAULT_BUDGET)


def _own_folder(downloads: Path, commit: str) -> Path:
    """This process's folder for a commit; what a process of this machine that is gone had fetched of it is taken over.

    Other machines may share the folder, and whether their processes live cannot be seen from here.
    """
    here = socket.gethostname().replace(".", "-")
    own = downloads / f"{commit}.{here}.{os.getpid()}"
    for path in downloads.glob(f"*.{here}.*") if downloads.exists() else []:
        if not _lives(path.suffix[1:]):
            if path.name.startswith(commit) and not own.exists():
                path.rename(own)
            else:
                shutil.rmtree(path, ignore_errors=True)
    return own


def _lives(pid: str) -> bool:
    return pid.isdigit() and Path(f"/proc/{pid}").exists()


def _free(folder: Path) -> int:
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
