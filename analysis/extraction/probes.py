"""Probes: fixed sets of texts with ids, so that every row of every representation is known by name."""

import base64
import csv
import hashlib
import json
import lzma
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from pyarrow import ArrowException, parquet

from analysis.errors import ExplorerError
from analysis.files import PROJECT
from analysis.keys import digest

BUILT_IN = PROJECT / "demo" / "probes"
DEFAULT = "sotu-held-out"
AS_GIVEN = "as-given"  # the rows came with the run, so there is no text
SHUFFLED = "+shuffled"  # ends the name of a probe whose texts are read with their tokens in a random order
MAX_BYTES, MOST_TEXTS = 200_000_000, 1_000_000
IMAGES, SOUNDS = (".png", ".jpg", ".jpeg", ".webp", ".bmp"), (".wav",)
IMAGE_FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
VIEW = re.compile(r"data:image/(?:png|jpeg|webp|bmp);base64,([A-Za-z0-9+/]+={0,2})")
VIEW_NAME = re.compile(r"[\w-]{1,40}", re.ASCII)


@dataclass(frozen=True)
class Text:
    """One text of a probe. `document` groups texts that are not independent; `labels` are what is known of it.

    `views` are pictures of one item in several renderings, by name: a network reads the one that the `view` in its
    preprocessor_config.json names, or else the first.
    """

    id: str
    document: str
    text: str
    labels: dict[str, str] = field(default_factory=dict, hash=False)
    content: str = ""  # of an image or a sound, whose `text` is its path: the sha256 of the file, or of the views
    views: dict[str, bytes] = field(default_factory=dict, hash=False, repr=False)


@dataclass(frozen=True)
class Probe:
    name: str
    texts: tuple[Text, ...]
    kind: str = "text"  # or image, sound
    shuffled: bool = False  # each text is read with its tokens in a random order, which its id fixes

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the renderings that every item has."""
        return tuple(self.texts[0].views) if self.texts else ()

    @cached_property
    def digest(self) -> str:
        texts = [(text.id, text.document, text.content or text.text) for text in self.texts]
        return digest({"shuffled": texts} if self.shuffled else texts)

    @property
    def identity(self) -> str:
        """Name and digest: what results are keyed by and what a figure states."""
        return f"{self.name}@{self.digest[:16]}"


def built_in_probes() -> list[str]:
    return sorted(path.name.split(".")[0] for path in BUILT_IN.glob("*.jsonl*"))


def load_probe(name: str | Path) -> Probe:
    """A built-in probe by name, or a file: .jsonl (optionally .xz), .csv or .parquet with `text` and, optionally, `id`
    and `document` (other columns are labels); .txt with one text a line; or a folder of images or of .wav sounds, whose
    sub-folders are labels. `+shuffled` behind the name gives the same texts with the tokens of each in a random order.
    Raises ExplorerError naming the line that is wrong.
    """
    if str(name).endswith(SHUFFLED):
        return shuffled(load_probe(str(name).removesuffix(SHUFFLED)))
    if name == AS_GIVEN:
        return Probe(AS_GIVEN, ())
    path = next((p for p in BUILT_IN.glob("*.jsonl*") if p.name.split(".")[0] == str(name)), Path(name))
    if path.is_dir():
        return _media(path)
    if not path.is_file():
        raise ExplorerError(f"There is no probe {name}: built in are {', '.join(built_in_probes())}; or give the path "
                            "of a .jsonl, .csv, .parquet or .txt file, or of a folder of images.")
    found = path.stat()
    return _read(path, found.st_mtime_ns, found.st_size)


def shuffled(probe: Probe) -> Probe:
    """The probe with the tokens of each text shuffled: what remains is which tokens a text has, and how many."""
    if probe.kind != "text" or probe.shuffled or probe.name == AS_GIVEN:
        held = "shuffled texts already" if probe.shuffled else f"{probe.kind}s" if probe.kind != "text" else \
            "rows that came with a run"
        raise ExplorerError(f"The probe {probe.name} holds {held}, and {SHUFFLED} shuffles the tokens of texts; leave "
                            "it out, or choose a probe of texts.")
    return replace(probe, name=f"{probe.name}{SHUFFLED}", shuffled=True)


@lru_cache(maxsize=2)
def _read(path: Path, written: int, size: int) -> Probe:
    """The probe in a file, kept for as long as the file stays as it is."""
    if path.suffix.lower() in (".csv", ".parquet"):
        texts = [_record(path, number, record, where) for number, (where, record) in enumerate(_table(path), 1)]
    else:
        texts = [_text(path, number, line) for number, line in enumerate(_lines(path), 1) if line.strip()]
    if not texts:
        raise ExplorerError(f"The probe {path} is empty; it needs at least 4 texts, and some hundreds for numbers "
                            "worth reading.")
    twice = [id for id, count in Counter(text.id for text in texts).items() if count > 1]
    if twice:
        raise ExplorerError(f"The probe {path} has {len(twice)} id(s) more than once, first {twice[0]!r}; ids must be "
                            "unique.")
    other = next((text for text in texts if list(text.views) != list(texts[0].views)), None)
    if other is not None:
        raise ExplorerError(f"The probe {path} gives {other.id!r} the views {', '.join(other.views) or 'none'} and the "
                            f"first item {', '.join(texts[0].views) or 'none'}; give every item the same, in an order.")
    return Probe(path.name.split(".")[0], tuple(texts), "image" if texts[0].views else "text")


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
    return _record(path, number, record, f"Line {number}")


def _record(path: Path, number: int, record: Any, where: str) -> Text:
    default = f"{path.name.split('.')[0]}:{number}"
    given = record.get("views") if isinstance(record, dict) else None
    views = _views(path, given, where) if isinstance(given, dict) else {}
    if not isinstance(record, dict) or not (views or str(record.get("text") or "").strip()):
        raise ExplorerError(f"{where} of the probe {path} has no text; each has to have a `text`.")
    left = ("id", "document", "text", *(["views"] if views else []))
    record = {key: value for key, value in record.items() if value is not None}
    id = str(record.get("id", default))
    labels = {key: str(value) for key, value in record.items() if key not in left}
    content = digest([(name, hashlib.sha256(view).hexdigest()) for name, view in views.items()]) if views else ""
    return Text(id, str(record.get("document", id)), str(record.get("text", "")), labels, content, views)


def _views(path: Path, given: dict[str, Any], where: str) -> dict[str, bytes]:
    """Pictures in the file itself, as data: addresses, by the name of the rendering. They are decoded by a worker."""
    found = {}
    for name, value in given.items():
        matched = VIEW.fullmatch(value) if isinstance(value, str) else None
        try:
            found[name] = base64.b64decode(matched[1], validate=True) if matched else b""
        except ValueError:
            found[name] = b""
        if not found[name] or not VIEW_NAME.fullmatch(name):
            raise ExplorerError(f"{where} of the probe {path} has a view {name[:40]!a} that is no picture; give views "
                                "names of letters and digits, and each as data:image/png;base64,...")
    if not found:
        raise ExplorerError(f"{where} of the probe {path} has no picture among its views; give at least one.")
    return found


def _table(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Rows of a .csv or .parquet file as texts, each with the words for where it stands."""
    if path.stat().st_size > MAX_BYTES:
        raise ExplorerError(f"The probe {path} is larger than {MAX_BYTES // 10**6} MB; give a smaller sample of texts.")
    try:
        rows = _parquet_rows(path) if path.suffix.lower() == ".parquet" else _csv_rows(path)
    except (ValueError, OSError, csv.Error, ArrowException) as error:
        said = " ".join(str(error).split())[:120]
        raise ExplorerError(f"The probe {path} cannot be read as a table ({said}); save it again.") from error
    if len(rows) > MOST_TEXTS:
        raise ExplorerError(f"The probe {path} holds more than {MOST_TEXTS} texts; give a smaller sample.")
    if rows and "text" not in rows[0][1]:
        names = ", ".join(ascii(name)[1:-1][:40] for name in list(rows[0][1])[:8])
        raise ExplorerError(f"The probe {path} has the columns {names} and none is named text; name the one that holds "
                            "the texts so.")
    return [(where, {name: value for name, value in row.items() if value is not None and value != ""})
            for where, row in rows]


