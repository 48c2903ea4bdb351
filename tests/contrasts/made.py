"""Small hand-made values with what they are without each group of documents."""

import numpy as np

from analysis.contrasts.values import Point
from analysis.inference.jackknife import interval
from analysis.results import Replicates, Scalar

MEASURE = "rankme_covariance"
SIZES = np.full(10, 4)


def scalar(of_groups, sizes=SIZES):
    """The mean of one number a group, as a value with its replicates."""
    numbers = np.asarray(of_groups, dtype=float)
    value = float(np.average(numbers, weights=sizes))
    left_out = (numbers @ sizes - numbers * sizes) / (np.sum(sizes) - sizes)
    replicates = Replicates(left_out, np.asarray(sizes))
    low, high = interval(value, replicates)
    return Scalar(value=value, low=low, high=high, replicates=replicates)


def numbers(seed, mean=0.0):
    """One number for each of ten groups."""
    return np.random.default_rng(seed).normal(mean, 1, 10)


def point(run, step, value, *, site="final", measure=MEASURE, revision=None, **more):
    """A stored value: of a Scalar, or of a plain number without replicates."""
    held = value if isinstance(value, Scalar) else Scalar(value=float(value))
    record = {"run": run, "revision": revision or f"step{step}", "step": step,
              "tokens": None if step is None else 1000 * step, "site": site, "measure": measure,
              "value": held.value if held.defined else None, "low": held.low, "high": held.high, "n": 40, "d": 8,
              "protocol": {"probe": "words@0", "policy": "last", "dtype": "float32", "params": {}},
              "fingerprint": f"{run} {step}", "reason": held.reason, "source": None, "chance": None}
    return Point(record | more, held)


def series(run, values, steps=(0, 1, 10, 100), **more):
    return [point(run, step, value, **more) for step, value in zip(steps, values, strict=True)]
