"""The tidy table holds what the store holds, value for value, and arrays are measured as stored rows are."""

import json

import numpy as np
import pandas as pd
import pytest

import analysis
from analysis import arrays, compute, registry, similarity, tables, views
from analysis.__main__ import main, open_store
from analysis.errors import ExplorerError
from analysis.extraction.library import find_probe
from analysis.keys import Policy
from analysis.runs import find_run
from tests.test_architecture import unwanted

SEED_1 = "sotu-neox-seed1"
RNG = np.random.default_rng(3)
X = RNG.normal(size=(120, 12))
DOCUMENTS = [f"document {row // 6}" for row in range(120)]


# --- the table ---


def test_every_stored_scalar_of_a_run_is_a_row_with_its_value_interval_and_protocol(store, run, protocol):
    names = ["stable_rank", "rankme_covariance", "covariance_eigenspectrum"]
    compute.sweep(store, [run], protocol, [registry.get(name) for name in names])
    found, table = compute.records(store, run), tables.tidy(run, store=store)
    scalars = [record for record in found if not isinstance(record["value"], list)]
    assert len(table) == len(scalars) == 3 * 4 * 2, "spectra are no scalars"
    for row, record in zip(table.to_dict("records"), scalars, strict=True):
        assert all(row[name] == record[name] for name in ("run", "revision", "step", "site", "measure", "value", "low",
                                                          "high", "n", "d", "fingerprint"))
        assert (row["probe"], row["rows"], row["dtype"]) == (protocol.probe.identity, "last", "float32")
        assert json.loads(row["params"]) == record["protocol"]["params"]
    losses = {fact["revision"]: fact["loss"] for fact in compute.losses(store, run, protocol)}
    assert dict(zip(table.revision, table.loss, strict=True)) == losses and table.loss.notna().all()


def test_columns_and_types_are_the_same_with_and_without_rows():
    full = tables.tidy(SEED_1, measure="rankme_covariance", site="final")
    none = tables.tidy(SEED_1, measure="rankme_covariance", site="nowhere")
    assert list(full) == list(none) == list(tables.COLUMNS) and len(full) == 20 and len(none) == 0
    assert full.dtypes.equals(none.dtypes) and pd.api.types.is_integer_dtype(full["step"])


def test_an_undefined_value_is_missing_and_has_its_reason():
    table = tables.tidy("modular-addition")
    undefined = table[table.reason != ""]
    assert len(undefined) and undefined.value.isna().all() and table[table.reason == ""].value.notna().all()


def test_several_runs_come_in_their_order_and_all_runs_without_a_name():
    table = tables.tidy(["sotu-neox-seed2", SEED_1], measure="stable_rank", site="final")
    assert list(table.run.unique()) == ["sotu-neox-seed2", SEED_1]
    assert {SEED_1, "sotu-neox-seed2", "modular-addition"} <= set(tables.tidy(measure="stable_rank").run)


def test_a_comparison_that_is_stored_is_a_table_of_its_pairs(protocol):
    store, runs = open_store(), [find_run(open_store(), name) for name in (SEED_1, "sotu-neox-seed2")]
    usual = compute.Protocol(find_probe("sotu-held-out"), Policy.parse("last"))
    sites = compute.sites(store, runs, usual)
    left, right = (views.layers(one.checkpoints[-1], sites) for one in runs)
    measure = registry.get("linear_cka_debiased")
    table, matrix = tables.pairs(left, right, measure, usual), similarity.matrix(store, left, right, measure, usual)
    assert table.value.to_numpy().reshape(matrix.values.shape).tolist() == matrix.values.tolist()
    assert {"run_a", "site_b", "low", "high", "p", "fingerprint_a"} <= set(table)
    with pytest.raises(ExplorerError, match="not computed"):
        tables.pairs(left, right, measure, protocol)


# --- the command ---


def test_show_writes_the_tidy_table_as_csv_and_parquet(capfdbinary, tmp_path):
    argv = ["show", SEED_1, "--measure", "rankme_covariance", "--site", "final", "--format"]
    wanted = tables.tidy(SEED_1, measure="rankme_covariance", site="final")
    assert main([*argv, "parquet"]) == 0
    (tmp_path / "values.parquet").write_bytes(capfdbinary.readouterr().out)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "values.parquet"), wanted, check_dtype=False)
    assert main([*argv, "csv"]) == 0
    (tmp_path / "values.csv").write_bytes(capfdbinary.readouterr().out)
    read = pd.read_csv(tmp_path / "values.csv")
    assert read.value.tolist() == wanted.value.tolist() and list(read) == list(wanted)
    assert main([*argv, "json"]) == 0
    said = json.loads(capfdbinary.readouterr().out)
    assert [record["value"] for record in said] == wanted.value.tolist()


