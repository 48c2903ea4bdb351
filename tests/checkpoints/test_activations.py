"""Rows that a person brings: read exactly, measured as the measures measure them, and refused in a line when spoilt."""

import io
import json
import pickle
import random
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from analysis import compute, registry, similarity
from analysis.__main__ import main
from analysis.checkpoints.activations import labels_of, read_rows
from analysis.checkpoints.folder import open_run
from analysis.errors import ExplorerError
from analysis.extraction.probes import load_probe
from analysis.keys import Policy
from analysis.runs import find_run
from analysis.textrows import TextRows
from tests.safety.packed import edit_list, headed, peak_of, refused, saved

RNG = np.random.default_rng(8)
X, Y = RNG.normal(size=(2, 24, 5)).astype(np.float32)
SINGLE = [measure for measure in registry.all_measures().values() if measure.arity == 1]
TYPES = ["<f2", "<f4", "<f8", ">f2", ">f4", ">f8", "i1", "<i4", ">i4", "<i8", "u1", ">u2", "<u8"]


@pytest.fixture
def protocol():
    return compute.Protocol(load_probe("as-given"), Policy.parse("last"))


def about(shape, descr="<f4", order=False):
    return {"descr": descr, "fortran_order": order, "shape": shape}


def unreadable(path, *words):
    refused(lambda: read_rows(path), path.name, *words)


# --- what is read ---


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_numbers_of_every_kind_and_order_are_read_exactly(tmp_path, kind, suffix, order):
    given = np.asarray((X * 40).clip(0, 100) if "u" in kind else X * 40, dtype=kind, order=order)
    rows = read_rows(saved(tmp_path / f"x{suffix}", final=given)).rows["final"]
    assert rows.dtype == np.float32 and rows.tolist() == given.astype(np.float32).tolist()
    assert len(set(rows.ravel().tolist())) > 20


@pytest.mark.parametrize("kind", ["<f2", "<f4", "<f8"])
def test_rows_in_safetensors_are_read_exactly_with_their_names(tmp_path, kind):
    ids, documents = [f"stimulus {k}" for k in range(24)], [f"session {k % 3}" for k in range(24)]
    path = saved(tmp_path / "x.safetensors", a=X.astype(kind), b=Y.astype(kind), ids=ids, documents=documents)
    found = read_rows(path)
    assert {name: rows.tolist() for name, rows in found.rows.items()} == {
        "a": X.astype(kind).astype(np.float32).tolist(), "b": Y.astype(kind).astype(np.float32).tolist()}
    assert (list(found.row_ids), list(found.document_ids)) == (ids, documents)


