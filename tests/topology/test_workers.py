"""Workers: the same bars as in this process, within limits, and whatever one does the others go on and none is left."""

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from analysis.errors import ExplorerError
from analysis.topology import workers
from analysis.topology.engine import normalised, persistence
from analysis.topology.workers import Refused, Task, Workers

ROOT = Path(__file__).parents[2]
PATIENCE = 20.0  # seconds until a test gives up waiting
BAD, PAIRS = 5, 10  # points of the cloud on which a hostile worker misbehaves, and their pairs
HOSTILE = """
import ctypes, os, signal, sys, time
import numpy as np
from analysis.topology import workers
real = workers.persistence
def persistence(distances, max_dim):
    if len(distances) == {pairs}:
        {does}
    return real(distances, max_dim)
workers.persistence = persistence
workers.main(*map(int, sys.argv[1:]))
"""


def cloud(n: int, seed: int = 0) -> np.ndarray:
    return normalised(np.random.default_rng(seed).standard_normal((n, 8)))[0]


def torus(n: int) -> np.ndarray:
    """The worst case for time and memory: at 900 points seconds and hundreds of megabytes."""
    a, b = np.random.default_rng(0).uniform(0, 2 * np.pi, (2, n))
    return normalised(np.column_stack([(2 + np.cos(a)) * np.cos(b), (2 + np.cos(a)) * np.sin(b), np.sin(a)]))[0]


def like(answer: tuple | Refused, task: Task) -> bool:
    """Whether an answer is what this process works out."""
    return not isinstance(answer, Refused) and all(
        np.array_equal(mine, theirs) for mine, theirs in zip(answer, persistence(*task), strict=True))


older: set[int] = set()


def children(parent: int) -> set[int]:
    """Processes that run and were started by one; of this process, since the test began."""
    found = set()
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, above = file.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(above) == parent and state != "Z":
            found.add(int(file.parent.name))
    return found - older if parent == os.getpid() else found


def until(condition) -> bool:
    end = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


@pytest.fixture
def hostile(monkeypatch):
    """Makes workers run a line of Python on the cloud of BAD points."""
    def arm(does: str) -> None:
        monkeypatch.setattr(workers, "COMMAND", (sys.executable, "-c", HOSTILE.format(pairs=PAIRS, does=does)))
    return arm


@pytest.fixture(autouse=True)
def none_is_left():
    older.clear()  # a browser or an app that other tests share may run beside
    older.update(children(os.getpid()))
    yield
    assert until(lambda: not children(os.getpid()))


def test_answers_are_those_of_this_process_in_the_order_of_the_tasks():
    tasks = [(cloud(10 + 7 * (k % 5), k), k % 3) for k in range(25)]
    with Workers(2) as both:
        answers = list(both.map(tasks))
    assert len(answers) == 25 and all(map(like, answers, tasks))


def test_after_each_cloud_it_is_reported_how_many_are_done():
    heard = []
    with Workers(2) as both:
        for number, _ in enumerate(both.map([(cloud(10), 1)] * 6, heard.append), start=1):
            assert heard == list(range(1, number + 1))


def test_tasks_are_taken_only_as_they_can_be_worked_on():
    taken = itertools.count()
    with Workers(2) as both:
        answers = both.map((cloud(10, next(taken)), 1) for _ in itertools.repeat(None))
        for _ in range(3):
            next(answers)
        answers.close()
    assert 3 <= next(taken) <= 3 + 4


def test_no_tasks_start_no_process():
    with Workers(2) as both:
        assert list(both.map([])) == [] and not children(os.getpid())


def test_workers_answer_many_maps_and_start_once():
    with Workers(1) as one:
        list(one.map([(cloud(10), 1)]))
        before = children(os.getpid())
        list(one.map([(cloud(11), 1)] * 3))
        assert children(os.getpid()) == before and len(before) == 1


def test_all_workers_are_busy_at_once(hostile, tmp_path):
    hostile(f"open('{tmp_path}/' + str(os.getpid()), 'w').close()\n        "
            f"while len(os.listdir('{tmp_path}')) < 2: time.sleep(0.01)")
    with Workers(2, seconds=PATIENCE) as both:
        answers = list(both.map([(cloud(BAD), 1)] * 2))
    assert all(like(answer, (cloud(BAD), 1)) for answer in answers), "each waits for the other"


