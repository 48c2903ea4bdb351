"""Why measures of one pair disagree: rules over their values, each of which says a sentence with the numbers in it.

A rule looks at measures that differ in one choice. Where these have one scale, their values are set against each other;
measures of different kinds are set against each other after calibration. A difference that the intervals of both
sides cover says nothing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from analysis.pairs.cells import LEVEL
from analysis.pairs.shown import Line

KINDS_APART = 0.3  # calibrated: different kinds of measures lie 0.1 to 0.25 apart even where nothing odd is going on
VARIANTS_APART = 0.1  # two variants of one measure that differ in one choice: a tenth of the scale hangs on it
HEAD_APART = 0.2  # one direction of dozens may well hold a tenth of the likeness
HIGH = 0.5  # calibrated: more than half way from chance to equal
HIGH_CHANCE = 0.5  # a value of which unrelated rows reach half is misread without its chance level
DOCUMENTS_APART = 0.05  # chance of whole documents above chance of single rows: rows of a document are alike
MOST_NAMED = 4

CKA, HEADLESS, BIASED = "linear_cka_debiased", "linear_cka_debiased_head_removed", "linear_cka_biased"
RBF, KNN, CCA, BURES = "rbf_cka_debiased", "mutual_knn_cosine", "cca_r2", "procrustes_nbs"
TO_B, TO_A = "linear_regression_r2", "linear_regression_r2_reverse"
NEAR_B, NEAR_A = "information_imbalance", "information_imbalance_reverse"
EUCLIDEAN, COSINE, CORRELATION = (f"rsa_{name}_spearman" for name in ("euclidean", "cosine", "correlation"))
PEARSON, TOPOLOGY, GEOMETRY = "rsa_euclidean_pearson", "trsa_topology", "trsa_geometry"
LOCAL, GLOBAL = "trsa_local", "trsa_global"
Lines = Mapping[str, Line]


@dataclass(frozen=True)
class Finding:
    """What was seen, in a few words, and the sentence that says it with its numbers. `differs` is false where it is a
    remark on how to read, and no disagreement of measures."""

    title: str
    sentence: str
    differs: bool = True


def findings(lines: Sequence[Line]) -> list[Finding]:
    """What the rules find in all measures of one pair; that they agree, where no rule finds a disagreement."""
    known = {line.measure.name: line for line in lines if line.value is not None}
    found = [finding for rule in RULES for finding in rule(known)]
    if not any(finding.differs for finding in found):
        found = [*_agreement(known), *found]
    return found


def _subspace(known: Lines) -> Iterator[Finding]:
    """Linear predictability or CCA against CKA: whether directions are weighted by their variance."""
    if _all(known, CKA, TO_B, TO_A):
        cka, maps = known[CKA], sorted((known[TO_B], known[TO_A]), key=_calibrated)
        if _calibrated(maps[0]) >= HIGH and _beyond(maps[0], cka):
            yield Finding("Same subspace, other weights of its directions", f"Each side is largely a linear map of the "
                          f"other ({_said(maps[0])}; {_said(maps[1])}), yet {_said(cka)} is low. A linear map may "
                          "stretch directions at will and CKA may not: what is strong in A is weak in B.")
    if _all(known, CKA, CCA) and _calibrated(known[CKA]) >= HIGH and _beyond(known[CKA], known[CCA]):
        yield Finding("Strong directions are shared, many weak ones are not", f"{_said(known[CKA])} is far above "
                      f"{_said(known[CCA])}. CKA weighs directions by their variance and CCA counts all alike, so the "
                      "weak directions, which may be noise, pull CCA down.")


def _head(known: Lines) -> Iterator[Finding]:
    """CKA with and without the strongest direction."""
    if not _all(known, CKA, HEADLESS):
        return
    whole, rest = known[CKA], known[HEADLESS]
    if _apart(whole, rest, HEAD_APART):
        yield Finding("One direction makes the likeness", f"{_said(whole, calibrated=False)} falls to "
                      f"{_value(rest):.2f} without the top direction of each side. The number is mostly about that "
                      "direction.")
    if _apart(rest, whole, HEAD_APART):
        yield Finding("One direction hides the likeness", f"{_said(whole, calibrated=False)} rises to "
                      f"{_value(rest):.2f} without the top direction of each side, which is where the two differ.")


def _neighbourhoods(known: Lines) -> Iterator[Finding]:
    """Nearest neighbours against CKA: what is near against how everything is laid out."""
    if not _all(known, CKA, KNN):
        return
    cka, near = known[CKA], known[KNN]
    if _beyond(near, cka):
        yield Finding("Neighbourhoods agree, the layout does not", f"{_said(near)} is far above {_said(cka)}: rows "
                      "that are close in A are close in B, but the groups they form are placed differently.")
    if _beyond(cka, near):
        yield Finding("The layout agrees, neighbourhoods do not", f"{_said(cka)} is far above {_said(near)}: the broad "
                      "arrangement is shared, and which rows are closest is not.")


def _containment(known: Lines) -> Iterator[Finding]:
    """Each way of a measure that has two: whether one side holds more than the other."""
    for one, other, what in ((TO_B, TO_A, "linearly"), (NEAR_B, NEAR_A, "in its neighbourhoods")):
        if not _all(known, one, other):
            continue
        for first, second, inner, outer in ((known[one], known[other], "B", "A"), (known[other], known[one], "A", "B")):
            if _calibrated_apart(first, second, VARIANTS_APART):
                yield Finding(f"{inner} is {what} more in {outer} than the other way round", f"{_said(first)} tells "
                              f"more than {_said(second)}: {outer} holds most of what is in {inner}, and something "
                              f"beside it.")


def _sample(known: Lines) -> Iterator[Finding]:
    """Biased against debiased CKA."""
    if _all(known, BIASED, CKA) and _value(known[BIASED]) - _value(known[CKA]) >= VARIANTS_APART:
        yield Finding("Too few rows for these widths", f"{_said(known[BIASED], calibrated=False)} is above "
                      f"{_said(known[CKA], calibrated=False)} only by the bias that comes of few rows; use the "
                      "debiased value, or a larger probe.")


def _lengths(known: Lines) -> Iterator[Finding]:
    """RSA with three dissimilarities, and with ranks or values of one."""
    for one, other, title, why in (
            (EUCLIDEAN, COSINE, "The lengths of rows, or a common offset, matter",
             "Cosine looks at directions from the origin only, Euclidean distance at lengths and not at the origin."),
            (COSINE, CORRELATION, "The mean over features matters",
             "Correlation takes from each row its mean over features, and cosine does not."),
            (EUCLIDEAN, PEARSON, "A few large distances matter",
             "Pearson lets large distances weigh more, Spearman counts their order only.")):
        if _all(known, one, other):
            high, low = sorted((known[one], known[other]), key=_value, reverse=True)
            if _apart(high, low, VARIANTS_APART):
                yield Finding(title, f"{_said(high, calibrated=False)} is above {_said(low, calibrated=False)}. {why}")


def _scales(known: Lines) -> Iterator[Finding]:
    """Near and far pairs of rows, order and size of distances, near rows and all rows."""
    for one, other, title, reverse, why in (
            (LOCAL, GLOBAL, "Near pairs agree better than far ones", "Far pairs agree better than near ones",
             "The one looks at the smallest fifth of distances, the other at the largest."),
            (TOPOLOGY, GEOMETRY, "Who is near whom agrees better than how near",
             "Distances agree better than the line between near and far",
             "The one asks only whether a pair is near or far, the other also how far."),
            (RBF, CKA, "Near rows agree better than far ones", "Far rows carry the likeness",
             "The RBF kernel forgets how far apart distant rows are; the linear one weighs them most.")):
        if _all(known, one, other):
            first, second = known[one], known[other]
            for high, low, named in ((first, second, title), (second, first, reverse)):
                if _calibrated_apart(high, low, HEAD_APART):
                    yield Finding(named, f"{_said(high)} is above {_said(low)}. {why}")


def _against_chance(known: Lines) -> Iterator[Finding]:
    """What shuffles of the documents say of each measure."""
    within = [line for line in known.values() if line.p is not None and line.p > LEVEL]
    tested = sum(line.p is not None for line in known.values())
    if within and len(within) < tested:
        yield Finding("Some measures see nothing beyond chance", f"{len(within)} of {tested} measures are not above "
                      f"what shuffled documents give: {_named(within, lambda line: f'p = {line.p:.2g}')}. The others "
                      "are.")
    elif within:
        yield Finding("Nothing beyond chance", f"None of the {tested} measures is above what shuffled documents give.",
                      differs=False)
    high = [line for line in known.values() if line.by_chance is not None and line.by_chance >= HIGH_CHANCE
            and line.measure.equal == 1.0]
    if high:
        yield Finding("High by chance", "Unrelated rows score high here, so read the calibrated value: "
                      f"{_named(high, lambda line: f'{line.value:.2f}, by chance {line.by_chance:.2f}')}.",
                      differs=False)
    documents = [line for line in known.values() if line.chance is not None and line.null_mean is not None
                 and line.measure.equal == 1.0 and line.null_mean - line.chance >= DOCUMENTS_APART]
    if documents:
        yield Finding("Rows of one document are alike", "Shuffles of whole documents give more than shuffles of single "
                      f"rows would: {_named(documents, lambda line: f'{line.null_mean:.2f} and {line.chance:.2f}')}. "
                      "The threshold here is of whole documents.", differs=False)


RULES: tuple[Callable[[Lines], Iterator[Finding]], ...] = (
    _subspace, _head, _neighbourhoods, _containment, _sample, _lengths, _scales, _against_chance)


def _agreement(known: Lines) -> list[Finding]:
    placed = sorted((line for line in known.values() if line.calibrated is not None), key=_calibrated)
    if len(placed) < 2:
        return []
    return [Finding("They agree", f"No rule finds a disagreement: from {_said(placed[0])} to {_said(placed[-1])}, of "
                    f"{len(placed)} calibrated measures.", differs=False)]


def _all(known: Lines, *names: str) -> bool:
    return all(name in known for name in names)


def _value(line: Line) -> float:
    return float("nan") if line.value is None else line.value


def _calibrated(line: Line) -> float:
    return float("nan") if line.calibrated is None else line.calibrated


def _apart(high: Line, low: Line, by: float) -> bool:
    """Whether one value is above the other by that much, and beyond both intervals."""
    return _value(high) - _value(low) >= by and not _overlap(low.high, high.low)


def _calibrated_apart(high: Line, low: Line, by: float) -> bool:
    ends = [[line.place(end) for end in (line.low, line.high)] for line in (high, low)]
    lowest, highest = (pick([end for end in pair if end is not None], default=None)
                       for pick, pair in ((min, ends[0]), (max, ends[1])))
    return _calibrated(high) - _calibrated(low) >= by and not _overlap(highest, lowest)


def _beyond(high: Line, low: Line) -> bool:
    return _calibrated_apart(high, low, KINDS_APART)


def _overlap(highest: float | None, lowest: float | None) -> bool:
    return highest is not None and lowest is not None and highest >= lowest


def _said(line: Line, *, calibrated: bool = True) -> str:
    more = f", {line.calibrated:.2f} calibrated" if calibrated and line.calibrated is not None else ""
    return f"{line.label} ({_value(line):.2f}{more})"


def _named(lines: Sequence[Line], told: Callable[[Line], str]) -> str:
    more = f" and {len(lines) - MOST_NAMED} more" if len(lines) > MOST_NAMED else ""
    return ", ".join(f"{line.label} ({told(line)})" for line in lines[:MOST_NAMED]) + more
