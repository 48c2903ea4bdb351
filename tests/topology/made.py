"""Cells made by hand, without an engine: bars that are known, and surrogates whose bars are short."""

import numpy as np

from analysis.keys import Checkpoint
from analysis.topology.cell import Cell
from analysis.topology.diagrams import Diagrams
from analysis.topology.nulls import null_of

POINTS, SURROGATES = 40, 39


def diagrams(seed, loop=0.0, points=POINTS, loops=12, dimensions=2):
    """Bars of one cloud: merges up to 0.5, short loops (at most 0.1 long), and one from 0.4 of the length `loop`."""
    generator = np.random.default_rng(seed)
    merges = np.column_stack([np.zeros(points - 1), generator.uniform(0.1, 0.5, points - 1)])
    births = generator.uniform(0.3, 0.6, loops)
    noise = np.column_stack([births, births + generator.uniform(0.01, 0.1, loops)])
    real = np.array([[0.4, 0.4 + loop]]) if loop else np.empty((0, 2))
    higher = [np.vstack([noise, real]), np.array([[0.7, 0.75]])]
    return Diagrams((merges, *higher[:dimensions - 1]), 1.0, points)


def cell(loop=0.3, draws=4, folds=6, points=POINTS, seed=0, dimensions=2):
    """A cell of so many draws; its loop is longer than those of surrogates if `loop` is above 0.1."""
    made = [diagrams([seed, number], loop, points, dimensions=dimensions) for number in range(draws + folds)]
    return Cell(draws=tuple(made[:draws]), folds=tuple(made[draws:]), rows=200, distinct=180, d=16, nulls={
        kind: null_of([diagrams([seed, of, number], points=points, dimensions=dimensions)
                       for number in range(SURROGATES)]) for of, kind in enumerate(("matched", "shuffled"), 100)})


def checkpoint(step=8, run="alpha"):
    return Checkpoint(run=run, revision=f"step{step}", step=step, tokens=None, path="", fingerprint=f"{step:064d}")
