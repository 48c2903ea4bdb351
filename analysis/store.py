"""The only module that touches cache/: representations, results and pair matrices as checked, atomic files.

cache/representations/<digest>/   rows.safetensors, meta.json                          a (checkpoint, probe, policy)
cache/ids/<digest>.json           row and document ids, shared by all that have them
cache/results/<checkpoint>/<digest>/<batch>.json (+ .<sha>.safetensors for curves)     a batch of results
cache/matrices/<digest>.json + .<sha>.safetensors                                      a pair matrix
cache/stitches/<digest>.json + .<sha>.safetensors                                      what a stitched model predicts
cache/topology/, topology-changes/, maps/                                              other records, in the same way
cache/runs/<name>.json                                                                 folders a person opened
cache/downloads/<commit>.<machine>.<process>/                                          weights, while they are needed
cache/uploads/<id>/ cache/probes/                                                      what came through the browser
cache/damaged/                                                                         files that failed their checksum

A batch holds every result computed together for one representation; two writers of the same batch write the same name.
An optional read-only `base` (the bundled demo's results) is looked into after the store itself. files.py says how
files are written and checked.
"""

import os
import shutil
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from analysis import batches, files
from analysis.batches import Batch, Stored
from analysis.files import CheckedFiles, Unfinished, beside, checked, sha256_of, write, write_large
from analysis.keys import Checkpoint, MatrixKey, RepresentationKey, ResultKey, digest
from analysis.listing import Listing
from analysis.results import PairMatrix
from analysis.rows import Representation, StoredRows

ROWS = "rows.safetensors"
MOST_KEPT = 2_000