def test_show_writes_the_header_alone_where_nothing_is_stored(capsys, tiny_run):
    assert main(["show", str(tiny_run), "--format", "csv"]) == 0
    assert capsys.readouterr().out.strip() == ",".join(tables.COLUMNS)


# --- arrays ---


@pytest.mark.parametrize("name", ["rankme_covariance", "rankme_covariance_richardson", "stable_rank",
                                  "isoscore"])
def test_an_array_has_the_value_and_interval_that_it_has_as_stored_rows(store, name, tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, rows=X, documents=np.array(DOCUMENTS))
    run = find_run(store, str(path))
    given = compute.Protocol(find_probe(run.default_probe), Policy.parse("last"))
    compute.sweep(store, [run], given, [registry.get(name)])
    (record,) = compute.records(store, run, measure=name)
    found = arrays.measure_rows(X.astype(np.float32), name, documents=DOCUMENTS)
    assert (found.value, found.low, found.high) == pytest.approx((record["value"], record["low"], record["high"]),
                                                                 rel=1e-6)


def test_a_spectrum_and_settings_come_through():
    curve = arrays.measure_rows(X, "covariance_eigenspectrum")
    assert curve.values == pytest.approx(np.sort(np.linalg.eigvalsh(np.cov(X.T)))[::-1], rel=1e-9)
    few, many = (arrays.measure_rows(X, "intrinsic_dimension_mle", neighbours=k).value for k in (5, 20))
    assert few != many


def test_two_arrays_have_value_interval_and_null_and_documents_widen_the_interval():
    y = X @ RNG.normal(size=(12, 5)) + np.repeat(RNG.normal(size=(20, 5)), 6, axis=0)
    alone, grouped = (arrays.compare_rows(X, y, documents=names) for names in (None, DOCUMENTS))
    assert alone["value"] == grouped["value"] and alone["draws"] == similarity.DRAWS and alone["p"] == 1 / 200
    assert alone["value"] == pytest.approx(registry.get("linear_cka_debiased")(X, y).value, rel=1e-9)
    assert grouped["low"] < grouped["value"] < grouped["high"] and grouped["high"] != alone["high"]
    none = arrays.compare_rows(X, y, draws=0)
    assert none["p"] is None and none["draws"] == 0


def test_unrelated_arrays_are_not_above_chance():
    p = [arrays.compare_rows(X, np.random.default_rng(seed).normal(size=(120, 8)), draws=39)["p"] for seed in range(8)]
    assert min(p) > 0.02 and np.mean(p) > 0.2


@pytest.mark.parametrize(("call", "said"), [
    (lambda: arrays.measure_rows(X, "linear_cka_debiased"), "use compare_rows"),
    (lambda: arrays.compare_rows(X, X, "stable_rank"), "use measure_rows"),
    (lambda: arrays.measure_rows(X[0], "stable_rank"), "n x d"),
    (lambda: arrays.measure_rows(X.astype(complex), "stable_rank"), "real numbers"),
    (lambda: arrays.measure_rows(np.full((9, 3), np.nan), "stable_rank"), "NaN"),
    (lambda: arrays.compare_rows(X, X[:-1]), "120 rows and y has 119"),
    (lambda: arrays.measure_rows(X, "stable_rank", documents=["a"]), "1 names for 120 rows")])
def test_arrays_that_cannot_be_measured_are_refused_with_a_sentence(call, said):
    with pytest.raises(ExplorerError, match=said):
        call()


# --- the surface ---


def test_every_name_of_the_surface_is_there_and_documented():
    for name in analysis.__all__:
        assert (getattr(analysis, name).__doc__ or "").strip(), name
    assert set(analysis.__all__) <= set(dir(analysis))
    with pytest.raises(AttributeError, match="measure_rows"):
        analysis.no_such_name  # noqa: B018


def test_importing_the_surface_loads_neither_torch_nor_a_screen():
    assert unwanted("import analysis", {"numpy", "pandas", "torch", "plotly", "streamlit"}) == set()
    assert unwanted("from analysis import tidy, measure_rows, open_store", {"torch", "streamlit", "plotly"}) == set()


def test_the_check_of_what_is_loaded_reports_a_figure_library():
    assert "plotly" in unwanted("from analysis import figure_html", {"plotly"})
