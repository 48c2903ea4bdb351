"""Rényi entropies: von_neumann_entropy_covariance, renyi_entropy_order_half, renyi_entropy_order_2 and
min_entropy_covariance."""

import itertools
import math

import numpy as np
import pytest
import scipy.linalg

from analysis import registry
from tests.synthetic import generic, golden_rows, golden_value, power_law, with_covariance_eigenvalues

HALF, ONE = registry.get("renyi_entropy_order_half"), registry.get("von_neumann_entropy_covariance")
TWO, INFINITE = registry.get("renyi_entropy_order_2"), registry.get("min_entropy_covariance")
BY_ORDER = {0.5: HALF, 1.0: ONE, 2.0: TWO, math.inf: INFINITE}

each_measure = pytest.mark.parametrize("measure", BY_ORDER.values(), ids=lambda measure: measure.name)


def entropy_by_loop(spectrum: np.ndarray, order: float) -> float:
    """The definition for any finite order but 1, one term at a time."""
    total = math.fsum(spectrum)
    return math.log(math.fsum((value / total)**order for value in spectrum)) / (1 - order)


@each_measure
@pytest.mark.parametrize("k", [1, 2, 7, 30])
def test_k_equal_eigenvalues_have_entropy_ln_k_at_every_order(measure, k):
    rows = with_covariance_eigenvalues([3.0] * k + [0.0] * (30 - k), 80, np.random.default_rng(k))
    assert measure(rows).value == pytest.approx(math.log(k), abs=1e-12)


