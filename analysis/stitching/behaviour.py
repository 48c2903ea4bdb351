"""What a receiver predicts from a sender's mapped states, beside what it predicts from its own: loss and agreement."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch

from analysis.checkpoints.load import Loaded
from analysis.errors import ExplorerError
from analysis.extraction.forward import LOGITS_AT_ONCE
from analysis.extraction.inputs import Batch
from analysis.extraction.probes import Probe
from analysis.linear_maps import LinearMap, affine, identity, mean
from analysis.stitching.outcome import Behaviour, Key
from analysis.stitching.states import (
    BATCH_TOKENS,
    Fit,
    Pair,
    Progress,
    batches,
    limited,
    on_device,
    same_positions,
    silent,
    stitched_at,
    usual_first,
)
from analysis.stitching.tail import Inputs, Pass, checked_kind, head_kind, item_logits, resume, run, token_logits

MOST_TOKENS = 32_768
CARD_SHARE = 64  # a card is given so many times the logits at once


@dataclass(frozen=True)
class Stitch:
    """A map from a site of the sender to a site of the receiver. The last block of the receiver makes it a lens:
    identity from block i is the logit lens, an affine map the tuned lens."""

    source: str
    target: str
    name: str
    map: LinearMap = field(compare=False, repr=False)

    @property
    def key(self) -> Key:
        return self.source, self.target, self.name


def baselines(fit: Fit, pair: Pair) -> list[Stitch]:
    """The stitches that any other has to be read beside: identity (of equal widths), mean ablation, and least squares
    on shuffled rows where the fit has them. Self-stitches come from evaluating the receiver as its own sender."""
    of = fit.paired[pair]
    maps = ([identity(of)] if of.p == of.q else []) + [mean(of)]
    shuffled = [Stitch(*pair, "shuffled", affine(fit.shuffled[pair]))] if pair in fit.shuffled else []
    return [Stitch(*pair, found.kind, found) for found in maps] + shuffled


@dataclass(frozen=True)
class Asked:
    """What is predicted in a batch: from which positions, the right answers, and the document of each prediction."""

    at: torch.Tensor
    targets: torch.Tensor | None
    documents: np.ndarray


@torch.inference_mode()
def evaluate(sender: Loaded, receiver: Loaded, probe: Probe, stitches: Sequence[Stitch], *, first: str | None = None,
             labels: Mapping[str, int] | None = None, most: int = MOST_TOKENS, seed: int = 1,
             batch_tokens: int = BATCH_TOKENS, progress: Progress = silent) -> Behaviour:
    """Sender, receiver and every stitch on held-out texts: one pass of each network, and one tail a stitch.

    Parameters
    ----------
    probe : held-out documents, none of which a map was fitted on (see `states.split`)
    first : what is done with position 0 (see `states.FIRST`); None for what is usual for the receiver
    labels : class number of each text (image, sound) by its id, for heads that judge a whole item
    most, seed : at most so many tokens (items) of the probe, whole texts drawn at random
    """
    first = first or usual_first(receiver)
    probe = limited(receiver, probe, most, seed)
    documents = np.unique([text.document for text in probe.texts])
    sums, done = _Sums(documents), 0
    maps = {stitch: _tensors(stitch, receiver) for stitch in stitches}
    for a, b in batches(sender, receiver, probe, batch_tokens):
        inputs = on_device(sender, a), on_device(receiver, b)
        if not done:
            kinds = head_kind(sender, inputs[0]), checked_kind(receiver, inputs[1])
        own_a, own_b = _passes(sender, receiver, inputs, stitches)
        at = stitched_at(b.mask(own_b.output.last_hidden_state), first)
        asked = asked_of(kinds[1], b, at, probe, labels)
        found = _score(receiver, kinds[1], inputs[1], own_b.output, asked)
        sums.add("receiver", asked, *found)
        if kinds[0] == kinds[1]:
            sums.add("sender", asked, *(found if own_a is own_b else
                                        _score(sender, kinds[0], inputs[0], own_a.output, asked)))
        for stitch, fitted in maps.items():
            states = mapped(own_a.states[stitch.source], *fitted, own_b.states[stitch.target], at)
            output = resume(receiver, inputs[1], stitch.target, states, own_b)
            sums.add(stitch.key, asked, *_score(receiver, kinds[1], inputs[1], output, asked), found[1])
        done += len(a.items)
        progress(done, len(probe.texts))
    return sums.result(kinds[1], first)


def _passes(sender: Loaded, receiver: Loaded, inputs: tuple[Inputs, Inputs],
            stitches: Sequence[Stitch]) -> tuple[Pass, Pass]:
    """Both networks' own passes with the sites that stitches lead from and to; one pass where they are one network."""
    sources, targets = [stitch.source for stitch in stitches], [stitch.target for stitch in stitches]
    if sender is receiver:
        both = run(receiver, inputs[1], [*sources, *targets])
        return both, both
    return run(sender, inputs[0], sources), run(receiver, inputs[1], targets)


