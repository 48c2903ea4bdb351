"""Where a network goes: the processor, a card, or several cards together."""

from importlib.util import find_spec
from pathlib import Path

import torch

from analysis.checkpoints import preflight
from analysis.errors import ExplorerError


def place(needed: int, free: list[int], device: str | None) -> str | None:
    """Where a network that needs so many bytes goes: the device asked for, else the card with the most memory free, or
    `auto` (several cards together, by accelerate) where none has enough; None is the processor."""
    if device or not free:
        return None if device == "cpu" else device
    best = max(range(len(free)), key=free.__getitem__)
    return f"cuda:{best}" if needed <= free[best] else "auto"


def placed(weights: Path, dtype: torch.dtype, device: str | None) -> str | None:
    """`place` for the weights in a folder and the cards of this machine. Raises ExplorerError where they do not fit."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()  # of the network before
    free = [torch.cuda.mem_get_info(card)[0] for card in range(torch.cuda.device_count())]
    needed = sum(tensor.count for tensor in preflight.headers(weights)) * dtype.itemsize + preflight.WORKING_BYTES
    where = place(needed, free, device)
    if where == "auto" and (len(free) == 1 or not find_spec("accelerate")):
        way = ("Give --dtype bfloat16, or CUDA_VISIBLE_DEVICES= to compute without a card." if len(free) == 1 else
               "To spread it over several: pip install accelerate==1.15.0")
        raise ExplorerError(f"The network needs {needed / 1e9:.1f} GB and {max(free) / 1e9:.1f} GB are free on the "
                            f"card that has most. {way}")
    return where
