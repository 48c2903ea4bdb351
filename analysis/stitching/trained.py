"""A stitch trained on the task itself, from the fitted map on, with both networks frozen."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from analysis.checkpoints.load import Loaded
from analysis.errors import ExplorerError
from analysis.extraction.inputs import Batch
from analysis.extraction.probes import Probe
from analysis.linear_maps import LinearMap
from analysis.stitching.behaviour import Stitch, asked_of, logits_of, mapped
from analysis.stitching.outcome import WARNING
from analysis.stitching.states import Progress, batches, on_device, silent, states, stitched_at, usual_first
from analysis.stitching.tail import checked_kind, resume, run

BATCH_TOKENS = 1024


@dataclass(frozen=True)
class Trained:
    """The map, and the loss in nats per prediction of each step's batch before the step."""

    map: LinearMap
    losses: tuple[float, ...]
    warning: str = WARNING


def train(sender: Loaded, receiver: Loaded, probe: Probe, start: Stitch, *, first: str | None = None,
          labels: Mapping[str, int] | None = None, steps: int = 100, rate: float = 1e-3, seed: int = 1,
          batch_tokens: int = BATCH_TOKENS, progress: Progress = silent) -> Trained:
    """Adam on W and b for the receiver's loss on the texts that the map was fitted on. See WARNING.

    Parameters
    ----------
    start : the fitted map to begin at (least squares), and the sites
    steps, rate : batches seen, in an order drawn by `seed`, and the learning rate, which falls linearly to 0
    """
    first = first or usual_first(receiver)
    all_batches = list(batches(sender, receiver, probe, batch_tokens))
    weight, bias = (torch.tensor(np.asarray(part, np.float32), device=receiver.base.device, requires_grad=True)
                    for part in (start.map.weight, start.map.bias))
    optimiser = torch.optim.Adam([weight, bias], lr=rate)
    rng, losses = np.random.default_rng(seed), []
    order = np.concatenate([rng.permutation(len(all_batches)) for _ in range(-(-steps // len(all_batches)))])[:steps]
    with _frozen(receiver):
        for step, number in enumerate(order):
            for group in optimiser.param_groups:
                group["lr"] = rate * (1 - step / steps)
            optimiser.zero_grad()
            losses.append(_backward(sender, receiver, probe, all_batches[number], start, (weight, bias), first, labels))
            optimiser.step()
            progress(step + 1, steps)
    done = LinearMap(weight.detach().cpu().double().numpy(), bias.detach().cpu().double().numpy(), "trained",
                     min(weight.shape))
    return Trained(done, tuple(losses))


def _backward(sender: Loaded, receiver: Loaded, probe: Probe, pair: tuple[Batch, Batch], start: Stitch,
              fitted: tuple[torch.Tensor, torch.Tensor], first: str, labels: Mapping[str, int] | None) -> float:
    """The mean loss of a batch, after its gradients have been added to the map's."""
    a, b = pair
    inputs = on_device(receiver, b)
    kind = checked_kind(receiver, inputs)
    with torch.no_grad():
        own = run(receiver, inputs, [start.target])
        given = states(sender, on_device(sender, a), [start.source])[start.source]
    at = stitched_at(b.mask(own.output.last_hidden_state), first)
    asked = asked_of(kind, b, at, probe, labels)
    if asked.targets is None:
        raise ExplorerError(f"{type(receiver.model).__name__} predicts no next token and no labels were given, so "
                            "there is no loss to train a stitch on; use a fitted map.")
    if not len(asked.targets):
        return float("nan")
    output = resume(receiver, inputs, start.target, mapped(given, *fitted, own.states[start.target], at), own)
    logits = torch.cat([part() for part in logits_of(receiver, kind, inputs, output, asked.at)]).float()
    loss = torch.nn.functional.cross_entropy(logits, asked.targets.to(logits.device))
    loss.backward()
    return loss.item()


@contextmanager
def _frozen(receiver: Loaded) -> Iterator[None]:
    """Within it, no weight of the receiver takes a gradient."""
    took = [parameter for parameter in receiver.model.parameters() if parameter.requires_grad]
    try:
        for parameter in took:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in took:
            parameter.requires_grad_(True)
