"""One page of several SVGs."""

import re
from xml.etree import ElementTree

import pytest

from analysis.publishing import drawing

MADE = ('<svg class="main-svg" xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        'width="100" height="50" viewBox="0 0 100 50"><defs><clipPath id="clip{uid}xy"><rect/></clipPath></defs>'
        '<g class="trace scatter trace{uid}" clip-path="url(#clip{uid}xy)" style="fill: url(\'#clip{uid}xy\')">'
        '<g class="cb{uid} colorbar"><g class="xcb{uid}tick"/></g><use xlink:href="#clip{uid}xy"/>'
        '<path style="vector-effect: non-scaling-stroke; stroke-width: 1px;"/></g>'
        '<text style="font-weight: {weight};">step 8 costs #fff</text></svg>')


def spec(count, **given):
    panels = [{"x": 10.0 * number, "y": 20.0, "letter": "ab"[number] if count > 1 else ""} for number in range(count)]
    return {"width_mm": 89, "height_mm": 40.5, "background": "#FFFFFF", "ink": "#000000", "letter_px": 10.0,
            "title": "A < B", "panels": panels} | given


def made(uid="a1b2c3", weight="normal"):
    return MADE.format(uid=uid, weight=weight)


def ids(svg):
    return re.findall(r'\bid="([^"]+)"', svg)


def test_a_page_is_well_formed_and_says_its_size_in_millimetres():
    page = ElementTree.fromstring(drawing.sheet([made(), made()], spec(2)))
    assert (page.get("width"), page.get("height")) == ("89mm", "40.5000mm")
    _, _, width, height = map(float, page.get("viewBox").split())
    assert (width, height) == (pytest.approx(89 / 25.4 * 96, abs=1e-4), pytest.approx(40.5 / 25.4 * 96, abs=1e-4))
    assert page.find("{*}title").text == "A < B"
    assert [(panel.get("x"), panel.get("y")) for panel in page.findall("{*}svg")] == [("0.0000", "20.0000"),
                                                                                     ("10.0000", "20.0000")]
    assert [text.text for text in page.findall("{*}text")] == ["a", "b"]


def test_two_figures_that_plotly_named_alike_do_not_share_a_name_and_each_use_finds_its_own():
    page = drawing.sheet([made(), made()], spec(2))
    assert len(set(ids(page))) == len(ids(page)) == 2
    assert "a1b2c3" not in page
    for name in ids(page):
        assert page.count(f"#{name}") == 3, "a clip path, a fill and a link"


def test_the_names_that_plotly_makes_up_do_not_change_the_page():
    assert drawing.sheet([made("a1b2c3")], spec(1)) == drawing.sheet([made("0f0f0f")], spec(1))


def test_text_that_looks_like_a_name_is_left_and_lines_grow_with_the_page():
    page = drawing.sheet([made("fff000")], spec(1))
    assert "step 8 costs #fff<" in page and "non-scaling-stroke" not in page and "stroke-width: 1px" in page


def test_a_transparent_page_has_nothing_behind_its_figures():
    opaque, clear = (drawing.sheet([made()], spec(1, background=colour)) for colour in ("#14161A", ""))
    assert opaque.count("<rect") == clear.count("<rect") + 1 and "#14161A" in opaque


@pytest.mark.skipif(not drawing.face(), reason="Liberation Sans is not installed")
def test_only_the_styles_in_use_are_inside_the_file():
    assert drawing.sheet([made()], spec(1)).count("@font-face") == 1
    assert drawing.sheet([made(weight="bold")], spec(1)).count("@font-face") == 2
    assert "data:font/ttf;base64," in drawing.face() and "font-weight:bold" in drawing.face("bold")


@pytest.mark.parametrize("how", ["absent", "another font", "not TrueType"])
def test_a_machine_without_the_font_gets_a_file_that_names_it(monkeypatch, how):
    class Answer:
        stdout = "DejaVu Sans\n/x/DejaVuSans.ttf" if how == "another font" else "Liberation Sans\n/x/font.pfb"

    def run(*_, **__):
        if how == "absent":
            raise FileNotFoundError("fc-match")
        return Answer()
    monkeypatch.setattr(drawing.subprocess, "run", run)
    assert drawing.face.__wrapped__("") == ""
