"""Damaged, truncated and missing files, and writes that fail: found, reported once, never used."""

import errno
import os
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.results import PairMatrix
from analysis.store import Store
from tests.store.test_store import (
    KEY,
    contents,
    curve,
    matrix_key,
    representation,
    result_key,
    same_representation,
    scalar,
)


@dataclass(frozen=True)
class Kind:
    """How a thing is put into a store and read again; `read` is falsy while the thing is absent."""

    put: Any
    read: Any
    files: int  # written by one put


def _matrix(store: Store, value: float = 1.0) -> None:
    store.put_matrix(matrix_key(), PairMatrix(values=np.full((1, 2), value)))


REPRESENTATION = Kind(lambda store: store.put_representation(KEY, representation()),
                      lambda store: store.get_representation(KEY), 3)
BATCH = Kind(lambda store: store.put_results([scalar(1.0), curve(np.arange(3.0))]), lambda store: store.results(KEY), 2)
MATRIX = Kind(_matrix, lambda store: store.get_matrix(matrix_key()), 2)
RUN = Kind(lambda store: store.remember_run("mine", "/data/mine"), lambda store: store.remembered_runs(), 1)
KINDS = {"representation": REPRESENTATION, "batch": BATCH, "matrix": MATRIX, "run": RUN}

FILES = {"representations/*/rows.safetensors": REPRESENTATION, "representations/*/meta.json": REPRESENTATION,
         "ids/*.json": REPRESENTATION, "results/*/*/*.json": BATCH,
         "results/*/*/*.safetensors": BATCH, "matrices/*.json": MATRIX, "matrices/*.safetensors": MATRIX,
         "runs/*.json": RUN}
OF_THE_BASE = ["representations/*/meta.json", "results/*/*/*.json", "results/*/*/*.safetensors", "matrices/*.json",
               "matrices/*.safetensors"]


def flipped(content: bytes, where: float) -> bytes:
    position = min(int(where * len(content)), len(content) - 1)
    return content[:position] + bytes([content[position] ^ 1]) + content[position + 1:]


