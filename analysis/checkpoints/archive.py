"""Unpacks a stranger's archive: every name, size and kind is checked, and each file is written under a checked name."""

import lzma
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from analysis.errors import ExplorerError

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
MOST_FILES, DEEPEST, HIGHEST_RATIO = 5_000, 6, 200
LONGEST_RECORD = 8_192  # of a tar's extended headers, which are read whole
PLAIN_OR_DEFLATED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others unpack without a limit
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
    parts = name.replace("\\", "/").split("/")
    return not leads_out(name) and (parts[0] == "__MACOSX" or parts[-1].startswith("."))


def leads_out(name: str) -> bool:
    """Whether a name, on any system, points out of the folder it is written in."""
    return name.startswith(("/", "\\")) or bool(re.match(r"[A-Za-z]:", name)) or \
        ".." in name.replace("\\", "/").split("/")


def safe_name(name: str) -> PurePosixPath:
    """A relative path whose every part is plain letters, digits and a few signs; anything else is refused."""
    parts = name.replace("\\", "/").removeprefix("./").split("/")
    if leads_out(name):
        raise ExplorerError(f"The name {name[:80]!r} leads out of the folder; names must be relative, without '..'.")
    if len(parts) > DEEPEST:
        raise ExplorerError(f"The name {name[:80]!r} is {len(parts)} folders deep and {DEEPEST} is the most.")
    bad = next((part for part in parts if not SEGMENT.fullmatch(part)), None)
    if bad is not None:
        raise ExplorerError(f"The name {name[:80]!r} cannot be used: {bad[:40]!r} is not plain letters, digits and "
                            "_ . + = @ -, or begins with a dot. Rename it.")
    return PurePosixPath(*parts)


def unpack(archive: Path, into: Path, limits: Limits) -> list[Path]:
    """Write the wanted files of a zip or tar below a folder; returns them.

    A zip's own list is checked before anything is written; a tar, which has none, while it is read.
    """
    most = min(limits.bytes, HIGHEST_RATIO * max(archive.stat().st_size, CHUNK))
    total, written = 0, []
    taken: set[str] = set()
    with _opened(archive) as members:
        for name, size, handle in members:
            total += size
            if total > most:
                raise ExplorerError(f"{archive.name} unpacks to more than {most / 1e6:.0f} MB, which is the most for "
                                    "an archive of its size; upload the files themselves.")
            if is_clutter(name) or not name.lower().endswith(limits.wanted):
                continue
            relative = safe_name(name)
            target = into / relative
            folded = [str(part).lower() for part in (relative, *relative.parents)]
            if folded[0] in taken or taken & {f"{part}\0file" for part in folded} or target.exists():
                raise ExplorerError(f"{archive.name} holds {name[:80]!r} twice; pack it again.")
            taken |= {*folded[:-1], f"{folded[0]}\0file"}
            target.parent.mkdir(parents=True, exist_ok=True)
            _write(handle, target, size, archive.name)
            written.append(target)
    if not written:
        raise ExplorerError(f"{archive.name} holds no file that can be read here; pack files that end in "
                            f"{', '.join(limits.wanted)}.")
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
            with zipfile.ZipFile(archive) as opened, closing(_zip_members(opened, archive.name)) as members:
                yield members
        else:
            with tarfile.open(archive, tarinfo=_Info) as tar, closing(_tar_members(tar, archive.name)) as members:
                yield members
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError,
            RuntimeError, ValueError) as error:
        said = " ".join(str(error).split())[:80] or type(error).__name__
        raise ExplorerError(f"{archive.name} cannot be unpacked ({said}); pack and upload it again.") from error


def _zip_members(opened: zipfile.ZipFile, archive: str) -> Generator[Member, None, None]:
    members = opened.infolist()
    _count(len(members), archive)
    for info in members:
        mode = info.external_attr >> 16
        _check_kind(info.filename, stat.S_IFMT(mode) in (0, stat.S_IFREG, stat.S_IFDIR), archive)
        if info.flag_bits & 1:
            raise ExplorerError(f"{archive} is encrypted; pack it without a password.")
        if info.compress_type not in PLAIN_OR_DEFLATED:
            raise ExplorerError(f"{archive} is packed in a way that is not read here; pack it as an ordinary zip.")
    for info in members:
        if not info.is_dir():
            with opened.open(info) as handle:
                yield info.filename, info.file_size, handle


def _tar_members(opened: tarfile.TarFile, archive: str) -> Generator[Member, None, None]:
    for number, info in enumerate(opened, 1):
        _count(number, archive)
        if info.size < 0:
            raise tarfile.ReadError("a file of fewer than 0 bytes")
        _check_kind(info.name, info.isdir() or info.isreg(), archive)
        content = opened.extractfile(info)
        if info.isreg() and content is not None:
            yield info.name, info.size, content
    end: Any = opened.fileobj
    end.seek(opened.offset)
    if end.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("it ends too early")


class _Info(tarfile.TarInfo):
    """Refuses extended headers that are too long to be names, before they are read."""

    def _proc_pax(self, tar: Any) -> Any:
        self._check()
        return super()._proc_pax(tar)  # type: ignore[misc]

    def _proc_gnulong(self, tar: Any) -> Any:
        self._check()
        return super()._proc_gnulong(tar)  # type: ignore[misc]

    def _check(self) -> None:
        if not 0 <= self.size <= LONGEST_RECORD:
            raise tarfile.ReadError("a name that is too long to be one")


def _count(members: int, archive: str) -> None:
    if members > MOST_FILES:
        raise ExplorerError(f"{archive} holds more than {MOST_FILES} files, which is the most.")


def _check_kind(name: str, is_plain: bool, archive: str) -> None:
    if leads_out(name):
        safe_name(name)
    if not is_plain:
        raise ExplorerError(f"{archive} holds a link or device, {name[:80]!r}; pack plain files.")
