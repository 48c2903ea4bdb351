"""Files a person takes away: HTML that fetches nothing, CSV that comes back, a manifest of what made them."""

import csv
import io
import json
import re
from html.parser import HTMLParser
from importlib.metadata import version

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import export, registry
from analysis.pairs import cells
from analysis.results import PairMatrix

TITLE = 'RankMe <b>&"quoted"</b> </title><script>alert(1)</script>'


class Page(HTMLParser):
    """The parts of a page that a browser acts on: attributes of tags, the title and the scripts."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.inside, self.attributes, self.title, self.scripts = "", [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.inside = tag
        self.attributes += [(tag, name, value) for name, value in attributes]
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, _):
        self.inside = ""

    def handle_data(self, data):
        if self.inside == "title":
            self.title += data
        elif self.inside == "script":
            self.scripts[-1] += data


@pytest.fixture(scope="module")
def page():
    figure = go.Figure(go.Scatter(x=[0, 1, 2], y=[41.5, 7.25, 53.125], name="seed 1"))
    return Page(export.figure_html(figure, TITLE).decode("utf-8"))


def read(content):
    return list(csv.DictReader(io.StringIO(content.decode("utf-8"), newline="")))


# --- HTML ---


def test_a_figure_page_names_no_address_to_fetch_from(page):
    fetched = [(tag, name, value) for tag, name, value in page.attributes
               if name in ("src", "href", "srcset", "data", "action", "poster", "background")]
    assert [found for found in fetched if not (found[2] or "").startswith(("data:", "#"))] == []
    assert not any(tag in ("link", "iframe", "object", "base") for tag, _, _ in page.attributes)


def test_a_figure_page_holds_plotly_and_the_numbers(page):
    assert any("plotly.js v" in script and len(script) > 1_000_000 for script in page.scripts)
    assert any("Plotly.newPlot" in script and "53.125" in script for script in page.scripts)


def test_a_figure_page_has_its_title_as_text_and_not_as_markup(page):
    assert page.title == TITLE
    assert not any(script == "alert(1)" for script in page.scripts)


def test_a_figure_cannot_be_sent_to_a_company_from_the_page_or_from_the_app(page):
    (config,) = [script for script in page.scripts if "Plotly.newPlot" in script]
    assert "sendChartToCloud" in config and '"displaylogo": false' in config
    assert export.CONFIG["displaylogo"] is False and "sendChartToCloud" in export.CONFIG["modeBarButtonsToRemove"]
    assert not {"plotlyServerURL", "showSendToCloud", "showEditInChartStudio"} & set(export.CONFIG)


# --- CSV ---


def test_numbers_come_back_from_csv_exactly():
    records = [{"step": step, "value": value} for step, value in enumerate([0.1, 1 / 3, 1e-300, -2.5e17, 5e-324])]
    assert [(int(row["step"]), float(row["value"])) for row in read(export.table_csv(records))] == [
        (record["step"], record["value"]) for record in records]


def test_a_table_opens_in_pandas_with_gaps_where_values_are_undefined():
    table = pd.read_csv(io.BytesIO(export.table_csv([{"run": "a", "value": 1.5}, {"run": "b", "value": None}])))
    assert list(table.columns) == ["run", "value"]
    assert table["value"][0] == 1.5 and np.isnan(table["value"][1])


def test_nested_values_are_json_and_come_back():
    record = {"protocol": {"probe": "sätze@12", "params": {"last_rank": 50}}, "values": [3.5, None, "x"]}
    (row,) = read(export.table_csv([record]))
    assert {name: json.loads(value) for name, value in row.items()} == record
    assert "sätze" in row["protocol"]


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=20), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_any_text_comes_back_from_csv_or_is_marked_as_text(texts):
    rows = read(export.table_csv([{"text": text, "position": i} for i, text in enumerate(texts)]))
    assert [row["position"] for row in rows] == [str(i) for i in range(len(texts))]
    for row, text in zip(rows, texts, strict=True):
        assert row["text"] in (text, f"'{text}")
        assert (row["text"] == text) == (not text.startswith(("=", "+", "-", "@", "\t", "\r")))


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1",
                                  '=HYPERLINK("http://example.org")'])
def test_text_that_a_spreadsheet_would_run_is_marked_as_text(text):
    (row,) = read(export.table_csv([{"run": text}]))
    assert row["run"].startswith("'") and row["run"][1:] == text


def test_negative_numbers_stay_numbers():
    (row,) = read(export.table_csv([{"value": -1.5, "count": -3}]))
    assert (float(row["value"]), int(row["count"])) == (-1.5, -3)


def test_no_records_are_an_empty_file():
    assert export.table_csv([]) == b""


# --- pair matrices ---

CKA = registry.get("linear_cka_debiased")
SIDE_A = [{"run": "a", "site": site, "fingerprint": "f" * 8} for site in ("embedding", "final")]
SIDE_B = [{"run": "b", "site": site, "fingerprint": "e" * 8} for site in ("embedding", "block 1", "final")]


def test_a_matrix_becomes_one_record_for_each_cell_with_both_sides_named():
    values = np.arange(6.0).reshape(2, 3)
    records = export.matrix_records(PairMatrix(values=values, chance=values / 10), SIDE_A, SIDE_B, CKA)
    assert len(records) == 6
    found = {(r["site_a"], r["site_b"]): r for r in records}
    for i, a in enumerate(SIDE_A):
        for j, b in enumerate(SIDE_B):
            cell = found[a["site"], b["site"]]
            assert (cell["value"], cell["chance"]) == (values[i, j], values[i, j] / 10)
            assert (cell["run_a"], cell["run_b"], cell["measure"]) == ("a", "b", "linear_cka_debiased")
            assert (cell["fingerprint_a"], cell["fingerprint_b"]) == ("f" * 8, "e" * 8)


def test_undefined_cells_and_absent_chance_are_gaps_and_not_the_text_nan():
    records = export.matrix_records(PairMatrix(values=np.array([[np.nan, 0.5]])), SIDE_A[:1], SIDE_B[:2], CKA)
    assert [(r["value"], r["chance"]) for r in records] == [(None, None), (0.5, None)]
    assert "nan" not in export.table_csv(records).decode()
    assert all(isinstance(r["value"], (float, type(None))) for r in records)


def test_a_cell_carries_its_interval_its_null_and_both_p_values_as_cells_py_gives_them():
    values = np.array([[0.6, 0.1, 0.2], [0.05, 0.3, 0.9]])
    null = np.random.default_rng(0).normal(0, 0.05, (39, 2, 3))
    matrix = PairMatrix(values=values, null=null, sizes=np.full(12, 10),
                        replicates=values + np.linspace(-0.01, 0.01, 12)[:, None, None])
    records = export.matrix_records(matrix, SIDE_A, SIDE_B, CKA)
    (low, high), said = cells.interval(matrix), cells.verdict(matrix, CKA)
    for name, array in {"low": low, "high": high, "null_mean": said.mean, "threshold": said.threshold,
                        "calibrated": said.calibrated, "p": said.p, "p_any": said.p_any}.items():
        np.testing.assert_array_equal([record[name] for record in records], array.ravel(), err_msg=name)
    assert {record["draws"] for record in records} == {39}
    assert all(record["low"] < record["value"] < record["high"] for record in records)


def test_a_matrix_without_replicates_and_null_has_gaps_for_what_they_would_give():
    (record,) = export.matrix_records(PairMatrix(values=np.array([[0.5]])), SIDE_A[:1], SIDE_B[:1], CKA)
    assert {name for name, value in record.items() if value is None} == {
        "low", "high", "chance", "null_mean", "threshold", "calibrated", "p", "p_any"}
    assert record["draws"] == 0


# --- manifest ---


def test_a_manifest_holds_every_fingerprint_and_protocol_once_and_the_versions():
    protocols = [{"probe": "p@1", "policy": "last"}, {"policy": "last", "probe": "p@1"}, {"probe": "p@1",
                                                                                         "policy": "mean"}]
    records = [{"run": "ä", "fingerprint": print_, "protocol": protocol}
               for print_, protocol in zip(("bbb", "aaa", "bbb"), protocols, strict=True)]
    held = json.loads(export.manifest(records, "Title", "Caption ä"))
    assert held["fingerprints"] == ["aaa", "bbb"]
    assert len(held["protocols"]) == 2 and all(protocol in protocols for protocol in held["protocols"])
    assert (held["title"], held["caption"]) == ("Title", "Caption ä")
    assert held["versions"]["torch"] == version("torch") and held["versions"]["numpy"] == np.__version__
    assert {"transformers", "scipy", "plotly"} <= set(held["versions"])


def test_the_manifest_of_a_comparison_names_the_checkpoints_and_protocols_of_both_sides():
    protocol = {"probe": "p@1", "policy": "last"}
    sides = [[side | {"protocol": protocol} for side in sides] for sides in (SIDE_A, SIDE_B)]
    held = json.loads(export.manifest(export.matrix_records(PairMatrix(values=np.ones((2, 3))), *sides, CKA), "", ""))
    assert held["fingerprints"] == ["e" * 8, "f" * 8]
    assert held["protocols"] == [protocol]


def test_a_manifest_is_the_same_whatever_the_order_of_records():
    records = [{"fingerprint": str(k), "protocol": {"k": k}} for k in range(5)]
    assert export.manifest(records, "t", "c") == export.manifest(records[::-1], "t", "c")


def test_a_manifest_holds_no_path_of_the_machine():
    text = export.manifest([{"fingerprint": "a", "protocol": {}, "source": "/home/someone/runs"}], "t", "c").decode()
    assert not re.search(r"/(home|root|work|tmp)/", text)
