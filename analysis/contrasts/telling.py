"""Captions and tables of differences, in words."""

from collections.abc import Sequence
from typing import Any

from analysis import registry, summaries
from analysis.contrasts.places import LOSS, SAID
from analysis.contrasts.stretches import says
from analysis.keys import Run
from analysis.representations import Protocol

TEXTS_ONLY = ("The interval is over documents such as these: it says how far the texts decide the difference, and "
              "nothing of what another seed of the training would give.")


def caption(rows: Sequence[dict[str, Any]], protocol: Protocol) -> str:
    """Rows and widths of both sides, the texts, and what the interval is of."""
    sizes = sorted({(row[f"n{side}"], row[f"d{side}"]) for row in rows for side in ("_a", "_b")})
    shown = ", ".join(f"n = {n}, d = {d}" for n, d in sizes[:3])
    band = ""
    if any(row["low"] is not None for row in rows):
        band = (" Interval: 95 %, jackknife over documents, the same ones left out on both sides, each difference by "
                "itself.")
    return f"{shown}. {summaries.spoken(protocol)}{band}"


def interpolated(rows: Sequence[dict[str, Any]], base: str, axis: str) -> str:
    """How many differences are to a place between two checkpoints."""
    count = sum(bool(row["between_a"]) for row in rows)
    if not count:
        return ""
    rose = " A checkpoint whose loss is not below all before it ends no such line." if axis == LOSS else ""
    return (f" {count} of {len(rows)} differences are to {base} on the straight line between two of its checkpoints."
            f"{rose}")


def unmatched(rows: Sequence[dict[str, Any]], runs: Sequence[Run], base: str, axis: str) -> str:
    """How many checkpoints of each run have nothing to be compared with; nothing is put in their place."""
    found = {run.name: {row["revision_b"] for row in rows if row["run_b"] == run.name} for run in runs}
    told = [f"{count} of the {len(run.checkpoints)} checkpoints of {run.name}" for run in runs
            if (count := len(run.checkpoints) - len(found[run.name]))]
    return (f"Left out: {' and '.join(told)}, for which {base} has no value at the same {SAID.get(axis, axis)}. "
            if told else "")


def table(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Differences as a reader wants them: both sides, the change, its interval, and what that says. Of what all rows
    share, the measure and the site, nothing is said."""
    shared = [name for name in ("measure", "site") if len({row[name] for row in rows}) < 2]
    found = [{"measure": registry.get(row["measure"]).label, "site": row["site"], "from": _name(row, "_a"),
              "to": _name(row, "_b"), "change": row["value"], "low": row["low"], "high": row["high"],
              "change %": _percent(row), "says": says(row), "start": row["value_a"], "end": row["value_b"]}
             for row in rows]
    return [{name: value for name, value in row.items() if name not in shared} for row in found]


def phase_table(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same for phases and stages, with the change at each doubling of the steps."""
    return [{"run": row["run"], "phase": row["stretch"], "from": row["revision_a"], "to": row["revision_b"],
             "start": row["value_a"], "end": row["value_b"], "change": row["value"], "low": row["low"],
             "high": row["high"], "per doubling": row["rate"], "change %": _percent(row), "says": says(row)}
            for row in rows]


def _name(row: dict[str, Any], side: str) -> str:
    return f"{row[f'run{side}']}@{row.get(f'between{side}') or row[f'revision{side}']}"


def _percent(row: dict[str, Any]) -> float | None:
    return None if row["relative"] is None else 100 * row["relative"]
