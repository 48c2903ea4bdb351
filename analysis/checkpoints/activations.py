"""Rows that a person brings instead of a model: an array n x d for each site, from any network, animal or simulation.

.npy           one array, the site `final`
.npz           an array for each site under its name; `ids` and `documents` name the rows, `label...` describe them, and
               `layout` (n x 2) is where a map of the person's own draws them
.safetensors   the same arrays; ids, documents and labels as JSON lists in its metadata
"""

import json
import math
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from analysis.checkpoints.archive import PLAIN_OR_DEFLATED
from analysis.checkpoints.headers import read_header
from analysis.checkpoints.preflight import FLOATS, memory_limit
from analysis.errors import ExplorerError
from analysis.keys import site_order
from analysis.store import Representation

PREFIX = "rows:"
SUFFIXES = (".npy", ".npz", ".safetensors")
NAMES, LABEL, LAYOUT = ("ids", "documents"), "label", "layout"
MOST_SITES, MOST_ARRAYS, MIN_ROWS = 1_000, 4_000, 4
LONGEST_SITE = 80
SCATTERS = 4  # scatter matrices that stand in memory at once: the whole, a group, the rest, its eigenvectors
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_rows(path: Path) -> Representation:
    """Rows, ids and documents of one file. Raises ExplorerError naming the array that cannot be used."""
    arrays = _arrays(path)
    names = {name: arrays.pop(name) for name in NAMES if name in arrays}
    layout = arrays.pop(LAYOUT, None)
    sites = {name: array for name, array in arrays.items() if not name.startswith(LABEL)}
    rows = {name: _checked(path, name, sites[name]) for name in sorted(sites, key=site_order)}
    if not rows or len(rows) > MOST_SITES:
        raise ExplorerError(f"{path.name} holds {len(rows)} arrays of rows; give between 1 and {MOST_SITES}, one "
                            "n x d array for each site.")
    lengths = {len(array) for array in rows.values()}
    if len(lengths) > 1 or min(lengths) < MIN_ROWS:
        raise ExplorerError(f"{path.name}: the sites have {', '.join(map(str, sorted(lengths)))} rows; every site "
                            f"needs the same rows, at least {MIN_ROWS}.")
    n = lengths.pop()
    if layout is not None:
        _check_layout(path, layout, n)
    ids = _names(path, "ids", names.get("ids"), n) or tuple(map(str, range(n)))
    if len(set(ids)) != n:
        raise ExplorerError(f"{path.name}: {n - len(set(ids))} of the ids stand more than once; ids must be unique.")
    documents = _names(path, "documents", names.get("documents"), n) or ids
    facts = {"texts": n, "texts_cut": 0, "tokens": None, "loss": None, "loss_tokens": 0, "sites": list(rows)}
    return Representation(rows=rows, row_ids=ids, document_ids=documents, facts=facts)


def labels_of(path: Path) -> dict[str, tuple[str, ...]]:
    """What a file says of its rows: a text for each row under the name of each `label...` array, without `label_`.

    Numbers are written as the shortest text that gives them back. Raises ExplorerError naming the array that has not
    one label for each row.
    """
    arrays = _arrays(path)
    n = {len(array) for name, array in arrays.items() if name not in (*NAMES, LAYOUT) and not name.startswith(LABEL)
         and array.ndim}
    if len(n) != 1:
        read_rows(path)  # raises, and says what is wrong with the rows
    found: dict[str, tuple[str, ...]] = {}
    for name, values in arrays.items():
        if name.startswith(LABEL):
            plain = values.astype(str) if values.dtype.kind in "fiu" else values
            found[name.removeprefix(f"{LABEL}_") or name] = _names(path, f"labels {name!r}", plain, max(n)) or ()
    return found


def has_layout(path: Path) -> bool:
    """Whether a file holds a layout, by the names of its arrays alone."""
    if path.suffix == ".safetensors":
        return any(tensor.name == LAYOUT for tensor in read_header(path))
    if path.suffix != ".npz" or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as packed:
        return f"{LAYOUT}.npy" in packed.namelist()


def layout_of(path: Path) -> np.ndarray:
    """Where a map of the person's own draws each row: `layout`, n x 2. Raises ExplorerError where there is none."""
    n = len(read_rows(path).row_ids)  # says what is wrong with the file
    found = _arrays(path).get(LAYOUT)
    if found is None:
        raise ExplorerError(f"{path.name} holds no layout of its own; put an array {LAYOUT!r} of shape [{n}, 2] beside "
                            "the rows, or choose another --method.")
    return found.astype(np.float64)


def _check_layout(path: Path, array: np.ndarray, n: int) -> None:
    """Refuse a layout that does not place each of n rows on a plane."""
    if array.shape != (n, 2) or array.dtype.kind != "f":
        raise ExplorerError(f"{path.name}: array {LAYOUT!r} has shape {list(array.shape)} of {array.dtype} values and "
                            f"[{n}, 2] of floats is needed, the place of each row on a plane. Under another name it "
                            "would be a site.")
    bad = int((~np.isfinite(array)).any(axis=1).sum())
    if bad:
        raise ExplorerError(f"{path.name}: array {LAYOUT!r} has NaN or infinite values in {bad} row(s); place every "
                            "row, or leave these rows out of all arrays.")


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """Every array of a file by its name."""
    if path.stat().st_size > memory_limit() / 3:
        raise ExplorerError(f"{path.name} is {path.stat().st_size / 1e9:.1f} GB, more than this machine should hold at "
                            "once; give fewer rows.")
    return {".npy": _npy, ".npz": _npz, ".safetensors": _safetensors}[path.suffix](path)


