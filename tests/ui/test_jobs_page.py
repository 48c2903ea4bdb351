"""The page Jobs and the sidebar: what became of each job, its text as text, and every button does what it says."""

import json
import os
import re
import shlex
import sys
import time

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from analysis.__main__ import open_store
from analysis.files import locked
from analysis.jobs import job
from tests.jobs.test_job import SLEEP, ended, folder, long_sweep, program, states, until
from tests.ui.test_checkpoints_page import press
from tests.ui.test_pages import healthy, opened

__all__ = ["folder", "long_sweep", "program"]
pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")

ARGV = ["sweep", "my run", "--measure", "stable_rank", "--set", "last_rank=9; rm -rf /"]
MINUTE, HOUR = 60, 3600
EVIL = ["[EVIL](javascript:alert(1))", "<img src=x onerror=alert(1)> EVIL", "EVIL $x$", "EVIL :material/home:",
        "**EVIL** `code`", "![EVIL](https://evil.example/x.png)", "EVIL </code></pre><script>alert(1)</script>",
        "EVIL :red[x] :red-badge[y]", "EVIL | a\n|---|\n| b", "EVIL\n\n# Heading", "# EVIL", "EVIL" + "a" * 100_000,
        "EVIL \0 \u202e \ud7ff"]


def page() -> AppTest:
    return opened("jobs")


def put(folder, number=0, *, title="Made", argv=ARGV, log="", process=None, ago=0.0, took=0.0, **status):
    """A job's folder as its worker leaves it; with a process, that is the worker. Its turn came `ago` seconds ago."""
    path = folder / f"20990101-{number:06}-abcdef"
    path.mkdir(parents=True)
    now = time.time()
    job.write_json(path / "spec.json", {"argv": argv, "title": title, "started": now - ago})
    pid = process.pid if process else 2**22 + 1
    job.write_json(path / "pid.json", {"pid": pid, "born": job._born(pid) or "0"})
    (path / "log").write_text(log)
    if status:
        times = {} if status.get("state") == "queued" else {"began": now - ago, "pace": (now - ago, 0.0)}
        job.write_json(path / "status.json", {"done": 0, "total": 1, **times, **status})
    for file in path.iterdir():
        os.utime(file, (now, now - ago + took))
    return job.read(path)


def headings(at):
    """The line of each job on the page, from the top."""
    return [text.value for text in at.main.markdown if " · began " in text.value]


def keyed(at, what, one):
    (button,) = [button for button in at.button if button.key == f"{what} {one.id}"]
    return button


def marked(at):
    """Everything that Streamlit reads as Markdown and that holds a stranger's text."""
    texts = [element.value for element in [*at.markdown, *at.caption, *at.info, *at.error, *at.warning, *at.title]]
    labels = [*(e.label for e in at.expander), *(b.label for b in at.button)]
    return [text for text in [*texts, *labels, *(bar.proto.text for bar in at.get("progress"))] if "EVIL" in text]


def drawn(text):
    """What of a Markdown text would not stand there as it was written, beside the bold title and the icon of ours."""
    own = re.sub(r"^\*\*(.*)\*\* · ", r"\1 · ", text.removeprefix(":material/check: "), flags=re.DOTALL)
    return re.findall(r"(?<!\\)[\[\]`*<>$~|]|:material/|://|\n", own) + re.findall(r"^\s*#", text)


# --- what became of it ---


def test_without_a_job_the_page_says_what_starts_one_and_what_is_stored():
    at = page()
    healthy(at)
    assert [info.value for info in at.info] == ["No job yet. The buttons of the other pages start them."]
    assert not headings(at) and not [button for button in at.button if button.label == "Cancel"]


@pytest.mark.parametrize(("state", "words", "took", "said"), [
    ("done", "done", 75, "75 s"), ("failed", "failed", 10 * MINUTE, "10 min"),
    ("cancelled", "cancelled", 2.5 * HOUR, "2.5 h"),
    ("running", "interrupted: its process ended before it was done", 40, "40 s"),
    ("queued", "interrupted: its process ended before it was done", 0, "1 s")])
def test_a_job_that_is_over_says_how_it_ended_how_long_it_took_and_why(folder, state, words, took, said):
    log = "".join(f"line {k}\n" for k in range(99))
    put(folder, ago=3 * HOUR, took=took, state=state, message="Layer 3 holds NaN.", log=log)
    at = page()
    healthy(at)
    (line,) = headings(at)
    assert line.startswith(f"**Made** · {words} · began ") and line.endswith(f", took {said}")
    assert [text.value for text in at.main.text] == ([] if state == "done" else ["Layer 3 holds NaN."])
    command, shown = [code.value for code in at.main.code]
    assert shlex.split(command) == ["python", "-m", "analysis", *ARGV]
    assert shown.splitlines()[-1] == "line 98" and len(shown.splitlines()) == 40
    buttons = [button.label for button in at.main.button if button.key != "Make room"]
    assert buttons[:2] == (["Take off the list"] if state == "done" else ["Go on", "Take off the list"])
    assert "Cancel" not in buttons and not at.get("progress")


