"""Runs the tail of a network on given states: its own code, masks and positions, with the blocks before it left out."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import torch

from analysis.checkpoints.load import Loaded
from analysis.errors import ExplorerError
from analysis.extraction.forward import CAUSAL_HEADS, FEW_TOKENS
from analysis.extraction.sites import block_list, listening

NEAR = 1e-4  # of the largest value; on one machine the tail gives the same bits

_kinds: WeakKeyDictionary[torch.nn.Module, str] = WeakKeyDictionary()
_around: WeakKeyDictionary[torch.nn.Module, list[str]] = WeakKeyDictionary()  # modules the blocks stand in, by name

Inputs = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Pass:
    """A network's own pass over a batch: the chosen sites (item x position x width), what the network without its head
    gave out, and what each block that returns more than the stream returned beside it."""

    states: dict[str, torch.Tensor]
    output: Any
    beside: dict[int, tuple] = field(default_factory=dict)


def sites_of(loaded: Loaded) -> list[str]:
    """Every site of a network, in order: embedding, block 1 to the last, final."""
    return ["embedding", *(f"block {k}" for k in range(1, loaded.blocks + 1)), "final"]


def run(loaded: Loaded, inputs: Inputs, sites: list[str] | tuple[str, ...]) -> Pass:
    """The network's own pass over a batch, without its head. Gradients are the caller's to switch off."""
    states: dict[str, torch.Tensor] = {}
    beside: dict[int, tuple] = {}

    def take(site: str, hidden: torch.Tensor) -> None:
        if site in sites:
            states[site] = hidden

    def also(k: int) -> Any:
        def hook(module: torch.nn.Module, args: tuple, output: Any) -> None:
            if not isinstance(output, torch.Tensor):
                beside[k] = tuple(output[1:])
        return hook

    handles = [block.register_forward_hook(also(k))
               for k, block in enumerate(block_list(loaded.base, loaded.blocks), 1)]
    try:
        with listening(loaded.base, loaded.blocks, take):
            output = loaded.base(**inputs, **_no_cache(loaded.base))
    finally:
        for handle in handles:
            handle.remove()
    return Pass(states, output, beside)


def resume(loaded: Loaded, inputs: Inputs, site: str, states: torch.Tensor, own: Pass | None = None) -> Any:
    """What the network without its head gives out when `states` stand at a site; what leads to the site is not run.

    Parameters
    ----------
    inputs : the batch that the states belong to: masks and positions come from it
    site : embedding, block k, or final (the states are the last hidden state then)
    states : item x position x width of the site
    own : the network's own pass over the same batch; without it the network is run once more, since some blocks hand
        something to the next beside the stream (T5 its position bias)

    Returns
    -------
    The output of `loaded.base`, with last_hidden_state and whatever its own code derives from it.
    """
    if site not in sites_of(loaded):
        raise ExplorerError(f"{type(loaded.base).__name__} has no site {site[:40]!r}; its sites are embedding, block 1 "
                            f"to block {loaded.blocks}, and final.")
    if own is None:
        with torch.no_grad():
            own = run(loaded, inputs, ())
    if site == "final":
        return _ending(loaded, own.output, states)
    with _entering(loaded, 0 if site == "embedding" else int(site.removeprefix("block ")), states, own.beside):
        return loaded.base(**inputs, **_no_cache(loaded.base))


def token_logits(loaded: Loaded, states: torch.Tensor) -> torch.Tensor:
    """Logits (n x classes) of n last hidden states by a head that reads each position by itself, scaled and capped as
    the model's own code has it."""
    packed = {"input_ids": torch.zeros(1, len(states), dtype=torch.long, device=states.device),
              "attention_mask": torch.ones(1, len(states), dtype=torch.long, device=states.device)}
    stated = loaded.model.main_input_name
    if stated != "input_ids":
        packed = {stated: states[None]}  # nothing reads it
    return item_logits(loaded, packed, _Answer(last_hidden_state=states[None]))[0]


def item_logits(loaded: Loaded, inputs: Inputs, output: Any) -> torch.Tensor:
    """Logits of the model's own head for a given output of the network under it."""
    if loaded.base not in _around:
        blocks = block_list(loaded.base, loaded.blocks)
        place = next(name for name, module in loaded.base.named_modules() if module is blocks).split(".")
        _around[loaded.base] = [".".join(place[:depth]) for depth in range(len(place))]
    around = [loaded.base.get_submodule(name) for name in _around[loaded.base]]  # OPT's head asks the decoder inside
    with _standing_in([(module, lambda *args, **kwargs: output) for module in around]):
        return loaded.model(**inputs, **_no_cache(loaded.model)).logits


