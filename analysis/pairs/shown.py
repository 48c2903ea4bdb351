"""What is shown of one pair: a line for each measure, and its rows matched. Frozen, and apart from what computes it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from analysis.measure import Measure

GROUPS = {  # the modules of analysis/measures, the usual ones first
          "CKA": ("cka", "head_removed_cka", "column_corrected_cka", "kernel_cka"),
          "Subspaces and regression": ("linear_regression", "cca", "subspace_overlap", "shared_dimensions"),
          "Distances (RSA)": ("rsa", "topological_rsa"),
          "Neighbours": ("neighbours", "cknna", "information_imbalance"),
          "Shape": ("procrustes",),
          "Topology": ("topological_divergence", "merge_trees")}
OTHERS = "Others"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One measure of one pair. `chance` is exact; `null_mean` and `threshold` are of the shuffles. None where there is
    no such number, and `reason` says why there is no value."""

    measure: Measure
    value: float | None = None
    low: float | None = None
    high: float | None = None
    chance: float | None = None
    null_mean: float | None = None
    threshold: float | None = None
    calibrated: float | None = None
    p: float | None = None
    draws: int = 0
    reason: str = ""

    @property
    def label(self) -> str:
        """The measure's label, in which the sides are A and B."""
        return re.sub(r"\bY\b", "B", re.sub(r"\bX\b", "A", self.measure.label))

    @property
    def by_chance(self) -> float | None:
        """The exact mean over all orders of the rows, else the mean of the shuffles."""
        return self.null_mean if self.chance is None else self.chance

    def place(self, value: float | None) -> float | None:
        """A value on the axis that all measures share: 0 at the threshold of its shuffles, 1 for equal sides."""
        equal, threshold = self.measure.equal, self.threshold
        if value is None or equal is None or threshold is None or equal == threshold:
            return None
        return (value - threshold) / (equal - threshold)


@dataclass(frozen=True, eq=False)
class Matched:
    """Points of A and of B, turned onto A, on the first two principal directions of A; how far each row of B stays
    from that of A in all directions; and the shares of A's variance along the two. `fitted` is how many rows the
    turn was found on."""

    a: Float[np.ndarray, "m 2"]
    b: Float[np.ndarray, "m 2"]
    residual: Float[np.ndarray, " m"]
    row_ids: tuple[str, ...]
    shares: tuple[float, float]
    fitted: int
    total: int


def group(measure: Measure) -> str:
    """Which kind of measure it is, by the module it stands in."""
    return next((name for name, modules in GROUPS.items() if module(measure) in modules), OTHERS)


def in_order(measures: Iterable[Measure]) -> list[Measure]:
    """By kind, the usual kinds first, and within a kind as their modules stand."""
    order = [name for modules in GROUPS.values() for name in modules]
    return sorted(measures, key=lambda m: order.index(module(m)) if module(m) in order else len(order))


def module(measure: Measure) -> str:
    """The name of the module it stands in."""
    return measure.fn.__module__.rpartition(".")[2]
