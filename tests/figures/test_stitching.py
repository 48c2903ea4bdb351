"""Stitches as they are drawn: the map with its baselines, grey where a stitch says nothing, and rank curves."""

import pytest

from analysis.figures import stitching
from analysis.figures.theme import Style
from tests.figures.made import check_figure, named, plain

STYLE, SITES = Style(), ["embedding", "block 1", "final"]
TITLES, PENALTY = ("Sender: a", "Receiver: b"), ("penalty", "Penalty (nats per prediction)")


def row(source, target, penalty, kind="affine", said="", ends=True, **more):
    told = {"source": source, "target": target, "map": kind, "rank": 8, "rank95_r2": None, "rank95_loss": None,
            "uninformative": said, "r2": 0.5, "mean_distance": 0.1, "covariance_distance": 0.4}
    for name, value in (("penalty", penalty), ("recovered", None if penalty is None else 1 - penalty / 4),
                        ("agreement", 0.5)):
        told |= {name: value, f"{name}_low": value - 0.1 if ends and value is not None else None,
                 f"{name}_high": value + 0.2 if ends and value is not None else None}
    return told | more


CELLS = [[row(i, j, 0.5 + 0.1 * at + 0.2 * to, said="a random sender passes" if j == "embedding" else "")
          for to, j in enumerate(SITES)] for at, i in enumerate(SITES)]
ALONG = {"stitch": CELLS[2], "untrained sender": [row("final", j, 2.0) for j in SITES],
         "self-stitch": [row("final", j, 0.1) for j in SITES], "identity": [None, row("final", "block 1", 5.0), None],
         "mean ablation": [row("final", j, 3.0 + at, "mean") for at, j in enumerate(SITES)],
         "shuffled rows": [row("final", j, 3.1, "shuffled") for j in SITES]}


def grid(cells=CELLS, quantity=PENALTY, style=STYLE):
    return stitching.grid(cells, (SITES, SITES), TITLES, quantity, ALONG, "final", style)


@pytest.mark.parametrize("style", [Style(), Style(dark=True)], ids=["light", "dark"])
@pytest.mark.parametrize("quantity", ["penalty", "recovered", "r2", "agreement"])
def test_every_quantity_is_drawn_in_both_views(quantity, style):
    check_figure(stitching.lines(ALONG, SITES, ("Site", ""), (quantity, "Name (unit)"), style))
    figure = grid(quantity=(quantity, "Name (unit)"), style=style)
    heat = named(figure, "Name (unit)")
    assert (heat.zmin, heat.zmax) == (0, 3.0 if quantity == "penalty" else 1)
    assert heat.reversescale == (quantity != "penalty"), "the darker, the better the receiver reads it"


def test_a_stitch_that_says_nothing_is_grey_with_its_reason():
    figure = grid()
    heat, grey = named(figure, PENALTY[1]), named(figure, stitching.SAYS_NOTHING)
    assert [line[0] for line in heat.z] == [None] * 3 and all(line[0] is not None for line in grey.z)
    assert all(line[1:] == (None, None) for line in map(tuple, grey.z)) and not grey.showscale
    assert "says nothing of the sender: a random sender passes" in grey.hovertext[0][0]
    stitch = named(figure, "stitch")
    assert list(stitch.marker.color) == [STYLE.paper, stitching.PALETTE[0], stitching.PALETTE[0]]


def test_no_grey_layer_stands_where_every_stitch_says_something():
    cells = [[{**cell, "uninformative": ""} for cell in line] for line in CELLS]
    assert [trace.name for trace in grid(cells).data if trace.type == "heatmap"] == [PENALTY[1]]


@pytest.mark.parametrize("figure", [grid(), stitching.lines(ALONG, SITES, ("Site", ""), PENALTY, STYLE)],
                         ids=["grid", "lines"])
def test_all_baselines_are_in_the_figure_thinner_than_the_stitch(figure):
    stitch = named(figure, "stitch")
    for name in stitching.BASELINES:
        assert named(figure, name).line.width < stitch.line.width
    assert list(named(figure, "identity").x) == ["block 1"], "a baseline that does not exist leaves a gap"
    assert list(stitch.error_y.array) == pytest.approx([0.2] * 3)
    assert list(stitch.error_y.arrayminus) == pytest.approx([0.1] * 3)


def test_the_row_below_is_framed_above():
    frame, = plain(grid())["layout"]["shapes"]
    assert (frame["y0"], frame["y1"], frame["x0"], frame["x1"]) == (1.5, 2.5, -0.5, 2.5)


def test_a_value_that_does_not_exist_leaves_its_cell_empty():
    cells = [[None if at == to else cell for to, cell in enumerate(line)] for at, line in enumerate(CELLS)]
    cells[0][1] = row("embedding", "block 1", None)
    heat = named(grid(cells), PENALTY[1])
    assert heat.z[0][1] is None and heat.z[1][1] is None and heat.z[0][2] is not None


def test_values_without_intervals_have_none_drawn():
    bare = {**ALONG, "stitch": [row("final", j, 0.5, ends=False) for j in SITES]}
    assert named(stitching.lines(bare, SITES, ("Site", ""), PENALTY, STYLE), "stitch").error_y.array is None
    assert named(grid(quantity=("r2", "R²")), "stitch").error_y.array is None


def test_many_sites_carry_no_numbers_in_their_cells():
    sites = [f"block {k}" for k in range(9)]
    cells = [[row(i, j, 1.0) for j in sites] for i in sites]
    along = {"stitch": cells[0], "mean ablation": [row(sites[0], j, 3.0, "mean") for j in sites]}
    figure = stitching.grid(cells, (sites, sites), TITLES, PENALTY, along, sites[0], STYLE)
    assert named(figure, PENALTY[1]).text is None
    assert named(grid(), PENALTY[1]).text is not None


def test_rank_curves_have_both_shares_and_the_ranks_that_recover_95_percent():
    points = [row("final", "final", 2.0, "reduced rank 2", rank=2),
              row("final", "final", 0.5, rank=4, rank95_r2=3, rank95_loss=4)]
    figure = stitching.ranks([-0.01, 0.2, 0.4, 0.45, 0.46], points, STYLE)
    check_figure(figure)
    assert list(named(figure, "held-out R²").y) == [-0.01, 0.2, 0.4, 0.45, 0.46]
    assert list(named(figure, "loss recovered").x) == [2, 4]
    assert sorted(shape["x0"] for shape in plain(figure)["layout"]["shapes"]) == [3, 4]
