"""Which runs there are: the bundled demo, and the folders a person has opened."""

import re
from pathlib import Path

from analysis.checkpoints.folder import open_run
from analysis.errors import ExplorerError
from analysis.keys import Run
from analysis.store import Store

DEMO = Path(__file__).parents[1] / "demo" / "runs"


def known_runs(store: Store) -> tuple[list[Run], list[str]]:
    """Every run that opens, demo first, and a sentence for each remembered folder that no longer does."""
    sources = {path.name: str(path) for path in sorted(DEMO.glob("*/"))} | store.remembered_runs()
    runs, problems = [], []
    for name, source in sources.items():
        try:
            runs.append(open_run(source, name))
        except (ExplorerError, OSError) as error:
            problems.append(f"{name}: {error}")
    return runs, problems


def find_run(store: Store, name: str) -> Run:
    """A run by its name, or by the path of its folder; a folder is remembered under its own name."""
    sources = {path.name: str(path) for path in sorted(DEMO.glob("*/"))} | store.remembered_runs()
    if name in sources:
        return open_run(sources[name], name)
    if not Path(name).expanduser().is_dir():
        raise ExplorerError(f"There is no run or folder {name}. Runs: {', '.join(sources) or 'none'}. Give one of "
                            "these or the path of a folder.")
    run = open_run(name)
    if run.source in sources.values():
        known = next(known for known, source in sources.items() if source == run.source)
        return open_run(run.source, known)
    return open_run(name, _free_name(run.name, sources))


def remember(store: Store, run: Run) -> None:
    """Keep a folder in the list of runs, from its first use on. The demo is always there."""
    if not Path(run.source).is_relative_to(DEMO):
        store.remember_run(run.name, run.source)


def _free_name(name: str, taken: dict[str, str]) -> str:
    """A name safe in a URL and a file name, not in use yet."""
    plain = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "run"
    candidates = [plain, *(f"{plain}-{number}" for number in range(2, len(taken) + 3))]
    return next(candidate for candidate in candidates if candidate not in taken)
