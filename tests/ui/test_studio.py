"""The studio without a browser: what it offers, what it says of wrong sizes and keeps, and jobs for whole pages."""

import io
import json
import zipfile

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from analysis.__main__ import _parser, open_store
from analysis.errors import ExplorerError
from analysis.jobs import job
from analysis.publishing import render
from analysis.publishing.bundle import Piece
from analysis.publishing.layout import Print
from analysis.publishing.view import View
from tests.figures.made import record
from tests.publishing.made import heat_map, lines
from tests.ui.test_pages import healthy, opened
from ui import pieces
from ui import studio as studio_module

RECORDS = [record("alpha", 0, 3.0) | {"measure": "rankme_covariance"}]
LINES, MAP = Piece(lines(), RECORDS, "RankMe over training", "n = 40."), Piece(heat_map(), RECORDS, "CKA", "n = 40.")


def script():
    """The inside of the dialog as a page of its own: a dialog closes with every run of AppTest."""
    from ui import pieces, studio
    studio.compose(*next(iter(pieces.listed().items())))


@pytest.fixture
def studio(monkeypatch):
    monkeypatch.setattr(render, "available", lambda: "")
    at = AppTest.from_function(script, default_timeout=60)
    at.session_state[pieces.KEY] = {"trajectory": LINES, "matrix": MAP}
    return at.run()


def size(at):
    return next(caption.value for caption in at.caption if "mm wide" in caption.value)


def previews(at):
    return [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]


def group(at, key):
    return next(one for one in at.button_group if one.key == key)


def test_the_studio_opens_on_one_column_and_previews_it_at_its_printed_size(studio):
    healthy(studio)
    shown, = previews(studio)
    assert "89 mm wide" in size(studio) and shown["layout"]["width"] == pytest.approx(89 / 25.4 * 96)
    assert shown["layout"]["font"]["size"] == pytest.approx(7 / 72 * 96)
    assert [one.proto.label for one in studio.get("download_button")] == ["Download zip"]


def test_a_page_that_cannot_be_drawn_loses_nothing_else_and_the_zip_says_why(monkeypatch):
    def hangs(*_, **__):
        raise ExplorerError("The browser did not answer within 120 s and was ended.")

    monkeypatch.setattr(render, "render_all", hangs)
    archive = zipfile.ZipFile(io.BytesIO(studio_module.to_take([LINES], Print(), ["pdf", "svg"], 300, 1)))
    assert archive.read("not-drawn.txt").decode().startswith("No PDF, SVG: The browser did not answer")
    assert {"figure.html", "table.csv", "manifest.json"} < set(archive.namelist())
    assert "figure.pdf" not in archive.namelist()
    assert "not-drawn.txt" not in zipfile.ZipFile(io.BytesIO(
        studio_module.to_take([LINES], Print(), [], 300, 1))).namelist()


def test_sizes_type_and_colours_reach_the_preview(studio):
    group(studio, "studio size").set_value("other").run()
    studio.number_input(key="studio width").set_value(120.0).run()
    studio.toggle(key="studio designed").set_value(False).run()
    studio.number_input(key="studio height").set_value(50.0).run()
    group(studio, "studio paper").set_value("dark").run()
    studio.toggle(key="studio titles").set_value(True).run()
    healthy(studio)
    layout = previews(studio)[0]["layout"]
    assert "**120 mm wide, 50 mm high**" in size(studio) and layout["paper_bgcolor"].upper() == "#14161A"
    assert layout["title"]["text"] == LINES.title


def test_what_cannot_be_printed_is_said_and_no_zip_is_offered(studio):
    studio.toggle(key="studio designed").set_value(False).run()
    studio.number_input(key="studio height").set_value(20.0).run()
    studio.multiselect[0].set_value(["trajectory", "matrix"]).run()
    studio.number_input(key="studio columns trajectory").set_value(1).run()
    error, = studio.error
    assert "does not fit" in error.value and not studio.get("download_button")
    studio.multiselect[0].set_value([]).run()
    assert "There is no figure to print" in studio.error[0].value


def test_several_figures_stand_on_one_page_with_their_letters(studio):
    assert studio.multiselect[0].options == [LINES.title, MAP.title]
    studio.multiselect[0].set_value(["matrix", "trajectory"]).run()
    healthy(studio)
    assert [text.value for text in studio.markdown if text.value in ("**a**", "**b**")] == ["**a**", "**b**"]
    assert previews(studio)[0]["data"][0]["type"] == "heatmap", "in the order of choosing"
    studio.toggle(key="studio letters").set_value(False).run()
    assert not [text for text in studio.markdown if text.value == "**a**"]


def test_other_words_change_the_printed_copy_and_neither_figure_nor_records(studio):
    before = LINES.figure.to_json()
    typed = next(text for text in studio.text_input if text.value == "Training (optimizer steps)")
    typed.set_value("Steps").run()
    named = next(text for text in studio.text_input if text.value == "alpha")
    named.set_value("Small <model>").run()
    healthy(studio)
    told = json.dumps(previews(studio)[0])
    assert '"Steps"' in told and "Training (optimizer steps)" not in told and "Small <model>" in told
    assert LINES.figure.to_json() == before and RECORDS[0]["run"] == "alpha"
    assert any("alpha" in code.value and "Small" not in code.value for code in studio.code), "methods keep the names"


def test_the_methods_and_their_bibtex_are_there_to_copy(studio):
    said, cited = (code.value for code in studio.code)
    assert "\\cite{li2025tracing}" in said and said.endswith("Figure: RankMe over training. n = 40.\n".rstrip("\n")) \
        and "@article{li2025tracing," in cited


