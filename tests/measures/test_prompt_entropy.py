"""Matrix entropies of texts: prompt_entropy, dataset_entropy, and both _normalised."""

import numpy as np
import pytest
from scipy.stats import entropy

from analysis import matrix_entropy, registry
from analysis.matrix_entropy import gram_entropy
from analysis.textrows import TextRows
from tests.synthetic import generic, orthogonal

PROMPT, PROMPT_SHARE = registry.get("prompt_entropy"), registry.get("prompt_entropy_normalised")
DATASET, DATASET_SHARE = registry.get("dataset_entropy"), registry.get("dataset_entropy_normalised")
ALL = pytest.mark.parametrize("measure", [PROMPT, PROMPT_SHARE, DATASET, DATASET_SHARE], ids=lambda m: m.name)


def of_texts(*texts: np.ndarray) -> TextRows:
    """One document a text."""
    numbers = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    return TextRows(np.concatenate(texts), numbers, numbers, np.concatenate([np.arange(len(text)) for text in texts]))


def renyi_entropy(rows: np.ndarray, order: float) -> float:
    """Of the Gram matrix of unit rows, built one element at a time; natural logarithm of base 2 of scipy undone."""
    unit = [row / np.sqrt(sum(row**2)) for row in rows]
    gram = np.array([[np.dot(a, b) for b in unit] for a in unit]) / len(rows)
    p = np.linalg.svd(gram, compute_uv=False)  # of a positive semi-definite matrix: its eigenvalues
    return float(entropy(p)) if order == 1 else float(np.log(np.sum(p**order)) / (1 - order))


@pytest.mark.parametrize("tokens", [2, 5, 16])
def test_orthogonal_tokens_have_the_entropy_of_as_many_equal_chances(tokens):
    rows = orthogonal(16, np.random.default_rng(tokens))[:tokens]
    assert PROMPT(of_texts(rows)).value == pytest.approx(np.log(tokens), rel=1e-12)
    assert PROMPT_SHARE(of_texts(rows)).value == pytest.approx(1, rel=1e-12)


def test_k_directions_each_taken_by_several_tokens_have_the_entropy_of_their_shares():
    directions = orthogonal(9, np.random.default_rng(0))[:4]
    rows = np.repeat(directions, [1, 2, 3, 6], axis=0) * np.linspace(-1, 5, 12)[:, None]
    assert PROMPT(of_texts(rows)).value == pytest.approx(entropy([1, 2, 3, 6]), rel=1e-12)
    assert PROMPT_SHARE(of_texts(rows)).value == pytest.approx(entropy([1, 2, 3, 6]) / np.log(9), rel=1e-12)


@pytest.mark.parametrize("angle", [0.05, 1.0, np.pi / 2, 3.0])
def test_two_tokens_at_an_angle_have_the_entropy_of_one_plus_and_one_minus_its_cosine(angle):
    rows = np.array([[1, 0, 0], [7 * np.cos(angle), 7 * np.sin(angle), 0]])
    expected = entropy([1 + np.cos(angle), 1 - np.cos(angle)])
    assert PROMPT(of_texts(rows)).value == pytest.approx(expected, rel=1e-12)
    assert DATASET(of_texts(rows[:1], rows[1:])).value == pytest.approx(expected, rel=1e-12)


def test_tokens_of_one_direction_and_either_sign_have_no_entropy():
    rows = np.outer([1.0, -2.0, 3.0, 1e-3], np.random.default_rng(1).standard_normal(12))
    for measure in (PROMPT, PROMPT_SHARE):
        assert measure(of_texts(rows, rows[:3])).value == pytest.approx(0, abs=1e-13)


@pytest.mark.parametrize("shape", [(7, 20), (20, 7), (12, 12)])
def test_the_entropy_agrees_with_a_gram_matrix_built_by_loop(shape):
    rows = generic(*shape, np.random.default_rng(2))
    assert PROMPT(of_texts(rows)).value == pytest.approx(renyi_entropy(rows, 1), rel=1e-10)
    assert PROMPT_SHARE(of_texts(rows)).value == pytest.approx(renyi_entropy(rows, 1) / np.log(min(shape)), rel=1e-10)


@pytest.mark.parametrize("at_once", [1, 100, 1 << 22])
def test_however_many_texts_are_taken_at_once_each_has_the_entropy_of_its_own(monkeypatch, at_once):
    monkeypatch.setattr(matrix_entropy, "AT_ONCE", at_once)
    rng = np.random.default_rng(3)
    texts = [rng.standard_normal((length, 6)) for length in (4, 9, 4, 6, 2, 9, 4, 6, 4)]
    found = matrix_entropy.text_entropies(texts)
    assert found == pytest.approx([matrix_entropy.matrix_entropy(rows) for rows in texts], rel=1e-13)


def test_order_one_lies_between_the_renyi_entropies_of_the_orders_around_it():
    rows = generic(10, 30, np.random.default_rng(3))
    value = PROMPT(of_texts(rows)).value
    assert renyi_entropy(rows, 2) < renyi_entropy(rows, 1.001) < value < renyi_entropy(rows, 0.999) < np.log(10)
    assert value == pytest.approx((renyi_entropy(rows, 1.001) + renyi_entropy(rows, 0.999)) / 2, abs=1e-6)


