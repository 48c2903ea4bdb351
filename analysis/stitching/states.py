"""States of every real token at chosen sites of a sender and a receiver that read the same texts, and their moments."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from analysis.checkpoints.load import Loaded
from analysis.errors import ExplorerError
from analysis.extraction.inputs import Batch, feed
from analysis.extraction.probes import Probe
from analysis.extraction.sites import listening, verify
from analysis.inference.shares import drawn
from analysis.stitching.tail import CAUSAL_HEADS, Inputs, little, sites_of

BATCH_TOKENS = 4096
FIRST = {
    "kept": "position 0 is not in the fit and keeps the receiver's own state; no prediction is made from it",
    "stitched": "position 0 is not in the fit and is stitched",
    "fitted": "position 0 is in the fit and is stitched",
}
LEAST_DOCUMENTS = 2

Pair = tuple[str, str]  # site of the sender, site of the receiver
Progress = Callable[[int, int], None]


def silent(done: int, total: int) -> None: ...


@dataclass(frozen=True)
class Fit:
    """Moments of (sender's rows, receiver's rows) for each pair of sites; `shuffled` with the sender's rows in another
    order, so that they tell nothing of the receiver's."""

    paired: dict[Pair, Any] = field(default_factory=dict)
    shuffled: dict[Pair, Any] = field(default_factory=dict)


def usual_first(receiver: Loaded) -> str:
    """What is done with position 0 unless said otherwise: of a causal model it is an outlier that belongs to no text;
    of others it may be the class token that everything is read from."""
    return "kept" if type(receiver.model).__name__.endswith(CAUSAL_HEADS) else "fitted"


def split(probe: Probe, seed: int = 1, eighths: int = 4) -> tuple[Probe, Probe]:
    """The probe in two, by document: so many eighths of the documents to fit on, and the others, held out.

    `seed` counts from 1. The same documents whatever the models are.
    """
    chosen = drawn([text.document for text in probe.texts], eighths, seed)
    parts = tuple(replace(probe, texts=tuple(text for text, fits in zip(probe.texts, chosen, strict=True)
                                             if fits == wanted)) for wanted in (True, False))
    fewest = min(len({text.document for text in part.texts}) for part in parts)
    if fewest < LEAST_DOCUMENTS:
        raise ExplorerError(f"The probe {probe.name} leaves {fewest} document(s) on one side of the split by document "
                            f"and at least {LEAST_DOCUMENTS} are needed to fit on and to hold out; give a probe of 8 "
                            "documents or more.")
    return parts[0], parts[1]


def limited(loaded: Loaded, probe: Probe, most: int, seed: int = 1) -> Probe:
    """As many whole texts, in a random order, as hold at most so many tokens (items, of images and sounds); at least
    one text."""
    lengths = np.asarray(feed(loaded, probe, BATCH_TOKENS).lengths or [1] * len(probe.texts))
    order = np.random.default_rng(seed).permutation(len(lengths))
    fitting = np.maximum(1, np.searchsorted(np.cumsum(lengths[order]), most, side="right"))
    return replace(probe, texts=tuple(probe.texts[index] for index in sorted(order[:fitting])))


def batches(sender: Loaded, receiver: Loaded, probe: Probe,
            batch_tokens: int = BATCH_TOKENS) -> Iterator[tuple[Batch, Batch]]:
    """The same items in the same batches for both, each with its own network's input, texts cut to the shorter context.

    Raises ExplorerError where the two read different tokens, or the sites of one cannot be heard.
    """
    context = min(sender.context, receiver.context)
    both = [feed(replace(loaded, context=context), probe, batch_tokens) for loaded in (sender, receiver)]
    pairs = zip(*(one.batches for one in both), strict=True) if sender is not receiver else \
        ((batch, batch) for batch in both[0].batches)
    _same_lengths(probe, both[0].lengths, both[1].lengths)
    for number, (a, b) in enumerate(pairs):
        if "input_ids" in a.inputs and not torch.equal(a.inputs["input_ids"], b.inputs["input_ids"]):
            row, at = (a.inputs["input_ids"] != b.inputs["input_ids"]).nonzero()[0].tolist()
            raise _other_tokens(probe.texts[a.items[row]].id, *(f"token {batch.inputs['input_ids'][row, at]} at "
                                                                f"position {at}" for batch in (a, b)))
        for loaded, batch in ((sender, a), (receiver, b))[:0 if number else 2]:
            verify(loaded.base, loaded.blocks, little(loaded, on_device(loaded, batch)))
        yield a, b


def _same_lengths(probe: Probe, sender: list[int] | None, receiver: list[int] | None) -> None:
    for text, a, b in zip(probe.texts, sender or [], receiver or [], strict=False):
        if a != b:
            raise _other_tokens(text.id, f"{a} tokens", f"{b}")


