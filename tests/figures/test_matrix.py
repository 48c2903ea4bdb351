"""The heat map of a pair measure on hand-made values."""

import numpy as np
import pytest

from analysis import export, registry
from analysis.figures import matrix
from analysis.figures.theme import Style
from analysis.results import PairMatrix
from tests.figures.made import check_figure, measure, named, plain

ROWS, COLUMNS = ["embedding", "block 1", "final"], ["embedding", "final"]
VALUES = np.array([[1.0, 0.2], [0.5, 0.4], [0.25, 0.9]])
TITLES = ("alpha, step8", "beta, step16")
CKA, IMBALANCE = registry.get("linear_cka_debiased"), registry.get("information_imbalance")


def shuffled(values=VALUES, low=0.0, high=0.1, draws=99):
    """A null of evenly spread values, the same in every cell."""
    return PairMatrix(values=values, null=np.broadcast_to(
        np.linspace(low, high, draws)[:, None, None], (draws, *values.shape)).copy())


def records_of(found, rows=ROWS, columns=COLUMNS, made=CKA, runs=("alpha", "beta")):
    sides = [[{"run": run, "revision": "step8", "site": site} for site in sites]
             for run, sites in zip(runs, (rows, columns), strict=True)]
    return export.matrix_records(found, *sides, made)


def build(values=VALUES, found=None, rows=ROWS, columns=COLUMNS, made=CKA, style=Style(), **how):  # noqa: B008 - frozen
    found = found or PairMatrix(values=values, chance=how.pop("chance", None))
    return matrix.build(records_of(found, rows, columns, made, how.pop("runs", ("alpha", "beta"))), rows, columns,
                        TITLES, made, style, **how)


def test_a_cell_for_each_pair_between_named_sides():
    figure = build(chance=np.zeros_like(VALUES))
    heat = figure.data[0]
    np.testing.assert_array_equal(heat.z, VALUES)
    assert list(heat.y) == ROWS and list(heat.x) == COLUMNS
    assert figure.layout.yaxis.title.text == TITLES[0] and figure.layout.xaxis.title.text == TITLES[1]
    check_figure(figure)


def test_names_are_kept_as_names_even_when_they_look_like_numbers():
    layout = build(rows=["1", "2", "3"], columns=["4", "5"]).layout
    assert layout.xaxis.type == layout.yaxis.type == "category"


def test_long_names_of_few_items_are_broken_and_others_are_left_to_plotly():
    long = ["some-long-run step16000", "another step8"]
    axis = build(VALUES[:2], rows=long).layout.yaxis
    assert list(axis.tickvals) == long and list(axis.ticktext) == ["some-long-run<br>step16000", "another<br>step8"]
    assert build().layout.yaxis.ticktext is None


@pytest.mark.parametrize("name", ["linear_cka_debiased", "linear_cka_biased", "linear_regression_r2_adjusted",
                                  "cknna_cosine"])
def test_similarity_is_coloured_from_0_to_1_whatever_its_values(name):
    for values in (VALUES, VALUES / 100):
        heat = build(values, made=registry.get(name)).data[0]
        assert (heat.zmin, heat.zmax) == (0, 1)


def test_a_measure_without_a_value_for_equal_sides_gets_the_range_of_its_values():
    heat = build(made=measure(arity=2, bounds=(0.0, np.inf), equal=None)).data[0]
    assert heat.zmin is None and heat.zmax is None


@pytest.mark.parametrize("name", ["angular_shape_distance", "information_imbalance"])
def test_a_distance_has_its_own_range_and_is_darker_where_more_is_alike_as_a_similarity_is(name):
    made = registry.get(name)
    heat, similar = build(made=made).data[0], build().data[0]
    assert (heat.zmin, heat.zmax) == made.bounds
    assert heat.reversescale is False and similar.reversescale is True
    assert heat.colorscale == similar.colorscale


def test_the_scale_names_the_measure():
    assert build().data[0].colorbar.title.text == CKA.symbol


def test_hovering_gives_both_names_the_value_its_interval_and_what_chance_gives():
    found = PairMatrix(values=VALUES, chance=VALUES / 10, null=shuffled().null, sizes=np.full(12, 10),
                       replicates=np.stack([VALUES + 0.01 * k for k in range(-6, 6)]))
    cells = named(build(found=found), "cells")
    record = records_of(found)[3]
    assert (cells.x[3], cells.y[3]) == ("final", "block 1")
    assert cells.hovertext[3].split("<br>") == [
        "alpha, step8 block 1", "beta, step16 final", f"{CKA.symbol} = 0.4000",
        f"95 % interval {record['low']:.4f} to {record['high']:.4f}", "by chance 0.0400 (exact)",
        f"texts shuffled: mean 0.0500, 95 % below {record['threshold']:.4f}", "p = 0.01; for any cell p = 0.01"]


def test_hovering_says_nothing_of_what_is_not_known():
    text = named(build(), "cells").hovertext[0]
    assert text == f"{TITLES[0]} embedding<br>{TITLES[1]} embedding<br>{CKA.symbol} = 1.0000"


def test_a_small_map_writes_its_values_and_leaves_undefined_cells_empty():
    heat = build(np.array([[1.0, np.nan], [0.5, 0.4], [0.25, 0.9]])).data[0]
    assert [list(row) for row in heat.text] == [["1.00", ""], ["0.50", "0.40"], ["0.25", "0.90"]]
    assert heat.texttemplate == "%{text}"


