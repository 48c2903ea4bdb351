"""How sharply the path of a text through its token positions bends."""

import numpy as np
from jaxtyping import Float

from analysis.errors import Undefined
from analysis.measure import SIMILARITY, Measure
from analysis.textrows import TextRows


def trajectory_curvature(x: TextRows) -> float:
    """Mean angle between successive steps along a text.

    With v_k = z_{k+1} - z_k the steps between rows of one text at equally spaced positions:

        mean over texts of mean over k of arccos(v_k . v_{k+1} / (|v_k| |v_{k+1}|))

    Parameters
    ----------
    x : n x d rows with their texts and positions, any unit. The spacing is the most common one between rows of a text;
        another spacing splits the text, and the angles beside a step of length 0 are left out

    Returns
    -------
    Radians, from 0 (a straight line) to pi (every step goes back). Every text that has an angle counts the same.

    Raises Undefined when no text has an angle: three equally spaced rows, the second unlike the first and the third.
    Reference: Hosseini & Fedorenko 2023, after Henaff et al. 2019.
    """
    if not len(spacing := np.diff(x.positions)[np.diff(x.texts) == 0]):
        raise Undefined("every row is of another text: choose a token policy with several rows a text, such as every "
                        "k-th token")
    steps = np.diff(x.x, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    even = (np.diff(x.texts) == 0) & (np.diff(x.positions) == _most_common(spacing)) & (lengths > 0)
    bends = np.flatnonzero(even[:-1] & even[1:])
    if not len(bends):
        raise Undefined("no text has three equally spaced rows of which neighbours differ")
    texts, counts = np.unique(x.texts[bends], return_inverse=True, return_counts=True)[1:]
    angles = _angles(steps[bends] / lengths[bends, None], steps[bends + 1] / lengths[bends + 1, None])
    return float(np.mean(np.bincount(texts, weights=angles) / counts))


def _most_common(spacing: np.ndarray) -> int:
    values, counts = np.unique(spacing, return_counts=True)
    return int(values[np.argmax(counts)])


def _angles(u: Float[np.ndarray, "b d"], v: Float[np.ndarray, "b d"]) -> Float[np.ndarray, " b"]:
    """Angles between unit vectors; unlike an arccos, as exact near 0 and pi as between."""
    return 2 * np.arctan2(np.linalg.norm(u - v, axis=1), np.linalg.norm(u + v, axis=1))


MEASURES = (
    Measure(name="trajectory_curvature", fn=trajectory_curvature, arity=1, takes="texts", returns="scalar",
            label="Trajectory curvature", symbol="c", unit="radians", bounds=(0.0, np.pi),
            direction="larger: the path through a text bends more at each step", invariant_to=SIMILARITY,
            min_samples=3, cost="n d", reference="hosseini2023large", version=1,
            uncertainty="jackknife over documents",
            null="in high dimensions 2π/3 for rows independent of each other, π/2 for independent steps",
            caveats="Of differences between rows, not of the rows, and over the whole range to π. Depends on the "
                    "spacing of the tokens: compare only at the same token policy. A few coordinates of large "
                    "variance dominate it."),
)
