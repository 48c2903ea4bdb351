"""Joins pair measures, stored rows and stored matrices: the only way a page or the command line compares items.

An item is a (checkpoint, site). Reading never computes; `compare` computes what is missing, in a worker process.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from analysis.checkpoints import activations
from analysis.errors import ExplorerError
from analysis.keys import Checkpoint, MatrixKey, site_order
from analysis.measure import Measure
from analysis.pairs.aligned import aligned
from analysis.pairs.engine import all_pairs
from analysis.pairs.work import MOST_REPLICATES, MOST_SHUFFLED, Load, Work
from analysis.representations import Extraction, Protocol, Report, silent
from analysis.results import PairMatrix
from analysis.store import Representation, Store

Item = tuple[Checkpoint, str]
DRAWS, MANY_CELLS_DRAWS, FEW_DRAWS = 199, 99, 39  # of the null; the last where each is worked out anew


def draws_for(measure: Measure, cells: int) -> int:
    """How often documents are shuffled when nobody says: as often as the measure can be worked out quickly."""
    quick = bool(measure.kernel or measure.item)
    if cells > MOST_SHUFFLED:
        return MANY_CELLS_DRAWS if quick and cells <= MOST_REPLICATES else 0
    return DRAWS if quick else FEW_DRAWS


def matrix(store: Store, rows: Sequence[Item], columns: Sequence[Item], measure: Measure, protocol: Protocol,
           params: dict[str, int] | None = None) -> PairMatrix | None:
    """The stored matrix of a pair measure, or None when it has not been computed."""
    return store.get_matrix(matrix_key(rows, columns, measure, protocol, params))


def compare(store: Store, rows: Sequence[Item], columns: Sequence[Item], measure: Measure, protocol: Protocol,
            params: dict[str, int] | None = None, report: Report = silent) -> PairMatrix:
    """A pair measure between every row item and every column item with its null, computed unless stored."""
    key = matrix_key(rows, columns, measure, protocol, params)
    stored = store.get_matrix(key)
    if stored is not None:
        return stored
    loads, documents, note = _loads(store, list(dict.fromkeys([*rows, *columns])), protocol, report)
    left = [loads[item] for item in rows]
    with store.claimed(key.digest, wait=True, report=report):
        found = store.get_matrix(key)
        if found is None:
            found = replace(all_pairs(Work(
                rows=left, columns=left if list(rows) == list(columns) else [loads[item] for item in columns],
                measure=measure, settings=measure.settings(params), documents=documents, draws=key.draws,
                report=report, saved=store.unfinished(key))), note=note)
            store.put_matrix(key, found)
    report(1, 1, "done")
    return found


def _loads(store: Store, items: Sequence[Item], protocol: Protocol,
           report: Report) -> tuple[dict[Item, Load], tuple[str, ...], str]:
    """What reads the rows of each item, the same rows for all; the document of each row; what to say of rows left
    out."""
    checkpoints = list(dict.fromkeys(checkpoint for checkpoint, _ in items))
    found: dict[Checkpoint, Representation] = {}
    with Extraction(store, checkpoints, protocol) as extraction:
        for number, checkpoint in enumerate(checkpoints):
            report(number, len(checkpoints), f"{checkpoint.run} {checkpoint.revision}")
            with store.claimed(protocol.key(checkpoint).digest, wait=True):
                found[checkpoint] = extraction.ensure(checkpoint)
    alignment = aligned([(f"{c.run} {c.revision}", representation, c.path.startswith(activations.PREFIX))
                         for c, representation in found.items()])
    kept = dict(zip(found, alignment.which, strict=True))
    return ({(c, site): _load(found[c], c, site, kept[c]) for c, site in items}, alignment.document_ids,
            alignment.note)


def _load(representation: Representation, checkpoint: Checkpoint, site: str,
          kept: np.ndarray | None) -> Callable[[], np.ndarray]:
    if site not in representation.rows:
        raise ExplorerError(f"{checkpoint.run} {checkpoint.revision} has no site {site!r}; it has "
                            f"{', '.join(sorted(representation.rows, key=site_order))}.")
    return lambda: representation.rows[site] if kept is None else representation.rows[site][kept]


def matrix_key(rows: Sequence[Item], columns: Sequence[Item], measure: Measure, protocol: Protocol,
         params: dict[str, int] | None) -> MatrixKey:
    settings = tuple(sorted(measure.settings(params).items()))
    left, right = (tuple((protocol.key(checkpoint), site) for checkpoint, site in items) for items in (rows, columns))
    return MatrixKey(left, right, measure.name, measure.version, settings,
                     draws_for(measure, len(rows) * len(columns)))
