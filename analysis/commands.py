"""What each command of the command line does. `__main__.py` parses the options and turns errors into exit codes."""

import argparse
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

from analysis import compute, registry, views
from analysis.checkpoints import glance, hub
from analysis.checkpoints.preflight import Report, as_json, examine
from analysis.errors import ExplorerError
from analysis.estimates import volume
from analysis.extraction.library import find_probe
from analysis.extraction.probes import DEFAULT
from analysis.keys import Policy, Run, site_order
from analysis.measure import Measure
from analysis.representations import ensure
from analysis.runs import find_run, known_runs, open_on_hub, open_stages, remember
from analysis.status import Status
from analysis.storage import KINDS, reclaim, usage
from analysis.store import Store


def sweep(arguments: argparse.Namespace, store: Store, status: Status) -> None:
    """Compute measures for every checkpoint of some runs; what is stored already is not computed again."""
    runs: list[Run] = []
    for name in arguments.run:
        runs.append(_only(find_run(store, name, [run.name for run in runs]), arguments.only))
    measures = [registry.get(name) for name in arguments.measure or registry.all_measures()]
    settings = _settings(arguments.set, measures)
    done, problems = 0, []
    for name, group in _by_probe(runs, arguments.probe).items():
        protocol = compute.Protocol(find_probe(name), Policy.parse(arguments.policy), arguments.dtype)
        try:
            if arguments.executor:
                done += _fan_out(store, group, name, protocol, measures, settings, arguments, status)
            else:
                done += compute.sweep(store, group, protocol, measures, settings, status.report, status.log)
        except ExplorerError as error:
            problems.append(str(error))
        if arguments.only:
            continue
        for run in group:
            if any(store.representations_of(c.fingerprint) for c in run.checkpoints):
                remember(store, run)
        if problems:
            continue
        for rows, columns, measure in _default_pairs(store, group, protocol, measures):
            compute.compare(store, rows, columns, measure, protocol, settings.get(measure.name), status.report)
    if problems:
        raise ExplorerError(" ".join(problems))
    total = sum(len(run.checkpoints) for run in runs)
    status.say(f"{done} of {total} checkpoints needed work; see them with: python -m analysis show {arguments.run[0]}")


def list_runs(arguments: argparse.Namespace, store: Store, status: Status) -> None:
    """Every run, its checkpoints, and the probes and policies it has results for."""
    runs, problems = known_runs(store)
    for problem in problems:
        print(f"left out: {problem}", file=sys.stderr)
    if arguments.json:
        print(json.dumps({"runs": [{"name": run.name, "source": run.source, "checkpoints": [
            {"revision": c.revision, "step": c.step, "tokens": c.tokens, "fingerprint": c.fingerprint}
            for c in run.checkpoints]} for run in runs]}))
        return
    for run in runs:
        print(f"{run.name}  {len(run.checkpoints)} checkpoints, {run.checkpoints[0].revision} to "
              f"{run.checkpoints[-1].revision}  {run.source}")
        for probe, policy, dtype in compute.protocols(store, [run]):
            print(f"    computed on {probe}, token policy {policy}{'' if dtype == 'float32' else f', {dtype}'}")
        for group in run.duplicates:
            print(f"    warning: {', '.join(group)} have identical weights")


def show(arguments: argparse.Namespace, store: Store, status: Status) -> None:
    """Stored values of a run, one record per value."""
    run = find_run(store, arguments.run)
    if arguments.measure:
        registry.get(arguments.measure)
    probe = find_probe(arguments.probe).identity if arguments.probe else None
    policy = str(Policy.parse(arguments.policy)) if arguments.policy else None
    found = compute.records(store, run, probe=probe, policy=policy, dtype=arguments.dtype, measure=arguments.measure,
                            site=arguments.site)
    if arguments.site and not found:
        sites = {record["site"] for record in compute.records(store, run, probe=probe, policy=policy)}
        if sites and arguments.site not in sites:
            raise ExplorerError(f"{run.name} has nothing at the site {arguments.site!r}; it has "
                                f"{', '.join(sorted(sites, key=site_order))}.")
    if arguments.json:
        print(json.dumps(found))
    elif not found:
        print(f"Nothing is computed for {run.name} yet; run: python -m analysis sweep {arguments.run}", file=sys.stderr)
    else:
        for record in found:
            value = record["reason"] or (f"{len(record['value'])} values" if isinstance(record["value"], list)
                                         else f"{record['value']:.6g}")
            interval = f"  [{record['low']:.6g}, {record['high']:.6g}]" if record["low"] is not None else ""
            print(f"{record['revision']:>12}  {record['site']:<10} {record['measure']:<34} {value}{interval}")


