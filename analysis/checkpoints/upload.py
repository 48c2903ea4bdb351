"""Files on their way from a browser: begun with a list, received in checked pieces, finished into a folder of our own.

<uploads>/<id>/manifest.json   what was promised: names, sizes, owner
<uploads>/<id>/incoming/<k>    file k so far; its length is where an interrupted upload goes on
<uploads>/<id>/files/          the files under their checked names, once every byte is there

An id is a random secret: who knows it may write to that upload, and nothing else. A piece carries its sha256 and is
written whole or not at all, so memory holds one piece whatever the size of the file.
"""

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.checkpoints import archive
from analysis.checkpoints.archive import Limits, is_archive, is_clutter, safe_name, unpack
from analysis.checkpoints.preflight import PICKLE_VARIABLE, gigabytes
from analysis.errors import ExplorerError
from analysis.keys import digest

QUOTA_VARIABLE, DEFAULT_QUOTA = "EXPLORER_UPLOAD_GB", 50e9
KEEP_FREE = 2_000_000_000
LARGEST_PIECE = 16 * 1024 * 1024
MOST_FILES = 2_000
FORGET_AFTER_S = 48 * 3600.0
WANTED = (".safetensors", ".json", ".txt", ".model", ".npy", ".npz", ".csv")
UNKNOWN = "This upload is not known (any more); choose the files again."
ID = re.compile(r"[0-9a-f]{32}")


class Damaged(ExplorerError):
    """A piece is not what its sum says: sent once more, it may be."""


@dataclass(frozen=True)
class Upload:
    """One upload under way. `received` says of each file how many bytes are there; `skipped` what is not wanted."""

    id: str
    names: tuple[str, ...]
    sizes: tuple[int, ...]
    received: tuple[int, ...]
    skipped: tuple[str, ...] = ()


def begin(root: Path, files: Sequence[tuple[str, int]], owner: str, marks: Sequence[int] = ()) -> Upload:
    """Start an upload of (relative name, bytes), or find the same unfinished one of the same owner again.

    `marks` tell files of one name and size apart, such as the times they were changed.
    """
    _forget_old(root)
    wanted, skipped = _sorted_out(files)
    total = sum(size for _, size in wanted)
    promise = {"files": wanted, "owner": owner, "marks": list(marks)}
    for folder in root.glob("*/"):
        if _read(folder).get("promise") == digest(promise):
            if _is_under_way(folder, len(wanted)):
                return _state(folder, skipped)
            shutil.rmtree(folder, ignore_errors=True)  # it broke while it was put in place
    _check_room(root, total)
    folder = root / secrets.token_hex(16)
    (folder / "incoming").mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({**promise, "promise": digest(promise), "began": time.time()}))
    for number in range(len(wanted)):
        (folder / "incoming" / str(number)).touch()
    return _state(folder, skipped)


def receive(root: Path, id: str, number: int, offset: int, piece: bytes, sha256: str | None) -> int:
    """Write one piece of file `number` at `offset`; returns how many bytes of it are there now.

    A browser computes sha256 on secure addresses only (https, or this machine); elsewhere it gives none.
    """
    folder = _folder(root, id)
    files = _read(folder)["files"]
    if not 0 <= number < len(files):
        raise ExplorerError(f"This upload has {len(files)} files and there is no file {number}; start it again.")
    name, size = files[number]
    path = folder / "incoming" / str(number)
    have = path.stat().st_size
    if offset != have:
        return have  # a piece that came twice, or too early: the browser goes on from what is there
    if len(piece) > LARGEST_PIECE or have + len(piece) > size:
        raise ExplorerError(f"{name} was announced with {size} bytes and more came; start the upload again.")
    if sha256 is not None and hashlib.sha256(piece).hexdigest() != sha256:
        raise Damaged(f"A piece of {name} arrived damaged at byte {offset}; send it again.")
    _check_room(root, len(piece))
    with path.open("ab") as handle:
        handle.write(piece)
    return have + len(piece)


def finish(root: Path, id: str) -> Path:
    """Put a complete upload under its names, unpack archives, and return the folder; a failure removes it all."""
    folder = _folder(root, id)
    if not _is_under_way(folder, len(_read(folder)["files"])):
        raise ExplorerError("This upload is being put in place already; wait for it.")
    state = _state(folder, ())
    short = [name for name, size, have in zip(state.names, state.sizes, state.received, strict=True) if size != have]
    if short:
        raise ExplorerError(f"{len(short)} of {len(state.names)} files are not complete, first {short[0]}; choose the "
                            "same files again to go on.")
    files = folder / "files"
    try:
        files.mkdir()
    except FileExistsError as error:
        raise ExplorerError("This upload is being put in place already; wait for it.") from error
    try:
        for number, name in enumerate(state.names):
            _put_in_place(root, folder / "incoming" / str(number), files, name)
        done = _read(folder) | {"promise": ""}  # so that the same files may come again
        (folder / "manifest.json").write_text(json.dumps(done))
        shutil.rmtree(folder / "incoming")
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise ExplorerError(f"The upload could not be put in place ({error.strerror}); send it again.") from error
        raise
    return _innermost(files)


def _put_in_place(root: Path, received: Path, files: Path, name: str) -> None:
    target = files / safe_name(name)
    if is_archive(name):
        packed = received.rename(files.parent / target.name)
        unpack(packed, files, Limits(_room(root), WANTED))
        packed.unlink()
    elif target.exists() or any(parent.is_file() for parent in target.parents):
        raise ExplorerError(f"Two files of this upload want the place of {name}; upload them apart.")
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        received.rename(target)