def test_a_slow_first_cloud_does_not_keep_the_others_waiting(hostile, tmp_path):
    hostile(f"while len(os.listdir('{tmp_path}')) < 1: time.sleep(0.01)")
    later = "open"

    def tasks():
        yield cloud(BAD), 1
        yield from [(cloud(8), 1)] * 2
        (tmp_path / later).touch()

    with Workers(2, seconds=PATIENCE) as both:
        assert all(not isinstance(answer, Refused) for answer in both.map(tasks()))


MISDEEDS = {  # what a worker does on a cloud, and the words that it is refused with
    "time.sleep(1000)": "took longer than 2 s",
    "os.kill(os.getpid(), signal.SIGSTOP)": "took longer than 2 s",
    "ctypes.string_at(0)": "SIGSEGV",
    "os.abort()": "SIGABRT",
    "os._exit(3)": "exit status 3",
    "raise KeyError('x')": "exit status 1",
    "np.ones(10**12)": "needs more than 300 MB of memory",
    "os.kill(os.getpid(), signal.SIGKILL)": "was killed by the system",
    "os.write(answers, b'x' * 3000)": "gave no valid answer",
    "return [np.zeros(3), np.zeros(4)]": "gave no valid answer",
    "return [np.zeros(4)]": "gave no valid answer",
}


@pytest.fixture(scope="module")
def after_misdeeds():
    """Tasks and answers of two workers, where every second cloud makes its worker do the next of MISDEEDS."""
    does = "\n        ".join(["answers = max(map(int, os.listdir('/proc/self/fd'))) - 1",
                             *(f"if max_dim == {k}: {misdeed}" for k, misdeed in enumerate(MISDEEDS))])
    tasks = [task for k in range(len(MISDEEDS)) for task in [(cloud(BAD), k), (cloud(10 + k), 1)]]
    with pytest.MonkeyPatch.context() as patch, Workers(2, seconds=2, megabytes=300) as both:
        patch.setattr(workers, "COMMAND", (sys.executable, "-c", HOSTILE.format(pairs=PAIRS, does=does)))
        return tasks, list(both.map(tasks))


@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_a_cloud_that_ends_its_worker_is_refused_in_a_sentence(misdeed, after_misdeeds):
    which = list(MISDEEDS).index(misdeed)
    refused = after_misdeeds[1][2 * which]
    assert isinstance(refused, Refused)
    assert refused.reason.startswith(f"Persistent homology of 5 points up to H{which} ")
    assert MISDEEDS[misdeed] in refused.reason
    assert refused.reason.endswith(": take fewer points or a lower dimension.")


def test_clouds_beside_those_that_end_their_workers_are_worked_out(after_misdeeds):
    tasks, answers = after_misdeeds
    assert all(like(answer, task) for answer, task in zip(answers[1::2], tasks[1::2], strict=True))


@pytest.mark.parametrize("sent", [
    b'\x02\x00\x00\x00[]', b'\x0b\x00\x00\x00{"sizes":5}', b'\x0e\x00\x00\x00{"sizes":[-1]}', b"\xff\xff\xff\xff",
    b'\x1f\x00\x00\x00{"sizes":[99999999999999999999]}', b"\x02\x00\x00\x00\xff\xfe", b"\x04\x00\x00\x00[[[[",
])
def test_headers_that_are_none_are_told_from_answers(sent, tmp_path):
    file = tmp_path / "sent"
    file.write_bytes(sent)
    with file.open("rb") as stream, pytest.raises((ValueError, EOFError)):
        workers._receive(stream)


def test_what_a_library_prints_does_not_get_between_the_answers(hostile):
    hostile("os.write(1, b'hello' * 1000)")
    with Workers(1) as one:
        assert like(*one.map([(cloud(BAD), 1)]), (cloud(BAD), 1))


def test_a_real_cloud_that_takes_too_long_is_refused_and_its_neighbours_are_not():
    tasks = [(cloud(20), 1), (torus(1000), 1), (cloud(21), 1)]
    with Workers(2, seconds=0.5) as both:
        answers = list(both.map(tasks))
    assert isinstance(answers[1], Refused) and "1000 points up to H1 took longer than 0.5 s" in answers[1].reason
    assert like(answers[0], tasks[0]) and like(answers[2], tasks[2])


