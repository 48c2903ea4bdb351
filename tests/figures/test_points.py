"""The moving map of points: its frames, colours, rings, paths and words."""

import numpy as np
import pytest

from analysis.figures import points
from analysis.figures.theme import PALETTE, Style
from analysis.maps import reading
from tests.figures.made import check_figure, listed, named, plain
from tests.maps.made import made

LABELS = {"kind": ["a", "b", "a", "c"] * 5}


def build(found=None, way="label kind", labels=LABELS, style=Style(), at=0, **given):  # noqa: B008 - frozen
    found = found or made()
    return points.build(found, reading.colouring(found, way, labels), reading.hover(found, labels), at=at, style=style,
                        **given)


def moving(figure):
    return [figure.data[index] for index in figure.frames[0].traces]


def test_each_frame_places_each_point_where_the_map_has_it():
    found = made()
    figure = build(found)
    for f, frame in enumerate(figure.frames):
        placed = {int(told[0]): (x, y) for trace in frame.data
                  for x, y, told in zip(trace.x, trace.y, trace.customdata, strict=True)}
        assert sorted(placed) == list(range(12))
        assert np.allclose([placed[row] for row in range(12)], found.positions[f], rtol=1e-6)


@pytest.mark.parametrize("at", [0, 2])
def test_the_map_stands_at_the_frame_asked_for_and_so_does_the_slider(at):
    figure = build(at=at)
    for shown, frame in zip(moving(figure), figure.frames[at].data, strict=True):
        assert np.array_equal(shown.x, frame.x) and np.array_equal(shown.customdata, frame.customdata)
    assert figure.layout.sliders[0].active == at
    assert figure.layout.annotations[0] == figure.frames[at].layout.annotations[0]


def test_the_slider_has_a_step_for_every_frame_and_a_button_plays_them_from_the_first():
    figure = build()
    assert [step.label for step in figure.layout.sliders[0].steps] == list(made().frames)
    assert [step.args[0] for step in figure.layout.sliders[0].steps] == [(frame.name,) for frame in figure.frames]
    play, pause = figure.layout.updatemenus[0].buttons
    assert play.args[0] is None and pause.args[0] == (None,)


def test_a_frame_says_its_name_and_how_faithful_it_is():
    said = [frame.layout.annotations[0].text for frame in build().frames]
    assert all(name in text and f"trustworthiness {0.9 - f / 100:.2f}" in text
               for f, (name, text) in enumerate(zip(made().frames, said, strict=True)))


def test_ranges_hold_every_point_of_every_frame_and_a_unit_is_as_long_in_both_directions():
    found = made(frames=4)
    layout = build(found).layout
    for axis, side in ((layout.xaxis, 0), (layout.yaxis, 1)):
        assert axis.range[0] < found.positions[..., side].min() and axis.range[1] > found.positions[..., side].max()
        assert axis.showticklabels is False
    assert layout.yaxis.scaleanchor == "x" and layout.yaxis.scaleratio == 1
    assert all(not frame.layout.xaxis.range for frame in build(found).frames), "a frame moves no axis"


def test_groups_have_colours_and_names_and_points_without_a_label_are_grey():
    figure = build(labels={"kind": ["a", "b", "", ""] * 5})
    assert listed(figure) == [reading.OTHER, "a", "b"]
    assert [named(figure, name).marker.color for name in ("a", "b")] == list(PALETTE[:2])
    assert named(figure, reading.OTHER).marker.color == Style().muted
    assert len(named(figure, "a").x) == 3 and len(named(figure, reading.OTHER).x) == 6


def test_ten_groups_differ_by_colour_or_symbol():
    held = [str(i % 10) for i in range(20)]
    figure = build(made(drawn=20), labels={"kind": held})
    looks = {(trace.marker.color, trace.marker.symbol) for trace in moving(figure)}
    assert len(looks) == 10 and listed(figure) == [str(i) for i in range(10)]


def test_a_number_that_differs_from_frame_to_frame_moves_the_colours_on_one_scale():
    found = made()
    figure = build(found, reading.NORM)
    dots = named(figure, "Norm of the row")
    assert (dots.marker.cmin, dots.marker.cmax) == (found.norms.min(), found.norms.max())
    for f, frame in enumerate(figure.frames):
        assert np.allclose(frame.data[0].marker.color, found.norms[f], rtol=1e-6)
    check_figure(figure)


