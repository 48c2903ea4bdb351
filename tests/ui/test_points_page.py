"""The page Map of points: what it offers, draws, lists and says, and how a choice on the chart is followed."""

import csv
import io
import json
import shlex
from types import SimpleNamespace

import numpy as np
import pytest

from analysis.__main__ import main, open_store
from analysis.checkpoints.folder import open_run
from analysis.jobs import job
from analysis.maps import reading
from analysis.runs import remember
from tests.checkpoints.models import copied, edit_json
from tests.maps.made import made
from tests.ui.test_pages import charts, healthy, numbers, opened
from ui import cards, map_choice

ARGV = ["map", "mine", "--site", "final", "--over", "steps", "--method", "pca", "--points", "1000", "--seed", "0"]


@pytest.fixture
def labelled(probe_file, tmp_path):
    """The texts of the probe with two labels."""
    texts = [json.loads(line) for line in probe_file.read_text().splitlines()]
    path = tmp_path / "labelled.jsonl"
    path.write_text("\n".join(json.dumps(text | {"half": "early" if k < 24 else "late", "number": k})
                              for k, text in enumerate(texts)))
    return path


@pytest.fixture
def known(tiny_run, tmp_path, labelled):
    folder = copied(tiny_run, tmp_path / "mine")
    edit_json(folder / "run.json", name="mine", probe=str(labelled))
    remember(open_store(), open_run(folder))


@pytest.fixture
def mapped(known, labelled):
    assert main([*ARGV, "--probe", str(labelled), "--policy", "last"]) == 0


def page(**query):
    return opened("points", **{"runs": "mine", **query})


def drawn(at):
    """The map as it stands: by trace, and by the row of each point."""
    chart = charts(at)[0]
    named = {trace["name"]: trace for trace in chart["data"]}
    places = {}
    for trace in chart["data"]:
        if "customdata" in trace and "text" not in trace:
            told = numbers(trace["customdata"]).reshape(-1, 3)
            places |= dict(zip(told[:, 0].astype(int).tolist(), zip(numbers(trace["x"]), numbers(trace["y"]),
                                                                    strict=True), strict=True))
    return chart, named, places


def said(at):
    return " ".join(caption.value for caption in at.caption)


def test_what_is_missing_is_offered_with_a_command_that_computes_it(known, labelled, monkeypatch):
    calls = []
    monkeypatch.setattr(job, "start", lambda jobs, argv, title: calls.append(argv))
    at = page()
    healthy(at)
    assert not charts(at) and any("not computed yet" in info.value for info in at.info)
    command, = [code.value for code in at.code if code.value.startswith("python -m analysis ")]
    argv = shlex.split(command)[3:]
    assert argv == [*ARGV, "--probe", str(labelled), "--policy", "last"]
    next(button for button in at.button if button.label.startswith("Compute ")).click().run()
    assert calls == [argv] and main(argv) == 0
    at = page()
    healthy(at)
    assert len(charts(at)) == 2


def test_the_map_is_what_is_stored_and_says_rows_seed_method_alignment_and_protocol(mapped):
    at = page()
    healthy(at)
    chart, named, places = drawn(at)
    assert len(places) == 48 and [step["label"] for step in chart["layout"]["sliders"][0]["steps"]] == [
        "step0", "step1", "step8"]
    assert len(chart["frames"]) == 3 and chart["layout"]["sliders"][0]["active"] == 2
    assert all(words in said(at) for words in (
        "48 drawn of 48 searched of 48 rows, seed 0", "PCA", "Procrustes", "rows: last", "Trustworthiness"))
    assert set(named) == {"early", "late"}, "the first label colours the points"
    assert set(at.query_params) <= {"runs"}, "defaults stay out of the URL"


def test_over_depth_the_frames_are_the_sites_of_one_checkpoint(mapped, labelled):
    at = page(map_over="depth")
    healthy(at)
    argv = shlex.split(next(code.value for code in at.code if "analysis map" in code.value))[3:]
    assert argv[:4] == ["map", "mine@step8", "--over", "layers"] and main(argv) == 0
    at = page(map_over="depth")
    healthy(at)
    assert [step["label"] for step in drawn(at)[0]["layout"]["sliders"][0]["steps"]] == [
        "embedding", "block 1", "block 2", "final"]


def test_a_choice_of_checkpoints_is_named_in_the_command(mapped):
    at = page(map_only=["step8", "step0"])
    healthy(at)
    argv = shlex.split(next(code.value for code in at.code if "analysis map" in code.value))[3:]
    assert main(argv) == 0
    at = page(map_only=["step8", "step0"])
    assert [step["label"] for step in drawn(at)[0]["layout"]["sliders"][0]["steps"]] == ["step0", "step8"]