def _csv_rows(path: Path) -> list[tuple[str, dict[str, Any]]]:
    with path.open(newline="", encoding="utf-8-sig") as handle:
        reader = csv.DictReader(handle, strict=True)
        rows: list[tuple[str, dict[str, Any]]] = []
        for row in reader:
            if None in row:
                raise ValueError(f"line {reader.line_num} has more values than there are columns; quote texts with "
                                 "commas in them")
            rows.append((f"Line {reader.line_num}", row))
            if len(rows) > MOST_TEXTS:
                break
    return rows


def _parquet_rows(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Read in small batches, since a few bytes may stand for a long text many times over."""
    rows: list[tuple[str, dict[str, Any]]] = []
    held = 0
    with parquet.ParquetFile(path) as table:
        for batch in table.iter_batches(batch_size=256):
            held += batch.nbytes
            if held > MAX_BYTES or len(rows) > MOST_TEXTS:
                raise ValueError(f"it unpacks to more than {MAX_BYTES // 10**6} MB or {MOST_TEXTS} rows")
            rows += [(f"Row {len(rows) + k}", {name: _spoken(value) for name, value in row.items()})
                     for k, row in enumerate(batch.to_pylist(), 1)]
    return rows


def _spoken(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def _media(folder: Path) -> Probe:
    """Every image or every sound below a folder, in order of their names; a sub-folder is a label."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix.lower() in (*IMAGES, *SOUNDS))
    kinds = {"sound" if path.suffix.lower() in SOUNDS else "image" for path in files}
    if len(kinds) != 1 or len(files) > MOST_TEXTS:
        raise ExplorerError(f"The folder {folder} holds {len(files)} images and sounds; a probe is a folder of images "
                            f"({', '.join(IMAGES)}) or of sounds ({', '.join(SOUNDS)}), {MOST_TEXTS} at most.")
    items = []
    for path in files:
        name = path.relative_to(folder)
        with path.open("rb") as handle:
            content = hashlib.file_digest(handle, "sha256").hexdigest()
        labels = {"folder": name.parts[0]} if len(name.parts) > 1 else {}
        items.append(Text(name.as_posix(), name.as_posix(), str(path), labels, content))
    return Probe(folder.name, tuple(items), kinds.pop())
