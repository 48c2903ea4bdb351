"""All pairs of representations at once, against the loop that a person would write with a package for CKA, and against
the matrix products that are needed."""

import importlib
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from analysis import registry
from analysis.pairs.engine import all_pairs
from analysis.pairs.work import Work
from benchmarks.timing import ratio

ITEMS, ROWS, WIDTH = 20 * 13, 1_000, 768
WITH_INTERVALS = 13 * 13
PEERS: dict[str, tuple[str, str, Callable[..., Any]]] = {
    "pytorch-cka": ("pytorch-cka==1.1.3", "cka.cka", lambda found, x, y: found.cka_from_features(x, y)),
    "ckatorch": ("ckatorch==1.0.3", "ckatorch.core", lambda found, x, y: found.cka_base(x, y, unbiased=True)),
}
TIMED_PAIRS = 25


def _items() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [(rng.standard_normal((ROWS, WIDTH)) * np.arange(1, WIDTH + 1)**-0.5).astype(np.float32)
            for _ in range(ITEMS)]


def _ours(items: Sequence[np.ndarray]) -> Callable[[], object]:
    loads = [lambda item=item: item for item in items]
    measure = registry.get("linear_cka_debiased")
    return lambda: all_pairs(Work(rows=loads, columns=loads, measure=measure, settings={},
                                  documents=tuple(map(str, range(ROWS)))))


def _products(items: Sequence[np.ndarray]) -> Callable[[], object]:
    """The Gram matrix of each item, and the inner product of every two, in float64 as ours."""
    def needed() -> np.ndarray:
        grams = np.empty((len(items), ROWS * ROWS))
        for number, item in enumerate(items):
            rows = item.astype(np.float64)
            grams[number] = (rows @ rows.T).ravel()
        return grams @ grams.T
    return needed


def matrix() -> list[dict]:
    """260 x 260 debiased CKA; and so many that each has an interval too."""
    items, rows = _items(), []
    for some, what, bar in ((items, "", 1.5), (items[:WITH_INTERVALS], " with 25-group jackknife", None)):
        rows.append({"name": f"debiased CKA of all {len(some)} x {len(some)} pairs{what} / its Gram matrices and their "
                             f"products, n = {ROWS}, d = {WIDTH}", "value": ratio(_ours(some), _products(some), 3),
                     "bar": bar, "better": "lower", "peer": "numpy matmul, float64", "n": ROWS})
    start = time.perf_counter()
    _ours(items)()
    ours = time.perf_counter() - start
    peers = {name: _peer(name, items) for name in PEERS}
    return rows + [_against(name, function, ours) for name, function in peers.items() if function]


def _against(name: str, function: Callable[[int, int], object], ours: float) -> dict:
    """A package's function on some pairs, times their number; the pairs do not differ in cost."""
    function(0, 1)
    took = []
    for number in range(TIMED_PAIRS):
        start = time.perf_counter()
        function(number, number + 1)
        took.append(time.perf_counter() - start)
    pairs = ITEMS * (ITEMS + 1) // 2
    return {"name": f"loop of {name} over the {pairs} pairs ({TIMED_PAIRS} timed) / debiased CKA of all, "
                    f"n = {ROWS}, d = {WIDTH}", "value": median(took) * pairs / ours, "bar": 20.0,
            "better": "higher", "peer": PEERS[name][0], "n": ROWS}


def _peer(name: str, items: Sequence[np.ndarray]) -> Callable[[int, int], object] | None:
    """Debiased linear CKA of two items by a package, which is fetched for the bench alone; None where it cannot be."""
    package, module, call = PEERS[name]
    folder = tempfile.mkdtemp(prefix="peer")
    try:
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
                        "--target", folder, package], check=True, capture_output=True)
    except subprocess.CalledProcessError:
        print(f"--          {package} could not be fetched")
        return None
    import torch
    top = types.ModuleType(module.split(".")[0])
    top.__path__ = [str(Path(folder) / top.__name__)]  # without what it imports for its plots
    sys.modules[top.__name__] = top
    found = importlib.import_module(module)
    tensors = [torch.from_numpy(item) for item in items[:TIMED_PAIRS + 1]]
    return lambda i, j: call(found, tensors[i], tensors[j])
