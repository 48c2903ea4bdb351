"""The jackknife over documents: what it equals, how it groups, when it refuses, and how often it covers."""

import numpy as np
import pytest
from scipy.stats import t

from analysis import registry
from analysis.errors import Undefined
from analysis.inference.jackknife import (
    MAX_GROUPS,
    MIN_GROUPS,
    document_groups,
    interval,
    jackknife_interval,
    pairs_of,
)
from analysis.moments import Moments
from analysis.results import Replicates
from tests.synthetic import documents, power_law


def interval_of_the_mean(values: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    sizes, sums = np.bincount(groups), np.bincount(groups, values)
    return jackknife_interval(values.mean(), lambda g: (values.sum() - sums[g]) / (len(values) - sizes[g]), sizes)


@pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("count", [8, 20])
def test_for_the_mean_of_equal_groups_it_is_the_t_interval_of_the_group_means(count, level):
    rows, names = documents([6] * count, 1, np.random.default_rng(0))
    values, groups = rows[:, 0], document_groups(names)
    means = np.array([values[groups == group].mean() for group in range(count)])
    expected = t.interval(level, count - 1, loc=means.mean(), scale=means.std(ddof=1) / np.sqrt(count))
    sums, sizes = np.bincount(groups, values), np.bincount(groups)
    got = jackknife_interval(values.mean(), lambda g: (values.sum() - sums[g]) / (len(values) - sizes[g]), sizes, level)
    assert got == pytest.approx(expected, rel=1e-12)


def test_unequal_groups_follow_the_formula_of_busing_term_by_term():
    rng = np.random.default_rng(1)
    rows, names = documents([3, 9, 4, 12, 5, 7, 8, 2, 6], 1, rng)
    values, groups = rows[:, 0], document_groups(names)
    count, total = groups.max() + 1, len(values)
    theta, left_out, sizes = values.var(), [], []
    for group in range(count):
        left_out.append(values[groups != group].var())
        sizes.append(int(np.sum(groups == group)))
    jackknifed = count * theta - sum((1 - size / total) * out for size, out in zip(sizes, left_out, strict=True))
    variance = 0.0
    for size, out in zip(sizes, left_out, strict=True):
        h = total / size
        variance += (h * theta - (h - 1) * out - jackknifed)**2 / (h - 1) / count
    half = t.ppf(0.975, count - 1) * np.sqrt(variance)
    got = jackknife_interval(theta, lambda g: left_out[g], np.array(sizes))
    assert got == pytest.approx((theta - half, theta + half), rel=1e-12)


def by_two(statistic, rows: np.ndarray, groups: np.ndarray) -> tuple[float, Replicates]:
    """A statistic of rows with its replicates without one group and without each pair."""
    count = int(groups.max()) + 1
    return statistic(rows), Replicates(
        np.array([statistic(rows[groups != group]) for group in range(count)]), np.bincount(groups),
        np.array([statistic(rows[~np.isin(groups, pair)]) for pair in pairs_of(count)]))


def variance(value: float, replicates: Replicates) -> float:
    low, high = interval(value, replicates)
    return ((high - low) / 2 / t.ppf(0.975, len(replicates.sizes) - 1))**2


def alone(replicates: Replicates) -> Replicates:
    return Replicates(replicates.values, replicates.sizes)


@pytest.mark.parametrize(("groups", "pairs"), [(8, 4), (25, 12)])
def test_every_group_but_the_last_of_an_odd_number_is_in_one_pair(groups, pairs):
    assert sorted(pairs_of(groups).ravel().tolist()) == list(range(2 * pairs)) and pairs_of(groups).shape == (pairs, 2)


def test_where_groups_do_nothing_together_leaving_out_two_changes_nothing():
    rows, names = documents([3, 9, 4, 12, 5, 7, 8, 2, 6], 1, np.random.default_rng(4))
    value, replicates = by_two(np.mean, rows[:, 0], document_groups(names))
    assert interval(value, replicates) == pytest.approx(interval(value, alone(replicates)), rel=1e-9)


def test_what_groups_do_together_is_taken_away_term_by_term():
    rows, names = documents([3, 9, 4, 12, 5, 7, 8, 2, 6], 1, np.random.default_rng(1))
    x, groups = rows[:, 0], document_groups(names)
    value, replicates = by_two(np.var, x, groups)
    terms = []
    for i, j in ((0, 1), (2, 3), (4, 5), (6, 7)):
        parts = [x, x[groups != i], x[groups != j], x[(groups != i) & (groups != j)]]
        q = sum(sign * len(part) * part.var() for sign, part in zip((1, -1, -1, 1), parts, strict=True))
        terms.append(q**2 / (2 * np.sum(groups == i) * np.sum(groups == j)))
    plain = variance(value, alone(replicates))
    assert 0 < np.mean(terms) < plain, "or the floor is what is seen"
    assert variance(value, replicates) == pytest.approx(plain - np.mean(terms) / 2, rel=1e-9)


def test_a_statistic_of_pairs_alone_has_twice_its_variance_by_leaving_out_one_and_less_by_two():
    """The mean product of two of 24 independent numbers of mean 0: variance 2 / (24 * 23), and no first-order part."""
    def products(x: np.ndarray) -> float:
        return float((x.sum()**2 - np.sum(x**2)) / (len(x) * (len(x) - 1)))
    rng, found = np.random.default_rng(9), []
    for _ in range(400):
        value, replicates = by_two(products, rng.standard_normal(24), np.arange(24))
        found.append([variance(value, alone(replicates)), variance(value, replicates)])
    one, two = np.mean(found, axis=0) * 24 * 23 / 2
    assert one == pytest.approx(2, rel=0.15) and 1 < two < 1.6


def test_at_least_half_of_the_variance_stays():
    replicates = Replicates(np.arange(10.0), np.full(10, 7), np.array([9.0, -9.0, 5.0, -5.0, 7.0]))
    assert variance(4.5, replicates) == pytest.approx(variance(4.5, alone(replicates)) / 2)


def test_it_is_centred_on_the_value_itself():
    rows, names = documents([5] * 12, 1, np.random.default_rng(2))
    low, high = interval_of_the_mean(rows[:, 0], document_groups(names))
    assert (low + high) / 2 == pytest.approx(rows.mean(), rel=1e-12)


def test_a_statistic_that_no_document_moves_has_an_interval_of_no_width():
    assert jackknife_interval(3.0, lambda group: 3.0, np.full(10, 7)) == (3.0, 3.0)


@pytest.mark.parametrize("groups", [1, MIN_GROUPS - 1])
def test_fewer_than_eight_documents_are_refused_with_the_number(groups):
    with pytest.raises(Undefined, match=f"at least 8 documents, got {groups}"):
        jackknife_interval(1.0, lambda group: 1.0, np.full(groups, 5))


def test_a_statistic_undefined_without_one_document_is_undefined():
    def without(group: int) -> float:
        if group == 3:
            raise Undefined("nothing is left")
        return 1.0
    with pytest.raises(Undefined, match="nothing is left"):
        jackknife_interval(1.0, without, np.full(9, 5))


@pytest.mark.parametrize("count", [8, MAX_GROUPS])
def test_up_to_25_documents_are_a_group_each(count):
    _, names = documents(list(range(1, count + 1)), 1, np.random.default_rng(3))
    groups = document_groups(names)
    assert len(set(zip(names, groups.tolist(), strict=True))) == count
    assert sorted(set(groups.tolist())) == list(range(count))


@pytest.mark.parametrize("count", [26, 60, 400])
def test_more_documents_become_25_groups_of_whole_documents(count):
    rng = np.random.default_rng(count)
    _, names = documents(rng.integers(1, 40, count).tolist(), 1, rng)
    shuffled = rng.permutation(names)
    groups = document_groups(shuffled)
    assert sorted(set(groups.tolist())) == list(range(MAX_GROUPS))
    assert len(set(zip(shuffled.tolist(), groups.tolist(), strict=True))) == count, "a document is in two groups"


def test_many_equal_documents_make_equal_groups():
    _, names = documents([7] * 100, 1, np.random.default_rng(4))
    assert np.bincount(document_groups(names)).tolist() == [28] * 25


def test_groups_of_many_unequal_documents_are_balanced():
    rng = np.random.default_rng(5)
    _, names = documents(rng.integers(1, 40, 400).tolist(), 1, rng)
    sizes = np.bincount(document_groups(names))
    assert sizes.max() - sizes.min() <= 40, "dealt by size, groups differ by at most the largest document"


def test_the_order_of_rows_does_not_change_which_documents_go_together():
    rng = np.random.default_rng(6)
    _, names = documents(rng.integers(1, 9, 60).tolist(), 1, rng)
    order = rng.permutation(len(names))
    np.testing.assert_array_equal(document_groups(np.array(names)[order]), document_groups(names)[order])


def coverage(draw, truth: float, repeats: int) -> float:
    """Share of repeated draws whose interval holds the truth."""
    intervals = np.array([draw(np.random.default_rng(seed)) for seed in range(repeats)])
    return float(np.mean((intervals[:, 0] <= truth) & (truth <= intervals[:, 1])))


def test_it_covers_a_mean_with_document_effects_95_times_in_100():
    sizes = np.random.default_rng(8).integers(4, 16, 40).tolist()

    def draw(rng: np.random.Generator) -> tuple[float, float]:
        rows, names = documents(sizes, 1, rng)
        return interval_of_the_mean(rows[:, 0], document_groups(names))
    assert 0.92 <= coverage(draw, 0.0, 1500) <= 0.98


def test_rows_taken_for_documents_would_cover_far_too_rarely():
    def draw(rng: np.random.Generator) -> tuple[float, float]:
        rows, _ = documents([10] * 40, 1, rng)
        return interval_of_the_mean(rows[:, 0], np.arange(len(rows)) % MAX_GROUPS)
    assert coverage(draw, 0.0, 400) < 0.75


def test_it_covers_a_participation_ratio_with_document_effects_95_times_in_100():
    """Both the effect of a document and the spread inside it have covariance diag(1, 1/2, 1/3, 1/4)."""
    measure, spectrum = registry.get("participation_ratio"), power_law(4, 1.0)

    def draw(rng: np.random.Generator) -> tuple[float, float]:
        rows, names = documents([6] * 250, 4, rng, between=0.7)
        rows *= np.sqrt(spectrum)
        groups = document_groups(names)
        moments = Moments.of(rows)
        left_out = [moments - Moments.of(rows[groups == group]) for group in range(MAX_GROUPS)]
        return jackknife_interval(measure(moments).value, lambda g: measure(left_out[g]).value, np.bincount(groups))
    assert 0.92 <= coverage(draw, spectrum.sum()**2 / np.sum(spectrum**2), 600) <= 0.98
