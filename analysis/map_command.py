"""The command `map`: the rows of a representation on a plane, over training or over depth."""

import argparse
import json
from typing import Any

from analysis.comparing import end_of
from analysis.extraction.library import find_probe
from analysis.extraction.probes import DEFAULT
from analysis.keys import Policy, Run
from analysis.maps import computing
from analysis.maps.shown import PointMap
from analysis.representations import Protocol, ensure
from analysis.runs import remember
from analysis.status import Status
from analysis.store import Store
from analysis.summaries import described


def map_points(arguments: argparse.Namespace, store: Store, status: Status) -> None:
    """Rows on a plane at checkpoints of a run or at all sites of one, with neighbours and how faithful the plane is."""
    run, checkpoint = end_of(store, arguments.run)
    probe = find_probe(arguments.probe or run.default_probe or DEFAULT)
    protocol = Protocol(probe, Policy.parse(arguments.policy), arguments.dtype)
    only = arguments.only or []
    if arguments.over == "layers":
        sites = list(ensure(store, checkpoint, protocol, status.report).rows)
        items = computing.frames_for(run, "layers", revision=checkpoint.revision, sites=sites, only=only)
    else:
        named = [checkpoint.revision] if _names_revision(run, arguments.run) else []
        items = computing.frames_for(run, "steps", arguments.site, only=only or named, pick=arguments.pick)
    question = computing.Question(items, arguments.over, arguments.method, protocol, arguments.points, arguments.seed)
    try:
        found = computing.compute(store, question, status.report)
    finally:
        remember(store, run)
    if not status.path:  # a worker's output is its log
        status.close()
        print(json.dumps(_record(question, found)) if arguments.json else "\n".join(_lines(found)))


def _names_revision(run: Run, text: str) -> bool:
    """Whether RUN[@REVISION] names a revision: the map is then of that checkpoint alone."""
    return any(text.endswith(f"@{checkpoint.revision}") for checkpoint in run.checkpoints)


def _record(question: computing.Question, found: PointMap) -> dict[str, Any]:
    """What is printed: each frame with its facts, and each drawn row with its positions and nearest rows."""
    frames = [{"frame": frame, "run": checkpoint.run, "revision": checkpoint.revision, "site": site, **facts}
              for frame, (checkpoint, site), facts in zip(found.frames, question.items, found.facts, strict=True)]
    rows = [{"row": found.row_ids[row], "document": found.documents[row], "token": found.tokens[row],
             "context": found.contexts[row], "positions": found.positions[:, row].tolist(),
             "norms": found.norms[:, row].tolist(), "distances": found.distances[:, row].tolist(),
             "neighbours": [[found.row_ids[near] for near in nearest] for nearest in found.neighbours[:, row].tolist()]}
            for row in range(found.drawn)]
    return {"method": found.method, "over": found.over, "settings": found.settings, "alignment": found.alignment,
            "drawn": found.drawn, "searched": found.searched, "total": found.total, "seed": found.seed,
            "protocol": described(question.protocol), "frames": frames, "rows": rows}


def _lines(found: PointMap) -> list[str]:
    """A line a frame: what the plane keeps of the full space."""
    lines = [f"{'frame':>16}  {'trustworthiness':>15} {'overlap':>8} {'rank correlation':>16}"]
    lines += [f"{frame:>16}  {facts['trustworthiness']:>15.4f} {facts['neighbourhood_overlap']:>8.4f} "
              f"{facts['distance_correlation']:>16.4f}" for frame, facts in zip(found.frames, found.facts, strict=True)]
    return [*lines, f"{found.drawn} drawn of {found.searched} searched of {found.total} rows, seed {found.seed}. "
            f"{found.alignment}"]
