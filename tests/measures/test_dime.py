"""dime: what two halves of a document share, beyond halves of different documents."""

import itertools

import numpy as np
import pytest
from scipy.stats import entropy

from analysis import registry
from analysis.measures.dime import partners
from analysis.textrows import TextRows
from tests.synthetic import orthogonal

DIME = registry.get("dime")


def of_halves(first: np.ndarray, second: np.ndarray) -> TextRows:
    """One document a pair of rows, as two tokens of one text."""
    n = len(first)
    numbers = np.repeat(np.arange(n), 2)
    return TextRows(np.stack([first, second], axis=1).reshape(2 * n, -1), numbers, numbers, np.tile([0, 1], n))


def correlated(n: int, d: int, share: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two views with this correlation between them in every coordinate."""
    common = np.sqrt(share) * rng.standard_normal((n, d))
    return tuple(common + np.sqrt(1 - share) * rng.standard_normal((n, d)) for _ in range(2))


def state_entropy(vectors: np.ndarray) -> float:
    """Von Neumann entropy of an even mixture of unit vectors, by its density matrix."""
    density = sum(np.outer(vector, vector) for vector in vectors) / len(vectors)
    return float(entropy(np.linalg.svd(density, compute_uv=False)))


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def mutual_information(a: np.ndarray, b: np.ndarray) -> float:
    """Quantum mutual information of the mixture of products a_i (x) b_i: no Gram matrix and no Hadamard product."""
    products = np.array([np.kron(x, y) for x, y in zip(a, b, strict=True)])
    return state_entropy(a) + state_entropy(b) - state_entropy(products)


def label_entropy(*labels: np.ndarray) -> float:
    return float(entropy(np.unique(np.column_stack(labels), axis=0, return_counts=True)[1]))


@pytest.mark.parametrize(("n", "d"), [(5, 4), (12, 6), (30, 5)])
def test_it_is_the_quantum_mutual_information_above_that_of_the_random_pairings(n, d):
    first, second = correlated(n, d, 0.6, np.random.default_rng(n))
    a, b = unit(first), unit(second)
    apart = [mutual_information(a, b[other]) for other in partners(np.arange(n), 10)]
    assert DIME(of_halves(first, second)).value == pytest.approx(mutual_information(a, b) - np.mean(apart), rel=1e-9)


def test_documents_in_groups_of_one_direction_have_the_mutual_information_of_their_labels():
    rng = np.random.default_rng(0)
    topics, tones = np.repeat(np.arange(4), 6), np.tile([0, 0, 1], 8)
    directions = orthogonal(9, rng)
    result = DIME(of_halves(directions[topics], directions[4 + tones]), pairings=7).value
    expected = np.mean([label_entropy(topics, tones[other]) for other in partners(np.arange(24), 7)])
    assert result == pytest.approx(expected - label_entropy(topics, tones), rel=1e-9)


def test_two_pairs_of_equal_documents_have_two_thirds_of_ln_2_over_all_pairings():
    """On a circle of a, a, b, b the four neighbours are four pairs of labels or, in two orders of six, only two."""
    labels = np.array([0, 0, 1, 1])
    circles = [dict(zip((0, *order), (*order, 0), strict=True)) for order in itertools.permutations((1, 2, 3))]
    exact = np.mean([label_entropy(labels, labels[[circle[i] for i in range(4)]]) for circle in circles]) - np.log(2)
    assert exact == pytest.approx(2 / 3 * np.log(2), rel=1e-12)
    value = DIME(of_halves(np.eye(3)[labels], np.eye(3)[labels]), pairings=1000).value
    assert value == pytest.approx(exact, abs=4 * np.log(2) * np.sqrt(2 / 9 / 1000))


def test_it_is_near_zero_where_nothing_is_shared_and_grows_with_what_is():
    values = np.array([[DIME(of_halves(*correlated(60, 5, share, np.random.default_rng(seed)))).value
                        for seed in range(60)] for share in (0.0, 0.5, 0.7, 0.95)])
    means, errors = values.mean(axis=1), values.std(axis=1) / np.sqrt(60)
    assert abs(means[0]) < 3 * errors[0] < 0.01
    assert (np.diff(means) > 4 * errors[1:]).all()


def test_it_may_be_below_zero_by_chance():
    values = [DIME(of_halves(*correlated(20, 5, 0.0, np.random.default_rng(seed)))).value for seed in range(20)]
    assert min(values) < 0 < max(values)


def test_documents_all_alike_and_documents_all_orthogonal_share_nothing_that_can_be_told():
    alike = np.ones((6, 8))
    assert DIME(of_halves(alike, alike)).value == pytest.approx(0, abs=1e-12)
    apart = np.eye(8)[:6]
    assert DIME(of_halves(apart, apart)).value == pytest.approx(0, abs=1e-12)


def test_every_pairing_is_one_circle_so_no_document_is_paired_with_itself():
    pairings = partners(np.array([3, 4, 8, 9, 20, 31]), 40)
    for other in pairings:
        visited = [0]
        while (following := int(other[visited[-1]])) != 0:
            visited.append(following)
        assert sorted(visited) == list(range(6))
    assert len(np.unique(pairings, axis=0)) > 20, "the pairings differ"


def test_a_document_left_out_moves_one_pair_of_each_pairing():
    numbers = np.arange(30)
    for gone in (0, 13, 29):
        left = np.delete(numbers, gone)
        for all_of_them, rest in zip(partners(numbers, 5), partners(left, 5), strict=True):
            before = {i: all_of_them[i] for i in left}
            after = {i: left[j] for i, j in zip(left, rest, strict=True)}
            moved = [i for i in left if before[i] != after[i]]
            assert moved == [i for i in left if all_of_them[i] == gone]
            assert after[moved[0]] == all_of_them[gone]


def test_more_pairings_keep_the_documents_and_are_nearer_to_each_other():
    halves = of_halves(*correlated(40, 6, 0.5, np.random.default_rng(1)))
    assert DIME(halves).value == DIME(halves, pairings=10).value
    assert DIME(halves, pairings=10).value == pytest.approx(DIME(halves, pairings=500).value, abs=0.02)


def test_halves_are_means_of_unit_rows_in_the_order_of_texts_and_positions_the_first_rounded_down():
    rng = np.random.default_rng(2)
    rows = rng.standard_normal((8, 5, 6)) * np.geomspace(0.01, 100, 5)[:, None]
    unit_rows = rows / np.linalg.norm(rows, axis=2, keepdims=True)
    numbers = np.repeat(np.arange(8), 5)
    texts, positions = 2 * numbers + np.tile([0, 0, 1, 1, 1], 8), np.tile([0, 4, 0, 4, 8], 8)
    whole = TextRows(rows.reshape(40, 6), texts, numbers, positions)
    halves = of_halves(unit_rows[:, :2].mean(axis=1), unit_rows[:, 2:].mean(axis=1))
    assert DIME(whole).value == pytest.approx(DIME(halves).value, rel=1e-10)
    mixed = rng.permutation(40)
    again = TextRows(whole.x[mixed], texts[mixed], numbers[mixed], positions[mixed])
    assert DIME(again).value == pytest.approx(DIME(whole).value, rel=1e-10)


def test_documents_of_one_row_and_rows_of_zeros_change_nothing():
    x = of_halves(*correlated(10, 6, 0.5, np.random.default_rng(3)))
    more = TextRows(np.vstack([x.x, np.ones((1, 6)), np.zeros((3, 6))]), np.append(x.texts, [10, 11, 11, 11]),
                    np.append(x.documents, [10, 11, 11, 11]), np.append(x.positions, [0, 0, 1, 2]))
    assert DIME(more).value == DIME(x).value


def test_fewer_than_four_documents_of_two_rows_have_no_dime():
    first, second = correlated(4, 6, 0.5, np.random.default_rng(4))
    x = of_halves(first, second)
    assert DIME(x).reason == ""
    one_a_document = TextRows(x.x, np.arange(8), np.arange(8), np.zeros(8, dtype=int))
    assert "fewer than 4 documents have two rows" in DIME(one_a_document).reason
    assert "fewer than 4 documents" in DIME(of_halves(np.vstack([first[:3], -first[:1]]),
                                                      np.vstack([second[:3], np.zeros((1, 6))]))).reason
    assert "not zero" in DIME(of_halves(0 * first, 0 * second)).reason
