"""The Hugging Face Hub: which revisions a repository has, what one would download, and fetching it by its commit.

Only settings, safetensors weights and tokenizers are ever fetched. Weights are named by the commit they come from and
by the digests the Hub itself keeps of every file, so identical revisions are known before anything is downloaded, and
a file that arrives different from its digest is an error. Tokens come from the environment (HF_TOKEN) and go nowhere
else.
"""

import errno
import fnmatch
import hashlib
import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from analysis.checkpoints.grammar import Revision, parse_revision
from analysis.checkpoints.preflight import PICKLE_VARIABLE, PROCESSOR_FILES, TOKENIZER_FILES
from analysis.errors import ExplorerError
from analysis.keys import digest

PREFIX = "hub:"
REPO = re.compile(r"(?:[A-Za-z0-9][\w.-]{0,95}/)?[A-Za-z0-9][\w.-]{0,95}")
SETTINGS = ("config.json", "model.safetensors.index.json", *TOKENIZER_FILES, *PROCESSOR_FILES)
SHARDS = "model-*-of-*.safetensors"
AT_ONCE = 8
FIRST_LOOK = 100_000  # bytes, within which nearly every header ends
LIBRARY = "representation-geometry-explorer"
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Ref:
    """A branch or tag of a repository: the commit it points at, and what its name says."""

    repo: str
    commit: str
    revision: Revision

    @property
    def name(self) -> str:
        return self.revision.name

    @property
    def path(self) -> str:
        return f"{PREFIX}{self.repo}@{self.commit}"


@dataclass(frozen=True)
class Remote:
    """The files of one commit that would be fetched: (name, bytes, digest the Hub keeps)."""

    repo: str
    commit: str
    files: tuple[tuple[str, int, str], ...]

    @property
    def size(self) -> int:
        return sum(size for _, size, _ in self.files)

    @property
    def fingerprint(self) -> str:
        return digest([(name, content) for name, _, content in self.files])


def repo_id(text: str) -> str:
    """A repository's id, as text and never as a path. Accepts the address of its page too."""
    found = text.strip().removeprefix("https://huggingface.co/").rstrip("/")
    if not REPO.fullmatch(found) or ".." in found or "--" in found:
        raise ExplorerError(f"{text.strip()[:100]!r} is not the id of a Hub repository; one looks like "
                            "EleutherAI/pythia-70m.")
    return found


def refs(repo: str) -> list[Ref]:
    """Every branch and tag, steps counted on through the stages of a run, in order of training; unknown names last."""
    repo = repo_id(repo)
    with _sentences(repo):
        answer = _api().list_repo_refs(repo)
    found = {ref.name: Ref(repo, ref.target_commit, parse_revision(ref.name))
             for ref in [*answer.tags, *answer.branches]}
    if not found:
        raise ExplorerError(f"{repo} has no branch and no tag.")
    ordered = _counted_on(list(found.values()))
    return sorted(ordered, key=lambda ref: (ref.revision.step is None, ref.revision.step or 0, ref.name))


def _counted_on(found: list[Ref]) -> list[Ref]:
    """Steps and tokens start again at every numbered stage; count them on from the end of the stage before."""
    ends: dict[int, tuple[int, int]] = {}
    for ref in found:
        stage = _stage_number(ref.revision)
        if stage is not None:
            step, seen = ends.get(stage, (0, 0))
            ends[stage] = max(step, ref.revision.step or 0), max(seen, ref.revision.tokens or 0)
    counted = []
    for ref in found:
        number, revision = _stage_number(ref.revision), ref.revision
        if number is not None and revision.step is not None:
            before = [ends[stage] for stage in ends if stage < number]
            tokens = None if revision.tokens is None else revision.tokens + sum(end for _, end in before)
            revision = replace(revision, step=revision.step + sum(end for end, _ in before), tokens=tokens)
        counted.append(replace(ref, revision=revision))
    return counted


def _stage_number(revision: Revision) -> int | None:
    match = re.match(r"(\d+)(?:$|-)", revision.stage or "")
    return int(match[1]) if match else None


