"""Decay of the eigenspectrum: alpha_weighted_least_squares and alpha_log_log_curvature."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import registry
from analysis.measures.spectrum_decay import alpha_of_noise, decay_curvature, decay_line, noise_spectrum
from analysis.moments import Moments
from tests.synthetic import (
    generic,
    golden_rows,
    golden_value,
    power_law,
    power_law_gaussian,
    with_covariance_eigenvalues,
)

ALPHA = registry.get("alpha_weighted_least_squares")
CURVATURE = registry.get("alpha_log_log_curvature")


def by_polyfit(eigenvalues: np.ndarray, first: int, last: int) -> tuple[float, float]:
    """numpy's weighted fit; its weights multiply the residual, so they are square roots of the weights of squares."""
    ranks = np.arange(first, last + 1)
    slope, intercept = np.polyfit(np.log(ranks), np.log(eigenvalues[first - 1:last]), 1, w=np.sqrt(1 / ranks))
    return -slope, intercept


@pytest.mark.parametrize("exponent", [0.3, 0.7, 1.0, 1.3, 2.5])
@pytest.mark.parametrize("window", [(11, 50), (1, 60), (4, 30)])
def test_an_exact_power_law_returns_its_exponent(exponent, window):
    rows = with_covariance_eigenvalues(7.0 * power_law(60, exponent), 100, np.random.default_rng(0))
    assert ALPHA(rows, first_rank=window[0], last_rank=window[1]).value == pytest.approx(exponent, rel=1e-10)


def test_equal_eigenvalues_do_not_decay():
    rows = with_covariance_eigenvalues(np.full(60, 2.0), 100, np.random.default_rng(1))
    assert ALPHA(rows).value == pytest.approx(0.0, abs=1e-12)


def test_the_line_goes_through_an_exact_power_law():
    exponent, intercept = decay_line(7.0 * power_law(60, 1.2), 11, 50)
    assert (exponent, intercept) == pytest.approx((1.2, np.log(7.0)), rel=1e-12)


def test_only_the_window_counts():
    spectrum = power_law(60, 1.0)
    changed = spectrum.copy()
    changed[:10] *= 50
    changed[50:] /= 50
    assert decay_line(changed, 11, 50) == decay_line(spectrum, 11, 50)
    assert decay_line(changed, 10, 50) != decay_line(spectrum, 10, 50)
    assert decay_line(changed, 11, 51) != decay_line(spectrum, 11, 51)


@settings(derandomize=True, deadline=None, database=None, max_examples=50)
@given(st.floats(0.1, 4.0), st.floats(1e-6, 1e6), st.integers(0, 1000))
def test_raising_a_spectrum_to_a_power_multiplies_alpha_and_scaling_it_does_nothing(power, scale, seed):
    spectrum = np.sort(np.random.default_rng(seed).exponential(size=60) + 1e-3)[::-1]
    alpha, intercept = decay_line(spectrum, 5, 60)
    powered = decay_line(scale * spectrum**power, 5, 60)
    assert powered[0] == pytest.approx(power * alpha, rel=1e-8)
    assert powered[1] == pytest.approx(power * intercept + np.log(scale), rel=1e-8, abs=1e-8)


def test_the_weights_favour_the_first_ranks_of_the_window():
    """A spectrum of two slopes: weighting by 1 / rank moves alpha towards the slope of the head."""
    ranks = np.arange(1, 101)
    broken = np.where(ranks <= 30, ranks**-0.5, 30**1.0 * ranks**-1.5)
    unweighted = -np.polyfit(np.log(ranks), np.log(broken), 1)[0]
    assert 0.5 < decay_line(broken, 1, 100)[0] < unweighted < 1.5


@pytest.mark.parametrize("window", [(11, 50), (1, 3), (2, 40), (20, 60)])
def test_it_agrees_with_numpys_weighted_polynomial_fit(window):
    rows = generic(150, 60, np.random.default_rng(2))
    eigenvalues = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)**2 / 149
    assert ALPHA(rows, first_rank=window[0], last_rank=window[1]).value \
        == pytest.approx(by_polyfit(eigenvalues, *window)[0], rel=1e-9)
    assert decay_line(eigenvalues, *window) == pytest.approx(by_polyfit(eigenvalues, *window), rel=1e-9)


def mean_alpha(n: int, d: int) -> float:
    """Mean over draws of alpha of n Gaussian rows whose true exponent is 1."""
    return float(np.mean([ALPHA(power_law_gaussian(n, d, 1.0, np.random.default_rng(seed))).value
                          for seed in range(5)]))


