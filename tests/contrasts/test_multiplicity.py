"""Corrections for many tests: against their definitions, and what they promise in a simulation."""

import numpy as np
import pytest

from analysis.contrasts.multiplicity import BH, BY, HOLM, SAYS, adjusted

P = [0.01, 0.04, 0.03, 0.005]


def test_holm_is_the_textbook_example():
    assert adjusted(P)[HOLM] == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_benjamini_hochberg_is_the_textbook_example():
    assert adjusted(P)[BH] == pytest.approx([0.02, 0.04, 0.04, 0.02])


def test_benjamini_yekutieli_is_benjamini_hochberg_times_the_harmonic_number():
    found = adjusted(P)
    assert found[BY] == pytest.approx(np.minimum(1, found[BH] * (1 + 1 / 2 + 1 / 3 + 1 / 4)))


@pytest.mark.parametrize("seed", range(3))
def test_holm_rejects_what_stepping_down_rejects(seed):
    p = np.random.default_rng(seed).beta(0.3, 2, 30)
    for limit in (0.01, 0.05, 0.3):
        rejected, order = set(), np.argsort(p)
        for place, index in enumerate(order):
            if p[index] > limit / (len(p) - place):
                break
            rejected.add(int(index))
        assert set(np.flatnonzero(adjusted(p)[HOLM] <= limit).tolist()) == rejected


def test_equal_p_are_adjusted_alike_and_none_is_above_1():
    for values in adjusted([0.5, 0.5, 0.9, 0.02]).values():
        assert values[0] == values[1] and values.max() <= 1


def test_no_test_at_all_gives_nothing():
    assert all(len(values) == 0 for values in adjusted([]).values()) and set(adjusted([])) == set(SAYS)


def test_where_nothing_is_true_each_correction_claims_anything_in_at_most_5_percent_and_none_in_many_more():
    rng, any_claim = np.random.default_rng(0), dict.fromkeys(SAYS, 0) | {"none": 0}
    for _ in range(400):
        p = rng.random(20)
        for name, values in (adjusted(p) | {"none": p}).items():
            any_claim[name] += bool(np.min(values) <= 0.05)
    assert all(any_claim[name] <= 34 for name in SAYS), any_claim  # 20 expected, and 3.3 standard deviations above
    assert any_claim["none"] > 200
