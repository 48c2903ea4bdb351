"""One forward pass over a probe: the chosen rows of every site, their float64 moments, and the model's loss."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from analysis.checkpoints.load import Loaded
from analysis.errors import ExplorerError
from analysis.extraction.inputs import Feed, feed
from analysis.extraction.probes import Probe, Text
from analysis.extraction.sites import listening, verify
from analysis.keys import Policy
from analysis.moments import Moments
from analysis.store import Representation

BATCH_TOKENS = 8192
LOSS_TOKENS, LEAST_LOSS_TOKENS = 32_768, 4_096
LOSS_SHARE, SMALL_HEAD = 0.04, 1_000_000
MIN_ROWS = 4
CAUSAL_HEADS = ("CausalLM", "LMHeadModel")

Progress = Callable[[int, int], None]


@dataclass
class _Rows:
    """What has been collected so far."""

    sites: dict[str, list[np.ndarray]] = field(default_factory=dict)
    moments: dict[str, Moments] = field(default_factory=dict)
    ids: list[list[str]] = field(default_factory=list)
    documents: list[list[str]] = field(default_factory=list)
    order: list[int] = field(default_factory=list)


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

    Texts of similar length share a batch; padding never enters a row, a moment or the loss. Rows do not depend on the
    batch size beyond rounding.
    """
    fed = feed(loaded, probe, batch_tokens)
    rows, loss = _Rows(), _Loss(_loss_every(loaded, sum(fed.lengths or [])))
    done = 0
    with torch.inference_mode(), listening(loaded.base, loaded.blocks) as seen:
        for number, batch in enumerate(fed.batches):
            if number == 0:
                verify(loaded.base, loaded.blocks, {key: value[:2] for key, value in batch.inputs.items()})
            loaded.base(**batch.inputs, **({"use_cache": False} if hasattr(loaded.base.config, "use_cache") else {}))
            _collect(rows, seen, batch.mask(seen["embedding"]), [probe.texts[i] for i in batch.items], batch.items,
                     policy)
            _add_loss(loss, loaded, seen["final"], batch.inputs, batch.items)
            done += len(batch.items)
            progress(done, fed.count)
    return _finish(rows, loss, fed)


def _collect(rows: _Rows, seen: dict[str, torch.Tensor], mask: torch.Tensor, texts: list[Text], batch: list[int],
             policy: Policy) -> None:
    positions = [_positions(int(length), policy) for length in mask.sum(1)]
    pairs = [(row, position) for row, kept in enumerate(positions) for position in kept]
    where = torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)
    weight = mask.to(seen["embedding"].dtype)
    if policy.drop_first:
        weight[:, 0] = 0
    for site, hidden in seen.items():
        chosen: np.ndarray
        if policy.kind == "mean":
            taken = (hidden * weight[:, :, None]).sum(1) / weight.sum(1, keepdim=True)
            chosen = taken[weight.sum(1) > 0].float().numpy()
        else:
            chosen = hidden[where[:, 0], where[:, 1]].float().numpy()
        if not np.isfinite(chosen).all():
            raise ExplorerError(f"The forward pass gives NaN or infinite values at site {site}, first in texts "
                                f"{texts[0].id!r} to {texts[-1].id!r}; the weights overflow in this precision.")
        if len(chosen):
            moments = Moments.of(chosen)
            rows.moments[site] = rows.moments[site] + moments if site in rows.moments else moments
        rows.sites.setdefault(site, []).append(chosen)
    for index, text, kept in zip(batch, texts, positions, strict=True):
        rows.order.append(index)
        one = policy.kind != "every"
        names = [text.id] * bool(kept) if one else [f"{text.id}@{p}" for p in kept]
        rows.ids.append(names)
        rows.documents.append([text.document] * len(names))


def _positions(length: int, policy: Policy) -> list[int]:
    """Token positions of one text that become rows (for `mean`, that enter the mean)."""
    first = int(policy.drop_first)
    if policy.kind in ("first", "last"):
        return [0 if policy.kind == "first" else length - 1]
    return list(range(first, length, policy.every))


def _loss_every(loaded: Loaded, tokens: int) -> int:
    """One text in how many counts towards the loss: as many tokens as cost LOSS_SHARE of the forward pass, within
    bounds. Where the head is so small that its cost does not matter, only the upper bound holds."""
    head = loaded.model.get_output_embeddings() if hasattr(loaded.model, "get_output_embeddings") else None
    allowed = LOSS_TOKENS
    if head is not None and head.weight.numel() > SMALL_HEAD:
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
    if loss.plain_head:
        logits = loaded.model.get_output_embeddings()(final[counted, :-1][predicts])
    else:
        logits = loaded.model(**kept).logits[:, :-1][predicts]
    loss.total += torch.nn.functional.cross_entropy(logits.float(), targets, reduction="sum").double().item()
    loss.tokens += len(targets)


def _head_is_plain(model: Any, final: torch.Tensor, inputs: dict[str, torch.Tensor]) -> bool:
    """Whether the logits are the head applied to the final state; some families scale or cap them besides."""
    head = model.get_output_embeddings()
    first = {name: tensor[:2] for name, tensor in inputs.items()}
    real = first["attention_mask"].bool()
    return head is not None and torch.allclose(head(final[:2])[real], model(**first).logits[real], rtol=1e-3, atol=1e-4)


def _finish(rows: _Rows, loss: _Loss, fed: Feed) -> Representation:
    """Put batches back into the order of the probe."""
    counts = [len(ids) for ids in rows.ids]
    if sum(counts) < MIN_ROWS:
        raise ExplorerError(f"This probe and token policy give {sum(counts)} row(s) and at least {MIN_ROWS} are "
                            "needed; use more texts, longer texts, or the policy `last`.")
    starts = np.concatenate([[0], np.cumsum(counts)])
    texts = sorted(range(len(rows.order)), key=rows.order.__getitem__)
    take = np.concatenate([np.arange(starts[i], starts[i + 1]) for i in texts]).astype(int)
    facts: dict[str, Any] = {"texts": fed.count, "texts_cut": fed.cut, "tokens": fed.lengths and sum(fed.lengths),
                             "loss": loss.total / loss.tokens if loss.tokens else None, "loss_tokens": loss.tokens,
                             "sites": list(rows.sites)}
    return Representation(
        rows={site: np.concatenate(parts)[take] for site, parts in rows.sites.items()}, moments=rows.moments,
        row_ids=tuple(name for i in texts for name in rows.ids[i]),
        document_ids=tuple(name for i in texts for name in rows.documents[i]), facts=facts)
