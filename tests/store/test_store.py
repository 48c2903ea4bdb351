"""The store gives back exactly what was put in, keeps keys apart, and never writes to its base."""

import hashlib
import multiprocessing
from dataclasses import replace

import numpy as np
import pytest

from analysis.batches import Stored
from analysis.keys import MatrixKey, RepresentationKey, ResultKey
from analysis.results import Curve, PairMatrix, Scalar
from analysis.store import Representation, Store

KEY = RepresentationKey("weights-1", "words@0123", "last")
SITES = ("embedding", "block 1", "final")
AWKWARD = (0.1 + 0.2, -0.0, 5e-324, 1.7976931348623157e308, -1 / 3, 1e16 + 2, 0.0, float(np.float32(0.1)))


def representation(seed=0, n=12, d=5):
    generator = np.random.default_rng(seed)
    rows = {site: generator.standard_normal((n, d)).astype(np.float32) for site in SITES}
    return Representation(
        rows=rows, row_ids=tuple(f"λ “{i}”\n@{i}" for i in range(n)),
        document_ids=tuple(f"docu/ment {i // 2}" for i in range(n)),
        facts={"loss": 0.1 + 0.2, "texts": n, "sites": list(SITES), "outliers": {"final": {"top_row_share": 1 / 3}}})


def result_key(measure="rankme", site="final", version=1, params=(), of=KEY):
    return ResultKey(of, site, measure, version, params)


def scalar(value, *, n=12, d=5, **changes):
    return Stored(key=result_key(**changes), result=Scalar(value=value), n=n, d=d)


def curve(values, reason="", **changes):
    return Stored(key=result_key(**{"measure": "spectrum"} | changes), result=Curve(values=values, reason=reason),
                  n=12, d=5)


def matrix_key(measure="cka", version=1, params=(), columns=((KEY, "final"), (KEY, "embedding"))):
    return MatrixKey(((KEY, "final"),), columns, measure, version, params)


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def same_representation(a, b):
    return set(a.rows) == set(b.rows) and a.facts == b.facts \
        and (a.row_ids, a.document_ids) == (b.row_ids, b.document_ids) \
        and all(same_bits(a.rows[s], b.rows[s]) for s in a.rows)


def contents(folder):
    return {path.relative_to(folder): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
            for path in folder.rglob("*") if path.is_file()}


# --- what goes in comes out ---


def test_a_representation_comes_back_bit_for_bit_in_a_new_process_of_the_store(store):
    store.put_representation(KEY, representation())
    assert same_representation(Store(store.root).get_representation(KEY), representation())


def test_the_facts_of_a_representation_can_be_read_without_its_rows(store):
    store.put_representation(KEY, representation())
    facts = store.representation_facts(KEY)
    assert {name: facts[name] for name in representation().facts} == representation().facts
    assert facts["n"] == 12


def test_representations_of_the_same_rows_share_one_file_of_ids_and_others_do_not(store):
    other, longer = replace(KEY, fingerprint="weights-2"), replace(KEY, policy="mean")
    store.put_representation(KEY, representation(0))
    store.put_representation(other, representation(1))
    store.put_representation(longer, representation(2, n=14))
    ids = [store.representation_facts(key)["ids"] for key in (KEY, other, longer)]
    assert ids[0] == ids[1] != ids[2]
    assert len(list((store.root / "ids").iterdir())) == 2


@pytest.mark.parametrize("changes", [{"fingerprint": "weights-2"}, {"probe": "words@4567"}, {"policy": "mean"},
                                     {"dtype": "float16"}, {"extraction": 0}], ids=str)
def test_a_representation_is_found_under_its_own_key_only(store, changes):
    store.put_representation(KEY, representation())
    assert store.get_representation(replace(KEY, **changes)) is None
    assert store.representation_facts(replace(KEY, **changes)) is None


@pytest.mark.parametrize("result", [
    *(Scalar(value=value) for value in AWKWARD), Scalar(value=2.5, low=-1.5, high=0.1 + 0.2, chance=1 / 3),
    Scalar(value=2.5, low=0.0, high=0.0, chance=0.0)], ids=str)
