"""Two precisions of one run on the pages: offered where there are both, never drawn together, always named."""

import csv
import io
import json
import signal

import numpy as np
import pytest
from streamlit.runtime.context import ContextProxy

from analysis import compute, export, registry, similarity
from analysis.__main__ import _parser, main, open_store
from analysis.extraction.probes import load_probe
from analysis.keys import Policy
from analysis.runs import find_run
from tests.checkpoints.models import copied, edit_json
from tests.ui.test_first_steps import offered
from tests.ui.test_pages import SEED_1, charts, healthy, numbers, opened
from ui import cards

FIGURES = ("overview", "trajectories", "spectra", "similarity")
DTYPES = ("float32", "bfloat16")
MINE = {"runs": "mine"}


@pytest.fixture(scope="module")
def both(tmp_path_factory, tiny_run, probe_file):
    """A cache with a run called mine, swept at both precisions."""
    folder = copied(tiny_run, tmp_path_factory.mktemp("both") / "mine")
    edit_json(folder / "run.json", probe=str(probe_file), name="mine")
    before = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPLORER_CACHE", str(folder.parent / "cache"))
        for dtype in DTYPES:
            assert main(["sweep", str(folder), "--dtype", dtype]) == 0
    signal.signal(signal.SIGTERM, before)
    return folder.parent / "cache"


@pytest.fixture
def swept(both, monkeypatch):
    monkeypatch.setenv("EXPLORER_CACHE", str(both))


@pytest.fixture
def drawn(swept, monkeypatch):
    """What the last figure of a page was made from: its records and its caption."""
    seen = {}
    original = cards.figure

    def figure(built, records, *, title, caption, **how):
        seen.update(records=records, title=title, caption=caption)
        original(built, records, title=title, caption=caption, **how)
    monkeypatch.setattr(cards, "figure", figure)
    return seen


def picker(at):
    return [box for box in at.sidebar.selectbox if box.label == "Precision"]


def precisions(records):
    return {value["dtype"] for record in records for name, value in record.items() if name.startswith("protocol")}


def stored(dtype, measure, site="final"):
    store = open_store()
    return [record["value"] for record in compute.records(store, find_run(store, "mine"), dtype=dtype, measure=measure,
                                                          site=site)]


# --- when it is offered ---


@pytest.mark.parametrize("page", FIGURES)
def test_a_run_with_both_precisions_lets_one_be_chosen_and_begins_with_the_full_one(swept, page):
    at = opened(page, **MINE)
    healthy(at)
    (box,) = picker(at)
    assert (box.options, box.value) == (list(DTYPES), "float32") and "dtype" not in at.query_params
    assert not at.info, "everything of both precisions is computed"


@pytest.mark.parametrize("page", FIGURES)
def test_without_results_at_half_precision_there_is_no_picker(page):
    at = opened(page, runs=SEED_1)
    healthy(at)
    assert picker(at) == [] and charts(at)


@pytest.mark.parametrize("page", FIGURES)
def test_a_precision_that_the_chosen_runs_have_not_does_not_stay_in_the_url(page):
    at = opened(page, runs=SEED_1, dtype="bfloat16")
    healthy(at)
    assert picker(at) == [] and "float32 forward pass" in " ".join(caption.value for caption in at.caption)
    assert "dtype" not in at.query_params


def test_a_wrong_precision_in_the_url_leaves_the_full_one(swept):
    at = opened("overview", **MINE, dtype="int8")
    healthy(at)
    assert picker(at)[0].value == "float32" and "dtype" not in at.query_params


