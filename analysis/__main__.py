"""The command line: the same work as the app, for batch and scripts. `python -m analysis --help` lists the commands.

A public interface: commands, options, JSON fields and exit codes are kept. Exit codes: 0 done, 2 something given cannot
be used (one sentence on standard error says what and what to do), 130 interrupted (what was finished is kept).
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from analysis import compute, registry, views
from analysis.errors import ExplorerError
from analysis.extraction.probes import DEFAULT, load_probe
from analysis.jobs.job import write_json
from analysis.keys import Policy, Run
from analysis.measure import Measure
from analysis.runs import find_run, known_runs, remember
from analysis.store import Store

PROJECT = Path(__file__).parents[1]


def open_store() -> Store:
    """The store in cache/ (or $EXPLORER_CACHE), with the bundled demo results beneath it."""
    return Store(os.environ.get("EXPLORER_CACHE", PROJECT / "cache"), base=PROJECT / "demo" / "results")


def main(argv: list[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    os.nice(int(os.environ.get("EXPLORER_NICE", "0")))
    signal.signal(signal.SIGTERM, _interrupt)
    status = _Status(arguments.status)
    try:
        arguments.command(arguments, open_store(), status)
    except KeyboardInterrupt:
        status.end("cancelled", "stopped; finished checkpoints are kept, and the same command goes on from there")
        return 130
    except (ExplorerError, ValueError) as error:
        status.end("failed", str(error))
        return 2
    except Exception as error:
        status.end("failed", f"unexpected {type(error).__name__}: {error}")
        raise
    status.end("done", "")
    return 0


# --- commands ---


def _sweep(arguments: argparse.Namespace, store: Store, status: "_Status") -> None:
    """Compute measures for every checkpoint of some runs; what is stored already is not computed again."""
    runs = [find_run(store, name) for name in arguments.run]
    measures = [registry.get(name) for name in arguments.measure or registry.all_measures()]
    settings = _settings(arguments.set, measures)
    done = 0
    for name, group in _by_probe(runs, arguments.probe).items():
        protocol = compute.Protocol(load_probe(name), Policy.parse(arguments.policy))
        done += compute.sweep(store, group, protocol, measures, settings, status.report)
        for run in group:
            remember(store, run)
        for rows, columns, measure in _default_pairs(store, group, protocol, measures):
            compute.compare(store, rows, columns, measure, protocol, settings.get(measure.name), status.report)
    total = sum(len(run.checkpoints) for run in runs)
    status.say(f"{done} of {total} checkpoints needed work; see them with: python -m analysis show {arguments.run[0]}")


def _list(arguments: argparse.Namespace, store: Store, status: "_Status") -> None:
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
        for probe, policy in compute.protocols(store, [run]):
            print(f"    computed on {probe}, token policy {policy}")
        for group in run.duplicates:
            print(f"    warning: {', '.join(group)} have identical weights")


def _show(arguments: argparse.Namespace, store: Store, status: "_Status") -> None:
    """Stored values of a run, one record per value."""
    run = find_run(store, arguments.run)
    if arguments.measure:
        registry.get(arguments.measure)
    probe = load_probe(arguments.probe).identity if arguments.probe else None
    policy = str(Policy.parse(arguments.policy)) if arguments.policy else None
    found = compute.records(store, run, probe=probe, policy=policy, measure=arguments.measure, site=arguments.site)
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


def _compare(arguments: argparse.Namespace, store: Store, status: "_Status") -> None:
    """A pair measure, layer by layer at two checkpoints or step by step at one site."""
    first, second = (name.rpartition("@") if "@" in name and not Path(name).exists() else (name, "", None)
                     for name in (arguments.a, arguments.b or arguments.a))
    run_a, run_b = find_run(store, first[0]), find_run(store, second[0])
    measure = registry.get(arguments.measure)
    if measure.arity != 2:
        pairs = ", ".join(m.name for m in registry.all_measures().values() if m.arity == 2)
        raise ExplorerError(f"{measure.name} describes one representation; to compare two, use one of {pairs}.")
    protocol = compute.Protocol(load_probe(arguments.probe or run_a.default_probe or DEFAULT),
                                Policy.parse(arguments.policy))
    if arguments.by == "step":
        rows, columns = views.steps(run_a, arguments.site), views.steps(run_b, arguments.site)
    else:
        ends = [views.checkpoint_of(run_a, first[2]), views.checkpoint_of(run_b, second[2])]
        rows, columns = (views.layers(end, list(compute.ensure(store, end, protocol, status.report).rows))
                         for end in ends)
    settings = _settings(arguments.set, [measure]).get(measure.name)
    result = compute.compare(store, rows, columns, measure, protocol, settings, status.report)
    for run in (run_a, run_b):
        remember(store, run)
    names = [[f"{c.revision} {site}" for c, site in items] for items in (rows, columns)]
    if arguments.json:
        values = [[None if v != v else v for v in row] for row in result.values.tolist()]
        chance = None if result.chance is None else result.chance.tolist()
        print(json.dumps({"measure": measure.name, "rows": names[0], "columns": names[1], "values": values,
                          "chance": chance, "undefined": result.reasons, "runs": [run_a.name, run_b.name],
                          "protocol": {"probe": protocol.probe.identity, "policy": str(protocol.policy)}}))
        return
    for name, row in zip(names[0], result.values, strict=True):
        print(f"{name:>22}  " + " ".join(f"{value:7.4f}" for value in row))


def _measures(arguments: argparse.Namespace, store: Store, status: "_Status") -> None:
    """Every measure, with what it says and where it comes from."""
    for measure in registry.all_measures().values():
        print(f"{measure.name:<36} {measure.summary}")


# --- parts ---


class _Status:
    """Progress for two readers: a bar on the terminal, and a status file for whoever started this worker."""

    def __init__(self, path: str | None):
        self.path = Path(path) if path else None
        self.bar: Any = None
        self.last: dict[str, Any] = {"done": 0.0, "total": 0.0}

    def report(self, done: float, total: float, message: str) -> None:
        self.last = {"done": done, "total": total, "message": message}
        if self.path:
            write_json(self.path, {"state": "running", "pid": os.getpid(), **self.last})
        elif sys.stderr.isatty() or os.environ.get("EXPLORER_PROGRESS"):
            self._draw(done, total, message)

    def _draw(self, done: float, total: float, message: str) -> None:
        from tqdm import tqdm
        if self.bar is None or self.bar.total != total:
            self.close()
            self.bar = tqdm(total=total, bar_format="{percentage:3.0f}% |{bar:24}| {elapsed}<{remaining}  {desc}")
        self.bar.n = done
        self.bar.set_description_str(message)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()

    def say(self, sentence: str) -> None:
        self.close()
        print(sentence, file=sys.stderr)

    def end(self, state: str, message: str) -> None:
        self.close()
        if state != "done":
            print(f"error: {message}" if state == "failed" else message, file=sys.stderr)
        if self.path:
            write_json(self.path, self.last | {"state": state, "message": message or "done"})


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _by_probe(runs: list[Run], probe: str | None) -> dict[str, list[Run]]:
    """Runs grouped by the probe they are measured on: the one asked for, or each run's own."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(probe or run.default_probe or DEFAULT, []).append(run)
    return groups


