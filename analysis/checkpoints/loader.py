"""Loads the checkpoints of a run one after the other: the network is built once, and then only its weights change."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from analysis.checkpoints import preflight
from analysis.checkpoints.load import Loaded, check_finite, load, with_safetensors
from analysis.files import sha256_of
from analysis.keys import digest

NOT_THE_NETWORK = ("transformers_version", "architectures")


class Loader:
    """`load(folder)` gives a model that is valid until the next call. `swapped` and `seconds` say how it came about."""

    def __init__(self, dtype: str = "float32", device: str | None = None):
        self.dtype: torch.dtype = getattr(torch, dtype)
        self.device = device
        self.kept: tuple[str, Loaded, dict[str, torch.Tensor]] | None = None
        self.swapped, self.seconds = False, 0.0

    def load(self, folder: Path) -> Loaded:
        start = time.perf_counter()
        loaded, self.swapped = self._swapped(folder), True
        if loaded is None:
            self.kept, self.swapped = None, False  # the old network goes before the new one comes
            loaded = load(folder, self.dtype, self.device)
            with with_safetensors(folder) as weights:
                places = _places(weights, loaded.model)
            if places is not None:
                self.kept = _identity(folder), loaded, places
        self.seconds = time.perf_counter() - start
        return loaded

    def _swapped(self, folder: Path) -> Loaded | None:
        """The kept network with the weights of another folder; None where that is another network."""
        if self.kept is None or self.kept[0] != _identity(folder):
            return None
        (identity, loaded, places), self.kept = self.kept, None  # a swap that fails half-way leaves no network behind
        with with_safetensors(folder) as weights:
            preflight.check(weights)
            if not _put_weights(weights, places):
                return None
        check_finite(folder, loaded.model)
        self.kept = identity, loaded, places
        return loaded


def _identity(folder: Path) -> str:
    """What must be equal for two checkpoints to be the same network, reading its input in the same way."""
    config = preflight.settings.read_config(folder)
    names = (*preflight.TOKENIZER_FILES, *preflight.PROCESSOR_FILES)
    return digest([{key: value for key, value in config.items() if key not in NOT_THE_NETWORK},
                   preflight.architecture(config), {name: sha256_of(folder / name) for name in names}])


def _places(weights: Path, model: Any) -> dict[str, torch.Tensor] | None:
    """The parameter that holds each tensor of the files a network was loaded from, mostly of the same name; a renamed
    one is told by its content. None where a tensor stands nowhere as it is, or it cannot be told where."""
    parts = dict(_parts(model))
    state = {name: parts[name] for name in model.state_dict()}
    places: dict[str, torch.Tensor] = {}
    strangers: dict[str, torch.Tensor] = {}
    for name, value in _tensors(weights):
        if name in state and _equal(state[name], value):
            places[name] = state.pop(name)
        else:
            strangers[name] = value
    for name, value in strangers.items():
        alike = [own for own, place in state.items() if _equal(place, value)]
        if len(alike) != 1:
            return None
        places[name] = state.pop(alike[0])
    held = {place.data_ptr() for place in places.values()}
    return places if all(tensor.data_ptr() in held for tensor in state.values()) else None


def _parts(model: Any) -> Iterator[tuple[str, torch.Tensor]]:
    yield from model.named_parameters(remove_duplicate=False)
    yield from model.named_buffers(remove_duplicate=False)


def _put_weights(weights: Path, places: dict[str, torch.Tensor]) -> bool:
    """Put every tensor in its place, without a copy where its precision and device are those of the network. False
    where the files hold other tensors, or two contents for one place."""
    if {t.name: t.shape for t in preflight.headers(weights)} != {n: tuple(p.shape) for n, p in places.items()}:
        return False
    put: set[int] = set()
    for name, value in _tensors(weights):
        place = places[name]
        if id(place) in put and not _equal(place, value):
            return False
        place.data = value.to(place.device, place.dtype)
        put.add(id(place))
    return True


def _tensors(weights: Path) -> Iterator[tuple[str, torch.Tensor]]:
    for path in preflight.weight_files(weights):
        with safe_open(path, framework="pt") as handle:
            for name in sorted(handle.keys()):
                yield name, handle.get_tensor(name)


def _equal(place: torch.Tensor, value: torch.Tensor) -> bool:
    return place.shape == value.shape and torch.equal(place, value.to(place))
