"""One forward pass over a probe: the chosen rows of every site, and the model's loss."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any
from weakref import WeakSet

import numpy as np
import torch

from analysis.checkpoints.load import Loaded
from analysis.errors import ExplorerError
from analysis.extraction.inputs import Batch, Feed, feed
from analysis.extraction.probes import Probe
from analysis.extraction.sites import listening, verify
from analysis.keys import Policy
from analysis.store import Representation

BATCH_TOKENS = 8192
LOSS_TOKENS, LEAST_LOSS_TOKENS, LOSS_SHARE = 32_768, 1_024, 0.02
LOGITS_AT_ONCE = 1_000_000
FEW_TOKENS = 16
OUT_OF_MEMORY = torch.OutOfMemoryError  # of a card; for callers that load no torch of their own
MIN_ROWS = 4
CAUSAL_HEADS = ("CausalLM", "LMHeadModel")

Progress = Callable[[int, int], None]

_verified: WeakSet[torch.nn.Module] = WeakSet()


class _Rows:
    """Takes the rows of a policy out of each site as the forward pass reaches it; nothing else of a site is kept.

    Rows go straight to their place in one array a site, in the order of the probe: small pieces kept between the large
    ones that come and go would hold far more memory than they fill.
    """

    def __init__(self, probe: Probe, policy: Policy, fed: Feed):
        self.probe, self.policy, self.words = probe, policy, fed.words
        self.sites: dict[str, np.ndarray] = {}
        self.ids: dict[int, list[str]] = {}
        taken = [len(self._positions(index, length)) for index, length in enumerate(fed.lengths or [])]
        counts = taken if policy.kind in ("every", "words") else [min(1, count) for count in taken]
        self.starts = dict(enumerate(np.cumsum([0, *counts]).tolist()[:-1]))
        self.count = sum(counts)  # where only the network knows lengths, as many as have come
        self.batch = Batch([], {})
        self.where = self.weight = torch.empty(0)
        self.places = np.empty(0, dtype=int)

    def take(self, site: str, hidden: torch.Tensor) -> None:
        if site == "embedding":
            self._plan(self.batch.mask(hidden), hidden.device)
        if self.policy.kind == "mean":
            weight = self.weight.to(hidden.device)
            rows = torch.bmm(weight[:, None], hidden.float())[:, 0][weight.sum(1) > 0]
        else:
            where = self.where.to(hidden.device)
            rows = hidden[where[0], where[1]].float()
        taken = rows.cpu().numpy()
        if not np.isfinite(taken).all():
            first, last = (self.probe.texts[self.batch.items[end]].id for end in (0, -1))
            raise ExplorerError(f"The forward pass gives NaN or infinite values at site {site}, first in texts "
                                f"{first!r} to {last!r}; the weights overflow in this precision.")
        self._room(site, hidden.shape[-1])[self.places] = taken

    def _room(self, site: str, width: int) -> np.ndarray:
        had = self.sites.setdefault(site, np.empty((self.count, width), np.float32))
        if len(had) < self.count:
            more = max(self.count - len(had), len(had))
            self.sites[site] = np.concatenate([had, np.empty((more, width), np.float32)])
        return self.sites[site]

    def _plan(self, mask: torch.Tensor, device: torch.device) -> None:
        """Which positions of this batch become rows, or with which weight they enter the mean that does."""
        positions = [self._positions(index, int(length))
                     for index, length in zip(self.batch.items, mask.sum(1), strict=True)]
        if self.policy.kind == "mean":
            weight = mask.float()
            weight[:, :int(self.policy.drop_first)] = 0
            self.weight = (weight / weight.sum(1, keepdim=True).clamp(min=1)).to(device)
        else:
            pairs = [(row, position) for row, kept in enumerate(positions) for position in kept]
            self.where = torch.tensor(pairs, dtype=torch.long, device=device).reshape(-1, 2).T
        places: list[int] = []
        for index, kept in zip(self.batch.items, positions, strict=True):
            names = self._names(index, kept)
            if index not in self.starts:
                self.starts[index], self.count = self.count, self.count + len(names)
            places += range(self.starts[index], self.starts[index] + len(names))
            self.ids[index] = names
        self.places = np.array(places, dtype=int)

    def _positions(self, index: int, length: int) -> list[int]:
        """Token positions of one text that become rows (for `mean`, that enter the mean)."""
        if self.words is not None:
            return self.words[index][:, 0].tolist()
        if self.policy.kind in ("first", "last"):
            return [0 if self.policy.kind == "first" else length - 1]
        return list(range(int(self.policy.drop_first), length, self.policy.every))

    def _names(self, index: int, kept: list[int]) -> list[str]:
        """Ids of the rows of one text: with their token where they are every k-th, with where their word ends in the
        text where they are words."""
        id = self.probe.texts[index].id
        if self.words is not None:
            return [f"{id}@c{end}" for end in self.words[index][:, 1]]
        return [f"{id}@{p}" for p in kept] if self.policy.kind == "every" else [id] * bool(kept)


@dataclass
class _Loss:
    """Every `every`-th text of the probe counts, so that a wide vocabulary does not cost more than the network."""

    every: int
    total: float = 0.0
    tokens: int = 0
    plain_head: bool | None = None  # unknown until the first batch


def extract(loaded: Loaded, probe: Probe, policy: Policy, progress: Progress = lambda done, total: None,
            batch_tokens: int = BATCH_TOKENS) -> Representation:
    """Rows of every site for the texts (images, sounds) of a probe, in the order of the probe.

    Texts of similar length share a batch; padding never enters a row or the loss. Rows do not depend on the batch size
    beyond rounding.
    """
    fed = feed(loaded, probe, batch_tokens, policy)
    rows, loss = _Rows(probe, policy, fed), _Loss(_loss_every(loaded, sum(fed.lengths or [])))
    no_cache = {"use_cache": False} if hasattr(loaded.base.config, "use_cache") else {}
    batches = iter(fed.batches)
    first = next(batches)
    _verify_once(loaded, first)
    with torch.inference_mode():
        for rows.batch in chain([first], batches):
            inputs = {name: tensor.to(loaded.base.device) for name, tensor in rows.batch.inputs.items()}
            with listening(loaded.base, loaded.blocks, rows.take):
                final = loaded.base(**inputs, **no_cache).last_hidden_state
            _add_loss(loss, loaded, final, inputs, rows.batch.items)
            progress(len(rows.ids), fed.count)
    return _finish(rows, loss, fed)


def _verify_once(loaded: Loaded, batch: Batch) -> None:
    """Check the sites of a network on a little of its first input; other weights in it have the same sites."""
    if loaded.base not in _verified:
        cut = (slice(2), slice(FEW_TOKENS)) if loaded.modality == "text" else slice(2)
        little = {name: part[cut].to(loaded.base.device) for name, part in batch.inputs.items()}
        verify(loaded.base, loaded.blocks, little)
        _verified.add(loaded.base)


def _loss_every(loaded: Loaded, tokens: int) -> int:
    """One text in how many counts towards the loss: as many tokens as cost LOSS_SHARE of the forward pass, within
    bounds."""
    head = loaded.model.get_output_embeddings() if hasattr(loaded.model, "get_output_embeddings") else None
    allowed = LOSS_TOKENS
    if head is not None:
        embeddings = {id(p): p.numel() for p in (head.weight, loaded.base.get_input_embeddings().weight)}
        network = sum(p.numel() for p in loaded.base.parameters() if id(p) not in embeddings)
        allowed = min(allowed, max(LEAST_LOSS_TOKENS, int(LOSS_SHARE * network / head.weight.numel() * tokens)))
    return max(1, -(-tokens // allowed))


def _add_loss(loss: _Loss, loaded: Loaded, final: torch.Tensor, inputs: dict[str, torch.Tensor],
              batch: list[int]) -> None:
    """Next-token cross-entropy in nats on the texts that count, where the model has a causal head."""
    counted = [row for row, index in enumerate(batch) if index % loss.every == 0]
    causal = type(loaded.model).__name__.endswith(CAUSAL_HEADS) and not loaded.model.config.is_encoder_decoder
    if not causal or "input_ids" not in inputs or not counted:
        return
    kept = {name: tensor[counted] for name, tensor in inputs.items()}
    if loss.plain_head is None:
        loss.plain_head = _head_is_plain(loaded.model, final[counted], kept)
    predicts = kept["attention_mask"][:, 1:].bool()
    targets = kept["input_ids"][:, 1:][predicts]
    if not loss.plain_head:
        loss.total += _cross_entropy(loaded.model(**kept).logits[:, :-1][predicts], targets)
    else:
        head = loaded.model.get_output_embeddings()
        states = final[counted, :-1][predicts.to(final.device)].to(head.weight.device)
        targets = targets.to(head.weight.device)
        at_once = max(1, LOGITS_AT_ONCE // len(head.weight))  # logits of so many tokens stay in the processor's cache
        loss.total += sum(_cross_entropy(head(some), wanted)
                          for some, wanted in zip(states.split(at_once), targets.split(at_once), strict=True))
    loss.tokens += len(targets)


def _cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> float:
    return torch.nn.functional.cross_entropy(logits.float(), targets, reduction="sum").double().item()


def _head_is_plain(model: Any, final: torch.Tensor, inputs: dict[str, torch.Tensor]) -> bool:
    """Whether the logits are the head applied to the final state; some families scale or cap them besides. The first
    tokens of two texts tell, which depend on nothing that comes after them."""
    head = model.get_output_embeddings()
    first = {name: tensor[:2, :FEW_TOKENS] for name, tensor in inputs.items()}
    real = first["attention_mask"].bool().cpu()
    if head is None:
        return False
    applied, own = head(final[:2, :FEW_TOKENS].to(head.weight.device)).cpu(), model(**first).logits.cpu()
    return torch.allclose(applied[real], own[real], rtol=1e-3, atol=1e-4)


def _finish(rows: _Rows, loss: _Loss, fed: Feed) -> Representation:
    ids = [(name, rows.probe.texts[index].document) for index in sorted(rows.ids) for name in rows.ids[index]]
    if len(ids) < MIN_ROWS:
        raise ExplorerError(f"This probe and token policy give {len(ids)} row(s) and at least {MIN_ROWS} are "
                            "needed; use more texts, longer texts, or the policy `last`.")
    facts: dict[str, Any] = {"texts": fed.count, "texts_cut": fed.cut, "tokens": fed.lengths and sum(fed.lengths),
                             "loss": loss.total / loss.tokens if loss.tokens else None, "loss_tokens": loss.tokens,
                             "sites": list(rows.sites), **({"view": fed.view} if fed.view else {})}
    return Representation(rows={site: array[:len(ids)] for site, array in rows.sites.items()},
                          row_ids=tuple(name for name, _ in ids),
                          document_ids=tuple(document for _, document in ids), facts=facts)
