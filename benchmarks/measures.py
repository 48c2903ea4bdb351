"""Measures against the library that a person would call instead."""

import numpy as np

from analysis.moments import Moments
from analysis.registry import of_kind
from benchmarks.timing import ratio


def spectral() -> dict:
    """Every spectral measure of one site from one eigendecomposition, against scikit-learn's PCA of the same rows."""
    from sklearn.decomposition import PCA
    x = np.random.default_rng(0).standard_normal((15_000, 768)) * np.arange(1, 769)**-0.5
    measures = [m for m in of_kind(arity=1, returns="scalar") if m.takes == "moments"]

    def ours() -> None:
        moments = Moments.of(x)
        for measure in measures:
            measure(moments)

    value = 1 / ratio(ours, lambda: PCA(svd_solver="full").fit(x), 3)
    return {"name": "scikit-learn PCA (full SVD) / all spectral measures, n = 15000, d = 768", "value": value,
            "bar": 5.0, "better": "higher", "peer": "scikit-learn PCA, svd_solver=full", "n": len(x)}
