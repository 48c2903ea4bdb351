"""The eigenspectrum itself, behind every scalar summary of it."""

import numpy as np
from jaxtyping import Float

from analysis.measure import RIGID, Measure
from analysis.moments import Moments


def covariance_eigenspectrum(x: Moments) -> Float[np.ndarray, " r"]:
    """Eigenvalues of the centred covariance, largest first.

    With Xc the column-centred n x d rows:

        lambda = eigenvalues of Xc^T Xc / (n - 1)

    Parameters
    ----------
    x : moments of n x d rows, any unit

    Returns
    -------
    d variances in squared units of the rows; those below the rounding error of the largest are exactly 0.

    Raises nothing. Reference: Stringer et al. 2019.
    """
    return x.covariance_eigenvalues.copy()


MEASURES = (
    Measure(name="covariance_eigenspectrum", fn=covariance_eigenspectrum, arity=1, takes="moments", returns="spectrum",
            label="Covariance eigenspectrum", symbol="λ<sub>k</sub>", unit="variance", bounds=(0.0, np.inf),
            direction="larger: more variance along that direction", log_scale=True, invariant_to=RIGID, min_samples=4,
            cost="n d^2 + d^3", reference="stringer2019high", version=1,
            uncertainty="none: it is a curve; the numbers made from it have one",
            null="the Marchenko-Pastur law for isotropic noise",
            caveats="The largest are biased up and the smallest down when n is not much larger than d."),
)
