"""Procrustes shape similarity: procrustes_nbs and angular_shape_distance."""

import itertools

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes, sqrtm

from analysis import registry
from tests.synthetic import generic, generic_pair, orthogonal, rotated

NBS, ANGLE = registry.get("procrustes_nbs"), registry.get("angular_shape_distance")
both = pytest.mark.parametrize("measure", [NBS, ANGLE], ids=lambda measure: measure.name)


def reference_pair() -> tuple[np.ndarray, np.ndarray]:
    """The pair of the google-research CKA Colab (Kornblith et al. 2019)."""
    state = np.random.RandomState(1337)
    x = state.randn(100, 10)
    return x, state.randn(100, 10) + x


def unit(x: np.ndarray) -> np.ndarray:
    away = x - x.mean(axis=0)
    return away / np.linalg.norm(away)


def padded(x: np.ndarray, width: int) -> np.ndarray:
    return np.hstack([x, np.zeros((len(x), width - x.shape[1]))])


@pytest.mark.parametrize("shape", [(60, 12), (20, 40)])
def test_a_rotated_scaled_and_shifted_copy_is_the_same_shape(shape):
    rng = np.random.default_rng(0)
    x = generic(*shape, rng)
    copy = rotated(x, rng, scale=-41.0, shift=9.0)
    assert NBS(x, copy).value == pytest.approx(1.0, abs=1e-12)
    assert ANGLE(x, copy).value == pytest.approx(0.0, abs=1e-7)


def test_sides_without_correlation_are_at_a_right_angle():
    q, _ = np.linalg.qr(np.column_stack([np.ones(40), np.random.default_rng(1).standard_normal((40, 8))]))
    assert NBS(q[:, 1:5], q[:, 5:9]).value == pytest.approx(0.0, abs=1e-14)
    assert ANGLE(q[:, 1:5], q[:, 5:9]).value == pytest.approx(np.pi / 2, abs=1e-14)


@pytest.mark.parametrize(("p", "q", "shared"), [(8, 8, 4), (8, 5, 3), (2, 9, 1)])
def test_shared_directions_of_equal_variance_give_their_number_over_the_geometric_mean(p, q, shared):
    basis, _ = np.linalg.qr(np.column_stack([np.ones(60), np.random.default_rng(2).standard_normal((60, 20))]))
    x, y = basis[:, 1:1 + p], basis[:, 1 + p - shared:1 + p - shared + q]
    assert NBS(x, y).value == pytest.approx(shared / np.sqrt(p * q), rel=1e-12)


@pytest.mark.parametrize("shapes", [(60, 12, 12), (60, 12, 25), (60, 25, 12), (30, 70, 50), (30, 50, 12)])
def test_the_best_rotation_found_by_scipy_leaves_the_squared_distance_2_minus_2_nbs(shapes):
    x, y = generic_pair(*shapes, np.random.default_rng(3))
    x, y = padded(unit(x), max(shapes[1:])), padded(unit(y), max(shapes[1:]))
    rotation, _ = orthogonal_procrustes(x, y)
    assert np.sum((x @ rotation - y)**2) == pytest.approx(2 - 2 * NBS(x, y).value, rel=1e-10)
    other = orthogonal(max(shapes[1:]), np.random.default_rng(4))
    assert np.sum((x @ other - y)**2) > 2 - 2 * NBS(x, y).value


@pytest.mark.parametrize("shapes", [(25, 6, 9), (12, 30, 20)])
def test_it_is_the_normalised_fidelity_of_the_gram_matrices(shapes):
    x, y = map(unit, generic_pair(*shapes, np.random.default_rng(5)))
    values, vectors = np.linalg.eigh(x @ x.T)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    fidelity = np.trace(sqrtm(root @ (y @ y.T) @ root)).real
    assert NBS(x, y).value == pytest.approx(fidelity, rel=1e-6), "a root of rounding noise is 1e-8"


def test_the_branch_on_width_changes_nothing():
    x, y = generic_pair(30, 29, 35, np.random.default_rng(6))
    assert NBS(padded(x, 60), padded(y, 60)).value == pytest.approx(NBS(x, y).value, rel=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_its_square_over_the_rank_bounds_cka_from_below(seed):
    x, y = generic_pair(40, 5, 7, np.random.default_rng(seed))
    assert NBS(x, y).value**2 / 5 <= registry.get("linear_cka_biased")(x, y).value


def test_the_angle_obeys_the_triangle_inequality_and_its_square_does_not():
    """Netrep's sizes, (31, 30), and in steps along a line, where the angle nearly adds up."""
    rng = np.random.default_rng(7)
    x, y, z = (generic(31, 30, rng) for _ in range(3))
    steps = [x + t * (y - x) for t in (0.0, 0.1, 0.2)]
    for a, b, c in itertools.permutations([x, y, z, *steps], 3):
        assert ANGLE(a, c).value <= ANGLE(a, b).value + ANGLE(b, c).value + 1e-12
    far, near, next_ = ANGLE(steps[0], steps[2]).value, ANGLE(*steps[:2]).value, ANGLE(*steps[1:]).value
    assert far**2 > near**2 + next_**2


def test_the_angle_is_that_whose_cosine_is_nbs():
    x, y = generic_pair(50, 8, 6, np.random.default_rng(8))
    assert np.cos(ANGLE(x, y).value) == pytest.approx(NBS(x, y).value, rel=1e-14)


def test_a_small_change_shows_as_a_small_angle_in_proportion():
    rng = np.random.default_rng(9)
    x, noise = generic(80, 10, rng), rng.standard_normal((80, 10))
    far, near = ANGLE(x, x + 1e-3 * noise).value, ANGLE(x, x + 1e-4 * noise).value
    assert far / near == pytest.approx(10, rel=1e-3)


def test_unrelated_wide_rows_score_far_above_zero_as_the_caveat_says():
    rng = np.random.default_rng(10)
    assert NBS(rng.standard_normal((100, 80)), rng.standard_normal((100, 80))).value > 0.6
    assert "unrelated" in NBS.caveats and "unrelated" in ANGLE.caveats


def test_the_golden_values_of_the_reference_pair():
    """0.736255310606 by netrep (alpha = 1), anatome and rsatoolbox (research notes, similarity, section 6)."""
    x, y = reference_pair()
    assert NBS(x, y).value == pytest.approx(0.736255310606, abs=1e-12)
    assert ANGLE(x, y).value == pytest.approx(np.arccos(0.736255310606), abs=2e-12)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 / 3])
@both
def test_a_side_whose_rows_are_all_the_same_has_no_shape(measure, value):
    y = generic(50, 5, np.random.default_rng(11))
    for pair in ((np.full((50, 8), value), y), (y, np.full((50, 8), value))):
        assert "no shape" in measure(*pair).reason
