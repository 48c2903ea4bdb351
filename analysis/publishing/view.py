"""What a person looks at: a page and its choices, as its link says them, with a name and a note."""

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from analysis.errors import ExplorerError
from analysis.keys import Run, digest

SCHEMA = 1
WAIT_S = 300.0  # most time to draw one page; it reads what is stored and computes nothing
MOST_VIEWS, MOST_RUNS, MOST_BYTES = 500, 100, 4_000_000
MOST_LETTERS = {"name": 120, "note": 2_000, "link": 8_000}
PAGE = re.compile(r"[a-z_]{0,60}")
SOURCE = re.compile(r"hub:[\w.-]{1,100}/[\w.-]{1,100}")  # what anybody can open, unlike a folder of this machine
WEIGHTS = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Seen:
    """A run as it was when a view of it was saved: where others can get it, and a digest of its weights."""

    name: str
    source: str
    weights: str

    @staticmethod
    def of(run: Run) -> "Seen":
        source = run.source if SOURCE.fullmatch(run.source) else ""
        prints = [(checkpoint.revision, checkpoint.fingerprint) for checkpoint in run.checkpoints]
        return Seen(run.name, source, digest({"checkpoints": prints})[:16])


@dataclass(frozen=True)
class View:
    """A page by the name in its link, empty for the first page, and what follows the question mark, in its order."""

    page: str = ""
    query: tuple[tuple[str, str], ...] = ()
    name: str = ""
    note: str = ""
    seen: tuple[Seen, ...] = ()

    @property
    def link(self) -> str:
        return f"{self.page}?{urlencode(self.query)}" if self.query else self.page

    @cached_property
    def id(self) -> str:
        """The same for every view that shows the same, whatever it is called and however its link is ordered."""
        return digest({"page": self.page, "query": sorted(self.query, key=lambda part: part[0])})[:32]

    @property
    def called(self) -> str:
        return self.name or self.link or "overview"

    @property
    def parameters(self) -> dict[str, list[str]]:
        """The query as Streamlit takes it."""
        return {name: [value for known, value in self.query if known == name] for name, _ in self.query}

    @property
    def runs(self) -> list[str]:
        return list(dict.fromkeys(self.parameters.get("runs", [])))

    @staticmethod
    def of_link(link: str, name: str = "", note: str = "") -> "View":
        """The view of a link, with or without its machine: the last part of the path is the page.

        Raises ExplorerError for what is no link to a page.
        """
        most = MOST_LETTERS["link"]
        if len(link) > most:
            raise ExplorerError(f"The link is {len(link):,} letters long, and one to a page has at most {most:,}; copy "
                                "it again from the browser.")
        try:
            parts = urlsplit(link.strip())
            page = parts.path.rstrip("/").rpartition("/")[2]
            query = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=1_000)
        except ValueError:
            page, query = "?", []
        if not PAGE.fullmatch(page):
            raise ExplorerError(f"The link {link[:80]!r} names no page of this app; copy one from the browser, such as "
                                "trajectories?runs=NAME.")
        return View(page, tuple(query), name, note)

    def troubles(self, runs: Sequence[Run]) -> list[str]:
        """What of the view is not here, or is not as it was, in sentences that say what to do.

        Parameters
        ----------
        runs : every run that this server knows
        """
        known, seen = {run.name: run for run in runs}, {run.name: run for run in self.seen}
        found = []
        for name in self.runs:
            was = seen.get(name)
            if name not in known:
                found.append(f"The run {name} is not here. {_way_to(name, was)}")
            elif was and was.weights != Seen.of(known[name]).weights:
                found.append(f"The run {name} has other checkpoints or other weights here than where this view was "
                             "saved, so the numbers may differ.")
        return found

    def absent(self, runs: Sequence[Run]) -> list[str]:
        """Names of its runs that this server does not know."""
        known = {run.name for run in runs}
        return [name for name in self.runs if name not in known]


def _way_to(name: str, was: Seen | None) -> str:
    if was and was.source:
        return f"To open it: python -m analysis open {was.source} --name {shlex.quote(name)}"
    return "It came from a folder or an upload: ask who saved the view for it, and open it on the page Checkpoints."


def to_json(views: Sequence[View]) -> bytes:
    """Views as one file for a colleague."""
    return json.dumps({"schema": SCHEMA, "views": [as_fields(view) for view in views]}, indent=1,
                      ensure_ascii=False).encode()


def from_json(content: bytes, origin: str = "The file") -> list[View]:
    """The views of a file that `to_json` made.

    Raises ExplorerError, naming the view and the field, for anything else: the file may be from a stranger.
    """
    if len(content) > MOST_BYTES:
        raise ExplorerError(f"{origin} has {len(content):,} bytes; saved views have at most {MOST_BYTES:,}.")
    try:
        held = json.loads(content)
    except (ValueError, RecursionError) as why:
        raise ExplorerError(f"{origin} is not the JSON of saved views ({why}); export one on the page Saved views."
                            ) from None
    if not isinstance(held, dict) or held.get("schema") != SCHEMA or not isinstance(held.get("views"), list):
        raise ExplorerError(f"{origin} holds no saved views of schema {SCHEMA}; export one on the page Saved views.")
    if len(held["views"]) > MOST_VIEWS:
        raise ExplorerError(f"{origin} holds {len(held['views'])} views; at most {MOST_VIEWS} are read at once.")
    return [of_fields(entry, f"{origin}, view {number}") for number, entry in enumerate(held["views"], 1)]


def as_fields(view: View) -> dict[str, Any]:
    return {"name": view.name, "note": view.note, "link": view.link, "runs": [vars(run) for run in view.seen]}


def of_fields(entry: object, origin: str) -> View:
    """One view, each field of which is looked at."""
    if not isinstance(entry, dict):
        raise ExplorerError(f"{origin} is not an object with name, note, link and runs.")
    for field, most in MOST_LETTERS.items():
        if not _is_text(entry.get(field), most):
            raise ExplorerError(f"{origin}: {field} must be text of at most {most:,} letters.")
    runs = entry.get("runs", [])
    if not isinstance(runs, list) or len(runs) > MOST_RUNS:
        raise ExplorerError(f"{origin}: runs must be a list of at most {MOST_RUNS}.")
    view = View.of_link(entry["link"], entry["name"].strip(), entry["note"].strip())
    return View(view.page, view.query, view.name, view.note, tuple(_seen(run, origin) for run in runs))


def _seen(entry: object, origin: str) -> Seen:
    if not isinstance(entry, dict) or not all(isinstance(entry.get(name), str) for name in ("name", "source",
                                                                                           "weights")):
        raise ExplorerError(f"{origin}: each of its runs must have name, source and weights, all text.")
    if not _is_text(entry["name"], MOST_LETTERS["name"]):
        raise ExplorerError(f"{origin}: the name of a run must be text of at most {MOST_LETTERS['name']} letters.")
    if entry["source"] and not SOURCE.fullmatch(entry["source"]):
        raise ExplorerError(f"{origin}: the source of a run must be empty or hub:OWNER/NAME, got "
                            f"{entry['source'][:80]!r}.")
    if not WEIGHTS.fullmatch(entry["weights"]):
        raise ExplorerError(f"{origin}: weights of a run must be 16 hexadecimal digits.")
    return Seen(entry["name"], entry["source"], entry["weights"])


def _is_text(value: object, most: int) -> bool:
    return isinstance(value, str) and len(value) <= most and "\0" not in value
