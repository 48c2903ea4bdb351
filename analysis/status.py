"""How a command tells what it is doing: a bar on the terminal, and a status file for whoever started it as a worker."""

import os
import sys
import time
from pathlib import Path
from typing import Any

from analysis.jobs.job import write_json


class Status:
    """Progress for two readers: a bar on the terminal, and a status file for whoever started this worker."""

    def __init__(self, path: str | None):
        self.path = Path(path) if path else None
        self.bar: Any = None
        self.began: float | None = None
        self.pace: tuple[float, float] | None = None
        self.last: dict[str, Any] = {"done": 0.0, "total": 0.0}

    def wait(self, message: str) -> None:
        """What a worker says until its turn comes."""
        if self.path:
            write_json(self.path, {"state": "queued", "message": message})

    def report(self, done: float, total: float, message: str) -> None:
        if self.pace is None or total != self.last["total"] or done < self.last["done"]:
            self.pace = time.time(), done  # what was done before, or another part of the work, says nothing of the pace
        self.began = self.began or self.pace[0]
        self.last = {"done": done, "total": total, "message": message, "began": self.began, "pace": self.pace}
        if self.path:
            write_json(self.path, {"state": "running", "pid": os.getpid(), **self.last})
        elif _wants_progress():
            self._draw(done, total, message)

    def _draw(self, done: float, total: float, message: str) -> None:
        from tqdm import tqdm
        if self.bar is None or self.bar.total != total:
            self.close()
            self.bar = tqdm(total=total, bar_format="{percentage:3.0f}% |{bar:24}| {elapsed}<{remaining}  {desc}")
        self.bar.n = done
        self.bar.set_description_str(message)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()

    def log(self, sentence: str) -> None:
        """A line that stays: above the bar on a terminal, and in the log of a worker."""
        if self.bar is not None:
            self.bar.write(sentence, file=sys.stderr)
        elif self.path or _wants_progress():
            print(sentence, file=sys.stderr, flush=True)

    def say(self, sentence: str) -> None:
        self.close()
        print(sentence, file=sys.stderr)

    def end(self, state: str, message: str) -> None:
        self.close()
        if state != "done":
            print(f"error: {message}" if state == "failed" else message, file=sys.stderr)
        if self.path:
            write_json(self.path, self.last | {"state": state, "message": message or "done"})


def _wants_progress() -> bool:
    return sys.stderr.isatty() or bool(os.environ.get("EXPLORER_PROGRESS"))
