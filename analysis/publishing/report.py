"""A report: chosen views with their figures, numbers, protocols and sources, in one HTML file that asks for nothing."""

import json
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

from plotly.offline import get_plotlyjs

from analysis import export, registry
from analysis.publishing import methods
from analysis.publishing import report_parts as parts
from analysis.publishing.report_pages import Page
from analysis.publishing.view import View
from analysis.references import citation
from analysis.weight_measures import BY_NAME

HERE = Path(__file__).parent
# plotly.js draws crowded scatter plots through WebGL, which builds its functions from text.
POLICY = ("default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; "
          "base-uri 'none'; form-action 'none'")
PACKAGES = ("numpy", "scipy", "torch", "transformers", "plotly", "streamlit")


@dataclass(frozen=True)
class Section:
    """A view, what is not as it was when it was saved, and its page."""

    view: View
    page: Page
    troubles: Sequence[str] = ()

    @property
    def name(self) -> str:
        return self.view.name or self.page.title or self.view.called


def build(sections: Sequence[Section], title: str, note: str, date: str) -> bytes:
    """The whole file.

    Parameters
    ----------
    sections : the views in their order
    title, note : of the report; text
    date : as it stands below the title; all else follows from the sections

    Returns
    -------
    UTF-8. plotly.js stands in it once, and its content security policy lets no request out.
    """
    records = [record for section in sections for piece in section.page.pieces for record in piece["records"]]
    body = [parts.text("a", "Skip to the views", href="#view-1", class_="skip"), _head(title, note, date),
            parts.tag("main", _contents(sections) + "".join(
                _section(section, number) for number, section in enumerate(sections, 1)) + _behind(records))]
    head = ['<meta charset="utf-8">', f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">', parts.text("title", title),
            parts.tag("style", (HERE / "report.css").read_text(encoding="utf-8"))]
    drawing = (HERE / "report.js").read_text(encoding="utf-8").replace(
        "%BUTTONS%", json.dumps(export.CONFIG["modeBarButtonsToRemove"]))
    scripts = parts.tag("script", get_plotlyjs()) + parts.tag("script", drawing) if _figures(sections) else ""
    return ("<!DOCTYPE html>\n" + parts.tag("html", parts.tag("head", "\n".join(head)) + parts.tag(
        "body", "\n".join([*body, scripts])), lang="en")).encode()


def _head(title: str, note: str, date: str) -> str:
    own = methods.software()
    made = f"Made on {date} by {own['name']} {own['version']}" + (f", commit {own['commit'][:12]}"
                                                                  if own["commit"] else "")
    return parts.tag("header", parts.text("h1", title) + parts.text("p", f"{made}.", class_="quiet")
                     + (parts.text("p", note) if note else "")
                     + parts.tag("noscript", parts.text("p", "The figures are drawn by scripts in this file, which are "
                                                        "switched off. The numbers can be read without them.")))


def _contents(sections: Sequence[Section]) -> str:
    named = [(f"view-{number}", section.name) for number, section in enumerate(sections, 1)]
    entries = "".join(parts.tag("li", parts.text("a", name, href=f"#{id}")) for id, name in
                      [*named, ("behind", "Methods, references and versions")])
    return parts.tag("nav", parts.text("h2", "Contents", id="contents") + parts.tag("ol", entries),
                     aria_labelledby="contents")


def _section(section: Section, number: int) -> str:
    view, page = section.view, section.page
    id, pieces = f"view-{number}", page.pieces
    where = parts.text("p", f"From the page “{page.title}”. {page.subtitle}", class_="quiet") if page.title else ""
    link = parts.tag("p", f"In the app: {parts.text('code', view.link or '(the first page)')}", class_="quiet")
    said = "".join(parts.text("p", sentence, class_="said warning") for sentence in [*section.troubles, page.failed]
                   if sentence)
    said += "".join(parts.text("p", sentence, class_=f"said {kind}") for kind, sentence in page.said)
    if page.commands:
        said += parts.text("p", "What is missing is computed by:") + "".join(
            parts.text("pre", command) for command in page.commands)
    if not pieces and not page.failed:
        said += parts.text("p", "This view shows no figure.", class_="said info")
    figures = "".join(_piece(piece, f"{id}-figure-{at}", number, at) for at, piece in enumerate(pieces, 1))
    rows = parts.protocols([record for piece in pieces for record in piece["records"]])
    protocol = parts.text("h3", "Protocol") + parts.shared(rows, f"Protocol of view {number}") if rows else ""
    return parts.tag("section", parts.text("h2", f"{number}. {section.name}", id=id)
                     + (parts.text("p", view.note) if view.note else "") + where + link + said + figures + protocol,
                     aria_labelledby=id)


def _piece(piece: dict[str, Any], id: str, number: int, at: int) -> str:
    return (parts.text("h3", piece["title"]) + parts.figure(piece, id)
            + parts.numbers(piece["records"], piece["title"], f"view-{number}-figure-{at}.csv"))


def _behind(records: Sequence[dict[str, Any]]) -> str:
    """Methods, measures, references, versions and weights of the whole report."""
    keys = methods.keys(records)
    entries = "".join(parts.text("li", citation(key), id=f"reference-{number}") for number, key in enumerate(keys, 1))
    references = parts.text("h3", "References") + parts.tag("ol", entries) if keys else ""
    named = [known for name in dict.fromkeys(record.get("measure") for record in records)
             if (known := registry.all_measures().get(str(name)) or BY_NAME.get(str(name)))]
    reading = "".join(parts.tag("p", parts.text("strong", f"{measure.label}. ") + escape(
        f"{measure.summary} {measure.direction.capitalize()}. Beware: {measure.caveats}")) for measure in named)
    rows = parts.weights(records)
    versions = {"Python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
    inside = (parts.text("h2", "Methods, references and versions", id="behind")
              + (_methods(records, keys) if records else "")
              + (parts.folded("How to read the measures", reading) if reading else "") + references
              + parts.folded("BibTeX", parts.text("pre", methods.bibliography(keys)))
              + parts.text("h3", "Versions") + parts.tag("dl", "".join(
                  parts.text("dt", name) + parts.text("dd", value) for name, value in versions.items()))
              + (parts.folded(f"Weights of the {len(rows)} checkpoints", parts.table(rows, "Weights")) if rows else ""))
    return parts.tag("section", inside, aria_labelledby="behind")


def _methods(records: Sequence[dict[str, Any]], keys: Sequence[str]) -> str:
    """The methods sentences, with numbers that lead to the references."""
    links = {key: f'<a href="#reference-{number}">[{number}]</a>' for number, key in enumerate(keys, 1)}

    def cited(found: re.Match[str]) -> str:
        return "".join(f" {links[key]}" for key in found[1].split(",") if key in links)

    paragraphs = methods.methods(records).strip().split("\n\n")
    return "".join(parts.tag("p", re.sub(r" ?\\cite\{([\w,-]+)\}", cited, escape(one))) for one in paragraphs)


def _figures(sections: Sequence[Section]) -> int:
    return sum(len(section.page.pieces) for section in sections)
