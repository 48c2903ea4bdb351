"""Single rows and channels: top_row_leverage_share, massive_channel_ratio and top_channel_share."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import norm

from analysis import registry
from analysis.outliers import outlier_signature
from tests.synthetic import generic, golden_rows, with_covariance_eigenvalues

ROW, CHANNEL = registry.get("top_row_leverage_share"), registry.get("top_channel_share")
MASSIVE, TOP = registry.get("massive_channel_ratio"), registry.get("top_eigenvalue_share")


@pytest.mark.parametrize("n", [4, 12, 50])
def test_the_row_share_is_1_over_n_for_rows_equally_far_from_the_mean_and_all_but_1_over_n_for_one_outlier(n):
    assert ROW(np.eye(n)).value == pytest.approx(1 / n, rel=1e-12)
    alone = np.full((n, 3), 0.1)
    alone[1] += 7
    assert ROW(alone).value == pytest.approx(1 - 1 / n, rel=1e-12)


def test_shares_that_can_be_worked_out_by_hand():
    """Around the mean (1, 2) the squares are (1, 1) three times and (9, 9) once, so each column holds 12."""
    rows = np.array([[0.0, 1.0], [0.0, 1.0], [0.0, 1.0], [4.0, 5.0]])
    assert ROW(rows).value == pytest.approx(18 / 24, rel=1e-15)
    assert CHANNEL(rows).value == pytest.approx(12 / 24, rel=1e-15)
    assert CHANNEL(rows * [3.0, 1.0]).value == pytest.approx(108 / 120, rel=1e-15)
    assert MASSIVE(rows).value == 5.0


def test_the_shares_agree_with_scipys_distances_and_scikit_learns_variances():
    from sklearn.preprocessing import StandardScaler
    for rows in (generic(80, 30, np.random.default_rng(0)), golden_rows()):
        away = cdist(rows, rows.mean(axis=0, keepdims=True), "sqeuclidean")
        variances = StandardScaler().fit(rows).var_
        assert ROW(rows).value == pytest.approx(away.max() / away.sum(), rel=1e-11)
        assert CHANNEL(rows).value == pytest.approx(variances.max() / variances.sum(), rel=1e-11)


def test_the_shares_are_those_of_the_outlier_signature_stored_with_every_representation():
    rows = generic(80, 30, np.random.default_rng(1))
    signature = outlier_signature(rows)
    assert ROW(rows).value == pytest.approx(signature["top_row_share"], rel=1e-12)
    assert CHANNEL(rows).value == pytest.approx(signature["top_channel_share"], rel=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_no_row_and_no_channel_holds_more_than_the_strongest_direction(seed):
    """Both are diagonal entries, of the Gram and the covariance matrix, and lambda_1 bounds every diagonal entry."""
    rng = np.random.default_rng(seed)
    rows = generic(int(rng.integers(4, 60)), int(rng.integers(2, 60)), rng)
    assert 1 / len(rows) < ROW(rows).value < TOP(rows).value
    assert 1 / rows.shape[1] < CHANNEL(rows).value < TOP(rows).value


def test_one_row_of_a_hundred_times_the_norm_is_seen_by_the_row_share_and_not_by_the_channel_share():
    rows = np.random.default_rng(2).standard_normal((500, 100))
    before_row, before_channel = ROW(rows).value, CHANNEL(rows).value
    rows[7] *= 100
    assert before_row < 0.004 and ROW(rows).value > 0.9
    assert before_channel < 0.02 and CHANNEL(rows).value < 0.15


def test_one_loud_channel_is_seen_by_the_channel_share_and_not_by_the_row_share():
    rows = np.random.default_rng(3).standard_normal((500, 100))
    rows[:, 41] *= 100
    assert CHANNEL(rows).value == pytest.approx(1e4 / (1e4 + 99), rel=0.01)
    assert ROW(rows).value < 0.03


def test_a_dominant_direction_spread_over_the_channels_is_not_a_loud_channel():
    rows = np.outer(np.random.default_rng(4).standard_normal(60), np.ones(16))
    assert CHANNEL(rows).value == pytest.approx(1 / 16, rel=1e-12)
    assert TOP(rows).value == pytest.approx(1.0, rel=1e-12)


def test_channels_that_vary_alike_have_the_declared_null():
    rows = with_covariance_eigenvalues([2.0] * 20, 60, np.random.default_rng(5))
    assert CHANNEL(rows).value == pytest.approx(1 / 20, rel=1e-12)


def test_isotropic_noise_in_many_dimensions_has_the_declared_null():
    n = 300
    assert 1 / n < ROW(np.random.default_rng(6).standard_normal((n, 2000))).value < 1.15 / n


def test_the_ratio_of_a_planted_massive_activation_is_its_size():
    rows = np.random.default_rng(7).choice([-1.0, 1.0], (60, 40))
    assert MASSIVE(rows).value == 1.0
    rows[3, 17] = -1415.0
    assert MASSIVE(rows).value == 1415.0
    assert MASSIVE(rows / 8).value == 1415.0


def test_the_ratio_agrees_with_sorting_all_magnitudes():
    for shape in ((21, 15), (20, 16)):
        rows = generic(*shape, np.random.default_rng(8))
        ordered = sorted(abs(value) for value in rows.ravel())
        middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
        assert MASSIVE(rows).value == pytest.approx(ordered[-1] / middle, rel=1e-15)


def test_the_ratio_is_not_centred():
    rows = np.ones((30, 10)) + 1e-3 * np.random.default_rng(9).standard_normal((30, 10))
    assert MASSIVE(rows).value < 1.01 < MASSIVE(rows - rows.mean(axis=0)).value


@pytest.mark.parametrize(("shape", "null"), [((100, 100), 6.0), ((1000, 1000), 7.4)])
def test_the_ratio_of_gaussian_noise_has_the_declared_null(shape, null):
    """Extreme-value theory: the largest of N magnitudes is near b + 0.577 / b, b the upper 1 / 2N point."""
    b = norm.isf(1 / (2 * np.prod(shape)))
    assert (b + np.euler_gamma / b) / norm.isf(0.25) == pytest.approx(null, abs=0.05)
    values = [MASSIVE(np.random.default_rng(seed).standard_normal(shape)).value for seed in range(12)]
    assert np.mean(values) == pytest.approx(null, abs=0.4)
    assert f"{null} over 10^{round(np.log10(np.prod(shape)))}" in MASSIVE.null.replace(" entries", "")


def test_the_ratio_has_no_value_where_half_of_the_entries_are_zero():
    rows = np.zeros((10, 10))
    rows[:4] = 1.0
    result = MASSIVE(rows)
    assert "the median magnitude is 0" in result.reason and np.isnan(result.value)
    rows[4:6] = 1.0
    assert MASSIVE(rows).value == 1.0


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 / 3])
@pytest.mark.parametrize("measure", [ROW, CHANNEL], ids=lambda measure: measure.name)
def test_equal_rows_have_no_share(measure, value):
    result = measure(np.full((100, 8), value))
    assert "every row is the same" in result.reason and np.isnan(result.value)


@pytest.mark.parametrize("measure", [ROW, MASSIVE], ids=lambda measure: measure.name)
def test_a_value_that_one_row_decides_gets_no_jackknife_interval(measure):
    """Without that row the value is another one altogether, and without any other row it is the same."""
    rows = np.random.default_rng(10).standard_normal((200, 20))
    rows[5] *= 50
    whole, without_it = measure(rows).value, measure(np.delete(rows, 5, axis=0)).value
    assert measure(np.delete(rows, 6, axis=0)).value == pytest.approx(whole, rel=0.01)
    assert without_it < 0.2 * whole
    assert not measure.has_interval
