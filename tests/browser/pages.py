"""The pages of the app, read from its navigation, so that a new one cannot be forgotten."""

import ast

from analysis.files import PROJECT


def _pages() -> dict[str, str]:
    """Title of each page in the navigation, by its path in the address."""
    found = {}
    for node in ast.walk(ast.parse((PROJECT / "ui" / "router.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "Page":
            said = {part.arg: part.value for part in node.keywords}
            file = ast.unparse(node.args[0]).rpartition("/")[2].strip(" '\"")
            assert isinstance(said["title"], ast.Constant)
            found["" if "default" in said else file.removesuffix(".py")] = said["title"].value
    return found


PAGES = _pages()
