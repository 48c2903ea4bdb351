"""How the benches measure time."""

import statistics
import time
from collections.abc import Callable

TURNS = 5


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ratio(ours: Callable[[], object], peer: Callable[[], object], turns: int = TURNS) -> float:
    """Median of ours / peer over turns that run one after the other, after one warm-up each. Each turn takes the peer
    before and after, so that a machine that grows slower meanwhile favours neither."""
    ours(), peer()
    found = []
    for _ in range(turns):
        before, own, after = seconds(peer), seconds(ours), seconds(peer)
        found.append(own / ((before + after) / 2))
    return statistics.median(found)
