"""Canonical correlations: cca_mean, cca_r2, svcca and pwcca."""

import itertools

import numpy as np
import pytest
from scipy.linalg import eigh, subspace_angles

from analysis import registry
from analysis.measures.subspace_overlap import principal_axes
from tests.measures.test_procrustes import reference_pair
from tests.synthetic import generic, generic_pair, orthogonal, power_law, rotated, with_covariance_eigenvalues

MEAN, SQUARED = registry.get("cca_mean"), registry.get("cca_r2")
SVCCA, PWCCA = registry.get("svcca"), registry.get("pwcca")
FAMILY = [MEAN, SQUARED, SVCCA, PWCCA]
each = pytest.mark.parametrize("measure", FAMILY, ids=lambda measure: measure.name)


def planted(correlations: list[float], n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Sides with exactly these canonical correlations, mixed by arbitrary linear maps."""
    k, rho = len(correlations), np.array(correlations)
    basis, _ = np.linalg.qr(np.column_stack([np.ones(n), rng.standard_normal((n, 2 * k))]))
    own, free = basis[:, 1:1 + k], basis[:, 1 + k:]
    return own @ rng.standard_normal((k, k)), (rho * own + np.sqrt(1 - rho**2) * free) @ rng.standard_normal((k, k))


def correlations_by_eigenproblem(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Hotelling's generalised eigenproblem on the covariances, one side eliminated."""
    p, covariance = x.shape[1], np.cov(x.T, y.T)
    cross = covariance[:p, p:]
    squares = eigh(cross @ np.linalg.solve(covariance[p:, p:], cross.T), covariance[:p, :p], eigvals_only=True)
    return np.sqrt(squares[::-1][:min(p, y.shape[1])])


def pwcca_by_loop(x: np.ndarray, y: np.ndarray) -> float:
    """Morcos et al. 2018 through inverse square roots of covariances, variate by variate."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)

    def whitened(z: np.ndarray) -> np.ndarray:
        values, vectors = np.linalg.eigh(z.T @ z)
        return z @ vectors @ np.diag(values**-0.5) @ vectors.T

    left, rho, _ = np.linalg.svd(whitened(y).T @ whitened(x), full_matrices=False)
    weights = [sum(abs(whitened(y) @ left[:, i] @ column) for column in y.T) for i in range(len(rho))]
    return float(np.dot(weights, rho) / np.sum(weights))


def test_planted_correlations_come_back_as_their_mean_and_mean_square():
    x, y = planted([0.9, 0.5, 0.2, 0.0], 60, np.random.default_rng(0))
    assert MEAN(x, y).value == pytest.approx(0.4, rel=1e-12)
    assert SQUARED(x, y).value == pytest.approx((0.81 + 0.25 + 0.04) / 4, rel=1e-12)
    assert SVCCA(x, y, variance=100).value == pytest.approx(0.4, rel=1e-12)


@each
def test_a_linear_map_of_one_side_is_entirely_correlated(measure):
    rng = np.random.default_rng(1)
    x = generic(80, 9, rng)
    y = x @ (orthogonal(9, rng) * np.geomspace(1, 1.3, 9)) @ orthogonal(9, rng)
    settings = {"variance": 100} if measure is SVCCA else {}
    assert measure(x, y, **settings).value == pytest.approx(1.0, abs=1e-12)
    assert measure(x, rotated(x, rng, scale=-3.0, shift=7.0)).value == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("shapes", [(60, 8, 8), (60, 7, 15), (60, 15, 7), (200, 40, 30)])
def test_they_agree_with_hotellings_eigenproblem(shapes):
    x, y = generic_pair(*shapes, np.random.default_rng(2))
    rho = correlations_by_eigenproblem(x, y)
    assert MEAN(x, y).value == pytest.approx(rho.mean(), rel=1e-9)
    assert SQUARED(x, y).value == pytest.approx(np.mean(rho**2), rel=1e-9)


def test_the_mean_is_that_of_the_cosines_of_scipys_principal_angles():
    x, y = generic_pair(60, 8, 12, np.random.default_rng(3))
    angles = subspace_angles(x - x.mean(axis=0), y - y.mean(axis=0))
    assert MEAN(x, y).value == pytest.approx(np.cos(angles).mean(), rel=1e-12)


@pytest.mark.parametrize("shapes", [(60, 8, 8), (60, 7, 12), (60, 12, 7)])
def test_pwcca_agrees_with_morcos_variate_by_variate(shapes):
    x, y = generic_pair(*shapes, np.random.default_rng(4))
    assert PWCCA(x, y).value == pytest.approx(pwcca_by_loop(x, y), rel=1e-9)


@pytest.mark.parametrize("variance", [50, 90, 99])
def test_svcca_is_cca_of_the_fewest_principal_components_that_reach_the_share_of_variance(variance):
    x, y = generic_pair(120, 20, 15, np.random.default_rng(5))
    kept = []
    for side in (x, y):
        away = side - side.mean(axis=0)
        left, values, _ = np.linalg.svd(away, full_matrices=False)
        count = next(k for k in range(1, 21) if np.sum(values[:k]**2) >= variance / 100 * np.sum(values**2))
        kept.append(left[:, :count] * values[:count])
    assert SVCCA(x, y, variance=variance).value == pytest.approx(MEAN(*kept).value, rel=1e-12)
    assert kept[0].shape[1] < 20


def test_the_share_is_of_variance_and_not_of_singular_values():
    """Of eigenvalues 1/k^2, five make 94 % of ten's variance but 78 % of their singular values."""
    rng = np.random.default_rng(6)
    x = with_covariance_eigenvalues(power_law(10, 2.0), 60, rng)
    y = with_covariance_eigenvalues(np.ones(4), 60, rng)
    left, _ = principal_axes(x)
    assert SVCCA(x, y, variance=94).value == pytest.approx(MEAN(left[:, :5], y).value, rel=1e-12)
    assert SVCCA(x, y, variance=94).value != pytest.approx(MEAN(left[:, :9], y).value, rel=1e-3)


def test_svcca_of_everything_is_cca():
    x, y = generic_pair(80, 12, 9, np.random.default_rng(7))
    assert SVCCA(x, y, variance=100).value == pytest.approx(MEAN(x, y).value, rel=1e-13)
    assert SVCCA(x, y).value != pytest.approx(MEAN(x, y).value, rel=1e-4)


@pytest.mark.parametrize(("d1", "d2"), [(1, 2), (2, 2), (3, 1)])
def test_over_all_permutations_mean_squared_cca_averages_its_stated_chance(d1, d2):
    rng = np.random.default_rng(8)
    x, y = generic(6, d1, rng), generic(6, d2, rng)
    values = [SQUARED(x, y[list(order)]).value for order in itertools.permutations(range(6))]
    assert np.mean(values) == pytest.approx(max(d1, d2) / 5, rel=1e-12)
    assert SQUARED(x, y).chance == pytest.approx(max(d1, d2) / 5, rel=1e-14)
    assert max(values) > 1.3 * min(values), "an average over values that differ"


def test_chance_counts_directions_and_not_columns():
    rng = np.random.default_rng(9)
    x, y = generic(50, 4, rng), generic(50, 3, rng)
    assert SQUARED(np.hstack([x, x[:, :2] - x[:, 2:]]), y).chance == pytest.approx(4 / 49, rel=1e-14)


@pytest.mark.parametrize(("d1", "d2"), [(19, 3), (3, 19), (40, 3), (25, 60)])
@each
def test_as_many_directions_as_rows_allow_make_it_undefined_and_not_1(measure, d1, d2):
    rng = np.random.default_rng(10)
    settings = {"variance": 100} if measure is SVCCA else {}
    result = measure(generic(20, d1, rng), generic(20, d2, rng), **settings)
    assert "directions in 20 rows" in result.reason and np.isnan(result.value)


def test_one_direction_fewer_is_defined_and_most_correlations_are_1_by_construction():
    """p + q - (n - 1) = 18 + 18 - 19 = 17 of 18 correlations are 1 whatever the rows."""
    rng = np.random.default_rng(11)
    x, y = generic(20, 18, rng), generic(20, 18, rng)
    assert 17 / 18 <= MEAN(x, y).value < 1
    assert SQUARED(x, y).chance == pytest.approx(18 / 19)


def test_wide_sides_of_low_rank_are_defined():
    rng = np.random.default_rng(12)
    x = generic(30, 4, rng) @ rng.standard_normal((4, 90))
    y = generic(30, 3, rng)
    left, _ = principal_axes(x)
    assert left.shape[1] == 4
    assert MEAN(x, y).value == pytest.approx(MEAN(left, y).value, rel=1e-10)


def test_rounding_of_a_large_common_mean_is_no_direction():
    rng = np.random.default_rng(13)
    x = generic(200, 3, rng) @ rng.standard_normal((3, 20)) + 1e6 * rng.standard_normal(20)
    left, values = principal_axes(x)
    assert left.shape == (200, 3) and values.shape == (3,)


def test_the_axes_are_orthonormal_centred_and_rebuild_the_gram_matrix():
    x = generic(50, 12, np.random.default_rng(14))
    left, values = principal_axes(x)
    away = x - x.mean(axis=0)
    np.testing.assert_allclose(left.T @ left, np.eye(12), atol=1e-13)
    np.testing.assert_allclose(left.sum(axis=0), 0, atol=1e-13)
    np.testing.assert_allclose(left * values**2 @ left.T, away @ away.T, atol=1e-11)


def test_the_golden_values_of_the_reference_pair():
    """Mean square on UNcentred rows by the google-research Colab, which rows with their negatives beside them make the
    centred one (research notes, similarity, section 6). The others by PyPI repsim 0.1.5, run once: cca and svcca
    (summaries yanai, pillai), and pwcca, which is the mean of both orders. Netrep's formula (alpha = 0) gives the same
    mean rho; the research notes' 0.731013978759 is 2e-8 off it."""
    x, y = reference_pair()
    mirrored = np.vstack([x, -x]), np.vstack([y, -y])
    assert SQUARED(*mirrored).value == pytest.approx(0.543123855931, abs=1e-12)
    assert SQUARED(x, y).value == pytest.approx(0.545396332190833, abs=1e-13)
    assert MEAN(x, y).value == pytest.approx(0.731013958783659, abs=1e-13)
    assert SVCCA(x, y).value == pytest.approx(0.73101395878366, abs=1e-13)
    assert (PWCCA(x, y).value + PWCCA(y, x).value) / 2 == pytest.approx(0.735754143571035, abs=1e-13)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 / 3])
@each
def test_a_side_whose_rows_are_all_the_same_has_no_directions(measure, value):
    y = generic(50, 5, np.random.default_rng(15))
    for pair in ((np.full((50, 8), value), y), (y, np.full((50, 8), value))):
        assert "no directions" in measure(*pair).reason