DAMAGE = {"first byte": lambda content: flipped(content, 0), "middle byte": lambda content: flipped(content, 0.5),
          "last byte": lambda content: flipped(content, 1), "truncated": lambda content: content[:len(content) // 2],
          "one byte short": lambda content: content[:-1], "empty": lambda content: b""}


def reported(action):
    """What an action returns, and the warnings it gave."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        return action(), [str(warning.message) for warning in caught]


def damaged(root: Path, pattern: str, how) -> tuple[Path, bytes]:
    (path,) = root.glob(pattern)
    content = how(path.read_bytes())
    path.write_bytes(content)
    return path, content


# --- damage ---


@pytest.mark.parametrize("pattern", FILES)
@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_file_is_absent_with_one_warning_and_can_be_computed_again(store, pattern, how):
    kind = FILES[pattern]
    kind.put(store)
    assert kind.read(store)
    damaged(store.root, pattern, DAMAGE[how])
    found, said = reported(lambda: kind.read(store))
    assert not found
    assert len(said) == 1, said
    assert not kind.read(store)  # a second warning would be an error here
    kind.put(store)
    assert kind.read(Store(store.root))


@pytest.mark.parametrize("pattern", FILES)
def test_a_damaged_file_is_kept_under_damaged_and_the_warning_says_where(store, pattern):
    kind = FILES[pattern]
    kind.put(store)
    path, content = damaged(store.root, pattern, DAMAGE["middle byte"])
    _, said = reported(lambda: kind.read(store))
    assert not path.exists()
    assert content in [kept.read_bytes() for kept in (store.root / "damaged").rglob("*") if kept.is_file()]
    assert str(store.root / "damaged") in said[0]


@pytest.mark.parametrize("pattern", FILES)
def test_a_file_that_is_gone_can_be_computed_again(store, pattern):
    kind = FILES[pattern]
    kind.put(store)
    (path,) = store.root.glob(pattern)
    path.unlink()
    found, _ = reported(lambda: kind.read(store))
    assert not found
    reported(lambda: kind.put(store))
    assert kind.read(Store(store.root))


def test_a_recomputed_representation_is_the_new_one_and_not_the_damaged(store):
    REPRESENTATION.put(store)
    damaged(store.root, "representations/*/rows.safetensors", DAMAGE["last byte"])
    reported(lambda: REPRESENTATION.read(store))
    REPRESENTATION.put(store)
    assert same_representation(store.get_representation(KEY), representation())


def test_the_facts_of_a_damaged_representation_are_absent_too(store):
    REPRESENTATION.put(store)
    damaged(store.root, "representations/*/meta.json", DAMAGE["middle byte"])
    facts, said = reported(lambda: store.representation_facts(KEY))
    assert facts is None and len(said) == 1


def test_a_damaged_batch_takes_no_other_batch_with_it(store):
    BATCH.put(store)
    damaged(store.root, "results/*/*/*.json", DAMAGE["middle byte"])
    store.put_results([scalar(2.0, site="embedding")])
    found, said = reported(lambda: store.results(KEY))
    assert [item.result.value for item in found.values()] == [2.0] and len(said) == 1
    assert store.representations_of("weights-1") == [KEY]


def test_ids_damaged_once_do_not_cost_a_second_representation_after_they_are_written_again(store):
    other = replace(KEY, fingerprint="weights-2")
    REPRESENTATION.put(store)
    store.put_representation(other, representation(1))
    damaged(store.root, "ids/*.json", DAMAGE["middle byte"])
    reported(lambda: store.get_representation(KEY))
    REPRESENTATION.put(store)
    assert same_representation(store.get_representation(other), representation(1))


@pytest.mark.parametrize("pattern", OF_THE_BASE)
def test_a_damaged_file_of_the_base_is_named_ignored_and_left_in_place(tmp_path, pattern):
    base, store = Store(tmp_path / "base"), Store(tmp_path / "own", base=tmp_path / "base")
    kind = FILES[pattern]
    read = store.representation_facts if kind is REPRESENTATION else lambda key: kind.read(store)
    kind.put(base)
    assert read(KEY)
    path, _ = damaged(base.root, pattern, DAMAGE["middle byte"])
    before = contents(base.root)
    found, said = reported(lambda: read(KEY))
    assert not found and len(said) == 1
    assert contents(base.root) == before and not (store.root / "damaged").exists()
    kind.put(store)
    assert reported(lambda: read(KEY))[0]
    assert str(path) in said[0]


@pytest.mark.parametrize("pattern", ["results/*/*/*.json", "matrices/*.safetensors"])
def test_under_a_damaged_file_of_its_own_a_store_still_finds_that_of_its_base(tmp_path, pattern):
    base, store = Store(tmp_path / "base"), Store(tmp_path / "own", base=tmp_path / "base")
    for owner in (base, store):
        FILES[pattern].put(owner)
    damaged(store.root, pattern, DAMAGE["middle byte"])
    found, said = reported(lambda: FILES[pattern].read(store))
    assert found and len(said) == 1


# --- writes that fail ---


def failing(function, call: int):
    """The function, except that this call of it finds the disk full."""
    calls = iter(range(1000))

    def instead(*arguments, **named):
        if next(calls) == call:
            raise OSError(errno.ENOSPC, "No space left on device")
        return function(*arguments, **named)

    return instead


CALLS = [(name, call) for name, kind in KINDS.items() for call in range(kind.files)]


@pytest.mark.parametrize(("owner", "function"), [(os, "fsync"), (Path, "replace")], ids=["fsync", "replace"])
@pytest.mark.parametrize(("name", "call"), CALLS)
def test_a_write_that_fails_leaves_no_temporary_file_and_nothing_to_be_read(store, monkeypatch, name, call, owner,
                                                                            function):
    kind = KINDS[name]
    with monkeypatch.context() as patched:
        patched.setattr(owner, function, failing(getattr(owner, function), call))
        with pytest.raises(OSError, match="No space left"):
            kind.put(store)
    assert not kind.read(store)
    assert not any(path.name.startswith(".") for path in store.root.rglob("*"))
    assert len(contents(store.root)) <= call
    kind.put(store)
    assert kind.read(store)


def test_a_representation_that_cannot_be_put_in_its_place_leaves_none(store, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", failing(Path.rename, 0))
        with pytest.raises(OSError, match="No space left"):
            REPRESENTATION.put(store)
    assert list((store.root / "representations").iterdir()) == [] and not REPRESENTATION.read(store)


@pytest.mark.parametrize("kind", [BATCH, MATRIX], ids=["batch", "matrix"])
def test_a_write_that_fails_leaves_what_was_there_before(store, monkeypatch, kind):
    kind.put(store)
    for call in range(kind.files):
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", failing(os.fsync, call))
            with pytest.raises(OSError):
                kind.put(store)
        assert kind.read(store)


def test_a_second_writer_whose_last_bits_differ_never_makes_the_first_look_damaged(store, monkeypatch):
    """Another number of threads rounds differently; between its two files a reader may come, or the writer may die."""
    _matrix(store, 1.0)
    store.put_results([curve(np.ones(3))])
    for write in (lambda: _matrix(store, 1.0 + 2**-52), lambda: store.put_results([curve(np.full(3, 1.0 + 2**-52))])):
        with monkeypatch.context() as patched:
            patched.setattr(Path, "replace", failing(Path.replace, 1))
            with pytest.raises(OSError):
                write()
    (found, results), said = reported(lambda: (MATRIX.read(store), store.results(KEY)))
    assert said == []
    assert found is not None and result_key(measure="spectrum") in results


def test_what_a_killed_writer_left_behind_is_not_read(store):
    BATCH.put(store)
    (batch,) = store.root.glob("results/*/*/*.json")
    batch.rename(batch.with_name(f".{batch.name}.0123456789abcdef"))
    (store.root / "representations" / f".{KEY.digest}.0123").mkdir(parents=True)
    assert store.results(KEY) == {} and store.representations_of("weights-1") == []
    REPRESENTATION.put(store)
    assert REPRESENTATION.read(store)
