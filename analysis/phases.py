"""Phases of one training run by a stated rule. The words are those of Li et al. (2025, li2025tracing), who give none.

1 Left out of all fits: position 0 (it has no logarithm), values that are not finite, and a checkpoint all of whose
  values equal those of the last one kept (the same weights under two names are not a plateau).
2 Slopes of ln RankMe and of alpha over ln position, by least squares in moving windows: from each kept checkpoint, the
  fewest that are at least `window` and extend over at least `span` in ln position. K windows fit in the series. Each
  checkpoint takes the window whose middle in ln position is nearest, so those at an end take the outermost.
3 A slope is linear in the values, so the jackknife over documents (inference/jackknife.py; Student's t, G - 1 d.f.)
  of the paired values gives its interval, at level 1 - (1 - confidence) / K: Bonferroni over the windows of a curve.
  It is never narrower than the scatter of checkpoints around local lines makes it, which documents do not see.
4 RankMe up and alpha down, both intervals without 0: a rise. RankMe down and alpha up: a fall. Else not resolved.
5 Neighbours with one label merge. A rise or fall is kept if it holds `min_length` kept checkpoints and if, from its
  first to its last, ln RankMe changes by `prominence` and alpha by `alpha_prominence` or more, each in its direction
  and with an interval as in 3, at `confidence`, without 0.
6 A rise is entropy-seeking. A fall before any rise is warmup if it starts early: at or before 8e9 tokens (4000 steps)
  and a tenth of the last position. Any other fall is compression-seeking. With fewer than `window` kept checkpoints
  that early, the two cannot be told apart: a fall before any rise that starts early, or at the first, is not resolved.

False labels on curves without a trend (tests/test_phases.py; 24 checkpoints, 20 groups): on under 5 % of curves where
documents vary over training in any way and checkpoints jitter independently. Not where the weights drift for all
documents alike: AR(1) drift with memory 0.9 gets a phase on 0.5, 9 and 26 % of curves at a standard deviation of 2, 3
and 5 % of RankMe. That is a true change of this one run; only other seeds can tell whether training makes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import chi2

from analysis.inference.jackknife import MIN_GROUPS, jackknife_variance, t_quantile

Name = Literal["warmup", "entropy-seeking", "compression-seeking", "not resolved"]
NOT_RESOLVED: Name = "not resolved"
EARLY, RISE, NEITHER = {"tokens": 8e9, "steps": 4e3}, 1, 0
FLAT, DISAGREE = "no slope differs from 0", "RankMe and alpha disagree"
ONLY_RANKME, ONLY_ALPHA = "only the slope of RankMe differs from 0", "only the slope of alpha differs from 0"
SHORT, SMALL, UNPAIRED = "too short", "too small", "no paired intervals"
COARSE = "too few early checkpoints to tell warmup from compression-seeking"
ZERO, UNDEFINED, REPEATED = "position 0 has no logarithm", "a value is undefined here", "values repeat those before"


@dataclass(frozen=True, eq=False, kw_only=True)
class Series:
    """One run at one site: T checkpoints in order, and the same with each of G groups of documents left out.

    Row g of both left-out arrays leaves the same documents out at every checkpoint, so that differences are paired;
    `sizes` are the rows in each group. Positions are tokens or steps themselves, so that 0 can be given.
    """

    position: Float[np.ndarray, " t"]
    log_rankme: Float[np.ndarray, " t"]
    alpha: Float[np.ndarray, " t"]
    log_rankme_left_out: Float[np.ndarray, "g t"] | None = None
    alpha_left_out: Float[np.ndarray, "g t"] | None = None
    sizes: Int[np.ndarray, " g"] | None = None
    unit: Literal["tokens", "steps"] = "tokens"

    def __post_init__(self) -> None:
        shapes = [np.shape(part) for part in (self.position, self.log_rankme, self.alpha)]
        if shapes != [(len(self.position),)] * 3 or not shapes[0][0]:
            raise ValueError(f"positions, ln RankMe and alpha must have one length, 1 or more, got {shapes}")
        if not np.all(np.isfinite(self.position)) or np.any(np.diff(self.position, prepend=-1e-300) <= 0):
            raise ValueError("positions must be finite, 0 or more and strictly increasing")
        wanted = {(len(self.sizes), len(self.position))} if self.sizes is not None else set()
        if wanted and (got := {np.shape(part) for part in (self.log_rankme_left_out, self.alpha_left_out)
                               if part is not None}) - wanted:
            raise ValueError(f"values with a group left out must have shape {wanted}, got {got}")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What may be chosen. `span` is in ln position, `confidence` is for a whole curve, `prominence` is in ln RankMe."""

    window: int = 5
    span: float = 0.5
    confidence: float = 0.95
    prominence: float = 0.05
    alpha_prominence: float = 0.02
    min_length: int = 3

    def __post_init__(self) -> None:
        if self.window < 3 or self.window % 2 == 0 or not 0 < self.confidence < 1:
            raise ValueError(f"a window is odd and 3 or more, and confidence between 0 and 1, got {self}")
        if min(self.span, self.prominence, self.alpha_prominence) < 0 or self.min_length < 2:
            raise ValueError(f"span and prominences are 0 or more, and the least length is 2 or more, got {self}")


