"""The page of known answers: it asks for what is missing, and holds what is measured against the truth."""

import shlex
from urllib.parse import parse_qs

import pytest

from analysis import files
from analysis import runs as runs_module
from analysis.__main__ import main
from analysis.checkpoints.folder import DEMO
from analysis.jobs import job
from analysis.topology import computing, recovered
from analysis.topology.known import SHAPES
from tests.ui.test_pages import charts, healthy, opened

NAMES = [shape.name for shape in SHAPES]


@pytest.fixture
def small(monkeypatch):
    """Clouds of few points, so that a test may compute them."""
    monkeypatch.setattr(recovered, "QUESTION", computing.Question(points=24, draws=2, surrogates=19, max_dim=2))


@pytest.fixture
def unbundled(monkeypatch, tmp_path):
    """Without the results that come with the project."""
    monkeypatch.setattr(files, "PROJECT", tmp_path)


def commands(at):
    return [shlex.split(code.value)[3:] for code in at.code if code.value.startswith("python -m analysis ")]


def said(at):
    return " ".join(shown.value for shown in [*at.markdown, *at.caption])


def test_before_anything_is_computed_the_truth_the_rows_and_the_commands_are_shown_and_no_count(monkeypatch,
                                                                                                       unbundled):
    calls = []
    monkeypatch.setattr(job, "start", lambda jobs, argv, title: calls.append(argv))
    at = opened("known_answers")
    healthy(at)
    assert [title.value for title in at.title] == ["Known answers"]
    assert [argv[0] for argv in commands(at)] == ["topology", "sweep"]
    bars, dimensions = (frame.value for frame in at.dataframe)
    assert list(bars.columns) == ["shape", "true b0, b1, b2"] and list(bars["shape"]) == NAMES
    assert list(dimensions["true dimension"]) == [shape.dimension for shape in SHAPES]
    assert len(charts(at)) == 1 and "diagram is drawn when" in at.info[-1].value
    assert "wrong" not in " ".join(title.value for title in at.subheader)
    for number in (0, 1):
        [button for button in at.button if button.label.startswith("Compute ")][number].click().run()
    assert calls == commands(at)


def test_the_commands_compute_what_the_page_shows_and_every_count_stands_beside_its_p(small):
    for argv in commands(opened("known_answers")):
        assert main(argv) == 0
    at = opened("known_answers", shape="two spheres")
    healthy(at)
    assert not commands(at) and not at.info and len(charts(at)) == 2
    bars, dimensions = (frame.value for frame in at.dataframe)
    for dimension in range(3):
        assert bars[f"H{dimension} bars above the null"].str.contains(r"^\d+\.\d \(p = [\d.]+, [\d.]+\)$").all()
    assert (dimensions[list(recovered.ESTIMATORS.values())] != "").all(axis=None)
    text = said(at)
    assert "The test recovers " in text and "10 draws" not in text and "2 draws of 24 points" in text
    assert "19 Gaussians of the same covariance" in text and "null's 95 % at" in text
    wrong, = [shown.value for shown in at.markdown if shown.value.startswith("- **")]
    assert "**5-plane with noise**" in wrong and "too high" in wrong and "Noise fills all 32 directions" in wrong


@pytest.mark.parametrize("name", NAMES)
def test_a_shape_links_to_the_three_pages_opened_on_it(name):
    at = opened("known_answers", shape=name)
    healthy(at)
    links = {link.proto.page: parse_qs(link.proto.query_string) for link in at.get("page_link")}
    assert list(links) == ["topology", "intrinsic_dimension", "points"]
    assert all(query["runs"] == ["known-answers"] for query in links.values())
    assert links["topology"]["sites"] == links["intrinsic_dimension"]["sites"] == links["points"]["map_site"] == [name]


def test_the_links_open_the_pages_on_the_shape_and_at_the_settings_of_this_page(unbundled):
    assert main(["sweep", "known-answers", "--measure", "intrinsic_dimension_gride"]) == 0
    links = {link.proto.page: parse_qs(link.proto.query_string)
             for link in opened("known_answers", shape="torus").get("page_link")}
    at = opened("topology", **links["topology"])
    healthy(at)
    assert at.multiselect(key="runs").value == ["known-answers"] and at.multiselect(key="sites").value == ["torus"]
    argv, = commands(at)
    asked = ["topology", "known-answers", "--site", "torus", *recovered.options(recovered.QUESTION)]
    assert argv[:len(asked)] == asked
    at = opened("intrinsic_dimension", **links["intrinsic_dimension"])
    healthy(at)
    assert at.multiselect(key="sites").value == ["torus"]
    at = opened("points", **links["points"])
    healthy(at)
    assert (at.selectbox(key="map_run").value, at.selectbox(key="map_site").value) == ("known-answers", "torus")


def test_a_wrong_shape_in_the_url_leaves_the_first():
    at = opened("known_answers", shape="klein bottle")
    healthy(at)
    assert at.selectbox(key="shape").value == NAMES[0]


def test_without_its_file_the_page_says_how_to_make_it(monkeypatch, tmp_path):
    monkeypatch.setattr(runs_module, "DEMO", tmp_path)
    at = opened("known_answers")
    healthy(at)
    assert (DEMO / "make_known_answers.py").is_file() and "make_known_answers.py" in at.info[0].value
