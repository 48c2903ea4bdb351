"""What persistent homology gives of one cloud: the bars of each dimension, and what was done to the cloud before."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Bars = Float[np.ndarray, "m 2"]  # birth and death of each, in units of `scale`


@dataclass(frozen=True, eq=False)
class Diagrams:
    """Bars of H0, H1, ... of one cloud of distinct points under the Vietoris-Rips filtration.

    Births and deaths are distances divided by `scale`, their 0.9 quantile in the cloud. H0 holds the n - 1 merges,
    which are born at 0; the component that never dies is left out.
    """

    bars: tuple[Bars, ...]
    scale: float
    points: int

    def lengths(self, dimension: int) -> Float[np.ndarray, " m"]:
        """How long each bar of a dimension lives."""
        bars = self.bars[dimension]
        return bars[:, 1] - bars[:, 0]
