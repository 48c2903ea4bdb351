"""Cross moments add, subtract, keep their precision, and give both linear CKAs in one pass."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.cross_moments import CrossMoments
from analysis.errors import Undefined
from analysis.measures.cka import linear_cka_biased, linear_cka_debiased, permutation_mean
from tests.synthetic import generic, generic_pair, rotated, with_covariance_eigenvalues


def in_batches(x: np.ndarray, y: np.ndarray, cuts: list[int]) -> CrossMoments:
    """Summed over batches that end at the given rows, each different from the last."""
    edges = [0, *sorted(set(cuts) - {0, len(x)}), len(x)]
    batches = [CrossMoments.of(x[a:b], y[a:b]) for a, b in itertools.pairwise(edges)]
    return sum(batches[1:], start=batches[0])


def sums(moments: CrossMoments) -> dict[str, np.ndarray]:
    return {"mean": moments.joint.mean, "scatter": moments.joint.scatter, "squares": moments.squares,
            "cubes": moments.cubes}


def assert_same(one: CrossMoments, other: CrossMoments, rtol: float = 1e-12, scale: CrossMoments | None = None) -> None:
    """Equal to rounding, measured against the largest entry of each sum."""
    assert (one.n, one.p, one.q) == (other.n, other.p, other.q)
    largest = sums(scale or other)
    for name, value in sums(one).items():
        atol = rtol * np.abs(largest[name]).max()
        np.testing.assert_allclose(value, sums(other)[name], rtol=0, atol=atol, err_msg=name)


def by_definition(x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """Every sum, one row at a time."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    squares, cubes = np.zeros((2, 2)), np.zeros((2, x.shape[1] + y.shape[1]))
    for row, other in zip(x, y, strict=True):
        a = np.array([row @ row, other @ other])
        squares += np.outer(a, a)
        cubes += np.outer(a, np.concatenate([row, other]))
    return {"squares": squares, "cubes": cubes, "xx": x.T @ x, "xy": x.T @ y, "yy": y.T @ y}


def test_they_are_the_count_the_means_the_centred_scatters_and_the_higher_sums():
    x, y = generic_pair(40, 5, 3, np.random.default_rng(0))
    moments, expected = CrossMoments.of(x, y), by_definition(x, y)
    assert (moments.n, moments.p, moments.q) == (40, 5, 3)
    np.testing.assert_allclose(moments.mean_x, x.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.mean_y, y.mean(axis=0), rtol=1e-12)
    for name, value in {"xx": moments.scatter_xx, "xy": moments.scatter_xy, "yy": moments.scatter_yy,
                        "squares": moments.squares, "cubes": moments.cubes}.items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-10, atol=1e-11 * np.abs(expected[name]).max())
    np.testing.assert_allclose(moments.totals, [np.trace(expected["xx"]), np.trace(expected["yy"])], rtol=1e-12)


def test_small_whole_numbers_add_and_subtract_without_any_error():
    x = np.array([[0, 4], [8, 4], [4, 0], [4, 8], [2, 2], [6, 6], [2, 6], [6, 2]], dtype=float)
    y = x[[2, 3, 1, 0, 7, 6, 4, 5]]
    whole, first, second = CrossMoments.of(x, y), CrossMoments.of(x[:4], y[:4]), CrossMoments.of(x[4:], y[4:])
    for got, want in ((first + second, whole), (whole - second, first), (whole - first, second)):
        assert_same(got, want, rtol=0.0)


@settings(derandomize=True, deadline=None, database=None, max_examples=80)
@given(n=st.integers(4, 60), p=st.integers(1, 9), q=st.integers(1, 9), seed=st.integers(0, 10_000),
       offset=st.sampled_from([0.0, 30.0, 1e3]), scale=st.sampled_from([1e-6, 1.0, 1e6]), data=st.data())
def test_any_split_into_batches_gives_the_same_sums_and_the_same_cka(n, p, q, seed, offset, scale, data):
    rng = np.random.default_rng(seed)
    x, y = generic_pair(n, p, q, rng)
    x, y = scale * (x + offset * rng.standard_normal(p)), y + offset * rng.standard_normal(q)
    cuts = data.draw(st.lists(st.integers(1, n - 1), max_size=6))
    batches, whole = in_batches(x, y, cuts), CrossMoments.of(x, y)
    assert_same(batches, whole)
    assert batches.linear_cka_biased() == pytest.approx(whole.linear_cka_biased(), abs=1e-12)


