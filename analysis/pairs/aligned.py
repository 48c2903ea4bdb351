"""The rows that representations have in common, so that row by row they are of the same text or word."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from analysis.errors import ExplorerError
from analysis.store import Representation

LEAST_ROWS = 4
WORD_ID = re.compile(r".+@c\d+", re.DOTALL)


@dataclass(frozen=True, eq=False)
class Alignment:
    """What is compared: its ids, which rows of each representation it is (None: all), and what to say of rows left
    out or of inputs that differ ("" when nothing)."""

    row_ids: tuple[str, ...]
    document_ids: tuple[str, ...]
    which: list[Int[np.ndarray, " m"] | None]
    note: str


def aligned(items: Sequence[tuple[str, Representation, bool]]) -> Alignment:
    """The rows of several representations, each with its name and whether its rows came with the run, in one order.

    All have to have the same rows, save those of words: there it is the words that all have, since contexts cut long
    texts at different words. Raises ExplorerError where rows differ otherwise, or too few words are common to all.
    """
    representations = [representation for _, representation, _ in items]
    first = representations[0]
    other = next((item for item in items if item[1].row_ids != first.row_ids), None)
    if other is None:
        return Alignment(first.row_ids, first.document_ids, [None] * len(items), _inputs(representations))
    if any(given for _, _, given in items) or not all(map(_of_words, representations)):
        raise _differ(*other, len(first.row_ids))
    which = common_rows(representations)
    counts, common = [len(representation.row_ids) for representation in representations], len(which[0])
    least = max(LEAST_ROWS, -(-min(counts) // 2))
    if common < least:
        raise ExplorerError(f"{items[0][0]} and {other[0]} have only {common} words in common, of {_listed(counts)}, "
                            f"and at least {least} are needed. Use the token policy last or mean, which give one row "
                            "per text, or a probe of texts that fit into the context of each model.")
    kept = which[0].tolist()
    return Alignment(tuple(first.row_ids[row] for row in kept), tuple(first.document_ids[row] for row in kept),
                     [None if np.array_equal(rows, np.arange(count)) else rows
                      for rows, count in zip(which, counts, strict=True)],
                     f"compared on {common} common words of {_listed(counts)}")


def common_rows(representations: Sequence[Representation]) -> list[Int[np.ndarray, " m"]]:
    """For each representation, where the rows stand that all have, in the order of the first."""
    places = [{id: place for place, id in enumerate(representation.row_ids)} for representation in representations]
    common = [id for id in representations[0].row_ids if all(id in of for of in places)]
    return [np.array([of[id] for id in common], dtype=int) for of in places]


def _inputs(representations: Sequence[Representation]) -> str:
    """What to say where networks were given several renderings of the same items; "" where all read one."""
    views = dict.fromkeys(representation.facts.get("view") or "files" for representation in representations)
    return f"items matched by id; inputs differ: {', '.join(views)}" if len(views) > 1 else ""


def _of_words(representation: Representation) -> bool:
    return all(WORD_ID.fullmatch(id) for id in representation.row_ids)


def _differ(name: str, representation: Representation, given: bool, wanted: int) -> ExplorerError:
    sentence = f"The rows of {name} are not those of the others ({len(representation.row_ids)} and {wanted} rows): "
    if given:
        return ExplorerError(sentence + "give all files the same ids, in the same order.")
    return ExplorerError(sentence + "different tokenizers cut the texts differently. Use the token policy last or "
                         "mean, which give one row per text, or words-1, whose rows are the same words for every "
                         "tokenizer.")


def _listed(counts: Sequence[int]) -> str:
    """The numbers of rows in words: each where there are two, else their range."""
    if len(counts) == 2:
        return f"{counts[0]} and {counts[1]}"
    return f"{min(counts)} to {max(counts)}" if min(counts) < max(counts) else f"{counts[0]} each"
