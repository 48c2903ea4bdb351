"""persistent_homology_dimension and persistent_homology_dimension_of_texts: how minimum spanning trees grow."""

import numpy as np
import pytest
import skdim
from scipy.spatial.distance import cdist

from analysis import registry
from analysis.measures.persistent_homology_dimension import SIZES, _tree_lengths
from analysis.textrows import TextRows
from tests.measures.test_nearest_neighbour_dimension import circles, plane
from tests.synthetic import generic, orthogonal, rotated

WHOLE, TEXTS = (registry.get(f"persistent_homology_dimension{name}") for name in ("", "_of_texts"))


def of_texts(*texts):
    numbers = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    return TextRows(np.concatenate(texts), numbers, numbers, np.concatenate([np.arange(len(text)) for text in texts]))


def tree_by_prim(rows):
    """Grown from one row by the shortest edge that leaves it."""
    distances, total = cdist(rows, rows), 0.0
    reached = distances[0].copy()
    inside = np.zeros(len(rows), dtype=bool)
    inside[0] = True
    for _ in range(len(rows) - 1):
        nearest = np.argmin(np.where(inside, np.inf, reached))
        total += reached[nearest]
        inside[nearest] = True
        reached = np.minimum(reached, distances[nearest])
    return total


@pytest.mark.parametrize("d", [1, 2, 4])
def test_an_even_piece_of_a_plane_in_many_dimensions_has_about_its_own_dimension(d):
    values = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        values.append(WHOLE(rng.uniform(size=(1000, d)) @ orthogonal(40, rng)[:d]).value)
    assert np.mean(values) == pytest.approx(d, rel=0.12)


def test_on_a_line_the_tree_is_as_long_as_the_range_so_that_tails_raise_the_value():
    """The range of m Gaussian numbers grows from 4.50 at 50 to 6.06 at 490: a slope of 0.131."""
    values = [WHOLE(plane(1, 1000, seed=seed, width=40)).value for seed in range(4)]
    assert np.mean(values) == pytest.approx(1 / (1 - np.log(6.06 / 4.50) / np.log(490 / 50)), rel=0.05)


@pytest.mark.parametrize("number", [1, 2])
def test_a_circle_has_one_dimension_and_a_torus_two(number):
    assert WHOLE(circles(number, 1000)).value == pytest.approx(number, rel=0.12)


@pytest.mark.parametrize(("d", "expected"), [(10, 9.3), (20, 16.6), (50, 32)])
def test_500_gaussian_rows_read_lower_the_more_dimensions_they_have(d, expected):
    values = [WHOLE(np.random.default_rng(seed).standard_normal((500, d))).value for seed in range(6)]
    assert np.mean(values) == pytest.approx(expected, rel=0.08)


def test_lengths_are_those_of_trees_grown_edge_by_edge():
    rows = generic(90, 20, np.random.default_rng(0))
    expected = [tree_by_prim(rows[:size]) for size in (50, 90)]
    assert _tree_lengths(rows, [50, 90]) == pytest.approx(expected, rel=1e-12)


def test_with_two_sizes_the_value_is_by_hand():
    """The larger tree is of all 90 rows in every order, so only the median over parts of 50 is left to chance."""
    rows = generic(90, 20, np.random.default_rng(1))
    rng = np.random.default_rng(0)
    parts = [tree_by_prim(rows[rng.permutation(90)[:50]]) for _ in range(9)]
    slope = np.log(tree_by_prim(rows) / np.median(parts)) / np.log(90 / 50)
    assert WHOLE(rows).value == pytest.approx(1 / (1 - slope), rel=1e-9)


def test_scikit_dimension_says_about_the_same():
    """It fits the mean logarithm of other random parts, so the draw stands between the two."""
    ratios = []
    for seed in range(4):
        rows = np.random.default_rng(seed).standard_normal((600, 8))
        theirs = skdim.id.PH(n_range_min=SIZES[0], n_range_max=SIZES[-1], range_type="num", nsteps=len(SIZES),
                             subsamples=7, random_state=seed).fit(rows).dimension_
        ratios.append(WHOLE(rows).value / theirs)
    assert np.mean(ratios) == pytest.approx(1, abs=0.04)


@pytest.mark.parametrize("measure", [WHOLE, TEXTS], ids=lambda measure: measure.name)
def test_rotation_scale_and_shift_change_nothing(measure):
    rows = generic(150, 40, np.random.default_rng(2))
    changed = rotated(rows, np.random.default_rng(3), scale=1e-3, shift=5.0)
    assert measure(of_texts(changed)).value == pytest.approx(measure(of_texts(rows)).value, rel=1e-8)


def test_copies_of_300_rows_in_1300_change_nothing():
    rows = np.random.default_rng(4).standard_normal((1000, 10))
    assert WHOLE(np.concatenate([rows, rows[:300]])).value == WHOLE(rows).value


def test_the_value_of_texts_is_the_mean_over_those_that_are_long_enough():
    rng = np.random.default_rng(5)
    long, longer, short = (rng.standard_normal((n, 9)) for n in (100, 180, 89))
    each = [WHOLE(text).value for text in (long, longer)]
    assert TEXTS(of_texts(long, short, longer)).value == pytest.approx(np.mean(each), rel=1e-14)
    assert each[0] != each[1]


def test_a_text_is_as_long_as_the_tokens_that_differ():
    text = np.random.default_rng(6).standard_normal((95, 9))
    assert TEXTS(of_texts(text, np.tile(text[:50], (4, 1)))).value == WHOLE(text).value


def test_texts_of_few_dimensions_are_told_from_texts_of_many():
    def texts(d):
        return of_texts(*(plane(d, 200, seed=seed, width=64) for seed in range(6)))
    assert TEXTS(texts(4)).value == pytest.approx(4, rel=0.15)
    assert TEXTS(texts(9)).value == pytest.approx(9, rel=0.2)


def test_short_texts_and_few_rows_have_a_reason_that_says_what_to_do():
    short = of_texts(*np.random.default_rng(7).standard_normal((5, 60, 9)))
    assert "at least 90 distinct rows" in TEXTS(short).reason and "the longest has 60" in TEXTS(short).reason
    assert "every-1" in TEXTS(short).reason
    assert "there are 89 distinct rows" in WHOLE(generic(89, 9, np.random.default_rng(8))).reason


def test_a_tree_that_grows_as_fast_as_the_number_of_rows_has_no_dimension_and_says_so():
    """Orthogonal rows are all equally far apart."""
    assert "no dimension" in WHOLE(np.eye(200)).reason
