"""Measures of a weight matrix: known answers, numpy beside them, theorems, and what has no value."""

import numpy as np
import pytest
from scipy import stats

from analysis.measure import Measure
from analysis.references import citation, entries
from analysis.registry import all_measures
from analysis.weight_measures import BY_NAME, MEASURES, MatrixSpectrum, power_law_tail

SHAPES = [(48, 48), (80, 40), (40, 80)]
SCALES = [1e-30, 1.0, 1e200]
SCALE_FREE = ["weight_effective_rank", "weight_stable_rank", "weight_density_exponent", "weight_relative_change",
              "weight_change_stable_rank"]


def random(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def spread(values, shape=(60, 50), seed=3):
    """A matrix with these singular values and random singular vectors."""
    left, right = (np.linalg.qr(random((size, size), seed + side))[0] for side, size in enumerate(shape))
    values = np.asarray(values, dtype=float)
    return left[:, :len(values)] * values @ right[:len(values)]


def measured(name, matrix, before=None):
    return BY_NAME[name](MatrixSpectrum.of(matrix, before))


def oracle(name, matrix, before):
    """Each measure once more, from numpy's own norms and without the spectrum that is shared."""
    values = np.linalg.svd(matrix, compute_uv=False)
    shares = values / values.sum()
    stable = np.linalg.norm(matrix) ** 2 / np.linalg.norm(matrix, 2) ** 2
    return {"weight_effective_rank": np.prod(shares ** -shares), "weight_stable_rank": stable,
            "weight_frobenius_norm": np.sqrt((matrix ** 2).sum()), "weight_change_stable_rank": stable,
            "weight_relative_change": np.linalg.norm(matrix) / before if before else None,
            "weight_density_exponent": slow_fit(np.linalg.eigvalsh(matrix.T @ matrix)[-len(values):])}[name]


def slow_fit(eigenvalues):
    """Clauset's procedure with scipy's maximum-likelihood Pareto, one candidate after the other."""
    found = []
    for xmin in np.sort(eigenvalues)[:-1]:
        tail = np.sort(eigenvalues[eigenvalues >= xmin])
        shape = stats.pareto.fit(tail, floc=0, fscale=xmin)[0]
        below = np.searchsorted(tail, tail, side="left") / len(tail)
        found.append((np.abs(stats.pareto.cdf(tail, shape, scale=xmin) - below).max(), 1 + shape))
    return min(found)[1]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", BY_NAME)
def test_a_random_matrix_has_the_value_that_an_independent_computation_gives(name, shape):
    matrix = random(shape, seed=2)
    assert measured(name, matrix, 5.0).value == pytest.approx(oracle(name, matrix, 5.0), rel=1e-8)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", SCALE_FREE)
def test_the_scale_of_a_matrix_and_its_transposition_change_nothing(name, scale):
    matrix = spread(np.arange(1, 41)[::-1] ** 1.5)
    expected = measured(name, matrix, 2.0).value
    assert measured(name, matrix * scale, 2.0 * scale).value == pytest.approx(expected, rel=1e-9)
    assert measured(name, matrix.T * scale, 2.0 * scale).value == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("name", "value"), [
    ("weight_effective_rank", 7), ("weight_stable_rank", 7), ("weight_frobenius_norm", 2 * np.sqrt(7)),
    ("weight_relative_change", 2 * np.sqrt(7) / 4), ("weight_change_stable_rank", 7)])
def test_seven_equal_directions_are_counted_as_seven(name, value):
    assert measured(name, spread([2.0] * 7), before=4.0).value == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize("name", ["weight_effective_rank", "weight_stable_rank", "weight_change_stable_rank"])
def test_an_outer_product_has_one_dimension(name):
    assert measured(name, np.outer(random(30), random(20, 1))).value == pytest.approx(1, abs=1e-9)


def test_the_ranks_of_a_matrix_are_in_order():
    matrix = random((40, 25))
    stable, effective = (measured(f"weight_{kind}_rank", matrix).value for kind in ("stable", "effective"))
    assert 1 <= stable <= effective <= np.linalg.matrix_rank(matrix) == 25