@dataclass(frozen=True)
class Contrast:
    """A difference or slope of one quantity between checkpoints, and its interval."""

    value: float
    low: float
    high: float

    @property
    def sign(self) -> int:
        return int(self.low > 0) - int(self.high < 0)  # 0 where the interval holds it


@dataclass(frozen=True, kw_only=True)
class Phase:
    """Checkpoints start to end, both included, with the changes between these two; `reason` is why it has no name."""

    start: int
    end: int
    positions: tuple[float, float]
    name: Name = NOT_RESOLVED
    reason: str = ""
    log_rankme_change: Contrast | None = None
    alpha_change: Contrast | None = None


@dataclass(frozen=True)
class Labels:
    """Phases in order, which hold every checkpoint once, and sentences on what this suite cannot show."""

    phases: tuple[Phase, ...]
    notes: tuple[str, ...] = ()

    def names(self) -> list[Name]:
        """The label of each checkpoint."""
        return [phase.name for phase in self.phases for _ in range(phase.start, phase.end + 1)]


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """Labels under each rule near the chosen one, and the share of these rules that leave a checkpoint its label."""

    settings: tuple[tuple[str, Labels], ...]
    share: Float[np.ndarray, " t"]


CHOSEN = Rule()


def label(series: Series, rule: Rule = CHOSEN) -> Labels:
    """Phases of a series by the rule at the top of this file; where it cannot be applied, one phase that says why."""
    left_out, position = _left_out(series), np.asarray(series.position, dtype=float).tolist()
    kept = np.flatnonzero([not reason for reason in left_out])
    refusal = _refusal(series, kept, rule)
    if refusal:
        whole = Phase(start=0, end=len(left_out) - 1, positions=(position[0], position[-1]), reason=refusal)
        return Labels((whole,), (refusal,))
    paired = _Paired.of(series, [kept[window] for window in _windows(np.log(series.position[kept]), rule)])
    pieces, start = [], 0
    for (direction, reason), members in groupby(_spread(_verdicts(paired, kept, rule), left_out)):
        end = start + len(list(members)) - 1
        piece = Phase(start=start, end=end, positions=(position[start], position[end]), reason=reason)
        if start < end and not (left_out[start] or left_out[end]):
            rankme, alpha = paired.contrasts(np.array([start, end]), np.array([-1.0, 1.0]), rule.confidence)
            piece = replace(piece, log_rankme_change=rankme, alpha_change=alpha)
        pieces.append((direction, _weighed(piece, direction, left_out[start:end + 1].count(""), rule)))
        start = end + 1
    return _named(series, pieces, series.position[kept], rule, left_out)


def sensitivity(series: Series, rule: Rule = CHOSEN) -> Sensitivity:
    """Labels as one part of the rule at a time is made looser or stricter, and how often each checkpoint keeps it."""
    chosen = np.array(label(series, rule).names())
    settings = tuple((text, label(series, near)) for text, near in neighbours(rule))
    return Sensitivity(settings, np.mean([chosen == labels.names() for _, labels in settings], axis=0))


