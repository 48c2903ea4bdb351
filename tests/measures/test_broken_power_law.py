"""A power law with one break: broken_power_law_head_alpha, _tail_alpha, _break_rank and _gain."""

import numpy as np
import pytest

from analysis import registry
from analysis.measures.broken_power_law import broken_line
from analysis.measures.spectrum_decay import decay_line
from tests.synthetic import generic, power_law, power_law_gaussian, with_covariance_eigenvalues

HEAD, TAIL = registry.get("broken_power_law_head_alpha"), registry.get("broken_power_law_tail_alpha")
BREAK, GAIN = registry.get("broken_power_law_break_rank"), registry.get("broken_power_law_gain")
FOUR = pytest.mark.parametrize("measure", [HEAD, TAIL, BREAK, GAIN], ids=lambda measure: measure.name)


def broken_spectrum(d: int, head: float, tail: float, at: int) -> np.ndarray:
    """k^-head up to a rank and from there on falling as k^-tail, without a jump."""
    ranks = np.arange(1, d + 1)
    return np.where(ranks <= at, ranks**-head, at**(tail - head) * ranks**-tail)


def by_trying_each_break(eigenvalues: np.ndarray, first: int, last: int) -> tuple[float, ...]:
    """Least squares solved anew for each break: rank, head, tail, ln-intercept and gain of the best."""
    ranks = np.arange(first, last + 1)
    x, y, root = np.log(ranks), np.log(eigenvalues[first - 1:last]), ranks**-0.5

    def misfit(columns):
        design = np.column_stack(columns)
        solved = np.linalg.lstsq(design * root[:, None], y * root, rcond=None)[0]
        return np.sum((root * (y - design @ solved))**2), solved

    single, _ = misfit([np.ones_like(x), x])
    found = []
    for at in range(first + 3, last - 2):
        rss, (intercept, head, change) = misfit([np.ones_like(x), x, np.maximum(x - np.log(at), 0)])
        found.append((rss, at, -head, -head - change, intercept))
    rss, *line = min(found)
    return *line, 1 - rss / single


@pytest.mark.parametrize(("head", "tail"), [(0.5, 1.5), (1.2, 0.4), (0.0, 2.0)])
@pytest.mark.parametrize("at", [6, 17, 40])
def test_a_planted_break_is_found_with_both_its_exponents(head, tail, at):
    spectrum = np.sort(3.0 * broken_spectrum(60, head, tail, at))[::-1]
    rows = with_covariance_eigenvalues(spectrum, 120, np.random.default_rng(0))
    assert HEAD(rows).value == pytest.approx(head, abs=1e-9)
    assert TAIL(rows).value == pytest.approx(tail, abs=1e-9)
    assert BREAK(rows).value == at
    assert GAIN(rows).value == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("window", [(2, 50), (1, 60), (5, 11), (20, 40)])
@pytest.mark.parametrize("seed", range(4))
def test_it_agrees_with_a_least_squares_fit_of_each_break_in_turn(seed, window):
    spectrum = np.sort(np.random.default_rng(seed).exponential(size=60) + 1e-3)[::-1]
    line = broken_line(spectrum, *window)
    assert (line.break_rank, line.head_alpha, line.tail_alpha, line.intercept, line.gain) \
        == pytest.approx(by_trying_each_break(spectrum, *window), rel=1e-7)


def test_a_break_at_the_first_or_last_rank_that_leaves_four_to_each_piece_is_found_and_no_other():
    for planted, found in ((5, 5), (47, 47), (3, 5), (49, 47)):
        assert broken_line(broken_spectrum(60, 0.5, 1.5, planted), 2, 50).break_rank == found


def test_the_line_that_is_drawn_goes_through_an_exact_broken_power_law():
    spectrum = broken_spectrum(60, 0.6, 1.4, 12)
    ranks = np.arange(2, 51)
    np.testing.assert_allclose(broken_line(spectrum, 2, 50).log_eigenvalues(ranks), np.log(spectrum[1:50]), atol=1e-12)


def test_the_gain_is_the_share_of_the_misfit_of_a_single_line_that_the_drawn_line_removes():
    spectrum = np.sort(np.random.default_rng(5).exponential(size=60) + 1e-3)[::-1]
    ranks, line, (alpha, intercept) = np.arange(2, 51), broken_line(spectrum, 2, 50), decay_line(spectrum, 2, 50)
    broken, single = (np.sum((np.log(spectrum[1:50]) - fitted)**2 / ranks)
                      for fitted in (line.log_eigenvalues(ranks), intercept - alpha * np.log(ranks)))
    assert line.gain == pytest.approx(1 - broken / single, rel=1e-9)


def test_an_exact_power_law_has_both_exponents_equal_and_no_break():
    for spectrum in (power_law(60, 1.3), np.full(60, 2.0), power_law(60, 4.0)):
        rows = with_covariance_eigenvalues(5.0 * spectrum, 120, np.random.default_rng(1))
        assert HEAD(rows).value == pytest.approx(TAIL(rows).value, abs=1e-6)
        for measure in (BREAK, GAIN):
            assert "a single power law is exact" in measure(rows).reason


def test_a_bend_of_a_thousandth_is_not_taken_for_rounding():
    rows = with_covariance_eigenvalues(broken_spectrum(60, 1.0, 1.001, 15), 120, np.random.default_rng(2))
    assert (BREAK(rows).value, GAIN(rows).value) == pytest.approx((15, 1.0), rel=1e-9)


def test_a_power_law_seen_through_sampling_gains_little_and_a_true_break_much():
    """The declared null: about 0.1 to 0.2 without a break."""
    straight = [GAIN(power_law_gaussian(1200, 100, 0.7, np.random.default_rng(seed))).value for seed in range(12)]
    bent = [GAIN(np.random.default_rng(seed).standard_normal((1200, 100))
                 * np.sqrt(broken_spectrum(100, 0.3, 1.3, 12))).value for seed in range(3)]
    assert 0.02 < np.mean(straight) < 0.4
    assert min(bent) > 0.9


def test_noise_is_curved_so_that_it_gains_more_than_nine_tenths():
    gains = [GAIN(np.random.default_rng(seed).standard_normal((600, 100))).value for seed in range(8)]
    assert np.mean(gains) > 0.9


@pytest.mark.parametrize("measure", [HEAD, TAIL], ids=lambda measure: measure.name)
def test_simulated_noise_has_the_chance_level_on_average(measure):
    results = [measure(np.random.default_rng(seed).standard_normal((300, 100))) for seed in range(20)]
    values = np.array([result.value for result in results])
    assert results[0].chance == pytest.approx(values.mean(), rel=0.02, abs=3 * values.std() / np.sqrt(20))


def test_a_step_can_make_a_piece_rise_although_eigenvalues_never_do():
    spectrum = np.where(np.arange(1, 61) <= 2, 1.0, 0.01)
    assert broken_line(spectrum, 2, 50).tail_alpha < 0


@FOUR
def test_a_window_longer_than_the_spectrum_is_undefined_and_one_of_six_ranks_is_refused(measure):
    rows = generic(150, 40, np.random.default_rng(3))
    assert "rank 50 and only 40 eigenvalues are positive" in measure(rows).reason
    assert measure(rows, last_rank=40).defined
    with pytest.raises(ValueError, match="at least 7 ranks, got the window 2-7"):
        measure(rows, last_rank=7)


@FOUR
def test_equal_rows_have_no_spectrum_to_break(measure):
    assert "only 0 eigenvalues" in measure(np.full((100, 60), 0.1)).reason
