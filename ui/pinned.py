"""The pinned reference on a page: its values for a figure, and what has to be said of it."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from analysis import reference, referring
from analysis.measure import Measure
from ui import workspace
from ui.plain import plain
from ui.selection import Selection

ICON = ":material/keep:"


def levels(chosen: Selection, sites: Sequence[str], measure: Measure, params: dict[str, int],
           beside: Sequence[dict[str, Any]] = ()) -> list[dict[str, Any]]:
    """The values of the reference at some sites, with a sentence where it has none, or none that is like those it is
    drawn `beside`."""
    if chosen.reference is None:
        return []
    asked = (workspace.store(), chosen.reference, chosen.protocol, sites, measure, {measure.name: params})
    found = reference.levels(*asked)
    unlike = referring.unlike(found, beside, measure.label)
    for sentence in [*referring.absent(*asked), *([unlike] if unlike else [])]:
        st.info(plain(sentence), icon=ICON)
    return found


def beside(chosen: Selection, own: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]], label: str) -> None:
    """Say where the one checkpoint that stands for the reference has no records, or is unlike what it is drawn beside.
    """
    if chosen.reference:
        said = referring.unlike(own, others, label) if own else referring.missing(chosen.reference, label)
        if said:
            st.info(plain(said), icon=ICON)


def stands(chosen: Selection) -> None:
    """Say which checkpoint stands for the reference, where that is a phase."""
    if chosen.reference and (said := referring.stands(chosen.reference)):
        st.caption(plain(said))