def neighbours(rule: Rule) -> list[tuple[str, Rule]]:
    """Rules that differ from this one in one part, each with what was changed."""
    values = (("window", max(rule.window - 2, 3)), ("window", rule.window + 2), ("span", rule.span / 2),
              ("span", rule.span * 2), ("confidence", max(2 * rule.confidence - 1, rule.confidence / 2)),
              ("confidence", 0.8 + rule.confidence / 5), ("min_length", max(rule.min_length - 1, 2)),
              ("min_length", rule.min_length + 2))
    found = [(f"{part} {value:.4g}", replace(rule, **{part: value})) for part, value in values]  # type: ignore[arg-type]
    found += [(f"prominences x {by:.4g}", replace(rule, prominence=rule.prominence * by,
                                                  alpha_prominence=rule.alpha_prominence * by)) for by in (0.5, 2.0)]
    return [(text, near) for text, near in found if near != rule]


@dataclass(frozen=True, eq=False)
class _Paired:
    """ln RankMe and alpha (row 0 and 1), the same without each group, and their scatter around local lines."""

    x: Float[np.ndarray, " t"]
    values: Float[np.ndarray, "2 t"]
    left_out: Float[np.ndarray, "2 g t"]
    sizes: Int[np.ndarray, " g"]
    windows: Sequence[Int[np.ndarray, " w"]]
    scatter: Float[np.ndarray, " 2"]

    @staticmethod
    def of(series: Series, windows: Sequence[Int[np.ndarray, " w"]]) -> "_Paired":
        """s^2 = median over windows of residual sum of squares / median of chi^2_(w-2): bends in a few do not count."""
        assert series.log_rankme_left_out is not None and series.alpha_left_out is not None
        x = np.log(np.where(series.position > 0, series.position, np.nan))
        values, squares = np.stack([series.log_rankme, series.alpha]), []
        for at in windows:
            y = values[:, at] - values[:, at[:1]]
            residual = y - y.mean(axis=1, keepdims=True) - np.outer(y @ _line(x[at]), x[at] - x[at].mean())
            squares.append(np.sum(residual**2, axis=1))
        unit = chi2.ppf(0.5, [len(at) - 2 for at in windows])
        scatter = np.sqrt(np.median(np.array(squares) / unit[:, None], axis=0))
        left_out = np.stack([series.log_rankme_left_out, series.alpha_left_out])
        return _Paired(x, values, left_out, np.asarray(series.sizes), windows, scatter)

    def contrasts(self, at: Int[np.ndarray, " w"], weights: Float[np.ndarray, " w"], level: float) -> list[Contrast]:
        """sum_i weights_i y_i over checkpoints, weights that sum to 0, for y = ln RankMe and alpha (step 3)."""
        value = (self.values[:, at] - self.values[:, at[:1]]) @ weights  # less the first, so that equal values give 0
        without = (self.left_out[:, :, at] - self.left_out[:, :, at[:1]]) @ weights
        spread = np.maximum(np.sqrt(jackknife_variance(value, without.T, self.sizes)),
                            self.scatter * np.linalg.norm(weights))
        half = t_quantile(level, len(self.sizes) - 1) * spread
        return [Contrast(*ends) for ends in np.array([value, value - half, value + half]).T.tolist()]


def _line(x: Float[np.ndarray, " w"]) -> Float[np.ndarray, " w"]:
    """Weights with which values at x sum to their least-squares slope."""
    centred = x - x.mean()
    return centred / (centred @ centred)


def _windows(x: Float[np.ndarray, " k"], rule: Rule) -> list[slice]:
    ends = np.maximum(np.arange(len(x)) + rule.window, np.searchsorted(x, x + rule.span) + 1)
    return [slice(start, end) for start, end in enumerate(ends) if end <= len(x)]


def _left_out(series: Series) -> list[str]:
    """For each checkpoint, why it takes no part in a fit, or nothing."""
    parts = [series.log_rankme[None], series.alpha[None]]
    parts += [part for part in (series.log_rankme_left_out, series.alpha_left_out) if part is not None]
    reasons, last = [], None
    for position, column in zip(series.position, np.concatenate(parts).T, strict=True):
        reasons.append(ZERO if position == 0 else UNDEFINED if not np.isfinite(column).all() else
                       REPEATED if last is not None and np.array_equal(column, last) else "")
        last = last if reasons[-1] else column
    return reasons


