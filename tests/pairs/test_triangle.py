"""Topological RSA at every two thresholds: the triangle of trsa."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from analysis import registry
from analysis.errors import Undefined
from analysis.pairs import triangle as module
from analysis.pairs.triangle import triangle
from tests.synthetic import generic_pair

TRSA = registry.get("trsa")


def pair(n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    return generic_pair(n, 12, 9, np.random.default_rng(0))


def cell_by_cell(x: np.ndarray, y: np.ndarray, percents: np.ndarray) -> np.ndarray:
    return np.array([[TRSA(x, y, low=int(low), high=int(high)).value for high in percents] for low in percents])


@pytest.mark.parametrize("step", [5, 10, 50, 100])
def test_every_cell_is_trsa_at_its_thresholds(step):
    x, y = pair()
    found = triangle(x, y, step)
    np.testing.assert_array_equal(found.percents, np.arange(0, 101, step))
    np.testing.assert_allclose(found.values, cell_by_cell(x, y, found.percents), atol=1e-12)


def test_every_cell_is_trsa_where_rows_are_repeated_and_thresholds_fall_together():
    x, y = pair()
    x, y = x[np.arange(40) // 10], y[np.arange(40) // 4]
    found = triangle(x, y, 10)
    expected = cell_by_cell(x, y, found.percents)
    assert np.isnan(expected[np.triu_indices(11)]).sum() > 1, "some cells on or above the diagonal have no value"
    np.testing.assert_allclose(found.values, expected, atol=1e-12)


def test_cells_below_the_diagonal_and_the_last_corner_have_no_value_and_all_others_have():
    values = triangle(*pair()).values
    expected = np.triu(np.ones((21, 21), dtype=bool))
    expected[-1, -1] = False
    np.testing.assert_array_equal(np.isfinite(values), expected)


def test_the_corner_that_flattens_nothing_is_spearmans_rsa():
    x, y = pair()
    assert triangle(x, y).values[0, -1] == pytest.approx(registry.get("rsa_euclidean_spearman")(x, y).value, abs=1e-12)


def test_the_same_representation_scores_one_in_every_cell_that_has_a_value():
    x, _ = pair()
    values = triangle(x, 3 * x + 1).values
    np.testing.assert_allclose(values[np.isfinite(values)], 1, atol=1e-12)


def test_a_swap_of_the_sides_leaves_the_triangle():
    x, y = pair()
    np.testing.assert_allclose(triangle(x, y).values, triangle(y, x).values, atol=1e-13)


def test_the_number_of_pairs_taken_at_once_does_not_change_the_values(monkeypatch):
    x, y = pair()
    whole = triangle(x, y)
    monkeypatch.setattr(module, "AT_ONCE", 7)
    np.testing.assert_allclose(triangle(x, y).values, whole.values, atol=1e-12)


def test_local_cells_of_a_bent_line_are_one_and_the_geometric_corner_is_not():
    angle = np.sort(np.random.default_rng(0).uniform(0, 1.5 * np.pi, 60))
    x, y = angle[:, None], np.column_stack([np.cos(angle), np.sin(angle)])
    values = triangle(x, y, 10).values
    np.testing.assert_allclose(values[:4, :4][np.triu_indices(4)], 1, atol=1e-12)
    distances = (np.abs(x - x.T)[np.triu_indices(60, 1)],
                 np.linalg.norm(y[:, None] - y[None], axis=2)[np.triu_indices(60, 1)])
    assert values[0, -1] == pytest.approx(spearmanr(*distances).statistic, abs=1e-12)
    assert values[8, -1] < 0.5 < values[0, -1] < 0.98


@pytest.mark.parametrize("step", [0, -5, 3, 101, 200])
def test_a_step_that_does_not_divide_a_hundred_is_refused(step):
    with pytest.raises(ValueError, match=f"step is {step}; it must be a divisor of 100"):
        triangle(*pair(), step=step)


def test_rows_that_are_all_the_same_have_no_triangle():
    x, y = pair()
    with pytest.raises(Undefined, match="all the same"):
        triangle(x, np.tile(y[0], (40, 1)))
