"""Procrustes shape similarity: how well one representation, rotated and scaled, lies on the other."""

from typing import Any

import numpy as np
from jaxtyping import Float

from analysis.errors import Undefined
from analysis.measure import SIMILARITY, Measure
from analysis.moments import centred


def procrustes_nbs(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"]) -> float:
    """Normalised Bures similarity: the cosine between two representations after the best rotation of one.

    With Xc, Yc the column-centred rows, ||.||_* the sum of singular values, K = Xc Xc^T and L = Yc Yc^T:

        NBS = ||Xc^T Yc||_* / (||Xc||_F ||Yc||_F) = tr sqrt(K^1/2 L K^1/2) / sqrt(tr K tr L)

    The squared orthogonal Procrustes distance between Xc and Yc, each of unit norm, is 2 (1 - NBS).

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order; the narrower counts as padded with zeros

    Returns
    -------
    From 0 (no correlation between any two features) to 1 (equal up to rotation, shift and scale).

    Raises Undefined when all rows of one side are the same. Reference: Harvey, Larsen & Williams 2024.
    """
    return _nuclear_norm(_of_unit_norm(x), _of_unit_norm(y))


def angular_shape_distance(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"]) -> float:
    """Angle between two representations after the best rotation of one: a distance with the triangle inequality.

    With NBS the normalised Bures similarity, which is the cosine of this angle:

        theta = arccos(NBS)

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order; the narrower counts as padded with zeros

    Returns
    -------
    Radians, from 0 (equal up to rotation, shift and scale) to pi/2 (no correlation between any two features). Angles
    under 1e-7, below what float32 rows can tell, are rounding.

    Raises Undefined when all rows of one side are the same. Reference: Williams et al. 2021.
    """
    return float(np.arccos(min(procrustes_nbs(x, y), 1.0)))  # nothing but rounding takes a cosine past 1


def _of_unit_norm(x: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    x = centred(x)
    norm = np.linalg.norm(x)
    if norm == 0:
        raise Undefined("all rows of one side are the same, so it has no shape")
    return x / norm


def _nuclear_norm(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"]) -> float:
    """Sum of the singular values of x^T y, through the smaller of features and rows."""
    if min(x.shape[1], y.shape[1]) > len(x):
        x, y = (np.linalg.qr(side.T)[1].T for side in (x, y))
    return float(np.linalg.svd(x.T @ y, compute_uv=False).sum())


_SHARED: dict[str, Any] = {
    "arity": 2, "takes": "rows", "returns": "scalar", "symmetric": True, "invariant_to": SIMILARITY, "min_samples": 4,
    "cost": "n d1 d2 + d1 d2 min(d1, d2)", "version": 1, "uncertainty": "jackknife over documents",
}

MEASURES = (
    Measure(name="procrustes_nbs", fn=procrustes_nbs, label="Procrustes similarity (normalised Bures)", symbol="NBS",
            unit="", bounds=(0.0, 1.0), direction="larger: more alike (1: equal up to rotation, shift and scale)",
            reference="harvey2024duality",
            null="above 0 for unrelated rows, the more so the wider they are: permutations of documents give it",
            caveats="High for unrelated rows when width is not small against n. Weak directions count for more than in "
                    "CKA, by roots instead of squares.", **_SHARED),
    Measure(name="angular_shape_distance", equal=0.0, fn=angular_shape_distance, label="Angular shape distance",
            symbol="θ<sub>P</sub>", unit="rad", bounds=(0.0, np.pi / 2),
            direction="larger: less alike (0: equal up to rotation, shift and scale)",
            reference="williams2021generalized",
            null="below π/2 for unrelated rows, the more so the wider they are: permutations of documents give it",
            caveats="A true distance, so it can be clustered and embedded. Too small for unrelated rows when width is "
                    "not small against n.", **_SHARED),
)
