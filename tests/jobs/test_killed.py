"""Sweeps killed at any moment: nothing wrong is left to be read, nothing is done twice, and the end is the same."""

import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from analysis.__main__ import main
from analysis.checkpoints.folder import open_run
from analysis.compute import Protocol
from analysis.files import PROJECT
from analysis.jobs import job as jobs
from analysis.keys import Policy
from analysis.store import Store
from tests.checkpoints.models import copied, edit_json
from tests.jobs.test_job import ended, until, wait

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")]

MANY, KILLS = 15, 14
POLICIES = ("last", "mean", "first")
KINDS = ("representations", "ids", "results", "matrices")
WRITING = ("fsync", "replace", "rename", "mkdir", "rmdir", "unlink")
FORKING = '''
import os, sys
from analysis.__main__ import main
def dying(name, made, at):
    original = getattr(os, name)
    def call(*given, **named):
        made.append(name)
        if len(made) == at:
            os.kill(os.getpid(), 9)
        return original(*given, **named)
    setattr(os, name, call)
for line in sys.stdin:
    fork, at, os.environ["EXPLORER_CACHE"], *argv = line.split()
    pid = os.fork() if fork == "True" else os.getpid()
    if pid == 0:
        made = []
        for name in {writing!r}:
            dying(name, made, int(at))
        os._exit(main(argv))
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) if fork == "True" else main(argv), flush=True)
'''


