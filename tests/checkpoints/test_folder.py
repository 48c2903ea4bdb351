"""Runs from local folders: what opens, in which order, and what is said of folders that do not."""

import json
import os

import pytest

from analysis.checkpoints.folder import fingerprint, open_run
from analysis.errors import ExplorerError
from tests.checkpoints.models import copied


def checkpoint(folder, weights=b"weights"):
    """The least that a folder must hold to be listed; nothing in the module under test reads a weight."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(weights + folder.name.encode())
    return folder


def run_of(folder, *names):
    for name in names:
        checkpoint(folder / name)
    return folder


def test_steps_are_in_order_of_training_and_not_of_the_alphabet(tmp_path):
    run = open_run(run_of(tmp_path / "run", "step10", "step9", "step0", "step100"))
    assert [c.revision for c in run.checkpoints] == ["step0", "step9", "step10", "step100"]
    assert [c.step for c in run.checkpoints] == [0, 9, 10, 100]
    assert run.name == "run" and {c.run for c in run.checkpoints} == {"run"}


def test_a_folder_without_a_step_comes_last(tmp_path):
    run = open_run(run_of(tmp_path / "run", "main", "step5", "best"))
    assert [(c.revision, c.step) for c in run.checkpoints] == [("step5", 5), ("best", None), ("main", None)]


def test_the_tiny_run_has_steps_tokens_and_a_log(tiny_run):
    run = open_run(tiny_run)
    assert [(c.step, c.tokens) for c in run.checkpoints] == [(0, 0), (1, 1000), (8, 8000)]
    assert len({c.fingerprint for c in run.checkpoints}) == 3 and run.duplicates == []
    assert run.log[0] == {"step": 1.0, "tokens": 1000.0, "loss": 4.9} and len(run.log) == 4


def test_tokens_per_step_wins_over_the_rounded_label(tmp_path):
    folder = run_of(tmp_path / "run", "step1000-tokens4B")
    assert open_run(folder).checkpoints[0].tokens == 4 * 10**9
    (folder / "run.json").write_text(json.dumps({"tokens_per_step": 4_423_680}))
    assert open_run(folder).checkpoints[0].tokens == 4_423_680_000


def test_tokens_are_unknown_when_nothing_tells_them(tmp_path):
    assert open_run(run_of(tmp_path / "run", "step7")).checkpoints[0].tokens is None


def test_a_model_folder_is_a_run_of_one(tmp_path):
    run = open_run(checkpoint(tmp_path / "my-model"))
    assert [(c.revision, c.step, c.path) for c in run.checkpoints] == [("my-model", None, str(tmp_path / "my-model"))]


def test_files_beside_the_steps_do_not_disturb(tmp_path):
    folder = run_of(tmp_path / "run", "step0")
    (folder / "README.md").write_text("read me")
    (folder / "tensorboard").mkdir()
    assert len(open_run(folder).checkpoints) == 1


def test_a_name_can_be_given(tiny_run):
    run = open_run(tiny_run, "mine")
    assert run.name == "mine" and {c.run for c in run.checkpoints} == {"mine"}


# --- what does not open ---


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ExplorerError, match=r"no folder .*nowhere"):
        open_run(tmp_path / "nowhere")


def test_a_file_is_not_a_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ExplorerError, match=r"no folder .*file"):
        open_run(tmp_path / "file")


def test_an_empty_folder_says_that_nothing_is_there(tmp_path):
    with pytest.raises(ExplorerError, match=r"no checkpoint: found nothing; wanted config\.json"):
        open_run(tmp_path)


def test_a_folder_of_other_things_says_what_it_found(tmp_path):
    (tmp_path / "holiday.jpg").write_text("")
    with pytest.raises(ExplorerError, match=r"found holiday\.jpg"):
        open_run(tmp_path)


def test_a_checkpoint_without_safetensors_is_refused_by_name(tmp_path):
    folder = run_of(tmp_path / "run", "step0", "step1")
    (folder / "step1" / "model.safetensors").rename(folder / "step1" / "pytorch_model.bin")
    with pytest.raises(ExplorerError, match=r"step1 has no \*\.safetensors file"):
        open_run(folder)


@pytest.mark.parametrize("content", ["{", "[]", "3", '{"tokens_per_step": "many"}',
                                     '{"tokens_per_step": 1.5}', '{"probe": 5}', '{"watch": {}}'])
def test_a_bad_run_json_is_named(tmp_path, content):
    folder = run_of(tmp_path / "run", "step0")
    (folder / "run.json").write_text(content)
    with pytest.raises(ExplorerError, match=r"run\.json"):
        open_run(folder)


@pytest.mark.parametrize("content", ["step,loss\n1,high\n", "step,loss\n1\n", "step,loss\n1,2,3\n", "step,loss\n1,\n",
                                     "loss,rate\n4.5,0.1\n"],
                         ids=["a word", "a value short", "a value too many", "a blank", "no steps"])
def test_a_bad_log_is_named(tmp_path, content):
    folder = run_of(tmp_path / "run", "step0")
    (folder / "log.csv").write_text(content)
    with pytest.raises(ExplorerError, match=r"log\.csv"):
        open_run(folder)


# --- fingerprints ---


def test_identical_copies_have_one_fingerprint_wherever_they_are(tiny_run, tmp_path):
    copy = copied(tiny_run / "step0", tmp_path / "elsewhere" / "other-name")
    assert fingerprint(copy) == fingerprint(tiny_run / "step0")


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"])
def test_one_changed_byte_changes_the_fingerprint(tiny_run, tmp_path, name):
    copy = copied(tiny_run / "step0", tmp_path / "copy")
    content = bytearray((copy / name).read_bytes())
    content[-2] ^= 1
    (copy / name).write_bytes(content)
    assert fingerprint(copy) != fingerprint(tiny_run / "step0")


def test_weights_replaced_in_place_are_noticed(tmp_path):
    folder = checkpoint(tmp_path / "model", b"aaaa")
    before = fingerprint(folder)
    path = folder / "model.safetensors"
    later = path.stat().st_mtime_ns + 10**9
    path.write_bytes(path.read_bytes().replace(b"aaaa", b"aaab"))
    os.utime(path, ns=(later, later))
    assert fingerprint(folder) != before


def test_a_file_that_no_forward_pass_reads_leaves_the_fingerprint_alone(tiny_run, tmp_path):
    copy = copied(tiny_run / "step0", tmp_path / "copy")
    (copy / "README.md").write_text("a model card")
    assert fingerprint(copy) == fingerprint(tiny_run / "step0")


def test_steps_with_the_same_weights_are_flagged(tiny_run, tmp_path):
    for name, source in (("step0", "step0"), ("step1000", "step8"), ("step2000", "step8"), ("step3000", "step1")):
        copied(tiny_run / source, tmp_path / "run" / name)
    assert open_run(tmp_path / "run").duplicates == [["step1000", "step2000"]]


# --- roots that the operator names ---


@pytest.fixture
def roots(tmp_path, monkeypatch):
    """An allowed and a forbidden folder, each with one run in it."""
    run_of(tmp_path / "open" / "run", "step0")
    run_of(tmp_path / "closed" / "run", "step0")
    monkeypatch.setenv("EXPLORER_ROOTS", str(tmp_path / "open"))
    return tmp_path


def test_a_folder_below_a_root_opens(roots):
    assert open_run(roots / "open" / "run").checkpoints[0].step == 0


@pytest.mark.parametrize("path", ["closed/run", "open/../closed/run", "."])
def test_a_folder_outside_the_roots_does_not_open(roots, path):
    with pytest.raises(ExplorerError, match="outside the folders the operator opened"):
        open_run(roots / path)


def test_a_folder_whose_name_only_begins_like_a_root_does_not_open(roots):
    run_of(roots / "open-not" / "run", "step0")
    with pytest.raises(ExplorerError, match="outside"):
        open_run(roots / "open-not" / "run")


def test_a_link_out_of_the_roots_does_not_open(roots):
    (roots / "open" / "link").symlink_to(roots / "closed" / "run")
    with pytest.raises(ExplorerError, match="outside"):
        open_run(roots / "open" / "link")


def test_a_step_that_links_out_of_the_roots_does_not_open(roots):
    (roots / "open" / "run" / "step1").symlink_to(roots / "closed" / "run" / "step0")
    with pytest.raises(ExplorerError, match="outside"):
        open_run(roots / "open" / "run")


def test_several_roots_can_be_named(roots, monkeypatch):
    monkeypatch.setenv("EXPLORER_ROOTS", os.pathsep.join([str(roots / "open"), str(roots / "closed")]))
    assert open_run(roots / "closed" / "run").checkpoints[0].step == 0
