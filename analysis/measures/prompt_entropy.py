"""Matrix entropy of the tokens of each text, and of the mean vectors of all texts.

Order 1. As in the released code, rows have unit length, uncentred, and means over a text are not scaled again.
"""

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from analysis.errors import Undefined
from analysis.matrix_entropy import matrix_entropy, text_entropies
from analysis.measure import SIMILARITY, Measure, Transform
from analysis.textrows import TextRows, unit_rows


def prompt_entropy(x: TextRows) -> float:
    """Mean over texts of the matrix entropy of a text's tokens.

    With Z the T x d unit rows of a text and p_k the eigenvalues of Z Z^T / T:

        S = mean over texts of -sum_k p_k ln p_k

    Parameters
    ----------
    x : n x d rows with their texts, any unit; rows of zeros and texts of one row are left out

    Returns
    -------
    Nats, from 0 (the tokens of a text point one way, up to sign) to ln min(T, d) (they fill all directions evenly).

    Raises Undefined when no text has two rows. Reference: Skean et al. 2025, section 3.
    """
    return float(np.mean(text_entropies(_texts(x))))


def prompt_entropy_normalised(x: TextRows) -> float:
    """Mean over texts of the matrix entropy of a text's tokens, as a share of the largest it could be.

        mean over texts of S / ln min(T, d), with S the entropy of the T x d rows of a text

    Parameters
    ----------
    x : n x d rows with their texts, any unit; rows of zeros and texts of one row are left out

    Returns
    -------
    Dimensionless, from 0 (the tokens of a text point one way, up to sign) to 1 (they fill all directions evenly).

    Raises Undefined when no text has two rows, or the rows have one column. Reference: Skean et al. 2025, section 3.
    """
    texts = _texts(x)
    return float(np.mean(text_entropies(texts) / [_largest(tokens) for tokens in texts]))


def dataset_entropy(x: TextRows) -> float:
    """Matrix entropy of the mean vectors of the texts.

    With M the N x d means over each text of its unit rows, and p_k the eigenvalues of M M^T divided by their sum:

        S = -sum_k p_k ln p_k

    Parameters
    ----------
    x : n x d rows with their texts, any unit; rows of zeros are left out

    Returns
    -------
    Nats, from 0 (all means point one way, up to sign) to ln min(N, d) (they fill all directions evenly).

    Raises Undefined with fewer than two texts or only zero means. Reference: Skean et al. 2025, section 3.
    """
    return matrix_entropy(_means(x))


def dataset_entropy_normalised(x: TextRows) -> float:
    """Matrix entropy of the mean vectors of the texts, as a share of the largest it could be.

        S / ln min(N, d), with S the entropy of the N x d means

    Parameters
    ----------
    x : n x d rows with their texts, any unit; rows of zeros are left out

    Returns
    -------
    Dimensionless, from 0 (all means point one way, up to sign) to 1 (they fill all directions evenly).

    Raises Undefined with fewer than two texts, zero means or one column. Reference: Skean et al. 2025, section 3.
    """
    means = _means(x)
    return matrix_entropy(means) / _largest(means)


def _texts(x: TextRows) -> list[Float[np.ndarray, "t d"]]:
    unit = unit_rows(x)
    texts = [rows for rows in np.split(unit.x, _starts(unit)[1:]) if len(rows) > 1]
    if not texts:
        raise Undefined("no text has two rows that are not zero; choose a token policy with several rows a text")
    return texts


def _means(x: TextRows) -> Float[np.ndarray, "m d"]:
    unit = unit_rows(x)
    starts = _starts(unit)
    if len(starts) < 2:
        raise Undefined("fewer than two texts have rows that are not zero")
    return np.add.reduceat(unit.x, starts) / np.diff([*starts, len(unit)])[:, None]


def _starts(x: TextRows) -> Int[np.ndarray, " m"]:
    """The first row of each text."""
    return np.flatnonzero(np.diff(x.texts, prepend=-1))


def _largest(rows: Float[np.ndarray, "m d"]) -> float:
    if rows.shape[1] < 2:
        raise Undefined("rows of one column have entropy 0, and so has the largest there could be")
    return float(np.log(min(rows.shape)))


_SHARED: dict[str, Any] = {
    "arity": 1, "takes": "texts", "returns": "scalar", "version": 1, "uncertainty": "jackknife over documents",
    "invariant_to": SIMILARITY - {Transform.TRANSLATION}, "min_samples": 2, "reference": "skean2025layer",
    "cost": "n d min(n, d) at most", "direction": "larger: directions are filled more evenly",
    "null": "for isotropic noise about ln m - m / 2d with m vectors (tokens of a text, or texts), fewer than d",
    "caveats": "Uncentred: a direction that all rows share lowers it. It depends on the number of rows a text and of "
               "texts: compare only at the same probe and token policy."}

MEASURES = (
    Measure(name="prompt_entropy", fn=prompt_entropy, label="Prompt entropy", symbol="S<sub>prompt</sub>", unit="nats",
            bounds=(0.0, np.inf), **_SHARED),
    Measure(name="prompt_entropy_normalised", fn=prompt_entropy_normalised, label="Normalised prompt entropy",
            symbol="S<sub>prompt</sub> / ln min(T, d)", unit="", bounds=(0.0, 1.0), **_SHARED),
    Measure(name="dataset_entropy", fn=dataset_entropy, label="Dataset entropy", symbol="S<sub>dataset</sub>",
            unit="nats", bounds=(0.0, np.inf), **_SHARED),
    Measure(name="dataset_entropy_normalised", fn=dataset_entropy_normalised, label="Normalised dataset entropy",
            symbol="S<sub>dataset</sub> / ln min(N, d)", unit="", bounds=(0.0, 1.0), **_SHARED),
)
