"""Effective number of shared dimensions: ensd and ensd_debiased."""

import itertools

import numpy as np
import pytest

from analysis import registry
from tests.measures.test_procrustes import reference_pair
from tests.synthetic import documents, generic, generic_pair, rotated

PLAIN, DEBIASED = registry.get("ensd"), registry.get("ensd_debiased")
RATIO, CORRECTED = registry.get("participation_ratio"), registry.get("participation_ratio_row_corrected")
both = pytest.mark.parametrize("measure", [PLAIN, DEBIASED], ids=lambda measure: measure.name)


def ensd_by_traces(x: np.ndarray, y: np.ndarray) -> float:
    """PR(X) PR(Y) tr(KL / (tr K tr L)), as the authors' tutorial writes it, on centred Gram matrices."""
    k, m = (side @ side.T for side in (x - x.mean(axis=0), y - y.mean(axis=0)))
    ratios = np.trace(k)**2 / np.trace(k @ k) * np.trace(m)**2 / np.trace(m @ m)
    return float(ratios * np.trace(k @ m) / np.trace(k) / np.trace(m))


@pytest.mark.parametrize("shapes", [(60, 8, 12), (20, 40, 30), (20, 40, 5)])
def test_it_agrees_with_the_definition_by_traces(shapes):
    x, y = generic_pair(*shapes, np.random.default_rng(0))
    assert PLAIN(x, y).value == pytest.approx(ensd_by_traces(x, y), rel=1e-11)


@pytest.mark.parametrize(("p", "q", "shared"), [(8, 8, 4), (8, 5, 3), (2, 9, 1), (6, 6, 0)])
def test_shared_directions_of_equal_variance_are_counted(p, q, shared):
    basis, _ = np.linalg.qr(np.column_stack([np.ones(60), np.random.default_rng(1).standard_normal((60, 20))]))
    x, y = basis[:, 1:1 + p], basis[:, 1 + p - shared:1 + p - shared + q]
    assert PLAIN(x, y).value == pytest.approx(shared, rel=1e-12, abs=1e-13)


@pytest.mark.parametrize("shape", [(60, 12), (20, 40)])
def test_with_a_rotated_scaled_and_shifted_copy_all_dimensions_are_shared(shape):
    rng = np.random.default_rng(2)
    x = generic(*shape, rng)
    copy = rotated(x, rng, scale=-41.0, shift=9.0)
    assert PLAIN(x, copy).value == pytest.approx(RATIO(x).value, rel=1e-11)
    assert DEBIASED(x, copy).value == pytest.approx(CORRECTED(x).value, rel=1e-10)


@pytest.mark.parametrize("seed", range(5))
def test_no_more_are_shared_than_the_geometric_mean_of_the_participation_ratios(seed):
    x, y = generic_pair(50, 9, 14, np.random.default_rng(seed))
    assert 0 < PLAIN(x, y).value < np.sqrt(RATIO(x).value * RATIO(y).value)


def test_it_is_cka_times_the_geometric_mean_of_the_participation_ratios():
    x, y = generic_pair(50, 9, 14, np.random.default_rng(3))
    cka = registry.get("linear_cka_biased")(x, y).value
    assert PLAIN(x, y).value == pytest.approx(cka * np.sqrt(RATIO(x).value * RATIO(y).value), rel=1e-12)


@pytest.mark.parametrize(("d1", "d2"), [(2, 3), (5, 9)])
def test_over_all_permutations_they_average_their_stated_chance(d1, d2):
    rng = np.random.default_rng(4)
    x, y = generic(6, d1, rng), generic(6, d2, rng)
    orders = [list(order) for order in itertools.permutations(range(6))]
    plain, debiased = ([measure(x, y[order]).value for order in orders] for measure in (PLAIN, DEBIASED))
    assert np.mean(plain) == pytest.approx(RATIO(x).value * RATIO(y).value / 5, rel=1e-12)
    assert PLAIN(x, y).chance == pytest.approx(np.mean(plain), rel=1e-12)
    assert np.mean(debiased) == pytest.approx(0.0, abs=1e-12)
    assert DEBIASED(x, y).chance == 0.0
    assert max(debiased) > 0.1 and min(debiased) < -0.1, "an average over values that differ"


def test_debiasing_brings_few_rows_to_the_value_of_many():
    """One of eight equal directions shared: 1 dimension, whatever the number of rows."""
    values = {measure.name: [] for measure in (PLAIN, DEBIASED)}
    for seed in range(60):
        z = np.random.default_rng(seed).standard_normal((40, 15))
        for measure in (PLAIN, DEBIASED):
            values[measure.name].append(measure(z[:, :8], z[:, 7:]).value)
    assert np.mean(values["ensd_debiased"]) == pytest.approx(1.0, abs=0.12)
    assert np.mean(values["ensd"]) > 1.6


def test_rows_of_few_documents_fake_shared_dimensions_as_the_caveat_says():
    rng = np.random.default_rng(5)
    x, y = (documents([20] * 15, 10, rng)[0] for _ in range(2))
    assert DEBIASED(x, y).value > 1.0
    assert abs(DEBIASED(x[::20], y[::20]).value) < 4.0
    assert "rows of one document" in DEBIASED.caveats


def test_the_values_of_the_reference_pair_follow_from_its_golden_cka():
    """CKA 0.557613256612 and 0.513456489506 by the google-research Colab (research notes, similarity, section 6)."""
    x, y = reference_pair()
    assert PLAIN(x, y).value == pytest.approx(0.557613256612 * np.sqrt(RATIO(x).value * RATIO(y).value), rel=2e-12)
    assert DEBIASED(x, y).value == pytest.approx(
        0.513456489506 * np.sqrt(CORRECTED(x).value * CORRECTED(y).value), rel=2e-12)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 / 3])
@both
def test_a_side_whose_rows_are_all_the_same_is_undefined(measure, value):
    y = generic(50, 5, np.random.default_rng(6))
    for pair in ((np.full((50, 8), value), y), (y, np.full((50, 8), value))):
        assert measure(*pair).reason and np.isnan(measure(*pair).value)


def test_rows_all_equally_far_apart_have_no_debiased_value():
    y = generic(8, 5, np.random.default_rng(7))
    assert DEBIASED(0.7 * np.eye(8), y).reason
    assert PLAIN(0.7 * np.eye(8), y).defined
