"""Jobs wait for their turn: as many at a time as may run, in order of their start, and no ended job holds up others."""

import json
import os
import signal
import sys
import time
from dataclasses import replace

import pytest

from analysis import compute
from analysis.__main__ import main
from analysis.checkpoints.folder import open_run
from analysis.errors import ExplorerError
from analysis.jobs import job as jobs
from analysis.jobs import queue
from analysis.keys import Policy
from analysis.registry import get
from analysis.status import Status
from tests.jobs.test_job import ended, made, pid_of, until, wait

pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")

HELD = '''#!{python}
import os, sys, time
sys.path.insert(0, os.getcwd())
from pathlib import Path
from analysis import __main__, commands
from analysis.jobs import queue
gates = Path({gates!r})
def tell(line):
    with (gates / "told").open("a") as told:
        told.write(line + chr(10))
def held(arguments, store, status):
    status.report(0, 1, "held")
    tell("begin " + arguments.run + " " + os.environ.get("CUDA_VISIBLE_DEVICES", "none"))
    while not (gates / arguments.run).exists():
        time.sleep(0.01)
    tell("end " + arguments.run)
commands.show = held
queue._cards = lambda: {cards}
queue.LOOK_S = 0.02
sys.exit(__main__.main(sys.argv[3:]))
'''


@pytest.fixture
def folder(tmp_path):
    """A jobs folder; whatever was started in it is gone after the test."""
    yield tmp_path / "cache" / "jobs"
    for path in (tmp_path / "cache" / "jobs").glob("*/pid.json"):
        if jobs._read_json(path)["pid"] != os.getpid():
            jobs.cancel(jobs.read(path.parent))
    while jobs._workers:
        jobs._workers.popitem()[1].wait()


