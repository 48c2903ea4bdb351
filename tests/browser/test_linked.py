"""The linked path in a browser: a point opens what is behind it, the way on and back, and hover over several charts."""

import re

from tests.browser.conftest import settle
from tests.browser.pages import go_to

INSIDE = "#inside"


def click_a_point(page, number, chart=0):
    """Click the marker of a trace's point, where the figure has drawn it."""
    page.locator(".js-plotly-plot").nth(chart).scroll_into_view_if_needed()
    place = page.evaluate("""([chart, number]) => {
        const drawn = document.querySelectorAll('.js-plotly-plot')[chart]
        const trace = drawn._fullData.find(t => t.mode.includes('markers') && t.customdata)
        const box = drawn.getBoundingClientRect(), layout = drawn._fullLayout
        return [box.left + layout.xaxis._offset + layout.xaxis.d2p(trace.x[number]),
                box.top + layout.yaxis._offset + layout.yaxis.d2p(trace.y[number])] }""", [chart, number])
    page.mouse.move(*place)
    page.mouse.click(*place)


def inside(page):
    page.wait_for_selector(INSIDE)
    settle(page)
    return page.locator(INSIDE).inner_text()


def test_a_click_on_a_point_opens_its_spectrum_layers_and_points_and_the_way_back(visit):
    page = visit("trajectories?runs=sotu-neox-seed1", fresh=True)
    click_a_point(page, 7)
    assert inside(page) == "step64 of sotu-neox-seed1, at final"
    page.wait_for_function("document.querySelectorAll('.js-plotly-plot').length === 4")
    assert "point=sotu-neox-seed1%40step64%3Afinal" in page.url
    page.get_by_role("button", name="Later").click()
    page.wait_for_selector(f"{INSIDE}:has-text('step128')")
    settle(page)
    click_a_point(page, 1, chart=2)  # the second site of the profile over depth
    page.wait_for_selector(f"{INSIDE}:has-text('block 1')")
    settle(page)
    restored = visit(page.url.split("/", 3)[3], fresh=True)
    assert inside(restored) == "step128 of sotu-neox-seed1, at block 1"
    page.get_by_role("button", name="Back to the whole training").click()
    page.wait_for_selector(INSIDE, state="detached")
    settle(page)
    assert "point=" not in page.url and page.said == []


def test_a_checkpoint_that_is_pinned_is_the_reference_of_the_next_page_too(visit):
    page = visit("?runs=sotu-neox-seed1&point=sotu-neox-seed1@step8:final", fresh=True)
    page.get_by_role("button", name="Pin as reference").click()
    page.wait_for_url(re.compile("pin=sotu-neox-seed1%40step8"))
    settle(page)
    name = "() => document.querySelector('.js-plotly-plot').data.map(t => t.name)"
    assert "reference sotu-neox-seed1@step8 · final" in page.evaluate(name)
    go_to(page, "Spectra")
    page.wait_for_selector("h1:has-text('Spectra')")
    settle(page)
    assert "pin=sotu-neox-seed1%40step8" in page.url and page.said == []


def test_hovering_one_chart_marks_the_same_step_in_the_others_of_that_axis(visit):
    page = visit("topology?runs=sotu-neox-seed1", height=2600)
    lines = """() => [...document.querySelectorAll('.js-plotly-plot')].map(c => {
        const l = c.querySelector('.explorer-hover-line'), a = c._fullLayout.xaxis
        return l && l.style.display === 'block' ? a.p2c(parseFloat(l.style.left) - c._fullLayout._size.l) : null })"""
    label = "document.querySelectorAll('.js-plotly-plot')[1].querySelectorAll('.hovertext').length"
    for moved in range(50):  # a figure that is drawn anew under the mouse loses its line and its label
        box = page.locator(".js-plotly-plot").first.bounding_box()
        page.mouse.move(box["x"] + 420 + moved % 2, box["y"] + 120)
        page.wait_for_timeout(200)
        if page.evaluate(label) and None not in page.evaluate(lines)[:2]:
            break
    first, second, *others = page.evaluate(lines)
    assert abs(first - second) < 1e-3 * first and set(others) == {None}, "the same step, and only charts of steps"
    assert page.evaluate(label) == 1, "what the other chart has at that step"
    page.mouse.move(5, 5)
    page.wait_for_function("[...document.querySelectorAll('.explorer-hover-line')].every(l => !l.checkVisibility())")
    assert page.said == []
