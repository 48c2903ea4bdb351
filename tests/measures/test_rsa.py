"""Representational similarity analysis: three dissimilarities by four comparisons."""

import itertools

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform
from scipy.stats import pearsonr, spearmanr

from analysis import registry
from tests.synthetic import generic, generic_pair, rotated

# rsatoolbox 0.3.2 on numpy 2.4: compare(RDMs(pdist(x, metric)), RDMs(pdist(y, metric)), method) of reference_pair(),
# with method spearman, corr, cosine and corr_cov (sigma_k=None).
PUBLISHED = {
    "rsa_euclidean_spearman": 0.4929646966980302,
    "rsa_euclidean_pearson": 0.506232111630135,
    "rsa_euclidean_cosine": 0.9277705489524408,
    "rsa_euclidean_whitened_pearson": 0.5131993840480007,
    "rsa_cosine_spearman": 0.48173478750436477,
    "rsa_cosine_pearson": 0.49361618806273805,
    "rsa_cosine_cosine": 0.9540871579698439,
    "rsa_cosine_whitened_pearson": 0.49451930347090267,
    "rsa_correlation_spearman": 0.47243967376304735,
    "rsa_correlation_pearson": 0.48514614277113294,
    "rsa_correlation_cosine": 0.948574827978933,
    "rsa_correlation_whitened_pearson": 0.48658276420228624,
}
METRICS = {"euclidean": "sqeuclidean", "cosine": "cosine", "correlation": "correlation"}
each = pytest.mark.parametrize("name", PUBLISHED)
each_metric = pytest.mark.parametrize("metric", METRICS)
each_euclidean = pytest.mark.parametrize("name", [name for name in PUBLISHED if name.startswith("rsa_euclidean")])
each_with_pattern = pytest.mark.parametrize("name", [name for name in PUBLISHED if not name.endswith("_cosine")])


def reference_pair() -> tuple[np.ndarray, np.ndarray]:
    """The pair of the google-research CKA Colab (Kornblith et al. 2019): its legacy seed gives the same data today."""
    state = np.random.RandomState(1337)
    x = state.randn(100, 10)
    return x, state.randn(100, 10) + x


def pair(n: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return generic_pair(n, 12, 9, np.random.default_rng(seed))


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sum(a * b) / np.sqrt(np.sum(a * a) * np.sum(b * b)))


def whitened_correlation(a: np.ndarray, b: np.ndarray, n: int) -> float:
    """Diedrichsen et al. 2021 written out: the covariance of all distances under independent noise, inverted."""
    contrasts = np.array([np.eye(n)[i] - np.eye(n)[j] for i, j in itertools.combinations(range(n), 2)])
    weights = np.linalg.inv((contrasts @ contrasts.T)**2)
    a, b = a - a.mean(), b - b.mean()
    return float(a @ weights @ b / np.sqrt((a @ weights @ a) * (b @ weights @ b)))


@each
def test_the_value_of_the_reference_pair_is_that_of_rsatoolbox(name):
    assert registry.get(name)(*reference_pair()).value == pytest.approx(PUBLISHED[name], abs=1e-12)


def test_the_golden_numbers_of_the_research_notes_hold_to_their_digits():
    notes = {"cosine": 0.927771, "pearson": 0.506232, "spearman": 0.492965, "whitened_pearson": 0.513199}
    for by, published in notes.items():
        assert registry.get(f"rsa_euclidean_{by}")(*reference_pair()).value == pytest.approx(published, abs=5e-7)


@each_metric
def test_each_comparison_agrees_with_scipys_distances_and_correlations(metric):
    x, y = pair()
    a, b = pdist(x, METRICS[metric]), pdist(y, METRICS[metric])
    for by, expected in {"spearman": spearmanr(a, b).statistic, "pearson": pearsonr(a, b).statistic,
                         "cosine": cosine(a, b)}.items():
        assert registry.get(f"rsa_{metric}_{by}")(x, y).value == pytest.approx(expected, abs=1e-12)