@pytest.mark.parametrize("size", [1, 7, 64, 299])
def test_debiased_cka_is_the_same_to_1e_12_for_any_batch_size_and_row_order(size):
    rng = np.random.default_rng(1)
    x, y = generic_pair(300, 12, 20, rng)
    order = rng.permutation(300)
    for rows in (np.arange(300), order):
        batches = in_batches(x[rows], y[rows], list(range(size, 300, size)))
        assert batches.linear_cka_debiased() == pytest.approx(linear_cka_debiased(x, y), abs=1e-12)
        assert batches.linear_cka_biased() == pytest.approx(linear_cka_biased(x, y), abs=1e-12)


def test_adding_in_any_order_or_grouping_gives_the_same():
    a, b, c = (CrossMoments.of(*generic_pair(n, 5, 4, np.random.default_rng(n))) for n in (3, 20, 9))
    assert_same((a + b) + c, a + (b + c))
    assert_same(a + b, b + a)


def test_more_rows_than_are_held_in_float64_at_once_give_the_sums_of_all():
    x, y = generic_pair(5000, 4, 3, np.random.default_rng(2))
    moments, expected = CrossMoments.of(x, y), by_definition(x, y)
    np.testing.assert_allclose(moments.squares, expected["squares"], rtol=1e-11)
    np.testing.assert_allclose(moments.cubes, expected["cubes"], rtol=0, atol=1e-11 * np.abs(expected["cubes"]).max())


@pytest.mark.parametrize("offset", [0.0, 1e3])
@pytest.mark.parametrize("rows", [slice(0, 30), slice(170, 200), slice(0, 190)])
def test_a_document_taken_away_leaves_the_moments_and_the_cka_of_the_others(offset, rows):
    rng = np.random.default_rng(3)
    x, y = generic_pair(200, 8, 6, rng)
    x, y = x + offset, y - offset
    kept = np.delete(np.arange(200), np.arange(200)[rows])
    whole, others = CrossMoments.of(x, y), CrossMoments.of(x[kept], y[kept])
    rest = whole - CrossMoments.of(x[rows], y[rows])
    assert_same(rest, others, scale=whole)
    assert rest.linear_cka_debiased() == pytest.approx(others.linear_cka_debiased(), abs=1e-10)


def test_float32_rows_a_thousand_from_the_origin_lose_nothing():
    rng = np.random.default_rng(4)
    x, y = (side.astype(np.float32) for side in generic_pair(600, 16, 16, rng))
    near, far = (x, y), (x + np.float32(1e3), y - np.float32(1e3))
    exact = [linear_cka_debiased(*(side.astype(np.float64) for side in sides)) for sides in (near, far)]
    for sides, expected in zip((near, far), exact, strict=True):
        assert in_batches(*sides, list(range(50, 600, 50))).linear_cka_debiased() == pytest.approx(expected, abs=1e-11)
    assert exact[1] == pytest.approx(exact[0], abs=1e-4), "what the float32 grid at 1000 itself costs"

    x, y = far
    uncentred = np.sum((x.T @ y - 600 * np.outer(x.mean(axis=0), y.mean(axis=0)))**2)
    assert abs(uncentred / np.sum(CrossMoments.of(x, y).scatter_xy**2) - 1) > 0.05, \
        "one pass in float32 without a shift must fail here, or the test shows nothing"


def test_the_colab_reference_pair_gives_the_published_values_in_batches():
    """similarity.md 6: numpy's legacy seed 1337, printed by the google-research CKA Colab as 0.55761 and 0.51346."""
    state = np.random.RandomState(1337)
    x = state.randn(100, 10)
    batches = in_batches(x, state.randn(100, 10) + x, [13, 14, 60])
    assert batches.linear_cka_biased() == pytest.approx(0.557613256612, abs=1e-12)
    assert batches.linear_cka_debiased() == pytest.approx(0.513456489506, abs=1e-12)


