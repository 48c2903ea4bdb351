"""The page Pair: what it offers before, what it shows after, and its two sides in the URL."""

import shlex

import numpy as np
import pytest

from analysis import similarity, storage
from analysis.__main__ import _parser, main, open_store
from analysis.extraction.library import add_probe
from analysis.extraction.probes import load_probe
from analysis.keys import Policy
from analysis.pairs import matched, sheet
from analysis.registry import get
from analysis.representations import Protocol
from analysis.runs import find_run, remember
from tests.ui.test_pages import charts, healthy, opened

QUICK = ["linear_cka_debiased", "linear_cka_biased", "cca_r2", "procrustes_nbs", "mutual_knn_cosine"]
A, B = "tiny@step0:final", "tiny@step8:block 1"


@pytest.fixture
def mine(tiny_run, probe_file, monkeypatch):
    """The tiny run and a probe of its words, and few measures, so that a test takes no minute."""
    run = find_run(open_store(), str(tiny_run))
    remember(open_store(), run)
    add_probe("words.jsonl", probe_file.read_bytes())
    monkeypatch.setattr(sheet, "measures", lambda: [get(name) for name in QUICK])
    return run


@pytest.fixture
def computed(mine):
    assert main(["pair", A, B, "--probe", "words"]) == 0
    return mine


def page(**query):
    return opened("pair", **{"runs": "tiny", "probe": "words"} | query)


def in_url(at, name):
    value = at.query_params[name]
    return value[0] if isinstance(value, list) else value


def test_what_is_missing_is_offered_with_a_command_that_computes_it(mine):
    at = page(a=A, b=B)
    healthy(at)
    assert not charts(at) and ["0 of 5 measures" in info.value for info in at.info] == [True]
    command, = [code.value for code in at.code]
    argv = shlex.split(command)[3:]
    asked = _parser().parse_args(argv)
    assert (asked.a, asked.b) == (A, B)
    assert main(argv) == 0
    at = page(a=A, b=B)
    healthy(at)
    assert len(charts(at)) == 4 and not [b for b in at.button if b.label.startswith("Compute ")]


def test_a_link_opens_both_sides_and_stays_in_the_url(computed):
    at = page(a=A, b=B)
    healthy(at)
    assert [box.value for box in at.selectbox if box.key.startswith("pair ")] == [
        "tiny", "step0", "final", "tiny", "step8", "block 1"]
    assert in_url(at, "a") == A and in_url(at, "b") == B


@pytest.mark.parametrize("wrong", ["nothing", "nothing@step1:embedding", "tiny@step7:final",
                                   "tiny@step8:block 9", ":", "@"])
def test_a_wrong_side_in_the_url_leaves_the_default(computed, wrong):
    at = page(a=wrong)
    healthy(at)
    assert [box.value for box in at.selectbox if box.key.startswith("pair ") and box.key.endswith(" a")] == [
        "tiny", "step8", "final"]
    assert "a" not in at.query_params


def test_choosing_another_side_changes_the_url(computed):
    at = page(a=A, b=B)
    at.selectbox(key="pair at b").select("step0").run()
    healthy(at)
    assert in_url(at, "b") == "tiny@step0:block 1"
    assert any("0 of 5 measures" in info.value for info in at.info)


def test_the_table_holds_what_the_store_holds(computed, probe_file):
    at = page(a=A, b=B)
    store, protocol = open_store(), Protocol(load_probe(probe_file), Policy.parse("last"))
    table = at.dataframe[0].value
    assert list(table["measure"]) == [get(name).label for name in QUICK]
    for name, value in zip(QUICK, table["value"], strict=True):
        matrix = similarity.matrix(store, [(computed.at("step0"), "final")], [(computed.at("step8"), "block 1")],
                                   get(name), protocol)
        assert value == matrix.values[0, 0]
    assert list(table["same after"])[2] == "R S T L"


def test_the_page_says_why_what_by_chance_and_which_rows(computed):
    at = page(a=A, b=B, null_of="CCA, mean squared correlation")
    healthy(at)
    assert at.selectbox(key="null_of").value == "cca_r2"
    said = " ".join(element.value for element in [*at.markdown, *at.caption, *at.subheader])
    for part in ("Why do they disagree", "n = 48 rows", "rows: last", "shuffled whole", "95 %", "48 of 48 rows",
                 "seed 0", "p = "):
        assert part in said, part
    worst = at.dataframe[1].value
    assert len(worst) == matched.LARGEST and list(worst["mismatch"]) == sorted(worst["mismatch"], reverse=True)
    assert worst["text"].str.startswith("w").all()
    assert np.isfinite(worst["mismatch"]).all()


def test_rows_that_were_let_go_are_offered_again_and_the_numbers_stay(computed, monkeypatch):
    monkeypatch.setattr(storage, "IN_USE_S", -1.0)
    storage.reclaim(open_store(), 0)
    at = page(a=A, b=B)
    healthy(at)
    assert len(charts(at)) == 2 and any("not here" in info.value for info in at.info)
    command, = [code.value for code in at.code if code.value.startswith("python -m analysis ")]
    assert main(shlex.split(command)[3:]) == 0
    at = page(a=A, b=B)
    healthy(at)
    assert len(charts(at)) == 4


def test_a_run_alone_is_compared_with_its_own_beginning(computed):
    at = page()
    healthy(at)
    assert [box.value for box in at.selectbox if box.key.startswith("pair at")] == ["step8", "step0"]
    assert "a" not in at.query_params and "b" not in at.query_params
