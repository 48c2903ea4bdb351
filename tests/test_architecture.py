"""The directions in which code may depend (DESIGN: layers), and the house numbers. Each check is shown to fail."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = {"streamlit", "plotly", "torch", "transformers"}

# Who may import what. A path matches an entry that it equals or, for a folder (ending in /), lies in.
HOMES = {
    "streamlit": ("app.py", "pages/", "ui/", "benchmarks/pages.py"),
    "plotly": ("analysis/figures/", "analysis/publishing/", "analysis/export.py"),
    "torch": ("analysis/checkpoints/load.py", "analysis/checkpoints/loader.py", "analysis/checkpoints/cards.py",
              "analysis/extraction/", "analysis/stitching/", "demo/", "benchmarks/"),
    "transformers": ("analysis/checkpoints/load.py", "analysis/extraction/", "analysis/stitching/", "demo/",
                     "benchmarks/"),
}
# What a folder must never import, beyond that.
NEVER = {
    "analysis/measures/": ("analysis.store", "analysis.figures", "analysis.compute", "analysis.export", "analysis.jobs",
                           "analysis.checkpoints", "analysis.extraction", "logging", "ui", "pages"),
    "analysis/figures/": ("analysis.measures", "analysis.store", "analysis.compute", "ui", "pages"),
    "analysis/": ("ui", "pages", "app"),
    "pages/": ("numpy", "torch", "pages", "plotly"),
    "ui/": ("pages", "app"),
}
# Files of more than 300 lines, each with the decision record that allows it.
ALLOWED: dict[str, str] = {}


def matches(name: str, entry: str) -> bool:
    return name == entry or (name.startswith(entry) if entry.endswith("/") else name.startswith(entry + "."))


def imported(source: str) -> set[str]:
    """Every module named by an import anywhere in the source, `from a import b` giving both a and a.b."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute, so that they can be checked"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def import_faults(path: str, source: str) -> list[str]:
    """Sentences for the imports of one file, at a path relative to the root, that break a rule."""
    faults = []
    for name in sorted(imported(source)):
        top = name.split(".")[0]
        if top in HOMES and not any(matches(path, home) for home in HOMES[top]):
            faults.append(f"{path} imports {top}")
        for folder, banned in NEVER.items():
            if path.startswith(folder):
                faults += [f"{path} imports {entry}" for entry in banned if matches(name, entry)]
    return sorted(set(faults))


def size_fault(path: str, source: str) -> str:
    """Why a file is too long, or nothing."""
    lines = len(source.splitlines())
    limit = 60 if path == "app.py" else 120 if path.startswith("pages/") else \
        150 if path.startswith("analysis/measures/") else 300
    return f"{path} has {lines} lines, at most {limit}" if lines > limit and path not in ALLOWED else ""


def sources() -> dict[str, str]:
    """Every Python file of the project but its tests, by path relative to the root."""
    tops = [ROOT / "app.py", *(ROOT / folder for folder in ("analysis", "pages", "ui", "demo", "benchmarks"))]
    files = [file for top in tops for file in ([top] if top.is_file() else sorted(top.rglob("*.py")))]
    return {str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in files}


SOURCES = sources()


def test_the_checks_see_the_project():
    assert {"app.py", "pages/overview.py", "ui/router.py", "analysis/measures/cka.py"} <= set(SOURCES)
    tracked = {str(file.relative_to(ROOT)) for file in ROOT.glob("*.py")}
    assert tracked == {"app.py"}, "a script at the top level would be outside every rule"


@pytest.mark.parametrize("path", SOURCES)
def test_a_file_imports_only_what_its_layer_may(path):
    assert import_faults(path, SOURCES[path]) == []


@pytest.mark.parametrize("path", SOURCES)
def test_a_file_is_no_longer_than_its_house_number(path):
    assert not size_fault(path, SOURCES[path])


def test_an_exception_to_the_house_numbers_names_its_decision_record():
    for path, record in ALLOWED.items():
        assert path in SOURCES and (ROOT / "docs" / "adr" / record).is_file()


