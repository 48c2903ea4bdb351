"""Unpacking a stranger's archive: what is good comes out byte for byte, and nothing else comes out at all."""

import os
import random
import shutil
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest

from analysis.checkpoints import archive
from analysis.checkpoints.archive import Limits, is_archive, safe_name, unpack
from analysis.checkpoints.folder import open_run
from analysis.errors import ExplorerError
from tests.safety import packed
from tests.safety.packed import BLOCK, LEADS_OUT, ODD, below, emptied, packed_as, peak_of, refused, special

WANTED = Limits(10**9, (".json", ".safetensors", ".npy", ".npz"))
GOOD = [("config.json", b'{"a": 1}'), ("rows.npz", bytes(range(256)))]
MEGABYTE = 1_000_000
KINDS = pytest.mark.parametrize("kind", ["zip", "tar"])
ALL = pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ".tar.xz", ".tar.bz2"])
FORMATS = {"zip": ".zip", "tar": ".tar", "gztar": ".tar.gz", "xztar": ".tar.xz", "bztar": ".tar.bz2"}


@pytest.fixture
def into(tmp_path):
    """The folder to unpack into; whatever is unpacked, nothing outside of it may change and nothing in it be a link."""
    folder = tmp_path / "outside" / "uploads" / "files"
    folder.mkdir(parents=True)
    (tmp_path / "outside" / "config.json").write_text("keep")
    yield folder
    assert {name for name in below(tmp_path) if "uploads/files/" not in name and not is_archive(name)} == {
        "outside/config.json"} and (tmp_path / "outside" / "config.json").read_text() == "keep"
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))


# --- good archives ---


@pytest.mark.parametrize("form", FORMATS)
def test_a_packed_checkpoint_comes_out_byte_for_byte_and_is_the_same_checkpoint(tiny_run, tmp_path, into, form):
    made = shutil.make_archive(str(tmp_path / "model"), form, root_dir=tiny_run, base_dir="step8")
    assert made.endswith(FORMATS[form]) and is_archive(made)
    written = unpack(tmp_path / f"model{FORMATS[form]}", into, WANTED)
    assert below(into) == {name: content for name, content in below(tiny_run).items() if name.startswith("step8/")}
    assert sorted(written) == sorted(path for path in into.rglob("*") if path.is_file())
    unpacked, original = (open_run(folder / "step8").checkpoints[0] for folder in (into, tiny_run))
    assert unpacked.fingerprint == original.fingerprint


def test_an_archive_that_begins_with_the_folder_itself_unpacks(tmp_path, into):
    dots = [(special(".", tarfile.DIRTYPE), b""), (special("./sub", tarfile.DIRTYPE), b""), ("./sub/config.json", b"1")]
    unpack(packed.tarred(tmp_path / "x.tar", dots), into, WANTED)
    assert below(into) == {"sub/config.json": b"1"}


def test_only_wanted_files_are_written_and_archives_in_an_archive_stay_packed(tmp_path, into):
    clutter = ["README.md", "optimizer.pt", ".DS_Store", "run/._config.json", "__MACOSX/run/._config.json",
               "run/inner.zip", "run/inner.tar.gz", "Thumbs.db"]
    members = [("run/config.json", b"{}"), *((name, b"x") for name in clutter)]
    unpack(packed_as(".zip", tmp_path, members), into, WANTED)
    assert below(into) == {"run/config.json": b"{}"}
    refused(lambda: unpack(packed_as(".tar", tmp_path, members[1:]), emptied(into), WANTED), "no file")


@pytest.mark.parametrize("name", ["run/.cache/huggingface/download/config.json.metadata", "loss curve (final).png"])
@KINDS
def test_a_file_that_is_not_wanted_is_passed_over_whatever_its_plain_name(tmp_path, into, kind, name):
    unpack(packed_as(f".{kind}", tmp_path, [*GOOD, (name, b"x")]), into, WANTED)
    assert below(into) == dict(GOOD)