def class_numbers(receiver: Loaded, probe: Probe, label: str) -> dict[str, int]:
    """Class number of each text by its id, from a label of the probe that holds the head's class names or numbers."""
    classes = receiver.model.config.label2id
    found = {}
    for text in probe.texts:
        value = text.labels.get(label, "")
        number = classes.get(value, int(value) if value.isdecimal() else -1)
        if not 0 <= number < len(classes):
            raise ExplorerError(f"{text.id!r} has {value[:40]!r} as {label}, and the classes of the head are "
                                f"{', '.join(map(str, list(classes)[:4]))} (0 to {len(classes) - 1}); choose another "
                                "label or mend the probe.")
        found[text.id] = number
    return found


def _tensors(stitch: Stitch, receiver: Loaded) -> tuple[torch.Tensor, torch.Tensor]:
    weight, bias = (torch.as_tensor(np.asarray(part, dtype=np.float32), device=receiver.base.device)
                    for part in (stitch.map.weight, stitch.map.bias))
    return weight, bias


def mapped(states: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, own: torch.Tensor,
           at: torch.Tensor) -> torch.Tensor:
    """h W + b in single precision where positions are stitched, and the receiver's own states elsewhere."""
    if (states.shape[-1], own.shape[-1]) != tuple(weight.shape):
        raise ExplorerError(f"A map of {weight.shape[0]} x {weight.shape[1]} was given, and the sender's states are "
                            f"{states.shape[-1]} wide and the receiver's {own.shape[-1]}; fit the map at these sites.")
    same_positions(states, own)
    there = states.to(weight.device).float() @ weight + bias
    return torch.where(at.to(own.device)[..., None], there.to(own.device, own.dtype), own)


def asked_of(kind: str, batch: Batch, at: torch.Tensor, probe: Probe, labels: Mapping[str, int] | None) -> Asked:
    """Predictions made from stitched positions alone: a position that keeps its own state would only dilute them."""
    documents = np.array([probe.texts[index].document for index in batch.items])
    if kind == "item":
        unknown = [probe.texts[index].id for index in batch.items if labels and probe.texts[index].id not in labels]
        if unknown:
            raise ExplorerError(f"{unknown[0]!r} of the probe has no class among the {len(labels or ())} labels that "
                                "were given; label every item, or give none and compare agreement.")
        targets = torch.tensor([labels[probe.texts[index].id] for index in batch.items]) if labels else None
        return Asked(torch.ones(len(documents), dtype=torch.bool), targets, documents)
    if kind == "causal":
        at = at[:, :-1] & batch.inputs["attention_mask"][:, 1:].bool()
        return Asked(at, batch.inputs["input_ids"][:, 1:][at], documents[at.nonzero()[:, 0].cpu().numpy()])
    return Asked(at, None, documents[at.nonzero()[:, 0].cpu().numpy()])


def logits_of(loaded: Loaded, kind: str, inputs: Inputs, output: Any, at: torch.Tensor) -> list[Callable[[], Any]]:
    """Logits of the asked predictions, a part at a time, so that a wide vocabulary is never held for a whole batch."""
    if kind == "item":
        return [partial(item_logits, loaded, inputs, output)]
    states = output.last_hidden_state[:, :at.shape[1]][at.to(output.last_hidden_state.device)]
    width = max(getattr(loaded.model.config, "vocab_size", 0) or 0, 2)
    at_once = max(1, LOGITS_AT_ONCE * (CARD_SHARE if states.is_cuda else 1) // width)
    return [partial(token_logits, loaded, part) for part in states.split(at_once) if len(part)]


def _score(loaded: Loaded, kind: str, inputs: Inputs, output: Any,
           asked: Asked) -> tuple[np.ndarray | None, np.ndarray]:
    """Loss (where there is a right answer) and first choice of every asked prediction."""
    losses, choices, start = [], [], 0
    for part in logits_of(loaded, kind, inputs, output, asked.at):
        logits = part()
        choices.append(logits.argmax(-1).cpu())
        if asked.targets is not None:
            right = asked.targets[start:start + len(logits)].to(logits.device)
            losses.append(torch.nn.functional.cross_entropy(logits.float(), right, reduction="none").cpu())
            start += len(logits)
    none = torch.empty(0)
    return (torch.cat([none, *losses]).double().numpy() if asked.targets is not None else None,
            torch.cat([none.long(), *choices]).numpy())


class _Sums:
    """Losses and agreement of each document, added up batch by batch."""

    def __init__(self, documents: np.ndarray):
        self.documents = documents
        self.counts = np.zeros(len(documents), dtype=int)
        self.losses: dict[str | Key, np.ndarray] = {}
        self.agreeing: dict[Key, np.ndarray] = {}

    def add(self, which: str | Key, asked: Asked, losses: np.ndarray | None, choices: np.ndarray,
            wanted: np.ndarray | None = None) -> None:
        of = np.searchsorted(self.documents, asked.documents)
        if which == "receiver":
            self.counts += np.bincount(of, minlength=len(self.counts))
        if losses is not None:
            self.losses[which] = self.losses.get(which, 0) + np.bincount(of, losses, len(self.counts))
        if wanted is not None and not isinstance(which, str):
            agrees = np.bincount(of, choices == wanted, len(self.counts))
            self.agreeing[which] = self.agreeing.get(which, 0) + agrees

    def result(self, kind: str, first: str) -> Behaviour:
        stitched = {which: sums for which, sums in self.losses.items() if not isinstance(which, str)}
        return Behaviour(tuple(self.documents.tolist()), self.counts, kind, first, self.losses.get("receiver"),
                         self.losses.get("sender"), stitched, self.agreeing)