def test_too_few_rows_bias_it_down_when_the_window_is_a_small_part_of_the_spectrum():
    assert mean_alpha(128, 512) < mean_alpha(1024, 512) < 1.0


def test_too_few_rows_bias_it_up_when_the_window_reaches_the_end_of_the_spectrum():
    assert mean_alpha(64, 64) > mean_alpha(256, 64) > mean_alpha(4096, 64)
    assert mean_alpha(256, 64) > 1.1
    assert mean_alpha(16_384, 64) == pytest.approx(1.0, rel=0.02)


def test_the_default_window_is_the_one_the_golden_value_was_fitted_over():
    assert ALPHA.settings() == {"first_rank": 11, "last_rank": 50}


def test_the_golden_value_of_the_committed_rows():
    assert ALPHA(golden_rows()).value == pytest.approx(golden_value(ALPHA.name), rel=1e-10)


def test_a_window_longer_than_the_spectrum_is_undefined_not_truncated():
    for rows in (generic(200, 49, np.random.default_rng(3)), generic(50, 200, np.random.default_rng(3))):
        result = ALPHA(rows)
        assert "rank 50" in result.reason and "49" in result.reason
        assert np.isnan(result.value)


def test_a_window_that_just_fits_is_defined():
    for rows in (generic(200, 50, np.random.default_rng(4)), generic(51, 200, np.random.default_rng(4))):
        assert ALPHA(rows).defined


def test_eigenvalues_of_rounding_noise_do_not_fill_the_window():
    rng = np.random.default_rng(5)
    rows = generic(200, 30, rng) @ rng.standard_normal((30, 80))
    assert "only 30 eigenvalues are positive" in ALPHA(rows).reason


@pytest.mark.parametrize("value", [0.0, 2.0])
def test_equal_rows_have_no_decay(value):
    result = ALPHA(np.full((100, 60), value))
    assert "only 0 eigenvalues" in result.reason
    assert np.isnan(result.value)


def test_equal_rows_whose_mean_rounds_have_no_decay():
    assert "only 0 eigenvalues" in ALPHA(np.full((100, 60), 0.1)).reason


@pytest.mark.parametrize("window", [(11, 12), (11, 11), (20, 11)])
def test_a_window_of_fewer_than_three_ranks_is_refused(window):
    with pytest.raises(ValueError, match=f"window {window[0]}-{window[1]}"):
        ALPHA(generic(150, 60, np.random.default_rng(6)), first_rank=window[0], last_rank=window[1])


@pytest.mark.parametrize(("n", "d", "reported"), [(1000, 1024, 0.150), (5000, 512, 0.096), (15_000, 768, 0.053),
                                                  (15_000, 2048, 0.041)])
def test_the_chance_level_is_the_reported_alpha_of_noise_over_ranks_12_to_100(n, d, reported):
    assert decay_line(noise_spectrum(n, d), 12, 100)[0] == pytest.approx(reported, abs=0.0015)


def test_reptrix_golden_alpha_of_noise_is_the_chance_level_of_ranks_12_to_100_because_its_11_is_counted_from_0():
    golden, spectrum = 0.148936, noise_spectrum(1000, 1024)
    assert decay_line(spectrum, 12, 100)[0] == pytest.approx(golden, abs=0.001)
    assert decay_line(spectrum, 11, 100)[0] != pytest.approx(golden, abs=0.003)


@pytest.mark.parametrize(("n", "d", "window"), [(300, 200, (11, 50)), (120, 100, (12, 80)), (60, 120, (5, 50)),
                                                (101, 100, (11, 90)), (4000, 60, (11, 50))])
def test_simulated_noise_has_the_chance_level_on_average(n, d, window):
    given = dict(zip(("first_rank", "last_rank"), window, strict=True))
    for measure, rel in ((ALPHA, 0.015), (CURVATURE, 0.03)):
        results = [measure(np.random.default_rng(seed).standard_normal((n, d)), **given) for seed in range(30)]
        values = np.array([result.value for result in results])
        assert results[0].chance == pytest.approx(values.mean(), rel=rel, abs=3 * values.std() / np.sqrt(30))


def test_the_chance_level_does_not_depend_on_the_rows_but_on_their_shape_and_the_window():
    rng = np.random.default_rng(7)
    noise, steep = rng.standard_normal((150, 60)), power_law_gaussian(150, 60, 2.0, rng)
    assert ALPHA(noise).chance == ALPHA(steep).chance
    assert ALPHA(noise[:100]).chance > ALPHA(noise).chance
    assert ALPHA(noise, first_rank=11, last_rank=40).chance < ALPHA(noise).chance


