"""Maps of points, into the store and back. Reading never computes; `compute` works out what is missing, in a worker."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from sklearn.neighbors import NearestNeighbors

from analysis.checkpoints import activations, hub
from analysis.errors import ExplorerError
from analysis.keys import Checkpoint, Run, digest, site_order
from analysis.maps import faithfulness, projections
from analysis.maps.shown import PointMap
from analysis.maps.tokens import described
from analysis.pairs.aligned import Alignment, aligned
from analysis.representations import Extraction, Protocol, Report, silent
from analysis.store import Representation, Store
from analysis.views import spread

KIND, VERSION = "maps", 1
OVER = ("steps", "layers")
METHODS = (*projections.METHODS, projections.GIVEN)
POINTS, MOST_POINTS, MOST_SEARCHED = 1_000, 5_000, 20_000
FRAMES, MOST_FRAMES = 12, 40
NEIGHBOURS = 10

Item = tuple[Checkpoint, str]


@dataclass(frozen=True)
class Question:
    """What is drawn: the same rows at each item, one frame an item.

    Parameters
    ----------
    items : checkpoint and site of each frame, in order of training or of depth
    over : `steps` (checkpoints of a run at one site) or `layers` (sites of one checkpoint)
    method : `pca`, `umap`, `tsne`, or `given` for the layout that came with rows
    points : at most so many rows are drawn
    seed : of the rows that are drawn, and of UMAP and t-SNE
    """

    items: tuple[Item, ...]
    over: str
    method: str
    protocol: Protocol
    points: int = POINTS
    seed: int = 0

    def __post_init__(self) -> None:
        for what, got, known in (("method", self.method, METHODS), ("frames", self.over, OVER)):
            if got not in known:
                raise ExplorerError(f"{got[:40]!r} is no choice of {what}; choose from {', '.join(known)}.")
        if len(self.items) > MOST_FRAMES:
            raise ExplorerError(f"A map has at most {MOST_FRAMES} frames; got {len(self.items)}. Name fewer with "
                                "--only.")
        if not projections.LEAST_ROWS <= self.points <= MOST_POINTS or self.seed < 0:
            raise ExplorerError(f"A map draws {projections.LEAST_ROWS} to {MOST_POINTS} rows with a seed from 0 on; "
                                f"got {self.points} rows and seed {self.seed}.")

    @property
    def frames(self) -> tuple[str, ...]:
        """Name of each frame: what differs between the items."""
        return tuple(site if self.over == "layers" else checkpoint.revision for checkpoint, site in self.items)

    @property
    def digest(self) -> str:
        """Digest of all that a map depends on."""
        items = [[asdict(self.protocol.key(checkpoint)), site] for checkpoint, site in self.items]
        return digest({"version": VERSION, "items": items, "frames": self.frames, "over": self.over,
                       "method": self.method, "points": self.points, "seed": self.seed})


def frames_for(run: Run, over: str = "steps", site: str = "final", revision: str | None = None,
               sites: Sequence[str] = (), only: Sequence[str] = (), pick: str = f"log-{FRAMES}") -> tuple[Item, ...]:
    """The items of a map: checkpoints of a run at one site, or all `sites` of the checkpoint of a revision.

    `only` names revisions (sites over layers) and leaves the others out. Over steps without it, `pick` takes `log-N`,
    at most N checkpoints evenly on a logarithmic axis of steps, first and last among them, or `all`.
    """
    if over == "layers":
        checkpoint = run.checkpoints[-1] if revision is None else _named(run, [revision])[0]
        _known(only, sites, f"{checkpoint.run} {checkpoint.revision} has no site")
        return tuple((checkpoint, name) for name in sorted(only or sites, key=site_order))
    chosen = _named(run, only) if only else _picked(run, pick)
    return tuple((checkpoint, site) for checkpoint in chosen)


def stored(store: Store, question: Question) -> PointMap | None:
    """The stored map, or None when it has not been computed."""
    found = store.get_record(KIND, question.digest)
    if found is None:
        return None
    record, arrays = found
    listed = {name: tuple(value) if isinstance(value, list) else value for name, value in record.items()}
    return PointMap(**listed, **arrays)  # type: ignore[arg-type]


def compute(store: Store, question: Question, report: Report = silent) -> PointMap:
    """The map, computed and stored when it is not there yet."""
    if not question.items:
        raise ExplorerError("A map needs at least one checkpoint and site.")
    with store.claimed(question.digest, wait=True, report=report):
        found = stored(store, question)
        if found is None:
            found = _map(store, question, report)
            record = {name: value for name, value in vars(found).items() if not isinstance(value, np.ndarray)}
            arrays = {name: value for name, value in vars(found).items() if isinstance(value, np.ndarray)}
            store.put_record(KIND, question.digest, record, arrays)
    report(1, 1, "done")
    return found


def _map(store: Store, question: Question, report: Report) -> PointMap:
    count, total = len(question.items), 4 * len(question.items) + 1
    layouts = _layouts(question) if question.method == projections.GIVEN else {}
    alignment, found = _representations(store, question, _part(report, 0, count, total))
    searched, drawn = draw(alignment.document_ids, question.points, question.seed)
    frames: dict[str, np.ndarray] = {}
    around = []
    for number, (name, (checkpoint, site)) in enumerate(zip(question.frames, question.items, strict=True)):
        report(count + number, total, f"neighbours at {name}")
        kept = found[checkpoint][1]
        rows = found[checkpoint][0].rows[site][searched if kept is None else kept[searched]]
        around.append(neighbours(rows, drawn, NEIGHBOURS))
        frames[name] = rows[:drawn]
    made = projections.given({name: layouts[checkpoint][searched[:drawn]] for name, (checkpoint, _) in zip(
        frames, question.items, strict=True)}) if layouts else projections.project(
        question.method, frames, question.seed, _part(report, 2 * count, count, total))
    facts = []
    for number, (name, rows) in enumerate(frames.items()):
        report(3 * count + number, total, f"faithfulness at {name}")
        share = {"variance_explained": made.shares[number]} if made.shares else {}
        facts.append({**faithfulness.facts(rows, made.positions[number]), **share})
    report(4 * count, total, "tokens and texts")
    row_ids = tuple(alignment.row_ids[row] for row in searched)
    words = described(question.items[0][0], question.protocol, row_ids)
    norms = [np.linalg.norm(rows.astype(np.float64), axis=1) for rows in frames.values()]
    return PointMap(
        method=question.method, over=question.over, frames=question.frames, positions=made.positions,
        norms=np.stack(norms), neighbours=np.stack([which for which, _ in around]),
        distances=np.stack([far for _, far in around]), facts=tuple(facts), alignment=made.alignment, row_ids=row_ids,
        documents=tuple(alignment.document_ids[row] for row in searched), tokens=words.tokens, contexts=words.contexts,
        total=len(alignment.row_ids), seed=question.seed,
        settings={**made.settings, "k": faithfulness.counted(drawn)})


def draw(documents: Sequence[str], points: int, seed: int) -> tuple[Int[np.ndarray, " n"], int]:
    """The rows that are searched for neighbours, those that are drawn first, and how many are drawn.

    Of more than 20,000 rows, those of whole documents are searched, in random order of documents. Drawn are rows spread
    evenly over the documents, at random within each: first one of each, then a second, and so on. Both groups are in
    the order in which the rows stand.
    """
    rng = np.random.default_rng(seed)
    number = np.unique(np.asarray(documents), return_inverse=True)[1]
    shuffled, turn = rng.permutation(len(number)), rng.permutation(number.max() + 1)[number]
    searched = np.lexsort((shuffled, turn))[:MOST_SEARCHED]  # document by document
    turn = turn[searched]
    within = np.arange(len(searched)) - np.searchsorted(turn, turn)
    chosen = np.lexsort((turn, within))[:points]
    return np.concatenate([np.sort(searched[chosen]), np.sort(np.delete(searched, chosen))]), len(chosen)


def neighbours(rows: Float[np.ndarray, "n d"], drawn: int,
               k: int) -> tuple[Int[np.ndarray, "m k"], Float[np.ndarray, "m k"]]:
    """The k other rows nearest to each of the first `drawn`, nearest first, and their Euclidean distances.

    The search is exact, over all pairs; distances are taken again from differences, so that copies are 0 apart.
    """
    x = faithfulness.away(rows)
    k = min(k, len(x) - 1)
    found = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(x).kneighbors(x[:drawn], return_distance=False)
    itself = found == np.arange(drawn)[:, None]
    itself[~itself.any(axis=1), -1] = True  # among more than k copies of a row, it may itself be missing
    which = found[~itself].reshape(drawn, k)
    far = np.stack([np.linalg.norm(x[others] - x[row], axis=1) for row, others in enumerate(which)])
    order = np.argsort(far, axis=1, kind="stable")
    return np.take_along_axis(which, order, axis=1), np.take_along_axis(far, order, axis=1)


def given_labels(path: Path, found: PointMap) -> dict[str, list[str]]:
    """The labels that came in a file of rows, for every row that was searched."""
    every = activations.labels_of(path)
    place = {id: row for row, id in enumerate(activations.read_rows(path).row_ids)} if every else {}
    return {name: [held[place[id]] for id in found.row_ids] for name, held in every.items()}


def _representations(store: Store, question: Question, report: Report) -> tuple[
        Alignment, dict[Checkpoint, tuple[Representation, Int[np.ndarray, " n"] | None]]]:
    """Each checkpoint's rows and which of them all have, in one order."""
    checkpoints = list(dict.fromkeys(checkpoint for checkpoint, _ in question.items))
    found: list[Representation] = []
    with Extraction(store, checkpoints, question.protocol) as extraction:
        for number, checkpoint in enumerate(checkpoints):
            inner = _part(report, number, 1, len(checkpoints), f"{checkpoint.run} {checkpoint.revision}: ")
            with store.claimed(question.protocol.key(checkpoint).digest, wait=True, report=inner):
                found.append(extraction.ensure(checkpoint, inner))
    for checkpoint, site in question.items:
        _known([site], list(found[checkpoints.index(checkpoint)].rows),
               f"{checkpoint.run} {checkpoint.revision} has no site")
    alignment = aligned([(f"{c.run} {c.revision}", one, c.path.startswith(activations.PREFIX))
                         for c, one in zip(checkpoints, found, strict=True)])
    return alignment, dict(zip(checkpoints, zip(found, alignment.which, strict=True), strict=True))


