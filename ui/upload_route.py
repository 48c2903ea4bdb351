"""Where large uploads arrive: pieces are checked and written as they come, so the server never holds a file.

These routes stand beside Streamlit's own and share no session with it, so each request carries a token that a page gave
out, from a browser that is on this site.
"""

import json
import secrets
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from analysis.__main__ import open_store
from analysis.checkpoints import upload
from analysis.checkpoints.archive import leads_out, safe_name
from analysis.errors import ExplorerError
from analysis.runs import open_upload
from ui import guard

TOKEN_LIVES_S = 24 * 3600.0
MOST_TOKENS = 10_000
LONGEST_LIST = 1_000_000
BASE = (st.get_option("server.baseUrlPath") or "").strip("/")
PATH = f"/{BASE}/uploads" if BASE else "/uploads"
_tokens: dict[str, tuple[str, float]] = {}


def give_token(owner: str) -> str:
    """A token for the browser of one session, to upload as this owner."""
    now = time.time()
    for token in [token for token, (_, until) in _tokens.items() if until < now][:MOST_TOKENS]:
        _tokens.pop(token, None)
    if len(_tokens) >= MOST_TOKENS:
        raise ExplorerError("Too many uploads are open at once; try again later.")
    token = secrets.token_urlsafe(32)
    _tokens[token] = (owner, now + TOKEN_LIVES_S)
    return token


async def begin(request: Request) -> JSONResponse:
    """POST /uploads with a list of [name, bytes, time of change]: where each file of the upload stands."""
    listed = json.loads(await _body(request, LONGEST_LIST))
    files = [(str(name), int(size)) for name, size, *_ in listed]
    marks = [int(mark) for _, _, *rest in listed for mark in rest]
    begun = await run_in_threadpool(upload.begin, open_store().uploads, files, _owner(request), marks)
    as_sent = {str(safe_name(name)): name for name, _ in files if not leads_out(name) and name not in begun.skipped}
    return JSONResponse({"id": begun.id, "names": [as_sent.get(name, name) for name in begun.names],
                         "sizes": begun.sizes, "received": begun.received, "skipped": begun.skipped})


async def receive(request: Request) -> JSONResponse:
    """PUT /uploads/ID/NUMBER?offset=N with one piece: how many bytes of the file are there now."""
    piece = await _body(request, upload.LARGEST_PIECE)
    have = await run_in_threadpool(upload.receive, open_store().uploads, request.path_params["id"],
                                   request.path_params["number"], int(request.query_params["offset"]), piece,
                                   request.headers.get("x-content-sha256"))
    return JSONResponse({"received": have})


async def finish(request: Request) -> JSONResponse:
    """POST /uploads/ID/finish: the name of the run that it became."""
    run = await run_in_threadpool(open_upload, open_store(), request.path_params["id"])
    return JSONResponse({"run": run.name, "checkpoints": len(run.checkpoints)})


async def _body(request: Request, most: int) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise ExplorerError(f"A request of more than {most} bytes came; the page is out of date, reload it.")
        parts.append(part)
    return b"".join(parts)


def _owner(request: Request) -> str:
    owner, until = _tokens.get(request.headers.get("x-upload-token", ""), ("", 0.0))
    origin = request.headers.get("origin")
    if until < time.time() or (origin and urlsplit(origin).netloc != request.headers.get("host")):
        raise PermissionError
    return owner


def _answered(work: Callable[[Request], Any]) -> Callable[[Request], Any]:
    """Failures as sentences in JSON; without a good token, and on a view-only server, nothing is read."""
    async def answer(request: Request) -> JSONResponse:
        if guard.is_read_only():
            return JSONResponse({"error": f"{guard.VIEW_ONLY} and takes no uploads."}, status_code=403)
        try:
            upload.check_owner(open_store().uploads, request.path_params.get("id", ""), _owner(request))
            return await work(request)
        except PermissionError:
            return JSONResponse({"error": "This page may not upload (any more); reload it."}, status_code=403)
        except ExplorerError as error:
            again = {"X-Send-Again": "1"} if isinstance(error, upload.Damaged) else None
            return JSONResponse({"error": str(error)}, status_code=400, headers=again)
        except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
            return JSONResponse({"error": "The upload was not understood; reload the page."}, status_code=400)
        except OSError as error:
            sentence = f"The server could not write the upload ({error.strerror})."
            return JSONResponse({"error": sentence}, status_code=507)
    return answer


ROUTES = [Route(PATH, _answered(begin), methods=["POST"]),
          Route(PATH + "/{id}/finish", _answered(finish), methods=["POST"]),
          Route(PATH + "/{id}/{number:int}", _answered(receive), methods=["PUT"])]
