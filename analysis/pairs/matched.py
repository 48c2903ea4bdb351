"""The same rows at two representations, one turned onto the other: which rows fit and which do not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from analysis.checkpoints import activations
from analysis.errors import Undefined
from analysis.extraction.probes import Probe
from analysis.keys import Policy
from analysis.moments import centred
from analysis.pairs.aligned import aligned
from analysis.pairs.shown import Matched
from analysis.representations import Protocol
from analysis.similarity import Item
from analysis.store import Representation, Store
from analysis.textrows import PLACE

MOST_FITTED, MOST_SHOWN, SEED = 1_000, 400, 0  # the fit takes about a second at most; more points hide each other
BEFORE, AFTER, EACH_END = 70, 20, 45  # characters of a text that are shown
LARGEST = 12


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows of both sides, drawn by chance from all that match, in the order in which they were drawn."""

    x: Float[np.ndarray, "m d1"]
    y: Float[np.ndarray, "m d2"]
    row_ids: tuple[str, ...]
    total: int

    def first(self, count: int) -> "Sample":
        return Sample(self.x[:count], self.y[:count], self.row_ids[:count], self.total)


def sample(store: Store, a: Item, b: Item, protocol: Protocol) -> Sample | None:
    """At most 1000 stored rows of a pair, the same at every call; None where the rows of a side are not there."""
    found = [store.get_representation(protocol.key(checkpoint)) for checkpoint, _ in (a, b)]
    held = [one for one in found if one is not None]
    if len(held) < 2 or any(site not in one.rows for one, (_, site) in zip(held, (a, b), strict=True)):
        return None
    alignment = aligned([(f"{c.run} {c.revision}", one, c.path.startswith(activations.PREFIX))
                         for one, (c, _) in zip(held, (a, b), strict=True)])
    drawn = np.random.default_rng(SEED).permutation(len(alignment.row_ids))[:MOST_FITTED]
    x, y = (_rows(one, site, drawn if which is None else which[drawn])
            for one, (_, site), which in zip(held, (a, b), alignment.which, strict=True))
    return Sample(x, y, tuple(alignment.row_ids[row] for row in drawn), len(alignment.row_ids))


def matched(rows: Sample) -> Matched:
    """B turned onto A by orthogonal Procrustes, both centred and scaled to unit norm.

    With A and B centred and divided by their Frobenius norms, and U S V^T the singular value decomposition of A^T B:

        B -> B V U^T,  residual_i = sqrt(n) |a_i - (B V U^T)_i|

    Each side is first written on its own principal directions, which changes no distance and makes zeros for the
    narrower side unnecessary. Lengths are in units of the root mean square distance of a row from the centre.

    Raises Undefined when all rows of one side are the same.
    """
    (a, shares), (b, _) = _principal(rows.x), _principal(rows.y)
    u, _, vt = np.linalg.svd(a.T @ b, full_matrices=False)
    turned = b @ vt.T @ u.T
    squared = (a**2).sum(axis=1) + (b**2).sum(axis=1) - 2 * (a * turned).sum(axis=1)
    shown = slice(MOST_SHOWN)
    return Matched(a=_two(a)[shown], b=_two(turned)[shown], residual=np.sqrt(np.maximum(squared, 0))[shown],
                   row_ids=rows.row_ids[shown], shares=shares, fitted=len(a), total=rows.total)


def worst(found: Matched, texts: Sequence[str]) -> list[dict[str, Any]]:
    """The rows that fit least, with their texts."""
    order = np.argsort(-found.residual, kind="stable")[:LARGEST]
    return [{"row": found.row_ids[i], "mismatch": float(found.residual[i]), "text": texts[i]} for i in order]


def records(found: Matched, texts: Sequence[str], facts: dict[str, Any]) -> list[dict[str, Any]]:
    """One record a row that is drawn."""
    return [{**facts, "row": row, "a1": float(a[0]), "a2": float(a[1]), "b1": float(b[0]), "b2": float(b[1]),
             "mismatch": float(residual), "text": text}
            for row, a, b, residual, text in zip(found.row_ids, found.a, found.b, found.residual, texts, strict=True)]


def caption(found: Matched) -> str:
    """How many rows are drawn, how they were chosen, and what was done to them."""
    fitted = "them" if found.fitted == len(found.row_ids) else f"{found.fitted} rows"
    return (f"{len(found.row_ids)} of {found.total} rows, drawn with seed {SEED}. Both sides are centred and scaled to "
            f"unit norm; B is turned onto A by the orthogonal Procrustes map of {fitted}. The axes hold "
            f"{found.shares[0]:.0%} and {found.shares[1]:.0%} of the variance of A. Lengths are in typical distances "
            "of a row from the centre; the mismatch is over all directions.")


def texts_of(probe: Probe, protocol: Protocol, row_ids: Sequence[str]) -> list[str]:
    """What each row is of: the text around its word, or both ends of its text; "" where there is no text."""
    several = Policy.gives_several(protocol.rows)
    places = [PLACE.fullmatch(id) if several else None for id in row_ids]
    names = [place[1] if place else id for id, place in zip(row_ids, places, strict=True)]
    wanted = set(names)
    known = {text.id: text.text for text in probe.texts if text.id in wanted} if probe.kind == "text" else {}
    return [_around(known.get(name, ""), int(place[3]) if place and place[2] else None)
            for name, place in zip(names, places, strict=True)]


def _around(text: str, end: int | None) -> str:
    """Some characters of a text before and after the end of a word, or from both ends of it."""
    if end is not None:
        first, last = max(0, end - BEFORE), min(len(text), end + AFTER)
        return f"{'…' * (first > 0)}{text[first:end]}▏{text[end:last]}{'…' * (last < len(text))}"
    return text if len(text) <= 2 * EACH_END + 3 else f"{text[:EACH_END]} … {text[-EACH_END:]}"


def _rows(representation: Representation, site: str, which: np.ndarray) -> np.ndarray:
    return np.asarray(representation.rows[site][which], dtype=np.float64)


def _principal(x: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """Rows on their principal directions, of mean squared length 1, and the shares of variance of the first two."""
    u, s, _ = np.linalg.svd(centred(x), full_matrices=False)
    if s[0] <= max(x.shape) * np.finfo(np.float64).eps * np.abs(x).max():
        raise Undefined("all rows of one side are the same")
    u = u * np.where(u[np.abs(u).argmax(axis=0), np.arange(len(s))] < 0, -1, 1)
    shares = np.append(s**2 / (s @ s), 0.0)
    return u * s * np.sqrt(len(x)) / np.linalg.norm(s), (float(shares[0]), float(shares[1]))


def _two(x: np.ndarray) -> np.ndarray:
    """The first two columns; zeros where there is only one."""
    return np.hstack([x, np.zeros((len(x), 1))])[:, :2]
