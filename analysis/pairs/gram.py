"""Normalised HSIC of all pairs, from stripes of the Gram matrices: no Gram matrix stands whole.

For each group g of rows the sums of K_ij L_ij over i in g, for all pairs of items, are one matrix product. They add up
to every HSIC, and taking a group away again gives every HSIC without that group's documents: the jackknife comes with
the values. For m rows A that are kept, with k_i = sum_{j in A} K_ij and K with zero diagonal where debiased:

    biased     HSIC ~ sum_ij K_ij L_ij - 2/m sum_i k_i l_i + sum(k) sum(l) / m^2
    debiased   HSIC ~ sum_ij K_ij L_ij - 2/(m-2) sum_i k_i l_i + sum(k) sum(l) / ((m-1)(m-2))
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from analysis.errors import Undefined
from analysis.measure import Kernel
from analysis.pairs.work import Kept, Load, Tensors, Work, tiles
from analysis.results import PairMatrix

STRIPES = 0.75  # share of the budget; the rest keeps what is prepared of the items
SAVE_EVERY_S = 20.0
ROUNDING = 1e-12  # of the sum that a self-similarity is what is left of
NO_SELF = "one side has no similarity with itself: its rows are all the same, or all equally far apart"


def values(work: Work) -> PairMatrix:
    """The measure of every pair, without each group of documents, and its mean over all orders of rows."""
    kernel = work.measure.kernel
    assert kernel is not None
    groups = work.groups
    sums = _Sums(work, kernel, groups)
    sums.run()
    whole = sums.cosines(None)
    sizes = None if groups is None else np.bincount(groups)
    replicates = None if sizes is None else np.stack([sums.cosines(group) for group in range(len(sizes))])
    reasons = sorted({*sums.reasons, *([NO_SELF] if np.isnan(whole).any() and not sums.reasons else [])})
    return PairMatrix(values=whole, chance=sums.chance(whole), replicates=replicates, sizes=sizes,
                      reasons=tuple(reasons))


@dataclass
class _Side:
    """Of one side's items: what makes their Gram matrices, and the sums that need no partner."""

    items: Kept
    own: Float[np.ndarray, "g m"]
    own_within: Float[np.ndarray, "g m"]
    columns: Float[np.ndarray, "m g n"]
    diagonal: Float[np.ndarray, " m"]


