"""Peak memory of one way of taking hidden states, in a process of its own. Prints bytes beyond the loaded model.

    python benchmarks/memory.py ours|naive|stored FOLDER TEXTS TOKENS
"""

import resource
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1])]

import torch

from analysis.checkpoints.load import load
from analysis.extraction import forward
from analysis.extraction.inputs import feed
from analysis.extraction.probes import Probe, Text, load_probe
from analysis.keys import Policy


def texts(count: int, tokens: int) -> Probe:
    """Texts of about so many tokens, cut from the built-in probe."""
    words = " ".join(text.text for text in load_probe("sotu-held-out").texts).split()
    starts = [(37 * k) % (len(words) - tokens) for k in range(count)]
    return Probe("bench", tuple(Text(str(k), str(k), " ".join(words[at:at + tokens])) for k, at in enumerate(starts)))


def main() -> None:
    way, folder, count, tokens = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    torch.set_num_threads(2)
    loaded, probe = load(folder), texts(count, tokens)
    small = texts(8, 16)
    forward.extract(loaded, small, Policy.parse("last"))  # what libraries allocate once
    _peak_from_here()
    before = _resident()
    if way == "naive":
        with torch.inference_mode():
            for batch in feed(loaded, probe, forward.BATCH_TOKENS).batches:
                kept = loaded.model(**batch.inputs, output_hidden_states=True, use_cache=False)
                del kept
    else:
        found = forward.extract(loaded, probe, Policy.parse("last"))
        if way == "stored":
            print(sum(rows.nbytes for rows in found.rows.values()))
    print(_peak() - before)


def _resident() -> int:
    return _status("VmRSS")


def _peak() -> int:
    return _status("VmHWM")


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name))


def _peak_from_here() -> None:
    """Linux forgets the peak so far; elsewhere the peak is that of the whole process."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        print("the peak holds loading too", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)


if __name__ == "__main__":
    main()
