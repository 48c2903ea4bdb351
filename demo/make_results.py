"""Compute what the app opens on, and keep the results (not the rows) in demo/results.

    python demo/make_results.py

The store reads that folder after its own; a test computes some of it again and compares.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from analysis.dimensions import BY_SCALE, ESTIMATORS
from analysis.topology.recovered import QUESTION as KNOWN
from analysis.topology.words import options

RESULTS = HERE / "results"
SOTU = ["sotu-neox-seed1", "sotu-neox-seed2"]
DIGITS = [f"vit-digits-{view}-seed{seed}" for view in ("persistence", "pixels") for seed in (1, 2)]
SAME = [(DIGITS[0], DIGITS[1]), (DIGITS[1], DIGITS[2]), (DIGITS[2], DIGITS[3]), (DIGITS[0], DIGITS[2]),
        (DIGITS[2], DIGITS[0]), (f"{DIGITS[0]}@step0", DIGITS[0]), (f"{DIGITS[2]}@step0", DIGITS[2])]
NUMBERS = ["--probe", "numbers-mod-59"]


def named(measures: Sequence[str]) -> list[str]:
    return [part for measure in measures for part in ("--measure", measure)]


SWEEPS = (["sweep", *SOTU], ["sweep", "modular-addition"], ["sweep", "modular-addition", "--probe", "numbers-mod-59"],
          ["sweep", *SOTU, "--measure", "alpha_weighted_least_squares", "--set", "first_rank=12", "--set",
           "last_rank=100"],  # the window of Li et al. 2025: that these networks are too narrow for it is shown at once
          ["weights", *SOTU, "modular-addition"],
          *(["sweep", run, "--policy", "mean"] for run in DIGITS),
          *(["compare", *pair, "--measure", "linear_cka_debiased", "--policy", "mean"] for pair in SAME),
          *(["stitch", *pair, "--map", "affine", "--label", "digit"] for pair in SAME),
          *(["compare", run, "--by", "step", "--measure", "linear_cka_debiased"] for run in SOTU),
          ["compare", *SOTU, "--by", "all", "--measure", "linear_cka_debiased"],
          ["pair", *SOTU],
          ["compare", *SOTU, "--measure", "linear_cka_debiased"], ["stitch", *SOTU],
          ["stitch", *SOTU, "--map", "affine"],
          ["compare", f"{SOTU[0]}@step0", SOTU[0], "--measure", "linear_cka_debiased"],
          ["stitch", f"{SOTU[0]}@step0", SOTU[0], "--map", "affine"],
          ["topology", *SOTU],
          ["topology", "modular-addition", *NUMBERS, "--site", "embedding"],
          ["topology", "modular-addition", *NUMBERS, "--site", "embedding", "--directions", "4"],
          ["topology", "known-answers", "--site", "all", *options(KNOWN)],
          ["sweep", "known-answers", *named([*ESTIMATORS[:-1], BY_SCALE])],
          ["sweep", *SOTU, *named([*ESTIMATORS, BY_SCALE])],
          ["sweep", *SOTU, *named([*ESTIMATORS, BY_SCALE]), "--probe", "sotu-held-out+shuffled"],
          ["sample-size", SOTU[0], "--site", "final", *named(ESTIMATORS[:1])],
          ["map", SOTU[0]], ["map", SOTU[0], "--method", "umap"],
          ["map", "modular-addition", *NUMBERS, "--site", "embedding"])


def main() -> None:
    shutil.rmtree(RESULTS, ignore_errors=True)
    with tempfile.TemporaryDirectory() as cache:
        for arguments in SWEEPS:
            subprocess.run([sys.executable, "-m", "analysis", *arguments], check=True, cwd=HERE.parent,
                           env=os.environ | {"EXPLORER_CACHE": cache, "EXPLORER_PROGRESS": "1"})
        for name in ("results", "matrices", "stitches", "topology", "topology-changes", "maps"):
            shutil.copytree(Path(cache) / name, RESULTS / name)
        for meta in Path(cache).glob("representations/*/meta.json"):
            target = RESULTS / "representations" / meta.parent.name
            target.mkdir(parents=True)
            shutil.copy(meta, target)


if __name__ == "__main__":
    main()
