"""trajectory_curvature: the angle between successive steps along a text."""

import numpy as np
import pytest

from analysis import registry
from analysis.textrows import TextRows
from tests.synthetic import generic, rotated

CURVATURE = registry.get("trajectory_curvature")


def of_texts(*texts: np.ndarray, positions: list[np.ndarray] | None = None) -> TextRows:
    numbers = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    return TextRows(np.concatenate(texts), numbers, numbers,
                    np.concatenate(positions or [np.arange(len(text)) for text in texts]))


def circle(turn: float, steps: int, d: int = 6) -> np.ndarray:
    angles = turn * np.arange(steps)
    return np.column_stack([np.cos(angles), np.sin(angles), np.zeros((steps, d - 2))])


def curvature_by_loop(x: TextRows, spacing: int) -> float:
    """Every triple of rows of one text at that spacing, one after the other, with an arccos."""
    means = []
    for text in np.unique(x.texts):
        rows, at, angles = x.x[x.texts == text], x.positions[x.texts == text], []
        for k in range(len(rows) - 2):
            u, v = rows[k + 1] - rows[k], rows[k + 2] - rows[k + 1]
            if at[k + 1] - at[k] == at[k + 2] - at[k + 1] == spacing and u.any() and v.any():
                angles.append(np.arccos(u @ v / np.sqrt((u @ u) * (v @ v))))
        means += [np.mean(angles)] if angles else []
    return float(np.mean(means))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_a_straight_line_has_no_curvature_at_any_speed(scale):
    steps = np.cumsum([1.0, 4.0, 0.5, 2.0, 8.0])
    line = scale * np.outer(steps, np.random.default_rng(0).standard_normal(50))
    assert CURVATURE(of_texts(line)).value == pytest.approx(0, abs=1e-13)


def test_a_path_that_goes_back_at_each_step_has_curvature_pi_and_is_not_folded_to_zero():
    path = np.array([[0.0, 0], [1, 2], [0, 0], [1, 2]])
    assert CURVATURE(of_texts(path)).value == pytest.approx(np.pi, rel=1e-14)


@pytest.mark.parametrize("turn", [1e-4, 0.1, 1.0, 2.0, 3.1])
def test_a_circle_has_the_angle_of_its_turn(turn):
    path = rotated(circle(turn, 20), np.random.default_rng(1), scale=3.0, shift=5.0)
    assert CURVATURE(of_texts(path)).value == pytest.approx(turn, rel=1e-9)


def test_a_helix_has_its_turn_reduced_by_its_pitch():
    turn, rise = 0.7, 0.9
    path = circle(turn, 15)
    path[:, 2] = rise * np.arange(15)
    flat = (2 * np.sin(turn / 2))**2  # squared length of a step in the plane
    expected = np.arccos((flat * np.cos(turn) + rise**2) / (flat + rise**2))
    assert CURVATURE(of_texts(path)).value == pytest.approx(expected, rel=1e-12)


def test_the_declared_null_of_independent_rows_is_two_thirds_of_pi_and_of_independent_steps_one_half():
    rng = np.random.default_rng(2)
    rows = rng.standard_normal((400, 2000))
    assert CURVATURE(of_texts(rows)).value == pytest.approx(2 * np.pi / 3, abs=0.003)
    assert CURVATURE(of_texts(np.cumsum(rows, axis=0))).value == pytest.approx(np.pi / 2, abs=0.003)


def test_it_is_of_differences_and_not_of_the_rows_themselves():
    rows = generic(30, 10, np.random.default_rng(3))
    far = rows + 1e4
    unit = far / np.linalg.norm(far, axis=1, keepdims=True)
    assert np.arccos(np.sum(unit[1:] * unit[:-1], axis=1).clip(-1, 1)).max() < 1e-3, "the angles of the rows vanish"
    assert CURVATURE(of_texts(far)).value == pytest.approx(CURVATURE(of_texts(rows)).value, rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_it_agrees_with_a_loop_over_texts_with_gaps(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 20, 12)
    positions = [np.cumsum(rng.choice([3, 6, 7], size, p=[0.8, 0.1, 0.1])) for size in sizes]
    x = of_texts(*(generic(int(size), 8, rng) for size in sizes), positions=positions)
    assert CURVATURE(x).value == pytest.approx(curvature_by_loop(x, 3), rel=1e-10)


def test_texts_count_the_same_whatever_their_lengths_and_do_not_run_into_each_other():
    bent, straight = circle(1.0, 4), np.outer(np.arange(40.0), np.ones(6))
    assert CURVATURE(of_texts(bent, straight, 9 + bent[:2])).value == pytest.approx(0.5, rel=1e-12)
    continued = [np.arange(4), np.arange(4, 44), np.arange(44, 46)]
    assert CURVATURE(of_texts(bent, straight, 9 + bent[:2], positions=continued)).value == pytest.approx(0.5, rel=1e-12)


def test_a_gap_in_the_positions_splits_a_text():
    corner = np.array([[0.0, 0], [1, 0], [2, 0], [2, 5], [2, 6], [2, 7]])
    gap = np.array([0, 4, 8, 16, 20, 24])
    assert CURVATURE(of_texts(corner)).value == pytest.approx(np.pi / 8, rel=1e-14), "one of four angles is right"
    assert CURVATURE(of_texts(corner, positions=[gap])).value == pytest.approx(0, abs=1e-14)


def test_the_spacing_is_the_most_common_one_and_not_the_smallest():
    positions = np.array([0, 8, 16, 24, 32, 33, 34])
    path = np.vstack([circle(1.0, 5), np.zeros((1, 6)), np.ones((1, 6))])
    assert CURVATURE(of_texts(path, positions=[positions])).value == pytest.approx(1.0, rel=1e-12)


def test_the_angles_beside_a_step_of_no_length_are_left_out():
    path = np.array([[0.0, 0], [1, 0], [1, 0], [1, 1], [1, 2], [2, 2]])
    assert CURVATURE(of_texts(path)).value == pytest.approx(np.pi / 4, rel=1e-14)


def test_without_three_rows_a_text_it_is_undefined_and_the_reason_says_what_to_choose():
    rows = generic(6, 5, np.random.default_rng(4))
    assert "token policy with several rows a text" in CURVATURE(of_texts(*rows[:, None])).reason
    assert "three equally spaced rows" in CURVATURE(of_texts(*rows.reshape(3, 2, 5))).reason


def test_a_path_that_does_not_move_has_no_curvature_and_says_so():
    assert "neighbours differ" in CURVATURE(of_texts(np.ones((5, 3)))).reason