def test_a_running_job_shows_its_share_its_message_and_the_time_that_is_left(folder, program):
    put(folder, state="running", process=program("sleep", "600"), ago=10 * MINUTE, took=10 * MINUTE, done=1, total=4,
        message="step8: block 2")
    at = page()
    healthy(at)
    assert headings(at)[0].startswith("**Made** · running · ") and headings(at)[0].endswith(", so far 10 min")
    assert {(bar.value, bar.proto.text) for bar in at.get("progress")} == {(25, "Made · about 30 min left")}
    assert "step8: block 2" in [caption.value for caption in at.main.caption]
    assert [code.value for code in at.main.code][1] == "The log is empty."
    assert [b.label for b in at.main.button if b.key.endswith("abcdef")] == ["Cancel"]


def test_a_waiting_job_says_that_it_waits_and_for_what(folder, program):
    one = put(folder, state="queued", process=program("sleep", "600"), message="waiting for the jobs before it")
    at = page()
    healthy(at)
    assert headings(at)[0].startswith("**Made** · waiting · ") and "left" not in at.get("progress")[0].proto.text
    assert "waiting for the jobs before it" in [caption.value for caption in at.main.caption]
    assert keyed(at, "cancel board", one).label == "Cancel"


def test_a_worker_that_died_before_its_first_word_does_not_go_on_counting_time(folder):
    put(folder, ago=3 * HOUR)
    assert "interrupted" in headings(page())[0] and "3.0 h" not in headings(page())[0]


def test_sixty_jobs_are_all_there_the_newest_first(folder, program):
    process = program("sleep", "600")
    for k in range(60):
        state = ("done", "failed", "cancelled", "running")[k % 4]
        put(folder, k, title=f"Job {k}", state=state, message="m", log="l\n" * 200, process=process if k > 55 else None)
    at = page()
    healthy(at)
    assert [line.split(" · ")[0] for line in headings(at)] == [f"**Job {k}**" for k in reversed(range(60))]


# --- text from strangers ---


@pytest.mark.parametrize("evil", EVIL, ids=lambda evil: ascii(evil[:24]))
def test_hostile_text_of_a_job_is_shown_as_text_on_its_page_and_in_the_sidebar(folder, program, evil):
    for k, state in enumerate(("done", "failed", "running")):
        process = program("sleep", "600") if state == "running" else None
        put(folder, k, title=evil, argv=["sweep", evil], message=evil, log=evil, state=state, process=process)
    at = page()
    healthy(at)
    assert len(headings(at)) == 3 and len(at.sidebar.expander) == len(at.sidebar.get("progress")) == 1
    commands, logs = ([code.value for code in at.main.code][start::2] for start in (0, 1))
    assert [shlex.split(command)[3:] for command in commands] == [["sweep", evil]] * 3
    assert [log.splitlines() for log in logs] == [evil.splitlines()] * 3
    assert [text.value for text in at.main.text] == [evil]
    assert {text: found for text in marked(at) if (found := drawn(text))} == {}


# --- what can be done about it ---


def test_going_on_starts_the_same_command_in_the_place_of_the_old_job(folder, tmp_path, monkeypatch):
    stand_in = tmp_path / "worker"
    stand_in.write_text(f"#!{sys.executable}\nimport sys; print(*sys.argv, sep='\\n', flush=True); {SLEEP}\n")
    stand_in.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(stand_in))
    other = put(folder, 1, title="Other", argv=["measures"], state="done", message="done")
    old = put(folder, 2, state="failed", message="The disk is full.")
    at = keyed(page(), "again", old).click().run()
    healthy(at)
    new, = (one for one in job.listed(folder) if one.id != other.id)
    assert new.id != old.id and new.active and (list(new.argv), new.title) == (ARGV, "Made")
    until(new.folder, lambda one: "--status" in job.log_tail(one))
    assert job.log_tail(new).splitlines()[1:-2] == ["-m", "analysis", *ARGV]
    assert {tuple(line.split(" · ")[:2]) for line in headings(at)} == {("**Made**", "waiting"), ("**Other**", "done")}


def test_a_job_taken_off_the_list_is_gone_and_the_others_stay(folder):
    for k in range(3):
        put(folder, k, title=f"Job {k}", state="done" if k else "failed", message="m")
    at = keyed(page(), "forget", job.listed(folder)[1]).click().run()
    healthy(at)
    assert [line.split(" · ")[0] for line in headings(at)] == ["**Job 2**", "**Job 0**"]
    assert [one.title for one in job.listed(folder)] == ["Job 2", "Job 0"]