@pytest.mark.parametrize(("n", "p", "q"), [(50, 8, 5), (30, 40, 60), (4, 3, 2)])
def test_cka_and_its_chance_level_equal_those_from_the_rows(n, p, q):
    x, y = generic_pair(n, p, q, np.random.default_rng(5))
    moments = CrossMoments.of(x, y)
    assert moments.linear_cka_biased() == pytest.approx(linear_cka_biased(x, y), abs=1e-12)
    assert moments.linear_cka_debiased() == pytest.approx(linear_cka_debiased(x, y), abs=1e-12)
    assert moments.linear_cka_biased_chance() == pytest.approx(permutation_mean(x, y), rel=1e-12)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_scale_rotation_and_shift_leave_both_ckas_unchanged(scale):
    rng = np.random.default_rng(6)
    x, y = generic_pair(80, 10, 7, rng)
    one, other = CrossMoments.of(x, y), CrossMoments.of(rotated(x, rng, scale=scale, shift=3.0 * scale), y)
    assert other.linear_cka_biased() == pytest.approx(one.linear_cka_biased(), abs=1e-12)
    assert other.linear_cka_debiased() == pytest.approx(one.linear_cka_debiased(), abs=1e-12)


def test_unrelated_rows_score_high_biased_and_nothing_debiased():
    rng = np.random.default_rng(7)
    moments = CrossMoments.of(rng.standard_normal((400, 300)), rng.standard_normal((400, 300)))
    assert moments.linear_cka_biased() == pytest.approx(np.sqrt(300 * 300 / (700 * 700)), abs=0.01)
    assert moments.linear_cka_debiased() == pytest.approx(0.0, abs=0.02)


def test_swapping_the_sides_gives_the_moments_of_the_swapped_rows():
    x, y = generic_pair(50, 6, 4, np.random.default_rng(8))
    assert_same(CrossMoments.of(x, y).swapped, CrossMoments.of(y, x))
    assert_same(CrossMoments.of(x, y).swapped.swapped, CrossMoments.of(x, y), rtol=0.0)


def test_principal_directions_diagonalise_each_scatter_and_unused_ones_are_exactly_zero():
    rng = np.random.default_rng(9)
    x = with_covariance_eigenvalues([4.0, 1.0, 0.25, 0.0], 40, rng)
    moments = CrossMoments.of(x + 7, rng.standard_normal((40, 3)))
    values, vectors = moments.principal_x
    np.testing.assert_allclose(values[:3] / 39, [4.0, 1.0, 0.25], rtol=1e-11)
    assert values[3] == 0
    np.testing.assert_allclose(vectors * values @ vectors.T, moments.scatter_xx, atol=1e-11)
    values, vectors = moments.principal_y
    np.testing.assert_allclose(vectors * values @ vectors.T, moments.scatter_yy, atol=1e-11)


@pytest.mark.parametrize("batches", [[], [10, 30]])
def test_rows_that_are_all_the_same_have_no_cka(batches):
    x, y = np.full((40, 6), 0.1), np.random.default_rng(10).standard_normal((40, 6))
    moments = in_batches(x, y, batches)
    for cka in (moments.linear_cka_biased, moments.linear_cka_debiased, moments.swapped.linear_cka_debiased):
        with pytest.raises(Undefined, match="all the same"):
            cka()


def test_rows_equally_far_apart_have_no_debiased_cka_in_any_batches():
    y = np.random.default_rng(11).standard_normal((40, 6))
    with pytest.raises(Undefined, match="equally far apart"):
        in_batches(3 * np.eye(40), y, [3, 17, 30]).linear_cka_debiased()


def test_three_rows_have_no_debiased_cka():
    with pytest.raises(Undefined, match="at least 4 rows, got 3"):
        CrossMoments.of(*generic_pair(3, 2, 2, np.random.default_rng(12))).linear_cka_debiased()


def test_rows_that_do_not_pair_up_are_refused():
    rng = np.random.default_rng(13)
    with pytest.raises(ValueError, match="x has 5 rows and y 4"):
        CrossMoments.of(generic(5, 2, rng), generic(4, 2, rng))
    with pytest.raises(ValueError, match="at least one"):
        CrossMoments.of(np.empty((0, 2)), np.empty((0, 2)))
    one, other = CrossMoments.of(*generic_pair(9, 2, 4, rng)), CrossMoments.of(*generic_pair(9, 4, 2, rng))
    for combine in (CrossMoments.__add__, CrossMoments.__sub__):
        with pytest.raises(ValueError, match="pairs of 2 and 4 columns do not go with pairs of 4 and 2"):
            combine(one, other)


def test_the_rows_are_not_changed():
    x, y = generic_pair(30, 4, 3, np.random.default_rng(14))
    before = x.copy(), y.copy()
    CrossMoments.of(x, y).linear_cka_debiased()
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(y, before[1])
