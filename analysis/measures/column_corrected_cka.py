"""Linear CKA when the columns too are only a sample: of neurons, or of the directions of a random sketch."""

import numpy as np
from jaxtyping import Float

from analysis.errors import Undefined
from analysis.measure import SIMILARITY, Measure, Transform
from analysis.measures.cka import ROUNDING, debiased_inner
from analysis.moments import centred


def linear_cka_column_corrected(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"]) -> float:
    """Linear CKA of all columns, estimated from a sample of rows and an independent sample of columns of each side.

    With h(X, Y) = n(n-3) HSIC_1 as in linear_cka_debiased, and x_a the a-th of the d1 columns:

        own(X) = (h(X, X) - sum_a h(x_a, x_a)) / (d1 (d1 - 1))
        CKA = h(X, Y) / (d1 d2) / sqrt(own(X) own(Y))

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order

    Returns
    -------
    0 on average for unrelated rows, 1 on average for two samples of columns of the same representation; single values
    may exceed 1, and a representation beside the very same columns does.

    Raises Undefined with one column, or where distinct columns of one side share nothing. Reference: Chun et al. 2025.
    """
    x, y = centred(x), centred(y)
    cross = debiased_inner(x, y) / (x.shape[1] * y.shape[1])
    return cross / np.sqrt(_between_columns(x)) / np.sqrt(_between_columns(y))


def _between_columns(x: Float[np.ndarray, "n d"]) -> float:
    """Mean of n(n-3) HSIC_1 over pairs of distinct columns."""
    n, d = x.shape
    if d < 2:
        raise Undefined("one side has a single column: what columns share cannot be estimated")
    second, fourth = np.sum(x**2, axis=0), np.sum(x**4, axis=0)
    same = float(np.sum(second**2 * (1 + 1 / ((n - 1) * (n - 2))) - n / (n - 2) * fourth))
    whole = debiased_inner(x, x)
    if whole - same <= ROUNDING * max(whole, abs(same)):
        raise Undefined("distinct columns of one side share no more than chance: there is too little in common, or "
                        "too few rows or columns, to correct for the columns that were not sampled")
    return (whole - same) / (d * (d - 1))


MEASURES = (
    Measure(name="linear_cka_column_corrected", fn=linear_cka_column_corrected, arity=2, takes="rows", returns="scalar",
            label="Linear CKA, corrected for sampled rows and columns", symbol="CKA<sub>rc</sub>", unit="",
            bounds=(-np.inf, np.inf), direction="larger: more alike (1: equal up to rotation, shift and scale)",
            invariant_to=SIMILARITY - {Transform.ORTHOGONAL}, min_samples=4,
            cost="n d1 d2", reference="chun2025estimating", version=1, symmetric=True, equal=None,
            uncertainty="jackknife over documents", null="0 on average for unrelated independent rows",
            chance=lambda x, y: 0.0,
            caveats="Only where columns are a sample of many, as neurons of a subset or a random sketch. It can exceed "
                    "1; a side beside itself does, since its columns are then not drawn anew. Unstable with few or "
                    "nearly uncorrelated columns."),
)
