"""Tasks on a scheduler: each ends as done, tried again or reported. Here on submitit's local executor."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from analysis.errors import ExplorerError
from analysis.jobs import cluster
from analysis.jobs.cluster import Task, fan_out

pytest.importorskip("submitit")

PATIENCE_S = 120
# What runs in the place of `python -m analysis`: says what it saw, and ends as its first argument says.
STAND_IN = """
import json, os, signal, sys, time
from pathlib import Path
how, note = sys.argv[1], Path(sys.argv[2])
first = not note.exists()
seen = [] if first else json.loads(note.read_text())
if "stubborn" in how:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
new = note.with_suffix(".new")
new.write_text(json.dumps([*seen, {"pid": os.getpid(), "cwd": os.getcwd(), "environment": dict(os.environ)}]))
new.replace(note)
if "killed" in how and first:
    os.kill(os.getpid(), signal.SIGKILL)
if "sleeps" in how and first:
    time.sleep(600)
if "refuses" in how:
    print("error: There is no run 'x'; give another.", file=sys.stderr)
    sys.exit(2)
if "breaks" in how:
    raise KeyError("unforeseen")
"""


class Fan:
    """A folder for one fan-out, and notes of what its tasks saw."""

    def __init__(self, folder: Path, executor: str):
        self.folder, self.executor = folder, executor
        self.messages: list[str] = []
        self.shares: list[tuple[float, float]] = []

    def task(self, how: str, name: str = "") -> Task:
        return Task(name or how, (how, str(self.note(name or how))))

    def note(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def tries(self, name: str) -> list[dict]:
        return json.loads(self.note(name).read_text()) if self.note(name).exists() else []

    def run(self, *tasks: Task, meanwhile=None, **options) -> list[cluster.Failure]:
        """Runs the tasks; `meanwhile()` is called between two looks at the scheduler until it returns true."""
        end, left = time.monotonic() + PATIENCE_S, [meanwhile] if meanwhile else []

        def report(done, total, message):
            assert time.monotonic() < end, f"it did not end: {message}"
            self.shares.append((done, total))
            self.messages.append(message)
            if left and left[0]():
                left.clear()

        return fan_out(tasks, self.executor, self.folder / "tasks", report, poll_s=0.1, **options)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.fixture
def fan(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "PROGRAM", (sys.executable, "-c", STAND_IN))
    return Fan(tmp_path, "local")


def test_commands_of_the_project_run_and_the_folder_is_for_its_owner_only(tmp_path, capfd):
    fan = Fan(tmp_path, "local")
    assert fan.run(Task("measures", ("measures",)), Task("list", ("list", "--json")), options={"array": 2}) == []
    [folder] = (tmp_path / "tasks").iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert "rankme_covariance" in "".join(path.read_text() for path in folder.glob("*.out"))
    assert not list(folder.glob("*_result.pkl"))
    assert "rankme_covariance" not in capfd.readouterr().out


def test_every_task_runs_at_the_root_with_the_cache_in_use_and_the_environment_as_it_is(fan, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EXPLORER_CACHE", "some cache")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert fan.run(fan.task("a"), fan.task("b"), fan.task("c"), options={"array": 2}) == []
    for seen in (fan.tries(name)[0] for name in "abc"):
        assert Path(seen["cwd"]) == cluster.PROJECT
        assert seen["environment"]["EXPLORER_CACHE"] == str(tmp_path / "some cache")
        assert seen["environment"]["CUDA_VISIBLE_DEVICES"] == "3"
    assert fan.messages[0] == "3 waiting, 0 of 3 done" and fan.messages[-1] == "3 of 3 done"
    assert fan.shares[0] == (0, 3) and fan.shares[-1] == (3, 3) and fan.shares == sorted(fan.shares)


def test_at_most_so_many_run_at_once_as_asked_for(fan):
    assert fan.run(*(fan.task(name) for name in "abcd")) == []
    assert not any(message.startswith(("2 running", "3 running", "4 running")) for message in fan.messages)


def test_a_task_that_is_killed_once_succeeds_on_its_second_try(fan):
    assert fan.run(fan.task("killed once"), fan.task("fine"), options={"array": 2}) == []
    assert (len(fan.tries("killed once")), len(fan.tries("fine"))) == (2, 1)
    assert fan.messages[-1] == "2 of 2 done, 1 tried again"


def test_what_cannot_be_used_is_reported_with_its_own_sentence_and_tried_once(fan):
    [failure] = fan.run(fan.task("refuses"), fan.task("fine"), retries=3)
    assert (failure.name, failure.reason) == ("refuses", "There is no run 'x'; give another.")
    assert failure.reason in failure.log.read_text() and len(fan.tries("refuses")) == 1
    assert fan.messages[-1] == "1 of 2 done, 1 failed" and fan.shares[-1] == (2, 2)


def test_a_task_that_keeps_failing_is_reported_after_its_last_try_in_the_order_of_tasks(fan):
    failures = fan.run(fan.task("breaks", "first"), fan.task("fine"), fan.task("refuses", "third"), retries=2)
    assert [(failure.name, failure.reason) for failure in failures] == [
        ("first", "exit code 1"), ("third", "There is no run 'x'; give another.")]
    assert len(fan.tries("first")) == 3 and "unforeseen" in failures[0].log.read_text()


def test_a_task_out_of_time_says_so(fan):
    def warn():  # what Slurm sends to a job, and submitit's controller to a local one, before the time is over
        parents = [int(Path(f"/proc/{seen['pid']}/stat").read_text().rpartition(")")[2].split()[1])
                   for seen in fan.tries("sleeps")]
        return [os.kill(pid, signal.SIGUSR2) for pid in parents]

    [failure] = fan.run(fan.task("sleeps"), meanwhile=warn, retries=0, options={"time": 5})
    assert failure.reason == "TIMEOUT" and not alive(fan.tries("sleeps")[0]["pid"])


@pytest.mark.parametrize("how", ["sleeps", "sleeps stubborn"])
def test_an_interrupt_ends_every_task_that_runs(fan, how):
    def interrupt():
        if len(fan.tries("a")) + len(fan.tries("b")) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fan.run(fan.task(how, "a"), fan.task(how, "b"), fan.task("later"), meanwhile=interrupt, options={"array": 2})
    end = time.monotonic() + PATIENCE_S
    while any(alive(fan.tries(name)[0]["pid"]) for name in "ab"):
        assert time.monotonic() < end
        time.sleep(0.02)
    assert not fan.tries("later")


def test_no_task_is_no_work(fan):
    assert fan.run() == [] and fan.shares == [(0, 0)]


@pytest.mark.parametrize(("options", "said"), [
    ({"colour": "red"}, r"'colour'; give any of account, array, constraint, cpus, gpus, mem, partition, qos, time\."),
    ({"time": "soon"}, "time=soon is not a whole number above 0 of minutes"),
    ({"cpus": 0}, "cpus=0 is not a whole number above 0"), ({"array": "-1"}, "array=-1 is not")])
def test_an_option_that_cannot_be_used_is_refused(fan, options, said):
    with pytest.raises(ExplorerError, match=said):
        fan.run(fan.task("fine"), options=options)
    assert not fan.tries("fine")


def test_without_submitit_the_command_that_installs_it_is_given(fan, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(ExplorerError, match=r"pip install submitit==1\.5\.4"):
        fan.run(fan.task("fine"))


def test_without_sbatch_slurm_is_refused(fan, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    fan.executor = "slurm"
    with pytest.raises(ExplorerError, match="no sbatch on the PATH"):
        fan.run(fan.task("fine"))
