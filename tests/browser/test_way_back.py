"""The browser's own way back and forward through what was chosen, and through the pages."""

import re

from tests.browser.conftest import settle, wait_until
from tests.browser.pages import go_to, pick


def sites(page):
    picker = page.get_by_test_id("stSidebar").get_by_test_id("stMultiSelect").filter(has_text="Sites")
    return [line for line in picker.inner_text().split("\n")[1:] if line]


def add(page, site):
    """Choose one more site in the sidebar."""
    pick(page.get_by_test_id("stSidebar").get_by_role("combobox", name=re.compile("Sites")), site)
    page.keyboard.press("Escape")
    page.wait_for_url(re.compile(site.replace(" ", ".")))
    settle(page)


def shown(page, wanted):
    """Wait until the sites and the figure are those; the URL names them too, unless they are the usual one."""
    wait_until(lambda: sites(page) == wanted)
    settle(page)
    found = re.findall(r"[?&]sites=([^&]*)", page.url)
    assert [one.replace("+", " ") for one in found] == ([] if wanted == ["final"] else wanted)
    drawn = page.evaluate("() => document.querySelector('.js-plotly-plot').data.map(t => t.name || '').join(' ')")
    assert all(site in drawn for site in wanted)


def test_back_and_forward_go_through_the_choices_of_a_page_and_do_not_stop_at_one(visit):
    page = visit("trajectories?runs=sotu-neox-seed1", fresh=True)
    add(page, "block 1")
    add(page, "block 2")
    page.go_back()
    shown(page, ["final", "block 1"])
    page.go_back()
    shown(page, ["final"])
    page.go_forward()
    shown(page, ["final", "block 1"])
    page.go_forward()
    shown(page, ["final", "block 1", "block 2"])
    page.go_back()
    shown(page, ["final", "block 1"])
    add(page, "block 3")
    shown(page, ["final", "block 1", "block 3"])
    page.go_back()
    shown(page, ["final", "block 1"])
    assert page.said == []


def test_back_from_another_page_never_loses_the_selection_on_its_way(visit):
    page = visit("trajectories?runs=sotu-neox-seed1", fresh=True)
    add(page, "block 1")
    go_to(page, "Spectra")
    page.wait_for_selector("h1:has-text('Spectra')")
    settle(page)
    seen = []
    while page.locator("h1").inner_text() == "Spectra" and len(seen) < 3:
        assert sites(page) == ["final", "block 1"] and "runs=sotu-neox-seed1" in page.url
        seen.append(page.url)
        page.go_back()
        settle(page)
    assert page.locator("h1").inner_text() == "Trajectories"
    shown(page, ["final", "block 1"])
    assert page.said == []


def test_back_takes_a_reference_off_again_and_the_field_that_followed_it(visit):
    page = visit("drift?runs=sotu-neox-seed1", fresh=True)
    reference = page.get_by_test_id("stSidebar").get_by_role("combobox", name=re.compile("Reference"))
    pick(reference, "sotu-neox-seed1@step512")
    page.wait_for_url(re.compile("pin=sotu-neox-seed1%40step512"))
    settle(page)
    said = page.get_by_test_id("stMain").get_by_text("Compared with: the reference sotu-neox-seed1@step512")
    said.wait_for()
    page.go_back()
    said.wait_for(state="detached")
    settle(page)
    assert "pin=" not in page.url and "reference=" not in page.url and page.said == []
