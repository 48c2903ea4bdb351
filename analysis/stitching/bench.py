"""Every stitch from a site of a sender, with the baselines it is read beside: an untrained sender, the receiver as its
own sender, identity, mean ablation and shuffled rows. All of them on the same texts and with the same maps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from analysis import linear_maps
from analysis.checkpoints.load import Loaded
from analysis.cross_moments import CrossMoments
from analysis.errors import Undefined
from analysis.extraction.probes import Probe
from analysis.site_moments import Pair, SiteMoments
from analysis.stitching.behaviour import Stitch, evaluate
from analysis.stitching.outcome import Behaviour
from analysis.stitching.states import FIRST, Progress, batches, limited, rows_of, silent, split
from analysis.stitching.tail import sites_of

FIT_TIMES, CHOOSING = 4, 4  # tokens to fit on for each held out; one document of so many chooses the penalty of ridge
ROLES = ("sender", "random", "self")
RANK_PARTS = 16  # of the narrower width, that the ranks to run are counted in
WHOLE = 10**12  # tokens: the held-out texts are cut to size before


@dataclass(frozen=True)
class Texts:
    """Documents to fit on, those among them that choose the penalty of ridge, and held-out ones."""

    fit: Probe
    choose: Probe
    held: Probe

    @staticmethod
    def of(receiver: Loaded, probe: Probe, most: int, seed: int) -> "Texts":
        whole, held = split(probe, seed)
        whole, held = limited(receiver, whole, FIT_TIMES * most, seed), limited(receiver, held, most, seed)
        names = np.unique([text.document for text in whole.texts])
        few = set(np.random.default_rng(seed).permutation(names)[:max(1, len(names) // CHOOSING)].tolist())
        parts = [tuple(text for text in whole.texts if (text.document in few) == wanted) for wanted in (False, True)]
        if not parts[0]:  # one document reached the cap
            parts = [whole.texts[::2], whole.texts[1::2] or whole.texts]
        return Texts(replace(whole, texts=parts[0]), replace(whole, texts=parts[1]), held)

    @property
    def facts(self) -> dict[str, int]:
        fitted = {text.document for text in (*self.fit.texts, *self.choose.texts)}
        return {"documents_fit": len(fitted), "documents_held": len({text.document for text in self.held.texts})}


@dataclass(frozen=True, eq=False)
class Gathered:
    """Moments of one sender with the receiver: of the texts to fit on, of those that choose, and of held-out ones."""

    fit: SiteMoments
    choose: SiteMoments
    whole: SiteMoments
    held: SiteMoments
    shuffled: SiteMoments


@dataclass(frozen=True)
class Bench:
    """The networks that meet, loaded, and what is asked of them."""

    networks: Mapping[str, Loaded]  # by role; the same one under two names where it is the same checkpoint
    receiver: Loaded
    texts: Texts
    maps: Sequence[str]
    ranks: Sequence[int]
    first: str
    seed: int
    labels: Mapping[str, int] | None = None
    gathered: dict[str, Gathered] = field(default_factory=dict)

    def gather(self, pairs: Sequence[Pair], progress: Progress = silent) -> None:
        """The moments of all pairs, from one pass over the texts of every network with the receiver."""
        self.gathered.clear()
        distinct = {id(self.networks[role]): role for role in reversed(ROLES)}
        for number, role in enumerate(distinct.values()):
            network = self.networks[role]
            own = [pair for pair in pairs if pair[0] in sites_of(network)]
            if own:
                self.gathered[role] = self._gather(network, own, _share(progress, number, len(distinct)))
        for role, network in self.networks.items():
            known = distinct[id(network)]
            if known in self.gathered:
                self.gathered[role] = self.gathered[known]

    def _gather(self, network: Loaded, pairs: Sequence[Pair], progress: Progress) -> Gathered:
        parts = (self.texts.fit, self.texts.choose, self.texts.held)
        total, found, mixed, before = sum(len(part.texts) for part in parts), [], [], 0
        for part in parts:
            def inner(done: int, of: int, start: int = before) -> None:
                progress(start + done, total)
            straight, shuffled = site_moments(network, self.receiver, part, pairs, self.first, self.seed, inner)
            found.append(straight)
            mixed.append(shuffled)
            before += len(part.texts)
        return Gathered(found[0], found[1], found[0] + found[1], found[2], mixed[0] + mixed[1])

    def measure(self, source: str, targets: Sequence[str], progress: Progress = silent) -> "Measured":
        """Behaviour of every stitch from one site, of the sender and of those it is read beside."""
        stitches, outcomes = dict[str, list[Stitch]](), dict[str, Behaviour]()
        for number, role in enumerate(ROLES):
            if role not in self.gathered or source not in sites_of(self.networks[role]):
                continue
            same = next((known for known in outcomes if self.networks[known] is self.networks[role]), None)
            stitches[role] = self._stitches(role, source, targets)
            if same is not None and role != "sender":
                outcomes[role] = outcomes[same]
                continue
            outcomes[role] = evaluate(
                self.networks[role], self.receiver, self.texts.held, stitches[role], first=self.first,
                labels=self.labels, most=WHOLE, seed=self.seed, progress=_share(progress, number, len(ROLES)))
        return Measured(self, source, tuple(targets), stitches, outcomes)

    def _stitches(self, role: str, source: str, targets: Sequence[str]) -> list[Stitch]:
        """What is run of one sender: all maps, and of the sender itself the shuffled fit too. Every role has mean
        ablation, the zero of what is recovered."""
        found: list[Stitch] = []
        for target in targets:
            pair = source, target
            of = self.gathered[role].whole.pair(pair)
            maps = {name: fitted for name, fitted in self.fitted(role, pair).items()
                    if role != "self" or not name.startswith(("reduced", "identity"))}
            found += [Stitch(*pair, name, fitted) for name, fitted in maps.items()]
            found.append(Stitch(*pair, "mean", linear_maps.mean(of)))
            if role == "sender":
                mixed = linear_maps.affine(self.gathered[role].shuffled.pair(pair))
                found.append(Stitch(*pair, "shuffled", mixed))
        return found

    def fitted(self, role: str, pair: Pair) -> dict[str, linear_maps.LinearMap]:
        """The maps that are asked for, by the name they have in a record, and identity where it exists."""
        known = self.gathered[role]
        of, found = known.whole.pair(pair), dict[str, linear_maps.LinearMap]()
        if "affine" in self.maps:
            found["affine"] = linear_maps.affine(of)
        if "ridge" in self.maps:
            curve = linear_maps.ridge_curve(known.fit.pair(pair), known.choose.pair(pair))
            relative = curve.relative[np.argmax(curve.held_out_r2)]
            found["ridge"] = linear_maps.ridge(of, float(relative * of.totals[0] / of.p))
        if "orthogonal" in self.maps:
            found["orthogonal"] = linear_maps.orthogonal(of)
        if "reduced-rank" in self.maps:
            ranks = {max(1, share * min(of.p, of.q) // RANK_PARTS) for share in self.ranks}
            found |= {f"reduced rank {rank}": linear_maps.reduced_rank(of, rank) for rank in sorted(ranks)}
        if of.p == of.q:
            found["identity"] = linear_maps.identity(of)
        return found


@dataclass(frozen=True, eq=False)
class Measured:
    """What one site of a sender came to, before it is written down (see `rows.py`)."""

    bench: Bench
    source: str
    targets: tuple[str, ...]
    stitches: dict[str, list[Stitch]]
    outcomes: dict[str, Behaviour]

    def moments(self, role: str, pair: Pair) -> tuple[CrossMoments, CrossMoments]:
        """Those the maps were fitted on, and held-out ones."""
        return self.bench.gathered[role].whole.pair(pair), self.bench.gathered[role].held.pair(pair)

    def curve(self, target: str) -> np.ndarray | None:
        """Held-out R2 at every rank from 0; None where the target does not vary."""
        try:
            return linear_maps.rank_curve(*self.moments("sender", (self.source, target))).held_out_r2
        except Undefined:
            return None

    @property
    def facts(self) -> dict[str, Any]:
        found = self.outcomes["sender"]
        return {"kind": found.kind, "first": found.first, "first_rule": FIRST[found.first],
                "n": self.bench.gathered["sender"].whole.n, "predictions": int(found.counts.sum()),
                **self.bench.texts.facts}


def site_moments(sender: Loaded, receiver: Loaded, probe: Probe, pairs: Sequence[Pair], first: str, seed: int,
                 progress: Progress = silent) -> tuple[SiteMoments, SiteMoments]:
    """Moments of all pairs from one pass of each network, and with the sender's rows of a batch in another order."""
    rng, found, done = np.random.default_rng(seed), list[tuple[SiteMoments, SiteMoments]](), 0
    asked = [sorted({pair[side] for pair in pairs}) for side in (0, 1)]
    for a, b in batches(sender, receiver, probe):
        xs, ys = rows_of(sender, receiver, a, b, asked, first)
        order = rng.permutation(len(next(iter(xs.values()))))
        if len(order):
            mixed = {site: rows[order] for site, rows in xs.items()}
            both = SiteMoments.of(xs, ys, pairs), SiteMoments.of(mixed, ys, pairs)
            found = [(found[0][0] + both[0], found[0][1] + both[1])] if found else [both]
        done += len(a.items)
        progress(done, len(probe.texts))
    if not found:
        raise Undefined("the texts hold no position to fit a map on; give longer texts")
    return found[0]


def _share(progress: Progress, at: int, count: int) -> Progress:
    """Progress of one part of several of like size."""
    return lambda done, total: progress(at * total + done, count * total)
