"""The app by keyboard alone, without motion, and enlarged."""

import pytest

from tests.browser.conftest import settle

# Everything of a page that takes a click, in sight and not switched off; a figure's buttons have keys of their own.
MARK = """() => [...document.querySelectorAll(
        'button, a[href], input, select, textarea, summary, [role=slider], [role=radio]')]
    .filter(e => e.checkVisibility({visibilityProperty: true, opacityProperty: true}) && !e.disabled
        && !e.closest('[aria-hidden=true], [inert], .modebar, [data-testid=stElementToolbar]')
        && e.getBoundingClientRect().width > 1)
    .map((e, number) => e.dataset.control = number).length"""
FOCUSED = """() => {
    const at = document.activeElement, box = at.getBoundingClientRect();
    const seen = at.dataset.reached || !at.dataset.control;
    at.dataset.reached = 1;
    return [seen, at.getAttribute('aria-label') || at.innerText || at.tagName,
            {x: Math.max(0, box.x - 8), y: Math.max(0, box.y - 8), width: box.width + 16, height: box.height + 16}];
}"""
# Within a field or a group of choices one part takes the focus and arrows or Delete do the rest.
UNREACHED = """() => [...document.querySelectorAll('[data-control]')].filter(e => !e.dataset.reached && !e.closest(
        '[data-testid=stSelectbox], [data-testid=stMultiSelect], [role=radiogroup]')?.querySelector('[data-reached]'))
    .map(e => `${e.tagName} ${e.getAttribute('aria-label') || e.innerText}`)"""
MOVES = """() => document.getAnimations().filter(one => one.playState === 'running')
    .map(one => `${one.animationName || one.transitionProperty} of ${one.effect.target.outerHTML.slice(0, 80)}`)"""


def walked(page):
    """Press Tab until every control has had its turn twice over; the names of those that look no different with the
    focus on them."""
    unseen = []
    for _ in range(2 * page.evaluate(MARK)):
        page.keyboard.press("Tab")
        seen, name, box = page.evaluate(FOCUSED)
        if not seen:
            focused = page.screenshot(clip=box)
            page.evaluate("document.activeElement.blur()")  # Tab goes on from there
            if page.screenshot(clip=box) == focused:
                unseen.append(name)
    return unseen


@pytest.mark.parametrize("path", ["trajectories", "similarity"])
def test_the_keyboard_reaches_every_control_and_shows_where_it_is(visit, path):
    page = visit(path, reduced_motion="reduce")
    assert walked(page) == [] and page.evaluate(UNREACHED) == []


def test_a_control_that_the_keyboard_cannot_reach_or_see_is_noticed(visit):
    page = visit("jobs", reduced_motion="reduce")
    page.evaluate("""() => document.querySelector('h1').insertAdjacentHTML('afterend',
        `<button tabindex=-1>far</button><button style='outline: 0; all: unset'>dim</button>`)""")
    assert walked(page) == ["dim"] and page.evaluate(UNREACHED) == ["BUTTON far"]


def test_arrows_move_within_a_group_of_choices(visit):
    page = visit("trajectories")
    page.get_by_role("radio", name="step", exact=True).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url("**axis=tokens**")


def test_who_asks_for_less_motion_is_shown_a_page_that_stands_still(visit):
    page = visit("trajectories", reduced_motion="reduce")
    page.wait_for_timeout(500)
    assert page.evaluate(MOVES) == []


@pytest.mark.parametrize("path", ["", "trajectories", "similarity", "checkpoints"])
def test_at_twice_the_size_everything_is_there_and_nothing_is_cut_off(visit, path):
    page = visit(path, width=640, height=450, fresh=True)  # what a window of 1280 x 900 holds at 200 %
    settle(page)
    assert page.locator("h1").is_visible() and page.get_by_test_id("stException").count() == 0
    assert page.evaluate("""() => Math.max(...[...document.querySelectorAll(
        'html, [data-testid=stMain], [data-testid=stMainBlockContainer]')].map(e => e.scrollWidth))""") <= 640
    cut = page.evaluate("""() => [...document.querySelectorAll(
        '[data-testid=stMain] :is(h1, h2, h3, p, label, button)')]
        .filter(e => e.checkVisibility({visibilityProperty: true}) && !e.closest('details:not([open])')
            && e.getBoundingClientRect().width > 1 && e.getBoundingClientRect().right > 640.5)
        .map(e => e.innerText)""")
    assert cut == []
    page.get_by_test_id("stExpandSidebarButton").click()  # the choices are a click away
    assert page.get_by_test_id("stSidebar").get_by_role("combobox").first.is_visible() or path == "checkpoints"
