"""Measures of the weights themselves: computed into the store for every matrix of a run's checkpoints, and read back.

They are ordinary results. A representation of them is a checkpoint's matrices "as stored", or "minus" those of the
reference checkpoint it is compared with, and a site is the name of a tensor.
"""

import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.checkpoints import activations
from analysis.checkpoints.fetching import Fetching
from analysis.errors import ExplorerError
from analysis.keys import Checkpoint, RepresentationKey, ResultKey, Run, site_order
from analysis.representations import Report, silent
from analysis.results import Scalar
from analysis.store import Store, Stored
from analysis.weight_measures import BY_NAME, MEASURES, MatrixSpectrum, WeightMeasure

if TYPE_CHECKING:
    from analysis.extraction.weight_matrices import WeightMatrices

PROBE, AS_STORED = "weights", "as stored"
NO_REFERENCE = " Changes since it are left out; name another checkpoint with --reference."
SHORT_PRINT, MOST_NAMED, MOST_FALLBACK = 12, 3, 6
BLOCK = re.compile(r"(.*?\.)(\d{1,9})\.(.*)")
ATTENTION_OUT = re.compile(r"att.*\b(dense|c_proj|o_proj|out_proj|out_lin|wo|proj|o)\.weight$", re.IGNORECASE)
MLP_OUT = re.compile(r"\b(dense_4h_to_h|c_proj|down_proj|fc2|fc_out|lin2|w2|wo|output\.dense)\.weight$")
EMBEDDING = re.compile(r"(?!.*position).*\b(embed_in|embed_tokens|wte|word_embeddings|shared|embed)\.weight$")


# --- reading ---


def has_weights(run: Run) -> bool:
    """Whether a run is of models, and not of rows that came without one."""
    return not any(checkpoint.path.startswith(activations.PREFIX) for checkpoint in run.checkpoints)


def reference_of(run: Run, revision: str | None = None) -> Checkpoint:
    """The checkpoint that changes are measured from: the first, unless another is named."""
    for checkpoint in run.checkpoints:
        if revision in (None, checkpoint.revision):
            return checkpoint
    names = ", ".join(checkpoint.revision for checkpoint in run.checkpoints[:5])
    raise ExplorerError(f"{run.name} has no revision {str(revision)[:80]!r} to measure changes from; it has {names}"
                        f"{', ...' if len(run.checkpoints) > 5 else ''}.")


def shared_revisions(runs: Sequence[Run]) -> list[str]:
    """The revisions that all runs have, in the order of the first: what can be a reference for all of them."""
    own = [{checkpoint.revision for checkpoint in run.checkpoints} for run in runs]
    return [checkpoint.revision for checkpoint in runs[0].checkpoints if checkpoint.revision in set.intersection(*own)]


def records(store: Store, run: Run, *, measure: str | None = None, sites: Collection[str] | None = None,
            reference: str | None = None) -> list[dict[str, Any]]:
    """One record per stored value, as `compute.records` gives them, in order of step, tensor and measure."""
    against = reference_of(run, reference)
    found: list[dict[str, Any]] = []
    for checkpoint in run.checkpoints:
        kept = [item for key in (key_of(checkpoint), key_of(checkpoint, against))
                for item in store.results(key).values() if _is_current(item.key)
                and measure in (None, item.key.measure) and (sites is None or item.key.site in sites)]
        kept.sort(key=lambda item: (site_order(item.key.site), item.key.measure))
        found += [_as_record(checkpoint, item) for item in kept]
    return found


def matrices(store: Store, runs: Sequence[Run]) -> list[str]:
    """The name of every matrix that any checkpoint of these runs has been measured at."""
    return sorted({key.site for run in runs for checkpoint in run.checkpoints
                   for key in store.results(key_of(checkpoint))}, key=site_order)


def missing(store: Store, runs: Sequence[Run], measure: WeightMeasure, reference: str | None = None) -> int:
    """How many checkpoints lack a measure."""
    return sum(_lacks(store, key_of(checkpoint, against if measure.of == "change" else None), [measure])
               for run in runs for against in [reference_of(run, reference)] for checkpoint in run.checkpoints)


