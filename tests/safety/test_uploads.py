"""Uploads from a browser: pieces twice, late, damaged, too long or from a stranger, and what stays on disk."""

import hashlib
import os
import random
import time
from types import SimpleNamespace

import numpy as np
import pytest

from analysis import compute, registry
from analysis.checkpoints import upload
from analysis.checkpoints.folder import open_run
from analysis.checkpoints.upload import begin, discard, finish, receive, take
from analysis.errors import ExplorerError
from analysis.extraction.probes import load_probe
from analysis.keys import Policy
from tests.safety import packed
from tests.safety.packed import LEADS_OUT, ODD, announced, below, packed_as, refused, send, sent, taken, without_folder

ME, MEGABYTE = "me", 1_000_000
CONTENT = {"run/config.json": b'{"a": 1}', "run/step2.npy": bytes(range(256)) * 9, "run/step10.npy": b"\xff" * 1000}


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.delenv("EXPLORER_UPLOAD_GB", raising=False)
    return tmp_path / "cache" / "uploads"


# --- good uploads ---


def test_files_sent_in_pieces_arrive_byte_for_byte_and_the_folder_around_them_is_taken_off(root):
    begun = begin(root, announced(CONTENT), ME)
    assert dict(zip(begun.names, begun.sizes, strict=True)) == dict(announced(CONTENT))
    assert set(begun.received) == {0} and begun.skipped == ()
    send(root, begun, CONTENT)
    assert below(finish(root, begun.id)) == without_folder(CONTENT)


@pytest.mark.parametrize("pieces", range(6))
def test_an_upload_cut_off_anywhere_goes_on_from_there_and_equals_the_original(root, pieces):
    first = begin(root, announced(CONTENT), ME)
    send(root, first, CONTENT, most=pieces)
    again = begin(root, list(reversed(announced(CONTENT))), ME)
    assert (again.id, again.names) == (first.id, first.names)
    assert again.received == tuple(path.stat().st_size for path in sorted(root.glob("*/incoming/*")))
    assert sum(again.received) == (0, 8, 708, 1008, 1708, 2408)[pieces]
    send(root, again, CONTENT)
    assert below(finish(root, again.id)) == without_folder(CONTENT)


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz"])
def test_an_uploaded_archive_is_the_run_that_was_packed_and_the_archive_is_not_kept(root, store, tmp_path, suffix):
    original, rows = tmp_path / "mine", np.random.default_rng(0).normal(size=(3, 30, 5))
    original.mkdir()
    for step, x in zip((0, 20, 100), rows, strict=True):
        np.savez(original / f"step{step}.npz", final=x)
    members = [(f"a/mine/{path.name}", path.read_bytes()) for path in original.iterdir()]
    run = open_run(taken(root, {f"x{suffix}": packed_as(suffix, tmp_path, members).read_bytes()}))
    assert [c.fingerprint for c in run.checkpoints] == [c.fingerprint for c in open_run(original).checkpoints]
    assert [c.step for c in run.checkpoints] == [0, 20, 100] and not list(root.rglob(f"*{suffix}"))
    protocol = compute.Protocol(load_probe("as-given"), Policy.parse("last"))
    assert compute.sweep(store, [run], protocol, [registry.get("stable_rank")]) == 3


def test_a_checkpoint_taken_from_memory_is_the_same_checkpoint(root, tiny_run):
    content = {f"step8/{path.name}": path.read_bytes() for path in (tiny_run / "step8").iterdir()}
    folder = taken(root, content | {f"step8/{name}": b"x" for name in ("optimizer.pt", ".DS_Store", "loss (1).png")})
    assert below(folder) == {name.removeprefix("step8/"): what for name, what in content.items()}
    fingerprints = {open_run(path).checkpoints[0].fingerprint for path in (folder, tiny_run / "step8")}
    assert len(fingerprints) == 1


@pytest.mark.parametrize("name", ["./config.json", "run\\config.json"])
def test_a_small_upload_finds_its_content_under_a_name_that_is_spelled_otherwise(root, name):
    assert below(taken(root, {name: b"{}"})) == {"config.json": b"{}"}


