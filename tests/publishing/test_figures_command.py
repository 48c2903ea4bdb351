"""The command that puts every figure of some pages into one zip."""

import io
import json
import subprocess
import sys
import zipfile

import pytest

from analysis import storage
from analysis.__main__ import _parser, main, open_store
from analysis.errors import ExplorerError
from analysis.figures_command import options
from analysis.files import PROJECT
from analysis.publishing import render, report_pages
from analysis.publishing.layout import Print
from analysis.publishing.report_pages import Page
from tests.figures.made import record
from tests.publishing.made import heat_map, lines, needs_browser

LINK = "spectra?runs=sotu-neox-seed1"


def piece(figure, title):
    records = [record("alpha", 0, 3.0) | {"measure": "rankme_covariance"}]
    return {"key": title, "title": title, "caption": "n = 40.", "figure": json.loads(figure.to_json()),
            "records": records}


PAGES = {"trajectories": Page(title="Trajectories", pieces=[piece(lines(), "RankMe, over/training!"),
                                                            piece(heat_map(), "CKA")],
                              said=[("warning", "Left out: one"), ("info", "click a point")]),
         "jobs": Page(title="Jobs", said=[("info", "No job yet.")]), "pair": Page(failed="It was not drawn.")}


@pytest.fixture
def pages(monkeypatch):
    """Pages that are drawn already, and what was asked of the browser, which draws nothing."""
    asked = []

    def render_all(sheets, formats, **given):
        asked.append((sheets[0], formats, given["dpi"]))
        return [dict.fromkeys(formats, b"drawn")]
    monkeypatch.setattr(report_pages, "drawn", lambda views, timeout_s: (PAGES[view.page] for view in views))
    monkeypatch.setattr(render, "render_all", render_all)
    monkeypatch.setattr(render, "available", lambda: "")
    return asked


def opened(path):
    archive = zipfile.ZipFile(io.BytesIO(path.read_bytes()))
    assert archive.testzip() is None
    return archive


def test_each_figure_gets_a_folder_with_its_files_and_the_contents_are_listed(pages, tmp_path):
    place = tmp_path / "new" / "figures.zip"
    assert main(["figures", "trajectories", "--out", str(place)]) == 0
    archive = opened(place)
    folders = ["1-trajectories/1-rankme-over-training", "1-trajectories/2-cka"]
    files = {"figure.pdf", "figure.svg", "figure.html", "table.csv", "table.parquet", "manifest.json", "methods.txt",
             "methods.tex", "references.bib"}
    assert set(archive.namelist()) == {f"{folder}/{file}" for folder in folders for file in files} | {"contents.txt"}
    assert archive.read("contents.txt").decode().splitlines() == [*folders, "", "trajectories: Left out: one"]
    assert archive.read(f"{folders[0]}/figure.pdf") == b"drawn"
    assert [path.name for path in place.parent.iterdir()] == ["figures.zip"], "no half of a file is left"


def test_the_options_reach_the_page_and_are_those_that_the_studio_gives(pages, tmp_path):
    to = Print(width_mm=120, height_mm=70, font_pt=8, palette="grey", background="dark", titles=True, legend="none")
    argv = ["figures", "trajectories", *options(to, ["png"], 450), "--out", str(tmp_path / "f.zip")]
    assert main(argv) == 0
    sheet, formats, dpi = pages[0]
    assert (sheet.width_mm, sheet.height_mm, formats, dpi) == (120, 70, ["png"], 450)
    told = json.loads(opened(tmp_path / "f.zip").read("1-trajectories/2-cka/manifest.json"))["print"]
    assert {name: told[name] for name in vars(to)} == vars(to)


def test_the_usual_options_are_the_usual_print():
    given = _parser().parse_args(["figures", LINK, *options(Print(), ["pdf", "svg"], 300)])
    assert given == _parser().parse_args(["figures", LINK, "--format", "pdf", "--format", "svg"])


