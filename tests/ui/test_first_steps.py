"""First steps with nothing computed: each empty or broken state names what to do. And a new measure shows."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time

import pytest

from analysis import runs as runs_module
from analysis.__main__ import PROJECT, _parser, open_store
from analysis.checkpoints.folder import open_run
from analysis.compute import Protocol
from analysis.extraction.probes import load_probe
from analysis.jobs import job
from analysis.keys import Policy
from analysis.runs import remember
from tests.checkpoints.models import copied, edit_json
from tests.test_registry import TOY
from tests.ui.test_pages import charts, healthy, opened


@pytest.fixture
def started(monkeypatch):
    """Commands that a page started; no worker runs, but each job looks as if it did."""
    calls = []

    def start(jobs, argv, title):
        calls.append(argv)
        return written(jobs, argv, title, state="running", message="block 1", done=1, total=4)
    monkeypatch.setattr(job, "start", start)
    monkeypatch.setattr(job, "_alive", lambda pid, since: True)
    return calls


@pytest.fixture
def own_run(tiny_run, tmp_path):
    """A folder of checkpoints without results that was opened before, named `mine`."""
    folder = copied(tiny_run, tmp_path / "mine")
    remember(open_store(), open_run(folder))
    return folder


def written(jobs, argv, title, **status):
    """A job's folder as a worker leaves it."""
    folder = jobs / f"20990101-00000{len(list(jobs.glob('*')))}-abcdef"
    folder.mkdir(parents=True)
    job.write_json(folder / "spec.json", {"argv": list(argv), "title": title, "started": time.time()})
    job.write_json(folder / "pid.json", {"pid": os.getpid()})
    job.write_json(folder / "status.json", {"done": 0, "total": 1, **status})
    return job.read(folder)


def offered(at):
    """The button of an empty state and the command that stands below it, taken apart by the real parser."""
    (button,) = [b for b in at.button if b.label.startswith("Compute ")]
    (command,) = [code.value for code in at.code if code.value.startswith("python -m analysis ")]
    return button, shlex.split(command)[3:]


# --- nothing computed ---


@pytest.mark.parametrize(("page", "query"), [
    ("overview", {"runs": "mine"}), ("trajectories", {"runs": "mine"}), ("spectra", {"runs": "mine"}),
    ("similarity", {"at_A": "step0"}), ("similarity", {"runs": "mine"}),
    ("trajectories", {"runs": "mine", "measure": "Spectral decay exponent α", "last_rank": "14"}),
    ("overview", {"rows": "mean"})], ids=str)
def test_an_empty_state_says_why_and_its_button_starts_what_its_command_says(own_run, started, page, query):
    at = opened(page, **query)
    healthy(at)
    assert [info.value for info in at.info if "not computed" in info.value]
    button, argv = offered(at)
    arguments = _parser().parse_args(argv)
    assert "mine" in str(argv) or "sotu-neox-seed1" in str(argv)
    assert arguments.policy == ("mean" if "rows" in query else "last")
    assert arguments.set == (["first_rank=11", "last_rank=14"] if "last_rank" in query else None)
    button.click().run()
    assert started == [argv]
    healthy(at)


def test_the_offered_command_names_a_probe_that_can_be_loaded(own_run, started, probe_file):
    edit_json(own_run / "run.json", probe=str(probe_file))
    at = opened("overview", runs="mine")
    healthy(at)
    assert at.selectbox(key="probe").value == str(probe_file)
    arguments = _parser().parse_args(offered(at)[1])
    assert load_probe(arguments.probe).identity == load_probe(probe_file).identity


@pytest.mark.parametrize(("page", "query"), [
    ("overview", {"runs": "mine"}), ("trajectories", {"runs": "mine"}), ("spectra", {"runs": "mine"}),
    ("similarity", {"at_A": "step0"})], ids=str)
