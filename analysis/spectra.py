"""The stored eigenspectra with their fits over a window of ranks, and one table of what every window says of them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, TypeAlias

import numpy as np

from analysis import registry
from analysis.errors import Undefined
from analysis.keys import Checkpoint, ResultKey
from analysis.measures._broken_line import broken_line
from analysis.measures.effective_rank import exponential_entropy
from analysis.measures.head_removed import entropy_without_head
from analysis.measures.spectrum_decay import decay_curvature, decay_line, noise_spectrum
from analysis.representations import Protocol
from analysis.results import Bend, Curve, FittedSpectrum
from analysis.store import Store

Band: TypeAlias = tuple[int, int | None]  # first and last rank; None: END ranks before the last positive eigenvalue

BANDS: dict[str, Band] = {"11-50": (11, 50), "11-100": (11, 100), "12-100 (Li 2025)": (12, 100), "32-128": (32, 128),
                          "128-512": (128, 512), "512-end": (512, None)}
FIRST, OWN = "11-50", "own"
END = 20
REMOVED = (1, 8, 32, 128, 512)
MOST_DRAWN = 24  # more lines hide each other


def ranks_of(band: Band, eigenvalues: np.ndarray) -> tuple[int, int]:
    """First and last rank of a band on a spectrum; Undefined where it has no end there."""
    first, last = band
    if last is not None:
        return first, last
    usable = _usable(eigenvalues)
    if not long_enough((first, usable - END)):
        raise Undefined(f"the window from rank {first} to {END} ranks before the last positive eigenvalue needs at "
                        f"least 3 ranks and only {usable} eigenvalues are positive")
    return first, usable - END


def usual(link: Iterable[str]) -> str:
    """The band to start with: the reader's own where a link names its ranks, as links did before there were bands."""
    return OWN if {"first_rank", "last_rank"} & set(link) else FIRST


def long_enough(band: Band) -> bool:
    """Whether a window holds the 3 ranks that a line needs; how far an open one reaches is up to the spectrum."""
    first, last = band
    return last is None or last - first >= 2


def left_out(spectra: Sequence[FittedSpectrum], drawn: Sequence[FittedSpectrum]) -> str:
    """What a figure of some of the spectra has to say of the others."""
    if len(drawn) == len(spectra):
        return ""
    return (f" {len(drawn)} of the {len(spectra)} spectra are drawn, evenly along the list; the table below has all of "
            "them. Choose fewer checkpoints to see each.")


def too_short(spectra: Sequence[FittedSpectrum]) -> str:
    """A sentence that names the bands which some of the spectra are too short for, or nothing."""
    least = min(spectra, key=lambda s: _usable(s.values), default=None)
    lost = [name for name, band in BANDS.items() if least is not None and not _reached(band, least.values)]
    if least is None or not lost:
        return ""
    return (f"Not for every spectrum here: {', '.join(lost)}. {least.run} {least.revision} has only "
            f"{_usable(least.values)} positive eigenvalues, and no window is cut short.")


def fitted(store: Store, checkpoints: Sequence[Checkpoint], protocol: Protocol, site: str,
           band: Band) -> list[FittedSpectrum]:
    """The stored eigenspectra of one site, each with its fits over the band."""
    measure = registry.get("covariance_eigenspectrum")
    found = []
    for checkpoint in checkpoints:
        representation = protocol.key(checkpoint)
        stored = store.results(representation).get(ResultKey(representation, site, measure.name, measure.version, ()))
        if stored is not None and isinstance(stored.result, Curve):
            found.append(fit(checkpoint.run, checkpoint.revision, stored.n, stored.result.values, band))
    return found


def fit(run: str, revision: str, n: int, eigenvalues: np.ndarray, band: Band) -> FittedSpectrum:
    """A spectrum with its power law, with and without a break, over the band, and beside it the noise of its size."""
    noise = noise_spectrum(n, len(eigenvalues))
    total = np.sum(eigenvalues)
    view = FittedSpectrum(run=run, revision=revision, n=n, values=eigenvalues, window=(band[0], band[1] or band[0]),
                          noise=noise * (total / noise.sum()) if total > 0 else None)
    try:
        view = replace(view, window=ranks_of(band, eigenvalues))
        alpha, intercept = decay_line(eigenvalues, *view.window)
    except ValueError as error:
        return replace(view, reason=str(error), no_bend=str(error))
    try:
        bend = _bend(np.asarray(eigenvalues, dtype=float).tobytes(), *view.window)
    except ValueError as error:
        return replace(view, alpha=alpha, intercept=intercept, no_bend=str(error))
    return replace(view, alpha=alpha, intercept=intercept, bend=bend)