def test_a_scalar_comes_back_with_the_same_value_interval_and_chance(store, result):
    store.put_results([Stored(key=result_key(), result=result, n=48, d=16)])
    (back,) = Store(store.root).results(KEY).values()
    assert (back.key, back.n, back.d, back.result) == (result_key(), 48, 16, result)
    assert np.signbit(back.result.value) == np.signbit(result.value)


def test_an_undefined_scalar_comes_back_undefined_with_its_reason(store):
    store.put_results([Stored(key=result_key(), result=Scalar.undefined("every row is the same: λ = 0"), n=4, d=2)])
    (back,) = store.results(KEY).values()
    assert not back.result.defined and np.isnan(back.result.value)
    assert back.result.reason == "every row is the same: λ = 0"


@pytest.mark.parametrize("values", [np.array(AWKWARD), np.empty(0), np.arange(6.0)[::-1], np.arange(12.0)[::3]],
                         ids=["awkward", "empty", "reversed", "strided"])
def test_a_curve_comes_back_bit_for_bit(store, values):
    store.put_results([curve(values, reason="" if len(values) else "no row"), scalar(1.0)])
    back = store.results(KEY)[curve(values).key]
    assert same_bits(back.result.values, values)
    assert back.result.reason == ("" if len(values) else "no row")


@pytest.mark.parametrize("chance", [None, np.array([[0.0, np.nan], [1 / 3, -0.0]]).T], ids=["no chance", "chance"])
def test_a_matrix_comes_back_with_its_undefined_cells_chance_and_reasons(store, chance):
    values = np.array([[1.0, np.nan], [0.1 + 0.2, -1.0]]).T
    store.put_matrix(matrix_key(), PairMatrix(values=values, chance=chance, reasons=("no λ", "zero")))
    back = Store(store.root).get_matrix(matrix_key())
    assert same_bits(back.values, values) and back.reasons == ("no λ", "zero")
    assert back.chance is None if chance is None else same_bits(back.chance, chance)


def test_remembered_runs_come_back_by_name_with_their_newest_folder(store):
    assert store.remembered_runs() == {}
    for name, source in (("b", "/data/b"), ("größe-λ", "/data/mit Leerzeichen"), ("b", "/data/moved")):
        store.remember_run(name, source)
    assert Store(store.root).remembered_runs() == {"b": "/data/moved", "größe-λ": "/data/mit Leerzeichen"}


def test_nothing_is_found_in_a_store_that_was_never_written_and_reading_writes_nothing(store):
    assert store.get_representation(KEY) is None and store.representation_facts(KEY) is None
    assert (store.results(KEY), store.representations_of("weights-1"), store.get_matrix(matrix_key())) == ({}, [], None)
    assert not store.root.exists()


# --- keys ---


def test_results_differing_in_site_measure_version_or_parameter_are_kept_apart(store):
    keys = [result_key(), result_key(site="block 1"), result_key(measure="other"), result_key(version=2),
            result_key(params=(("last", 10),)), result_key(params=(("last", 11),)), result_key(params=(("first", 10),))]
    for number, key in enumerate(keys):
        store.put_results([Stored(key=key, result=Scalar(value=float(number)), n=12, d=5)])
    found = store.results(KEY)
    assert [found[key].result.value for key in keys] == [float(number) for number in range(len(keys))]
    assert [found[key].key for key in keys] == keys and len(found) == len(keys)


def test_curves_differing_in_parameters_in_one_batch_are_kept_apart(store):
    batch = [curve(np.full(3, float(k)), params=(("k", k),)) for k in range(3)]
    store.put_results(batch)
    found = store.results(KEY)
    assert [found[item.key].result.values[0] for item in batch] == [0.0, 1.0, 2.0]


def test_a_batch_holds_one_representation_only(store):
    with pytest.raises(ValueError):
        store.put_results([scalar(1.0), scalar(2.0, of=replace(KEY, policy="mean"))])


