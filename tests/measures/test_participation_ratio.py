"""Participation ratio: participation_ratio and participation_ratio_row_corrected."""

import itertools

import numpy as np
import pytest

from analysis import registry
from tests.synthetic import (
    generic,
    golden_rows,
    golden_value,
    power_law,
    power_law_gaussian,
    with_covariance_eigenvalues,
)

PLUG_IN, CORRECTED = registry.get("participation_ratio"), registry.get("participation_ratio_row_corrected")


def ratio(spectrum: np.ndarray) -> float:
    return float(np.sum(spectrum)**2 / np.sum(np.square(spectrum)))


def over_distinct_rows(rows: np.ndarray) -> float:
    """Averages of the two kernels over every ordered choice of four distinct rows, one at a time.

    For independent rows E |x1 - x2|^2 |x3 - x4|^2 / 4 = (tr S)^2 and E ((x1 - x2).(x3 - x4))^2 / 4 = tr(S^2).
    """
    numerators, denominators = [], []
    for i, j, k, m in itertools.permutations(range(len(rows)), 4):
        first, second = rows[i] - rows[j], rows[k] - rows[m]
        numerators.append((first @ first) * (second @ second) / 4)
        denominators.append((first @ second)**2 / 4)
    return float(np.mean(numerators) / np.mean(denominators))


@pytest.mark.parametrize("k", [1, 2, 7, 30])
def test_k_equal_eigenvalues_have_participation_ratio_k(k):
    rows = with_covariance_eigenvalues([0.3] * k + [0.0] * (30 - k), 80, np.random.default_rng(k))
    assert PLUG_IN(rows).value == pytest.approx(k, rel=1e-12)


def test_an_exact_power_law_gives_the_ratio_of_its_sums():
    spectrum = power_law(40, 0.7)
    rows = with_covariance_eigenvalues(spectrum, 90, np.random.default_rng(0))
    assert PLUG_IN(rows).value == pytest.approx(ratio(spectrum), rel=1e-12)


def test_rows_on_one_line_have_participation_ratio_one():
    rng = np.random.default_rng(1)
    rows = np.outer(rng.standard_normal(50), rng.standard_normal(9))
    assert PLUG_IN(rows).value == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize(("n", "d"), [(100, 100), (50, 400), (800, 200)])
def test_isotropic_noise_has_the_declared_null(n, d):
    values = [PLUG_IN(np.random.default_rng(seed).standard_normal((n, d))).value for seed in range(5)]
    assert np.mean(values) == pytest.approx(1 / (1 / n + 1 / d), rel=0.02)


@pytest.mark.parametrize(("seed", "d"), [(0, 3), (1, 5), (2, 6), (3, 9), (4, 20)])
def test_the_row_correction_is_the_ratio_of_averages_over_distinct_rows(seed, d):
    """n = 6: 360 ordered choices. Widths on both sides of n exercise both Gram branches."""
    rows = generic(6, d, np.random.default_rng(seed))
    assert CORRECTED(rows).value == pytest.approx(over_distinct_rows(rows), rel=1e-10)


@pytest.mark.parametrize("n", [24, 48, 96])
def test_the_row_correction_is_closer_to_the_truth_than_the_plug_in_at_small_n(n):
    d, exponent = 96, 0.7
    truth = ratio(power_law(d, exponent))
    drawn = [power_law_gaussian(n, d, exponent, np.random.default_rng(seed)) for seed in range(40)]
    plug_in = np.mean([PLUG_IN(rows).value for rows in drawn])
    corrected = np.mean([CORRECTED(rows).value for rows in drawn])
    assert plug_in < truth, "the plug-in is biased down"
    assert abs(corrected - truth) < 0.35 * abs(plug_in - truth)


def test_the_row_correction_tends_to_the_plug_in_with_many_rows():
    rows = power_law_gaussian(20_000, 10, 1.0, np.random.default_rng(2))
    assert CORRECTED(rows).value == pytest.approx(PLUG_IN(rows).value, rel=2e-3)
    assert CORRECTED(rows).value == pytest.approx(ratio(power_law(10, 1.0)), rel=0.03)


@pytest.mark.parametrize("shape", [(60, 20), (20, 60)])
def test_columns_of_zeros_that_cross_the_branch_on_width_change_nothing(shape):
    rows = generic(*shape, np.random.default_rng(3))
    padded = np.hstack([rows, np.zeros((shape[0], 100))])
    assert CORRECTED(padded).value == pytest.approx(CORRECTED(rows).value, rel=1e-11)


@pytest.mark.parametrize("shape", [(200, 40), (30, 70)])
def test_the_plug_in_agrees_with_the_eigenvalues_of_numpys_covariance(shape):
    rows = generic(*shape, np.random.default_rng(4))
    assert PLUG_IN(rows).value == pytest.approx(ratio(np.linalg.eigvalsh(np.cov(rows.T))), rel=1e-11)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_scale_over_twelve_decades_changes_nothing(scale):
    rows = generic(50, 20, np.random.default_rng(5))
    for measure in (PLUG_IN, CORRECTED):
        assert measure(scale * rows).value == pytest.approx(measure(rows).value, rel=1e-12)


@pytest.mark.parametrize("measure", [PLUG_IN, CORRECTED], ids=lambda measure: measure.name)
def test_the_golden_value_of_the_committed_rows(measure):
    assert measure(golden_rows()).value == pytest.approx(golden_value(measure.name), rel=1e-10)


@pytest.mark.parametrize("value", [0.0, 2.0, 0.1, 1e6 / 3])
@pytest.mark.parametrize("measure", [PLUG_IN, CORRECTED], ids=lambda measure: measure.name)
def test_equal_rows_have_no_participation_ratio(measure, value):
    result = measure(np.full((100, 8), value))
    assert result.reason and np.isnan(result.value)


@pytest.mark.parametrize("k", [5, 8, 13])
def test_rows_all_equally_far_apart_have_no_row_corrected_value(k):
    """Every (x1 - x2).(x3 - x4) over distinct rows is 0, so the estimate of tr(S^2) is exactly 0."""
    assert "tr(S^2)" in CORRECTED(0.7 * np.eye(k)).reason
