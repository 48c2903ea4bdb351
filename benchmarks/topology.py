"""Persistent homology: the adapter against the engine that it calls, and workers against the engine alone."""

import os

import numpy as np

from analysis.topology.engine import normalised, persistence
from analysis.topology.workers import Refused, Workers
from benchmarks.timing import ratio

CLOUDS, POINTS, WIDTH, CLUSTERS = 100, 400, 256, 10


def _distances(count: int) -> list[np.ndarray]:
    """Of clouds like a language model's: clusters, and variances that fall as 1 / rank."""
    rng, spread = np.random.default_rng(0), np.arange(1, WIDTH + 1)**-0.5
    return [normalised((2 * rng.standard_normal((CLUSTERS, WIDTH))[rng.integers(CLUSTERS, size=POINTS)]
                        + rng.standard_normal((POINTS, WIDTH))) * spread)[0] for _ in range(count)]


def _alone(clouds: list[np.ndarray]) -> None:
    """The compiled function on distances that it takes as they are."""
    from pyRipser import doRipsFiltrationDM
    for single in clouds:
        doRipsFiltrationDM(single, 1, np.inf, 2, False)


def adapter() -> dict:
    """H0 and H1 with checks and arrays, against ripser's compiled function on the same distances."""
    clouds = _distances(10)
    single = [distances.astype(np.float32) for distances in clouds]

    def ours() -> None:
        for distances in clouds:
            persistence(distances, 1)

    return {"name": f"H0 and H1 of a cloud / the engine alone, n = {POINTS}", "bar": 1.1, "better": "lower",
            "value": ratio(ours, lambda: _alone(single)), "peer": "ripser 0.6.15, its compiled function", "n": POINTS}


def workers() -> dict:
    """Clouds on all cores, starting the workers included, against the engine alone, divided by the cores."""
    cores = os.cpu_count() or 1
    clouds = _distances(CLOUDS)
    single = [distances.astype(np.float32) for distances in clouds]

    def ours() -> None:
        with Workers(cores) as pool:
            assert not any(isinstance(bars, Refused) for bars in pool.map((distances, 1) for distances in clouds))

    return {"name": f"H0 and H1 of {CLOUDS} clouds in {cores} limited workers / the engine alone over {cores}, "
                    f"n = {POINTS}", "value": ratio(ours, lambda: _alone(single), 3) * cores, "bar": 1.2,
            "better": "lower", "peer": "ripser 0.6.15, its compiled function", "n": CLOUDS}
