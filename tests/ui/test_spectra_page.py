"""The page Spectra: a window is one click away, what can be laid over the spectra, and the table of every window."""

import pytest

from analysis import spectra
from tests.ui.test_pages import SEED_1, charts, healthy, opened

TOO_SHORT = "the window ends at rank 100 and only 63 eigenvalues are positive"


def labels(at):
    return [trace["name"] for trace in charts(at)[0]["data"] if trace.get("showlegend", True)]


def table(at):
    frame, = at.dataframe
    return frame.value


def said(at):
    return " ".join(caption.value for caption in at.caption)


def ranks(at):
    return at.get("button_group")[0].value


def test_the_windows_are_offered_and_those_that_do_not_fit_are_named():
    at = opened("spectra", runs=SEED_1)
    healthy(at)
    control, = at.get("button_group")
    assert [option.content for option in control.proto.options] == [*spectra.BANDS, spectra.OWN]
    assert ranks(at) == spectra.FIRST and not at.number_input
    assert "Not for every spectrum here: 11-100, 12-100 (Li 2025), 32-128, 128-512, 512-end." in said(at)


def test_a_window_that_no_spectrum_reaches_says_so_and_draws_no_line():
    at = opened("spectra", runs=SEED_1, ranks="11-100")
    healthy(at)
    assert [warning.value for warning in at.warning] == [f"No line is drawn where {TOO_SHORT}."]
    assert ranks(at) == "11-100" and at.query_params["ranks"] in ("11-100", ["11-100"])
    assert charts(at) and not any("α" in label for label in labels(at))


def test_own_ranks_show_their_fields_and_are_the_window_of_the_line_and_the_table():
    at = opened("spectra", runs=SEED_1, ranks="own", first_rank="5", last_rank="40")
    healthy(at)
    assert [field.value for field in at.number_input] == [5, 40]
    line = next(trace for trace in charts(at)[0]["data"] if trace["name"].endswith(" fit"))
    shown = table(at)
    assert line["name"] and set(shown["window"]) == {"5-40"} and shown["α 5-40"].notna().all()
    assert not table(opened("spectra", runs=SEED_1)).columns.str.contains("5-40").any()


def test_a_link_of_before_the_presets_opens_its_own_ranks():
    at = opened("spectra", runs=SEED_1, first_rank="5", last_rank="40")
    healthy(at)
    assert ranks(at) == "own" and set(table(at)["window"]) == {"5-40"}


@pytest.mark.parametrize("ranks", ["9-99", "OWN", "<b>"])
def test_a_window_that_does_not_exist_leaves_the_first(ranks):
    at = opened("spectra", ranks=ranks)
    healthy(at)
    assert set(table(at)["window"]) == {"11-50"} and "ranks" not in at.query_params


def test_an_empty_window_in_a_link_is_the_first():
    at = opened("spectra", ranks="")
    healthy(at)
    assert set(table(at)["window"]) == {"11-50"}


def test_the_broken_power_law_is_drawn_and_said_when_it_is_asked_for():
    at = opened("spectra", runs=SEED_1)
    assert not any("broken" in trace["name"] for trace in charts(at)[0]["data"])
    at.toggle(key="broken").set_value(True).run()
    healthy(at)
    lines = [trace for trace in charts(at)[0]["data"] if trace["name"].endswith("broken fit")]
    assert len(lines) == len(table(at)) == 4
    assert all("broken: " in label and " to rank " in label for label in labels(at))
    assert charts(at) == charts(opened("spectra", runs=SEED_1, broken="true"))


def test_a_window_without_room_for_a_break_says_so_where_a_line_is_still_drawn():
    at = opened("spectra", runs=SEED_1, ranks="own", first_rank="11", last_rank="15", broken="true")
    healthy(at)
    warning, = at.warning
    assert warning.value.startswith("No broken line is drawn where a fit needs at least 7 ranks")
    assert all("α = " in label for label in labels(at))


def test_isotropic_noise_is_drawn_when_it_is_asked_for():
    at = opened("spectra", runs=SEED_1, noise="true")
    healthy(at)
    assert len([trace for trace in charts(at)[0]["data"] if trace.get("legendgroup") == "noise"]) == 4
    assert labels(at)[0] == "isotropic noise of the same n, d and variance"


def test_the_table_has_a_row_for_each_spectrum_and_a_reason_for_each_blank_column():
    at = opened("spectra", runs=SEED_1, at=["step0", "step16000"])
    shown = table(at)
    assert list(shown["checkpoint"]) == ["step0", "step16000"] and set(shown["site"]) == {"final"}
    assert {f"α {name}" for name in spectra.BANDS} <= set(shown) and shown["α 11-50"].notna().all()
    for name in shown.columns[shown.isna().all()]:
        assert name in said(at), f"{name} is blank without a reason"
    assert TOO_SHORT in said(at) and shown["α 11-100"].isna().all()
    assert {"chance α", "curvature", "break gain", "RankMe", "RankMe without 8", "n/d"} <= set(shown)
    assert not {"RankMe without 128", "RankMe without 512"} & set(shown)
