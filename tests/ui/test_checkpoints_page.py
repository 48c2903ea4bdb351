"""The checkpoints page: each way in, what it says before anything is loaded, and every way to be refused."""

import socket
import time
from types import SimpleNamespace

import pytest
import streamlit as st
from huggingface_hub.utils import _http
from safetensors.numpy import load_file

from analysis.__main__ import open_store
from analysis.checkpoints.folder import open_run
from analysis.runs import DEMO, find_run, remember
from tests.checkpoints.models import copied
from tests.hub import conftest as hubs
from tests.hub.server import Repository, commit
from tests.ui.test_pages import MODULAR, charts, healthy, opened
from ui import hub_opener

hub, step_folders = hubs.hub, hubs.step_folders
STEPS = [f"step{step}" for step in hubs.STEPS]
TABS = ("Hub", "Folder", "Upload", "Stages", "Probe")
OPEN = "Open these revisions"


@pytest.fixture(autouse=True)
def nothing_remembered():
    st.cache_data.clear()


def page(**query):
    return opened("checkpoints", **query)


def tab(at, name):
    return at.tabs[TABS.index(name)]


def press(at, label):
    (button,) = [button for button in at.button if button.label == label]
    return button.click().run()


def chosen(at):
    """Names of the revisions that the caption of the Hub tab lists, up to eight."""
    (caption,) = [caption.value for caption in tab(at, "Hub").caption if " revisions: " in caption.value]
    return caption.split(": ")[1].removesuffix(" ...").split(", ")


def listed(at):
    """What the table at the end of the page holds, by the name of the run."""
    table = at.dataframe[-1].value
    return dict(zip(table["run"], table["checkpoints"], strict=True))


def refused(at, where, *words):
    """One sentence in the tab where the person looks, and the rest of the page still stands below."""
    assert not at.exception, at.exception[0].value
    assert [error.value for error in at.error] == [error.value for error in tab(at, where).error]
    assert len(at.error) == 1, "it was not refused"
    sentence = at.error[0].value
    assert "\n" not in sentence and sentence.endswith(".")
    for word in words:
        assert word in sentence, sentence
    assert MODULAR in listed(at)


def opened_here(at, where, run, checkpoints):
    """The run is the chosen one, and it says so in the tab where the person looks."""
    healthy(at)
    assert at.session_state.runs == [run] and listed(at)[run] == checkpoints
    assert [said.value[:len(run) + 7] for said in tab(at, where).success] == [f"Opened {run}"]


# --- the Hub ---


def test_a_repository_is_listed_on_its_axis_with_nothing_downloaded(hub):
    at = page(repo="lab/tiny")
    healthy(at)
    assert chosen(at) == STEPS[:8] and "9 of 10 revisions" in " ".join(c.value for c in at.caption)
    assert len(charts(at)) == 1 and at.query_params["repo"] in ("lab/tiny", ["lab/tiny"])
    assert hub.downloaded() == []


@pytest.mark.parametrize(("way", "set_to", "expected"), [
    ("log", lambda at: at.slider[0].set_value(3), ["step0", "step16", "step3000"]),
    ("every", lambda at: at.number_input[0].set_value(4), ["step0", "step8", "step3000"]),
    ("range", lambda at: at.select_slider[0].set_value((2, 1000)), ["step2", "step4", "step8", "step16", "step1000"]),
    ("names", lambda at: at.multiselect[0].set_value(["step4", "main"]), ["step4", "main"]),
    ("all", lambda at: at, STEPS[:8])])
def test_each_picker_chooses_what_its_words_say(hub, way, set_to, expected):
    at = page(repo="lab/tiny")
    at.button_group(key="take").set_value(way).run()
    set_to(at).run()
    healthy(at)
    assert chosen(at) == expected