def test_files_of_no_use_here_are_left_out_and_named(root):
    useless = ["optimizer.pt", "README.md", ".DS_Store", "run/._x.json", "__MACOSX/x.json", "training_args.bin",
               "x.exe", "loss curve (1).png", "rng_state.pth", "weights.json.gz", "model.xz"]
    begun = begin(root, [("config.json", 2), *((name, 10**9) for name in useless)], ME)
    assert begun.names == ("config.json",) and sorted(begun.skipped) == sorted(useless)


def test_memory_stays_flat_for_a_file_of_200_megabytes(root):
    piece = random.Random(1).randbytes(8 * MEGABYTE)

    def whole():
        begun = begin(root, [("rows.npy", 25 * len(piece))], ME)
        for number in range(25):
            sent(root, begun.id, 0, number * len(piece), piece)
        return finish(root, begun.id) / "rows.npy"
    peak, path = packed.peak_of(whole)
    assert path.stat().st_size == 200 * MEGABYTE and peak < 4 * MEGABYTE


# --- pieces ---


def test_a_piece_that_comes_twice_too_early_or_at_no_place_changes_nothing(root):
    begun = begin(root, [("a.npy", 3000)], ME)
    piece = random.Random(2).randbytes(1000)
    assert sent(root, begun.id, 0, 0, piece) == 1000
    for offset in (0, 500, 999, 1001, 2000, 2999, 3000, -1, 2**70):
        assert sent(root, begun.id, 0, offset, b"x" * 1000) == 1000
    assert (root / begun.id / "incoming" / "0").read_bytes() == piece


@pytest.mark.parametrize("sha256", ["", "0" * 64, hashlib.sha256(b"y" * 10).hexdigest(), "é"])
def test_a_piece_with_another_sum_is_refused_and_not_written(root, sha256):
    begun = begin(root, [("a.npy", 30)], ME)
    refused(lambda: receive(root, begun.id, 0, 0, b"x" * 10, sha256), "a.npy", "damaged")
    assert (root / begun.id / "incoming" / "0").read_bytes() == b""
    assert sent(root, begun.id, 0, 0, b"x" * 10) == 10


def test_more_than_was_announced_or_more_at_once_than_allowed_is_refused_and_not_written(root, monkeypatch):
    begun = begin(root, [("a.npy", 30)], ME)
    monkeypatch.setattr(upload, "LARGEST_PIECE", 20)
    refused(lambda: sent(root, begun.id, 0, 0, b"x" * 21), "a.npy")
    sent(root, begun.id, 0, 0, b"x" * 20)
    refused(lambda: sent(root, begun.id, 0, 20, b"x" * 11), "a.npy", "30 bytes")
    assert (root / begun.id / "incoming" / "0").stat().st_size == 20


@pytest.mark.parametrize("number", [-1, 1, 2**70])
def test_a_file_that_was_not_announced_is_refused(root, number):
    begun = begin(root, [("a.npy", 30)], ME)
    refused(lambda: sent(root, begun.id, number, 0, b"x"), "no file")
    assert below(root / begun.id / "incoming") == {"0": b""}


@pytest.mark.parametrize("bad", ["", ".", "..", "../x", "/", "0" * 32, "A" * 32, "0" * 31, "0" * 33, "0" * 32 + "\n",
                                 "../uploads/{}", "{}/", "./{}", "{}/incoming", "{}\0", "x" * 5000, "../../outside"])
@pytest.mark.parametrize("act", [finish, discard, lambda root, id: sent(root, id, 0, 0, b"x")])
def test_an_id_that_is_not_one_of_an_upload_under_way_is_refused_and_touches_nothing(root, bad, act):
    begun = begin(root, [("a.npy", 1)], ME)
    (root.parent.parent / "outside" / "incoming").mkdir(parents=True)
    before = below(root.parent.parent)
    refused(lambda: act(root, bad.format(begun.id)), "not known")
    assert below(root.parent.parent) == before and (root.parent.parent / "outside" / "incoming").exists()


