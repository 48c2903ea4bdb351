"""Looking inside a representation: what opens, where it leads, and what a link to it restores."""

import json

import pytest

from analysis import compute, registry, spectra
from analysis.__main__ import open_store
from analysis.runs import find_run
from tests.ui.test_pages import charts, healthy, numbers, opened

SEED_1, SEED_2 = "sotu-neox-seed1", "sotu-neox-seed2"
POINT = f"{SEED_1}@step64:final"


def inside(at):
    return [head.value for head in at.subheader if head.proto.anchor == "inside"]


def drawn(at):
    """The chart of each figure of the panel, by its title."""
    return {chart.proto.alt.split(".")[0]: json.loads(chart.proto.spec) for chart in at.get("plotly_chart")}


def press(at, label):
    return next(button for button in at.button if button.label == label).click().run()


@pytest.mark.parametrize("page", ["overview", "trajectories"])
def test_nothing_is_open_until_a_point_is_chosen(page):
    at = opened(page, runs=[SEED_1])
    healthy(at)
    assert inside(at) == [] and at.selectbox(key="point").value is None


def test_a_link_to_a_point_opens_its_spectrum_its_layers_and_its_cloud():
    at = opened("trajectories", runs=[SEED_1], point=POINT)
    healthy(at)
    assert inside(at) == ["step64 of sotu-neox-seed1, at final"]
    figures = drawn(at)
    assert [title.split(" of ")[0].split(" over ")[0] for title in list(figures)[1:]] == [
        "Eigenspectrum", "RankMe (covariance eigenvalues)", "Cloud"]
    store, run = open_store(), find_run(open_store(), SEED_1)
    record = next(r for r in compute.records(store, run, measure="rankme_covariance", site="final",
                                             policy="last") if r["revision"] == "step64" and "shuf" not in
                  r["protocol"]["probe"])
    assert any(f"{record['value']:.4g} [{record['low']:.4g}, {record['high']:.4g}]" in one.value.replace("\\", "")
               for one in at.main.markdown)
    spectrum = figures["Eigenspectrum of sotu-neox-seed1 step64 at final"]["data"][0]
    measure = registry.get("covariance_eigenspectrum")
    stored = next(r for r in compute.records(store, run, measure=measure.name, site="final", policy="last",
                                             probe=record["protocol"]["probe"]) if r["revision"] == "step64")
    assert numbers(spectrum["y"]) == pytest.approx([value for value in stored["value"] if value > 0], rel=1e-6)
    assert spectra.FIRST in at.caption[-1].value or any(spectra.FIRST in one.value for one in at.caption)


def test_the_checkpoint_that_is_looked_into_is_marked_on_the_trajectory():
    at = opened("trajectories", runs=[SEED_1], point=POINT)
    places = [shape["x0"] for shape in charts(at)[0]["layout"]["shapes"] if shape["type"] == "line"]
    assert set(places) == {64}


def test_the_way_leads_to_the_checkpoints_beside_it_and_back():
    at = opened("trajectories", runs=[SEED_1], point=POINT)
    press(at, "Later")
    assert inside(at) == ["step128 of sotu-neox-seed1, at final"]
    press(at, "Earlier")
    press(at, "Earlier")
    assert inside(at) == ["step32 of sotu-neox-seed1, at final"]
    press(at, "Back to the whole training")
    healthy(at)
    assert inside(at) == [] and len(charts(at)) == 1 and "point" not in at.query_params


def test_at_the_ends_of_a_run_there_is_nothing_beyond():
    at = opened("trajectories", runs=[SEED_1], point=f"{SEED_1}@step0:final")
    beyond = {button.label: button.disabled for button in at.button if button.label in ("Earlier", "Later")}
    assert beyond == {"Earlier": True, "Later": False}


def test_what_is_pinned_from_there_is_the_reference_until_it_is_unpinned():
    at = opened("trajectories", runs=[SEED_1], point=POINT)
    press(at, "Pin as reference")
    healthy(at)
    assert at.query_params["pin"] in (f"{SEED_1}@step64", [f"{SEED_1}@step64"])
    assert any(trace["name"] == f"reference {SEED_1}@step64 · final" for trace in charts(at)[0]["data"])
    press(at, "Unpin")
    assert "pin" not in at.query_params


def test_a_reference_of_another_run_stands_beside_the_spectrum_and_the_layers():
    at = opened("trajectories", runs=[SEED_1], point=POINT, pin=f"{SEED_2}@step16000")
    healthy(at)
    for title, figure in list(drawn(at).items())[1:3]:
        assert any(f"{SEED_2}" in trace.get("name", "") for trace in figure["data"]), title


def test_less_the_reference_draws_paired_differences_whose_zero_is_the_reference():
    at = opened("trajectories", runs=[SEED_1], pin=f"{SEED_1}@step64", less="true")
    healthy(at)
    line = next(t for t in charts(at)[0]["data"] if t["name"] == f"{SEED_1} · final" and "markers" in t["mode"])
    at_64 = [row[0] for row in line["customdata"]].index("step64")
    assert numbers(line["y"])[at_64] == 0 and (numbers(line["y"]) != 0).sum() == len(line["customdata"]) - 1
    assert "less sotu-neox-seed1@step64" in charts(at)[0]["layout"]["yaxis"]["title"]["text"]


def test_a_point_of_a_run_that_is_not_chosen_opens_nothing():
    at = opened("trajectories", runs=[SEED_1], point=f"{SEED_2}@step64:final")
    healthy(at)
    assert inside(at) == []


def test_a_cloud_that_is_not_computed_is_offered_with_its_command():
    at = opened("trajectories", runs=[SEED_2], point=f"{SEED_2}@step64:block 2")
    healthy(at)
    assert any(one.value.startswith(f"python -m analysis map {SEED_2} --site 'block 2' --only step64 --method pca")
               for one in at.code)


def test_a_link_to_a_run_that_is_not_here_says_so_and_shows_others():
    at = opened("trajectories", runs=["pythia-70m"])
    healthy(at)
    assert [one.value.split(",")[0] for one in at.warning] == ["The link names pythia-70m"] and charts(at)
    at.run()
    assert list(at.warning) == [], "the link has by then what is shown"
