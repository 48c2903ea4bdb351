"""What a network is given: texts as tokens, images as pixels, sounds as samples, in batches whose padding is known."""

import hashlib
import re
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int

from analysis.checkpoints.load import Loaded
from analysis.errors import ExplorerError
from analysis.extraction.probes import IMAGE_FORMATS, Probe, Text
from analysis.keys import Policy

WORD = re.compile(r"\S+")
IMAGES_AT_ONCE, TEXTS_AT_ONCE = 16, 512
MOST_PIXELS = 50_000_000
SHORTEST_SOUND_S, LONGEST_SOUND_S = 0.05, 30.0


@dataclass(frozen=True)
class Batch:
    """Items of the probe by number, and the network's input for them. `real` marks what of it is no padding, in frames
    that the network may take several of together; without it and without a mask, every position is real."""

    items: list[int]
    inputs: dict[str, torch.Tensor]
    real: torch.Tensor | None = None

    def mask(self, embedding: torch.Tensor) -> torch.Tensor:
        """1 where a position of the network belongs to the item, 0 where it is padding."""
        if "attention_mask" in self.inputs:
            return self.inputs["attention_mask"]
        length = embedding.shape[1]
        if self.real is None or self.real.shape[1] < length:
            return torch.ones(embedding.shape[:2], dtype=torch.long)
        return self.real[:, ::self.real.shape[1] // length][:, :length].long()


@dataclass(frozen=True)
class Feed:
    """A probe made ready for one network. `lengths` (in tokens) is None where only the network knows them. `words` are
    those a policy of words takes of each text: token and offset of the end, a row each."""

    batches: Iterator[Batch]
    count: int
    lengths: list[int] | None = None
    cut: int = 0
    words: list[np.ndarray] | None = None
    view: str = ""  # which rendering of its items is read, where the probe has several


def feed(loaded: Loaded, probe: Probe, batch_tokens: int, policy: Policy | None = None) -> Feed:
    """Batches of a probe for a network. Raises ExplorerError when the network reads another kind of thing, or cannot
    tell which token ends a word and the policy is one of words, or the tokens of the texts are shuffled and it is."""
    words = policy if policy and policy.kind == "words" else None
    if probe.kind != loaded.modality:
        raise ExplorerError(f"This model reads {loaded.modality}s and the probe {probe.name} holds {probe.kind}s; "
                            f"choose a probe of {loaded.modality}s.")
    if words and loaded.modality != "text":
        raise ExplorerError(f"The token policy {words} takes words of texts, and the probe {probe.name} holds "
                            f"{probe.kind}s; use the token policy mean or every-K.")
    if words and probe.shuffled:
        raise ExplorerError(f"The token policy {words} takes words of texts, and the probe {probe.name} shuffles their "
                            "tokens, so no word survives; use the token policy last, mean or every-K.")
    if loaded.modality == "image":
        view = _view(loaded, probe)
        return Feed(_images(loaded, probe.texts, view), len(probe.texts), view=view)
    if loaded.modality == "sound":
        return Feed(_sounds(loaded, probe.texts), len(probe.texts))
    encoded, cut, ends = _encode(loaded, probe, words)
    lengths = [len(ids) for ids in encoded]
    batches = (Batch(items, _padded([encoded[i] for i in items], loaded.processor.pad_token_id))
               for items in _by_length(lengths, batch_tokens))
    return Feed(batches, len(encoded), lengths, cut, ends if words else None)


def _encode(loaded: Loaded, probe: Probe, words: Policy | None) -> tuple[list[np.ndarray], int, list[np.ndarray]]:
    """Token ids of each text, cut to the model's context; how many were cut; and the words that a policy takes."""
    short, cut, ends = _tokens(loaded.processor, probe, loaded.context, words)
    empty = [text.id for text, ids in zip(probe.texts, short, strict=True) if not len(ids)]
    if empty:
        raise ExplorerError(f"{len(empty)} text(s) of the probe give no token, first {empty[0]!r}; remove them.")
    vocabulary = loaded.base.get_input_embeddings().num_embeddings
    highest = max(int(ids.max()) for ids in short)
    if highest >= vocabulary:
        raise ExplorerError(f"The tokenizer gives token {highest} and the model knows {vocabulary} tokens; the "
                            "tokenizer in the folder belongs to another model.")
    return short, cut, ends


@lru_cache(maxsize=2)
def _tokens(tokenizer: Any, probe: Probe, longest: int,
            words: Policy | None) -> tuple[list[np.ndarray], int, list[np.ndarray]]:
    """Token ids, how many texts were cut, and the words that a policy takes. Kept between the checkpoints of a run,
    which share their tokenizer."""
    short: list[np.ndarray] = []
    ends: list[np.ndarray] = []
    cut = 0
    for start in range(0, len(probe.texts), TEXTS_AT_ONCE):
        chosen = probe.texts[start:start + TEXTS_AT_ONCE]
        texts = [text.text for text in chosen]
        encoded = tokenizer(texts, truncation=True, max_length=longest, return_special_tokens_mask=probe.shuffled)
        if words and not encoded.encodings:
            raise ExplorerError(f"The tokenizer {type(tokenizer).__name__} does not tell which characters its tokens "
                                f"cover, and the token policy {words} needs that; use the token policy last or mean.")
        if words:
            ends += [_word_ends(one, text, words) for one, text in zip(encoded.encodings, texts, strict=True)]
        lengths = [len(ids) for ids in encoded["input_ids"]]
        packed = np.fromiter(chain.from_iterable(encoded["input_ids"]), dtype=np.int32, count=sum(lengths))
        some = np.split(packed, np.cumsum(lengths)[:-1])
        short += in_random_order(tokenizer, chosen, some, encoded["special_tokens_mask"]) if probe.shuffled else some
        if encoded.encodings:
            cut += sum(bool(encoding.overflowing) for encoding in encoded.encodings)
        else:  # a tokenizer in Python does not tell what it cut
            full = tokenizer(texts, verbose=False)["input_ids"]
            cut += sum(len(a) != len(b) for a, b in zip(full, encoded["input_ids"], strict=True))
    return short, cut, ends


def in_random_order(tokenizer: Any, texts: tuple[Text, ...], sequences: list[np.ndarray],
              added: list[list[int]]) -> list[np.ndarray]:
    """The tokens of each text in an order that is its own, drawn from its id, whatever the other texts are.

    Special tokens at its ends stay: those that the tokenizer `added`, and those that begin and end texts with it.
    """
    ends = [id for id in (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.cls_token_id,
                          tokenizer.sep_token_id) if id is not None]
    moved = []
    for text, ids, mask in zip(texts, sequences, added, strict=True):
        special = np.array(mask, dtype=bool) | np.isin(ids, ends)
        free = np.maximum.accumulate(~special) & np.maximum.accumulate(~special[::-1])[::-1]
        order = np.random.default_rng(int(hashlib.sha256(text.id.encode()).hexdigest(), 16))
        moved.append(ids.copy())
        moved[-1][free] = order.permutation(ids[free])
    return moved


def _word_ends(encoding: Any, text: str, policy: Policy) -> Int[np.ndarray, "m 2"]:
    """The token that covers the last character of every k-th word of a text, and the offset of the word's end.

    A word is a run of characters that are no space, as in str.split. Of several tokens that share its last character
    it is the last; where the tokenizer drops that character, the last token of the word. A token that ends two words
    stands for both. Words of which the context cuts off a part are left out, and so is, unless position 0 is kept, the
    word that token 0 covers a part of.
    """
    spans = [word.span() for word in islice(WORD.finditer(text), 0, None, policy.every)]
    begins, ends = np.array(spans, dtype=int).reshape(-1, 2).T
    first, behind = np.array(encoding.offsets, dtype=int).reshape(-1, 2).T
    some = np.flatnonzero(behind > first)  # special tokens cover nothing, nor does a space that is trimmed off
    if not len(some):
        return np.empty((0, 2), dtype=int)
    tokens = some[(np.searchsorted(first[some], ends) - 1).clip(0)]
    read = next((a for part in encoding.overflowing for a, b in part.offsets if b > a), len(text))
    kept = (first[tokens] < ends) & (behind[tokens] > begins) & (ends <= read)
    if policy.drop_first:
        kept &= (ends <= first[0]) | (begins >= behind[0])
    return np.stack([tokens[kept], ends[kept]], axis=1)


def _by_length(lengths: list[int], budget: int) -> Iterator[list[int]]:
    """Indices in order of length, as many at a time as fit the budget of padded tokens."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: (lengths[i], i)):
        if batch and lengths[index] * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(index)
    yield batch


def _padded(sequences: list[np.ndarray], pad: int | None) -> dict[str, torch.Tensor]:
    lengths = np.array(list(map(len, sequences)))
    mask = np.arange(lengths.max()) < lengths[:, None]
    ids = np.full(mask.shape, pad or 0)
    ids[mask] = np.concatenate(sequences)
    return {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask.astype(ids.dtype))}


def _view(loaded: Loaded, probe: Probe) -> str:
    """The rendering of its items that a network reads: the `view` that its preprocessor_config.json names, which is
    part of the checkpoint's fingerprint; without one, the first of the probe."""
    named = getattr(loaded.processor, "view", None)
    if named is None:
        return next(iter(probe.views), "")
    if named not in probe.views:
        raise ExplorerError(f"This model reads the view {str(named)[:40]!a} of each item and the probe {probe.name} "
                            f"has {', '.join(probe.views) or 'no views'}; choose a probe that holds it.")
    return str(named)


def _images(loaded: Loaded, items: tuple[Text, ...], view: str) -> Iterator[Batch]:
    for start in range(0, len(items), IMAGES_AT_ONCE):
        chosen = list(range(start, min(start + IMAGES_AT_ONCE, len(items))))
        pixels = loaded.processor([_image(items[i], view) for i in chosen], return_tensors="pt")["pixel_values"]
        yield Batch(chosen, {"pixel_values": pixels})


def _image(item: Text, view: str) -> Any:
    from PIL import Image
    try:
        with Image.open(BytesIO(item.views[view]) if view else item.text, formats=IMAGE_FORMATS) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                raise ValueError(f"{opened.width} x {opened.height} pixels are too many")
            if opened.mode.startswith("I;16"):  # convert would clip it to white
                return Image.fromarray((np.asarray(opened) // 257).astype(np.uint8)).convert("RGB")
            return opened.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ExplorerError(f"The image {item.id!r} of the probe cannot be read ({str(error)[:100]}); mend or remove "
                            "it.") from error


def _sounds(loaded: Loaded, items: tuple[Text, ...]) -> Iterator[Batch]:
    """One sound at a time: padding would change what the convolutions hear."""
    for number, item in enumerate(items):
        samples = _samples(item, loaded.processor.sampling_rate)
        ready = loaded.processor(samples, sampling_rate=loaded.processor.sampling_rate, return_tensors="pt",
                                 **({"return_attention_mask": True} if loaded.pads_sounds else {}))
        inputs = {name: value for name, value in ready.items() if name != "attention_mask"}
        yield Batch([number], inputs, ready.get("attention_mask") if loaded.pads_sounds else None)


def _samples(item: Text, rate: int) -> np.ndarray:
    """Mono samples in [-1, 1] of a PCM .wav of the rate that the network was trained on."""
    try:
        with wave.open(str(Path(item.text)), "rb") as sound:
            if sound.getframerate() != rate or sound.getsampwidth() != 2:
                raise ValueError(f"it has {sound.getframerate()} samples a second of {8 * sound.getsampwidth()} bits; "
                                 f"this model needs {rate} of 16")
            if sound.getnframes() > LONGEST_SOUND_S * rate:
                raise ValueError(f"it is longer than {LONGEST_SOUND_S:.0f} s")
            frames = np.frombuffer(sound.readframes(sound.getnframes()), dtype="<i2")
            if len(frames) != sound.getnframes() * sound.getnchannels() or sound.getnframes() < rate * SHORTEST_SOUND_S:
                raise ValueError(f"it is cut off or shorter than {SHORTEST_SOUND_S} s")
            return frames.reshape(-1, sound.getnchannels()).mean(axis=1, dtype=np.float32) / 32768
    except (wave.Error, EOFError, ValueError, OSError) as error:
        raise ExplorerError(f"The sound {item.id!r} of the probe cannot be used: {str(error)[:120]}. Convert or remove "
                            "it.") from error
