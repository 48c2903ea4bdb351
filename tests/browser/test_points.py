"""The map of points in a browser: it plays, and points that are chosen on it list their neighbours."""

import re

import pytest

from tests.browser.conftest import running, settle, wait_until
from tests.browser.test_browser import compute, open_folder

CHART = "document.querySelector('.js-plotly-plot')"
DRAG = ".js-plotly-plot .nsewdrag"


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    with running(tmp_path_factory.mktemp("points"), HF_HUB_OFFLINE="1") as address:
        yield address


def frame(page):
    return re.match("<b>(.+?)</b>", page.evaluate(f"() => {CHART}.layout.annotations[0].text"))[1]


def places(page):
    return page.evaluate(f"() => Array.from({CHART}._fullData.at(-1).x)")


def ready(page):
    page.wait_for_selector(DRAG)
    settle(page)


def test_a_choice_at_another_frame_lists_neighbours_and_stays_there_and_the_map_plays(visit, small_run):
    page = visit("?probe=numbers-mod-59")
    open_folder(page, small_run)
    page.wait_for_selector("text=Opened small: 2 checkpoint(s).")
    page = visit("points?runs=small&probe=numbers-mod-59")
    compute(page)
    ready(page)
    page.evaluate(f"() => {CHART}.scrollIntoView()")
    first = places(page)
    page.locator(".slider-rail-touch-rect").first.click(position={"x": 2, "y": 5})
    wait_until(lambda: frame(page) == "step0" and places(page) != first)
    page.wait_for_timeout(800)  # until the points have arrived
    box = page.locator(DRAG).first.bounding_box()
    page.mouse.move(box["x"] + 1, box["y"] + 1)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] - 2, steps=6)
    page.mouse.up()
    page.wait_for_url(re.compile("(?=.*map_points=)(?=.*map_frame=step0)"))
    ready(page)
    assert page.get_by_role("tab").count() == 6 and frame(page) == "step0"
    again = visit(page.url.split("/", 3)[3], fresh=True)
    ready(again)
    assert again.get_by_role("tab").all_inner_texts() == page.get_by_role("tab").all_inner_texts()
    again.locator(".updatemenu-button").first.click()
    wait_until(lambda: frame(again) == "step8")
    again.get_by_role("slider", name="Frame").focus()
    again.keyboard.press("ArrowRight")
    again.wait_for_url(lambda url: "map_frame" not in url)
    ready(again)
    assert frame(again) == "step8" and page.said == [] and again.said == []
