"""Would more texts change this number? Measures on shares of a probe's documents, into the store and back.

They are ordinary results. The shares of one checkpoint are a representation of their own, so that they never stand
among values of all rows, and which share and which draw a value is of stands among the parameters of its key.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

import numpy as np

from analysis import compute, registry
from analysis.errors import ExplorerError
from analysis.evaluate import Given
from analysis.inference.shares import DRAWS, POLICY_ENDS, SHARES, WHOLE, drawn, spread
from analysis.keys import Checkpoint, Policy, RepresentationKey, ResultKey, Run, site_order
from analysis.measure import Measure
from analysis.moments import Moments
from analysis.representations import Extraction, Protocol, Report, silent
from analysis.results import Scalar
from analysis.store import Representation, Store, Stored
from analysis.textrows import TextRows

EIGHTHS, DRAW = "eighths", "draw"
USUAL = ("rankme_covariance", "alpha_weighted_least_squares", "participation_ratio",
         "participation_ratio_row_corrected", "rankme_covariance_richardson", "stable_rank")
CORRECTED = {"rankme_covariance": "rankme_covariance_richardson", "alpha_weighted_least_squares": "alpha_richardson"}
MOST_NAMED = 3


@dataclass(frozen=True)
class Question:
    """What is measured on shares: single-representation scalars at their settings, at one site (None: the last)."""

    protocol: Protocol
    measures: tuple[Measure, ...]
    settings: compute.Settings = field(default_factory=dict)
    site: str | None = None


def asked(names: Sequence[str] | None) -> tuple[Measure, ...]:
    """The measures of these names, or the usual ones; others than single-representation scalars are refused."""
    found = tuple(registry.get(name) for name in names or USUAL)
    for measure in found:
        if (measure.arity, measure.returns) != (1, "scalar"):
            what = "compares two representations" if measure.arity == 2 else "is not one number"
            raise ExplorerError(f"{measure.name} {what}; give a measure that is one number of one representation, "
                                "such as rankme_covariance. List them with: python -m analysis measures")
    return found


def is_usual(measure: Measure, params: dict[str, int]) -> bool:
    """Whether a measure at these settings is among those that are computed when none is named."""
    return measure.name in USUAL and params == measure.settings()


# --- reading ---


def records(store: Store, run: Run, question: Question,
            revisions: Collection[str] | None = None) -> list[dict[str, Any]]:
    """One record per stored value, as `compute.records` gives them, with the share of the documents and the number of
    the draw; in order of step, measure, share and draw."""
    wanted = {measure.name: measure.settings(question.settings.get(measure.name)) for measure in question.measures}
    kept = _with_revisions(run, revisions)
    found = [_as_record(record, question.protocol) for record in compute.records(
        store, kept, **_filters(question.protocol, _policy(question.protocol)), site=_site(store, run, question))]
    found = [r for r in found if r["protocol"]["params"] == wanted.get(r["measure"])]
    place = {checkpoint.revision: number for number, checkpoint in enumerate(kept.checkpoints)}
    return sorted(found, key=lambda r: (place[r["revision"]], r["measure"], r["share"], r["draw"]))


def corrected(store: Store, run: Run, question: Question,
              revisions: Collection[str] | None = None) -> list[dict[str, Any]]:
    """The measure that takes the bias of the first one away, at all rows of each checkpoint where it has a value."""
    measure, protocol = question.measures[0], question.protocol
    if measure.name not in CORRECTED:
        return []
    other = registry.get(CORRECTED[measure.name])
    params = measure.settings(question.settings.get(measure.name))
    settings = {other.name: {p.name: params[p.name] for p in other.params if p.name in params}}
    own = records(store, run, replace(question, measures=(other,), settings=settings), revisions)
    swept = compute.records(store, _with_revisions(run, revisions), **_filters(protocol, protocol.rows),
                            measure=other.name, site=_site(store, run, question), settings=settings)
    last = {record["revision"]: record for record in [*(r for r in own if r["share"] == 1), *swept]}
    return [record for record in last.values() if record["value"] is not None]


def levels(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of records of one measure, for each checkpoint and share: the mean of its draws and their spread. A share where a
    draw has no value is left out: the mean of the others would be of chosen documents."""
    rows = []
    for (run, revision, share), group in groupby(found, key=lambda r: (r["run"], r["revision"], r["share"])):
        draws = list(group)
        values, numbers = [record["value"] for record in draws], [record["draw"] for record in draws]
        if None not in values:
            rows.append({"run": run, "revision": revision, "share": share, "d": draws[0]["d"], "draws": len(draws),
                         "n": float(np.mean([record["n"] for record in draws])), "mean": float(np.mean(values)),
                         "spread": None if share == 1 else spread(values, numbers, round(share * WHOLE))})
    return rows