def test_matrices_differing_in_measure_version_parameter_or_order_are_kept_apart(store):
    keys = [matrix_key(), matrix_key("other"), matrix_key(version=2), matrix_key(params=(("k", 1),)),
            matrix_key(columns=((KEY, "embedding"), (KEY, "final")))]
    for number, key in enumerate(keys):
        store.put_matrix(key, PairMatrix(values=np.full((1, 2), float(number))))
    assert [store.get_matrix(key).values[0, 0] for key in keys] == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_the_protocols_of_a_checkpoint_are_those_it_has_results_for(store):
    other = replace(KEY, policy="every-4")
    for key in (KEY, other, replace(KEY, fingerprint="weights-2", policy="mean")):
        store.put_results([scalar(1.0, of=key)])
    store.put_representation(replace(KEY, policy="mean"), representation())
    assert store.representations_of("weights-1") == [other, KEY]


# --- base ---


@pytest.fixture
def overlaid(tmp_path):
    """A store with a base that holds one of everything, and the base's folder."""
    base = Store(tmp_path / "base")
    base.put_representation(KEY, representation())
    base.put_results([scalar(1.0), curve(np.ones(2))])
    base.put_matrix(matrix_key(), PairMatrix(values=np.ones((1, 2))))
    return Store(tmp_path / "own", base=base.root), base.root


def test_what_is_only_in_the_base_is_found(overlaid):
    store, _ = overlaid
    assert store.representation_facts(KEY)["texts"] == 12
    assert store.results(KEY)[result_key()].result.value == 1.0
    assert store.representations_of("weights-1") == [KEY]
    assert store.get_matrix(matrix_key()).values.tolist() == [[1.0, 1.0]]


def test_the_stores_own_results_lie_over_those_of_the_base(overlaid):
    store, _ = overlaid
    store.put_results([scalar(2.0), scalar(3.0, site="embedding")])
    store.put_matrix(matrix_key(), PairMatrix(values=np.zeros((1, 2))))
    found = store.results(KEY)
    assert sorted(item.result.value for item in found.values() if isinstance(item.result, Scalar)) == [2.0, 3.0]
    assert found[curve(np.ones(2)).key].result.values.tolist() == [1.0, 1.0]
    assert store.get_matrix(matrix_key()).values.tolist() == [[0.0, 0.0]]


def test_the_base_is_never_written(overlaid):
    store, base = overlaid
    before = contents(base)
    store.put_representation(KEY, representation(1))
    store.put_results([scalar(2.0), curve(np.zeros(2))])
    store.put_matrix(matrix_key(), PairMatrix(values=np.zeros((1, 2))))
    store.remember_run("a", "/data/a")
    assert same_representation(store.get_representation(KEY), representation(1))
    assert contents(base) == before


# --- several processes ---


def _rounds(root, rounds, started):
    """What one writer of several does: the same keys and contents as all the others."""
    store = Store(root)
    started.wait()
    for number in range(rounds):
        store.put_representation(replace(KEY, probe=f"p{number}"), representation(number, n=400, d=32))
        store.put_results([curve(np.arange(20_000.0)), scalar(1.0)])
        store.put_matrix(matrix_key(), PairMatrix(values=np.arange(20_000.0).reshape(100, 200)))


def test_a_reader_never_sees_half_of_what_several_processes_write_at_once(tmp_path):
    processes, rounds = multiprocessing.get_context("spawn"), 12
    started = processes.Barrier(3)
    writers = [processes.Process(target=_rounds, args=(tmp_path, rounds, started)) for _ in range(3)]
    for writer in writers:
        writer.start()
    store, seen = Store(tmp_path), 0
    while (busy := any(writer.is_alive() for writer in writers)) or not seen:
        for number in range(rounds):
            found = store.get_representation(replace(KEY, probe=f"p{number}"))
            assert found is None or same_representation(found, representation(number, n=400, d=32))
            seen += found is not None and busy
        results, matrix = store.results(KEY), store.get_matrix(matrix_key())
        assert len(results) in (0, 2)
        assert matrix is None or matrix.values.sum() == sum(range(20_000))
        if not busy:
            break
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert seen and not any(path.name.startswith(".") for path in tmp_path.rglob("*"))
    assert not (tmp_path / "damaged").exists()
