"""Linear centred kernel alignment (CKA) between two representations of the same rows."""

from typing import Any

import numpy as np
from jaxtyping import Float

from analysis.errors import Undefined
from analysis.measure import SIMILARITY, Kernel, Measure
from analysis.moments import centred

ROUNDING = 64 * np.finfo(np.float64).eps  # of the largest term: what is left of an exact cancellation


def linear_cka_biased(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"]) -> float:
    """Cosine between the centred linear Gram matrices (plug-in).

    With Xc, Yc the column-centred rows:

        CKA = ||Yc^T Xc||_F^2 / (||Xc^T Xc||_F ||Yc^T Yc||_F)

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order

    Returns
    -------
    From 0 to 1 (equal up to rotation and scale). Unrelated representations score sqrt(PR_x PR_y) / (n - 1) on
    average over row permutations, exactly: the chance level given beside the value.

    Raises Undefined when all rows of one side are the same. Reference: Kornblith et al. 2019.
    """
    x, y = centred(x), centred(y)
    return _normalised(_inner(x, y), _inner(x, x), _inner(y, y))


def linear_cka_debiased(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"]) -> float:
    """Cosine between the U-centred linear Gram matrices, which is 0 on average for unrelated rows.

    With a_i, b_i the squared norms of the centred rows, HSIC_1 of Song et al. 2012 in feature space:

        n(n-3) HSIC(X, Y) = ||Xc^T Yc||_F^2 - n/(n-2) sum_i a_i b_i + (sum_i a_i)(sum_i b_i) / ((n-1)(n-2))
        CKA = HSIC(X, Y) / sqrt(HSIC(X, X) HSIC(Y, Y))

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order

    Returns
    -------
    Up to 1 (equal up to rotation and scale); 0 on average for unrelated rows, so small negative values are real.

    Raises Undefined when one side's own HSIC estimate is not positive. Reference: Kornblith et al. 2019, footnote 1;
    Song et al. 2012, equation 5.
    """
    x, y = centred(x), centred(y)
    return _normalised(debiased_inner(x, y), debiased_inner(x, x), debiased_inner(y, y))


def permutation_mean(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"]) -> float:
    """Mean of linear_cka_biased over all permutations of the rows of y: sqrt(PR_x PR_y) / (n - 1), exactly."""
    x, y = centred(x), centred(y)
    ratio_x, ratio_y = (np.sum(z * z)**2 / _inner(z, z) for z in (x, y))
    return float(np.sqrt(ratio_x * ratio_y) / (len(x) - 1))


def _inner(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"]) -> float:
    """Frobenius inner product of the Gram matrices, through the smaller of features and rows."""
    if max(x.shape[1], y.shape[1]) <= len(x):
        return float(np.sum((x.T @ y)**2))
    return float(np.sum((x @ x.T) * (y @ y.T)))


def debiased_inner(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"]) -> float:
    """n(n-3) HSIC_1 of centred rows; exactly 0 where no more than rounding is left of a cancellation."""
    n = len(x)
    a, b = np.einsum("nd,nd->n", x, x), np.einsum("nd,nd->n", y, y)
    whole = _inner(x, y)
    rest = whole - n / (n - 2) * float(a @ b) + a.sum() * b.sum() / ((n - 1) * (n - 2))
    return rest if abs(rest) > ROUNDING * abs(whole) else 0.0


def _normalised(cross: float, own_x: float, own_y: float) -> float:
    if own_x <= 0 or own_y <= 0:
        raise Undefined("one side has no similarity with itself: its rows are all the same, or all equally far apart")
    return cross / np.sqrt(own_x) / np.sqrt(own_y)


def _kernel(debiased: bool) -> Kernel:
    """K = Xc Xc^T: centred already, so that a large common mean costs no precision."""
    return Kernel(prepare=centred, rows=lambda x, which: x[which] @ x.T, debiased=debiased)


_SHARED: dict[str, Any] = {
    "arity": 2, "takes": "rows", "returns": "scalar", "unit": "", "symmetric": True, "invariant_to": SIMILARITY,
    "direction": "larger: more alike (1: equal up to rotation, shift and scale)",
    "reference": "kornblith2019similarity", "cost": "n d1 d2", "version": 1,
    "uncertainty": "jackknife over documents",
}

MEASURES = (
    Measure(name="linear_cka_debiased", fn=linear_cka_debiased, label="Linear CKA, debiased", symbol="CKA<sub>u</sub>",
            bounds=(-1.0, 1.0), min_samples=4, null="0 on average for unrelated independent rows",
            caveats="Two rows of huge norm, or several rows of one document, still fake a high value.",
            chance=lambda x, y: 0.0, kernel=_kernel(debiased=True), **_SHARED),
    Measure(name="linear_cka_biased", fn=linear_cka_biased, label="Linear CKA, biased", symbol="CKA",
            bounds=(0.0, 1.0), min_samples=4, null="sqrt(PR_x PR_y) / (n - 1), exact over row permutations",
            caveats="Rises towards 1 for unrelated rows as width grows against n: read it against its chance level.",
            chance=permutation_mean, kernel=_kernel(debiased=False), **_SHARED),
)