@KINDS
def test_special_mode_bits_are_not_restored(tmp_path, into, kind):
    names = {"zip": packed.of_mode("a.json", stat.S_IFREG | 0o6777),
             "tar": special("a.json", tarfile.REGTYPE, mode=0o6777)}
    (path,) = unpack(packed_as(f".{kind}", tmp_path, [(names[kind], b"{}")]), into, WANTED)
    assert path.stat().st_mode & 0o7133 == 0 and path.stat().st_uid == os.getuid()


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz", ".tar.bz2"])
def test_memory_stays_flat_while_a_large_file_is_unpacked(tmp_path, into, suffix):
    content = random.Random(0).randbytes(MEGABYTE // 4) + bytes(32 * MEGABYTE)
    path = packed_as(suffix, tmp_path, [("rows.npy", content)])
    peak, written = peak_of(lambda: unpack(path, into, WANTED))
    assert peak < 12 * MEGABYTE
    assert zlib.crc32(written[0].read_bytes()) == zlib.crc32(content)


# --- names ---

@KINDS
@pytest.mark.parametrize("name", LEADS_OUT, ids=ascii)
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path, into, kind, name):
    refused(lambda: unpack(packed_as(f".{kind}", tmp_path, [(name, b"evil"), *GOOD]), into, WANTED), "leads out")
    assert below(into) == {}


@KINDS
@pytest.mark.parametrize("name", ODD, ids=lambda name: ascii(name)[:30])
def test_a_name_that_is_not_plain_is_refused_in_one_short_line(tmp_path, into, kind, name):
    with pytest.raises(ExplorerError) as caught:
        unpack(packed_as(f".{kind}", tmp_path, [(name, b"evil"), *GOOD]), into, WANTED)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 400
    assert below(into) == {}


def test_a_name_with_a_null_byte_does_not_become_another_name_out_of_the_folder(tmp_path, into):
    path = packed.zipped(tmp_path / "x.zip", [("run/config.json0../../evil.json", b"{}"), ("b.json", b"")])
    path.write_bytes(path.read_bytes().replace(b"config.json0", b"config.json\0"))
    try:
        unpack(path, into, WANTED)
    except ExplorerError as error:
        assert str(error).isprintable()
    assert set(below(into)) <= {"run/config.json", "b.json"}


@pytest.mark.parametrize("name", ["a.json", "A-b_c.+=@.json", "1/2/3/4/5/6.json", "step-1/x.npz", "x" * 116 + ".json"])
def test_a_plain_name_is_kept_as_it_is_and_a_spoilt_one_is_not(name):
    assert str(safe_name(name)) == name
    for spoilt in (f"{name}/", f"/{name}", f"{name}/..", f"{name}\0", f"{name}\n", f"{name}\ud800", f"a/.{name}", ""):
        refused(lambda spoilt=spoilt: safe_name(spoilt))


@KINDS
@pytest.mark.parametrize("twice", [("a.json", "a.json"), ("a.json", "./a.json"), ("r/a.json", "r\\a.json"),
                                   ("r/a.json", "R/A.json"), ("a.json", "a.json/b.json"), ("a.json/b.json", "a.json")],
                         ids=str)
def test_two_files_that_want_one_place_are_refused(tmp_path, into, kind, twice):
    path = packed_as(f".{kind}", tmp_path, [(twice[0], b"first"), (twice[1], b"second")])
    with pytest.raises(ExplorerError) as caught:
        unpack(path, into, WANTED)
    assert "x." in str(caught.value) and str(tmp_path) not in str(caught.value)


# --- kinds ---

SPECIAL = {"symlink": tarfile.SYMTYPE, "hardlink": tarfile.LNKTYPE, "fifo": tarfile.FIFOTYPE, "device": tarfile.CHRTYPE,
         "block device": tarfile.BLKTYPE, "unknown": b"Z"}


