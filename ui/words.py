"""Titles, introductions and guides, in which a word of the glossary is linked where a page uses it first."""

import re

import streamlit as st

from analysis.glossary import TERMS, Term

PAGE, SEEN = "glossary", "words linked"
SPELLINGS = {spelling.lower(): term for term in TERMS for spelling in (term.word, *term.also)}
LONGEST_FIRST = sorted(SPELLINGS, key=len, reverse=True)
WORD = re.compile(rf"(`[^`]*`|\[[^\]]*\]\([^)]*\))|(?<![\w-])({'|'.join(map(re.escape, LONGEST_FIRST))})(?![\w-])",
                  re.IGNORECASE)
LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def intro(title: str, text: str) -> None:
    """The head of a page: its title and what it shows."""
    st.session_state[SEEN] = set()
    st.title(title)
    st.markdown(linked(text))


def guide(see: str, read: str) -> None:
    """Two sentences beside a figure: what is seen and how it is read."""
    st.markdown(f"**What you see:** {linked(see)} **How to read it:** {linked(read)}")


def linked(text: str) -> str:
    """A text of ours, in Markdown, with a link to the glossary at a page's first use of each of its words."""
    seen: set[str] = st.session_state.setdefault(SEEN, set())

    def link(match: re.Match[str]) -> str:
        term = SPELLINGS.get((match[2] or "").lower())
        if term is None or term.word in seen or (len(match[2]) < 2 and match[2] != term.word):
            return match[0]
        seen.add(term.word)
        return f"[{match[2]}]({address(term)})"
    return WORD.sub(link, text)


def unlinked(text: str) -> str:
    """The text without its links."""
    return LINK.sub(r"\1", text)


def address(term: Term) -> str:
    base = st.get_option("server.baseUrlPath").strip("/")
    return f"/{base}/{PAGE}#{term.anchor}" if base else f"/{PAGE}#{term.anchor}"
