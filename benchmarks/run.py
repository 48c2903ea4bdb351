"""Speed and memory as ratios within one run on this machine: medians of several turns, each beside its bar.

    make bench

writes benchmarks/results.json, a list of {name, value, bar, better, ok, peer, n, machine}, and from its scaling rows
the table in the README. A bench that cannot run here is left out and says why. Names on the command line choose some.
"""

import json
import os
import platform
import sys
from pathlib import Path

HOME = Path(__file__).parents[1]
sys.path[:0] = [str(HOME)]

from benchmarks import app, extraction, maps, measures, pages, scaling, similarity, storing, topology

BENCHES = [extraction.demo, extraction.realistic, extraction.memory, extraction.swap, storing.listing, storing.cancel,
           app.paint, app.reruns, pages.server, measures.spectral, measures.swept, similarity.matrix, maps.layout,
           maps.beside, topology.adapter, topology.workers, scaling.all_of_them]
RESULTS = HOME / "benchmarks" / "results.json"


def verdict(row: dict) -> bool | None:
    """Whether a value is on the right side of its bar; None where there is no bar."""
    if row["bar"] is None:
        return None
    return row["value"] <= row["bar"] if row["better"] == "lower" else row["value"] >= row["bar"]


def main() -> None:
    chosen = [bench for bench in BENCHES if not sys.argv[1:] or f"{bench.__module__}.{bench.__name__}".removeprefix(
        "benchmarks.") in sys.argv[1:]]
    rows = []
    for bench in chosen:
        found = bench()
        if isinstance(found, str):
            print(f"--          {found}")
            continue
        for row in found if isinstance(found, list) else [found]:
            row["ok"] = verdict(row)
            row["machine"] = f"{platform.machine()}, {os.cpu_count()} cores"
            rows.append(row)
            bar = "" if row["bar"] is None else f"(bar {'<=' if row['better'] == 'lower' else '>='} {row['bar']:g})"
            print(f"{ {True: 'ok', False: 'NO', None: '  '}[row['ok']]} {row['value']:9.3f}  {bar:<15} {row['name']}",
                  flush=True)
    if chosen == BENCHES:
        RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
        scaling.into_readme(rows)


if __name__ == "__main__":
    main()
