"""The routes that uploads arrive at, spoken to as a browser does and as somebody who means harm does."""

import asyncio
import gc
import hashlib
import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.testclient import TestClient

from analysis.__main__ import open_store
from analysis.checkpoints import upload
from analysis.runs import find_run, forget
from ui import upload_route
from ui.upload_route import ROUTES, TOKEN_LIVES_S, give_token

APP = Starlette(routes=ROUTES)
TOO_LARGE = ("Infinity", "1e999", "1" + "0" * 400)


@pytest.fixture
def client():
    """A page with a token; a failure inside the server is an answer 500, as it would be for a browser."""
    with TestClient(APP, headers={"X-Upload-Token": give_token("anna")}, raise_server_exceptions=False) as page:
        yield page


@pytest.fixture
def rows():
    """A small .npz file of rows."""
    packed = io.BytesIO()
    np.savez(packed, final=np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32))
    return packed.getvalue()


def begin(client, **files):
    """Announce files, whose names have _ for the dot before the suffix."""
    listed = [(".".join(name.rsplit("_", 1)), len(content)) for name, content in files.items()]
    answer = client.post("/uploads", content=json.dumps(listed))
    assert answer.status_code == 200, answer.text
    return answer.json()


def put(client, id, content, *, number=0, offset=0, **headers):
    return client.put(f"/uploads/{id}/{number}?offset={offset}", content=content, headers=headers)


def sent(client, **files):
    """Everything of an upload but its end; returns its id."""
    begun = begin(client, **files)
    contents = {".".join(name.rsplit("_", 1)): content for name, content in files.items()}
    for number, name in enumerate(begun["names"]):
        assert put(client, begun["id"], contents[name], number=number).json() == {"received": len(contents[name])}
    return begun["id"]


def refused(answer, *words, status=400):
    """An answer that is one sentence in JSON, holds these words, and shows nothing of the inside."""
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"}
    sentence = answer.json()["error"]
    assert sentence.endswith(".") and "\n" not in sentence and "Traceback" not in sentence
    for word in words:
        assert word in sentence, sentence
    return sentence


def kept():
    """Every file that uploads have left behind."""
    return sorted(path for path in open_store().uploads.rglob("*") if path.is_file())


# --- who may upload ---


@pytest.mark.parametrize("token", [None, "", "x" * 43, "anna", "\xff"])
def test_without_a_token_that_a_page_gave_out_nothing_is_taken(token):
    give_token("anna")
    with TestClient(APP, headers={} if token is None else {"X-Upload-Token": token.encode("latin-1")}) as stranger:
        id = "0" * 32
        for answer in (stranger.post("/uploads", content='[["a.npz", 1]]'), put(stranger, id, b"x"),
                       stranger.post(f"/uploads/{id}/finish")):
            refused(answer, "reload", status=403)
    assert kept() == []


def test_without_a_token_the_body_is_not_even_read():
    told = []

    async def receive():
        raise AssertionError("the body was read")

    async def send(message):
        told.append(message)
    scope = {"type": "http", "method": "POST", "path": "/uploads", "query_string": b"", "headers": [], "root_path": ""}
    with ThreadPoolExecutor(1) as pool:  # the browser tests may have a loop in this thread
        pool.submit(lambda: asyncio.run(APP(scope, receive, send))).result()
    assert told[0]["status"] == 403


def test_a_token_lasts_for_a_day_and_no_longer(client, monkeypatch):
    import time
    clock = SimpleNamespace(time=lambda: time.time() + TOKEN_LIVES_S - 60)
    monkeypatch.setattr(upload_route, "time", clock)
    begin(client, a_npz=b"abc")
    clock.time = lambda: time.time() + TOKEN_LIVES_S + 60
    refused(client.post("/uploads", content='[["a.npz", 3]]'), "reload", status=403)
    give_token("bert")
    assert all(until > clock.time() for _, until in upload_route._tokens.values()), "tokens that are over are dropped"


@pytest.mark.parametrize("origin", ["http://evil.example", "http://testserver.evil.example", "null", "http://",
                                    "http://testserver:81", "testserver", "http://[", "http://testserver@evil.example"])
def test_a_page_of_another_site_is_refused_even_with_a_good_token(client, origin):
    answer = client.post("/uploads", content='[["a.npz", 3]]', headers={"Origin": origin})
    refused(answer, "reload", status=answer.status_code)
    assert answer.status_code in (400, 403)
    assert kept() == []


@pytest.mark.parametrize("origin", ["http://testserver", "https://testserver"])
def test_the_apps_own_page_may_upload_also_behind_a_proxy_that_speaks_https(client, origin):
    answer = client.post("/uploads", content='[["a.npz", 3]]', headers={"Origin": origin})
    assert answer.status_code == 200


# --- the way of a good upload ---


