"""Two made-up runs of 154 checkpoints x 25 sites with every usual result, for benches of what reads them.

They are written through the store, as a sweep does, but come of no model: smooth random curves, with the documents'
jackknife replicates, spectra, losses, measures of the weights, and the comparisons that the page Similarity opens on.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement

import numpy as np

from analysis import registry, similarity, views, weights
from analysis.batches import Stored
from analysis.extraction.library import find_probe
from analysis.extraction.probes import DEFAULT
from analysis.keys import Checkpoint, Policy, RepresentationKey, ResultKey, Run
from analysis.pairs.work import MOST_REPLICATES
from analysis.representations import Protocol
from analysis.results import Curve, PairMatrix, Replicates, Scalar
from analysis.store import Representation, Store
from analysis.sweeping import OPENS_ON
from analysis.weight_measures import MEASURES as WEIGHT_MEASURES

CHECKPOINTS, BLOCKS, WIDTH, ROWS, GROUPS = 154, 23, 512, 1145, 23
SITES = ["embedding", *(f"block {number}" for number in range(1, BLOCKS + 1)), "final"]
STEPS = [0, *(2**power for power in range(10)), *range(1000, 144_000, 1000)]
MATRICES = ["embed_in.weight", *(f"gpt_neox.layers.{block}.{part}.weight" for block in range(BLOCKS)
                                 for part in ("attention.query_key_value", "attention.dense", "mlp.dense_h_to_4h",
                                              "mlp.dense_4h_to_h"))]
SIZES = np.full(GROUPS, ROWS // GROUPS)


def runs() -> tuple[Run, Run]:
    """Two seeds of one training, with as many checkpoints as Pythia has."""
    assert len(STEPS) == CHECKPOINTS and len(SITES) == BLOCKS + 2
    return tuple(Run(name, f"hub:lab/{name}", tuple(  # type: ignore[return-value]
        Checkpoint(name, f"step{step}", step, step * 2**21, f"hub:lab/{name}@{step:040x}", f"{1000 * seed + at:064x}")
        for at, step in enumerate(STEPS))) for seed, name in enumerate(("long-seed1", "long-seed2"), 1))


def fill(store: Store) -> tuple[Run, Run]:
    """Write all of it, and put both runs on the list."""
    rng, protocol, both = np.random.default_rng(0), Protocol(find_probe(DEFAULT), Policy.parse("last")), runs()
    ids = tuple(f"text {row}" for row in range(ROWS)), tuple(f"document {row % GROUPS}" for row in range(ROWS))
    rows = {site: np.zeros((ROWS, 1), dtype=np.float32) for site in SITES}
    calm = {"top_row_share": 0.002, "top_channel_share": 0.02, "duplicate_share": 0.0}
    facts = {"texts": ROWS, "texts_cut": 0, "sites": SITES, "outliers": dict.fromkeys(SITES, calm)}
    for run in both:
        store.remember_run(run.name, run.source, run.checkpoints)
        for at, checkpoint in enumerate(run.checkpoints):
            key, place = protocol.key(checkpoint), at / CHECKPOINTS
            store.put_representation(key, Representation(
                rows=rows, row_ids=ids[0], document_ids=ids[1], facts={**facts, "loss": 11 - 8 * place**0.3}))
            store.put_results(list(_results(key, place, rng)))
            for of, weight_key in (("matrix", weights.key_of(checkpoint)),
                                   ("change", weights.key_of(checkpoint, run.checkpoints[0]))):
                store.put_results(list(_of_weights(weight_key, of, place)))
    _compare(store, both, protocol, rng)
    return both


def _results(key: RepresentationKey, place: float, rng: np.random.Generator) -> Iterator[Stored]:
    """Every usual measure at every site: a dip and a rise over training, with noise and replicates."""
    spectrum = registry.get("covariance_eigenspectrum")
    decay = np.arange(1, WIDTH + 1) ** -(0.8 + 0.3 * place)
    for depth, site in enumerate(SITES):
        level = 40 + depth + 15 * np.cos(6 * place) + rng.normal(0, 0.3)
        for number, measure in enumerate(m for m in registry.usual() if m.arity == 1):
            own = ResultKey(key, site, measure.name, measure.version, tuple(sorted(measure.settings().items())))
            if measure is spectrum:
                yield Stored(key=own, result=Curve(values=decay), n=ROWS, d=WIDTH)
                continue
            value = float(level / (1 + number))
            left_out = value * (1 + rng.normal(0, 0.002, GROUPS)) if measure.has_interval else None
            by_two = left_out[::2][:GROUPS // 2] if measure.leaves_two_out and left_out is not None else None
            yield Stored(key=own, n=ROWS, d=WIDTH, result=Scalar(
                value=value, low=0.98 * value, high=1.02 * value,
                replicates=None if left_out is None else Replicates(left_out, SIZES, by_two)))


def _of_weights(key: RepresentationKey, of: str, place: float) -> Iterator[Stored]:
    for name in MATRICES:
        for measure in WEIGHT_MEASURES:
            if measure.of == of:
                yield Stored(key=ResultKey(key, name, measure.name, measure.version, ()), n=WIDTH, d=WIDTH,
                             result=Scalar(value=1 + place))


def _compare(store: Store, both: Sequence[Run], protocol: Protocol, rng: np.random.Generator) -> None:
    """Layers of the last checkpoints and steps at the last site, within and between the runs."""
    for a, b in combinations_with_replacement(both, 2):
        for rows, columns in ((views.layers(a.checkpoints[-1], SITES), views.layers(b.checkpoints[-1], SITES)),
                              (views.steps(a, SITES[-1]), views.steps(b, SITES[-1]))):
            for name in OPENS_ON:
                key = similarity.matrix_key(rows, columns, registry.get(name), protocol, None)
                store.put_matrix(key, _matrix(len(rows), key.draws, rng))


def _matrix(size: int, draws: int, rng: np.random.Generator) -> PairMatrix:
    apart = np.abs(np.subtract.outer(np.arange(size), np.arange(size))) / size
    values = np.exp(-apart) + rng.normal(0, 0.002, (size, size))
    noise = rng.normal(0, 0.002, (GROUPS, size, size))
    return PairMatrix(values=values, chance=np.zeros((size, size)), sizes=SIZES,
                      replicates=values + noise if size**2 <= MOST_REPLICATES else None,
                      null=rng.normal(0, 0.01, (draws, size, size)) if draws else None)