def test_what_would_be_downloaded_is_said_in_bytes_and_identical_files_count_once(hub, step_folders):
    at = page(repo="lab/tiny")
    sizes = [sum((step_folders / step / name).stat().st_size for name in (
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")) for step in STEPS[:-1]]
    text = " ".join(m.value for m in tab(at, "Hub").markdown)
    assert f"{sum(sizes) / 1e6:.1f} MB to download, {max(sizes) / 1e6:.1f} MB at a time" in text
    assert [w.value.split(" have ")[0] for w in tab(at, "Hub").warning] == ["step2000, step3000"]


def test_sizes_of_many_revisions_are_asked_for_only_when_somebody_wants_them(hub, monkeypatch):
    monkeypatch.setattr(hub_opener, "SIZED_AT_ONCE", 3)
    at = page(repo="lab/tiny")
    assert not [path for _, path, _ in hub.requests if "/tree/" in path]
    press(at, "Show what 9 revisions would download")
    healthy(at)
    assert "to download" in " ".join(m.value for m in tab(at, "Hub").markdown)


def test_opened_revisions_are_the_chosen_run_here_and_for_the_next_visitor(hub):
    at = page(repo="https://huggingface.co/lab/tiny/")
    at.button_group(key="take").set_value("range").run()
    at.select_slider[0].set_value((2, 8)).run()
    press(at, OPEN)
    opened_here(at, "Hub", "tiny", 3)
    run = find_run(open_store(), "tiny")
    assert [c.path for c in run.checkpoints] == [f"hub:lab/tiny@{commit(f'step{step}')}" for step in (2, 4, 8)]
    assert hub.downloaded() == [] and listed(page())["tiny"] == 3


@pytest.mark.parametrize("way", ["log", "every", "range", "names", "all"])
@pytest.mark.parametrize("names", [("main",), ("step8",), ("step8", "global_step8", "main")], ids=str)
def test_a_repository_with_few_steps_gives_revisions_or_a_sentence(hub, step_folders, names, way):
    hub.repositories["lab/few"] = Repository(branches=dict.fromkeys(names, step_folders / "step8"))
    at = page(repo="lab/few")
    healthy(at)
    at.button_group(key="take").set_value(way).run()
    assert not at.exception, at.exception[0].value
    assert at.error or set(chosen(at)) <= set(names)


@pytest.mark.parametrize(("repo", "words"), [
    ("lab/nothing", "no repository lab/nothing"), ("lab/gated", "HF_TOKEN"), ("../../etc", "not the id"),
    ("a b c", "not the id"), ("x" * 5000, "not the id"), ("lab/old", "no model.safetensors but pytorch_model.bin")])
def test_a_repository_that_cannot_be_opened_is_a_sentence(hub, tmp_path, repo, words):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "pytorch_model.bin").write_bytes(b"")
    hub.repositories["lab/old"] = Repository(branches={"step1": tmp_path / "old"})
    refused(page(repo=repo), "Hub", words)


def test_offline_and_without_a_network_the_page_says_so(hub, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")
    refused(page(repo="lab/tiny"), "Hub", "Check the network")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    refused(page(repo="lab/tiny"), "Hub", "HF_HUB_OFFLINE is set")


def test_a_repository_that_answers_again_is_not_held_to_its_first_failure(hub):
    refused(page(repo="lab/late"), "Hub")
    hub.repositories["lab/late"] = hub.repositories["lab/tiny"]
    at = page(repo="lab/late")
    healthy(at)
    assert len(chosen(at)) == 8


# --- stages and folders ---


def stages(*lines, name="after"):
    at = page()
    at.text_input(key="stages_name").set_value(name)
    at.text_area(key="stages").set_value("\n".join(lines))
    return press(at, "Open as one run")


def test_models_become_the_named_stages_of_one_run(hub, tiny_gpt2, tiny_llama):
    at = stages(f"base = {tiny_gpt2}", "", f"  SFT={tiny_llama}", "DPO = hub:lab/tiny@step8")
    opened_here(at, "Stages", "after", 3)
    run = find_run(open_store(), "after")
    assert [(c.revision, c.path) for c in run.checkpoints] == [
        ("base", str(tiny_gpt2)), ("SFT", str(tiny_llama)), ("DPO", f"hub:lab/tiny@{commit('step8')}")]


@pytest.mark.parametrize(("lines", "words"), [
    ([], "NAME = SOURCE"), (["base = {one}"], "two lines"), (["base = {one}", "{one}"], "NAME = SOURCE"),
    (["base = {one}", "= {one}"], "NAME = SOURCE"), (["base = {one}", "SFT ="], "NAME = SOURCE"),
    (["base = {one}", "SFT = {many}"], "holds 3 checkpoints"), (["base = {one}", "SFT = /nowhere"], "/nowhere"),
    (["base = {one}", "SFT = hub:../x"], "not the id"), (["base = {one}", "SFT = hub:lab/none"], "no repository"),
    (["base = {one}", "SFT = hub:lab/tiny@step7"], "step7"), (["base = {one}", "SFT = \0"], "folder"),
    (["base = {one}", "SFT = ~nobody/x"], "~nobody/x"), (["base = {one}", "SFT = " + "a" * 5000], "a"),
    (["base = {one}", "base = {two}"], "base")], ids=lambda value: str(value)[-40:])
def test_lines_that_name_no_stages_are_answered_with_a_sentence(hub, tiny_models, tiny_run, lines, words):
    known = {"one": tiny_models["gpt2"], "two": tiny_models["llama"], "many": tiny_run}
    refused(stages(*(line.format(**known) for line in lines)), "Stages", words)
    assert open_store().remembered_runs() == {}


def test_a_folder_opens_and_the_preflight_below_is_of_it(tiny_run):
    at = page()
    at.text_input(key="folder").set_value(str(tiny_run))
    press(at, "Open")
    opened_here(at, "Folder", "tiny", 3)
    assert at.selectbox(key="preflight").value == "tiny"


# --- preflight ---


def test_the_preflight_of_a_bundled_run_counts_what_is_in_its_files():
    at = page(preflight=MODULAR)
    healthy(at)
    table = at.dataframe[0].value
    folders = [DEMO / MODULAR / name for name in table["checkpoint"]]
    assert len(folders) > 5 and "All" in at.success[0].value and str(len(folders)) in at.success[0].value
    for folder, parameters, size in zip(folders, table["parameters"], table["MB"], strict=True):
        assert parameters == sum(a.size for path in folder.glob("*.safetensors") for a in load_file(path).values())
        assert size == pytest.approx(sum(path.stat().st_size for path in folder.iterdir()) / 1e6)
    assert not [button for button in at.button if button.label.startswith("Take this run")], "the demo stays"


def test_a_checkpoint_that_is_not_fit_is_counted_and_its_reason_named(tiny_run, tmp_path):
    folder = copied(tiny_run, tmp_path / "broken")
    weights = folder / "step1" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    remember(open_store(), open_run(folder))
    at = page(preflight="broken")
    assert not at.exception
    assert [error.value for error in at.error] == ["1 of 3 checkpoints are not fit to load, for the reasons below."]
    assert list(at.dataframe[0].value["verdict"]) == ["fit to load", "refused", "fit to load"]
    assert ["model.safetensors" in text.value for text in at.text] == [True]


def test_a_run_on_the_hub_is_not_called_fit_before_it_was_looked_at(hub):
    at = press(page(repo="lab/tiny"), OPEN)
    at.selectbox(key="preflight").set_value("tiny").run()
    healthy(at)
    assert ["step2000, step3000 have identical weights" in w.value for w in at.warning][-1]
    assert not [table for table in at.dataframe if "verdict" in table.value]
    assert not [said.value for said in at.success if "fit to load" in said.value]


def test_the_headers_of_a_run_on_the_hub_are_looked_at_on_demand(hub):
    at = press(page(repo="lab/tiny"), OPEN)
    at.selectbox(key="preflight").set_value("tiny").run()
    press(at, "Look at the headers")
    healthy(at)
    assert [said.value for said in at.success if "fit to load" in said.value] == ["All 9 checkpoints are fit to load."]
    assert set(at.dataframe[0].value["blocks"]) == {2} and all(at.dataframe[0].value["parameters"] > 1000)
    asked = len(hub.requests)
    at.selectbox(key="tensors_of").set_value("step16").run()
    assert at.dataframe[1].value["values"].sum() == at.dataframe[0].value["parameters"][0]
    at.selectbox(key="tensors_of").set_value("step16").run()
    assert len(hub.requests) < asked + 12 and not [r for r in hub.requests if "tokenizer.json" in r]


def test_a_hub_that_is_gone_when_headers_are_asked_for_is_a_sentence(hub, monkeypatch):
    at = press(page(repo="lab/tiny"), OPEN)
    at.selectbox(key="preflight").set_value("tiny").run()
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    waits = []
    monkeypatch.setattr(_http, "time", SimpleNamespace(**vars(time) | {"sleep": waits.append}))  # between its attempts
    press(at, "Look at the headers")
    assert not at.exception and ["Check the network" in said.value for said in at.error] == [True]
    assert waits, "it asked more than once"


def test_a_run_taken_off_the_list_is_gone_and_its_folder_stays(tiny_run):
    remember(open_store(), open_run(tiny_run))
    at = press(page(preflight="tiny"), "Take this run off the list")
    healthy(at)
    assert "tiny" not in listed(at) and "tiny" not in listed(page()) and (tiny_run / "step8").is_dir()
    assert at.selectbox(key="preflight").value in listed(at)
