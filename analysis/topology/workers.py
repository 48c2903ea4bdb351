"""Persistent homology in processes of its own, each within limits of time and memory that hold for one cloud.

What a cloud costs cannot be told from its number of points: one near a low-dimensional manifold takes ten times the
time and five times the memory of noise. A worker that takes too long or too much is ended and the next one goes on.

Parent and worker exchange messages of raw numbers: the length of a JSON header, the header, and the float64 arrays
whose sizes it names.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from jaxtyping import Float

from analysis.errors import ExplorerError, Undefined
from analysis.topology.diagrams import Bars
from analysis.topology.engine import persistence

Task = tuple[Float[np.ndarray, " pairs"], int]  # distances of all pairs, condensed, and the highest dimension
COMMAND = (sys.executable, "-m", "analysis.topology.workers")
HOME = Path(__file__).parents[2]
START_SECONDS = 120.0
LONGEST_HEADER, MOST_NUMBERS = 500, 2**27
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
PR_SET_PDEATHSIG = 1  # of Linux's prctl


@dataclass(frozen=True)
class Refused:
    """A cloud that was given up, and a sentence that says why."""

    reason: str


class Workers:
    """Processes that work out persistent homology. On leaving the `with` block they are killed.

    Parameters
    ----------
    count : how many processes, one for each core by default
    seconds : that one cloud may take
    megabytes : that one cloud may take, beyond what a worker has before it
    """

    def __init__(self, count: int | None = None, seconds: float = 60.0, megabytes: int = 2000):
        self.count, self.seconds, self.megabytes = count or os.cpu_count() or 1, seconds, megabytes
        # Threads, for the kernel ends a worker with the thread that started it: these live as long as the pool.
        self._threads = ThreadPoolExecutor(self.count, thread_name_prefix="homology")
        self._mine, self._lock, self._closed = threading.local(), threading.Lock(), False
        self._started: list[_Worker] = []

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        with self._lock:
            self._closed = True
        for worker in self._started:
            worker.kill()
        self._threads.shutdown(cancel_futures=True)
        for worker in self._started:
            worker.close()

    def map(self, tasks: Iterable[Task],
            report: Callable[[int], object] = lambda done: None) -> Iterator[tuple[Bars, ...] | Refused]:
        """Bars of each cloud as `persistence` gives them, or Refused, in the order of the tasks.

        Tasks are taken one by one as they can be worked on: two for each worker are under way or wait.

        Parameters
        ----------
        tasks : condensed distances, divided by their scale, and the highest dimension of each cloud
        report : told after each cloud how many are done

        Raises ExplorerError when a worker cannot be started.
        """
        waiting: deque[Future[tuple[Bars, ...] | Refused]] = deque()
        done = 0

        def answers(most: int) -> Iterator[tuple[Bars, ...] | Refused]:
            nonlocal done
            while len(waiting) > most or (waiting and waiting[0].done()):
                answer = waiting.popleft().result()
                done += 1
                report(done)
                yield answer

        try:
            for task in tasks:
                waiting.append(self._threads.submit(self._answer, *task))
                yield from answers(2 * self.count - 1)
            yield from answers(0)
        finally:
            for future in waiting:
                future.cancel()

    def _answer(self, distances: Float[np.ndarray, " pairs"], max_dim: int) -> tuple[Bars, ...] | Refused:
        """By this thread's worker, a new one where it has none."""
        worker: _Worker | None = getattr(self._mine, "worker", None)
        if worker is None or worker.dead:
            with self._lock:
                if self._closed:
                    return Refused("The workers were closed.")
                if worker:
                    worker.close()
                    self._started.remove(worker)
                worker = self._mine.worker = _Worker(self.seconds, self.megabytes)
                self._started.append(worker)
            worker.wait_until_ready()
        return worker.ask(distances, max_dim)


