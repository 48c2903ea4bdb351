"""What changed most between two checkpoints, over every stored measure and site, corrected for so many tests."""

from collections.abc import Sequence
from typing import Any

from analysis import registry
from analysis.contrasts import values
from analysis.contrasts.multiplicity import SAYS, adjusted
from analysis.contrasts.sides import between
from analysis.keys import Checkpoint, Run
from analysis.representations import Protocol
from analysis.store import Store

MOST_DRAWN = 25

def sides(runs: Sequence[Run]) -> tuple[Checkpoint, Checkpoint]:
    """The two checkpoints to compare first: two runs at the last step or stage they share, or both ends of one run."""
    if len(runs) < 2:
        return runs[0].checkpoints[0], runs[0].checkpoints[-1]
    one, other = runs[0].checkpoints, runs[1].checkpoints
    names = {c.revision if c.step is None else c.step: c for c in one}
    shared = [(names[place], c) for c in other if (place := c.revision if c.step is None else c.step) in names]
    return shared[-1] if shared else (one[-1], other[-1])


def rank(store: Store, a: Checkpoint, b: Checkpoint, protocol: Protocol) -> tuple[list[dict[str, Any]],
                                                                                  list[dict[str, Any]]]:
    """B minus A for every measure, setting and site that both have.

    Returns
    -------
    The differences with a p, largest in standard errors first, each adjusted over all of these; and those without a
    paired interval or a value, whose `reason` says why.
    """
    of_a, of_b = ({_name(point): point for point in values.of_checkpoint(store, one, protocol)} for one in (a, b))
    rows = [between(of_a[name], of_b[name]) | {"what": said(of_b[name].record)} for name in of_b if name in of_a]
    tested = [row for row in rows if row["p"] is not None]
    for name, column in adjusted([row["p"] for row in tested]).items():
        for row, q in zip(tested, column, strict=True):
            row[name] = float(q)
    return (sorted(tested, key=lambda row: -abs(row["standardised"])), [row for row in rows if row["p"] is None])


def claimed(tested: Sequence[dict[str, Any]], correction: str, limit: float) -> list[dict[str, Any]]:
    """The differences whose corrected p is at most the limit."""
    return [row for row in tested if row[correction] <= limit]


def sentence(tested: Sequence[dict[str, Any]], shown: Sequence[dict[str, Any]], correction: str, limit: float) -> str:
    """How many changed of how many, what the correction promises, and what the tests are about."""
    return (f"{len(shown)} of {len(tested)} differences are claimed at q = {limit:g} by {correction}: "
            f"{SAYS[correction]}. All {len(tested)} tests are corrected for together; they look at the same rows, so "
            "they depend on each other. A test asks whether other texts such as these would show the difference; "
            "it says nothing of other training seeds.")


def drawn(top: Sequence[dict[str, Any]], shown: Sequence[dict[str, Any]], tested: Sequence[dict[str, Any]]) -> str:
    """Which of the differences the figure shows."""
    of = f"{len(shown)} claimed" if shown else f"{len(tested)} tested, none of which is claimed"
    return f"The {len(top)} largest in standard errors, of {of}."


def table(rows: Sequence[dict[str, Any]], correction: str) -> list[dict[str, Any]]:
    """The ranking as a reader wants it, with the p of the chosen correction before the others."""
    return [{"measure": row["what"], "site": row["site"], "change": row["value"], "low": row["low"],
             "high": row["high"], "change %": None if row["relative"] is None else 100 * row["relative"],
             "standard errors": row["standardised"], correction: row[correction], "start": row["value_a"],
             "end": row["value_b"], "p": row["p"], **{name: row[name] for name in SAYS if name != correction}}
            for row in rows]


def reasons(rest: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What could not be tested: the difference where there is one, and why it has no test."""
    return [{"measure": row["what"], "site": row["site"], "start": row["value_a"], "end": row["value_b"],
             "change": row["value"], "why": row["reason"]} for row in rest]


def said(record: dict[str, Any]) -> str:
    """A measure by its label, with settings that are not the usual ones."""
    measure, params = registry.get(record["measure"]), record["protocol"]["params"]
    other = {name: value for name, value in params.items() if value != measure.settings()[name]}
    settings = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in other.items())
    return f"{measure.label} ({settings})" if settings else measure.label


def _name(point: values.Point) -> tuple[Any, ...]:
    record = point.record
    return record["site"], record["measure"], *sorted(record["protocol"]["params"].items())
