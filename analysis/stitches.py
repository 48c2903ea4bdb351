"""Stitches from the sites of one checkpoint into another: computed into the store, a record a site of the sender.

One run reads the texts to fit on once with each network, works out all maps in closed form, and then runs the
receiver's tail on held-out texts for every stitch and every baseline. What an interrupted run has written is kept.
Reading never computes (see stitch_views.py).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.checkpoints import activations
from analysis.checkpoints.fetching import Fetching
from analysis.checkpoints.folder import fingerprint
from analysis.errors import ExplorerError
from analysis.extraction.probes import Probe
from analysis.keys import Checkpoint, Run, digest
from analysis.representations import Report, silent
from analysis.store import Store

if TYPE_CHECKING:
    from analysis.checkpoints.load import Loaded
    from analysis.stitching.bench import Bench

KIND, VERSION = "stitches", 1
SCOPES = ("same", "all", "lens")
MAPS = ("affine", "ridge", "orthogonal", "reduced-rank")
FIRST = ("usual", "kept", "stitched", "fitted")
TOKENS = 8_192
ANEW = "re-initialised"
MOST_HELD = 2e9  # bytes of moments at once
USUAL_WIDTH = 1024
COPIES = 12      # of them: four parts of the texts for three senders


@dataclass(frozen=True)
class Question:
    """What is asked of a sender and a receiver.

    Parameters
    ----------
    pairs : `same` (each site into its namesake), `all` (every site into every site) or `lens` (every site of a model
        into its own last block: identity is the logit lens, affine the tuned lens)
    ranks : of the maps of reduced rank that are run, in sixteenths of the narrower width
    first : what is done with position 0: `usual` for the receiver, or a name of stitching.states.FIRST
    label : of the probe, that holds the class of an item, for heads that judge a whole text, image or sound
    tokens : at most so many held-out tokens are predicted, and four times as many are fitted on
    """

    probe: Probe
    dtype: str = "float32"
    pairs: str = "same"
    maps: tuple[str, ...] = MAPS
    ranks: tuple[int, ...] = (1, 4, 8, 12)
    first: str = "usual"
    label: str | None = None
    seed: int = 1
    tokens: int = TOKENS

    def __post_init__(self) -> None:
        for what, got, known in (("pairs", (self.pairs,), SCOPES), ("maps", self.maps, MAPS),
                                 ("position 0", (self.first,), FIRST)):
            for name in got:
                if name not in known:
                    raise ExplorerError(f"{name[:40]!r} is no choice of {what}; choose from {', '.join(known)}.")
        if not self.maps or self.tokens < 1 or self.seed < 1:
            raise ExplorerError(f"A stitch needs a map, 1 token or more and a seed from 1 on; got {len(self.maps)} "
                                f"maps, {self.tokens} tokens and seed {self.seed}.")

    @property
    def classes(self) -> list[str]:
        """The class of every item, which the identity of a probe leaves out."""
        return [text.labels.get(self.label or "", "") for text in self.probe.texts]

    def targets(self, source: str, receiver: Sequence[str]) -> list[str]:
        """The sites of the receiver that a site of the sender is stitched into."""
        if self.pairs == "lens":
            return [receiver[-2]] if source not in receiver[-2:] else []
        return list(receiver) if self.pairs == "all" else [site for site in receiver if site == source]


@dataclass(frozen=True)
class Ends:
    """Who sends to whom, and the untrained sender beside it: the run's own checkpoint of step 0, or None for a network
    of the sender's config with weights drawn anew."""

    sender: Checkpoint
    receiver: Checkpoint
    random: Checkpoint | None = None

    @property
    def untrained(self) -> str:
        return f"{self.random.run} {self.random.revision}" if self.random else f"{self.sender.run}, {ANEW}"

    def key(self, question: Question, part: str, pairs: str | None = None) -> str:
        """Digest of all that a record depends on; `part` is a site of the sender, or "" for the list of sites."""
        return digest({
            "version": VERSION, "part": part, "sender": self.sender.fingerprint, "receiver": self.receiver.fingerprint,
            "random": self.random.fingerprint if self.random else ANEW, "probe": question.probe.identity,
            "dtype": question.dtype, "pairs": pairs or question.pairs, "maps": sorted(question.maps),
            "ranks": list(question.ranks) if "reduced-rank" in question.maps else [], "first": question.first,
            "label": question.label and [question.label, question.classes], "seed": question.seed,
            "tokens": question.tokens})


