"""Unpacks a stranger's archive: every name, size and kind is checked, and each file is written under a checked name."""

import lzma
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from analysis.errors import ExplorerError

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
MOST_FILES, DEEPEST, HIGHEST_RATIO = 5_000, 6, 200
SEGMENT = re.compile(r"[A-Za-z0-9_][\w.+=@-]{0,120}", re.ASCII)
CHUNK = 1 << 20


@dataclass(frozen=True)
class Limits:
    """How much an archive may unpack to, and which files of it are wanted (by the end of their names)."""

    bytes: int
    wanted: tuple[str, ...]


def is_archive(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def is_clutter(name: str) -> bool:
    """What file managers leave beside a person's files: hidden files and the shadow folder of a Mac."""
    parts = name.split("/")
    return ".." not in parts and not name.startswith("/") and (parts[0] == "__MACOSX" or parts[-1].startswith("."))


def safe_name(name: str) -> PurePosixPath:
    """A relative path whose every part is plain letters, digits and a few signs; anything else is refused."""
    parts = name.replace("\\", "/").removeprefix("./").split("/")
    if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name) or ".." in parts:
        raise ExplorerError(f"The name {name[:80]!r} leads out of the folder; names must be relative, without '..'.")
    if len(parts) > DEEPEST:
        raise ExplorerError(f"The name {name[:80]!r} is {len(parts)} folders deep and {DEEPEST} is the most.")
    bad = next((part for part in parts if not SEGMENT.fullmatch(part)), None)
    if bad is not None:
        raise ExplorerError(f"The name {name[:80]!r} cannot be used: {bad[:40]!r} is not plain letters, digits and "
                            "_ . + = @ -, or begins with a dot. Rename it.")
    return PurePosixPath(*parts)


def unpack(archive: Path, into: Path, limits: Limits) -> list[Path]:
    """Write the wanted files of a zip or tar below a folder; returns them. Raises before anything is written where the
    archive's own list already breaks a rule, and stops where its content breaks what the list promised."""
    most = min(limits.bytes, HIGHEST_RATIO * max(archive.stat().st_size, CHUNK))
    total, written = 0, []
    with _opened(archive) as members:
        for number, (name, size, handle) in enumerate(members, 1):
            if number > MOST_FILES:
                raise ExplorerError(f"{archive.name} holds more than {MOST_FILES} files, which is the most.")
            total += size
            if total > most:
                raise ExplorerError(f"{archive.name} unpacks to more than {most / 1e6:.0f} MB, which is the most for "
                                    "an archive of its size; upload the files themselves.")
            if is_clutter(name):
                continue
            target = into / safe_name(name)
            if not target.name.endswith(limits.wanted):
                continue
            if target in written or target.exists():
                raise ExplorerError(f"{archive.name} holds {name[:80]!r} twice; pack it again.")
            target.parent.mkdir(parents=True, exist_ok=True)
            _write(handle, target, size, archive.name)
            written.append(target)
    if not written:
        raise ExplorerError(f"{archive.name} holds no file that can be read here; pack config.json, *.safetensors and "
                            "the tokenizer, or .npy and .npz files.")
    return written


def _write(handle: IO[bytes], target: Path, size: int, archive: str) -> None:
    left = size
    with target.open("xb") as out:
        while chunk := handle.read(CHUNK):
            left -= len(chunk)
            if left < 0:
                raise ExplorerError(f"{archive}: {target.name} is larger than the archive says; pack it again.")
            out.write(chunk)
    if left:
        raise ExplorerError(f"{archive}: {target.name} is shorter than the archive says; pack it again.")


Member = tuple[str, int, IO[bytes]]


@contextmanager
def _opened(archive: Path) -> Iterator[Iterator[Member]]:
    """Name, size and content of each file; links, devices and encrypted files raise, folders are left out."""
    try:
        if archive.name.lower().endswith(".zip"):
            with zipfile.ZipFile(archive) as opened:
                yield _zip_members(opened, archive.name)
        else:
            with tarfile.open(archive) as opened_tar:
                yield _tar_members(opened_tar, archive.name)
    except ExplorerError:
        raise
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError,
            RuntimeError, ValueError) as error:
        raise ExplorerError(f"{archive.name} cannot be unpacked ({str(error)[:80] or type(error).__name__}); pack and "
                            "upload it again.") from error


def _zip_members(opened: zipfile.ZipFile, archive: str) -> Iterator[Member]:
    for info in opened.infolist():
        mode = info.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ExplorerError(f"{archive} holds a link or device, {info.filename[:80]!r}; pack plain files.")
        if info.flag_bits & 1:
            raise ExplorerError(f"{archive} is encrypted; pack it without a password.")
        if info.is_dir():
            safe_name(info.filename.rstrip("/"))
            continue
        with opened.open(info) as handle:
            yield info.filename, info.file_size, handle


def _tar_members(opened: tarfile.TarFile, archive: str) -> Iterator[Member]:
    for info in opened:
        if info.isdir():
            if info.name not in (".", "./"):
                safe_name(info.name)
            continue
        if not info.isreg():
            raise ExplorerError(f"{archive} holds a link or device, {info.name[:80]!r}; pack plain files.")
        content = opened.extractfile(info)
        if content is not None:
            yield info.name, info.size, content
