"""Measures of one weight matrix, or of its change since a reference checkpoint, from its singular values alone.

They are not in the registry: that holds measures of representations, n rows of d features, and its contract does not
apply to weights, which have no rows to leave out and no mean to take away.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from analysis.errors import Undefined
from analysis.measure import Documented
from analysis.results import Scalar

FEWEST_IN_TAIL = 10
NO_INTERVAL = "none, because the weights of a checkpoint are one object and not a sample"


@dataclass(frozen=True, eq=False)
class MatrixSpectrum:
    """Singular values of an m x n matrix, largest first, rounding noise set to exactly 0.

    For a change, `before` is the Frobenius norm of the matrix in the reference checkpoint.
    """

    values: Float[np.ndarray, " r"]
    before: float | None = None

    @staticmethod
    def of(matrix: Float[np.ndarray, "m n"], before: float | None = None) -> "MatrixSpectrum":
        if not matrix.any():
            return MatrixSpectrum(np.zeros(min(matrix.shape)), before)
        values = np.linalg.svd(matrix, compute_uv=False)
        noise = max(matrix.shape) * np.finfo(np.float64).eps * values[0]
        return MatrixSpectrum(np.where(values > noise, values, 0.0), before)

    @property
    def norm(self) -> float:
        """Frobenius norm, by way of the largest value so that no square overflows."""
        top = float(self.values[0])
        return top * float(np.sqrt(np.square(self.values / top).sum())) if top else 0.0


@dataclass(frozen=True, kw_only=True)
class WeightMeasure(Documented):
    """A named function of a MatrixSpectrum with what is true of it: the fields of `measure.Measure` that a figure, a
    caption and the card beside it show. `of` says whether it describes a matrix or its change."""

    name: str
    fn: Callable[[MatrixSpectrum], float]
    of: Literal["matrix", "change"]
    label: str
    symbol: str
    unit: str
    bounds: tuple[float, float]
    direction: str
    caveats: str
    reference: str
    null: str
    version: int = 1
    uncertainty: str = NO_INTERVAL
    log_scale: bool = False

    def __call__(self, spectrum: MatrixSpectrum) -> Scalar:
        try:
            return Scalar(value=self.fn(spectrum))
        except Undefined as reason:
            return Scalar.undefined(str(reason))


def weight_effective_rank(x: MatrixSpectrum) -> float:
    """Exponential of the entropy of the singular values of a weight matrix.

    With p_k the k-th singular value of the m x n matrix (nothing is centred), divided by their sum:

        erank(W) = exp(-sum_k p_k ln p_k)

    Parameters
    ----------
    x : singular values of an m x n matrix, any unit

    Returns
    -------
    Dimensions, from 1 (one direction) to min(m, n) (all singular values equal).

    Raises Undefined when the matrix is zero. Reference: Roy & Vetterli 2007, definition 1.
    """
    shares = x.values[x.values > 0] / _top(x)
    shares /= shares.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def weight_stable_rank(x: MatrixSpectrum) -> float:
    """Squared Frobenius norm of a weight matrix over its squared spectral norm.

    With s_k the singular values of the m x n matrix, largest first:

        sr(W) = ||W||_F² / ||W||_2² = sum_k s_k² / s_1²

    Parameters
    ----------
    x : singular values of an m x n matrix, any unit

    Returns
    -------
    Dimensions, from 1 (one direction carries all) to the rank (all singular values equal).

    Raises Undefined when the matrix is zero. Reference: Rudelson & Vershynin 2007.
    """
    return float(np.square(x.values / _top(x)).sum())


def weight_frobenius_norm(x: MatrixSpectrum) -> float:
    """Root of the sum of the squared weights of a matrix.

    With w_ij the weights and s_k the singular values:

        ||W||_F = sqrt(sum_ij w_ij²) = sqrt(sum_k s_k²)

    Parameters
    ----------
    x : singular values of an m x n matrix

    Returns
    -------
    Size in the unit of the weights, from 0 (every weight is zero) up.

    Reference: Neyshabur, Tomioka & Srebro 2015, for what it bounds.
    """
    return x.norm


def weight_density_exponent(x: MatrixSpectrum) -> float:
    """Exponent of a power law fitted to the density of the eigenvalues of WᵀW, by maximum likelihood.

    With l_1 ... l_k the eigenvalues (squared singular values) of at least xmin, and xmin the eigenvalue for which the
    Kolmogorov-Smirnov distance between them and the fitted law is smallest:

        p(l) ~ l^-exponent for l >= xmin;  exponent = 1 + k / sum_i ln(l_i / xmin)

    The distance is taken just below each eigenvalue, as Clauset's own program, `powerlaw` and WeightWatcher do.

    Parameters
    ----------
    x : singular values of an m x n matrix, any unit

    Returns
    -------
    Exponent above 1: towards 1 the heaviest tail; a light tail (a random matrix) is large.

    Raises Undefined for fewer than 10 eigenvalues from xmin up, and where all are equal. Reference: Clauset, Shalizi &
    Newman 2009, section 3; Martin & Mahoney 2021 for weights.
    """
    logs = 2 * np.log(x.values[x.values > 0] / _top(x))[::-1]
    if len(logs) < FEWEST_IN_TAIL:
        raise Undefined(f"it has {len(logs)} eigenvalues above zero, and {FEWEST_IN_TAIL} are the fewest a power law "
                        "is fitted to")
    exponent, count = power_law_tail(logs)
    if count < FEWEST_IN_TAIL:
        raise Undefined(f"the power law fits best to {count} eigenvalues alone, and {FEWEST_IN_TAIL} are the fewest "
                        "that say anything of a tail")
    return exponent


def power_law_tail(logs: Float[np.ndarray, " k"]) -> tuple[float, int]:
    """Exponent of the best fit and how many values lie in its tail, from the logarithms of the values, ascending."""
    if logs[-1] - logs[0] <= len(logs) * np.finfo(np.float64).eps:
        raise Undefined("its eigenvalues are all equal, so they have no tail")
    best = (np.inf, np.nan, 0)
    for start in np.unique(logs, return_index=True)[1][:-1]:
        above = logs[start:] - logs[start]
        decay = len(above) / above.sum()
        fitted = -np.expm1(-decay * above)
        below = np.searchsorted(above, above, side="left") / len(above)
        distance = float(np.abs(fitted - below).max())
        best = min(best, (distance, 1 + float(decay), len(above)), key=lambda found: found[0])
    return best[1], best[2]


def weight_relative_change(x: MatrixSpectrum) -> float:
    """Size of the change of a weight matrix since the reference checkpoint, as a share of its size there.

    With W the matrix and W0 the same matrix in the reference checkpoint of the run:

        ||W - W0||_F / ||W0||_F

    Parameters
    ----------
    x : singular values of the m x n change W - W0, and the Frobenius norm of W0

    Returns
    -------
    Share, from 0 (nothing moved) up; 1 is a change as large as the matrix was.

    Raises Undefined when the matrix is zero in the reference. Reference: Nagarajan & Kolter 2019.
    """
    if not x.before:
        raise Undefined("the matrix is zero in the reference checkpoint, so no change is a share of it")
    return x.norm / x.before


def weight_change_stable_rank(x: MatrixSpectrum) -> float:
    """Stable rank of the change of a weight matrix since the reference checkpoint.

    With W the matrix and W0 the same matrix in the reference checkpoint of the run:

        sr(W - W0) = ||W - W0||_F² / ||W - W0||_2²

    Parameters
    ----------
    x : singular values of the m x n change W - W0

    Returns
    -------
    Dimensions, from 1 (one direction was written into the matrix) to the rank of the change.

    Raises Undefined when the matrix is that of the reference. Reference: Rudelson & Vershynin 2007.
    """
    if not x.values[0]:
        raise Undefined("the matrix is that of the reference checkpoint, and no change has no rank")
    return weight_stable_rank(x)


def _top(x: MatrixSpectrum) -> float:
    if not x.values[0]:
        raise Undefined("every weight of the matrix is zero")
    return float(x.values[0])


MEASURES = (
    WeightMeasure(
        name="weight_effective_rank", fn=weight_effective_rank, of="matrix", label="Effective rank of the weights",
        symbol="erank(W)", unit="dimensions", bounds=(1.0, np.inf), reference="roy2007effective",
        direction="low: few directions of the matrix carry most of it; high: all carry alike",
        caveats="It speaks of the weights and not of what passes through them: a matrix of full rank may be fed from "
                "few directions. Singular values stand in the sum as they are, not squared, so it is larger than the "
                "stable rank. Compare matrices of one shape only",
        null="a square matrix of independent Gaussian weights has 0.80 min(m, n); one four times as tall, 0.96"),
    WeightMeasure(
        name="weight_stable_rank", fn=weight_stable_rank, of="matrix", label="Stable rank of the weights",
        symbol="sr(W)", unit="dimensions", bounds=(1.0, np.inf), reference="rudelson2007sampling",
        direction="low: one direction of the matrix outweighs the others; high: many are as large as the largest",
        caveats="The largest singular value alone decides most of it, so one outlying direction hides what the others "
                "do. Compare matrices of one shape only",
        null="a large m x n matrix of independent Gaussian weights has m n / (√m + √n)², a quarter of m where square"),
    WeightMeasure(
        name="weight_frobenius_norm", fn=weight_frobenius_norm, of="matrix", label="Frobenius norm of the weights",
        symbol="‖W‖<sub>F</sub>", unit="", bounds=(0.0, np.inf), reference="neyshabur2015norm",
        direction="low: small weights; high: large weights",
        caveats="Weight decay and the learning rate move it, and where a norm follows the matrix, its size changes "
                "nothing of what the network computes. It grows with the number of weights",
        null="independent weights of standard deviation σ have σ √(m n)"),
    WeightMeasure(
        name="weight_density_exponent", fn=weight_density_exponent, of="matrix",
        label="Density exponent of the weight eigenvalues", symbol="exponent of p(λ)", unit="", bounds=(1.0, np.inf),
        reference="clauset2009power",
        direction="low: a heavy tail, a few eigenvalues of WᵀW far above the rest; high: a light tail, as of random "
                  "weights",
        caveats="This is the alpha of WeightWatcher, p(λ) ~ λ^-exponent over how OFTEN eigenvalues of the weights "
                "occur, and not the α of the spectrum measures (alpha-ReQ), λ_k ~ k^-a over the RANK of eigenvalues of "
                "the representations; a rank decay a is a density exponent 1 + 1/a, so the one falls where the other "
                "rises, and they are never drawn on one axis. The fit always gives a number where 10 eigenvalues "
                "remain, whether or not they follow a power law, xmin jumps from checkpoint to checkpoint, and small "
                "matrices have too few eigenvalues for a tail. The rule of thumb that 2 to 6 is well trained has "
                "exceptions in both directions",
        null="random Gaussian weights have no power law and still get a number: 3 to 10 in small matrices, 5 to 30 in "
             "large ones"),
    WeightMeasure(
        name="weight_relative_change", fn=weight_relative_change, of="change",
        label="Relative change of the weights", symbol="‖W − W<sub>0</sub>‖<sub>F</sub> / ‖W<sub>0</sub>‖<sub>F</sub>",
        unit="", bounds=(0.0, np.inf), reference="nagarajan2019generalization",
        direction="low: the matrix is near the reference checkpoint; high: it has moved far from it",
        caveats="Matrices that are small in the reference move far by it. Distance from the reference and the length "
                "of the way there are two things: a network may walk in a circle. Rows of rare tokens of an embedding "
                "move by weight decay alone",
        null="0 at the reference checkpoint itself; √2 for independent matrices of equal norm"),
    WeightMeasure(
        name="weight_change_stable_rank", fn=weight_change_stable_rank, of="change",
        label="Stable rank of the change", symbol="sr(W − W<sub>0</sub>)", unit="dimensions", bounds=(1.0, np.inf),
        reference="rudelson2007sampling",
        direction="low: training wrote few directions into the matrix; high: it moved in many directions alike",
        caveats="A small change is mostly rounding where weights are stored in half precision, which has a high stable "
                "rank. Read it beside the relative change; the largest singular value alone decides most of it",
        null="a large m x n change of independent Gaussian entries has m n / (√m + √n)²"),
)
BY_NAME = {measure.name: measure for measure in MEASURES}
