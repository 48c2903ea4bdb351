"""The pages of the app, read from its navigation, so that a new one cannot be forgotten."""

import ast
import re

from playwright.sync_api import TimeoutError

from analysis.files import PROJECT


def _sections() -> dict[str, dict[str, str]]:
    """Title of each page by its path in the address, by the section of the navigation that it stands in."""
    script = ast.parse((PROJECT / "ui" / "router.py").read_text(encoding="utf-8"))
    (sections,) = [node.args[0] for node in ast.walk(script) if isinstance(node, ast.Call)
                   and isinstance(node.func, ast.Attribute) and node.func.attr == "navigation"]
    assert isinstance(sections, ast.Dict)
    return {ast.literal_eval(name): dict(map(_page, pages.elts))  # type: ignore[arg-type, attr-defined]
            for name, pages in zip(sections.keys, sections.values, strict=True)}


def _page(call: ast.Call) -> tuple[str, str]:
    said = {part.arg: part.value for part in call.keywords}
    file = ast.unparse(call.args[0]).rpartition("/")[2].strip(" '\"").removesuffix(".py")
    return "" if "default" in said else file, ast.literal_eval(said["title"])


SECTIONS = _sections()
PAGES = {path: title for pages in SECTIONS.values() for path, title in pages.items()}


def go_to(page, title: str) -> None:
    """Open a page from the navigation at the top, where all but the overview stand below the name of their section."""
    section = next(name for name, pages in SECTIONS.items() if title in pages.values())
    if section:
        page.get_by_test_id("stTopNavSection").filter(has_text=section).click()
    page.get_by_role("menuitem" if section else "link", name=re.compile(f"(^|\\s){re.escape(title)}$")).first.click()


def pick(field, option) -> None:
    """Choose from a list: once more where the list still moved below the mouse, which then chose nothing."""
    named = {"name": option, "exact": True} if isinstance(option, str) else {"name": option}
    chosen = field.page.get_by_role("option", **named)
    field.click()
    if isinstance(option, str):
        field.fill(option)  # a long list holds only what is in sight
    chosen.wait_for()
    for _ in range(3):
        chosen.click()
        try:
            chosen.wait_for(state="hidden", timeout=5_000)
            return
        except TimeoutError:
            continue
    raise AssertionError(f"{option} was clicked three times and not chosen")
