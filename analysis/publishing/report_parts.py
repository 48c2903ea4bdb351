"""Parts of a report as HTML. All text is escaped here, and nowhere else."""

import base64
import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from analysis import export, registry
from analysis.keys import site_order
from analysis.publishing import methods
from analysis.weight_measures import BY_NAME

Record = Mapping[str, Any]
MOST_ROWS = 50
LARGE_BYTES = 2_000_000
TOLD_ELSEWHERE = ("protocol", "fingerprint", "source")  # in the table of protocols, and in the CSV
DASH = "–"


def tag(name: str, inside: str = "", **attributes: str) -> str:
    """An element whose inside is HTML already; the values of its attributes are text."""
    given = "".join(f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items())
    return f"<{name}{given}>{inside}</{name}>"


def text(name: str, said: object, **attributes: str) -> str:
    """An element whose inside is text."""
    return tag(name, escape(str(said)), **attributes)


def folded(title: str, inside: str) -> str:
    return tag("details", text("summary", title) + inside)


def table(rows: Sequence[Record], label: str) -> str:
    """Rows of the same names, which a narrow screen scrolls sideways."""
    if not rows:
        return ""
    head = tag("tr", "".join(text("th", name.replace("_", " "), scope="col") for name in rows[0]))
    body = "".join(tag("tr", "".join(_cell(value) for value in row.values())) for row in rows)
    inside = tag("table", tag("thead", head) + tag("tbody", body))
    return tag("div", inside, class_="wide", role="region", aria_label=label, tabindex="0")


def shared(rows: Sequence[Record], label: str) -> str:
    """What all rows say alike as a list, and what differs as a table."""
    alike = {name: value for name, value in rows[0].items() if all(row[name] == value for row in rows)}
    if len(other := [name for name in rows[0] if name not in alike]) == 1:  # such as the run
        alike = {name: ", ".join(str(row[name]) for row in rows) if name in other else alike[name] for name in rows[0]}
    listed = "".join(text("dt", name) + text("dd", value) for name, value in alike.items() if value != DASH)
    return tag("dl", listed) + table([{name: value for name, value in row.items() if name not in alike}
                                      for row in rows] if len(alike) < len(rows[0]) else [], label)


def numbers(records: Sequence[Record], title: str, file: str) -> str:
    """The first records of a figure as a folded table, and all of them as a file."""
    if not records:
        return text("p", "This figure has no table.", class_="quiet")
    shown = records[:MOST_ROWS]
    names = [name for name in records[0] if not name.startswith(TOLD_ELSEWHERE)
             and any(record.get(name) is not None for record in shown)]
    link = _file(export.table_csv([dict(record) for record in records]), f"All {len(records):,} rows as CSV", file)
    few = f", the first {MOST_ROWS} of {len(records):,} rows" if len(records) > MOST_ROWS else ""
    return (folded(f"The numbers{few}", table([{name: record.get(name) for name in names} for record in shown],
                                              f"Numbers of {title}"))
            + tag("p", link, class_="screen"))


def figure(piece: Mapping[str, Any], id: str) -> str:
    """A figure with its caption; its data stand in a script of their own, where nothing is run."""
    held = _inert(piece["figure"])
    size = (text("p", f"This figure holds {_volume(len(held))} of data, so it may draw slowly.", class_="quiet")
            if len(held) > LARGE_BYTES else "")
    height = piece["figure"].get("layout", {}).get("height") or 450
    plot = tag("div", "", id=id, class_="plot", data_from=f"{id}-data", style=f"height:{float(height):g}px")
    return tag("figure", tag("div", plot, class_="paper") + f'<script type="application/json" id="{id}-data">{held}'
               "</script>" + text("figcaption", piece["caption"]),
               aria_label=f"{piece['title']}. {piece['caption']}") + size


def protocols(records: Sequence[Record]) -> list[dict[str, Any]]:
    """One row for each run, measure and protocol among the records of a view: what was measured, and how."""
    found: dict[str, dict[str, Any]] = {}
    for record in records:
        for side in methods.SIDES:
            if record.get(f"run{side}"):
                known = {name: record.get(f"{name}{side}", record.get(name)) for name in
                         ("run", "revision", "site", "n", "d", "protocol")} | {"measure": record.get("measure")}
                key = json.dumps([known["run"], known["measure"], known["protocol"]], sort_keys=True)
                row = found.setdefault(key, known | {name: [] for name in ("revision", "site", "n", "d")} | {
                    "low": False, "chance": False})
                for name in ("revision", "site", "n", "d"):
                    if known[name] is not None and known[name] not in row[name]:
                        row[name].append(known[name])
                row["low"] |= record.get("low") is not None
                row["chance"] |= any(record.get(name) is not None for name in ("chance", "null_mean", "p"))
    return [_protocol(row) for row in found.values()]


def weights(records: Sequence[Record]) -> list[dict[str, Any]]:
    """Every checkpoint of the report with the fingerprint of its weights."""
    found = {(record[f"run{side}"], str(record.get(f"revision{side}"))): record[f"fingerprint{side}"]
             for record in records for side in methods.SIDES
             if record.get(f"run{side}") and record.get(f"fingerprint{side}")}
    return [{"run": run, "checkpoint": revision, "sha256 of its files": fingerprint}
            for (run, revision), fingerprint in found.items()]


def _protocol(row: Record) -> dict[str, Any]:
    known = registry.all_measures().get(str(row["measure"])) or BY_NAME.get(str(row["measure"]))
    protocol = row["protocol"] or {}
    params = ", ".join(f"{name} = {value}" for name, value in sorted(protocol.get("params", {}).items()))
    return {"run": row["run"], "checkpoints": _ends(row["revision"]), "sites": _few(row["site"]),
            "measure": " ".join(filter(None, [known.label if known else row["measure"] or DASH, params])),
            "version": protocol.get("measure_version") or (known.version if known else DASH),
            "probe": protocol.get("probe", DASH), "rows": protocol.get("policy", DASH),
            "precision": protocol.get("dtype", DASH), "n": _range(row["n"]), "d": _range(row["d"]),
            "interval": known.uncertainty if known and row["low"] else "none shown",
            "with nothing to find": known.null if known and row["chance"] else "none shown"}


def _ends(names: Sequence[Any]) -> str:
    if not names:
        return DASH
    return str(names[0]) if len(names) == 1 else f"{len(names)}: {names[0]} to {names[-1]}"


def _few(sites: Iterable[Any]) -> str:
    return ", ".join(sorted(map(str, sites), key=site_order)) or DASH


def _range(values: Sequence[int]) -> str:
    ends = sorted({min(values), max(values)}) if values else []
    return " to ".join(map(str, ends)) or DASH


def _file(content: bytes, label: str, name: str) -> str:
    """A link that saves what stands in it; what is large is compressed."""
    kind = "text/csv;charset=utf-8"
    if len(content) > LARGE_BYTES:
        content, kind, name, label = gzip.compress(content, mtime=0), "application/gzip", f"{name}.gz", f"{label}, gzip"
    return text("a", f"{label} ({_volume(len(content))})", download=name,
                href=f"data:{kind};base64,{base64.b64encode(content).decode()}")


def _cell(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return text("td", "" if value is None else value)
    if isinstance(value, (int, float)):
        return text("td", f"{value:.6g}" if isinstance(value, float) else value, class_="number")
    if isinstance(value, (dict, list)):
        return text("td", json.dumps(value, ensure_ascii=False, sort_keys=True)[:200])
    return text("td", value)


def _inert(value: Any) -> str:
    """JSON that can stand inside a script element whatever its texts are."""
    held = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return held.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _volume(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.0f} kB"