def test_the_length_of_a_token_does_not_matter_and_its_common_mean_does():
    rng = np.random.default_rng(4)
    rows = generic(10, 30, rng)
    longer = rows * np.geomspace(1e-6, 1e6, 10)[:, None]
    assert PROMPT(of_texts(longer)).value == pytest.approx(PROMPT(of_texts(rows)).value, rel=1e-12)
    assert PROMPT(of_texts(rows + 100 * rng.standard_normal(30))).value < 0.1, "uncentred, as published"


def test_texts_count_the_same_whatever_their_lengths_and_those_of_one_row_not_at_all():
    rng = np.random.default_rng(5)
    short, long, single = generic(3, 10, rng), generic(40, 10, rng), generic(1, 10, rng)
    for measure in (PROMPT, PROMPT_SHARE):
        mean = (measure(of_texts(short)).value + measure(of_texts(long)).value) / 2
        assert measure(of_texts(short, single, long)).value == pytest.approx(mean, rel=1e-12)
    share = (renyi_entropy(short, 1) / np.log(3) + renyi_entropy(long, 1) / np.log(10)) / 2
    assert PROMPT_SHARE(of_texts(short, long)).value == pytest.approx(share, rel=1e-10)


def test_isotropic_tokens_have_pages_entropy():
    tokens, d = 20, 200
    texts = [np.random.default_rng(seed).standard_normal((tokens, d)) for seed in range(40)]
    expected = np.log(tokens) - (tokens - 1) / (2 * d)
    assert PROMPT(of_texts(*texts)).value == pytest.approx(expected, abs=0.002)
    assert DATASET(of_texts(*(text[:1] for text in texts))).value == pytest.approx(np.log(40) - 39 / 400, abs=0.01)


def test_the_entropy_of_a_pure_state_is_zero_without_a_sign():
    assert not np.signbit(gram_entropy(np.diag([3.0, 0.0])))


@pytest.mark.parametrize("texts", [2, 6])
def test_texts_with_orthogonal_means_have_the_entropy_of_as_many_equal_chances(texts):
    basis = orthogonal(12, np.random.default_rng(6))
    halves = [np.stack([basis[2 * k], basis[2 * k + 1]]) for k in range(texts)]
    assert DATASET(of_texts(*halves)).value == pytest.approx(np.log(texts), rel=1e-12)
    assert DATASET_SHARE(of_texts(*halves)).value == pytest.approx(1, rel=1e-12)


def test_a_text_counts_by_the_squared_length_of_the_mean_of_its_unit_rows():
    e = np.eye(5)
    agreeing, disagreeing = np.stack([e[0], 9 * e[0]]), np.stack([e[1], 3 * e[2]])
    expected = entropy([1.0, 0.5])
    assert DATASET(of_texts(agreeing, disagreeing)).value == pytest.approx(expected, rel=1e-12)
    assert DATASET_SHARE(of_texts(agreeing, disagreeing)).value == pytest.approx(expected / np.log(2), rel=1e-12)


def test_the_dataset_entropy_agrees_with_the_entropy_of_the_singular_values_of_the_means():
    texts = [generic(int(size), 15, np.random.default_rng(size)) for size in range(1, 25)]
    means = np.stack([(text / np.linalg.norm(text, axis=1, keepdims=True)).mean(axis=0) for text in texts])
    expected = entropy(np.linalg.svd(means, compute_uv=False)**2)
    assert DATASET(of_texts(*texts)).value == pytest.approx(expected, rel=1e-10)
    assert DATASET_SHARE(of_texts(*texts)).value == pytest.approx(expected / np.log(15), rel=1e-10)


@ALL
def test_a_row_of_zeros_has_no_direction_and_changes_nothing(measure):
    rng = np.random.default_rng(7)
    one, two = generic(5, 8, rng), generic(6, 8, rng)
    assert measure(of_texts(np.insert(one, 2, 0, axis=0), two)).value == measure(of_texts(one, two)).value


@pytest.mark.parametrize("measure", [PROMPT, PROMPT_SHARE], ids=lambda m: m.name)
def test_one_row_a_text_has_no_prompt_entropy_and_the_reason_says_what_to_choose(measure):
    rows = generic(6, 8, np.random.default_rng(8))
    assert "token policy with several rows a text" in measure(of_texts(*rows[:, None])).reason
    assert "not zero" in measure(of_texts(np.zeros((4, 8)))).reason


@pytest.mark.parametrize("measure", [DATASET, DATASET_SHARE], ids=lambda m: m.name)
def test_one_text_has_no_dataset_entropy(measure):
    rows = generic(6, 8, np.random.default_rng(9))
    assert "fewer than two texts" in measure(of_texts(rows)).reason
    assert "fewer than two texts" in measure(of_texts(rows, np.zeros((2, 8)))).reason


@pytest.mark.parametrize("measure", [DATASET, DATASET_SHARE], ids=lambda m: m.name)
def test_texts_whose_tokens_all_cancel_have_no_dataset_entropy(measure):
    opposite = np.stack([np.eye(4)[0], -np.eye(4)[0]])
    assert "every vector is zero" in measure(of_texts(opposite, opposite)).reason


@pytest.mark.parametrize("measure", [PROMPT_SHARE, DATASET_SHARE], ids=lambda m: m.name)
def test_rows_of_one_column_have_no_share_of_the_largest_entropy(measure):
    rows = np.arange(1.0, 5)[:, None]
    assert "one column" in measure(of_texts(rows, rows)).reason
    assert PROMPT(of_texts(rows, rows)).value == 0
