"""Overlap of the leading principal subspaces of two representations, where sampling lets them be told."""

import numpy as np
from jaxtyping import Float

from analysis.errors import Undefined
from analysis.measure import SIMILARITY, Measure, Param
from analysis.moments import centred

TOLERATED = 1 / 3  # of the loss that a random subspace would have


def subspace_overlap(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"], k: int = 10) -> float:
    """Mean squared cosine of the principal angles between the two sides' top-k principal components.

    With Uk, Vk the left singular vectors (n x k) of the k largest singular values of the column-centred rows, so that
    widths may differ:

        overlap = ||Uk^T Vk||_F^2 / k

    Where eigenvalues on the two sides of the cut at k are near equal, sampling decides which directions are kept. For
    covariance eigenvalues l_1 >= ... >= l_r, two directions i <= k < j turn into each other by about
    sin^2 = l_i l_j / ((n - 1) (l_i - l_j)^2) (Davis-Kahan with the sampling error of their covariance), or, as that
    may pass 1, by what a 2 x 2 matrix with that error gives:

        loss = sum_(i <= k < j) (1 - |l_i - l_j| / sqrt((l_i - l_j)^2 + 4 l_i l_j / (n - 1))) / (2 k)

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order
    k : principal components compared

    Returns
    -------
    From 0 (orthogonal subspaces) to 1 (the same subspace). Unrelated representations score k / (n - 1) on average over
    row permutations, exactly.

    Raises Undefined when one side has fewer than k directions, and when its loss is more than a third of the 1 - k/r
    that a random k of its r directions would lose. Reference: Krzanowski 1979; Davis & Kahan 1970; Anderson 1963.
    """
    return float(np.sum((_leading(x, k).T @ _leading(y, k))**2) / k)


def principal_axes(x: Float[np.ndarray, "n d"]) -> tuple[Float[np.ndarray, "n r"], Float[np.ndarray, " r"]]:
    """Left singular vectors and singular values of the centred rows, largest first, without those of rounding."""
    vectors, values, _ = np.linalg.svd(centred(x), full_matrices=False)
    rounding = max(x.shape) * np.finfo(np.float64).eps * np.linalg.norm(x)  # that of the rows before centring
    rank = int(np.sum(values > rounding))
    if not rank:
        raise Undefined("all rows of one side are the same, so it has no directions")
    return vectors[:, :rank], values[:rank]


def subspace_projection(x: Float[np.ndarray, "n d"], k: int = 10) -> Float[np.ndarray, "n n"]:
    """Uk Uk^T: the overlap is the cosine between two of them, as each has norm sqrt(k)."""
    axes = _leading(x, k)
    return axes @ axes.T


def sampling_loss(eigenvalues: Float[np.ndarray, " r"], k: int, n: int) -> float:
    """Share of the top-k subspace that n independent rows are expected to lose to the directions below it."""
    above, below = eigenvalues[:k, None], eigenvalues[None, k:]
    gap = above - below
    return float(np.sum(1 - gap / np.sqrt(gap**2 + 4 * above * below / (n - 1))) / (2 * k))


def _leading(x: Float[np.ndarray, "n d"], k: int) -> Float[np.ndarray, "n k"]:
    axes, singular_values = principal_axes(x)
    n, rank = axes.shape
    if rank < k:
        raise Undefined(f"one side has {rank} directions, fewer than the {k} compared")
    loss, random = sampling_loss(singular_values**2, k, n), 1 - k / rank
    if loss > TOLERATED * random:
        raise Undefined(f"the top {k} directions of one side cannot be told from those below: the gap between its "
                        f"eigenvalues {k} and {k + 1} and around is so small for {n} rows that {loss:.0%} of the "
                        f"subspace is expected to be chance ({random:.0%} would be all of it)")
    return axes[:, :k]


MEASURES = (
    Measure(name="subspace_overlap", fn=subspace_overlap, arity=2, takes="rows", returns="scalar",
            label="Principal subspace overlap", symbol="O<sub>k</sub>", unit="", bounds=(0.0, 1.0), symmetric=True,
            direction="larger: more alike (1: the same top-k subspace)", invariant_to=SIMILARITY, min_samples=4,
            cost="n (d1 + d2)^2", reference="krzanowski1979between", version=1,
            uncertainty="none: directions change places when documents are left out, and intervals come out too narrow",
            null="k / (n - 1), exact over row permutations",
            caveats="All k directions count alike, whatever variance they carry. Undefined where sampling alone "
                    "decides which directions are the top k; that rule takes rows as independent, so rows of few "
                    "documents pass it too easily.",
            params=(Param(name="k", default=10, low=1, high=1000, help="Principal components compared."),),
            chance=lambda x, y, k=10: k / (len(x) - 1), item=subspace_projection),
)
