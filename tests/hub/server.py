"""A Hub on loopback: refs, trees and files of local folders, in the words that huggingface_hub speaks."""

import contextlib
import hashlib
import json
import re
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


@dataclass
class Repository:
    """Branches and tags, each a folder. Commits are digests of the ref's name, so that they never depend on content."""

    branches: dict[str, Path] = field(default_factory=dict)
    tags: dict[str, Path] = field(default_factory=dict)
    gated: bool = False

    def folder(self, revision: str) -> Path | None:
        known = self.branches | self.tags
        return known.get(revision) or next((path for name, path in known.items() if commit(name) == revision), None)


@dataclass
class Hub:
    """The repositories that are served, and every request that came: (method, path, Authorization)."""

    repositories: dict[str, Repository] = field(default_factory=dict)
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    damage: set[str] = field(default_factory=set)  # names of files that arrive with a flipped byte
    ranges: bool = True  # whether a part of a file can be asked for
    sent: int = 0  # bytes of files
    url: str = ""

    def downloaded(self) -> list[str]:
        return [path.split("/resolve/")[1] for method, path, _ in self.requests
                if method == "GET" and "/resolve/" in path]


def commit(name: str) -> str:
    return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()


def serve(hub: Hub) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer(send=True)

        def do_HEAD(self) -> None:
            self.answer(send=False)

        def log_message(self, *arguments: object) -> None: ...

        def answer(self, send: bool) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.requests.append((self.command, path, self.headers.get("Authorization")))
            if match := re.fullmatch(r"/api/models/(.+?)/refs", path):
                repository = self.repository(match[1])
                if repository:
                    self.json({"branches": listed(repository.branches, "heads"),
                               "tags": listed(repository.tags, "tags"), "converts": []})
            elif match := re.fullmatch(r"/api/models/(.+?)/tree/([^/]+)", path):
                folder = self.folder(match[1], match[2])
                if folder:
                    self.json([entry(file) for file in sorted(folder.iterdir())])
            elif match := re.fullmatch(r"/(.+?)/resolve/([^/]+)/(.+)", path):
                folder = self.folder(match[1], match[2])
                if folder:
                    self.file(folder / match[3], match[2], send)
            else:
                self.error(404, "EntryNotFound")

        def repository(self, name: str) -> Repository | None:
            found = hub.repositories.get(name)
            if found is None:
                self.error(404, "RepoNotFound")
            elif found.gated and self.headers.get("Authorization") != "Bearer hf_good":
                self.error(403, "GatedRepo")
            else:
                return found
            return None

        def folder(self, name: str, revision: str) -> Path | None:
            repository = self.repository(name)
            found = repository and repository.folder(revision)
            if repository and found is None:
                self.error(404, "RevisionNotFound")
            return found

        def file(self, path: Path, revision: str, send: bool) -> None:
            if not path.is_file():
                self.error(404, "EntryNotFound")
                return
            content = path.read_bytes()
            etag = digest(path)
            if path.name in hub.damage:
                content = content[:-1] + bytes([content[-1] ^ 1])
            asked = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")) if hub.ranges else None
            first = int(asked[1]) if asked else 0
            size = len(content)
            content = content[:int(asked[2]) + 1] if asked and asked[2] else content
            self.send_response(206 if asked else 200)
            if asked:
                self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{size}")
            self.send_header("ETag", f'"{etag}"')
            self.send_header("X-Repo-Commit", revision)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(len(content) - first))
            self.end_headers()
            if send:
                hub.sent += len(content) - first
                with contextlib.suppress(ConnectionError):  # a reader may have seen enough
                    self.wfile.write(content[first:])

        def json(self, value: object) -> None:
            content = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def error(self, status: int, code: str) -> None:
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("X-Error-Message", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    return server


def listed(refs: dict[str, Path], kind: str) -> list[dict]:
    return [{"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": commit(name)} for name in refs]


def entry(path: Path) -> dict:
    size = path.stat().st_size
    if path.is_dir():
        return {"type": "directory", "path": path.name, "size": 0, "oid": commit(path.name)}
    known = {"type": "file", "path": path.name, "size": size, "oid": digest(path)}
    if is_large(path):
        known |= {"oid": commit(path.name), "lfs": {"oid": digest(path), "size": size, "pointerSize": 130}}
    return known


def digest(path: Path) -> str:
    """sha256 of a file in large-file storage, else its git blob id: what the real Hub lists and sends as ETag."""
    content = path.read_bytes()
    if is_large(path):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def is_large(path: Path) -> bool:
    return path.suffix in (".safetensors", ".bin", ".pth")
