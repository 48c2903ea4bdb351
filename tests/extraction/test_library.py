"""Probes that a person adds: kept once under a safe name when they read, found again by name, nothing kept when not."""

import io
import json
import stat
import struct
import wave
import zipfile

import numpy as np
import pandas
import pytest
from PIL import Image

from analysis import compute
from analysis.__main__ import main
from analysis.errors import ExplorerError
from analysis.extraction import library
from analysis.extraction.library import add_probe, added_probes, find_probe
from analysis.extraction.probes import AS_GIVEN, DEFAULT, built_in_probes, load_probe
from analysis.runs import find_run

WORDS = ["w1 w2", "w3 größer", "w4 w5 w6", "w7"]
ROWS = [{"id": f"id {k}", "document": f"d{k // 2}", "text": text, "party": "none"} for k, text in enumerate(WORDS)]


def picture(number):
    shown = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(shown).save(content := io.BytesIO(), format="PNG")
    return content.getvalue()


def sound(number):
    with wave.open(content := io.BytesIO(), "wb") as written:
        written.setparams((1, 2, 16_000, 0, "NONE", ""))
        written.writeframes(np.full(800, number, dtype="<i2").tobytes())
    return content.getvalue()


def zip_of(members):
    with zipfile.ZipFile(content := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, inner in members:
            archive.writestr(zipfile.ZipInfo(name), inner, compress_type=zipfile.ZIP_DEFLATED)
    return content.getvalue()


def parquet_of(rows):
    pandas.DataFrame(rows).to_parquet(content := io.BytesIO())
    return content.getvalue()


PICTURES = [(f"{'cat' if k % 2 else 'dog'}/{k}.png", picture(k)) for k in range(5)]
FILES = {
    "mine.txt": "\n".join(WORDS).encode(),
    "mine.jsonl": "\n".join(json.dumps(row) for row in ROWS).encode(),
    "mine.csv": pandas.DataFrame(ROWS).to_csv(index=False).encode(),
    "mine.parquet": parquet_of(ROWS),
    "mine.zip": zip_of(PICTURES),
}


@pytest.fixture
def kept(tmp_path):
    """The names of everything in cache/probes, hidden ones too; nothing may lie beside it."""
    def names():
        assert {path.name for path in (tmp_path / "cache").glob("*")} <= {"probes"}
        assert {path.name for path in tmp_path.iterdir()} <= {"cache"}
        return sorted(path.name for path in (tmp_path / "cache" / "probes").glob("*"))
    return names


def refused(name, content, *words):
    """The file is refused in one printable line that holds all of these words."""
    with pytest.raises(ExplorerError) as caught:
        add_probe(name, content)
    message = str(caught.value)
    for word in words:
        assert word in message, message
    assert message.isprintable(), repr(message)


# --- kept and found ---


@pytest.mark.parametrize("name", FILES)
def test_a_probe_that_reads_is_kept_under_its_name_and_found_by_it(kept, name):
    assert added_probes() == {}
    probe = add_probe(name, FILES[name])
    assert probe.name == "mine" and list(added_probes()) == ["mine"]
    assert find_probe("mine") == probe
    assert kept() == ["mine" if name.endswith(".zip") else name]


@pytest.mark.parametrize("name", ["mine.jsonl", "mine.csv", "mine.parquet"])
def test_rows_of_an_added_table_are_texts_with_their_ids_documents_and_labels(name):
    texts = add_probe(name, FILES[name]).texts
    assert [(t.id, t.document, t.text, t.labels) for t in texts] == [
        (row["id"], row["document"], row["text"], {"party": "none"}) for row in ROWS]


def test_images_of_a_zip_are_a_probe_of_images_labelled_by_their_folders():
    probe = add_probe("mine.zip", FILES["mine.zip"])
    assert probe.kind == "image"
    assert {text.id: text.labels["folder"] for text in probe.texts} == {name: name[:3] for name, _ in PICTURES}


def test_sounds_of_a_zip_are_a_probe_of_sounds():
    probe = add_probe("calls.zip", zip_of([(f"{k}.wav", sound(k)) for k in range(4)]))
    assert (probe.kind, [text.id for text in probe.texts]) == ("sound", ["0.wav", "1.wav", "2.wav", "3.wav"])


def test_a_folder_packed_as_a_whole_gives_the_labels_of_the_folders_inside_it():
    probe = add_probe("animals.zip", zip_of([(f"animals/{name}", content) for name, content in PICTURES]))
    assert {text.labels["folder"] for text in probe.texts} == {"cat", "dog"}


def test_files_of_a_camera_in_capitals_are_images_too():
    probe = add_probe("mine.zip", zip_of([(name.replace(".png", ".PNG"), content) for name, content in PICTURES]))
    assert len(probe.texts) == len(PICTURES)


def test_what_file_managers_leave_in_a_zip_is_no_image():
    clutter = [("__MACOSX/cat/._1.png", b"shadow"), ("cat/.DS_Store", b"x"), ("notes.md", b"words")]
    assert add_probe("mine.zip", zip_of([*PICTURES, *clutter])) == add_probe("mine.zip", FILES["mine.zip"])


@pytest.mark.parametrize("name", FILES)
def test_the_same_content_twice_is_one_probe(kept, name):
    first = add_probe(name, FILES[name])
    before = kept()
    assert add_probe(name, FILES[name]) == first
    assert kept() == before


def test_another_content_under_the_same_name_gets_a_number_and_neither_is_lost(kept):
    probes = [add_probe("mine.txt", f"{word} one\n{word} two".encode()) for word in ("a", "b", "c")]
    assert [probe.name for probe in probes] == ["mine", "mine-2", "mine-3"]
    assert [find_probe(probe.name).texts[0].text for probe in probes] == ["a one", "b one", "c one"]
    assert kept() == ["mine-2.txt", "mine-3.txt", "mine.txt"]


@pytest.mark.parametrize("name", ["mine.txt", "mine.csv", "mine.jsonl", "mine.zip"])
def test_what_got_a_number_is_still_one_probe_when_it_comes_again(kept, name):
    other = {"mine.txt": b"other", "mine.csv": b"text\nother\n", "mine.jsonl": b'{"text": "other"}',
             "mine.zip": zip_of([("a.png", picture(9))])}[name]
    numbered = [add_probe(name, content).name for content in (FILES[name], other, other, FILES[name], other)]
    assert numbered == ["mine", "mine-2", "mine-2", "mine", "mine-2"]
    assert len(kept()) == 2


def test_the_same_name_with_another_ending_does_not_hide_the_first(kept):
    first, second = add_probe("mine.txt", FILES["mine.txt"]), add_probe("mine.csv", FILES["mine.csv"])
    assert (first.name, second.name) == ("mine", "mine-2")
    assert (find_probe("mine"), find_probe("mine-2")) == (first, second)


@pytest.mark.parametrize("name", [*built_in_probes(), AS_GIVEN])
def test_an_added_probe_never_stands_in_for_a_built_in_one(name):
    built_in = load_probe(name)
    added = add_probe(f"{name}.txt", FILES["mine.txt"])
    assert find_probe(name).identity == built_in.identity
    assert [text.text for text in find_probe(added.name).texts] == WORDS


def test_a_path_and_a_built_in_name_are_found_too(tmp_path):
    path = tmp_path / "elsewhere.txt"
    path.write_bytes(FILES["mine.txt"])
    assert find_probe(str(path)) == load_probe(path) and find_probe(DEFAULT) == load_probe(DEFAULT)
    with pytest.raises(ExplorerError, match="There is no probe nowhere"):
        find_probe("nowhere")


# --- names ---


@pytest.mark.parametrize("name", [
    "../../x.txt", "/etc/x.txt", "..\\..\\x.txt", "C:\\x.txt", "...txt", "....txt", ".hidden.txt", " .txt", "-.txt",
    "a b.c.txt", "größe.txt", "文.txt", "\u202ex.txt", "a\nb.txt", "a\0b.txt", "x" * 500 + ".txt", "X.TXT",
    "$HOME.txt", "~.txt", "*.txt", "x.txt/../y.txt", "con.txt"])
def test_a_hostile_name_stays_inside_the_folder_of_probes_and_is_found_again(kept, name):
    probe = add_probe(name, FILES["mine.txt"])
    (file,) = kept()
    assert file.isascii() and file.isprintable() and not file.startswith((".", "-")) and len(file) < 80
    assert find_probe(probe.name) == probe and add_probe(name, FILES["mine.txt"]) == probe


@pytest.mark.parametrize("name", ["", ".", "..", "/", ".txt", "x", "x.exe", "x.txt.gz", "x.tar", "x.pkl", "x.npy",
                                  "a\nb.exe", "\x1b[31m.exe", "x.txt\0.exe", "y" * 5000])
def test_a_name_of_no_known_kind_is_refused_and_nothing_is_kept(kept, name):
    refused(name, FILES["mine.txt"], "cannot be a probe", ".jsonl")
    assert kept() == []


# --- what cannot be read ---


BROKEN = {
    "empty.txt": b"", "blank.txt": b" \n\n", "latin.txt": b"gr\xf6\xdfer", "words.jsonl": b"words", "n.jsonl": b"[1]",
    "none.csv": b"a,b\n1,2\n", "twice.csv": b"id,text\n1,a\n1,b\n", "empty.csv": b"", "words.parquet": b"words",
    "cut.parquet": FILES["mine.parquet"][:-20], "empty.parquet": b"", "words.zip": b"words", "empty.zip": b"",
    "cut.zip": FILES["mine.zip"][:-30], "both.zip": zip_of([*PICTURES, ("a.wav", sound(1))]),
    "twice.zip": zip_of([("a.png", picture(1)), ("./a.png", picture(1))]), "texts.zip": zip_of([("a.txt", b"words")]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_nothing_is_kept_of_what_cannot_be_read(kept, name):
    refused(name, BROKEN[name])
    assert kept() == [] and added_probes() == {}


def test_what_cannot_be_read_leaves_what_is_there_as_it_was(kept):
    probe = add_probe("mine.txt", FILES["mine.txt"])
    refused("mine.txt", b"\xff")
    assert kept() == ["mine.txt"] and find_probe("mine") == probe


def test_a_zip_without_images_is_refused_with_what_it_should_hold():
    refused("texts.zip", BROKEN["texts.zip"], "texts.zip", ".png", ".wav")


def test_a_file_that_is_too_large_is_refused_before_it_is_written(kept, monkeypatch):
    monkeypatch.setattr(library, "LARGEST", 10)
    refused("mine.txt", b"w" * 11, "cannot be a probe")
    assert kept() == []


@pytest.mark.parametrize("name", ["../evil.png", "cat/../../evil.png", "/evil.png", "a\\..\\..\\e.png", "C:\\evil.png",
                                  "__MACOSX/../../evil.png", "a\nb.png", "\x1b[31mb.png", "a/b/c/d/e/f/g.png"])
def test_a_zip_with_a_name_that_leads_out_or_is_odd_is_refused_whole(kept, name):
    refused("mine.zip", zip_of([*PICTURES, (name, picture(9))]), "The name")
    assert kept() == []


def test_a_link_in_a_zip_is_refused(kept):
    link = zipfile.ZipInfo("cat/link.png")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(content := io.BytesIO(), "w") as archive:
        archive.writestr("cat/0.png", picture(0))
        archive.writestr(link, "/etc/passwd")
    refused("mine.zip", content.getvalue(), "link")
    assert kept() == []


def test_a_zip_bomb_is_refused_and_nothing_of_it_is_kept(kept):
    bomb = zip_of([("a.png", b"\0" * 300_000_000)])
    assert len(bomb) < 1_000_000
    refused("bomb.zip", bomb, "unpacks to more than")
    assert kept() == []


def test_a_zip_that_lies_about_a_size_is_refused_and_nothing_of_it_is_kept(kept):
    honest = zip_of([("a.png", b"\0" * 100_000)])
    at = honest.rindex(b"PK\x01\x02") + 24
    refused("liar.zip", honest[:at] + struct.pack("<I", 10) + honest[at + 4:])
    assert kept() == []


# --- in use ---


def test_an_added_probe_is_used_by_its_name_on_the_command_line(tiny_run, store, capsys):
    probe = add_probe("My words.txt", "\n".join(f"w{k} w{k + 7} w{2 * k}" for k in range(12)).encode())
    assert probe.name == "My-words"
    assert main(["sweep", str(tiny_run), "--measure", "stable_rank", "--probe", "My-words"]) == 0
    assert compute.protocols(store, [find_run(store, "tiny")]) == [(probe.identity, "last", "float32")]
    capsys.readouterr()
    assert main(["show", "tiny", "--probe", "My-words", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert {(record["protocol"]["probe"], record["n"]) for record in shown} == {(probe.identity, 12)}


def test_an_unknown_probe_on_the_command_line_is_an_error_of_one_sentence(tiny_run, capsys):
    assert main(["sweep", str(tiny_run), "--measure", "stable_rank", "--probe", "nowhere"]) == 2
    assert "There is no probe nowhere" in capsys.readouterr().err
