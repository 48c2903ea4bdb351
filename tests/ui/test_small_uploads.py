"""Small uploads and probes on the checkpoints page: what they become, and each way to be refused."""

import io
import time

import numpy as np
import pytest

from analysis.__main__ import open_store
from analysis.checkpoints import upload
from analysis.extraction.library import find_probe
from tests.ui.test_checkpoints_page import opened_here, page, press, refused, tab
from tests.ui.test_pages import healthy, opened
from ui import upload_route


def npz(**arrays):
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    return packed.getvalue()


def small(at, *files):
    at.get("file_uploader")[0].set_value([(name, content, "application/octet-stream") for name, content in files])
    return press(at, "Open these files")


ROWS = npz(final=np.arange(48, dtype=np.float32).reshape(12, 4) ** 0.5)


# --- uploads ---


def test_rows_that_cannot_be_read_are_not_called_fit_to_load():
    at = small(page(), ("rows.npz", ROWS[:-30]))
    assert not at.exception
    assert at.error or not [said.value for said in at.success if "fit to load" in said.value]


def test_a_small_file_of_rows_is_opened_computed_next_and_deleted_when_taken_off():
    at = small(page(), ("rows.npz", ROWS))
    opened_here(at, "Upload", "rows", 1)
    overview = opened("overview", runs="rows")
    healthy(overview)
    assert overview.selectbox(key="probe").value == "as-given"
    at.selectbox(key="preflight").set_value("rows").run()
    healthy(press(at, "Take this run off the list"))
    assert list(open_store().uploads.iterdir()) == []


def test_a_note_beside_the_files_is_left_out_whatever_its_name():
    at = small(page(), ("rows.npz", ROWS), ("my notes (1).md", b"hello"))
    opened_here(at, "Upload", "rows", 1)


@pytest.mark.parametrize(("name", "words"), [("<b>x</b>.npz", "cannot be used"), ("../x.npz", "out of the folder"),
                                             ("notes.md", "None of the 1"), ("x.zip", "cannot be unpacked")])
def test_a_small_file_that_cannot_be_used_is_a_sentence(name, words):
    refused(small(page(), (name, b"content")), "Upload", words)
    assert [path for path in open_store().uploads.rglob("*") if path.is_file()] == []


def test_a_full_disk_is_a_sentence_here_too(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")
    monkeypatch.setattr(upload, "begin", full)
    refused(small(page(), ("rows.npz", ROWS)), "Upload", "No space left")


def test_when_too_many_pages_may_upload_the_others_ways_in_still_stand(monkeypatch):
    monkeypatch.setattr(upload_route, "_tokens", {str(k): ("local", time.time() + 60) for k in range(3)})
    monkeypatch.setattr(upload_route, "MOST_TOKENS", 3)
    refused(page(), "Upload", "Too many uploads")


# --- probes ---


def probe_given(at, *, name=None, pasted=None, file=None):
    if name is not None:
        at.text_input(key="probe_name").set_value(name)
    if pasted is not None:
        at.text_area(key="pasted").set_value(pasted)
    if file is not None:
        at.get("file_uploader")[1].set_value((*file, "text/plain"))
    return press(at, "Add this probe")


def test_pasted_texts_are_a_probe_that_every_page_offers(tiny_run):
    at = probe_given(page(), name="my words", pasted="one\ntwo\n\nthree\nfour")
    healthy(at)
    assert [said.value[:23] for said in tab(at, "Probe").success] == ["Added my-words: 4 texts"]
    assert [text.text for text in find_probe("my-words").texts] == ["one", "two", "three", "four"]
    assert "my-words" in opened("overview").selectbox(key="probe").options


def test_a_file_of_texts_is_a_probe(probe_file):
    healthy(probe_given(page(), file=("words.jsonl", probe_file.read_bytes())))
    assert len({text.document for text in find_probe("words").texts}) == 12


@pytest.mark.parametrize("given", [
    {"pasted": ""}, {"pasted": " \n \n"}, {"file": ("a.jsonl", b"{")}, {"file": ("a.csv", b"x,y\n1,2")},
    {"file": ("a.parquet", b"PAR1")}, {"file": ("a.zip", b"PK")}, {"file": ("a.txt", b"\xff\xfe")}], ids=str)
def test_texts_that_cannot_be_read_are_a_sentence_and_leave_nothing(tmp_path, given):
    at = probe_given(page(), **given)
    refused(at, "Probe")
    assert str(tmp_path) not in at.error[0].value, "it names a temporary file that the person never saw"
    assert list((tmp_path / "cache" / "probes").iterdir()) == []