def test_a_collected_figure_is_offered_again_until_the_collection_is_emptied(studio):
    studio.button(key="studio add").click().run()
    assert studio.multiselect[0].options == [LINES.title, MAP.title, f"{LINES.title} (collected)"]
    assert "studio add" not in [button.key for button in studio.button]
    studio.session_state[pieces.KEY] = {"matrix": MAP}
    studio.run()
    assert studio.multiselect[0].options == [MAP.title, f"{LINES.title} (collected)"], "on another page"
    studio.button(key="studio empty").click().run()
    healthy(studio)
    assert studio.multiselect[0].options == [MAP.title]


def test_the_page_is_shown_as_printed_until_something_changes(studio, monkeypatch):
    png = io.BytesIO()
    Image.new("RGB", (4, 4)).save(png, "PNG")
    monkeypatch.setattr(render, "render_all", lambda sheets, formats, **given: [{"png": png.getvalue()}])
    studio.button(key="studio show").click().run()
    healthy(studio)
    assert not previews(studio) and len(studio.image) == 1
    studio.toggle(key="studio titles").set_value(True).run()
    assert previews(studio) and not studio.image


def test_a_browser_that_fails_is_told_in_a_sentence(studio, monkeypatch):
    def fail(*_, **__):
        raise render.ExplorerError("The browser had not drawn the figure after 60 s and was ended")
    monkeypatch.setattr(render, "render_all", fail)
    studio.button(key="studio show").click().run()
    assert not studio.exception and "after 60 s and was ended" in studio.error[0].value


def test_without_a_browser_the_studio_says_what_is_left(studio, monkeypatch):
    monkeypatch.setattr(render, "available", lambda: "PDF needs Chromium: install it.")
    studio.run()
    healthy(studio)
    info, = studio.info
    assert "PDF needs Chromium" in info.value and "interactive figure (HTML)" in info.value and "camera" in info.value
    assert "studio formats" not in [one.key for one in studio.button_group] and studio.get("download_button")
    assert "studio show" not in [button.key for button in studio.button]


# --- under figures, and whole pages ---


def test_under_a_figure_stand_all_files_in_one_and_the_way_to_the_studio():
    at = opened("spectra")
    healthy(at)
    assert [one.proto.label for one in at.get("download_button")][:4] == [
        "Figure + table", "Figure (HTML)", "Table (CSV)", "Manifest (JSON)"]
    at.button(key="spectrum studio").click().run()
    healthy(at)
    assert "89 mm wide" in size(at)


@pytest.fixture
def started(monkeypatch):
    calls = []
    monkeypatch.setattr(job, "start", lambda jobs, argv, title: calls.append((argv, title)))
    return calls


def beside(page, **query):
    """The page with what stands below its button for all figures opened."""
    at = opened(page, **query)
    at.session_state[studio_module.ALL] = True
    at.run()
    healthy(at)
    return at


def test_all_figures_of_a_page_are_one_job_that_draws_what_is_shown(started):
    at = beside("spectra", runs="modular-addition")
    assert any("89 mm wide with type of 7 pt, as PDF, SVG, HTML" in one.value for one in at.caption)
    at.button(key="draw all").click().run()
    (argv, title), = started
    asked = _parser().parse_args(argv)
    view = View.of_link(asked.link[0])
    assert title == "Figures of Spectra" and view.page == "spectra" and view.runs == ["modular-addition"]
    assert (asked.width, asked.font, asked.format) == (89, 7, ["pdf", "svg"])
    assert asked.out.startswith(str(open_store().exports))


def made(at, state, started):
    """The command of the page's job, which came to this state, and the page after that."""
    at.button(key="draw all").click().run()
    (argv, title), = started
    folder = open_store().root / "jobs" / "20260101-000000-aaaaaa"
    folder.mkdir(parents=True)
    job.write_json(folder / "spec.json", {"argv": argv, "title": title, "started": 1.0})
    job.write_json(folder / "status.json", {"state": state, "message": "the browser hung", "done": 1.0, "total": 1.0})
    return argv, at.run()


def zips(at):
    return [one.proto.label for one in at.get("download_button")].count("All figures (ZIP)")


def test_figures_that_were_drawn_are_offered_on_their_page_in_the_sidebar_and_on_jobs(started):
    argv, at = made(beside("spectra"), "done", started)
    assert zips(at) == 0, "the file is gone"
    open_store().exports.mkdir(parents=True)
    (open_store().exports / argv[-1].rpartition("/")[2]).write_bytes(b"zip")
    at.run()
    healthy(at)
    assert zips(at) == 2 and "Draw them again" in [button.label for button in at.button]
    assert zips(opened("overview")) == 1 and zips(opened("jobs")) == 2


def test_figures_that_failed_say_why_and_can_be_asked_for_again(started):
    _, at = made(beside("spectra"), "failed", started)
    assert any("the browser hung" in error.value for error in at.error)
    assert "Draw them" in [button.label for button in at.button]


def test_a_page_that_stops_early_offers_its_figures_too():
    assert "draw all" in [button.key for button in beside("pair").button], "no rows are bundled for its last figure"


@pytest.mark.parametrize("page", studio_module.WITHOUT)
def test_a_page_that_never_has_figures_does_not_offer_them(page):
    at = opened(page)
    at.session_state[studio_module.ALL] = True
    at.run()
    assert not at.exception and not at.session_state[pieces.KEY]
    assert "draw all" not in [button.key for button in at.button]
