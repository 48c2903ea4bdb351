"""Rows of a checkpoint: what is stored is what its weights gave, and what cannot be had is a sentence."""

import gc
import os
import threading
import time

import pytest
import torch

from analysis.checkpoints.folder import open_run
from analysis.errors import ExplorerError
from analysis.extraction import forward
from analysis.files import collector_paused
from analysis.representations import ensure
from analysis.store import ROWS
from tests.checkpoints.models import copied, edit_weights

OLD = 1_000_000_000


@pytest.fixture
def own(tiny_run, tmp_path):
    """A run of one checkpoint, for the test to write to."""
    return copied(tiny_run / "step8", tmp_path / "own")


def test_rows_of_a_checkpoint_that_is_written_anew_meanwhile_are_not_kept(own, store, protocol, monkeypatch):
    extract = forward.extract

    def slow(*given):
        found = extract(*given)
        edit_weights(own, lambda tensors: next(iter(tensors.values())).add_(1))
        return found

    [checkpoint] = open_run(own).checkpoints
    with monkeypatch.context() as patched:
        patched.setattr(forward, "extract", slow)
        with pytest.raises(ExplorerError, match="own was written anew since this run was opened"):
            ensure(store, checkpoint, protocol)
    assert store.get_representation(protocol.key(checkpoint)) is None
    [renewed] = open_run(own).checkpoints
    assert renewed.fingerprint != checkpoint.fingerprint and ensure(store, renewed, protocol).rows
    with pytest.raises(ExplorerError, match="written anew"):  # as opened at first, and worked on only now
        ensure(store, checkpoint, protocol)


def test_a_card_without_memory_left_is_a_sentence_that_names_the_checkpoint(own, store, protocol, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    monkeypatch.setattr(forward, "extract", full)
    [checkpoint] = open_run(own).checkpoints
    with pytest.raises(ExplorerError, match="memory of the card ran out for own own; use a larger card or --dtype"):
        ensure(store, checkpoint, protocol)


def test_reading_one_site_counts_as_use(own, store, protocol):
    [checkpoint] = open_run(own).checkpoints
    found = ensure(store, checkpoint, protocol)
    found = store.get_representation(protocol.key(checkpoint))
    path = store.root / "representations" / protocol.key(checkpoint).digest / ROWS
    os.utime(path, (OLD, OLD))
    assert found.rows["final"].any() and path.stat().st_mtime > time.time() - 3600


@pytest.mark.parametrize("on", [True, False])
def test_the_collector_rests_until_the_last_thread_has_left_and_is_then_as_it_was(on):
    entered, leave = threading.Barrier(2), threading.Event()

    def other():
        with collector_paused():
            entered.wait()
            leave.wait()

    was = gc.isenabled()
    try:
        (gc.enable if on else gc.disable)()
        thread = threading.Thread(target=other)
        with collector_paused():
            thread.start()
            entered.wait()
            assert not gc.isenabled()
        assert not gc.isenabled(), "the other thread is still within"
        leave.set()
        thread.join()
        assert gc.isenabled() == on
    finally:
        (gc.enable if was else gc.disable)()
