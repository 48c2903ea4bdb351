"""Measures against the library that a person would call instead, and against the linear algebra that they need."""

import shutil
import tempfile
from pathlib import Path

import numpy as np

from analysis import compute
from analysis.extraction.probes import load_probe
from analysis.keys import Checkpoint, Policy, Run
from analysis.moments import Moments
from analysis.registry import of_kind
from analysis.store import Representation, Store
from benchmarks.timing import ratio

SITES, ROWS, WIDTH, DOCUMENTS = 13, 2_000, 768, 100


def spectral() -> dict:
    """Every spectral measure of one site from one eigendecomposition, against RankMe and alpha as reptrix has them:
    each from its own scikit-learn PCA (full SVD) of the same rows."""
    from sklearn.decomposition import PCA
    x = np.random.default_rng(0).standard_normal((15_000, 768)) * np.arange(1, 769)**-0.5
    measures = [m for m in of_kind(arity=1, returns="scalar") if m.takes == "moments"]

    def ours() -> None:
        moments = Moments.of(x)
        for measure in measures:
            measure(moments)

    def theirs() -> None:
        for summary in (_rankme, _alpha):
            summary(PCA(n_components=768, svd_solver="full").fit(x - x.mean(axis=0)).explained_variance_ratio_)

    value = 1 / ratio(ours, theirs, 3)
    return {"name": f"RankMe and alpha as reptrix has them / all {len(measures)} spectral measures, n = 15000, d = 768",
            "value": value, "bar": 5.0, "better": "higher", "peer": "scikit-learn PCA, svd_solver=full, twice",
            "n": len(x)}


def swept() -> dict:
    """A sweep of stored rows with every spectral measure and its interval, against the matrix products and
    eigenvalues that these need: three passes over the rows, two spectra for all rows and for each of 25 left-outs,
    and one for each of 12 pairs of left-outs."""
    rng = np.random.default_rng(0)
    rows = {f"block {k}": (rng.standard_normal((ROWS, WIDTH)) * np.arange(1, WIDTH + 1)**-0.5).astype(np.float32)
            for k in range(1, SITES + 1)}
    documents = tuple(f"d{k * DOCUMENTS // ROWS}" for k in range(ROWS))
    protocol = compute.Protocol(load_probe("sotu-held-out"), Policy.parse("last"))
    run = Run("bench", "bench", (Checkpoint("bench", "step1", 1, 1, "bench", "b" * 64),))
    measures = [m for m in of_kind(arity=1, returns="scalar") if m.takes == "moments"]
    with tempfile.TemporaryDirectory() as name:
        store = Store(Path(name))
        store.put_representation(protocol.key(run.checkpoints[0]), Representation(
            rows=rows, row_ids=tuple(map(str, range(ROWS))), document_ids=documents,
            facts={"sites": list(rows), "loss": None}))

        def ours() -> None:
            shutil.rmtree(store.root / "results", ignore_errors=True)
            compute.sweep(store, [run], protocol, measures)

        def needed() -> None:
            for site in rows.values():
                x = site.astype(np.float64)
                for _ in range(3):
                    scatter = x.T @ x
                for _ in range(64):
                    np.linalg.eigvalsh(scatter)

        value = ratio(ours, needed, 3)
    return {"name": f"sweep of stored rows, {len(measures)} spectral measures with intervals / its products and "
                    f"eigenvalues, {SITES} sites x {ROWS} x {WIDTH}", "value": value, "bar": 1.3, "better": "lower",
            "peer": "numpy matmul and eigvalsh", "n": SITES}


def _rankme(shares: np.ndarray) -> float:
    p = shares / np.abs(shares).sum() + 1e-7
    return float(np.exp(-np.sum(p * np.log(p))))


def _alpha(shares: np.ndarray) -> float:
    ranks = np.arange(12, 101)
    design, weights = np.stack([-np.log(ranks), np.ones(len(ranks))], axis=1), 1 / ranks[:, None]
    return float(np.linalg.solve(design.T @ (design * weights), (design * weights).T @ np.log(shares[11:100]))[0])
