"""Linear predictability: linear_regression_r2, linear_regression_r2_reverse and linear_regression_r2_adjusted."""

import itertools

import numpy as np
import pytest

from analysis import registry
from tests.measures.test_procrustes import reference_pair
from tests.synthetic import generic, generic_pair, orthogonal

R2, REVERSE = registry.get("linear_regression_r2"), registry.get("linear_regression_r2_reverse")
ADJUSTED = registry.get("linear_regression_r2_adjusted")
each = pytest.mark.parametrize("measure", [R2, REVERSE, ADJUSTED], ids=lambda measure: measure.name)


def r2_by_least_squares(x: np.ndarray, y: np.ndarray) -> float:
    """Fit with an intercept column, and look at what is left."""
    design = np.column_stack([np.ones(len(x)), x])
    rest = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    return 1 - np.sum(rest**2) / np.sum((y - y.mean(axis=0))**2)


@pytest.mark.parametrize("shapes", [(60, 8, 8), (60, 4, 15), (60, 15, 4), (40, 30, 90)])
def test_both_directions_agree_with_a_fit_by_least_squares(shapes):
    x, y = generic_pair(*shapes, np.random.default_rng(0))
    assert R2(x, y).value == pytest.approx(r2_by_least_squares(x, y), rel=1e-10)
    if shapes[2] < 39:
        assert REVERSE(x, y).value == pytest.approx(r2_by_least_squares(y, x), rel=1e-10)
        assert REVERSE(x, y).value == R2(y, x).value


def test_a_linear_map_is_entirely_explained_and_its_cka_is_below_1():
    rng = np.random.default_rng(1)
    x = generic(80, 9, rng)
    y = x @ (orthogonal(9, rng) * np.geomspace(0.2, 5, 9)) + 3.0
    assert R2(x, y).value == pytest.approx(1.0, abs=1e-12)
    assert ADJUSTED(x, y).value == pytest.approx(1.0, abs=1e-12)
    assert registry.get("linear_cka_biased")(x, y).value < 0.99


def test_a_part_is_explained_by_the_whole_and_not_the_whole_by_the_part():
    """The part holds variance 4 of 4 + 1, so explains four fifths."""
    basis, _ = np.linalg.qr(np.column_stack([np.ones(50), np.random.default_rng(2).standard_normal((50, 2))]))
    whole = basis[:, 1:] * [2.0, 1.0]
    assert R2(whole, whole[:, :1]).value == pytest.approx(1.0, abs=1e-13)
    assert R2(whole[:, :1], whole).value == pytest.approx(0.8, rel=1e-13)
    assert REVERSE(whole, whole[:, :1]).value == pytest.approx(0.8, rel=1e-13)


def test_any_linear_map_of_the_predicting_side_changes_nothing():
    rng = np.random.default_rng(3)
    x, y = generic_pair(60, 8, 6, rng)
    mapped = x @ (orthogonal(8, rng) * np.geomspace(0.1, 10, 8))
    assert R2(mapped, y).value == pytest.approx(R2(x, y).value, rel=1e-11)
    assert REVERSE(mapped, y).value != pytest.approx(REVERSE(x, y).value, rel=1e-3)


@pytest.mark.parametrize(("d1", "d2"), [(1, 2), (2, 3), (4, 2)])
def test_over_all_permutations_they_average_their_stated_chance(d1, d2):
    rng = np.random.default_rng(4)
    x, y = generic(6, d1, rng), generic(6, d2, rng)
    orders = [list(order) for order in itertools.permutations(range(6))]
    for measure, chance in [(R2, d1 / 5), (REVERSE, d2 / 5), (ADJUSTED, 0.0)]:
        values = [measure(x, y[order]).value for order in orders]
        assert np.mean(values) == pytest.approx(chance, rel=1e-12, abs=1e-13), measure.name
        assert measure(x, y).chance == pytest.approx(chance, rel=1e-14)
        assert np.std(values) > 0.03, "an average over values that differ"


def test_chance_counts_directions_and_not_columns():
    rng = np.random.default_rng(5)
    x, y = generic(50, 4, rng), generic(50, 3, rng)
    assert R2(np.hstack([x, x @ rng.standard_normal((4, 9))]), y).chance == pytest.approx(4 / 49, rel=1e-14)


def test_the_adjusted_value_is_ezekiels():
    x, y = generic_pair(60, 8, 6, np.random.default_rng(6))
    assert 1 - ADJUSTED(x, y).value == pytest.approx((1 - R2(x, y).value) * 59 / 51, rel=1e-12)


def test_adjusting_takes_away_the_growth_with_width_that_noise_gives():
    """Noise variance equal to signal variance at true R2 0.5, with one half to one tenth as many columns as rows."""
    rng = np.random.default_rng(7)
    plain, adjusted = {}, {}
    for d in (30, 150):
        x = rng.standard_normal((300, d))
        y = x @ orthogonal(d, rng) + rng.standard_normal((300, d))
        plain[d], adjusted[d] = R2(x, y).value, ADJUSTED(x, y).value
    assert plain[150] > 0.72, "the research notes measured 0.75 at n/d = 2"
    assert plain[30] < 0.58
    assert adjusted[30] == pytest.approx(0.5, abs=0.02) and adjusted[150] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("d", [19, 20, 60])
def test_a_predicting_side_with_as_many_directions_as_rows_allow_is_undefined(d):
    rng = np.random.default_rng(8)
    wide, narrow = generic(20, d, rng), generic(20, 4, rng)
    for result in (R2(wide, narrow), ADJUSTED(wide, narrow), REVERSE(narrow, wide)):
        assert "19 directions in 20 rows" in result.reason and np.isnan(result.value)
    assert R2(narrow, wide).defined and REVERSE(wide, narrow).defined


def test_it_agrees_with_canonical_correlations_where_the_predicted_side_is_white():
    x, y = generic_pair(80, 9, 5, np.random.default_rng(9))
    white = np.linalg.qr(y - y.mean(axis=0))[0]
    assert R2(x, white).value == pytest.approx(registry.get("cca_r2")(x, y).value, rel=1e-12)


def test_the_frozen_values_of_the_reference_pair():
    """By numpy.linalg.lstsq with an intercept, run once, on the pair of the research notes, similarity, section 6."""
    x, y = reference_pair()
    assert R2(x, y).value == pytest.approx(0.5677425705377118, abs=1e-13)
    assert REVERSE(x, y).value == pytest.approx(0.5634752416529543, abs=1e-13)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 / 3])
@each
def test_a_side_whose_rows_are_all_the_same_is_undefined(measure, value):
    y = generic(50, 5, np.random.default_rng(10))
    for pair in ((np.full((50, 8), value), y), (y, np.full((50, 8), value))):
        assert "are the same" in measure(*pair).reason