def test_cancelling_ends_a_real_worker_in_the_middle_of_its_work(folder, long_sweep):
    one = job.start(folder, long_sweep, "Long")
    one = until(one.folder, lambda one: one.state == "running" and one.done >= 1)
    at = page()
    assert headings(at)[0].startswith("**Long** · running · ") and "long step" in at.main.caption[0].value
    at = keyed(at, "cancel board", one).click().run()
    healthy(at)
    assert headings(at)[0].startswith("**Long** · cancelled · ")
    assert [text.value for text in at.main.text] == ["cancelled; what is finished is kept"]
    group = json.loads((one.folder / "pid.json").read_text())["pid"]
    assert set(states(group)) <= {"Z"} and [b.label for b in at.main.button][:2] == ["Go on", "Take off the list"]


@pytest.mark.parametrize("where", ["measures", "overview", "checkpoints"])
def test_the_sidebar_of_another_page_shows_what_waits_and_cancels_it(folder, program, where):
    process = program("sleep", "600")
    one = put(folder, title="Waits", state="queued", process=process, message="waiting for the jobs before it")
    at = opened(where)
    healthy(at)
    assert [bar.proto.text for bar in at.sidebar.get("progress")] == ["Waits"]
    assert "waiting for the jobs before it" in [caption.value for caption in at.sidebar.caption]
    at = press(at, "Cancel")
    healthy(at)
    assert job.read(one.folder).state == "cancelled" and process.wait(5) < 0
    assert [e.label for e in at.sidebar.expander] == ["Waits: cancelled"] and not at.sidebar.get("progress")


def test_a_real_worker_waits_for_its_turn_and_the_sidebar_says_so(folder):
    handle = locked(folder / "place-0.lock")
    one = job.start(folder, ["measures"], "Second")
    until(one.folder, lambda one: one.message == "waiting for the jobs before it")
    at = opened("measures")
    assert "waiting for the jobs before it" in [caption.value for caption in at.sidebar.caption]
    assert headings(page())[0].startswith("**Second** · waiting · ")
    handle.close()
    assert ended(one).state == "done"


def test_the_job_that_runs_is_in_the_sidebar_however_many_wait_behind_it(folder, program):
    process = program("sleep", "600")
    for k in range(6):
        put(folder, k, title=f"Job {k}", state="queued" if k else "running", message="m", process=process)
    assert "Job 0" in [bar.proto.text for bar in opened("measures").sidebar.get("progress")]


# --- storage ---


def kept(root, kind, name, size, age_s):
    path = root / kind / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"0" * size)
    os.utime(path, (time.time() - age_s,) * 2)
    return path


@pytest.fixture
def rows():
    """Rows of three checkpoints, by the hours since they were read; and a measured value."""
    root = open_store().root
    kept(root, "results", "ab/cd/batch.json", 3_000_000, 9 * HOUR)
    return {hours: kept(root, "representations", f"{hours}/rows.safetensors", mb * 1_000_000, hours * HOUR)
            for hours, mb in ((2, 1), (8, 2), (5, 4))}


def test_the_storage_table_counts_the_bytes_that_are_there(rows):
    at = page()
    healthy(at)
    table = at.dataframe[0].value
    assert dict(zip(table["what"], table["size"], strict=True)) == {"representations": "7.0 MB", "results": "3.0 MB"}
    assert any(f"`{open_store().root}` takes **10.0 MB**" in text.value for text in at.markdown)


@pytest.mark.parametrize(("keep", "gone", "said"), [
    (None, [], "0.0 MB"), (0.006, [8], "2.0 MB"), (0.002, [8, 5], "6.0 MB"), (0.0, [8, 5, 2], "7.0 MB")])
def test_making_room_lets_the_rows_read_longest_ago_go_and_says_how_much(rows, keep, gone, said):
    at = page()
    if keep is not None:
        at.number_input[0].set_value(keep).run()
    at = press(at, "Make room")
    healthy(at)
    assert sorted(hours for hours, path in rows.items() if not path.exists()) == sorted(gone)
    assert (open_store().root / "results/ab/cd/batch.json").stat().st_size == 3_000_000
    assert [shown.value for shown in [*at.toast, *at.success]] == [f"{said} came free."]


def test_what_came_free_is_said_in_the_run_that_stays_on_the_screen(rows, monkeypatch):
    order = []

    def noted(name, call):
        return lambda *given, **how: (order.append(name), call(*given, **how))[1]
    for name in ("toast", "success", "rerun"):
        monkeypatch.setattr(st, name, noted(name, getattr(st, name)))
    press(page(), "Make room")
    assert order and order[-1] != "rerun", "a browser drops what was said just before the script began again"


def test_rows_that_were_just_read_stay_and_damaged_files_go(rows):
    os.utime(rows[8])
    kept(open_store().root, "damaged", "x", 5_000_000, 0)
    at = page()
    at.number_input[0].set_value(0.0).run()
    at = press(at, "Make room")
    assert rows[8].exists() and not (open_store().root / "damaged").exists()
    table = at.dataframe[0].value
    assert "damaged" not in set(table["what"])


def test_an_empty_cache_has_nothing_to_make_room_in():
    at = page()
    assert not [button for button in at.button if button.label == "Make room"] and not len(at.dataframe[0].value)
