"""Linear CKA: linear_cka_biased and linear_cka_debiased."""

import itertools

import numpy as np
import pytest

from analysis import registry
from analysis.measure import Measure
from tests.synthetic import generic, generic_pair, rotated

BIASED, DEBIASED = registry.get("linear_cka_biased"), registry.get("linear_cka_debiased")
both = pytest.mark.parametrize("measure", [BIASED, DEBIASED], ids=lambda measure: measure.name)


def reference_pair() -> tuple[np.ndarray, np.ndarray]:
    """The pair of the google-research CKA Colab (Kornblith et al. 2019): its legacy seed gives the same data today."""
    state = np.random.RandomState(1337)
    x = state.randn(100, 10)
    return x, state.randn(100, 10) + x


def centred_gram(x: np.ndarray) -> np.ndarray:
    """H K H with the centring matrix written out."""
    return doubly_centred(x @ x.T)


def doubly_centred(gram: np.ndarray) -> np.ndarray:
    h = np.eye(len(gram)) - np.ones((len(gram), len(gram))) / len(gram)
    return h @ gram @ h


def u_centred_gram(x: np.ndarray) -> np.ndarray:
    return u_centred(x @ x.T)


def u_centred(gram: np.ndarray) -> np.ndarray:
    """Szekely & Rizzo's U-centring: zero diagonal, rows that sum to zero."""
    n, gram = len(gram), gram.copy()
    np.fill_diagonal(gram, 0.0)
    sums = gram.sum(axis=0)
    centred = gram - sums[:, None] / (n - 2) - sums[None, :] / (n - 2) + gram.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(centred, 0.0)
    return centred


def song(x: np.ndarray, y: np.ndarray) -> float:
    """HSIC_1, equation 5 of Song et al. 2012, term by term."""
    n, k, m = len(x), x @ x.T, y @ y.T
    np.fill_diagonal(k, 0.0)
    np.fill_diagonal(m, 0.0)
    ones = np.ones(n)
    return float((np.trace(k @ m) + (ones @ k @ ones) * (ones @ m @ ones) / ((n - 1) * (n - 2))
                  - 2 / (n - 2) * (ones @ k @ m @ ones)) / (n * (n - 3)))


def cosine(k: np.ndarray, m: np.ndarray) -> float:
    return float(np.sum(k * m) / np.sqrt(np.sum(k * k) * np.sum(m * m)))


def kernel_cosine(measure: Measure, x: np.ndarray, y: np.ndarray, **params: int) -> float:
    """The measure as its record's kernel says it: HSIC of the whole Gram matrices, normalised."""
    whole = [measure.kernel.rows(measure.kernel.prepare(z, **measure.settings(params)), slice(None)) for z in (x, y)]
    return cosine(*((u_centred if measure.kernel.debiased else doubly_centred)(gram) for gram in whole))


def participation_ratio(x: np.ndarray) -> float:
    eigenvalues = np.linalg.eigvalsh(np.cov(x.T))
    return float(eigenvalues.sum()**2 / np.sum(eigenvalues**2))


@both
@pytest.mark.parametrize("shape", [(60, 12), (20, 40)])
def test_a_rotated_scaled_and_shifted_copy_scores_one(measure, shape):
    rng = np.random.default_rng(0)
    x = generic(*shape, rng)
    assert measure(x, rotated(x, rng, scale=-41.0, shift=9.0)).value == pytest.approx(1.0, abs=1e-12)


def test_orthogonal_sides_score_zero_when_biased():
    q, _ = np.linalg.qr(np.column_stack([np.ones(40), np.random.default_rng(1).standard_normal((40, 8))]))
    assert BIASED(q[:, 1:5], q[:, 5:9]).value == pytest.approx(0.0, abs=1e-15)


def test_shared_directions_of_equal_variance_score_their_share():
    """4 of 8 whitened directions shared: ||Qx'Qy||^2 / sqrt(8 * 8) = 4 / 8."""
    q, _ = np.linalg.qr(np.column_stack([np.ones(60), np.random.default_rng(2).standard_normal((60, 12))]))
    assert BIASED(q[:, 1:9], q[:, 5:13]).value == pytest.approx(0.5, rel=1e-12)


@pytest.mark.parametrize(("d1", "d2"), [(2, 3), (5, 9)])
def test_over_all_permutations_biased_cka_averages_its_stated_chance_and_debiased_zero(d1, d2):
    rng = np.random.default_rng(3)
    x, y = generic(6, d1, rng), generic(6, d2, rng)
    orders = [list(order) for order in itertools.permutations(range(6))]
    biased = [BIASED(x, y[order]).value for order in orders]
    debiased = [DEBIASED(x, y[order]).value for order in orders]
    expected = np.sqrt(participation_ratio(x) * participation_ratio(y)) / 5
    assert len(orders) == 720
    assert np.mean(biased) == pytest.approx(expected, rel=1e-13)
    assert np.mean(debiased) == pytest.approx(0.0, abs=1e-14)
    assert BIASED(x, y).chance == pytest.approx(expected, rel=1e-13)
    assert DEBIASED(x, y).chance == 0.0
    assert max(debiased) > 0.1 and min(debiased) < -0.1, "an average over values that differ"


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e3, 1e6])
@both
def test_scale_over_twelve_decades_changes_nothing(measure, scale):
    x, y = reference_pair()
    value = measure(x, y).value
    assert measure(scale * x, y).value == pytest.approx(value, rel=1e-12)
    assert measure(x, scale * y).value == pytest.approx(value, rel=1e-12)
    assert measure(scale * x, scale * y).value == pytest.approx(value, rel=1e-12)


