"""What Streamlit's theme cannot say and its dark colours leave too faint to read: words on the accent colour."""

import streamlit as st

from ui import workspace

DARK = """<style>
[data-testid="stMultiSelectTagsContainer"] [data-tag], [data-testid="stMultiSelectTagsContainer"] [data-tag] button,
[data-testid="stBaseButton-primary"], [data-testid="stBaseButton-primaryFormSubmit"] { color: #14161A !important; }
</style>"""  # Streamlit writes white there, which the accent colour of a dark page is too light for


def draw() -> None:
    """On a dark page, words on the accent colour are of the colour of the paper."""
    if workspace.style().dark:
        st.html(DARK)
