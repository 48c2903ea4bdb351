"""One SVG of several that plotly.js drew: placed, lettered, with their font inside and the same bytes every time."""

import base64
import re
import subprocess
from collections.abc import Sequence
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

FONT = "Liberation Sans"
WEIGHTS = {"": ("normal", "normal"), "bold": ("bold", "normal"), "italic": ("normal", "italic")}
SAYS = {"bold": re.compile(r"font-weight: ?(bold|[6-9]00)"), "italic": re.compile(r"font-style: ?italic")}


def sheet(drawn: Sequence[str], spec: dict[str, Any]) -> str:
    """The panels on one page, whose size is said in millimetres.

    Parameters
    ----------
    drawn : SVG of each panel, as kaleido gives it
    spec : the fields of a layout.Sheet, with `figure` left out of its panels

    Returns
    -------
    SVG with live text, whose unit is the CSS pixel.
    """
    width, height = (spec[name] * 96 / 25.4 for name in ("width_mm", "height_mm"))
    back = spec["background"] and f'<rect width="100%" height="100%" fill="{spec["background"]}"/>'
    panels = "".join(_panel(number, svg, panel, spec)
                     for number, (svg, panel) in enumerate(zip(drawn, spec["panels"], strict=True)))
    styles = ["", *(name for name, pattern in SAYS.items() if pattern.search(panels))]
    faces = "".join(filter(None, map(face, styles)))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'width="{spec["width_mm"]:g}mm" height="{spec["height_mm"]:.4f}mm" viewBox="0 0 {width:.4f} {height:.4f}" '
            f'preserveAspectRatio="none">'
            f'<title>{escape(spec["title"])}</title><defs><style>{faces}</style></defs>{back}{panels}</svg>')


def _panel(number: int, svg: str, panel: dict[str, Any], spec: dict[str, Any]) -> str:
    placed = _settled(svg, f"p{number}-").replace("<svg ", f'<svg x="{panel["x"]:.4f}" y="{panel["y"]:.4f}" ', 1)
    if not panel["letter"]:
        return placed
    size = spec["letter_px"]
    return (f'<text x="{panel["x"]:.4f}" y="{panel["y"] - 0.4 * size:.4f}" style="font-family: {FONT}, Arial, '
            f'sans-serif; font-size: {size:.4f}px; font-weight: bold; fill: {spec["ink"]};">{panel["letter"]}</text>'
            f'{placed}')


def _settled(svg: str, prefix: str) -> str:
    """Names that plotly.js made up, each exchanged for one that is the panel's own; and lines that grow with the page.
    """
    found = dict.fromkeys(re.findall(r'\bid="([^"]+)"', svg))
    names = {name: f"{prefix}{number}" for number, name in enumerate(found)}
    svg = re.sub(r'\bid="([^"]+)"', lambda one: f'id="{names[one[1]]}"', svg)
    svg = re.sub(r"(url\(['\"]?|&quot;|href=\")#([\w.:-]+)",
                 lambda used: f"{used[1]}#{names.get(used[2], used[2])}", svg)
    svg = re.sub(r'( trace|class="[vxy]*cb)[0-9a-f]{6}', r"\1", svg)
    return svg.replace("vector-effect: non-scaling-stroke;", "")


@cache
def face(style: str = "") -> str:
    """CSS that holds the font in this style as TrueType, or nothing where the machine does not have it."""
    weight, slant = WEIGHTS[style]
    try:
        asked = subprocess.run(["fc-match", "-f", "%{family}\n%{file}", f"{FONT}:style={style.title() or 'Regular'}"],
                               capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    family, file = asked.stdout.split("\n")
    if FONT not in family or not file.endswith(".ttf"):
        return ""
    content = base64.b64encode(Path(file).read_bytes()).decode()
    return (f'@font-face{{font-family:"{FONT}";font-weight:{weight};font-style:{slant};'
            f'src:url(data:font/ttf;base64,{content}) format("truetype");}}')
