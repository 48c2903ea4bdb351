"""Persistent homology of small grey images, and persistence images of it (Adams et al. 2017), from first principles.

The ink of an image is swept from its darkest level down. Components of ink (pixels that touch at a side or a corner)
are dimension 0. By duality on a grid, holes are the components of what has no ink yet (pixels that touch at a side)
that are cut off from outside: dimension 1. Both are a union-find over the pixels.
"""

import math
from collections.abc import Iterable

import numpy as np

LEVELS, SIDE = 16, 8
SPREAD = 1.0  # standard deviation of the Gaussian around a bar, in levels of ink
BRIGHTEST = 0.5  # a cell's value that becomes 255
SIDES = ((0, 1), (0, -1), (1, 0), (-1, 0))
CORNERS = ((1, 1), (1, -1), (-1, 1), (-1, -1))

Bars = list[tuple[float, float]]


def components(values: np.ndarray, neighbours: Iterable[tuple[int, int]]) -> Bars:
    """(birth, death) of the components of {values >= t} as t falls: of two that meet, the younger dies. The oldest
    lives on, to -infinity. Bars of length 0 are left out."""
    steps, parent, bars = tuple(neighbours), dict[tuple[int, ...], tuple[int, ...]](), Bars()

    def root(pixel: tuple[int, ...]) -> tuple[int, ...]:
        while parent[pixel] != pixel:
            pixel = parent[pixel]
        return pixel

    for pixel in sorted(np.ndindex(*values.shape), key=lambda at: -values[at]):
        parent[pixel] = pixel
        for down, right in steps:
            other = pixel[0] + down, pixel[1] + right
            if other in parent:
                young, old = sorted((root(pixel), root(other)), key=lambda at: values[at])
                if young != old:
                    parent[young] = old
                    if values[young] > values[pixel]:
                        bars.append((float(values[young]), float(values[pixel])))
    return [(float(values.max()), -math.inf), *bars]


def diagrams(ink: np.ndarray) -> tuple[Bars, Bars]:
    """Bars (birth, death) of components and of holes, in levels of ink, birth above death. The component that never
    dies is said to die at 0, where the paper begins."""
    pieces = [(birth, max(death, 0.0)) for birth, death in components(ink, (*SIDES, *CORNERS))]
    paper = components(np.pad(-np.asarray(ink, dtype=float), 1, constant_values=1.0), SIDES)
    holes = [(-death, -birth) for birth, death in paper[1:]]  # it closes where its paper no longer meets the outside
    return [bar for bar in pieces if bar[0] > bar[1]], holes


def persistence_image(bars: Bars) -> np.ndarray:
    """A Gaussian around (birth, length) of every bar, weighted by its length, summed over each cell of an 8 x 8 grid;
    birth grows to the right and length upwards, both from 0 to 16."""
    edges = np.linspace(0, LEVELS, SIDE + 1)
    image = np.zeros((SIDE, SIDE))
    for birth, death in bars:
        across, up = (np.diff([0.5 * math.erf((edge - at) / (SPREAD * math.sqrt(2))) for edge in edges])
                      for at in (birth, birth - death))
        image += (birth - death) / LEVELS * np.outer(up[::-1], across)
    return image


def picture(ink: np.ndarray) -> np.ndarray:
    """8 x 8 x 3 bytes: the persistence image of components in red, of holes in green."""
    channels = [persistence_image(bars) for bars in diagrams(ink)]
    bright = [np.clip(np.rint(255 * channel / BRIGHTEST), 0, 255) for channel in channels]
    return np.stack([*bright, np.zeros_like(bright[0])], axis=-1).astype(np.uint8)