def test_colour_frame_points_and_search_are_restored_from_the_url(mapped):
    at = page(map_colour="number", map_frame="step1", map_points=["text 3.1", "text 0.0"], map_find="w1")
    healthy(at)
    chart, named, places = drawn(at)
    assert chart["layout"]["sliders"][0]["active"] == 1 and "<b>step1</b>" in chart["layout"]["annotations"][0]["text"]
    assert sorted(numbers(named["number"]["marker"]["color"])) == list(range(48))
    assert named["chosen"]["text"] == ["A", "B"]
    rows = numbers(named["chosen"]["customdata"]).reshape(-1, 3)[:, 0].astype(int)
    assert [tab.label[0] for tab in at.tabs] == ["A", "B"]
    assert places[rows[0]] == (numbers(named["chosen"]["x"])[0], numbers(named["chosen"]["y"])[0])
    assert at.query_params["map_points"] == ["text 3.1", "text 0.0"]
    found = at.dataframe[0].value
    assert len(found) == len(numbers(named["found"]["x"])) and f"{len(found)} of 48 rows hold the text" in said(at)


def test_the_table_of_a_chosen_point_lists_its_stored_neighbours_at_every_frame(mapped):
    at = page(map_points="text 2.2", map_colour="norm")
    healthy(at)
    table = at.dataframe[0].value
    assert list(table.columns) == ["rank", "step0", "step1", "step8"] and len(table) == 11
    assert table["step0"][0] == "0 of 10" and not table["step0"].str.startswith(reading.NEW).any()
    marked = table["step8"][1:].str.startswith(reading.NEW).sum()
    assert table["step8"][0] == f"{marked} of 10"


@pytest.mark.parametrize("way", ["half", "number", "token", "document", "norm", "new neighbours"])
def test_every_way_to_colour_the_points_is_drawn(mapped, way):
    at = page(map_colour=way)
    healthy(at)
    assert at.selectbox(key="map_colour").value.removeprefix("label ") == way and len(drawn(at)[2]) == 48


def test_a_text_that_no_row_holds_is_a_sentence(mapped):
    at = page(map_find="zebra")
    healthy(at)
    assert any("No row holds" in info.value for info in at.info)


@pytest.mark.parametrize("query", [{"map_colour": "zzzz"}, {"map_frame": "zzzz"}, {"map_points": "zzzz"},
                                   {"map_method": "zzzz"}, {"map_over": "zzzz"}, {"map_since": "zzzz"},
                                   {"map_count": "7"}, {"map_only": "zzzz"}, {"map_site": "zzzz"}], ids=str)
def test_a_wrong_value_in_the_url_leaves_the_default(mapped, query):
    at = page(**query)
    healthy(at)
    assert charts(at)[0]["data"] == charts(page())[0]["data"]


def test_the_table_to_take_away_has_every_point_at_every_frame(mapped, monkeypatch):
    tables = {}
    monkeypatch.setattr(cards, "figure", lambda built, records, *, key, **about: tables.update({key: records}))
    healthy(page())
    assert len(tables[map_choice.CHART]) == 3 * 48 and len(tables["map faith"]) == 3
    assert {"run", "revision", "site", "fingerprint", "protocol", "row", "label_half", "x", "y", "norm",
            "new_neighbours", "neighbours"} <= set(tables[map_choice.CHART][0])


# --- a choice on the chart ---


class State(dict):
    __getattr__, __setattr__ = dict.__getitem__, dict.__setitem__


def after(monkeypatch, found, rows, frame, held=(), **shapes):
    """What the session holds after points were chosen at a frame, as Streamlit reports it."""
    points = [{"x": float(np.float32(found.positions[frame, row, 0])), "curve_number": 0,
               "y": float(np.float32(found.positions[frame, row, 1])),
               "customdata": {"0": float(row), "1": 1.0, "2": 0.0}} for row in rows]
    state = State({map_choice.CHART: {"selection": {"points": points, "box": [], "lasso": []} | shapes},
                   "map_points": list(held)})
    monkeypatch.setattr(map_choice, "st", SimpleNamespace(session_state=state))
    map_choice.follow_choice(found)
    return state


