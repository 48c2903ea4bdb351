"""The figures that the page has drawn so far in this run of its script, as `analysis.publishing` takes them."""

import streamlit as st

from analysis.publishing.bundle import Piece

KEY = "pieces"


def begin() -> None:
    """Forget the figures of the run before."""
    st.session_state[KEY] = {}


def add(key: str, piece: Piece) -> None:
    st.session_state.setdefault(KEY, {})[key] = piece


def listed() -> dict[str, Piece]:
    """Each figure by the key of its chart, in the order of the page."""
    return st.session_state.get(KEY, {})
