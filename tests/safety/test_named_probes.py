"""A run may name its probe in run.json; a stranger's upload may not make the server read a file of its own that way."""

import json

import pytest

from analysis.checkpoints.folder import open_run
from analysis.checkpoints.upload import finish, take
from analysis.errors import ExplorerError


@pytest.fixture
def root(tmp_path):
    return tmp_path / "cache" / "uploads"


def uploaded(root, probe):
    files = {"config.json": b"{}", "model.safetensors": b"x", "run.json": json.dumps({"probe": probe}).encode()}
    return open_run(finish(root, take(root, list(files.items()), "me")))


@pytest.mark.parametrize("probe", ["/etc/hostname", "../../../../etc/hostname", "/etc/passwd.txt", "a/../../b.jsonl",
                                   "secrets.csv"])
def test_an_upload_cannot_name_a_file_of_the_server_as_its_probe(root, probe):
    with pytest.raises(ExplorerError, match="not part of the upload"):
        uploaded(root, probe)


def test_an_upload_may_name_a_built_in_probe(root):
    assert uploaded(root, "numbers-mod-59").default_probe == "numbers-mod-59"


def test_below_named_roots_a_run_names_probes_below_them_only(tiny_run, probe_file, tmp_path, monkeypatch):
    from tests.checkpoints.models import copied, edit_json
    folder = copied(tiny_run, tmp_path / "open" / "run")
    edit_json(folder / "run.json", probe=str(probe_file))
    assert open_run(folder).default_probe == str(probe_file)
    monkeypatch.setenv("EXPLORER_ROOTS", str(tmp_path / "open"))
    with pytest.raises(ExplorerError, match="outside the folders"):
        open_run(folder)
