"""Phases of runs from stored results: what the pages shade behind trajectories and list below them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from analysis import compute, phases, registry
from analysis.changes import scalar
from analysis.keys import Checkpoint, Run
from analysis.representations import Protocol
from analysis.results import Replicates, Scalar, Shade
from analysis.store import Store

MOST_LABELLED = 64  # series kept with their labels
RANKME, ALPHA = "rankme_covariance", "alpha_weighted_least_squares"


@dataclass(frozen=True)
class Way:
    """A named way to measure a spectrum: which effective rank, which decay exponent, and what corrects them."""

    name: str
    says: str
    rank: str
    decay: str = ""
    corrected_rank: str = ""
    corrected_decay: str = ""
    settings: compute.Settings = field(default_factory=dict)

    @property
    def measures(self) -> list[str]:
        return [name for name in (self.rank, self.corrected_rank, self.decay, self.corrected_decay) if name]


OURS = Way("Full spectrum, corrected", "RankMe of all covariance eigenvalues and α over ranks 11 to 50; the dotted "
           "lines are corrected for the bias of so few rows.", RANKME, ALPHA, "rankme_covariance_richardson",
           "alpha_richardson", {ALPHA: {"first_rank": 11, "last_rank": 50},
                                "alpha_richardson": {"first_rank": 11, "last_rank": 50}})
LI = Way("Li 2025 (as released)", "Eigenvalues of the centred covariance, at most 2048 of them; α over ranks 12 to 100 "
         "with weights 1/rank. No correction.", "rankme_covariance_capped", ALPHA,
         settings={"rankme_covariance_capped": {"largest": 2048}, ALPHA: {"first_rank": 12, "last_rank": 100}})
GARRIDO = Way("Garrido 2023", "Singular values of the uncentred rows. That paper has no decay exponent, so there are "
              "no phases by it.", "rankme_singular_values")
WAYS = {way.name: way for way in (OURS, LI, GARRIDO)}


@dataclass(frozen=True)
class Phased:
    """The labels of one run at one site, and the checkpoints that they are of."""

    run: Run
    checkpoints: tuple[Checkpoint, ...]
    series: phases.Series
    labels: phases.Labels


def of_run(store: Store, run: Run, protocol: Protocol, site: str, way: Way = OURS,
           rule: phases.Rule = phases.CHOSEN) -> Phased | None:
    """Phases by the rule of phases.py; None where the run has no steps or none of the values is there."""
    if not way.decay:
        return None
    known: list[tuple[Checkpoint, Scalar, Scalar]] = []
    for checkpoint in run.checkpoints:
        rank, decay = (scalar(store, checkpoint, protocol, site, registry.get(name), way.settings)
                       for name in (way.rank, way.decay))
        if checkpoint.step is not None and rank and decay:
            known.append((checkpoint, rank, decay))
    unit: Literal["tokens", "steps"] = "tokens" if all(c.tokens is not None for c, *_ in known) else "steps"
    places = [(c.tokens if unit == "tokens" else c.step) or 0 for c, *_ in known]
    if not known or any(b <= a for a, b in pairwise(places)):
        return None
    ranks, decays = [rank for _, rank, _ in known], [decay for *_, decay in known]
    sizes = _sizes([*ranks, *decays])
    series = phases.Series(
        position=np.array(places, dtype=float), unit=unit, sizes=sizes,
        log_rankme=np.log([rank.value for rank in ranks]), alpha=np.array([decay.value for decay in decays]),
        log_rankme_left_out=None if sizes is None else np.log(_columns(ranks, len(sizes))),
        alpha_left_out=None if sizes is None else _columns(decays, len(sizes)))
    return Phased(run, tuple(c for c, *_ in known), series, _labels(_Content(series), rule))


class _Content:
    """A series told from another by what it holds, so that a page that is drawn again need not label it again."""

    def __init__(self, series: phases.Series):
        self.series = series
        self.parts = tuple(part.tobytes() if isinstance(part, np.ndarray) else part for part in vars(series).values())

    def __hash__(self) -> int:
        return hash(self.parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Content) and self.parts == other.parts


@lru_cache(maxsize=MOST_LABELLED)
def _labels(content: _Content, rule: phases.Rule) -> phases.Labels:
    return phases.label(content.series, rule)


@lru_cache(maxsize=MOST_LABELLED)
def _shares(content: _Content, rule: phases.Rule) -> np.ndarray:
    return phases.sensitivity(content.series, rule).share


def shades(found: Sequence[Phased | None]) -> list[Shade]:
    """The phases as figures draw them."""
    return [Shade(phased.run.name, phase.name, _place(phased.checkpoints[phase.start]),
                  _place(phased.checkpoints[phase.end]))
            for phased in found if phased for phase in phased.labels.phases]


def rows(found: Sequence[Phased | None], rule: phases.Rule = phases.CHOSEN) -> list[dict[str, Any]]:
    """One row for each phase: where it is, what changed with its paired interval, how sure the label is, why not."""
    listed = []
    for phased in filter(None, found):
        share = _shares(_Content(phased.series), rule)
        for phase in phased.labels.phases:
            rank, decay = phase.log_rankme_change, phase.alpha_change
            listed.append({
                "run": phased.run.name, "phase": phase.name, "from": phased.checkpoints[phase.start].revision,
                "to": phased.checkpoints[phase.end].revision,
                "reason": phase.reason or "",
                "keeps its label": float(share[phase.start:phase.end + 1].mean()),
                "RankMe": rank and "{:+.1%} [{:+.1%}, {:+.1%}]".format(*np.expm1([rank.value, rank.low, rank.high])),
                "α": decay and f"{decay.value:+.3f} [{decay.low:+.3f}, {decay.high:+.3f}]"})
    return listed


def notes(found: Sequence[Phased | None], runs: Sequence[Run] = ()) -> list[str]:
    """What the checkpoints of each run cannot show; of `runs` those without a label come last."""
    labelled = {phased.run.name for phased in found if phased}
    silent = [f"{run.name}: no steps that grow from checkpoint to checkpoint, so no phases." for run in runs
              if run.name not in labelled]
    return [f"{phased.run.name}: {note}." for phased in found if phased for note in phased.labels.notes] + silent


def _sizes(scalars: Sequence[Scalar]) -> np.ndarray | None:
    """Rows in each group of documents, where all that are defined left the same groups out."""
    kept = [scalar.replicates for scalar in scalars if scalar.replicates is not None]
    defined = sum(scalar.defined for scalar in scalars)
    same = kept and all(np.array_equal(one.sizes, kept[0].sizes) for one in kept)
    return kept[0].sizes if same and len(kept) == defined else None


def _columns(scalars: Sequence[Scalar], groups: int) -> np.ndarray:
    """Groups x checkpoints; NaN where a value is undefined."""
    empty = Replicates(np.full(groups, np.nan), np.empty(0))
    return np.array([(scalar.replicates or empty).values for scalar in scalars]).T


def _place(checkpoint: Checkpoint) -> dict[str, Any]:
    return {"step": checkpoint.step, "tokens": checkpoint.tokens, "revision": checkpoint.revision}