def label(root: Path, id: str) -> str:
    """What a person would call an upload: its folder, its only file, or its archive."""
    names = [name for name, _ in _read(root / id).get("files", [])]
    tops = {name.split("/")[0] for name in names}
    if len(tops) != 1:
        return "upload"
    top = tops.pop()
    ends = (*archive.SUFFIXES, *WANTED)
    return next((top[:-len(end)] for end in ends if top in names and top.lower().endswith(end)), top)


def take(root: Path, files: Sequence[tuple[str, bytes]], owner: str) -> str:
    """A small upload that is in memory already, by the same way; returns its id, ready to be finished."""
    upload = begin(root, [(name, len(content)) for name, content in files], owner, [secrets.randbits(62)])
    contents = {str(safe_name(name)): content for name, content in files if _is_wanted(name)}
    try:
        for number, name in enumerate(upload.names):
            content, at = contents[name], upload.received[number]
            while at < len(content):
                piece = content[at:at + LARGEST_PIECE]
                at = receive(root, upload.id, number, at, piece, hashlib.sha256(piece).hexdigest())
    except BaseException:
        discard(root, upload.id)  # it came from memory, so nobody can go on with it
        raise
    return upload.id


def check_owner(root: Path, id: str, owner: str) -> None:
    """Refuse an upload that somebody else began, in the words for one that is not there."""
    if ID.fullmatch(id) and _read(root / id).get("owner", owner) != owner:
        raise ExplorerError(UNKNOWN)


def discard(root: Path, id: str) -> None:
    """Remove an upload and everything of it."""
    shutil.rmtree(_folder(root, id), ignore_errors=True)


def quota() -> float:
    """Bytes that all uploads may take together."""
    return gigabytes(QUOTA_VARIABLE, DEFAULT_QUOTA)


def _sorted_out(files: Sequence[tuple[str, int]]) -> tuple[list[tuple[str, int]], tuple[str, ...]]:
    """Files that can be read here, under checked names, and the names of the others (optimizer states, read-mes)."""
    if len(files) > MOST_FILES:
        raise ExplorerError(f"{len(files)} files were chosen and {MOST_FILES} is the most for one upload.")
    wanted, skipped = [], []
    for name, size in files:
        if not _is_wanted(name):
            skipped.append(name[:200])
        else:
            wanted.append((str(safe_name(name)), int(size)))
    if len({name for name, _ in wanted}) != len(wanted):
        raise ExplorerError("Two of the chosen files have the same name; upload their folder instead.")
    if not wanted:
        raise ExplorerError(f"None of the {len(files)} chosen files can be read here; choose config.json, "
                            "*.safetensors and the tokenizer of a checkpoint, .npy or .npz files, or an archive of "
                            "these.")
    if any(size < 0 for _, size in wanted):
        raise ExplorerError("A file was announced with fewer than 0 bytes; choose the files again.")
    return sorted(wanted), tuple(skipped)


def _is_wanted(name: str) -> bool:
    pickles = (".bin",) if os.environ.get(PICKLE_VARIABLE) == "1" else ()
    return not is_clutter(name) and name.lower().endswith((*WANTED, *archive.SUFFIXES, *pickles))


def _used(root: Path) -> int:
    used = 0
    for path in root.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # another upload may end meanwhile
            used += path.stat().st_size if path.is_file() else 0
    return used


def _room(root: Path) -> int:
    """Bytes that may still be written: what is left of the quota and of the disk."""
    return int(max(0, min(quota() - _used(root), shutil.disk_usage(root).free - KEEP_FREE)))


def _check_room(root: Path, more: int) -> None:
    root.mkdir(parents=True, exist_ok=True)
    used, free = _used(root), shutil.disk_usage(root).free
    if used + more > quota():
        raise ExplorerError(f"{more / 1e9:.2f} GB more would make uploads {(used + more) / 1e9:.2f} GB and "
                            f"{quota() / 1e9:.2f} GB is the most; remove an uploaded run, or set {QUOTA_VARIABLE}.")
    if more > free - KEEP_FREE:
        raise ExplorerError(f"{more / 1e9:.2f} GB do not fit: {free / 1e9:.2f} GB of the disk is free, of which "
                            f"{KEEP_FREE / 1e9:.0f} GB stay so.")


def _forget_old(root: Path) -> None:
    """Remove uploads that were never finished."""
    for folder in root.glob("*/incoming"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - max(path.stat().st_mtime for path in (folder, *folder.iterdir())) > FORGET_AFTER_S:
                shutil.rmtree(folder.parent, ignore_errors=True)


def _folder(root: Path, id: str) -> Path:
    folder = root / id
    if not ID.fullmatch(id) or not (folder / "incoming").is_dir():
        raise ExplorerError(UNKNOWN)
    return folder


def _is_under_way(folder: Path, count: int) -> bool:
    return not (folder / "files").exists() and all((folder / "incoming" / str(k)).exists() for k in range(count))


def _read(folder: Path) -> dict:
    try:
        return json.loads((folder / "manifest.json").read_text())
    except (OSError, ValueError):
        return {}


def _state(folder: Path, skipped: tuple[str, ...]) -> Upload:
    files = _read(folder)["files"]
    received = tuple((folder / "incoming" / str(number)).stat().st_size for number in range(len(files)))
    return Upload(folder.name, tuple(name for name, _ in files), tuple(size for _, size in files), received, skipped)


def _innermost(folder: Path) -> Path:
    """The folder itself, or the one folder in it: archives and browsers put a folder around what was chosen."""
    inside = list(folder.iterdir())
    return _innermost(inside[0]) if len(inside) == 1 and inside[0].is_dir() else folder