def test_after_the_end_nothing_more_is_received_and_what_was_discarded_is_gone(root):
    first, second = (begin(root, [(name, 1)], ME) for name in ("a.npy", "b.npy"))
    for begun in (first, second):
        sent(root, begun.id, 0, 0, b"x")
    path = finish(root, first.id)
    discard(root, second.id)
    for begun in (first, second):
        refused(lambda begun=begun: sent(root, begun.id, 0, 1, b"x"), "not known")
        refused(lambda begun=begun: finish(root, begun.id), "not known")
    assert below(path) == {"a.npy": b"x"} and not (root / second.id).exists()
    assert begin(root, [("a.npy", 1)], ME).received == (0,)


def test_an_upload_is_not_finished_before_every_byte_is_there(root):
    begun = begin(root, announced(CONTENT), ME)
    send(root, begun, CONTENT, most=4)
    refused(lambda: finish(root, begun.id), "1 of 3 files", "run/step2.npy")
    send(root, begin(root, announced(CONTENT), ME), CONTENT)
    assert below(finish(root, begun.id)) == without_folder(CONTENT)


# --- whose it is, and which ---


def test_an_unfinished_upload_is_found_again_by_its_owner_and_by_nobody_else(root):
    mine = begin(root, [("a.npy", 3)], ME)
    sent(root, mine.id, 0, 0, b"abc"[:2])
    for files, owner in (([("a.npy", 3)], "you"), ([("a.npy", 3)], ""), ([("a.npy", 4)], ME), ([("b.npy", 3)], ME),
                         ([("a.npy", 3), ("b.npy", 1)], ME)):
        other = begin(root, files, owner)
        assert other.id != mine.id and set(other.received) == {0}
    assert begin(root, [("a.npy", 3)], ME).received == (2,)
    assert len({begin(root, [("c.npy", 1)], f"owner {k}").id for k in range(9)}) == 9


def test_other_weights_of_the_same_names_and_sizes_are_not_mixed_with_those_that_were_cut_off(root):
    before, after = (random.Random(seed).randbytes(3000) for seed in (1, 2))
    begun = begin(root, [("config.json", 2), ("model.safetensors", 3000)], ME)
    send(root, begun, {"config.json": b"{}", "model.safetensors": before}, most=3)
    try:
        folder = taken(root, {"config.json": b"{}", "model.safetensors": after})
    except ExplorerError:
        return
    assert (folder / "model.safetensors").read_bytes() == after


# --- room ---


def test_all_uploads_together_stay_within_the_quota(root, monkeypatch):
    monkeypatch.setenv("EXPLORER_UPLOAD_GB", "0.001")
    taken(root, {"a.npy": bytes(600_000)})
    refused(lambda: begin(root, [("b.npy", 400_000)], ME), "EXPLORER_UPLOAD_GB", "0.00 GB is the most")
    first, second = (begin(root, [(name, 300_000)], ME) for name in ("b.npy", "c.npy"))
    sent(root, first.id, 0, 0, bytes(300_000))
    refused(lambda: sent(root, second.id, 0, 0, bytes(100_000)), "EXPLORER_UPLOAD_GB")
    discard(root, first.id)
    assert sent(root, second.id, 0, 0, bytes(100_000)) == 100_000
    monkeypatch.setenv("EXPLORER_UPLOAD_GB", "much")
    refused(lambda: begin(root, [("d.npy", 1)], ME), "EXPLORER_UPLOAD_GB", "much")


def test_some_of_the_disk_stays_free(root, monkeypatch):
    free = SimpleNamespace(free=upload.KEEP_FREE + 1000)
    monkeypatch.setattr(upload.shutil, "disk_usage", lambda path: free)
    refused(lambda: begin(root, [("a.npy", 1001)], ME), "do not fit")
    begun = begin(root, [("a.npy", 1000)], ME)
    free.free -= 600
    refused(lambda: sent(root, begun.id, 0, 0, bytes(500)), "do not fit")
    assert sent(root, begun.id, 0, 0, bytes(300)) == 300


