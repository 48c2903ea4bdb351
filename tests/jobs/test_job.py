"""Jobs: a worker process can be started, followed, found again, cancelled and killed, and always tells how it ended."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from analysis.jobs import job as jobs
from analysis.keys import Policy
from analysis.store import Store
from tests.checkpoints.models import copied, edit_json

pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")

PATIENCE_S = 60
SLEEP = "import time; time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); {SLEEP}"
RUNNING = '{"state": "running", "done": 1, "total": 3, "message": "so far"}'


@pytest.fixture
def folder(tmp_path):
    """A jobs folder; whatever was started in it is gone after the test."""
    yield tmp_path / "cache" / "jobs"
    for path in (tmp_path / "cache" / "jobs").glob("*/pid.json"):
        job = jobs.read(path.parent)
        if job.active:
            jobs.cancel(job)


@pytest.fixture
def long_sweep(tiny_run, probe_file, tmp_path):
    """The command of a sweep over many checkpoints, no two of them alike."""
    for step in range(60):
        edit_json(copied(tiny_run / "step1", tmp_path / "long" / f"step{step}") / "tokenizer_config.json", note=step)
    return ["sweep", str(tmp_path / "long"), "--probe", str(probe_file), "--measure", "rankme_covariance"]


@pytest.fixture
def worker_of(folder, tmp_path, monkeypatch):
    """Starts a job whose worker runs other code, and returns the job once it has said that it is up."""
    def start(code, status=RUNNING):
        program = tmp_path / "worker"
        program.write_text(f"#!{sys.executable}\n{code}\n")
        program.chmod(0o755)
        with monkeypatch.context() as patched:
            patched.setattr(sys, "executable", str(program))
            job = jobs.start(folder, ["measures", str(time.time())], "Other")
        until(job.folder, lambda job: "up" in jobs.log_tail(job))
        (job.folder / "status.json").write_text(status)
        return jobs.read(job.folder)
    return start


@pytest.fixture
def program():
    """Starts a program that has nothing to do with any job, in a process group of its own."""
    started = []

    def start(*argv):
        started.append(subprocess.Popen(argv, start_new_session=True, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def wait(condition):
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)


def until(folder, condition):
    """The job of a folder once the condition holds."""
    wait(lambda: condition(jobs.read(folder)))
    return jobs.read(folder)


def ended(job):
    return until(job.folder, lambda job: not job.active)


def pid_of(job):
    return json.loads((job.folder / "pid.json").read_text())["pid"]


def states(group):
    """State of each process of a group, as ps has it; Z has ended and waits to be collected."""
    listing = subprocess.run(["ps", "-eo", "pgid=,stat="], capture_output=True, text=True, check=True).stdout
    return [state[0] for number, state in map(str.split, listing.splitlines()) if int(number) == group]


def made(folder, name="20250101-000000-abcdef", status=None, pid=None, started=None):
    """A job's folder as `start` would make it, without a worker."""
    path = folder / name
    path.mkdir(parents=True)
    jobs.write_json(path / "spec.json", {"argv": ["measures"], "title": "Made", "started": started or time.time()})
    if pid is not None:
        jobs.write_json(path / "pid.json", {"pid": pid})
    if status is not None:
        (path / "status.json").write_text(status)
    return path


# --- workers ---


def test_a_sweep_runs_to_its_end_and_what_it_computed_is_in_the_store(folder, tiny_run, probe_file, probe, store):
    from analysis.checkpoints.folder import open_run
    from analysis.compute import Protocol, records
    job = jobs.start(folder, ["sweep", str(tiny_run), "--probe", str(probe_file), "--measure", "stable_rank"], "Sweep")
    assert job.title == "Sweep" and job.share == 0
    job = ended(job)
    wait(lambda: "needed work" in jobs.log_tail(job))
    assert (jobs.read(job.folder).state, jobs.read(job.folder).share) == ("done", 1.0)
    assert "3 of 3 checkpoints needed work" in jobs.log_tail(job)
    protocol = Protocol(probe, Policy.parse("last"))
    found = records(store, open_run(tiny_run), probe=protocol.probe.identity, policy=str(protocol.policy))
    assert len(found) == 3 * 4 and {record["measure"] for record in found} == {"stable_rank"}


@pytest.mark.parametrize("attempt", range(3))
def test_a_job_counts_as_active_from_its_first_moment_to_its_end(folder, attempt):
    job = jobs.start(folder, ["measures"], "Measures")
    assert job.state == "queued" and job.active
    assert jobs.start(folder, ["measures"], "The same").id == job.id
    seen = {jobs.read(job.folder).state for _ in range(300)}
    assert seen <= {"queued", "running", "done"}
    job = ended(job)
    assert job.state == "done" and job.remaining_s is None and "trajectory_curvature" in jobs.log_tail(job)