@each_metric
def test_whitening_is_that_of_the_inverse_covariance_of_all_distances(metric):
    x, y = pair(12)
    expected = whitened_correlation(pdist(x, METRICS[metric]), pdist(y, METRICS[metric]), 12)
    assert registry.get(f"rsa_{metric}_whitened_pearson")(x, y).value == pytest.approx(expected, abs=1e-11)


def test_distances_counted_by_hand_give_the_value_by_hand():
    """On lines, 0 1 3 7 and 0 3 4 6: squared distances 1 9 49 4 36 16 and 9 16 36 1 9 4, in ranks with one tie."""
    x, y = np.array([[0.0], [1], [3], [7]]), np.array([[0.0], [3], [4], [6]])
    a, b = np.array([1.0, 9, 49, 4, 36, 16]), np.array([9.0, 16, 36, 1, 9, 4])
    ranks = np.array([1.0, 3, 6, 2, 5, 4]), np.array([3.5, 5, 6, 1, 3.5, 2])
    assert registry.get("rsa_euclidean_spearman")(x, y).value == pytest.approx(np.corrcoef(*ranks)[0, 1], abs=1e-14)
    assert registry.get("rsa_euclidean_pearson")(x, y).value == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-14)
    assert registry.get("rsa_euclidean_cosine")(x, y).value == pytest.approx(cosine(a, b), abs=1e-14)


def test_opposite_orders_of_dissimilarity_score_minus_one():
    """Near pairs on one side, 01 and 23, are the only far ones on the other, where all else is equally far."""
    x = np.array([[0.0, 0], [0, 0], [9, 0], [9, 0]])
    y = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    for by in ("spearman", "pearson", "whitened_pearson"):
        assert registry.get(f"rsa_euclidean_{by}")(x, y).value == pytest.approx(-1, abs=1e-12)


@each_euclidean
@pytest.mark.parametrize("shape", [(60, 12), (20, 40)])
def test_a_rotated_scaled_and_shifted_copy_scores_one_by_euclidean_distances(name, shape):
    rng = np.random.default_rng(0)
    x = generic(*shape, rng)
    assert registry.get(name)(x, rotated(x, rng, scale=7, shift=5)).value == pytest.approx(1, abs=1e-12)


def test_spearman_is_the_same_for_plain_and_squared_distances_and_pearson_is_not():
    x, y = pair()
    a, b = pdist(x), pdist(y)
    assert registry.get("rsa_euclidean_spearman")(x, y).value == pytest.approx(spearmanr(a, b).statistic, abs=1e-12)
    assert abs(registry.get("rsa_euclidean_pearson")(x, y).value - pearsonr(a, b).statistic) > 1e-3


def test_without_the_mean_the_whitened_comparison_is_linear_cka():
    x, y = pair()
    whole = []
    for z in (x, y):
        centring = np.eye(len(z)) - 1 / len(z)
        mean = pdist(z, "sqeuclidean").mean() / 2
        whole.append(registry.get("rsa_euclidean_whitened_pearson").item(z) + mean * centring)
    assert cosine(*whole) == pytest.approx(registry.get("linear_cka_biased")(x, y).value, abs=1e-12)


@each_metric
def test_the_whitened_matrix_is_the_doubly_centred_deviation_of_the_dissimilarities(metric):
    x = pair()[0]
    deviation = squareform(pdist(x, METRICS[metric]) - pdist(x, METRICS[metric]).mean())
    centring = np.eye(len(x)) - 1 / len(x)
    factor = 2 if metric == "euclidean" else 1  # the half of 1 - cos = ||u - v||^2 / 2
    item = registry.get(f"rsa_{metric}_whitened_pearson").item(x)
    np.testing.assert_allclose(-item * factor, centring @ deviation @ centring, atol=1e-12 * np.abs(deviation).max())
    assert abs(np.trace(item)) < 1e-12 * np.abs(item).sum()


