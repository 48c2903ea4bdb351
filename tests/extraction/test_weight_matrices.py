"""Weight matrices as they are read from a checkpoint folder: which tensors, at which precision, from which files."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from analysis.checkpoints import preflight
from analysis.errors import ExplorerError
from analysis.extraction.weight_matrices import WeightMatrices
from analysis.keys import site_order
from tests.checkpoints.models import copied, edit_weights


def rounded(folder, dtype):
    edit_weights(folder, lambda t: t.update({name: tensor.to(dtype) for name, tensor in t.items()}))


def sharded(folder):
    """The weights in three files and an index, as large models are saved."""
    whole = load_file(folder / "model.safetensors")
    places = {name: f"model-0000{place % 3 + 1}-of-00003.safetensors" for place, name in enumerate(sorted(whole))}
    for file in set(places.values()):
        save_file({name: whole[name] for name in whole if places[name] == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    (folder / "model.safetensors").unlink()


@pytest.fixture
def folder(tiny_run, tmp_path):
    """A copy of the tiny run, to break."""
    return copied(tiny_run, tmp_path / "copy")


def test_every_tensor_of_two_dimensions_is_a_matrix_and_no_other(tiny_run):
    stored, found = load_file(tiny_run / "step8" / "model.safetensors"), WeightMatrices(tiny_run / "step8")
    assert list(found) == sorted((n for n, t in stored.items() if t.ndim == 2), key=site_order) and len(found) == 10
    for name, matrix in found.items():
        assert matrix.dtype == np.float64
        np.testing.assert_array_equal(matrix, stored[name].double().numpy())


def test_convolutions_whole_numbers_and_single_rows_are_left_out(folder):
    extra = {"conv": torch.ones(3, 4, 5), "attention.bias": torch.ones(4, 4, dtype=torch.uint8),
             "row": torch.ones(1, 9), "column": torch.ones(9, 1), "square": torch.ones(2, 2)}
    before = set(WeightMatrices(folder / "step0"))
    edit_weights(folder / "step0", lambda t: t.update(extra))
    assert set(WeightMatrices(folder / "step0")) - before == {"square"}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64], ids=str)
def test_other_precisions_are_read_exactly(folder, dtype):
    rounded(folder / "step0", dtype)
    expected = load_file(folder / "step0" / "model.safetensors")
    for name, matrix in WeightMatrices(folder / "step0").items():
        assert expected[name].dtype == dtype
        np.testing.assert_array_equal(matrix, expected[name].double().numpy())


def test_shards_are_read_as_one(folder):
    expected = dict(WeightMatrices(folder / "step0"))
    sharded(folder / "step0")
    found = WeightMatrices(folder / "step0")
    assert list(found) == list(expected) and len({path.name for path in found.places.values()}) == 3
    for name, matrix in found.items():
        np.testing.assert_array_equal(matrix, expected[name])


def test_a_pickle_is_never_opened_even_where_the_operator_allows_it(folder, monkeypatch):
    monkeypatch.setenv(preflight.PICKLE_VARIABLE, "1")
    (folder / "step0" / "model.safetensors").rename(folder / "step0" / "pytorch_model.bin")
    with pytest.raises(ExplorerError, match=r"as a pickle.*save_pretrained"):
        WeightMatrices(folder / "step0")


def test_a_matrix_beyond_the_memory_is_refused_before_it_is_read(folder, monkeypatch):
    monkeypatch.setenv(preflight.MEMORY_VARIABLE, "1")
    with pytest.raises(ExplorerError, match=r"the tensor .* takes about 1\.5 GB .*EXPLORER_MEMORY_GB"):
        WeightMatrices(folder / "step0")
