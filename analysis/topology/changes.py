"""How far apart the diagrams of two representations lie: along training, and whether more than other texts explain."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from analysis.errors import Undefined
from analysis.keys import Checkpoint, digest
from analysis.representations import Protocol, Report, silent
from analysis.store import Store
from analysis.topology.cell import Cell
from analysis.topology.computing import Item, Question, name_of, stored
from analysis.topology.diagrams import Bars
from analysis.topology.distances import bottleneck, merges_apart, wasserstein
from analysis.topology.two_sample import TwoSample, two_sample

KIND, VERSION = "topology-changes", 1
DISTANCES: dict[str, tuple[Callable[[Bars, Bars], float], int]] = {
    "wasserstein_h1": (wasserstein, 1), "bottleneck_h1": (bottleneck, 1), "wasserstein_h0": (wasserstein, 0),
    "merges_h0": (merges_apart, 0)}
REFERENCES = ("previous", "last")


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
            report: Report = silent) -> None:
    """Distances of each checkpoint of a run to the one before and to the last, where both have been computed."""
    known = [(checkpoint, cell) for checkpoint in checkpoints
             if (cell := stored(store, (checkpoint, site), protocol, question)) is not None]
    pairs = {(known[i][0], known[j][0]): (known[i][1], known[j][1]) for i in range(1, len(known)) for j in (i - 1,)}
    pairs |= {(known[i][0], known[-1][0]): (known[i][1], known[-1][1]) for i in range(len(known) - 1)}
    for number, ((one, other), (a, b)) in enumerate(pairs.items()):
        report(number, len(pairs), f"{one.run}, {site}: {one.revision} and {other.revision}")
        name = _name((one, site), (other, site), protocol, question)
        if a.points != b.points or store.get_record(KIND, name) is not None:
            continue
        store.put_record(KIND, name, {"version": VERSION}, {**_arrays("apart", apart(a, b)),
                                                            **_arrays("noise", among_draws(a))})
    report(1, 1, "done")


def records(store: Store, checkpoints: Sequence[Checkpoint], site: str, protocol: Protocol,
            question: Question) -> list[dict[str, Any]]:
    """One record a checkpoint, reference and distance: its mean over draws, their spread, and what different draws of
    the checkpoint itself are apart."""
    known = [c for c in checkpoints if stored(store, (c, site), protocol, question) is not None]
    found = []
    for number, checkpoint in enumerate(known):
        others = {"previous": known[number - 1] if number else None, "last": known[-1]}
        for reference, other in others.items():
            kept = None if other in (None, checkpoint) else store.get_record(
                KIND, _name((checkpoint, site), (other, site), protocol, question))
            if kept is None or other is None:
                continue
            for name in DISTANCES:
                values, noise = kept[1][f"apart.{name}"], kept[1][f"noise.{name}"]
                found.append({"run": checkpoint.run, "revision": checkpoint.revision, "step": checkpoint.step,
                              "tokens": checkpoint.tokens, "site": site, "reference": reference, "to": other.revision,
                              "distance": name, "value": float(values.mean()), "draws": len(values),
                              "spread": float(values.std(ddof=1)) if len(values) > 1 else None,
                              "noise": float(noise.mean()) if len(noise) else None})
    return found


def _arrays(prefix: str, lists: dict[str, list[float]]) -> dict[str, np.ndarray]:
    return {f"{prefix}.{name}": np.array(values) for name, values in lists.items()}


def _name(a: Item, b: Item, protocol: Protocol, question: Question) -> str:
    return digest([VERSION, name_of(*a, protocol, question), name_of(*b, protocol, question)])
