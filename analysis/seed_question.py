"""Different inside, same in function? CKA and stitching of the same two networks, site by site, read from the store."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from analysis import registry, similarity, stitch_views, stitches, summaries, views
from analysis.extraction.probes import Probe
from analysis.keys import Checkpoint, Run, site_order
from analysis.measure import Measure
from analysis.pairs import cells, disagreement
from analysis.representations import Protocol
from analysis.results import PairMatrix
from analysis.store import Store

MEASURE, MAP = "linear_cka_debiased", "affine"
ARROW = " → "
NUMBERS = ("CKA", "calibrated", "loss recovered", "from", "to", "untrained sender", "penalty", "agreement")
TAKEN = ("recovered", "recovered_low", "recovered_high", "penalty", "penalty_low", "penalty_high", "agreement",
         "agreement_low", "agreement_high", "r2", "n", "d", "uninformative", "reason")


@dataclass(frozen=True)
class Pair:
    """A sender and a receiver, each a checkpoint of a run."""

    sender: tuple[Run, Checkpoint]
    receiver: tuple[Run, Checkpoint]

    @property
    def name(self) -> str:
        return ARROW.join(self.argv)

    @property
    def argv(self) -> list[str]:
        """Both as the command line takes them."""
        return [f"{run.name}@{checkpoint.revision}" for run, checkpoint in (self.sender, self.receiver)]

    @property
    def ends(self) -> stitches.Ends:
        return stitches.ends(self.sender[0], self.sender[1], self.receiver[1])


def candidates(runs: Sequence[Run], into: tuple[Run, Checkpoint] | None = None) -> dict[str, Pair]:
    """Every run's last checkpoint into every other's, and each run's first into its last, by name. Neighbours in the
    list of runs and the first control come first, and before them each run's last `into` a reference."""
    last = [(run, run.checkpoints[-1]) for run in runs]
    near = [Pair(one, other) for one, other in pairwise(last)]
    control = [Pair((run, run.checkpoints[0]), end) for run, end in zip(runs, last, strict=True)
               if len(run.checkpoints) > 1]
    rest = [Pair(one, other) for one in last for other in last if one is not other]
    return {pair.name: pair for pair in (*_onto(runs, into), *near, *control[:1], *rest, *control)}


def usual(runs: Sequence[Run], into: tuple[Run, Checkpoint] | None = None) -> list[str]:
    """The pairs that are shown at first: some into the reference, then neighbours, and an untrained network as a
    control."""
    return list(candidates(runs, into))[:len(_onto(runs, into)[:2]) + min(len(runs), 4)]


def _onto(runs: Sequence[Run], into: tuple[Run, Checkpoint] | None) -> list[Pair]:
    """Every run's last checkpoint into the reference, unless it is that itself."""
    return [Pair((run, run.checkpoints[-1]), into) for run in runs if into and run.checkpoints[-1] != into[1]]


def label_of(probe: Probe) -> str | None:
    """The label that holds the class of an image or a sound, where there is only one; texts are judged by their next
    token."""
    names = dict.fromkeys(name for item in probe.texts for name in item.labels)
    return next(iter(names)) if probe.kind != "text" and len(names) == 1 else None


def question(protocol: Protocol) -> stitches.Question:
    """Affine stitches alone, which is what McGuire et al. asked."""
    return stitches.Question(protocol.probe, protocol.dtype, maps=(MAP,), label=label_of(protocol.probe))


def cka(store: Store, pair: Pair, protocol: Protocol) -> list[dict[str, Any]] | None:
    """Debiased CKA of each site with its namesake, with interval and shuffled documents; None where it is not computed.
    """
    sides = [(c, store.representation_facts(protocol.key(c)) or {}) for _, c in (pair.sender, pair.receiver)]
    rows, columns = (views.layers(checkpoint, facts.get("sites", [])) for checkpoint, facts in sides)
    if not rows or not columns:
        return None
    measure = registry.get(MEASURE)
    matrix = similarity.matrix(store, rows, columns, measure, protocol)
    return None if matrix is None else _diagonal(matrix, measure, [site for _, site in rows],
                                                 [site for _, site in columns])