@pytest.mark.parametrize("kind", [str, bytes])
def test_ids_and_documents_name_the_rows(tmp_path, kind):
    ids = [f"trial {k}" for k in range(24)]
    array = np.array([name.encode() for name in ids]) if kind is bytes else np.array(ids)
    found = read_rows(saved(tmp_path / "x.npz", v1=X, ids=array, label_side=X[:, 0]))
    assert list(found.row_ids) == list(found.document_ids) == ids and list(found.rows) == ["v1"]
    found = read_rows(saved(tmp_path / "y.npz", v1=X, documents=np.arange(24) // 6))
    assert list(found.row_ids) == [str(k) for k in range(24)]
    assert list(found.document_ids) == [str(k // 6) for k in range(24)]


def test_sites_stand_in_the_order_of_the_network_and_numbers_in_their_own(tmp_path):
    names = ["layer10", "final", "layer2", "block 10", "arr_0", "block 2", "embedding", "V1/deep: é ∆", "conv1.2"]
    found = read_rows(saved(tmp_path / "x.npz", **dict.fromkeys(names, X)))
    expected = ["embedding", "block 2", "block 10", "final", "V1/deep: é ∆", "arr_0", "conv1.2", "layer2", "layer10"]
    assert list(found.rows) == found.facts["sites"] == expected


# --- what is refused ---


def with_one(value):
    return np.where(np.arange(X.size).reshape(X.shape) == 13, value, X.astype(float))


WRONG = {"1-D": (X[:, 0], "[24]"), "3-D": (np.zeros((4, 5, 6)), "[4, 5, 6]"), "0-D": (np.float32(3), "[]"),
         "no columns": (np.zeros((9, 0)), "[9, 0]"), "no rows": (np.zeros((0, 9)), "at least 4"),
         "few rows": (X[:3], "at least 4"), "words": (np.array([["a", "b"]] * 9), "numbers"),
         "yes and no": (X > 0, "bool"), "complex": (X + 1j, "complex"), "dates": (X.astype("M8[s]"), "datetime"),
         "records": (np.zeros((9, 2), dtype=[("a", "f4")]), "numbers"),
         "NaN": (with_one(np.nan), "1 row(s)"), "inf": (with_one(np.inf), "1 row(s)"),
         "minus inf": (with_one(-np.inf), "1 row(s)"), "beyond float32": (with_one(1e300), "1 row(s)")}


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize(("array", "word"), WRONG.values(), ids=WRONG)
def test_an_array_that_is_not_n_by_d_finite_numbers_is_named(tmp_path, suffix, array, word):
    unreadable(saved(tmp_path / f"x{suffix}", final=array), word)


UNEVEN = {"row counts": ({"a": X, "b": Y[:20]}, "20, 24"), "one id": ({"a": X, "ids": ["x"] * 24}, "23 of the ids"),
          "few ids": ({"a": X, "ids": ["x"] * 23}, "23 ids and 24 rows"), "ids alone": ({"ids": ["x"] * 4}, "0 arrays"),
          "few documents": ({"a": X, "documents": ["x"]}, "1 documents and 24 rows"),
          "a long name": ({"a" * 81: X}, "80 letters"), "no name": ({"": X}, "name"), "a line": ({"a\nb": X}, "name"),
          "an escape": ({"\x1b[31ma": X}, "name")}


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize(("arrays", "word"), UNEVEN.values(), ids=UNEVEN)
def test_arrays_that_do_not_fit_one_another_or_have_no_plain_name_are_refused(tmp_path, suffix, arrays, word):
    unreadable(saved(tmp_path / f"x{suffix}", **arrays), word)


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("name", ["final", "ids", "label"])
def test_a_pickle_is_refused_and_never_opened(tmp_path, suffix, name):
    class Trap:
        def __reduce__(self):
            return Path.touch, (tmp_path / "opened",)
    trap = np.array([[Trap()]] * 9, dtype=object)
    path = saved(tmp_path / f"x{suffix}", **({name: trap} if suffix == ".npy" else {"a": X, name: trap}))
    unreadable(path, "Python objects")
    path.write_bytes(pickle.dumps(trap))
    unreadable(path)
    assert not (tmp_path / "opened").exists()


HEADERS = {
    "a huge shape": about((2**40, 2**20)), "more rows than bytes": about((25, 5)), "rows below zero": about((-1, 5)),
    "both below zero": about((-24, -5)), "a shape beyond any": about((10**30, 10**30)), "width 0": about((10**15, 0)),
    "no size": about((10**15, 10**15), "<U0"), "void": about((24, 5), "V0"), "objects": about((24, 5), "|O"),
    "an object in a record": about((24, 5), [("a", "<f4"), ("b", "|O")]), "a flag for a length": about((True, 5)),
    "a fraction": about((24.0, 5)), "a list": about([24, 5]), "a type that is none": about((24, 5), "f5"),
    "an empty type": about((24, 5), ()), "a number for a type": about((24, 5), 5), "half a record": about((2,), [()]),
    "a record of a number": about((2,), [5]), "no shape": {"descr": "<f4", "fortran_order": False},
    "other keys": {1: 2, "a": 3}, "a number": 5, "a set": {1, 2}, "order 3": about((24, 5), order=3),
    "open brackets": b"{'descr': (((", "many brackets": b"(" * 9000, "many signs": b"-" * 9000 + b"1",
    "nested lists": b"[" * 90 + b"]" * 90, "an open string": b"{'descr': '", "nothing": b"", "a null": b"\0" * 50,
    "no text": b"\xff" * 50, "a call": b"__import__('os').system('true')", "indented": b"  \n x\n   y",
    "three quotes": b"'''", "a long header": b"{" + b" " * 60_000 + b"}", "a huge number": b"9" * 9000}


@pytest.mark.parametrize("version", [b"\1\0", b"\2\0", b"\7\7"], ids=["1", "2", "7"])
@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
@pytest.mark.filterwarnings("ignore:.*(invalid|Reading).*")
def test_a_header_that_lies_is_refused_in_a_line_before_anything_is_allocated(tmp_path, header, version):
    path = headed(tmp_path / "x.npy", header, X.tobytes(), version)
    peak, _ = peak_of(lambda: unreadable(path))
    assert peak < 30_000_000
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as packed:
        packed.write(path, "final.npy")
    unreadable(tmp_path / "x.npz")


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors"])
def test_more_rows_than_the_memory_holds_are_refused_unread(tmp_path, monkeypatch, suffix):
    path = saved(tmp_path / f"x{suffix}", final=np.zeros((1000, 1000), dtype=np.float32))
    monkeypatch.setenv("EXPLORER_MEMORY_GB", "0.001")
    peak, _ = peak_of(lambda: unreadable(path))
    assert peak < 3_000_000


def test_rows_so_wide_that_their_covariance_fits_no_memory_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_MEMORY_GB", "1")
    unreadable(saved(tmp_path / "x.npy", final=np.ones((4, 1_000_000), dtype=np.float16)))


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("size", [None, 500], ids=["honest", "lying"])
def test_a_small_npz_that_unpacks_to_much_more_is_refused_and_memory_stays_flat(
        tmp_path, monkeypatch, compression, size):
    monkeypatch.setenv("EXPLORER_MEMORY_GB", "0.03")
    plain = headed(tmp_path / "x.npy", about((4, 10**7)), bytes(4 * 10**7)).read_bytes()
    with zipfile.ZipFile(tmp_path / "x.npz", "w", compression) as packed:
        packed.writestr("a.npy", plain)
    edit_list(tmp_path / "x.npz", **({"size": size} if size else {}))
    peak, _ = peak_of(lambda: unreadable(tmp_path / "x.npz"))
    assert peak < 10_000_000


@pytest.mark.parametrize("name", ["a.npy", "a"])
def test_two_arrays_of_one_name_are_refused_and_neither_is_lost_in_silence(tmp_path, name):
    path = saved(tmp_path / "x.npz", a=X)
    with zipfile.ZipFile(path, "a") as packed, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        packed.writestr(name, packed.read("a.npy"))
    unreadable(path)


@pytest.mark.parametrize("ids", ["[" * 100_000, "5", "{}", "[[1], [2, 3]]", "nothing", "null", '["\\ud800"]', ""])
def test_ids_of_safetensors_that_are_no_list_of_names_are_refused(tmp_path, ids):
    save_file({"a": X}, tmp_path / "x.safetensors", metadata={"ids": ids})
    unreadable(tmp_path / "x.safetensors", "ids")


@pytest.mark.parametrize("letter", [0x110000, 0xD800, 0xFFFFFFFF])
def test_ids_that_are_no_text_are_refused(tmp_path, letter):
    ids = np.arange(24, dtype=np.uint32) + 65
    ids[3] = letter
    unreadable(saved(tmp_path / "x.npz", a=X, ids=ids.view("<U1")), "ids")


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.filterwarnings("ignore:.*(invalid|Reading|nan|encountered|metadata).*")
def test_a_file_with_bytes_changed_or_cut_is_read_or_refused_in_a_line(tmp_path, compression):
    plain, chance = io.BytesIO(), random.Random(4)
    np.save(plain, X)
    with zipfile.ZipFile(tmp_path / "x.npz", "w", compression) as packed:
        packed.writestr("a.npy", plain.getvalue())
    (tmp_path / "x.npy").write_bytes(plain.getvalue())
    for path in (tmp_path / "x.npz", tmp_path / "x.npy"):
        whole = path.read_bytes()
        for _ in range(200):
            content = bytearray(whole[:chance.choice([len(whole), len(whole), chance.randrange(len(whole))])])
            for _ in range(chance.randint(1, 3) if content else 0):
                content[chance.randrange(len(content))] = chance.randrange(256)
            path.write_bytes(content)
            try:
                read_rows(path)
            except ExplorerError as error:
                assert path.name in str(error) and str(error).isprintable()


# --- runs ---


def test_files_of_steps_are_one_run_in_order_and_its_values_are_those_of_the_measures(tmp_path, store, protocol):
    rows = {step: RNG.normal(size=(60, 55)) @ np.diag(0.9 ** np.arange(55)) for step in (0, 2, 100)}
    (tmp_path / "monkey").mkdir()
    for step, x in rows.items():
        saved(tmp_path / "monkey" / f"step{step}.npz", V1=x, **{"IT/10": x**2, "IT/2": x**3})
    run = find_run(store, str(tmp_path / "monkey"))
    assert [(c.revision, c.step) for c in run.checkpoints] == [("step0", 0), ("step2", 2), ("step100", 100)]
    assert (run.name, run.default_probe) == ("monkey", "as-given")
    assert compute.sweep(store, [run], protocol, SINGLE) == 3 and compute.sweep(store, [run], protocol, SINGLE) == 0
    assert compute.sites(store, [run], protocol) == ["IT/2", "IT/10", "V1"]
    for record in compute.records(store, run):
        given = (rows[record["step"]] ** {"V1": 1, "IT/10": 2, "IT/2": 3}[record["site"]]).astype(np.float32)
        names = [str(number) for number in range(len(given))]
        measure = registry.get(record["measure"])
        expected = measure(TextRows.of(given, names, names) if measure.takes == "texts" else given)
        value = expected.values if isinstance(record["value"], list) else expected.value if expected.defined else None
        assert record["value"] == (value if value is None else pytest.approx(value, rel=1e-6)), record
    assert len(compute.records(store, run)) == 3 * 3 * len(SINGLE)


@pytest.mark.parametrize("name", ["__metadata__", "a/mean", "..", "../../x", "é", "a" * 80, "%2F", "'\"<b>", "scatter"])
def test_a_site_of_any_name_is_measured_or_refused_before_it_is_stored(tmp_path, store, protocol, name):
    run = open_run(saved(tmp_path / "x.npz", **{name: X, "a": Y}))
    try:
        compute.sweep(store, [run], protocol, [registry.get("stable_rank")])
    except ExplorerError as error:
        assert str(error).isprintable()
    else:
        values = {r["site"]: r["value"] for r in compute.records(store, run)}
        assert values == pytest.approx({name: registry.get("stable_rank")(X).value,
                                        "a": registry.get("stable_rank")(Y).value}, rel=1e-6)


def test_cka_pairs_rows_by_their_ids_and_refuses_other_ids(tmp_path, store, protocol):
    ids = np.array([f"stimulus {k}" for k in range(24)])
    one, two, other, shuffled = (open_run(saved(tmp_path / f"{name}.npz", a=x, ids=names)) for name, x, names in (
        ("one", X, ids), ("two", Y, ids), ("other", Y + 1, np.char.add(ids, "b")), ("shuffled", Y + 2, ids[::-1])))

    def cka(left, right):
        sides = [[(run.checkpoints[0], "a")] for run in (left, right)]
        return similarity.compare(store, *sides, registry.get("linear_cka_biased"), protocol).values[0, 0]
    x, y = (z.astype(float) - z.astype(float).mean(0) for z in (X, Y))
    by_hand = np.linalg.norm(x.T @ y)**2 / np.linalg.norm(x.T @ x) / np.linalg.norm(y.T @ y)
    assert cka(one, two) == pytest.approx(by_hand, rel=1e-5) and cka(one, one) == pytest.approx(1)
    for run in (other, shuffled):
        refused(lambda run=run: cka(one, run), run.name)


def test_rows_and_a_text_model_are_not_compared(tmp_path, store, protocol, probe, tiny_run):
    rows, model = open_run(saved(tmp_path / "x.npz", final=RNG.normal(size=(48, 16)))), open_run(tiny_run)
    sides, cka = [[(run.checkpoints[0], "final")] for run in (rows, model)], registry.get("linear_cka_biased")
    for given in (protocol, compute.Protocol(probe, Policy.parse("last"))):
        refused(lambda given=given: similarity.compare(store, *sides, cka, given), "as-given")
        refused(lambda given=given: compute.sweep(store, [rows, model], given, SINGLE), "as-given")


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".safetensors"])
def test_the_command_line_measures_a_file_and_shows_and_compares_it(tmp_path, capsys, suffix):
    path = str(saved(tmp_path / f"mouse{suffix}", final=X))
    assert main(["sweep", path, "--measure", "stable_rank", "--measure", "linear_cka_biased"]) == 0
    assert main(["show", "mouse", "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["value"] == pytest.approx(registry.get("stable_rank")(X).value)
    assert (record["revision"], record["step"], record["site"], record["n"]) == ("mouse", None, "final", 24)
    assert main(["compare", path, "--json", "--measure", "linear_cka_biased"]) == 0
    assert json.loads(capsys.readouterr().out)["values"] == [[pytest.approx(1)]]
    assert main(["sweep", path, "--probe", "sotu-held-out"]) == 2 and "as-given" in capsys.readouterr().err


# --- labels ---


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_labels_come_by_name_without_the_prefix_as_one_text_a_row_and_are_no_sites(tmp_path, suffix):
    words, path = [f"kind {k % 3}" for k in range(24)], tmp_path / f"x{suffix}"
    if suffix == ".npz":
        saved(path, final=X, label_angle=np.arange(24, dtype=np.float32), label_kind=np.array(words),
              label=np.array([word.encode() for word in words]))
    else:
        save_file({"final": X, "label_angle": np.arange(24, dtype=np.float32)}, path,
                  metadata={"label_kind": json.dumps(words), "label": json.dumps(words)})
    labels = labels_of(path)
    assert set(labels) == {"angle", "kind", "label"} and list(read_rows(path).rows) == ["final"]
    assert labels["kind"] == labels["label"] == tuple(words)
    assert labels["angle"] == tuple(f"{k}.0" for k in range(24))


@pytest.mark.parametrize("kind", ["f2", "f4", ">f4", "f8", "i2", "u1"])
def test_a_number_is_written_as_the_shortest_text_that_gives_it_back(tmp_path, kind):
    given = (np.arange(24) / 10 if "f" in kind else np.arange(24)).astype(kind)
    texts = labels_of(saved(tmp_path / "x.npz", final=X, label_x=given))["x"]
    assert np.array(texts).astype(given.dtype).tolist() == given.tolist() and max(map(len, texts)) <= 6


def test_a_file_without_labels_has_none(tmp_path):
    assert labels_of(saved(tmp_path / "x.npz", final=X, ids=np.arange(24))) == {}
    assert labels_of(saved(tmp_path / "x.npy", final=X)) == {}


@pytest.mark.parametrize(("labels", "words"), [
    (np.arange(23), ("label_x", "23", "24 rows")), (np.zeros((24, 2)), ("label_x", "48", "24 rows")),
    (np.array(["\ud800"] * 24), ("label_x",)), (np.array("one"), ("label_x", "24 rows"))], ids=str)
def test_labels_that_are_not_one_text_a_row_are_refused_by_name_and_leave_the_rows_readable(tmp_path, labels, words):
    path = saved(tmp_path / "x.npz", final=X, label_x=labels)
    refused(lambda: labels_of(path), path.name, *words)
    assert read_rows(path).rows["final"].tolist() == X.tolist()


def test_labels_are_refused_with_the_rows_they_are_of_and_never_unpickled(tmp_path):
    refused(lambda: labels_of(saved(tmp_path / "none.npz", label_x=np.arange(24))), "none.npz", "0 arrays")
    refused(lambda: labels_of(saved(tmp_path / "two.npz", a=X, b=Y[:5], label_x=np.arange(24))), "two.npz", "5, 24")
    np.savez(tmp_path / "objects.npz", final=X, label_x=np.array([{}] * 24, dtype=object))
    refused(lambda: labels_of(tmp_path / "objects.npz"), "objects.npz", "Python objects")
    save_file({"final": X}, tmp_path / "x.safetensors", metadata={"label_x": "no json"})
    refused(lambda: labels_of(tmp_path / "x.safetensors"), "x.safetensors", "labels", "JSON lists")