def test_a_click_adds_a_point_and_a_second_takes_it_away(monkeypatch):
    found = made()
    state = after(monkeypatch, found, [3], 1, held=[found.row_ids[5]])
    assert state.map_points == [found.row_ids[5], found.row_ids[3]] and state.map_frame == "step1"
    assert after(monkeypatch, found, [3], 1, held=state.map_points).map_points == [found.row_ids[5]]


def test_a_click_on_a_point_and_its_ring_is_one_click(monkeypatch):
    found = made()
    assert after(monkeypatch, found, [3, 3], 0).map_points == [found.row_ids[3]]


@pytest.mark.parametrize("shape", ["box", "lasso"])
def test_a_box_or_a_lasso_replaces_the_choice_by_a_handful(monkeypatch, shape):
    found = made()
    state = after(monkeypatch, found, range(9), 2, held=[found.row_ids[11]], **{shape: [{}]})
    assert set(state.map_points) < {found.row_ids[row] for row in range(9)}
    assert len(state.map_points) == reading.MOST_PICKED and state.map_frame == "step2"


def test_the_whole_lasso_is_kept_for_the_file_beside_the_handful_with_letters(monkeypatch):
    found = made()
    state = after(monkeypatch, found, range(9), 2, lasso=[{}])
    assert state[map_choice.WHOLE] == list(found.row_ids[:9])
    assert map_choice._whole(state.map_points) == list(found.row_ids[:9])
    assert map_choice._whole(state.map_points[1:]) == state.map_points[1:], "one was taken away in the list"


def test_a_click_after_a_lasso_adds_to_all_that_it_held(monkeypatch):
    found = made()
    state = after(monkeypatch, found, range(9), 2, lasso=[{}])
    monkeypatch.setattr(map_choice.reading, "frame_at", lambda *asked: 0)
    state[map_choice.CHART]["selection"] |= {"lasso": [], "points": [{"x": 0, "y": 0, "customdata": {"0": 11.0}}]}
    map_choice.follow_choice(found)
    assert state[map_choice.WHOLE] == [*found.row_ids[:9], found.row_ids[11]]
    assert state.map_points == state[map_choice.WHOLE][-reading.MOST_PICKED:]


def lassoed(mapped_page, ids):
    """The page after a lasso around these rows."""
    mapped_page.session_state[map_choice.WHOLE] = ids
    mapped_page.session_state.map_points = ids[-reading.MOST_PICKED:]
    return mapped_page.run()


def test_the_page_says_how_many_points_the_file_holds_and_how_many_have_letters(mapped):
    at = lassoed(page(), [f"text {d}.{t}" for d in range(5) for t in range(4)])
    healthy(at)
    assert len(at.tabs) == reading.MOST_PICKED
    assert "20 points chosen. Only the last 6 have letters" in said(at) and "the file holds all 20" in said(at)
    assert "1 point chosen." in said(page(map_points="text 2.2"))


def test_the_file_of_chosen_points_holds_all_of_them_at_every_frame_as_the_map_has_them(mapped, monkeypatch):
    files = {}
    real = map_choice.st.download_button
    monkeypatch.setattr(map_choice.st, "download_button", lambda label, data, *rest, **how: files.update(
        {label: data}) or real(label, data, *rest, **how))
    ids = [f"text {d}.{t}" for d in range(5) for t in range(4)]
    at = lassoed(page(), ids)
    rows = list(csv.DictReader(io.StringIO(files["Chosen points (CSV)"]().decode())))
    assert [(row["frame"], row["row"]) for row in rows] == sorted(
        (frame, id) for frame in ("step0", "step1", "step8") for id in ids)
    places = drawn(at)[2]
    order = {id: row for row, id in enumerate(sorted((f"text {d}.{t}" for d in range(12) for t in range(4)),
                                                     key=lambda id: tuple(map(int, id.split()[1].split(".")))))}
    for row in rows[-20:]:
        assert (float(row["x"]), float(row["y"])) == pytest.approx(places[order[row["row"]]], rel=1e-6)
    assert all(row["label_half"] in ("early", "late") and row["document"] and row["context"] for row in rows)
    assert all(len(json.loads(row["neighbours"])) == 10 and float(row["norm"]) > 0 for row in rows)
    assert {float(row["new_neighbours"]) for row in rows[:20]} == {0.0}, "the first frame is compared with itself"


def test_without_a_chosen_point_there_is_no_such_file(mapped):
    assert "Chosen points (CSV)" not in [one.label for one in page().get("download_button")]


def test_a_choice_of_nothing_clears_it(monkeypatch):
    found = made()
    assert after(monkeypatch, found, [], 0, held=[found.row_ids[1]]).map_points == []