def head_kind(loaded: Loaded, inputs: Inputs) -> str:
    """What the head reads: `causal` (each position, for the next token), `token` (each position), `item` (the whole),
    or `none` where there is no head or it needs more than these inputs."""
    if loaded.model is loaded.base or loaded.model.config.is_encoder_decoder:
        return "none"
    with torch.inference_mode():
        logits = getattr(loaded.model(**little(loaded, inputs)), "logits", None)
    if logits is None or logits.ndim not in (2, 3) or logits.shape[-1] < 2:
        return "none"
    causal = type(loaded.model).__name__.endswith(CAUSAL_HEADS)
    return "causal" if causal else "token" if logits.ndim == 3 else "item"


def checked_kind(loaded: Loaded, inputs: Inputs) -> str:
    """The kind of a receiver's head, once every site of it was shown, on a little input, to lead to the model's own
    logits when its own states are put back. Raises ExplorerError where one does not, or where there is no head."""
    if loaded.model not in _kinds:
        kind, name = head_kind(loaded, inputs), type(loaded.model).__name__
        if kind == "none":
            raise ExplorerError(f"{name} has no head that turns its last states into logits of classes, so a stitch "
                                "into it cannot be judged by behaviour; choose a receiver with a language-model or "
                                "classification head.")
        wrong = _wrong_sites(loaded, little(loaded, inputs), kind)
        if wrong:
            more = f" and {len(wrong) - 1} more sites" if wrong[1:] else ""
            raise ExplorerError(f"{name} gives other logits when its own states are put back at {wrong[0]}{more}, so "
                                "its tail cannot be run by itself; choose a receiver of another architecture.")
        _kinds[loaded.model] = kind
    return _kinds[loaded.model]


def _wrong_sites(loaded: Loaded, inputs: Inputs, kind: str) -> list[str]:
    with torch.inference_mode():
        wanted = loaded.model(**inputs, **_no_cache(loaded.model)).logits
        own = run(loaded, inputs, sites_of(loaded))
        wrong = [site for site in sites_of(loaded) if site not in own.states]
        for site, states in own.states.items():
            output = resume(loaded, inputs, site, states, own)
            if kind == "item":
                found = item_logits(loaded, inputs, output)
            else:
                found = token_logits(loaded, output.last_hidden_state.flatten(0, 1)).reshape(wanted.shape)
            if not (found - wanted).abs().max() <= NEAR * wanted.abs().max():  # also where either is no number
                wrong.append(site)
    return wrong


def little(loaded: Loaded, inputs: Inputs) -> Inputs:
    """The beginning of a batch, which is enough to look at a network with."""
    cut = (slice(2), slice(FEW_TOKENS)) if loaded.modality == "text" else slice(2)
    return {name: part[cut] for name, part in inputs.items()}


class _Answer(dict):
    """What a head takes for the output of its network: fields by name, by attribute and by place."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.get(name)

    def __getitem__(self, key: Any) -> Any:
        return list(self.values())[key] if isinstance(key, int | slice) else super().__getitem__(key)


def _ending(loaded: Loaded, output: Any, states: torch.Tensor) -> Any:
    ended = copy(output)
    ended["last_hidden_state"] = states
    if ended.get("pooler_output") is not None and isinstance(getattr(loaded.base, "pooler", None), torch.nn.Module):
        ended["pooler_output"] = loaded.base.pooler(states)
    return ended


def _no_cache(module: Any) -> dict[str, bool]:
    return {"use_cache": False} if hasattr(module.config, "use_cache") else {}


@contextmanager
def _entering(loaded: Loaded, k: int, states: torch.Tensor, beside: dict[int, tuple]) -> Iterator[None]:
    """Within it, blocks 1 to k compute nothing, and block k + 1 is given the states."""
    blocks = block_list(loaded.base, loaded.blocks)

    def passing(number: int) -> Callable[..., Any]:
        def forward(*args: Any, **kwargs: Any) -> Any:
            hidden = states if number == k else args[0] if args else kwargs["hidden_states"]
            return (hidden, *beside[number]) if number in beside else hidden
        return forward

    def enter(module: torch.nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        return ((states, *args[1:]), kwargs) if args else (args, kwargs | {"hidden_states": states})

    handle = blocks[0].register_forward_pre_hook(enter, with_kwargs=True) if k == 0 else None
    try:
        with _standing_in([(block, passing(number)) for number, block in enumerate(blocks[:k], 1)]):
            yield
    finally:
        if handle is not None:
            handle.remove()


@contextmanager
def _standing_in(forwards: list[tuple[torch.nn.Module, Callable[..., Any]]]) -> Iterator[None]:
    """Within it, each module runs the function beside it instead of its own forward."""
    before = [(module, module.__dict__.get("forward")) for module, _ in forwards]  # accelerate puts its own there
    try:
        for module, forward in forwards:
            module.__dict__["forward"] = forward
        yield
    finally:
        for module, had in before:
            if had is None:
                module.__dict__.pop("forward", None)
            else:
                module.__dict__["forward"] = had
