"""How time and memory grow with checkpoints, texts, tokens and width; the README's table is made of it."""

import subprocess
import sys
import tempfile
from pathlib import Path

from analysis import compute, registry
from analysis.checkpoints.load import load
from analysis.extraction.forward import extract
from analysis.keys import Policy
from analysis.representations import Protocol
from analysis.runs import find_run
from analysis.store import Store
from benchmarks import models
from benchmarks.memory import texts
from benchmarks.timing import seconds

HOME = Path(__file__).parents[1]
MARK = "<!-- scaling -->"


def all_of_them() -> list[dict]:
    """One quantity doubled at a time. Without a bar: they are here to be looked at."""
    return [*_checkpoints(), *(row for what, widths, counts, lengths in (
        ("texts", [256], [100, 200, 400], [100]), ("tokens a text", [256], [100], [50, 100, 200]),
        ("width", [256, 512, 1024], [50], [100])) for row in _grid(what, widths, counts, lengths))]


def _checkpoints() -> list[dict]:
    rows = []
    measures = [m for m in registry.all_measures().values() if m.arity == 1]
    for count in (2, 4, 8):
        with tempfile.TemporaryDirectory() as folder:
            store = Store(folder)
            run = find_run(store, "sotu-neox-seed1")
            some = type(run)(run.name, run.source, run.checkpoints[-count:])
            took = seconds(lambda store=store, some=some: compute.sweep(
                store, [some], Protocol(texts(200, 60), Policy.parse("last")), measures))
            size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        rows.append(_row("checkpoints", count, took, size, "MB on disk"))
    return rows


def _grid(what: str, widths: list[int], counts: list[int], lengths: list[int]) -> list[dict]:
    rows = []
    for width in widths:
        for count in counts:
            for length in lengths:
                folder = models.random_network(width, 4, 2_048)
                loaded, probe = load(folder), texts(count, length)
                extract(loaded, texts(8, 16), Policy.parse("last"))
                took = min(seconds(lambda loaded=loaded, probe=probe: extract(loaded, probe, Policy.parse("last")))
                           for _ in range(3))
                printed = subprocess.run([sys.executable, "-m", "benchmarks.memory", "ours", str(folder), str(count),
                                          str(length)], check=True, capture_output=True, text=True, cwd=HOME).stdout
                at = {"texts": count, "tokens a text": length, "width": width}[what]
                rows.append(_row(what, at, took, int(printed.split()[-1]), "MB beyond the model"))
    return rows


def _row(what: str, at: int, took: float, size: int, kind: str) -> dict:
    return {"name": f"scaling with {what}: {at}", "value": took, "bar": None, "better": "lower", "peer": "itself",
            "n": at, "scaling": what, "MB": size / 1e6, "kind": kind}


def into_readme(rows: list[dict]) -> None:
    """Write the rows with a scaling into the README, between its marks."""
    readme = HOME / "README.md"
    before, _, rest = readme.read_text().partition(MARK)
    readme.write_text(f"{before}{MARK}\n{table(rows)}\n{MARK}{rest.partition(MARK)[2]}")


def table(rows: list[dict]) -> str:
    """The scaling rows as a Markdown table."""
    lines = ["| grows | to | seconds | memory |", "|---|---|---|---|"]
    lines += [f"| {row['scaling']} | {row['n']} | {row['value']:.2f} | {row['MB']:.0f} {row['kind']} |"
              for row in rows if "scaling" in row]
    return "\n".join(lines)