def moves(found: Sequence[dict[str, Any]], taken_away: Sequence[dict[str, Any]] = ()) -> list[str]:
    """A sentence for each checkpoint: how far its value moves from half of the documents to all of them, and what it
    is with its bias taken away, where that is known."""
    said, best = [], {(record["run"], record["revision"]): record["value"] for record in taken_away}
    for (run, revision), group in groupby(levels(found), key=lambda r: (r["run"], r["revision"])):
        by_share = {level["share"]: level for level in group}
        half, whole = by_share.get(0.5), by_share.get(1.0)
        if half and whole:
            share = f" ({whole['mean'] / half['mean'] - 1:+.1%})" if half["mean"] > 0 else ""
            said.append(f"{run} {revision}: {half['mean']:.4g} on half of the documents, {whole['mean']:.4g} on all "
                        f"of them{share}"
                        f"{f'; corrected, {value:.4g}' if (value := best.get((run, revision))) else ''}.")
    return said


def table(found: Sequence[dict[str, Any]]) -> list[str]:
    """A line for each run, checkpoint, measure and share: rows, mean and spread, or why there are none."""
    lines = []
    for measure, group in groupby(sorted(found, key=lambda r: r["measure"]), key=lambda r: r["measure"]):
        own = list(group)
        for level in levels(own):
            around = "" if level["spread"] is None else f" ± {level['spread']:.3g}"
            lines.append(f"{level['run']}  {level['revision']:>12}  {measure:<34} n = {level['n']:<8.0f} "
                         f"n/d = {level['n'] / level['d']:<7.2f} {level['mean']:.6g}{around}")
        lines += [f"{r['run']}  {r['revision']:>12}  {measure:<34} {r['site']}: {r['reason']}"
                  for r in first_of_each_reason(own)]
    return lines