def rows_file(checkpoint: Checkpoint) -> Path | None:
    """The file of a checkpoint of rows that a person brought; None for a model."""
    path = checkpoint.path
    return Path(path.removeprefix(activations.PREFIX)) if path.startswith(activations.PREFIX) else None


def _layouts(question: Question) -> dict[Checkpoint, np.ndarray]:
    """The layout that came with each checkpoint, whose rows stand in one order in all files or are refused later.
    Raises ExplorerError naming the first without one."""
    found = {}
    for checkpoint in dict.fromkeys(checkpoint for checkpoint, _ in question.items):
        path = rows_file(checkpoint)
        if path is None:
            raise ExplorerError(f"{checkpoint.run} {checkpoint.revision} is a model and brings no layout; bring its "
                                f"rows as .npz with an array {activations.LAYOUT!r}, or choose one of the methods "
                                f"{', '.join(projections.METHODS)}.")
        found[checkpoint] = activations.layout_of(path)
    return found


def _part(report: Report, at: float, share: float, total: float, before: str = "") -> Report:
    """Progress of one part as a share of the whole."""
    return lambda done, of, message: report(at + share * min(done / of, 1.0), total, before + message)


def _picked(run: Run, how: str) -> list[Checkpoint]:
    found = re.fullmatch(r"all|log-([1-9]\d*)", how)
    if found is None:
        raise ExplorerError(f"{how[:40]!r} picks no checkpoints; give all, log-N such as log-{FRAMES}, or name them "
                            "with --only.")
    checkpoints = run.checkpoints
    count = int(found[1] or len(checkpoints))
    steps = [checkpoint.step for checkpoint in checkpoints if checkpoint.step is not None]
    if len(steps) == len(checkpoints):
        return [checkpoints[place] for place in hub.log_spaced(steps, count)]
    return _named(run, spread([checkpoint.revision for checkpoint in checkpoints], count))


def _named(run: Run, revisions: Sequence[str]) -> list[Checkpoint]:
    """Checkpoints of these revisions, in order of training."""
    _known(revisions, [checkpoint.revision for checkpoint in run.checkpoints], f"{run.name} has no checkpoint")
    return [checkpoint for checkpoint in run.checkpoints if checkpoint.revision in revisions]


def _known(names: Sequence[str], there: Sequence[str], no: str) -> None:
    for name in names:
        if name not in there:
            raise ExplorerError(f"{no} {name[:80]!r}; it has {', '.join(sorted(there, key=site_order))}.")
