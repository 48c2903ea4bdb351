"""Write the clouds whose homology and dimension are known as rows of a run.

    python demo/make_known_answers.py
"""

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from analysis.topology import known

FILE = HERE / "runs" / f"{known.RUN}.npz"


def main(out: Path = FILE) -> None:
    ids = np.array([f"row {place:03d}" for place in range(known.ROWS)])
    labels = {f"label_{name}": values for name, values in known.labels().items()}
    np.savez_compressed(out, ids=ids, **labels, **known.clouds())


if __name__ == "__main__":
    main()
