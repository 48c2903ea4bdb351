"""One search for nearest neighbours: exact, of distinct rows, and enough for whatever rows are left out."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from analysis import neighbours, registry
from analysis.errors import Undefined
from analysis.evaluate import Given, evaluate
from analysis.inference.jackknife import interval
from analysis.keys import RepresentationKey, ResultKey
from analysis.moments import Moments
from analysis.neighbours import Neighbours, distinct
from analysis.results import Replicates
from analysis.store import Representation
from analysis.textrows import TextRows
from tests.synthetic import generic, power_law_gaussian

RNG = np.random.default_rng(0)
X = generic(300, 40, RNG)
GROUPS = np.arange(300) // 12  # 25 of 12 rows


def by_sorting(x, k):
    """All distances, from differences, and a stable sort."""
    distances = cdist(x, x)
    np.fill_diagonal(distances, np.inf)
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(distances, order, axis=1)


@pytest.fixture
def searches(monkeypatch):
    """For how many rows each search was."""
    made, search = [], neighbours._searched
    monkeypatch.setattr(neighbours, "_searched", lambda x, which, k: made.append(len(which)) or search(x, which, k))
    return made


def test_points_on_a_line_have_the_neighbours_that_one_counts():
    found = Neighbours.of(np.array([[0.0], [1.0], [3.0], [7.0]]), most=2)
    assert found.indices.tolist() == [[1, 2], [0, 2], [1, 0], [2, 1]]
    assert found.distances.tolist() == [[1, 3], [1, 2], [2, 3], [4, 6]]


def test_the_search_is_that_of_sorting_all_distances():
    found = Neighbours.of(X, most=50)
    indices, distances = by_sorting(X, 50)
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_array_equal(found.distances, distances)
    assert len(found) == 300 and found.duplicates == 0


def test_equally_near_rows_come_in_the_order_of_the_rows():
    found = Neighbours.of(np.array([[0.0, 0], [0, 1], [1, 0], [0, -1], [-1, 0]]))
    assert found.indices[0].tolist() == [1, 2, 3, 4]


def test_a_common_offset_and_one_huge_row_cost_no_precision():
    far = np.concatenate([X, 1e5 * X[:1]])
    near = Neighbours.of(far + 1e6, most=20)
    indices, distances = by_sorting(far, 20)
    np.testing.assert_array_equal(near.indices, indices)
    np.testing.assert_allclose(near.distances, distances, rtol=1e-8)  # of adding 1e6 to rows of order 1


def test_two_rows_are_as_far_from_each_other_both_ways():
    found = Neighbours.of(X, most=299)
    whole = np.zeros((300, 300))
    np.put_along_axis(whole, found.indices, found.distances, axis=1)
    np.testing.assert_array_equal(whole, whole.T)


def test_equal_rows_count_once_and_are_counted():
    rows = np.concatenate([X[:5], X, X[::-1], X[7:9]])
    found = Neighbours.of(rows, most=10)
    assert (len(found), len(found.x), found.duplicates) == (607, 300, 307)
    np.testing.assert_array_equal(found.x[found.places], rows)
    np.testing.assert_array_equal(found.x, X)
    np.testing.assert_array_equal(found.distances, by_sorting(X, 10)[1])


def test_minus_zero_is_zero_and_the_least_difference_is_one():
    rows = np.array([[0.0, 1.0], [-0.0, 1.0], [np.nextafter(0.0, 1.0), 1.0]])
    kept, places = distinct(rows)
    assert places.tolist() == [0, 0, 1] and len(kept) == 2


def test_more_neighbours_than_there_are_rows_are_refused_with_both_numbers():
    with pytest.raises(Undefined, match="12 neighbours were asked for, and each of 12 distinct rows has 11"):
        Neighbours.of(X[:12]).nearest(12)
    with pytest.raises(Undefined, match="each of 1 distinct rows has 0"):
        Neighbours.of(np.ones((30, 4))).nearest(2)


def test_more_neighbours_than_were_searched_are_searched(searches):
    found = Neighbours.of(X, most=10)
    np.testing.assert_array_equal(found.nearest(10)[0], by_sorting(X, 10)[0])
    assert searches == [300]
    np.testing.assert_array_equal(found.nearest(60)[0], by_sorting(X, 60)[0])
    assert searches == [300, 300]


@pytest.mark.parametrize("dropped", [GROUPS == 3, np.arange(300) % 2 == 0, np.arange(300) > 80, np.zeros(300, bool)],
                         ids=["a document", "every other row", "most rows", "none"])
def test_the_neighbours_among_the_rest_are_exactly_those_of_a_fresh_search(dropped):
    rest, fresh = Neighbours.of(X, most=60).without(dropped), Neighbours.of(X[~dropped], most=60)
    np.testing.assert_array_equal(rest.x, fresh.x)
    for k in (2, 20, 60):
        for mine, anew in zip(rest.nearest(k), fresh.nearest(k), strict=True):
            np.testing.assert_array_equal(mine, anew)


def test_leaving_out_twice_is_leaving_out_both():
    once = Neighbours.of(X, most=40).without(GROUPS < 2)
    twice, both = once.without(GROUPS[GROUPS >= 2] == 5), Neighbours.of(X[(GROUPS >= 2) & (GROUPS != 5)], most=40)
    for mine, anew in zip(twice.nearest(40), both.nearest(40), strict=True):
        np.testing.assert_array_equal(mine, anew)


def test_a_row_with_copies_goes_with_the_last_of_them():
    rows = np.concatenate([X, X[:40]])
    found = Neighbours.of(rows, most=30)
    first_copies_dropped = found.without(np.arange(340) < 40)
    np.testing.assert_array_equal(first_copies_dropped.x, X)
    assert first_copies_dropped.duplicates == 0 and len(first_copies_dropped) == 300
    both_dropped = found.without((np.arange(340) < 40) | (np.arange(340) >= 300))
    np.testing.assert_array_equal(both_dropped.nearest(9)[1], Neighbours.of(X[40:]).nearest(9)[1])


def test_rows_within_a_radius_are_counted_beyond_the_neighbours_that_are_known():
    dense = np.concatenate([X, X[0] + 0.01 * generic(100, 40, RNG)])
    whole = cdist(dense, dense)
    for found in (Neighbours.of(dense, most=10), Neighbours.of(dense), Neighbours.of(np.concatenate(
            [dense, 1e3 + X]), most=10).without(np.arange(700) >= 400)):
        for radius in np.quantile(whole, [0.02, 0.1, 0.9]):
            np.testing.assert_array_equal(found.within(radius), np.sum(whole < radius, axis=1) - 1)


# --- measures and their jackknife ---


def test_25_groups_left_out_of_one_search_cost_no_other(searches):
    found = Neighbours.of(X, most=100)
    for group in range(25):
        registry.get("intrinsic_dimension_mle")(found.without(group == GROUPS))
    assert searches == [300]


def test_measures_of_neighbours_take_them_or_rows_and_others_refuse_them():
    twonn = registry.get("intrinsic_dimension_twonn")
    assert twonn(Neighbours.of(X)) == twonn(X) == twonn(TextRows(X, GROUPS, GROUPS, GROUPS))
    for name in ("stable_rank", "lidar", "prompt_entropy", "persistent_homology_dimension"):
        with pytest.raises(ValueError, match=f"{name} needs the rows themselves, got their neighbours"):
            registry.get(name)(Neighbours.of(X))


def result_key(name):
    measure = registry.get(name)
    return ResultKey(RepresentationKey("f" * 64, "probe@0", "every-1"), "final", name, measure.version,
                     tuple(sorted(measure.settings().items())))


def represent(rows):
    names = tuple(f"d{group}" for group in GROUPS)
    return Representation(rows={"final": rows}, row_ids=tuple(f"{n}@{k}" for k, n in enumerate(names)),
                          document_ids=names, facts={})


NAMES = ("intrinsic_dimension_twonn", "intrinsic_dimension_mle", "intrinsic_dimension_gride", "correlation_dimension")


def test_one_search_serves_all_measures_of_a_site_and_none_is_made_without_need(searches):
    stored = evaluate(represent(X), "final", [result_key(name) for name in (*NAMES, "stable_rank")])
    assert searches == [300]
    assert [one.result.value for one in stored] == [registry.get(one.key.measure)(X).value for one in stored]
    searches.clear()
    evaluate(represent(X), "final", [result_key("stable_rank")])
    assert searches == []


def test_rows_that_are_not_finite_give_a_reason(searches):
    rows = X.copy()
    rows[3, 3] = np.nan
    (stored,) = evaluate(represent(rows), "final", [result_key(NAMES[0])])
    assert "NaN" in stored.result.reason and searches == []
    assert Given.of(TextRows(rows, GROUPS, GROUPS, GROUPS), Moments.of(rows),
                    [registry.get(NAMES[0])]).neighbours is None


@pytest.mark.parametrize("name", NAMES)
def test_the_jackknife_of_a_measure_of_neighbours_is_that_of_searches_of_its_own(name, monkeypatch, searches):
    measure = registry.get(name)
    resampled = replace(measure, uncertainty="jackknife over documents", leaves_two_out=True)
    monkeypatch.setattr(registry, "get", {name: resampled}.__getitem__)
    rows = power_law_gaussian(300, 40, 0.5, np.random.default_rng(4))
    key = ResultKey(RepresentationKey("f" * 64, "probe@0", "every-1"), "final", name, 1,
                    tuple(sorted(measure.settings().items())))
    (stored,) = evaluate(represent(rows), "final", [key])
    assert searches == [300]
    number = np.unique([f"d{group}" for group in GROUPS], return_inverse=True)[1]
    expected = Replicates(np.array([measure(rows[number != group]).value for group in range(25)]), np.full(25, 12),
                          np.array([measure(rows[number // 2 != pair]).value for pair in range(12)]))
    np.testing.assert_array_equal(stored.result.replicates.values, expected.values)
    assert (stored.result.low, stored.result.high) == interval(stored.result.value, expected)