def compare(arguments: argparse.Namespace, store: Store, status: Status) -> None:
    """A pair measure, layer by layer at two checkpoints or step by step at one site."""
    first, second = (name.rpartition("@") if "@" in name and not Path(name).exists() else (name, "", None)
                     for name in (arguments.a, arguments.b or arguments.a))
    run_a, run_b = find_run(store, first[0]), find_run(store, second[0])
    measure = registry.get(arguments.measure)
    if measure.arity != 2:
        pairs = ", ".join(m.name for m in registry.all_measures().values() if m.arity == 2)
        raise ExplorerError(f"{measure.name} describes one representation; to compare two, use one of {pairs}.")
    protocol = compute.Protocol(find_probe(arguments.probe or run_a.default_probe or DEFAULT),
                                Policy.parse(arguments.policy), arguments.dtype)
    if arguments.by == "step":
        rows, columns = views.steps(run_a, arguments.site), views.steps(run_b, arguments.site)
    else:
        ends = [views.checkpoint_of(run_a, first[2]), views.checkpoint_of(run_b, second[2])]
        rows, columns = (views.layers(end, list(ensure(store, end, protocol, status.report).rows))
                         for end in ends)
    settings = _settings(arguments.set, [measure]).get(measure.name)
    result = compute.compare(store, rows, columns, measure, protocol, settings, status.report)
    for run in (run_a, run_b):
        remember(store, run)
    names = [[f"{c.revision} {site}" for c, site in items] for items in (rows, columns)]
    if arguments.json:
        values = [[None if v != v else v for v in row] for row in result.values.tolist()]
        chance = None if result.chance is None else [[None if v != v else v for v in row] for row in
                                                     result.chance.tolist()]
        print(json.dumps({"measure": measure.name, "rows": names[0], "columns": names[1], "values": values,
                          "chance": chance, "undefined": result.reasons, "runs": [run_a.name, run_b.name],
                          "protocol": {"probe": protocol.probe.identity, "policy": protocol.rows}}))
        return
    for name, row in zip(names[0], result.values, strict=True):
        print(f"{name:>22}  " + " ".join(f"{value:7.4f}" for value in row))


def revisions(arguments: argparse.Namespace, store: Store, status: Status) -> None:
    """The revisions of a Hub repository; with --pick, what fetching some of them would download."""
    found = hub.refs(arguments.repo.removeprefix(hub.PREFIX))
    chosen = hub.pick(found, arguments.pick) if arguments.pick else found
    sizes = hub.sizes(chosen) if arguments.pick else []
    if arguments.json:
        print(json.dumps({"repository": found[0].repo, "revisions": [
            {"revision": ref.name, "step": ref.revision.step, "tokens": ref.revision.tokens,
             "stage": ref.revision.stage, "seed": ref.revision.seed, "commit": ref.commit,
             **({"bytes": sizes[i].size, "fingerprint": sizes[i].fingerprint} if sizes else {})}
            for i, ref in enumerate(chosen)]}))
        return
    for i, ref in enumerate(chosen):
        size = f"{sizes[i].size / 1e6:10.1f} MB" if sizes else ""
        print(f"{ref.name:<44} {_blank(ref.revision.step):>10} {_blank(ref.revision.tokens):>16} {size}")
    if sizes:
        print(f"{len(chosen)} revisions, {sum(remote.size for remote in sizes) / 1e9:.2f} GB in all, "
              f"{max(remote.size for remote in sizes) / 1e9:.2f} GB at a time.")


def open_run(arguments: argparse.Namespace, store: Store, status: Status) -> None:
    """Add a folder, revisions of a Hub repository, or several models as the stages of one run, to the list of runs."""
    first = arguments.source[0]
    stages = [(stage, source) for stage, equals, source in (text.partition("=") for text in arguments.source) if equals]
    if stages and len(stages) == len(arguments.source):
        run = open_stages(store, stages, arguments.name or "stages")
    elif len(arguments.source) > 1:
        raise ExplorerError("Give one folder or hub:REPOSITORY, or several as STAGE=SOURCE.")
    elif first.startswith(hub.PREFIX):
        repo, _, revision = first.removeprefix(hub.PREFIX).partition("@")
        run = open_on_hub(store, repo, revision or arguments.pick, arguments.name)
    else:
        run = find_run(store, first)
    remember(store, run)
    status.say(f"{run.name}: {len(run.checkpoints)} checkpoints; compute it with: python -m analysis sweep {run.name}")


