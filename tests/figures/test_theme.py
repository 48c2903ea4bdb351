"""What all builders share: one colour a run, contrast on both papers, and a house number for their length."""

import ast
from pathlib import Path

import pytest

from analysis.figures import spectrum, trajectory
from analysis.figures.theme import PALETTE, Style, axis_title, faded, run_colours, shade
from analysis.results import Panel
from tests.figures.made import COLOURS, measure, named, record
from tests.figures.test_spectrum import view

FOLDER = Path(trajectory.__file__).parent
PARTS = ("__init__", "theme", "shading", "legend")
BUILDERS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in PARTS)


def body_lines(function: ast.FunctionDef) -> int:
    """Lines from the first statement after the docstring to the last."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return body[-1].end_lineno - body[0].lineno + 1


def functions(source: str) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("name", BUILDERS)
def test_a_builder_is_at_most_40_lines(name):
    found = functions((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    assert any(not function.startswith("_") for function in found)
    assert {function: lines for function, node in found.items() if (lines := body_lines(node)) > 40} == {}


def test_the_length_check_counts_lines_and_not_docstrings():
    long = "def build():\n    '''One.\n\n    Two.'''\n" + "    x = 1\n" * 41
    assert body_lines(functions(long)["build"]) == 41


def test_a_run_keeps_its_colour_from_builder_to_builder():
    line = named(trajectory.build([record("beta", 1, 5.0), record("beta", 2, 5.0)], Panel("loss", []), measure(),
                                  trajectory.Axis(), COLOURS, Style()), "beta · final")
    curve = spectrum.build([view("beta")], COLOURS, Style()).data[0]
    assert line.line.color == curve.line.color == COLOURS["beta"]


def test_runs_differ_in_colour_up_to_the_size_of_the_palette():
    names = [f"run {number}" for number in range(len(PALETTE))]
    assert len(set(run_colours(names).values())) == len(PALETTE)


def test_more_runs_than_colours_still_have_one_each():
    names = [f"run {number}" for number in range(20)]
    assert set(run_colours(names)) == set(names)


def test_a_faded_colour_keeps_its_hue():
    assert faded("#0072B2", 0.16) == "rgba(0,114,178,0.160)"


@pytest.mark.parametrize("dark", [False, True])
def test_shades_go_one_way_and_end_in_the_colour(dark):
    shades = [shade("#0072B2", index, 4, Style(dark=dark)) for index in range(4)]
    reds = [int(colour[1:3], 16) for colour in shades]
    assert reds == sorted(reds, reverse=True) and len(set(reds)) == 4
    assert shades[-1].lower() == "#0072b2" and shade("#0072B2", 0, 1, Style()) == "#0072B2"


def luminance(colour: str) -> float:
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055)**2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG contrast ratio, from 1 (the same) to 21 (black on white)."""
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_ink_can_be_read_and_lines_can_be_seen_on_the_paper(dark):
    style = Style(dark=dark)
    assert contrast(style.ink, style.paper) >= 7
    assert {colour: contrast(colour, style.paper) for colour in PALETTE if contrast(colour, style.paper) < 2} == {}


def test_the_contrast_of_black_on_white_is_21():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)


@pytest.mark.parametrize(("given", "title"), [
    (("Stable rank", "sr", "dimensions"), "Stable rank<br>sr (dimensions)"), (("Share", "s", ""), "Share<br>s"),
    (("Loss",), "Loss"), (("Exponent α", "α", ""), "Exponent α"), (("LiDAR", "LiDAR", "nats"), "LiDAR<br>(nats)"),
    (("Alpha β", "α", ""), "Alpha β<br>α")])
def test_an_axis_title_is_label_symbol_and_unit_and_says_nothing_twice(given, title):
    assert axis_title(*given) == title