# --- one at a time ---


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("page", FIGURES)
def test_a_figure_and_the_files_beside_it_are_of_the_chosen_precision_only(drawn, page, dtype):
    at = opened(page, **MINE, dtype=dtype)
    healthy(at)
    assert picker(at)[0].value == dtype and len(drawn["records"]) >= 3 and precisions(drawn["records"]) == {dtype}
    assert f"{dtype} forward pass" in drawn["caption"]
    assert any(f"{dtype} forward pass" in caption.value for caption in at.caption)
    rows = list(csv.DictReader(io.StringIO(export.table_csv(drawn["records"]).decode())))
    told = [json.loads(value)["dtype"] for row in rows for name, value in row.items() if name.startswith("protocol")]
    assert len(told) >= len(rows) == len(drawn["records"]) and set(told) == {dtype}
    manifest = json.loads(export.manifest(drawn["records"], drawn["title"], drawn["caption"]))
    assert [protocol["dtype"] for protocol in manifest["protocols"]] == [dtype] and dtype in manifest["caption"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_line_of_a_precision_is_its_own_values_and_not_those_of_the_other(swept, dtype):
    chart, = charts(opened("trajectories", **MINE, dtype=dtype, measure="Stable rank"))
    lines = [line for trace in chart["data"] if len(line := numbers(trace.get("y", []))) == 3]
    own, other = (np.array(stored(name, "stable_rank")) for name in (dtype, *{*DTYPES} - {dtype}))
    assert len(own) == 3 and not np.allclose(own, other, rtol=1e-7)
    assert any(np.allclose(line, own, rtol=1e-9) for line in lines)
    assert not any(np.allclose(line, other, rtol=1e-9) for line in lines)


@pytest.mark.parametrize("by", ["layer × layer", "step × step"])
def test_a_matrix_of_half_precision_is_not_that_of_full_precision(swept, by):
    found = []
    for dtype in DTYPES:
        chart, = charts(opened("similarity", **MINE, dtype=dtype, by=by))
        found += [numbers(trace["z"]) for trace in chart["data"] if trace["type"] == "heatmap"]
    assert len(found) == 2 and not np.array_equal(*found)
    np.testing.assert_allclose(*found, atol=0.05)


def test_the_number_on_the_overview_is_of_the_chosen_precision(swept):
    for dtype in DTYPES:
        (metric,) = opened("overview", **MINE, dtype=dtype).metric
        assert metric.value == f"{stored(dtype, 'rankme_covariance')[-1]:.1f}"


def test_the_table_of_runs_does_not_add_the_checkpoints_of_two_precisions(swept):
    table = opened("overview", **MINE).dataframe[0].value.set_index("run")
    said = table.loc["mine", "computed on"]
    assert table.loc["mine", "checkpoints"] == 3 and ": 6" not in said and said.count(": 3") == 2
    assert "bfloat16" in said


# --- the choice ---


def test_a_chosen_precision_is_in_the_url_and_goes_along_to_every_page(swept, drawn, monkeypatch):
    here = ["http://localhost/overview"]
    monkeypatch.setattr(ContextProxy, "url", property(lambda self: here[-1]))
    at = opened("overview", **MINE)
    at.sidebar.selectbox(key="dtype").set_value("bfloat16").run()
    for page in ("trajectories", "spectra", "similarity", "measures", "overview"):
        here.append(f"http://localhost/{page}")
        at = at.switch_page(f"../pages/{page}.py").run()
        healthy(at)
        if page in FIGURES:
            assert picker(at)[0].value == "bfloat16" and precisions(drawn["records"]) == {"bfloat16"}
            assert at.query_params["dtype"] in ("bfloat16", ["bfloat16"])
    at.sidebar.selectbox(key="dtype").set_value("float32").run()
    assert "dtype" not in at.query_params and precisions(drawn["records"]) == {"float32"}


def test_a_chosen_precision_is_kept_while_a_run_without_it_is_looked_at(swept):
    at = opened("overview", **MINE, dtype="bfloat16")
    at.multiselect(key="runs").set_value([SEED_1]).run()
    healthy(at)
    assert picker(at) == []
    at.multiselect(key="runs").set_value(["mine"]).run()
    healthy(at)
    assert picker(at)[0].value == "bfloat16"


# --- what is computed next ---


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("page", "query"), [
    ("overview", {"rows": "mean"}), ("trajectories", {"rows": "mean", "measure": "Stable rank"}),
    ("trajectories", {"measure": "Spectral decay exponent α", "last_rank": "14"}), ("spectra", {"rows": "mean"}),
    ("similarity", {"at_A": "step0"}), ("similarity", {"at_A": "step1", "by": "layer × layer"})], ids=str)
def test_what_a_button_computes_is_at_the_precision_that_is_chosen(swept, page, query, dtype):
    at = opened(page, **MINE, dtype=dtype, **query)
    healthy(at)
    argv = offered(at)[1]
    assert _parser().parse_args(argv).dtype == dtype and ("--dtype" in argv) == (dtype != "float32")


def test_the_command_a_button_shows_fills_the_page_it_stands_on(both, drawn, tmp_path, monkeypatch):
    query = {"at_A": "step0", "at_B": "step1", "dtype": "bfloat16"}
    argv = offered(opened("similarity", **MINE, **query))[1]
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setenv("EXPLORER_CACHE", str(copied(both, tmp_path / "copy")))
    assert main(argv) == 0
    signal.signal(signal.SIGTERM, before)
    at = opened("similarity", **MINE, **query)
    healthy(at)
    assert not at.info and precisions(drawn["records"]) == {"bfloat16"}
    half = compute.Protocol(load_probe(_parser().parse_args(argv).probe), Policy.parse("last"), "bfloat16")
    store = open_store()
    ends = [c for c in find_run(store, "mine").checkpoints if c.revision in ("step0", "step1")]
    sides = [[(end, site) for site in ("embedding", "block 1", "block 2", "final")] for end in ends]
    expected = similarity.matrix(store, *sides, registry.get("linear_cka_debiased"), half)
    assert [record["value"] for record in drawn["records"]] == expected.values.ravel().tolist()
