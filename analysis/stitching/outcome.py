"""What was found of a receiver that was given a sender's states: sums by document, from which every number follows."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from analysis.errors import ExplorerError, Undefined
from analysis.inference.jackknife import document_groups, jackknife_interval
from analysis.results import Replicates, Scalar

PASSED = 0.9  # share of the loss from which on a random sender passes

WARNING = ("A stitch trained on the task finds whatever states make the receiver answer well, and these need not be "
           "states it ever has: trained stitches have ranked far-apart layers above corresponding ones (Balogh & "
           "Jelasity 2025). Read it beside the fitted map and the distribution shift, never by itself.")

Key = tuple[str, str, str]  # site of the sender, site of the receiver, name of the map


@dataclass(frozen=True, eq=False)
class Behaviour:
    """Sums over the predictions of each held-out document: of the loss in nats (None without labels or a next token),
    and of agreement, where the stitched network's first choice is the receiver's."""

    documents: tuple[str, ...]
    counts: Int[np.ndarray, " d"]  # predictions, the same for sender, receiver and every stitch
    kind: str                      # causal, token or item: what a prediction is made of
    first: str                     # what was done with position 0
    receiver: Float[np.ndarray, " d"] | None
    sender: Float[np.ndarray, " d"] | None
    stitched: dict[Key, Float[np.ndarray, " d"]]
    agreeing: dict[Key, Float[np.ndarray, " d"]]

    def loss(self, which: str | Key) -> Scalar:
        """Nats per prediction of the `receiver`, the `sender`, or a stitch."""
        return self._ratio(self._losses(which), self.counts)

    def penalty(self, key: Key) -> Scalar:
        """loss(stitch) - loss(receiver); below 0 the sender's states serve the receiver better than its own."""
        return self._ratio(self._losses(key) - self._losses("receiver"), self.counts)

    def recovered(self, key: Key, ablation: Key) -> Scalar:
        """1 - penalty(stitch) / penalty(mean ablation at the same site): 1 is the receiver itself, 0 its mean state,
        and less is worse than knowing nothing. Undefined where mean ablation costs nothing."""
        own, less = self._losses("receiver"), self._losses(ablation)
        if less.sum() <= own.sum():
            return Scalar.undefined("mean ablation at this site costs the receiver nothing")
        return self._ratio(less - self._losses(key), less - own)

    def agreement(self, key: Key) -> Scalar:
        """Share of predictions whose first choice is the receiver's."""
        return self._ratio(self.agreeing[key], self.counts)

    def uninformative(self, key: Key, random: "Behaviour", ablation: Key) -> str:
        """Why a stitch says nothing of its sender: an untrained sender (its own `Behaviour` under the same key, on the
        same documents) passes it too. Empty where the sender does better."""
        if random.documents != self.documents or not np.array_equal(random.counts, self.counts):
            raise ExplorerError("The random sender was evaluated on other documents than the sender; evaluate both on "
                                "the same held-out part, with the same cap and seed.")
        if self.receiver is None:
            gain = self._ratio(self.agreeing[key] - random.agreeing[key], self.counts)
        else:
            gain = self._ratio(random._losses(key) - self._losses(key), self.counts)
            share = random.recovered(key, ablation)
            if share.defined and share.value >= PASSED:
                return f"a random sender recovers {share.value:.0%} of the loss through this stitch too"
        if (gain.value if gain.low is None else gain.low) <= 0:
            return "a random sender does about as well through this stitch"
        return ""

    def _losses(self, which: str | Key) -> Float[np.ndarray, " d"]:
        own = {"receiver": self.receiver, "sender": self.sender}
        found = own[which] if isinstance(which, str) else self.stitched[which] if self.stitched else None
        if found is None:
            raise Undefined(f"there is no loss of {which if isinstance(which, str) else ' -> '.join(which)}: its head "
                            "predicts no next token, and no labels were given or it has other classes")
        return found

    @cached_property
    def _groups(self) -> Int[np.ndarray, " d"]:
        """The group of each document in the jackknife; -1 for one with nothing to predict."""
        rows = document_groups([self.documents[k] for k in np.repeat(np.arange(len(self.counts)), self.counts)])
        groups = np.full(len(self.counts), -1)
        groups[self.counts > 0] = rows[np.cumsum(self.counts)[self.counts > 0] - 1]
        return groups

    def _ratio(self, above: np.ndarray, below: np.ndarray) -> Scalar:
        """Sum over sum, with its jackknife interval, groups of whole documents left out; none below 8 documents."""
        if not self.counts.any():
            return Scalar.undefined("the held-out documents hold nothing to predict; give longer texts")
        value, has_any = float(above.sum() / below.sum()), self._groups >= 0
        tops, bottoms, sizes = (np.bincount(self._groups[has_any], part[has_any])
                                for part in (above, below, self.counts))
        left = bottoms.sum() - bottoms
        if (left <= 0).any():
            return Scalar(value=value)
        without = (tops.sum() - tops) / left
        try:
            low, high = jackknife_interval(value, without.__getitem__, sizes)
        except Undefined:
            return Scalar(value=value)
        return Scalar(value=value, low=low, high=high, replicates=Replicates(without, sizes))
