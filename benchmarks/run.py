"""Speed as ratios within one run on this machine: medians of several turns, each beside its bar.

    make bench

writes benchmarks/results.json, a list of {name, value, bar, better, ok, peer, n, machine}.
"""

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

HOME = Path(__file__).parents[1]
sys.path[:0] = [str(HOME)]

from analysis.checkpoints.load import load
from analysis.extraction.forward import BATCH_TOKENS, extract
from analysis.extraction.inputs import feed
from analysis.extraction.probes import load_probe
from analysis.keys import Policy
from analysis.moments import Moments
from analysis.registry import of_kind

TURNS = 5


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ratio(ours: Callable[[], object], peer: Callable[[], object]) -> float:
    """Median of ours / peer over turns that run one after the other, after one warm-up each."""
    ours(), peer()
    return statistics.median(seconds(ours) / seconds(peer) for _ in range(TURNS))


def extraction() -> dict:
    """All sites, moments and loss in one pass, against the same batches through the bare network."""
    import torch
    loaded, probe = load(HOME / "demo/runs/sotu-neox-seed1/step16000"), load_probe("sotu-held-out")
    batches = list(feed(loaded, probe, BATCH_TOKENS).batches)

    def forward() -> None:
        with torch.inference_mode():
            for batch in batches:
                loaded.base(**batch.inputs)

    value = ratio(lambda: extract(loaded, probe, Policy.parse("last")), forward)
    return {"name": "extraction, all sites and the loss / plain forward of the base model", "value": value,
            "bar": 1.10, "better": "lower", "peer": "transformers, same batches", "n": len(probe.texts)}


def spectral() -> dict:
    """Every spectral measure of one site from one eigendecomposition, against scikit-learn's PCA of the same rows."""
    from sklearn.decomposition import PCA
    x = np.random.default_rng(0).standard_normal((15_000, 768)) * np.arange(1, 769)**-0.5
    measures = [m for m in of_kind(arity=1, returns="scalar") if m.takes == "moments"]

    def ours() -> None:
        moments = Moments.of(x)
        for measure in measures:
            measure(moments)

    value = ratio(lambda: PCA(svd_solver="full").fit(x), ours)
    return {"name": "scikit-learn PCA (full SVD) / all spectral measures, n = 15000, d = 768", "value": value,
            "bar": 5.0, "better": "higher", "peer": "scikit-learn PCA, svd_solver=full", "n": len(x)}


def main() -> None:
    rows = []
    for bench in (extraction, spectral):
        row = bench()
        row["ok"] = row["value"] <= row["bar"] if row["better"] == "lower" else row["value"] >= row["bar"]
        row["machine"] = f"{platform.machine()}, {os.cpu_count()} cores"
        rows.append(row)
        sign = "<=" if row["better"] == "lower" else ">="
        print(f"{'ok ' if row['ok'] else 'NO '} {row['value']:6.2f}  (bar {sign} {row['bar']:g})  {row['name']}")
    (HOME / "benchmarks" / "results.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
