"""Representation geometry over training: measures, their inference, and where their numbers come from.

Importable without streamlit and without a network. The names below are the public surface (docs/python.md); each is
imported when it is asked for, so that `import analysis` costs nothing. The modules behind them are importable too:
`analysis.compute` joins measures, stored representations and results.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "open_store": "analysis.store", "known_runs": "analysis.runs", "find_run": "analysis.runs",
    "find_probe": "analysis.extraction.library", "Policy": "analysis.keys", "Protocol": "analysis.representations",
    "all_measures": "analysis.registry", "get_measure": "analysis.registry",
    "measure_rows": "analysis.arrays", "compare_rows": "analysis.arrays",
    "tidy": "analysis.tables", "pairs_table": "analysis.tables",
    "draw": "analysis.publishing.report_pages", "figure_html": "analysis.export",
}
_THERE = {"get_measure": "get", "pairs_table": "pairs"}  # as their home calls them
__all__ = tuple(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'analysis' has no attribute {name!r}; it offers {', '.join(_HOMES)}, and modules")
    value = getattr(import_module(_HOMES[name]), _THERE.get(name, name))
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
