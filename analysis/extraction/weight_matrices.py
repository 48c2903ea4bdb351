"""Reads the weight matrices of a checkpoint folder, one at a time, after the checks that come before any load.

A matrix is a floating-point tensor of two dimensions with both sides above 1, under its name in the file. Convolutions
and fused experts (more dimensions), biases and norms (one) are left out. Only safetensors are read, never a pickle.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from safetensors import safe_open

from analysis.checkpoints import preflight
from analysis.checkpoints.config import read_config
from analysis.checkpoints.headers import Tensor
from analysis.errors import ExplorerError
from analysis.keys import site_order

AT_ONCE = 5  # float64 copies of a matrix in memory: of two checkpoints, their difference, LAPACK's own, and room


class WeightMatrices(Mapping[str, Float[np.ndarray, "m n"]]):
    """The weight matrices of a folder by name, in float64; each is read when it is asked for, and not kept."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.places = _checked(folder)

    def __getitem__(self, name: str) -> Float[np.ndarray, "m n"]:
        with safe_open(self.places[name], framework="pt") as handle:
            matrix = handle.get_tensor(name).to(torch.float64).numpy()  # numpy alone knows no bfloat16
        if not np.isfinite(matrix).all():
            raise ExplorerError(f"{self.folder}: NaN or infinite values in the tensor {name}. Training diverged or the "
                                "file is damaged; leave this checkpoint out.")
        return matrix

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)

    def check_values(self) -> None:
        """Raise for a value that is no number, before hours of work on the others."""
        for name in self:
            self[name]


def _checked(folder: Path) -> dict[str, Path]:
    """The file that holds each matrix; raises ExplorerError saying why a folder is not read."""
    if preflight.pickled_weights(folder):
        raise ExplorerError(f"{folder} has its weights as a pickle, from which single matrices are not read. Convert "
                            "it with model.save_pretrained(folder).")
    preflight.agree(folder, read_config(folder), preflight.headers(folder))
    found = {tensor.name: (path, tensor) for path in preflight.weight_files(folder)
             for tensor in preflight.read_header(path) if is_matrix(tensor)}
    if not found:
        raise ExplorerError(f"{folder} holds no matrix: no floating-point tensor of two dimensions above 1.")
    _check_memory(folder, max((tensor for _, tensor in found.values()), key=lambda tensor: tensor.count))
    return {name: found[name][0] for name in sorted(found, key=site_order)}


def is_matrix(tensor: Tensor) -> bool:
    return len(tensor.shape) == 2 and min(tensor.shape) > 1 and tensor.dtype in preflight.FLOATS


def _check_memory(folder: Path, largest: Tensor) -> None:
    needed = AT_ONCE * 8 * largest.count + preflight.WORKING_BYTES
    limit = preflight.memory_limit()
    if needed > limit:
        raise ExplorerError(f"{folder}: the tensor {largest.name} takes about {needed / 1e9:.1f} GB in float64 and "
                            f"{limit / 1e9:.1f} GB may be used. Run it on a larger machine, or set "
                            f"{preflight.MEMORY_VARIABLE} if more is free.")
