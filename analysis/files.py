"""Checked, atomic files: JSON with its own sha256 on the first line, arrays under names that hold theirs.

Files are written under a temporary name, flushed to disk and renamed, so a reader or a second writer never sees half of
one. A file whose checksum disagrees is set aside, reported once and treated as absent.
"""

import fcntl
import gc
import hashlib
import json
import os
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors
from safetensors.numpy import save_file

_pausing = threading.Lock()
_paused: list[bool] = []

PROJECT = Path(__file__).parents[1]


def cache_root() -> Path:
    """cache/, or where $EXPLORER_CACHE says."""
    return Path(os.environ.get("EXPLORER_CACHE", PROJECT / "cache"))


class CheckedFiles:
    """Reads and writes below `root`; other folders may be read, and are never changed."""

    def __init__(self, root: Path | str):
        self.root = Path(root)

    def put_tensors(self, path: Path, tensors: dict[str, np.ndarray]) -> str:
        """Write the arrays that belong to a JSON file, under a name that holds their checksum: two writers whose last
        bits differ never mix. The JSON file is written after them."""
        content = packed(tensors)
        sha = hashlib.sha256(content).hexdigest()
        write(beside(path, sha), content)
        return sha

    def tensors(self, path: Path, sha: str) -> dict[str, np.ndarray] | None:
        """The arrays that belong to a JSON file, or None when they are damaged; then the JSON file goes too."""
        place = beside(path, sha)
        content = place.read_bytes() if place.exists() else b""
        if hashlib.sha256(content).hexdigest() == sha:
            return load_tensors(content)
        self.set_aside(place)
        if path.is_relative_to(self.root):
            path.unlink(missing_ok=True)
        return None

    def read_checked(self, path: Path) -> dict[str, Any] | None:
        try:
            text = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        head, _, body = text.partition(b"\n")
        if head != hashlib.sha256(body).hexdigest().encode():
            self.set_aside(path)
            return None
        return json.loads(body)

    @contextmanager
    def claimed(self, name: str, wait: bool = False,
                report: Callable[[float, float, str], None] = lambda done, total, message: None) -> Iterator[bool]:
        """Whether this process alone may work on something meanwhile. The system takes the claim back when the process
        ends, however it ends. Where files cannot be locked everybody may, and the worst is work done twice."""
        path = self.root / "claims" / f"{name[:32]}.lock"
        while (handle := locked(path)) is None and wait:
            report(0, 1, "another process works on it")
            time.sleep(0.1)
        try:
            yield handle is not None
        finally:
            if handle is not None:
                path.unlink(missing_ok=True)
                handle.close()
                with suppress(OSError):
                    path.parent.rmdir()

    def set_aside(self, path: Path) -> None:
        """Move a damaged file (or folder) out of the way so that it is recomputed, and say so."""
        if not path.is_relative_to(self.root):
            warnings.warn(f"{path} is damaged and ignored; restore it with: git checkout -- {path}", stacklevel=3)
            return
        target = self.root / "damaged" / f"{uuid.uuid4().hex}-{path.name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            (path if path.name != "meta.json" else path.parent).rename(target)
        except FileNotFoundError:
            return  # another process set it aside first
        warnings.warn(f"{path} was damaged; it is now {target} and its contents will be computed again", stacklevel=3)


@dataclass(frozen=True)
class Unfinished:
    """Arrays of a comparison that is being worked on; the last saved are kept."""

    files: CheckedFiles
    path: Path

    def load(self) -> dict[str, np.ndarray] | None:
        meta = self.files.read_checked(self.path)
        return None if meta is None else self.files.tensors(self.path, meta["sha256"])

    def save(self, tensors: dict[str, np.ndarray]) -> None:
        old = set(self._tensors())
        sha = self.files.put_tensors(self.path, tensors)
        write(self.path, checked({"sha256": sha}))
        for path in old - {beside(self.path, sha)}:
            path.unlink(missing_ok=True)

    def clear(self) -> None:
        for path in [self.path, *self._tensors()]:
            path.unlink(missing_ok=True)

    def _tensors(self) -> list[Path]:
        return list(self.path.parent.glob(f"{self.path.stem}.*.safetensors"))


def locked(path: Path) -> IO[str] | None:
    """The file, open and locked by this process alone, or None where another has it."""
    while True:
        with suppress(FileNotFoundError, FileExistsError):  # its last owner removes the folder meanwhile
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = path.open("a")
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                handle.close()
                return None
            except OSError:
                return handle
            if os.fstat(handle.fileno()).st_nlink:  # else its last owner has just removed it
                return handle
            handle.close()


def beside(path: Path, sha: str) -> Path:
    return path.with_name(f"{path.stem}.{sha[:16]}.safetensors")


def packed(tensors: dict[str, np.ndarray]) -> bytes:
    return save_tensors({name: np.ascontiguousarray(array) for name, array in tensors.items()})  # it ignores strides


def sha256_of(path: Path) -> str | None:
    """Of a file's content, read piece by piece; None where there is no such file."""
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return None


def write(path: Path, content: bytes) -> str:
    """Atomic write; returns the sha256 of the content."""
    with _atomically(path) as temporary:
        temporary.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def write_large(path: Path, tensors: Mapping[str, np.ndarray]) -> str:
    """Atomic write of arrays without a second copy of them in memory; returns the sha256 of the file."""
    with _atomically(path) as temporary:
        save_file({name: np.ascontiguousarray(array) for name, array in tensors.items()}, temporary)
    return str(sha256_of(path))


@contextmanager
def _atomically(path: Path) -> Iterator[Path]:
    """A temporary name, which is flushed to disk and becomes `path` when what was written there is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        yield temporary
        with temporary.open("rb+") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def collector_paused() -> Iterator[None]:
    """While many small objects without cycles are made, looking for cycles among them takes as long as making them."""
    with _pausing:
        _paused.append(gc.isenabled() if not _paused else _paused[0])
        gc.disable()
    try:
        yield
    finally:
        with _pausing:
            if _paused.pop() and not _paused:  # the last of all threads that are within
                gc.enable()


def checked(value: dict[str, Any]) -> bytes:
    """JSON with its own sha256 on the first line."""
    body = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body
