"""Many tasks on a scheduler through submitit: Slurm, or processes of this machine to try the same path without one.

One task is one scheduler job: `python -m analysis ARGV` in a process of its own. Tasks meet in the store and nowhere
else, so one that is run again costs little and changes nothing: whatever is in doubt is tried again.

How a task ended is asked of the scheduler and of the JSON file that the job leaves behind (its exit code). Slurm is
asked with one `squeue` a poll for all jobs: it knows ended jobs for as long as slurmctld does (MinJobAge, 5 minutes
unless configured), with or without an accounting database, whereas submitit's own watcher asks `sacct` and without a
database never learns that a job was killed. After that time the JSON file alone decides.

submitit hands its callable over as a pickle. It lies in a folder that only its owner may open, the job reads it back,
and nothing a job returns is ever unpickled here: jobs leave through `SystemExit`, before submitit stores a result.
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from analysis.errors import ExplorerError
from analysis.files import PROJECT, cache_root
from analysis.jobs.job import write_json

PROGRAM = (sys.executable, "-m", "analysis")
INSTALL = "pip install submitit==1.5.4"
REFUSED = 2  # exit code: something given cannot be used; trying again would end the same way
STOPPED = 130  # exit code: the scheduler (or a person) told it to stop
MINUTES = 60  # of each task, unless time= says otherwise
AT_ONCE = 1000  # jobs on Slurm at a time: the length of an array that every Slurm takes
CANCEL_S = 1.5
GONE = "gone from the queue"
OPTIONS = {"partition": "partition", "account": "account", "qos": "qos", "constraint": "constraint", "mem": "mem",
           "gpus": "gpus_per_node", "cpus": "cpus_per_task", "time": "time", "array": "array_parallelism"}
WHOLE = ("cpus", "time", "array")
OVER = {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED",
        "REVOKED", "TIMEOUT", "FINISHED", "INTERRUPTED", GONE}  # FINISHED and INTERRUPTED are the local executor's
VAGUE = {"FAILED", "FINISHED", GONE}  # states that do not say why


@dataclass(frozen=True)
class Task:
    name: str  # what a person calls it, e.g. "pythia step1000"
    argv: tuple[str, ...]  # arguments of `python -m analysis`


@dataclass(frozen=True)
class Failure:
    name: str
    reason: str  # the task's own sentence where it said one, else how it ended
    log: Path


@dataclass(frozen=True)
class Attempt:
    """What a scheduler job does: run the task, leave its exit code beside it, and end with that code."""
    task: Task
    command: tuple[str, ...]
    stem: Path
    number: int = 1

    @property
    def outcome(self) -> Path:
        return self.stem.with_name(f"{self.stem.name}.{self.number}.json")

    def __call__(self) -> None:
        self.outcome.unlink(missing_ok=True)  # of the same job before it was requeued
        child = subprocess.Popen(self.command, cwd=PROJECT, stdin=subprocess.DEVNULL, preexec_fn=_deaf_to_warnings)
        try:
            code = child.wait()
        except BaseException as stop:  # raised in submitit's signal handlers
            child.terminate()
            try:
                child.wait(0.5)
            except subprocess.TimeoutExpired:
                child.kill()
            if isinstance(stop, Exception):  # out of time; a job that was requeued leaves through SystemExit
                write_json(self.outcome, {"state": "TIMEOUT"})
            raise
        write_json(self.outcome, {"code": code})
        raise SystemExit(abs(code))

    def checkpoint(self) -> Any:
        """What submitit puts in the queue again when the job is preempted: the same; the store knows what is done."""
        from submitit.helpers import DelayedSubmission
        return DelayedSubmission(self)


def _deaf_to_warnings() -> None:
    """Slurm warns every process of a job that it must end; the task goes on until its job has decided what to do."""
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)


def fan_out(tasks: Sequence[Task], executor: Literal["slurm", "local"], folder: Path,
            report: Callable[[float, float, str], None], *, retries: int = 1,
            options: Mapping[str, str | int] | None = None, poll_s: float = 2.0) -> list[Failure]:
    """Run every task on a scheduler, and those that fail `retries` times more; returns those that did not succeed.

    `folder` must be seen by every node. `options` are those of OPTIONS: time in minutes for each task, array for how
    many run at once (on this machine 1 unless given). Interrupted, it takes its jobs off the scheduler before it ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=folder.absolute()))  # of mode 0700
    scheduler = _scheduler(executor, folder, options or {})
    waiting = [Attempt(task, (*PROGRAM, *task.argv), folder / str(k)) for k, task in enumerate(tasks)]
    try:
        return _follow(scheduler, waiting, report, retries, poll_s)
    except BaseException:
        scheduler.cancel()
        raise