def _default_pairs(store: Store, runs: list[Run], protocol: compute.Protocol, measures: list[Measure]) -> list[tuple]:
    """What the similarity page opens on: layers at the last checkpoint, steps at `final`, within and between runs."""
    pairs = [(a, b) for i, a in enumerate(runs) for b in runs[i:]]
    chosen = []
    for measure in (m for m in measures if m.arity == 2):
        for a, b in pairs:
            sites = [(store.representation_facts(protocol.key(run.checkpoints[-1])) or {})["sites"] for run in (a, b)]
            chosen.append((views.layers(a.checkpoints[-1], sites[0]), views.layers(b.checkpoints[-1], sites[1]),
                           measure))
            if len(a.checkpoints) > 1 and len(b.checkpoints) > 1:
                chosen.append((views.steps(a, "final"), views.steps(b, "final"), measure))
    return chosen


def _settings(given: list[str] | None, measures: list[Measure]) -> compute.Settings:
    """`--set last_rank=100` applies to every chosen measure that has that parameter."""
    settings: compute.Settings = {}
    for pair in given or []:
        name, _, value = pair.partition("=")
        owners = [m for m in measures if any(param.name == name for param in m.params)]
        if not owners or not value.lstrip("-").isdigit():
            raise ExplorerError(f"--set {pair}: give NAME=WHOLE-NUMBER for a parameter of a chosen measure, such as "
                                "last_rank=100; `python -m analysis measures` lists the measures.")
        for owner in owners:
            settings.setdefault(owner.name, {})[name] = int(value)
    return settings


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m analysis", description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Callable[..., None]) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=(run.__doc__ or "").strip(), description=(run.__doc__ or "").strip())
        command.add_argument("--status", help=argparse.SUPPRESS)
        command.set_defaults(command=run)
        return command

    def protocol(command: argparse.ArgumentParser, policy: str | None) -> None:
        command.add_argument("--probe", help=f"built-in probe or file (default: the run's own, else {DEFAULT})")
        command.add_argument("--policy", default=policy, help="which tokens become rows: last, mean, every-K; "
                             "mean-keep-first and every-K-keep-first keep position 0 (default: last)")

    sweep = add("sweep", _sweep)
    sweep.add_argument("run", nargs="+", metavar="RUN", help="name of a run, or the path of a folder")
    sweep.add_argument("--measure", action="append", help="a measure; repeat for more (default: all)")
    sweep.add_argument("--set", action="append", metavar="NAME=VALUE", help="a parameter of the chosen measures")
    protocol(sweep, "last")

    listing = add("list", _list)
    listing.add_argument("--json", action="store_true")

    show = add("show", _show)
    show.add_argument("run", metavar="RUN")
    show.add_argument("--measure")
    show.add_argument("--site", help='embedding, "block K" or final')
    show.add_argument("--json", action="store_true")
    protocol(show, None)

    compare = add("compare", _compare)
    compare.add_argument("a", metavar="RUN[@REVISION]")
    compare.add_argument("b", nargs="?", metavar="RUN[@REVISION]", help="default: the same run")
    compare.add_argument("--measure", default="linear_cka_debiased")
    compare.add_argument("--by", choices=("layer", "step"), default="layer")
    compare.add_argument("--site", default="final", help="site compared by step (default: final)")
    compare.add_argument("--set", action="append", metavar="NAME=VALUE")
    compare.add_argument("--json", action="store_true")
    protocol(compare, "last")

    add("measures", _measures)
    return parser


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    sys.exit(main())