def first_of_each_reason(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Undefined values, one for each checkpoint and share: draws differ in the numbers of their reason only."""
    first: dict[tuple, dict[str, Any]] = {}
    for record in found:
        if record["reason"]:
            where = f"{record['site']} on {record['share']:.3g} of the documents"
            first.setdefault((record["run"], record["revision"], record["share"]), {**record, "site": where})
    return list(first.values())


def caption(found: Sequence[dict[str, Any]], spoken: str, is_corrected: bool = False) -> str:
    """Rows and width, what was drawn, and what the ends of the lines say; `spoken` is the protocol in words."""
    dotted = " Dotted: the value at all rows, corrected for the bias of so few rows." if is_corrected else ""
    sizes, widths = [record["n"] for record in found], sorted({record["d"] for record in found})
    return (f"n = {min(sizes)} to {max(sizes)} rows, d = {', '.join(map(str, widths))} (n/d = "
            f"{min(sizes) / widths[-1]:.1f} to {max(sizes) / widths[0]:.1f}). {spoken} Faint points: {DRAWS} draws of "
            "1/8, 1/4, 1/2 and 3/4 of the documents without replacement, the same at every checkpoint. Line: their "
            "mean, ending in the value at all rows. Band: ± one standard deviation of an estimate from so many "
            f"documents.{dotted} A line that is flat at the right says that more texts would not change the number; "
            "one that still rises or falls there is biased at this n.")


# --- computing ---


def lacking(store: Store, runs: Sequence[Run], revisions: Collection[str], question: Question) -> list[Checkpoint]:
    """The chosen checkpoints that lack something; one that has no such site lacks nothing."""
    return [checkpoint for run in runs for checkpoint in _with_revisions(run, revisions).checkpoints
            if question.site in (None, *(sites := compute.sites_of(store, checkpoint, question.protocol))) or not sites
            if _wanted(store, checkpoint, question) != []]


def measure_shares(store: Store, checkpoints: Sequence[Checkpoint], question: Question, report: Report = silent,
                   say: Callable[[str], None] = lambda sentence: None) -> int:
    """Compute what is missing of the measures on all shares of the documents; returns how many checkpoints needed work.

    What another process works on comes last and is not computed twice. Checkpoints that cannot be read are left to the
    end too: the ExplorerError that names them is raised when all others are done.
    """
    todo = [checkpoint for checkpoint in checkpoints if _wanted(store, checkpoint, question) != []]
    worked, failures = 0, dict[str, str]()
    elsewhere: list[Checkpoint] = []
    with Extraction(store, todo, question.protocol) as extraction:
        for waits, chosen in ((False, todo), (True, elsewhere)):
            for checkpoint in chosen:
                title, finished = f"{checkpoint.run} {checkpoint.revision}", len(checkpoints) - len(todo) + worked

                def inner(done: float, total: float, message: str, title: str = title,
                          at: int = finished + len(failures)) -> None:
                    report(at + min(done / total, 1.0), len(checkpoints), f"{title}: {message}")
                with store.claimed(key_of(checkpoint, question.protocol).digest, wait=waits, report=inner) as mine:
                    if not mine:
                        elsewhere.append(checkpoint)
                        continue
                    try:
                        worked += _measure(extraction, checkpoint, question, inner)
                    except ExplorerError as error:
                        failures[title] = str(error)
                        say(f"{title}: {error}")
    report(len(checkpoints), len(checkpoints), "done")
    if failures:
        raise ExplorerError(f"{len(failures)} of {len(checkpoints)} checkpoints could not be measured on shares of the "
                            "documents. " + " ".join(f"{t}: {r}" for t, r in list(failures.items())[:MOST_NAMED]))
    return worked


def _measure(extraction: Extraction, checkpoint: Checkpoint, question: Question, report: Report) -> int:
    """What is missing for one checkpoint, each share stored as a batch when it is done; 1 if it was anything."""
    store, protocol = extraction.store, question.protocol
    if _wanted(store, checkpoint, question) == []:
        return 0  # another process was here first
    report(0, 1, "reading rows")
    with store.claimed(protocol.key(checkpoint).digest, wait=True, report=report):
        representation = extraction.ensure(checkpoint, report)
    documents = len(set(representation.document_ids))
    if documents < WHOLE:
        raise ExplorerError(f"The rows are of {documents} document(s), and an eighth of the documents needs at least "
                            f"{WHOLE}. Give a probe with more documents: --probe FILE.")
    keys = _wanted(store, checkpoint, question) or []
    rows = _rows(representation, keys)
    for part, (eighths, group) in enumerate(groupby(keys, key=lambda key: dict(key.params)[EIGHTHS])):
        batch: list[Stored] = []
        for draw, same in groupby(group, key=lambda key: dict(key.params)[DRAW]):
            report((part + draw / DRAWS) / (len(SHARES) + 1), 1, f"{eighths}/{WHOLE} of the documents, draw {draw}")
            kept = rows.kept(drawn(representation.document_ids, eighths, draw))
            given = Given.of(kept, Moments.of(kept.x), question.measures)
            batch += [Stored(key=key, result=_value(key, given), n=len(kept), d=kept.x.shape[1])
                      for key in same]
        store.put_results(batch)
    return 1


# --- parts ---


def key_of(checkpoint: Checkpoint, protocol: Protocol) -> RepresentationKey:
    """What the values of all shares of a checkpoint are stored under."""
    return replace(protocol.key(checkpoint), policy=_policy(protocol))


def _policy(protocol: Protocol) -> str:
    return f"{protocol.rows}{POLICY_ENDS}"


def _filters(protocol: Protocol, policy: str) -> dict[str, Any]:
    return {"probe": protocol.probe.identity, "policy": policy, "dtype": protocol.dtype}


def _with_revisions(run: Run, revisions: Collection[str] | None) -> Run:
    return replace(run, checkpoints=tuple(c for c in run.checkpoints if revisions is None or c.revision in revisions))


def _wanted(store: Store, checkpoint: Checkpoint, question: Question) -> list[ResultKey] | None:
    """Keys without a stored result, in order of share and draw; None while the representation itself is unknown."""
    sites = compute.sites_of(store, checkpoint, question.protocol)
    if not sites:
        return None
    site = question.site or max(sites, key=site_order)
    if site not in sites:
        raise ExplorerError(f"{checkpoint.run} {checkpoint.revision} has no site {site!r}; it has {', '.join(sites)}.")
    own = key_of(checkpoint, question.protocol)
    have = store.results(own)
    parts = [(eighths, draw) for eighths in SHARES for draw in range(1, DRAWS + 1)] + [(WHOLE, 1)]
    keys = [ResultKey(own, site, measure.name, measure.version, tuple(sorted(
        {**measure.settings(question.settings.get(measure.name)), EIGHTHS: eighths, DRAW: draw}.items())))
        for eighths, draw in parts for measure in question.measures]
    return [key for key in keys if key not in have]


def _site(store: Store, run: Run, question: Question) -> str | None:
    return question.site or max(compute.sites(store, [run], question.protocol), key=site_order, default=None)


def _rows(representation: Representation, keys: Sequence[ResultKey]) -> TextRows:
    (site,) = {key.site for key in keys}
    several = Policy.gives_several(keys[0].representation.policy)
    return TextRows.of(representation.rows[site], representation.row_ids, representation.document_ids, several)


def _value(key: ResultKey, given: Given) -> Scalar:
    measure = registry.get(key.measure)
    params = {name: value for name, value in key.params if name not in (EIGHTHS, DRAW)}
    try:
        result = measure(given.to(measure), **params)
    except ValueError as error:
        return Scalar.undefined(str(error))
    assert isinstance(result, Scalar)
    return result


def _as_record(record: dict[str, Any], protocol: Protocol) -> dict[str, Any]:
    params = dict(record["protocol"]["params"])
    share, draw = params.pop(EIGHTHS) / WHOLE, params.pop(DRAW)
    return {**record, "share": share, "draw": draw,
            "protocol": {**record["protocol"], "policy": protocol.rows, "params": params}}
