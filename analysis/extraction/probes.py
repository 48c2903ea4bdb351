"""Probes: fixed sets of texts with ids, so that every row of every representation is known by name."""

import json
import lzma
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from analysis.errors import ExplorerError
from analysis.keys import digest

BUILT_IN = Path(__file__).parents[2] / "demo" / "probes"
DEFAULT = "sotu-held-out"
AS_GIVEN = "as-given"  # the rows came with the run, so there is no text
MAX_BYTES = 200_000_000


@dataclass(frozen=True)
class Text:
    """One text of a probe. `document` groups texts that are not independent; `labels` are what is known of it."""

    id: str
    document: str
    text: str
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Probe:
    name: str
    texts: tuple[Text, ...]

    @cached_property
    def digest(self) -> str:
        return digest([(text.id, text.document, text.text) for text in self.texts])

    @property
    def identity(self) -> str:
        """Name and digest: what results are keyed by and what a figure states."""
        return f"{self.name}@{self.digest[:16]}"


def built_in_probes() -> list[str]:
    return sorted(path.name.split(".")[0] for path in BUILT_IN.glob("*.jsonl*"))


def load_probe(name: str | Path) -> Probe:
    """A built-in probe by name, or a file: .jsonl (optionally .xz) with `text` and, optionally, `id` and `document`; or
    .txt with one text a line. Raises ExplorerError naming the line that is wrong.
    """
    if name == AS_GIVEN:
        return Probe(AS_GIVEN, ())
    path = next((p for p in BUILT_IN.glob("*.jsonl*") if p.name.split(".")[0] == str(name)), Path(name))
    if not path.is_file():
        raise ExplorerError(f"There is no probe {name}: built in are {', '.join(built_in_probes())}; or give the path "
                            "of a .jsonl or .txt file.")
    texts = [_text(path, number, line) for number, line in enumerate(_lines(path), 1) if line.strip()]
    if not texts:
        raise ExplorerError(f"The probe {path} is empty; it needs at least 4 texts, and some hundreds for numbers "
                            "worth reading.")
    twice = [id for id, count in Counter(text.id for text in texts).items() if count > 1]
    if twice:
        raise ExplorerError(f"The probe {path} has {len(twice)} id(s) more than once, first {twice[0]!r}; ids must be "
                            "unique.")
    return Probe(path.name.split(".")[0], tuple(texts))


def _lines(path: Path) -> list[str]:
    try:
        with lzma.open(path, "rb") if path.suffix == ".xz" else path.open("rb") as handle:
            content = handle.read(MAX_BYTES + 1)
    except (lzma.LZMAError, EOFError) as error:
        raise ExplorerError(f"The probe {path} is damaged ({error}); copy it again.") from error
    if len(content) > MAX_BYTES:
        raise ExplorerError(f"The probe {path} is larger than {MAX_BYTES // 10**6} MB; give a smaller sample of texts.")
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError as error:
        raise ExplorerError(f"The probe {path} is not UTF-8 text ({error.reason} at byte {error.start}); convert it "
                            "first.") from error


def _text(path: Path, number: int, line: str) -> Text:
    default = f"{path.name.split('.')[0]}:{number}"
    if path.suffix == ".txt":
        return Text(default, default, line)
    try:
        record = json.loads(line)
        json.dumps(record, ensure_ascii=False).encode()  # half of a surrogate pair has no bytes
    except (ValueError, RecursionError) as error:
        raise ExplorerError(f"Line {number} of the probe {path} is not JSON: {error}.") from error
    if not isinstance(record, dict) or not str(record.get("text") or "").strip():
        raise ExplorerError(f"Line {number} of the probe {path} has no text; each line is an object with a `text`.")
    record = {key: value for key, value in record.items() if value is not None}
    id = str(record.get("id", default))
    labels = {key: str(value) for key, value in record.items() if key not in ("id", "document", "text")}
    return Text(id, str(record.get("document", id)), str(record["text"]), labels)