def test_wide_unrelated_rows_look_alike_to_the_biased_measure_only():
    """n = 100, p = q = 1000: sqrt(pq / ((n + p)(n + q))) = 0.909 (research notes, 3.3)."""
    rng = np.random.default_rng(42)
    x, y = rng.standard_normal((100, 1000)), rng.standard_normal((100, 1000))
    assert BIASED(x, y).value == pytest.approx(1000 / 1100, abs=0.01)
    assert BIASED(x, y).chance == pytest.approx(BIASED(x, y).value, abs=0.01)
    assert abs(DEBIASED(x, y).value) < 0.03


@pytest.mark.parametrize("shapes", [(60, 10, 25), (20, 50, 70), (30, 12, 45), (30, 45, 12), (4, 3, 2)])
def test_both_agree_with_the_definition_on_gram_matrices(shapes):
    x, y = generic_pair(*shapes, np.random.default_rng(4))
    assert BIASED(x, y).value == pytest.approx(cosine(centred_gram(x), centred_gram(y)), rel=1e-10)
    assert DEBIASED(x, y).value == pytest.approx(cosine(u_centred_gram(x), u_centred_gram(y)), rel=1e-9)


@pytest.mark.parametrize("shapes", [(60, 10, 25), (20, 50, 70)])
def test_the_debiased_measure_agrees_with_song_term_by_term(shapes):
    x, y = generic_pair(*shapes, np.random.default_rng(5))
    assert DEBIASED(x, y).value == pytest.approx(song(x, y) / np.sqrt(song(x, x) * song(y, y)), rel=1e-9)


@both
def test_columns_of_zeros_that_cross_the_branch_on_width_change_nothing(measure):
    x, y = generic_pair(40, 15, 25, np.random.default_rng(6))
    value = measure(x, y).value
    for wide_x, wide_y in [(0, 80), (80, 0), (80, 80)]:
        padded = (np.hstack([x, np.zeros((40, wide_x))]), np.hstack([y, np.zeros((40, wide_y))]))
        assert measure(*padded).value == pytest.approx(value, rel=1e-12)


@both
def test_a_mean_a_million_times_the_spread_does_not_ruin_it(measure):
    x, y = reference_pair()
    assert measure(x + 1e6, y - 1e6).value == pytest.approx(measure(x, y).value, rel=1e-8)


def test_the_golden_values_of_the_reference_pair():
    """Printed by the google-research CKA Colab as 0.55761 and 0.51346; full digits reproduced with netrep, rsatoolbox,
    anatome and ckatorch (research notes, similarity, section 6)."""
    x, y = reference_pair()
    assert BIASED(x, y).value == pytest.approx(0.557613256612, abs=1e-12)
    assert DEBIASED(x, y).value == pytest.approx(0.513456489506, abs=1e-12)


@pytest.mark.parametrize("value", [0.0, 2.0, 0.1, 1e6 / 3])
@both
def test_a_side_whose_rows_are_all_the_same_is_undefined(measure, value):
    y = generic(100, 5, np.random.default_rng(7))
    for pair in ((np.full((100, 8), value), y), (y, np.full((100, 8), value))):
        result = measure(*pair)
        assert "no similarity with itself" in result.reason
        assert np.isnan(result.value)


@pytest.mark.parametrize("k", [5, 8, 13])
def test_rows_all_equally_far_apart_have_no_debiased_value(k):
    """Off the diagonal the Gram matrix is constant, so U-centring leaves exactly 0."""
    y = generic(k, 5, np.random.default_rng(8))
    assert "no similarity with itself" in DEBIASED(0.7 * np.eye(k), y).reason
    assert BIASED(0.7 * np.eye(k), y).defined


@both
@pytest.mark.parametrize("shapes", [(40, 12, 25), (20, 50, 70), (4, 3, 2)])
def test_the_kernel_of_the_record_gives_the_value_of_the_function(measure, shapes):
    x, y = generic_pair(*shapes, np.random.default_rng(9))
    assert kernel_cosine(measure, x, y) == pytest.approx(measure(x, y).value, rel=1e-12, abs=1e-12)


@both
def test_rows_of_the_kernel_are_those_of_the_centred_gram_matrix(measure):
    x = generic(30, 8, np.random.default_rng(10)) + 1e3
    state, which = measure.kernel.prepare(x), np.array([7, 0, 7, 29])
    np.testing.assert_allclose(measure.kernel.rows(state, which), centred_gram(x)[which], atol=1e-9)
    np.testing.assert_allclose(measure.kernel.rows(state, slice(3, 9)), centred_gram(x)[3:9], atol=1e-9)
