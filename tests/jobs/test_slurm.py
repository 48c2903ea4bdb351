"""The same tasks on a real Slurm of this machine, without accounts: what no stand-in for a scheduler would show."""

import os
import shutil
import subprocess
import sys
import time

import pytest

from analysis.checkpoints.folder import open_run
from analysis.compute import records
from analysis.errors import ExplorerError
from analysis.jobs import cluster
from analysis.jobs.cluster import Task
from tests.jobs.slurm import slurm
from tests.jobs.test_cluster import PATIENCE_S, STAND_IN, Fan, alive

CANCELLED_S = 2.0


@pytest.fixture(scope="module")
def configuration():
    with slurm(cpus=4) as path:
        yield path


@pytest.fixture
def fan(configuration, tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_CONF", str(configuration))
    monkeypatch.setattr(cluster, "PROGRAM", (sys.executable, "-c", STAND_IN))
    yield Fan(tmp_path, "slurm")
    subprocess.run(["scancel", "--user=root"], check=True)


@pytest.fixture
def squeue(tmp_path, monkeypatch):
    """Puts a script before squeue on the PATH; $SQUEUE in it is the real one."""
    def put(script):
        path = tmp_path / "bin" / "squeue"
        path.parent.mkdir()
        path.write_text(f"#!/bin/sh\nSQUEUE={shutil.which('squeue')}\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")
    return put


def jobs(*states):
    """Job ids on the scheduler, in these states if any are given; the newest last. (squeue's own --states counts a
    job that is still COMPLETING among those that are PENDING.)"""
    listing = subprocess.run(["squeue", "--noheader", "--array", "--format=%i %T", "--sort=i"],
                             capture_output=True, text=True, check=True).stdout
    return [job for job, state in map(str.split, listing.splitlines()) if not states or state in states]


def once_begun(fan, name, act):
    """What to do between two looks at the scheduler: nothing until the task has begun, then this, once."""
    def meanwhile():
        if fan.tries(name):
            act(jobs("RUNNING")[-1])
        return bool(fan.tries(name))
    return meanwhile


def test_sweeps_meet_in_the_store(fan, monkeypatch, tiny_run, probe_file, probe, store):
    monkeypatch.setattr(cluster, "PROGRAM", (sys.executable, "-m", "analysis"))
    tasks = [Task(f"tiny step{step}", ("sweep", str(tiny_run / f"step{step}"), "--probe", str(probe_file), "--measure",
                                       "stable_rank")) for step in (0, 1, 8)]
    assert fan.run(*tasks) == []
    found = [record for step in (0, 1, 8) for record in
             records(store, open_run(tiny_run / f"step{step}"), probe=probe.identity, policy="last")]
    assert len(found) == 3 * 4 and len({record["fingerprint"] for record in found}) == 3


def test_tasks_are_one_array_and_each_ends_in_its_own_way(fan):
    names = set()

    def look():
        names.update(subprocess.run(["squeue", "--noheader", "--states=all", "--format=%A %F %c %j"], check=True,
                                    capture_output=True, text=True).stdout.splitlines())

    failures = fan.run(fan.task("fine"), fan.task("refuses"), fan.task("killed once"), meanwhile=look,
                       options={"array": 2, "cpus": 2, "time": "20", "partition": "tests"})
    assert [(failure.name, failure.reason) for failure in failures] == [
        ("refuses", "There is no run 'x'; give another.")]
    assert failures[0].reason in failures[0].log.read_text()
    assert [len(fan.tries(name)) for name in ("fine", "refuses", "killed once")] == [1, 1, 2]
    assert fan.messages[-1] == "2 of 3 done, 1 tried again, 1 failed"
    environment = fan.tries("fine")[0]["environment"]
    assert environment["SLURM_ARRAY_TASK_COUNT"] == "3" and environment["SLURM_STEP_NUM_TASKS"] == "1"
    assert environment["SLURM_CPUS_PER_TASK"] == "2"  # in the step, which is where the task runs
    assert fan.tries("fine")[0]["cwd"] == str(cluster.PROJECT)
    assert environment["EXPLORER_CACHE"] == str(fan.folder / "cache")


def test_a_task_cancelled_from_outside_is_tried_again_and_reported_when_it_keeps_being_cancelled(fan):
    def cancel(job):
        subprocess.run(["scancel", job], check=True)

    assert fan.run(fan.task("sleeps"), meanwhile=once_begun(fan, "sleeps", cancel)) == []
    assert len(fan.tries("sleeps")) == 2 and fan.messages[-1] == "1 of 1 done, 1 tried again"
    [failure] = fan.run(fan.task("sleeps", "b"), meanwhile=once_begun(fan, "b", cancel), retries=0)
    assert (failure.name, failure.reason) == ("b", "CANCELLED")


@pytest.mark.parametrize("how", [["scontrol", "requeue"], ["scancel", "--signal=USR2"]], ids=["requeued", "preempted"])
def test_a_task_that_goes_back_to_the_queue_finishes_and_is_not_counted_as_tried_again(fan, how):
    def back(job):
        subprocess.run([*how, job], check=True)
        end = time.monotonic() + PATIENCE_S
        while not jobs("PENDING"):
            assert time.monotonic() < end
            time.sleep(0.05)
        # not in two minutes; nor in the second it was stopped in, for slurmd would say "Job credential revoked"
        subprocess.run(["scontrol", "update", f"JobId={job}", "StartTime=now+3"], check=True)

    assert fan.run(fan.task("sleeps"), meanwhile=once_begun(fan, "sleeps", back), retries=0) == []
    assert len(fan.tries("sleeps")) == 2 and fan.messages[-1] == "1 of 1 done"
    first, second = fan.tries("sleeps")
    assert first["environment"]["SLURM_JOB_ID"] == second["environment"]["SLURM_JOB_ID"]


def test_a_task_out_of_time_is_not_put_in_the_queue_again_by_submitit_but_tried_again_as_any_other(fan):
    def warn(job):
        subprocess.run(["scancel", "--signal=USR2", job], check=True)

    task, options = fan.task("sleeps"), {"time": 5}
    assert fan.run(task, meanwhile=once_begun(fan, "sleeps", warn), options=options) == []
    assert fan.messages[-1] == "1 of 1 done, 1 tried again"
    fan.note("sleeps").unlink()
    [failure] = fan.run(task, meanwhile=once_begun(fan, "sleeps", warn), options=options, retries=0)
    assert failure.reason == "TIMEOUT"


def test_an_interrupt_takes_every_job_off_the_scheduler(fan):
    def interrupt():
        if len(fan.tries("a")) + len(fan.tries("b")) == 2:
            assert len(jobs()) == 4
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fan.run(fan.task("sleeps", "a"), fan.task("sleeps stubborn", "b"), fan.task("c"), fan.task("d"),
                meanwhile=interrupt, options={"array": 2})
    since = time.monotonic()
    while jobs("PENDING", "RUNNING", "CONFIGURING"):
        assert time.monotonic() < since + CANCELLED_S
        time.sleep(0.02)
    while jobs() or any(alive(fan.tries(name)[0]["pid"]) for name in "ab"):
        assert time.monotonic() < since + PATIENCE_S
        time.sleep(0.02)
    assert not fan.tries("c") and not fan.tries("d")


def test_a_job_that_the_scheduler_no_longer_knows_is_judged_by_what_it_left_behind(fan, squeue):
    squeue('for name; do shift; [ "$name" = --states=all ] || set -- "$@" "$name"; done; exec $SQUEUE "$@"')
    failures = fan.run(fan.task("fine"), fan.task("refuses"), fan.task("killed once"), fan.task("breaks"))
    assert [(failure.name, failure.reason) for failure in failures] == [
        ("refuses", "There is no run 'x'; give another."), ("breaks", "exit code 1")]
    assert [len(fan.tries(name)) for name in ("fine", "refuses", "killed once", "breaks")] == [1, 1, 2, 2]


def test_a_scheduler_that_does_not_answer_for_a_while_fails_no_task(fan, squeue):
    squeue(f'echo >>{fan.folder}/asked; [ $(wc -l <{fan.folder}/asked) -gt 3 ] || exit 1; exec $SQUEUE "$@"')
    assert fan.run(fan.task("fine")) == [] and len(fan.tries("fine")) == 1
    assert fan.messages[1] == "the scheduler does not answer; asking again, 0 of 1 done"


def test_what_slurm_does_not_take_is_refused_in_its_own_words(fan):
    with pytest.raises(ExplorerError, match="take the tasks: Batch job submission failed: Invalid partition name"):
        fan.run(fan.task("fine"), options={"partition": "nowhere"})
    assert not jobs()