def _follow(scheduler: "_Slurm | _Local", waiting: list[Attempt], report: Callable[[float, float, str], None],
            retries: int, poll_s: float) -> list[Failure]:
    active: dict[str, tuple[Attempt, Path]] = {}
    states: dict[str, str] | None = {}
    failures: dict[Path, Failure] = {}
    total, done, again = len(waiting), 0, 0
    while waiting or active:
        room = max(0, scheduler.room - len(active))
        batch, waiting = waiting[:room], waiting[room:]
        active |= {job.job_id: (attempt, job.paths.stdout)
                   for attempt, job in zip(batch, scheduler.submit(batch), strict=True)}
        report(done + len(failures), total, _message(active, waiting, states, done, total, again, len(failures)))
        time.sleep(poll_s)
        states = scheduler.states()
        over = {} if states is None else {job: state for job in active if (state := states.get(job, GONE)) in OVER}
        for job, state in over.items():
            attempt, log = active.pop(job)
            code, reason = _ended(attempt, state, log)
            if code == 0:
                done += 1
            elif code == REFUSED or attempt.number > retries:
                failures[attempt.stem] = Failure(attempt.task.name, reason, log)
            else:
                again += 1
                waiting.append(replace(attempt, number=attempt.number + 1))
    report(total, total, _message(active, waiting, states, done, total, again, len(failures)))
    return [failures[stem] for stem in sorted(failures, key=lambda stem: int(stem.name))]


def _message(active: Mapping[str, object], waiting: Sequence[object], states: Mapping[str, str] | None, done: int,
             total: int, again: int, failed: int) -> str:
    if states is None:
        return f"the scheduler does not answer; asking again, {done} of {total} done"
    running = Counter(states.get(job) in ("RUNNING", "COMPLETING") for job in active)
    parts = [(running[True], "running"), (running[False] + len(waiting), "waiting"), (f"{done} of {total}", "done"),
             (again, "tried again"), (failed, "failed")]
    return ", ".join(f"{count} {what}" for count, what in parts if count)


def _ended(attempt: Attempt, state: str, log: Path) -> tuple[int | None, str]:
    """The exit code of a task that is over, if it has one, and why it failed in one sentence."""
    if state == "COMPLETED":  # a job ends as its task did; on a shared disk the file may come later
        return 0, ""
    outcome = json.loads(attempt.outcome.read_text()) if attempt.outcome.exists() else {}
    code, state = outcome.get("code"), outcome.get("state", state)
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    said = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    if code is not None and code >= 0 and code != STOPPED:
        return code, said[-1] if said else f"exit code {code}"
    if state in VAGUE:
        last = lines[-1] if lines else "it left no log"
        state = f"killed by {signal.Signals(-code).name}" if code and code < 0 else f"{state}: {last}"
    return code, state


# --- schedulers ---


