"""From which checkpoint to which an arrow goes in the plane of two measures."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from analysis.contrasts.sides import between
from analysis.contrasts.values import Point
from analysis.keys import Run
from analysis.phases import NOT_RESOLVED
from analysis.phasing import Phased

ENDS, PHASES, EVERY = "ends", "phases", "every"
WAYS = {ENDS: "first and last", PHASES: "ends of phases", EVERY: "every checkpoint"}
SAYS = ("An arrow goes from a checkpoint to the next of its run. Crosses: 95 % intervals of each value at this n, "
        "jackknife over documents; bias is not in them. After Li et al. (2025).")


def stops(run: Run, way: str, phased: Phased | None) -> list[str]:
    """The checkpoints of a run that arrows join, in order; of a run of stages, every one."""
    revisions = [checkpoint.revision for checkpoint in run.checkpoints]
    if way == EVERY or all(checkpoint.step is None for checkpoint in run.checkpoints):
        return revisions
    wanted = {revisions[0], revisions[-1]}
    if way == PHASES and phased:
        wanted |= {phased.checkpoints[end].revision for phase in phased.labels.phases if phase.name != NOT_RESOLVED
                   for end in (phase.start, phase.end)}
    return [revision for revision in revisions if revision in wanted]


def places(across: Sequence[Point], up: Sequence[Point], wanted: Sequence[str]) -> list[dict[str, Any]]:
    """Checkpoints where both measures have a value: the first as `value`, the second as `up`, with both intervals."""
    second = {point.record["revision"]: point for point in up if point.scalar.defined}
    found = []
    for point in across:
        other = second.get(point.record["revision"])
        if name(point) in wanted and point.scalar.defined and other:
            found.append(point.record | {
                "measure_up": other.record["measure"], "up": other.record["value"], "up_low": other.record["low"],
                "up_high": other.record["high"], "protocol_up": other.record["protocol"]})
    return found


def legs(found: Sequence[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each arrow: a checkpoint and the next of its run."""
    return [(a, b) for a, b in pairwise(found) if a["run"] == b["run"]]


def changes(of_runs: Sequence[Sequence[Point]], wanted: Sequence[str]) -> list[dict[str, Any]]:
    """The paired change of a measure along each arrow."""
    return [between(a, b) for points in of_runs
            for a, b in pairwise(point for point in points if name(point) in wanted)]


def name(point: Point) -> str:
    """Run and revision, as the page names a checkpoint."""
    return f"{point.record['run']}@{point.record['revision']}"


def records(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One record for each checkpoint and measure, as every file of values has them."""
    extra = {"measure_up", "up", "up_low", "up_high", "protocol_up"}
    first = [{key: value for key, value in row.items() if key not in extra} for row in found]
    return [*first, *(one | {"measure": row["measure_up"], "value": row["up"], "low": row["up_low"],
                             "high": row["up_high"], "protocol": row["protocol_up"]}
                      for one, row in zip(first, found, strict=True))]
