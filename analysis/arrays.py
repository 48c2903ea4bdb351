"""Measures of arrays that a person has at hand: the same values, intervals and levels by chance as of stored runs."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from analysis import registry, similarity
from analysis.errors import ExplorerError
from analysis.evaluate import evaluate
from analysis.extraction.probes import AS_GIVEN
from analysis.keys import RepresentationKey, ResultKey
from analysis.measure import Measure
from analysis.pairs import sheet
from analysis.pairs.engine import all_pairs
from analysis.pairs.work import Work
from analysis.results import Curve, Scalar
from analysis.store import Representation

SITE = "rows"


def measure_rows(x: Float[np.ndarray, "n d"], measure: str, *, documents: Sequence[str] | None = None,
                 **settings: int) -> Scalar | Curve:
    """A measure of one representation, with its 95 % interval where it has one.

    Parameters
    ----------
    x : a row for each text, token, image or trial
    measure : its name; `all_measures()` lists them
    documents : the document of each row; rows of one document are not independent, and the interval leaves whole
        documents out. Without it, every row is a document of its own
    settings : parameters of the measure, by name

    Returns
    -------
    A Scalar (value, low, high, chance; `reason` where it is undefined) or, of a spectrum, a Curve (values).

    Raises ExplorerError for a measure of two representations, for an x that is not n x d and finite, and for as many
    documents as are not rows.
    """
    known = _known(measure, 1)
    rows = _rows("x", x)
    names = _documents(documents, len(rows))
    ids = tuple(f"row {number}" for number in range(len(rows)))
    key = ResultKey(RepresentationKey("array", AS_GIVEN, "as given"), SITE, known.name, known.version,
                    tuple(sorted(known.settings(settings).items())))
    given = Representation(rows={SITE: rows}, row_ids=ids, document_ids=names, facts={})
    return evaluate(given, SITE, [key])[0].result


def compare_rows(x: Float[np.ndarray, "n d"], y: Float[np.ndarray, "n p"], measure: str = "linear_cka_debiased", *,
                 documents: Sequence[str] | None = None, draws: int | None = None, **settings: int) -> dict[str, Any]:
    """A measure of two representations of the same rows, with its interval, and what shuffled documents give.

    Parameters
    ----------
    x, y : row i of both is the same text, token, image or trial
    measure, documents, settings : as of `measure_rows`
    draws : how often the documents of y are shuffled for the null; the default is that of the app, 0 is none

    Returns
    -------
    measure, value, low, high, chance (exact, where the measure has it), null_mean, threshold (of 95 % of the shuffles),
    calibrated (0: the threshold, 1: equal), p and draws; `reason` where there is no value.

    Raises ExplorerError for a measure of one representation, and for arrays that do not fit it or each other.
    """
    known = _known(measure, 2)
    sides = [_rows("x", x), _rows("y", y)]
    if len(sides[0]) != len(sides[1]):
        raise ExplorerError(f"x has {len(sides[0])} rows and y has {len(sides[1])}; row i of both must be the same "
                            "text, token, image or trial.")
    left, right = ([_read(side)] for side in sides)
    work = Work(rows=left, columns=right, measure=known, settings=known.settings(settings),
                documents=_documents(documents, len(sides[0])),
                draws=similarity.draws_for(known, 1) if draws is None else draws)
    line = sheet.line(known, all_pairs(work))
    return sheet.record(line) | {"draws": line.draws}


def _known(name: str, arity: int) -> Measure:
    measure = registry.get(name)
    if measure.arity != arity:
        raise ExplorerError(f"{name} takes {measure.arity} representation(s); use "
                            f"{'measure_rows' if measure.arity == 1 else 'compare_rows'}.")
    return measure


def _read(rows: Float[np.ndarray, "n d"]) -> Callable[[], Float[np.ndarray, "n d"]]:
    return lambda: rows


def _rows(name: str, given: np.ndarray) -> Float[np.ndarray, "n d"]:
    rows = np.asarray(given)
    if rows.ndim != 2 or not rows.size or rows.dtype.kind not in "fiu":
        raise ExplorerError(f"{name} must be an n x d array of real numbers, got shape {rows.shape} of {rows.dtype}.")
    if not np.isfinite(rows).all():
        raise ExplorerError(f"{name} holds NaN or infinite values; leave those rows out.")
    return rows


def _documents(given: Sequence[str] | None, rows: int) -> tuple[str, ...]:
    names = tuple(map(str, range(rows))) if given is None else tuple(map(str, given))
    if len(names) != rows:
        raise ExplorerError(f"documents has {len(names)} names for {rows} rows; give one for each row.")
    return names
