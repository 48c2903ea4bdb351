"""The words of a figure, and the same figure in other words."""

import plotly.graph_objects as go
import pytest

from analysis.publishing.wording import AXIS, BAR, LEGEND, NOTE, reworded, words
from tests.publishing.made import SITES, animated, heat_map, lines


def test_every_text_is_listed_once_with_its_kind_and_axes_come_first():
    found = words(lines())
    assert list(found.values()) == sorted(found.values()), "axis before legend"
    assert {text for text, kind in found.items() if kind == LEGEND} == {"alpha", "beta", "gamma", *SITES}
    assert found["Training (optimizer steps)"] == AXIS and found["Loss"] == AXIS
    assert words(heat_map())["CKA<sub>u</sub>"] == BAR
    assert NOTE in words(animated()).values()


def test_lines_that_the_legend_does_not_name_are_not_listed():
    figure = go.Figure([go.Scatter(y=[1], name="band", showlegend=False), go.Scatter(y=[1], name="line")])
    assert words(figure) == {"line": LEGEND}
    assert words(go.Figure(go.Scatter(y=[1], name="alone"))) == {}
    assert words(figure.update_layout(showlegend=False)) == {}


def test_titles_of_legends_and_groups_are_listed():
    figure = go.Figure([go.Scatter(y=[1], name="a", legendgroup="x", legendgrouptitle_text="Runs"), go.Scatter(y=[2])])
    figure.update_layout(legend_title_text="Sites")
    assert words(figure) == dict.fromkeys(("Sites", "a", "Runs"), LEGEND)


def test_a_text_is_exchanged_wherever_it_stands_and_the_figure_itself_stays():
    figure = lines()
    before = figure.to_json()
    named = [trace.name for trace in figure.data if trace.name == "alpha"]
    copy = reworded(figure, {"alpha": "small model", "Loss": "Cross-entropy"})
    assert named and [trace.name for trace in copy.data].count("small model") == len(named)
    assert "Cross-entropy" in words(copy) and not {"alpha", "Loss"} & set(words(copy))
    assert figure.to_json() == before and len(copy.data) == len(figure.data)


def test_an_empty_text_takes_it_away():
    assert "Loss" not in words(reworded(lines(), {"Loss": ""}))


@pytest.mark.parametrize("made", [lines, heat_map, animated])
def test_without_changes_nothing_changes(made):
    assert reworded(made(), {}).to_json() == made().to_json()
    assert reworded(made(), {"no such text": "x"}).to_plotly_json()["layout"] == made().to_plotly_json()["layout"]
