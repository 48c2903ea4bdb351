"""What is stored of stitches, as pages and the command line show it: rows, grids, lines, rank curves and sentences.
Reading never computes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from analysis.inference.jackknife import paired_change
from analysis.results import Replicates, Scalar
from analysis.stitches import KIND, Ends, Question, trained_key
from analysis.store import Store

QUANTITIES = {"penalty": "Penalty (nats per prediction)", "recovered": "Share of the loss recovered",
              "r2": "Held-out R²", "agreement": "Share of first choices that agree"}
SHORT = {"penalty": "penalty", "recovered": "loss recovered", "r2": "held-out R²", "agreement": "agreement"}
ABOUT = {
    "penalty": "What the receiver's loss rises by when it goes on from the mapped states instead of its own, on "
               "held-out documents. 0: nothing is lost; below 0: they serve it better than its own.",
    "recovered": "1 - penalty / penalty of mean ablation at the same site. 1: nothing is lost; 0: no better than the "
                 "mean state; below: worse than knowing nothing.",
    "r2": "Share of the variance of the receiver's states that the map predicts on held-out documents, about their "
          "mean. It has no interval here.",
    "agreement": "How often the stitched network's first choice is the receiver's own."}
ROLE_NAMES = {"sender": "stitch", "random": "untrained sender", "self": "the receiver as its own sender"}
DECIMALS = ("penalty", "low", "high", "recovered", "R²", "agreement", "less than untrained", "shift of mean",
            "shift of covariance")
TRAINED = ("map", "penalty", "penalty_low", "penalty_high", "recovered", "agreement", "r2", "mean_distance",
           "covariance_distance", "variance_ratio")
BASELINES = ("identity", "mean", "shuffled")
_STITCHED = (r"States of the sender were mapped into the receiver, which went on from them "
             r"\cite{lenc2015understanding,bansal2021revisiting}; maps were fitted in closed form and judged on "
             r"documents that they were not fitted on")
PROCEDURES = {  # of a stitch, as a methods section says it
    "stitching": f"{_STITCHED}.",
    "orthogonal stitching": rf"{_STITCHED}. Orthogonal maps are by Procrustes' problem "
                            r"\cite{schonemann1966generalized}.",
    "stitching by rank": rf"{_STITCHED}. Maps of lower rank are by reduced-rank regression "
                         r"\cite{izenman1975reduced}.",
    "lens": rf"{_STITCHED}. Here sender and receiver are one network, and the maps are lenses into its last block "
            r"\cite{belrose2023eliciting}."}
Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Stitches:
    """All that is stored of one question: rows of every stitch and baseline, and the sites there are."""

    ends: Ends
    question: Question
    sources: list[str]
    targets: list[str]
    rows: list[Row]
    facts: dict[str, Any]
    missing: list[str]
    curves: dict[tuple[str, str], np.ndarray]
    replicates: dict[int, Replicates] = field(default_factory=dict)  # of the penalty, by id() of a row

    @property
    def maps(self) -> list[str]:
        """Names of the maps that were run for the sender, without the baselines that no sender enters."""
        return list(dict.fromkeys(row["map"] for row in self.rows
                                  if row["of"] == "sender" and row["map"] not in ("mean", "shuffled")))

    def row(self, source: str, target: str, kind: str, of: str = "sender") -> Row | None:
        """One stitch; mean ablation is that of any sender, since nothing of one is in it."""
        found = (row for row in self.rows if row["of"] == of and row["map"] == kind and row["target"] == target
                 and (row["source"] == source or kind == "mean"))
        return next(found, None)

    def penalty(self, row: Row) -> Scalar:
        """The penalty with its replicates, for differences that are paired over documents."""
        return Scalar(value=row["penalty"], low=row["penalty_low"], high=row["penalty_high"],
                      replicates=self.replicates.get(id(row)))


def read(store: Store, of: Ends, question: Question) -> Stitches | None:
    """What is stored, or None where nothing is. Same-depth stitches and lenses are also found among all pairs."""
    found = [stitches for pairs in dict.fromkeys([question.pairs, "all"])
             if (stitches := _read(store, of, question, pairs)) is not None]
    return min(found, key=lambda stitches: len(stitches.missing), default=None)


def _read(store: Store, of: Ends, question: Question, pairs: str) -> Stitches | None:
    known = store.get_record(KIND, of.key(question, "", pairs))
    if known is None:
        return None
    targets = known[0]["receiver"]
    wanted = {site: question.targets(site, targets) for site in known[0]["sender"]}
    sources = [site for site, into in wanted.items() if into]
    found = Stitches(of, question, sources, targets, [], {}, [], {})
    for site in sources:
        stored = store.get_record(KIND, of.key(question, site, pairs))
        if stored is None:
            found.missing.append(site)
            continue
        record, tensors = stored
        found.facts.update(record["facts"])
        for row in record["rows"]:
            if row["target"] not in wanted[site]:
                continue
            found.rows.append(row)
            if row["replicates"] is not None:
                found.replicates[id(row)] = Replicates(tensors["penalty without"][row["replicates"]],
                                                       tensors["group sizes"])
        for target in wanted[site]:
            if (curve := tensors.get(f"r2 by rank: {target}")) is not None:
                found.curves[site, target] = curve
    return found if found.rows or pairs == question.pairs else None


def trained(store: Store, of: Ends, question: Question, pair: tuple[str, str]) -> list[dict[str, Any]]:
    """The stored stitch of a pair that was trained on the task, and the fitted one it began at; empty without one."""
    stored = store.get_record(KIND, trained_key(of, question, pair))
    return [] if stored is None else [
        {"run_a": of.sender.run, "revision_a": of.sender.revision, "run_b": of.receiver.run,
         "revision_b": of.receiver.revision, **{name: value for name, value in row.items() if name != "replicates"},
         "warning": stored[0]["warning"] if row["map"] == "trained" else ""}
        for row in stored[0]["rows"] if row["map"] != "mean"]


def grid(found: Stitches, kind: str) -> list[list[Row | None]]:
    """The sender's stitches, a row of them for each of its sites and a column for each of the receiver's."""
    return [[found.row(source, target, kind) for target in found.targets] for source in found.sources]


def lines(found: Stitches, kind: str, pairs: Sequence[tuple[str, str]]) -> dict[str, list[Row | None]]:
    """The stitch and every baseline at each of some pairs of sites."""
    return {"stitch": [found.row(*pair, kind) for pair in pairs],
            "untrained sender": [found.row(*pair, kind, "random") for pair in pairs],
            "self-stitch": [found.row(*pair, kind, "self") for pair in pairs],
            **{{"mean": "mean ablation", "shuffled": "shuffled rows"}.get(name, name):
               [found.row(*pair, name) for pair in pairs] for name in BASELINES if name != kind}}


def pairs_along(found: Stitches, source: str | None = None) -> list[tuple[str, str]]:
    """From one site of the sender into every site of the receiver, or each site into the only one it has."""
    have = {(row["source"], row["target"]) for row in found.rows if row["of"] == "sender"}
    if source is not None:
        return [(source, target) for target in found.targets if (source, target) in have]
    return [(i, j) for i in found.sources for j in found.question.targets(i, found.targets)
            if (i, j) in have and (found.question.pairs != "all" or i == j)]


def rank_points(found: Stitches, pair: tuple[str, str]) -> list[Row]:
    """The ranks that were run of one pair, the full one last, with what of the loss they recover."""
    kind = "affine" if "affine" in found.maps else "ridge"
    run = [row for row in found.rows if row["of"] == "sender" and (row["source"], row["target"]) == pair
           and (row["map"] == kind or row["map"].startswith("reduced"))]
    return sorted(run, key=lambda row: row["rank"])


def rank_records(found: Stitches, pair: tuple[str, str]) -> list[dict[str, Any]]:
    """One record a rank of a pair: held-out R2 at each, and the loss recovered where the rank was run."""
    run = {row["rank"]: row for row in rank_points(found, pair)}
    about = records(found)[0]
    ends = {name: about[name] for name in ("run_a", "revision_a", "step_a", "run_b", "revision_b", "step_b")}
    return [{"procedure": "stitching by rank", **ends, "source": pair[0], "target": pair[1], "rank": rank,
             "r2": float(value),
             **{name: run[rank][name] if rank in run else None
                for name in ("penalty", "penalty_low", "penalty_high", "recovered", "recovered_low", "recovered_high")},
             "fingerprint_a": found.ends.sender.fingerprint, "fingerprint_b": found.ends.receiver.fingerprint,
             "protocol": about["protocol"]} for rank, value in enumerate(found.curves[pair])]


def against(found: Stitches, row: Row, other: Row) -> tuple[float, float, float] | None:
    """How much less the penalty of one stitch is than of another, with its interval paired over documents."""
    if row["penalty"] is None or other["penalty"] is None:
        return None
    return paired_change(found.penalty(row), found.penalty(other))


def records(found: Stitches, kinds: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """One flat record a stitch or baseline, both sides named in full, for tables and files."""
    a, b, asked = found.ends.sender, found.ends.receiver, found.question
    about = {"run_a": a.run, "revision_a": a.revision, "step_a": a.step, "run_b": b.run, "revision_b": b.revision,
             "step_b": b.step}
    facts = {name: found.facts[name] for name in ("predictions", "documents_fit", "documents_held", "first")}
    protocol = {"probe": asked.probe.identity, "dtype": asked.dtype, "seed": asked.seed, "tokens": asked.tokens,
                "untrained": found.ends.untrained}
    return [{"procedure": _procedure(row["map"], asked.pairs), **about,
             **{name: value for name, value in row.items() if name != "replicates"}, **facts,
             "fingerprint_a": a.fingerprint, "fingerprint_b": b.fingerprint, "protocol": protocol}
            for row in found.rows if kinds is None or row["map"] in kinds]


def _procedure(kind: str, pairs: str) -> str:
    if pairs == "lens":
        return "lens"
    return {"orthogonal": "orthogonal stitching", "reduced": "stitching by rank"}.get(kind.split()[0], "stitching")


def table(found: Stitches, kind: str, pairs: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """What a page lists under its figure: the stitches of one map beside their baselines."""
    rows = []
    for source, target in pairs:
        row, random = found.row(source, target, kind), found.row(source, target, kind, "random")
        if row is None:
            continue
        less = against(found, row, random) if random else None
        rows.append({
            "from": source, "into": target, "penalty": row["penalty"], "low": row["penalty_low"],
            "high": row["penalty_high"], "recovered": row["recovered"], "R²": row["r2"], "agreement": row["agreement"],
            "less than untrained": less and less[0], "shift of mean": row["mean_distance"],
            "shift of covariance": row["covariance_distance"], "rank, 95 % of R²": row["rank95_r2"],
            "rank, 95 % of loss": row["rank95_loss"], "says nothing of the sender": row["uninformative"] or None})
    return rows


def caption(found: Stitches, kind: str) -> str:
    """Texts, tokens, n/d, position 0, interval, seed and who the untrained sender is."""
    facts, asked = found.facts, found.question
    widths = sorted({row["d"] for row in found.rows if row["of"] == "sender"})
    losses = " and ".join(f"{facts[end]['loss']:.3f} ({end})" for end in ("sender", "receiver")
                          if facts[end]["loss"] is not None)
    rows_each = ", ".join(f"{facts['n'] / d:.0f}" for d in widths)
    return (f"Map: {kind}, fitted on {facts['n']} positions of {facts['documents_fit']} documents (n/d = {rows_each}), "
            f"judged on {facts['predictions']} predictions of {facts['documents_held']} other documents. First "
            f"position: {facts['first_rule']}. "
            + (f"Own loss: {losses} nats. " if losses else "") +
            f"Intervals: 95 %, jackknife over held-out documents. Untrained sender: {found.ends.untrained}. Probe "
            f"{asked.probe.identity}, {asked.dtype}, seed {asked.seed}.")


def warnings(found: Stitches) -> list[str]:
    """Sentences that must be read with the figure, each once."""
    few = [row["too_few_rows"] for row in found.rows if row["too_few_rows"] and row["of"] == "sender"]
    none = [row["reason"] for row in found.rows if row["of"] == "sender" and row["reason"]]
    return list(dict.fromkeys([*few, *none]))
