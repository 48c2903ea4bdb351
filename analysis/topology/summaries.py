"""Numbers and curves that sum up the bars of one dimension."""

import numpy as np
from jaxtyping import Float
from scipy.special import entr

from analysis.errors import Undefined
from analysis.topology.diagrams import Bars, Diagrams

Lengths = Float[np.ndarray, " m"]


def betti_curve(bars: Bars, grid: Float[np.ndarray, " g"]) -> Float[np.ndarray, " g"]:
    """How many bars are alive at each radius.

        beta(t) = #{i: birth_i <= t < death_i}

    Parameters
    ----------
    bars : m x 2 births and deaths
    grid : g radii, in the same units

    Returns
    -------
    Whole numbers from 0 to m. For H0 one less than the number of components, whose last never dies and has no bar.

    Reference: Rieck et al. 2020.
    """
    births, deaths = np.sort(bars, axis=0).T
    return (np.searchsorted(births, grid, side="right") - np.searchsorted(deaths, grid, side="right")).astype(float)


def euler_curve(diagrams: Diagrams, grid: Float[np.ndarray, " g"]) -> Float[np.ndarray, " g"]:
    """Alternating sum of the numbers of components, loops and voids at each radius, as far as they were computed.

        chi(t) = 1 + sum over k <= max_dim of (-1)^k beta_k(t)

    The 1 is the component that never dies. This is the Euler characteristic only where no homology above the highest
    computed dimension is alive.

    Parameters
    ----------
    diagrams : bars of H0 to H_max_dim
    grid : g radii, in units of the scale

    Returns
    -------
    Whole numbers: n at radius 0 for n distinct points, 1 where all has merged and closed.
    """
    return 1 + sum(((-1)**k * betti_curve(bars, grid) for k, bars in enumerate(diagrams.bars)), np.zeros(len(grid)))


def persistence_entropy(lengths: Lengths) -> float:
    """How evenly the total length is spread over the bars, in nats.

        E = -sum p_i log p_i,   p_i = l_i / sum l

    Parameters
    ----------
    lengths : of m bars

    Returns
    -------
    From 0 (one bar, or none) to log m (all of one length).

    Reference: Chintakunta et al. 2015.
    """
    total = lengths.sum()
    return float(entr(lengths / total).sum()) if total else 0.0


def relative_persistence_entropy(lengths: Lengths) -> float:
    """Persistence entropy over its highest value for as many bars.

        E / log m

    Parameters
    ----------
    lengths : of m bars

    Returns
    -------
    From 0 (one bar has almost all the length) to 1 (all of one length).

    Raises Undefined for fewer than two bars of positive length. Reference: Chintakunta et al. 2015.
    """
    bars = np.count_nonzero(lengths)
    if bars < 2:
        raise Undefined(f"the spread over bars needs two bars, and there {'is 1' if bars else 'is none'}")
    return persistence_entropy(lengths) / float(np.log(bars))


def total_persistence(lengths: Lengths, power: float = 1) -> float:
    """Sum of the lengths, each to a power: 0 where there is no bar. Grows with the number of points."""
    return float((lengths**power).sum())


def longest(lengths: Lengths) -> float:
    """Length of the longest bar, 0 where there is none."""
    return float(lengths.max(initial=0.0))


def count_longer(lengths: Lengths, threshold: float) -> int:
    """How many bars are longer than a threshold."""
    return int(np.count_nonzero(lengths > threshold))


def landscape(bars: Bars, grid: Float[np.ndarray, " g"], levels: int) -> Float[np.ndarray, "levels g"]:
    """The first levels of the persistence landscape, which may be averaged over draws as diagrams may not.

        lambda_k(t) = k-th largest over i of max(0, min(t - birth_i, death_i - t))

    Parameters
    ----------
    bars : m x 2 births and deaths
    grid : g radii, in the same units
    levels : how many

    Returns
    -------
    From 0 (fewer than k bars are alive) to half the longest bar; no level is above the one before.

    Reference: Bubenik 2015.
    """
    tents = np.maximum(0.0, np.minimum(grid - bars[:, :1], bars[:, 1:] - grid))
    heights = np.zeros((levels, len(grid)))
    kept = np.sort(tents, axis=0)[::-1][:levels]
    heights[:len(kept)] = kept
    return heights
