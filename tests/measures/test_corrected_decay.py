"""The decay exponent without its bias: alpha_richardson."""

import numpy as np
import pytest

from analysis import registry
from analysis.inference.halves import halves
from analysis.textrows import TextRows
from tests.synthetic import documents, generic, power_law, power_law_gaussian

PLUG_IN, RICHARDSON = registry.get("alpha_weighted_least_squares"), registry.get("alpha_richardson")


def text_rows(x: np.ndarray, names=None) -> TextRows:
    """Rows with their documents; without names each row is its own."""
    names = np.arange(len(x)) if names is None else np.unique(np.asarray(names), return_inverse=True)[1]
    return TextRows(x, np.arange(len(x)), names, np.zeros(len(x), dtype=int))


def errors(n: int, d: int, exponent: float, window: tuple[int, int], repeats: int) -> np.ndarray:
    """repeats x 2 errors of alpha: of the plug-in value and of Richardson."""
    given, found = {"first_rank": window[0], "last_rank": window[1]}, []
    for seed in range(repeats):
        x = power_law_gaussian(n, d, exponent, np.random.default_rng(seed))
        found.append([PLUG_IN(x, **given).value, RICHARDSON(text_rows(x), **given).value])
    return np.array(found) - exponent


def summary(found: np.ndarray) -> tuple[np.ndarray, float]:
    """Both biases, and three standard errors of that of Richardson."""
    return found.mean(axis=0), 3 * found[:, 1].std() / np.sqrt(len(found))


@pytest.mark.parametrize("exponent", [0.7, 1.0, 1.3])
def test_over_a_small_part_of_the_spectrum_the_downward_bias_goes(exponent):
    """Ranks 4 to 14 of 160 at n = 3.2 d."""
    (bias, left), noise = summary(errors(512, 160, exponent, (4, 14), 60))
    assert bias < 0
    assert abs(left) < 0.15 * abs(bias) + noise


@pytest.mark.parametrize("exponent", [0.7, 1.0, 1.3])
@pytest.mark.parametrize("ratio", [2, 4])
def test_over_most_of_the_spectrum_most_of_the_upward_bias_goes(exponent, ratio):
    """Ranks 5 to 50 of 64: at n = 4 d more than two thirds go, at n = 2 d a third."""
    (bias, left), noise = summary(errors(ratio * 64, 64, exponent, (5, 50), 16))
    assert bias > 0.05
    assert abs(left) < (0.67 if ratio == 2 else 0.33) * bias + noise


def test_between_the_two_the_biases_nearly_cancel_and_it_is_the_worse_as_the_caveats_say():
    """Ranks 5 to 30 of 96 at n = 2 d, exponent 0.7."""
    (bias, left), noise = summary(errors(192, 96, 0.7, (5, 30), 40))
    assert abs(bias) + noise < abs(left) < 0.07


def test_it_is_noisier_than_the_plug_in_value_as_the_caveats_say():
    spread = errors(512, 160, 1.0, (4, 14), 60).std(axis=0)
    assert 1.0 < spread[1] / spread[0] < 1.4


def test_alpha_of_noise_falls_as_one_over_the_root_of_n_so_that_six_tenths_are_left():
    found = errors(800, 100, 0.0, (11, 50), 10).mean(axis=0)
    assert found[1] / found[0] == pytest.approx(2 - 2**0.5, abs=0.05)


def test_it_is_twice_the_alpha_of_all_rows_less_the_mean_alpha_of_halves_of_equal_size():
    x, names = documents([6] * 40, 60, np.random.default_rng(0))
    rows = text_rows(x * np.sqrt(power_law(60, 0.8)), names)
    of_halves = [PLUG_IN(rows.x[side]).value for first in halves(rows) for side in (first, ~first)]
    assert RICHARDSON(rows).value == pytest.approx(2 * PLUG_IN(rows.x).value - np.mean(of_halves), rel=1e-10)


def test_whole_documents_in_the_halves_correct_for_the_rows_that_repeat_each_other():
    found, given, scale = [], {"first_rank": 5, "last_rank": 50}, np.sqrt(power_law(64, 0.7))
    for seed in range(12):
        x, names = documents([4] * 128, 64, np.random.default_rng(seed))
        rows = x * scale
        found.append([PLUG_IN(rows, **given).value, RICHARDSON(text_rows(rows, names), **given).value,
                      RICHARDSON(text_rows(rows), **given).value])
    plug_in, by_document, by_row = np.mean(found, axis=0) - 0.7
    assert plug_in > 0.05
    assert abs(by_document) < abs(by_row) < plug_in


def test_it_takes_the_same_window_as_the_plug_in_value():
    assert RICHARDSON.settings() == PLUG_IN.settings()
    x = generic(240, 60, np.random.default_rng(1))
    assert RICHARDSON(text_rows(x), first_rank=3, last_rank=20).value != RICHARDSON(text_rows(x)).value


def test_what_halves_cannot_give_is_undefined_with_its_reason():
    x = generic(240, 60, np.random.default_rng(2))
    assert "at least 2 documents, got 1" in RICHARDSON(text_rows(x, [0] * 240)).reason
    assert "59 rows" in RICHARDSON(text_rows(x[:119])).reason
    assert "rank 61 and only 60 eigenvalues" in RICHARDSON(text_rows(x), last_rank=61).reason
    assert "rank 60 and only 59 eigenvalues" in RICHARDSON(text_rows(x[:120]), last_rank=60).reason
    assert RICHARDSON(text_rows(x[:120])).defined