@pytest.fixture(autouse=True)
def one_at_a_time(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv(queue.WORKERS_VARIABLE, "1")
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    _ = [signal.signal(*pair) for pair in before.items()]


class Held:
    """Jobs that take real turns, and then hold them until they are let go."""

    def __init__(self, folder, gates, monkeypatch):
        self.folder, self.gates, self.monkeypatch, self.cards = folder, gates, monkeypatch, 0
        gates.mkdir()

    def start(self, *names):
        program = self.gates / "worker"
        program.write_text(HELD.format(python=sys.executable, gates=str(self.gates), cards=self.cards))
        program.chmod(0o755)
        with self.monkeypatch.context() as patched:
            patched.setattr(sys, "executable", str(program))
            return [jobs.start(self.folder, ["show", name], name) for name in names]

    def let_go(self, name):
        (self.gates / name).touch()

    def told(self):
        path = self.gates / "told"
        return [" ".join(line.split()[:2]) for line in path.read_text().splitlines()] if path.exists() else []

    def begun(self, *chosen):
        """Once the turn of these jobs has come, they read as running."""
        wait(lambda: {f"begin {job.title}" for job in chosen} <= set(self.told()))
        assert [jobs.read(job.folder).state for job in chosen] == ["running"] * len(chosen)

    def cards_of(self):
        return {name: card for what, name, card in map(str.split, filter(
            lambda line: line.startswith("begin"), (self.gates / "told").read_text().splitlines()))}

    def waiting(self, *chosen):
        """Once these jobs have been up for some turns' worth of looking, they have not begun."""
        for job in chosen:
            until(job.folder, lambda job: "waiting" in job.message)
        time.sleep(0.2)
        assert [jobs.read(job.folder).state for job in chosen] == ["queued"] * len(chosen)
        assert not {f"begin {job.title}" for job in chosen} & set(self.told())


@pytest.fixture
def held(folder, tmp_path, monkeypatch):
    return Held(folder, tmp_path / "gates", monkeypatch)


def mine(path):
    """A job's folder whose worker is this process."""
    jobs.write_json(path / "pid.json", {"pid": os.getpid(), "born": jobs._born(os.getpid())})
    return path


# --- order ---


def test_real_sweeps_that_are_started_at_once_are_done_in_the_order_of_their_start(folder, tiny_run, probe_file):
    chosen = ("stable_rank", "rankme_covariance")
    started = [jobs.start(folder, ["sweep", str(tiny_run), "--probe", str(probe_file), "--measure", name], name)
               for name in chosen] + [jobs.start(folder, ["measures"], "measures")]
    first, second, third = map(ended, started)
    assert [job.state for job in (first, second, third)] == ["done"] * 3
    assert first.began < second.began and [first.done, second.done] == [3, 3]
    assert "3 of 3 checkpoints needed work" in jobs.log_tail(first)
    assert "weights" in jobs.log_tail(first) and "weights" not in jobs.log_tail(second)


def test_one_job_runs_at_a_time_and_the_others_read_as_queued_until_it_ends(held):
    first, second, third = held.start("a", "b", "c")
    held.begun(first)
    held.waiting(second, third)
    held.let_go("a")
    held.begun(second)
    held.waiting(third)
    held.let_go("b")
    held.let_go("c")
    assert [ended(job).state for job in (first, second, third)] == ["done"] * 3
    assert held.told() == ["begin a", "end a", "begin b", "end b", "begin c", "end c"]


def test_two_run_at_a_time_where_two_may(held, monkeypatch):
    monkeypatch.setenv(queue.WORKERS_VARIABLE, "2")
    first, second, third = held.start("a", "b", "c")
    held.begun(first, second)
    held.waiting(third)
    held.let_go("b")
    held.begun(third)
    assert jobs.read(first.folder).state == "running"
    assert sorted(held.told()[:2]) == ["begin a", "begin b"] and held.told()[2:] == ["end b", "begin c"]


def test_a_job_whose_turn_has_come_no_longer_reads_as_queued_before_it_has_anything_to_report(folder, monkeypatch):
    monkeypatch.setenv(queue.WORKERS_VARIABLE, "2")
    first, second = (mine(made(folder, name, started=time.time() + k)) for k, name in enumerate("ab"))
    said = Status(str(first / "status.json"))
    said.wait("waiting for the jobs before it")
    with queue.turn(first, said):
        assert jobs.read(first).state == "running" and "waiting" not in jobs.read(first).message
        with queue.turn(second, Status(None)) as number:
            assert number == 1


# --- ends ---


def test_killing_the_running_job_lets_the_next_begin(held):
    first, second = held.start("a", "b")
    held.begun(first)
    held.waiting(second)
    os.kill(pid_of(first), signal.SIGKILL)
    held.begun(second)
    assert ended(first).state == "interrupted" and held.told() == ["begin a", "begin b"]


@pytest.mark.parametrize(("end", "state"), [
    (jobs.cancel, "cancelled"), (lambda job: os.kill(pid_of(job), signal.SIGKILL), "interrupted")],
    ids=["cancelled", "killed"])
def test_a_waiting_job_that_ends_holds_up_nobody(held, end, state):
    first, second, third = held.start("a", "b", "c")
    held.begun(first)
    held.waiting(second, third)
    end(second)
    assert ended(second).state == state and jobs.read(third.folder).state == "queued"
    held.let_go("a")
    held.begun(third)
    assert jobs.read(second.folder).state == state and held.told() == ["begin a", "end a", "begin c"]


@pytest.mark.parametrize("state", ["done", "failed", "cancelled"])
def test_jobs_that_ended_long_ago_hold_up_nobody(folder, state):
    made(folder, "a", json.dumps({"state": state}), started=1.0)
    made(folder, "b", '{"state": "queued"}', pid=2**22 + 1, started=2.0)
    with queue.turn(mine(made(folder, "c")), Status(None)) as number:
        assert number == 0


def test_a_turn_is_free_again_after_an_error_in_it(folder):
    path = mine(made(folder))
    with pytest.raises(ZeroDivisionError), queue.turn(path, Status(None)):
        assert queue._place(path) is None
        _ = 1 / 0
    with queue.turn(path, Status(None)) as number:
        assert number == 0


# --- settings ---


@pytest.mark.parametrize("given", ["0", "-1", "x", "1.5", "²", "99999999"])
def test_a_number_of_workers_that_is_none_is_refused_with_a_sentence(folder, monkeypatch, capsys, given):
    monkeypatch.setenv(queue.WORKERS_VARIABLE, given)
    with pytest.raises(ExplorerError, match=f"^EXPLORER_WORKERS={given} is not a whole number above 0"):
        queue.workers()
    path = mine(made(folder))
    assert main(["measures", "--status", str(path / "status.json")]) == 2
    job = jobs.read(path)
    assert job.state == "failed" and job.message == f"EXPLORER_WORKERS={given} is not a whole number above 0."
    assert capsys.readouterr().err == f"error: {job.message}\n"


@pytest.mark.parametrize(("given", "cards", "workers"), [("", 0, 1), ("", 1, 1), ("", 4, 4), ("2", 4, 2), ("3", 0, 3)])
def test_as_many_run_as_there_are_cards_unless_a_number_is_given(monkeypatch, given, cards, workers):
    monkeypatch.setenv(queue.WORKERS_VARIABLE, given)
    monkeypatch.setattr(queue, "_cards", lambda: cards)
    assert queue.workers() == workers


def test_each_turn_has_a_card_of_its_own_which_the_next_gets_when_it_ends(held, monkeypatch):
    monkeypatch.delenv(queue.WORKERS_VARIABLE)
    held.cards = 2
    first, second, third = held.start("a", "b", "c")
    held.begun(first, second)
    assert sorted(held.cards_of().values()) == ["0", "1"]
    held.waiting(third)
    held.let_go("b")
    held.begun(third)
    assert held.cards_of()["c"] == held.cards_of()["b"]


@pytest.mark.parametrize(("cards", "given", "found"), [(2, "5", "5"), (2, "", ""), (0, None, None), (3, None, "0")])
def test_a_choice_of_cards_that_was_given_stays_and_without_cards_none_is_made(folder, monkeypatch, cards, given,
                                                                               found):
    monkeypatch.setattr(queue, "_cards", lambda: cards)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given or "")
    if given is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    with queue.turn(mine(made(folder)), Status(None)):
        assert os.environ.get("CUDA_VISIBLE_DEVICES") == found


