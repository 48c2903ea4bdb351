"""Pages drawn by the app's own scripts, in a process of their own: `python -m ui.headless`."""

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

from analysis.errors import ExplorerError
from analysis.files import PROJECT
from analysis.publishing.bundle import Piece
from analysis.publishing.view import WAIT_S, View

COMMAND = (sys.executable, "-W", "ignore", "-m", "ui.headless")


@dataclass(frozen=True)
class Page:
    """A page as it was drawn: see ui/headless.py. `failed` says why there is none."""

    title: str = ""
    subtitle: str = ""
    said: Sequence[tuple[str, str]] = ()  # kind and text of each message
    commands: Sequence[str] = ()  # that would compute what is missing
    pieces: Sequence[dict[str, Any]] = field(default=())  # key, title, caption, records and figure as JSON
    failed: str = ""


def drawn(views: Sequence[View], timeout_s: float = WAIT_S) -> Iterator[Page]:
    """Each view in its turn. One that takes longer than the limit is given up, and the others go on."""
    left = list(views)
    while left:
        with _drawing() as (process, answers, log):
            goes_on = True
            while left and goes_on:
                try:
                    page = Page(**_ask(process, answers, left.pop(0), timeout_s))
                except (queue.Empty, EOFError) as why:
                    goes_on = False
                    page = Page(failed=f"The page was not drawn after {timeout_s:g} s and was given up; give it more "
                                       "time with --seconds." if isinstance(why, queue.Empty) else
                                       f"The page could not be drawn, because its process ended: {_last(log)}")
                yield page


def draw(link: str, timeout_s: float = WAIT_S) -> list[Piece]:
    """The figures of a page of the app, each with the records it was made from, its title and its caption.

    Parameters
    ----------
    link : of the page, as the browser or “Save or share this view” gives it, such as 'trajectories?runs=NAME'

    Raises ExplorerError where the page cannot be drawn or has no figure, with what it says instead.
    """
    (page,) = drawn([View.of_link(link)], timeout_s)
    if page.failed or not page.pieces:
        raise ExplorerError(page.failed or " ".join(["The page has no figure.", *(text for _, text in page.said)]))
    return [Piece.of_fields(piece) for piece in page.pieces]


@contextmanager
def _drawing() -> Iterator[tuple[subprocess.Popen, queue.Queue[str], IO[str]]]:
    """The process that draws, its lines as they come, and what it says besides."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(COMMAND, cwd=PROJECT, env={**os.environ, "STREAMLIT_LOGGER_LEVEL": "error"},
                                   text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        answers: queue.Queue[str] = queue.Queue()
        reader = threading.Thread(target=_read, args=(process.stdout, answers), daemon=True)
        reader.start()
        try:
            yield process, answers, log
        finally:
            process.kill()
            process.wait()
            reader.join()
            for pipe in (process.stdin, process.stdout):
                _close(pipe)


def _ask(process: subprocess.Popen, answers: queue.Queue[str], view: View, timeout_s: float) -> dict[str, Any]:
    """What the process says to one link; raises Empty where it says nothing in time, EOFError where it has ended."""
    try:
        process.stdin.write(f"{view.link}\n")  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
    except BrokenPipeError:
        raise EOFError from None
    if line := answers.get(timeout=timeout_s):
        return json.loads(line)
    raise EOFError


def _read(lines: IO[str] | None, answers: queue.Queue[str]) -> None:
    for line in lines or ():
        answers.put(line)
    answers.put("")


def _close(pipe: IO[str] | None) -> None:
    try:
        if pipe:
            pipe.close()
    except BrokenPipeError:  # a link that it never read
        pass


def _last(log: IO[str]) -> str:
    log.seek(0)
    return ([line.strip() for line in log if line.strip()] or ["it said nothing"])[-1][:300]
