"""Kernels of distance: rbf_cka_biased, rbf_cka_debiased, distance_correlation_biased, distance_correlation_debiased."""

import itertools

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from analysis import registry
from tests.measures.test_cka import cosine, doubly_centred, kernel_cosine, reference_pair, u_centred
from tests.synthetic import generic, generic_pair, rotated

RBF, RBF_U = registry.get("rbf_cka_biased"), registry.get("rbf_cka_debiased")
DISTANCE, DISTANCE_U = registry.get("distance_correlation_biased"), registry.get("distance_correlation_debiased")
EACH = [RBF, RBF_U, DISTANCE, DISTANCE_U]
LINEAR = {RBF: registry.get("linear_cka_biased"), RBF_U: registry.get("linear_cka_debiased")}
each = pytest.mark.parametrize("measure", EACH, ids=lambda measure: measure.name)
rbf = pytest.mark.parametrize("measure", [RBF, RBF_U], ids=lambda measure: measure.name)


def gaussian(x: np.ndarray, bandwidth: int = 50) -> np.ndarray:
    """The Gram matrix of the CKA Colab, with SciPy's distances."""
    squares = cdist(x, x, "sqeuclidean")
    return np.exp(-squares / (2 * (bandwidth / 100)**2 * np.median(squares)))


def test_the_golden_values_of_the_reference_pair():
    """RBF: printed by the google-research CKA Colab as 0.65483 (research notes, similarity, section 6). Distance
    correlation: dcor 0.7, distance_correlation_sqr and u_distance_correlation_sqr."""
    x, y = reference_pair()
    assert RBF(x, y).value == pytest.approx(0.654831182261, abs=1e-12)
    assert DISTANCE(x, y).value == pytest.approx(0.6387944644334449, abs=1e-12)
    assert DISTANCE_U(x, y).value == pytest.approx(0.502082583263897, abs=1e-12)


@pytest.mark.parametrize("shapes", [(41, 6, 9), (20, 50, 70), (5, 3, 2)])
@pytest.mark.parametrize("bandwidth", [20, 50, 300])
def test_rbf_cka_agrees_with_gram_matrices_written_out(shapes, bandwidth):
    x, y = generic_pair(*shapes, np.random.default_rng(0))
    grams = gaussian(x, bandwidth), gaussian(y, bandwidth)
    assert RBF(x, y, bandwidth=bandwidth).value == pytest.approx(cosine(*map(doubly_centred, grams)), rel=1e-9)
    assert RBF_U(x, y, bandwidth=bandwidth).value == pytest.approx(cosine(*map(u_centred, grams)), rel=1e-9)


@pytest.mark.parametrize("shapes", [(41, 6, 9), (20, 50, 70), (5, 3, 2)])
def test_distance_correlation_agrees_with_distances_written_out(shapes):
    x, y = generic_pair(*shapes, np.random.default_rng(1))
    distances = cdist(x, x), cdist(y, y)
    assert DISTANCE(x, y).value == pytest.approx(cosine(*map(doubly_centred, distances)), rel=1e-10)
    assert DISTANCE_U(x, y).value == pytest.approx(cosine(*map(u_centred, distances)), rel=1e-9)


@each
def test_a_rotated_scaled_and_shifted_copy_scores_one(measure):
    rng = np.random.default_rng(2)
    x = generic(60, 12, rng)
    assert measure(x, rotated(x, rng, scale=-41.0, shift=9.0)).value == pytest.approx(1.0, abs=1e-12)


@rbf
def test_as_the_bandwidth_grows_rbf_cka_becomes_linear_cka(measure):
    """The gap falls with the square of the bandwidth (Alvarez 2022; research notes, 3.1), so rounding must not win."""
    x, y = reference_pair()
    gaps = [abs(measure(x, y, bandwidth=wide).value - LINEAR[measure](x, y).value) for wide in (1_000, 10_000, 100_000)]
    assert gaps[0] < 1e-2
    assert gaps[1] == pytest.approx(gaps[0] / 100, rel=0.1)
    assert gaps[2] == pytest.approx(gaps[1] / 100, rel=0.01)


