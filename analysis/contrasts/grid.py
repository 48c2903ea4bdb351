"""Which sites and checkpoints a grid of small figures draws, so that it stays light and says what it left out."""

import math
from collections.abc import Sequence
from typing import Any

MOST_POINTS = 80_000  # about 1.5 MB of JSON
COLUMNS = 4
USUAL = ("rankme_covariance", "alpha_weighted_least_squares", "participation_ratio", "mean_cosine")


def spread(sites: Sequence[str], most: int = COLUMNS) -> list[str]:
    """At most so many sites, evenly through the depth, with both ends."""
    if len(sites) <= most:
        return list(sites)
    return [sites[round(k * (len(sites) - 1) / (most - 1))] for k in range(most)]


def lines(records: Sequence[dict[str, Any]]) -> tuple[dict[tuple[str, str, str], list[dict[str, Any]]], str]:
    """The records of each line by measure, site and run, thinned where they are too many, and a sentence that says so.
    """
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for record in records:
        found.setdefault((record["measure"], record["site"], record["run"]), []).append(record)
    every = max(1, math.ceil(len(records) / MOST_POINTS))
    if every == 1:
        return found, ""
    return {name: [*line[:-1:every], line[-1]] for name, line in found.items()}, (
        f" To keep the figure light, one checkpoint in {every} of each line is drawn, and its last; the table has "
        f"all {len(records):,} values.")
