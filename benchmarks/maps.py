"""UMAP from an exact search that is shared, against umap-learn alone; and what a map costs beside its layout."""

import time

import numpy as np

from analysis.maps import computing, faithfulness
from analysis.maps.projections import project
from benchmarks.timing import ratio

ROWS, WIDTH = 5_000, 768
DRAWN, SEARCHED = 1_000, 20_000


def _rows(n: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    centres = 3 * rng.standard_normal((20, WIDTH))
    return ((centres[rng.integers(0, 20, n)] + rng.standard_normal((n, WIDTH)))
            * np.arange(1, WIDTH + 1)**-0.5).astype(np.float32)


def layout() -> list[dict]:
    """One frame, search included, which is exact; umap-learn's own is approximate. With a seed it runs on one core."""
    import umap
    rows = _rows(ROWS)
    return [{"name": f"map of one frame by UMAP with exact neighbours / umap-learn {how}, n = {ROWS}, d = {WIDTH}",
             "value": ratio(lambda: project("umap", {"a": rows}),
                            lambda given=given: umap.UMAP(**given).fit_transform(rows), 3),
             "bar": 1.0, "better": "lower", "peer": f"umap-learn {umap.__version__}", "n": ROWS}
            for how, given in (("with its defaults", {}), ("with the same seed", {"random_state": 0, "n_jobs": 1}))]


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
