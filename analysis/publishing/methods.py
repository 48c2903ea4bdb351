"""What the methods section of a paper says of a figure, and the entries of its bibliography."""

import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from analysis import registry, stitch_views, summaries
from analysis.errors import ExplorerError
from analysis.keys import site_order
from analysis.maps import reading as maps
from analysis.measure import Measure
from analysis.pairs import layout
from analysis.references import BIBLIOGRAPHY
from analysis.topology import recovered, words
from analysis.weight_measures import BY_NAME, WeightMeasure

Record = Mapping[str, Any]
HOME = Path(__file__).parents[2]
APP, OWN_KEY = "Representation Geometry Explorer", "explorer"
SIDES = ("", "_a", "_b")  # a record of a pair says each thing of both sides
VERSION = "0.1.0"  # as in pyproject.toml, which an installed copy need not have
MOST_LISTED = 4
ENGINES = ("numpy", "scipy", "torch", "transformers")
# What was done with measures, or instead of one: a record names it as its `procedure`, and this is the sentence.
PROCEDURES = (summaries.PROCEDURES | stitch_views.PROCEDURES | layout.PROCEDURES | maps.PROCEDURES | words.PROCEDURES
              | recovered.PROCEDURES)
CITED = re.compile(r"\\cite\{([^}]*)\}")


def methods(records: Sequence[Record], captions: Sequence[str] = ()) -> str:
    r"""Sentences for a methods section, with `\cite` keys that `bibliography` has entries of.

    Parameters
    ----------
    records : what the figures were made from; what they do not say is not said
    captions : of the figures, in their order; they follow the sentences

    Returns
    -------
    Plain text, ending with a newline.
    """
    of_rows = [record for record in records if record.get("measure") not in BY_NAME]  # a matrix of weights has none
    what = _listed(_named(measure, records) for measure in _measures(records)) or "The values shown"
    sites = sorted({str(site) for site in _values(records, "site")}, key=site_order)
    where = f" at {_listed(sites)}" if sites else ""
    sentences = [f"{what[:1].upper()}{what[1:]} {'was' if len(_measures(records)) == 1 else 'were'} computed{where}"
                 f"{_checkpoints(records)}{_texts(of_rows)}{_rows(of_rows)}.", *_procedures(records),
                 *_uncertainty(records), _software()]
    parts = [" ".join(sentences), *(caption for caption in captions if caption)]
    return "\n\n".join(parts) + "\n"


def keys(records: Sequence[Record]) -> list[str]:
    """The references of the measures and procedures in the records, each once, in their order."""
    known = (_known(name) for name in _measures(records))
    cited = (key for sentence in _procedures(records) for found in CITED.findall(sentence) for key in found.split(","))
    return list(dict.fromkeys([*(measure.reference for measure in known if measure), *cited]))


def bibliography(wanted: Iterable[str]) -> str:
    """BibTeX of exactly these keys, each once, and of the app itself, which comes last.

    Raises ExplorerError for a key that references.bib does not have.
    """
    lines = {}
    for line in BIBLIOGRAPHY.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"@\w+\{([\w-]+),", line):
            lines[match[1]] = line
    chosen = list(dict.fromkeys(wanted))
    if unknown := [key for key in chosen if key not in lines]:
        raise ExplorerError(f"references.bib has no entry {', '.join(unknown)}; add it there, one entry a line.")
    own = software()
    note = ", ".join(filter(None, (f"Version {own['version']}", own["commit"] and f"commit {own['commit']}")))
    entry = f"@misc{{{OWN_KEY}, key={{{APP}}}, title={{{{{APP}}}}}, note={{{note}}}}}"
    return "\n".join([*(lines[key] for key in chosen), entry]) + "\n"


@cache
def software() -> dict[str, str]:
    """Name, version and commit of this app; the commit is empty where git or its folder is not there."""
    try:
        asked = subprocess.run(["git", "-C", str(HOME), "rev-parse", "HEAD"], capture_output=True, text=True,
                               timeout=10, check=True)
        commit = asked.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        commit = ""
    return {"name": APP, "version": VERSION, "commit": commit}


def _measures(records: Sequence[Record]) -> list[str]:
    return list(dict.fromkeys(record["measure"] for record in records if record.get("measure")))


def _procedures(records: Sequence[Record]) -> list[str]:
    """The sentence of each procedure once, though several may say the same."""
    names = dict.fromkeys(record["procedure"] for record in records if record.get("procedure"))
    return list(dict.fromkeys(PROCEDURES[name] for name in names))


