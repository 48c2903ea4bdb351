"""The continuous line of two pieces that fits an eigenspectrum best in log-log coordinates."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from analysis.measures.spectrum_decay import log_log_window

SHORTEST = 4  # ranks of a piece; both pieces hold the break


@dataclass(frozen=True)
class BrokenLine:
    """ln lambda = intercept - head_alpha ln k up to the break rank; from there on the slope is -tail_alpha.

    `gain` is None where a single line is exact, so that no rank is a better break than another.
    """

    break_rank: int
    head_alpha: float
    tail_alpha: float
    intercept: float
    gain: float | None

    def log_eigenvalues(self, ranks: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
        """ln lambda on the line at these ranks, for drawing."""
        beyond = np.maximum(np.log(ranks) - np.log(self.break_rank), 0.0)
        return self.intercept - self.head_alpha * np.log(ranks) - (self.tail_alpha - self.head_alpha) * beyond


def broken_line(eigenvalues: Float[np.ndarray, " r"], first_rank: int, last_rank: int) -> BrokenLine:
    """The best continuous line of two pieces, by trying every break, for the measures and for the spectrum figure.

    A hinge at each break, less its own straight line, is regressed on the residual of the single line at once.
    """
    x, y, weights = log_log_window(eigenvalues, first_rank, last_rank, at_least=2 * SHORTEST - 1)
    hinges = np.maximum(x - x[SHORTEST - 1:1 - SHORTEST, None], 0.0)
    x_centred = x - weights @ x
    slopes = (np.vstack([y, hinges]) * weights) @ x_centred / (weights @ x_centred**2)
    means = np.vstack([y, hinges]) @ weights
    bent = hinges - means[1:, None] - slopes[1:, None] * x_centred
    residual = y - means[0] - slopes[0] * x_centred
    along, size, misfit = bent @ (weights * residual), bent**2 @ weights, weights @ residual**2
    best = int(np.argmax(along**2 / size))
    change = along[best] / size[best]
    head = slopes[0] - change * slopes[best + 1]
    intercept = means[0] - change * means[best + 1] - head * (weights @ x)
    rounding = len(eigenvalues) * np.finfo(np.float64).eps * eigenvalues[0] / eigenvalues[last_rank - 1]
    gain = float(along[best]**2 / size[best] / misfit) if misfit > rounding**2 else None
    return BrokenLine(first_rank + SHORTEST - 1 + best, float(-head), float(-head - change), float(intercept), gain)
