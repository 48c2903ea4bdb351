"""The command `compare`: which items meet which, and what is printed of it."""

import argparse
import json
from pathlib import Path
from typing import Any

from analysis import registry, similarity, summaries, views
from analysis.errors import ExplorerError
from analysis.extraction.library import find_probe
from analysis.extraction.probes import DEFAULT
from analysis.keys import Checkpoint, Policy, Run
from analysis.measure import Measure
from analysis.pairs import cells
from analysis.representations import Protocol, Report, ensure
from analysis.results import PairMatrix
from analysis.runs import find_run, remember
from analysis.status import Status
from analysis.store import Store
from analysis.sweeping import settings_of

End = tuple[Run, Checkpoint]


def compare(arguments: argparse.Namespace, store: Store, status: Status) -> None:
    """A pair measure between layers of two checkpoints, steps at one site, runs at one site, or all of these."""
    ends = [end_of(store, name) for name in arguments.run]
    measures = [pair_measure(name) for name in arguments.measure or ["linear_cka_debiased"]]
    probe = find_probe(arguments.probe or ends[0][0].default_probe or DEFAULT)
    protocol = Protocol(probe, Policy.parse(arguments.policy), arguments.dtype)
    rows, columns = _sides(store, arguments, ends, protocol, status.report)
    for measure in measures:
        settings = settings_of(arguments.set, [measure]).get(measure.name)
        found = similarity.compare(store, rows, columns, measure, protocol, settings, status.report)
        if not status.path:  # a worker's output is its log
            _print(arguments.json, measure, found, rows, columns, protocol)
    for run, _ in ends:
        remember(store, run)


def end_of(store: Store, name: str) -> End:
    """A run and a checkpoint of it: the named one, or the last."""
    known, _, revision = name.rpartition("@") if "@" in name and not Path(name).exists() else (name, "", None)
    run = find_run(store, known)
    return run, views.checkpoint_of(run, revision)


def pair_measure(name: str) -> Measure:
    measure = registry.get(name)
    if measure.arity != 2:
        pairs = ", ".join(m.name for m in registry.all_measures().values() if m.arity == 2)
        raise ExplorerError(f"{measure.name} describes one representation; to compare two, use one of {pairs}.")
    return measure


def _sides(store: Store, arguments: argparse.Namespace, ends: list[End], protocol: Protocol,
           report: Report) -> tuple[views.Items, views.Items]:
    by, (first, *others) = arguments.by, ends
    if by in ("layer", "step") and len(ends) > 2:
        raise ExplorerError(f"--by {by} compares one run with another or with itself; got {len(ends)} runs. Compare "
                            "several with --by run or --by all.")
    if by == "step":
        return views.steps(first[0], arguments.site), views.steps((others or [first])[0][0], arguments.site)
    if by == "run":
        items = views.models([checkpoint for _, checkpoint in ends], arguments.site)
        return items, items

    def sites(checkpoint: Checkpoint) -> list[str]:
        return list(ensure(store, checkpoint, protocol, report).rows)

    if by == "all":
        items = views.everything([run for run, _ in ends], sites)
        return items, items
    left, right = (views.layers(checkpoint, sites(checkpoint)) for _, checkpoint in (first, (others or [first])[0]))
    return left, right


def _print(as_json: bool, measure: Measure, found: PairMatrix, rows: views.Items, columns: views.Items,
           protocol: Protocol) -> None:
    names = [[f"{c.revision} {site}" for c, site in items] for items in (rows, columns)]
    if not as_json:
        for name, row in zip(names[0], found.values, strict=True):
            print(f"{name:>22}  " + " ".join(f"{value:7.4f}" for value in row))
        return
    ends, said = cells.interval(found), cells.verdict(found, measure)
    told: dict[str, Any] = {"low": ends and ends[0], "high": ends and ends[1], "null_mean": said and said.mean,
                            "threshold": said and said.threshold, "calibrated": said and said.calibrated,
                            "p": said and said.p, "p_any": said and said.p_any}
    print(json.dumps({
        "measure": measure.name, "rows": names[0], "columns": names[1], "values": _listed(found.values),
        "chance": _listed(found.chance), **{name: _listed(array) for name, array in told.items()},
        "draws": 0 if found.null is None else len(found.null), "undefined": found.reasons, "note": found.note,
        "runs": list(dict.fromkeys(c.run for items in (rows, columns) for c, _ in items)),
        "protocol": summaries.described(protocol)}))


def _listed(array: Any) -> list[list[float | None]] | None:
    return None if array is None else [[None if v != v else v for v in row] for row in array.tolist()]