def _scheduler(executor: str, folder: Path, options: Mapping[str, str | int]) -> "_Slurm | _Local":
    try:
        import submitit
    except ImportError as error:
        raise ExplorerError(f"Tasks go to a scheduler through submitit, which is not installed: {INSTALL}") from error
    if executor == "slurm" and not (shutil.which("sbatch") and shutil.which("srun")):
        raise ExplorerError("There is no sbatch on the PATH, so this machine cannot submit to Slurm; run this where "
                            "sbatch works, or use the local executor.")
    parameters = _parameters(options)
    python = ["env", f"PYTHONPATH={os.pathsep.join(filter(None, (str(PROJECT), os.environ.get('PYTHONPATH'))))}",
              f"EXPLORER_CACHE={cache_root().absolute()}"]
    if executor == "slurm":
        return _Slurm(submitit.SlurmExecutor(folder, max_num_timeout=0, python=shlex.join([*python, sys.executable])),
                      parameters)
    devices = os.environ.get("CUDA_VISIBLE_DEVICES")  # submitit hides every GPU from its local jobs
    python[1:1] = ["-u", "CUDA_VISIBLE_DEVICES"] if devices is None else [f"CUDA_VISIBLE_DEVICES={devices}"]
    return _Local(submitit.LocalExecutor(folder, max_num_timeout=0, python=shlex.join([*python, sys.executable])),
                  parameters)


def _parameters(options: Mapping[str, str | int]) -> dict[str, Any]:
    """The options of a person by the names that submitit has for them."""
    for name, value in options.items():
        if name not in OPTIONS:
            raise ExplorerError(f"No scheduler option is called {name!r}; give any of {', '.join(sorted(OPTIONS))}.")
        if not str(value):
            raise ExplorerError(f"The scheduler option {name} has no value; write {name}=VALUE.")
        if name in WHOLE and not (str(value).isdecimal() and int(value)):
            raise ExplorerError(f"{name}={value} is not a whole number above 0" + " of minutes" * (name == "time") +
                                f"; write for instance {name}=4.")
    return {OPTIONS[name]: int(value) if name in WHOLE else value
            for name, value in {"time": MINUTES, **options}.items()}


class _Slurm:
    room = AT_ONCE

    def __init__(self, executor: Any, parameters: dict[str, Any]):
        self.executor, self.name = executor, f"explorer-{executor.folder.name}"
        cpus = parameters.get("cpus_per_task")  # since 22.05 srun no longer takes it from sbatch
        self.executor.update_parameters(job_name=self.name, stderr_to_stdout=True, **parameters,
                                        srun_args=[f"--cpus-per-task={cpus}"] if cpus else [])

    def submit(self, attempts: list[Attempt]) -> list[Any]:
        from submitit.core.utils import FailedJobError
        try:
            return self.executor.submit_array(attempts) if attempts else []
        except FailedJobError as error:
            raise ExplorerError(f"Slurm did not take the tasks: {str(error).strip().rpartition('error: ')[2]}; `sinfo` "
                                "lists the partitions and their limits.") from error

    def states(self) -> dict[str, str] | None:
        """Job id to state, of all jobs with this name; None when slurmctld does not answer."""
        listing = subprocess.run(["squeue", "--me", f"--name={self.name}", "--states=all", "--array", "--noheader",
                                  "--format=%i %T"], capture_output=True, text=True)
        return None if listing.returncode else dict(line.split() for line in listing.stdout.splitlines())

    def cancel(self) -> None:
        """By name, so that jobs go whose submission was interrupted too; in a session that outlives a killed worker."""
        subprocess.run(["scancel", f"--name={self.name}"], start_new_session=True, check=False)


class _Local:
    def __init__(self, executor: Any, parameters: dict[str, Any]):
        self.executor, self.room, self.jobs = executor, parameters.get("array_parallelism", 1), list[Any]()
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # inherited from `... &` in a script, and by the jobs
            signal.signal(signal.SIGINT, signal.default_int_handler)  # whom submitit stops with it
        self.executor.update_parameters(timeout_min=parameters["time"], stderr_to_stdout=True)

    def submit(self, attempts: list[Attempt]) -> list[Any]:
        for attempt in attempts:
            self.jobs.append(self.executor.submit(attempt))
        return self.jobs[len(self.jobs) - len(attempts):]

    def states(self) -> dict[str, str]:
        return {job.job_id: job.state for job in self.jobs}

    def cancel(self) -> None:
        for job in self.jobs:
            job.cancel()
        until = time.monotonic() + CANCEL_S
        while not all(job.done() for job in self.jobs) and time.monotonic() < until:
            time.sleep(0.02)
