"""First and second moments that add and subtract: the one input of every spectral measure."""

from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
from jaxtyping import Float

AT_ONCE = 2_048  # rows that stand in float64 at the same time, within the processor's cache


@dataclass(frozen=True, eq=False)
class Moments:
    """n rows summarised by their mean and centred scatter matrix, in float64.

    scatter = sum_i (x_i - mean)(x_i - mean)^T. Two summaries of disjoint rows add exactly (Chan, Golub & LeVeque 1979),
    and a part can be taken away again, to within the rounding error of the whole, which is what the jackknife does.
    """

    n: int
    mean: Float[np.ndarray, " d"]
    scatter: Float[np.ndarray, "d d"]

    @staticmethod
    def of(rows: Float[np.ndarray, "n d"]) -> "Moments":
        parts = [rows[start:start + AT_ONCE] for start in range(0, len(rows), AT_ONCE)]
        return reduce(Moments.__add__, map(_of_part, parts))

    def __add__(self, other: "Moments") -> "Moments":
        n = self.n + other.n
        gap = other.mean - self.mean
        scatter = self.scatter + other.scatter + np.outer(gap, gap) * (self.n * other.n / n)
        return Moments(n, self.mean + gap * (other.n / n), scatter)

    def __sub__(self, part: "Moments") -> "Moments":
        n = self.n - part.n
        mean = (self.n * self.mean - part.n * part.mean) / n
        gap = part.mean - mean
        return Moments(n, mean, self.scatter - part.scatter - np.outer(gap, gap) * (n * part.n / self.n))

    @cached_property
    def is_finite(self) -> bool:
        return bool(np.isfinite(self.scatter).all())

    @cached_property
    def covariance_eigenvalues(self) -> Float[np.ndarray, " d"]:
        """Eigenvalues of scatter / (n - 1), largest first; those below the rounding error of the largest are 0."""
        return _eigenvalues(self.scatter / (self.n - 1), self.n)

    @cached_property
    def singular_values(self) -> Float[np.ndarray, " d"]:
        """Singular values of the uncentred n x d rows, largest first."""
        second = self.scatter + self.n * np.outer(self.mean, self.mean)
        return np.sqrt(_eigenvalues(second, self.n))


def _of_part(rows: Float[np.ndarray, "n d"]) -> Moments:
    x = np.asarray(rows, dtype=np.float64)
    away = centred(x)
    return Moments(len(x), x[0] - away[0], away.T @ away)


def centred(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """Rows minus their mean; a column that never varies is exactly 0, not the rounding error of its mean."""
    shifted = np.subtract(x, x[0], dtype=np.result_type(x, np.float32))
    shifted -= shifted.mean(axis=0)
    return shifted


def _eigenvalues(symmetric: Float[np.ndarray, "d d"], n: int) -> Float[np.ndarray, " d"]:
    """Descending eigenvalues of a positive semi-definite matrix, rounding noise set to exactly 0.

    The threshold max(n, d) * eps * largest is relative, as in numpy.linalg.matrix_rank, so scale does not matter.
    """
    values = np.linalg.eigvalsh(symmetric)[::-1]
    noise = max(n, len(values)) * np.finfo(np.float64).eps * values[0]
    return np.where(values > noise, values, 0.0)
