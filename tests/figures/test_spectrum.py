"""The eigenspectrum builder on hand-made power laws."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.figures import spectrum
from analysis.figures.theme import Style
from analysis.measures.spectrum_decay import decay_line
from analysis.results import Bend, FittedSpectrum
from analysis.spectra import MOST_DRAWN
from tests.figures.made import COLOURS, check_figure, named

RANKS = np.arange(1, 65, dtype=float)


def view(run="alpha", revision="step0", values=None, *, exponent=1.3, fit=True, window=(11, 50)):
    values = 20.0 * RANKS**-exponent if values is None else np.asarray(values, dtype=float)
    if not fit:
        return FittedSpectrum(run=run, revision=revision, values=values, n=200, window=window, reason="too few")
    alpha, intercept = decay_line(values, *window)
    return FittedSpectrum(run=run, revision=revision, values=values, n=200, window=window, alpha=alpha,
                          intercept=intercept)


def test_a_curve_and_a_line_for_each_spectrum():
    figure = spectrum.build([view(), view(revision="step8"), view("beta")], COLOURS, Style())
    assert [trace.name.split(" (")[0] for trace in figure.data] == [
        "alpha · step0", "alpha · step0 fit", "alpha · step8", "alpha · step8 fit", "beta · step0", "beta · step0 fit"]
    check_figure(figure)


def test_points_are_the_eigenvalues_at_their_ranks():
    curve = spectrum.build([view()], COLOURS, Style()).data[0]
    np.testing.assert_array_equal(curve.x, RANKS)
    np.testing.assert_allclose(curve.y, 20.0 * RANKS**-1.3, rtol=1e-15)


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.25])
def test_the_line_is_drawn_over_its_window_with_slope_minus_alpha(exponent):
    line = named(spectrum.build([view(exponent=exponent, window=(5, 40))], COLOURS, Style()), "alpha · step0 fit")
    assert list(line.x) == [5, 40]
    slope = np.diff(np.log(line.y)) / np.diff(np.log(line.x))
    np.testing.assert_allclose(slope, -exponent, rtol=1e-9)
    np.testing.assert_allclose(line.y, 20.0 * np.array([5.0, 40.0])**-exponent, rtol=1e-9)


def test_the_line_of_a_spectrum_that_is_no_power_law_has_the_slope_that_the_name_states():
    values = 10.0 * np.exp(-RANKS / 9)
    figure = spectrum.build([view(values=values)], COLOURS, Style())
    slope = float(np.diff(np.log(figure.data[1].y))[0] / np.diff(np.log(figure.data[1].x))[0])
    assert figure.data[0].name == f"alpha · step0 (α = {-slope:.2f})"


def test_there_is_no_line_and_no_alpha_where_the_fit_is_undefined():
    figure = spectrum.build([view(fit=False)], COLOURS, Style())
    assert [trace.name for trace in figure.data] == ["alpha · step0"]
    check_figure(figure)


def test_zero_eigenvalues_are_left_out_because_a_logarithmic_axis_has_no_place_for_them():
    figure = spectrum.build([view(values=[4.0, 2.0, 1.0, 0.0, 0.0], fit=False)], COLOURS, Style())
    assert list(figure.data[0].x) == [1, 2, 3] and list(figure.data[0].y) == [4.0, 2.0, 1.0]


def test_an_undefined_spectrum_draws_nothing_and_does_not_fail():
    figure = spectrum.build([view(values=[], fit=False), view("beta")], COLOURS, Style())
    assert len(figure.data[0].x) == 0 and len(figure.data[1].x) == 64


def test_both_axes_are_logarithmic_and_say_what_they_show():
    layout = spectrum.build([view()], COLOURS, Style()).layout
    assert layout.xaxis.type == layout.yaxis.type == "log"
    assert layout.xaxis.title.text == "Rank k"
    assert all(part in layout.yaxis.title.text for part in ("Covariance eigenvalue", "λ<sub>k</sub>", "(variance)"))


def test_one_checkpoint_has_the_colour_of_its_run_and_several_have_shades_that_end_in_it():
    one = spectrum.build([view()], COLOURS, Style()).data[0].line.color
    several = [trace.line.color for trace in spectrum.build(
        [view(), view(revision="step8"), view(revision="step64")], COLOURS, Style()).data[::2]]
    assert one == several[-1].lower() or one.lower() == several[-1].lower() == COLOURS["alpha"].lower()
    assert len(set(several)) == 3


def test_dark_paper_has_another_ink_for_the_line():
    light, dark = (spectrum.build([view()], COLOURS, Style(dark=dark)) for dark in (False, True))
    assert light.data[1].line.color != dark.data[1].line.color
    assert light.layout.paper_bgcolor != dark.layout.paper_bgcolor


def test_the_eigenvalues_and_the_colours_are_not_changed():
    given, colours = view(), dict(COLOURS)
    before = given.values.copy()
    spectrum.build([given], colours, Style())
    np.testing.assert_array_equal(given.values, before)
    assert colours == COLOURS


# --- what can be laid over it ---


def bent_view(**given):
    bend = Bend(break_rank=20, head_alpha=0.6, tail_alpha=2.0, gain=0.9, corners=((11, 5.0), (20, 3.0), (50, 0.5)))
    return replace(view(**given), bend=bend, noise=np.linspace(3, 1, 64))


def test_nothing_is_laid_over_unasked():
    assert spectrum.build([bent_view()], COLOURS, Style()) == spectrum.build([view()], COLOURS, Style())


def test_the_broken_line_is_drawn_through_its_corners_with_a_mark_at_its_break():
    figure = spectrum.build([bent_view()], COLOURS, Style(), broken=True)
    line = named(figure, "alpha · step0 broken fit")
    assert list(zip(line.x, line.y, strict=True)) == [(11, 5.0), (20, 3.0), (50, 0.5)]
    assert [size > 0 for size in line.marker.size] == [False, True, False] and line.line.dash is None
    assert named(figure, "alpha · step0 fit").line.dash == "dash", "the single line stays beside it"
    check_figure(figure)


def test_the_legend_says_both_exponents_and_the_break():
    label = spectrum.build([bent_view()], COLOURS, Style(), broken=True).data[0].name
    assert label == "alpha · step0 (α = 1.30;<br>broken: 0.60 to rank 20, then 2.00)"


def test_a_spectrum_without_a_break_keeps_its_single_line():
    figure = spectrum.build([view(), bent_view(revision="step8"), view("beta", fit=False)], COLOURS, Style(),
                            broken=True)
    assert [trace.name.split(" (")[0] for trace in figure.data] == [
        "alpha · step0", "alpha · step0 fit", "alpha · step8", "alpha · step8 fit", "alpha · step8 broken fit",
        "beta · step0"]


def test_noise_is_muted_and_dashed_below_the_spectra_and_once_in_the_legend():
    style = Style()
    figure = spectrum.build([bent_view(), bent_view(revision="step8"), view("beta")], COLOURS, style, noise=True)
    noise = [trace for trace in figure.data if trace.legendgroup == "noise"]
    assert len(noise) == 2 and list(figure.data[:2]) == noise, "a spectrum without noise has none"
    assert [trace.showlegend for trace in noise] == [True, False]
    assert {(trace.line.color, trace.line.dash) for trace in noise} == {(style.muted, "dash")}
    np.testing.assert_array_equal(noise[0].y, np.linspace(3, 1, 64))
    np.testing.assert_array_equal(noise[0].x, RANKS)
    check_figure(figure)


def test_of_a_long_spectrum_the_first_512_ranks_and_evenly_spread_ones_beyond_are_drawn():
    long = np.arange(1, 8193, dtype=float)**-1.0
    curve = spectrum.build([view(values=long)], COLOURS, Style()).data[0]
    ranks = np.asarray(curve.x)
    np.testing.assert_array_equal(ranks[:512], np.arange(1, 513))
    assert ranks[-1] == 8192 and 900 < len(ranks) <= 1024 and (np.diff(ranks) > 0).all()
    assert np.max(np.diff(np.log(ranks[511:]))) < 0.01, "no gap that the eye could see"
    np.testing.assert_array_equal(curve.y, long[ranks - 1])


def test_the_most_lines_of_the_longest_spectra_are_under_two_megabytes_with_all_that_can_be_added():
    long = np.arange(1, 8193, dtype=float)**-1.0
    bend = Bend(break_rank=20, head_alpha=1.0, tail_alpha=2.0, gain=0.1, corners=((11, 1.0), (20, 0.5), (50, 0.1)))
    views = [replace(view(revision=f"step{k}", values=long), noise=long, bend=bend) for k in range(MOST_DRAWN)]
    figure = spectrum.build(views, COLOURS, Style(), broken=True, noise=True)
    assert len(figure.to_json()) < 2_000_000
