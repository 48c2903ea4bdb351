"""The stored spectra with their fits, and the table of every window, against the measures on the rows themselves."""

import numpy as np
import pytest

from analysis import registry, spectra
from analysis.measures.spectrum_decay import WINDOW, noise_spectrum
from analysis.moments import Moments
from tests.synthetic import power_law, with_covariance_eigenvalues

OF_BAND = {"chance α", "curvature", "break gain", "window"}


def fit(values, band=(11, 50), n=400, revision="step0"):
    return spectra.fit("a", revision, n, np.asarray(values, dtype=float), band)


def bent(count=64, at=20, head=0.6, tail=2.0):
    ranks = np.arange(1, count + 1, dtype=float)
    return np.where(ranks <= at, ranks**-head, at**(tail - head) * ranks**-tail)


def row(views, band=(11, 50)):
    (made,), _ = spectra.table([views], "final", band)
    return made


# --- windows ---


def test_the_first_preset_is_the_default_of_the_measure():
    assert spectra.BANDS[spectra.FIRST] == tuple(param.default for param in WINDOW)


def test_the_presets_are_named_by_their_ranks():
    for name, (first, last) in spectra.BANDS.items():
        assert name.split(" ")[0] == f"{first}-{'end' if last is None else last}"
    assert list(spectra.BANDS.values()) == [(11, 50), (11, 100), (12, 100), (32, 128), (128, 512), (512, None)]


def test_the_open_window_ends_twenty_ranks_before_the_last_positive_eigenvalue():
    values = np.r_[power_law(600, 1.0), np.zeros(40)]
    assert spectra.ranks_of((512, None), values) == fit(values, (512, None), n=900).window == (512, 580)
    assert fit(values, (512, None), n=900).alpha == pytest.approx(1.0)


@pytest.mark.parametrize(("usable", "defined"), [(533, False), (534, True)])
def test_the_open_window_needs_three_ranks(usable, defined):
    view = fit(np.r_[power_law(usable, 1.0), np.zeros(10)], (512, None), n=900)
    assert (view.alpha is not None) is defined
    assert defined or f"only {usable} eigenvalues are positive" in view.reason


@pytest.mark.parametrize(("usable", "defined"), [(49, False), (50, True)])
def test_a_window_that_the_spectrum_is_too_short_for_has_no_fit_and_is_not_cut(usable, defined):
    view = fit(np.r_[power_law(usable, 1.0), np.zeros(10)])
    assert view.window == (11, 50)
    assert (view.alpha is not None) is (view.bend is not None or "exact" in view.no_bend) is defined
    assert defined or view.reason == "the window ends at rank 50 and only 49 eigenvalues are positive"


def test_windows_that_do_not_fit_are_named_with_the_shortest_spectrum():
    said = spectra.too_short([fit(power_law(200, 1.0)), fit(power_law(120, 1.0), revision="step8")])
    assert said.startswith("Not for every spectrum here: 32-128, 128-512, 512-end. a step8 has only 120 positive")
    assert spectra.too_short([fit(power_law(700, 1.0), n=900)]) == spectra.too_short([]) == ""


@pytest.mark.parametrize(("band", "enough"), [((5, 7), True), ((5, 6), False), ((9, 2), False), ((512, None), True)])
def test_a_line_needs_three_ranks(band, enough):
    assert spectra.long_enough(band) is enough


def test_a_link_that_names_ranks_starts_with_the_readers_own_window():
    assert spectra.usual(["runs", "first_rank"]) == spectra.usual(["last_rank"]) == spectra.OWN
    assert spectra.usual(["runs", "at"]) == spectra.usual([]) == spectra.FIRST


# --- fits ---


def test_a_bent_spectrum_gives_its_break_back_with_both_exponents():
    view = fit(bent())
    assert (view.bend.break_rank, view.bend.head_alpha, view.bend.tail_alpha) == pytest.approx((20, 0.6, 2.0))
    assert [rank for rank, _ in view.bend.corners] == [11, 20, 50]
    np.testing.assert_allclose([height for _, height in view.bend.corners], bent()[[10, 19, 49]], rtol=1e-9)
    assert view.bend.gain == pytest.approx(1.0)


def test_an_exact_power_law_has_a_line_and_no_break():
    view = fit(power_law(64, 1.2))
    assert view.alpha == pytest.approx(1.2) and view.bend is None and "exact" in view.no_bend and not view.reason


def test_a_window_too_short_for_two_pieces_has_a_line_and_no_break():
    view = fit(bent(), (11, 14))
    assert view.alpha is not None and view.bend is None and "at least 7 ranks" in view.no_bend


@pytest.mark.parametrize(("n", "d"), [(400, 64), (40, 64), (65, 64)])
def test_the_noise_has_the_size_and_the_total_variance_of_the_spectrum(n, d):
    values = np.r_[power_law(min(n - 1, d), 0.8), np.zeros(max(0, d - n + 1))]
    view = fit(values, n=n)
    assert view.noise.sum() == pytest.approx(values.sum()) and len(view.noise) == min(n - 1, d)
    np.testing.assert_allclose(view.noise / view.noise[0], noise_spectrum(n, d) / noise_spectrum(n, d)[0], rtol=1e-12)


