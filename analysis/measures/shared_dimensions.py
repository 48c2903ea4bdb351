"""Effective number of shared dimensions: a participation ratio of what two representations have in common."""

from typing import Any

import numpy as np
from jaxtyping import Float

from analysis.measure import SIMILARITY, Measure
from analysis.measures.cka import linear_cka_biased, linear_cka_debiased
from analysis.measures.participation_ratio import participation_ratio, participation_ratio_row_corrected
from analysis.moments import Moments


def ensd(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"]) -> float:
    """Effective number of shared dimensions (plug-in).

    With K, L the centred linear Gram matrices, CKA their linear kernel alignment and PR the participation ratios:

        ENSD = tr(K) tr(L) tr(KL) / (tr(K^2) tr(L^2)) = CKA sqrt(PR_x PR_y)

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order

    Returns
    -------
    Dimensions, from 0 (nothing shared) to sqrt(PR_x PR_y); the participation ratio itself when Y is X up to rotation
    and scale. Unrelated representations score PR_x PR_y / (n - 1) on average over row permutations, exactly.

    Raises Undefined when all rows of one side are the same. Reference: Giaffar, Rullan Buxo & Aoi 2024.
    """
    return linear_cka_biased(x, y) * np.sqrt(_plug_in_ratios(x, y))


def ensd_debiased(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"]) -> float:
    """Effective number of shared dimensions from row-corrected parts, which is 0 on average for unrelated rows.

    With CKA_u the debiased linear kernel alignment and PR_c the row-corrected participation ratios:

        ENSD_u = CKA_u sqrt(PR_c,x PR_c,y)

    Under row permutations of one side only the numerator of CKA_u changes, whose average is 0, exactly.

    Parameters
    ----------
    x, y : n x d1 and n x d2 rows of the same n items in the same order; rows must be independent

    Returns
    -------
    Dimensions; 0 on average for unrelated rows, so small negative values are real; the row-corrected participation
    ratio when Y is X up to rotation and scale.

    Raises Undefined when one side's estimate of tr(S^2) is not positive. Reference: Giaffar, Rullan Buxo & Aoi 2024;
    corrected here by the parts of Song et al. 2012 and Chun et al. 2026.
    """
    cka = linear_cka_debiased(x, y)
    return cka * np.sqrt(participation_ratio_row_corrected(x) * participation_ratio_row_corrected(y))


def permutation_mean(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"]) -> float:
    """Mean of ensd over all permutations of the rows of y: PR_x PR_y / (n - 1), exactly."""
    return _plug_in_ratios(x, y) / (len(x) - 1)


def _plug_in_ratios(x: Float[np.ndarray, "n d1"], y: Float[np.ndarray, "n d2"]) -> float:
    return participation_ratio(Moments.of(x)) * participation_ratio(Moments.of(y))


_SHARED: dict[str, Any] = {
    "arity": 2, "takes": "rows", "returns": "scalar", "unit": "dimensions", "symmetric": True, "equal": None,
    "invariant_to": SIMILARITY, "min_samples": 4, "cost": "n (d1 + d2)^2", "reference": "giaffar2024effective",
    "direction": "larger: more dimensions are shared", "version": 1, "uncertainty": "jackknife over documents",
}

MEASURES = (
    Measure(name="ensd_debiased", fn=ensd_debiased, label="Effective number of shared dimensions, debiased",
            symbol="ENSD<sub>u</sub>", bounds=(-np.inf, np.inf), null="0 on average over row permutations, exactly",
            caveats="Two rows of huge norm, or several rows of one document, still fake a shared dimension. Compare it "
                    "with the row-corrected participation ratio of either side.",
            chance=lambda x, y: 0.0, **_SHARED),
    Measure(name="ensd", fn=ensd, label="Effective number of shared dimensions", symbol="ENSD", bounds=(0.0, np.inf),
            null="PR_x PR_y / (n - 1), exact over row permutations",
            caveats="Unrelated rows of high dimension seem to share many: read it against its chance level, and beside "
                    "the participation ratio of either side.", chance=permutation_mean, **_SHARED),
)
