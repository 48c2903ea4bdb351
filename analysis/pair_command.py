"""The command `pair`: every pair measure of two representations, side by side."""

import argparse
import json

from analysis import similarity, views
from analysis.comparing import pair_measure
from analysis.errors import ExplorerError
from analysis.extraction.library import find_probe
from analysis.extraction.probes import DEFAULT
from analysis.keys import Checkpoint, Policy, Run, site_order
from analysis.pairs import sheet, shown
from analysis.representations import Protocol, ensure
from analysis.runs import find_run, remember
from analysis.status import Status
from analysis.store import Store


def pair(arguments: argparse.Namespace, store: Store, status: Status) -> None:
    """Two representations under every pair measure, with intervals and what shuffled documents give."""
    sides = [parse_item(store, text) for text in (arguments.a, arguments.b)]
    measures = [pair_measure(name) for name in arguments.measure or []] or sheet.measures()
    probe = find_probe(arguments.probe or sides[0][0].default_probe or DEFAULT)
    protocol = Protocol(probe, Policy.parse(arguments.policy), arguments.dtype)
    for _, checkpoint, site in sides:  # rows that were let go come back even where all matrices are stored
        _known_site(checkpoint, site, list(ensure(store, checkpoint, protocol, status.report).rows))
    a, b = ((checkpoint, site) for _, checkpoint, site in sides)
    lines = []
    for number, measure in enumerate(measures):
        def inner(done: float, total: float, message: str, at: int = number, label: str = measure.label) -> None:
            status.report(at + min(done / total, 1.0), len(measures), f"{label}: {message}")
        lines.append(sheet.line(measure, similarity.compare(store, [a], [b], measure, protocol, report=inner)))
        status.report(number + 1, len(measures), f"{measure.label}: done")
    for run, *_ in sides:
        remember(store, run)
    if not status.path:  # a worker's output is its log
        status.close()
        _print(arguments.json, lines)


def parse_item(store: Store, text: str) -> tuple[Run, Checkpoint, str]:
    """The run, checkpoint and site that RUN[@REVISION][:SITE] names; the last checkpoint and `final` unless said."""
    name, revision, site = views.split_item(text)
    if not name:
        raise ExplorerError(f"{text!r} names no run; give RUN, RUN@REVISION, RUN:SITE or RUN@REVISION:SITE.")
    run = find_run(store, name)
    return run, views.checkpoint_of(run, revision), site


def _known_site(checkpoint: Checkpoint, site: str, sites: list[str]) -> None:
    if site not in sites:
        raise ExplorerError(f"{checkpoint.run} {checkpoint.revision} has no site {site!r}; it has "
                            f"{', '.join(sorted(sites, key=site_order))}.")


def _print(as_json: bool, lines: list[shown.Line]) -> None:
    if as_json:
        print(json.dumps([sheet.record(line) for line in lines]))
        return
    print(f"{'measure':<36} {'value':>8}  {'95 % interval':<19} {'chance':>7} {'calibrated':>10} {'p':>6}")
    for line in lines:
        ends = "" if line.low is None else f"{line.low:.4f} to {line.high:.4f}"
        numbers = [_written(number) for number in (line.value, line.by_chance, line.calibrated, line.p)]
        print(f"{line.measure.name:<36} {numbers[0]:>8}  {ends:<19} {numbers[1]:>7} {numbers[2]:>10} {numbers[3]:>6}"
              f"{'  undefined: ' + line.reason if line.reason else ''}")


def _written(number: float | None) -> str:
    return "" if number is None else f"{number:.4g}" if abs(number) >= 10 else f"{number:.4f}"
