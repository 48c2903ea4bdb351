"""A map by UMAP against umap-learn alone; and what a map costs beside its layout."""

import time

import numpy as np

from analysis.maps import computing, faithfulness
from analysis.maps.projections import project
from benchmarks.timing import ratio

ROWS, FEWER, WIDTH = 5_000, 4_000, 768
DRAWN, SEARCHED = 1_000, 20_000


def _rows(n: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    centres = 3 * rng.standard_normal((20, WIDTH))
    return ((centres[rng.integers(0, 20, n)] + rng.standard_normal((n, WIDTH)))
            * np.arange(1, WIDTH + 1)**-0.5).astype(np.float32)


def layout() -> list[dict]:
    """One frame with a seed, which takes one core, against umap-learn with the same seed at two sizes: up to 4,096 rows
    the search is ours. And against umap-learn without a seed, which uses all cores and gives another map each time."""
    import umap
    found = []
    for n, how, given, bar in ((ROWS, "with the same seed", {"random_state": 0, "n_jobs": 1}, 1.0),
                               (FEWER, "with the same seed", {"random_state": 0, "n_jobs": 1}, 1.0),
                               (ROWS, "without a seed, on all cores", {}, None)):
        rows = _rows(n)
        found.append({"name": f"map of one frame by UMAP / umap-learn {how}, n = {n}, d = {WIDTH}", "bar": bar, "n": n,
                      "value": ratio(lambda rows=rows: project("umap", {"a": rows}),
                                     lambda rows=rows, given=given: umap.UMAP(**given).fit_transform(rows), 5),
                      "better": "lower", "peer": f"umap-learn {umap.__version__}"})
    return found


def beside() -> list[dict]:
    """Seconds for neighbours among all searched rows, and for the faithfulness of a frame."""
    rows = _rows(SEARCHED)
    plane = project("pca", {"a": rows[:DRAWN]}).positions[0]
    found = []
    for name, work in ((f"{computing.NEIGHBOURS} nearest of {SEARCHED} rows for {DRAWN} points, d = {WIDTH}, seconds",
                        lambda: computing.neighbours(rows, DRAWN, computing.NEIGHBOURS)),
                       (f"faithfulness of a frame of {DRAWN} points, d = {WIDTH}, seconds",
                        lambda: faithfulness.facts(rows[:DRAWN], plane))):
        work()
        start = time.perf_counter()
        work()
        found.append({"name": name, "value": time.perf_counter() - start, "bar": None, "better": "lower",
                      "peer": None, "n": DRAWN})
    return found
