"""Draw pages without a browser: `python -m ui.headless` reads links from its input, one a line, and writes one JSON a
line: the title of the page, what it says in its messages, and its figures with their records.

Whatever a page shows can so be put into a report or a zip by the script that draws it on the screen, and by no other.
"""

import json
import os
import sys
from typing import Any, TextIO

from streamlit.testing.v1 import AppTest

from analysis.errors import ExplorerError
from analysis.files import PROJECT
from analysis.publishing.view import View
from ui import guard, jobs_panel, pieces, words
from ui.plain import unplain

PATIENCE_S = 300.0
MESSAGES = ("error", "warning", "info")


def drawn(view: View) -> dict[str, Any]:
    """A page as it is drawn for a visitor who follows a link to it.

    Returns
    -------
    title, subtitle (the text below it), said (kind and text of each message), commands (that compute what is missing)
    and pieces (key, title, caption, figure, records). Texts are as they were before they were made safe for Markdown.

    Raises ExplorerError for a page that this app does not have, and where the page itself fails.
    """
    script = PROJECT / "pages" / f"{view.page or 'overview'}.py"
    if not script.is_file():
        names = ", ".join(sorted(path.stem for path in script.parent.glob("*.py")))
        raise ExplorerError(f"There is no page {view.page!r}; the pages are {names}.")
    page = AppTest.from_file(PROJECT / "ui" / "main.py", default_timeout=PATIENCE_S)
    page.session_state[guard.HEADLESS] = True
    page.switch_page(f"../pages/{script.name}")
    for name in dict.fromkeys(name for name, _ in view.query):
        page.query_params[name] = [value for known, value in view.query if known == name]
    page.run()
    if page.exception:
        raise ExplorerError(f"The page {script.stem} failed: {page.exception[0].value}")
    try:
        shown = page.session_state[pieces.KEY]
    except KeyError:  # the page stopped before the first figure
        shown = {}
    return {"title": page.title[0].value if page.title else script.stem,
            "subtitle": unplain(words.unlinked(page.main.markdown[0].value)) if page.main.markdown else "",
            "said": [(kind, unplain(one.value)) for kind in MESSAGES for one in page.main.get(kind)],
            "commands": [one.value for one in page.main.get("code") if one.value.startswith(jobs_panel.command([]))],
            "pieces": [{"key": key, "title": piece.title, "caption": piece.caption, "records": list(piece.records),
                        "figure": json.loads(piece.figure.to_json())} for key, piece in shown.items()]}


def main(links: TextIO, answers: TextIO) -> None:
    for link in links:
        try:
            answer = drawn(View.of_link(link))
        except ExplorerError as why:
            answer = {"failed": str(why)}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)  # what libraries print must not stand among the answers
        main(sys.stdin, answers)
