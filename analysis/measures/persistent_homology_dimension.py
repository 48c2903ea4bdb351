"""Persistent homology dimension: how fast the minimum spanning tree of a cloud grows with its number of points."""

from typing import Any

import numpy as np
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import pdist, squareform

from analysis.errors import Undefined
from analysis.measure import SIMILARITY, Measure, Transform
from analysis.measures._dimension import CAUTION, SHARED
from analysis.neighbours import distinct
from analysis.textrows import TextRows

SIZES = range(50, 512, 40)  # as Tulchinskii et al. 2023
LEAST = SIZES[1]  # rows: a slope needs two sizes
ORDERS, SEED = 9, 0


def persistent_homology_dimension(x: np.ndarray) -> float:
    """Dimension from how the length of the minimum spanning tree of a part of the rows grows with the part.

    The tree's edges are the bars of H0. With L(m) the median length of the trees over the first m of the distinct rows
    in nine random orders, m = 50, 90, ..., 490 as far as there are rows, and b the slope of log L(m) on log m:

        d = 1 / (1 - b)

    Parameters
    ----------
    x : n x d rows, any unit

    Returns
    -------
    Dimensions, above 0; below 1 where few rows far apart carry the length.

    Raises Undefined with fewer than 90 distinct rows, and where the length grows as fast as the number of rows.
    Reference: Birdal et al. 2021, with the sizes of Tulchinskii et al. 2023.
    """
    rows, _ = distinct(x)
    if len(rows) < LEAST:
        raise Undefined(f"trees of {SIZES[0]} and {LEAST} rows are needed, and there are {len(rows)} distinct rows")
    return _dimension(rows)


def persistent_homology_dimension_of_texts(x: TextRows) -> float:
    """Persistent homology dimension of the tokens of a text, mean over texts.

    With d_t the value of persistent_homology_dimension for the rows of text t, over the T texts with at least 90
    distinct rows:

        d = (1 / T) sum_t d_t

    Parameters
    ----------
    x : n x d rows of tokens, any unit, with the text of each

    Returns
    -------
    Dimensions, above 0.

    Raises Undefined where no text has 90 distinct rows, and as persistent_homology_dimension does.
    Reference: Tulchinskii et al. 2023.
    """
    clouds = [distinct(x.x[x.texts == text])[0] for text in np.unique(x.texts)]
    values = [_dimension(rows) for rows in clouds if len(rows) >= LEAST]
    if not values:
        raise Undefined(f"a text of at least {LEAST} distinct rows is needed, and the longest has "
                        f"{max(map(len, clouds))}; use token policy every-1 and longer texts")
    return float(np.mean(values))


def _dimension(rows: np.ndarray) -> float:
    """From the median tree lengths of growing parts of distinct rows."""
    rng = np.random.default_rng(SEED)
    sizes = [size for size in SIZES if size <= len(rows)]
    lengths = np.median([_tree_lengths(rows[rng.permutation(len(rows))[:sizes[-1]]], sizes) for _ in range(ORDERS)],
                        axis=0)
    slope = np.polynomial.Polynomial.fit(np.log(sizes), np.log(lengths), 1).convert().coef[1]
    if slope >= 1:
        raise Undefined("the length of the tree grows as fast as the number of rows, which no dimension does")
    return float(1 / (1 - slope))


def _tree_lengths(rows: np.ndarray, sizes: list[int]) -> list[float]:
    """Length of the minimum spanning tree of the first so many rows: single linkage merges along its edges."""
    distances = squareform(pdist(rows))
    return [linkage(squareform(distances[:m, :m], checks=False), "single")[:, 2].sum() for m in sizes]


_SHARED: dict[str, Any] = {**SHARED, "returns": "scalar", "bounds": (0.0, np.inf)}

MEASURES = (
    Measure(name="persistent_homology_dimension", fn=persistent_homology_dimension, takes="rows",
            label="Persistent homology dimension", symbol="d<sub>PH</sub>", reference="birdal2021intrinsic",
            invariant_to=SIMILARITY - {Transform.ROW_PERMUTATION}, cost="1.1 million d, whatever n",
            caveats=CAUTION.format("about 32", "any n") + "Of random parts, the same rows at every checkpoint; other "
                    "parts move it by some percent. Where rows come in clumps it is low and says little.",
            uncertainty="none: the random parts move it as much as documents would", **_SHARED),
    Measure(name="persistent_homology_dimension_of_texts", fn=persistent_homology_dimension_of_texts, takes="texts",
            label="Persistent homology dimension of texts", symbol="d<sub>PH, text</sub>",
            reference="tulchinskii2023intrinsic", invariant_to=SIMILARITY,
            cost="up to 1.1 million d a text",
            caveats=CAUTION.format("about 32", "500 tokens a text") + "Texts of fewer than 90 distinct token rows are "
                    "left out. Depends on the length of the texts: compare only equal texts.",
            uncertainty="none: left out for its cost, up to a second a text, which an interval takes 26 times",
            **_SHARED),
)