@pytest.mark.parametrize("kind", SPECIAL)
def test_whatever_is_no_plain_file_in_a_tar_is_refused(tmp_path, into, kind):
    link = special("config.json", SPECIAL[kind], link="../../config.json")
    path = packed.tarred(tmp_path / "x.tar", [(link, b""), ("config.json/evil.json", b"evil"), *GOOD[1:]])
    refused(lambda: unpack(path, into, WANTED), "link or device", "config.json")
    assert below(into) == {}


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
@pytest.mark.parametrize("name", ["config.json", "run/"])
def test_whatever_is_no_plain_file_in_a_zip_is_refused(tmp_path, into, kind, name):
    path = packed.zipped(tmp_path / "x.zip", [(packed.of_mode(name, kind | 0o777), b"../../config.json"), *GOOD[1:]])
    refused(lambda: unpack(path, into, WANTED), "link or device")
    assert below(into) == {}


# --- sizes ---


@pytest.mark.parametrize("change", [
    {"size": 3}, {"size": 2000}, {"size": 2**32 - 2}, {"packed": 3}, {"crc": 1}, {"offset": 7}, {"offset": 2**32 - 2},
    {"method": 97}, {"flags": 1}, {"flags": 0x20}, {"flags": 0x40}], ids=str)
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_whose_list_does_not_fit_its_content_is_refused(tmp_path, into, compression, change):
    content = b"0123456789" * 100
    path = packed.edit_list(packed.zipped(tmp_path / "x.zip", [("config.json", content)], compression), **change)
    refused(lambda: unpack(path, into, WANTED), "x.zip")


@pytest.mark.parametrize("name", ["config.json", "README.md"])
@pytest.mark.parametrize("size", [8, 1025, 10**6, 2**40, 2**80, -1, -512, -(2**40)])
def test_a_tar_whose_header_lies_about_a_size_is_refused(tmp_path, into, name, size):
    path = packed_as(".tar", tmp_path, [(name, b"x" * 600), ("a.json", b"{}"), ("b.json", b"{}")])
    packed.resized(path, 0, size)
    refused(lambda: unpack(path, into, WANTED), "x.tar")


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz", ".tar.xz", ".tar.bz2"])
@pytest.mark.parametrize("name", ["rows.npy", "README.md"])
def test_an_archive_that_unpacks_to_hundreds_of_times_its_size_is_refused(tmp_path, into, monkeypatch, suffix, name):
    monkeypatch.setattr(archive, "CHUNK", 1000)
    path = packed_as(suffix, tmp_path, [("config.json", b"{}"), (name, bytes(8 * MEGABYTE))])
    refused(lambda: unpack(path, into, WANTED), "unpacks to more than")
    assert sum(map(len, below(into).values())) < MEGABYTE


def test_an_archive_over_the_limit_of_the_caller_is_refused(tmp_path, into):
    path = packed.zipped(tmp_path / "x.zip", [("a.json", bytes(600)), ("b.json", bytes(600))], zipfile.ZIP_STORED)
    refused(lambda: unpack(path, into, Limits(1199, (".json",))), "unpacks to more than")
    shutil.rmtree(into)
    assert len(unpack(path, into, Limits(1200, (".json",)))) == 2


def test_a_zip_of_entries_that_lie_over_one_another_does_not_multiply(tmp_path, into):
    path = packed.quoted_bomb(tmp_path / "x.zip", 8 * MEGABYTE, [f"{k:02d}.json" for k in range(40)])
    assert len(zipfile.ZipFile(path).infolist()) == 40 and path.stat().st_size < 30_000
    refused(lambda: unpack(path, into, WANTED), "x.zip")
    assert sum(map(len, below(into).values())) <= 200 * (1 << 20)