def ends(run: Run, sender: Checkpoint, receiver: Checkpoint) -> Ends:
    """The sender's run says who its untrained sender is."""
    return Ends(sender, receiver, next((c for c in run.checkpoints if c.step == 0), None))


def compute(store: Store, of: Ends, question: Question, source: str | None = None, report: Report = silent,
            say: Callable[[str], None] = lambda sentence: None) -> int:
    """Compute what is missing for all sites of the sender, or for one; returns how many sites needed work."""
    _check(of, question)
    if not _missing(store, of, question, source):
        report(1, 1, "done")
        return 0
    with store.claimed(of.key(question, ""), wait=True, report=report), _opened(store, of, question, report) as bench:
        sites = _sites(bench)
        store.put_record(KIND, of.key(question, ""), sites, {})
        todo = _missing(store, of, question, source)
        targets = {site: question.targets(site, sites["receiver"]) for site in todo}
        for at, chunk in enumerate(chunks := _chunks(bench, todo, targets)):
            _measure(store, of, question, bench, chunk, targets, _within(report, at, len(chunks)), say)
    report(1, 1, "done")
    return len(todo)


def _measure(store: Store, of: Ends, question: Question, bench: "Bench", chunk: Sequence[str],
             targets: dict[str, list[str]], report: Report, say: Callable[[str], None]) -> None:
    from analysis.stitching.rows import written
    steps = len(chunk) + 1
    bench.gather([(i, j) for i in chunk for j in targets[i]], lambda done, total: report(
        done / max(total, 1), steps, f"moments of {len(chunk)} site(s), text {done} of {total}"))
    for number, site in enumerate(chunk, 1):
        def inner(done: int, total: int, at: int = number, name: str = site) -> None:
            report(at + done / max(total, 1), steps, f"{name} into {len(targets[name])} site(s) of the receiver")
        record, tensors = written(bench.measure(site, targets[site], inner))
        store.put_record(KIND, of.key(question, site), record, tensors)
        say(f"{of.sender.run} {of.sender.revision}, {site}: {len(record['rows'])} stitches into "
            f"{of.receiver.run} {of.receiver.revision}")


def _check(of: Ends, question: Question) -> None:
    rows = [c.run for c in (of.sender, of.receiver) if c.path.startswith(activations.PREFIX)]
    if rows:
        raise ExplorerError(f"{rows[0]} came as rows, without a model, so there is no tail to run; choose a run of "
                            "checkpoints.")
    if question.pairs == "lens" and of.sender.fingerprint != of.receiver.fingerprint:
        raise ExplorerError("A lens reads a model's own sites with its own head, and two models were given; give one "
                            "checkpoint twice, or --pairs all.")


def _missing(store: Store, of: Ends, question: Question, source: str | None) -> list[str]:
    """Sites of the sender without a record, in order; all of them, as "", where not even the sites are known."""
    known = store.get_record(KIND, of.key(question, ""))
    if known is None:
        return [""]
    sites = known[0]["sender"]
    if source is not None and source not in sites:
        raise ExplorerError(f"{of.sender.run} {of.sender.revision} has no site {source[:40]!r}; it has "
                            f"{', '.join(sites)}.")
    return [site for site in sites if source in (None, site)
            and question.targets(site, known[0]["receiver"])
            and store.get_record(KIND, of.key(question, site)) is None]


def _sites(bench: "Bench") -> dict[str, Any]:
    from analysis.stitching.tail import sites_of
    return {"sender": sites_of(bench.networks["sender"]), "receiver": sites_of(bench.receiver)}


