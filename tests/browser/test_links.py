"""A pasted link shows what its sender saw, and two people at once do not see each other's choices."""

import pytest

from tests.browser.conftest import settle
from tests.browser.pages import PAGES, pick

DRAWN = """() => [...document.querySelectorAll('.js-plotly-plot')].map(figure => JSON.stringify(
    [figure.data, figure.layout], (_, value) => ArrayBuffer.isView(value) ? Array.from(value) : value))"""
ONE = "runs=sotu-neox-seed2&sites=block+2"
# Each page with figures: the link it is opened by, and what is then clicked: kind of field, its label, the option.
CHOICES = {
    "": (ONE, ()),
    "trajectories": (ONE, (("combobox", "Measure", "Stable rank"), ("radio", "Training in", "tokens"))),
    "phases": (ONE, (("radio", "Protocol", "Li 2025 (as released)"),)),
    "weights": ("runs=sotu-neox-seed2", (("combobox", "Measure", "Stable rank of the weights"),)),
    "spectra": (f"{ONE}&at=step0&at=step512", (("switch", "Isotropic noise", ""),)),
    "compare": ("runs=sotu-neox-seed1&runs=sotu-neox-seed2&sites=block+2", ()),
    "similarity": ("runs=sotu-neox-seed1&runs=sotu-neox-seed2", (("radio", "Compare", "step × step"),)),
    "drift": ("runs=sotu-neox-seed2", (("switch", "Logarithmic axis", ""),)),
    "similarity_map": ("runs=sotu-neox-seed1&runs=sotu-neox-seed2", (("radio", "Show", "tree"),)),
    "pair": ("runs=sotu-neox-seed1&runs=sotu-neox-seed2", (("combobox", "Measure", "Linear CKA, biased"),)),
    "stitching": ("runs=sotu-neox-seed1&runs=sotu-neox-seed2", ()),
    "seed_question": ("runs=sotu-neox-seed1", ()),
    "topology": ("runs=sotu-neox-seed2", (("radio", "Of", "H0: components"),)),
    "intrinsic_dimension": (ONE, ()),
    "points": ("runs=sotu-neox-seed1&map_frame=step0", ()),
    "known_answers": ("shape=torus", ()),
}
WITHOUT = {"checkpoints", "views", "jobs", "measures", "glossary",
           "sample_size"}  # nothing bundled is on shares of the documents


def choose(page, kind, label, option):
    if kind == "combobox":
        pick(page.get_by_test_id("stMain").get_by_role("combobox", name=label).first, option)
    elif kind == "radio":
        page.get_by_test_id("stMain").get_by_role("radiogroup", name=label).get_by_role("radio", name=option).click()
    else:
        page.get_by_test_id("stMain").get_by_text(label, exact=True).click()
    settle(page)


def figures(page):
    """Data and layout of every figure as the browser holds them, all of their traces."""
    settle(page)
    return page.evaluate(DRAWN)


def link(page):
    return page.url.split("/", 3)[3]


def test_no_page_with_figures_is_forgotten():
    assert set(CHOICES) | WITHOUT == set(PAGES) and not WITHOUT & set(CHOICES)


@pytest.mark.parametrize("path", CHOICES)
def test_a_link_restores_every_figure_in_a_browser_that_was_never_here(visit, path):
    query, clicks = CHOICES[path]
    page = visit(f"{path}?{query}")
    before = figures(page)
    for kind, label, option in clicks:
        choose(page, kind, label, option)
    shown = figures(page)
    assert shown and (not clicks or shown != before)
    other = visit(link(page), fresh=True)
    assert other.url == page.url and figures(other) == shown
    assert page.said == other.said == []


def test_two_people_at_once_do_not_change_each_others_page(visit):
    first, second = (visit(f"trajectories?runs=sotu-neox-seed{seed}", fresh=True) for seed in (1, 2))
    choose(first, "combobox", "Measure", "Stable rank")
    choose(second, "combobox", "Measure", "Participation ratio")
    choose(first, "radio", "Training in", "tokens")
    choose(second, "switch", "Logarithmic axis", "")
    for page, own, other in ((first, "seed1", "seed2"), (second, "seed2", "seed1")):
        drawn = "".join(figures(page))
        assert f"sotu-neox-{own}" in drawn and f"sotu-neox-{other}" not in drawn
        assert ("Stable rank" in drawn) == (own == "seed1") and ("articipation" in drawn) == (own == "seed2")
        assert figures(visit(link(page), fresh=True)) == figures(page)
    assert "axis=tokens" in first.url and "axis=" not in second.url
    assert "log=" in second.url and "log=" not in first.url
