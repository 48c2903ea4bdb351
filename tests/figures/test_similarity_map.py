"""The map of representations on hand-made places."""

from analysis.figures import similarity_map
from analysis.figures.theme import Style
from tests.figures.made import COLOURS, check_figure, drawn, listed, named, plain


def placed(run, site="final", count=4, shift=0.0):
    return [{"run": run, "revision": f"step{k}", "step": k, "tokens": None, "site": site, "x": k + shift, "y": k**2 / 4}
            for k in range(count)]


def build(records, style=Style()):  # noqa: B008 - frozen
    return similarity_map.build(records, (0.61, 0.2), COLOURS, style)


def test_a_path_goes_through_the_checkpoints_from_an_open_circle_to_a_star():
    path = named(build(placed("alpha")), "alpha · final")
    assert tuple(path.x) == (0, 1, 2, 3) and path.mode == "lines+markers"
    assert tuple(path.marker.symbol) == ("circle-open", "circle", "circle", "star")
    assert path.line.color == COLOURS["alpha"]


def test_hovering_says_run_step_and_site():
    path = named(build(placed("alpha")), "alpha · final")
    assert list(path.customdata[2]) == ["step2", "final"]
    assert "alpha" in path.hovertemplate and "%{customdata[0]}" in path.hovertemplate


def test_a_unit_is_as_long_in_both_directions_and_axes_say_their_share():
    layout = build(placed("alpha")).layout
    assert layout.yaxis.scaleanchor == "x" and layout.yaxis.scaleratio == 1
    assert "61%" in layout.xaxis.title.text and "20%" in layout.yaxis.title.text


def test_a_layout_without_axes_of_its_own_says_no_share():
    titles = similarity_map.build(placed("alpha"), None, COLOURS, Style()).layout
    assert titles.xaxis.title.text == "Axis 1 (rad)" and "%" not in titles.yaxis.title.text


def test_runs_have_colours_sites_have_shades_and_each_is_named_once():
    figure = build([*placed("alpha"), *placed("alpha", "embedding", shift=5), *placed("beta", shift=9),
                    *placed("beta", "embedding", shift=14)])
    assert len(drawn(figure)) == 4 and len({trace.line.color for trace in drawn(figure)}) == 4
    assert listed(figure) == ["alpha", "beta", "embedding", "final", "first checkpoint", "last checkpoint"]
    check_figure(figure)


def test_one_run_with_one_site_is_named_whole():
    assert listed(build(placed("alpha"))) == ["alpha · final", "first checkpoint", "last checkpoint"]


def test_one_checkpoint_is_one_star():
    assert tuple(named(build(placed("alpha", count=1)), "alpha · final").marker.symbol) == ("star",)


def test_the_figure_is_plain_json_and_dark_paper_differs():
    assert plain(build(placed("alpha"))) and build(placed("alpha")).layout.paper_bgcolor != build(
        placed("alpha"), Style(dark=True)).layout.paper_bgcolor


def test_the_reference_has_a_ring_where_it_stands_and_one_entry():
    records = [*placed("alpha"), *placed("beta", shift=5.0), *placed("alpha", "block 1", shift=9.0)]
    ringed = [record for record in records if record["run"] == "alpha" and record["revision"] == "step2"]
    figure = similarity_map.build(records, (0.6, 0.2), COLOURS, Style(), ringed)
    rings, = [trace for trace in drawn(figure) if trace.name == similarity_map.REFERENCE]
    assert list(zip(rings.x, rings.y, strict=True)) == [(2.0, 1.0), (11.0, 1.0)]
    assert rings.marker.symbol == "circle-open" and rings.marker.color == Style().ink
    assert listed(figure).count(similarity_map.REFERENCE) == 1
    assert similarity_map.REFERENCE not in [trace.name for trace in build(records).data]
