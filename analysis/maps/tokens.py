"""What each row of a representation is of: its token, and the text around it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.errors import ExplorerError
from analysis.extraction.probes import Probe
from analysis.keys import Checkpoint, Policy
from analysis.pairs.matched import texts_of
from analysis.representations import Protocol

LAST_WORD = re.compile(r"\S+\Z")


@dataclass(frozen=True)
class Described:
    """Token of each row ("" where there is none) and the text around it, or both ends of its text."""

    tokens: tuple[str, ...]
    contexts: tuple[str, ...]


def described(checkpoint: Checkpoint, protocol: Protocol, row_ids: Sequence[str]) -> Described:
    """Tokens and contexts of rows, by their ids: `text@INDEX` of every k-th token, `text@cOFFSET` of words, else of a
    whole text, whose token is its first or last where that is the policy.

    Tokens are "" where a row is the mean of a text, the probe holds no texts, or the tokenizer cannot be loaded.
    """
    around = tuple(texts_of(protocol.probe, protocol, row_ids))
    kind = re.split(r"\W", protocol.rows)[0]
    if kind == "words":
        return Described(tuple(_words(protocol.probe, row_ids)), around)
    if kind not in ("first", "last", "every") or protocol.probe.kind != "text" or not protocol.probe.texts:
        return Described(("",) * len(row_ids), around)
    try:
        found = _tokens(checkpoint, protocol, row_ids)
    except ExplorerError:
        return Described(("",) * len(row_ids), around)
    tokens = tuple(token for token, _ in found)
    if kind != "every":
        return Described(tokens, around)
    # a row that names the end of its token is one of words to texts_of, which cuts the text there
    named = [f"{_place(id)[0]}@c{end}" if end else id for id, (_, end) in zip(row_ids, found, strict=True)]
    return Described(tokens, tuple(texts_of(protocol.probe, protocol, named)))


def _tokens(checkpoint: Checkpoint, protocol: Protocol, row_ids: Sequence[str]) -> list[tuple[str, int]]:
    """Token of each row, and where it ends in its text."""
    from analysis.extraction.token_spans import tokens_at  # torch is loaded only when a tokenizer is needed
    several = Policy.gives_several(protocol.rows)
    places = [_place(id) if several else (id, -1 if protocol.rows == "last" else 0) for id in row_ids]
    wanted: dict[str, list[int]] = {}
    for text, position in places:
        wanted.setdefault(text, []).append(position)
    texts = {text.id: text for text in protocol.probe.texts if text.id in wanted}
    read = tokens_at(checkpoint, [texts[id] for id in wanted], list(wanted.values()), protocol.probe.shuffled)
    found = dict(zip(wanted, read, strict=True))
    known = {(text, position): token for text, positions in wanted.items()
             for position, token in zip(positions, found[text], strict=True)}
    return [known[place] for place in places]


def _place(id: str) -> tuple[str, int]:
    """Text and position of `text@INDEX`."""
    text, _, position = id.rpartition("@")
    return text, int(position)


def _words(probe: Probe, row_ids: Sequence[str]) -> list[str]:
    """The word that ends where `text@cOFFSET` says."""
    places = [(text, int(end)) for text, _, end in (id.rpartition("@c") for id in row_ids)]
    wanted = {text for text, _ in places}
    texts = {text.id: text.text for text in probe.texts if text.id in wanted}
    return [found[0] if (found := LAST_WORD.search(texts.get(text, ""), 0, end)) else "" for text, end in places]
