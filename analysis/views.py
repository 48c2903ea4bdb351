"""The pair comparisons a person asks for by name: layer by layer at two checkpoints, step by step or run by run at one
site, or everything with everything."""

from collections.abc import Callable, Sequence
from typing import Any

from analysis.errors import ExplorerError
from analysis.keys import Checkpoint, Run, site_order

Items = list[tuple[Checkpoint, str]]


def layers(checkpoint: Checkpoint, sites: Sequence[str]) -> Items:
    """Every site of one checkpoint, from input to output."""
    return [(checkpoint, site) for site in sorted(sites, key=site_order)]


def steps(run: Run, site: str) -> Items:
    """One site at every checkpoint of a run, in order of training."""
    return [(checkpoint, site) for checkpoint in run.checkpoints]


def models(ends: Sequence[Checkpoint], site: str) -> Items:
    """One site at one checkpoint of each run."""
    return [(checkpoint, site) for checkpoint in ends]


def everything(runs: Sequence[Run], sites_of: Callable[[Checkpoint], Sequence[str]]) -> Items:
    """Every site of every checkpoint of some runs; checkpoints of the same content once."""
    known: dict[str, Checkpoint] = {}
    for checkpoint in (checkpoint for run in runs for checkpoint in run.checkpoints):
        known.setdefault(checkpoint.fingerprint, checkpoint)
    return [item for checkpoint in known.values() for item in layers(checkpoint, sites_of(checkpoint))]


def checkpoint_of(run: Run, revision: str | None) -> Checkpoint:
    """The checkpoint of that revision; without one, the last."""
    if revision is None:
        return run.checkpoints[-1]
    found = [checkpoint for checkpoint in run.checkpoints if checkpoint.revision == revision]
    if not found:
        raise ExplorerError(f"{run.name} has no checkpoint {revision}; it has "
                            f"{', '.join(c.revision for c in run.checkpoints)}.")
    return found[0]


def names(items: Items, by: str) -> list[str]:
    """Tick labels: what differs between the items."""
    told: dict[str, Callable[[Checkpoint, str], str]] = {
        "layer": lambda c, site: site, "step": lambda c, site: c.revision,
        "run": lambda c, site: f"{c.run} {c.revision}",
        "all": lambda c, site: f"{c.run} {c.revision} {site}"}
    return [told[by](checkpoint, site) for checkpoint, site in items]


def side_title(items: Items, by: str) -> str:
    """Axis title: what the items share."""
    checkpoint, site = items[0]
    return {"layer": f"{checkpoint.run}, {checkpoint.revision}", "step": f"{checkpoint.run}, {site}",
            "run": site, "all": "every checkpoint and site"}[by]


def spread(items: Sequence[Any], count: int) -> list[Any]:
    """Up to `count` items, evenly along the list, first and last included."""
    if len(items) <= count:
        return list(items)
    return [items[round(i * (len(items) - 1) / (count - 1))] for i in range(count)]


def item_name(checkpoint: Checkpoint, site: str) -> str:
    """An item as a link and the command line name it: RUN@REVISION:SITE."""
    return f"{checkpoint.run}@{checkpoint.revision}:{site}"


def split_item(text: str) -> tuple[str, str | None, str]:
    """Run, revision (None: the last) and site of RUN[@REVISION][:SITE]; without a site, the last one, `final`.

    The run may be a path, or `hub:REPOSITORY`, whose colon begins no site.
    """
    at, has_revision, after = text.rpartition("@")
    if has_revision:
        revision, _, site = after.partition(":")
        return at, revision or None, site or "final"
    run, _, site = text.rpartition(":")
    if run in ("", "hub") or "/" in site:
        return text, None, "final"
    return run, None, site or "final"
