"""Representations whose answers are known because they are built from the answers."""

import hashlib
import json
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).with_name("golden")


def orthogonal(d: int, rng: np.random.Generator) -> np.ndarray:
    """A uniformly random d x d orthogonal matrix."""
    q, r = np.linalg.qr(rng.standard_normal((d, d)))
    return q * np.sign(np.diag(r))


def with_covariance_eigenvalues(eigenvalues: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """n x d zero-mean rows whose sample covariance (over n - 1) has exactly these eigenvalues, in random directions."""
    eigenvalues = np.asarray(eigenvalues, dtype=np.float64)
    d = len(eigenvalues)
    assert d <= n - 1, f"{d} eigenvalues need at least {d + 1} rows, got {n}"
    basis, _ = np.linalg.qr(np.column_stack([np.ones(n), rng.standard_normal((n, d))]))
    return basis[:, 1:] * np.sqrt((n - 1) * eigenvalues) @ orthogonal(d, rng).T


def power_law(d: int, exponent: float) -> np.ndarray:
    """The spectrum k^-exponent for k = 1..d."""
    return np.arange(1, d + 1, dtype=np.float64)**-exponent


def power_law_gaussian(n: int, d: int, exponent: float, rng: np.random.Generator) -> np.ndarray:
    """Independent Gaussian rows whose population covariance is diagonal with a power-law spectrum."""
    return rng.standard_normal((n, d)) * np.sqrt(power_law(d, exponent))


def generic(n: int, d: int, rng: np.random.Generator) -> np.ndarray:
    """Anisotropic, skewed, non-centred rows in random directions: nothing about them is equal by accident."""
    scales = np.exp(rng.uniform(-1, 1, d)) * power_law(d, 0.4)
    skewed = rng.standard_normal((n, d)) + 0.3 * rng.standard_exponential((n, d))**2
    return skewed * scales @ orthogonal(d, rng) + rng.standard_normal(d)


def generic_pair(n: int, d1: int, d2: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two generic representations of the same rows that share a part."""
    x = generic(n, d1, rng)
    return x, x @ rng.standard_normal((d1, d2)) / np.sqrt(d1) + generic(n, d2, rng)


def rotated(rows: np.ndarray, rng: np.random.Generator, *, scale: float = 1.0, shift: float = 0.0) -> np.ndarray:
    """The same rows after an orthogonal map, an isotropic scaling and a translation."""
    d = rows.shape[1]
    return scale * rows @ orthogonal(d, rng) + shift * rng.standard_normal(d)


def documents(sizes: list[int], d: int, rng: np.random.Generator, *, between: float = 1.0,
              within: float = 1.0) -> tuple[np.ndarray, list[str]]:
    """Gaussian rows that share an effect inside each document, and the document of each row.

    Each coordinate has standard deviation `between` over documents and `within` around its document.
    """
    names = [f"document {number}" for number, size in enumerate(sizes) for _ in range(size)]
    effects = np.repeat(between * rng.standard_normal((len(sizes), d)), sizes, axis=0)
    return effects + within * rng.standard_normal((len(names), d)), names


def golden_rows() -> np.ndarray:
    """The committed array, after its bytes are checked against the digest in its provenance."""
    path = GOLDEN / provenance()["file"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == provenance()["sha256"], f"{path} is not the array it was"
    return np.load(path, allow_pickle=False)


def provenance() -> dict:
    return json.loads((GOLDEN / "provenance.json").read_text(encoding="utf-8"))


def golden_value(measure: str) -> float | list[float]:
    """The value of a measure on the committed array, computed by tests/golden/make.py without this project's code."""
    return provenance()["values"][measure]["value"]
