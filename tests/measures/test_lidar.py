"""lidar: the rank of what tells documents apart."""

import numpy as np
import pytest
from scipy.linalg import eigh
from scipy.stats import entropy
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from analysis import registry
from analysis.textrows import TextRows
from tests.synthetic import documents, generic, orthogonal, with_covariance_eigenvalues

LIDAR = registry.get("lidar")
RIDGE = 1e-4


def of_documents(x: np.ndarray, numbers: np.ndarray) -> TextRows:
    """One text a row."""
    return TextRows(x, np.arange(len(x)), np.asarray(numbers), np.zeros(len(x), dtype=int))


def planted(between: np.ndarray, within: np.ndarray, count: int, rng: np.random.Generator) -> TextRows:
    """Rows whose document means have exactly these covariance eigenvalues and whose documents have exactly those,
    along the same axes in a random direction."""
    d = len(between)
    means = rng.standard_normal((count, d))
    means = np.linalg.qr(means - means.mean(axis=0))[0] * np.sqrt(between)
    views = np.concatenate([np.diag(np.sqrt(within)), -np.diag(np.sqrt(within))])
    x = (means[:, None, :] + views).reshape(-1, d) @ orthogonal(d, rng)
    return of_documents(x, np.repeat(np.arange(count), 2 * d))


def lidar_by_loop(x: TextRows, ridge: float) -> float:
    """The paper's equations 1-4 for documents of equal size, one outer product at a time, ridge as a share."""
    d = x.x.shape[1]
    between, within = np.zeros((d, d)), np.zeros((d, d))
    groups = [x.x[x.documents == number] for number in np.unique(x.documents)]
    for group in groups:
        gap = group.mean(axis=0) - x.x.mean(axis=0)
        between += np.outer(gap, gap) / len(groups)
        for row in group:
            within += np.outer(row - group.mean(axis=0), row - group.mean(axis=0)) / len(x)
    within += ridge * np.trace(within) / d * np.eye(d)
    values, vectors = np.linalg.eigh(within)
    root = vectors @ np.diag(values**-0.5) @ vectors.T
    p = np.linalg.svd(root @ between @ root, compute_uv=False)
    return float(np.exp(entropy(p)))


@pytest.mark.parametrize("k", [1, 3, 8])
def test_k_equal_directions_between_documents_of_isotropic_views_have_rank_k(k):
    x = planted(np.array([2.0] * k + [0.0] * (8 - k)), np.full(8, 0.3), 20, np.random.default_rng(k))
    assert LIDAR(x).value == pytest.approx(k, rel=1e-10)


def test_a_direction_counts_by_its_variance_between_over_that_within_and_the_ridge():
    between, within = np.array([4.0, 4.0, 1.0, 0.5, 0.0]), np.array([1.0, 100.0, 0.01, 1e-6, 7.0])
    x = planted(between, within, 12, np.random.default_rng(0))
    expected = np.exp(entropy(between / (within + RIDGE * within.mean())))
    assert LIDAR(x).value == pytest.approx(expected, rel=1e-9)
    assert np.exp(entropy(between / within)) < 1.01 < expected, "without the ridge one direction would be all"


def test_variance_within_documents_alone_does_not_count_as_directions():
    rng = np.random.default_rng(1)
    loud = planted(np.array([1.0, 1.0, 0.0, 0.0]), np.array([1.0, 1.0, 50.0, 50.0]), 30, rng)
    assert LIDAR(loud).value == pytest.approx(2, rel=1e-9)
    assert registry.get("rankme_covariance")(loud.x).value > 2.1


@pytest.mark.parametrize(("count", "size", "d"), [(30, 6, 10), (6, 5, 20), (12, 2, 9)])
def test_it_agrees_with_the_papers_equations_by_loop(count, size, d):
    rows, _ = documents([size] * count, d, np.random.default_rng(2))
    x = of_documents(rows * np.linspace(0.2, 3, d), np.repeat(np.arange(count), size))
    assert LIDAR(x).value == pytest.approx(lidar_by_loop(x, RIDGE), rel=1e-8)


