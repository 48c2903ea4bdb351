"""The page of the map and the tree: what it offers, draws and says."""

import shlex

import pytest

from analysis.__main__ import main, open_store
from analysis.checkpoints.folder import open_run
from analysis.jobs import job
from analysis.runs import remember
from tests.checkpoints.models import copied, edit_json
from tests.ui.test_pages import charts, healthy, numbers, opened
from ui import cards


@pytest.fixture
def known(tiny_run, tmp_path, probe_file):
    """Two runs of which the second is a copy of the first two checkpoints of the first."""
    for name in ("mine", "yours"):
        folder = copied(tiny_run, tmp_path / name)
        edit_json(folder / "run.json", name=name, probe=str(probe_file))
        if name == "yours":
            (folder / "step8").rename(tmp_path / "away")
        remember(open_store(), open_run(folder))


@pytest.fixture
def compared(known, probe_file):
    assert main(["compare", "mine", "yours", "--by", "all", "--measure", "linear_cka_debiased",
                 "--probe", str(probe_file), "--policy", "last"]) == 0


def page(**query):
    return opened("similarity_map", **{"runs": ["mine", "yours"], **query})


def paths(at):
    chart, = charts(at)
    return {trace["name"]: trace for trace in chart["data"] if trace.get("mode") == "lines+markers"}


def said(at):
    return " ".join(caption.value for caption in at.caption)


def test_what_is_missing_is_offered_with_a_command_that_computes_it(known, monkeypatch):
    calls = []
    monkeypatch.setattr(job, "start", lambda jobs, argv, title: calls.append(argv))
    at = page(runs="mine", distance="arccos of Linear CKA, biased")
    healthy(at)
    assert not charts(at) and any("compared with every other" in info.value for info in at.info)
    command, = [code.value for code in at.code if code.value.startswith("python -m analysis ")]
    argv = shlex.split(command)[3:]
    next(button for button in at.button if button.label.startswith("Compute ")).click().run()
    assert calls == [argv] and main(argv) == 0
    at = page(runs="mine", distance="arccos of Linear CKA, biased")
    healthy(at)
    assert len(paths(at)) == 4 and "distance: arccos" in said(at)


def test_the_map_draws_a_path_for_each_run_and_site_and_says_how_faithful_it_is(compared):
    at = page()
    healthy(at)
    found = paths(at)
    assert len(found) == 8 and len(numbers(found["mine · final"]["x"])) == 3
    assert numbers(found["yours · final"]["x"]) == pytest.approx(numbers(found["mine · final"]["x"])[:2])
    assert all(words in said(at) for words in (
        "12 points, 2 copies", "rank correlation", "stress", "Classical MDS", "n = 48 rows", "rows: last"))


def test_the_other_layout_and_some_sites_are_restored_from_the_url(compared):
    at = page(layout="metric MDS", sites=["final", "block 1"])
    healthy(at)
    assert len(paths(at)) == 4 and "Metric MDS" in said(at) and "6 points" in said(at)
    assert at.query_params["layout"] in ("metric MDS", ["metric MDS"])


def test_the_tree_names_its_leaves_and_says_its_cophenetic_correlation(compared):
    at = page(show="tree")
    healthy(at)
    chart, = charts(at)
    assert sorted(chart["layout"]["yaxis"]["ticktext"]) == ["step0", "step1", "step8"]
    assert "Cophenetic correlation" in said(at) and "3 points, 2 copies" in said(at)
    at = page(show="tree", branches=["final", "embedding"], of="the last of each run")
    healthy(at)
    assert sorted(charts(at)[0]["layout"]["yaxis"]["ticktext"]) == [
        f"{step} {site}" for step in ("step1", "step8") for site in ("embedding", "final")]


def test_the_sites_of_the_map_are_chosen_on_the_page_too(compared):
    at = page()
    at.multiselect(key="map_sites").set_value(["final"]).run()
    healthy(at)
    assert len(paths(at)) == 2 and "3 points" in said(at)
    assert at.query_params["map_sites"] in ("final", ["final"])


def test_too_few_points_are_a_sentence(compared):
    at = page()
    at.multiselect(key="map_sites").set_value([]).run()
    healthy(at)
    assert not charts(at) and any("at least 3 points, got 0" in info.value for info in at.info)


@pytest.mark.parametrize("query", [{"distance": "zzzz"}, {"layout": "zzzz"}, {"show": "zzzz"}, {"sites": "block 99"}],
                         ids=str)
def test_a_wrong_value_in_the_url_leaves_the_default(compared, query):
    at = page(**query)
    healthy(at)
    assert charts(at)[0]["data"] == charts(page())[0]["data"]


def test_the_table_to_take_away_has_a_place_for_every_checkpoint_and_site(compared, monkeypatch):
    tables = []
    monkeypatch.setattr(cards, "figure", lambda built, records, **about: tables.append(records))
    healthy(page())
    assert len(tables[0]) == 20 and {"run", "revision", "step", "site", "x", "y", "fingerprint"} <= set(tables[0][0])
