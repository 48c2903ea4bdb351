"""p-values of many tests at once."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import false_discovery_control

HOLM, BY, BH = "Holm", "Benjamini-Yekutieli", "Benjamini-Hochberg"
SAYS = {
    BY: "the expected share of false entries in the list stays below the limit, however the tests depend on each other",
    HOLM: "the chance of any false entry in the list stays below the limit, however the tests depend on each other",
    BH: "the expected share of false entries in the list stays below the limit if the tests are independent or "
        "positively dependent, which measures of the same rows need not be"}


def adjusted(p: Sequence[float]) -> dict[str, np.ndarray]:
    """The p-values adjusted for all of them together, by each correction: what is at most q is claimed at q.

        Holm: p~(i) = max over j <= i of min(1, (m - j + 1) p(j)), of p(1) <= ... <= p(m)

    Reference: Holm 1979; Benjamini and Hochberg 1995; Benjamini and Yekutieli 2001.
    """
    values = np.asarray(p, dtype=float)
    if not len(values):
        return dict.fromkeys(SAYS, values)
    return {BY: false_discovery_control(values, method="by"), HOLM: _holm(values),
            BH: false_discovery_control(values, method="bh")}


def _holm(p: np.ndarray) -> np.ndarray:
    order, found = np.argsort(p), np.empty(len(p))
    found[order] = np.minimum(1, np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order]))
    return found