class _Sums:
    """Sums over stripes of rows, which stand in the order of their groups. `cross[g]` is of rows in g and all columns,
    `within[g]` of rows and columns in g."""

    def __init__(self, work: Work, kernel: Kernel, groups: Int[np.ndarray, " n"] | None):
        self.work, self.kernel = work, kernel
        self.n = len(work.documents)
        self.order = None if groups is None else np.argsort(groups, kind="stable")
        self.group = np.zeros(self.n, dtype=int) if groups is None else groups[self.order]
        self.count = int(self.group.max()) + 1
        self.slices = [slice(*np.searchsorted(self.group, [group, group + 1])) for group in range(self.count)]
        self.reasons: set[str] = set()
        self.rows = self._side(work.rows)
        self.cols = self.rows if work.square else self._side(work.columns)
        shape = self.count, len(work.rows), len(work.columns)
        self.cross, self.within = np.zeros(shape), np.zeros(shape)
        self.stripes = tiles(self.n, 8 * self.n * (shape[1] + (0 if work.square else shape[2])), STRIPES * work.budget)

    def _side(self, loads: Sequence[Load]) -> _Side:
        def prepared(x: np.ndarray) -> Any:
            return self.kernel.prepare(x if self.order is None else x[self.order], **self.work.settings)

        many = len(loads)
        room = (1 - STRIPES) / 2 * self.work.budget
        return _Side(Kept(loads, prepared, room), np.zeros((self.count, many)), np.zeros((self.count, many)),
                     np.zeros((many, self.count, self.n)), np.zeros(many))

    def run(self) -> None:
        begun, saved_at = self._restore(), time.monotonic()
        for number, stripe in enumerate(self.stripes):
            if number < begun:
                continue
            def report(done: int, total: int, number: int = number) -> None:
                self.work.report(number + done / total, len(self.stripes), f"products, part {number + 1} of "
                                                                           f"{len(self.stripes)}")
            parts = self._parts(stripe)
            left = self._filled(self.rows, stripe, parts, report)
            right = left if self.work.square else self._filled(self.cols, stripe, parts, report)
            for (group, _), one, other in zip(parts, left, right, strict=True):
                self.cross[group] += _products(one, other)
                if self.count > 1:
                    inside = self.slices[group]
                    inner = one[:, :, inside]
                    self.within[group] += _products(inner, inner if other is one else other[:, :, inside])
            if time.monotonic() - saved_at > SAVE_EVERY_S:
                self.work.saved.save(self._state() | {"stripes": np.array([number + 1, len(self.stripes)])})
                saved_at = time.monotonic()

    def _parts(self, stripe: slice) -> list[tuple[int, slice]]:
        """The groups that have rows in a stripe, and which of its rows."""
        found = []
        for group, of_group in enumerate(self.slices):
            first, last = max(of_group.start, stripe.start), min(of_group.stop, stripe.stop)
            if first < last:
                found.append((group, slice(first - stripe.start, last - stripe.start)))
        return found

    def _filled(self, side: _Side, stripe: slice, parts: list[tuple[int, slice]],
                report: Callable[[int, int], None]) -> list[Float[np.ndarray, "m r n"]]:
        """Rows of every item's Gram matrix, group by group; their own sums are added up on the way."""
        found = [np.zeros((len(side.items), part.stop - part.start, self.n)) for _, part in parts]
        whole = stripe.start == 0 and stripe.stop == self.n
        at = np.arange(stripe.stop - stripe.start)
        for number, state in enumerate(side.items):
            report(number, len(side.items))
            if isinstance(state, Undefined):
                self.reasons.add(str(state))
                continue
            gram = self.kernel.rows(state, slice(None) if whole else stripe)
            side.diagonal[number] += gram[at, at + stripe.start].sum()
            for (group, part), place in zip(parts, found, strict=True):
                one = place[number]
                one[:] = gram[part]
                if self.kernel.debiased:
                    one[at[:len(one)], at[part] + stripe.start] = 0.0
                side.own[group, number] += np.vdot(one, one)
                if self.count > 1:
                    inner = one[:, self.slices[group]]
                    side.own_within[group, number] += np.einsum("rn,rn->", inner, inner)
                side.columns[number, group] += one.sum(axis=0)
        return found

    # --- what the sums say ---

    def cosines(self, left_out: int | None) -> Float[np.ndarray, "m k"]:
        """HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)) over all rows, or over those of all groups but one."""
        k, own_rows = self._own(self.rows, left_out)
        lin, own_columns = (k, own_rows) if self.cols is self.rows else self._own(self.cols, left_out)
        found = self._hsic(_without(self.cross, self.within, left_out), k @ lin.T,
                           np.outer(k.sum(axis=1), lin.sum(axis=1)), k.shape[1])
        return found / np.sqrt(own_rows)[:, None] / np.sqrt(own_columns)

    def _own(self, side: _Side, left_out: int | None) -> tuple[Float[np.ndarray, "m n"], Float[np.ndarray, " m"]]:
        """Of every item, k_i of the kept rows and HSIC(K, K); NaN where no more than rounding is left of it."""
        k = side.columns.sum(axis=1)
        if left_out is not None:
            k = (k - side.columns[:, left_out])[:, self.group != left_out]
        total = _without(side.own, side.own_within, left_out)
        found = self._hsic(total, np.einsum("mn,mn->m", k, k), k.sum(axis=1)**2, k.shape[1])
        return k, np.where(found > ROUNDING * total, found, np.nan)

    def _hsic(self, total: np.ndarray, products: np.ndarray, totals: np.ndarray, m: int) -> np.ndarray:
        """From sum_ij K_ij L_ij, sum_i k_i l_i and sum(k) sum(l) over m rows."""
        if self.kernel.debiased:
            return total - 2 / (m - 2) * products + totals / ((m - 1) * (m - 2))
        return total - 2 / m * products + totals / m**2

    def chance(self, values: np.ndarray) -> np.ndarray | None:
        """Mean of the measure over all orders of the rows: tr(HKH) tr(HLH) / ((n-1) |HKH| |HLH|); 0 where debiased."""
        if self.kernel.debiased:
            return np.where(np.isnan(values), np.nan, 0.0)
        sides = []
        for side in (self.rows, self.cols):
            trace = side.diagonal - side.columns.sum(axis=(1, 2)) / self.n
            sides.append(trace / np.sqrt(self._own(side, None)[1]))
        return np.outer(*sides) / (self.n - 1)

    # --- going on after an interruption ---

    def _state(self) -> Tensors:
        sides = {"rows": self.rows} | ({} if self.work.square else {"cols": self.cols})
        parts = {f"{name}_{part}": getattr(side, part) for name, side in sides.items()
                 for part in ("own", "own_within", "columns", "diagonal")}
        return {"cross": self.cross, "within": self.within, **parts}

    def _restore(self) -> int:
        """Take up what an earlier process had summed; how many stripes that was."""
        found = self.work.saved.load()
        state = self._state() | {"stripes": np.zeros(2)}
        if found is None or any(name not in found or found[name].shape != array.shape for name, array in state.items()):
            return 0
        if found["stripes"][1] != len(self.stripes):
            return 0  # cut otherwise, as another budget does
        for name, array in state.items():
            array[:] = found[name]
        return int(found["stripes"][0])


def _without(sums: np.ndarray, within: np.ndarray, left_out: int | None) -> np.ndarray:
    """The sum over all groups, or over rows and columns of all groups but one."""
    total = sums.sum(axis=0)
    return total if left_out is None else total - 2 * sums[left_out] + within[left_out]


def _products(left: Float[np.ndarray, "m r n"], right: Float[np.ndarray, "k r n"]) -> Float[np.ndarray, "m k"]:
    """Sum of the elementwise product of every two; of a side with itself the library does half the work."""
    one = left.reshape(len(left), -1)
    return one @ (one if right is left else right.reshape(len(right), -1)).T