def test_work_under_way_shows_its_progress_and_can_be_cancelled(own_run, started, page, query):
    at = opened(page, **query)
    offered(at)[0].click().run()
    healthy(at)
    assert [info.value for info in at.info if "Computing now" in info.value]
    assert [bar.value for bar in at.get("progress")] == [25], "the job stands in the sidebar with its share"
    assert [button.label for button in at.button if button.label == "Cancel"]
    assert not [button for button in at.button if button.label.startswith("Compute ")], "it cannot be started twice"


@pytest.mark.parametrize("state", ["failed", "interrupted"])
def test_the_last_failed_attempt_says_why_beside_the_button(own_run, started, state):
    argv = offered(opened("overview", runs="mine"))[1]
    written(open_store().root / "jobs", argv, "mine", state=state, message="the weights hold NaN in layer 3")
    at = opened("overview", runs="mine")
    assert [error.value for error in at.error] == [f"The last attempt {state}: the weights hold NaN in layer 3"]
    assert offered(at)[1] == argv


def test_a_finished_job_is_listed_and_leaves_no_progress(own_run):
    written(open_store().root / "jobs", ["sweep", "mine"], "all of mine", state="done", message="done")
    at = opened("overview")
    healthy(at)
    assert "all of mine" in " ".join(caption.value for caption in at.caption) and not at.get("progress")


# --- nothing chosen, nothing there ---


@pytest.mark.parametrize("page", ["overview", "trajectories", "spectra", "similarity"])
def test_without_a_chosen_run_the_page_says_where_to_choose_one(page):
    at = opened(page)
    at.multiselect(key="runs").set_value([]).run()
    healthy(at)
    assert [info.value for info in at.info] == ["Choose a run in the sidebar."]
    assert charts(at) == []


def test_without_any_run_the_overview_still_opens_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(runs_module, "DEMO", tmp_path / "nothing")
    at = opened("overview")
    healthy(at)
    assert "open a folder" in at.info[0].value
    assert [field.label for field in at.text_input] == ["Folder"], "the next step it names is not on the page"


@pytest.mark.parametrize(("page", "key", "value"), [("trajectories", "sites", "block 1"), ("spectra", "at", "step8")])
def test_without_a_chosen_site_or_checkpoint_a_page_takes_its_own(page, key, value):
    at, usual = opened(page, **{key: value}), charts(opened(page))[0]["data"]
    assert charts(at)[0]["data"] != usual
    at.multiselect(key=key).set_value([]).run()
    assert charts(at)[0]["data"] == usual and not at.info


# --- a person's own folder ---


def open_folder(at, path):
    at.text_input(key="folder").set_value(str(path))
    (button,) = [button for button in at.button if button.label == "Open"]
    return button.click().run()


def test_an_opened_folder_is_the_chosen_run_and_its_next_step_is_to_compute(tiny_run):
    at = open_folder(opened("overview"), tiny_run)
    healthy(at)
    assert at.success[0].value.startswith("Opened tiny: 3 checkpoint(s).")
    assert at.multiselect(key="runs").value == ["tiny"]
    assert _parser().parse_args(offered(at)[1]).run == ["tiny"]
    assert "tiny" in set(opened("overview").dataframe[0].value["run"]), "it is there for the next visitor too"


def test_an_opened_folder_brings_the_probe_that_its_run_json_names(tiny_run, tmp_path):
    folder = copied(tiny_run, tmp_path / "sums")
    edit_json(folder / "run.json", probe="numbers-mod-59")
    at = open_folder(opened("overview"), folder)
    healthy(at)
    assert at.selectbox(key="probe").value == "numbers-mod-59"
    assert _parser().parse_args(offered(at)[1]).probe == "numbers-mod-59"


def test_a_single_model_folder_opens_as_a_run_of_one(tiny_gpt2):
    at = open_folder(opened("overview"), tiny_gpt2)
    assert "1 checkpoint(s)" in at.success[0].value and at.multiselect(key="runs").value == ["gpt2"]


