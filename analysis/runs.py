"""Which runs there are: the bundled demo, and the folders and repositories a person has opened."""

import re
import shutil
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from analysis.checkpoints import hub, upload
from analysis.checkpoints.folder import open_run
from analysis.errors import ExplorerError
from analysis.files import PROJECT
from analysis.keys import Checkpoint, Run
from analysis.store import Store

DEFAULT_PICK = "log-20"
DEMO = PROJECT / "demo" / "runs"


def known_runs(store: Store) -> tuple[list[Run], list[str]]:
    """Every run that opens, demo first, and a sentence for each remembered folder that no longer does."""
    runs, problems = [], []
    for name, source in _sources(store).items():
        try:
            runs.append(_open(store, name, source))
        except (ExplorerError, OSError) as error:
            problems.append(f"{name}: {error}")
    return runs, problems


def signature(store: Store) -> list[tuple[str, str, int]]:
    """What changes when a run comes, goes, or gets another checkpoint."""
    return [(name, source, sum(path.stat().st_mtime_ns for path in (Path(source), store.root / "runs" / f"{name}.json")
                               if _exists(str(path)))) for name, source in _sources(store).items()]


def find_run(store: Store, name: str, taken: Sequence[str] = ()) -> Run:
    """A run by its name, the path of its folder or file, or hub:REPOSITORY. A new one gets a name that is not taken."""
    sources = _sources(store)
    if name in sources:
        return _open(store, name, sources[name])
    if name.startswith(hub.PREFIX):
        repo, _, revision = name.removeprefix(hub.PREFIX).partition("@")
        opened = next((known for known, source in sources.items() if source == name), None)
        if opened is not None:
            return _open(store, opened, name)
        if not revision:
            return open_on_hub(store, repo, DEFAULT_PICK)
        run = open_on_hub(store, repo, revision, f"{repo.rpartition('/')[2]}-{revision}")
        return replace(run, source=name)  # beside a run of more revisions, not in its place
    if not _exists(name):
        raise ExplorerError(f"There is no run or folder {name[:200]}. Runs: {', '.join(sources) or 'none'}. Give one "
                            "of these, the path of a folder, or hub:REPOSITORY.")
    run = open_run(name)
    if run.source in sources.values():
        known = next(known for known, source in sources.items() if source == run.source)
        return open_run(run.source, known)
    return open_run(name, _free_name(run.name, {*sources, *taken}))


def _exists(path: str) -> bool:
    try:
        return Path(path).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # too long, a null byte, a home that does not exist
        return False


def open_on_hub(store: Store, repo: str, how: str, name: str | None = None) -> Run:
    """A run of some revisions of a Hub repository (see `hub.pick`), known from its lists; no weights are fetched."""
    chosen = hub.pick(hub.refs(repo), how)
    taken = {known: source for known, source in _sources(store).items() if source != f"{hub.PREFIX}{chosen[0].repo}"}
    own = _free_name(name or chosen[0].repo.rpartition("/")[2], taken)
    checkpoints = [Checkpoint(own, ref.name, ref.revision.step, ref.revision.tokens, ref.path, remote.fingerprint)
                   for ref, remote in zip(chosen, hub.sizes(chosen), strict=True)]
    return Run(own, f"{hub.PREFIX}{chosen[0].repo}", tuple(checkpoints))


def open_upload(store: Store, id: str) -> Run:
    """The run that a complete upload holds, remembered; an upload that holds none is removed, and the reason raised."""
    for run in (_open(store, known, source) for known, source in store.remembered_runs().items()
                if Path(source).is_relative_to(store.uploads / id)):
        return run  # it was finished before, and the answer was lost
    name = upload.label(store.uploads, id)
    folder = upload.finish(store.uploads, id)
    try:
        run = open_run(folder, _free_name(name, _sources(store)))
    except BaseException:
        shutil.rmtree(store.uploads / id, ignore_errors=True)
        raise
    remember(store, run)
    return run


def forget(store: Store, run: Run) -> None:
    """Take a run off the list; what was uploaded for it goes too, and what was computed stays."""
    store.forget_run(run.name)
    source = Path(run.source)
    if source.is_relative_to(store.uploads):
        shutil.rmtree(store.uploads / source.relative_to(store.uploads).parts[0], ignore_errors=True)


def open_stages(store: Store, stages: Sequence[tuple[str, str]], name: str) -> Run:
    """Several models as the named stages of one run (base, SFT, DPO ...): each a folder, or hub:REPO[@REVISION]."""
    own = _free_name(name, _sources(store))
    twice = [stage for stage, count in Counter(stage for stage, _ in stages).items() if count > 1]
    if twice:
        raise ExplorerError(f"The stage {twice[0]!r} is named twice; give every stage a name of its own.")
    checkpoints = []
    for stage, source in stages:
        if source.startswith(hub.PREFIX):
            repo, _, revision = source.removeprefix(hub.PREFIX).partition("@")
            found = open_on_hub(store, repo, revision or "main").checkpoints
        else:
            found = open_run(source).checkpoints
        if len(found) != 1:
            raise ExplorerError(f"{source} holds {len(found)} checkpoints and a stage is one; name the folder of one.")
        checkpoints.append(replace(found[0], run=own, revision=stage, step=None, tokens=None))
    return Run(own, "stages: " + ", ".join(source for _, source in stages), tuple(checkpoints))


def remember(store: Store, run: Run) -> None:
    """Keep a run in the list, from its first use on. The demo is always there."""
    if not is_folder(run):
        store.remember_run(run.name, run.source, run.checkpoints)
    elif not is_bundled(run):
        store.remember_run(run.name, run.source)


def is_bundled(run: Run) -> bool:
    """Whether a run came with the project."""
    return Path(run.source).is_relative_to(DEMO)


def is_folder(run: Run) -> bool:
    """Whether the run's source is one local folder, which says itself what its checkpoints are."""
    return not run.source.startswith((hub.PREFIX, "stages:"))


def _sources(store: Store) -> dict[str, str]:
    folders = {path.name: str(path) for path in sorted(DEMO.glob("*/"))}
    files = {path.stem: str(path) for path in sorted(DEMO.glob("*.npz"))}
    return folders | files | store.remembered_runs()


def _open(store: Store, name: str, source: str) -> Run:
    checkpoints = store.remembered_checkpoints(name)
    return open_run(source, name) if checkpoints is None else Run(name, source, checkpoints)


def _free_name(name: str, taken: Collection[str]) -> str:
    """A name safe in a URL and a file name, not in use yet."""
    plain = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "run"
    candidates = [plain, *(f"{plain}-{number}" for number in range(2, len(taken) + 3))]
    return next(candidate for candidate in candidates if candidate not in taken)
