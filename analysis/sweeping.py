"""The command `sweep`: what it computes, on which probe, here or as tasks of a scheduler."""

import argparse
import re
from dataclasses import replace
from pathlib import Path

from analysis import compute, registry, similarity, views
from analysis.errors import ExplorerError
from analysis.extraction.library import find_probe
from analysis.extraction.probes import DEFAULT, SHUFFLED
from analysis.keys import Policy, Run, site_order
from analysis.measure import Measure
from analysis.runs import find_run, remember
from analysis.status import Status
from analysis.store import Store

OPENS_ON = ("linear_cka_debiased", "linear_cka_biased")


def sweep(arguments: argparse.Namespace, store: Store, status: Status) -> None:
    """Compute measures for every checkpoint of some runs; what is stored already is not computed again."""
    if arguments.option and not arguments.executor:
        raise ExplorerError("--option is for an executor; give --executor slurm (or local) too.")
    whole: dict[str, Run] = {}
    for name in arguments.run:
        found = find_run(store, name, list(whole))
        whole[found.name] = found
    runs = [_only(run, arguments.only) for run in whole.values()]
    measures = [registry.get(name) for name in arguments.measure] if arguments.measure else registry.usual()
    settings = settings_of(arguments.set, measures)
    done, problems = 0, []
    for name, group in _by_probe(runs, arguments.probe).items():
        protocol = compute.Protocol(find_probe(name), Policy.parse(arguments.policy), arguments.dtype)
        try:
            if arguments.executor:
                for run in group:
                    remember(store, whole[run.name])  # tasks find it by its name
                done += _fan_out(store, group, name, protocol, measures, settings, arguments, status)
            else:
                done += compute.sweep(store, group, protocol, measures, settings, status.report, status.log)
        except ExplorerError as error:
            problems.append(str(error))
        for run in group:
            if any(store.representations_of(c.fingerprint) for c in run.checkpoints):
                remember(store, whole[run.name])
        if problems or arguments.only:
            continue
        for rows, columns, measure in _default_pairs(store, group, protocol, measures, arguments.measure):
            similarity.compare(store, rows, columns, measure, protocol, settings.get(measure.name), status.report)
    if problems:
        raise ExplorerError(" ".join(problems))
    total = sum(len(run.checkpoints) for run in runs)
    status.say(f"{done} of {total} checkpoints needed work; see them with: python -m analysis show {arguments.run[0]}")


def _only(run: Run, revisions: list[str] | None) -> Run:
    """A run with some of its checkpoints."""
    known = [checkpoint.revision for checkpoint in run.checkpoints]
    unknown = [revision for revision in revisions or [] if revision not in known]
    if unknown:
        raise ExplorerError(f"{run.name} has no revision {unknown[0][:80]!r}; it has {', '.join(known[:5])} "
                            f"{'...' if len(known) > 5 else ''}".rstrip() + ".")
    return replace(run, checkpoints=tuple(c for c in run.checkpoints if not revisions or c.revision in revisions))


def _fan_out(store: Store, runs: list[Run], probe: str, protocol: compute.Protocol, measures: list[Measure],
             settings: compute.Settings, arguments: argparse.Namespace, status: Status) -> int:
    """One task for each checkpoint that lacks something, on a scheduler; they meet in the store."""
    from analysis.jobs.cluster import Task, fan_out
    path = Path(probe).expanduser()
    is_file = path.with_name(path.name.removesuffix(SHUFFLED)).exists()
    given = ["--probe", str(path.absolute()) if is_file else probe, "--policy", str(protocol.policy),
             "--dtype", protocol.dtype, *(f"--measure={m.name}" for m in measures),
             *(f"--set={pair}" for pair in arguments.set or [])]
    tasks = []
    for run in runs:
        tasks += [Task(f"{run.name} {c.revision}", ("sweep", run.name, "--only", c.revision, *given))
                  for c in run.checkpoints if compute.wanted(store, c, protocol, measures, settings)]
    options = dict(pair.partition("=")[::2] for pair in arguments.option or [])
    failures = fan_out(tasks, arguments.executor, store.root / "tasks", status.report, options=options)
    for failure in failures:
        status.log(f"{failure.name}: {failure.reason} (log: {failure.log})")
    if failures:
        raise ExplorerError(f"{len(failures)} of {len(tasks)} tasks failed, and the others are done. "
                            f"{failures[0].name}: {failures[0].reason} Its log: {failures[0].log}")
    return len(tasks)


def _by_probe(runs: list[Run], probe: str | None) -> dict[str, list[Run]]:
    """Runs grouped by the probe they are measured on: the one asked for, or each run's own."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(probe or run.default_probe or DEFAULT, []).append(run)
    return groups


def _default_pairs(store: Store, runs: list[Run], protocol: compute.Protocol, measures: list[Measure],
                   named: list[str] | None) -> list[tuple]:
    """What the similarity page opens on: layers at the last checkpoint, steps at the last site, within and between
    runs; for those whose rows are the same. Of pair measures that nobody named, the usual two."""
    rows = {run.name: [(store.representation_facts(protocol.key(c)) or {}).get("ids") for c in run.checkpoints]
            for run in runs}
    pairs = [(a, b) for i, a in enumerate(runs) for b in runs[i:] if rows[a.name][-1] == rows[b.name][-1]]
    chosen = []
    for measure in (m for m in measures if m.arity == 2 and m.name in (named or OPENS_ON)):
        for a, b in pairs:
            sites = [compute.sites_of(store, run.checkpoints[-1], protocol) for run in (a, b)]
            chosen.append((views.layers(a.checkpoints[-1], sites[0]), views.layers(b.checkpoints[-1], sites[1]),
                           measure))
            if min(len(a.checkpoints), len(b.checkpoints)) > 1 and len({*rows[a.name], *rows[b.name]}) == 1:
                last = [max(names, key=site_order) for names in sites]
                chosen.append((views.steps(a, last[0]), views.steps(b, last[1]), measure))
    return chosen


def settings_of(given: list[str] | None, measures: list[Measure]) -> compute.Settings:
    """`--set last_rank=100` applies to every chosen measure that has that parameter."""
    settings: compute.Settings = {}
    for pair in given or []:
        name, _, value = pair.partition("=")
        owners = [m for m in measures if any(param.name == name for param in m.params)]
        if not owners or not re.fullmatch(r"-?[0-9]{1,12}", value):
            raise ExplorerError(f"--set {pair}: give NAME=WHOLE-NUMBER for a parameter of a chosen measure, such as "
                                "last_rank=100; `python -m analysis measures` lists the measures.")
        for owner in owners:
            settings.setdefault(owner.name, {})[name] = int(value)
            owner.settings(settings[owner.name])  # out of range is refused here, before any work
    return settings
