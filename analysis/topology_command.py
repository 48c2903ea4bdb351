"""The command `topology`: persistent homology of representations, beside what clouds without structure give."""

import argparse
import json
from typing import Any

from analysis import compute as computed
from analysis import views
from analysis.errors import ExplorerError
from analysis.extraction.library import find_probe
from analysis.extraction.probes import DEFAULT
from analysis.keys import Checkpoint, Policy
from analysis.representations import Protocol
from analysis.runs import find_run, remember
from analysis.status import Status
from analysis.store import Store
from analysis.topology import changes, computing, reading


def topology(arguments: argparse.Namespace, store: Store, status: Status) -> None:
    """Diagrams of draws and of surrogates at every checkpoint, and how far diagrams move along training."""
    runs = [find_run(store, name) for name in dict.fromkeys(arguments.run)]
    for revision in arguments.only or []:
        if not any(c.revision == revision for run in runs for c in run.checkpoints):
            views.checkpoint_of(runs[0], revision)  # raises, and says which there are
    pinned = _checkpoint(store, arguments.against) if arguments.against else None
    question = computing.Question(arguments.points, arguments.draws, arguments.surrogates, arguments.max_dim,
                                  arguments.directions, arguments.seed)
    limits = {"seconds": arguments.seconds, "megabytes": arguments.megabytes}
    found, problems, done = list[dict[str, Any]](), list[str](), 0
    for run in runs:
        probe = find_probe(arguments.probe or run.default_probe or DEFAULT)
        protocol = Protocol(probe, Policy.parse(arguments.policy), arguments.dtype)
        chosen = [c for c in run.checkpoints if c.revision in (arguments.only or [c.revision])]
        chosen += [pinned] if pinned and pinned not in chosen else []
        sites = None if arguments.site == ["all"] else arguments.site or ["final"]
        try:
            done += computing.compute(store, chosen, sites, protocol, question, limits, status.report, status.log)
        except ExplorerError as error:
            problems.append(str(error))
        if chosen and any(computed.sites_of(store, c, protocol) for c in chosen):
            remember(store, run)
        for site in sites or computed.sites(store, [run], protocol):
            changes.compute(store, run.checkpoints, site, protocol, question, status.report, pinned)
        found += [one for checkpoint in chosen for one in reading.records_at(
            store, checkpoint, sites or computed.sites_of(store, checkpoint, protocol), protocol, question)]
    if problems:
        raise ExplorerError(" ".join(problems))
    status.say(f"{done} representation(s) needed work")
    if not status.path:  # a worker's output is its log
        print(json.dumps(found) if arguments.json else "\n".join(_lines(found)))


def _checkpoint(store: Store, name: str) -> Checkpoint:
    run, revision, _ = views.split_item(name)
    return views.checkpoint_of(find_run(store, run), revision)


def _lines(found: list[dict[str, Any]]) -> list[str]:
    """A line a representation and dimension: the longest bar with both nulls."""
    lines = [f"{'checkpoint':>24}  {'site':<10} {'H':>2} {'points':>6} {'longest':>8} {'spread':>7} {'95 % null':>9} "
             f"{'p':>6} {'shuffled':>9} {'p':>6} {'longer':>6}"]
    longer = {(one["run"], one["revision"], one["site"], one["dimension"]): one["value"] for one in found
              if one["summary"] == "longer"}
    for one in found:
        if one["summary"] == "longest":
            spread = "" if one["spread"] is None else f"{one['spread']:.3f}"
            lines.append(f"{one['run'][-13:]:>13} {one['revision'][-10:]:>10}  {one['site']:<10} {one['dimension']:>2} "
                         f"{one['n']:>6} {one['value']:>8.3f} {spread:>7} {one['matched_high']:>9.3f} "
                         f"{one['p_matched']:>6.3f} {one['shuffled_high']:>9.3f} {one['p_shuffled']:>6.3f} "
                         f"{longer[one['run'], one['revision'], one['site'], one['dimension']]:>6.1f}")
    return lines
