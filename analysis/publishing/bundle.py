"""One zip for a figure of a paper: its files, the numbers in it, what made them, and how to cite that."""

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import plotly.graph_objects as go
import pyarrow as pa
from pyarrow import parquet

from analysis import export
from analysis.publishing import methods, render
from analysis.publishing.latex import latex
from analysis.publishing.layout import Print, composed

EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a zip can say: the same figure gives the same file
DIV = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, eq=False)
class Piece:
    """A figure as it is on the screen, the records it was made from, and what it says of itself."""

    figure: go.Figure
    records: Sequence[dict[str, Any]]
    title: str
    caption: str

    @classmethod
    def of_fields(cls, fields: Mapping[str, Any]) -> "Piece":
        """A figure as ui/headless.py tells of it."""
        return cls(go.Figure(fields["figure"]), fields["records"], fields["title"], fields["caption"])


def bundle(pieces: Sequence[Piece], to: Print, formats: Sequence[str], *, dpi: int = 300, columns: int = 1,
           timeout_s: float = render.WAIT_S) -> bytes:
    """Figures on one page and everything that belongs to them.

    Parameters
    ----------
    pieces : in the order of their letters
    to : how the page is printed
    formats : of the page, of render.FORMATS; none where there is no browser
    dpi : of a PNG
    columns : how many figures stand beside each other
    timeout_s : after which the browser is ended

    Returns
    -------
    A zip of what `contents` gives.
    """
    return zipped(contents(pieces, to, formats, dpi=dpi, columns=columns, timeout_s=timeout_s))


def contents(pieces: Sequence[Piece], to: Print, formats: Sequence[str], *, dpi: int = 300, columns: int = 1,
             timeout_s: float = render.WAIT_S) -> dict[str, bytes]:
    """The files of `bundle` by name.

    `figure.*` is the page; each figure has its interactive HTML and its table as CSV and Parquet, with its letter in
    the name where there are several; manifest.json, references.bib and the sentences for a methods section, as text and
    as LaTeX, are of all of them.
    """
    page = composed([piece.figure for piece in pieces], columns, to, [piece.title for piece in pieces])
    files: dict[str, bytes] = {}
    if formats:
        drawn = render.render_all([page], formats, dpi=dpi, timeout_s=timeout_s)[0]
        files |= {f"figure.{kind}": content for kind, content in drawn.items()}
    letters = _letters(pieces)
    for letter, piece in zip(letters, pieces, strict=True):
        end = letter and f"-{letter}"
        files |= {f"figure{end}.html": DIV.sub(b"figure", export.figure_html(piece.figure, piece.title)),
                  f"table{end}.csv": export.table_csv(piece.records),
                  f"table{end}.parquet": table_parquet(piece.records)}
    said, cited = told(pieces)
    files |= {"methods.txt": said.encode(), "methods.tex": latex(said).encode(), "references.bib": cited.encode()}
    files["manifest.json"] = manifest(pieces, letters, files, asdict(to) | {"dpi": dpi, "columns": columns})
    return files


def told(pieces: Sequence[Piece]) -> tuple[str, str]:
    """What a methods section says of some figures, with their captions, and the BibTeX that it cites."""
    records = [record for piece in pieces for record in piece.records]
    captions = [f"Figure{letter and f' {letter}'}: {piece.title}. {piece.caption}"
                for letter, piece in zip(_letters(pieces), pieces, strict=True)]
    return methods.methods(records, captions), methods.bibliography(methods.keys(records))


def _letters(pieces: Sequence[Piece]) -> list[str]:
    return [chr(ord("a") + number) if len(pieces) > 1 else "" for number in range(len(pieces))]


def table_parquet(records: Sequence[dict[str, Any]]) -> bytes:
    """Flat records as Parquet; nested values, and columns of more than one type, become JSON."""
    names = list(records[0]) if records else []
    table = pa.table({name: _column([record.get(name) for record in records]) for name in names})
    handle = io.BytesIO()
    parquet.write_table(table, handle)
    return handle.getvalue()


def manifest(pieces: Sequence[Piece], letters: Sequence[str], files: dict[str, bytes], page: dict[str, Any]) -> bytes:
    """What export.manifest says of each figure, with its sizes and seeds; the page, the app, and the files' hashes."""
    figures = [{"letter": letter, **json.loads(export.manifest(piece.records, piece.title, piece.caption)),
                "records": len(piece.records), **{name: _distinct(piece.records, name) for name in ("n", "d", "seed")}}
               for letter, piece in zip(letters, pieces, strict=True)]
    return json.dumps({
        "software": methods.software(), "print": page, "figures": figures,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())},
    }, indent=1, ensure_ascii=False).encode()


def _distinct(records: Sequence[dict[str, Any]], name: str) -> list[Any]:
    return sorted({record[name] for record in records if record.get(name) is not None})


def _column(values: list[Any]) -> pa.Array:
    known = [value for value in values if value is not None]
    counted = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in known)
    if counted and any(isinstance(value, float) for value in known):
        return pa.array([None if value is None else float(value) for value in values])
    alike = len({type(value) for value in known}) == 1 and not isinstance(known[0], (dict, list, tuple))
    if counted or alike:
        return pa.array(values)
    return pa.array([None if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True)
                     for value in values])


def zipped(files: dict[str, bytes]) -> bytes:
    """Files by name as a zip, the same bytes every time."""
    handle = io.BytesIO()
    with zipfile.ZipFile(handle, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return handle.getvalue()