# --- the list ---


def test_the_same_command_starts_again_in_the_place_of_a_job_that_ended(folder):
    old = ended(jobs.start(folder, ["measures"], "Measures"))
    new = jobs.again(folder, old)
    assert [job.id for job in jobs.listed(folder)] == [new.id] != [old.id] and not old.folder.exists()
    assert (new.argv, new.title) == (("measures",), "Measures") and ended(new).state == "done"


def test_an_ended_job_is_forgotten_and_an_active_one_is_not(folder):
    paths = made(folder, "a", '{"state": "failed"}'), mine(made(folder, "b", '{"state": "running"}'))
    for path in paths:
        jobs.forget(jobs.read(path))
    assert [job.id for job in jobs.listed(folder)] == ["b"] == [jobs.again(folder, jobs.read(paths[1])).id]


# --- the time that is left ---


def test_the_time_left_counts_only_what_was_done_since_the_turn_began(folder, monkeypatch):
    path = mine(made(folder))
    said, now = Status(str(path / "status.json")), time.time()
    for after, done in ((0, 50), (10, 60)):
        monkeypatch.setattr(time, "time", lambda after=after: now + after)
        said.report(done, 100, "so far")
    assert jobs.read(path).remaining_s == pytest.approx(40) and jobs.read(path).lasted_s == pytest.approx(10)


def test_a_resumed_sweep_takes_what_the_store_had_for_no_pace(folder, store, tiny_run, probe):
    run, protocol, path = open_run(tiny_run), compute.Protocol(probe, Policy.parse("last")), mine(made(folder))
    said, seen = Status(str(path / "status.json")), []
    compute.sweep(store, [replace(run, checkpoints=run.checkpoints[:2])], protocol, [get("stable_rank")])
    compute.sweep(store, [run], protocol, [get("stable_rank")], report=lambda *given: (
        said.report(*given), seen.append((jobs.read(path).done, jobs.read(path).remaining_s))))
    assert seen[0] == (2, None) and seen[-1][0] == 3


def test_the_pace_of_the_measures_is_not_taken_for_that_of_the_comparisons_after_them(folder, monkeypatch):
    said, now = Status(str(mine(path := made(folder)) / "status.json")), time.time()
    for after, done, total in ((0, 0, 100), (3600, 100, 100), (3600, 0, 101), (3602, 2, 101)):
        monkeypatch.setattr(time, "time", lambda after=after: now + after)
        said.report(done, total, "so far")
    left = jobs.read(path).remaining_s
    assert left is None or left == pytest.approx(99)