def test_the_eigenvalues_9_4_1_have_entropies_that_can_be_worked_out_by_hand():
    """Shares 9/14, 4/14, 1/14: roots sum to 6/sqrt(14), squares to 98/196."""
    rows = with_covariance_eigenvalues([9.0, 4.0, 1.0], 20, np.random.default_rng(0))
    assert HALF(rows).value == pytest.approx(math.log(36 / 14), rel=1e-12)
    assert TWO(rows).value == pytest.approx(math.log(2), rel=1e-12)
    assert INFINITE(rows).value == pytest.approx(math.log(14 / 9), rel=1e-12)
    assert ONE(rows).value == pytest.approx(math.log(14) - (9 * math.log(9) + 4 * math.log(4)) / 14, rel=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_the_entropy_falls_as_the_order_rises(seed):
    rng = np.random.default_rng(seed)
    rows = generic(int(rng.integers(5, 80)), int(rng.integers(3, 80)), rng)
    rank = np.linalg.matrix_rank(rows - rows.mean(axis=0))
    values = [math.log(rank), *(measure(rows).value for measure in BY_ORDER.values()), 0.0]
    assert all(large > small for large, small in itertools.pairwise(values)), values


@pytest.mark.parametrize("shape", [(120, 30), (25, 60)])
def test_they_are_the_logarithms_of_rankme_participation_ratio_and_stable_rank(shape):
    rows = generic(*shape, np.random.default_rng(1))
    for measure, name in ((ONE, "rankme_covariance"), (TWO, "participation_ratio"), (INFINITE, "stable_rank")):
        assert measure(rows).value == pytest.approx(math.log(registry.get(name)(rows).value), rel=1e-12), name


@pytest.mark.parametrize("seed", range(4))
def test_order_2_is_at_most_twice_the_min_entropy(seed):
    rows = generic(50, 20, np.random.default_rng(seed))
    assert TWO(rows).value < 2 * INFINITE(rows).value


@pytest.mark.parametrize("measure_order", [0.5, 2.0])
def test_an_exact_power_law_gives_the_entropy_of_the_power_law(measure_order):
    rows = with_covariance_eigenvalues(power_law(40, 1.0), 90, np.random.default_rng(2))
    assert BY_ORDER[measure_order](rows).value == pytest.approx(entropy_by_loop(power_law(40, 1.0), measure_order),
                                                                rel=1e-12)


def test_orders_1_and_infinity_are_limits_of_the_definition():
    spectrum = power_law(40, 1.0)
    rows = with_covariance_eigenvalues(spectrum, 90, np.random.default_rng(2))
    around_one = (entropy_by_loop(spectrum, 1 - 1e-4) + entropy_by_loop(spectrum, 1 + 1e-4)) / 2
    assert ONE(rows).value == pytest.approx(around_one, rel=1e-7)
    # (1 - a) S_a tends to a ln p_1, so (a - 1) / a takes the leading error away
    assert INFINITE(rows).value == pytest.approx(entropy_by_loop(spectrum, 200.0) * 199 / 200, rel=1e-12)


def test_they_agree_with_functions_of_the_trace_normalised_gram_matrix():
    """The published form: powers and logarithm of the n x n Gram matrix, here with more columns than rows."""
    rows = generic(12, 40, np.random.default_rng(3))
    centred = rows - rows.mean(axis=0)
    gram = centred @ centred.T
    basis = scipy.linalg.null_space(np.ones((1, 12)))  # centring leaves no variance along the ones
    a = basis.T @ gram @ basis / np.trace(gram)
    assert TWO(rows).value == pytest.approx(-math.log(np.trace(a @ a)), rel=1e-11)
    assert HALF(rows).value == pytest.approx(2 * math.log(np.trace(scipy.linalg.sqrtm(a)).real), rel=1e-9)
    assert ONE(rows).value == pytest.approx(-np.trace(a @ scipy.linalg.logm(a)).real, rel=1e-9)
    assert INFINITE(rows).value == pytest.approx(-math.log(np.linalg.norm(a, 2)), rel=1e-11)


def test_order_half_is_the_squared_ratio_of_nuclear_to_frobenius_norm():
    rows = generic(100, 25, np.random.default_rng(4))
    centred = rows - rows.mean(axis=0)
    ratio = np.linalg.norm(centred, "nuc") / np.linalg.norm(centred, "fro")
    assert HALF(rows).value == pytest.approx(2 * math.log(ratio), rel=1e-11)


def test_isotropic_noise_has_the_declared_nulls():
    n, d = 4000, 200
    rows = np.random.default_rng(5).standard_normal((n, d))
    assert ONE(rows).value == pytest.approx(math.log(d) - d / (2 * n), abs=0.001)
    assert HALF(rows).value == pytest.approx(math.log(d) - d / (4 * n), abs=0.001)
    assert TWO(rows).value == pytest.approx(-math.log(1 / n + 1 / d), abs=0.001)
    assert INFINITE(rows).value == pytest.approx(math.log(d) - 2 * math.log(1 + math.sqrt(d / n)), abs=0.03)


def test_large_orders_are_blind_to_how_the_tail_is_shared_out_and_small_orders_see_it():
    rng = np.random.default_rng(6)
    flat = with_covariance_eigenvalues([4.0] + [0.1] * 20, 60, rng)
    steep = with_covariance_eigenvalues([4.0, *2 * power_law(20, 1.5) / power_law(20, 1.5).sum()], 60, rng)
    seen = {order: measure(flat).value - measure(steep).value for order, measure in BY_ORDER.items()}
    assert seen[math.inf] == pytest.approx(0.0, abs=1e-12)
    assert 0 < seen[2.0] < seen[1.0] < seen[0.5]


def test_the_committed_rows_give_the_logarithms_of_their_golden_values():
    rows = golden_rows()
    assert ONE(rows).value == pytest.approx(math.log(golden_value("rankme_covariance")), rel=1e-10)
    assert TWO(rows).value == pytest.approx(math.log(golden_value("participation_ratio")), rel=1e-10)
    assert INFINITE(rows).value == pytest.approx(math.log(golden_value("stable_rank")), rel=1e-10)
    assert HALF(rows).value == pytest.approx(entropy_by_loop(golden_value("covariance_eigenspectrum"), 0.5), rel=1e-10)


@each_measure
def test_rows_on_one_line_have_entropy_exactly_zero_and_not_minus_zero(measure):
    value = measure(np.outer(np.arange(10.0), np.eye(5)[2])).value
    assert value == 0.0 and math.copysign(1.0, value) == 1.0


@each_measure
@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 / 3])
def test_equal_rows_have_no_entropy(measure, value):
    result = measure(np.full((100, 8), value))
    assert "every row is the same" in result.reason
    assert np.isnan(result.value)
