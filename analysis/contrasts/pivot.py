"""The difference of two values: its interval, its size in standard errors, and the p of the same pivot."""

from dataclasses import dataclass

from scipy.stats import t

from analysis import registry
from analysis.inference.jackknife import paired_change, t_quantile
from analysis.results import Scalar

LEVEL = 0.95
ROUNDING = 1e-12  # of the larger value: a narrower interval is rounding
FLAT = "the difference is the same whichever documents are left out, so it has no standard error"
OTHERS = "the rows of the two sides are of other documents"


@dataclass(frozen=True)
class Difference:
    """B minus A with the 95 % interval over `groups` groups of documents; `reason` says why it has no standard error.
    """

    value: float
    low: float | None = None
    high: float | None = None
    groups: int = 0
    reason: str = ""

    @property
    def excludes_0(self) -> bool | None:
        """Whether the interval does, where there is one."""
        return None if self.low is None or self.high is None else self.low > 0 or self.high < 0

    @property
    def standard_error(self) -> float | None:
        """Of the jackknife over documents: half the interval over Student's quantile."""
        if self.low is None or self.high is None or self.reason:
            return None
        return (self.high - self.low) / 2 / t_quantile(LEVEL, self.groups - 1)

    @property
    def standardised(self) -> float | None:
        """The difference in standard errors."""
        error = self.standard_error
        return None if error is None else self.value / error

    @property
    def p(self) -> float | None:
        """Two-sided p of no difference among all documents such as these, by the pivot of the interval.

            p = 2 P(T > |difference| / standard error),  T: Student's t with groups - 1 degrees of freedom

        Returns
        -------
        Below 0.05 exactly where the 95 % interval excludes 0; None without a standard error. Where there is no
        difference it is at most 0.05 in 3.4 to 5.6 % of simulations, and at most 0.001 in up to 0.25 %
        (tests/contrasts/test_pivot.py; documents with effects that both sides share, 24 to 100 of them).

        Reference: Busing et al. 1999.
        """
        size = self.standardised
        return None if size is None else float(2 * t.sf(abs(size), self.groups - 1))


def difference(a: Scalar, b: Scalar, measure: str) -> Difference:
    """B minus A of two defined values of a measure, each group of documents left out on both sides."""
    paired = paired_change(a, b)
    if paired is None or a.replicates is None:
        return Difference(b.value - a.value, reason=_unpaired(a, b, measure))
    value, low, high = paired
    flat = high - low <= ROUNDING * max(abs(a.value), abs(b.value))
    return Difference(value, low, high, len(a.replicates.sizes), FLAT if flat else "")


def _unpaired(a: Scalar, b: Scalar, name: str) -> str:
    """Why two values have no paired interval."""
    if a.replicates is not None and b.replicates is not None:
        return OTHERS
    measure = registry.get(name)
    if measure.spread_of or not measure.has_interval:
        return f"interval of this measure: {measure.uncertainty}"
    return "too few documents, or no value where some of them are left out"
