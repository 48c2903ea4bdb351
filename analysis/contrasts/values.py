"""Stored values with all that a difference needs: their record, and what they are without each group of documents."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis import compute
from analysis.keys import SCHEMA_VERSION, Checkpoint, ResultKey, Run
from analysis.measure import Measure
from analysis.representations import Protocol
from analysis.results import Scalar
from analysis.store import Store


@dataclass(frozen=True)
class Point:
    """One stored value: as figures and files say it, and as it is subtracted."""

    record: dict[str, Any]
    scalar: Scalar


def of_run(store: Store, run: Run, protocol: Protocol, measures: Sequence[Measure], sites: Sequence[str],
           settings: compute.Settings) -> list[Point]:
    """The values of these measures at these sites, at one setting each, in order of training."""
    said: dict[Any, dict[str, Any]] = {}
    wanted = [(measure, tuple(sorted(measure.settings(settings.get(measure.name)).items()))) for measure in measures]
    found = []
    for checkpoint in run.checkpoints:
        key = protocol.key(checkpoint)
        for measure, params in wanted:
            held = {one.key.site: one for one in store.results(key, measure.name).values()
                    if (one.key.version, one.key.schema, one.key.params) == (measure.version, SCHEMA_VERSION, params)}
            found += [Point(compute.as_record(checkpoint, key, held[site], said), result) for site in sites
                      if site in held and isinstance(result := held[site].result, Scalar)]
    return found


def of_checkpoint(store: Store, checkpoint: Checkpoint, protocol: Protocol) -> list[Point]:
    """Every value of one checkpoint that is stored as measures are now, at every setting, in order of sites."""
    run = Run(checkpoint.run, "", (checkpoint,))
    key = protocol.key(checkpoint)
    stored = store.results(key)
    found = []
    for record in compute.records(store, run, probe=key.probe, policy=key.policy, dtype=key.dtype):
        params = tuple(sorted(record["protocol"]["params"].items()))
        one = stored.get(ResultKey(key, record["site"], record["measure"], record["protocol"]["measure_version"],
                                   params))
        if one and isinstance(one.result, Scalar):
            found.append(Point(record, one.result))
    return found