@pytest.mark.parametrize("exponent", [1.5, 2.0, 3.0, 5.0])
def test_the_exponent_of_planted_pareto_samples_is_found_within_four_standard_errors(exponent):
    samples = 7.0 * (1 + np.random.default_rng(11).pareto(exponent - 1, 3000))
    found, count = power_law_tail(np.sort(np.log(samples)))
    assert found == pytest.approx(exponent, abs=4 * (exponent - 1) / np.sqrt(count))


def test_what_lies_below_the_tail_is_cut_off_by_the_choice_of_xmin():
    draw = np.random.default_rng(5)
    values = np.concatenate([10 * (1 + draw.pareto(1.5, 1500)), draw.uniform(1, 10, 1500)])
    found, count = power_law_tail(np.sort(np.log(values)))
    assert found == pytest.approx(2.5, abs=0.2) and 900 < count < 1900


@pytest.mark.parametrize("decay", [0.5, 1.0, 2.0])
def test_a_rank_decay_a_is_a_density_exponent_of_one_plus_one_over_a(decay):
    eigenvalues = np.arange(1, 2001.0) ** -decay
    spectrum = MatrixSpectrum(np.sqrt(eigenvalues))
    assert BY_NAME["weight_density_exponent"](spectrum).value == pytest.approx(1 + 1 / decay, rel=0.02)


def test_the_fit_agrees_with_the_powerlaw_package_where_that_is_installed():
    powerlaw = pytest.importorskip("powerlaw")
    samples = 3 * (1 + np.random.default_rng(0).pareto(1.5, 400))
    fit = powerlaw.Fit(samples, verbose=False)
    assert power_law_tail(np.sort(np.log(samples))) == (pytest.approx(fit.power_law.alpha, rel=1e-9),
                                                        (samples >= fit.xmin).sum())


@pytest.mark.parametrize(("name", "matrix", "before", "reason"), [
    ("weight_effective_rank", np.zeros((5, 4)), None, "every weight of the matrix is zero"),
    ("weight_stable_rank", np.zeros((5, 4)), None, "every weight of the matrix is zero"),
    ("weight_density_exponent", np.zeros((20, 14)), None, "every weight of the matrix is zero"),
    ("weight_density_exponent", random((9, 9)), None, "9 eigenvalues above zero, and 10"),
    ("weight_density_exponent", spread([3.0, 2.0, 1.0]), None, "3 eigenvalues above zero, and 10"),
    ("weight_density_exponent", np.eye(30), None, "all equal"),
    ("weight_density_exponent", np.linalg.qr(random((64, 64)))[0], None, "all equal"),
    ("weight_density_exponent", spread(np.sqrt([*1000 / (np.arange(1, 10) / 9), *np.linspace(1.001, 1, 31)])), None,
     "fits best to 9 eigenvalues alone, and 10"),
    ("weight_relative_change", random((5, 4)), 0.0, "zero in the reference"),
    ("weight_change_stable_rank", np.zeros((5, 4)), 1.0, "is that of the reference")], ids=range(10))
def test_what_has_no_value_says_why(name, matrix, before, reason):
    found = measured(name, matrix, before)
    assert np.isnan(found.value) and reason in found.reason


def test_no_change_is_a_share_of_zero_and_a_zero_matrix_has_no_size():
    assert measured("weight_relative_change", np.zeros((5, 4)), 3.0).value == 0
    assert measured("weight_frobenius_norm", np.zeros((5, 4))).value == 0


@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: m.name)
def test_a_record_says_all_that_a_page_shows(measure):
    assert measure.name not in all_measures(), "a name belongs to one kind of measure"
    assert measure.summary.endswith(".") and measure.equation
    assert measure.label and measure.symbol and measure.direction and measure.caveats and measure.null
    assert measure.bounds[0] in (0, 1) and measure.uncertainty.startswith("none, because")
    assert measure.reference in entries() and citation(measure.reference)
    shown = {"name", "label", "symbol", "unit", "bounds", "direction", "caveats", "reference", "null", "version",
             "uncertainty", "log_scale"}
    assert shown <= set(Measure.__dataclass_fields__), "one name for what figures and cards read"


def test_the_density_exponent_cannot_be_taken_for_alpha_req():
    measure, other = BY_NAME["weight_density_exponent"], all_measures()["alpha_weighted_least_squares"]
    assert "α" not in measure.label + measure.symbol and measure.reference != other.reference
    assert all(word in measure.caveats for word in ("WeightWatcher", "alpha-ReQ", "1 + 1/a"))
