"""The same rows on a plane at one frame or at several that follow each other: PCA, UMAP and t-SNE, never unaligned."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.linalg import eigh
from threadpoolctl import threadpool_limits

from analysis.errors import Undefined
from analysis.maps.faithfulness import away, nearest
from analysis.representations import Report, silent

Rows = Float[np.ndarray, "m d"]
Plane = Float[np.ndarray, "m 2"]

LEAST_ROWS = 8
NEIGHBOURS, MIN_DIST = 15, 0.1         # umap-learn's own; a row is the first of its neighbours
ALL_PAIRS = 4_096                      # rows up to which umap-learn compares all pairs
PULL, WINDOW = 0.01, 3                 # AlignedUMAP's own
PERPLEXITY, EXAGGERATION = 30.0, 12.0  # scikit-learn's own, as is the spread of first positions
START = 1e-4
ONE_FRAME = "One frame, so there is nothing to align."
TURNED = ("centred, scaled to a root mean square distance of 1 from the centre, and turned or mirrored onto the frame "
          "before by orthogonal Procrustes")
ONE_THREAD = {"threads": 1}  # so that a seed gives the same map again


@dataclass(frozen=True, eq=False)
class Projection:
    """Positions at each frame, how frames were aligned (in words), and the settings of the method as used. `shares` are
    those of the variance that the plane of each frame holds, for PCA alone."""

    positions: Float[np.ndarray, "frames m 2"]
    alignment: str
    settings: dict[str, Any]
    shares: tuple[float, ...] = ()


def project(method: str, frames: Mapping[str, Rows], seed: int = 0, report: Report = silent) -> Projection:
    """The rows of every frame on a plane, each frame aligned with the one before.

    Parameters
    ----------
    frames : m x d rows of each frame by its name, the same rows in the same order; d may differ between frames
    seed : of UMAP and t-SNE, which are random; PCA is not

    Returns positions in units of their root mean square distance from the centre (PCA, t-SNE) or as umap-learn lays
    them out. Raises Undefined for fewer than 8 rows, and where all rows of a frame are the same.
    """
    for name, x in frames.items():
        if len(x) < LEAST_ROWS:
            raise Undefined(f"a map needs at least {LEAST_ROWS} rows, got {len(x)}")
        if not np.ptp(x, axis=0).any():
            raise Undefined(f"all {len(x)} rows are the same at {name}; leave it out, or draw other rows")
    return METHODS[method](frames, seed, report)


def principal(x: Rows) -> tuple[Plane, float]:
    """The first two principal components of the rows, and the share of variance they hold, in (0, 1].

    With X centred and X = U S V^T, positions are U S on the two largest; they come from the smaller of X X^T and X^T X,
    whose squared singular values are exact enough for the largest two. The largest entry of a component is positive.
    """
    x = away(x)
    wide = x.shape[0] < x.shape[1]
    gram = x @ x.T if wide else x.T @ x
    size = len(gram)
    values, vectors = eigh(gram, subset_by_index=(max(0, size - 2), size - 1))
    values, vectors = values[::-1], vectors[:, ::-1]
    # the second of rows on a line is 0, and comes out as rounding of either sign
    scores = vectors * np.sqrt(values.clip(min=0)) if wide else x @ vectors
    scores = scores * np.where(scores[np.abs(scores).argmax(axis=0), np.arange(scores.shape[1])] < 0, -1, 1)
    share = float(values.sum() / np.trace(gram))
    return np.hstack([scores, np.zeros((len(x), 2 - scores.shape[1]))]), share


def scaled(positions: Plane) -> Plane:
    """Positions centred, at a root mean square distance of 1 from the centre."""
    around = away(positions)
    return around / np.sqrt((around**2).sum(axis=1).mean())


def turned(positions: Plane, onto: Plane) -> Plane:
    """Positions, centred and scaled, rotated or mirrored onto others by orthogonal Procrustes.

        min_R |P R - Q|_F over R^T R = I:  R = U V^T of P^T Q = U S V^T

    Reference: Schönemann 1966.
    """
    own = scaled(positions)
    u, _, vt = np.linalg.svd(own.T @ scaled(onto))
    return own @ u @ vt


def _pca(frames: Mapping[str, Rows], seed: int, report: Report) -> Projection:
    found: list[Plane] = []
    shares = []
    for number, (name, x) in enumerate(frames.items()):
        report(number, len(frames), f"PCA at {name}")
        positions, share = principal(x)
        found.append(turned(positions, found[-1]) if found else scaled(positions))
        shares.append(share)
    alignment = ONE_FRAME if len(frames) == 1 else f"PCA of each frame, {TURNED}."
    return Projection(np.stack(found), alignment, {}, tuple(shares))


def _tsne(frames: Mapping[str, Rows], seed: int, report: Report) -> Projection:
    """The first frame begins at its principal plane, each other where the one before ended and without exaggeration,
    which would scatter it anew: rows that did not change stay. Where much changes at once, a frame begun anew would
    keep a little more of the full space.

    Reference: van der Maaten & Hinton 2008.
    """
    from sklearn.manifold import TSNE
    perplexity = min(PERPLEXITY, (len(next(iter(frames.values()))) - 1) / 3)
    found: list[Plane] = []
    ended = np.empty((0, 2))
    for number, (name, x) in enumerate(frames.items()):
        report(number, len(frames), f"t-SNE at {name}")
        start = ended if found else START * scaled(principal(x)[0])
        with threadpool_limits(1):  # sums of several threads come in any order, which t-SNE blows up
            ended = TSNE(perplexity=perplexity, init=start.astype(np.float32), random_state=seed, n_jobs=1,
                         early_exaggeration=1.0 if found else EXAGGERATION).fit_transform(away(x))
        positions = ended.astype(np.float64)
        found.append(turned(positions, found[-1]) if found else scaled(positions))
    alignment = ONE_FRAME if len(frames) == 1 else \
        f"t-SNE of each frame, begun where the frame before ended; then {TURNED}."
    return Projection(np.stack(found), alignment, {"perplexity": perplexity, "init": "PCA", **ONE_THREAD})


def _umap(frames: Mapping[str, Rows], seed: int, report: Report) -> Projection:
    """One frame by UMAP; several by AlignedUMAP.

    Reference: McInnes et al. 2018; Dadu et al. 2023.
    """
    xs = list(frames.values())
    neighbours = min(NEIGHBOURS, len(xs[0]) - 1)
    report(0, 1, "UMAP" if len(xs) == 1 else f"AlignedUMAP of {len(xs)} frames together")
    settings = {"n_neighbors": neighbours, "min_dist": MIN_DIST, **ONE_THREAD}
    if len(xs) == 1:
        return Projection(_one_umap(xs[0], neighbours, seed)[None], ONE_FRAME, settings)
    identity = {row: row for row in range(len(xs[0]))}
    with _as_expected():
        import umap
        fitted = umap.AlignedUMAP(n_neighbors=neighbours, min_dist=MIN_DIST, alignment_regularisation=PULL,
                                  alignment_window_size=WINDOW, random_state=seed, transform_seed=seed).fit(
            [away(x) for x in xs], relations=[identity] * (len(xs) - 1))
    alignment = "All frames laid out together by AlignedUMAP, which pulls each row to its own places in nearby frames."
    return Projection(np.stack([np.asarray(one, dtype=np.float64) for one in fitted.embeddings_]), alignment,
                      {**settings, "alignment_regularisation": PULL, "alignment_window_size": WINDOW})


def _one_umap(x: Rows, neighbours: int, seed: int) -> Plane:
    """From the exact nearest rows while umap-learn would compare all pairs; of more rows it finds nearly all of them in
    half of the time."""
    known: Any = (None, None)
    if len(x) <= ALL_PAIRS:
        others, distances = nearest(x, neighbours - 1)
        itself = np.arange(len(x))[:, None]
        known = (np.hstack([itself, others]), np.hstack([np.zeros((len(x), 1)), distances]).astype(np.float32))
    with _as_expected():
        import umap
        centred = np.asarray(x, dtype=np.float32) - np.mean(x, axis=0, dtype=np.float64).astype(np.float32)
        return umap.UMAP(n_neighbors=neighbours, min_dist=MIN_DIST, random_state=seed, n_jobs=1,
                         precomputed_knn=known).fit_transform(centred).astype(np.float64)


@contextmanager
def _as_expected() -> Iterator[None]:
    """Without the three warnings of umap-learn that say what is known and wanted here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Tensorflow not installed", ImportWarning)
        warnings.filterwarnings("ignore", "n_jobs value", UserWarning)             # AlignedUMAP has none to set
        warnings.filterwarnings("ignore", r"precomputed_knn\[2\]", UserWarning)  # of rows that would come later
        yield


def given(layouts: Mapping[str, Plane]) -> Projection:
    """Layouts that came with the rows, as they came: not scaled, not turned, not aligned.

    Raises Undefined where all rows of a layout stand at one place, since no order of distances is kept then.
    """
    for name, positions in layouts.items():
        if not np.ptp(positions, axis=0).any():
            raise Undefined(f"the layout that came with {name} puts all {len(positions)} rows at one place")
    alignment = "Positions are as they came with the rows." + (
        "" if len(layouts) == 1 else " Frames are not aligned: a move between two may be a turn of the whole layout.")
    return Projection(np.stack(list(layouts.values())), alignment, {})


METHODS: dict[str, Callable[[Mapping[str, Rows], int, Report], Projection]] = {
    "pca": _pca, "umap": _umap, "tsne": _tsne}
GIVEN = "given"