@pytest.fixture(scope="module")
def many(tiny_run, tmp_path_factory):
    """A run of checkpoints of which no two have one fingerprint."""
    folder = tmp_path_factory.mktemp("many") / "many"
    for step in range(MANY):
        edit_json(copied(tiny_run / "step8", folder / f"step{step}") / "config.json", note=step)
    return folder


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Runs the command line in a process that has torch in memory or in a fork of it, which is killed at one of its
    writes or by whoever gets its number; gives that number, and a function that waits for the exit code."""
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen([sys.executable, "-c", FORKING.format(writing=WRITING)], cwd=PROJECT, text=True,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)

    def start(cache, *argv, fork=True, at=0):
        server.stdin.write(" ".join(map(str, [fork, at, cache, *argv])) + "\n")
        server.stdin.flush()
        return int(server.stdout.readline()), lambda: int(server.stdout.readline())
    yield start
    server.stdin.close()
    server.wait()
    server.stdout.close()


@pytest.fixture
def cache(tmp_path):
    """The cache of the test; whatever job was started in it is gone afterwards."""
    yield tmp_path / "cache"
    for path in (tmp_path / "cache").glob("jobs*/*/pid.json"):
        jobs.cancel(jobs.read(path.parent))
    while jobs._workers:
        jobs._workers.popitem()[1].wait()


def uninterrupted(folder, cache, monkeypatch, *argv):
    """The store of a sweep in this process that nothing disturbs."""
    before = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patched:
        patched.setenv("EXPLORER_CACHE", str(cache))
        assert main(["sweep", str(folder), *argv]) == 0
    signal.signal(signal.SIGTERM, before)
    return Store(cache)


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def files(root, kinds=KINDS):
    """Every file that may be read, and every temporary one."""
    found = [path for kind in kinds for path in (root / kind).rglob("*")]
    hidden = [path for path in found if any(part.startswith(".") for part in path.relative_to(root).parts)]
    return [path for path in found if path.is_file() and path not in hidden], \
        {path for path in hidden if not any(part.startswith(".") for part in path.parent.relative_to(root).parts)}


def contents(root):
    return {path.relative_to(root): sha256(path.read_bytes()) for path in files(root)[0]}


def extracted(root):
    """Which files each finished representation is, and when it was written."""
    found = {}
    for meta in (path for path in root.glob("representations/*/meta.json") if not path.parent.name.startswith(".")):
        rows = meta.with_name("rows.safetensors").stat()
        found[meta.parent.name] = meta.stat().st_ino, meta.stat().st_mtime_ns, rows.st_ino
    return found


def audit(root, folder, right):
    """Everything in a store that can be read is whole, and is what the sweep that nothing disturbed has there."""
    readable, _ = files(root)
    named = set()
    for path in (path for path in readable if path.suffix == ".json"):
        head, _, body = path.read_bytes().partition(b"\n")
        assert head.decode() == sha256(body), path
        record = json.loads(body)
        if path.name == "meta.json":
            sums = {path.with_name(name): sha for name, sha in record["sha256"].items()}
            assert (root / "ids" / f"{record['ids']}.json").exists()
        else:
            sha = record.get("curves", record.get("sha256"))
            sums = {path.with_name(f"{path.stem}.{sha[:16]}.safetensors"): sha} if sha else {}
        named |= set(sums)
        assert all(sha256(tensors.read_bytes()) == sha for tensors, sha in sums.items()), path
    rows = {path for path in readable if path.name == "rows.safetensors"}
    assert rows <= named and not (root / "damaged").exists()
    store = Store(root)
    for checkpoint in open_run(folder).checkpoints:
        for key in store.representations_of(checkpoint.fingerprint):
            assert store.get_representation(key) is not None
            found, expected = store.results(key), right.results(key)
            assert {k: repr(v) for k, v in found.items()} == {k: repr(expected[k]) for k in found}


# --- kill -9 ---


def test_a_sweep_killed_again_and_again_ends_as_if_nothing_had_happened(many, probe_file, cache, tmp_path, command):
    chance, kills, before, policies = random.Random(11), 0, {}, list(POLICIES)
    given = ["--probe", str(probe_file)]
    right = Store(tmp_path / "right")
    for policy in POLICIES:
        assert command(right.root, "sweep", many, *given, "--policy", policy, fork=False)[1]() == 0
    (cache / "jobs" / "it").mkdir(parents=True)
    while policies:
        killing = kills < KILLS
        at, after = (chance.randint(1, 60), 0) if chance.random() < 0.5 else (0, chance.uniform(0, 0.2))
        pid, code = command(cache, "sweep", many, *given, "--policy", policies[0], "--status",
                            cache / "jobs" / "it" / "status.json", at=at * killing)
        if killing and not at:
            kill_after_progress(pid, cache, after)
        ending = code()
        assert ending in (0, -signal.SIGKILL), (tmp_path / "log").read_text()
        kills, policies = (kills + 1, policies) if ending else (kills, policies[1:])
        audit(cache, many, right)
        assert before.items() <= extracted(cache).items()
        before = extracted(cache)
        assert all(len(files(cache, [kind])[1]) <= kills for kind in KINDS)
    assert kills >= 12 and contents(cache) == contents(right.root)


def kill_after_progress(pid, cache, after):
    """Kill a process some time after it has finished one more representation."""
    known = len(extracted(cache))
    wait(lambda: len(extracted(cache)) > known or jobs._born(pid) is None)
    time.sleep(after)
    if jobs._born(pid) is not None:
        os.kill(pid, signal.SIGKILL)


def test_a_killed_server_leaves_its_worker_to_the_end_and_any_process_finds_the_job(many, probe_file, cache, tmp_path,
                                                                                    monkeypatch):
    code = ("import sys, time; from pathlib import Path; from analysis.jobs import job\n"
            "print(job.start(Path(sys.argv[1]), sys.argv[2:], 'Long').id, flush=True); time.sleep(600)")
    command = ["sweep", str(many), "--probe", str(probe_file)]
    with subprocess.Popen([sys.executable, "-c", code, str(cache / "jobs"), *command], cwd=PROJECT, text=True,
                          stdout=subprocess.PIPE, start_new_session=True) as server:
        name = server.stdout.readline().strip()
        until(cache / "jobs" / name, lambda job: job.done >= 1)
        os.killpg(server.pid, signal.SIGKILL)
    (job,) = jobs.listed(cache / "jobs")
    assert (job.id, job.title, job.argv, job.state) == (name, "Long", tuple(command), "running")
    assert 1 <= job.done < job.total == MANY and jobs.start(cache / "jobs", command, "Again").id == name
    assert ended(job).state == "done" and f"{MANY} of {MANY} checkpoints needed work" in jobs.log_tail(job)
    right = uninterrupted(many, tmp_path / "right", monkeypatch, "--probe", str(probe_file))
    assert contents(cache) == contents(right.root)


# --- two at a time ---


def test_two_sweeps_of_runs_that_share_checkpoints_do_nothing_twice(many, probe_file, cache, tmp_path, monkeypatch):
    parts = {"a": range(11), "b": range(4, MANY)}
    for name, steps in parts.items():
        for step in steps:
            copied(many / f"step{step}", tmp_path / name / f"step{step}")
    workers = [jobs.start(cache / f"jobs of {name}", ["sweep", str(tmp_path / name), "--probe", str(probe_file)], name)
               for name in parts]
    logs = [jobs.log_tail(ended(job), 100) for job in workers]
    done = [line for log in logs for line in log.splitlines() if "forward pass" in line]
    assert [jobs.read(job.folder).state for job in workers] == ["done"] * 2
    assert sum(int(re.search(r"(\d+) of \d+ checkpoints needed work", log)[1]) for log in logs) == MANY
    assert sorted(int(line.split(":")[0].split("step")[1]) for line in done) == list(range(MANY)), done
    assert all("forward pass" in log for log in logs)
    for name in parts:
        right = uninterrupted(tmp_path / name, tmp_path / "right", monkeypatch, "--probe", str(probe_file))
    assert contents(cache) == contents(right.root) and not files(cache)[1]


def test_a_sweep_waits_for_what_another_works_on_and_does_it_when_that_one_is_killed(tiny_run, probe_file, probe,
                                                                                    cache):
    checkpoints = open_run(tiny_run).checkpoints
    key = Protocol(probe, Policy.parse("last")).key(checkpoints[0])
    code = ("import sys, time; from analysis.store import Store\n"
            "with Store(sys.argv[1]).claimed(sys.argv[2]) as mine: print(mine, flush=True); time.sleep(600)")
    with subprocess.Popen([sys.executable, "-c", code, str(cache), key.digest], cwd=PROJECT, text=True,
                          stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == "True\n"
        job = jobs.start(cache / "jobs", ["sweep", str(tiny_run), "--probe", str(probe_file)], "Waits")
        job = until(job.folder, lambda job: "another process works on it" in job.message or not job.active)
        kept = [bool(Store(cache).representations_of(checkpoint.fingerprint)) for checkpoint in checkpoints]
        holder.kill()
    assert job.state == "running" and checkpoints[0].revision in job.message and kept == [False, True, True]
    assert ended(job).state == "done" and "3 of 3 checkpoints needed work" in jobs.log_tail(job)
    assert [line.split(":")[0] for line in jobs.log_tail(job).splitlines() if "forward pass" in line] == [
        f"tiny {checkpoint.revision}" for checkpoint in (*checkpoints[1:], checkpoints[0])]
    assert Store(cache).get_representation(key) is not None


def test_a_folder_of_claims_that_another_process_takes_away_at_that_moment_is_made_again(cache, monkeypatch):
    mkdir, gone = os.mkdir, []

    def taking_it_away(path, *mode):
        try:
            mkdir(path, *mode)
        except FileExistsError:
            if not gone:
                gone.append(Path(path).rmdir())
            raise
    (cache / "claims").mkdir(parents=True)
    monkeypatch.setattr(os, "mkdir", taking_it_away)
    with Store(cache).claimed("anything") as mine:
        assert mine and gone
