"""RankMe without its bias: rankme_covariance_richardson and rankme_covariance_first_order."""

import numpy as np
import pytest

from analysis import registry
from analysis.inference.halves import extrapolated
from analysis.measures.effective_rank import rankme_covariance
from analysis.textrows import TextRows
from tests.synthetic import documents, generic, power_law, power_law_gaussian, with_covariance_eigenvalues

PLUG_IN = registry.get("rankme_covariance")
RICHARDSON = registry.get("rankme_covariance_richardson")
FIRST_ORDER = registry.get("rankme_covariance_first_order")


def text_rows(x: np.ndarray, names=None) -> TextRows:
    """Rows with their documents; without names each row is its own."""
    names = np.arange(len(x)) if names is None else np.unique(np.asarray(names), return_inverse=True)[1]
    return TextRows(x, np.arange(len(x)), names, np.zeros(len(x), dtype=int))


def entropy(spectrum: np.ndarray) -> float:
    p = spectrum / spectrum.sum()
    return float(-np.sum(p * np.log(p)))


def pair_term(a: float, b: float) -> float:
    """L(a, b), as it is written."""
    return a if a == b else a * b * (np.log(a) - np.log(b)) / (a - b)


def errors(n: int, d: int, exponent: float, repeats: int) -> np.ndarray:
    """repeats x 3 errors of ln RankMe: of the plug-in value, of Richardson, of first order."""
    truth, found = entropy(power_law(d, exponent)), []
    for seed in range(repeats):
        x = power_law_gaussian(n, d, exponent, np.random.default_rng(seed))
        found.append([PLUG_IN(x).value, RICHARDSON(text_rows(x)).value, FIRST_ORDER(x).value])
    return np.log(found) - truth


@pytest.mark.parametrize("exponent", [0.0, 0.7, 1.0, 1.3])
@pytest.mark.parametrize("ratio", [2, 4])
def test_both_corrections_move_to_the_planted_truth_by_at_least_nine_and_eight_tenths_of_the_bias(exponent, ratio):
    found = errors(ratio * 60, 60, exponent, 100)
    bias, noise = found.mean(axis=0), 3 * found.std(axis=0) / np.sqrt(100)
    assert bias[0] < -2 * noise[0], "there is a bias to take away"
    assert abs(bias[1]) < 0.1 * abs(bias[0]) + noise[1]
    assert abs(bias[2]) < 0.2 * abs(bias[0]) + noise[2]


def test_at_sizes_of_the_research_notes_the_reported_numbers_come_out():
    """2000 Gaussian rows, 768 columns, exponent 0.7: 366.7 -> 422.7 by halves, 365.7 -> 414.3 to first order."""
    truth = np.exp(entropy(power_law(768, 0.7)))
    assert truth == pytest.approx(423.1, abs=0.05)
    x = power_law_gaussian(2000, 768, 0.7, np.random.default_rng(0))
    by_halves = np.exp(extrapolated(text_rows(x), lambda part: np.log(rankme_covariance(part)), splits=1))
    assert by_halves == pytest.approx(422.7, rel=0.005)
    assert by_halves == pytest.approx(truth, rel=0.005)
    assert FIRST_ORDER(x).value / PLUG_IN(x).value == pytest.approx(414.3 / 365.7, rel=0.001)


def test_pages_law_is_inverted_for_isotropic_rows():
    n, d = 400, 80
    draws = [np.random.default_rng(seed).standard_normal((n, d)) for seed in range(40)]
    assert np.mean([PLUG_IN(x).value for x in draws]) == pytest.approx(d * np.exp(-d / (2 * n)), rel=0.002)
    assert np.mean([RICHARDSON(text_rows(x)).value for x in draws]) == pytest.approx(d, rel=0.002)


@pytest.mark.parametrize("k", [1, 7, 30])
def test_for_k_equal_eigenvalues_the_first_order_correction_is_the_exponential_of_k_over_twice_n(k):
    rows = with_covariance_eigenvalues([4.0] * k + [0.0] * (30 - k), 80, np.random.default_rng(k))
    assert FIRST_ORDER(rows).value == pytest.approx(k * np.exp(k / (2 * 79)), rel=1e-12)


@pytest.mark.parametrize("spectrum", [power_law(20, 1.0), np.array([3.0, 3.0, 2.0, 2.0, 1e-9]),
                                      np.exp(-np.arange(12.0)), np.array([5.0, 1.0, 0.0, 0.0])])
def test_the_first_order_correction_agrees_with_a_loop_over_all_pairs(spectrum):
    positive = spectrum[spectrum > 0]
    p = positive / positive.sum()
    terms = sum(pair_term(float(a), float(b)) for a in p for b in p)
    rows = with_covariance_eigenvalues(spectrum, 90, np.random.default_rng(0))
    assert np.log(FIRST_ORDER(rows).value) == pytest.approx(entropy(positive) + terms / (2 * 89), rel=1e-9)


