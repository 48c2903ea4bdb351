"""Pictures of every page as a person first sees it: `python -m tests.shots [FOLDER]`, or `make shots`.

The app is started for them with an empty cache. Each page is taken at 1280 and 400 pixels, and the three with the
widest figures at 1920 too, light and dark, in full height, when it is drawn. `--readme` takes those of README.md into
docs/screenshots/ instead. Where there is no Chromium it says so and is no error: pictures are artefacts, not checks.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from tests.browser.conftest import CHROMIUM, PATIENCE_MS, running, settle
from tests.browser.pages import PAGES

ROOT = Path(__file__).parents[1]
ARTEFACTS, README = ROOT / ".ci" / "artefacts" / "screenshots", ROOT / "docs" / "screenshots"
WIDTHS, WIDE, WIDEST = (1280, 400), ("", "trajectories", "similarity"), 1920
SCHEMES = ("light", "dark")
MOST_TALL, COLOURS, WITHIN_S = 6000, 128, 80
CHOSEN = {"overview": ("", 1280, 1180, "light"), "topology": ("topology", 1280, 1180, "dark")}  # of README.md


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ARTEFACTS)
    parser.add_argument("--readme", action="store_true", help="take the pictures of README.md into docs/screenshots/")
    arguments = parser.parse_args()
    if CHROMIUM is None:
        print("No pictures are taken: there is no Chromium; see tests/need_chromium.sh.")
        return
    with opened() as (browser, address):
        taken = of_readme(browser, address) if arguments.readme else of_pages(browser, address, arguments.folder)
    print(f"{len(taken)} pictures in {taken[0].parent if taken else arguments.folder}")


@contextmanager
def opened() -> Iterator[tuple[Any, str]]:
    """A browser, and the address of an app with an empty cache."""
    from playwright.sync_api import sync_playwright
    with (tempfile.TemporaryDirectory() as folder, running(Path(folder), HF_HUB_OFFLINE="1") as address,
          sync_playwright() as play):
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser, address
        browser.close()


def of_pages(browser: Any, address: str, folder: Path) -> list[Path]:
    """Every page at every width, light and dark; what does not fit into three minutes is named and left out."""
    taken, until = [], time.monotonic() + WITHIN_S
    wanted = [(path, (*WIDTHS, *([WIDEST] if path in WIDE else []))) for path in PAGES]
    for number, (path, widths) in enumerate(wanted):
        if time.monotonic() > until:
            print(f"Left out after {WITHIN_S} s: {', '.join(name or 'overview' for name, _ in wanted[number:])}")
            break
        for scheme in SCHEMES:
            with page_of(browser, f"{address}/{path}", WIDTHS[0], scheme) as page:
                taken += [in_full(page, width, folder / f"{path or 'overview'}-{width}-{scheme}.png")
                          for width in widths]
    return taken


def of_readme(browser: Any, address: str) -> list[Path]:
    """The chosen pictures at fixed sizes, in few enough colours to be small."""
    taken = []
    for name, (path, width, height, scheme) in CHOSEN.items():
        with page_of(browser, f"{address}/{path}", width, scheme, height) as page:
            taken.append(README / f"{name}.png")
            taken[-1].parent.mkdir(exist_ok=True)
            page.screenshot(path=taken[-1])
        with Image.open(taken[-1]) as picture:
            small = picture.convert("RGB").quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        small.save(taken[-1], optimize=True)
    return taken


@contextmanager
def page_of(browser: Any, address: str, width: int, scheme: str, height: int = 900) -> Iterator[Any]:
    """A page that is drawn, for a visitor who was never here."""
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme,
                                  reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    settle(page)
    yield page
    context.close()


def in_full(page: Any, width: int, path: Path) -> Path:
    """The picture of all that a page holds, which scrolls within its window."""
    page.set_viewport_size({"width": width, "height": 900})
    settle(page)
    tall = page.evaluate("""() => Math.max(...[...document.querySelectorAll(
        '[data-testid=stMain], [data-testid=stMainBlockContainer], [data-testid=stSidebarContent]')]
        .filter(e => e.getBoundingClientRect().right > 0).map(e => e.scrollHeight)) + 80""")
    page.set_viewport_size({"width": width, "height": min(tall, MOST_TALL)})
    settle(page)
    page.screenshot(path=path)
    return path


if __name__ == "__main__":
    main()
