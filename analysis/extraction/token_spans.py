"""Which characters of a text a token covers: what a row is of, in words. Loads a tokenizer and no weights."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from analysis.checkpoints import hub, preflight
from analysis.checkpoints.config import read_config
from analysis.checkpoints.load import LONGEST_CONTEXT, load_tokenizer
from analysis.extraction.inputs import TEXTS_AT_ONCE, in_random_order
from analysis.extraction.probes import Text
from analysis.keys import Checkpoint


def tokens_at(checkpoint: Checkpoint, texts: Sequence[Text], positions: Sequence[Sequence[int]],
              shuffled: bool = False) -> list[list[tuple[str, int]]]:
    """The token at some positions of each text, and where it ends in the text (0: not known, or it covers none of it).

    A token is written as the characters it covers, or by its own name where it covers none, such as `[CLS]`; decoded
    alone where the tokens of the texts are `shuffled`, and where a tokenizer in Python does not tell what they cover.
    Negative positions count from the end of what the network reads. Raises ExplorerError where the tokenizer cannot be
    loaded.
    """
    tokenizer, longest = _loaded(checkpoint)
    found: list[list[tuple[str, int]]] = []
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        some, wanted = tuple(texts[start:start + TEXTS_AT_ONCE]), positions[start:start + TEXTS_AT_ONCE]
        encoded = tokenizer([text.text for text in some], truncation=True, max_length=longest,
                            return_special_tokens_mask=shuffled)
        if encoded.encodings and not shuffled:
            found += [[_token(one, text.text, position) for position in places]
                      for one, text, places in zip(encoded.encodings, some, wanted, strict=True)]
            continue
        ids = [np.array(one) for one in encoded["input_ids"]]
        ids = in_random_order(tokenizer, some, ids, encoded["special_tokens_mask"]) if shuffled else ids
        found += [[(tokenizer.decode([int(one[position])]), 0) for position in places]
                  for one, places in zip(ids, wanted, strict=True)]
    return found


def _token(encoding: Any, text: str, position: int) -> tuple[str, int]:
    first, behind = encoding.offsets[position]
    return (text[first:behind] or encoding.tokens[position]), behind


def _loaded(checkpoint: Checkpoint) -> tuple[Any, int]:
    """The tokenizer of a checkpoint, and how many tokens its network reads at most."""
    with _folder(checkpoint) as folder:
        settings = read_config(folder)
        limit = settings.get("max_position_embeddings") or settings.get("n_positions") or LONGEST_CONTEXT
        return load_tokenizer(folder, settings), min(limit, LONGEST_CONTEXT)


@contextmanager
def _folder(checkpoint: Checkpoint) -> Iterator[Path]:
    """A folder with the tokenizer: that of the checkpoint; of one on the Hub, the few small files that are needed."""
    if not checkpoint.path.startswith(hub.PREFIX):
        yield Path(checkpoint.path)
        return
    remote = hub.remote(*hub.split_path(checkpoint.path))
    small = tuple(file for file in remote.files if file[0] in ("config.json", *preflight.TOKENIZER_FILES))
    with tempfile.TemporaryDirectory(prefix="explorer-") as name:
        hub.fetch(replace(remote, files=small), Path(name))
        (Path(name) / "model.safetensors").touch()  # never read: a tokenizer is staged beside weights
        yield Path(name)