def _diagonal(matrix: PairMatrix, measure: Measure, rows: list[str], columns: list[str]) -> list[dict[str, Any]]:
    ends, told = cells.interval(matrix), cells.verdict(matrix, measure)
    known = {"cka": matrix.values, "cka_low": None if ends is None else ends[0],
             "cka_high": None if ends is None else ends[1], "threshold": None if told is None else told.threshold,
             "calibrated": None if told is None else told.calibrated, "p": None if told is None else told.p}
    found = []
    for site in sorted(set(rows) & set(columns), key=site_order):
        place = rows.index(site), columns.index(site)
        record = {name: None if array is None or np.isnan(array[place]) else float(array[place])
                  for name, array in known.items()}
        undefined = record["cka"] is None
        found.append({"site": site, **record, "note": matrix.note,
                      "draws": 0 if matrix.null is None else len(matrix.null),
                      "reason": "; ".join(matrix.reasons) if undefined else ""})
    return found


def stitched(store: Store, pair: Pair, protocol: Protocol) -> list[dict[str, Any]] | None:
    """The affine stitch of each site into its namesake with what an untrained sender recovers there; None where not
    all of them are computed. A run with every kind of map serves as well."""
    asked = question(protocol)
    tried = (stitch_views.read(store, pair.ends, replace(asked, maps=maps)) for maps in (asked.maps, stitches.MAPS))
    found = next((one for one in tried if one is not None and not one.missing), None)
    if found is None:
        return None
    rows = []
    for site in (site for site in found.sources if site in found.targets):
        own, random = (found.row(site, site, MAP, of) for of in ("sender", "random"))
        if own is not None:
            rows.append({"site": site, **{name: own[name] for name in TAKEN}, "facts": found.facts,
                         "random_recovered": random and random["recovered"]})
    return rows


def records(store: Store, pair: Pair, protocol: Protocol) -> list[dict[str, Any]]:
    """One record for each site of a pair of which both sides are computed; none where one of them is not."""
    left, right = cka(store, pair, protocol), stitched(store, pair, protocol)
    if left is None or right is None:
        return []
    (a, one), (b, other) = pair.sender, pair.receiver
    return [{"pair": pair.name, "run": a.name, "revision": one.revision, "receiver": b.name,
             "receiver_revision": other.revision, **row, "protocol": summaries.described(protocol), "map": MAP,
             "measure": MEASURE, "procedure": "stitching", "fingerprint": one.fingerprint,
             "fingerprint_receiver": other.fingerprint}
            for row in disagreement.joined(left, right)]


def missing(store: Store, pair: Pair, protocol: Protocol) -> list[tuple[str, list[str]]]:
    """What has to be computed for a pair, in words, and the command for each without the options of the protocol."""
    found = []
    if cka(store, pair, protocol) is None:
        found.append(("CKA", ["compare", *pair.argv, "--measure", MEASURE, "--policy", str(protocol.policy)]))
    if stitched(store, pair, protocol) is None:
        label = label_of(protocol.probe)
        found.append(("stitches", ["stitch", *pair.argv, "--pairs", "same", "--map", MAP,
                                   *(["--label", label] if label else [])]))
    return found


def caption(records: Sequence[dict[str, Any]], protocol: Protocol) -> str:
    """Rows, texts, interval, null and how stitches were fitted, as the figure states them."""
    notes = "".join(f" {note[:1].upper()}{note[1:]}." for note in dict.fromkeys(r["note"] for r in records) if note)
    facts = records[0]["facts"]
    draws = max(record["draws"] for record in records)
    return (f"{summaries.spoken(protocol)}{notes} CKA: debiased, on those rows; thin dashes: of {draws} comparisons "
            f"with the documents of one side shuffled, 5 % lie above. Stitch: affine least squares at every position, "
            f"fitted on {facts['documents_fit']} documents ({facts['n']} positions), judged on "
            f"{facts['documents_held']} others ({facts['predictions']} predictions); first position: "
            f"{facts['first_rule']}. Dotted: the same from an untrained sender. Bars: 95 % intervals over documents.")


def table(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the table under the figure shows of each record."""
    return [{"pair": r["pair"], "site": r["site"], "verdict": r["verdict"], "CKA": r["cka"],
             "calibrated": r["calibrated"],
             "loss recovered": r["recovered"], "from": r["recovered_low"], "to": r["recovered_high"],
             "untrained sender": r["random_recovered"], "penalty": r["penalty"], "agreement": r["agreement"],
             "why": r["reason"]} for r in records]
