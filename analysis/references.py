"""The citations in references.bib, by key."""

import re
from functools import cache
from pathlib import Path

BIBLIOGRAPHY = Path(__file__).with_name("references.bib")


@cache
def entries() -> dict[str, dict[str, str]]:
    """Fields of every entry. The file keeps one entry a line, each field in one pair of braces."""
    found = {}
    for line in BIBLIOGRAPHY.read_text(encoding="utf-8").splitlines():
        match = re.match(r"@\w+\{([\w-]+),", line)
        if match:
            fields = re.findall(r"(\w+)=\{((?:[^{}]|\{[^{}]*\})*)\}", line)
            found[match[1]] = {name: re.sub(r"[{}$]", "", value).replace("\\alpha", "α") for name, value in fields}
    return found


def citation(key: str) -> str:
    """Authors, year, title and venue in one line."""
    entry = entries()[key]
    authors = [author.split(",")[0] for author in entry["author"].split(" and ")]
    who = " & ".join(authors) if len(authors) < 3 else f"{authors[0]} et al."
    venue = entry.get("journal") or entry.get("booktitle", "")
    return f"{who} ({entry['year']}). {entry['title']}. {venue}."
