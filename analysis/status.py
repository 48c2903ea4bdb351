"""How a command tells what it is doing: a bar on the terminal, and a status file for whoever started it as a worker."""

import os
import sys
from pathlib import Path
from typing import Any

from analysis.jobs.job import write_json


class Status:
    """Progress for two readers: a bar on the terminal, and a status file for whoever started this worker."""

    def __init__(self, path: str | None):
        self.path = Path(path) if path else None
        self.bar: Any = None
        self.last: dict[str, Any] = {"done": 0.0, "total": 0.0}

    def report(self, done: float, total: float, message: str) -> None:
        self.last = {"done": done, "total": total, "message": message}
        if self.path:
            write_json(self.path, {"state": "running", "pid": os.getpid(), **self.last})
        elif sys.stderr.isatty() or os.environ.get("EXPLORER_PROGRESS"):
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

    def say(self, sentence: str) -> None:
        self.close()
        print(sentence, file=sys.stderr)

    def end(self, state: str, message: str) -> None:
        self.close()
        if state != "done":
            print(f"error: {message}" if state == "failed" else message, file=sys.stderr)
        if self.path:
            write_json(self.path, self.last | {"state": state, "message": message or "done"})