def test_a_job_that_fails_carries_the_sentence_that_says_why(folder, tmp_path):
    job = jobs.start(folder, ["sweep", str(tmp_path / "nowhere")], "Sweep")
    wait(lambda: jobs.read(job.folder).state == "failed")
    assert f"There is no run or folder {tmp_path / 'nowhere'}" in jobs.read(job.folder).message
    assert jobs.read(job.folder).message in jobs.log_tail(job)


def test_a_command_that_cannot_be_parsed_is_not_left_running(folder):
    job = jobs.start(folder, ["dance"], "Dance")
    wait(lambda: "dance" in jobs.log_tail(job))
    assert ended(job).state in ("failed", "interrupted")


def test_a_long_sweep_shows_its_progress_and_can_be_cancelled_and_started_again(folder, long_sweep):
    job = jobs.start(folder, long_sweep, "Long")
    job = until(job.folder, lambda job: job.done >= 3)
    assert job.active and job.total == 60 and job.message.startswith("long step") and job.remaining_s > 0
    assert os.sched_getscheduler(pid_of(job)) == os.SCHED_IDLE, "it takes only what nothing else wants"
    assert jobs.start(folder, long_sweep, "Long again").id == job.id
    jobs.cancel(job)
    after = jobs.read(job.folder)
    assert (after.state, after.active) == ("cancelled", False) and "cancelled" in after.message
    assert set(states(pid_of(job))) <= {"Z"}
    fingerprints = [path.name for path in (folder.parent / "results").iterdir()]
    kept = [name for name in fingerprints if Store(folder.parent).representations_of(name)]
    assert 2 <= len(kept) < 60
    again = jobs.start(folder, long_sweep, "Long")
    assert again.id != job.id
    jobs.cancel(jobs.read(again.folder))
    assert jobs.read(again.folder).state == "cancelled" and set(states(pid_of(again))) <= {"Z"}


def test_a_worker_that_is_killed_leaves_an_interrupted_job(folder, long_sweep):
    job = jobs.start(folder, long_sweep, "Long")
    job = until(job.folder, lambda job: job.total > 0)
    os.kill(pid_of(job), signal.SIGKILL)
    assert ended(job).state == "interrupted"
    assert json.loads((job.folder / "status.json").read_text())["state"] == "running"


def test_a_killed_worker_that_its_parent_never_collected_is_interrupted(folder, tmp_path, program):
    script = tmp_path / "worker"
    script.write_text(f"#!{sys.executable}\n{SLEEP}\n")
    script.chmod(0o755)
    parent = program(sys.executable, "-c", "import sys; from pathlib import Path; from analysis.jobs import job; "
                     "sys.executable = sys.argv[2]; print(job.start(Path(sys.argv[1]), ['measures'], '').id, flush=1);"
                     + SLEEP, str(folder), str(script))
    path = folder / parent.stdout.readline().strip()
    pid = json.loads((path / "pid.json").read_text())["pid"]
    os.kill(pid, signal.SIGKILL)
    wait(lambda: states(pid) == ["Z"])
    assert jobs.read(path).state == "interrupted"


def test_cancelling_ends_a_worker_that_does_not_listen_and_its_children(worker_of):
    child = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {STUBBORN!r}]); "
    job = worker_of(child + STUBBORN)
    wait(lambda: jobs.log_tail(job) == "up\nup")
    assert job.active and len(states(pid_of(job))) == 2
    jobs.cancel(job, patience_s=0.2)
    after = jobs.read(job.folder)
    assert (after.state, after.done, after.total) == ("cancelled", 1, 3)
    wait(lambda: set(states(pid_of(job))) <= {"Z"})


# --- folders ---


def test_jobs_are_listed_newest_first_and_found_by_any_process(folder):
    for name in ("20250102-000000-bbbbbb", "20241231-235959-ffffff", "20250102-000001-000000"):
        made(folder, name, '{"state": "done"}')
    (folder / "20250103-000000-halfmade").mkdir()
    assert [job.id[:15] for job in jobs.listed(folder)] == ["20250102-000001", "20250102-000000", "20241231-235959"]
    assert jobs.listed(folder / "nowhere") == []


@pytest.mark.parametrize("half", ["", "{", '{"state": "runn', '{"state": "done", "done": 3, "tot'])
def test_a_half_written_status_is_no_status_yet(folder, half):
    job = jobs.read(made(folder, status=half))
    assert (job.state, job.done, job.total, job.share, job.message) == ("queued", 0, 0, 0, "starting")