def table(spectra: Sequence[FittedSpectrum], site: str, band: Band) -> tuple[list[dict[str, Any]], list[str]]:
    """One row per spectrum - alpha of every band, then what is said of the chosen one - and why cells are blank.

    Every number is made from the eigenvalues by the function of the measure that has its name.
    """
    rows: list[dict[str, Any]] = []
    blanks: dict[str, list[str]] = {}
    for view in spectra:
        row: dict[str, Any] = {"run": view.run, "checkpoint": view.revision, "site": site}
        for name, make in _columns(view, band).items():
            try:
                row[name] = make()
            except ValueError as error:
                row[name] = None
                blanks.setdefault(name, []).append(str(error))
        rows.append(row)
    never = [name for name in blanks if name.startswith("RankMe without") and len(blanks[name]) == len(rows)]
    rows = [{name: value for name, value in row.items() if name not in never} for row in rows]
    return rows, _notes({name: reasons for name, reasons in blanks.items() if name not in never})


# --- parts ---


def _columns(view: FittedSpectrum, band: Band) -> dict[str, Callable[[], Any]]:
    """How each number of a row is made."""
    values, noise = view.values, noise_spectrum(view.n, len(view.values))
    bands = BANDS if band in BANDS.values() else {**BANDS, f"{band[0]}-{band[1]}": band}
    return {
        **{f"α {name}": partial(_alpha, values, values, ranks) for name, ranks in bands.items()},
        "chance α": partial(_alpha, noise, values, band),
        "curvature": lambda: decay_curvature(values, *ranks_of(band, values)),
        "break gain": partial(_gain, view),
        "window": lambda: "{}-{}".format(*ranks_of(band, values)),
        "RankMe": partial(exponential_entropy, values),
        **{f"RankMe without {k}": partial(entropy_without_head, values, k) for k in REMOVED},
        "n/d": lambda: view.n / len(values),
    }


def _alpha(fitted_to: np.ndarray, eigenvalues: np.ndarray, band: Band) -> float:
    """Exponent of one spectrum over the ranks that the band has on another."""
    return decay_line(fitted_to, *ranks_of(band, eigenvalues))[0]


def _gain(view: FittedSpectrum) -> float:
    if view.bend is None:
        raise Undefined(view.no_bend)
    return view.bend.gain


@lru_cache(maxsize=256)  # every break is tried: most of a second for thousands of ranks, and a page is drawn often
def _bend(eigenvalues: bytes, first: int, last: int) -> Bend:
    line = broken_line(np.frombuffer(eigenvalues), first, last)
    if line.gain is None:
        raise Undefined("a single power law is exact over the window, so it has no break")
    ranks = (first, line.break_rank, last)
    heights = np.exp(line.log_eigenvalues(np.array(ranks, dtype=float)))
    return Bend(break_rank=line.break_rank, head_alpha=line.head_alpha, tail_alpha=line.tail_alpha, gain=line.gain,
                corners=tuple(zip(ranks, heights.tolist(), strict=True)))


def _notes(blanks: dict[str, list[str]]) -> list[str]:
    """Each set of reasons once, with the columns that are blank for it."""
    columns: dict[str, list[str]] = {}
    for name, reasons in blanks.items():
        columns.setdefault(", or ".join(dict.fromkeys(reasons)), []).append(name)
    return [f"{', '.join(names)}: blank where {reason}." for reason, names in columns.items()]


def _usable(eigenvalues: np.ndarray) -> int:
    return int(np.sum(eigenvalues > 0))


def _reached(band: Band, eigenvalues: np.ndarray) -> bool:
    try:
        return ranks_of(band, eigenvalues)[1] <= _usable(eigenvalues)
    except Undefined:
        return False
