"""Archives made byte by byte, so that they can say what no packer says, and a check that they are refused."""

import hashlib
import io
import json
import shutil
import struct
import tarfile
import tracemalloc
import warnings
import zipfile
import zlib

import numpy as np
import pytest
from safetensors.numpy import save_file

from analysis.checkpoints.upload import finish, receive, take
from analysis.errors import ExplorerError

LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"
FIELDS = {"flags": (8, "<H"), "method": (10, "<H"), "crc": (16, "<I"), "packed": (20, "<I"), "size": (24, "<I"),
          "offset": (42, "<I")}
BLOCK, PIECE = 512, 700
LEADS_OUT = ["../evil.json", "run/../../evil.json", "/evil.json", "/tmp/evil.json", "..\\evil.json",
             "a\\..\\..\\e.json", "\\evil.json", "\\\\server\\share\\e.json", "C:\\evil.json", "C:evil.json",
             "c:/evil.json", "./../evil.json", "a/..", "../.hidden", ".\\..\\evil.json", "__MACOSX/../../evil.json"]
ODD = ["a//b.json", "a/./b.json", "a/.hidden/b.json", "a b.json", "a\nb.json", "a\tb.json", "\x1b[31mb.json", "é.json",
       "b\u202enosj.json", "\u2025/evil.json", "\uff0e\uff0e/evil.json", "a\u2215..\u2215b.json", "b\u0301.json",
       "~/b.json", "$HOME/b.json", "-rf.json", "a:b.json", "b*.json", "x" * 300 + ".json", "x" * 5000 + ".json",
       "a/b/c/d/e/f/g.json", "d/" * 500 + "b.json", " .json", "CON:.json"]


def refused(call, *words):
    """The call ends in one printable line that holds all of these words."""
    with pytest.raises(ExplorerError) as caught:
        call()
    message = str(caught.value)
    assert message and message.isprintable(), message
    for word in words:
        assert word in message, message


def below(folder):
    """The relative name and content of every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def peak_of(call):
    """The most bytes that Python held while the call ran, beyond what it held before; and what the call gave."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        try:
            given = call()
        except ExplorerError as error:
            given = error
        return tracemalloc.get_traced_memory()[1] - before, given
    finally:
        tracemalloc.stop()


def zipped(path, members, compression=zipfile.ZIP_DEFLATED):
    """A zip of (name or ZipInfo, content), in this order."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Duplicate name")
                archive.writestr(name, content, compress_type=compression)
    return path


def tarred(path, members, mode="w", form=tarfile.PAX_FORMAT):
    """A tar of (name or TarInfo, content), in this order."""
    with tarfile.open(path, mode, format=form) as archive:
        for name, content in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def packed_as(suffix, folder, members):
    """An archive x.zip, x.tar, x.tar.gz ... in the folder."""
    path = folder / f"x{suffix}"
    return zipped(path, members) if suffix == ".zip" else tarred(path, members, f"w:{suffix[5:]}")


def emptied(folder):
    shutil.rmtree(folder)
    folder.mkdir()
    return folder


def special(name, kind, link="", mode=0o644):
    """A member of a tar that is no plain file."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    return info


def of_mode(name, mode):
    """A member of a zip with these Unix mode bits."""
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info


def edit_list(path, **fields):
    """Change fields of the first entry of a zip's list (its central directory), and of nothing else."""
    content = bytearray(path.read_bytes())
    start = content.index(CENTRAL)
    for field, value in fields.items():
        place, form = FIELDS[field]
        struct.pack_into(form, content, start + place, value)
    path.write_bytes(content)
    return path


def resized(path, number, size):
    """Change the size that a header of an uncompressed tar claims, negative too, and mend the header's checksum."""
    content = bytearray(path.read_bytes())
    with tarfile.open(path) as archive:
        start = archive.getmembers()[number].offset
    content[start + 124:start + 136] = tarfile.itn(size, 12, tarfile.GNU_FORMAT)
    content[start + 148:start + 156] = b" " * 8
    content[start + 148:start + 156] = b"%06o\0 " % sum(content[start:start + BLOCK])
    path.write_bytes(content)
    return path


def with_long_header(path, kind, size):
    """A .tar.gz that begins with an extended header (a pax record, a long name) of so many bytes."""
    members = [(special("long", kind), b"a" * size), ("config.json", b"{}")]
    return tarred(path, members, "w:gz", tarfile.GNU_FORMAT)


def quoted_bomb(path, kernel, names):
    """A zip whose entries all hold one stream of zeros, each quoting the headers of those after it (Fifield 2019)."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    data, size = squeeze.compress(bytes(kernel)) + squeeze.flush(), kernel
    crc, entries = zlib.crc32(bytes(kernel)), []
    for name in reversed(names):
        about = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, crc, len(data), size, len(name), 0)
        header = LOCAL + about + name.encode()
        entries.append((name, about, len(header) + len(data)))
        data = b"\0" + struct.pack("<HH", len(header), len(header) ^ 0xFFFF) + header + data
        size += len(header)
    data, total = data[5:], len(data) - 5
    listing = b"".join(CENTRAL + struct.pack("<H", 20) + about + struct.pack("<HHHII", 0, 0, 0, 0, total - behind)
                       + name.encode() for name, about, behind in reversed(entries))
    path.write_bytes(data + listing + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, len(names), len(names),
                                                                  len(listing), len(data), 0))
    return path


# --- uploads ---


def announced(content):
    return [(name, len(what)) for name, what in content.items()]


def sent(root, upload_id, number, offset, piece):
    return receive(root, upload_id, number, offset, piece, hashlib.sha256(piece).hexdigest())


def send(root, begun, content, *, most=None):
    """What a browser does: each file from where it is, a piece after the other, at most so many pieces."""
    for number, name in enumerate(begun.names):
        at = begun.received[number]
        while at < len(content[name]):
            if most is not None:
                most -= 1
                if most < 0:
                    return
            at = sent(root, begun.id, number, at, content[name][at:at + PIECE])


def taken(root, content):
    """An upload that is in memory already, begun and finished."""
    return finish(root, take(root, list(content.items()), "me"))


def without_folder(content):
    return {name.removeprefix("run/"): what for name, what in content.items()}


# --- rows ---


def saved(path, **arrays):
    """The arrays in a file of the kind that its suffix says; a .npy holds one."""
    if path.suffix == ".npy":
        np.save(path, *arrays.values())
    elif path.suffix == ".npz":
        np.savez(path, **arrays)
    else:
        names = {name: json.dumps(list(arrays.pop(name))) for name in ("ids", "documents") if name in arrays}
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path, metadata=names or None)
    return path


def headed(path, header, content=b"", version=b"\1\0"):
    """A .npy file with this header, as text or as what numpy would write."""
    text = header if isinstance(header, bytes) else repr(header).encode()
    size = len(text).to_bytes(2 if version == b"\1\0" else 4, "little")
    path.write_bytes(b"\x93NUMPY" + version + size + text + content)
    return path
