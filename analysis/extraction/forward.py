"""One forward pass over a probe: the chosen rows of every site, their float64 moments, and the model's loss."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from analysis.checkpoints.load import Loaded
from analysis.errors import ExplorerError
from analysis.extraction.probes import Probe, Text
from analysis.extraction.sites import listening, verify
from analysis.keys import Policy
from analysis.moments import Moments
from analysis.store import Representation

BATCH_TOKENS = 8192
LOSS_TOKENS = 32_768
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
    """Rows of every site for the texts of a probe, in the order of the probe.

    Texts of similar length share a batch; padding never enters a row, a moment or the loss. Rows do not depend on the
    batch size beyond rounding.
    """
    encoded, cut = _encode(loaded, probe)
    rows, loss = _Rows(), _Loss(every=-(-sum(map(len, encoded)) // LOSS_TOKENS))
    batches = list(_batches([len(ids) for ids in encoded], batch_tokens))
    done = 0
    with torch.inference_mode(), listening(loaded.base, loaded.blocks) as seen:
        for number, batch in enumerate(batches):
            inputs = _padded([encoded[i] for i in batch], loaded.tokenizer.pad_token_id)
            if number == 0:
                verify(loaded.base, loaded.blocks, {key: value[:2] for key, value in inputs.items()})
            loaded.base(**inputs, **({"use_cache": False} if hasattr(loaded.base.config, "use_cache") else {}))
            _collect(rows, seen, inputs["attention_mask"], [probe.texts[i] for i in batch], batch, policy)
            _add_loss(loss, loaded, seen["final"], inputs, batch)
            done += len(batch)
            progress(done, len(encoded))
    return _finish(rows, loss, cut, encoded)


def _encode(loaded: Loaded, probe: Probe) -> tuple[list[list[int]], int]:
    """Token ids of each text, cut to the model's context, and how many were cut."""
    full = loaded.tokenizer([text.text for text in probe.texts], verbose=False)["input_ids"]
    short = loaded.tokenizer([text.text for text in probe.texts], truncation=True,
                             max_length=loaded.context)["input_ids"]
    empty = [text.id for text, ids in zip(probe.texts, short, strict=True) if not ids]
    if empty:
        raise ExplorerError(f"{len(empty)} text(s) of the probe give no token, first {empty[0]!r}; remove them.")
    vocabulary = loaded.base.get_input_embeddings().num_embeddings
    highest = max(max(ids) for ids in short)
    if highest >= vocabulary:
        raise ExplorerError(f"The tokenizer gives token {highest} and the model knows {vocabulary} tokens; the "
                            "tokenizer in the folder belongs to another model.")
    return short, sum(len(a) != len(b) for a, b in zip(full, short, strict=True))


def _batches(lengths: list[int], budget: int) -> Iterator[list[int]]:
    """Indices in order of length, as many at a time as fit the budget of padded tokens."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: (lengths[i], i)):
        if batch and lengths[index] * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(index)
    yield batch


def _padded(sequences: list[list[int]], pad: int | None) -> dict[str, torch.Tensor]:
    width = max(map(len, sequences))
    ids = torch.full((len(sequences), width), pad or 0)
    mask = torch.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        ids[row, :len(sequence)] = torch.tensor(sequence)
        mask[row, :len(sequence)] = 1
    return {"input_ids": ids, "attention_mask": mask}


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
        one = policy.kind in ("last", "mean")
        names = [text.id] * bool(kept) if one else [f"{text.id}@{p}" for p in kept]
        rows.ids.append(names)
        rows.documents.append([text.document] * len(names))


def _positions(length: int, policy: Policy) -> list[int]:
    """Token positions of one text that become rows (for `mean`, that enter the mean)."""
    first = int(policy.drop_first)
    return [length - 1] if policy.kind == "last" else list(range(first, length, policy.every))


def _add_loss(loss: _Loss, loaded: Loaded, final: torch.Tensor, inputs: dict[str, torch.Tensor],
              batch: list[int]) -> None:
    """Next-token cross-entropy in nats on about 32768 tokens, where the model has a causal head."""
    counted = [row for row, index in enumerate(batch) if index % loss.every == 0]
    if not type(loaded.model).__name__.endswith(CAUSAL_HEADS) or loaded.model.config.is_encoder_decoder or not counted:
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


def _finish(rows: _Rows, loss: _Loss, cut: int, encoded: list[list[int]]) -> Representation:
    """Put batches back into the order of the probe."""
    counts = [len(ids) for ids in rows.ids]
    if sum(counts) < MIN_ROWS:
        raise ExplorerError(f"This probe and token policy give {sum(counts)} row(s) and at least {MIN_ROWS} are "
                            "needed; use more texts, longer texts, or the policy `last`.")
    starts = np.concatenate([[0], np.cumsum(counts)])
    texts = sorted(range(len(rows.order)), key=rows.order.__getitem__)
    take = np.concatenate([np.arange(starts[i], starts[i + 1]) for i in texts]).astype(int)
    facts: dict[str, Any] = {"texts": len(encoded), "texts_cut": cut, "tokens": sum(map(len, encoded)),
                             "loss": loss.total / loss.tokens if loss.tokens else None, "loss_tokens": loss.tokens,
                             "sites": list(rows.sites)}
    return Representation(
        rows={site: np.concatenate(parts)[take] for site, parts in rows.sites.items()}, moments=rows.moments,
        row_ids=tuple(name for i in texts for name in rows.ids[i]),
        document_ids=tuple(name for i in texts for name in rows.documents[i]), facts=facts)
