"""The command `figures`: every figure of some pages of the app, laid out for a paper, in one zip."""

import argparse
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from analysis import files
from analysis.errors import ExplorerError
from analysis.publishing import render, report_pages
from analysis.publishing.bundle import Piece, contents, zipped
from analysis.publishing.layout import BACKGROUNDS, DOUBLE_MM, LEGENDS, SINGLE_MM, Print
from analysis.publishing.palettes import PALETTES
from analysis.publishing.report_pages import Page
from analysis.publishing.view import WAIT_S, View
from analysis.runs import known_runs
from analysis.status import Status
from analysis.store import Store

USUAL = Print()
FORMATS = ("pdf", "svg")
DRAWING_S = 180.0  # for one figure; a job in the background has to wait for the pages that somebody looks at
LONGEST = 60  # letters of a folder's name
Drawn = list[tuple[View, Page]]


def add_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("link", nargs="+", metavar="LINK", help="of a page, such as 'trajectories?runs=NAME'")
    command.add_argument("--out", metavar="FILE", default="figures.zip", help="default: figures.zip")
    command.add_argument("--width", type=float, default=USUAL.width_mm, metavar="MM", help="of each figure (default: "
                         f"{SINGLE_MM:g}, one column; {DOUBLE_MM:g} are two)")
    command.add_argument("--height", type=float, metavar="MM", help="default: as the figure was designed")
    command.add_argument("--font", type=float, default=USUAL.font_pt, metavar="PT", help=f"size of type (default: "
                         f"{USUAL.font_pt:g})")
    command.add_argument("--palette", choices=PALETTES, default=USUAL.palette, help=f"default: {USUAL.palette}")
    command.add_argument("--paper", choices=BACKGROUNDS, default=USUAL.background, help=f"default: {USUAL.background}")
    command.add_argument("--legend", choices=LEGENDS, default=USUAL.legend, help=f"default: {USUAL.legend}")
    command.add_argument("--titles", action="store_true", help="a title above each figure")
    command.add_argument("--format", action="append", choices=render.FORMATS, help="repeat for more (default: pdf and "
                         "svg); HTML and tables are always there")
    command.add_argument("--dpi", type=int, default=300, metavar="N", help="of a PNG (default: 300)")
    command.add_argument("--seconds", type=float, default=WAIT_S, metavar="S", help="most time to draw a page "
                         f"(default: {WAIT_S:g})")
    command.set_defaults(at_once=True)


def options(to: Print, formats: Sequence[str], dpi: int) -> list[str]:
    """The options that ask for the same print."""
    given: dict[str, Any] = {"--width": f"{to.width_mm:g}", "--height": to.height_mm and f"{to.height_mm:g}",
                             "--font": f"{to.font_pt:g}", "--palette": to.palette, "--paper": to.background,
                             "--legend": to.legend}
    said = [part for name, value in given.items() if value is not None for part in (name, value)]
    kinds = [part for kind in formats for part in ("--format", kind)]
    return [*said, *(["--titles"] if to.titles else []), *kinds, "--dpi", str(dpi)]


def make_figures(arguments: argparse.Namespace, store: Store, status: Status) -> None:
    """Every figure of some pages of the app, laid out for a paper, with its table and its sources, in one zip."""
    to = Print(width_mm=arguments.width, height_mm=arguments.height, font_pt=arguments.font, titles=arguments.titles,
               palette=arguments.palette, background=arguments.paper, legend=arguments.legend)
    formats, why = arguments.format or FORMATS, render.available()
    if why:
        status.say(f"{why} The zip holds interactive figures and tables only.")
    drawn = _pages(arguments, store, status)
    if not any(page.pieces for _, page in drawn):
        raise ExplorerError("No page has a figure to print. " + " ".join(_said(drawn)[:3]))
    names, held, failed = _folders(drawn), dict[str, bytes](), list[str]()
    for number, (name, piece) in enumerate(names.items()):
        status.report(number, len(names), f"figure {number + 1} of {len(names)}: {piece.title}")
        try:
            made = contents([piece], to, [] if why else formats, dpi=arguments.dpi, timeout_s=DRAWING_S)
        except ExplorerError as problem:
            failed.append(f"{piece.title}: no page for print, because: {problem}")
            made = contents([piece], USUAL, [])
        held |= {f"{name}/{file}": content for file, content in made.items()}
    problems = [*_said(drawn), *([why] if why else []), *failed]
    held["contents.txt"] = "\n".join([*names, "", *problems]).encode()
    place = Path(arguments.out).expanduser()
    files.write(place, zipped(held))
    left = f" Not all is there, and contents.txt says why: {problems[0]}" if problems else ""
    status.say(f"{place}: {len(names)} figure(s), {place.stat().st_size / 1e6:.1f} MB.{left}")


def _pages(arguments: argparse.Namespace, store: Store, status: Status) -> Drawn:
    """Each page as the app draws it; one whose runs are not here is not drawn, for it would show others."""
    views = list(map(View.of_link, arguments.link))
    runs, _ = known_runs(store)
    here = [view for view in views if not view.absent(runs)]
    pages = report_pages.drawn(here, arguments.seconds)
    found = []
    for number, view in enumerate(views):
        status.report(number, len(views), f"drawing the page {view.called}")
        page = next(pages) if view in here else Page(failed=" ".join(view.troubles(runs)))
        found.append((view, page))
    return found


def _folders(drawn: Drawn) -> dict[str, Piece]:
    """Every figure by the folder it gets: its page, and its place and title there."""
    return {f"{number}-{view.page or 'overview'}/{place}-{_stem(piece['title'])}":
            Piece.of_fields(piece)
            for number, (view, page) in enumerate(drawn, 1) for place, piece in enumerate(page.pieces, 1)}


def _said(drawn: Drawn) -> list[str]:
    """What a page says instead of a figure, or why it was not drawn."""
    return [line for view, page in drawn for line in _messages(view, page)]


def _messages(view: View, page: Page) -> Iterator[str]:
    if page.failed:
        yield f"{view.called}: {page.failed}"
    elif not page.pieces:
        yield f"{view.called}: the page shows no figure. {' '.join(text for _, text in page.said)}".strip()
    else:
        yield from (f"{view.called}: {text}" for kind, text in page.said if kind != "info")


def _stem(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:LONGEST].rstrip("-") or "figure"