@pytest.mark.parametrize("y", [0.03, 0.5, 1.0])
def test_the_spectrum_of_noise_has_the_moments_and_edges_of_the_marchenko_pastur_law(y):
    """Mean 1 and variance y in units of the true variance, and support (1 -+ sqrt(y))^2."""
    spectrum = noise_spectrum(20_001, round(20_000 * y))
    assert (np.diff(spectrum) < 0).all()
    assert spectrum.mean() == pytest.approx(1.0, rel=2e-4)
    assert spectrum.var() == pytest.approx(y, rel=2e-3)
    assert (1 - y**0.5)**2 < spectrum[-1] < spectrum[0] < (1 + y**0.5)**2


def test_noise_with_more_columns_than_rows_has_the_positive_spectrum_of_its_transpose():
    np.testing.assert_array_equal(noise_spectrum(101, 400), noise_spectrum(401, 100))
    assert len(noise_spectrum(101, 400)) == 100


def test_a_window_that_noise_of_this_shape_does_not_have_has_no_chance_level():
    moments = Moments.of(generic(50, 200, np.random.default_rng(8)))
    assert np.isnan(alpha_of_noise(moments, 11, 50))
    assert np.isfinite(alpha_of_noise(moments, 11, 49))


def test_a_rank_of_the_open_band_up_to_the_end_is_refused_where_the_spectrum_is_shorter():
    for window in ((11, 50), (11, 100), (12, 100), (32, 128), (128, 512)):
        ALPHA.settings({"first_rank": window[0], "last_rank": window[1]})
    assert "only 60 eigenvalues" in ALPHA(generic(150, 60, np.random.default_rng(9)), first_rank=32,
                                          last_rank=128).reason


@pytest.mark.parametrize("exponent", [0.0, 0.7, 1.3])
def test_an_exact_power_law_is_not_curved(exponent):
    rows = with_covariance_eigenvalues(7.0 * power_law(60, exponent), 100, np.random.default_rng(10))
    assert CURVATURE(rows).value == pytest.approx(0.0, abs=1e-11)


@pytest.mark.parametrize("curvature", [-0.05, 0.02, 0.3])
@pytest.mark.parametrize("window", [(11, 50), (1, 60), (20, 23)])
def test_a_planted_curvature_is_returned_and_positive_means_falling_ever_faster(curvature, window):
    log_rank = np.log(np.arange(1, 61))
    spectrum = np.exp(2 - 1.1 * log_rank - curvature * log_rank**2)
    assert decay_curvature(spectrum, *window) == pytest.approx(curvature, rel=1e-8)
    early, late = decay_line(spectrum, 11, 30)[0], decay_line(spectrum, 31, 50)[0]
    assert (late > early) == (curvature > 0)


def test_curvature_is_the_quadratic_coefficient_of_the_normal_equations():
    spectrum = np.sort(np.random.default_rng(11).exponential(size=60) + 1e-3)[::-1]
    ranks = np.arange(11, 51)
    design = np.vander(np.log(ranks), 3)
    solved = np.linalg.solve(design.T @ (design / ranks[:, None]), design.T @ (np.log(spectrum[10:50]) / ranks))
    assert decay_curvature(spectrum, 11, 50) == pytest.approx(-solved[0], rel=1e-9)


@settings(derandomize=True, deadline=None, database=None, max_examples=30)
@given(st.floats(0.1, 4.0), st.floats(1e-6, 1e6), st.integers(0, 1000))
def test_raising_a_spectrum_to_a_power_multiplies_its_curvature_and_scaling_it_does_nothing(power, scale, seed):
    spectrum = np.sort(np.random.default_rng(seed).exponential(size=60) + 1e-3)[::-1]
    assert decay_curvature(scale * spectrum**power, 5, 60) \
        == pytest.approx(power * decay_curvature(spectrum, 5, 60), rel=1e-7, abs=1e-9)


def test_curvature_needs_four_ranks_and_a_window_within_the_spectrum():
    rows = generic(150, 60, np.random.default_rng(12))
    with pytest.raises(ValueError, match="at least 4 ranks, got the window 11-13"):
        CURVATURE(rows, first_rank=11, last_rank=13)
    assert "only 60 eigenvalues" in CURVATURE(rows, last_rank=61).reason
