"""Linear CKA without the strongest directions: linear_cka_debiased_head_removed."""

import numpy as np
import pytest

from analysis import registry
from tests.measures.test_cka import kernel_cosine, reference_pair, u_centred_gram
from tests.synthetic import generic, generic_pair, orthogonal, rotated

MEASURE, WHOLE = registry.get("linear_cka_debiased_head_removed"), registry.get("linear_cka_debiased")


def residual(x: np.ndarray, removed: int) -> np.ndarray:
    """The centred rows without their top singular vectors, by the singular value decomposition."""
    u, s, vt = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    return u[:, removed:] * s[removed:] @ vt[removed:]


@pytest.mark.parametrize("shapes", [(60, 10, 25), (20, 50, 70), (30, 12, 45)])
@pytest.mark.parametrize("removed", [0, 1, 5])
def test_it_is_debiased_cka_of_what_the_singular_value_decomposition_leaves(shapes, removed):
    x, y = generic_pair(*shapes, np.random.default_rng(0))
    k, m = u_centred_gram(residual(x, removed)), u_centred_gram(residual(y, removed))
    expected = np.sum(k * m) / np.linalg.norm(k) / np.linalg.norm(m)
    assert MEASURE(x, y, removed=removed).value == pytest.approx(expected, rel=1e-9)


def test_with_nothing_removed_it_is_debiased_linear_cka():
    x, y = reference_pair()
    assert MEASURE(x, y, removed=0).value == pytest.approx(0.513456489506, abs=1e-12)


@pytest.mark.parametrize("removed", [1, 4])
def test_a_rotated_scaled_and_shifted_copy_scores_one(removed):
    rng = np.random.default_rng(1)
    x = generic(60, 12, rng)
    assert MEASURE(x, rotated(x, rng, scale=-41.0, shift=9.0), removed=removed).value == pytest.approx(1.0, abs=1e-12)


def test_one_shared_massive_channel_makes_linear_cka_and_leaves_nothing_here():
    rng = np.random.default_rng(2)
    x, y, shared = rng.standard_normal((200, 20)), rng.standard_normal((200, 30)), 1e3 * rng.standard_normal(200)
    alike_x, alike_y = np.column_stack([x, shared]), np.column_stack([y, shared])
    assert WHOLE(alike_x, alike_y).value > 0.999
    assert MEASURE(alike_x, alike_y).value == pytest.approx(WHOLE(x, y).value, abs=0.02)
    assert abs(WHOLE(x, y).value) < 0.05


def test_unrelated_massive_channels_hide_a_likeness_that_shows_without_them():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((200, 20))
    one, other = (np.column_stack([x, 1e3 * rng.standard_normal(200)]) for _ in range(2))
    assert abs(WHOLE(one, other).value) < 0.1
    assert MEASURE(one, other).value > 0.95


def test_a_direction_a_million_times_the_rest_does_not_blur_the_next_ones():
    """Orthogonal directions of given sizes: without the top two, the rest is known to the last digits."""
    rng = np.random.default_rng(4)
    q, _ = np.linalg.qr(np.column_stack([np.ones(50), rng.standard_normal((50, 8))]))
    sizes = np.array([1e6, 3.0, 1.0, 0.9, 0.8, 0.7, 0.6, 0.5])
    x, y = q[:, 1:] * sizes @ orthogonal(8, rng), generic(50, 6, rng)
    rest = q[:, 3:] * sizes[2:]
    assert MEASURE(x, y, removed=2).value == pytest.approx(
        np.sum(u_centred_gram(rest) * (other := u_centred_gram(residual(y, 2))))
        / np.linalg.norm(u_centred_gram(rest)) / np.linalg.norm(other), abs=1e-8)


def test_the_kernel_of_the_record_gives_the_value_of_the_function():
    x, y = generic_pair(40, 12, 50, np.random.default_rng(5))
    for removed in (0, 1, 3):
        assert kernel_cosine(MEASURE, x, y, removed=removed) == pytest.approx(MEASURE(x, y, removed=removed).value,
                                                                             rel=1e-11)


@pytest.mark.parametrize(("rank", "removed"), [(1, 1), (3, 3), (3, 5)])
@pytest.mark.parametrize("d", [8, 60])
def test_a_side_with_no_more_directions_than_are_removed_is_undefined(rank, removed, d):
    rng = np.random.default_rng(6)
    x, y = rng.standard_normal((30, rank)) @ rng.standard_normal((rank, d)) + 5, generic(30, 10, rng)
    for pair in ((x, y), (y, x)):
        assert f"nothing is left of one side without its top {removed}" in MEASURE(*pair, removed=removed).reason
    assert MEASURE(x, y, removed=rank - 1).defined


def test_a_side_whose_rows_are_all_the_same_is_undefined():
    y = generic(30, 5, np.random.default_rng(7))
    assert "nothing is left" in MEASURE(np.full((30, 8), 0.1), y).reason


def test_over_permutations_of_the_rows_it_averages_zero():
    x, y = generic_pair(30, 6, 5, np.random.default_rng(8))
    rng = np.random.default_rng(9)
    values = [MEASURE(x, y[rng.permutation(30)]).value for _ in range(800)]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(800)
    assert MEASURE(x, y).chance == 0.0