def test_files_become_a_remembered_run_with_exactly_their_bytes(client, tiny_gpt2):
    files = {name.replace(".", "_"): (tiny_gpt2 / name).read_bytes()
             for name in ("config.json", "model.safetensors", "tokenizer.json")}
    answer = client.post(f"/uploads/{sent(client, **files)}/finish")
    assert answer.json() == {"run": "upload", "checkpoints": 1}
    run = find_run(open_store(), "upload")
    assert {path.name: path.read_bytes() for path in kept() if path.name != "manifest.json"} == {
        ".".join(name.rsplit("_", 1)): content for name, content in files.items()}
    assert run.checkpoints[0].fingerprint


def test_pieces_are_put_together_and_the_second_sum_is_checked_too(client, rows):
    half, headers = len(rows) // 2, {"X-Content-Sha256": hashlib.sha256(rows[:len(rows) // 2]).hexdigest()}
    id = begin(client, rows_npz=rows)["id"]
    assert put(client, id, rows[:half], **headers).json() == {"received": half}
    refused(put(client, id, rows[half:], offset=half, **headers), "damaged", str(half))
    assert put(client, id, rows[half:], offset=half).json() == {"received": len(rows)}
    assert client.post(f"/uploads/{id}/finish").json()["run"] == "rows"
    assert rows in [path.read_bytes() for path in kept()]


def test_an_interrupted_upload_of_the_same_files_goes_on_where_it_stood(client, rows):
    id = begin(client, rows_npz=rows)["id"]
    put(client, id, rows[:100])
    again = begin(client, rows_npz=rows)
    assert (again["id"], again["received"]) == (id, [100])
    assert begin(client, rows_npz=rows + b"x")["id"] != id, "a file of another size is another file"
    with TestClient(APP, headers={"X-Upload-Token": give_token("bert")}) as other:
        assert begin(other, rows_npz=rows)["received"] == [0], "another person's upload is not gone on with"


@pytest.mark.parametrize("offset", [0, 50, 150, -1, 10**30])
def test_a_piece_that_comes_twice_too_early_or_too_late_changes_nothing(client, rows, offset):
    id = begin(client, rows_npz=rows)["id"]
    put(client, id, rows[:100])
    assert put(client, id, b"z" * 10, offset=offset).json() == {"received": 100}
    assert (open_store().uploads / id / "incoming" / "0").read_bytes() == rows[:100]


def test_what_cannot_be_read_here_is_named_and_left_out(client, rows):
    begun = begin(client, rows_npz=rows, notes_md=b"hello", optimizer_pt=b"pickle")
    assert (begun["names"], begun["skipped"]) == (["rows.npz"], ["notes.md", "optimizer.pt"])


def test_the_names_that_come_back_are_those_the_browser_looks_its_files_up_by(client):
    listed = [["./a.npz", 1], ["folder\\b.npz", 1]]
    answer = client.post("/uploads", content=json.dumps(listed))
    assert answer.status_code == 400 or answer.json()["names"] == [name for name, _ in listed]


def test_the_end_of_an_upload_can_be_asked_for_again_when_its_answer_was_lost(client, rows):
    id = sent(client, rows_npz=rows)
    first, second = (client.post(f"/uploads/{id}/finish") for _ in range(2))
    assert first.json() == second.json() == {"run": "rows", "checkpoints": 1}


def test_a_forgotten_upload_is_gone_from_the_disk_and_from_the_list(client, rows):
    name = client.post(f"/uploads/{sent(client, rows_npz=rows)}/finish").json()["run"]
    forget(open_store(), find_run(open_store(), name))
    assert kept() == [] and name not in open_store().remembered_runs()


# --- what is refused ---


def test_a_piece_larger_than_any_page_sends_is_refused_and_not_written(client, rows, monkeypatch):
    monkeypatch.setattr(upload, "LARGEST_PIECE", 100)
    id = begin(client, rows_npz=rows)["id"]
    refused(put(client, id, rows[:101]), "100 bytes", "reload")
    assert put(client, id, rows[:100]).json() == {"received": 100}


def test_more_bytes_than_were_announced_are_refused_and_not_written(client):
    id = begin(client, rows_npz=b"abc")["id"]
    refused(put(client, id, b"abcd"), "rows.npz", "3 bytes")
    assert begin(client, rows_npz=b"abc")["received"] == [0]


def test_the_quota_holds_for_what_is_announced_and_for_all_uploads_together(client, rows, monkeypatch):
    sent(client, rows_npz=rows)
    monkeypatch.setenv("EXPLORER_UPLOAD_GB", str((len(rows) + 2000) / 1e9))
    refused(client.post("/uploads", content='[["other.npz", 5000]]'), "EXPLORER_UPLOAD_GB")
    assert client.post("/uploads", content='[["other.npz", 500]]').status_code == 200


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"3", b'"text"', b"[1]", b'[["a.npz"]]', b'[["a.npz", "x"]]',
                                  b'[["a.npz", null]]', b'[["a.npz", -1]]', b"[]", b"{}",
                                  b"[" * 50_000, b"\xff\xfe", b'[["\\ud800.npz", 1]]', b'[["\\ud800.md", 1]]',
                                  *(f'[["a.npz", {size}]]'.encode() for size in TOO_LARGE)],
                         ids=lambda body: repr(body[:30]))