def test_nearly_equal_eigenvalues_are_corrected_like_equal_ones():
    """Written as a difference over a difference, L would lose every digit here."""
    equal, nearly = np.ones(20), 1 + 1e-13 * np.arange(20)[::-1]
    values = [FIRST_ORDER(with_covariance_eigenvalues(e, 90, np.random.default_rng(0))).value for e in (equal, nearly)]
    assert values[1] == pytest.approx(values[0], rel=1e-11)


@pytest.mark.parametrize("exponent", [0.0, 0.7, 1.0, 1.3])
def test_from_the_true_spectrum_the_law_predicts_the_plug_in_value(exponent):
    n, d = 480, 60
    p = power_law(d, exponent) / power_law(d, exponent).sum()
    predicted = entropy(p) - sum(pair_term(float(a), float(b)) for a in p for b in p) / (2 * (n - 1))
    found = np.log([PLUG_IN(power_law_gaussian(n, d, exponent, np.random.default_rng(seed))).value
                    for seed in range(40)])
    assert found.mean() == pytest.approx(predicted, abs=0.006 + 2 * found.std() / np.sqrt(40))


def test_whole_documents_in_the_halves_correct_for_the_rows_that_repeat_each_other():
    """Equal covariance between and within documents: independent rows are assumed by first order, and by row halves."""
    scale, found = np.sqrt(power_law(40, 0.7)), []
    for seed in range(12):
        x, names = documents([6] * 60, 40, np.random.default_rng(seed))
        rows = x * scale
        found.append([PLUG_IN(rows).value, RICHARDSON(text_rows(rows, names)).value,
                      RICHARDSON(text_rows(rows)).value, FIRST_ORDER(rows).value])
    plug_in, by_document, by_row, first_order = np.log(found).mean(axis=0) - entropy(power_law(40, 0.7))
    assert plug_in < -0.1
    assert abs(by_document) < 0.15 * abs(plug_in)
    assert abs(by_row) > 0.4 * abs(plug_in)
    assert abs(first_order) > 0.4 * abs(plug_in)


def test_heavy_tails_leave_a_part_of_the_bias_as_the_caveats_say():
    d, found = 60, []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        x = power_law_gaussian(480, d, 0.7, rng) * np.sqrt(4 / rng.chisquare(4, (480, 1)))
        found.append([PLUG_IN(x).value, RICHARDSON(text_rows(x)).value, FIRST_ORDER(x).value])
    plug_in, richardson, first_order = np.log(found).mean(axis=0) - entropy(power_law(d, 0.7))
    assert plug_in < first_order < richardson < -0.01


def test_the_correction_would_still_help_at_as_many_rows_as_columns_but_leave_several_percent():
    """Why fewer than 2 d rows are refused: the law of 1 / n no longer holds."""
    d, biases = 60, []
    for seed in range(12):
        whole, half = (np.log(PLUG_IN(np.random.default_rng(seed).standard_normal((60, d))[:n]).value)
                       for n in (60, 30))
        biases.append([whole - np.log(d), 2 * whole - half - np.log(d)])
    plug_in, extrapolation = np.mean(biases, axis=0)
    assert plug_in < -0.4
    assert -0.1 < extrapolation < -0.03


def test_too_few_rows_are_refused_with_the_number_that_is_needed():
    x = generic(119, 60, np.random.default_rng(1))
    assert "59 rows" in RICHARDSON(text_rows(x)).reason
    assert "needs 120 rows" in FIRST_ORDER(x).reason
    one_more = generic(120, 60, np.random.default_rng(1))
    assert RICHARDSON(text_rows(one_more)).defined and FIRST_ORDER(one_more).defined


def test_columns_without_variance_do_not_raise_the_number_of_rows_needed():
    x = np.hstack([generic(120, 60, np.random.default_rng(2)), np.ones((120, 60))])
    assert RICHARDSON(text_rows(x)).defined and FIRST_ORDER(x).defined


def test_one_document_and_equal_rows_have_no_corrected_value():
    x = generic(150, 20, np.random.default_rng(3))
    assert "at least 2 documents, got 1" in RICHARDSON(text_rows(x, [0] * 150)).reason
    for measure, rows in ((RICHARDSON, text_rows(np.full((100, 8), 0.1))), (FIRST_ORDER, np.full((100, 8), 0.1))):
        assert "every row is the same" in measure(rows).reason


def test_one_row_of_huge_norm_has_no_extrapolated_value_in_place_of_one_below_1():
    x = generic(200, 20, np.random.default_rng(4))
    x[3] *= 1e3
    result = RICHARDSON(text_rows(x))
    assert "below 1, which no spectrum has" in result.reason and np.isnan(result.value)
