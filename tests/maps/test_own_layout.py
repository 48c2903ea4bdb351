"""A layout that a person brings with rows: read, checked, drawn as it is, and judged against the full rows."""

import json
import shlex

import numpy as np
import pytest
from safetensors.numpy import save_file

from analysis.__main__ import main, open_store
from analysis.checkpoints.activations import has_layout, layout_of, read_rows
from analysis.checkpoints.folder import open_run
from analysis.compute import Protocol
from analysis.errors import ExplorerError, Undefined
from analysis.extraction.probes import load_probe
from analysis.keys import Policy
from analysis.maps import computing, faithfulness, projections, reading
from analysis.maps.computing import Question, frames_for
from analysis.runs import remember
from tests.ui.test_pages import charts, healthy, numbers, opened

RNG = np.random.default_rng(3)
N = 40
ROWS = RNG.normal(size=(2, N, 6)).astype(np.float32)
LAYOUTS = RNG.normal(size=(2, N, 2)) * [30, 2] + 100  # neither centred nor scaled
IDS = np.array([f"stimulus {k}" for k in range(N)])


def protocol():
    return Protocol(load_probe("as-given"), Policy.parse("last"))


@pytest.fixture
def folder(tmp_path):
    """Two files of rows, each with a layout of its own."""
    place = tmp_path / "own"
    place.mkdir()
    for number in range(2):
        np.savez(place / f"step{number}.npz", final=ROWS[number], ids=IDS, layout=LAYOUTS[number])
    return place


@pytest.fixture
def run(folder):
    found = open_run(folder)
    remember(open_store(), found)
    return found


def written(path, **arrays):
    np.savez(path, **{"final": ROWS[0]} | arrays)
    return path


# --- what is read ---


def test_a_layout_is_read_exactly_and_is_no_site(folder):
    assert list(read_rows(folder / "step0.npz").rows) == ["final"]
    assert layout_of(folder / "step0.npz").tolist() == LAYOUTS[0].tolist()


@pytest.mark.parametrize(("array", "words"), [
    (LAYOUTS[0][:-1], ("[39, 2]", "[40, 2]")), (np.zeros((N, 3)), ("[40, 3]", "[40, 2]")),
    (np.zeros(N), ("[40]", "[40, 2]")), (np.zeros((N, 2), dtype=int), ("int64", "floats")),
    (np.where(np.arange(N)[:, None] == 7, np.nan, LAYOUTS[0]), ("NaN", "1 row(s)")),
    (np.where(np.arange(N)[:, None] < 2, np.inf, LAYOUTS[0]), ("infinite", "2 row(s)"))],
    ids=["rows", "columns", "flat", "numbers", "nan", "infinite"])
def test_a_layout_that_places_no_row_on_a_plane_is_refused_with_what_was_got_and_wanted(tmp_path, array, words):
    path = written(tmp_path / "bad.npz", layout=array)
    with pytest.raises(ExplorerError) as refused:
        read_rows(path)
    assert all(word in str(refused.value) for word in ("bad.npz", "'layout'", *words))


def test_a_file_without_a_layout_says_what_to_put_into_it(tmp_path):
    path = written(tmp_path / "plain.npz")
    with pytest.raises(ExplorerError, match=r"plain\.npz holds no layout.*\[40, 2\]"):
        layout_of(path)


def test_whether_there_is_a_layout_is_told_by_names_alone(tmp_path, folder):
    save_file({"final": ROWS[0], "layout": LAYOUTS[0].astype(np.float32)}, tmp_path / "a.safetensors")
    save_file({"final": ROWS[0]}, tmp_path / "b.safetensors")
    np.save(tmp_path / "c.npy", ROWS[0])
    (tmp_path / "d.npz").write_bytes(b"no archive")
    files = [folder / "step0.npz", tmp_path / "a.safetensors", tmp_path / "b.safetensors", tmp_path / "c.npy",
             tmp_path / "d.npz", written(tmp_path / "e.npz")]
    assert [has_layout(file) for file in files] == [True, True, False, False, False, False]
    assert layout_of(tmp_path / "a.safetensors").tolist() == LAYOUTS[0].astype(np.float32).tolist()


# --- the map ---


def test_each_row_stands_where_its_file_puts_it_at_every_frame(run):
    found = computing.compute(open_store(), Question(frames_for(run), "steps", "given", protocol(), 30, 5))
    place = {id: k for k, id in enumerate(IDS)}
    rows = [place[id] for id in found.row_ids[:found.drawn]]
    assert found.drawn == 30 and sorted(rows) != list(range(30)), "a draw that leaves rows out in the middle"
    for frame in range(2):
        assert found.positions[frame].tolist() == LAYOUTS[frame][rows].tolist()


def test_its_faithfulness_and_neighbours_are_those_of_the_full_rows(run):
    found = computing.compute(open_store(), Question(frames_for(run), "steps", "given", protocol()))
    by_pca = computing.compute(open_store(), Question(frames_for(run), "steps", "pca", protocol()))
    assert found.neighbours.tolist() == by_pca.neighbours.tolist() and found.row_ids == by_pca.row_ids
    place = {id: k for k, id in enumerate(IDS)}
    rows = [place[id] for id in found.row_ids]
    for frame in range(2):
        assert found.facts[frame] == faithfulness.facts(ROWS[frame][rows], LAYOUTS[frame][rows])


