"""Moments add, subtract and keep their precision."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.moments import Moments
from tests.synthetic import generic, with_covariance_eigenvalues


def assert_same(one: Moments, other: Moments, rtol: float = 1e-10) -> None:
    """Equal to rounding, measured against the largest entry."""
    assert one.n == other.n
    np.testing.assert_allclose(one.mean, other.mean, rtol=rtol, atol=rtol * np.abs(other.mean).max())
    np.testing.assert_allclose(one.scatter, other.scatter, rtol=rtol, atol=rtol * np.abs(other.scatter).max())


def test_they_are_the_count_the_mean_and_the_centred_scatter():
    rows = generic(40, 7, np.random.default_rng(0))
    moments = Moments.of(rows)
    assert (moments.n, moments.mean.shape) == (40, (7,))
    np.testing.assert_allclose(moments.mean, rows.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(moments.scatter, np.cov(rows.T) * 39, rtol=1e-11)


def test_small_whole_numbers_add_and_subtract_without_any_error():
    rows = np.array([[0, 4], [8, 4], [4, 0], [4, 8], [2, 2], [6, 6], [2, 6], [6, 2]], dtype=float)
    whole, first, second = Moments.of(rows), Moments.of(rows[:4]), Moments.of(rows[4:])
    for got, want in ((first + second, whole), (whole - second, first), (whole - first, second)):
        assert got.n == want.n
        np.testing.assert_array_equal(got.mean, want.mean)
        np.testing.assert_array_equal(got.scatter, want.scatter)


def test_adding_in_any_order_or_grouping_gives_the_same():
    parts = [Moments.of(generic(n, 5, np.random.default_rng(n))) for n in (3, 20, 9)]
    a, b, c = parts
    assert_same((a + b) + c, a + (b + c))
    assert_same(a + b, b + a)


@settings(derandomize=True, deadline=None, database=None, max_examples=100)
@given(n=st.integers(3, 60), d=st.integers(1, 12), cut=st.floats(0, 1), offset=st.sampled_from([0.0, 1.0, -30.0]),
       scale=st.sampled_from([1e-8, 1.0, 1e8]), seed=st.integers(0, 10_000))
def test_any_split_adds_up_to_the_whole_and_can_be_taken_away_again(n, d, cut, offset, scale, seed):
    rows = scale * (generic(n, d, np.random.default_rng(seed)) + offset)
    at = 1 + round(cut * (n - 2))
    first, second, whole = Moments.of(rows[:at]), Moments.of(rows[at:]), Moments.of(rows)
    assert_same(first + second, whole)
    for rest, part in ((first, second), (second, first)):
        left = whole - part
        assert left.n == rest.n
        np.testing.assert_allclose(left.mean, rest.mean, rtol=1e-9, atol=1e-11 * np.abs(rows).max())
        np.testing.assert_allclose(left.scatter, rest.scatter, rtol=1e-9, atol=1e-11 * np.abs(whole.scatter).max())


def test_streaming_in_batches_gives_the_moments_of_all_rows():
    rows = generic(1000, 16, np.random.default_rng(1))
    total = Moments.of(rows[:7])
    for start in range(7, 1000, 31):
        total = total + Moments.of(rows[start:start + 31])
    assert_same(total, Moments.of(rows))


def test_a_mean_a_million_times_the_spread_does_not_ruin_the_eigenvalues():
    rng = np.random.default_rng(2)
    chosen = np.geomspace(1, 1e-3, 10)
    rows = with_covariance_eigenvalues(chosen, 200, rng) + 1e6
    whole = Moments.of(rows)
    added = Moments.of(rows[:80]) + Moments.of(rows[80:])
    for moments in (whole, added):
        np.testing.assert_allclose(moments.covariance_eigenvalues, chosen, rtol=1e-6)

    uncentred = (rows.T @ rows - 200 * np.outer(rows.mean(axis=0), rows.mean(axis=0))) / 199
    naive = np.linalg.eigvalsh(uncentred)[::-1]
    assert np.abs(naive / chosen - 1).max() > 1e-3, "the one-pass formula must fail here, or the test shows nothing"


def test_a_part_can_be_taken_away_at_a_large_mean():
    rng = np.random.default_rng(3)
    rows = generic(200, 10, rng) + 1e6
    rest = Moments.of(rows) - Moments.of(rows[:30])
    np.testing.assert_allclose(rest.covariance_eigenvalues, Moments.of(rows[30:]).covariance_eigenvalues, rtol=1e-6)


def test_a_document_a_thousand_times_larger_can_be_taken_away():
    rng = np.random.default_rng(4)
    rows = generic(200, 10, rng)
    rows[:20] *= 1e3
    rest = Moments.of(rows) - Moments.of(rows[:20])
    np.testing.assert_allclose(rest.covariance_eigenvalues, Moments.of(rows[20:]).covariance_eigenvalues, rtol=1e-7)


def test_taking_away_the_only_rows_that_vary_leaves_the_rounding_error_of_the_whole():
    """Which is why the jackknife computes afresh what little remains (tests/test_evaluate.py)."""
    rng = np.random.default_rng(11)
    rows = np.tile(rng.standard_normal(64), (100, 1))
    rows[90:] = rng.standard_normal((10, 64))
    whole = Moments.of(rows)
    rest = whole - Moments.of(rows[90:])
    assert 0 < np.abs(rest.scatter).max() < 1e-14 * np.trace(whole.scatter)


@pytest.mark.parametrize("shape", [(100, 30), (20, 30), (31, 30)])
def test_covariance_eigenvalues_agree_with_numpy(shape):
    rows = generic(*shape, np.random.default_rng(5))
    expected = np.linalg.eigvalsh(np.cov(rows.T))[::-1]
    got = Moments.of(rows).covariance_eigenvalues
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-13 * expected[0])
    assert (np.diff(got) <= 0).all()


@pytest.mark.parametrize("shape", [(100, 30), (20, 30)])
def test_singular_values_are_those_of_the_uncentred_rows(shape):
    rows = generic(*shape, np.random.default_rng(6)) + 2.0
    expected = np.linalg.svd(rows, compute_uv=False)
    got = Moments.of(rows).singular_values
    np.testing.assert_allclose(got[:len(expected)], expected, rtol=1e-9)
    assert (got[len(expected):] == 0).all()


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_directions_without_variance_are_exactly_zero_at_any_scale(scale):
    rng = np.random.default_rng(7)
    rows = scale * (generic(200, 12, rng) @ rng.standard_normal((12, 40)) + 3.0)
    eigenvalues = Moments.of(rows).covariance_eigenvalues
    assert (eigenvalues[:12] > 0).all()
    np.testing.assert_array_equal(eigenvalues[12:], np.zeros(28))


@pytest.mark.parametrize("ratio", [1e-6, 1e-10])
def test_a_small_real_direction_is_not_taken_for_noise(ratio):
    rows = with_covariance_eigenvalues([1.0, ratio], 50, np.random.default_rng(8))
    assert Moments.of(rows).covariance_eigenvalues[1] == pytest.approx(ratio, rel=1e-4)


def test_fewer_rows_than_columns_leave_n_minus_1_directions_and_so_does_taking_rows_away():
    rows = generic(30, 70, np.random.default_rng(9))
    assert np.count_nonzero(Moments.of(rows).covariance_eigenvalues) == 29
    assert np.count_nonzero((Moments.of(rows) - Moments.of(rows[:6])).covariance_eigenvalues) == 23


def test_float32_rows_are_summed_in_float64():
    rows = (generic(5000, 4, np.random.default_rng(10)) + 100).astype(np.float32)
    moments = Moments.of(rows)
    assert moments.scatter.dtype == moments.mean.dtype == np.float64
    assert_same(moments, Moments.of(rows.astype(np.float64)), rtol=1e-14)
