"""The pinned reference beside other runs: the checkpoint that stands for it, and what has to be said of it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from analysis import compute
from analysis.changes import scalar
from analysis.keys import Run
from analysis.measure import Measure
from analysis.reference import NAME, Reference
from analysis.representations import Protocol
from analysis.store import Store

Records = Sequence[dict[str, Any]]


def as_run(reference: Reference | None) -> list[Run]:
    """The checkpoint that stands for the reference as a run of its own, to be drawn beside others; none without one."""
    if reference is None:
        return []
    name = f"{NAME} {reference.last.run}"
    return [Run(name, "", (replace(reference.last, run=name),))]


def among(reference: Reference | None, records: Records) -> list[dict[str, Any]]:
    """The records of the checkpoint that stands for the reference."""
    return [record for record in records if reference and record["fingerprint"] == reference.last.fingerprint]


def own_revision(reference: Reference | None, runs: Sequence[Run]) -> str:
    """The revision that stands for the reference, where its run is among these and each of them has one of that name.
    """
    if reference is None or reference.last.run not in {run.name for run in runs}:
        return ""
    named = all(reference.last.revision in {c.revision for c in run.checkpoints} for run in runs)
    return reference.last.revision if named else ""


# --- captions ---


def drawn(reference: Reference | None, levels: Records) -> str:
    """What the levels of a figure are of."""
    if not reference or not levels:
        return ""
    mean = f", mean over its {len(reference.checkpoints)} checkpoints" if reference.is_phase else ""
    return f" Dashes and dots, in ink: the reference {reference.says}{mean}."


def shown(reference: Reference | None, records: Records, how: str = "In ink") -> str:
    """How the one checkpoint that stands for the reference is drawn."""
    if not reference or not records:
        return ""
    by = f", by its last checkpoint, {reference.last.revision}" if reference.is_phase else ""
    return f" {how}: the reference {reference.name}{by}."


def stands(reference: Reference) -> str:
    """Which checkpoint stands for a phase; nothing of a checkpoint, which stands for itself."""
    return (f"The reference is a phase, and its last checkpoint, {reference.last.revision} of {reference.last.run}, "
            "stands for it here.") if reference.is_phase else ""


# --- why it is not there ---


def missing(reference: Reference, label: str, where: str = "") -> str:
    """The reference has no value that is stored."""
    return (f"{label} is not computed for the reference {reference.name}{where} on these texts and rows, so it is not "
            "drawn. Choose its run and checkpoints in the sidebar, and the page offers to compute it.")


def absent(store: Store, reference: Reference, protocol: Protocol, sites: Sequence[str], measure: Measure,
           settings: compute.Settings) -> list[str]:
    """A sentence for each reason why the reference has no value at some of the sites."""
    reasons: dict[str, list[str]] = {}
    for site in sites:
        values = [scalar(store, one, protocol, site, measure, settings) for one in reference.checkpoints]
        whys = [value.reason if value else "" for value in values if value is None or not value.defined]
        if whys:
            reasons.setdefault(whys[0], []).append(site)
    return [f"{measure.label} of the reference {reference.says} is undefined at {', '.join(where)}, because {why}, so "
            "it is not drawn there." if why else missing(reference, measure.label, f" at {', '.join(where)}")
            for why, where in reasons.items()]


def unlike(own: Records, others: Records, label: str) -> str:
    """The reference is of other rows or of another width than what it is drawn beside; nothing where it is not."""
    sizes = [{(record["n"], record["d"]) for record in some} for some in (own, others)]
    if not all(sizes) or sizes[0] <= sizes[1]:
        return ""
    told = [" and ".join(f"n = {n}, d = {d}" for n, d in sorted(some)[:2]) for some in sizes]
    return (f"The reference has {told[0]}, and what it is drawn beside {told[1]}: {label} can differ for that alone, "
            "so compare how it changes and not its values.")


def not_among(reference: Reference, what: str) -> str:
    """The checkpoint that stands for the reference is not drawn on a map or a tree."""
    return f"The reference {reference.name} is not on this {what}: choose its run, and every checkpoint, to see it."


def no_change(reference: Reference) -> str:
    """Changes of weights cannot be since the reference."""
    return (f"Changes of weights are within a run, and not every chosen run has the checkpoint of the reference "
            f"{reference.name}: choose its run alone to see changes since it.")


def no_weights(reference: Reference) -> str:
    """Nothing can be stitched into the reference."""
    return f"The reference {reference.name} came as rows, without a model, so nothing can be stitched into it."
