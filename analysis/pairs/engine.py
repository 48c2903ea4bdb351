"""Every row item against every column item, in the quickest way that the measure allows."""

from dataclasses import replace

from analysis.measures._gram import centred_gram
from analysis.pairs import gram, items, loop
from analysis.pairs.shuffles import shuffled_cosines
from analysis.pairs.work import Work
from analysis.results import PairMatrix

SHARE = 0.5  # of the progress that the values are, where a null comes after them


def all_pairs(work: Work) -> PairMatrix:
    """Values, replicates and null of a pair measure. See gram.py, items.py and loop.py for what each way needs."""
    measure = work.measure
    if not measure.kernel and not measure.item:
        return loop.values(work)
    share = SHARE if work.draws else 1.0

    def first(done: float, total: float, message: str) -> None:
        work.report(share * done / total, 1.0, message)

    def second(done: float, total: float, message: str) -> None:
        work.report(share + (1 - share) * done / total, 1.0, message)

    found = (gram if measure.kernel else items).values(replace(work, report=first))
    if kernel := measure.kernel:
        null = shuffled_cosines(replace(work, report=second), lambda x: centred_gram(kernel, x, **work.settings))
    elif item := measure.item:
        null = shuffled_cosines(replace(work, report=second), lambda x: item(x, **work.settings))
    return replace(found, null=null)
