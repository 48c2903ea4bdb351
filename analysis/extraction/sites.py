"""Where in the network: finds the blocks of any transformer and listens there during one forward pass.

embedding   what enters the first block
block k     the residual stream after block k, before any final norm
final       the last hidden state, after the final norm where there is one
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from analysis.errors import ExplorerError


def block_list(base: torch.nn.Module, count: int) -> torch.nn.ModuleList:
    """The list of `count` blocks of a network: of the module lists of that length, the one with the most weights, and
    of equals the outermost."""
    lists = [(sum(parameter.numel() for parameter in module.parameters()), -name.count("."), module)
             for name, module in base.named_modules()
             if isinstance(module, torch.nn.ModuleList) and len(module) == count]
    if not lists:
        raise ExplorerError(f"{type(base).__name__} has no list of {count} blocks, so its sites cannot be found; this "
                            "architecture is not supported yet.")
    return max(lists, key=lambda found: found[:2])[2]


@contextmanager
def listening(base: torch.nn.Module, count: int, take: Callable[[str, torch.Tensor], None]) -> Iterator[None]:
    """Within the block, each forward pass of `base` hands every site to `take` as it is reached, and keeps none."""
    blocks = block_list(base, count)

    def enter(module: torch.nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
        take("embedding", args[0] if args else kwargs["hidden_states"])

    def leave(site: str) -> Any:
        def hook(module: torch.nn.Module, args: tuple, output: Any) -> None:
            take(site, output if isinstance(output, torch.Tensor) else output[0])
        return hook

    def end(module: torch.nn.Module, args: tuple, output: Any) -> None:
        take("final", output.last_hidden_state)

    handles = [blocks[0].register_forward_pre_hook(enter, with_kwargs=True), base.register_forward_hook(end)]
    handles += [block.register_forward_hook(leave(f"block {k}")) for k, block in enumerate(blocks, 1)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Equal, where NaN equals NaN: what overflows is for the caller to name, not a wrong site."""
    return a.shape == b.shape and torch.equal(a.isnan(), b.isnan()) and torch.equal(a.nan_to_num(0), b.nan_to_num(0))


def verify(base: torch.nn.Module, count: int, inputs: dict[str, torch.Tensor]) -> None:
    """Compare what the hooks hear with the model's own output_hidden_states; a difference is an error."""
    seen: dict[str, torch.Tensor] = {}
    with torch.inference_mode(), listening(base, count, seen.__setitem__):
        reported = base(**inputs, output_hidden_states=True).hidden_states
    heard = [seen["embedding"], *(seen[f"block {k}"] for k in range(1, count))]
    ends = seen[f"block {count}"], seen["final"]  # some families report their last state before the final norm
    same = len(reported) == count + 1 and all(map(_same, heard, reported)) and any(_same(e, reported[-1]) for e in ends)
    if not same:
        raise ExplorerError(f"{type(base).__name__} reports other hidden states than its blocks produce, so its sites "
                            "cannot be trusted; this architecture is not supported yet.")
