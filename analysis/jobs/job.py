"""Start, follow, cancel and list jobs. Everything about a job is in its folder, so any process can find it again.

cache/jobs/<id>/  spec.json (the command), status.json (written by the worker), log (what it printed)
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.files import PROJECT

STARTING_S = 60.0
SILENT_S = 900.0  # a worker on another machine that says nothing for so long has ended

_workers: dict[int, subprocess.Popen] = {}  # children of this process, so that they can be reaped


@dataclass(frozen=True, kw_only=True)
class Job:
    id: str
    folder: Path
    title: str
    argv: tuple[str, ...]
    started: float
    state: str  # queued, running, done, failed, cancelled, interrupted
    done: float
    total: float
    message: str
    began: float | None  # when its turn came
    pace: tuple[float, float] | None  # since when it does what it does now, and how much was done then
    ended: float | None
    elsewhere: str = ""  # the machine that runs it, where that is another which shares this folder

    @property
    def active(self) -> bool:
        return self.state in ("queued", "running")

    @property
    def share(self) -> float:
        return min(1.0, self.done / self.total) if self.total else 0.0

    @property
    def remaining_s(self) -> float | None:
        """Seconds left at the pace so far, once there is a pace."""
        if self.state != "running" or self.pace is None or self.done - self.pace[1] < 0.01 * self.total:
            return None
        return (time.time() - self.pace[0]) * (self.total - self.done) / (self.done - self.pace[1])

    @property
    def lasted_s(self) -> float:
        """Seconds since its turn came, or until it ended."""
        return (self.ended or time.time()) - (self.began or self.started)


def start(jobs: Path, argv: list[str], title: str) -> Job:
    """Start `python -m analysis ARGV` as a worker, unless the same command is already running."""
    for job in listed(jobs):
        if job.active and job.argv == tuple(argv):
            return job
    folder = jobs / f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}"
    folder.mkdir(parents=True)
    write_json(folder / "spec.json", {"argv": argv, "title": title, "started": time.time()})
    threads = str(max(1, (os.cpu_count() or 2) - 1))  # one core stays with the browser session
    with (folder / "log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "analysis", *argv, "--status", str(folder / "status.json")], cwd=PROJECT,
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            env=os.environ | {"OMP_NUM_THREADS": threads, "EXPLORER_BACKGROUND": "1"})
    write_json(folder / "pid.json", {"pid": worker.pid, "born": _born(worker.pid), "host": socket.gethostname()})
    _workers[worker.pid] = worker
    return read(folder)


def read(folder: Path) -> Job:
    spec = _read_json(folder / "spec.json")
    status = _read_json(folder / "status.json")
    state = status.get("state", "queued")
    if state in ("queued", "running") and not _alive(folder, spec.get("started", 0.0)):
        status = _read_json(folder / "status.json")
        state = status.get("state", "queued")
        state = "interrupted" if state in ("queued", "running") else state
    return Job(id=folder.name, folder=folder, title=spec.get("title", folder.name), argv=tuple(spec.get("argv", ())),
               started=spec.get("started", 0.0), state=state, done=status.get("done", 0.0),
               total=status.get("total", 0.0), message=status.get("message", "starting"),
               began=status.get("began"), pace=tuple(status["pace"]) if status.get("pace") else None,
               ended=None if state in ("queued", "running") else _last_sign(folder) or spec.get("started", 0.0),
               elsewhere=_elsewhere(_read_json(folder / "pid.json")))


def listed(jobs: Path) -> list[Job]:
    """Every job, newest first."""
    return [read(path.parent) for path in sorted(jobs.glob("*/spec.json"), reverse=True)]


def cancel(job: Job, patience_s: float = 1.0) -> None:
    """Stop the worker and all it started: politely, then for certain. What it finished stays in the store. A job of
    another machine goes on: its processes cannot be reached from here."""
    job = read(job.folder)  # it may have ended since the caller looked
    pid = _read_json(job.folder / "pid.json").get("pid")
    if job.active and pid and not job.elsewhere:
        for send in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(pid, send)
            except ProcessLookupError:
                break
            until = time.time() + patience_s
            while _alive(job.folder, job.started) and time.time() < until:
                time.sleep(0.05)
        write_json(job.folder / "status.json", {"state": "cancelled", "done": job.done, "total": job.total,
                                                "began": job.began, "message": "cancelled; what is finished is kept"})


def again(jobs: Path, job: Job) -> Job:
    """The same command once more, in the place of one that has ended; what that one finished is in the store."""
    forget(job)
    return start(jobs, list(job.argv), job.title)


def forget(job: Job) -> None:
    """Take a job that has ended off the list."""
    if not read(job.folder).active:
        shutil.rmtree(job.folder, ignore_errors=True)


def log_tail(job: Job, lines: int = 12) -> str:
    path = job.folder / "log"
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Atomic: a reader sees the old status or the new one."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    temporary.write_text(json.dumps(value))
    temporary.replace(path)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}


def _last_sign(folder: Path) -> float | None:
    """When a worker last wrote its status, or else its log."""
    written = [path.stat().st_mtime for name in ("status.json", "log") if (path := folder / name).exists()]
    return written[0] if written else None


def _alive(folder: Path, started: float) -> bool:
    """Whether the worker of a job still runs: its process is there, is the one that was started, and has not ended."""
    known = _read_json(folder / "pid.json")
    if "pid" not in known:  # between the folder and its pid file
        return time.time() - started < STARTING_S
    if _elsewhere(known):  # its processes cannot be seen from here
        return time.time() - (_last_sign(folder) or started) < SILENT_S
    if known["pid"] in _workers and _workers[known["pid"]].poll() is not None:
        return False
    if Path("/proc/self/stat").exists():
        return known.get("born") is not None and _born(known["pid"]) == known["born"]
    try:
        os.kill(known["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's process has the number now
        return False
    return True


def _elsewhere(known: dict[str, Any]) -> str:
    host = known.get("host", "")
    return "" if host == socket.gethostname() else host


def _born(pid: int) -> str | None:
    """When a process was started, in the system's own ticks; None when it is gone or has ended unreaped."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]