def _checked(path: Path, name: str, array: np.ndarray) -> np.ndarray:
    if not 0 < len(name) <= LONGEST_SITE or not name.isprintable():
        raise ExplorerError(f"{path.name}: {name[:40]!r} is no name for a site; give {LONGEST_SITE} letters "
                            "or fewer.")
    if array.ndim != 2 or array.shape[1] < 1:
        raise ExplorerError(f"{path.name}: array {name!r} has shape {list(array.shape)} and n x d is needed; reshape "
                            "it so that every row is one stimulus or token.")
    if array.dtype.kind not in "fiu":
        raise ExplorerError(f"{path.name}: array {name!r} holds {array.dtype} values and numbers are needed.")
    if 8 * array.shape[1]**2 * SCATTERS > memory_limit():
        raise ExplorerError(f"{path.name}: array {name!r} has {array.shape[1]} columns, whose scatter matrix does not "
                            "fit into memory; project them to fewer first, for instance with a random projection.")
    with np.errstate(over="ignore"):
        rows = np.ascontiguousarray(array, dtype=np.float32)
    if not np.isfinite(rows).all():
        raise ExplorerError(f"{path.name}: array {name!r} has NaN or infinite values (or values beyond float32) in "
                            f"{int((~np.isfinite(rows)).any(axis=1).sum())} row(s); leave these rows out.")
    return rows


def _names(path: Path, what: str, values: Any, n: int) -> tuple[str, ...] | None:
    if values is None:
        return None
    found = np.asarray(values).ravel()
    if len(found) != n:
        raise ExplorerError(f"{path.name}: there are {len(found)} {what} and {n} rows; give one for each row.")
    try:
        texts = tuple(value.decode() if isinstance(value, bytes) else str(value) for value in found.tolist())
        "".join(texts).encode()
    except (ValueError, SystemError) as error:
        raise ExplorerError(f"{path.name}: the {what} are not text that can be written; give plain strings.") from error
    return texts


def _npy(path: Path) -> dict[str, np.ndarray]:
    with path.open("rb") as handle:
        return {"final": _array(handle, path.stat().st_size, path.name)}


def _npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(path) as packed:
            members = packed.infolist()
            unpacked = sum(info.file_size for info in members)
            if len(members) > MOST_ARRAYS or unpacked > memory_limit() / 3:
                raise ExplorerError(f"{path.name} unpacks to {unpacked / 1e9:.1f} GB in {len(members)} arrays, more "
                                    "than this machine should hold; give fewer rows.")
            found: dict[str, np.ndarray] = {}
            for info in members:
                name = info.filename.removesuffix(".npy")
                if name in found:
                    raise ValueError(f"it holds {name[:40]!r} twice")
                if info.compress_type not in PLAIN_OR_DEFLATED:
                    raise ValueError("it is packed in another way")
                with packed.open(info) as handle:
                    found[name] = _array(handle, info.file_size, path.name)
            return found
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError,
            OverflowError) as error:
        raise ExplorerError(f"{path.name} is damaged ({_line(error)}); save it again with numpy.savez.") from error


def _array(handle: IO[bytes], size: int, name: str) -> np.ndarray:
    """One array in the .npy format, of exactly as many bytes as there are; never a pickle."""
    try:
        read_header_of = HEADERS[np.lib.format.read_magic(handle)]
        shape, by_columns, dtype = read_header_of(handle)
        if not all(type(length) is int and length >= 0 for length in shape):
            raise ValueError("its shape is not one of whole numbers")
        count = math.prod(shape)
        if dtype.hasobject:
            raise ValueError("it holds Python objects, which would have to be unpickled")
        if count * dtype.itemsize > size:
            raise ValueError(f"it claims {count * dtype.itemsize} bytes and holds at most {size}")
        content = handle.read(count * dtype.itemsize)
        return np.frombuffer(content, dtype=dtype, count=count).reshape(shape, order="F" if by_columns else "C")
    except (ValueError, KeyError, TypeError, IndexError, EOFError, SyntaxError, OverflowError, RecursionError,
            MemoryError, tokenize.TokenError) as error:
        raise ExplorerError(f"{name} cannot be read as an array: {_line(error)}. Save numbers (and strings for "
                            "ids) with numpy.save or numpy.savez.") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__


def _safetensors(path: Path) -> dict[str, np.ndarray]:
    from safetensors import safe_open
    from safetensors.numpy import load_file
    tensors = read_header(path)
    other = [tensor for tensor in tensors if tensor.dtype not in FLOATS - {"BF16"}]
    if other:
        raise ExplorerError(f"{path.name}: array {other[0].name!r} holds {other[0].dtype} values; save float32.")
    with safe_open(path, framework="numpy") as handle:
        metadata = handle.metadata() or {}
    try:
        names = {name: np.array(json.loads(text), dtype=str) for name, text in metadata.items()
                 if name in NAMES or name.startswith(LABEL)}
        return load_file(path) | names
    except (ValueError, RecursionError, SystemError) as error:
        raise ExplorerError(f"{path.name}: ids, documents and labels in its metadata must be JSON lists of texts "
                            f"({_line(error)}).") from error
