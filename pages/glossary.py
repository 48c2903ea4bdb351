"""What do the words of this app mean?"""

from pathlib import Path

import streamlit as st

from analysis.glossary import TERMS

PAGES = Path(__file__).parent

st.title("Glossary")
st.markdown("The words of this app, each in a sentence or two. What a measure is, with its equation and its traps, "
            "stands on the page Measures.")
for term in sorted(TERMS, key=lambda one: one.word.lower()):
    st.subheader(term.word, anchor=term.anchor)
    st.markdown(term.meaning + (f" Also: {', '.join(term.also)}." if term.also else ""))
    if term.page:
        st.page_link(PAGES / f"{term.page}.py", label=f"See it on {term.page.replace('_', ' ')}",
                     icon=":material/arrow_forward:")