def test_a_list_that_no_page_would_send_is_answered_with_a_sentence(client, body):
    refused(client.post("/uploads", content=body))
    assert kept() == []


def test_a_list_without_end_is_refused(client):
    refused(client.post("/uploads", content=b" " * (upload_route.LONGEST_LIST + 1)), "reload")


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2))
NAMES = st.text(max_size=12).map(lambda name: f"{name}.npz") | st.text(max_size=5)


@given(listed=JSON | st.lists(st.tuples(NAMES, st.integers(-5, 10**5) | JSON), max_size=4))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_announced_is_answered_and_stays_below_the_uploads_folder(client, tmp_path, listed):
    answer = client.post("/uploads", content=json.dumps(listed))
    assert answer.status_code == 200 or refused(answer)
    assert {path.name for path in tmp_path.iterdir()} <= {"cache"}
    assert {path.name for path in (tmp_path / "cache").glob("*")} <= {"uploads"}


@pytest.mark.parametrize("name", ["../../evil.npz", "/etc/evil.npz", "a\\..\\..\\b.npz", "C:\\evil.npz", "a/../b.npz",
                                  "a/" * 10 + "x.npz", "\0.npz", "<img src=x onerror=alert(1)>.npz", "x" * 300 + ".npz",
                                  "a\nb.npz", "\u202egpj.npz", "a//b.npz", "~/x.npz", "%2e%2e/x.npz"])
def test_a_hostile_name_is_refused_before_anything_is_written(client, name):
    refused(client.post("/uploads", content=json.dumps([["good.npz", 3], [name, 3]])), "name")
    assert kept() == []


@pytest.mark.parametrize("id", ["..", "../..", "%2e%2e", "..%2f..", "%00", "0" * 32, "0" * 31 + "%0a", "*", "A" * 32])
def test_an_id_that_was_not_given_out_reaches_no_file(client, tmp_path, id):
    (tmp_path / "cache" / "incoming").mkdir(parents=True)
    (tmp_path / "cache" / "manifest.json").write_text('{"files": [["a.npz", 3]]}')
    (tmp_path / "cache" / "incoming" / "0").touch()
    for answer in (put(client, id, b"abc"), client.post(f"/uploads/{id}/finish")):
        assert answer.status_code in (400, 404, 405) and "Traceback" not in answer.text
    assert (tmp_path / "cache" / "incoming" / "0").read_bytes() == b"", "it wrote beside the uploads"
    assert (tmp_path / "cache" / "manifest.json").exists()


@pytest.mark.parametrize("target", ["7?offset=0", "0?offset=x", "0", "0?offset=", "0?offset=1e3"])
def test_a_piece_for_no_file_or_no_place_is_answered_with_a_sentence(client, target):
    id = begin(client, rows_npz=b"abc")["id"]
    refused(client.put(f"/uploads/{id}/{target}", content=b"abc"))


def test_an_upload_that_is_not_complete_says_so_and_stays_to_be_gone_on_with(client, rows):
    id = begin(client, rows_npz=rows)["id"]
    put(client, id, rows[:100])
    refused(client.post(f"/uploads/{id}/finish"), "1 of 1 files are not complete", "rows.npz")
    assert begin(client, rows_npz=rows)["received"] == [100]


@pytest.mark.parametrize(("files", "words"), [
    ({"config_json": b"{}"}, "safetensors"), ({"notes_txt": b"words"}, "holds no checkpoint"),
    ({"model_zip": b"PK\3\4 cut off"}, "model.zip cannot be unpacked"), ({"model_tar": b""}, "cannot be unpacked"),
    ({"a_json": b"{}", "evil_zip": "link"}, "leads out of the folder")])
def test_an_upload_that_holds_no_run_says_why_and_leaves_nothing(client, files, words):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../../evil.npz", b"x")
    files = {name: packed.getvalue() if content == "link" else content for name, content in files.items()}
    refused(client.post(f"/uploads/{sent(client, **files)}/finish"), words)
    assert kept() == [] and open_store().remembered_runs() == {}
    gc.collect()  # a file that was left open is noticed here


def test_a_full_disk_is_a_sentence(client, rows, monkeypatch):
    id = begin(client, rows_npz=rows)["id"]
    monkeypatch.setattr(upload, "receive", Mock(side_effect=OSError(28, "No space left on device")))
    refused(put(client, id, rows), "No space left on device", status=507)


def test_nobody_goes_on_with_or_ends_the_upload_of_another(client, rows):
    id = begin(client, rows_npz=rows)["id"]
    with TestClient(APP, headers={"X-Upload-Token": give_token("mallory")}) as other:
        for answer in (put(other, id, rows), other.post(f"/uploads/{id}/finish")):
            refused(answer, "not known")
    assert put(client, id, rows).json() == {"received": len(rows)}