def test_an_undefined_cell_is_a_gap_and_not_a_0():
    figure = build(np.array([[1.0, np.nan], [0.5, 0.4], [0.25, 0.9]]))
    assert figure.data[0].z[0][1] is None
    assert "undefined" in named(figure, "cells").hovertext[1]
    assert "NaN" not in figure.to_json() and plain(figure)


def test_values_are_written_where_they_fit_on_a_phone():
    for size, written in ((6, True), (20, False)):
        names = [f"step{number}" for number in range(size)]
        heat = build(np.full((size, size), 0.5), rows=names, columns=names).data[0]
        assert (heat.text is not None) == (heat.texttemplate is not None) == written


def test_a_map_with_many_rows_is_taller():
    names = [f"step{number}" for number in range(40)]
    assert build(np.ones((40, 2)), rows=names).layout.height > build().layout.height


# --- chance ---


def test_above_chance_the_colour_is_the_calibrated_value_and_the_rest_is_empty_with_a_mark():
    values = np.array([[1.0, 0.05], [0.5, 0.02], [0.25, 0.9]])
    found = shuffled(values)
    figure = build(found=found, above_chance=True)
    heat, mark = figure.data[0], named(figure, "not above chance")
    assert heat.z[0][1] is None and heat.z[1][1] is None and heat.z[0][0] == 1.0
    threshold = 94 / 98 * 0.1  # the 95th of the 99 draws and the value itself, which is the largest
    assert heat.z[2][1] == pytest.approx((0.9 - threshold) / (1 - threshold), rel=1e-12)
    assert list(zip(mark.x, mark.y, strict=True)) == [("final", "embedding"), ("final", "block 1")]
    assert (heat.zmin, heat.zmax) == (0, 1) and "above chance" in heat.colorbar.title.text


def test_the_value_is_drawn_in_full_where_the_colour_is_the_value():
    found = shuffled(np.array([[1.0, 0.05], [0.5, 0.02], [0.25, 0.9]]))
    figure = build(found=found)
    assert figure.data[0].z[0][1] == 0.05 and all(trace.name != "not above chance" for trace in figure.data)


def test_of_a_measure_without_a_value_for_equal_sides_the_cells_above_chance_keep_their_values():
    made = registry.get("linear_cka_column_corrected")
    found = shuffled(np.array([[0.8, 0.05], [0.5, 0.02], [0.25, 0.9]]))
    heat = build(found=found, made=made, above_chance=True).data[0]
    assert list(heat.z[0]) == [0.8, None]
    assert heat.colorbar.title.text == made.symbol


def test_a_ring_stands_around_the_best_match_of_a_row_that_is_above_the_best_of_shuffled_texts():
    figure = build(found=shuffled(np.array([[0.3, 0.6], [0.02, 0.05], [0.9, 0.2]])))
    ring = named(figure, "best match of the row")
    assert list(zip(ring.x, ring.y, strict=True)) == [("final", "embedding"), ("embedding", "final")]


def test_of_a_distance_the_least_value_is_the_best_match():
    figure = build(found=shuffled(np.array([[0.3, 0.6], [1.0, 0.95], [0.9, 0.2]]), 0.9, 1.1), made=IMBALANCE)
    ring = named(figure, "best match of the row")
    assert list(zip(ring.x, ring.y, strict=True)) == [("embedding", "embedding"), ("final", "final")]


def test_an_item_is_not_its_own_best_match():
    found = shuffled(np.array([[1.0, 0.4], [0.4, 1.0]]))
    ring = named(build(found=found, rows=COLUMNS, columns=COLUMNS, runs=("alpha", "alpha")), "best match of the row")
    assert list(zip(ring.x, ring.y, strict=True)) == [("final", "embedding"), ("embedding", "final")]


def test_without_a_null_no_match_is_claimed():
    assert [trace.name for trace in build().data] == [None, "cells"]


# --- clicks ---


def test_every_cell_can_be_clicked_and_nothing_of_that_is_seen():
    cells = named(build(), "cells")
    assert list(zip(cells.y, cells.x, strict=True)) == [(row, column) for row in ROWS for column in COLUMNS]
    assert cells.marker.opacity == cells.selected.marker.opacity == cells.unselected.marker.opacity == 0
    assert build().layout.hoverdistance == -1


def test_a_map_of_very_many_cells_has_no_targets_and_hovers_by_itself():
    names = [f"step{number}" for number in range(80)]
    figure = build(np.ones((80, 80)), rows=names, columns=names)
    (heat,) = figure.data
    assert heat.hoverinfo != "skip" and heat.hovertext[3][5].startswith("alpha, step8 step3<br>beta, step16 step5")


def test_the_chosen_cell_is_framed():
    chosen = named(build(chosen=("block 1", "final")), "chosen")
    assert (list(chosen.x), list(chosen.y)) == (["final"], ["block 1"])


def test_dark_paper_differs():
    assert build().layout.paper_bgcolor != build(style=Style(dark=True)).layout.paper_bgcolor


def test_the_records_and_the_names_are_not_changed():
    records, rows, columns = records_of(shuffled()), list(ROWS), list(COLUMNS)
    before = [dict(record) for record in records]
    matrix.build(records, rows, columns, TITLES, CKA, Style(), above_chance=True)
    assert records == before and (rows, columns) == (ROWS, COLUMNS)