@pytest.mark.parametrize(("make", "words"), [
    (lambda path: None, "There is no "),
    (lambda path: path.mkdir(), "holds no checkpoint"),
    (lambda path: (path.mkdir(), (path / "config.json").write_text("{}")), "no *.safetensors"),
    (lambda path: path.write_text("a file"), "There is no ")],
    ids=["absent", "empty", "no weights", "a file"])
def test_a_folder_that_cannot_be_opened_is_a_sentence_with_its_path(tmp_path, make, words):
    make(tmp_path / "given")
    at = open_folder(opened("overview"), tmp_path / "given")
    assert not at.exception
    (error,) = [shown.value.replace("\\", "") for shown in at.error]
    assert words in error and "given" in error and "\n" not in error and error.endswith(".")
    assert "sotu-neox-seed1" in at.multiselect(key="runs").value, "the selection stays as it was"


@pytest.mark.parametrize("typed", ["", "   ", "\0", "~nobody/x", "a" * 5000])
def test_whatever_is_typed_as_a_folder_is_answered_with_a_sentence(typed):
    at = open_folder(opened("overview"), typed)
    assert not at.exception
    assert len(at.error) == 1 and not at.success


def test_a_folder_that_was_removed_is_named_and_the_rest_of_the_page_stays(own_run):
    shutil.rmtree(own_run)
    at = opened("overview")
    healthy(at)
    assert any("mine" in warning.value and str(own_run) in warning.value for warning in at.warning)
    assert charts(at)


def test_a_run_that_names_an_absent_probe_says_so_in_a_sentence(own_run):
    edit_json(own_run / "run.json", probe="no-such-probe")
    at = opened("overview", runs="mine")
    assert not at.exception
    assert "There is no probe no-such-probe" in at.error[0].value


def test_identical_checkpoints_are_warned_about_where_they_could_look_like_a_plateau(own_run, tiny_run):
    shutil.copy(tiny_run / "step0" / "model.safetensors", own_run / "step1" / "model.safetensors")
    from analysis import compute, registry
    run = open_run(own_run)
    protocol = Protocol(load_probe("numbers-mod-59"), Policy.parse("last"))
    compute.sweep(open_store(), [run], protocol, [registry.get("stable_rank")])
    at = opened("trajectories", runs="mine", probe="numbers-mod-59", measure="Stable rank")
    healthy(at)
    assert any("step0, step1 have identical weights" in warning.value for warning in at.warning)


# --- a new measure ---

SHOW = """
import json, sys
from streamlit.testing.v1 import AppTest
found = {}
for page in ("measures", "trajectories"):
    at = AppTest.from_file("ui/main.py", default_timeout=60)
    at.switch_page(f"../pages/{page}.py")
    at.query_params["runs"] = "sotu-neox-seed1"
    at.query_params["measure"] = "Rows"
    at.run()
    found[page] = {"exceptions": [e.value for e in at.exception], "text": [m.value for m in at.markdown],
                   "chosen": [s.value for s in at.selectbox if s.key == "measure"],
                   "buttons": [b.label for b in at.button]}
print(json.dumps(found))
"""


def test_a_measure_added_as_one_file_is_on_the_measures_and_trajectories_pages(tmp_path):
    copy = tmp_path / "project"
    for folder in ("analysis", "ui", "pages", ".streamlit"):
        shutil.copytree(PROJECT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "app.py", copy)
    (copy / "demo").symlink_to(PROJECT / "demo")
    (copy / "analysis" / "measures" / "toy.py").write_text(TOY.format(name="toy_count"))
    done = subprocess.run([sys.executable, "-c", SHOW], cwd=copy, capture_output=True, text=True, timeout=120,
                          env=os.environ | {"PYTHONPATH": str(copy)})
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert [page["exceptions"] for page in found.values()] == [[], []]
    assert any("`toy_count`" in text for text in found["measures"]["text"])
    assert found["trajectories"]["chosen"] == ["toy_count"]
    assert "Compute Rows" in found["trajectories"]["buttons"], "nothing is computed for it yet, and that is offered"