def test_a_job_without_a_worker_is_starting_for_a_while_and_then_interrupted(folder):
    assert jobs.read(made(folder, "a")).state == "queued"
    assert jobs.read(made(folder, "b", started=time.time() - 2 * jobs.STARTING_S)).state == "interrupted"


@pytest.mark.parametrize("state", ["done", "failed", "cancelled"])
def test_a_job_that_has_ended_stays_as_it_ended_though_its_process_is_gone(folder, program, state):
    gone = program("true")
    gone.wait()
    job = jobs.read(made(folder, status=json.dumps({"state": state, "done": 2, "total": 4, "message": "So."}),
                         pid=gone.pid))
    assert (job.state, job.active, job.share, job.message) == (state, False, 0.5, "So.")


@pytest.mark.parametrize("argv", [("sleep", "600"), (sys.executable, "-c", SLEEP, "analysis"),
                                  (sys.executable, "-c", SLEEP, "-m", "analysis", "sweep", "--status", "other.json")],
                         ids=["sleep", "another analysis", "another job"])
def test_a_recycled_pid_of_another_program_does_not_count_as_alive_and_is_not_killed(worker_of, program, argv):
    job = worker_of(f"print('up', flush=True); {SLEEP}")
    assert job.active
    os.kill(pid_of(job), signal.SIGKILL)
    assert ended(job).state == "interrupted"
    stranger = program(*argv)
    wait(lambda: states(stranger.pid) == ["S"])
    edit_json(job.folder / "pid.json", pid=stranger.pid)
    after = jobs.read(job.folder)
    jobs.cancel(after, patience_s=0.2)
    jobs.cancel(job, patience_s=0.2)
    assert after.state == "interrupted"
    with pytest.raises(subprocess.TimeoutExpired):
        stranger.wait(0.2)


def test_a_recycled_pid_of_another_users_program_does_not_count_as_alive(folder, program, monkeypatch):
    stranger = program("sleep", "600")

    def refuse(pid, number):
        raise PermissionError(1, "Operation not permitted")

    path = made(folder, status=RUNNING, pid=stranger.pid)
    with monkeypatch.context() as patched:
        patched.setattr(os, "kill", refuse)
        assert jobs.read(path).state == "interrupted"


def test_a_job_of_another_machine_is_judged_by_its_last_sign_and_not_killed_from_here(folder, program):
    """Its process number belongs to another process here, or to none."""
    stranger = program("sleep", "600")
    path = made(folder, status=RUNNING)
    jobs.write_json(path / "pid.json", {"pid": stranger.pid, "born": jobs._born(stranger.pid), "host": "node17"})
    job = jobs.read(path)
    assert job.active and job.elsewhere == "node17"
    jobs.cancel(job)
    assert stranger.poll() is None and jobs.read(path).active
    os.utime(path / "status.json", (time.time() - 2 * jobs.SILENT_S,) * 2)
    assert jobs.read(path).state == "interrupted"


def test_cancelling_a_job_that_has_ended_in_the_meantime_leaves_its_end(worker_of):
    job = worker_of(f"print('up', flush=True); {SLEEP}")
    os.kill(pid_of(job), signal.SIGKILL)
    assert job.active
    jobs.write_json(job.folder / "status.json", {"state": "done", "done": 3, "total": 3, "message": "done"})
    jobs.cancel(job)
    assert (jobs.read(job.folder).state, jobs.read(job.folder).done) == ("done", 3)


def test_the_end_of_a_log_is_given_whatever_bytes_are_in_it(folder):
    job = jobs.read(made(folder))
    assert jobs.log_tail(job) == ""
    (job.folder / "log").write_bytes(b"".join(b"line %d\n" % k for k in range(30)) + b"\xff half")
    assert jobs.log_tail(job, 3) == "line 28\nline 29\n\ufffd half"
    assert len(jobs.log_tail(job).splitlines()) == 12


def test_a_status_that_is_read_while_it_is_written_is_the_old_or_the_new(tmp_path):
    path, long = tmp_path / "status.json", 200_000
    code = ("import sys; from pathlib import Path; from analysis.jobs.job import write_json\n"
            f"for letter in 'xy' * 40: write_json(Path(sys.argv[1]), {{'message': letter * {long}}})")
    writer = subprocess.Popen([sys.executable, "-c", code, str(path)], cwd=jobs.PROJECT)
    while writer.poll() is None:
        assert not path.exists() or json.loads(path.read_text())["message"] in ("x" * long, "y" * long)
    assert writer.returncode == 0 and [child.name for child in tmp_path.iterdir()] == ["status.json"]