def _other_tokens(text: str, sender: str, receiver: str) -> ExplorerError:
    return ExplorerError(f"The text {text!r} is {sender} for the sender and {receiver} for the receiver. Stitching "
                         "puts a state at the same token of both, so choose two models with the same tokenizer, such "
                         "as checkpoints of one run.")


def on_device(loaded: Loaded, batch: Batch) -> Inputs:
    return {name: tensor.to(loaded.base.device) for name, tensor in batch.inputs.items()}


def states(loaded: Loaded, inputs: Inputs, sites: Collection[str]) -> dict[str, torch.Tensor]:
    """All positions of the chosen sites for one batch; the pass ends at the last of them."""
    unknown = set(sites) - set(sites_of(loaded))
    if unknown:
        raise ExplorerError(f"{type(loaded.base).__name__} has no site {min(unknown)[:40]!r}; its sites are embedding, "
                            f"block 1 to block {loaded.blocks}, and final.")
    found: dict[str, torch.Tensor] = {}

    def take(site: str, hidden: torch.Tensor) -> None:
        if site in sites:
            found[site] = hidden
        if len(found) == len(set(sites)):
            raise _Enough

    no_cache = {"use_cache": False} if hasattr(loaded.base.config, "use_cache") else {}
    try:
        with listening(loaded.base, loaded.blocks, take):
            loaded.base(**inputs, **no_cache)
    except _Enough:
        pass
    return found


class _Enough(Exception):
    """Every site that is wanted was heard."""


def stitched_at(mask: torch.Tensor, first: str) -> torch.Tensor:
    """Which positions (item x position) take a mapped state: the real ones, without position 0 where that is kept."""
    if first not in FIRST:
        raise ExplorerError(f"Position 0 can be {', '.join(FIRST)}, and {first[:40]!r} was asked for.")
    return _real(mask, first != "kept")


def _real(mask: torch.Tensor, with_first: bool) -> torch.Tensor:
    real = mask.bool().clone()
    real[:, 0] &= with_first
    return real


def same_positions(sender: torch.Tensor, receiver: torch.Tensor) -> None:
    """Raises ExplorerError where two states (item x position x width) do not stand at the same positions."""
    if sender.shape[:2] != receiver.shape[:2]:
        raise ExplorerError(f"The sender has {sender.shape[1]} positions for an item and the receiver "
                            f"{receiver.shape[1]}; stitching puts a state at the same position of both, so choose two "
                            "models that cut their input alike.")


def moments(sender: Loaded, receiver: Loaded, probe: Probe, pairs: Sequence[Pair], kind: Any, *, first: str = "kept",
            shuffled: Sequence[Pair] = (), seed: int = 1, batch_tokens: int = BATCH_TOKENS,
            progress: Progress = silent) -> Fit:
    """Moments of all pairs of sites from one pass of the sender and one of the receiver over a probe.

    Parameters
    ----------
    kind : has `of(x, y)` for rows x (n x p) and y (n x q), and what it gives can be added
    first : what is done with position 0 (see FIRST)
    shuffled : pairs of which the moments of shuffled rows are wanted too: within a batch, by `seed`
    """
    stitched_at(torch.ones(1, 1), first)  # the name is checked before any work
    rng, fit, done = np.random.default_rng(seed), Fit(), 0
    asked = [sorted({pair[side] for pair in (*pairs, *shuffled)}) for side in (0, 1)]
    for a, b in batches(sender, receiver, probe, batch_tokens):
        xs, ys = rows_of(sender, receiver, a, b, asked, first)
        order = rng.permutation(len(next(iter(xs.values()))))
        for into, wanted, which in ((fit.paired, pairs, slice(None)), (fit.shuffled, shuffled, order)):
            for i, j in wanted:
                if len(order):
                    more = kind.of(xs[i][which], ys[j])
                    into[i, j] = into[i, j] + more if (i, j) in into else more
        done += len(a.items)
        progress(done, len(probe.texts))
    return fit


@torch.inference_mode()
def rows_of(sender: Loaded, receiver: Loaded, a: Batch, b: Batch, asked: list[list[str]],
            first: str) -> list[dict[str, np.ndarray]]:
    """Rows that enter the fit at each site, of the sender and of the receiver."""
    if sender is receiver:
        heard = [states(sender, on_device(sender, a), {*asked[0], *asked[1]})] * 2
    else:
        heard = [states(loaded, on_device(loaded, batch), sites)
                 for loaded, batch, sites in ((sender, a, asked[0]), (receiver, b, asked[1]))]
    some = [heard[side][asked[side][0]] for side in (0, 1)]
    same_positions(*some)
    real = _real(b.mask(some[1]), first == "fitted")
    return [{site: heard[side][site][real.to(heard[side][site].device)].float().cpu().numpy() for site in asked[side]}
            for side in (0, 1)]
