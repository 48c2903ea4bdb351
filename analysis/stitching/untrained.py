"""A network of the same architecture that has learned nothing: the sender every other sender is measured against."""

from dataclasses import replace

import torch

from analysis.checkpoints.load import Loaded


def untrained(loaded: Loaded, seed: int = 1) -> Loaded:
    """The same config with weights drawn anew, as its own class draws them. The given network is not touched, nor is
    the caller's random state."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = type(loaded.model)(loaded.model.config)
    first = next(loaded.model.parameters())
    model = model.to(first.device, first.dtype).eval()
    base = model if loaded.base is loaded.model else model.get_encoder() if loaded.model.config.is_encoder_decoder \
        else model.base_model
    return replace(loaded, model=model, base=base)
