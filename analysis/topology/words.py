"""The sentences of the page Topology: what its figures show, what misleads, and what computing asks for."""

from collections.abc import Sequence
from typing import Any

from analysis.estimates import duration
from analysis.topology.computing import Question
from analysis.topology.nulls import LEVEL
from analysis.topology.two_sample import TwoSample

WHAT = {
    "longest": "Length of the longest bar", "total": "Sum of the lengths of all bars",
    "entropy": "Entropy of the shares of the bars in their total", "bars": "Number of bars",
    "longer": "Number of bars longer than the longest of 95 % of surrogates, the smaller of the two kinds (95 % of "
              "surrogates have none, so their band is 0)"}
HATCHED = "Hatched: the central 90 % of clouds without structure, of both kinds."
MEAN = ", mean over draws; band: ± 1 standard deviation over draws."
TABLE = ("Nulls: central 90 % of surrogates of the first draw. p: share of surrogates of that kind, and the first draw "
         "itself, whose longest bar is at least as long as that of the first draw; beyond both: p at most 0.05 for "
         "both kinds.")
CHANGES = "Distance between the diagrams of the same rows at both checkpoints"
NOISE = (" Dashed: distance between draws of different rows at one checkpoint. A line near its dashes has moved no "
         "further than other texts would move it.")
DIAGRAM = ("Each point is a bar: the first draw full, the other draws faint. Below the dashed line of its dimension a "
           "bar is no longer than chance.")
BARCODE = ("The longest bars of the first draw, at most 60. Below the dashed line bars are no longer than chance and "
           "drawn faint; thin lines span where the bar of that rank ends over all draws.")
CURVES = ("Numbers of components, loops and voids at each radius: mean over draws, and their range as a band. Hatched: "
          "central 90 % of surrogates at each radius; dotted: their medians. The Euler curve is the alternating sum "
          "as far as dimensions are computed; its hatched bounds are the sums of those of its parts and hold at least "
          "80 % of surrogates (with H2, 70 %).")
LANDSCAPES = "The three highest levels of the landscape, mean over draws. A peak is half as high as its bar is long."
DIFFERENCE = ("Each point is the Wasserstein distance between two draws that share no document. The test exchanges "
              "labels between draws of the same documents, and asks how often the draws of a side would be as close.")
_HOMOLOGY = (r"Persistent homology is of Vietoris-Rips complexes of the points \cite{bauer2021ripser}, with distances "
             r"divided by their 0.9 quantile")
_SURROGATES = (r"surrogates without structure: Gaussian clouds of the same covariance \cite{muirhead1982aspects}, and "
               r"principal components shuffled and made uncorrelated again")
_TESTED = rf"{_HOMOLOGY}; bars are set against those of {_SURROGATES} \cite{{phipson2010permutation}}."
PROCEDURES = {  # of what is drawn, as a methods section says it
    **dict.fromkeys(("longest bar", "total persistence", "number of bars", "bars longer than chance", "bars"), _TESTED),
    "persistence entropy": rf"{_TESTED} Their entropy is that of their shares in the total "
                           r"\cite{chintakunta2015entropy}.",
    "betti curves": rf"{_HOMOLOGY}; Betti curves \cite{{rieck2020topological}} stand beside those of {_SURROGATES}.",
    "persistence landscape": rf"{_HOMOLOGY}, and is drawn as landscapes \cite{{bubenik2015statistical}}.",
    "distance of diagrams": rf"{_HOMOLOGY}; distances of diagrams are Wasserstein and bottleneck distances "
                            r"\cite{edelsbrunner2010computational}.",
    "two samples": rf"{_HOMOLOGY}; whether diagrams differ is asked by a permutation test of their Wasserstein "
                   r"distances \cite{robinson2017hypothesis,edelsbrunner2010computational}."}
SUMMARISED = {"longest": "longest bar", "total": "total persistence", "entropy": "persistence entropy",
              "bars": "number of bars", "longer": "bars longer than chance"}
CITED = ("edelsbrunner2010computational", "robinson2017hypothesis", "bubenik2015statistical",
         "barannikov2022representation")


def over_training(summary: str, records: Sequence[dict[str, Any]]) -> str:
    """What the figure over training shows."""
    return f"{WHAT[summary]}{MEAN if _several(records) else '.'} {HATCHED}"


def changes(records: Sequence[dict[str, Any]]) -> str:
    """What the figure of distances shows."""
    return f"{CHANGES}{MEAN}{NOISE}" if _several(records) else f"{CHANGES}."


