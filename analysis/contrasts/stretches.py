"""What a measure does in each phase of training and each stage after it."""

import math
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import Any

from analysis import phasing
from analysis.contrasts.sides import between
from analysis.contrasts.values import Point
from analysis.keys import Run
from analysis.phases import NOT_RESOLVED
from analysis.phasing import Phased

WHOLE = "whole training"
Stretch = tuple[str, str, str]  # its name, and the revisions that it begins and ends with


def stretches(run: Run, phased: Phased | None) -> list[Stretch]:
    """The whole of a run, and each named phase of it, or each stage where it has no steps."""
    ends = run.checkpoints[0].revision, run.checkpoints[-1].revision
    if len(run.checkpoints) < 2:
        return []
    if all(checkpoint.step is None for checkpoint in run.checkpoints):
        stages = [(f"{a.revision} to {b.revision}", a.revision, b.revision) for a, b in pairwise(run.checkpoints)]
        return [("all stages", *ends), *stages] if len(stages) > 1 else stages
    named = [(phase.name, phased.checkpoints[phase.start].revision, phased.checkpoints[phase.end].revision)
             for phase in phased.labels.phases if phase.name != NOT_RESOLVED] if phased else []
    return [(WHOLE, *ends), *named]


def rows(runs: Sequence[Run], points: dict[str, list[Point]],
         found: Sequence[Phased | None]) -> list[dict[str, Any]]:
    """One row for each run and stretch: start, end, change with its paired interval, and rate per doubling of steps.

        rate = change / log2(last step / first step)

    A stretch that begins at step 0 has no rate.
    """
    phases = {phased.run.name: phased for phased in found if phased}
    return [row for run in runs for row in _of_run(run, points[run.name], phases.get(run.name))]


def _of_run(run: Run, points: Sequence[Point], phased: Phased | None) -> Iterator[dict[str, Any]]:
    at = {point.record["revision"]: point for point in points}
    for name, first, last in stretches(run, phased):
        if first in at and last in at:
            row = between(at[first], at[last])
            steps = row["step_a"], row["step_b"]
            doublings = math.log2(steps[1] / steps[0]) if all(steps) and steps[0] < steps[1] else None
            rate = row["value"] / doublings if doublings and row["value"] is not None else None
            yield {"run": run.name, "stretch": name} | row | {"rate": rate, "says": says(row)}


def says(row: dict[str, Any]) -> str:
    """What the interval of a difference says, in words."""
    if row["excludes_0"] is None:
        return f"no paired interval: {row['reason']}"
    return "differs" if row["excludes_0"] else "not distinguishable"


def unresolved(found: Sequence[Phased | None], runs: Sequence[Run]) -> str:
    """One line on what has no name, and so no row."""
    told = []
    for phased in filter(None, found):
        grouped = groupby(phased.labels.phases, lambda one: one.name == NOT_RESOLVED)
        parts = [list(members) for silent, members in grouped if silent]
        ends = [" to ".join(phased.checkpoints[end].revision for end in (part[0].start, part[-1].end))
                for part in parts]
        if ends:
            told.append(f"Not resolved in {phased.run.name}: {', '.join(ends)}.")
    known = {phased.run.name for phased in found if phased}
    told += phasing.notes([], [run for run in runs if run.name not in known])
    return " ".join(told)
