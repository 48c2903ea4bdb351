"""What a map of points holds, as it is computed, stored and drawn."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True, kw_only=True, eq=False)
class PointMap:
    """The same m rows on a plane at each frame: one checkpoint or site, or several in order of training or of depth.

    `alignment` says in words how positions are aligned from frame to frame, or that they are not. `neighbours` are the
    k rows nearest in the full space among the `searched` rows, nearest first, as places in `row_ids`, whose first m are
    the rows that are drawn. `facts` of a frame hold trustworthiness, neighbourhood_overlap and distance_correlation.
    """

    method: str  # pca, umap, tsne, given
    over: str  # steps, layers
    frames: tuple[str, ...]
    positions: Float[np.ndarray, "frames m 2"]
    norms: Float[np.ndarray, "frames m"]
    neighbours: Int[np.ndarray, "frames m k"]
    distances: Float[np.ndarray, "frames m k"]
    facts: tuple[dict[str, float], ...]
    alignment: str
    row_ids: tuple[str, ...]  # of all rows that were searched; those drawn come first
    documents: tuple[str, ...]
    tokens: tuple[str, ...]  # the token of each row, "" where there is none
    contexts: tuple[str, ...]  # the text around it
    total: int  # rows there are
    seed: int
    settings: dict[str, Any]  # of the method, as used

    @property
    def searched(self) -> int:
        return len(self.row_ids)

    @property
    def drawn(self) -> int:
        return self.positions.shape[1]
