"""Lists of folders and indexes of batches are kept in memory, and never stand for a folder that is not as it was."""

import os
import time

import numpy as np
import pytest

from analysis import batches
from analysis.keys import SCHEMA_VERSION
from analysis.listing import SETTLED_NS, Listing
from analysis.store import Store
from tests.store.test_store import KEY, curve, result_key, scalar

LONG_AGO_NS = time.time_ns() - 100 * SETTLED_NS


@pytest.fixture
def folder(tmp_path):
    """A folder with two files, last changed long ago."""
    for name in ("b.json", "a.json", "a.safetensors"):
        (tmp_path / "own" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "own" / name).touch()
    os.utime(tmp_path / "own", ns=(LONG_AGO_NS, LONG_AGO_NS))
    return tmp_path / "own"


def test_the_paths_with_an_ending_come_in_order(folder):
    assert [path.name for path in Listing()(folder, ".json")] == ["a.json", "b.json"]


def test_a_folder_that_has_settled_is_listed_once(folder):
    listing = Listing()
    assert listing(folder, ".json") is listing(folder, ".json")


def test_a_file_that_comes_later_is_listed(folder):
    listing = Listing()
    listing(folder, ".json")
    (folder / "c.json").touch()
    assert [path.name for path in listing(folder, ".json")] == ["a.json", "b.json", "c.json"]


def test_a_folder_that_has_just_changed_is_not_kept_since_its_time_may_stay_as_it_is(folder):
    listing, now = Listing(), time.time_ns()
    os.utime(folder, ns=(now, now))
    listing(folder, ".json")
    (folder / "c.json").touch()
    os.utime(folder, ns=(now, now))
    assert [path.name for path in listing(folder, ".json")] == ["a.json", "b.json", "c.json"]


@pytest.mark.parametrize("name", ["absent", "own/a.json"])
def test_what_is_no_folder_holds_nothing(folder, name):
    assert Listing()(folder.parent / name) == []


def test_whose_results_lie_in_a_folder_is_read_from_the_head_of_one_file(store, monkeypatch):
    store.put_results([scalar(1.0)])
    reader = Store(store.root)
    monkeypatch.setattr(reader, "read_checked", lambda path: pytest.fail(f"read {path}"))
    assert reader.representations_of("weights-1") == [KEY]


def test_a_head_that_is_not_that_of_its_folder_is_not_believed(store):
    store.put_results([scalar(1.0)])
    (path,) = (store.root / "results").rglob("*.json")
    path.write_bytes(path.read_bytes().replace(b'"weights-1"', b'"weights-2"'))
    with pytest.warns(UserWarning, match="damaged"):
        assert Store(store.root).representations_of("weights-1") == []


@pytest.mark.parametrize("content", [b"", b"sum\n", b"sum\n{", b'sum\n{"representation": {"fingerprint": "x'])
def test_a_file_without_a_head_says_nothing(tmp_path, content):
    (tmp_path / "batch.json").write_bytes(content)
    assert batches.head(tmp_path / "batch.json") == {} == batches.head(tmp_path / "absent.json")


def test_the_results_of_one_measure_are_those_of_all_that_are_of_it(store):
    store.put_results([scalar(1.0), scalar(2.0, measure="other"), scalar(3.0, site="block 1"), curve(np.arange(3.0))])
    store.put_results([scalar(4.0, version=2)])
    every = store.results(KEY)
    for measure in ("rankme", "other", "spectrum", "absent"):
        assert store.results(KEY, measure) == {key: one for key, one in every.items() if key.measure == measure}
    assert [one.result.value for one in store.results(KEY, "rankme").values()].count(3.0) == 1


def test_where_a_measure_has_a_result_is_told_by_version_settings_and_schema(store):
    store.put_results([scalar(1.0), scalar(2.0, site="block 1"), scalar(3.0, site="block 2", version=2),
                       scalar(4.0, site="block 3", params=(("k", 2),))])
    (batch,) = store.batches(KEY)
    assert batch.sites(("rankme", 1, (), SCHEMA_VERSION)) == {"final", "block 1"}
    assert batch.sites(("rankme", 2, (), SCHEMA_VERSION)) == {"block 2"}
    assert batch.sites(("rankme", 1, (("k", 2),), SCHEMA_VERSION)) == {"block 3"}
    assert batch.sites(("rankme", 1, (), SCHEMA_VERSION - 1)) == frozenset()


def test_what_is_written_over_the_base_holds(tmp_path):
    base, own = Store(tmp_path / "base"), Store(tmp_path / "own", tmp_path / "base")
    base.put_results([scalar(1.0)])
    own.put_results([scalar(2.0), scalar(5.0, site="block 1")])
    assert own.results(KEY, "rankme")[result_key()].result.value == 2.0 and len(own.batches(KEY)) == 2
