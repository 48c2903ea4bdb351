"""DiME: what two halves of a document tell about each other, beyond halves of different documents."""

import numpy as np
from jaxtyping import Float, Int

from analysis.errors import Undefined
from analysis.matrix_entropy import gram_entropy
from analysis.measure import SIMILARITY, Measure, Param, Transform
from analysis.textrows import TextRows, unit_rows


def dime(x: TextRows, pairings: int = 10) -> float:
    """Difference of matrix entropies: mutual information of the halves of documents, above that of random pairs.

    With A and B the Gram matrices, each divided by its trace, of the unit means of the first and second halves of N
    documents, S the matrix entropy, S(A, B) = S(A o B / tr(A o B)) the joint one (o: elementwise product), I(A; B) =
    S(A) + S(B) - S(A, B), and P a random pairing of every document with another:

        DiME = I(A; B) - mean over P of I(A; P B P^T) = mean over P of S(A, P B P^T) - S(A, B)

    Parameters
    ----------
    x : n x d rows with their documents, any unit; in the order of texts and positions, the first half is rounded down
    pairings : number of random pairings, the same on every call

    Returns
    -------
    Nats, 0 when the halves of one document are no closer than those of two, at most ln N; below 0 by chance.

    Raises Undefined with fewer than 4 documents of two rows that are not zero.
    Reference: Skean et al. 2023; with linear kernels, for language models, Skean et al. 2025.
    """
    first, second, documents = _halves(unit_rows(x))
    a, b = first @ first.T, second @ second.T
    apart = [gram_entropy(a * b[np.ix_(other, other)]) for other in partners(documents, pairings)]
    return float(np.mean(apart)) - gram_entropy(a * b)


def partners(documents: Int[np.ndarray, " m"], pairings: int) -> Int[np.ndarray, "p m"]:
    """For each pairing, the index of the document that each is paired with: the next on a random circle.

    A document's place on the circle depends on its number alone, so a document left out by the jackknife moves one
    pair a pairing, and the noise of the pairings does not pass for sampling error.
    """
    places = np.random.default_rng(0).random((documents.max() + 1, pairings))[documents].T
    circles = np.argsort(places, axis=1)
    found = np.empty_like(circles)
    np.put_along_axis(found, circles, np.roll(circles, -1, axis=1), axis=1)
    return found


def _halves(x: TextRows) -> tuple[Float[np.ndarray, "m d"], Float[np.ndarray, "m d"], Int[np.ndarray, " m"]]:
    """Unit means of both halves of each document with two rows, and its number."""
    order = np.lexsort((x.positions, x.texts, x.documents))
    numbers, starts = np.unique(x.documents[order], return_index=True)
    kept, pairs = [], []
    for number, rows in zip(numbers, np.split(x.x[order], starts)[1:], strict=True):
        pair = [half.mean(axis=0) for half in np.split(rows, [len(rows) // 2]) if len(half)]
        if len(pair) == 2 and all(mean.any() for mean in pair):
            kept.append(number)
            pairs.append(pair)
    if len(kept) < 4:
        raise Undefined("fewer than 4 documents have two rows that are not zero; choose a token policy or a probe with "
                        "several rows a document")
    first, second = np.moveaxis(np.array(pairs), 1, 0)
    return (first / np.linalg.norm(first, axis=1, keepdims=True),
            second / np.linalg.norm(second, axis=1, keepdims=True), np.array(kept))


MEASURES = (
    Measure(name="dime", fn=dime, arity=1, takes="texts", returns="scalar", label="DiME", symbol="DiME", unit="nats",
            bounds=(-np.inf, np.inf), direction="larger: the halves of a document share more than those of two do",
            invariant_to=SIMILARITY - {Transform.TRANSLATION}, min_samples=8,
            cost="pairings N^3 + N^2 d for N documents", reference="skean2023dime", version=1,
            uncertainty="none: the random pairings move it too, and the jackknife is too wide (it held 98.2 %)",
            on_demand=True,
            null="0: the halves of one document are no closer than those of two",
            caveats="Not monotone: it is near 0 both when all documents look alike and when each is orthogonal to all "
                    "others. Uncentred, with linear kernels. Depends on the number of documents and the length of the "
                    "halves; the random pairings move it a little with the numbering of the documents.",
            params=(Param(name="pairings", default=10, low=1, high=1000,
                          help="Random pairings of documents that the mean is taken over."),)),
)
