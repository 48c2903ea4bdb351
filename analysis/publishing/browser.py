"""The process that draws: JSON of sheets on standard input, JSON of their files on standard output.

render.py starts it, and ends it with the browser when it takes too long.
"""

import asyncio
import base64
import json
import re
import resource
import struct
import sys
import zlib
from html import escape
from typing import Any

import kaleido

from analysis.publishing import drawing

NOWHERE = "127.0.0.1:9"  # a proxy that does not answer: nothing is fetched, whatever a figure names
MM_PER_INCH = 25.4
DATE = re.compile(rb"\(D:\d{14}")


async def draw(asked: dict[str, Any]) -> list[dict[str, str]]:
    """The files of each sheet by format, base64; one browser draws them all."""
    async with kaleido.Kaleido(n=1, timeout=None, mathjax=False, proxy_server=NOWHERE) as browser:
        pages = []
        for sheet in asked["sheets"]:
            drawn = [(await browser.calc_fig(panel["figure"], opts={"format": "svg"})).decode()
                     for panel in sheet["panels"]]
            pages.append(drawing.sheet(drawn, sheet))
        tab = await browser.create_tab("about:blank")
        return [await _files(tab, svg, sheet, asked) for svg, sheet in zip(pages, asked["sheets"], strict=True)]


async def _files(tab: Any, svg: str, sheet: dict[str, Any], asked: dict[str, Any]) -> dict[str, str]:
    found = {}
    if "svg" in asked["formats"]:
        found["svg"] = base64.b64encode(svg.encode()).decode()
    if "pdf" in asked["formats"]:
        found["pdf"] = await _pdf(tab, svg, sheet)
    if "png" in asked["formats"]:
        found["png"] = await _png(tab, svg, sheet, asked["dpi"])
    return found


async def _pdf(tab: Any, svg: str, sheet: dict[str, Any]) -> str:
    width, height = f"{sheet['width_mm']:.4f}mm", f"{sheet['height_mm']:.4f}mm"
    await _show(tab, svg, sheet["title"], width, height)
    told = await _said(tab, "Page.printToPDF", printBackground=True, preferCSSPageSize=True, pageRanges="1",
                       generateTaggedPDF=False, paperWidth=sheet["width_mm"] / MM_PER_INCH,
                       paperHeight=sheet["height_mm"] / MM_PER_INCH,
                       **{f"margin{side}": 0 for side in ("Top", "Bottom", "Left", "Right")})
    dated = base64.b64decode(told["data"])  # the same figure gives the same bytes
    return base64.b64encode(DATE.sub(b"(D:19800101000000", dated)).decode()


async def _png(tab: Any, svg: str, sheet: dict[str, Any], dpi: int) -> str:
    width, height = (round(sheet[name] * dpi / MM_PER_INCH) for name in ("width_mm", "height_mm"))
    await _said(tab, "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                mobile=False)
    await _said(tab, "Emulation.setDefaultBackgroundColorOverride", color={"r": 0, "g": 0, "b": 0, "a": 0})
    await _show(tab, svg, sheet["title"], f"{width}px", f"{height}px")
    told = await _said(tab, "Page.captureScreenshot", format="png",
                       clip={"x": 0, "y": 0, "width": width, "height": height, "scale": 1})
    await _said(tab, "Emulation.clearDeviceMetricsOverride")
    return base64.b64encode(with_dpi(base64.b64decode(told["data"]), dpi)).decode()


async def _show(tab: Any, svg: str, title: str, width: str, height: str) -> None:
    """The SVG as a page of that size, once its fonts are there."""
    page = (f"<!doctype html><meta charset=utf-8><title>{escape(title)}</title><style>"
            f"@page{{size:{width} {height};margin:0}}html,body{{margin:0;background:none}}"
            f"body>svg{{display:block;width:{width};height:{height}}}</style>{svg}")
    frame = (await _said(tab, "Page.getFrameTree"))["frameTree"]["frame"]["id"]
    await _said(tab, "Page.setDocumentContent", frameId=frame, html=page)
    await _said(tab, "Runtime.evaluate", expression="document.fonts.ready.then(() => 0)", awaitPromise=True)


async def _said(tab: Any, command: str, **given: Any) -> dict[str, Any]:
    answer = await tab.send_command(command, params=given)
    if "error" in answer:
        raise RuntimeError(f"{command}: {answer['error']['message']}")
    return dict(answer["result"])


def with_dpi(png: bytes, dpi: int) -> bytes:
    """The image with its resolution noted after the header, in pixels per metre."""
    per_metre = round(dpi / MM_PER_INCH * 1000)
    chunk = b"pHYs" + struct.pack(">IIB", per_metre, per_metre, 1)
    noted = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    end_of_header = 8 + 25  # the signature and IHDR
    return png[:end_of_header] + noted + png[end_of_header:]


if __name__ == "__main__":
    most = resource.getrlimit(resource.RLIMIT_AS)[1]  # a worker's own limit is far below what Chromium reserves
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    json.dump(asyncio.run(draw(json.load(sys.stdin))), sys.stdout)