@pytest.mark.parametrize(("path", "source", "fault"), [
    ("analysis/compute.py", "import streamlit as st", "analysis/compute.py imports streamlit"),
    ("analysis/compute.py", "def f():\n    import torch", "analysis/compute.py imports torch"),
    ("analysis/jobs/job.py", "from transformers import AutoModel", "analysis/jobs/job.py imports transformers"),
    ("analysis/checkpoints/folder.py", "import torch.nn", "analysis/checkpoints/folder.py imports torch"),
    ("analysis/views.py", "import plotly.graph_objects as go", "analysis/views.py imports plotly"),
    ("ui/cards.py", "import plotly.graph_objects as go", "ui/cards.py imports plotly"),
    ("ui/cards.py", "import torch", "ui/cards.py imports torch"),
    ("analysis/measures/cka.py", "from analysis import store", "analysis/measures/cka.py imports analysis.store"),
    ("analysis/measures/cka.py", "from analysis.store import Store", "analysis/measures/cka.py imports analysis.store"),
    ("analysis/measures/cka.py", "import logging", "analysis/measures/cka.py imports logging"),
    ("analysis/measures/cka.py", "import analysis.figures.theme", "analysis/measures/cka.py imports analysis.figures"),
    ("analysis/measures/cka.py", "from analysis import compute", "analysis/measures/cka.py imports analysis.compute"),
    ("analysis/figures/matrix.py", "from analysis.measures import cka",
     "analysis/figures/matrix.py imports analysis.measures"),
    ("analysis/keys.py", "from ui import selection", "analysis/keys.py imports ui"),
    ("pages/spectra.py", "import numpy as np", "pages/spectra.py imports numpy"),
    ("pages/spectra.py", "from torch import nn", "pages/spectra.py imports torch"),
    ("pages/spectra.py", "from pages import overview", "pages/spectra.py imports pages"),
])
def test_the_import_check_reports_an_offending_source(path, source, fault):
    assert fault in import_faults(path, source)


@pytest.mark.parametrize(("path", "source"), [
    ("pages/spectra.py", "import streamlit as st\nfrom ui import cards"),
    ("analysis/figures/matrix.py", "import plotly.graph_objects as go\nfrom analysis.results import PairMatrix"),
    ("analysis/checkpoints/load.py", "import torch\nimport transformers"),
    ("analysis/measures/cka.py", "import numpy as np\nfrom analysis.measure import Measure"),
    ("analysis/keys.py", "import uiautomation\nfrom torchless import x\n'import torch'"),
])
def test_the_import_check_lets_a_proper_source_pass(path, source):
    assert import_faults(path, source) == []


def test_a_relative_import_is_refused_because_it_would_hide_its_target():
    with pytest.raises(AssertionError, match="absolute"):
        import_faults("analysis/measures/cka.py", "from ..store import Store")


@pytest.mark.parametrize(("path", "limit"), [("app.py", 60), ("pages/x.py", 120), ("analysis/measures/x.py", 150),
                                             ("analysis/x.py", 300), ("demo/x.py", 300)])
def test_the_length_check_reports_one_line_too_many(path, limit):
    assert not size_fault(path, "x = 1\n" * limit)
    assert f"at most {limit}" in size_fault(path, "x = 1\n" * (limit + 1))


def loaded_by(snippet: str) -> set[str]:
    """Names of all modules in a fresh interpreter after it has run the snippet."""
    code = f"{snippet}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def unwanted(snippet: str, banned: set[str]) -> set[str]:
    modules = loaded_by(snippet)
    return {entry for entry in banned if any(matches(module, entry) for module in modules)}


ENGINE = ("import analysis.compute, analysis.registry, analysis.store, analysis.jobs.job\n"
          "assert analysis.registry.all_measures()")


def test_the_engine_loads_no_screen_no_drawing_and_no_weights():
    assert unwanted(ENGINE, HEAVY) == set()


def test_figures_load_no_measures_and_no_screen():
    names = [file.stem for file in sorted((ROOT / "analysis" / "figures").glob("*.py")) if file.stem != "__init__"]
    assert names
    snippet = "\n".join(f"import analysis.figures.{name}" for name in names)
    assert unwanted(snippet, {"analysis.measures", "analysis.store", "analysis.compute", "streamlit", "torch"}) == set()


def test_measures_load_no_store_no_figures_and_nothing_heavy():
    names = [file.stem for file in sorted((ROOT / "analysis" / "measures").glob("*.py")) if file.stem != "__init__"]
    snippet = "\n".join(f"import analysis.measures.{name}" for name in names)
    assert unwanted(snippet, HEAVY | {"analysis.store", "analysis.compute", "analysis.figures"}) == set()


def test_the_fresh_interpreter_check_reports_torch_when_it_is_loaded():
    assert "torch" in unwanted(f"{ENGINE}\nimport torch", HEAVY)


def test_the_fresh_interpreter_check_reports_measures_when_they_are_loaded():
    assert unwanted("import analysis.figures.theme\nimport analysis.measures.cka", {"analysis.measures"})
