"""Rows that know which text and document they are of: the input of measures of token sequences and of views."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

PLACE = re.compile(r"(.+)@(c?)(\d+)", re.DOTALL)

@dataclass(frozen=True, eq=False)
class TextRows:
    """n x d rows; `texts` and `documents` number the text and the document of each row, and `positions` the token in
    its text, or which of the rows of its text a word is. Rows of one text follow each other in the order of their
    positions."""

    x: Float[np.ndarray, "n d"]
    texts: Int[np.ndarray, " n"]
    documents: Int[np.ndarray, " n"]
    positions: Int[np.ndarray, " n"]

    @staticmethod
    def of(x: Float[np.ndarray, "n d"], row_ids: Sequence[str], document_ids: Sequence[str],
           positioned: bool = True) -> "TextRows":
        """From the ids of stored rows: `text@position` where several tokens of a text are rows, `text@cOFFSET` where
        words are, else its own name. Not `positioned` are rows that are one a text, whatever their names look like."""
        places = [PLACE.fullmatch(id) if positioned else None for id in row_ids]
        texts = _numbered([place[1] if place else id for id, place in zip(row_ids, places, strict=True)])
        positions = np.array([int(place[3]) if place else 0 for place in places], dtype=int)
        words = np.array([bool(place and place[2]) for place in places], dtype=bool)
        positions[words] = _ranks(texts[words], positions[words])
        return TextRows(x, texts, _numbered(document_ids), positions)

    def __len__(self) -> int:
        return len(self.x)

    def kept(self, mask: Bool[np.ndarray, " n"]) -> "TextRows":
        """The rows of a mask."""
        return TextRows(self.x[mask], self.texts[mask], self.documents[mask], self.positions[mask])


def unit_rows(x: TextRows) -> TextRows:
    """The rows divided by their lengths; those of zeros have no direction and are left out."""
    lengths = np.linalg.norm(x.x, axis=1)
    kept = x.kept(lengths > 0)
    return TextRows(kept.x / lengths[lengths > 0, None], kept.texts, kept.documents, kept.positions)


def _ranks(texts: Int[np.ndarray, " n"], offsets: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Each row's place among those of its text in order of offset: words differ in length, so that their offsets say
    nothing of how many words lie between two of them."""
    order = np.lexsort((offsets, texts))
    starts = np.searchsorted(texts[order], texts[order])
    ranks = np.empty_like(order)
    ranks[order] = np.arange(len(order)) - starts
    return ranks


def _numbered(names: Sequence[str]) -> Int[np.ndarray, " n"]:
    """Each name by a number, in order of first appearance."""
    known = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([known[name] for name in names], dtype=int)
