"""Makes the golden array and its values with plain numpy, importing nothing of this project.

    python tests/golden/make.py

Run it only to extend the values: the array and the numbers are committed so that a change in the code shows.
"""

import hashlib
import json
import platform
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
N, D, SEED, FIRST, LAST = 80, 56, 20260101, 11, 50


def rows() -> np.ndarray:
    rng = np.random.default_rng(SEED)
    mixing, _ = np.linalg.qr(rng.standard_normal((D, D)))
    return rng.standard_normal((N, D)) * np.arange(1, D + 1)**-0.4 @ mixing + 0.5 * rng.standard_normal(D)


def entropy_rank(spectrum: np.ndarray) -> float:
    p = spectrum / spectrum.sum()
    return float(np.exp(-(p * np.log(p)).sum()))


def row_corrected_ratio(x: np.ndarray) -> float:
    """U-statistics from squared distances (numerator) and the U-centred Gram matrix (denominator)."""
    n = len(x)
    distances = ((x[:, None, :] - x[None, :, :])**2).sum(axis=-1)
    distinct = distances.sum()**2 - 4 * (distances.sum(axis=1)**2).sum() + 2 * (distances**2).sum()
    numerator = distinct / (4 * n * (n - 1) * (n - 2) * (n - 3))
    gram = x @ x.T
    np.fill_diagonal(gram, 0.0)
    sums = gram.sum(axis=1)
    centred = gram - (sums[:, None] + sums[None, :]) / (n - 2) + gram.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(centred, 0.0)
    return float(numerator / ((centred**2).sum() / (n * (n - 3))))


def values(x: np.ndarray) -> dict[str, dict]:
    uncentred = np.linalg.svd(x, compute_uv=False)
    eigenvalues = np.linalg.svd(x - x.mean(axis=0), compute_uv=False)**2 / (len(x) - 1)
    ranks = np.arange(FIRST, LAST + 1)
    slope = np.polyfit(np.log(ranks), np.log(eigenvalues[FIRST - 1:LAST]), 1, w=np.sqrt(1 / ranks))[0]
    return {
        "covariance_eigenspectrum": {"value": eigenvalues.tolist(), "how": "numpy SVD of centred rows, s^2 / (n - 1)"},
        "rankme_covariance": {"value": entropy_rank(eigenvalues), "how": "exp entropy of those eigenvalues"},
        "rankme_singular_values": {"value": entropy_rank(uncentred), "how": "exp entropy of numpy SVD, uncentred rows"},
        "participation_ratio": {"value": float(eigenvalues.sum()**2 / (eigenvalues**2).sum()),
                                "how": "from those eigenvalues"},
        "participation_ratio_row_corrected": {"value": row_corrected_ratio(x),
                                              "how": "distances over distinct rows / U-centred Gram matrix"},
        "stable_rank": {"value": float(eigenvalues.sum() / eigenvalues[0]), "how": "from those eigenvalues"},
        "top_eigenvalue_share": {"value": float(eigenvalues[0] / eigenvalues.sum()), "how": "from those eigenvalues"},
        "alpha_weighted_least_squares": {"value": float(-slope),
                                         "how": f"numpy.polyfit of ln on ln, ranks {FIRST}-{LAST}, w = sqrt(1 / rank)"},
    }


def main() -> None:
    path = HERE / f"anisotropic_{N}x{D}.npy"
    np.save(path, rows(), allow_pickle=False)
    x = np.load(path, allow_pickle=False)
    facts = {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
             "made_by": "tests/golden/make.py",
             "recipe": f"{N} x {D} float64: Gaussian rows with standard deviations k^-0.4, mixed by an orthogonal "
                       f"matrix, plus a mean; numpy default_rng({SEED})",
             "independence": "values come from numpy SVD, polyfit and distances; no import of analysis",
             "numpy": np.__version__, "python": platform.python_version(), "values": values(x)}
    (HERE / "provenance.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