@KINDS
@pytest.mark.parametrize("name", ["{}.json", "{}.md", "d{}/", ".{}"])
def test_more_members_than_the_limit_are_refused_files_and_folders_alike(tmp_path, into, monkeypatch, kind, name):
    monkeypatch.setattr(archive, "MOST_FILES", 20)
    folder = kind == "tar" and name.endswith("/")
    members = [(special(name.format(k)[:-1], tarfile.DIRTYPE) if folder else name.format(k), b"") for k in range(30)]
    refused(lambda: unpack(packed_as(f".{kind}", tmp_path, [*GOOD, *members]), into, WANTED), "more than 20")


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("change", [{}, {"size": 100}], ids=["honest", "small"])
def test_no_compression_makes_a_small_zip_fill_the_memory(tmp_path, into, compression, change):
    path = packed.zipped(tmp_path / "x.zip", [("a.json", bytes(48 * MEGABYTE))], compression)
    packed.edit_list(path, **change)
    assert path.stat().st_size < 10_000
    peak, _ = peak_of(lambda: unpack(path, into, WANTED))
    assert peak < 12 * MEGABYTE, peak


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_a_long_name_or_record_in_a_tar_does_not_fill_the_memory(tmp_path, into, kind):
    path = packed.with_long_header(tmp_path / "x.tar.gz", kind, 48 * MEGABYTE)
    peak, given = peak_of(lambda: unpack(path, into, WANTED))
    assert isinstance(given, ExplorerError) and peak < 12 * MEGABYTE, peak


# --- damage ---


def test_nothing_is_written_where_the_list_of_a_zip_already_breaks_a_rule(tmp_path, into):
    refused(lambda: unpack(packed_as(".zip", tmp_path, [*GOOD, ("../evil.json", b"")]), into, WANTED), "leads out")
    assert below(into) == {}


@ALL
@pytest.mark.parametrize("content", [b"", b"PK", b"not an archive" * 100, bytes(2000), b"\x1f\x8b\x08", b"\xfd7zXZ\0"])
def test_what_is_no_archive_is_refused(tmp_path, into, suffix, content):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    refused(lambda: unpack(path, into, WANTED), path.name)


@ALL
def test_an_archive_cut_anywhere_is_refused_or_whole_and_never_part_of_itself(tmp_path, into, suffix):
    members = [(f"{k}.json", random.Random(k).randbytes(700)) for k in range(3)]
    path = packed_as(suffix, tmp_path, members)
    whole = path.read_bytes()
    for cut in sorted({*range(0, len(whole), 97), *range(0, min(len(whole), 10 * BLOCK), BLOCK), len(whole) - 1}):
        path.write_bytes(whole[:cut])
        try:
            unpack(path, emptied(into), WANTED)
        except ExplorerError as error:
            assert path.name in str(error)
        else:
            assert below(into) == dict(members), cut


def test_a_tar_with_a_damaged_header_in_its_middle_is_refused_and_not_cut_short(tmp_path, into):
    path = packed.tarred(tmp_path / "x.tar", [(f"step{k}.npz", b"rows") for k in range(3)])
    content = bytearray(path.read_bytes())
    content[2 * BLOCK + 3] ^= 1
    path.write_bytes(content)
    refused(lambda: unpack(path, into, WANTED), "x.tar")


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
def test_an_archive_with_bytes_changed_is_refused_in_a_line_or_unpacked_within_its_folder(tmp_path, into, suffix):
    path, chance = packed_as(suffix, tmp_path, GOOD), random.Random(3)
    whole = path.read_bytes()
    for _ in range(150):
        content = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            content[chance.randrange(min(len(content), 2048))] = chance.choice([0, 1, 0x7F, 0x80, 0xFF, 47, 46, 57])
        path.write_bytes(content)
        try:
            unpack(path, emptied(into), WANTED)
        except ExplorerError as error:
            assert str(error).isprintable()


@KINDS
def test_a_refused_archive_is_not_kept_open(tmp_path, into, kind):
    path = packed_as(f".{kind}", tmp_path, [("../evil.json", b""), *GOOD])
    with pytest.raises(ExplorerError) as caught:
        unpack(path, into, WANTED)
    held = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.exists()]
    assert caught.value and path not in held


@pytest.mark.parametrize("start", [2**33, 2**63 - 1, 2**63, 2**64 - 1])
def test_an_entry_that_begins_beyond_what_a_file_can_hold_is_refused(tmp_path, into, start):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as made:
        made.writestr("a.json", b"{}")
        made.filelist[0].header_offset = start
    refused(lambda: unpack(tmp_path / "x.zip", into, WANTED), "x.zip")
