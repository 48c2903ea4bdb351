"""Shares of the documents without replacement, disjoint as far as they can be: what an estimate from fewer says."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from jaxtyping import Bool, Int

SHARES, WHOLE, DRAWS = (1, 2, 4, 6), 8, 8  # in eighths of the documents; draws of each but the whole
POLICY_ENDS = ", shares of documents"


def is_shares(policy: str) -> bool:
    """Whether a token policy is that of shares of documents, which are no rows to compare with others."""
    return policy.endswith(POLICY_ENDS)


def drawn(documents: Sequence[str], eighths: int, draw: int) -> Bool[np.ndarray, " n"]:
    """The rows of one draw of whole documents: the same documents whatever their rows are.

    Documents are dealt to eight groups of like size. A draw is as many groups as it has eighths, no group twice in one
    deal, or above a half all but such groups; when a deal is used up, the documents are dealt anew.

    Parameters
    ----------
    documents : the document of each row
    eighths : 1, 2, 4, 6, or 8 for all rows
    draw : number of the draw, from 1

    Returns
    -------
    Which rows are in it.
    """
    if eighths == WHOLE:
        return np.ones(len(documents), dtype=bool)
    together = min(eighths, WHOLE - eighths)
    place = (draw - 1) % (WHOLE // together)
    chosen = np.isin(_dealt(documents, _deal(eighths, draw)), range(place * together, (place + 1) * together))
    return chosen if together == eighths else ~chosen


def spread(values: Sequence[float], draws: Sequence[int], eighths: int) -> float | None:
    """Standard deviation of an estimate from so many documents, or None where no two draws are of one deal.

        spread^2 = mean over deals of var(values of one deal) max(1, e / (8 - e))

    Draws of one deal have no document in common up to a half. Above it (e eighths) each leaves out others, and the
    factor undoes what they share, as in the jackknife.

    Parameters
    ----------
    values, draws : the estimate of each draw, and its number; draws in rising order
    eighths : of the documents that each draw has, less than 8

    Returns
    -------
    In the unit of the values, 0 or more.
    """
    pairs = zip(draws, values, strict=True)
    deals = [[value for _, value in pair] for _, pair in groupby(pairs, key=lambda pair: _deal(eighths, pair[0]))]
    variances = [np.var(of_deal, ddof=1) for of_deal in deals if len(of_deal) > 1]
    return float(np.sqrt(np.mean(variances) * max(1, eighths / (WHOLE - eighths)))) if variances else None


def _deal(eighths: int, draw: int) -> int:
    """Which deal of the documents a draw is of."""
    return (draw - 1) // (WHOLE // min(eighths, WHOLE - eighths))


def _dealt(documents: Sequence[str], seed: int) -> Int[np.ndarray, " n"]:
    """The group of each row's document: eight documents of like size go one to each group, at random."""
    _, inverse, sizes = np.unique(np.asarray(documents), return_inverse=True, return_counts=True)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(sizes))
    by_size = order[np.argsort(-sizes[order], kind="stable")]
    group = np.empty(len(sizes), dtype=int)
    for start in range(0, len(sizes), WHOLE):
        block = by_size[start:start + WHOLE]
        group[block] = rng.permutation(WHOLE)[:len(block)]
    return group[inverse]
