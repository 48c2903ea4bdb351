"""Frozen identities: what a number was computed from. Their digests name every file in the store."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from functools import cached_property, lru_cache
from typing import Any

EXTRACTION_VERSION = 1
SCHEMA_VERSION = 2  # 2: values carry their replicates
MOST_DIGESTS = 20_000  # kept in memory
MATRIX_VERSION = 3  # 3: matrices carry replicates and null


def digest(value: Any) -> str:
    """sha256 of canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Checkpoint:
    """One set of weights of a run. `fingerprint` is the sha256 of its weights, config and tokenizer files."""

    run: str
    revision: str
    step: int | None
    tokens: int | None
    path: str
    fingerprint: str

    @property
    def source(self) -> str | None:
        """Repository and commit, for a checkpoint on the Hub: what others can fetch again."""
        return self.path if self.path.startswith("hub:") else None


@dataclass(frozen=True)
class Run:
    """An ordered set of checkpoints; a single model is a run of one.

    `log` holds its training log, where it has one, and `watch` names the column that tells best how training went.
    """

    name: str
    source: str
    checkpoints: tuple[Checkpoint, ...]
    default_probe: str | None = None
    watch: str | None = None
    log: tuple[dict[str, float], ...] = field(default=(), repr=False)

    def at(self, revision: str) -> Checkpoint:
        return next(checkpoint for checkpoint in self.checkpoints if checkpoint.revision == revision)

    @property
    def duplicates(self) -> list[list[str]]:
        """Revisions whose weights are identical, which must never look like a plateau."""
        groups: dict[str, list[str]] = {}
        for checkpoint in self.checkpoints:
            groups.setdefault(checkpoint.fingerprint, []).append(checkpoint.revision)
        return [group for group in groups.values() if len(group) > 1]


@dataclass(frozen=True)
class Policy:
    """Which tokens of a text become rows: its first, its last, the mean of them, every k-th, or the one at the end of
    every k-th word.

    Written `first`, `last`, `mean`, `every-16`, `words-4`. Position 0 is left out of means and of every k-th, and the
    word that holds it of words, since it is a massive outlier in many language models; a trailing `-keep-first` keeps
    it. Words are those of the text, whatever the tokenizer, so that rows of models with different ones are the same.
    """

    kind: str
    every: int = 1
    drop_first: bool = True

    @staticmethod
    def parse(text: str) -> "Policy":
        match = re.fullmatch(r"(?:(first|last|mean)|(every|words)-([1-9]\d*))(-keep-first)?", text)
        if not match:
            raise ValueError(f"token policy {text!r} is not known; use first, last, mean, every-K, words-K (K a whole "
                             "number), or mean-keep-first, every-K-keep-first, words-K-keep-first to keep position 0")
        kind = match[1] or match[2]
        return Policy(kind, int(match[3] or 1), drop_first=kind not in ("first", "last") and not match[4])

    @staticmethod
    def gives_several(name: str) -> bool:
        """Whether rows stored under a policy of this name are several a text, whose ids end in their places."""
        return name.startswith(("every-", "words-"))

    def __str__(self) -> str:
        name = f"{self.kind}-{self.every}" if self.kind in ("every", "words") else self.kind
        return name if self.drop_first or self.kind in ("first", "last") else f"{name}-keep-first"


@dataclass(frozen=True)
class RepresentationKey:
    """All sites of one checkpoint on one probe under one token policy: the unit of extraction."""

    fingerprint: str
    probe: str
    policy: str
    dtype: str = "float32"
    extraction: int = EXTRACTION_VERSION

    @property
    def digest(self) -> str:
        return _digest_of(self)


@lru_cache(maxsize=MOST_DIGESTS)
def _digest_of(key: RepresentationKey) -> str:
    """Pages make the same keys anew at every click."""
    return digest(asdict(key))


@dataclass(frozen=True, slots=True)
class ResultKey:
    """One measure, with its settings, of one site of a representation."""

    representation: RepresentationKey
    site: str
    measure: str
    version: int
    params: tuple[tuple[str, int], ...]
    schema: int = SCHEMA_VERSION

    @property
    def digest(self) -> str:
        return digest(asdict(self))


@dataclass(frozen=True)
class MatrixKey:
    """A pair measure between every row item and every column item, each a (representation, site), with so many draws of
    its null."""

    rows: tuple[tuple[RepresentationKey, str], ...]
    columns: tuple[tuple[RepresentationKey, str], ...]
    measure: str
    version: int
    params: tuple[tuple[str, int], ...]
    draws: int = 0
    schema: int = MATRIX_VERSION

    @cached_property
    def digest(self) -> str:
        return digest(asdict(self))


def site_order(site: str) -> tuple[int, int, str]:
    """Sorts sites from the input of the network to its output; names that a person gave come after, 2 before 10."""
    if match := re.fullmatch(r"block (\d{1,9})", site):
        return 1, int(match[1]), ""
    if site in ("embedding", "final"):
        return (0 if site == "embedding" else 2), 0, ""
    return 3, 0, re.sub(r"\d+", lambda number: number[0].zfill(9), site)
