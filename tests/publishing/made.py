"""Figures of the kinds that are hardest to print, and what skips a test where nothing can print them."""

import shutil

import numpy as np
import pytest

from analysis.figures import trajectory
from analysis.figures.theme import Style
from analysis.publishing import render
from analysis.results import Panel
from tests.figures import test_matrix, test_points
from tests.figures.made import COLOURS, measure, record

SITES = ("block 1", "block 2", "final")
# What pdffonts and pdfinfo say is asked as well.
NO_PRINT = render.available() or ("" if shutil.which("pdffonts") else "no pdffonts; see tests/need_chromium.sh")
needs_browser = pytest.mark.skipif(bool(NO_PRINT), reason=NO_PRINT or "all is there")


def lines(style=Style()):  # noqa: B008 - frozen
    """Nine lines with intervals, and a loss below them."""
    records = [record(run, step, 3.0 + index / 3 + step % 5, site=site)
               for index, (run, site) in enumerate((run, site) for run in COLOURS for site in SITES)
               for step in (0, 1, 8, 64)]
    loss = Panel("loss", [{"run": "alpha", "step": step, "value": 3 - step / 50, "tokens": None}
                          for step in (1, 8, 64)])
    return trajectory.build(records, loss, measure(), trajectory.Axis(), COLOURS, style)


def heat_map():
    return test_matrix.build(chance=np.zeros((3, 2)))


def animated(at=1):
    return test_points.build(at=at)
