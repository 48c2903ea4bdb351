"""The topology of one representation: diagrams of its draws, and the same summaries of clouds without structure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from analysis.topology.diagrams import Bars, Diagrams

KINDS = {"matched": "Gaussian of the same covariance",
         "shuffled": "principal components shuffled and made uncorrelated again"}
SUMMARIES = ("longest", "total", "entropy", "bars")
GRID = np.linspace(0.0, 1.5, 151)  # radii of Betti curves, in units of the 0.9 quantile of the distances
BAND = (0.05, 0.5, 0.95)
Tensors = dict[str, np.ndarray]


@dataclass(frozen=True, kw_only=True, eq=False)
class Null:
    """What clouds without structure give at the same number of points: SUMMARIES of each surrogate and dimension, and
    the BAND quantiles of their Betti curves over GRID."""

    summaries: dict[str, Float[np.ndarray, "surrogates dims"]]
    betti: Float[np.ndarray, "3 dims grid"]

    def threshold(self, dimension: int) -> float:
        """The 95 % quantile of the longest bar."""
        return float(np.quantile(self.summaries["longest"][:, dimension], BAND[-1]))


@dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """Persistent homology of one (checkpoint, site): of `draws` of `points` rows each, of `folds` that share no
    document, and of surrogates of the first draw, by kind. All clouds of draws and surrogates have `points` points."""

    draws: tuple[Diagrams, ...]
    folds: tuple[Diagrams, ...]
    nulls: dict[str, Null]
    rows: int  # there are
    distinct: int  # of them
    d: int

    @property
    def points(self) -> int:
        return self.draws[0].points

    @property
    def dimensions(self) -> int:
        return len(self.draws[0].bars)

    @property
    def whole(self) -> bool:
        """Whether the one draw is all there is, so that nothing can be said of other draws."""
        return len(self.draws) == 1 and self.points == self.distinct


def packed(cell: Cell) -> tuple[dict[str, Any], Tensors]:
    """JSON and arrays of a cell."""
    tensors = {**_diagrams_packed("draws", cell.draws), **_diagrams_packed("folds", cell.folds)}
    for kind, null in cell.nulls.items():
        tensors |= {f"{kind}.{name}": values.astype(np.float32) for name, values in null.summaries.items()}
        tensors[f"{kind}.betti"] = null.betti.astype(np.float32)
    record = {"rows": cell.rows, "distinct": cell.distinct, "d": cell.d, "points": cell.points,
              "fold_points": cell.folds[0].points if cell.folds else 0, "kinds": list(cell.nulls)}
    return record, tensors


def unpacked(record: dict[str, Any], tensors: Tensors) -> Cell:
    nulls = {kind: Null(summaries={name: tensors[f"{kind}.{name}"].astype(float) for name in SUMMARIES},
                        betti=tensors[f"{kind}.betti"].astype(float)) for kind in record["kinds"]}
    return Cell(draws=_diagrams("draws", tensors, record["points"]), nulls=nulls, rows=record["rows"], d=record["d"],
                folds=_diagrams("folds", tensors, record["fold_points"]), distinct=record["distinct"])


def _diagrams_packed(name: str, diagrams: Sequence[Diagrams]) -> Tensors:
    """Bars of all diagrams end to end, as float32, which is what the engine computes in."""
    if not diagrams:
        return {}
    found: Tensors = {f"{name}.scales": np.array([one.scale for one in diagrams])}
    for dimension in range(len(diagrams[0].bars)):
        bars = [one.bars[dimension] for one in diagrams]
        found[f"{name}.h{dimension}"] = np.concatenate(bars).astype(np.float32)
        found[f"{name}.h{dimension}.counts"] = np.array([len(one) for one in bars], dtype=np.int32)
    return found


def _diagrams(name: str, tensors: Tensors, points: int) -> tuple[Diagrams, ...]:
    if f"{name}.scales" not in tensors:
        return ()
    scales = tensors[f"{name}.scales"]
    dimensions = sum(key.startswith(f"{name}.h") and not key.endswith("counts") for key in tensors)
    by_dimension: list[list[Bars]] = [np.split(tensors[f"{name}.h{k}"].astype(float),
                                               np.cumsum(tensors[f"{name}.h{k}.counts"])[:-1])
                                      for k in range(dimensions)]
    return tuple(Diagrams(bars, float(scale), points) for scale, *bars in zip(scales, *by_dimension, strict=True)
                 for bars in [tuple(bars)])
