"""Uploads from a browser: pieces that come twice, late, damaged, too long or from a stranger, and what stays on disk."""

import hashlib
import os
import random
import shutil
import time
from collections import namedtuple

import numpy as np
import pytest

from analysis import compute, registry
from analysis.checkpoints import upload
from analysis.checkpoints.folder import open_run
from analysis.checkpoints.upload import begin, discard, finish, receive, take
from analysis.errors import ExplorerError
from analysis.keys import Policy
from tests.safety.packed import LEADS_OUT, ODD, below, packed_as, peak_of, refused

ME, PIECE, MEGABYTE = "me", 700, 1_000_000
CONTENT = {"run/config.json": b'{"a": 1}', "run/step2.npy": bytes(range(256)) * 9, "run/step10.npy": b"\xff" * 1000}
Disk = namedtuple("Disk", "total used free")


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.delenv("EXPLORER_UPLOAD_GB", raising=False)
    return tmp_path / "cache" / "uploads"


@pytest.fixture
def folder(root):
    """The only upload that there is, or None."""
    def only():
        (*found,) = root.glob("*")
        assert len(found) < 2
        return found[0] if found else None
    return only


def announced(content):
    return [(name, len(what)) for name, what in content.items()]


def sent(root, upload_id, number, offset, piece, sha256=None):
    return receive(root, upload_id, number, offset, piece, sha256 or hashlib.sha256(piece).hexdigest())


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


def without_folder(content):
    return {name.removeprefix("run/"): what for name, what in content.items()}


# --- good uploads ---


def test_files_sent_in_pieces_arrive_byte_for_byte_and_the_folder_around_them_is_taken_off(root):
    begun = begin(root, announced(CONTENT), ME)
    assert dict(zip(begun.names, begun.sizes, strict=True)) == dict(announced(CONTENT))
    assert set(begun.received) == {0} and begun.skipped == ()
    send(root, begun, CONTENT)
    assert below(finish(root, begun.id)) == without_folder(CONTENT)


@pytest.mark.parametrize("pieces", range(6))
def test_an_upload_cut_off_anywhere_goes_on_from_there_and_equals_the_original(root, folder, pieces):
    first = begin(root, announced(CONTENT), ME)
    send(root, first, CONTENT, most=pieces)
    again = begin(root, list(reversed(announced(CONTENT))), ME)
    assert (again.id, again.names) == (first.id, first.names)
    assert again.received == tuple(path.stat().st_size for path in sorted(folder().glob("incoming/*")))
    assert sum(again.received) == (0, 8, 708, 1008, 1708, 2408)[pieces]
    send(root, again, CONTENT)
    assert below(finish(root, again.id)) == without_folder(CONTENT)


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ".tar.xz"])
def test_an_uploaded_archive_is_the_run_that_was_packed_and_is_measured_alike(root, store, tmp_path, suffix):
    rng, original = np.random.default_rng(0), tmp_path / "mine"
    original.mkdir()
    for step in (0, 20, 100):
        np.savez(original / f"step{step}.npz", final=rng.normal(size=(30, 5)))
    members = [(f"a/mine/{path.name}", path.read_bytes()) for path in original.iterdir()]
    taken = take(root, [(f"x{suffix}", packed_as(suffix, tmp_path, members).read_bytes())], ME)
    run, expected = open_run(taken), open_run(original)
    assert [c.fingerprint for c in run.checkpoints] == [c.fingerprint for c in expected.checkpoints]
    assert [c.step for c in run.checkpoints] == [0, 20, 100]
    protocol = compute.Protocol(compute_probe(), Policy.parse("last"))
    compute.sweep(store, [run], protocol, [registry.get("stable_rank")])
    values = [np.linalg.svd(x - x.mean(0), compute_uv=False)**2 for x in (
        np.load(original / f"step{step}.npz")["final"] for step in (0, 20, 100))]
    assert [r["value"] for r in compute.records(store, run)] == pytest.approx(
        [(squares / squares[0]).sum() for squares in values], rel=1e-5)
    assert not list(root.rglob(f"*{suffix}"))


def compute_probe():
    from analysis.extraction.probes import load_probe
    return load_probe("as-given")


def test_a_checkpoint_taken_from_memory_is_the_same_checkpoint(root, tiny_run):
    content = {f"step8/{path.name}": path.read_bytes() for path in (tiny_run / "step8").iterdir()}
    taken = take(root, [*content.items(), ("step8/optimizer.pt", b"x"), ("step8/.DS_Store", b"x")], ME)
    assert below(taken) == {name.removeprefix("step8/"): what for name, what in content.items()}
    fingerprints = [open_run(folder).checkpoints[0].fingerprint for folder in (taken, tiny_run / "step8")]
    assert fingerprints[0] == fingerprints[1]