def test_a_real_cloud_that_needs_too_much_memory_is_refused_and_its_neighbours_are_not():
    tasks = [(cloud(20), 1), (torus(700), 1), (cloud(21), 1)]
    with Workers(2, megabytes=20) as both:
        answers = list(both.map(tasks))
    assert isinstance(answers[1], Refused) and "700 points up to H1 needs more than 20 MB" in answers[1].reason
    assert like(answers[0], tasks[0]) and like(answers[2], tasks[2])


def test_a_cloud_without_bars_to_work_out_is_refused_in_the_words_of_the_engine_and_keeps_its_worker():
    tasks = [(np.array([1.0, 1.0, np.nan]), 1), (cloud(400), 9), (np.empty(0), 1)]
    with Workers(1) as one:
        before = list(one.map([(cloud(10), 1)])) and children(os.getpid())
        infinite, many, single = one.map(tasks)
        assert children(os.getpid()) == before
    assert infinite == Refused("A distance is not a finite number in float32.")
    assert isinstance(many, Refused) and many.reason.startswith("H9 of 400 points") and many.reason.endswith("up.")
    assert [len(bars) for bars in single] == [0, 0]


def test_a_worker_leaves_no_core_dump_and_has_limits_of_its_own(hostile):
    hostile("import resource; return [np.array([resource.getrlimit(kind)[0] / 1e6, 0.0]) for kind in "
            "(resource.RLIMIT_CORE, resource.RLIMIT_AS)]")
    with Workers(1, megabytes=700) as one:
        ((core, space),) = one.map([(cloud(BAD), 1)])
    assert core[0, 0] == 0 and 700 < space[0, 0] < 700 + 3000


def test_a_worker_that_cannot_start_is_an_error_that_says_what_it_said(monkeypatch):
    monkeypatch.setattr(workers, "COMMAND", (sys.executable, "-c", "raise SystemExit('no engine here')"))
    with pytest.raises(ExplorerError, match="did not start: no engine here"), Workers(2) as both:
        list(both.map([(cloud(10), 1)]))


def test_leaving_the_block_kills_workers_that_are_busy_in_the_engine():
    with Workers(2) as both:
        answers = both.map([(cloud(10), 1), *[(torus(1500), 1)] * 3])
        next(answers)
    assert not children(os.getpid())


def test_an_error_of_the_consumer_kills_workers_that_are_busy_in_the_engine():
    with pytest.raises(ZeroDivisionError), Workers(2) as both:
        for _ in both.map([(cloud(10), 1), *[(torus(1500), 1)] * 3]):
            raise ZeroDivisionError
    assert not children(os.getpid())


def test_an_error_of_the_tasks_reaches_the_consumer():
    def tasks():
        yield cloud(10), 1
        raise RuntimeError("no more rows")

    with pytest.raises(RuntimeError, match="no more rows"), Workers(2) as both:
        list(both.map(tasks()))


@pytest.mark.parametrize("points", [10, 1500])
def test_workers_end_with_a_parent_that_is_killed_also_when_they_are_busy_in_the_engine(points):
    code = (f"from tests.topology.test_workers import cloud, torus, Workers\nwith Workers(2) as both:\n"
            f"    answers = both.map([(cloud(10), 1), (cloud(10), 1), *[(torus({points}), 1)] * 2])\n"
            f"    next(answers)\n    next(answers)\n    print('busy', flush=True)\n    input()")
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as parent:
        assert parent.stdout.readline() == b"busy\n"
        of_it = children(parent.pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert of_it and until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in of_it))


def test_a_worker_whose_parent_is_gone_does_not_begin():
    done = subprocess.run([*workers.COMMAND, "1", "100"], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=120)
    assert done.returncode == 0 and done.stdout == b""


def test_a_worker_loads_neither_the_front_end_of_the_engine_nor_anything_else_that_is_slow():
    code = ("import sys, numpy\nfrom analysis.topology import workers\nworkers.persistence(numpy.ones(3), 1)\n"
            "slow = {'ripser', 'sklearn', 'scipy', 'pandas', 'torch', 'analysis.store', 'analysis.jobs'}\n"
            "assert not slow & set(sys.modules), slow & set(sys.modules)")
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=120)


def test_distances_need_not_be_in_double_precision_or_in_one_piece():
    distances = pdist(np.random.default_rng(0).standard_normal((12, 3)))
    strided = np.repeat(distances, 2)[::2]
    with Workers(1) as one:
        answers = list(one.map([(distances.astype(np.float32), 1), (strided, 1)]))
    assert all(like(answer, (distances, 1)) for answer in answers)
