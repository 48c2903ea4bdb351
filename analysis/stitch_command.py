"""The command `stitch`: whether the tail of one checkpoint can go on from the states of another."""

import argparse
import json
from typing import Any

from analysis import stitch_views, stitches
from analysis.comparing import End, end_of
from analysis.errors import ExplorerError
from analysis.extraction.library import find_probe
from analysis.extraction.probes import DEFAULT
from analysis.runs import remember
from analysis.status import Status
from analysis.stitches import Ends, Question
from analysis.store import Store


def stitch(arguments: argparse.Namespace, store: Store, status: Status) -> None:
    """Penalty of every stitch from a sender into a receiver, beside an untrained sender and the other baselines."""
    sender, receiver = (end_of(store, name) for name in (arguments.sender, arguments.receiver))
    probe = find_probe(arguments.probe or receiver[0].default_probe or DEFAULT)
    question = Question(probe, arguments.dtype, arguments.pairs, tuple(arguments.map or stitches.MAPS),
                        first=arguments.first, label=arguments.label, seed=arguments.seed, tokens=arguments.tokens)
    if arguments.from_site and arguments.pairs == "lens":
        raise ExplorerError("--from-site chooses among --pairs same or all; a lens is one run for all sites anyway.")
    ways = [(sender, receiver), *([(receiver, sender)] if arguments.both else [])]
    found = list[dict[str, Any]]()
    try:
        for way in ways:
            found += _one_way(arguments, store, status, question, way)
    finally:
        for run, _ in (sender, receiver):
            remember(store, run)
    if not status.path:  # a worker's output is its log
        status.close()
        print(json.dumps(found) if arguments.json else "\n".join(_lines(found)))


def _one_way(arguments: argparse.Namespace, store: Store, status: Status, question: Question,
             way: tuple[End, End]) -> list[dict[str, Any]]:
    """What one direction came to; a trained stitch alone where one was asked for."""
    (run, sender), (_, receiver) = way
    of: Ends = stitches.ends(run, sender, receiver)
    if arguments.trained:
        pair = arguments.trained[0], arguments.trained[1]
        stitches.train(store, of, question, pair, status.report)
        return stitch_views.trained(store, of, question, pair)
    done = stitches.compute(store, of, question, arguments.from_site, status.report, status.log)
    status.say(f"{done} site(s) of {sender.run} {sender.revision} needed work")
    found = stitch_views.read(store, of, question)
    rows = [] if found is None else stitch_views.records(found)
    return [row for row in rows if arguments.from_site in (None, row["source"])]


def _lines(found: list[dict[str, Any]]) -> list[str]:
    """A line a stitch: from where into where, by which map, and what it costs."""
    lines = [f"{'':<7}{'from':<10} {'into':<10} {'map':<16} {'penalty':>8}  {'95 % interval':<17} {'recovered':>9} "
             f"{'R2':>7} {'agree':>6} {'shift':>7}"]
    for row in found:
        ends = "" if row["penalty_low"] is None else f"{row['penalty_low']:.4f} to {row['penalty_high']:.4f}"
        lines.append(f"{row['of']:<7}{row['source']:<10} {row['target']:<10} {row['map']:<16} "
                     f"{_written(row['penalty']):>8}  {ends:<17} {_written(row['recovered']):>9} "
                     f"{_written(row['r2']):>7} {_written(row['agreement']):>6} "
                     f"{_written(row['covariance_distance']):>7}  {row['uninformative']}".rstrip())
    warned = dict.fromkeys([*(row.get("warning") for row in found), *(row["too_few_rows"] for row in found)])
    return [*lines, *filter(None, warned)]


def _written(number: float | None) -> str:
    return "" if number is None else f"{number:.4f}" if abs(number) < 100 else f"{number:.3g}"