def default_matrices(names: Sequence[str]) -> list[str]:
    """One of each kind: the embedding, and what attention and the MLP of the middle block write into the residual
    stream. Where no name says which those are, the first few."""
    blocks: dict[tuple[str, int], list[str]] = {}
    for name in names:
        if found := BLOCK.match(name):
            blocks.setdefault((found[1], int(found[2])), []).append(name)
    order = sorted(blocks)
    chosen = [name for name in names if EMBEDDING.match(name)][:1]
    middle = blocks[order[len(order) // 2]] if order else []
    attention = [name for name in middle if ATTENTION_OUT.search(name)]
    chosen += attention[:1] + [name for name in middle if MLP_OUT.search(name) and name not in attention][:1]
    return chosen or list(names[:MOST_FALLBACK])


def short_names(names: Sequence[str]) -> dict[str, str]:
    """What a legend has room for: names without the network's own name in front of the blocks, and without .weight."""
    before = [found[1].split(".")[:-2] for found in map(BLOCK.match, names) if found]
    shared = takewhile(lambda parts: len(set(parts)) == 1, zip(*before, strict=False))
    network = "".join(f"{parts[0]}." for parts in shared)
    short = {name: name.removeprefix(network).removesuffix(".weight") for name in names}
    return short if len(set(short.values())) == len(short) else dict(zip(names, names, strict=True))


def caption(found: Sequence[dict[str, Any]], measure: WeightMeasure) -> str:
    """Shapes, what is compared with what, and why there is no interval."""
    sizes = list(dict.fromkeys((record["n"], record["d"]) for record in found))
    shown = ", ".join(f"{m} × {n}" for m, n in sizes[:4]) + (" ..." if len(sizes) > 4 else "")
    since = "" if measure.of == "matrix" else ", minus that of the reference checkpoint"
    return (f"Matrices of {shown}, as stored in the files{since}; statistics in float64. "
            f"Interval: {measure.uncertainty}.")


# --- computing ---


@dataclass
class _Work:
    """What is done of all the checkpoints, and what could not be."""

    store: Store
    total: int
    report: Report
    say: Callable[[str], None]
    passed: int = 0
    worked: int = 0
    failures: dict[str, str] = field(default_factory=dict)

    def at(self, checkpoint: Checkpoint) -> Report:
        place = self.passed

        def inner(done: float, total: float, message: str) -> None:
            self.report(place + min(done / total, 1.0), self.total, f"{_title(checkpoint)}: {message}")
        return inner

    @contextmanager
    def noting(self, checkpoint: Checkpoint, also: str = "") -> Iterator[None]:
        try:
            yield
        except (ExplorerError, np.linalg.LinAlgError) as error:
            self.failures[_title(checkpoint)] = f"{error}{also}"
            self.say(f"{_title(checkpoint)}: {error}{also}")


def measure_weights(store: Store, runs: Sequence[Run], reference: str | None = None, report: Report = silent,
                    say: Callable[[str], None] = lambda sentence: None) -> int:
    """Compute what is missing of all weight measures for every checkpoint; returns how many needed work.

    What another process works on comes last and is not computed twice. Checkpoints that cannot be read are left to the
    end too: the ExplorerError that names them is raised when all others are done.
    """
    pairs = [(run, reference_of(run, reference)) for run in runs]
    without = [run.name for run in runs if not has_weights(run)]
    if without:
        raise ExplorerError(f"{', '.join(without)} came as rows, without a model, so there are no weights to measure.")
    work = _Work(store, sum(len(run.checkpoints) for run in runs), report, say)
    for run, against in pairs:
        _measure_run(work, run, against)
    report(work.total, work.total, "done")
    if work.failures:
        raise ExplorerError(_told(work.failures))
    return work.worked


def _measure_run(work: _Work, run: Run, against: Checkpoint) -> None:
    todo = [c for c in run.checkpoints if _wanted(work.store, c, against)]
    work.passed += len(run.checkpoints) - len(todo)
    elsewhere: list[Checkpoint] = []
    with ExitStack() as stack:
        fetching = stack.enter_context(Fetching(work.store.downloads, [c for c in todo if c.path != against.path]))
        base = None
        if any(key_of(c, against) in _wanted(work.store, c, against) for c in todo):
            with work.noting(against, NO_REFERENCE):  # it stays on the disk as long as the run is at work
                base = stack.enter_context(_opened(fetching, against, work.at(against)))
        for waits, chosen in ((False, todo), (True, elsewhere)):
            for checkpoint in chosen:
                claim = work.store.claimed(key_of(checkpoint).digest, wait=waits, report=work.at(checkpoint))
                with claim as mine, work.noting(checkpoint):
                    if not mine:
                        elsewhere.append(checkpoint)
                        continue
                    _measure(work, checkpoint, against, fetching, base)
                work.passed += 1


def _measure(work: _Work, checkpoint: Checkpoint, against: Checkpoint, fetching: Fetching,
             base: "WeightMatrices | None") -> None:
    """What is missing for one checkpoint, a batch for its matrices and one for their change."""
    keys = [key for key in _wanted(work.store, checkpoint, against) if base is not None or key.policy == AS_STORED]
    if not keys or _title(checkpoint) in work.failures:
        return  # another process was here first, or it is the reference and could not be read
    start, report = time.perf_counter(), work.at(checkpoint)
    with ExitStack() as stack:
        own = base if base is not None and checkpoint.path == against.path else \
            stack.enter_context(_opened(fetching, checkpoint, report))
        for part, key in enumerate(keys):
            results: list[Stored] = []
            for number, name in enumerate(own):
                report(part * len(own) + number, len(keys) * len(own), f"measuring {name}")
                results += _evaluate(key, name, own, None if key.policy == AS_STORED else base)
            work.store.put_results(results)
    work.worked += 1
    work.say(f"{_title(checkpoint)}: {len(own)} matrices {time.perf_counter() - start:.2f} s")


@contextmanager
def _opened(fetching: Fetching, checkpoint: Checkpoint, report: Report) -> "Iterator[WeightMatrices]":
    from analysis.extraction.weight_matrices import WeightMatrices  # torch, which no page should load
    with fetching.at(checkpoint, report) as folder:
        found = WeightMatrices(Path(folder))
        report(0, 1, "checking values")
        found.check_values()
        yield found


def _evaluate(key: RepresentationKey, name: str, own: "WeightMatrices", base: "WeightMatrices | None") -> list[Stored]:
    """All measures of one matrix, or of its change, from one singular value decomposition."""
    matrix = own[name]
    n, d = matrix.shape
    before = None if base is None or name not in base else base[name]
    chosen = [measure for measure in MEASURES if measure.of == ("matrix" if base is None else "change")]
    if base is not None and (before is None or before.shape != matrix.shape):
        there = "no matrix of this name" if before is None else f"one of {before.shape[0]} × {before.shape[1]}"
        gap = Scalar.undefined(f"the reference checkpoint has {there}")
        return [Stored(key=_result_key(key, name, measure), result=gap, n=n, d=d) for measure in chosen]
    spectrum = MatrixSpectrum.of(matrix) if before is None else \
        MatrixSpectrum.of(matrix - before, float(np.linalg.norm(before)))
    return [Stored(key=_result_key(key, name, measure), result=measure(spectrum), n=n, d=d) for measure in chosen]


# --- parts ---


def key_of(checkpoint: Checkpoint, against: Checkpoint | None = None) -> RepresentationKey:
    """What the matrices of a checkpoint, or their change since another, are stored under."""
    policy = AS_STORED if against is None else f"minus {against.fingerprint[:SHORT_PRINT]}"
    return RepresentationKey(checkpoint.fingerprint, PROBE, policy)


def _result_key(key: RepresentationKey, name: str, measure: WeightMeasure) -> ResultKey:
    return ResultKey(key, name, measure.name, measure.version, ())


def _wanted(store: Store, checkpoint: Checkpoint, against: Checkpoint) -> list[RepresentationKey]:
    """The batches that are not stored. A batch is written at once, so one result of each measure stands for all."""
    parts = {key_of(checkpoint): "matrix", key_of(checkpoint, against): "change"}
    return [key for key, part in parts.items() if _lacks(store, key, [m for m in MEASURES if m.of == part])]


def _lacks(store: Store, key: RepresentationKey, measures: Sequence[WeightMeasure]) -> bool:
    have = {(found.measure, found.version) for found in store.results(key)}
    return not have.issuperset((measure.name, measure.version) for measure in measures)


def _is_current(key: ResultKey) -> bool:
    return key.measure in BY_NAME and BY_NAME[key.measure].version == key.version


def _as_record(checkpoint: Checkpoint, stored: Stored) -> dict[str, Any]:
    key, result = stored.key.representation, stored.result
    assert isinstance(result, Scalar)
    return {"run": checkpoint.run, "revision": checkpoint.revision, "step": checkpoint.step,
            "tokens": checkpoint.tokens, "site": stored.key.site, "measure": stored.key.measure,
            "value": result.value if result.defined else None, "low": None, "high": None, "n": stored.n, "d": stored.d,
            "protocol": {"probe": key.probe, "policy": key.policy, "dtype": key.dtype,
                         "measure_version": stored.key.version, "params": {}},
            "fingerprint": checkpoint.fingerprint, "reason": result.reason, "source": checkpoint.source,
            "chance": None}


def _title(checkpoint: Checkpoint) -> str:
    return f"{checkpoint.run} {checkpoint.revision}"


def _told(failures: dict[str, str]) -> str:
    """What could not be computed and why, each reason once."""
    reasons = list(dict.fromkeys(failures.values()))
    told = [f"{', '.join([n for n in failures if failures[n] == r][:MOST_NAMED])}: {r}" for r in reasons[:MOST_NAMED]]
    more = " More are in the log." if len(reasons) > MOST_NAMED else ""
    return (f"The weights of {len(failures)} checkpoint(s) could not be measured, and what could be is stored. "
            f"{' '.join(told)}{more}")