@pytest.mark.parametrize("name", ["./config.json", "run\\config.json"])
def test_a_small_upload_finds_its_content_under_a_name_that_is_spelled_otherwise(root, name):
    assert below(take(root, [(name, b"{}")], ME)) == {"config.json": b"{}"}


def test_files_of_no_use_here_are_left_out_and_named(root):
    useless = ["optimizer.pt", "README.md", ".DS_Store", "run/._x.json", "__MACOSX/x.json", "training_args.bin",
               "x.exe", "loss curve (1).png", "rng_state.pth", "weights.json.gz", "model.xz"]
    begun = begin(root, [("config.json", 2), *((name, 10**15) for name in useless)], ME)
    assert begun.names == ("config.json",) and sorted(begun.skipped) == sorted(useless)


def test_memory_stays_flat_for_a_file_of_200_megabytes(root):
    piece = random.Random(1).randbytes(8 * MEGABYTE)

    def whole():
        begun = begin(root, [("rows.npy", 25 * len(piece))], ME)
        for number in range(25):
            sent(root, begun.id, 0, number * len(piece), piece)
        return finish(root, begun.id) / "rows.npy"
    peak, path = peak_of(whole)
    assert path.stat().st_size == 200 * MEGABYTE and peak < 4 * MEGABYTE
    assert not any(path.samefile(other) for other in root.rglob("*") if other != path)


# --- pieces ---


def test_a_piece_that_comes_twice_too_early_or_at_no_place_changes_nothing(root, folder):
    begun = begin(root, [("a.npy", 3000)], ME)
    piece = random.Random(2).randbytes(1000)
    assert sent(root, begun.id, 0, 0, piece) == 1000
    for offset in (0, 500, 999, 1001, 2000, 2999, 3000, -1, 2**70):
        assert sent(root, begun.id, 0, offset, b"x" * 1000) == 1000
    assert (folder() / "incoming" / "0").read_bytes() == piece


@pytest.mark.parametrize("sha256", ["", "0" * 64, hashlib.sha256(b"y" * 10).hexdigest(), "é"])
def test_a_piece_with_another_sum_is_refused_and_not_written(root, folder, sha256):
    begun = begin(root, [("a.npy", 30)], ME)
    refused(lambda: receive(root, begun.id, 0, 0, b"x" * 10, sha256), "a.npy", "damaged")
    assert (folder() / "incoming" / "0").read_bytes() == b""
    assert sent(root, begun.id, 0, 0, b"x" * 10) == 10


def test_more_than_was_announced_is_refused_and_not_written(root, folder):
    begun = begin(root, [("a.npy", 30)], ME)
    sent(root, begun.id, 0, 0, b"x" * 20)
    refused(lambda: sent(root, begun.id, 0, 20, b"x" * 11), "a.npy", "30 bytes")
    assert (folder() / "incoming" / "0").stat().st_size == 20


def test_a_piece_over_the_limit_is_refused(root, monkeypatch):
    monkeypatch.setattr(upload, "LARGEST_PIECE", 10)
    begun = begin(root, [("a.npy", 30)], ME)
    refused(lambda: sent(root, begun.id, 0, 0, b"x" * 11), "a.npy")
    assert sent(root, begun.id, 0, 0, b"x" * 10) == 10


@pytest.mark.parametrize("number", [-1, 1, 2**70])
def test_a_file_that_was_not_announced_is_refused(root, folder, number):
    begun = begin(root, [("a.npy", 30)], ME)
    refused(lambda: sent(root, begun.id, number, 0, b"x"), "no file")
    assert below(folder() / "incoming") == {"0": b""}


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


def test_a_finished_upload_is_not_found_again(root):
    files = [("a.npy", b"abc")]
    first, second = (take(root, files, ME) for _ in range(2))
    assert first != second and below(first) == below(second) == dict(files)


def test_other_weights_of_the_same_names_and_sizes_are_not_mixed_with_those_that_were_cut_off(root):
    before, after = (random.Random(seed).randbytes(3000) for seed in (1, 2))
    begun = begin(root, [("config.json", 2), ("model.safetensors", 3000)], ME)
    send(root, begun, {"config.json": b"{}", "model.safetensors": before}, most=3)
    try:
        taken = take(root, [("config.json", b"{}"), ("model.safetensors", after)], ME)
    except ExplorerError:
        return
    assert (taken / "model.safetensors").read_bytes() == after


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