@each
def test_the_chance_level_is_the_mean_over_all_permutations_of_the_rows(name):
    measure = registry.get(name)
    x, y = pair(5)
    values = [measure(x, y[list(order)]).value for order in itertools.permutations(range(5))]
    assert measure(x, y).chance == pytest.approx(np.mean(values), abs=1e-12)


@each
def test_the_value_is_the_cosine_of_the_items_of_both_sides(name):
    measure = registry.get(name)
    x, y = pair()
    assert cosine(measure.item(x), measure.item(y)) == pytest.approx(measure(x, y).value, abs=1e-12)


@each
def test_the_item_is_symmetric_and_goes_with_the_rows(name):
    measure, x = registry.get(name), pair()[0]
    order = np.random.default_rng(1).permutation(len(x))
    item = measure.item(x)
    np.testing.assert_allclose(measure.item(x[order]), item[np.ix_(order, order)], atol=1e-13 * np.abs(item).max())
    np.testing.assert_array_equal(item, item.T)
    assert name.endswith("whitened_pearson") or not np.diag(item).any(), "the diagonal does not count"


@each
@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_a_scale_of_one_side_leaves_the_value_to_the_last_digits(name, scale):
    x, y = pair()
    measure = registry.get(name)
    assert measure(scale * x, y).value == pytest.approx(measure(x, y).value, abs=1e-12)


@each_metric
def test_repeated_rows_tie_exactly_as_in_scipys_ranks(metric):
    rng = np.random.default_rng(2)
    x, y = pair(8)
    x, y = x[rng.integers(0, 8, 40)], y[rng.integers(0, 8, 40)]
    a, b = (pdist(np.round(z, 9), METRICS[metric]) for z in (x, y))
    expected = spearmanr(np.round(a, 9), np.round(b, 9)).statistic
    assert registry.get(f"rsa_{metric}_spearman")(x, y).value == pytest.approx(expected, abs=1e-12)
    assert (registry.get(f"rsa_{metric}_cosine").item(x) == 0).sum() > 40, "equal rows are exactly 0 apart"


@each
def test_unrelated_rows_score_at_chance(name):
    rng = np.random.default_rng(3)
    measure = registry.get(name)
    away = []
    for _ in range(12):
        result = measure(rng.standard_normal((80, 10)), rng.standard_normal((80, 8)))
        away.append(result.value - result.chance)
    assert abs(np.mean(away)) < 4 * np.std(away) / np.sqrt(12)
    assert np.std(away) < 0.1


@each
def test_rows_that_are_all_the_same_have_no_value_and_a_reason(name):
    x, y = pair()
    result = registry.get(name)(np.tile(x[0], (40, 1)), y)
    assert np.isnan(result.value) and "all the same" in result.reason


@each_with_pattern
def test_rows_that_are_all_equally_far_apart_have_no_pattern_to_compare(name):
    result = registry.get(name)(np.eye(40), pair()[1])
    assert np.isnan(result.value) and "equally far apart" in result.reason


@each_metric
def test_rows_that_are_all_equally_far_apart_still_have_a_cosine(metric):
    result = registry.get(f"rsa_{metric}_cosine")(np.eye(40), np.eye(40))
    assert result.value == pytest.approx(1, abs=1e-12) and result.chance == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(("metric", "row"), [("cosine", 0.0), ("correlation", 0.0), ("correlation", 3.1)])
@pytest.mark.parametrize("by", ["spearman", "pearson", "cosine", "whitened_pearson"])
def test_a_row_without_a_direction_leaves_angles_without_a_value(metric, row, by):
    x, y = pair()
    x[7] = row
    assert "no direction" in registry.get(f"rsa_{metric}_{by}")(x, y).reason
    assert not registry.get(f"rsa_euclidean_{by}")(x, y).reason


@pytest.mark.parametrize("by", ["spearman", "pearson", "cosine", "whitened_pearson"])
def test_rows_of_one_direction_and_many_lengths_have_no_angles(by):
    x, y = pair()
    lengths = np.random.default_rng(4).uniform(0.1, 9, (40, 1))
    assert "same direction" in registry.get(f"rsa_cosine_{by}")(lengths * x[0], y).reason