def preflight(arguments: argparse.Namespace, store: Store, status: Status) -> None:
    """What a folder or the checkpoints of a run hold, and whether they are fit to load; nothing is loaded."""
    folder = Path(arguments.run).expanduser()
    if (folder / "config.json").exists():  # examined as it stands: a checkpoint that is not fit opens as no run
        names, reports = [arguments.run], [examine(folder)]
    else:
        checkpoints = find_run(store, arguments.run).checkpoints
        names, reports = [f"{c.run} {c.revision}" for c in checkpoints], glance.reports(checkpoints)
    if arguments.json:
        print(as_json(reports))
    else:
        for name, report in zip(names, reports, strict=True):
            print(f"{name}: {report.model_type}, {_held(report)} of width {report.width}, "
                  f"{report.size / 1e6:.1f} MB: {'refused' if report.refusals else 'fit to load'}")
            for reason in report.refusals:
                print(f"    {reason}")
    if any(report.refusals for report in reports):
        raise ExplorerError(f"{sum(bool(r.refusals) for r in reports)} of {len(reports)} checkpoints are not fit to "
                            "load, for the reasons above.")


def storage(arguments: argparse.Namespace, store: Store, status: Status) -> None:
    """How much room the cache takes; with --keep, some of it comes free."""
    if arguments.keep is not None:
        status.say(f"{volume(reclaim(store, arguments.keep * 1e9))} came free.")
    used = usage(store)
    if arguments.json:
        print(json.dumps({"folder": str(store.root), "bytes": used}))
        return
    for kind, size in used.items():
        print(f"{volume(size):>12}  {kind:<16} {KINDS[kind]}")
    print(f"{volume(sum(used.values())):>12}  in {store.root}")


def measures(arguments: argparse.Namespace, store: Store, status: Status) -> None:
    """Every measure, with what it says and where it comes from."""
    for measure in registry.all_measures().values():
        print(f"{measure.name:<36} {measure.summary}")


# --- parts ---


def _held(report: Report) -> str:
    if report.rows:
        return f"{report.rows} rows at {report.tensors} sites"
    return (f"{report.parameters:,} parameters, about {report.memory_bytes / 1e9:.1f} GB of memory, {report.blocks} "
            "blocks")


def _blank(value: int | None) -> str:
    return "" if value is None else str(value)


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
    given = ["--probe", probe, "--policy", str(protocol.policy), "--dtype", protocol.dtype,
             *(f"--measure={m.name}" for m in measures), *(f"--set={pair}" for pair in arguments.set or [])]
    tasks = []
    for run in runs:
        if not arguments.only:
            remember(store, run)  # tasks find it by its name
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


def _default_pairs(store: Store, runs: list[Run], protocol: compute.Protocol, measures: list[Measure]) -> list[tuple]:
    """What the similarity page opens on: layers at the last checkpoint, steps at the last site, within and between
    runs; for those whose rows are the same."""
    rows = {run.name: [(store.representation_facts(protocol.key(c)) or {}).get("ids") for c in run.checkpoints]
            for run in runs}
    pairs = [(a, b) for i, a in enumerate(runs) for b in runs[i:] if rows[a.name][-1] == rows[b.name][-1]]
    chosen = []
    for measure in (m for m in measures if m.arity == 2):
        for a, b in pairs:
            sites = [compute.sites_of(store, run.checkpoints[-1], protocol) for run in (a, b)]
            chosen.append((views.layers(a.checkpoints[-1], sites[0]), views.layers(b.checkpoints[-1], sites[1]),
                           measure))
            if min(len(a.checkpoints), len(b.checkpoints)) > 1 and len({*rows[a.name], *rows[b.name]}) == 1:
                last = [max(names, key=site_order) for names in sites]
                chosen.append((views.steps(a, last[0]), views.steps(b, last[1]), measure))
    return chosen


def _settings(given: list[str] | None, measures: list[Measure]) -> compute.Settings:
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