class _Worker:
    """One process, for one thread; only `kill` may come from others."""

    def __init__(self, seconds: float, megabytes: int):
        self.seconds, self.megabytes, self.dead = seconds, megabytes, False
        with contextlib.ExitStack() as stack:
            self.said = stack.enter_context(tempfile.TemporaryFile())
            self.process = stack.enter_context(subprocess.Popen(
                [*COMMAND, str(os.getpid()), str(megabytes)], cwd=HOME, env={**os.environ, **ONE_THREAD},
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said))
            self._open = stack.pop_all()
        assert self.process.stdin and self.process.stdout
        self.questions, self.answers = self.process.stdin, self.process.stdout

    def wait_until_ready(self) -> None:
        try:
            with self._at_most(START_SECONDS):
                _receive(self.answers)
        except (OSError, ValueError, EOFError) as error:
            self.kill()
            raise ExplorerError(f"A process for persistent homology did not start: {self._last_words() or error}. Try "
                                f"`{' '.join(COMMAND)} {os.getpid()} {self.megabytes}`.") from error

    def ask(self, distances: Float[np.ndarray, " pairs"], max_dim: int) -> tuple[Bars, ...] | Refused:
        damaged = False
        with self._at_most(self.seconds) as late:
            try:
                _send(self.questions, {"max_dim": max_dim}, [distances])
                header, arrays = _receive(self.answers)
                if "refused" in header:
                    return Refused(str(header["refused"]))
                if len(arrays) == max_dim + 1:
                    return tuple(bars.reshape(-1, 2) for bars in arrays)
                damaged = True
            except ValueError:
                damaged = True
            except (OSError, EOFError):
                pass
        why = f"took longer than {self.seconds:g} s" if late.is_set() else self._cause(damaged)
        self.kill()
        points = (1 + round((1 + 8 * len(distances))**0.5)) // 2
        return Refused(f"Persistent homology of {points} points up to H{max_dim} {why}: take fewer points or a lower "
                       "dimension.")

    @contextlib.contextmanager
    def _at_most(self, seconds: float) -> Iterator[threading.Event]:
        """Kills the process when the block takes longer, and sets the event."""
        late = threading.Event()

        def stop() -> None:
            late.set()
            self.kill()

        timer = threading.Timer(seconds, stop)
        timer.daemon = True
        timer.start()
        try:
            yield late
        finally:
            timer.cancel()
            timer.join()

    def _cause(self, damaged: bool) -> str:
        if damaged:
            return "gave no valid answer"
        code = self.process.wait()
        if any(word in self._last_words() for word in ("bad_alloc", "MemoryError")):
            return f"needs more than {self.megabytes} MB of memory"
        if code == -signal.SIGKILL:
            return "was killed by the system, as it does where memory runs out,"
        return f"ended its process ({signal.Signals(-code).name if code < 0 else f'exit status {code}'})"

    def _last_words(self) -> str:
        self.said.seek(0)
        return self.said.read().decode(errors="replace").strip().rpartition("\n")[2]

    def kill(self) -> None:
        self.dead = True
        self.process.kill()

    def close(self) -> None:
        with contextlib.suppress(OSError):  # what was not sent cannot be any more
            self._open.close()


def _send(stream: IO[bytes], header: dict[str, Any], arrays: Sequence[Float[np.ndarray, "..."]] = ()) -> None:
    raw = [np.ascontiguousarray(array, dtype=np.float64) for array in arrays]
    text = json.dumps({**header, "sizes": [array.size for array in raw]}).encode()
    stream.write(struct.pack("<I", len(text)) + text)
    for array in raw:
        stream.write(array.tobytes())
    stream.flush()


def _receive(stream: IO[bytes]) -> tuple[dict[str, Any], list[Float[np.ndarray, " size"]]]:
    """The next message. Raises EOFError where the stream ends, ValueError for what is no message."""
    (length,) = struct.unpack("<I", _exactly(stream, 4))
    if length > LONGEST_HEADER:
        raise ValueError(f"a header of {length} bytes")
    header = json.loads(_exactly(stream, length))
    sizes = header.get("sizes") if isinstance(header, dict) else None
    if not isinstance(sizes, list) or not all(type(size) is int and 0 <= size <= MOST_NUMBERS for size in sizes):
        raise ValueError(f"a header without sizes: {header!r}")
    return header, [np.frombuffer(_exactly(stream, 8 * size)).copy() for size in sizes]


def _exactly(stream: IO[bytes], count: int) -> bytes:
    found = stream.read(count)
    if len(found) < count:
        raise EOFError(f"the stream ended after {len(found)} of {count} bytes")
    return found


def main(parent: int, megabytes: int) -> None:
    """Answer clouds from standard input until it ends, or the parent does."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get between the answers
    if sys.platform == "linux":  # elsewhere a worker whose parent is killed ends after the cloud at hand
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    persistence(np.array([3.0, 4.0, 5.0]), 1)  # the engine is loaded before memory is measured
    limit_memory(megabytes)
    _send(answers, {})
    with contextlib.suppress(EOFError):
        while True:
            header, (distances,) = _receive(sys.stdin.buffer)
            try:
                _send(answers, {}, persistence(distances, header["max_dim"]))
            except (Undefined, ExplorerError) as error:
                _send(answers, {"refused": f"{str(error).rstrip('.').capitalize()}."})


def limit_memory(megabytes: int) -> None:
    """So much more than this process has; no core dump."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if sys.platform == "linux":
        has = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        known = [limit for limit in (soft, hard, has + megabytes * 1_000_000) if limit != resource.RLIM_INFINITY]
        resource.setrlimit(resource.RLIMIT_AS, (min(known), hard))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