@pytest.mark.parametrize("what", ["quota", "disk"])
def test_what_an_archive_unpacks_to_counts_as_well(root, tmp_path, monkeypatch, what):
    content = packed_as(".zip", tmp_path, [("a.npy", bytes(3 * MEGABYTE))]).read_bytes()
    if what == "quota":
        monkeypatch.setenv("EXPLORER_UPLOAD_GB", "0.004")
        taken(root, {"b.npy": bytes(2 * MEGABYTE)})
    else:
        monkeypatch.setattr(upload.shutil, "disk_usage", lambda path: SimpleNamespace(free=upload.KEEP_FREE + MEGABYTE))
    refused(lambda: taken(root, {"x.zip": content}))
    assert sum(map(len, below(root).values())) < 2.1 * MEGABYTE


def test_uploads_that_were_never_finished_are_forgotten_and_finished_ones_are_kept(root):
    kept, late = taken(root, CONTENT), begin(root, [("a.npy", 9)], ME)
    for age, forgotten in ((upload.FORGET_AFTER_S - 60, False), (upload.FORGET_AFTER_S + 60, True)):
        for path in (root / late.id).rglob("*"):
            os.utime(path, (time.time() - age,) * 2)
        assert (begin(root, [("a.npy", 9)], ME).id != late.id) == forgotten
    assert not (root / late.id).exists() and below(kept) == without_folder(CONTENT)


# --- the end ---

ENDS = {"evil name": ("x.zip", [("../evil.json", b"")]), "nothing wanted": ("x.tar", [("a.md", b"")]),
        "after a good file": ("x.zip", [("a.json", b"{}"), ("a b.json", b"")]), "no archive": ("x.zip", None),
        "no tar": ("x.tgz", None)}


@pytest.mark.parametrize(("name", "members"), ENDS.values(), ids=ENDS)
def test_nothing_of_an_upload_is_left_when_its_archive_is_refused(root, tmp_path, name, members):
    content = packed_as(name[1:], tmp_path, members).read_bytes() if members else b"x" * 2000
    refused(lambda: taken(root, {"config.json": b"{}", name: content}))
    assert list(root.iterdir()) == []


@pytest.mark.parametrize("content", [{"a.json": b"1", "a.json/b.json": b"2"}, {"a.zip": 0, "config.json": b"2"},
                                     {"config.json": b"1", "x.zip": 0}, {"a.zip": 0, "b.zip": 0}], ids=list)
def test_two_files_of_one_upload_that_want_one_place_are_refused_and_nothing_is_left(root, tmp_path, content):
    archive = packed_as(".zip", tmp_path, [("config.json", b"other")]).read_bytes()
    refused(lambda: taken(root, {name: what or archive for name, what in content.items()}))
    assert list(root.glob("*")) == []


def test_a_second_end_while_the_first_is_under_way_does_not_remove_its_files(root, tmp_path, monkeypatch):
    content = packed_as(".zip", tmp_path, [("a.json", b"{}")]).read_bytes()
    id, unpack = take(root, [("x.zip", content)], ME), upload.unpack

    def twice(*given):
        refused(lambda: finish(root, id))
        return unpack(*given)
    monkeypatch.setattr(upload, "unpack", twice)
    assert below(finish(root, id)) == {"a.json": b"{}"}


def test_after_a_crash_while_an_upload_was_put_in_place_the_same_files_can_be_sent_again(root):
    crashed = root / take(root, list(CONTENT.items()), ME)
    (crashed / "files").mkdir()
    (crashed / "incoming" / "0").rename(crashed / "files" / "config.json")
    assert below(taken(root, CONTENT)) == without_folder(CONTENT)


# --- names ---


@pytest.mark.parametrize("name", LEADS_OUT, ids=ascii)
def test_a_name_that_leads_out_of_the_folder_never_becomes_a_file(root, name):
    try:
        begun = begin(root, [(name, 1), ("good.json", 1)], ME)
    except ExplorerError as error:
        assert str(error).isprintable()
    else:
        assert (begun.names, begun.skipped) == (("good.json",), (name,))


@pytest.mark.parametrize("name", ODD, ids=lambda name: ascii(name)[:30])
def test_a_name_that_is_not_plain_is_refused_and_nothing_begun(root, name):
    refused(lambda: begin(root, [(name, 1), ("good.json", 1)], ME), "name")
    assert not root.exists() or not list(root.iterdir())
