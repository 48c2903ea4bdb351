"""Linear CKA without the strongest directions: what is alike beside one massive direction or channel."""

import numpy as np
from jaxtyping import Float
from scipy.linalg import eigh

from analysis.errors import Undefined
from analysis.measure import SIMILARITY, Kernel, Measure, Param
from analysis.measures.cka import linear_cka_debiased
from analysis.moments import centred


def linear_cka_debiased_head_removed(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"],
                                     removed: int = 1) -> float:
    """Debiased linear CKA after the top principal directions of each side are taken out.

    With V the top eigenvectors of Xc^T Xc, and W those of Yc^T Yc, as many as are removed:

        CKA_u(Xc - Xc V V^T, Yc - Yc W W^T)

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order
    removed : how many principal directions each side loses

    Returns
    -------
    Up to 1 (what is left is equal up to rotation and scale); 0 on average for unrelated rows. Far below
    linear_cka_debiased where a few strong directions make that value.

    Raises Undefined when nothing is left of one side. Reference: debiased CKA as in Kornblith et al. 2019, without the
    top directions as in Mu & Viswanath 2018.
    """
    return linear_cka_debiased(without_head(x, removed), without_head(y, removed))


def without_head(x: Float[np.ndarray, "n d"], removed: int) -> Float[np.ndarray, "n d"]:
    """Centred rows without their top principal directions, one after the other: so the rounding error of each is
    relative to its own size, not to that of a massive first one."""
    x = centred(x)
    whole = np.linalg.norm(x)
    for _ in range(removed):
        if x.shape[1] <= len(x):
            direction = _top(x.T @ x)
            x = x - np.outer(x @ direction, direction)
        else:
            scores = _top(x @ x.T)
            x = x - np.outer(scores, scores @ x)
    if np.linalg.norm(x) <= max(x.shape) * np.finfo(np.float64).eps * whole:
        raise Undefined(f"nothing is left of one side without its top {removed} principal direction(s)")
    return x


def _top(symmetric: Float[np.ndarray, "m m"]) -> Float[np.ndarray, " m"]:
    last = len(symmetric) - 1
    return eigh(symmetric, subset_by_index=[last, last])[1][:, 0]


MEASURES = (
    Measure(name="linear_cka_debiased_head_removed", fn=linear_cka_debiased_head_removed, arity=2, takes="rows",
            returns="scalar", label="Linear CKA, debiased, top directions removed",
            symbol="CKA<sub>u</sub><sup>−r</sup>", unit="", bounds=(-1.0, 1.0),
            direction="larger: more alike (1: the rest is equal up to rotation and scale)",
            invariant_to=SIMILARITY, min_samples=4, cost="n d1 d2 + min(n, d)^3", reference="kornblith2019similarity",
            version=1, symmetric=True, uncertainty="jackknife over documents",
            null="0 on average for unrelated independent rows", chance=lambda x, y, **settings: 0.0,
            caveats="Beside linear CKA it shows whether one massive direction or channel makes the likeness; what one "
                    "side loses need not be what the other loses. Several rows of one document still fake a value.",
            kernel=Kernel(prepare=without_head, rows=lambda x, which: x[which] @ x.T, debiased=True),
            params=(Param(name="removed", default=1, low=0, high=32, help="Top principal directions taken out."),)),
)