def test_numbers_of_the_texts_colour_the_points_and_those_without_are_grey():
    figure = build(made(drawn=20), labels={"kind": ["", *map(str, range(1800, 1819))]})
    assert len(named(figure, "kind").x) == 19 and len(named(figure, reading.OTHER).x) == 1
    assert named(figure, "kind").marker.cmin == 1800
    check_figure(figure)


def test_chosen_points_have_letters_and_found_ones_rings_that_move_with_them():
    found = made()
    figure = build(found, picked=[5, 2], ringed=[7])
    letters, ring = named(figure, "chosen"), named(figure, "found")
    assert tuple(letters.text) == ("A", "B") and "text" in letters.mode
    assert letters.x[1] == np.float32(found.positions[0, 2, 0]) and ring.marker.symbol == "circle-open"
    last = figure.frames[-1].data
    assert last[-1].x[0] == np.float32(found.positions[-1, 5, 0])
    assert last[-2].x[0] == np.float32(found.positions[-1, 7, 0])
    check_figure(figure)


def paths(figure):
    return [trace for trace in figure.data if trace.name == "paths"]


def test_few_points_have_all_their_paths_drawn_before_anything_moves():
    found = made()
    path, = paths(build(found))
    assert len(path.x) == 12 * (3 + 1) and path.x[3] is None
    assert np.allclose(path.x[4:7], found.positions[:, 1, 0], atol=1e-4)


def test_of_many_points_only_chosen_and_found_ones_have_paths():
    found = made(drawn=100, searched=100)
    labels = {"kind": ["a", "b"] * 50}
    assert paths(build(found, labels=labels)) == []
    assert [len(path.x) for path in paths(build(found, labels=labels, picked=[3], ringed=[4, 5]))] == [8, 4]


def test_hovering_says_token_context_label_id_norm_and_new_neighbours():
    dots = named(build(), "a")
    assert dots.hovertext[0] == "peace<br>before 0 peace after<br>kind a<br>text0@1"
    assert "%{customdata[1]" in dots.hovertemplate and "%{customdata[2]" in dots.hovertemplate


def test_what_is_said_once_is_not_repeated_in_the_frames():
    for frame in plain(build())["frames"]:
        assert all(set(data) <= {"x", "y", "customdata", "marker", "type"} for data in frame["data"])


def test_text_that_looks_like_html_is_shown_as_text():
    found = made(tokens=("<b>x</b>",) * 20)
    assert named(build(found), "a").hovertext[0].startswith("&lt;b&gt;x&lt;/b&gt;")


def test_one_frame_needs_no_controls():
    figure = build(made(frames=1))
    assert not figure.frames and not figure.layout.sliders and not figure.layout.updatemenus
    assert "step0" in figure.layout.annotations[0].text
    check_figure(figure)


@pytest.mark.parametrize("dark", [False, True])
def test_the_figure_is_plain_json_on_either_paper(dark):
    check_figure(build(style=Style(dark=dark)))


def test_a_thousand_points_and_twelve_frames_are_at_most_two_megabytes():
    found = made(drawn=1000, searched=5000, frames=12, k=10, tokens=(" Congress",) * 5000,
                 contexts=("a context of about a hundred characters that stands on both sides of the token ▏ as it "
                           "does here",) * 5000)
    labels = {"year": [str(1790 + i % 200) for i in range(5000)], "party": ["Democratic-Republican"] * 5000}
    figure = build(found, reading.CHANGE, labels, picked=range(6), ringed=range(200))
    assert len(figure.to_json()) < 2_000_000


def test_faithfulness_is_a_line_for_each_number_with_a_dotted_one_for_chance():
    found = made(drawn=31)
    figure = points.faithfulness(found, Style())
    assert listed(figure) == ["trustworthiness", "neighbourhood overlap", "rank correlation of distances"]
    assert tuple(named(figure, "neighbourhood overlap").y) == tuple(f["neighbourhood_overlap"] for f in found.facts)
    assert set(named(figure, "neighbourhood overlap by chance").y) == {0.5}
    assert figure.layout.yaxis.range[0] < 0 and figure.layout.yaxis.range[1] > 1
    check_figure(figure)


def test_an_axis_goes_below_zero_where_distances_are_turned_around():
    worse = tuple({**facts, "distance_correlation": -0.4} for facts in made().facts)
    assert points.faithfulness(made(facts=worse), Style()).layout.yaxis.range[0] < -0.4
