"""Moments of paired rows that add and subtract: the one input of every closed-form map between two representations."""

from dataclasses import dataclass, replace
from functools import cached_property, reduce

import numpy as np
from jaxtyping import Float

from analysis.errors import Undefined
from analysis.moments import AT_ONCE, Moments, centred


@dataclass(frozen=True, eq=False)
class CrossMoments:
    """n pairs of rows x_i (p wide) and y_i (q wide), summarised in float64.

    `joint` holds the mean and centred scatter of the rows z_i = [x_i y_i] laid side by side. With a_i the two squared
    norms (||x_i||^2, ||y_i||^2) of the centred rows, `squares` = sum_i a_i a_i^T (2 x 2) and `cubes` = sum_i a_i z_i^T
    (2 x (p + q)) are what the debiased CKA needs beyond that. Summaries of disjoint rows add exactly, whatever the
    batches, as Moments do: every sum is about the mean of its own rows and moves with it, so that a large common offset
    costs nothing. A part can be taken away again, to within the rounding error of the whole.
    """

    p: int
    joint: Moments
    squares: Float[np.ndarray, "2 2"]
    cubes: Float[np.ndarray, "2 p+q"]

    @staticmethod
    def of(x: Float[np.ndarray, "n p"], y: Float[np.ndarray, "n q"]) -> "CrossMoments":
        if len(x) != len(y) or not len(x):
            raise ValueError(f"x has {len(x)} rows and y {len(y)}: they must be the same items, at least one")
        starts = range(0, len(x), AT_ONCE)
        return reduce(CrossMoments.__add__, (_of_part(x[at:at + AT_ONCE], y[at:at + AT_ONCE]) for at in starts))

    def __add__(self, other: "CrossMoments") -> "CrossMoments":
        self._check_widths(other)
        joint, gap = self.joint + other.joint, other.joint.mean - self.joint.mean
        one, two = self._moved(-gap * (other.n / joint.n)), other._moved(gap * (self.n / joint.n))
        return CrossMoments(self.p, joint, one.squares + two.squares, one.cubes + two.cubes)

    def __sub__(self, part: "CrossMoments") -> "CrossMoments":
        self._check_widths(part)
        joint = self.joint - part.joint
        gap = part.joint.mean - joint.mean
        taken, by = part._moved(gap * (joint.n / self.n)), -gap * (part.n / self.n)
        rest = CrossMoments(self.p, joint, np.zeros_like(self.squares), np.zeros_like(self.cubes))
        # _moved adds to each sum an amount made of the lower sums alone: undo it from the lowest upwards
        rest = replace(rest, cubes=self.cubes - taken.cubes - rest._moved(by).cubes)
        return replace(rest, squares=self.squares - taken.squares - rest._moved(by).squares)

    def _moved(self, by: Float[np.ndarray, " p+q"]) -> "CrossMoments":
        """The same rows with their higher sums taken about a point `by` before their mean."""
        sides = self._by_side(by)
        lengths, totals = (sides**2).sum(axis=1), self.totals
        turned = sides @ self.joint.scatter
        mixed = 2 * self.cubes @ sides.T + np.outer(totals, lengths)
        return replace(self, squares=(self.squares + mixed + mixed.T + 4 * turned @ sides.T
                                      + self.n * np.outer(lengths, lengths)),
                       cubes=self.cubes + 2 * turned + np.outer(totals + self.n * lengths, by))

    def _by_side(self, z: Float[np.ndarray, " p+q"]) -> Float[np.ndarray, "2 p+q"]:
        """One row with the x part alone, one with the y part alone."""
        rows = np.zeros((2, len(z)))
        rows[0, :self.p], rows[1, self.p:] = z[:self.p], z[self.p:]
        return rows

    def _check_widths(self, other: "CrossMoments") -> None:
        if (self.p, self.q) != (other.p, other.q):
            raise ValueError(f"pairs of {self.p} and {self.q} columns do not go with pairs of {other.p} and {other.q}")

    @property
    def n(self) -> int:
        return self.joint.n

    @property
    def q(self) -> int:
        return len(self.joint.mean) - self.p

    @property
    def mean_x(self) -> Float[np.ndarray, " p"]:
        return self.joint.mean[:self.p]

    @property
    def mean_y(self) -> Float[np.ndarray, " q"]:
        return self.joint.mean[self.p:]

    @property
    def scatter_xx(self) -> Float[np.ndarray, "p p"]:
        return self.joint.scatter[:self.p, :self.p]

    @property
    def scatter_xy(self) -> Float[np.ndarray, "p q"]:
        return self.joint.scatter[:self.p, self.p:]

    @property
    def scatter_yy(self) -> Float[np.ndarray, "q q"]:
        return self.joint.scatter[self.p:, self.p:]

    @property
    def totals(self) -> Float[np.ndarray, " 2"]:
        """Sums of squares of the centred rows: tr Sxx and tr Syy."""
        return self._by_side(np.diagonal(self.joint.scatter)).sum(axis=1)

    @property
    def swapped(self) -> "CrossMoments":
        """The same pairs with x and y exchanged, for the map the other way."""
        order = np.r_[self.p:self.p + self.q, 0:self.p]
        joint = Moments(self.n, self.joint.mean[order], self.joint.scatter[np.ix_(order, order)])
        return CrossMoments(self.q, joint, self.squares[::-1, ::-1], self.cubes[::-1, order])

    @cached_property
    def principal_x(self) -> tuple[Float[np.ndarray, " p"], Float[np.ndarray, "p p"]]:
        """Eigenvalues of Sxx, largest first, rounding noise set to exactly 0, and its eigenvectors as columns."""
        return _principal(self.scatter_xx, self.n)

    @cached_property
    def principal_y(self) -> tuple[Float[np.ndarray, " q"], Float[np.ndarray, "q q"]]:
        """The same for Syy."""
        return _principal(self.scatter_yy, self.n)

    def linear_cka_biased(self) -> float:
        """||Sxy||_F^2 / (||Sxx||_F ||Syy||_F), from 0 to 1: measures.cka.linear_cka_biased without the rows."""
        return _normalised(*self._inner())

    def linear_cka_biased_chance(self) -> float:
        """Its mean over all permutations of the rows of y: tr Sxx tr Syy / (||Sxx||_F ||Syy||_F (n - 1)), exactly."""
        _, own_x, own_y = self._inner()
        return _normalised(self.totals[0] * self.totals[1], own_x, own_y) / (self.n - 1)

    def linear_cka_debiased(self) -> float:
        """Cosine of the U-centred linear Gram matrices: measures.cka.linear_cka_debiased without the rows.

        For s, t in {x, y}, with a_i, b_i the squared norms of the centred rows of each:

            n(n-3) HSIC(s, t) = ||S_st||_F^2 - n/(n-2) sum_i a_i b_i + (sum_i a_i)(sum_i b_i) / ((n-1)(n-2))
            CKA = HSIC(x, y) / sqrt(HSIC(x, x) HSIC(y, y))

        The ratio of sums over all rows: it does not depend on the batches, as minibatch CKA does.

        Returns up to 1 (equal up to rotation and scale); 0 on average for unrelated rows. Raises Undefined below 4
        rows, or when one side's own HSIC estimate is not positive. Reference: Song et al. 2012, equation 5.
        """
        n = self.n
        if n < 4:
            raise Undefined(f"debiased CKA needs at least 4 rows, got {n}")
        x, y = self.totals
        return _normalised(*(
            _beyond_rounding(whole, n / (n - 2) * square, product / ((n - 1) * (n - 2)), n)
            for whole, square, product in zip(self._inner(), self.squares[(0, 0, 1), (1, 0, 1)],
                                              (x * y, x * x, y * y), strict=True)))

    def _inner(self) -> tuple[float, float, float]:
        """Frobenius inner products of the centred Gram matrices: x with y, x with x, y with y."""
        cross, own_x, own_y = (float(np.sum(s**2)) for s in (self.scatter_xy, self.scatter_xx, self.scatter_yy))
        return cross, own_x, own_y


