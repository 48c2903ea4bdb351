"""The decay exponent at infinitely many rows."""

import numpy as np

from analysis.inference.halves import extrapolated
from analysis.measure import SIMILARITY, Measure
from analysis.measures.spectrum_decay import WINDOW, alpha_weighted_least_squares
from analysis.textrows import TextRows


def alpha_richardson(x: TextRows, first_rank: int = 11, last_rank: int = 50) -> float:
    """Exponent of the eigenspectrum's decay, extrapolated to infinitely many rows from halves of the documents.

    With a the plug-in alpha of all rows and a_h that of half of the documents, over several random halves:

        alpha* = 2 a - mean a_h

    Parameters
    ----------
    x : n x d rows with their documents, any unit
    first_rank, last_rank : window of ranks, counted from 1, both ends included

    Returns
    -------
    alpha, dimensionless: 0 for a flat spectrum, larger for faster decay; a noisy estimate may be negative.

    Raises Undefined with fewer than 2 documents, when half of them has fewer rows than there are positive
    eigenvalues, or when fewer than last_rank are positive. Reference: Quenouille 1956, with halves of whole documents.
    """
    return extrapolated(x, lambda part: alpha_weighted_least_squares(part, first_rank, last_rank))


MEASURES = (
    Measure(name="alpha_richardson", fn=alpha_richardson, arity=1, takes="texts", returns="scalar",
            label="Spectral decay exponent α (extrapolated from halves)", symbol="α<sub>∞</sub>", unit="",
            bounds=(-np.inf, np.inf), direction="larger: the eigenspectrum falls faster", invariant_to=SIMILARITY,
            min_samples=4, cost="9 (n d^2 + d^3)", reference="quenouille1956notes", version=1,
            uncertainty="none: noisier than the plug-in value, whose spread would hold it too rarely (89 %)",
            null="about 0.6 of the chance level of the plug-in α: that of isotropic noise falls as 1 / √n",
            caveats="Good where the window is a small part of the spectrum and n is at least 2d. Where the window ends "
                    "between about a fifth and two fifths of the ranks, two biases of the plug-in value nearly cancel "
                    "and this is the worse of the two, off by up to 0.06 at n = 2d.", params=WINDOW),
)
