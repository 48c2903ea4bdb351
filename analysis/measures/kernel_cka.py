"""CKA with kernels of distance: Gaussian (RBF), and the negative distance, which makes it distance correlation."""

from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float

from analysis.errors import Undefined
from analysis.measure import SIMILARITY, Kernel, Measure, Param
from analysis.measures._gram import gram_cosine, permutation_mean, squared_distances
from analysis.moments import centred


def rbf_cka_biased(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"], bandwidth: int = 50) -> float:
    """Cosine between the centred Gram matrices of a Gaussian kernel (plug-in).

    With H = I - 1 1^T / n and the median over all n^2 pairs, zeros included:

        K_ij = exp(-||x_i - x_j||^2 / (2 sigma_x^2)),   sigma_x^2 = (bandwidth / 100)^2 median ||x_i - x_j||^2
        CKA = <HKH, HLH> / (||HKH||_F ||HLH||_F)

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order
    bandwidth : sigma in percent of the median distance of each side

    Returns
    -------
    From 0 to 1 (equal up to rotation and scale); nears linear_cka_biased as the bandwidth grows.

    Raises Undefined when the median distance of one side is 0. Reference: Kornblith et al. 2019, section 3.
    """
    return gram_cosine(_RBF, x, y, bandwidth=bandwidth)


def rbf_cka_debiased(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"], bandwidth: int = 50) -> float:
    """Cosine between the U-centred Gram matrices of a Gaussian kernel, 0 on average for unrelated rows.

    With K and L the kernels of rbf_cka_biased and U the U-centring of Szekely & Rizzo, whose inner product is
    n(n-3) HSIC_1 of Song et al.:

        CKA = <U(K), U(L)> / (||U(K)||_F ||U(L)||_F)

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order
    bandwidth : sigma in percent of the median distance of each side

    Returns
    -------
    Up to 1 (equal up to rotation and scale); 0 on average for unrelated rows, so small negative values are real.

    Raises Undefined when the median distance of one side is 0. Reference: Kornblith et al. 2019; Song et al. 2012.
    """
    return gram_cosine(_RBF_U, x, y, bandwidth=bandwidth)


def distance_correlation_biased(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"]) -> float:
    """Squared distance correlation: cosine between the doubly centred matrices of Euclidean distances (plug-in).

    CKA with the kernel -||x_i - x_j||. With A_ij = ||x_i - x_j||, B_ij = ||y_i - y_j||:

        dCor^2 = <HAH, HBH> / (||HAH||_F ||HBH||_F)

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order

    Returns
    -------
    From 0 to 1 (equal up to rotation and scale). In the population 0 only if the two are independent.

    Raises Undefined when all rows of one side are the same. Reference: Szekely, Rizzo & Bakirov 2007.
    """
    return gram_cosine(_DISTANCE, x, y)


def distance_correlation_debiased(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"]) -> float:
    """Squared distance correlation without its bias: cosine between the U-centred matrices of distances.

    With A_ij = ||x_i - x_j||, B_ij = ||y_i - y_j|| and U the U-centring:

        R* = <U(A), U(B)> / (||U(A)||_F ||U(B)||_F)

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order

    Returns
    -------
    Up to 1 (equal up to rotation and scale); 0 on average for unrelated rows, so small negative values are real.

    Raises Undefined when all rows of one side are equally far apart. Reference: Szekely & Rizzo 2014.
    """
    return gram_cosine(_DISTANCE_U, x, y)


def _gaussian(x: Float[np.ndarray, "n d"], bandwidth: int) -> tuple[Float[np.ndarray, "n d"], float]:
    x = centred(x)
    median = float(np.median(squared_distances(x), overwrite_input=True))
    if not median:
        raise Undefined("half of the pairs of rows of one side are equal, so the median distance gives no bandwidth")
    return x, 2 * (bandwidth / 100)**2 * median


def _gaussian_rows(state: tuple[Float[np.ndarray, "n d"], float], which: Any) -> Float[np.ndarray, "m n"]:
    """K - 1, which centres to the same matrix as K and keeps its digits where the bandwidth is wide."""
    return np.expm1(-squared_distances(state[0], which) / state[1])


def _negative_distances(x: Float[np.ndarray, "n d"], which: Any) -> Float[np.ndarray, "m n"]:
    return -np.sqrt(squared_distances(x, which))


_RBF, _RBF_U = (Kernel(prepare=_gaussian, rows=_gaussian_rows, debiased=one) for one in (False, True))
_DISTANCE, _DISTANCE_U = (Kernel(prepare=centred, rows=_negative_distances, debiased=one) for one in (False, True))

_SHARED: dict[str, Any] = {
    "arity": 2, "takes": "rows", "returns": "scalar", "unit": "", "symmetric": True, "invariant_to": SIMILARITY,
    "direction": "larger: more alike (1: equal up to rotation, shift and scale)", "min_samples": 4,
    "cost": "n^2 (d1 + d2)", "version": 1, "uncertainty": "jackknife over documents",
}
_BIASED: dict[str, Any] = {"bounds": (0.0, 1.0), "null": "tr(HKH) tr(HLH) / ((n - 1) ||HKH|| ||HLH||), exact over row "
                                                         "permutations", **_SHARED}
_DEBIASED: dict[str, Any] = {"bounds": (-1.0, 1.0), "null": "0 on average for unrelated independent rows",
                             "chance": lambda x, y, **settings: 0.0, **_SHARED}
_BANDWIDTH = (Param(name="bandwidth", default=50, low=1, high=100_000,
                    help="Width of the Gaussian in percent of the median distance between rows."),)
_LOCAL = "Rows much farther apart than the bandwidth do not count, and the bandwidth follows the median row, so rows " \
         "of huge norm weigh less than in linear CKA. "

MEASURES = (
    Measure(name="rbf_cka_debiased", fn=rbf_cka_debiased, label="RBF CKA, debiased",
            symbol="CKA<sub>u</sub><sup>RBF</sup>", caveats=_LOCAL + "Several rows of one document fake a high value.",
            kernel=_RBF_U, reference="kornblith2019similarity", params=_BANDWIDTH, **_DEBIASED),
    Measure(name="rbf_cka_biased", fn=rbf_cka_biased, label="RBF CKA, biased", symbol="CKA<sup>RBF</sup>",
            caveats=_LOCAL + "A small bandwidth makes unrelated rows score near 1: read it against its chance level.",
            chance=partial(permutation_mean, _RBF), kernel=_RBF, reference="kornblith2019similarity",
            params=_BANDWIDTH, **_BIASED),
    Measure(name="distance_correlation_debiased", fn=distance_correlation_debiased,
            label="Distance correlation, squared, debiased", symbol="dCor<sup>2</sup><sub>u</sub>",
            caveats="The square: not on the scale of a correlation. Several rows of one document fake a high value.",
            kernel=_DISTANCE_U, reference="szekely2014partial", **_DEBIASED),
    Measure(name="distance_correlation_biased", fn=distance_correlation_biased,
            label="Distance correlation, squared, biased", symbol="dCor<sup>2</sup>",
            caveats="The square: not on the scale of a correlation. Rises towards 1 for unrelated rows as width grows "
                    "against n: read it against its chance level.",
            chance=partial(permutation_mean, _DISTANCE), kernel=_DISTANCE, reference="szekely2007measuring", **_BIASED),
)
