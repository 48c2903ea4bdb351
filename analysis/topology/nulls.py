"""Is it more than chance? Diagrams against those of clouds without structure, at equal numbers of points."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from analysis.topology import summaries
from analysis.topology.cell import BAND, GRID, SUMMARIES, Cell, Null
from analysis.topology.diagrams import Diagrams
from analysis.topology.surrogates import p_value

LEVEL = 0.05


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The longest bar of a dimension against one kind of surrogates: of the first draw `value` with its `p`, and over
    all draws the mean, the standard deviation and how many of them lie above the `threshold`."""

    kind: str
    dimension: int
    value: float
    p: float
    threshold: float
    mean: float
    spread: float | None  # None where there is one draw
    above: int
    draws: int
    surrogates: int
    longer: float  # bars above the threshold, mean over draws

    @property
    def significant(self) -> bool:
        return self.p <= LEVEL


def summarised(diagrams: Diagrams) -> dict[str, Float[np.ndarray, " dims"]]:
    """SUMMARIES of each dimension of one cloud."""
    lengths = [diagrams.lengths(dimension) for dimension in range(len(diagrams.bars))]
    return {"longest": np.array([summaries.longest(one) for one in lengths]),
            "total": np.array([summaries.total_persistence(one) for one in lengths]),
            "entropy": np.array([summaries.persistence_entropy(one) for one in lengths]),
            "bars": np.array([len(one) for one in lengths], dtype=float)}


def null_of(surrogates: Sequence[Diagrams]) -> Null:
    """What some surrogates give together."""
    every = [summarised(one) for one in surrogates]
    curves = np.array([[summaries.betti_curve(bars, GRID) for bars in one.bars] for one in surrogates])
    return Null(summaries={name: np.stack([one[name] for one in every]) for name in SUMMARIES},
                betti=np.quantile(curves, BAND, axis=0))


def verdict(cell: Cell, kind: str, dimension: int = 1) -> Verdict:
    """Whether the longest bar of a dimension is longer than those of clouds without structure."""
    null = cell.nulls[kind].summaries["longest"][:, dimension]
    longest = np.array([summaries.longest(one.lengths(dimension)) for one in cell.draws])
    threshold = cell.nulls[kind].threshold(dimension)
    longer = [summaries.count_longer(one.lengths(dimension), threshold) for one in cell.draws]
    return Verdict(kind=kind, dimension=dimension, value=float(longest[0]), p=p_value(float(longest[0]), null),
                   threshold=threshold, mean=float(longest.mean()), surrogates=len(null), draws=len(longest),
                   spread=float(longest.std(ddof=1)) if len(longest) > 1 else None,
                   above=int((longest > threshold).sum()), longer=float(np.mean(longer)))