@pytest.mark.parametrize(("biased", "debiased"), [(RBF, RBF_U), (DISTANCE, DISTANCE_U)], ids=["rbf", "distance"])
def test_over_all_permutations_the_biased_one_averages_its_stated_chance_and_the_debiased_one_zero(biased, debiased):
    rng = np.random.default_rng(3)
    x, y = generic(6, 3, rng), generic(6, 5, rng)
    orders = [list(order) for order in itertools.permutations(range(6))]
    values = [debiased(x, y[order]).value for order in orders]
    assert np.mean([biased(x, y[order]).value for order in orders]) == pytest.approx(biased(x, y).chance, rel=1e-12)
    assert np.mean(values) == pytest.approx(0.0, abs=1e-13)
    assert max(values) > 0.1 and min(values) < -0.1, "an average over values that differ"
    assert debiased(x, y).chance == 0.0


def test_distance_correlation_sees_what_no_linear_measure_can():
    """y = |x| is uncorrelated with x, yet a function of it."""
    x = np.linspace(-1, 1, 81)[:, None]
    assert LINEAR[RBF_U](x, np.abs(x)).value < 0.01
    assert DISTANCE_U(x, np.abs(x)).value > 0.2
    assert RBF_U(x, np.abs(x)).value > 0.2


def test_of_two_binary_columns_distance_correlation_is_the_squared_correlation():
    """For values 0 and 1 the distance is the squared distance, whose CKA is the squared Pearson correlation."""
    rng = np.random.default_rng(4)
    x = rng.integers(0, 2, 50)
    y = np.where(rng.random(50) < 0.3, 1 - x, x)
    expected = np.corrcoef(x, y)[0, 1]**2
    assert DISTANCE(x[:, None], y[:, None]).value == pytest.approx(expected, rel=1e-12)


def test_two_rows_of_huge_norm_fake_linear_cka_but_hardly_rbf_cka():
    rng = np.random.default_rng(5)
    x, y = rng.standard_normal((100, 20)), rng.standard_normal((100, 20))
    for side in (x, y):
        side[:2] += 1e3 * rng.standard_normal(20)
    assert LINEAR[RBF_U](x, y).value > 0.9
    assert abs(RBF_U(x, y).value) < 0.5


@each
def test_the_kernel_of_the_record_gives_the_value_of_the_function(measure):
    x, y = generic_pair(40, 12, 50, np.random.default_rng(6))
    for params in ({}, {"bandwidth": 130}) if measure.params else ({},):
        assert kernel_cosine(measure, x, y, **params) == pytest.approx(measure(x, y, **params).value, rel=1e-12)


@each
def test_some_rows_of_the_kernel_are_those_rows_of_the_whole(measure):
    kernel = measure.kernel
    state, which = kernel.prepare(generic(30, 8, np.random.default_rng(7)), **measure.settings()), np.array([7, 0, 29])
    whole = kernel.rows(state, slice(None))
    np.testing.assert_allclose(kernel.rows(state, which), whole[which], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(kernel.rows(state, slice(4, 9)), whole[4:9], rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(whole, whole.T)


@each
def test_equal_rows_are_at_distance_zero_to_the_last_bit(measure):
    x = generic(30, 8, np.random.default_rng(8)) * 1e3 + 1e5
    x[20:] = x[:10]
    kernel = measure.kernel
    gram = kernel.rows(kernel.prepare(x, **measure.settings()), slice(None))
    assert (gram[np.arange(10), np.arange(20, 30)] == 0).all()
    assert (gram < 0).sum() == 900 - 30 - 20, "and all others are apart"


@each
@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 / 3])
def test_a_side_whose_rows_are_all_the_same_is_undefined(measure, value):
    y = generic(40, 5, np.random.default_rng(9))
    for pair in ((np.full((40, 8), value), y), (y, np.full((40, 8), value))):
        result = measure(*pair)
        assert np.isnan(result.value)
        assert "no similarity with itself" in result.reason or "no bandwidth" in result.reason


@rbf
def test_where_most_rows_are_equal_there_is_no_median_distance(measure):
    x, y = generic_pair(40, 6, 6, np.random.default_rng(10))
    x[:30] = x[0]
    assert "no bandwidth" in measure(x, y).reason
    x[15:30] = generic(15, 6, np.random.default_rng(11))
    assert measure(x, y).defined


@pytest.mark.parametrize("measure", [RBF_U, DISTANCE_U], ids=lambda measure: measure.name)
@pytest.mark.parametrize("k", [5, 8, 13])
def test_rows_all_equally_far_apart_have_no_debiased_value(measure, k):
    y = generic(k, 5, np.random.default_rng(12))
    assert "no similarity with itself" in measure(0.7 * np.eye(k), y).reason
    assert registry.get(measure.name.replace("debiased", "biased"))(0.7 * np.eye(k), y).defined
