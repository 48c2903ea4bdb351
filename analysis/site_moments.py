"""Moments of many sites of a sender with many sites of a receiver: the scatter of each site once, not once a pair."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from analysis.cross_moments import CrossMoments
from analysis.moments import Moments

Pair = tuple[str, str]  # site of the sender, site of the receiver
Rows = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class SiteMoments:
    """n rows at every site, summarised in float64: their mean and centred scatter, and the cross scatter of each pair.

    Of s sites a side, s^2 pairs cost s^2 products X^T Y and 2 s products X^T X. Summaries of disjoint rows add exactly.
    """

    n: int
    means: tuple[dict[str, np.ndarray], dict[str, np.ndarray]]
    scatters: tuple[dict[str, np.ndarray], dict[str, np.ndarray]]
    crossed: dict[Pair, np.ndarray]
    principal: dict[tuple[int, str], tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    @staticmethod
    def of(xs: Rows, ys: Rows, pairs: Sequence[Pair]) -> "SiteMoments":
        """Moments of the rows of each site (n x width), the same n rows at all of them."""
        wide = [{site: rows.astype(np.float64) for site, rows in side.items()} for side in (xs, ys)]
        means = [{site: rows.mean(axis=0) for site, rows in side.items()} for side in wide]
        for side, centre in zip(wide, means, strict=True):
            for site, rows in side.items():
                rows -= centre[site]
        scatters = [{site: rows.T @ rows for site, rows in side.items()} for side in wide]
        return SiteMoments(len(next(iter(wide[0].values()))), (means[0], means[1]), (scatters[0], scatters[1]),
                           {(i, j): wide[0][i].T @ wide[1][j] for i, j in pairs})

    def __add__(self, other: "SiteMoments") -> "SiteMoments":
        n = self.n + other.n
        share, weight = other.n / n, self.n * other.n / n
        gaps = [{site: theirs[site] - own[site] for site in own}
                for own, theirs in zip(self.means, other.means, strict=True)]
        means = [{site: own[site] + share * gap[site] for site in own}
                 for own, gap in zip(self.means, gaps, strict=True)]
        scatters = [{site: own[site] + theirs[site] + weight * np.outer(gap[site], gap[site]) for site in own}
                    for own, theirs, gap in zip(self.scatters, other.scatters, gaps, strict=True)]
        crossed = {(i, j): own + other.crossed[i, j] + weight * np.outer(gaps[0][i], gaps[1][j])
                   for (i, j), own in self.crossed.items()}
        return SiteMoments(n, (means[0], means[1]), (scatters[0], scatters[1]), crossed)

    def pair(self, pair: Pair) -> CrossMoments:
        """The moments of one pair, for maps; the eigenvectors of a site are found once for all of its pairs.

        What only the debiased CKA needs, `squares` and `cubes`, is not summed here and is NaN.
        """
        i, j = pair
        cross, (x, y) = self.crossed[pair], (self.scatters[0][i], self.scatters[1][j])
        p, q = cross.shape
        joint = Moments(self.n, np.concatenate([self.means[0][i], self.means[1][j]]),
                        np.block([[x, cross], [cross.T, y]]))
        found = CrossMoments(p, joint, np.full((2, 2), np.nan), np.full((2, p + q), np.nan))
        for side, (site, name) in enumerate(((i, "principal_x"), (j, "principal_y"))):
            if (side, site) not in self.principal:
                self.principal[side, site] = getattr(found, name)
            vars(found)[name] = self.principal[side, site]  # where cached_property keeps it
        return found