def _known(name: str) -> Measure | WeightMeasure | None:
    return registry.all_measures().get(name) or BY_NAME.get(name)


def _named(name: str, records: Sequence[Record]) -> str:
    """A measure by its label, with the settings it was given and its source."""
    measure = _known(name)
    if measure is None:
        return name
    given = {tuple(sorted(protocol.get("params", {}).items()))
             for record in records if record.get("measure") == name for protocol in _of(record, "protocol")}
    settings = "; ".join(", ".join(f"{setting.replace('_', ' ')} = {value}" for setting, value in params)
                         for params in sorted(given) if params)
    return f"{measure.label}{f' with {settings}' if settings else ''} \\cite{{{measure.reference}}}"


def _checkpoints(records: Sequence[Record]) -> str:
    """How many checkpoints of which runs."""
    found: dict[str, dict[str, Any]] = {}
    for record in records:
        sides = [tuple(record.get(f"{name}{side}") for name in ("run", "revision", "step")) for side in SIDES]
        for run, revision, step in [*sides, (record.get("receiver"), record.get("receiver_revision"), None)]:
            if run and revision:
                found.setdefault(run, {})[revision] = step
    told = [f"{_counted(len(revisions), 'checkpoint')} of {run} ({_ends(revisions)})"
            for run, revisions in found.items()]
    return f" for {_listed(told)}" if told else ""


def _ends(revisions: Mapping[str, int | None]) -> str:
    """The first and the last by step, or as they come where one has none."""
    steps = revisions.values()
    names = list(revisions) if None in steps else sorted(revisions, key=lambda name: revisions[name] or 0)
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"


def _texts(records: Sequence[Record]) -> str:
    protocols = list(_values(records, "protocol"))
    told = {"probe": lambda value: f"probe {value}", "policy": lambda value: f"rows: {value}",
            "dtype": lambda value: f"{value} forward pass"}
    parts = [_each(protocols, name, say) for name, say in told.items()]
    return f" ({'; '.join(filter(None, parts))})" if any(parts) else ""


def _each(protocols: Sequence[Record], name: str, say: Callable[[Any], str]) -> str:
    return _listed(say(value) for value in dict.fromkeys(p[name] for p in protocols if p.get(name)))


def _rows(records: Sequence[Record]) -> str:
    sizes = sorted({record["n"] for record in records if record.get("n")})
    widths = sorted({record["d"] for record in records if record.get("d")})
    if not sizes:
        return ""
    return f", with n = {_spread(sizes)} rows" + (f" of d = {_spread(widths)}" if widths else "")


def _uncertainty(records: Sequence[Record]) -> Iterator[str]:
    """Intervals, draws by chance and seeds, where the records have them."""
    ways = {measure.uncertainty for record in records if record.get("low") is not None
            and (measure := _known(record.get("measure", "")))}
    if ways:
        yield f"Intervals are 95 % ({_listed(sorted(ways))})."
    draws = sorted({record["draws"] for record in records if record.get("draws") and record.get("measure")})
    if draws:
        yield f"Levels by chance are from {_listed(map(str, draws))} draws."
    elif any(record.get("chance") is not None for record in records):
        nulls = {m.null for record in records if record.get("chance") is not None
                 and (m := _known(record.get("measure", "")))}
        yield f"With nothing to find: {_listed(sorted(nulls))}." if nulls else "Levels by chance are shown."
    seeds = sorted(set(_values(records, "seed"))
                   | {p["seed"] for p in _values(records, "protocol") if p.get("seed") is not None})
    if seeds:
        yield f"The seed was {_listed(map(str, seeds))}."


def _software() -> str:
    own = software()
    commit = f", commit {own['commit'][:12]}" if own["commit"] else ""
    engines = ", ".join(f"{name} {version(name)}" for name in ENGINES)
    return f"All was made with {APP} {own['version']}{commit} \\cite{{{OWN_KEY}}} ({engines})."


def _of(record: Record, name: str) -> Iterator[Any]:
    return (record[f"{name}{side}"] for side in SIDES if record.get(f"{name}{side}") is not None)


def _values(records: Sequence[Record], name: str) -> Iterator[Any]:
    return (value for record in records for value in _of(record, name))


def _spread(numbers: Sequence[int]) -> str:
    """All of a few numbers in order, or the ends of many."""
    return _listed(map(str, numbers)) if len(numbers) <= MOST_LISTED else f"{numbers[0]} to {numbers[-1]}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _listed(parts: Iterable[str]) -> str:
    """The parts with commas and an `and` before the last."""
    *most, last = list(parts) or [""]
    return f"{', '.join(most)} and {last}" if most else last
