"""The command `report`: views of the app as one HTML file."""

import argparse
import time
from pathlib import Path

from analysis import files
from analysis.errors import ExplorerError
from analysis.publishing.view import MOST_BYTES, View, from_json
from analysis.runs import known_runs
from analysis.status import Status
from analysis.store import Store


def make_report(arguments: argparse.Namespace, store: Store, status: Status) -> None:
    """Views of the app as one HTML file that opens anywhere: figures, numbers, protocols and references."""
    from analysis.publishing import report, report_pages  # with plotly, which no other command needs
    views = [*map(View.of_link, arguments.link), *(_read(arguments.views) if arguments.views else [])]
    if not views:
        raise ExplorerError("No view to report: give links such as trajectories?runs=NAME, or --views FILE.json as the "
                            "page Saved views exports it.")
    runs, _ = known_runs(store)
    here = [view for view in views if not view.absent(runs)]  # a page would show other runs in their place
    drawn = report_pages.drawn(here, arguments.seconds)
    sections = []
    for number, view in enumerate(views):
        status.report(number, len(views), view.called)
        page = next(drawn) if view in here else report_pages.Page(failed="It was not drawn.")
        sections.append(report.Section(view, page, view.troubles(runs)))
    status.report(len(views), len(views), "writing")
    failed = [section.view.called for section in sections if section.page.failed]
    if len(failed) == len(views):
        raise ExplorerError("No view could be drawn. " + " ".join(
            " ".join([*section.troubles, section.page.failed]) for section in sections[:3]))
    place = Path(arguments.out).expanduser()
    files.write(place, report.build(sections, arguments.title, arguments.note, time.strftime("%d %B %Y, %H:%M")))
    left = f" {len(failed)} could not be drawn, and the report says why: {', '.join(failed[:3])}." if failed else ""
    status.say(f"{place}: {len(views) - len(failed)} view(s), {place.stat().st_size / 1e6:.1f} MB.{left}")


def _read(name: str) -> list[View]:
    path = Path(name).expanduser()
    try:
        with path.open("rb") as handle:
            return from_json(handle.read(MOST_BYTES + 1), name)
    except OSError as why:
        raise ExplorerError(f"The views {name} cannot be read ({why.strerror}); export them on the page Saved views."
                            ) from None
