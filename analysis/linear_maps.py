"""Affine maps from one representation to another in closed form, fitted and judged from cross moments alone.

Fit on some documents, choose a penalty on others, report on yet others: every function that judges takes the moments of
the documents to judge on, and centres the target about *their* mean.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from analysis.cross_moments import CrossMoments
from analysis.errors import Undefined

ROWS_PER_INPUT = 10  # from here on least squares loses at most 0.06 of a held-out R2 of 0.5
PENALTIES = tuple(10.0**(half / 2) for half in range(-16, 9))  # of ridge, relative to tr Sxx / p


@dataclass(frozen=True, eq=False)
class LinearMap:
    """h -> h W + b, from p-wide rows to q-wide rows."""

    weight: Float[np.ndarray, "p q"]
    bias: Float[np.ndarray, " q"]
    kind: str
    rank: int             # the largest that the weight can have
    penalty: float = 0.0  # added to the eigenvalues of Sxx

    def __call__(self, rows: Float[np.ndarray, "n p"]) -> Float[np.ndarray, "n q"]:
        return rows @ self.weight + self.bias


@dataclass(frozen=True, eq=False)
class RankCurve:
    """What a map is worth at rank 0, 1, ..., r: the best map of each rank."""

    ranks: np.ndarray
    train_residual: Float[np.ndarray, " r+1"]  # sum of squares over the training rows
    train_r2: Float[np.ndarray, " r+1"]
    held_out_r2: Float[np.ndarray, " r+1"]


@dataclass(frozen=True, eq=False)
class RidgeCurve:
    """Held-out R2 of ridge at each penalty."""

    relative: Float[np.ndarray, " k"]   # times tr Sxx / p gives
    penalties: Float[np.ndarray, " k"]  # what is added to the eigenvalues of Sxx
    held_out_r2: Float[np.ndarray, " k"]


@dataclass(frozen=True)
class DistributionShift:
    """How far mapped states lie from the target's own states, in units of the target's standard deviation.

    The unit is sqrt(tr C_y). The two distances squared add up to the squared 2-Wasserstein (Fréchet) distance between
    Gaussians with these means and covariances.
    """

    mean_distance: float        # ||mean of mapped - mean of target||
    covariance_distance: float  # Bures: sqrt(tr C_m + tr C_y - 2 tr (C_m^1/2 C_y C_m^1/2)^1/2)
    variance_ratio: float       # tr C_m / tr C_y, below 1 where a map leaves variance out


def affine(train: CrossMoments) -> LinearMap:
    """Ordinary least squares with a bias.

        W = Sxx^+ Sxy,  b = mean(y) - mean(x) W

    Sxx^+ inverts the eigenvalues of Sxx above max(n, p) eps times the largest and sends the other directions to 0: of
    all least-squares solutions W is the one of least norm, as in numpy.linalg.lstsq on the centred rows.
    """
    return _fitted(train, _ridge_weight(train, 0.0), "affine", _rank(train))


def ridge(train: CrossMoments, penalty: float) -> LinearMap:
    """W = (Sxx + penalty I)^-1 Sxy with an unpenalised bias; the penalty is in units of Sxx, a sum over rows."""
    return _fitted(train, _ridge_weight(train, penalty), "ridge", _rank(train), penalty)


def ridge_curve(train: CrossMoments, held_out: CrossMoments,
                relative: tuple[float, ...] = PENALTIES) -> RidgeCurve:
    """Held-out R2 of ridge fitted on `train`, at penalties `relative` times tr Sxx / p.

    With Sxx = V diag(s) V^T and f = 1 / (s + penalty), the held-out residual is a quadratic form in f: one
    eigendecomposition serves every penalty.
    """
    values, vectors = train.principal_x
    xx, xy, yy = _about_means_of(train, held_out)
    inner = vectors.T @ train.scatter_xy
    linear = np.sum(inner * (vectors.T @ xy), axis=1)
    quadratic = (vectors.T @ xx @ vectors) * (inner @ inner.T)
    penalties = np.array(relative) * train.totals[0] / train.p
    shrunk = np.array([_inverted(values, penalty) for penalty in penalties])
    residuals = yy - 2 * shrunk @ linear + np.einsum("kp,kp->k", shrunk @ quadratic, shrunk)
    return RidgeCurve(np.array(relative), penalties, 1 - residuals / _target_total(held_out))


def choose_ridge(train: CrossMoments, choose_on: CrossMoments,
                 relative: tuple[float, ...] = PENALTIES) -> LinearMap:
    """Ridge with the penalty of the highest R2 on other documents; report its R2 on documents that are in neither."""
    curve = ridge_curve(train, choose_on, relative)
    return ridge(train, float(curve.penalties[np.argmax(curve.held_out_r2)]))


def reduced_rank(train: CrossMoments, rank: int, penalty: float = 0.0) -> LinearMap:
    """The least-squares map among those of at most this rank (Izenman 1975).

        W_r = W V_r V_r^T,  V_r: top r eigenvectors of Syx (Sxx + penalty I)^-1 Sxy

    Without a penalty its training residual is tr Syy minus the top r eigenvalues. Ranks beyond that of the affine map
    change nothing.
    """
    if rank < 0:
        raise ValueError(f"a rank is 0 or more, got {rank}")
    directions = _directions(train, penalty)[:, :rank]
    weight = _ridge_weight(train, penalty) @ directions @ directions.T
    return _fitted(train, weight, "reduced rank", directions.shape[1], penalty)


def rank_curve(train: CrossMoments, held_out: CrossMoments, penalty: float = 0.0) -> RankCurve:
    """Training and held-out fit of reduced_rank at every rank at once, from rank 0 (the mean) to that of the whole map.

    In the coordinates V of the target the maps of successive ranks differ in one column, so the residuals are running
    sums.
    """
    directions = _directions(train, penalty)
    mapped = _ridge_weight(train, penalty) @ directions
    residual, held_out_residual = (_rank_residuals(train, seen, mapped, directions) for seen in (train, held_out))
    return RankCurve(np.arange(directions.shape[1] + 1), residual, 1 - residual / _target_total(train),
                     1 - held_out_residual / _target_total(held_out))


def rank_at(curve: RankCurve, share: float = 0.95) -> int:
    """The smallest rank whose held-out R2 reaches this share of the highest on the curve.

    Raises Undefined when no rank has a positive held-out R2: there is nothing to recover.
    """
    best = curve.held_out_r2.max()
    if best <= 0:
        raise Undefined("no map of any rank predicts the held-out documents better than their mean")
    return int(curve.ranks[np.argmax(curve.held_out_r2 >= share * best)])


def orthogonal(train: CrossMoments, *, scaled: bool = False) -> LinearMap:
    """Centred orthogonal Procrustes (Schönemann 1966), with a bias and, if asked for, one scale.

        W = U V^T from the singular vectors Sxy = U D V^T;  scale = <W, Sxy> / tr(W^T Sxx W)

    For p <= q the training residual without a scale is tr Sxx + tr Syy - 2 ||Sxy||_*. Of unequal widths the narrower
    side is filled up with columns of zeros: rotate and embed (p < q), or rotate and drop columns (p > q).
    Raises Undefined for a scale of rows that do not vary.
    """
    u, _, vt = np.linalg.svd(train.scatter_xy, full_matrices=False)
    weight = u @ vt
    if scaled:
        spread = np.sum(weight * (train.scatter_xx @ weight))
        if spread <= 0:
            raise Undefined("rows that are all the same have no scale")
        weight *= np.sum(weight * train.scatter_xy) / spread
    return _fitted(train, weight, "orthogonal, scaled" if scaled else "orthogonal", min(train.p, train.q))


def identity(train: CrossMoments) -> LinearMap:
    """Rows as they are: nothing is fitted, not even a bias. Raises Undefined for unequal widths."""
    if train.p != train.q:
        raise Undefined(f"rows {train.p} wide cannot stand in for rows {train.q} wide as they are: fit a map")
    return LinearMap(np.eye(train.p), np.zeros(train.p), "identity", train.p)


def mean(train: CrossMoments) -> LinearMap:
    """W = 0: every row becomes the mean of the target (mean ablation), the zero point of R2."""
    return _fitted(train, np.zeros((train.p, train.q)), "mean", 0)


def held_out_r2(fitted: LinearMap, held_out: CrossMoments) -> float:
    """Share of the target's variance that a map explains on given documents.

        R2 = 1 - sum_i ||x_i W + b - y_i||^2 / sum_i ||y_i - mean(y)||^2

    mean(y) is that of the given documents, so a large common offset does not flatter. Returns up to 1; 0 is as good as
    knowing that mean; negative values are real and kept. On the training moments it is the training R2.
    Raises Undefined when the target does not vary.
    """
    weight = fitted.weight
    miss = held_out.mean_x @ weight + fitted.bias - held_out.mean_y
    residual = (held_out.totals[1] - 2 * np.sum(weight * held_out.scatter_xy)
                + np.sum(weight * (held_out.scatter_xx @ weight)) + held_out.n * (miss @ miss))
    return float(1 - residual / _target_total(held_out))


def distribution_shift(fitted: LinearMap, held_out: CrossMoments) -> DistributionShift:
    """Distance of means and Bures distance of covariances between mapped states and the target's own states.

    Zero for states that the receiver cannot tell from its own by mean and covariance. A least-squares map has less
    variance than its target even where it is right on average, so R2 alone does not show it.
    """
    total = _target_total(held_out)
    roots_x, roots_y = (vectors * np.sqrt(values) for values, vectors in (held_out.principal_x, held_out.principal_y))
    mapped = fitted.weight.T @ roots_x
    common = np.linalg.svd(mapped.T @ roots_y, compute_uv=False).sum()
    miss = held_out.mean_x @ fitted.weight + fitted.bias - held_out.mean_y
    variance = np.sum(mapped**2)
    bures = max(variance + total - 2 * common, 0.0)  # a square: below 0 by rounding only
    return DistributionShift(float(np.linalg.norm(miss) * np.sqrt(held_out.n / total)),
                             float(np.sqrt(bures / total)), float(variance / total))


def too_few_rows(train: CrossMoments) -> str:
    """A sentence that says so when an affine map has fewer than 10 rows per input to be fitted on, else nothing."""
    if train.n >= ROWS_PER_INPUT * train.p:
        return ""
    return (f"{train.n} rows for {train.p} inputs are {train.n / train.p:.1f} rows per input. Below {ROWS_PER_INPUT}, "
            "least squares fits noise: where the true R2 is 0.5, at 2 rows per input it reads 0.75 on the rows it was "
            f"fitted on and 0.00 on others. Fit on {ROWS_PER_INPUT * train.p} rows or more, or choose ridge.")


def _fitted(train: CrossMoments, weight: Float[np.ndarray, "p q"], kind: str, rank: int,
            penalty: float = 0.0) -> LinearMap:
    return LinearMap(weight, train.mean_y - train.mean_x @ weight, kind, rank, penalty)


def _rank(train: CrossMoments) -> int:
    return min(int(np.count_nonzero(train.principal_x[0])), train.q)


def _inverted(values: Float[np.ndarray, " p"], penalty: float) -> Float[np.ndarray, " p"]:
    """1 / (values + penalty), and 0 in directions without variance."""
    return np.divide(1.0, values + penalty, out=np.zeros_like(values), where=values > 0)


def _ridge_weight(train: CrossMoments, penalty: float) -> Float[np.ndarray, "p q"]:
    values, vectors = train.principal_x
    return (vectors * _inverted(values, penalty)) @ (vectors.T @ train.scatter_xy)


def _directions(train: CrossMoments, penalty: float) -> Float[np.ndarray, "q r"]:
    """Eigenvectors of Syx (Sxx + penalty I)^-1 Sxy, the best explained direction of the target first."""
    values, vectors = train.principal_x
    half = np.sqrt(_inverted(values, penalty))[:, None] * (vectors.T @ train.scatter_xy)
    return np.linalg.eigh(half.T @ half)[1][:, ::-1][:, :_rank(train)]


def _rank_residuals(train: CrossMoments, seen: CrossMoments, mapped: Float[np.ndarray, "p r"],
                    directions: Float[np.ndarray, "q r"]) -> Float[np.ndarray, " r+1"]:
    """Residual on `seen` at ranks 0 to r of a map fitted on `train`."""
    xx, xy, yy = _about_means_of(train, seen)
    gains = np.sum(mapped * (2 * xy @ directions - xx @ mapped), axis=0)
    return yy - np.concatenate([[0.0], np.cumsum(gains)])


def _about_means_of(train: CrossMoments, seen: CrossMoments) -> tuple[np.ndarray, np.ndarray, float]:
    """Sums over `seen` of x x^T, x y^T and ||y||^2 about the means of `train`, which every fitted map sends to each
    other."""
    x, y = seen.mean_x - train.mean_x, seen.mean_y - train.mean_y
    return (seen.scatter_xx + seen.n * np.outer(x, x), seen.scatter_xy + seen.n * np.outer(x, y),
            seen.totals[1] + seen.n * (y @ y))


def _target_total(seen: CrossMoments) -> float:
    total = float(seen.totals[1])
    if total <= 0:
        raise Undefined("the target does not vary on these documents: every row of it is the same")
    return total
