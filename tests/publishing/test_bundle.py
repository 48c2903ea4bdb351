"""The zip that goes with a paper."""

import csv
import hashlib
import io
import json
import zipfile

import numpy as np
import pytest
from pyarrow import parquet

from analysis import registry
from analysis.publishing import render
from analysis.publishing.bundle import Piece, bundle, table_parquet
from analysis.publishing.layout import Print
from tests.figures.made import record
from tests.publishing.made import lines, needs_browser

RANK = registry.get("rankme_covariance")
RECORDS = [record("alpha", step, 3.0 + step) | {"measure": RANK.name, "seed": 4, "reason": "=1+1",
                                              "protocol": {"probe": "pile@1", "params": {}}} for step in (0, 8)]


def piece(title="RankMe"):
    return Piece(lines(), RECORDS, title, "n = 40, d = 8.")


def opened(content):
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    return archive


def table(content):
    return parquet.read_table(io.BytesIO(content)).to_pylist()


def test_one_figure_has_its_page_its_numbers_and_its_citations():
    archive = opened(bundle([piece()], Print(), []))
    assert archive.namelist() == ["figure.html", "manifest.json", "methods.tex", "methods.txt", "references.bib",
                                  "table.csv", "table.parquet"]
    assert b"<title>RankMe</title>" in archive.read("figure.html")
    assert f"\\cite{{{RANK.reference}}}" in archive.read("methods.txt").decode()
    assert "Figure: RankMe. n = 40, d = 8." in archive.read("methods.txt").decode()
    assert f"{{{RANK.reference}," in archive.read("references.bib").decode()


def test_several_figures_have_their_letters_in_the_names():
    archive = opened(bundle([piece(), piece("Other")], Print(), []))
    files = ("figure-{}.html", "table-{}.csv", "table-{}.parquet")
    assert {file.format(letter) for letter in "ab" for file in files} < set(archive.namelist())
    assert "Figure b: Other." in archive.read("methods.txt").decode()


def test_the_manifest_says_what_made_it_how_it_is_printed_and_what_each_file_is():
    archive = opened(bundle([piece()], Print(width_mm=100, palette="grey"), [], dpi=600))
    told = json.loads(archive.read("manifest.json"))
    assert told["software"]["name"] == "Representation Geometry Explorer" and told["software"]["version"]
    assert (told["print"]["width_mm"], told["print"]["palette"], told["print"]["dpi"]) == (100, "grey", 600)
    figure, = told["figures"]
    assert (figure["n"], figure["d"], figure["seed"], figure["records"]) == ([40], [8], [4], 2)
    assert figure["fingerprints"] == ["f" * 64] and figure["protocols"] == [{"probe": "pile@1", "params": {}}]
    assert told["files"] == {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()
                             if name != "manifest.json"}


def test_both_tables_hold_the_same_records_and_only_the_spreadsheet_is_guarded():
    archive = opened(bundle([piece()], Print(), []))
    told = table(archive.read("table.parquet"))
    assert [(row["run"], row["step"], row["value"], row["tokens"]) for row in told] == [("alpha", 0, 3.0, None),
                                                                                      ("alpha", 8, 11.0, None)]
    assert [json.loads(row["protocol"]) for row in told] == [record["protocol"] for record in RECORDS]
    assert {row["reason"] for row in told} == {"=1+1"}
    rows = list(csv.DictReader(io.StringIO(archive.read("table.csv").decode(), newline="")))
    assert [float(row["value"]) for row in rows] == [3.0, 11.0] and {row["reason"] for row in rows} == {"'=1+1"}


@pytest.mark.parametrize(("values", "back"), [
    ([1, 2.5, None], [1.0, 2.5, None]), ([1, 2], [1, 2]), ([None, None], [None, None]), ([True, None], [True, None]),
    ([1, "final"], ["1", '"final"']), ([{"b": 1, "a": "ρ"}, None], ['{"a": "ρ", "b": 1}', None]),
    ([[1, 2], "x"], ["[1, 2]", '"x"']), ([np.float64(0.5), 1], [0.5, 1.0]), ([2**60, 1.5], [float(2**60), 1.5])])
def test_a_column_of_any_values_comes_back(values, back):
    told = [row["x"] for row in table(table_parquet([{"x": value} for value in values]))]
    assert told == back and [type(one) for one in told] == [type(one) for one in back]


def test_a_figure_without_records_has_an_empty_table():
    assert table(table_parquet([])) == []
    assert "table.csv" in opened(bundle([Piece(lines(), [], "Nothing", "")], Print(), [])).namelist()


def test_the_same_pieces_give_the_same_bytes_without_a_time():
    first, second = (bundle([piece()], Print(), []) for _ in range(2))
    assert first == second
    assert {entry.date_time for entry in opened(first).infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_formats_are_drawn_with_the_asked_resolution_and_patience(monkeypatch):
    asked = {}

    def render_all(sheets, formats, **given):
        asked.update(given, formats=formats, panels=len(sheets[0].panels))
        return [dict.fromkeys(formats, b"drawn")]
    monkeypatch.setattr(render, "render_all", render_all)
    archive = opened(bundle([piece(), piece()], Print(width_mm=183), ["pdf", "png"], dpi=450, columns=2, timeout_s=9))
    assert asked == {"dpi": 450, "timeout_s": 9, "formats": ["pdf", "png"], "panels": 2}
    assert archive.read("figure.pdf") == archive.read("figure.png") == b"drawn"


@needs_browser
@pytest.mark.browser
def test_a_real_page_is_in_the_zip():
    archive = opened(bundle([piece()], Print(), ["pdf"]))
    assert archive.read("figure.pdf").startswith(b"%PDF-") and archive.read("figure.pdf").rstrip().endswith(b"%%EOF")