def test_pages_without_figures_are_told_and_the_others_are_drawn(pages, tmp_path, capsys):
    assert main(["figures", "jobs", "trajectories", "pair", "--out", str(tmp_path / "f.zip")]) == 0
    archive = opened(tmp_path / "f.zip")
    assert {name.split("/")[0] for name in archive.namelist()} == {"2-trajectories", "contents.txt"}
    said = archive.read("contents.txt").decode()
    assert "jobs: the page shows no figure. No job yet." in said and "pair: It was not drawn." in said
    assert "2 figure(s)" in capsys.readouterr().err


def test_a_figure_that_cannot_be_printed_keeps_its_tables_and_says_why(pages, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise ExplorerError("the browser hung")
    monkeypatch.setattr(render, "render_all", fail)
    assert main(["figures", "trajectories", "--out", str(tmp_path / "f.zip")]) == 0
    archive = opened(tmp_path / "f.zip")
    assert "CKA: no page for print, because: the browser hung" in archive.read("contents.txt").decode()
    assert "1-trajectories/2-cka/table.csv" in archive.namelist()
    assert not [name for name in archive.namelist() if name.endswith((".pdf", ".svg"))]


def test_without_a_browser_the_zip_holds_figures_as_html_and_says_why(pages, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(render, "available", lambda: "No Chromium here.")
    assert main(["figures", "trajectories", "--out", str(tmp_path / "f.zip")]) == 0
    archive = opened(tmp_path / "f.zip")
    assert pages == [] and "1-trajectories/2-cka/figure.html" in archive.namelist()
    assert "No Chromium here." in archive.read("contents.txt").decode()
    assert "interactive figures and tables only" in capsys.readouterr().err


@pytest.mark.parametrize(("argv", "said"), [
    (["jobs"], "No page has a figure to print. jobs: the page shows no figure."),
    (["trajectories", "--width", "3"], "The width is 3; it must be between 20 and 400 mm."),
    (["not a/Page!"], "names no page of this app")])
def test_what_cannot_be_printed_is_one_sentence_and_writes_nothing(pages, tmp_path, capsys, argv, said):
    place = tmp_path / "f.zip"
    assert main(["figures", *argv, "--out", str(place)]) == 2
    assert said in capsys.readouterr().err and not place.exists()


def test_a_view_of_runs_that_are_not_here_is_not_drawn_with_others(pages, tmp_path, capsys):
    assert main(["figures", "trajectories?runs=nobody", "--out", str(tmp_path / "f.zip")]) == 2
    assert "The run nobody is not here" in capsys.readouterr().err


def test_figures_do_not_wait_behind_a_sweep(tmp_path):
    assert _parser().parse_args(["figures", LINK]).at_once
    assert not getattr(_parser().parse_args(["sweep", "x"]), "at_once", False)


def test_exports_are_counted_and_let_go_when_room_is_made(monkeypatch):
    store = open_store()
    store.exports.mkdir(parents=True)
    (store.exports / "a.zip").write_bytes(b"x" * 1000)
    assert storage.usage(store)["exports"] == 1000 and storage.reclaim(store, 1e9) == 0, "it is in use"
    monkeypatch.setattr(storage, "IN_USE_S", -1.0)
    assert storage.reclaim(store, 1e9) == 1000 and not (store.exports / "a.zip").exists()


@needs_browser
@pytest.mark.browser
def test_a_worker_under_its_limits_draws_a_real_page(tmp_path):
    place = tmp_path / "f.zip"
    argv = ["figures", LINK, "--format", "pdf", "--out", str(place), "--status", str(tmp_path / "status.json")]
    done = subprocess.run([sys.executable, "-m", "analysis", *argv], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pdf, = [name for name in opened(place).namelist() if name.endswith(".pdf")]
    assert opened(place).read(pdf).startswith(b"%PDF-")
    assert json.loads((tmp_path / "status.json").read_text())["state"] == "done"
