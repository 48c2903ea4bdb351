"""What a checkpoint holds, wherever it lies, before anything of it is loaded: its report and its tensors.

Of a commit on the Hub the settings and the headers of its weights are read, and nothing else is fetched: they are put
into a folder of the same file names and sizes with holes in place of the weights, which passes the very checks that a
local folder passes.
"""

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from analysis.checkpoints import activations, hub
from analysis.checkpoints.headers import LONGEST_HEADER, Tensor
from analysis.checkpoints.preflight import Report, examine, headers
from analysis.errors import ExplorerError
from analysis.keys import Checkpoint

ROWS = "rows, no model"
SETTINGS = ("config.json", "model.safetensors.index.json")
LARGEST_SETTINGS = 32_000_000


def report(checkpoint: Checkpoint) -> Report:
    """What the files of a checkpoint are and every reason to refuse it. Raises ExplorerError when the Hub does not
    answer."""
    path = Path(checkpoint.path.removeprefix(activations.PREFIX))
    if checkpoint.path.startswith(activations.PREFIX):
        return _rows(path)
    if not checkpoint.path.startswith(hub.PREFIX):
        return examine(path)
    with _with_holes(checkpoint) as (folder, shown):
        found = examine(folder)
    return replace(found, folder=checkpoint.path,
                   refusals=tuple(reason.replace(str(folder), shown) for reason in found.refusals))


def tensors(checkpoint: Checkpoint) -> list[Tensor]:
    """Name, type and shape of everything in a checkpoint. Raises ExplorerError when its headers cannot be read."""
    if checkpoint.path.startswith(activations.PREFIX):
        found = activations.read_rows(Path(checkpoint.path.removeprefix(activations.PREFIX)))
        return [Tensor(site, "F32", rows.shape) for site, rows in found.rows.items()]
    if not checkpoint.path.startswith(hub.PREFIX):
        return headers(Path(checkpoint.path))
    with _with_holes(checkpoint) as (folder, _):
        return headers(folder)


def reports(checkpoints: Sequence[Checkpoint]) -> list[Report]:
    """The report of each; those on the Hub are asked for several at a time."""
    with ThreadPoolExecutor(hub.AT_ONCE) as pool:
        return list(pool.map(report, checkpoints))


def _rows(path: Path) -> Report:
    try:
        found = activations.read_rows(path)
        size = path.stat().st_size
    except (ExplorerError, OSError) as error:
        return Report(folder=str(path), files=(), model_type=ROWS, dtypes={}, refusals=(str(error),))
    return Report(folder=str(path), files=((path.name, size),), model_type=ROWS, dtypes={"F32": len(found.rows)},
                  tensors=len(found.rows), width=max(rows.shape[1] for rows in found.rows.values()),
                  rows=len(found.row_ids))


@contextmanager
def _with_holes(checkpoint: Checkpoint) -> Iterator[tuple[Path, str]]:
    """A folder for the files of a commit, the weights without their values; and what messages call it."""
    repo, commit = hub.split_path(checkpoint.path)
    with tempfile.TemporaryDirectory(prefix="headers-") as name:
        folder = Path(name)
        wanted = hub.remote(repo, commit)
        small = [file for file in wanted.files if file[0] in SETTINGS and file[1] <= LARGEST_SETTINGS]
        hub.fetch(replace(wanted, files=tuple(small)), folder)
        for file, size, _ in wanted.files:
            with (folder / file).open("ab") as handle:
                if file.endswith(".safetensors"):
                    handle.write(hub.head(repo, commit, file, LONGEST_HEADER))
                handle.truncate(size)
        yield folder, f"{repo}@{commit[:8]}"