def _of_part(x: Float[np.ndarray, "n p"], y: Float[np.ndarray, "n q"]) -> CrossMoments:
    z = np.concatenate([x, y], axis=1, dtype=np.float64)
    p, away = x.shape[1], centred(z)
    a = np.stack([np.einsum("nd,nd->n", side, side) for side in (away[:, :p], away[:, p:])])
    return CrossMoments(p, Moments(len(z), z[0] - away[0], away.T @ away), a @ a.T, a @ away)


def _principal(scatter: Float[np.ndarray, "d d"], n: int) -> tuple[np.ndarray, np.ndarray]:
    """The threshold max(n, d) * eps * largest is that of Moments.covariance_eigenvalues."""
    values, vectors = np.linalg.eigh(scatter)
    noise = max(n, len(values)) * np.finfo(np.float64).eps * values[-1]
    return np.where(values > noise, values, 0.0)[::-1], vectors[:, ::-1]


def _beyond_rounding(whole: float, second: float, third: float, n: int) -> float:
    """whole - second + third, exactly 0 when what is left lies within the rounding error of sums over n rows."""
    rest = whole - second + third
    return rest if abs(rest) > n * np.finfo(np.float64).eps * (whole + second + third) else 0.0


def _normalised(cross: float, own_x: float, own_y: float) -> float:
    if own_x <= 0 or own_y <= 0:
        raise Undefined("one side has no similarity with itself: its rows are all the same, or all equally far apart")
    return float(cross / np.sqrt(own_x) / np.sqrt(own_y))
