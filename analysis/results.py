"""Frozen values of measures."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, eq=False, slots=True)
class Replicates:
    """A value without each group of documents, how many rows each group has, and, of a measure that needs it, the value
    without both groups of each pair."""

    values: np.ndarray
    sizes: np.ndarray
    without_pairs: np.ndarray | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Scalar:
    """One number. `reason` is non-empty exactly when the value is undefined (NaN), and says why.

    `low` and `high` bound the 95 % interval named by the measure's `uncertainty`: how far the estimate at this n moves
    with other documents. The estimator's bias at this n is not in it. `chance` is the value expected
    when there is nothing to find, where the measure has one. `replicates` are of the same groups of documents
    at every checkpoint, so that differences between checkpoints are paired.
    """

    value: float
    low: float | None = None
    high: float | None = None
    chance: float | None = None
    reason: str = ""
    replicates: Replicates | None = field(default=None, compare=False, repr=False)

    @property
    def defined(self) -> bool:
        return not self.reason

    @staticmethod
    def undefined(reason: str) -> "Scalar":
        return Scalar(value=float("nan"), reason=reason)


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """Values in rank order, largest first (an eigenspectrum), or in order of scale."""

    values: np.ndarray
    reason: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class PairMatrix:
    """A pair measure over rows x columns; NaN where undefined.

    `chance` is the exact mean over all orders of the rows, where the measure has one. `replicates` are the matrices
    without each group of documents, and `sizes` how many rows each group has. `null` are the matrices after each
    shuffle of the documents of the columns' side: the same shuffle for all cells. `note` says what was restricted.
    """

    values: np.ndarray
    chance: np.ndarray | None = None
    replicates: np.ndarray | None = None
    sizes: np.ndarray | None = None
    null: np.ndarray | None = None
    reasons: tuple[str, ...] = field(default=())
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Bend:
    """A power law with one break. `corners` are rank and height of the line at both ends and at the break."""

    break_rank: int
    head_alpha: float
    tail_alpha: float
    gain: float
    corners: tuple[tuple[int, float], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedSpectrum:
    """An eigenspectrum with the power law fitted over a window of ranks; alpha is None, with a reason, if undefined.

    The same holds of `bend` and `no_bend`. `noise` is the spectrum of isotropic noise of the same n, d and variance.
    """

    run: str
    revision: str
    values: np.ndarray
    n: int
    window: tuple[int, int]
    alpha: float | None = None
    intercept: float | None = None
    reason: str = ""
    bend: Bend | None = None
    no_bend: str = ""
    noise: np.ndarray | None = None


@dataclass(frozen=True)
class Panel:
    """What is drawn below a trajectory on the same axis: rows of run, step, tokens and value."""

    label: str
    rows: list[dict]


@dataclass(frozen=True)
class Shade:
    """A phase of a run from one row of step, tokens and revision to another."""

    run: str
    name: str
    first: dict
    last: dict
