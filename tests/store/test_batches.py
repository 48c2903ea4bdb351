"""Results that were read once are kept in memory, and never stand for a file that is not as it was."""

import warnings
from dataclasses import replace

import numpy as np

from analysis.results import Replicates, Scalar
from analysis.store import Store
from tests.store.test_store import KEY, curve, result_key, scalar


def test_a_file_that_has_not_changed_is_read_once(store, monkeypatch):
    store.put_results([scalar(1.0), curve(np.arange(3.0))])
    reader, read = Store(store.root), []
    original = reader.read_checked
    monkeypatch.setattr(reader, "read_checked", lambda path: read.append(path) or original(path))
    first = reader.results(KEY)
    assert reader.results(KEY) == first and reader.representations_of("weights-1") == [KEY] and len(read) == 1


def test_what_another_process_writes_is_seen(store):
    reader = Store(store.root)
    assert reader.results(KEY) == {}
    store.put_results([scalar(1.0)])
    assert set(reader.results(KEY)) == {result_key()}
    store.put_results([scalar(2.0, measure="other")])
    assert len(reader.results(KEY)) == 2


def test_a_file_that_is_written_again_is_read_again(store):
    reader = Store(store.root)
    store.put_results([scalar(1.0)])
    assert reader.results(KEY)[result_key()].result.value == 1.0
    store.put_results([scalar(3.0)])
    assert reader.results(KEY)[result_key()].result.value == 3.0


def test_a_file_that_is_gone_or_damaged_is_not_remembered(store):
    store.put_results([scalar(1.0), curve(np.arange(3.0))])
    (path,) = (store.root / "results").rglob("*.safetensors")
    assert len(store.results(KEY)) == 2
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert store.results(KEY) == {}
    assert len(said) == 1 and "damaged" in str(said[0].message)


def test_memory_holds_no_more_than_so_many_files(store, monkeypatch):
    monkeypatch.setattr("analysis.store.MOST_KEPT", 3)
    for number in range(6):
        store.put_results([scalar(float(number), measure=f"m{number}")])
    assert len(store.results(KEY)) == 6 and len(store._batches) == 3
    assert len(store.results(KEY)) == 6


SIZES = np.array([3, 4, 5])


def test_replicates_come_back_beside_their_own_value_and_nowhere_else(store):
    given = {"a": [1.0, 2.0, 3.0], "b": None, "c": [4.0, 5.0, 6.5]}
    stored = [replace(scalar(7.0, measure=name), result=Scalar(
        value=7.0, low=6.0, high=8.0, replicates=None if values is None else Replicates(np.array(values), SIZES)))
        for name, values in given.items()]
    store.put_results([curve(np.arange(3.0)), *stored])
    found = {key.measure: item.result.replicates for key, item in Store(store.root).results(KEY).items()
             if isinstance(item.result, Scalar)}
    assert {name: None if kept is None else kept.values.tolist() for name, kept in found.items()} == given
    assert found["c"].sizes.tolist() == SIZES.tolist()


def test_values_without_pairs_of_groups_come_back_beside_their_own_value(store):
    given = {"a": None, "b": [0.5, 0.25], "c": None, "d": [0.75, 2.0]}
    store.put_results([replace(scalar(7.0, measure=name), result=Scalar(
        value=7.0, low=6.0, high=8.0, replicates=Replicates(np.arange(3.0), SIZES, pairs and np.array(pairs))))
        for name, pairs in given.items()])
    found = {key.measure: item.result.replicates.without_pairs for key, item in Store(store.root).results(KEY).items()}
    assert {name: None if kept is None else kept.tolist() for name, kept in found.items()} == given
