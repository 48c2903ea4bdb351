"""Persistent homology of representations: clouds are drawn here, worked out in limited processes, and stored."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from threadpoolctl import threadpool_limits

from analysis.errors import ExplorerError, Undefined
from analysis.keys import Checkpoint, digest, site_order
from analysis.neighbours import first_places
from analysis.representations import Extraction, Protocol, Report, silent
from analysis.store import Representation, Store
from analysis.topology import draws, engine, surrogates
from analysis.topology.cell import Cell, packed, unpacked
from analysis.topology.diagrams import Bars, Diagrams
from analysis.topology.nulls import null_of
from analysis.topology.workers import Refused, Task, Workers

KIND, VERSION = "topology", 1
MOST_POINTS, MOST_FOR_H2, FEWEST = 2_000, 250, 8
MADE = {"matched": surrogates.matched_covariance, "shuffled": surrogates.shuffled_components}
Item = tuple[Checkpoint, str]


@dataclass(frozen=True)
class Question:
    """What is asked of each representation: how many points a cloud has, how many clouds are drawn, how many
    surrogates of each kind are made, up to which dimension, and on how many leading principal directions (0: all)."""

    points: int = 300
    draws: int = 10
    surrogates: int = 39
    max_dim: int = 1
    directions: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if not (1 <= self.draws <= 100 and 19 <= self.surrogates <= 999 and 1 <= self.max_dim <= 2
                and self.directions >= 0):
            raise ExplorerError("Give 1 to 100 draws, 19 to 999 surrogates of each kind (fewer cannot give p = 0.05), "
                                "a highest dimension of 1 or 2, and a number of directions that is not negative.")
        most = MOST_FOR_H2 if self.max_dim > 1 else MOST_POINTS
        if not FEWEST <= self.points <= most:
            raise ExplorerError(f"Clouds of {self.points} points were asked for, up to H{self.max_dim}; give --points "
                                f"between {FEWEST} and {most}: time and memory grow with a high power of it.")


def name_of(checkpoint: Checkpoint, site: str, protocol: Protocol, question: Question) -> str:
    """What a stored cell is named by: all that it was made from."""
    return digest({"representation": asdict(protocol.key(checkpoint)), "site": site, "version": VERSION,
                   **asdict(question)})


def stored(store: Store, item: Item, protocol: Protocol, question: Question) -> Cell | None:
    """The topology of one representation, or None when it has not been computed."""
    found = store.get_record(KIND, name_of(*item, protocol, question))
    return found and unpacked(*found)


def compute(store: Store, checkpoints: Sequence[Checkpoint], sites: Sequence[str] | None, protocol: Protocol,
            question: Question, limits: dict[str, Any] | None = None, report: Report = silent,
            say: Callable[[str], None] = lambda sentence: None) -> int:
    """Compute what is missing at some sites (None: all) of each checkpoint; returns how many cells needed work.

    Raises ExplorerError at the end with the cells that could not be worked out, when all others are stored.
    """
    worked, failures = 0, list[str]()
    with Extraction(store, checkpoints, protocol) as extraction, Workers(**limits or {}) as workers:
        for number, checkpoint in enumerate(checkpoints):
            def inner(done: float, total: float, message: str, at: int = number, of: str = str(checkpoint.revision),
                      run: str = checkpoint.run) -> None:
                report(at + min(done / total, 1.0), len(checkpoints), f"{run} {of}: {message}")
            with store.claimed(name_of(checkpoint, "", protocol, question), wait=True, report=inner):
                with store.claimed(protocol.key(checkpoint).digest, wait=True, report=inner):
                    representation = extraction.ensure(checkpoint, inner)
                todo = [site for site in _known(representation, checkpoint, sites)
                        if stored(store, (checkpoint, site), protocol, question) is None]
                done, failed = of_checkpoint(representation, todo, question, workers, inner)
                for site, cell in done.items():
                    store.put_record(KIND, name_of(checkpoint, site, protocol, question), *packed(cell))
            failed = [f"{checkpoint.run} {checkpoint.revision}, {sentence}" for sentence in failed]
            for sentence in failed:
                say(sentence)
            worked, failures = worked + len(done), failures + failed
    report(len(checkpoints), len(checkpoints), "done")
    if failures:
        more = f" {len(failures) - 2} more are in the log." if len(failures) > 2 else ""
        raise ExplorerError(f"{len(failures)} representation(s) have no topology, and the others are done. "
                            f"{' '.join(failures[:2])}{more}")
    return worked


def of_rows(x: Float[np.ndarray, "n d"], documents: Sequence[str], question: Question, workers: Workers) -> Cell:
    """The topology of rows that are at hand. Raises Undefined where it cannot be worked out."""
    plan = Plan(x, documents, question)
    return plan.cell([_checked(answer) for answer in workers.map(plan.tasks())])


def _known(representation: Representation, checkpoint: Checkpoint, sites: Sequence[str] | None) -> list[str]:
    have = sorted(representation.rows, key=site_order)
    unknown = [site for site in sites or [] if site not in have]
    if unknown:
        raise ExplorerError(f"{checkpoint.run} {checkpoint.revision} has no site {unknown[0]!r}; it has "
                            f"{', '.join(have)}.")
    return have if sites is None else list(dict.fromkeys(sites))


def of_checkpoint(representation: Representation, sites: Sequence[str], question: Question, workers: Workers,
                   report: Report) -> tuple[dict[str, Cell], list[str]]:
    """Cells of some sites of one checkpoint, and a sentence for each that has none. The clouds of all sites follow each
    other without a pause; after the first that is refused, the others of its site are not tried."""
    plans, failed, of = dict[str, Plan](), dict[str, str](), list[str]()

    def tasks() -> Iterator[Task]:
        for site in sites:
            try:
                plans[site] = Plan(representation.rows[site], representation.document_ids, question)
            except Undefined as reason:
                failed[site] = f"{site}: {reason}."
                continue
            for task in plans[site].tasks():
                if site in failed:
                    break
                of.append(site)
                yield task

    answers: dict[str, list[tuple[Bars, ...]]] = {site: [] for site in sites}
    with threadpool_limits(1):  # all cores are the workers'
        for number, answer in enumerate(workers.map(tasks())):
            site = of[number]
            if isinstance(answer, Refused):
                failed.setdefault(site, f"{site}: {answer.reason}")
                continue
            answers[site].append(answer)
            part = len(answers[site]) / plans[site].count
            report(sites.index(site) + part, len(sites), f"{site}, cloud {len(answers[site])} of {plans[site].count}")
    return ({site: plan.cell(answers[site]) for site, plan in plans.items() if site not in failed},
            list(failed.values()))


class Plan:
    """The clouds of one representation: draws, disjoint draws, and surrogates of the first draw."""

    def __init__(self, x: Float[np.ndarray, "n d"], documents: Sequence[str], question: Question):
        self.x, self.question, self.made = x, question, list[float]()
        self.distinct = first_places(x)[0]
        self.is_distinct = np.isin(np.arange(len(x)), self.distinct)
        self.points = min(question.points, len(self.distinct))
        if self.points < FEWEST:
            raise Undefined(f"there are {len(self.distinct)} distinct rows among {len(x)}, and a cloud needs {FEWEST}")
        of = np.unique(np.asarray(documents), return_inverse=True)[1]  # numbers sort sooner than names
        every = 1 if self.points == len(self.distinct) else question.draws
        self.draws = [self._first(draws.drawn(of, self.points, question.seed, draw), self.points)
                      for draw in range(every)]
        folds = draws.disjoint(of, self.points, question.seed, question.draws) if question.draws > 1 else []
        fold_points = draws.fold_points(folds, self.points) if folds else 0
        disjoint = [self._first(rows, fold_points) for rows in folds] if fold_points else []
        self.folds = disjoint if all(len(rows) == fold_points for rows in disjoint) else []

    @property
    def count(self) -> int:
        return len(self.draws) + len(self.folds) + len(MADE) * self.question.surrogates

    def tasks(self) -> Iterator[Task]:
        """A task for each cloud, in the order in which `cell` wants the answers."""
        for rows in [*self.draws, *self.folds]:
            yield self._task(self._rows(rows))
        first = self._rows(self.draws[0])
        for number, make in enumerate(MADE.values()):
            generator = np.random.default_rng([self.question.seed, 1 + number])
            scores = surrogates.leading(first, 0)
            for _ in range(self.question.surrogates):
                yield self._task(make(scores, generator))

    def cell(self, answers: Sequence[tuple[Bars, ...]]) -> Cell:
        """What the answers say."""
        real = [Diagrams(bars, scale, int(len(bars[0]) + 1)) for bars, scale in zip(answers, self.made, strict=True)]
        ends = np.cumsum([len(self.draws), len(self.folds), *[self.question.surrogates] * len(MADE)])
        parts = [real[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]
        return Cell(draws=tuple(parts[0]), folds=tuple(parts[1]), rows=len(self.x), distinct=len(self.distinct),
                    d=self.x.shape[1], nulls={kind: null_of(part) for kind, part in zip(MADE, parts[2:], strict=True)})

    def _task(self, cloud: Float[np.ndarray, "n d"]) -> Task:
        if self.question.directions:
            cloud = surrogates.leading(cloud, self.question.directions)
        distances, scale = engine.normalised(cloud)
        self.made.append(scale)
        return distances, self.question.max_dim

    def _rows(self, which: np.ndarray) -> Float[np.ndarray, "n d"]:
        return np.asarray(self.x[which], dtype=np.float64)

    def _first(self, order: np.ndarray, points: int) -> np.ndarray:
        """The first rows of an order that are distinct."""
        return order[self.is_distinct[order]][:points]


def _checked(answer: tuple[Bars, ...] | Refused) -> tuple[Bars, ...]:
    if isinstance(answer, Refused):
        raise Undefined(answer.reason)
    return answer
