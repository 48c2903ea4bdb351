"""A map of points made by hand: what the tests of its reading and its drawing share."""

from typing import Any

import numpy as np

from analysis.maps.shown import PointMap

WORDS = ("peace", "war", "the", "Congress")


def made(*, drawn: int = 12, searched: int = 20, frames: int = 3, k: int = 4, seed: int = 0, **given: Any) -> PointMap:
    """Rows of two a document, whose neighbours are the next k at the first frame, and one further at each later one."""
    rng = np.random.default_rng(seed)
    rows = np.arange(drawn)[:, None]
    facts = tuple({"trustworthiness": 0.9 - f / 100, "neighbourhood_overlap": 0.5 - f / 100,
                   "distance_correlation": 0.7 - f / 100} for f in range(frames))
    return PointMap(**({
        "method": "pca", "over": "steps", "frames": tuple(f"step{f}" for f in range(frames)),
        "positions": rng.normal(size=(frames, drawn, 2)),
        "norms": rng.uniform(1, 2, size=(frames, drawn)),
        "neighbours": np.stack([(rows + 1 + f + np.arange(k)) % searched for f in range(frames)]),
        "distances": np.sort(rng.uniform(size=(frames, drawn, k)), axis=-1), "facts": facts,
        "alignment": "Each frame is turned onto the one before.",
        "row_ids": tuple(f"text{i // 2}@{i % 2 + 1}" for i in range(searched)),
        "documents": tuple(f"text{i // 2}" for i in range(searched)),
        "tokens": tuple(WORDS[i % len(WORDS)] for i in range(searched)),
        "contexts": tuple(f"before {i} {WORDS[i % len(WORDS)]} after" for i in range(searched)),
        "total": 2 * searched, "seed": seed, "settings": {"k": 15}} | given))