class Store(CheckedFiles):
    def __init__(self, root: Path | str, base: Path | str | None = None):
        super().__init__(root)
        self.folders = [self.root, *([Path(base)] if base else [])]
        self._metas: dict[Path, tuple[Any, dict[str, Any]]] = {}
        self._batches: dict[Path, tuple[list[Path], list[Any], Batch]] = {}
        self._owners: dict[Path, RepresentationKey] = {}
        self._listing = Listing()

    # --- representations ---

    def put_representation(self, key: RepresentationKey, value: Representation) -> None:
        final = self.root / "representations" / key.digest
        if _is_whole(final):
            return
        if final.exists() and not (final / "meta.json").exists():
            self.set_aside(final)
        folder, old = (final.with_name(f".{key.digest}.{uuid.uuid4().hex}") for _ in range(2))
        try:
            folder.mkdir(parents=True)
            sums = {ROWS: write_large(folder / ROWS, value.rows)}
            ids = {"rows": value.row_ids, "documents": value.document_ids}
            write(self.root / "ids" / f"{digest(ids)}.json", checked(ids))
            meta = {"key": asdict(key), "sha256": sums, "ids": digest(ids), "n": len(value.row_ids),
                    "facts": value.facts}
            write(folder / "meta.json", checked(meta))
            if final.exists() and not _is_whole(final):  # its rows were let go to save room
                final.rename(old)
            folder.rename(final)
        except OSError:
            if not _is_whole(final):  # another writer of the same key may have been first, which is as good
                raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)

    def representation_facts(self, key: RepresentationKey) -> dict[str, Any] | None:
        """Row count, loss and the other facts recorded with a representation, or None."""
        meta = self._meta(key)
        return meta and {**meta["facts"], "n": meta["n"], "ids": meta["ids"]}

    def get_representation(self, key: RepresentationKey) -> Representation | None:
        meta = self._meta(key)
        folder = self.root / "representations" / key.digest
        ids = meta and self.read_checked(self.root / "ids" / f"{meta['ids']}.json")
        if meta is None or not folder.exists():
            return None
        if ids is None:
            shutil.rmtree(folder, ignore_errors=True)  # rows without names are of no use
            return None
        found = sha256_of(folder / ROWS)
        if found is None:
            return None  # let go to save room (see storage.py)
        if found != meta["sha256"][ROWS]:
            self.set_aside(folder)
            return None
        with suppress(OSError):
            os.utime(folder / ROWS)  # what is read is let go last
        return Representation(rows=StoredRows(folder / ROWS, meta["facts"]["sites"]), row_ids=tuple(ids["rows"]),
                              document_ids=tuple(ids["documents"]), facts=meta["facts"])

    def _meta(self, key: RepresentationKey) -> dict[str, Any] | None:
        for folder in self.folders:
            path = folder / "representations" / key.digest / "meta.json"
            known = self._metas.get(path)
            written = _signature(path)
            if known and known[0] == written:
                return known[1]
            meta = self.read_checked(path)
            if meta is not None:
                _keep(self._metas, path, (written, meta))
                return meta
        return None

    # --- results ---

    def put_results(self, results: list[Stored]) -> None:
        """Write one batch: results of one representation that were computed together."""
        (representation,) = {stored.key.representation for stored in results}
        records, curves = batches.packed(results)
        folder = self.root / "results" / representation.fingerprint / representation.digest
        name = digest(sorted(stored.key.digest for stored in results))[:32]
        sha = self.put_tensors(folder / f"{name}.json", curves) if curves else None
        write(folder / f"{name}.json", checked({"representation": asdict(representation), "records": records,
                                                  "curves": sha}))

    def results(self, representation: RepresentationKey, measure: str | None = None) -> dict[ResultKey, Stored]:
        """Every stored result of one representation, or those of one measure."""
        found: dict[ResultKey, Stored] = {}
        for batch in self.batches(representation):
            found |= batch if measure is None else {item.key: item for item in batch.of(measure)}
        return found

    def batches(self, representation: RepresentationKey) -> list[Batch]:
        """What is stored of one representation; what comes later holds where two have the same key."""
        folders = [root / "results" / representation.fingerprint / representation.digest
                   for root in reversed(self.folders)]
        return [self._batch(path) for folder in folders for path in self._listing(folder, ".json")]

    def representations_of(self, fingerprint: str) -> list[RepresentationKey]:
        """Every probe, token policy and precision that a checkpoint has results for."""
        folders = [folder for root in self.folders for folder in self._listing(root / "results" / fingerprint)]
        return sorted(filter(None, {*map(self._owner, folders)}), key=lambda key: (key.probe, key.policy, key.dtype))

    def _owner(self, folder: Path) -> RepresentationKey | None:
        """Whose results lie in a folder. Its name is the digest of the key, which the head of a file there can be
        checked by, so that no file is read whole for this."""
        files = self._listing(folder, ".json")
        if files and folder not in self._owners:
            head = batches.head(files[0])
            if digest(head) != folder.name:
                return next((next(iter(batch)).representation for batch in map(self._batch, files) if batch), None)
            self._owners[folder] = RepresentationKey(**head)
        return self._owners.get(folder) if files else None

    def _batch(self, path: Path) -> Batch:
        """The results in one file, which are kept in memory for as long as the file stays as it is."""
        known = self._batches.get(path)
        if known and known[1] == list(map(_signature, known[0])):
            return known[2]
        self._batches.pop(path, None)
        files = [path]
        signatures = [_signature(path)]
        batch = self.read_checked(path)
        if batch is None:
            return Batch()
        curves: dict[str, np.ndarray] = {}
        if batch["curves"]:
            files.append(beside(path, batch["curves"]))
            signatures.append(_signature(files[1]))
            read = self.tensors(path, batch["curves"])
            if read is None:
                return Batch()
            curves = read
        representation = RepresentationKey(**batch["representation"])
        results = batches.unpacked(batch["records"], representation, curves)
        _keep(self._batches, path, (files, signatures, results))
        return results

    # --- matrices ---

    def put_matrix(self, key: MatrixKey, matrix: PairMatrix) -> None:
        parts = {name: getattr(matrix, name) for name in ("values", "chance", "replicates", "sizes", "null")}
        path = self.root / "matrices" / f"{key.digest}.json"
        sha = self.put_tensors(path, {name: array for name, array in parts.items() if array is not None})
        write(path, checked({"key": asdict(key), "reasons": matrix.reasons, "note": matrix.note, "sha256": sha}))
        self.unfinished(key).clear()

    def get_matrix(self, key: MatrixKey) -> PairMatrix | None:
        for root in self.folders:
            path = root / "matrices" / f"{key.digest}.json"
            meta = self.read_checked(path)
            if meta is not None:
                tensors = self.tensors(path, meta["sha256"])
                if tensors is None:
                    continue
                return PairMatrix(**tensors, reasons=tuple(meta["reasons"]), note=meta["note"])
        return None

    def unfinished(self, key: MatrixKey) -> Unfinished:
        """What an interrupted comparison had come to."""
        return Unfinished(self, self.root / "matrices" / f"{key.digest}.unfinished.json")

    # --- records of other work: a kind, a digest of what it was made from, JSON and arrays ---

    def put_record(self, kind: str, name: str, record: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:
        path = self.root / kind / f"{name}.json"
        sha = self.put_tensors(path, tensors) if tensors else None
        write(path, checked({"record": record, "sha256": sha}))

    def get_record(self, kind: str, name: str) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
        for root in self.folders:
            path = root / kind / f"{name}.json"
            meta = self.read_checked(path)
            tensors = self.tensors(path, meta["sha256"]) if meta and meta["sha256"] else {}
            if meta is not None and tensors is not None:
                return meta["record"], tensors
        return None

    def has_record(self, kind: str, name: str) -> bool:
        """Whether there is such a record, without reading it."""
        return any((root / kind / f"{name}.json").exists() for root in self.folders)

    def record_names(self, kind: str) -> list[str]:
        return sorted(path.stem for path in (self.root / kind).glob("*.json"))

    def forget_record(self, kind: str, name: str) -> None:
        (self.root / kind / f"{name}.json").unlink(missing_ok=True)

    # --- runs a person opened ---

    def remember_run(self, name: str, source: str, checkpoints: Sequence[Checkpoint] | None = None) -> None:
        """Keep a run in the list: where it is, and for one that is not a folder, its checkpoints."""
        known = {} if checkpoints is None else {"checkpoints": [asdict(checkpoint) for checkpoint in checkpoints]}
        write(self.root / "runs" / f"{name}.json", checked({"name": name, "source": source, **known}))

    def forget_run(self, name: str) -> None:
        (self.root / "runs" / f"{name}.json").unlink(missing_ok=True)

    def remembered_runs(self) -> dict[str, str]:
        """Source of each remembered run, by name."""
        read = [self.read_checked(path) for path in sorted((self.root / "runs").glob("*.json"))]
        return {run["name"]: run["source"] for run in read if run}

    def remembered_checkpoints(self, name: str) -> tuple[Checkpoint, ...] | None:
        """The checkpoints kept with a run, or None when its folder says what they are."""
        run = self.read_checked(self.root / "runs" / f"{name}.json") or {}
        return tuple(Checkpoint(**checkpoint) for checkpoint in run["checkpoints"]) if "checkpoints" in run else None

    @property
    def uploads(self) -> Path:
        """Where files that came through the browser lie."""
        return self.root / "uploads"

    @property
    def exports(self) -> Path:
        """Where figures lie that were laid out for print."""
        return self.root / "exports"

    @property
    def reports(self) -> Path:
        """Where reports lie, in a folder for each of their owners."""
        return self.root / "reports"

    @property
    def downloads(self) -> Path:
        """Where fetched weights lie while they are needed."""
        return self.root / "downloads"


def open_store() -> Store:
    """The store in cache/ (or $EXPLORER_CACHE), with the bundled demo results beneath it."""
    return Store(files.cache_root(), base=files.PROJECT / "demo" / "results")


def _is_whole(folder: Path) -> bool:
    return (folder / "meta.json").exists() and (folder / ROWS).exists()


def _keep(kept: dict[Path, Any], path: Path, what: Any) -> None:
    """Remember what a file holds; what was remembered first goes first."""
    kept.pop(path, None)
    if len(kept) >= MOST_KEPT:
        kept.pop(next(iter(kept)), None)
    kept[path] = what


def _signature(path: Path) -> tuple[int, int, int] | None:
    """What changes when a file does."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
