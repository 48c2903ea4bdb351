"""The settings of the figure studio. They stay for the whole session, so that the figures of a paper look alike."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from analysis.figures_command import FORMATS
from analysis.publishing import render
from analysis.publishing.bundle import Piece
from analysis.publishing.layout import (
    BACKGROUNDS,
    DOUBLE_MM,
    LEAST_MM,
    LEAST_PT,
    LEGENDS,
    MOST_MM,
    MOST_PT,
    SINGLE_MM,
    Print,
)
from analysis.publishing.palettes import PALETTES
from analysis.publishing.wording import reworded, words
from ui import pieces

COLLECTION = "collected figures"
MOST_COLLECTED, MOST_WORDS = 12, 24
CUSTOM = "other"
WIDTHS = {f"{SINGLE_MM:g} mm": SINGLE_MM, f"{DOUBLE_MM:g} mm": DOUBLE_MM, CUSTOM: None}
USUAL = Print()
HEIGHT_MM, DPI = 60.0, 300
KINDS = {kind: kind.upper() for kind in render.FORMATS}


def collection() -> dict[str, Piece]:
    """Figures that were collected from any page, as they were then."""
    return st.session_state.setdefault(COLLECTION, {})


def pick_figures(key: str, piece: Piece) -> tuple[list[Piece], int]:
    """Which figures stand on the page, in their order, and how many beside each other."""
    known = {key: piece, **pieces.listed(), **collection()}
    chosen = f"studio figures {key}"
    st.session_state[chosen] = [one for one in st.session_state.get(chosen, [key]) if one in known]
    picked = st.multiselect(
        "Figures", list(known), key=chosen, persist_state="session", placeholder="Choose figures, in their order",
        format_func=lambda one: f"{known[one].title}{' (collected)' if one in collection() else ''}",
        help="Figures of this page and those that you collected; they are lettered in the order of choosing.")
    columns = 1
    if len(picked) > 1:
        columns = int(st.number_input("Beside each other", 1, len(picked), min(2, len(picked)),
                                      key=f"studio columns {key}"))
    return [known[one] for one in picked], columns


def pick_print(several: bool) -> Print:
    """Size, type and colours. Raises ExplorerError for what cannot be printed."""
    if not WIDTHS[_segments("Width: one column, two columns, other", list(WIDTHS), "size")]:
        _number("Width in mm", USUAL.width_mm, LEAST_MM, MOST_MM, 1.0, "width")
    left, right = st.columns(2, vertical_alignment="bottom")
    with left:
        _number("Type in pt", USUAL.font_pt, LEAST_PT, MOST_PT, 0.5, "font")
    with right:
        own = st.toggle("Height as designed", value=True, key="studio designed", persist_state="session")
    if not own:
        _number("Height in mm", HEIGHT_MM, LEAST_MM, MOST_MM, 1.0, "height")
    st.selectbox("Colours of runs", list(PALETTES), key="studio palette", persist_state="session",
                 help="Okabe-Ito and Tol's muted colours can be told apart by colour-blind readers.")
    _segments("Paper", BACKGROUNDS, "paper")
    _segments("Legend", list(LEGENDS), "legend")
    st.toggle("Title above the figure", key="studio titles", persist_state="session",
              help="Journals want the title in the caption.")
    if several:
        st.toggle("Letters a, b, c", value=True, key="studio letters", persist_state="session")
    return chosen_print()


def chosen_print() -> Print:
    """What was chosen in this session, or else the usual. Raises ExplorerError for what cannot be printed."""
    width = WIDTHS[_kept("size", next(iter(WIDTHS)))] or _kept("width", USUAL.width_mm)
    return Print(width_mm=width, height_mm=None if _kept("designed", True) else _kept("height", HEIGHT_MM),
                 font_pt=_kept("font", USUAL.font_pt), palette=_kept("palette", USUAL.palette),
                 background=_kept("paper", USUAL.background), legend=_kept("legend", USUAL.legend),
                 titles=_kept("titles", USUAL.titles), letters=_kept("letters", USUAL.letters))


def pick_formats() -> tuple[list[str], int]:
    """Formats of the page and the resolution of a PNG; no format where nothing can be drawn."""
    if why := render.available():
        st.info(f"{why} The zip then holds the interactive figure (HTML) and the tables; the camera above a figure "
                "saves it as SVG.", icon=":material/print_disabled:")
        return [], DPI
    kinds = st.pills("Formats", list(KINDS), selection_mode="multi", default=list(FORMATS), key="studio formats",
                     persist_state="session", format_func=KINDS.__getitem__,
                     help="PDF and SVG keep text as text. HTML, tables, manifest, methods and references are always in "
                          "the zip.")
    if "png" in kinds:
        _number("Dots per inch of the PNG", DPI, render.LEAST_DPI, render.MOST_DPI, 50, "dpi")
    return chosen_formats()


def chosen_formats() -> tuple[list[str], int]:
    """What was chosen in this session, or else the usual."""
    return list(_kept("formats", FORMATS)), int(_kept("dpi", DPI))


def _kept(name: str, usual: Any) -> Any:
    value = st.session_state.get(f"studio {name}")
    return usual if value is None else value


def pick_words(chosen: Sequence[Piece]) -> list[Piece]:
    """The figures with the texts that were typed for them; their records stay as they are."""
    with st.expander("Titles, axes and names", icon=":material/edit:"):
        st.caption("Only the printed copy changes; tables and methods keep their names. An empty text is left out.")
        found = []
        for number, piece in enumerate(chosen):
            if len(chosen) > 1:
                st.markdown(f"**Figure {chr(ord('a') + number)}**")
            found.append(_reworded(piece, f"{number} {piece.title}"))
        return found


def _reworded(piece: Piece, where: str) -> Piece:
    title = _text("title", piece.title, where)
    every = words(piece.figure)
    said = {old: _text(kind, old, where) for old, kind in list(every.items())[:MOST_WORDS]}
    if len(every) > MOST_WORDS:
        st.caption(f"{len(every) - MOST_WORDS} more texts stay as they are.")
    changes = {old: new for old, new in said.items() if new != old}
    return replace(piece, figure=reworded(piece.figure, changes), title=title or piece.title)


def _text(kind: str, old: str, where: str) -> str:
    return st.text_input(f"{kind[:1].upper()}{kind[1:]}", old, key=f"studio {where} {kind} {old}", max_chars=300,
                         persist_state="session")


def _number(label: str, usual: Any, low: Any, high: Any, step: Any, key: str) -> float:
    kind = type(usual)
    return st.number_input(label, kind(low), kind(high), usual, kind(step), key=f"studio {key}",
                           persist_state="session")


def _segments(label: str, options: Sequence[str], key: str) -> str:
    """One of a few, the first until another is chosen."""
    return st.segmented_control(label, options, default=options[0], key=f"studio {key}", required=True,
                                persist_state="session") or options[0]