def test_rows_without_variance_have_no_noise_to_compare_with_and_no_numbers():
    view = fit(np.zeros(16))
    assert view.noise is None and view.alpha is None
    made = row(view)
    assert made["RankMe"] is None and made["α 11-50"] is None and made["n/d"] == 25


# --- the table ---


@pytest.fixture(scope="module")
def rows():
    return with_covariance_eigenvalues(bent(160, 30) * 7.0, 400, np.random.default_rng(3))


@pytest.fixture(scope="module")
def numbers(rows):
    return row(fit(Moments.of(rows).covariance_eigenvalues, (12, 100)), (12, 100))


@pytest.mark.parametrize("name", ["11-50", "11-100", "12-100 (Li 2025)", "32-128"])
def test_alpha_of_each_window_is_the_measure_on_the_rows(rows, numbers, name):
    first, last = spectra.BANDS[name]
    alpha = registry.get("alpha_weighted_least_squares")(rows, first_rank=first, last_rank=last)
    assert numbers[f"α {name}"] == alpha.value


@pytest.mark.parametrize(("column", "measure"), [
    ("curvature", "alpha_log_log_curvature"), ("break gain", "broken_power_law_gain")])
def test_what_is_said_of_the_chosen_window_is_the_measure_on_the_rows(rows, numbers, column, measure):
    assert numbers["window"] == "12-100"
    assert numbers[column] == registry.get(measure)(rows, first_rank=12, last_rank=100).value


def test_chance_is_that_of_alpha_over_the_chosen_window(rows, numbers):
    chance = registry.get("alpha_weighted_least_squares")(rows, first_rank=12, last_rank=100).chance
    assert numbers["chance α"] == chance


@pytest.mark.parametrize("removed", [1, 8, 32, 128])
def test_rankme_with_and_without_the_head_is_the_measure_on_the_rows(rows, numbers, removed):
    without = registry.get("rankme_covariance_head_removed")(rows, removed=removed)
    assert numbers[f"RankMe without {removed}"] == without.value
    assert numbers["RankMe"] == registry.get("rankme_covariance")(rows).value and numbers["n/d"] == 400 / 160


def test_a_head_that_no_spectrum_has_is_no_column(numbers):
    assert "RankMe without 512" not in numbers


def test_a_blank_cell_has_its_reason_in_a_note_and_each_reason_stands_once():
    short, long = fit(bent(70)), fit(bent(150), revision="step8")
    made, notes = spectra.table([short, long], "block 1", (11, 50))
    assert made[0]["α 11-100"] is None and made[1]["α 11-100"] is not None
    assert [(r["run"], r["checkpoint"], r["site"]) for r in made] == [("a", "step0", "block 1"),
                                                                      ("a", "step8", "block 1")]
    assert notes[0] == ("α 11-100, α 12-100 (Li 2025): blank where the window ends at rank 100 and only 70 eigenvalues "
                        "are positive.")
    both, = [note for note in notes if note.startswith("α 128-512")]
    assert "only 70 eigenvalues are positive, or the window" in both and "only 150" in both
    blank = {name for r in made for name, value in r.items() if value is None}
    assert blank == {name for note in notes for name in note.split(":")[0].split(", ")}


def test_every_row_has_the_same_columns():
    made, _ = spectra.table([fit(bent(40)), fit(bent(300), n=900)], "final", (11, 50))
    assert list(made[0]) == list(made[1]) and "RankMe without 128" in made[0] and made[0]["RankMe without 128"] is None


def test_a_window_of_ones_own_has_a_column_and_a_preset_has_no_second_one():
    own = row(fit(bent(), (5, 40)), (5, 40))
    assert own["α 5-40"] == fit(bent(), (5, 40)).alpha and own["window"] == "5-40"
    preset = row(fit(bent()))
    assert set(own) - set(preset) == {"α 5-40"} and set(preset) >= OF_BAND


def test_the_open_window_is_named_by_the_ranks_it_has():
    values = bent(640, 540)
    made = row(fit(values, (512, None), n=900), (512, None))
    assert made["window"] == "512-620" and made["α 512-end"] is not None and made["chance α"] > 0


def test_the_table_does_not_change_the_eigenvalues():
    view = fit(bent())
    before = view.values.copy()
    spectra.table([view], "final", (11, 50))
    np.testing.assert_array_equal(view.values, before)


def test_a_figure_of_some_spectra_says_how_many_there_are():
    many = [spectra.fit("a", f"step{k}", 100, np.arange(1, 65.0)**-1.0, (11, 50)) for k in range(3)]
    assert spectra.left_out(many, many) == ""
    assert "2 of the 3 spectra" in spectra.left_out(many, many[:2])
