"""The heat map of a pair measure on hand-made values."""

import numpy as np
import pytest

from analysis import registry
from analysis.figures import matrix
from analysis.figures.theme import Style
from analysis.results import PairMatrix
from tests.figures.made import check_figure, measure, plain

ROWS, COLUMNS = ["embedding", "block 1", "final"], ["embedding", "final"]
VALUES = np.array([[1.0, 0.2], [0.5, 0.4], [0.25, 0.9]])
TITLES = ("alpha, step8", "beta, step16")


def build(values=VALUES, chance=None, rows=ROWS, columns=COLUMNS, made=None, style=Style()):  # noqa: B008 - frozen
    made = made or registry.get("linear_cka_debiased")
    return matrix.build(PairMatrix(values=values, chance=chance), rows, columns, TITLES, made, style)


def test_a_cell_for_each_pair_between_named_sides():
    figure = build(chance=np.zeros_like(VALUES))
    (heat,) = figure.data
    np.testing.assert_array_equal(heat.z, VALUES)
    assert list(heat.y) == ROWS and list(heat.x) == COLUMNS
    assert figure.layout.yaxis.title.text == TITLES[0] and figure.layout.xaxis.title.text == TITLES[1]
    check_figure(figure)


def test_names_are_kept_as_names_even_when_they_look_like_numbers():
    layout = build(rows=["1", "2", "3"], columns=["4", "5"]).layout
    assert layout.xaxis.type == layout.yaxis.type == "category"


@pytest.mark.parametrize("name", ["linear_cka_debiased", "linear_cka_biased"])
def test_similarity_is_coloured_from_0_to_1_whatever_its_values(name):
    for values in (VALUES, VALUES / 100):
        heat = build(values, made=registry.get(name)).data[0]
        assert (heat.zmin, heat.zmax) == (0, 1)


def test_a_measure_without_bounds_gets_the_range_of_its_values():
    heat = build(made=measure(arity=2, bounds=(0.0, np.inf))).data[0]
    assert heat.zmin is None and heat.zmax is None


def test_the_scale_names_the_measure():
    assert build().data[0].colorbar.title.text == registry.get("linear_cka_debiased").symbol


def test_hovering_gives_both_names_the_value_and_the_value_by_chance():
    heat = build(chance=VALUES / 10).data[0]
    np.testing.assert_array_equal(heat.customdata, VALUES / 10)
    for part in (TITLES[0], TITLES[1], "%{x}", "%{y}", "%{z", "by chance %{customdata"):
        assert part in heat.hovertemplate


def test_hovering_says_nothing_of_chance_where_there_is_no_chance_level():
    assert "by chance" not in build(chance=None).data[0].hovertemplate


def test_a_small_map_writes_its_values_and_leaves_undefined_cells_empty():
    heat = build(np.array([[1.0, np.nan], [0.5, 0.4], [0.25, 0.9]])).data[0]
    assert [list(row) for row in heat.text] == [["1.00", ""], ["0.50", "0.40"], ["0.25", "0.90"]]
    assert heat.texttemplate == "%{text}"


def test_an_undefined_cell_is_a_gap_and_not_a_0():
    figure = build(np.array([[1.0, np.nan], [0.5, 0.4], [0.25, 0.9]]))
    assert np.isnan(figure.data[0].z[0][1])
    assert "NaN" not in figure.to_json() and plain(figure)


def test_a_large_map_writes_no_values():
    names = [f"step{number}" for number in range(20)]
    assert build(np.ones((20, 20)), rows=names, columns=names).data[0].text is None


def test_a_map_with_many_rows_is_taller():
    names = [f"step{number}" for number in range(40)]
    assert build(np.ones((40, 2)), rows=names).layout.height > build().layout.height


def test_dark_paper_differs():
    assert build().layout.paper_bgcolor != build(style=Style(dark=True)).layout.paper_bgcolor


def test_the_values_the_chance_and_the_names_are_not_changed():
    values, chance, rows, columns = VALUES.copy(), VALUES / 10, list(ROWS), list(COLUMNS)
    build(values, chance, rows, columns)
    np.testing.assert_array_equal(values, VALUES)
    np.testing.assert_array_equal(chance, VALUES / 10)
    assert (rows, columns) == (ROWS, COLUMNS)
