"""Build the bundled probes from the held-out addresses and from all sums modulo the prime.

    python demo/make_probes.py
"""

import json
import lzma
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "sotu")]

from corpus import read

WINDOW_CHARACTERS, EVERY, PRIME = 400, 3, 59


def windows(text: str) -> list[str]:
    """Consecutive pieces of up to 400 characters that end between words; the short last one is left out."""
    pieces, current = [], ""
    for word in text.split():
        if current and len(current) + 1 + len(word) > WINDOW_CHARACTERS:
            pieces.append(current)
            current = word
        else:
            current = f"{current} {word}" if current else word
    return pieces


def addresses() -> list[dict]:
    """Every third window of each address that was held out of training."""
    return [{"id": f"{d['id']}:{index:04d}", "document": d["id"], "year": str(d["year"]), "president": d["president"],
             "party": d["party"], "text": piece}
            for d in read("probe") for index, piece in enumerate(windows(d["text"])) if index % EVERY == 0]


def sums() -> list[dict]:
    return [{"id": f"{a}+{b}", "document": f"{a}+{b}", "answer": str((a + b) % PRIME), "text": f"{a} + {b} ="}
            for a in range(PRIME) for b in range(PRIME)]


def numbers() -> list[dict]:
    return [{"id": str(a), "document": str(a), "number": str(a), "text": str(a)} for a in range(PRIME)]


def write(name: str, records: list[dict]) -> None:
    (HERE / "probes").mkdir(exist_ok=True)
    with lzma.open(HERE / "probes" / f"{name}.jsonl.xz", "wt", encoding="utf-8") as handle:
        for record in records:
            handle.write(json.dumps(record, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    write("sotu-held-out", addresses())
    write(f"sums-mod-{PRIME}", sums())
    write(f"numbers-mod-{PRIME}", numbers())