def test_it_agrees_with_the_generalised_eigenvalues_for_documents_of_unequal_sizes():
    rng = np.random.default_rng(3)
    sizes = [2, 9, 4, 30, 5, 7, 3, 8, 12, 6]
    x = of_documents(generic(sum(sizes), 7, rng), np.repeat(np.arange(10), sizes))
    groups = np.split(x.x, np.cumsum(sizes)[:-1])
    within = np.mean([np.cov(group.T) for group in groups], axis=0)
    between = np.cov(np.array([group.mean(axis=0) for group in groups]).T)
    values = eigh(between, within + RIDGE * np.trace(within) / 7 * np.eye(7), eigvals_only=True)
    assert LIDAR(x).value == pytest.approx(np.exp(entropy(values)), rel=1e-9)


def test_it_agrees_with_scikit_learns_discriminant_analysis_where_the_ridge_has_no_effect():
    x = planted(np.array([5.0, 3.0, 2.0, 1.0, 0.1]), np.full(5, 2.0), 15, np.random.default_rng(4))
    other = LinearDiscriminantAnalysis(solver="eigen").fit(x.x, x.documents)
    assert LIDAR(x).value == pytest.approx(np.exp(entropy(other.explained_variance_ratio_)), rel=1e-8)


def test_an_invertible_map_changes_it_by_no_more_than_the_ridge_does():
    rng = np.random.default_rng(5)
    rows, _ = documents([10] * 40, 6, rng)
    numbers = np.repeat(np.arange(40), 10)
    mapped = rows @ rng.standard_normal((6, 6))
    before, after = LIDAR(of_documents(rows, numbers)).value, LIDAR(of_documents(mapped, numbers)).value
    assert before == pytest.approx(lidar_by_loop(of_documents(mapped, numbers), 0.0), rel=1e-4)
    assert after == pytest.approx(before, rel=0.02)


@pytest.mark.parametrize(("count", "d"), [(41, 100), (151, 30)])
def test_the_declared_null_of_isotropic_noise_is_pages_law_of_the_document_means(count, d):
    numbers = np.repeat(np.arange(count), 60)
    values = [LIDAR(of_documents(np.random.default_rng(seed).standard_normal((60 * count, d)), numbers)).value
              for seed in range(5)]
    small, large = sorted((count - 1, d))
    assert np.mean(values) == pytest.approx(small * np.exp(-small / (2 * large)), rel=0.02)


def test_the_order_of_the_rows_and_the_numbers_of_the_documents_do_not_matter():
    rng = np.random.default_rng(7)
    rows, _ = documents([4] * 12, 6, rng)
    numbers, mixed = np.repeat(np.arange(12), 4), rng.permutation(48)
    again = of_documents(rows[mixed], 100 - 3 * numbers[mixed])
    assert LIDAR(again).value == pytest.approx(LIDAR(of_documents(rows, numbers)).value, rel=1e-12)


def test_a_document_of_one_row_has_no_views_and_changes_nothing():
    rng = np.random.default_rng(8)
    rows, _ = documents([4] * 12, 6, rng)
    numbers = np.repeat(np.arange(12), 4)
    more = of_documents(np.vstack([rows, 1e3 * np.ones((1, 6))]), np.append(numbers, 12))
    assert LIDAR(more).value == LIDAR(of_documents(rows, numbers)).value


def test_more_columns_than_rows_still_have_a_value_within_the_number_of_documents():
    rows = with_covariance_eigenvalues(np.ones(20), 24, np.random.default_rng(9)) @ np.eye(20, 60)
    assert 1 <= LIDAR(of_documents(rows, np.repeat(np.arange(6), 4))).value <= 5


@pytest.mark.parametrize("numbers", [[0] * 6, [0, 1, 2, 3, 4, 5], [0, 0, 0, 1, 2, 3]])
def test_fewer_than_two_documents_of_two_rows_have_no_lidar(numbers):
    x = of_documents(generic(6, 4, np.random.default_rng(10)), numbers)
    assert "fewer than two documents have two rows" in LIDAR(x).reason


def test_documents_whose_rows_are_all_the_same_have_no_lidar():
    rows = np.repeat(generic(4, 5, np.random.default_rng(11)), 3, axis=0)
    assert "rows of each document are all the same" in LIDAR(of_documents(rows, np.repeat(np.arange(4), 3))).reason


def test_documents_of_the_same_mean_have_no_lidar():
    pair = np.array([[1.0, 2.0], [-1.0, -2.0]])
    assert "same mean" in LIDAR(of_documents(np.vstack([pair, 2 * pair, 3 * pair]), [0, 0, 1, 1, 2, 2])).reason
