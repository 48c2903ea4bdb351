"""A pair measure along training: every checkpoint against a reference, and runs against each other at equal steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from analysis import similarity, summaries, views
from analysis.keys import Checkpoint, Run
from analysis.measure import Measure
from analysis.pairs import cells
from analysis.representations import Protocol
from analysis.results import PairMatrix
from analysis.store import Store

FIRST, LAST, SAME = "its first checkpoint", "its last checkpoint", "the same step of the other runs"
PINNED = "the reference"
LEAST_COMMON = 2  # checkpoints at equal steps that make two runs comparable step by step
Record = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """What is compared how: a pair measure at some setting, on rows of a protocol."""

    measure: Measure
    protocol: Protocol
    params: dict[str, int] = field(default_factory=dict)

    def matrix(self, store: Store, one: Run, other: Run, site: str) -> PairMatrix | None:
        """Every step of one run against every step of the other at one site, if it is computed."""
        return similarity.matrix(store, views.steps(one, site), views.steps(other, site), self.measure, self.protocol,
                                 self.params)


@dataclass
class Lines:
    """Records of the lines against a reference and of those between runs, and which comparisons are not computed."""

    own: list[Record] = field(default_factory=list)
    pairs: list[Record] = field(default_factory=list)
    absent: list[tuple[Run, Run, str]] = field(default_factory=list)


def references(runs: Sequence[Run], is_pinned: bool = False) -> list[str]:
    """What a checkpoint can be compared with: ends, any checkpoint by name, the same step elsewhere, and what is
    pinned."""
    revisions = dict.fromkeys(checkpoint.revision for run in runs for checkpoint in run.checkpoints)
    return [FIRST, LAST, *([PINNED] if is_pinned else []), *([SAME] if pairs(runs) else []), *revisions]


def reference_of(run: Run, asked: str) -> int | None:
    """Where the reference stands in a run, or None where the run has no such checkpoint."""
    if asked in (FIRST, LAST):
        return 0 if asked == FIRST else len(run.checkpoints) - 1
    return next((place for place, c in enumerate(run.checkpoints) if c.revision == asked), None)


def pairs(runs: Sequence[Run]) -> list[tuple[Run, Run]]:
    """Every two runs with at least two checkpoints at equal steps."""
    return [(one, other) for one, other in combinations(runs, 2) if len(_common(one, other)) >= LEAST_COMMON]


def wanted(runs: Sequence[Run], asked: str, between: bool) -> list[tuple[Run, Run]]:
    """Which runs have to be compared step by step, for lines against a reference and for those between runs."""
    alone = [] if asked == SAME else [(run, run) for run in runs if reference_of(run, asked) is not None]
    return [*alone, *(pairs(runs) if between or asked == SAME else [])]


def lines(store: Store, runs: Sequence[Run], sites: Sequence[str], asked: str, between_runs: bool, question: Question,
          pinned: tuple[Run, Checkpoint] | None = None) -> Lines:
    """Everything that the figure draws: each checkpoint against what is asked for, and runs with each other.

    A pinned checkpoint is the reference of every run, so that runs other than its own are read from the comparison of
    the two.
    """
    found = Lines()
    for one, other in wanted(runs, asked, between_runs):
        for site in sites:
            matrix = question.matrix(store, one, other, site)
            if matrix is None:
                found.absent.append((one, other, site))
            elif one is other:
                found.own += against(matrix, one, site, asked, question)
            else:
                found.pairs += between(matrix, one, other, site, question)
    if pinned and asked == PINNED:
        _add_pinned(found, store, runs, sites, question, *pinned)
    return found


def _add_pinned(found: Lines, store: Store, runs: Sequence[Run], sites: Sequence[str], question: Question, home: Run,
                reference: Checkpoint) -> None:
    for run in runs:
        for site in sites:
            records = towards(store, run, home, reference, site, question)
            pair = (*_in_order(run, home, question, runs), site)
            if records is not None:
                found.own += records
            elif pair not in found.absent:
                found.absent.append(pair)


def towards(store: Store, run: Run, home: Run, reference: Checkpoint, site: str,
            question: Question) -> list[Record] | None:
    """Every checkpoint of a run against one of another run, its home; None where the two are not compared. A symmetric
    measure is read from the comparison the other way round too."""
    place = home.checkpoints.index(reference)
    straight = question.matrix(store, run, home, site)
    matrix = straight or (question.matrix(store, home, run, site) if question.measure.symmetric else None)
    if matrix is None:
        return None
    told = _Told.of(matrix, question.measure)
    return [_record(run.name, c, reference, site, question, told.at(k, place) if straight else told.at(place, k))
            for k, c in enumerate(run.checkpoints)]


def _in_order(run: Run, home: Run, question: Question, runs: Sequence[Run]) -> tuple[Run, Run]:
    """The two as runs are compared with each other, where the order of sides makes no difference."""
    names = [one.name for one in runs]
    swapped = question.measure.symmetric and home.name in names and names.index(home.name) < names.index(run.name)
    return (home, run) if swapped else (run, home)


def against(matrix: PairMatrix, run: Run, site: str, asked: str, question: Question) -> list[Record]:
    """Every checkpoint of a run against its reference; none where the run has no such checkpoint."""
    place = reference_of(run, asked)
    if place is None:
        return []
    reference = run.checkpoints[place]
    told = _Told.of(matrix, question.measure)
    return [_record(run.name, c, reference, site, question, told.at(row, place))
            for row, c in enumerate(run.checkpoints)]


def between(matrix: PairMatrix, one: Run, other: Run, site: str, question: Question) -> list[Record]:
    """Two runs against each other where both have a checkpoint at the same step."""
    told, records = _Told.of(matrix, question.measure), []
    for row, column in _common(one, other):
        a, b = one.checkpoints[row], other.checkpoints[column]
        record = _record(f"{one.name} × {other.name}", a, b, site, question, told.at(row, column))
        records.append(record | {"tokens": a.tokens if a.tokens == b.tokens else None})
    return records


def spread(records: Sequence[Record], runs: int) -> list[Record]:
    """The lowest and the highest value over pairs of runs at each step that all pairs have, where there are several
    pairs."""
    lines: dict[tuple[str, str], dict[Any, Record]] = {}
    for record in records:
        lines.setdefault((record["site"], record["run"]), {})[_moment(record["step"], record["revision"])] = record
    found: list[Record] = []
    for site in dict.fromkeys(site for site, _ in lines):
        own = [line for (at, _), line in lines.items() if at == site]
        for moment, record in own[0].items() if len(own) > 1 else ():
            values = [line[moment]["value"] for line in own if moment in line]
            if len(values) == len(own) and None not in values:
                found.append({name: record[name] for name in ("revision", "step", "tokens", "site", "measure")} | {
                    "run": f"between {runs} seeds (range)", "value": None, "low": min(values), "high": max(values),
                    "reason": ""})
    return found


def caption(store: Store, run: Run, question: Question, records: Sequence[Record]) -> str:
    """Rows, texts, interval, null and what was left out, as the figure states them."""
    notes = "".join(f" Rows: {note}." for note in dict.fromkeys(r["note"] for r in records) if note)
    said = summaries.pair_caption(store, views.steps(run, ""), question.protocol) + notes
    if any(record["low"] is not None for record in records):
        said += (f" Bands along lines: 95 % interval, {question.measure.uncertainty}: what other texts would change, "
                 "not what another seed would.")
    draws = max((record["draws"] for record in records), default=0)
    side = "below" if question.measure.direction.startswith("smaller") else "above"
    said += (f" Thin dashes: of {draws} comparisons with the documents of one side shuffled, 5 % lie {side}."
             if draws else f" No shuffled documents: a matrix of more than {similarity.MOST_SHUFFLED} cells has none.")
    if not question.measure.symmetric:
        said += " X is the checkpoint on the axis, Y the one it is compared with."
    return said


@dataclass(frozen=True, eq=False)
class _Told:
    """All that is known of each cell of a matrix."""

    matrix: PairMatrix
    cells: Mapping[str, np.ndarray]

    @staticmethod
    def of(matrix: PairMatrix, measure: Measure) -> "_Told":
        ends, said = cells.interval(matrix), cells.verdict(matrix, measure)
        known = {"value": matrix.values, "exact_chance": matrix.chance,
                 "low": None if ends is None else ends[0], "high": None if ends is None else ends[1],
                 "threshold": None if said is None else said.threshold, "p": None if said is None else said.p}
        return _Told(matrix, {name: array for name, array in known.items() if array is not None})

    def at(self, row: int, column: int) -> Record:
        found: Record = {name: _number(self.cells[name][row, column]) if name in self.cells else None
                         for name in ("value", "low", "high", "threshold", "p", "exact_chance")}
        undefined = found["value"] is None
        return found | {"draws": 0 if self.matrix.null is None else len(self.matrix.null), "note": self.matrix.note,
                        "reason": "; ".join(self.matrix.reasons) if undefined else ""}


def _record(name: str, checkpoint: Checkpoint, reference: Checkpoint, site: str, question: Question,
            told: Record) -> Record:
    return {"run": name, "revision": checkpoint.revision, "step": checkpoint.step, "tokens": checkpoint.tokens,
            "site": site, "measure": question.measure.name, "reference": f"{reference.run} {reference.revision}",
            **told, "params": question.params, "protocol": summaries.described(question.protocol),
            "fingerprint": checkpoint.fingerprint, "fingerprint_reference": reference.fingerprint}


def _common(one: Run, other: Run) -> list[tuple[int, int]]:
    """Places of checkpoints at equal steps; of stages without steps, by their names."""
    places = {_moment(c.step, c.revision): place for place, c in enumerate(other.checkpoints)}
    return [(place, places[moment]) for place, c in enumerate(one.checkpoints)
            if (moment := _moment(c.step, c.revision)) in places]


def _moment(step: int | None, revision: str) -> int | str:
    return revision if step is None else step


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
