"""Linear CKA corrected for sampled columns: linear_cka_column_corrected."""

import numpy as np
import pytest

from analysis import registry
from tests.measures.test_cka import song
from tests.synthetic import generic, generic_pair

MEASURE, DEBIASED = registry.get("linear_cka_column_corrected"), registry.get("linear_cka_debiased")


def sharing(n: int, d: int, rng: np.random.Generator, latent: np.ndarray, noise: float = 1.0) -> np.ndarray:
    """Columns that are random mixtures of the same latent columns, each with noise of its own."""
    return latent @ rng.standard_normal((latent.shape[1], d)) + noise * rng.standard_normal((n, d))


def test_the_golden_value_of_the_moment_form():
    """From the nine moment terms of Aristotelian (Groger 2026), aristotelian/metrics/estimators.py: depcols for the
    two self terms, its independent columns for the cross term."""
    state = np.random.RandomState(2025)
    latent = state.randn(40, 3)
    x = latent @ state.randn(3, 16) + state.randn(40, 16)
    y = latent @ state.randn(3, 24) + state.randn(40, 24)
    assert MEASURE(x, y).value == pytest.approx(1.11350440315554, abs=1e-12)


def test_the_self_terms_are_means_over_pairs_of_distinct_columns():
    rng = np.random.default_rng(0)
    latent = rng.standard_normal((25, 3))
    x, y = sharing(25, 5, rng, latent), sharing(25, 7, rng, latent)

    def between(z: np.ndarray) -> float:
        return np.mean([song(z[:, [a]], z[:, [b]]) for a in range(z.shape[1]) for b in range(z.shape[1]) if a != b])
    cross = np.mean([song(x[:, [a]], y[:, [b]]) for a in range(5) for b in range(7)])
    assert MEASURE(x, y).value == pytest.approx(cross / np.sqrt(between(x) * between(y)), rel=1e-10)


def test_a_random_sketch_keeps_the_value_of_all_columns():
    """Research notes, 3.1: to 64 columns, a true 0.713 reads 0.471 debiased and 0.720 +- 0.04 corrected."""
    rng = np.random.default_rng(1)
    latent = rng.standard_normal((150, 40)) * np.arange(1, 41)**-0.5
    x = latent @ rng.standard_normal((40, 800)) + rng.standard_normal((150, 800))
    y = latent @ rng.standard_normal((40, 800)) + 3 * rng.standard_normal((150, 800))
    true = MEASURE(x, y).value
    sketched = [(x @ rng.standard_normal((800, 16)), y @ rng.standard_normal((800, 16))) for _ in range(60)]
    corrected = np.array([MEASURE(*pair).value for pair in sketched])
    assert np.mean([DEBIASED(*pair).value for pair in sketched]) < 0.7 * true
    assert np.mean(corrected) == pytest.approx(true, abs=3 * corrected.std() / np.sqrt(60) + 0.05)


def test_with_many_columns_it_nears_debiased_cka():
    rng = np.random.default_rng(2)
    latent = rng.standard_normal((60, 4))
    gaps = []
    for d in (20, 2_000):
        x, y = sharing(60, d, rng, latent), sharing(60, d, rng, latent)
        gaps.append(abs(MEASURE(x, y).value - DEBIASED(x, y).value))
    assert gaps[1] < 0.02 < gaps[0]


def test_the_very_same_columns_on_both_sides_score_above_one():
    """The correction takes the columns of the two sides as drawn apart; the caveat says so."""
    rng = np.random.default_rng(3)
    x = sharing(60, 20, rng, rng.standard_normal((60, 4)))
    assert MEASURE(x, x).value > 1.05


def test_over_permutations_of_the_rows_it_averages_zero():
    x, y = generic_pair(30, 6, 5, np.random.default_rng(4))
    rng = np.random.default_rng(5)
    values = [MEASURE(x, y[rng.permutation(30)]).value for _ in range(800)]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(800)
    assert MEASURE(x, y).chance == 0.0


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_scale_changes_nothing(scale):
    x, y = generic_pair(40, 10, 8, np.random.default_rng(6))
    assert MEASURE(scale * x, y).value == pytest.approx(MEASURE(x, y).value, rel=1e-12)


def test_a_single_column_is_undefined():
    x = generic(40, 5, np.random.default_rng(7))
    assert "a single column" in MEASURE(x[:, :1], x).reason
    assert "a single column" in MEASURE(x, x[:, :1]).reason


def test_columns_with_nothing_in_common_are_undefined_and_not_nought():
    """Orthogonal columns: HSIC_1 between distinct ones is below 0, where Aristotelian returns 0.0."""
    q, _ = np.linalg.qr(np.column_stack([np.ones(40), np.random.default_rng(8).standard_normal((40, 6))]))
    y = generic(40, 5, np.random.default_rng(9))
    for pair in ((q[:, 1:], y), (y, q[:, 1:])):
        assert "share no more than chance" in MEASURE(*pair).reason
        assert np.isnan(MEASURE(*pair).value)


def test_a_side_whose_rows_are_all_the_same_is_undefined():
    assert MEASURE(np.full((40, 8), 0.1), generic(40, 5, np.random.default_rng(10))).reason