def pick(found: Sequence[Ref], how: str) -> list[Ref]:
    """Some of the refs: `all` with a step, `every-K`, `log-N` (N log-spaced), `A..B` (steps from A to B), or names."""
    stepped = [ref for ref in found if ref.revision.step is not None]
    steps = [ref.revision.step or 0 for ref in stepped]
    by_name = {ref.name: ref for ref in found}
    if how == "all":
        chosen = stepped
    elif match := re.fullmatch(r"every-([1-9]\d*)", how):
        chosen = stepped[::int(match[1])]
    elif match := re.fullmatch(r"log-([1-9]\d*)", how):
        chosen = [stepped[i] for i in log_spaced(steps, int(match[1]))]
    elif match := re.fullmatch(r"(\d+)\.\.(\d+)", how):
        chosen = [ref for ref, step in zip(stepped, steps, strict=True) if int(match[1]) <= step <= int(match[2])]
    else:
        unknown = [name for name in how.split(",") if name not in by_name]
        if unknown:
            raise ExplorerError(f"There is no revision {unknown[0][:80]!r}. Give all, every-K, log-N, A..B (steps), or "
                                f"names such as {', '.join(list(by_name)[:3])}.")
        chosen = [by_name[name] for name in how.split(",")]
    if not chosen:
        raise ExplorerError(f"{how} chooses none of the {len(found)} revisions, of which {len(stepped)} have a step in "
                            f"their name. Give names instead, such as {', '.join(list(by_name)[:3])}.")
    return chosen


def log_spaced(steps: Sequence[int], count: int) -> list[int]:
    """Indices of up to `count` of the sorted steps, evenly on a logarithmic axis, first and last among them."""
    if count >= len(steps):
        return list(range(len(steps)))
    places = [math.log1p(step) for step in steps]
    chosen = set() if count == 1 else {0}
    chosen.add(len(steps) - 1)
    while len(chosen) < count:  # the step whose place is farthest from every chosen one
        chosen.add(max((i for i in range(len(steps)) if i not in chosen),
                       key=lambda i: min(abs(places[i] - places[j]) for j in chosen)))
    return sorted(chosen)


def remote(repo: str, commit: str) -> Remote:
    """What fetching one commit would download. Nothing is downloaded. Raises when it holds no usable weights."""
    with _sentences(repo, commit):
        entries = [entry for entry in _api().list_repo_tree(repo, revision=commit) if hasattr(entry, "blob_id")]
    files = {entry.path: (entry.path, int(entry.size), entry.lfs.sha256 if entry.lfs else entry.blob_id)
             for entry in entries}
    weights = ["model.safetensors"] if "model.safetensors" in files else fnmatch.filter(files, SHARDS)
    if not weights and os.environ.get(PICKLE_VARIABLE) == "1":
        weights = [name for name in files if name == "pytorch_model.bin"]
    if not weights:
        others = [name for name in files if name.endswith((".bin", ".pt", ".gguf", ".h5", ".safetensors"))]
        raise ExplorerError(f"{repo}@{commit[:8]} has no model.safetensors{_instead(others)}. Only safetensors weights "
                            "are fetched; choose another revision or a converted repository.")
    wanted = sorted([*weights, *(name for name in SETTINGS if name in files)])
    return Remote(repo, commit, tuple(files[name] for name in wanted))


