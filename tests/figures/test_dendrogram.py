"""The tree on hand-made brackets."""

from analysis.figures import dendrogram
from analysis.figures.theme import Style
from tests.figures.made import COLOURS, check_figure, named

BRACKETS = [[(5, 0), (5, 0.2), (15, 0.2), (15, 0)], [(10, 0.2), (10, 0.9), (25, 0.9), (25, 0)]]
LEAVES = [{"run": run, "revision": f"step{k}", "site": "final", "joined_at": at}
          for k, (run, at) in enumerate((("alpha", 0.2), ("alpha", 0.2), ("beta", 0.9)))]
NAMES = ["alpha step0", "alpha step1", "beta step2"]


def build(style=Style()):  # noqa: B008 - frozen
    return dendrogram.build(BRACKETS, LEAVES, NAMES, COLOURS, style)


def test_brackets_stand_apart_with_distance_to_the_right():
    joins = named(build(), "joins")
    assert tuple(joins.x) == (0, 0.2, 0.2, 0, None, 0.2, 0.9, 0.9, 0, None)
    assert tuple(joins.y) == (5, 5, 15, 15, None, 10, 10, 25, 25, None) and joins.connectgaps is False


def test_leaves_are_named_in_order_from_top_to_bottom_and_coloured_by_run():
    figure = build()
    assert list(figure.layout.yaxis.ticktext) == NAMES and list(figure.layout.yaxis.tickvals) == [5, 15, 25]
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]
    assert tuple(named(figure, "alpha").y) == (5, 15) and tuple(named(figure, "beta").y) == (25,)
    assert named(figure, "beta").marker.color == COLOURS["beta"]
    assert list(named(figure, "beta").customdata[0]) == ["step2", "final", 0.9]
    check_figure(figure)


def test_more_leaves_need_more_height_and_dark_paper_differs():
    many = dendrogram.build(BRACKETS, LEAVES * 10, NAMES * 10, COLOURS, Style())
    assert many.layout.height > build().layout.height
    assert build(Style(dark=True)).layout.paper_bgcolor != build().layout.paper_bgcolor


def test_the_reference_has_a_ring_around_its_leaf():
    figure = dendrogram.build(BRACKETS, LEAVES, NAMES, COLOURS, Style(), [LEAVES[1]])
    ring = named(figure, "reference")
    assert (list(ring.x), list(ring.y)) == ([0], [15]) and ring.showlegend
    assert "reference" not in [trace.name for trace in build().data]
