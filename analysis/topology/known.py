"""Clouds whose homology and dimension are known: what a tool says of them can be held against the truth."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

RUN, ANGLE, HALF = "known-answers", "angle", "half"  # of the run, and of what is known of its rows
ROWS, WIDTH = 600, 32
SEED = 20
NOISE = 0.001  # standard deviation in each of the 32 directions, in radii
NOISY_PLANE, FAINT = 0.1, 0.22
APART = 6.0  # the centres of the two spheres, in radii
GRAIN = 2.0**-14  # that values are rounded to, far below the noise: every machine then makes the same file
Cloud = Float[np.ndarray, "n d"]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What is true of a cloud: its components, loops and voids, its dimension, and where a reading must go astray."""

    name: str
    betti: tuple[int, int, int]
    dimension: int
    truth: str
    beware: str
    label: str | None = None  # of the rows, that says where on the shape a row is


SHAPES = (
    Shape(name="circle", betti=(1, 1, 0), dimension=1, label=ANGLE,
          truth="One loop in a plane of the 32 directions, with noise of a thousandth of its radius.",
          beware="Rows stand as close together as the noise is wide, so an estimate that looks at the nearest two sees "
                 "the noise. Where the loop fills, the complex of "
                 "points on a circle has short-lived H2 bars (Adamaszek & Adams 2017): they are of the complex and not "
                 "of the circle, and a Gaussian of this covariance is nearly flat and has almost none."),
    Shape(name="torus", betti=(1, 2, 1), dimension=2, label=ANGLE,
          truth="Two circles of one radius at right angles in four directions (the flat Clifford torus): two loops and "
                "one void.",
          beware="At 150 points there are holes between the points that last longer than any loop of a cloud without "
                 "structure, so more loops are counted than there are; the two that are true are the longest. Local "
                 "PCA looks at 50 neighbours, and so wide a patch bends: it counts the bend as a direction."),
    Shape(name="two spheres", betti=(2, 0, 2), dimension=2, label=HALF,
          truth="Two spheres of radius 1 whose centres are 6 apart: two components, each with a void.",
          beware="The gap between the spheres lies along one principal direction, and components shuffled one by one "
                 "keep what lies along one direction: against these the gap is no news. Holes between the points of a "
                 "sphere make short loops. Local PCA counts the bend of a wide patch as a direction."),
    Shape(name="5-plane", betti=(1, 0, 0), dimension=5,
          truth="A cube in five directions, filled evenly: no loop, no void.",
          beware="A filled cube is no Gaussian: it has edges and no thin outskirts, so its distances are spread in "
                 "another way and its bars may be longer, without any hole. Near an edge a row has neighbours on one "
                 "side only, which makes estimates of the dimension too low, more so at larger scales."),
    Shape(name="5-plane with noise", betti=(1, 0, 0), dimension=5,
          truth="A cube of the same kind under noise of a tenth of its half width in each of the 32 directions.",
          beware="Noise fills all 32 directions. What looks at near neighbours sees the noise, and only what looks "
                 "further sees the plane: one number cannot say this, the dimension by scale can. The filled cube is "
                 "no Gaussian under noise either."),
    Shape(name="gaussian", betti=(1, 0, 0), dimension=32,
          truth="No structure: a Gaussian in 32 directions whose variances fall as 1/rank, like those of a language "
                "model.",
          beware="With 600 rows no estimate of a dimension reaches 32: there are too few rows to fill so many "
                 "directions, and the last ones are narrow. Above about 20 an estimate is a lower bound."),
    Shape(name="faint circle", betti=(1, 1, 0), dimension=1, label=ANGLE,
          truth="A circle under noise of 0.22 of its radius in each of the 32 directions, which is 1.2 radii in all: "
                "about where the test begins to see it.",
          beware="In full space the noise is wider than the circle, so every estimate of the dimension is of the noise "
                 "(32, read too low for want of rows), and the test may say yes or no with other rows."),
)


def clouds() -> dict[str, Float[np.ndarray, "600 32"]]:
    """The rows of each shape as float32, by name; the circle, one loop of the torus and the faint circle share their
    angle, and the rows of the two spheres alternate."""
    generator = np.random.default_rng(SEED)
    angle = angles()
    plain = {"circle": (_circle(angle), NOISE), "torus": (_torus(angle, generator), NOISE),
             "two spheres": (_two_spheres(generator), NOISE), "5-plane": (_cube(generator), NOISE),
             "5-plane with noise": (_cube(generator), NOISY_PLANE), "gaussian": (_power_law(generator), 0.0),
             "faint circle": (_circle(angle), FAINT)}
    return {name: _placed(points, noise, generator) for name, (points, noise) in plain.items()}


def labels() -> dict[str, np.ndarray]:
    """What is known of each row, for all shapes: its angle in radians, and which half of the rows it belongs to."""
    return {ANGLE: angles().astype(np.float32), HALF: np.where(_second(), "second", "first")}


def angles() -> Float[np.ndarray, " n"]:
    return np.random.default_rng([SEED, 1]).uniform(0, 2 * np.pi, ROWS)


def _placed(points: Cloud, noise: float, generator: np.random.Generator) -> Cloud:
    """A shape turned at random into the 32 directions, with noise in all of them."""
    basis, upper = np.linalg.qr(generator.standard_normal((WIDTH, WIDTH)))
    turned = points @ (basis * np.sign(np.diag(upper))).T[:points.shape[1]]  # the decomposition leaves signs open
    rows = turned + noise * generator.standard_normal(turned.shape)
    return (np.round(rows / GRAIN) * GRAIN).astype(np.float32)


def _circle(angle: Float[np.ndarray, " n"]) -> Cloud:
    return np.column_stack([np.cos(angle), np.sin(angle)])


def _torus(angle: Float[np.ndarray, " n"], generator: np.random.Generator) -> Cloud:
    return np.hstack([_circle(angle), _circle(generator.uniform(0, 2 * np.pi, len(angle)))])


def _two_spheres(generator: np.random.Generator) -> Cloud:
    points = generator.standard_normal((ROWS, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return points + APART * np.outer(_second(), [1, 0, 0])


def _cube(generator: np.random.Generator) -> Cloud:
    return generator.uniform(-1, 1, (ROWS, 5))


def _power_law(generator: np.random.Generator) -> Cloud:
    return generator.standard_normal((ROWS, WIDTH)) / np.sqrt(np.arange(1, WIDTH + 1))


def _second() -> np.ndarray:
    return np.arange(ROWS) % 2 == 1
