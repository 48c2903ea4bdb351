"""What a run on the Hub holds, from its settings and headers: the verdict of the files, without fetching them."""

import json
import shutil
import tempfile
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from analysis.__main__ import main
from analysis.checkpoints import glance
from analysis.checkpoints.headers import LONGEST_HEADER
from analysis.checkpoints.preflight import examine, headers
from analysis.errors import ExplorerError
from analysis.keys import Checkpoint
from analysis.runs import open_on_hub, remember
from tests.checkpoints.models import save
from tests.hub.server import Repository, commit

PART = "model-00001-of-00002.safetensors"


def served(hub, folder, name="lab/other"):
    """A repository of one folder, and the checkpoint that a run on the Hub has of it."""
    hub.repositories[name] = Repository(branches={"main": folder})
    return Checkpoint("other", "main", None, None, f"hub:{name}@{commit('main')}", "0" * 64)


def sharded(folder):
    """The weights of a folder in two files with an index."""
    weights = load_file(folder / "model.safetensors")
    names = sorted(weights)
    parts = {PART: names[::2], PART.replace("00001-", "00002-"): names[1::2]}
    for part, held in parts.items():
        save_file({name: weights[name] for name in held}, folder / part)
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps(
        {"weight_map": {name: part for part, held in parts.items() for name in held}}))
    return folder


@pytest.fixture
def own(tmp_path):
    folder = save("neox", tmp_path / "own", seed=0)
    (folder / "generation_config.json").unlink()  # it is never fetched
    return folder


@pytest.mark.parametrize("ranges", [True, False])
def test_the_report_is_that_of_the_files_themselves(hub, own, ranges):
    hub.ranges = ranges
    found, local = glance.report(served(hub, own)), examine(own)
    assert found == replace(local, folder=found.folder)
    assert found.folder == f"hub:lab/other@{commit('main')}" and not found.refusals


def test_the_report_of_shards_is_that_of_the_files_themselves(hub, own):
    found = glance.report(served(hub, sharded(own)))
    assert found == replace(examine(own), folder=found.folder) and len(found.files) == 6 and not found.refusals


def test_the_tensors_are_those_of_the_files(hub, own):
    assert glance.tensors(served(hub, own)) == headers(own)


def test_weights_and_tokenizer_are_not_fetched(hub, own):
    weights = load_file(own / "model.safetensors")
    save_file(weights | {"other.weight": np.zeros((1000, 5000), np.float32)}, own / "model.safetensors")
    report = glance.report(served(hub, own))
    assert dict(report.files)["model.safetensors"] > 20e6 and report.parameters > 5e6
    assert hub.sent < 150_000 and not [name for name in hub.downloaded() if "tokenizer" in name]


def test_a_header_longer_than_the_first_look_is_read_to_its_end(hub, own):
    weights = load_file(own / "model.safetensors")
    many = {f"other.weight.{number:04}{'x' * 200}": np.zeros(2, np.float32) for number in range(1000)}
    save_file(weights | many, own / "model.safetensors")
    assert len(glance.tensors(served(hub, own))) == len(weights) + 1000


@pytest.mark.parametrize("length, words", [(2**40, "claims"), (LONGEST_HEADER + 1, "claims"), (7, "JSON")])
def test_a_header_that_lies_is_refused_in_the_same_words(hub, own, length, words):
    weights = own / "model.safetensors"
    weights.write_bytes(length.to_bytes(8, "little") + weights.read_bytes()[8:])
    [reason] = glance.report(served(hub, own)).refusals
    assert words in reason and reason.startswith("lab/other@") and tempfile.gettempdir() not in reason
    with pytest.raises(ExplorerError):
        glance.tensors(served(hub, own))


def test_an_endless_header_is_read_no_further_than_the_longest(hub, own):
    weights = own / "model.safetensors"
    weights.write_bytes((LONGEST_HEADER + 1).to_bytes(8, "little") + bytes(LONGEST_HEADER + 1000))
    assert "is the most" in glance.report(served(hub, own)).refusals[0]
    assert hub.sent < LONGEST_HEADER + 200_000


def test_an_empty_file_of_weights_is_refused(hub, own):
    (own / "model.safetensors").write_bytes(b"")
    assert "0 bytes" in glance.report(served(hub, own)).refusals[0]


def test_settings_that_disagree_or_run_code_are_refused_before_any_download(hub, own):
    config = json.loads((own / "config.json").read_text())
    (own / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "evil.Model"}}))
    assert any("auto_map" in reason for reason in glance.report(served(hub, own)).refusals)
    (own / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3000}))
    assert any("blocks" in reason for reason in glance.report(served(hub, own)).refusals)


def test_settings_too_large_to_be_settings_are_not_fetched(hub, own, monkeypatch):
    monkeypatch.setattr(glance, "LARGEST_SETTINGS", 10)
    assert glance.report(served(hub, own)).refusals
    assert "config.json" not in " ".join(hub.downloaded())


def test_nothing_stays_on_disk(hub, own, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    glance.report(served(hub, own))
    hub.damage.add("config.json")
    with pytest.raises(ExplorerError, match="arrived damaged"):
        glance.report(served(hub, own))
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_gated_repository_says_how_to_get_in(hub, own):
    checkpoint = served(hub, own)
    hub.repositories["lab/other"].gated = True
    with pytest.raises(ExplorerError, match="HF_TOKEN"):
        glance.report(checkpoint)


# --- the command ---


def test_the_command_judges_every_revision_of_a_run_on_the_hub(hub, store, capsys, monkeypatch):
    monkeypatch.setenv("EXPLORER_CACHE", str(store.root))
    remember(store, open_on_hub(store, "lab/tiny", "0..2", "tiny"))
    assert main(["preflight", "tiny", "--json"]) == 0
    reports = json.loads(capsys.readouterr().out)["checkpoints"]
    assert [report["fit_to_load"] for report in reports] == [True] * 3
    assert main(["preflight", "tiny"]) == 0
    assert capsys.readouterr().out.count("fit to load") == 3
    assert not [name for name in hub.downloaded() if "tokenizer" in name]


def test_the_command_names_a_revision_that_is_not_fit(hub, store, capsys, monkeypatch, step_folders, tmp_path):
    monkeypatch.setenv("EXPLORER_CACHE", str(store.root))
    shutil.copytree(step_folders / "step1", tmp_path / "short")
    weights = tmp_path / "short" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    hub.repositories["lab/mixed"] = Repository(branches={"step0": step_folders / "step0", "step1": tmp_path / "short"})
    remember(store, open_on_hub(store, "lab/mixed", "all", "mixed"))
    assert main(["preflight", "mixed"]) == 2
    told = capsys.readouterr()
    assert "1 of 2 checkpoints are not fit" in told.err and "lab/mixed@" in told.out and "damaged" in told.out


def test_the_command_judges_rows_without_a_model(store, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("EXPLORER_CACHE", str(store.root))
    np.savez(tmp_path / "rows.npz", v1=np.eye(8, 4), it=np.eye(8, 6))
    assert main(["preflight", str(tmp_path / "rows.npz")]) == 0
    assert "8 rows at 2 sites of width 6" in capsys.readouterr().out
