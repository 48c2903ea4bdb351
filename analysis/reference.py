"""What every page compares against, once it is pinned: a checkpoint, a model, or a phase of a run."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from analysis import compute, phasing
from analysis.changes import scalar
from analysis.inference.jackknife import interval, paired_change
from analysis.keys import Checkpoint, Run
from analysis.measure import Measure
from analysis.phases import NOT_RESOLVED
from analysis.representations import Protocol
from analysis.results import Replicates, Scalar
from analysis.store import Store

NAME = "reference"


@dataclass(frozen=True)
class Reference:
    """One checkpoint, named run@revision, or those of a phase, named by run and phase; `says` names its ends too."""

    name: str
    says: str
    checkpoints: tuple[Checkpoint, ...]

    @property
    def last(self) -> Checkpoint:
        """What stands for it where one checkpoint is asked for."""
        return self.checkpoints[-1]

    @property
    def is_phase(self) -> bool:
        return len(self.checkpoints) > 1

    def value(self, store: Store, protocol: Protocol, site: str, measure: Measure,
              settings: compute.Settings) -> Scalar | None:
        """The value of a measure at a site; of a phase the mean over its checkpoints, with the interval of the mean.

        None where a value is missing or undefined at any of them.
        """
        found = [scalar(store, one, protocol, site, measure, settings) for one in self.checkpoints]
        held = [one for one in found if one is not None and one.defined]
        if len(held) < len(found):
            return None
        return held[0] if len(held) == 1 else _mean(held)


def options(store: Store, chosen: Sequence[Run], known: Sequence[Run], protocol: Protocol, site: str,
            asked: str = "") -> dict[str, Reference]:
    """What can be pinned, by name: the checkpoints and phases of the chosen runs, the last checkpoint of others, and
    the one that is `asked` for by its name, whichever run it is of."""
    others = [run for run in known if run.name not in {one.name for one in chosen}]
    phases = [one for run in chosen for one in _phases(store, run, protocol, site)]
    single = [checkpoint for run in chosen for checkpoint in run.checkpoints] + [
        one for run in others for one in run.checkpoints if one is run.checkpoints[-1] or asked == _named(one)]
    return {one.name: one for one in [*phases, *(of_checkpoint(checkpoint) for checkpoint in single)]}


def of_checkpoint(checkpoint: Checkpoint) -> Reference:
    return Reference(_named(checkpoint), _named(checkpoint), (checkpoint,))


def levels(store: Store, reference: Reference, protocol: Protocol, sites: Sequence[str], measure: Measure,
           settings: compute.Settings) -> list[dict[str, Any]]:
    """The value of the reference at each site that has one, as records that a trajectory draws from end to end."""
    like = {record["site"]: record
            for record in compute.of_checkpoint(store, reference.last, protocol, measure, settings)}
    found = []
    for site in sites:
        value = reference.value(store, protocol, site, measure, settings)
        if value and site in like:
            found.append(like[site] | {"run": f"{NAME} {reference.name}", "step": None, "tokens": None,
                                       "value": value.value, "low": value.low, "high": value.high})
    return found


def differences(store: Store, records: Sequence[dict[str, Any]], runs: Sequence[Run], reference: Reference,
                protocol: Protocol, measure: Measure, settings: compute.Settings) -> list[dict[str, Any]]:
    """Each record less the reference at its site, with the interval of the difference, paired over documents.

    The difference is left out where the reference has no value at the site. Where the values have no replicates of
    the same documents the difference has no interval.
    """
    at = {(run.name, checkpoint.revision): checkpoint for run in runs for checkpoint in run.checkpoints}
    before = {site: reference.value(store, protocol, site, measure, settings)
              for site in dict.fromkeys(record["site"] for record in records)}
    found = []
    for record in records:
        base = before[record["site"]]
        value = scalar(store, at[record["run"], record["revision"]], protocol, record["site"], measure, settings)
        if base is None or value is None:
            continue
        change, low, high = (paired_change(base, value) if value.defined else None) or (
            None if record["value"] is None else record["value"] - base.value, None, None)
        found.append(record | {"value": change, "low": low, "high": high, "chance": None, "minus": reference.says})
    return found


def less(measure: Measure, reference: Reference) -> Measure:
    """The measure as its differences from a reference are labelled and drawn."""
    return replace(measure, label=f"{measure.label}, less {reference.says}", symbol=f"Δ{measure.symbol}",
                   bounds=(-np.inf, np.inf), log_scale=False)


def _phases(store: Store, run: Run, protocol: Protocol, site: str) -> Iterator[Reference]:
    """The named phases of a run; a name that comes again is numbered."""
    phased = phasing.of_run(store, run, protocol, site)
    seen: Counter[str] = Counter()
    for phase in phased.labels.phases if phased else ():
        if phased and phase.name != NOT_RESOLVED:
            seen[phase.name] += 1
            again = f" {seen[phase.name]}" if seen[phase.name] > 1 else ""
            held = phased.checkpoints[phase.start:phase.end + 1]
            name = f"{run.name} · {phase.name}{again}"
            yield Reference(name, f"{name} ({held[0].revision} to {held[-1].revision})", held)


def _named(checkpoint: Checkpoint) -> str:
    return f"{checkpoint.run}@{checkpoint.revision}"


def _mean(held: Sequence[Scalar]) -> Scalar:
    value = float(np.mean([one.value for one in held]))
    kept = [one.replicates for one in held if one.replicates is not None]
    if len(kept) < len(held) or any(not np.array_equal(one.sizes, kept[0].sizes) for one in kept):
        return Scalar(value=value)
    pairs = [one.without_pairs for one in kept if one.without_pairs is not None]
    mean = Replicates(np.mean([one.values for one in kept], axis=0), kept[0].sizes,
                      np.mean(pairs, axis=0) if len(pairs) == len(kept) else None)
    low, high = interval(value, mean)
    return Scalar(value=value, low=low, high=high, replicates=mean)

