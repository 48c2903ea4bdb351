"""How far apart the diagrams of two representations lie: along training, and whether more than other texts explain."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from analysis.errors import Undefined
from analysis.keys import Checkpoint, digest
from analysis.representations import Protocol, Report, silent
from analysis.store import Store
from analysis.summaries import described
from analysis.topology.cell import Cell
from analysis.topology.computing import KIND as CELLS
from analysis.topology.computing import Item, Question, name_of, stored
from analysis.topology.diagrams import Bars
from analysis.topology.distances import bottleneck, merges_apart, wasserstein
from analysis.topology.two_sample import TwoSample, two_sample

KIND, VERSION = "topology-changes", 1
DISTANCES: dict[str, tuple[Callable[[Bars, Bars], float], int]] = {
    "wasserstein_h1": (wasserstein, 1), "bottleneck_h1": (bottleneck, 1), "wasserstein_h0": (wasserstein, 0),
    "merges_h0": (merges_apart, 0)}
REFERENCES = ("previous", "last", "pinned")


def apart(a: Cell, b: Cell) -> dict[str, list[float]]:
    """Each of DISTANCES between the diagrams of the same rows on both sides, draw by draw.

    Raises Undefined for clouds of different numbers of points: their diagrams differ for that alone.
    """
    if a.points != b.points:
        raise Undefined(f"one side's clouds have {a.points} points and the other's {b.points}")
    draws = list(zip(a.draws, b.draws, strict=False))
    return {name: [distance(left.bars[of], right.bars[of]) for left, right in draws]
            for name, (distance, of) in DISTANCES.items()}


def among_draws(cell: Cell) -> dict[str, list[float]]:
    """Each of DISTANCES between different draws of one cell: what other texts alone make of it."""
    pairs = list(zip(cell.draws[::2], cell.draws[1::2], strict=False))
    return {name: [distance(left.bars[of], right.bars[of]) for left, right in pairs]
            for name, (distance, of) in DISTANCES.items()}


def difference(a: Cell, b: Cell, dimension: int, *, same_documents: bool) -> TwoSample:
    """Whether two representations differ in topology, by draws that share no document (Robinson & Turner 2017).

    Raises Undefined where there are no such draws, or not of the same number of points.
    """
    if not a.folds or not b.folds:
        raise Undefined("the rows are too few for draws that share no document")
    if a.folds[0].points != b.folds[0].points:
        raise Undefined(f"one side's disjoint draws have {a.folds[0].points} points and the other's "
                        f"{b.folds[0].points}; both must come of the same probe and have as many distinct rows")
    return two_sample([one.bars[dimension] for one in a.folds], [one.bars[dimension] for one in b.folds], wasserstein,
                      paired=same_documents)


def compute(store: Store, checkpoints: Sequence[Checkpoint], site: str, protocol: Protocol, question: Question,
            report: Report = silent, pinned: Checkpoint | None = None) -> None:
    """Distances of each checkpoint of a run to the one before and to the last, and to a pinned one of any run, where
    both have been computed."""
    pairs = lacking(store, checkpoints, site, protocol, question, pinned)
    for number, (one, other) in enumerate(pairs):
        report(number, len(pairs), f"{one.run}, {site}: {one.revision} and {other.revision}")
        a, b = (stored(store, (checkpoint, site), protocol, question) for checkpoint in (one, other))
        if a is not None and b is not None:
            together = a.points == b.points  # else there is nothing to compare, which is kept as well
            store.put_record(KIND, _name((one, site), (other, site), protocol, question), {"version": VERSION},
                             {**_arrays("apart", apart(a, b)), **_arrays("noise", among_draws(a))} if together else {})
    report(1, 1, "done")


def lacking(store: Store, checkpoints: Sequence[Checkpoint], site: str, protocol: Protocol, question: Question,
            pinned: Checkpoint | None = None) -> list[tuple[Checkpoint, Checkpoint]]:
    """Pairs of computed checkpoints whose distance is not computed: of neighbours, and of each with the last and with
    the pinned one."""
    known = _known(store, checkpoints, site, protocol, question)
    others = _known(store, [pinned] if pinned else [], site, protocol, question)
    pairs = dict.fromkeys([*((after, before) for before, after in pairwise(known)),
                           *((one, known[-1]) for one in known[:-1]),
                           *((one, other) for other in others for one in known if one != other)])
    return [pair for pair in pairs
            if not store.has_record(KIND, _name((pair[0], site), (pair[1], site), protocol, question))]


def records(store: Store, checkpoints: Sequence[Checkpoint], site: str, protocol: Protocol, question: Question,
            pinned: Checkpoint | None = None) -> list[dict[str, Any]]:
    """One record a checkpoint, reference and distance: its mean over draws, their spread, and what different draws of
    the checkpoint itself are apart."""
    known = _known(store, checkpoints, site, protocol, question)
    found = []
    for number, checkpoint in enumerate(known):
        others = {"previous": known[number - 1] if number else None, "last": known[-1], "pinned": pinned}
        for reference, other in others.items():
            kept = None if other in (None, checkpoint) else store.get_record(
                KIND, _name((checkpoint, site), (other, site), protocol, question))
            if other is None or kept is None or not kept[1]:
                continue
            for name in DISTANCES:
                values, noise = kept[1][f"apart.{name}"], kept[1][f"noise.{name}"]
                found.append({"procedure": "distance of diagrams",
                              "run": checkpoint.run, "revision": checkpoint.revision, "step": checkpoint.step,
                              "tokens": checkpoint.tokens, "site": site, "reference": reference, "to_run": other.run,
                              "to": other.revision,
                              "distance": name, "value": float(values.mean()), "draws": len(values),
                              "fingerprint": checkpoint.fingerprint, "fingerprint_to": other.fingerprint,
                              "protocol": described(protocol),
                              "spread": float(values.std(ddof=1)) if len(values) > 1 else None,
                              "noise": float(noise.mean()) if len(noise) else None})
    return found


def _known(store: Store, checkpoints: Sequence[Checkpoint], site: str, protocol: Protocol,
           question: Question) -> list[Checkpoint]:
    return [c for c in checkpoints if store.has_record(CELLS, name_of(c, site, protocol, question))]


def _arrays(prefix: str, lists: dict[str, list[float]]) -> dict[str, np.ndarray]:
    return {f"{prefix}.{name}": np.array(values) for name, values in lists.items()}


def _name(a: Item, b: Item, protocol: Protocol, question: Question) -> str:
    return digest([VERSION, name_of(*a, protocol, question), name_of(*b, protocol, question)])
