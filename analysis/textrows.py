"""Rows that know which text and document they are of: the input of measures of token sequences and of views."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True, eq=False)
class TextRows:
    """n x d rows; `texts` and `documents` number the text and the document of each row, and `positions` the token in
    its text. Rows of one text follow each other in the order of their positions."""

    x: Float[np.ndarray, "n d"]
    texts: Int[np.ndarray, " n"]
    documents: Int[np.ndarray, " n"]
    positions: Int[np.ndarray, " n"]

    @staticmethod
    def of(x: Float[np.ndarray, "n d"], row_ids: Sequence[str], document_ids: Sequence[str],
           positioned: bool = True) -> "TextRows":
        """From the ids of stored rows: `text@position` where several tokens of a text are rows, else its own name.
        Not `positioned` are rows that are one a text, whatever their names look like."""
        named = [id.rpartition("@") if positioned else ("", "", id) for id in row_ids]
        at = [(text, int(position)) if text and position.isdecimal() else (id, 0)
              for id, (text, _, position) in zip(row_ids, named, strict=True)]
        return TextRows(x, _numbered([text for text, _ in at]), _numbered(document_ids),
                        np.array([position for _, position in at], dtype=int))

    def __len__(self) -> int:
        return len(self.x)

    def kept(self, mask: Bool[np.ndarray, " n"]) -> "TextRows":
        """The rows of a mask."""
        return TextRows(self.x[mask], self.texts[mask], self.documents[mask], self.positions[mask])


def _numbered(names: Sequence[str]) -> Int[np.ndarray, " n"]:
    """Each name by a number, in order of first appearance."""
    known = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([known[name] for name in names], dtype=int)