def _refusal(series: Series, kept: Int[np.ndarray, " k"], rule: Rule) -> str:
    """Why the rule cannot be applied at all, or nothing."""
    if not np.isfinite(series.log_rankme + series.alpha).any():
        return "RankMe or alpha is undefined at every checkpoint"
    if series.sizes is None or series.log_rankme_left_out is None or series.alpha_left_out is None:
        return UNPAIRED
    if len(series.sizes) < MIN_GROUPS:
        return f"an interval needs at least {MIN_GROUPS} groups of documents, got {len(series.sizes)}"
    return "" if len(_windows(np.log(series.position[kept]), rule)) > 2 else \
        f"{len(kept)} checkpoints are too few for 3 windows of {rule.window} over {rule.span:.3g} in ln {series.unit}"


def _verdicts(paired: _Paired, kept: Int[np.ndarray, " k"], rule: Rule) -> list[tuple[int, str]]:
    """Direction at each kept checkpoint, or NEITHER and the reason (steps 2 to 4)."""
    level, found = 1 - (1 - rule.confidence) / len(paired.windows), []
    for at in paired.windows:
        rankme, alpha = (contrast.sign for contrast in paired.contrasts(at, _line(paired.x[at]), level))
        reason = FLAT if not (rankme or alpha) else ONLY_RANKME if not alpha else ONLY_ALPHA if not rankme else DISAGREE
        found.append((rankme, "") if rankme * alpha == -1 else (NEITHER, reason))
    middles = np.array([(paired.x[at[0]] + paired.x[at[-1]]) / 2 for at in paired.windows])
    return [found[int(np.argmin(np.abs(middles - x)))] for x in paired.x[kept]]


def _spread(of_kept: Sequence[tuple[int, str]], left_out: Sequence[str]) -> list[tuple[int, str]]:
    """Verdicts of all checkpoints: one that is left out takes the direction that its kept neighbours share."""
    verdicts, after = [], 0
    for reason in left_out:
        around = {direction for direction, _ in of_kept[after - 1:after + 1]} if 0 < after < len(of_kept) else {NEITHER}
        verdicts.append(of_kept[after] if not reason or (len(around) == 1 and NEITHER not in around)
                        else (NEITHER, reason))
        after += not reason
    return verdicts


def _weighed(phase: Phase, direction: int, length: int, rule: Rule) -> Phase:
    """The phase with the reason why it is no phase, where it is too short or too small (step 5)."""
    if direction == NEITHER:
        return phase
    if length < rule.min_length or phase.log_rankme_change is None or phase.alpha_change is None:
        return replace(phase, reason=SHORT)
    rankme, alpha = phase.log_rankme_change, phase.alpha_change
    large = direction * rankme.value >= rule.prominence and -direction * alpha.value >= rule.alpha_prominence
    return phase if large and (rankme.sign, alpha.sign) == (direction, -direction) else replace(phase, reason=SMALL)


def _named(series: Series, pieces: Sequence[tuple[int, Phase]], kept: Float[np.ndarray, " k"], rule: Rule,
           left_out: Sequence[str]) -> Labels:
    """Every phase with its name (step 6), and what the suite cannot show."""
    limit = min(EARLY[series.unit], series.position[-1] / 10)
    count, named, risen = int(np.sum(kept <= limit)), [], False
    for direction, phase in pieces:
        late, coarse = risen or phase.positions[0] > max(limit, kept[0]), count < rule.window
        risen = risen or (direction == RISE and not phase.reason)
        name: Name = "entropy-seeking" if direction == RISE else "compression-seeking" if late else "warmup"
        named.append(phase if phase.reason else replace(phase, reason=COARSE) if coarse and name == "warmup" else
                     replace(phase, name=name))
    notes = [f"{count} checkpoints between 0 and {limit:.3g} {series.unit}; {rule.window} are needed to see warmup"]
    notes = notes[count >= rule.window:] + [f"{left_out.count(cause)} checkpoint(s) left out of slopes: {cause}"
                                            for cause in (ZERO, UNDEFINED, REPEATED) if cause in left_out]
    return Labels(tuple(named), tuple(notes))
