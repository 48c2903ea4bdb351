"""Estimates of intrinsic dimension as a page shows them: over depth, training and scale, always beside two controls.

The controls are the run's first checkpoint, which has learned nothing yet, and the same checkpoint on the same texts
with the tokens of each in a random order, where only which tokens there are is left to tell.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from math import isfinite
from statistics import median_high
from typing import Any

from analysis import compute, registry
from analysis.errors import ExplorerError
from analysis.extraction.probes import shuffled
from analysis.keys import Checkpoint, Run
from analysis.measure import Measure
from analysis.representations import Protocol
from analysis.store import Store

ESTIMATORS = ("intrinsic_dimension_gride", "intrinsic_dimension_twonn", "intrinsic_dimension_mle",
              "correlation_dimension", "local_pca_dimension", "persistent_homology_dimension",
              "persistent_homology_dimension_of_texts")
BY_SCALE = "intrinsic_dimension_gride_by_scale"
FIRST, SHUFFLED = "first checkpoint", "shuffled tokens"
NUMBERS = ("value", "low", "high", FIRST, SHUFFLED)
SCALES = ("Left, each estimate is of the nearest neighbours, where noise fills every direction; right, of far ones, "
          "where the cloud bends and ends. Where the curve is flat, the estimate depends least on the scale.")
CAUTION = ("Above about 20 this is a lower bound: at n = 5000 a true 50 reads 23 to 34. Common estimators do not track "
           "the true dimension of representations (Schulte & Rügamer 2026): read how a value differs from its controls "
           "at the same n and estimator, not the value.")
ALIKE = 0.1
NO_INTERVAL = "No interval: the spread at the end of this page says how far the choice of texts moves a value."

Records = list[dict[str, Any]]


def estimators() -> dict[str, Measure]:
    """The estimators there are, the one to open on first."""
    return {name: measure for name in ESTIMATORS if (measure := registry.all_measures().get(name))}


def by_scale() -> Measure | None:
    """GRIDE at every scale, where it is there."""
    return registry.all_measures().get(BY_SCALE)


def control(protocol: Protocol) -> Protocol:
    """The same protocol on shuffled tokens. Raises ExplorerError where it has none, with the reason."""
    if protocol.policy.kind == "words":
        raise ExplorerError(f"The rows {protocol.policy} are of words, which shuffled tokens do not have; choose other "
                            "rows for the control of shuffled tokens.")
    return replace(protocol, probe=shuffled(protocol.probe))


def records(store: Store, runs: Sequence[Run], protocol: Protocol, measure: Measure,
            params: dict[str, int]) -> Records:
    """Stored values at every checkpoint and site, and those of the same checkpoints on shuffled tokens.

    `control` of each record names what it is of: "", or the first checkpoint, or shuffled tokens. A run of one
    checkpoint has no first one to compare with. `distinct` is how many rows differ: equal ones count once.
    """
    protocols = {"": protocol}
    with suppress(ExplorerError):
        protocols[SHUFFLED] = control(protocol)
    found = []
    for run in runs:
        first = run.checkpoints[0].revision if len(run.checkpoints) > 1 else None
        for kind, one in protocols.items():
            own = compute.records(store, run, probe=one.probe.identity, policy=one.rows, dtype=one.dtype,
                                  measure=measure.name, settings={measure.name: params})
            shares = _duplicate_shares(store, run, one) if own else {}
            found += [{**record, "control": FIRST if record["revision"] == first and not kind else kind,
                       "distinct": round(record["n"] * (1 - shares.get((record["revision"], record["site"]), 0)))}
                      for record in own]
    return found


def of(found: Records, revisions: Collection[str]) -> Records:
    """The records of some checkpoints, and of the first one of each run as their control."""
    return [record for record in found if record["control"] == FIRST or record["revision"] in revisions]


def own(found: Records) -> Records:
    """The records that are no control on shuffled tokens."""
    return [record for record in found if record["control"] != SHUFFLED]


def at(found: Records, sites: Collection[str]) -> Records:
    """The records of some sites."""
    return [record for record in found if record["site"] in sites]


def scales(found: Records) -> Records:
    """Of records of GRIDE by scale, one for each scale, which doubles from 1; those that are undefined have none."""
    return [{**record, "scale": 2**place, "value": value if isfinite(value) else None, "low": None, "high": None}
            for record in found if not record["reason"] for place, value in enumerate(record["value"])]


def side_by_side(store: Store, run: Run, protocol: Protocol, checkpoint: Checkpoint, site: str) -> Records:
    """Every estimator at its usual settings at one checkpoint and site, beside its controls."""
    rows = []
    for measure in estimators().values():
        found = of(at(records(store, [run], protocol, measure, measure.settings()), [site]), [checkpoint.revision])
        own = {(record["revision"], record["control"] == SHUFFLED): record for record in found}
        if here := own.get((checkpoint.revision, False)):
            values = {name: own.get((revision, is_shuffled), {}).get("value") for name, revision, is_shuffled in (
                (FIRST, run.checkpoints[0].revision, False), (SHUFFLED, checkpoint.revision, True))}
            rows.append({"estimator": measure.label, "value": here["value"], "low": here["low"], "high": here["high"],
                         **values, "rows": here["n"], "duplicates left out": here["n"] - here["distinct"],
                         "no value, because": here["reason"] or None})
    told = [name for name in (rows[0] if rows else ()) if any(row[name] is not None for row in rows)]
    return [{name: row[name] for name in told} for row in rows]


def unlike(found: Records) -> list[str]:
    """A sentence on the sites whose values are of another number of distinct rows than most, if there are any."""
    usual = median_high([record["distinct"] for record in found])
    others: dict[str, list[int]] = {}
    for record in found:
        if abs(record["distinct"] - usual) > ALIKE * usual:
            others.setdefault(record["site"], []).append(record["distinct"])
    told = [f"{min(counts)} to {max(counts)} at {site}" for site, counts in others.items()]
    return [f"Estimates change with the number of distinct rows (equal rows count once), which is {usual} for most "
            f"values and {', '.join(told)}: compare those of like numbers only."] if told else []


def caption(found: Records, protocol: Protocol, chosen: str) -> str:
    """`chosen`, the protocol in words, with what the lines are and what they are not."""
    controls = {record["control"] for record in found}
    said = [chosen, SCALES] if any("scale" in record for record in found) else [chosen]
    if FIRST in controls:
        first = dict.fromkeys(record["revision"] for record in found if record["control"] == FIRST)
        said.append(f"Dashed: the first checkpoint ({', '.join(first)}).")
    if SHUFFLED in controls:
        said.append("Dotted: the same checkpoint with the tokens of each text shuffled.")
        if protocol.policy.kind in ("first", "last"):
            said.append(f"Shuffling also changes which token is the {protocol.policy}; with the rows mean of tokens it "
                        "changes hardly more than the order.")
    if all(record["low"] is None for record in found):
        said.append(NO_INTERVAL)
    return " ".join([*said, CAUTION])


def checkpoints(runs: Sequence[Run]) -> dict[str, tuple[Run, Checkpoint]]:
    """Every checkpoint by the name that it is chosen by."""
    return {f"{run.name} · {c.revision}": (run, c) for run in runs for c in run.checkpoints}


def lacking(store: Store, chosen: Sequence[Checkpoint], protocol: Protocol) -> list[str]:
    """Revisions of the checkpoints that lack any estimator at its usual settings, or the curve by scale."""
    return list(dict.fromkeys(c.revision for c in chosen if compute.wanted(store, c, protocol, _all())))


def command(run: Run, revisions: Sequence[str]) -> list[str]:
    """What computes every estimator, and the curve by scale, at some checkpoints of a run: one search for neighbours
    serves them all."""
    return ["sweep", run.name, *(part for revision in revisions for part in ("--only", revision)),
            *(part for measure in _all() for part in ("--measure", measure.name))]


def table_caption(rows: Records, site: str) -> str:
    """Where the values of a table are from, and what no number of it is."""
    interval = "low and high: 95 % interval at this n." if any("low" in row for row in rows) else NO_INTERVAL
    return f"At {site}, at the usual settings. {interval} {CAUTION}"


def _all() -> list[Measure]:
    return [*estimators().values(), *([curve] if (curve := by_scale()) else [])]


def _duplicate_shares(store: Store, run: Run, protocol: Protocol) -> dict[tuple[str, str], float]:
    """The share of rows that are exactly equal to another one, by revision and site."""
    facts = ((c.revision, store.representation_facts(protocol.key(c))) for c in run.checkpoints)
    return {(revision, site): outliers["duplicate_share"] for revision, fact in facts if fact
            for site, outliers in fact.get("outliers", {}).items()}