def sizes(chosen: Sequence[Ref]) -> list[Remote]:
    """What each of some revisions would download, asked several at a time."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda ref: remote(ref.repo, ref.commit), chosen))


def fetch(wanted: Remote, into: Path, progress: Progress = lambda done, total, name: None) -> None:
    """Download the files of one commit into a folder and compare each with the digest the Hub keeps of it."""
    from huggingface_hub import hf_hub_download
    done = 0
    for name, size, expected in wanted.files:
        progress(done, wanted.size, name)
        with _sentences(wanted.repo, wanted.commit):
            path = Path(hf_hub_download(wanted.repo, name, revision=wanted.commit, local_dir=into, endpoint=_endpoint(),
                                        library_name=LIBRARY))
        if _content_digest(path, len(expected)) != expected:
            path.unlink()
            raise ExplorerError(f"{name} of {wanted.repo}@{wanted.commit[:8]} arrived damaged; the same command "
                                "fetches it again.")
        done += size
    progress(done, wanted.size, "all files")


def head(repo: str, commit: str, name: str, longest: int) -> bytes:
    """The 8 bytes of length and the header that a safetensors file begins with; of a longer header, its first part."""
    content = _first(repo, commit, name, FIRST_LOOK)
    needed = 8 + min(int.from_bytes(content[:8], "little"), longest)
    return content[:needed] if len(content) >= needed else _first(repo, commit, name, needed)


def _first(repo: str, commit: str, name: str, count: int) -> bytes:
    """The first bytes of a file, also from a server that would send all of it."""
    from huggingface_hub import get_session, hf_hub_url
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status
    url = hf_hub_url(repo, name, revision=commit, endpoint=_endpoint())
    asked = build_hf_headers(library_name=LIBRARY) | {"Range": f"bytes=0-{count - 1}", "Accept-Encoding": "identity"}
    content = bytearray()
    with _sentences(repo, commit), get_session().stream("GET", url, headers=asked) as answer:
        hf_raise_for_status(answer)
        for piece in answer.iter_bytes():
            content += piece
            if len(content) >= count:
                break
    return bytes(content[:count])


def split_path(path: str) -> tuple[str, str]:
    """Repository and commit of a checkpoint on the Hub."""
    repo, _, commit = path.removeprefix(PREFIX).partition("@")
    return repo, commit


def _content_digest(path: Path, length: int) -> str:
    """sha256 of large files; the git blob id (sha1) of small ones: the digest that the Hub lists."""
    with path.open("rb") as handle:
        if length == 64:
            return hashlib.file_digest(handle, "sha256").hexdigest()
        content = handle.read()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _instead(names: list[str]) -> str:
    return f" but {', '.join(names[:3])}" if names else ""


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT")


def _api() -> Any:
    from huggingface_hub import HfApi
    return HfApi(endpoint=_endpoint(), library_name=LIBRARY)


@contextmanager
def _sentences(repo: str, commit: str = "") -> Iterator[None]:
    """What can go wrong on the way to the Hub, in a sentence with the next step."""
    from huggingface_hub import errors
    where = f"{repo}@{commit[:8]}" if commit else repo
    try:
        yield
    except errors.GatedRepoError as error:
        raise ExplorerError(f"{where} is gated: ask for access on its page on the Hub, then set HF_TOKEN to a token of "
                            "that account and start again.") from error
    except errors.RevisionNotFoundError as error:
        raise ExplorerError(f"{where} is not there any more; list what is with: python -m analysis revisions "
                            f"{PREFIX}{repo}") from error
    except errors.RepositoryNotFoundError as error:
        raise ExplorerError(f"There is no repository {repo} on the Hub, or it is private: check its spelling, or set "
                            "HF_TOKEN to a token that may read it.") from error
    except errors.OfflineModeIsEnabled as error:
        raise ExplorerError(f"HF_HUB_OFFLINE is set, so {repo} cannot be reached. Unset it, or open a local folder.") \
            from error
    except (errors.HfHubHTTPError, OSError, errors.LocalEntryNotFoundError) as error:
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise ExplorerError(f"The disk is full, so {where} was not fetched. Free some space; what is finished is "
                                "kept.") from error
        raise ExplorerError(f"The Hub did not answer for {where} ({_plain(error)}). Check the network and try again; "
                            "what is finished is kept.") from error
    except Exception as error:
        if "httpx" not in type(error).__module__:
            raise
        raise ExplorerError(f"The Hub could not be reached for {where} ({_plain(error)}). Check the network and try "
                            "again; what is finished is kept.") from error


def _plain(error: Exception) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    return f"HTTP {status}" if status else type(error).__name__