def _chunks(bench: "Bench", sources: Sequence[str], targets: dict[str, list[str]]) -> list[list[str]]:
    """The sites of the sender whose moments are held at the same time."""
    p, q = (getattr(network.base.config, "hidden_size", None) or USUAL_WIDTH
            for network in (bench.networks["sender"], bench.receiver))
    each = max(8 * COPIES * (p * p + len(targets[site]) * p * q) for site in sources) if sources else 1
    at_once = max(1, int(MOST_HELD // each))
    return [list(sources[start:start + at_once]) for start in range(0, len(sources), at_once)]


@contextmanager
def _opened(store: Store, of: Ends, question: Question, report: Report) -> "Iterator[Bench]":
    """The networks, each loaded once, and the texts in their parts."""
    from analysis.extraction.forward import OUT_OF_MEMORY  # torch is loaded only when weights are needed
    from analysis.stitching.behaviour import class_numbers
    from analysis.stitching.bench import Bench, Texts
    from analysis.stitching.states import usual_first
    from analysis.stitching.untrained import untrained
    wanted = {c.fingerprint: c for c in (of.sender, of.receiver, of.random) if c is not None}
    with ExitStack() as stack:
        fetching = stack.enter_context(Fetching(store.downloads, list(wanted.values())))
        loaded = {known: _loaded(stack, fetching, c, question, report) for known, c in wanted.items()}
        sender, receiver = loaded[of.sender.fingerprint], loaded[of.receiver.fingerprint]
        random = loaded[of.random.fingerprint] if of.random else untrained(sender, question.seed)
        labels = class_numbers(receiver, question.probe, question.label) if question.label else None
        try:
            yield Bench({"sender": sender, "random": random, "self": receiver}, receiver,
                        Texts.of(receiver, question.probe, question.tokens, question.seed), question.maps,
                        question.ranks, usual_first(receiver) if question.first == "usual" else question.first,
                        question.seed, labels)
        except OUT_OF_MEMORY as error:
            raise ExplorerError("The memory of the card ran out for three networks at once; use a larger card or "
                                "--dtype bfloat16.") from error


def _loaded(stack: ExitStack, fetching: Fetching, checkpoint: Checkpoint, question: Question,
            report: Report) -> "Loaded":
    from analysis.checkpoints.loader import Loader
    folder = stack.enter_context(fetching.at(checkpoint, report))
    report(0, 1, f"loading {checkpoint.run} {checkpoint.revision}")
    found = Loader(question.dtype).load(Path(folder))
    if not checkpoint.source and fingerprint(folder) != checkpoint.fingerprint:
        raise ExplorerError(f"{folder} was written anew since this run was opened; start again when it is finished.")
    return found


def _within(report: Report, at: int, count: int) -> Report:
    """Progress of one part as a share of all of them."""
    return lambda done, total, message: report(at + done / total, count, message)


def trained_key(of: Ends, question: Question, pair: tuple[str, str]) -> str:
    """Of the record of a stitch that was trained; what is asked about other pairs and maps does not matter."""
    return of.key(replace(question, maps=("affine",)), f"{pair[0]} -> {pair[1]}", "trained")


def train(store: Store, of: Ends, question: Question, pair: tuple[str, str], report: Report = silent) -> bool:
    """Train one stitch on the task, from the affine map on, unless that is stored; returns whether it needed work."""
    key = trained_key(of, question, pair)
    _check(of, question)
    if store.get_record(KIND, key) is not None:
        return False
    with store.claimed(key, wait=True, report=report), _opened(store, of, question, report) as bench:
        from analysis.stitching.rows import trained
        known = _sites(bench)
        for side, site in zip(("sender", "receiver"), pair, strict=True):
            if site not in known[side]:
                raise ExplorerError(f"The {side} has no site {site[:40]!r}; it has {', '.join(known[side])}.")
        record, tensors = trained(bench, pair, report)
        store.put_record(KIND, key, record, tensors)
    report(1, 1, "done")
    return True
