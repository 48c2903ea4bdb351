"""Centred kernel nearest-neighbour alignment: cknna_cosine and cknna_inner_product."""

import numpy as np
import pytest

from analysis import registry
from tests.measures.test_cka import reference_pair, song
from tests.synthetic import generic, generic_pair, orthogonal

COSINE, INNER = registry.get("cknna_cosine"), registry.get("cknna_inner_product")
DEBIASED = registry.get("linear_cka_debiased")
both = pytest.mark.parametrize("measure", [COSINE, INNER], ids=lambda measure: measure.name)


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def written_out(x: np.ndarray, y: np.ndarray, k: int) -> float:
    """Huh et al. as released, with sums over indices; no epsilon."""
    n, grams = len(x), (x @ x.T, y @ y.T)
    near = []
    for gram in grams:
        near.append(np.zeros((n, n)))
        for i in range(n):
            near[-1][i, sorted(set(range(n)) - {i}, key=lambda j: (-gram[i, j], j))[:k]] = 1

    def aligned(a: int, b: int) -> float:
        left, right = (near[a] * near[b] * grams[side] for side in (a, b))
        ones = np.ones(n)
        return (np.trace(left @ right) + (ones @ left @ ones) * (ones @ right @ ones) / ((n - 1) * (n - 2))
                - 2 / (n - 2) * (ones @ left @ right @ ones))
    return float(aligned(0, 1) / np.sqrt(aligned(0, 0) * aligned(1, 1)))


def test_the_golden_values_of_the_reference_pair():
    """platonic-rep, cknna on rows that are not normalised, k = 10 and k = 99 (research notes, section 6)."""
    x, y = reference_pair()
    assert INNER(x, y, k=10).value == pytest.approx(0.305932, abs=5e-7)
    assert INNER(x, y, k=99).value == pytest.approx(0.513456489506, abs=1e-9)


@pytest.mark.parametrize("k", [2, 10, 39])
def test_both_agree_with_the_released_formula_written_out(k):
    x, y = generic_pair(40, 6, 50, np.random.default_rng(0))
    assert INNER(x, y, k=k).value == pytest.approx(written_out(x, y, k), rel=1e-9)
    assert COSINE(x, y, k=k).value == pytest.approx(written_out(unit(x), unit(y), k), rel=1e-9)


@pytest.mark.parametrize("shapes", [(30, 6, 9), (12, 30, 40)])
def test_with_all_other_rows_as_neighbours_it_is_debiased_linear_cka(shapes):
    x, y = generic_pair(*shapes, np.random.default_rng(1))
    everyone = shapes[0] - 1
    assert INNER(x, y, k=everyone).value == pytest.approx(DEBIASED(x, y).value, rel=1e-9)
    assert COSINE(x, y, k=everyone).value == pytest.approx(DEBIASED(unit(x), unit(y)).value, rel=1e-9)


@both
@pytest.mark.parametrize("k", [5, 20])
def test_a_rotated_and_scaled_copy_scores_one(measure, k):
    rng = np.random.default_rng(2)
    x = generic(60, 12, rng)
    assert measure(x, 41 * x @ orthogonal(12, rng), k=k).value == pytest.approx(1.0, abs=1e-12)


def test_norms_of_rows_count_for_the_inner_product_only():
    rng = np.random.default_rng(3)
    x, y = generic_pair(50, 8, 9, rng)
    scaled = x * np.exp(rng.standard_normal((50, 1)))
    assert COSINE(scaled, y).value == pytest.approx(COSINE(x, y).value, rel=1e-12)
    assert abs(INNER(scaled, y).value - INNER(x, y).value) > 0.01


@both
def test_scale_over_twelve_decades_changes_nothing(measure):
    """The released code adds 1e-6 below the fraction bar: there 1e-3 times the same rows score near 0."""
    x, y = reference_pair()
    for scale in (1e-6, 1e-3, 1e6):
        assert measure(scale * x, scale * y).value == pytest.approx(measure(x, y).value, rel=1e-12)


@both
@pytest.mark.parametrize("n", [60, 200])
def test_unrelated_rows_score_above_zero_and_up_to_the_share_of_neighbours_they_share_by_chance(measure, n):
    """Debiasing does not make it 0: what chance leaves in common are large similarities on both sides."""
    rng = np.random.default_rng(4)
    values = [measure(rng.standard_normal((n, 10)), rng.standard_normal((n, 10))).value for _ in range(20)]
    assert 0.4 < np.mean(values) / (10 / (n - 1)) < 1.0


@both
def test_equal_rows_give_the_same_value_whatever_the_width(measure):
    """Ties by number of the row: columns of zeros, which change no inner product, change nothing."""
    rng = np.random.default_rng(5)
    token = rng.permutation(np.repeat(np.arange(10), 6))
    x, y = generic(10, 7, rng)[token], generic(10, 5, rng)[token]
    wide = np.hstack([x, np.zeros((60, 300))])
    assert measure(wide, y, k=8).value == pytest.approx(measure(x, y, k=8).value, rel=1e-10)


@both
def test_more_neighbours_than_other_rows_are_refused(measure):
    x, y = generic_pair(20, 4, 5, np.random.default_rng(6))
    assert "20 neighbours were asked for, and 20 rows have 19" in measure(x, y, k=20).reason


def test_a_row_of_zeros_has_no_cosine():
    x, y = generic_pair(30, 5, 6, np.random.default_rng(7))
    x[3] = 0
    assert "no direction" in COSINE(x, y).reason
    assert INNER(x, y).defined


def test_rows_without_any_likeness_among_them_are_undefined():
    """Orthogonal rows: every inner product of two is 0, and so is the HSIC of their neighbours."""
    y = generic(12, 5, np.random.default_rng(8))
    for measure in (COSINE, INNER):
        assert "no similarity with itself" in measure(np.eye(12), y, k=3).reason
    assert song(np.eye(12), np.eye(12)) == pytest.approx(0.0, abs=1e-15)
