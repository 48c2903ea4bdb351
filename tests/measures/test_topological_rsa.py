"""Topological RSA: trsa, its presets and trsa_geodesic."""

import itertools

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform
from scipy.stats import rankdata, spearmanr

from analysis import registry
from analysis.measures.topological_rsa import geotopological, percentile
from tests.measures.test_rsa import cosine, pair, reference_pair

TRSA, GEODESIC = registry.get("trsa"), registry.get("trsa_geodesic")
PRESETS = {"trsa_topology": (50, 50), "trsa_geometry": (10, 90), "trsa_local": (0, 20), "trsa_global": (80, 100),
           "trsa_intermediate": (20, 80)}
ALL = [*PRESETS, "trsa", "trsa_geodesic"]
each_preset = pytest.mark.parametrize("name", PRESETS)
each = pytest.mark.parametrize("name", ALL)


def item(name: str, x: np.ndarray) -> np.ndarray:
    measure = registry.get(name)
    return measure.item(x, **measure.settings())


def flattened_by_loop(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """The geo-topological transform of Lin & Kriegeskorte, one value at a time."""
    start, end = np.percentile(values, [low, high])
    return np.array([0.0 if value <= start else 1.0 if value > end else (value - start) / (end - start)
                     for value in values])


def paths_by_floyd_and_warshall(x: np.ndarray, shortest: int) -> np.ndarray:
    """Condensed geodesic distances over the graph of the pairs of smallest rank; infinite where there is no path."""
    ranks = rankdata(pdist(x))
    lengths = squareform(np.where(ranks <= np.percentile(ranks, shortest), ranks - ranks.min(), np.inf))
    for middle in range(len(x)):
        lengths = np.minimum(lengths, lengths[:, [middle]] + lengths[[middle]])
    return squareform(lengths, checks=False)


def line_and_arc(n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """The same n places along a straight line and along three quarters of a circle."""
    angle = np.sort(np.random.default_rng(0).uniform(0, 1.5 * np.pi, n))
    return angle[:, None], np.column_stack([np.cos(angle), np.sin(angle)])


@pytest.mark.parametrize(("low", "high", "expected"), [
    (20, 80, [0, 0, 0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1, 1, 1]),
    (0, 100, [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]),
    (0, 20, [0, 0.5, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
    (50, 50, [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1]),
    (0, 0, [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
    (55, 85, [0, 0, 0, 0, 0, 0, 0.5 / 3, 1.5 / 3, 2.5 / 3, 1, 1]),
])
def test_eleven_ranks_are_flattened_as_by_hand(low, high, expected):
    np.testing.assert_allclose(geotopological(np.arange(1.0, 12), low, high), expected, atol=1e-14)


@pytest.mark.parametrize(("low", "high"), [*PRESETS.values(), (0, 100), (0, 0), (33, 34), (7, 7), (5, 8)])
def test_the_transform_agrees_with_the_formula_one_value_at_a_time(low, high):
    values = rankdata(np.random.default_rng(1).standard_normal(301))
    np.testing.assert_allclose(geotopological(values, low, high), flattened_by_loop(values, low, high), atol=1e-12)


@pytest.mark.parametrize("values", [np.arange(1.0, 12), np.repeat([1.5, 4, 9], [2, 5, 9]), np.array([2.0, 3.5])])
def test_the_percentile_is_numpys_and_exactly_a_value_where_it_falls_on_one(values):
    for percent in range(101):
        assert percentile(values, percent) == pytest.approx(np.percentile(values, percent), rel=1e-14)
    for place, value in enumerate(values):
        percent = 100 * place / (len(values) - 1)
        assert percent % 1 or percentile(values, int(percent)) == value


def test_values_already_between_0_and_1_are_not_flattened_a_second_time():
    """rsatoolbox 0.3.2 writes 1 wherever a value it has already scaled is above the threshold, here 0.8."""
    values = np.linspace(0, 1, 1001)
    flattened = geotopological(values, 20, 80)
    np.testing.assert_allclose(flattened, np.clip((values - 0.2) / 0.6, 0, 1), atol=1e-12)
    assert np.mean((flattened == 0) | (flattened == 1)) == pytest.approx(0.4, abs=0.002)


def test_each_side_has_its_own_quantiles_whatever_its_scale():
    """rsatoolbox 0.3.2 takes one quantile over all matrices of an object, so a larger scale changes the other side."""
    x, y = pair()
    assert TRSA(x, 10 * y).value == TRSA(x, y).value == TRSA(x / 10, y).value
    for scale in (1, 10):
        values = geotopological(rankdata(pdist(scale * x)), 20, 80)
        assert np.mean((values == 0) | (values == 1)) == pytest.approx(0.4, abs=0.01)


def test_the_values_that_are_flattened_are_left_as_they_were():
    values = np.arange(1.0, 12)
    values.flags.writeable = False
    geotopological(values, 20, 80)
    geotopological(values, 50, 50)


@pytest.mark.parametrize(("low", "high", "published"), [
    (20, 80, 0.4558141946415402), (10, 90, 0.48014314485165915), (0, 20, 0.29501263666606786),
    (80, 100, 0.3570013014112032), (0, 100, 0.4929646966980305), (30, 60, 0.40757503145744217),
])
def test_the_value_of_the_reference_pair_is_that_of_rsatoolbox_on_ranks(low, high, published):
    """rsatoolbox 0.3.2, compare(..., "corr") of geotopological_transform(rank_transform(rdm), l, u), one matrix an
    object: on ranks, all of 1 or more, and on single matrices, its faults do not show."""
    assert TRSA(*reference_pair(), low=low, high=high).value == pytest.approx(published, abs=1e-12)


@each_preset
def test_a_preset_is_the_general_measure_at_its_thresholds(name):
    low, high = PRESETS[name]
    x, y = pair()
    assert registry.get(name)(x, y).value == TRSA(x, y, low=low, high=high).value
    assert f"l = {low} % and u = {high} %" in registry.get(name).summary
    assert TRSA(x, y).value == registry.get("trsa_intermediate")(x, y).value


def test_the_presets_have_the_names_of_their_regions_of_the_triangle():
    assert all(40 <= percent <= 60 for percent in PRESETS["trsa_topology"])
    assert PRESETS["trsa_geometry"][1] - PRESETS["trsa_geometry"][0] >= 80
    assert np.mean(PRESETS["trsa_local"]) <= 20
    assert np.mean(PRESETS["trsa_global"]) >= 80


def test_flattening_nothing_is_spearmans_rsa():
    x, y = pair()
    expected = registry.get("rsa_euclidean_spearman")(x, y).value
    assert TRSA(x, y, low=0, high=100).value == pytest.approx(expected, abs=1e-12)


def test_equal_thresholds_compare_the_graphs_of_neighbours_by_the_phi_coefficient():
    x, y = pair()
    far_x, far_y = (z > np.median(z) for z in (pdist(x), pdist(y)))
    both, only_x = np.sum(far_x & far_y), np.sum(far_x & ~far_y)
    only_y, neither = np.sum(~far_x & far_y), np.sum(~far_x & ~far_y)
    margins = np.sqrt(float(both + only_x) * (only_y + neither) * (both + only_y) * (only_x + neither))
    phi = (both * neither - only_x * only_y) / margins
    assert registry.get("trsa_topology")(x, y).value == pytest.approx(phi, abs=1e-12)


def test_bending_a_line_leaves_its_topology_and_changes_its_geometry():
    x, y = line_and_arc()
    for name in ("trsa_topology", "trsa_local", "trsa_geodesic"):
        assert registry.get(name)(x, y).value == pytest.approx(1, abs=1e-12), name
    for name in ("trsa_geometry", "trsa_intermediate", "rsa_euclidean_spearman"):
        assert registry.get(name)(x, y).value < 0.995, name
    assert registry.get("trsa_global")(x, y).value < 0.5, "the ends of the arc meet, those of the line do not"


@each
def test_a_monotone_map_of_the_distances_leaves_the_value(name):
    """Square roots of the distances between points of a line are the distances between points in many dimensions."""
    x, y = pair(30)
    squared = -(np.eye(30) - 1 / 30) @ squareform(pdist(x)) @ (np.eye(30) - 1 / 30) / 2
    values, vectors = np.linalg.eigh(squared)
    bent = vectors * np.sqrt(values.clip(0))
    np.testing.assert_allclose(pdist(bent)**2, pdist(x), rtol=1e-6)
    assert registry.get(name)(bent, y).value == pytest.approx(registry.get(name)(x, y).value, abs=1e-9)


@each
def test_the_mean_over_all_permutations_of_the_rows_is_zero(name):
    measure = registry.get(name)
    x, y = pair(5)
    values = [measure(x, y[list(order)]).value for order in itertools.permutations(range(5))]
    assert measure(x, y).chance == 0
    assert np.mean(values) == pytest.approx(0, abs=1e-12)
    assert np.std(values) > 0.1


@each
def test_the_value_is_the_cosine_of_the_items_of_both_sides(name):
    x, y = pair()
    assert cosine(item(name, x), item(name, y)) == pytest.approx(registry.get(name)(x, y).value, abs=1e-12)


@each
def test_the_item_is_symmetric_with_a_diagonal_that_does_not_count_and_goes_with_the_rows(name):
    x = pair()[0]
    order = np.random.default_rng(1).permutation(len(x))
    matrix = item(name, x)
    np.testing.assert_allclose(item(name, x[order]), matrix[np.ix_(order, order)], atol=1e-12 * np.abs(matrix).max())
    np.testing.assert_array_equal(matrix, matrix.T)
    assert not np.diag(matrix).any()


@pytest.mark.parametrize("shortest", [1, 5, 10, 40, 100])
@pytest.mark.parametrize("repeated", [False, True])
def test_geodesic_distances_agree_with_floyd_and_warshall(shortest, repeated):
    x, y = pair(30)
    if repeated:
        x, y = x[np.arange(30) // 3], y[np.arange(30) // 2]
    a, b = (paths_by_floyd_and_warshall(z, shortest) for z in (x, y))
    assert np.isinf(a).any() == (shortest < 100), "the test covers graphs in one piece and in many"
    expected = spearmanr(rankdata(a), rankdata(b)).statistic
    assert GEODESIC(x, y, shortest=shortest).value == pytest.approx(expected, abs=1e-12)


def test_geodesic_distances_of_four_points_are_as_by_hand():
    """0 1 3 7 on a line: ranks 1 3 6 2 5 4 of 01 02 03 12 13 23. Of the nearest 60 % (01, 12, 02, 23), each less 1, the
    paths are 01: 0, 12: 1, 02: 0 + 1, 23: 3, 13: 1 + 3, 03: 0 + 1 + 3."""
    ranks = squareform([1.0, 2.5, 5.5, 2.5, 5.5, 4.0])
    expected = ranks - 3.5 * (1 - np.eye(4))
    np.testing.assert_allclose(GEODESIC.item(np.array([[0.0], [1], [3], [7]]), shortest=60), expected, atol=1e-14)


def test_the_nearest_pair_of_all_stays_joined_though_its_edge_weighs_nothing():
    x = np.array([[0.0, 0], [0.1, 0], [5, 0], [5, 1], [20, 0]])
    matrix = GEODESIC.item(x, shortest=12)
    assert matrix[0, 1] == matrix[np.triu_indices(5, 1)].min() < matrix[2, 3] < matrix[1, 2]
    assert matrix[1, 2] == matrix[0, 4], "pairs that no path joins tie at the highest rank"


@pytest.mark.parametrize(("low", "high", "reason"), [
    (60, 40, "60 %, is above the upper one, 40 %"), (100, 100, "no distance above its 100 % quantile")])
def test_thresholds_that_leave_nothing_to_compare_have_no_value_and_a_reason(low, high, reason):
    result = TRSA(*pair(), low=low, high=high)
    assert np.isnan(result.value) and reason in result.reason


def test_a_threshold_within_the_farthest_tied_pairs_is_undefined_and_within_the_nearest_is_a_step():
    x = np.repeat([[0.0], [1.0]], 20, axis=0) @ np.ones((1, 3))
    y = pair()[1]
    assert "no distance above" in registry.get("trsa_global")(x, y).reason
    near = squareform(pdist(x)) > 0
    matrix = item("trsa_local", x)
    np.testing.assert_allclose(matrix[near], matrix[near][0])
    assert matrix[near][0] > 0 > matrix[0, 1]


@each
def test_rows_that_are_all_the_same_or_equally_far_apart_have_no_value_and_a_reason(name):
    x, y = pair()
    assert "all the same" in registry.get(name)(np.tile(x[0], (40, 1)), y).reason
    assert "equally far apart" in registry.get(name)(y, np.eye(40)).reason
