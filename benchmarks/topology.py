"""Persistent homology: the adapter against the engine that it calls, and workers against the engine alone."""

import os
from collections.abc import Iterator
from functools import partial
from itertools import islice

import numpy as np
from threadpoolctl import threadpool_limits

from analysis.representations import silent
from analysis.store import Representation
from analysis.topology.computing import Plan, Question, of_checkpoint
from analysis.topology.engine import normalised, persistence
from analysis.topology.workers import Task, Workers
from benchmarks.timing import ratio

SITES, DRAWS, ROWS, POINTS, WIDTH, CLUSTERS = 5, 10, 2_000, 400, 256, 10


def _clouds(count: int, points: int) -> list[np.ndarray]:
    """Like a language model's: clusters, and variances that fall as 1 / rank."""
    rng, spread = np.random.default_rng(0), np.arange(1, WIDTH + 1)**-0.5
    return [((2 * rng.standard_normal((CLUSTERS, WIDTH))[rng.integers(CLUSTERS, size=points)]
              + rng.standard_normal((points, WIDTH))) * spread).astype(np.float32) for _ in range(count)]


def _alone(clouds: list[np.ndarray]) -> None:
    """The compiled function on distances that it takes as they are."""
    from pyRipser import doRipsFiltrationDM
    for single in clouds:
        doRipsFiltrationDM(single, 1, np.inf, 2, False)


def adapter() -> dict:
    """H0 and H1 with checks and arrays, against ripser's compiled function on the same distances."""
    clouds = [normalised(cloud)[0] for cloud in _clouds(10, POINTS)]
    single = [distances.astype(np.float32) for distances in clouds]

    def ours() -> None:
        for distances in clouds:
            persistence(distances, 1)

    return {"name": f"H0 and H1 of a cloud / the engine alone, n = {POINTS}", "bar": 1.1, "better": "lower",
            "value": ratio(ours, lambda: _alone(single)), "peer": "ripser 0.6.15, its compiled function", "n": POINTS}


def workers() -> list[dict]:
    """Five sites against the engine alone on the same distances, divided by the cores: ten draws each, from the rows to
    the bars, and all that the command works out for them. The processes are there: checkpoints share them."""
    cores = os.cpu_count() or 1
    question, documents = Question(points=POINTS, draws=DRAWS, surrogates=19), [str(row) for row in range(ROWS)]
    representation = Representation(rows={f"block {i}": rows for i, rows in enumerate(_clouds(SITES, ROWS))}, facts={},
                                    row_ids=tuple(documents), document_ids=tuple(documents))

    def tasks(count: int | None) -> Iterator[Task]:
        for rows in representation.rows.values():
            yield from islice(Plan(rows, documents, question).tasks(), count)

    found = []
    with Workers(cores) as pool, threadpool_limits(1):
        for what, count, bar, ours in (
                ("draws", DRAWS, 1.2, lambda: list(pool.map(tasks(DRAWS)))),
                ("draws, disjoint draws and surrogates", None, None,
                 lambda: of_checkpoint(representation, list(representation.rows), question, pool, silent))):
            single = [distances.astype(np.float32) for distances, _ in tasks(count)]
            found.append({"name": f"topology of {SITES} sites, {len(single)} {what}, in {cores} limited workers / the "
                                  f"engine alone over {cores}, n = {POINTS}", "bar": bar, "better": "lower",
                          "value": ratio(ours, partial(_alone, single), 3) * cores, "n": len(single),
                          "peer": "ripser 0.6.15, its compiled function"})
    return found
