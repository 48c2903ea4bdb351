"""What each command of the command line does. `__main__.py` parses the options and turns errors into exit codes."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from analysis import compute, registry, sample_size, views
from analysis.checkpoints import glance, hub
from analysis.checkpoints.preflight import Report, as_json, examine
from analysis.errors import ExplorerError
from analysis.estimates import volume
from analysis.extraction.library import find_probe
from analysis.extraction.probes import DEFAULT
from analysis.keys import Policy, Run, site_order
from analysis.runs import find_run, known_runs, open_on_hub, open_stages, remember
from analysis.status import Status
from analysis.storage import KINDS, reclaim, usage
from analysis.store import Store
from analysis.sweeping import settings_of
from analysis.weights import measure_weights
from analysis.weights import records as weight_records


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
    if arguments.json or arguments.format == "json":
        print(json.dumps(found))
    elif arguments.format in ("csv", "parquet"):
        _write_table(store, found, arguments.format)
    elif not found:
        print(f"Nothing is computed for {run.name} yet; run: python -m analysis sweep {arguments.run}", file=sys.stderr)
    else:
        for record in found:
            value = record["reason"] or (f"{len(record['value'])} values" if isinstance(record["value"], list)
                                         else f"{record['value']:.6g}")
            interval = f"  [{record['low']:.6g}, {record['high']:.6g}]" if record["low"] is not None else ""
            print(f"{record['revision']:>12}  {record['site']:<10} {record['measure']:<34} {value}{interval}")


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


def weights(arguments: argparse.Namespace, store: Store, status: Status) -> None:
    """Measure the weight matrices of some runs at every checkpoint, and how far they moved from a reference."""
    whole: dict[str, Run] = {}
    for name in arguments.run:
        found = find_run(store, name, list(whole))
        whole[found.name] = found
    runs = list(whole.values())
    try:
        done = measure_weights(store, runs, arguments.reference, status.report, status.log)
    finally:
        for run in runs:
            if any(store.representations_of(c.fingerprint) for c in run.checkpoints):
                remember(store, run)
    status.say(f"{done} of {sum(len(run.checkpoints) for run in runs)} checkpoints needed work")
    if status.path:
        return  # a worker's output is its log, which has no use for thousands of values
    values = [record for run in runs for record in weight_records(store, run, reference=arguments.reference)]
    if arguments.json:
        print(json.dumps(values))
        return
    for record in values:
        value = record["reason"] or f"{record['value']:.6g}"
        print(f"{record['run']}  {record['revision']:>12}  {record['site']:<56} {record['measure']:<26} {value}")


def sample_sizes(arguments: argparse.Namespace, store: Store, status: Status) -> None:
    """Measures on shares of the documents at the last checkpoint: would more texts change the number?"""
    runs = [find_run(store, name) for name in dict.fromkeys(arguments.run)]
    for revision in arguments.only or []:
        if not any(c.revision == revision for run in runs for c in run.checkpoints):
            views.checkpoint_of(runs[0], revision)  # raises, and says which there are
    measures = sample_size.asked(arguments.measure)
    settings, policy = settings_of(arguments.set, list(measures)), Policy.parse(arguments.policy)
    done, found, problems = 0, list[dict](), list[str]()
    for run in runs:
        probe = find_probe(arguments.probe or run.default_probe or DEFAULT)
        question = sample_size.Question(compute.Protocol(probe, policy, arguments.dtype), measures, settings,
                                        arguments.site)
        chosen = [c for c in run.checkpoints if c.revision in (arguments.only or [run.checkpoints[-1].revision])]
        try:
            done += sample_size.measure_shares(store, chosen, question, status.report, status.log)
        except ExplorerError as error:
            problems.append(str(error))
        if any(store.representations_of(checkpoint.fingerprint) for checkpoint in chosen):
            remember(store, run)
        found += sample_size.records(store, run, question, [checkpoint.revision for checkpoint in chosen])
    if problems:
        raise ExplorerError(" ".join(problems))
    status.say(f"{done} checkpoint(s) needed work")
    if not status.path:  # a worker's output is its log
        print(json.dumps(found) if arguments.json else "\n".join(sample_size.table(found)))


def storage(arguments: argparse.Namespace, store: Store, status: Status) -> None:
    """How much room the cache takes; with --keep, some of it comes free."""
    if arguments.keep is not None:
        if not arguments.keep >= 0:
            raise ExplorerError(f"--keep {arguments.keep:g} is not a number of gigabytes; give 0 or more.")
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


def _write_table(store: Store, found: list[dict[str, Any]], kind: str) -> None:
    """Scalars as tables.tidy has them, on standard output."""
    from analysis.export import table_csv  # with plotly, which no other command needs
    from analysis.tables import of_records
    table = of_records(store, found)
    if kind == "csv":
        rows = table.astype(object).where(table.notna(), None).to_dict("records")
        sys.stdout.write(table_csv(rows).decode() if rows else f"{','.join(table)}\r\n")
        return
    if sys.stdout.isatty():
        raise ExplorerError("Parquet is not text; send it into a file: ... --format parquet > values.parquet")
    sys.stdout.buffer.write(table.to_parquet(index=False))


def _held(report: Report) -> str:
    if report.rows:
        return f"{report.rows} rows at {report.tensors} sites"
    return (f"{report.parameters:,} parameters, about {report.memory_bytes / 1e9:.1f} GB of memory, {report.blocks} "
            "blocks")


def _blank(value: int | None) -> str:
    return "" if value is None else str(value)