def options(question: Question) -> list[str]:
    """The options by which the command line asks the same."""
    given = {"--points": question.points, "--draws": question.draws, "--surrogates": question.surrogates,
             "--max-dim": question.max_dim, "--directions": question.directions, "--seed": question.seed}
    return [part for name, value in given.items() for part in (name, str(value))]


def cost(question: Question, representations: int) -> str:
    """How long computing may take. Measured on rows of language models with two cores, and on a few more points each
    cloud takes much longer."""
    clouds = 2 * question.draws + 2 * question.surrogates
    seconds = 5 * (question.points / 300)**4 if question.max_dim > 1 else 0.05 * (question.points / 300)**3
    return (f"That is {clouds} clouds of {question.points} points for each: about "
            f"{duration(seconds * clouds)} a representation and {duration(seconds * clouds * representations)} in all "
            "on two cores, up to ten times as long for clouds on a thin surface, and the time to read the texts.")


def caption_of(records: Sequence[dict[str, Any]], question: Question, spoken: str) -> str:
    """Points, draws and rows of what is drawn, as every figure states them."""
    points, distinct, d = ([*dict.fromkeys(record[name] for record in records)] for name in ("n", "distinct", "d"))
    draws = max(record["draws"] for record in records)
    drawn = "all distinct rows in one cloud, so nothing is said of other draws" if draws == 1 else (
        f"{draws} draws, each from half of the documents (seed {question.seed})")
    along = f" along the {question.directions} leading principal directions" if question.directions else ""
    return (f"{_range(points)} points a cloud, of {_range(distinct)} distinct rows, d = {_range(d)}; {drawn}; "
            f"{question.surrogates} surrogates of each kind. Distances{along} are divided by their 0.9 quantile. "
            f"{spoken}")


def looks(significant: int, every: int, dimension: int) -> str:
    """How many representations are significant, and how many would be by chance."""
    return (f"{significant} of {every} representations have an H{dimension} bar that is longer than chance by both "
            f"kinds of surrogates (p at most {LEVEL} each). If none had structure, up to {LEVEL} × {every} = "
            f"{LEVEL * every:.3g} would by luck.")


def two_sample(found: TwoSample, points: int, dimension: int) -> str:
    """The verdict of the test in words, with what it stands on."""
    draws, lowest = len(found.distances) // 2, 1 / found.labellings
    head = f"The H{dimension} diagrams of A and B differ" if found.p <= LEVEL else (
        f"No difference between the H{dimension} diagrams of A and B is shown")
    limit = "" if lowest <= LEVEL else f" With so few draws p cannot be below {lowest:.2g}: ask for more draws."
    return (f"{head}: p = {found.p:.3g}, from {found.labellings} labellings of {draws} draws a side, {points} points "
            f"each, that share no document. Mean Wasserstein distance: {found.within_a:.3g} within A, "
            f"{found.within_b:.3g} within B, {found.between:.3g} between.{limit}")


def how_to_read(representations: int) -> str:
    """What a bar is, and what misleads, as Markdown."""
    looked = f" Here up to {LEVEL * representations:.3g} of {representations} would be by luck." if representations \
        else ""
    return "\n".join(f"- {line}" for line in (
        "**What a bar is.** Join all rows that are closer than a radius and let the radius grow. An H0 bar is a group "
        "of rows that stays apart until it is joined to another; an H1 bar is a loop that closes at its birth and is "
        "filled at its death; an H2 bar is a hollow. A long bar is a feature over many scales. Radii are in units of "
        "the 0.9 quantile of the distances, so neither the scale of the activations nor a rotation matters.",
        "**Counts and totals are no features.** Noise has bars too, and their number and total grow faster than the "
        "number of points: compare them with the hatched null at the same number of points, and with nothing else.",
        "**Two nulls.** *matched*: Gaussian rows of the same covariance. *shuffled*: the values on each principal "
        "component shuffled among rows, which keeps heavy tails. A bar counts as structure when it beats both.",
        "**Rows of a surrogate are independent, rows of one document are not.** Rows that repeat each other make "
        "groups (H0) that no surrogate has; a long H0 bar may say no more than that.",
        "**p is of the first draw**, against surrogates made from it. Over how many draws the bar lies above the "
        "threshold is said beside it; a verdict that other draws do not share is weak.",
        f"**Many looks.** Every checkpoint and site is a test of its own.{looked} Trust stretches of training, not "
        "single points.",
        "**Distances between diagrams** forget which row is where. Two clouds may have equal diagrams and hold their "
        "rows in different places; the divergences named above match row by row."))


def _several(records: Sequence[dict[str, Any]]) -> bool:
    return any(record["draws"] > 1 for record in records)


def _range(values: Sequence[int]) -> str:
    return str(values[0]) if len(values) == 1 else f"{min(values)} to {max(values)}"
