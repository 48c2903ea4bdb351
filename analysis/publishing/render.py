"""PDF, SVG and PNG of figures by kaleido, in a process of its own that is ended when it takes too long.

That process is under no limit of memory: Chromium reserves far more addresses than it uses.
"""

import base64
import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from analysis.errors import ExplorerError
from analysis.publishing.layout import PX_PER_MM, Panel, Sheet

COMMAND = (sys.executable, "-m", "analysis.publishing.browser")
HOME = Path(__file__).parents[2]
FORMATS = ("pdf", "svg", "png")
LEAST_DPI, MOST_DPI, MOST_PIXELS = 72, 1200, 16_000  # Chromium draws no side longer than 16,384 pixels
WAIT_S = 60.0
INSTALL = "install Chromium (Debian and Ubuntu: apt-get install chromium) or name a browser in BROWSER_PATH"


def available() -> str:
    """Why figures cannot be drawn on this machine, in a sentence; empty where they can."""
    if importlib.util.find_spec("kaleido") is None:
        return "PDF, SVG and PNG need the package kaleido, which is not installed: pip install -r requirements.txt."
    from choreographer.browsers.chromium import Chromium
    if Chromium.find_browser(skip_local=False) is None:
        return f"PDF, SVG and PNG are drawn by Chrome or Chromium, and neither was found: {INSTALL}."
    return ""


def render(figure: go.Figure, kind: str, *, dpi: int = 300, timeout_s: float = WAIT_S) -> bytes:
    """One figure that has its width and height in CSS pixels, as layout.laid_out gives it.

    Parameters
    ----------
    figure : with a width and a height
    kind : "pdf", "svg" (live text) or "png"
    dpi : pixels per inch of a PNG, 72 to 1200
    timeout_s : after which the browser is ended

    Returns
    -------
    The content of the file.

    Raises ExplorerError when there is no browser, when it takes too long, or when it cannot draw the figure.
    """
    if not figure.layout.width or not figure.layout.height:
        raise ExplorerError("The figure has no size on paper; lay it out first, with layout.laid_out.")
    sheet = Sheet((Panel(figure),), figure.layout.width / PX_PER_MM, figure.layout.height / PX_PER_MM, "", "", 0.0)
    return render_all([sheet], [kind], dpi=dpi, timeout_s=timeout_s)[0][kind]


def render_all(sheets: Sequence[Sheet], formats: Sequence[str], *, dpi: int = 300,
               timeout_s: float = WAIT_S) -> list[dict[str, bytes]]:
    """The files of each sheet by format, all drawn by one browser; see render."""
    _check(sheets, formats, dpi)
    if why := available():
        raise ExplorerError(why)
    asked = json.dumps({"sheets": [_spec(sheet) for sheet in sheets], "formats": list(formats), "dpi": dpi})
    found = json.loads(_answer(asked, timeout_s))
    return [{kind: base64.b64decode(content) for kind, content in files.items()} for files in found]


def _spec(sheet: Sheet) -> dict[str, Any]:
    panels = [{"x": panel.x, "y": panel.y, "letter": panel.letter, "figure": json.loads(panel.figure.to_json())}
              for panel in sheet.panels]
    return {**vars(sheet), "panels": panels}


def _check(sheets: Sequence[Sheet], formats: Sequence[str], dpi: int) -> None:
    for kind in formats:
        if kind not in FORMATS:
            raise ExplorerError(f"{kind!r} is not a format of figures; choose from {', '.join(FORMATS)}.")
    if not LEAST_DPI <= dpi <= MOST_DPI:
        raise ExplorerError(f"The resolution is {dpi} dpi; it must be between {LEAST_DPI} and {MOST_DPI} dpi.")
    longest = max((max(sheet.width_mm, sheet.height_mm) for sheet in sheets), default=0.0) * dpi / 25.4
    if "png" in formats and longest > MOST_PIXELS:
        raise ExplorerError(f"At {dpi} dpi the PNG would be {longest:.0f} pixels long, and a browser draws at most "
                            f"{MOST_PIXELS}; lower the resolution or take PDF, which has none.")


def _answer(asked: str, timeout_s: float) -> str:
    """What the drawing process says. Its browser keeps its files in a folder that goes with it."""
    with tempfile.TemporaryDirectory(prefix="figures-", ignore_cleanup_errors=True) as folder, \
            subprocess.Popen(COMMAND, cwd=HOME, env={**os.environ, "TMPDIR": folder}, text=True, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            answer, said = process.communicate(asked, timeout_s)
        except subprocess.TimeoutExpired:
            raise ExplorerError(f"The browser had not drawn the figure after {timeout_s:g} s and was ended; draw fewer "
                                "points or figures at once, or try again when the machine is less busy.") from None
        finally:
            _end(process)
    if process.returncode:
        last = (said.strip().splitlines() or ["it said nothing"])[-1]
        raise ExplorerError(f"The browser could not draw the figure: {last[:300]}. If other figures fail "
                            f"too, {INSTALL}.")
    return answer


def _end(process: subprocess.Popen[str]) -> None:
    """Kill the process and all that it started, which stand in a session of their own; nothing if it has ended."""
    if process.poll() is None:
        for pid in [process.pid, *_children(process.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def _children(pid: int) -> list[int]:
    """All processes below one, from Linux's /proc; elsewhere none, and a browser ends when its pipe closes."""
    parents: dict[int, list[int]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(file.read_text().rpartition(")")[2].split()[1])
            parents.setdefault(parent, []).append(int(file.parent.name))
    found = [pid]
    for one in found:
        found += parents.get(one, [])
    return found[1:]
