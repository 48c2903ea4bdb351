"""Reading a map of points: what points are coloured by, which hold a text, and how their neighbours change."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from analysis.extraction.probes import Probe
from analysis.maps.shown import PointMap
from analysis.textrows import PLACE

TOKEN, DOCUMENT, PLACE_IN_TEXT, NORM, CHANGE = "token", "document", "position in the text", "norm", "new neighbours"
FIRST, PREVIOUS = "the first frame", "the frame before"
MOST_NAMED, MOST_PICKED, MOST_LISTED, FEW = 14, 6, 200, 8
LONG = 24  # characters of a row in few words, above which a table gives it three lines
OTHER = "all others"
NEW = "»"  # the mark of a neighbour that the frame of reference does not have
_KEPT = (r"How far a plane keeps neighbours is its trustworthiness \cite{venna2001neighborhood}, the overlap of "
         r"neighbourhoods, and the rank correlation of distances \cite{kriegeskorte2008representational}.")
_TURNED = r"each frame turned onto the one before \cite{schonemann1966generalized}"
PROCEDURES = {  # of a map, as a methods section says it; of several frames UMAP is AlignedUMAP
    "map by pca": r"Rows are drawn on their two leading principal components \cite{jolliffe2002principal}, "
                  rf"{_TURNED}.",
    "map by umap": r"Rows are drawn by UMAP \cite{mcinnes2018umap}, several frames by AlignedUMAP "
                   r"\cite{dadu2023application}.",
    "map by tsne": rf"Rows are drawn by t-SNE \cite{{vandermaaten2008visualizing}}, {_TURNED}."}
PROCEDURES |= {f"faithfulness of a {name}": f"{said} {_KEPT}" for name, said in PROCEDURES.items()}
PROCEDURES |= dict.fromkeys(("map by given", "faithfulness of a map by given"),
                            f"Rows are drawn where the layout that came with them puts them. {_KEPT}")
METHODS = {"pca": "PCA", "umap": "UMAP", "tsne": "t-SNE", "given": "Own layout"}
FACTS = {"trustworthiness": "trustworthiness", "neighbourhood_overlap": "neighbourhood overlap",
         "distance_correlation": "rank correlation of distances"}
Labels = Mapping[str, Sequence[str]]
Record = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Colouring:
    """What the drawn points are coloured by: groups, each with its name and its points, or a number for each point at
    each frame (one row where it is the same at all). Points of no group and without a number are grey."""

    title: str
    groups: tuple[tuple[str, Int[np.ndarray, " g"]], ...] = ()
    values: Float[np.ndarray, "frames m"] | None = None


# --- colours ---


def labels_of(probe: Probe, found: PointMap, several: bool) -> dict[str, list[str]]:
    """Each label of the probe's texts, for every row that was searched; "" where its text has none.

    `several` rows a text are named by its id and their place in it.
    """
    known = {text.id: text.labels for text in probe.texts}
    places = [PLACE.fullmatch(id) if several else None for id in found.row_ids]
    held = [known.get(place[1] if place else id, {}) for id, place in zip(found.row_ids, places, strict=True)]
    return {name: [row.get(name, "") for row in held] for name in dict.fromkeys(name for row in held for name in row)}


def ways(found: PointMap, labels: Labels, several: bool) -> dict[str, str]:
    """What the points can be coloured by, with the words for it: labels first."""
    drawn = slice(found.drawn)
    own = (TOKEN, DOCUMENT, PLACE_IN_TEXT, NORM, CHANGE)
    named = {f"label {name}": f"label {name}" if name in own else name for name, held in labels.items()
             if len(set(held[drawn])) > 1}
    words = {TOKEN: len(set(found.tokens[drawn])) > 1, PLACE_IN_TEXT: several, NORM: True,
             CHANGE: len(found.frames) > 1, DOCUMENT: 1 < len(set(found.documents[drawn])) < found.drawn}
    return named | {name: name for name, there in words.items() if there}


def colouring(found: PointMap, way: str, labels: Labels, since: str = FIRST) -> Colouring:
    """The colours of one way of `ways`.

    Labels that are numbers and have more than 14 values are a scale, others are groups: the 14 most frequent, the rest
    grey.
    """
    if way == NORM:
        return Colouring("Norm of the row", values=found.norms)
    if way == CHANGE:
        return Colouring(f"Share of new neighbours since {since}", values=change(found, since))
    if way == PLACE_IN_TEXT:
        places = [PLACE.fullmatch(id) for id in found.row_ids[:found.drawn]]
        return Colouring("Position in the text", values=np.array([[float(p[3]) if p else np.nan for p in places]]))
    held = {TOKEN: found.tokens, DOCUMENT: found.documents}.get(way) or labels[way.removeprefix("label ")]
    return _by_label(way.removeprefix("label "), list(held[:found.drawn]))


def _by_label(title: str, held: list[str]) -> Colouring:
    counts = Counter(filter(None, held))
    numbers = np.array([_number(value) for value in held])
    if len(counts) > MOST_NAMED and all(np.isfinite(_number(value)) for value in counts):
        return Colouring(title, values=numbers[None])
    common = sorted(counts, key=lambda value: (-counts[value], value))[:MOST_NAMED]
    if all(np.isfinite(_number(value)) for value in common):
        common.sort(key=_number)
    rows = {value: np.array([row for row, own in enumerate(held) if own == value]) for value in common}
    return Colouring(title, groups=tuple((_quoted(value), at) for value, at in rows.items()))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


# --- neighbours ---


def new(found: PointMap, since: str = FIRST) -> Bool[np.ndarray, "frames m k"]:
    """Which neighbours of each point are not among its neighbours at the frame of reference: `FIRST`, `PREVIOUS`, or
    one by its name. A frame is also compared with itself, where nothing is new, and so is the first as the one before.
    """
    before = np.maximum(np.arange(len(found.frames)) - 1, 0) if since == PREVIOUS else np.full(
        len(found.frames), 0 if since == FIRST else found.frames.index(since))
    return np.stack([~(now[:, :, None] == then[:, None, :]).any(axis=-1)
                     for now, then in zip(found.neighbours, found.neighbours[before], strict=True)])


def change(found: PointMap, since: str = FIRST) -> Float[np.ndarray, "frames m"]:
    """The share of a point's nearest neighbours in the full space that are new since a frame of reference.

        c_i(f) = 1 - |N_i(f) ∩ N_i(r)| / k

    Parameters
    ----------
    found : k neighbours of m points at each frame, among s rows
    since : r is the first frame, the one before f, or a frame by its name

    Returns
    -------
    frames x m in [0, 1]. 0: the same neighbours; 1: none in common; 1 - k / (s - 1) on average by chance.
    """
    return new(found, since).mean(axis=-1)


def chance_of_change(found: PointMap) -> float:
    """The share of neighbours that would be new had each frame its neighbours by chance."""
    return 1 - found.neighbours.shape[-1] / (found.searched - 1)


def neighbour_table(found: PointMap, row: int, since: str, labels: Sequence[str] | None = None) -> list[Record]:
    """The nearest neighbours of one drawn point in the full space: a line for each rank and a column for each frame,
    new ones marked. The first line says how many of them are new."""
    fresh = new(found, since)[:, row]
    counts = {"rank": "new"} | {frame: f"{int(fresh[f].sum())} of {fresh.shape[1]}"
                                for f, frame in enumerate(found.frames)}
    return [counts, *(
        {"rank": str(rank + 1)} | {frame: f"{f'{NEW} ' if fresh[f, rank] else ''}{told(found, int(near), labels)}"
                                   for f, (frame, near) in enumerate(zip(found.frames, found.neighbours[:, row, rank],
                                                                         strict=True))}
        for rank in range(found.neighbours.shape[-1]))]


def told(found: PointMap, row: int, labels: Sequence[str] | None = None) -> str:
    """A row in a few words: its token or else its id, its label, and the text around it, each once."""
    name = _quoted(found.tokens[row]) if found.tokens[row] else found.row_ids[row]
    label = labels[row] if labels and labels[row] != name else ""
    context = found.contexts[row] if found.contexts[row] != name else ""
    return f"{name}{f' [{label}]' if label else ''}{f' · {context}' if context else ''}"


def named(found: PointMap, row: int) -> str:
    """A row in a few words that no other row has: they end in its id."""
    words, id = told(found, row), found.row_ids[row]
    return words if words == id else f"{words} ({id})"


def _quoted(token: str) -> str:
    """A token whose spaces and line ends can be seen."""
    return token if token.strip() == token and token.isprintable() else repr(token)


def hover(found: PointMap, labels: Labels) -> list[list[str]]:
    """The lines that are said of each drawn point at any frame: its token, the text around it, its labels, its id."""
    return [[line for line in (_quoted(token), context, ", ".join(
        f"{name} {held[row]}" for name, held in labels.items() if held[row]), id) if line]
        for row, (token, context, id) in enumerate(zip(found.tokens[:found.drawn], found.contexts, found.row_ids,
                                                       strict=False))]


# --- search and selection ---


def search(found: PointMap, text: str) -> list[int]:
    """Every searched row whose token is the text, or whose token, context or id holds it; capitals do not matter. Whole
    tokens come first, and drawn rows are those below `found.drawn`."""
    wanted = text.strip().casefold()
    if not wanted:
        return []
    whole = [row for row, token in enumerate(found.tokens) if token.strip().casefold() == wanted]
    held = [row for row, parts in enumerate(zip(found.tokens, found.contexts, found.row_ids, strict=True))
            if any(wanted in part.casefold() for part in parts)]
    return list(dict.fromkeys([*whole, *held]))


def match_table(found: PointMap, rows: Sequence[int], labels: Labels) -> list[Record]:
    """Drawn rows that a search found, in full."""
    return [{"row": found.row_ids[row], "token": _quoted(found.tokens[row]), "context": found.contexts[row],
             **{name: held[row] for name, held in labels.items()}} for row in rows[:MOST_LISTED]]


def chosen_words(chosen: int, lettered: int) -> str:
    """How many points are chosen, and how many of them are looked at."""
    return f"{chosen} point{'s' * (chosen != 1)} chosen." if chosen == lettered else (
        f"{chosen} points chosen. Only the last {lettered} have letters on the map and tables here; the file holds all "
        f"{chosen}.")


def letter(index: int) -> str:
    """What names a chosen point on the map and above its table: A, B, ..."""
    return chr(ord("A") + index)


def frame_at(found: PointMap, rows: Sequence[int], at: Sequence[tuple[float, float]]) -> int:
    """The frame at which these points lie nearest to these places: the one a person looked at when choosing them."""
    off = found.positions[:, list(rows)] - np.asarray(at, dtype=np.float64)
    return int((off**2).sum(axis=(1, 2)).argmin())


# --- words and files ---


def by_chance(found: PointMap) -> dict[str, float]:
    """What a map without any relation to the full space would have of each fact, m points with k neighbours each.

        1 - (m - k) (m - k - 1) / ((m - 1) (2 m - 3 k - 1)),   k / (m - 1),   0
    """
    m, k = found.drawn, found.settings["k"]
    return {"trustworthiness": 1 - (m - k) * (m - k - 1) / ((m - 1) * (2 * m - 3 * k - 1)),
            "neighbourhood_overlap": k / (m - 1), "distance_correlation": 0.0}


def faith(found: PointMap, frame: int) -> list[str]:
    """How far one frame of the map is to be believed, each number with its level by chance."""
    facts, chance = found.facts[frame], by_chance(found)
    shown = [f"{FACTS[name]} {facts[name]:.2f} (by chance {level:.2g})" for name, level in chance.items()]
    share = facts.get("variance_explained")
    return shown if share is None else [*shown, f"variance shown {share:.0%}"]


def caption(found: PointMap, protocol: str) -> str:
    """How many rows are drawn and searched, and what was done to them."""
    settings = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in found.settings.items() if name != "k")
    return (f"{found.drawn} drawn of {found.searched} searched of {found.total} rows, seed {found.seed}. "
            f"Map by {METHODS[found.method]}{f' ({settings})' if settings else ''}. {found.alignment} Neighbours are "
            f"the {found.neighbours.shape[-1]} nearest of the searched rows in the full space. Axes have no unit. "
            f"{protocol}")


def records(found: PointMap, labels: Labels, since: str, facts: Sequence[Record]) -> list[Record]:
    """One record for each drawn point at each frame; `facts` name each frame in full."""
    moved = change(found, since).tolist()
    rows = [{"row": id, "document": document, "token": token, "context": context,
             **{f"label_{name}": held[row] for name, held in labels.items()}}
            for row, (id, document, token, context) in enumerate(zip(
                found.row_ids[:found.drawn], found.documents, found.tokens, found.contexts, strict=False))]
    return [{**fact, "procedure": f"map by {found.method}", "frame": frame, **row, "x": x, "y": y, "norm": norm,
             "new_neighbours": fresh, "neighbours": [found.row_ids[near] for near in nearest]}
            for frame, fact, places, norms, shares, near_of in zip(
                found.frames, facts, found.positions.tolist(), found.norms.tolist(), moved, found.neighbours.tolist(),
                strict=True)
            for row, (x, y), norm, fresh, nearest in zip(rows, places, norms, shares, near_of, strict=True)]


def found_words(found: PointMap, rows: Sequence[int]) -> str:
    """How many rows a search found, and how many of those are on the map."""
    drawn = sum(row < found.drawn for row in rows)
    return (f"{len(rows)} of {found.searched} rows hold the text; {drawn} of them are drawn, ringed on the map and "
            f"listed{f', the first {MOST_LISTED}' if drawn > MOST_LISTED else ''}.")


def neighbour_words(found: PointMap, since: str) -> str:
    """What the tables of neighbours show."""
    return (f"Columns are frames, rows are ranks: the nearest of {found.searched} rows first. {NEW} marks a neighbour "
            f"that {since} does not have. By chance {chance_of_change(found):.0%} would be new.")


def faith_records(found: PointMap, facts: Sequence[Record] = ()) -> list[Record]:
    """What the map keeps at each frame, with the levels by chance; `facts` name each frame in full."""
    chance = {f"{name}_by_chance": level for name, level in by_chance(found).items()}
    named = facts or [{}] * len(found.frames)
    return [{**fact, "procedure": f"faithfulness of a map by {found.method}", "frame": frame, **kept, **chance}
            for frame, fact, kept in zip(found.frames, named, found.facts, strict=True)]


def faith_caption(found: PointMap) -> str:
    """What the three numbers are."""
    k = found.settings["k"]
    return (f"Trustworthiness: near on the map is near in the full space, with {k} neighbours (1: always). "
            f"Neighbourhood overlap: the share of the {k} nearest in the full space that are among the {k} nearest on "
            f"the map. Rank correlation: of all distances on the map with those in the full space. Of the "
            f"{found.drawn} rows that are drawn.")