def test_a_layout_of_the_first_two_columns_keeps_what_those_columns_keep(tmp_path):
    rows = np.hstack([ROWS[0][:, :2] * 50, ROWS[0][:, 2:]])
    run = open_run(written(tmp_path / "flat.npz", final=rows, layout=rows[:, :2].astype(np.float64)))
    found = computing.compute(open_store(), Question(frames_for(run), "steps", "given", protocol()))
    assert found.facts[0]["distance_correlation"] > 0.99 and found.facts[0]["trustworthiness"] > 0.99


def test_the_caption_says_that_frames_are_as_given_and_not_aligned(run):
    found = computing.compute(open_store(), Question(frames_for(run), "steps", "given", protocol()))
    said = reading.caption(found, "")
    assert "Own layout" in said and "as they came with the rows" in said and "not aligned" in said
    assert "Procrustes" not in said and "PCA" not in said


def test_over_depth_one_layout_serves_every_site(tmp_path):
    run = open_run(written(tmp_path / "deep.npz", early=ROWS[1], layout=LAYOUTS[0]))
    items = frames_for(run, "layers", sites=["final", "early"])
    found = computing.compute(open_store(), Question(items, "layers", "given", protocol()))
    assert (found.positions[0] == found.positions[1]).all() and found.facts[0] != found.facts[1]


def test_a_model_and_rows_without_a_layout_are_refused_before_anything_is_read(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(computing, "_representations", None)
    for run, word in ((open_run(tiny_run), "is a model and brings no layout"),
                      (open_run(written(tmp_path / "plain.npz")), "holds no layout")):
        with pytest.raises(ExplorerError, match=word):
            computing.compute(open_store(), Question(frames_for(run), "steps", "given", protocol()))


def test_a_layout_with_all_rows_at_one_place_has_no_faithfulness(tmp_path):
    run = open_run(written(tmp_path / "dot.npz", layout=np.ones((N, 2))))
    with pytest.raises(Undefined, match="at one place"):
        computing.compute(open_store(), Question(frames_for(run), "steps", "given", protocol()))


def test_no_projection_is_computed_for_it(run, monkeypatch):
    monkeypatch.setattr(projections, "project", None)
    computing.compute(open_store(), Question(frames_for(run), "steps", "given", protocol()))


# --- the command and the page ---


def test_the_command_draws_it_too(run, capsys):
    assert main(["map", run.name, "--method", "given", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["method"] == "given"
    assert {row["row"]: row["positions"][0] for row in told["rows"]} == dict(zip(IDS, LAYOUTS[0].tolist(), strict=True))


def test_the_page_offers_it_computes_it_and_draws_the_places_as_they_are(run, monkeypatch):
    at = opened("points", runs=run.name, map_method="Own layout")
    assert at.selectbox(key="map_method").options == ["PCA", "UMAP", "t-SNE", "Own layout"]
    argv = shlex.split(next(code.value for code in at.code if "analysis map" in code.value))[3:]
    assert main(argv) == 0
    at = opened("points", runs=run.name, map_method="Own layout", map_find="stimulus 7", map_colour="norm")
    healthy(at)
    drawn = {row: (x, y) for trace in charts(at)[0]["data"] if "customdata" in trace for row, x, y in zip(
        numbers(trace["customdata"]).reshape(-1, 3)[:, 0].astype(int), numbers(trace["x"]), numbers(trace["y"]),
        strict=True)}
    assert np.allclose([drawn[row] for row in range(N)], LAYOUTS[1], rtol=1e-6)
    assert list(at.dataframe[0].value["row"]) == ["stimulus 7"]


def test_the_page_does_not_offer_it_where_a_checkpoint_brings_none(run, folder):
    written(folder / "step2.npz")
    at = opened("points", runs=run.name, map_method="Own layout")
    assert at.selectbox(key="map_method").options == ["PCA", "UMAP", "t-SNE"] and not at.exception
    assert at.selectbox(key="map_method").value == "pca"


def test_a_run_without_a_layout_is_mapped_by_pca_after_one_with_a_layout(run, tmp_path):
    other = open_run(written(tmp_path / "plain.npz"))
    remember(open_store(), other)
    at = opened("points", runs=[run.name, other.name], map_method="Own layout", map_run=run.name)
    assert at.selectbox(key="map_method").value == "given"
    at.selectbox(key="map_run").select(other.name).run()
    assert not at.exception and at.selectbox(key="map_method").value == "pca"


def test_the_methods_section_names_where_places_come_from(run):
    found = computing.compute(open_store(), Question(frames_for(run), "steps", "given", protocol()))
    records = reading.records(found, {}, reading.FIRST, [{}] * 2)
    assert records[0]["procedure"] in reading.PROCEDURES
