"""Where a checkpoint stands on axes that runs of different lengths share: a share of its training, or the loss."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from analysis import compute, summaries
from analysis.contrasts.values import Point
from analysis.keys import Run
from analysis.representations import Protocol
from analysis.results import Panel, Shade
from analysis.store import Store

SHARE, LOSS = "share", "loss"
SAID = {"revision": "stage", SHARE: "share of training"}  # other axes are called what they are


def axes(store: Store, runs: Sequence[Run], protocol: Protocol) -> list[str]:
    """Every axis that some of these runs can stand on, the first to show."""
    counted = [run for run in runs if _last_step(run)]
    lossy = any(fact["loss"] is not None for run in runs for fact in compute.losses(store, run, protocol))
    return [*summaries.axes(runs), *([SHARE] if counted else []), *([LOSS] if lossy else [])]


def placed(store: Store, runs: Sequence[Run], protocol: Protocol, rows: Sequence[dict[str, Any]],
           quantity: str) -> list[dict[str, Any]]:
    """Rows of run, revision and step, with their place on this axis; None where they have none.

        share = 100 step / step of the last checkpoint of the run
    """
    if quantity == LOSS:
        known = {(fact["run"], fact["revision"]): fact["loss"] for run in runs
                 for fact in compute.losses(store, run, protocol)}
        return [row | {LOSS: known.get((row["run"], row.get("revision")))} for row in rows]
    if quantity == SHARE:
        last = {run.name: _last_step(run) for run in runs}
        return [row | {SHARE: 100 * row["step"] / last[row["run"]]
                       if last.get(row["run"]) and row["step"] is not None else None} for row in rows]
    return list(rows)


def points(store: Store, runs: Sequence[Run], protocol: Protocol, found: dict[str, list[Point]],
           quantity: str) -> dict[str, list[Point]]:
    """The values of each run with their place on this axis."""
    return {name: [Point(row, point.scalar) for row, point in zip(placed(
        store, runs, protocol, [point.record for point in of_run], quantity), of_run, strict=True)]
        for name, of_run in found.items()}


def below(store: Store, runs: Sequence[Run], protocol: Protocol, below_it: str, quantity: str) -> Panel:
    """What stands below a trajectory on this axis; nothing on that of the loss, on which a training log has no place.
    """
    panel = compute.beside(store, runs, protocol, below_it)
    return Panel(panel.label, [] if quantity == LOSS else placed(store, runs, protocol, panel.rows, quantity))


def shades(store: Store, runs: Sequence[Run], protocol: Protocol, found: Sequence[Shade],
           quantity: str) -> list[Shade]:
    """Phases on this axis; none on that of the loss, which may pass one value more than once."""
    def end(shade: Shade, row: dict[str, Any]) -> dict[str, Any]:
        return placed(store, runs, protocol, [row | {"run": shade.run}], quantity)[0]
    return [] if quantity == LOSS else [replace(shade, first=end(shade, shade.first), last=end(shade, shade.last))
                                        for shade in found]


def _last_step(run: Run) -> int:
    return max((checkpoint.step or 0 for checkpoint in run.checkpoints), default=0)
